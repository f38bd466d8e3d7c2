"""`naru reload`: many conversations lose nothing, one refusal leaves every service as it was, keys change without a new start."""
import os
import shutil
import smtplib
import socket
import ssl
import subprocess
import time

from machine import PATIENCE_S, Up, check, skipped

CONNS = int(os.environ.get("NARU_UP_CONNS", "1000"))     # the fuller run: 10000
MANY = "mta { connections-per-address 20000; connections 20000 }\n"
MANY_POP3 = "mailstore { plaintext loopback; connections-per-address 20000; connections 20000 }\n"


def held_open(up, port, count):
    held = []
    for _ in range(count):
        s = socket.create_connection(("127.0.0.1", up.port[port]), timeout=PATIENCE_S)
        held.append(s)
    return held


def answers(s, text, wanted):
    try:
        s.sendall(text)
        return s.recv(500).startswith(wanted)
    except OSError:
        return False


def crowd_notices_nothing():
    up = Up(MANY, mailstore=MANY_POP3)
    try:
        if not check("a naru for many conversations runs", up.said("READY=1"), up.log_text()[-1500:]):
            return
        crowds = {"smtp": (held_open(up, "smtp", CONNS // 2), b"NOOP\r\n", b"250"),
                  "pop3": (held_open(up, "pop3", CONNS // 4), b"CAPA\r\n", b"+OK"),
                  "upper": (held_open(up, "upper", CONNS - CONNS // 2 - CONNS // 4), b"held\n", b"HELD")}
        greeted = sum(bool(s.recv(500)) for name in ("smtp", "pop3") for s in crowds[name][0])
        check(f"{CONNS} conversations are open", greeted == CONNS // 2 + CONNS // 4, str(greeted))
        pids = {n: p["pid"] for n, p in up.processes().items()}
        begun = time.monotonic()
        up.write(MANY.replace("}", "; size 3MB }"), mailstore=MANY_POP3)
        good = up.command("reload")
        took = time.monotonic() - begun
        check("a reload is taken meanwhile, without a new process", good.returncode == 0 and
              {n: p["pid"] for n, p in up.processes().items()} == pids, good.stderr)
        lost = {name: sum(not answers(s, text, wanted) for s in held) for name, (held, text, wanted) in crowds.items()}
        print(f"  {CONNS} open conversations, reloaded in {took:.2f} s: lost {sum(lost.values())}")
        check(f"... and of {CONNS} conversations none is lost", not any(lost.values()), str(lost))
        for held, _, _ in crowds.values():
            for s in held:
                s.close()
    finally:
        up.end()


def size_of(up):
    with smtplib.SMTP("127.0.0.1", up.port["smtp"], timeout=PATIENCE_S) as s:
        s.ehlo()
        return s.esmtp_features.get("size")


ZONE = "$ORIGIN club.test.\n$TTL 300\n@ SOA ns hostmaster 1 3600 600 86400 300\n  NS ns\nns A 127.0.0.1\n"


def all_or_none(up):
    """The zone of one service is broken, the settings of two others are new: neither takes them."""
    zone = os.path.join(up.dir, "club.zone")
    pids = {n: p["pid"] for n, p in up.processes().items()}
    size = size_of(up)
    with open(zone, "w") as f:
        f.write(ZONE + "www A 192.0.2.300\n")
    up.write("mta { size 7MB; retry 2s }\nresolver { listen 127.0.0.2; allow 10.0.0.0/8 }\n", zone=zone)
    refused = up.command("reload", "--json")
    check("one service refuses a reload: it is said by whom and why", refused.returncode == 1 and '"reloaded":false' in refused.stdout and
          "authoritative" in refused.stderr and "club.zone" in refused.stderr, refused.stderr)
    check("... and no other has taken it", size_of(up) == size and {n: p["pid"] for n, p in up.processes().items()} == pids, str(size_of(up)))
    up.write("mta { size 7MB; connections 18 }\nupper { connections 33 }\n", zone=zone)
    again = up.command("reload")
    check("... nor was one started again", again.returncode == 1 and {n: p["pid"] for n, p in up.processes().items()} == pids, again.stderr)
    with open(zone, "w") as f:
        f.write(ZONE)
    good = up.command("reload", "--json")
    changed = sorted(n for n, p in up.processes().items() if p["pid"] != pids[n])
    check("without the mistake all take it", good.returncode == 0 and size_of(up) == "7000000" and changed == ["mta", "upper"], good.stderr + str(changed))


def failed_start_takes_all_back(up):
    before, pids = size_of(up), {n: p["pid"] for n, p in up.processes().items()}
    up.write("mta { size 8MB; certificate /nowhere.pem; key /nowhere.pem }\nupper { connections 44 }\n", zone=os.path.join(up.dir, "club.zone"))
    refused = up.command("reload")
    until = time.monotonic() + PATIENCE_S
    while not all(p["state"] == "ready" for p in up.processes().values()) and time.monotonic() < until:
        time.sleep(0.05)
    check("a service does not start on the new settings: it and the others go back", refused.returncode == 1 and "/nowhere.pem" in refused.stderr and
          size_of(up) == before and up.processes()["authoritative"]["pid"] == pids["authoritative"], refused.stderr + str(size_of(up)))
    with socket.socket() as s:
        check("... and no door stands open that nobody answers", s.connect_ex(("127.0.0.1", up.port["submissions"])) != 0)


# ---- keys -----------------------------------------------------------------------------------------------------------------------

def key_make(directory, name):
    answer = subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30",
                             "-subj", f"/CN={name}", "-keyout", f"{directory}/key.new", "-out", f"{directory}/cert.new"], capture_output=True)
    os.rename(f"{directory}/key.new", f"{directory}/key.pem")
    os.rename(f"{directory}/cert.new", f"{directory}/cert.pem")
    return answer.returncode == 0


def certificate_of(port):
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with context.wrap_socket(socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S)) as s:
        return s.getpeercert(binary_form=True)


def keys_change_without_a_new_start():
    if not shutil.which("openssl"):
        skipped("up keys", "openssl is not installed")
        return
    up = Up("", start=False)
    settings = f"mta {{ certificate {up.dir}/cert.pem; key {up.dir}/key.pem }}\n"
    mailstore = f"mailstore {{ plaintext loopback; certificate {up.dir}/cert.pem; key {up.dir}/key.pem }}\n"
    try:
        key_make(up.dir, "first.test")
        up.write(settings, mailstore=mailstore)
        up.start()
        if not check("it runs with a key that only the supervisor could open", up.said("READY=1"), up.log_text()[-1500:]):
            return
        ports = [up.port["submissions"], up.port["pop3s"]]
        first, pids = [certificate_of(p) for p in ports], {n: p["pid"] for n, p in up.processes().items()}
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        held = smtplib.SMTP_SSL("127.0.0.1", ports[0], timeout=PATIENCE_S, context=context)
        key_make(up.dir, "second.test")
        good = up.command("reload")
        second = [certificate_of(p) for p in ports]
        check("new certificate and key are taken at a reload, without a new process", good.returncode == 0 and second != first and
              len(set(second)) == 1 and {n: p["pid"] for n, p in up.processes().items()} == pids, good.stderr)
        check("... and who talks under the old one goes on", held.noop()[0] == 250)
        held.close()
        with open(f"{up.dir}/key.pem", "w") as f:
            f.write("no key\n")
        bad = up.command("reload")
        check("a key that is none is refused, the one before goes on", bad.returncode == 1 and "key" in bad.stderr and
              [certificate_of(p) for p in ports] == second, bad.stderr)
    finally:
        up.end()


def with_zone():
    up = Up("", start=False)
    try:
        zone = os.path.join(up.dir, "club.zone")
        with open(zone, "w") as f:
            f.write(ZONE)
        up.write("", zone=zone)
        up.start()
        if check("a naru with a zone runs", up.said("READY=1"), up.log_text()[-1500:]):
            all_or_none(up)
            failed_start_takes_all_back(up)
    finally:
        up.end()


def cases():
    crowd_notices_nothing()
    with_zone()
    keys_change_without_a_new_start()
