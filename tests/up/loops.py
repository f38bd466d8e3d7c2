"""Several loops a service, and what all processes measure on one page."""
import json
import os
import signal
import socket

from machine import PASSWORD, PATIENCE_S, WHO, Up, check, letter_send
from upgrade import QUERY, Crowd, pids_of

OWN_USER = 60999
LOOPS = f"users {{ upper {OWN_USER} }}\n" + "upper { loops 3 }\nresolver { listen 127.0.0.2; loops 2; allow 127.0.0.0/8 }\nauthoritative { loops 2 }\n"
ZONE = "$ORIGIN club.test.\n$TTL 300\n@ SOA ns hostmaster 1 3600 600 86400 300\n  NS ns\nns A 127.0.0.1\n"
CLIENTS = 40                    # each share of a port meets some of them: 2 of 3 shares missed by all of 40 is a chance of 10^-7


def ask(up, address, query=QUERY):
    with socket.socket(type=socket.SOCK_DGRAM) as s:
        s.settimeout(PATIENCE_S)
        s.sendto(query, (address, up.port["dns"]))
        return s.recv(600)[3] & 15


def threads_of(pid):
    return len(os.listdir(f"/proc/{pid}/task"))


def sockets_of(pid, port):
    """Listening TCP sockets of the process on the port."""
    inodes = {os.readlink(f"/proc/{pid}/fd/{f}") for f in os.listdir(f"/proc/{pid}/fd") if os.path.exists(f"/proc/{pid}/fd/{f}")}
    with open("/proc/net/tcp") as table:
        rows = [line.split() for line in table][1:]
    return sum(r[3] == "0A" and int(r[1].split(":")[1], 16) == port and f"socket:[{r[9]}]" in inodes for r in rows)


def echoes(up):
    held = [socket.create_connection(("127.0.0.1", up.port["upper"]), timeout=PATIENCE_S) for _ in range(CLIENTS)]
    good = 0
    for s in held:
        s.sendall(b"ketchup\n")
        good += s.recv(100) == b"KETCHUP\n"
    return held, good


def several_loops(up):
    pids = pids_of(up)
    shares = {name: sockets_of(pids[name], up.port[port]) for name, port in (("upper", "upper"), ("authoritative", "dns"), ("resolver", "dns"), ("mta", "smtp"))}
    check("each loop has its share of a door", shares == {"upper": 3, "authoritative": 2, "resolver": 2, "mta": 1}, str(shares))
    if os.geteuid() == 0:
        check("a service runs as the user that `users` names", os.stat(f"/proc/{pids['upper']}").st_uid == OWN_USER)
    held, good = echoes(up)
    listed = json.loads(up.command("ps", "--json").stdout)["fibers"]
    conversations = sum(f["label"] == "upper" and "door" not in f["waits_for"] for f in listed)
    check("all of them answer", good == CLIENTS, str(good))
    check("naru ps shows the conversations of every loop", conversations >= CLIENTS, str(conversations))
    for s in held:
        s.close()
    check("the resolver answers on every loop", {ask(up, "127.0.0.2") for _ in range(CLIENTS)} == {0})
    up.write(LOOPS.replace("127.0.0.0/8", "10.0.0.0/8"), zone=up.zone)
    good = up.command("reload")
    check("a reload reaches every loop", good.returncode == 0 and {ask(up, "127.0.0.2") for _ in range(CLIENTS)} == {5}, good.stderr)
    up.write(LOOPS, zone=up.zone)
    up.command("reload")
    up.write(LOOPS.replace("loops 3", "loops 4"), zone=up.zone)
    other = up.command("reload")
    check("another number of loops wants a new start, and it is said", other.returncode == 1 and "loops" in other.stderr, other.stderr)
    up.write(LOOPS.replace("loops 3", "loops many"), zone=up.zone)
    bad = up.command("reload")
    check("loops is a number or auto", bad.returncode == 1 and ":7:9:" in bad.stderr and "auto" in bad.stderr, bad.stderr)
    up.write(LOOPS, zone=up.zone)
    os.kill(pids["upper"], signal.SIGKILL)
    held, good = echoes(up)
    check("a killed service comes back with all its loops", good == CLIENTS and sockets_of(pids_of(up)["upper"], up.port["upper"]) == 3, str(good))
    for s in held:
        s.close()
    crowd = Crowd(up)
    try:
        done = up.command("upgrade")
    finally:
        crowd.end()
    check("an upgrade with several loops refuses nobody", done.returncode == 0 and not crowd.troubles, done.stderr + str(crowd.troubles[:5]))


def control_get(up, target):
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(PATIENCE_S)
        s.connect(up.data + "/control.sock")
        s.sendall(f"GET {target} HTTP/1.1\r\nHost: naru\r\nConnection: close\r\n\r\n".encode())
        text = b""
        while got := s.recv(65536):
            text += got
    head, _, body = text.decode().partition("\r\n\r\n")
    return head, body


def one_page_of_metrics(up):
    up.command("account", "add", WHO, input=PASSWORD + "\n")
    letter_send(up, "measured")
    head, page = control_get(up, "/metrics")
    lines = page.splitlines()
    services = set(up.processes())
    values = [line for line in lines if line and not line.startswith("#")]
    unlabelled = [v for v in values if not v.split("{", 1)[-1].startswith('service="')]
    check("one page has every process's metrics, each with its service", "text/plain" in head and values and not unlabelled, head + str(unlabelled[:5]))
    built = {v.split('"')[1] for v in values if v.startswith("naru_build_info{")}
    check("... naru_build_info of each", built == services, str(built))
    names = [line.split()[2] for line in lines if line.startswith("# TYPE")]
    check("... every name once", len(names) == len(set(names)) and {v.split("{")[0] for v in values} <= set(names), str(len(names)))
    check("... what a service counts is there", any(v.startswith('naru_mta_letters_accepted_total{service="mta"} ') and v.split()[-1] != "0" for v in values))
    ready = {v.split('"')[1]: v.split()[-1] for v in values if v.startswith("naru_service_ready{")}
    restarts = {v.split('"')[1]: v.split()[-1] for v in values if v.startswith("naru_service_restarts_total{")}
    check("... and what the supervisor knows", ready == dict.fromkeys(services, "1") and restarts["upper"] == "1" and restarts["mta"] == "0",
          str((ready, restarts)))


def cases():
    up = Up("", start=False)
    try:
        up.zone = os.path.join(up.dir, "club.zone")
        with open(up.zone, "w") as f:
            f.write(ZONE)
        up.write(LOOPS, zone=up.zone)
        up.start()
        if check("services with several loops run", up.said("READY=1"), up.log_text()[-1500:]):
            several_loops(up)
            one_page_of_metrics(up)
    finally:
        up.end()
