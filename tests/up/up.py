"""tests/up/up.py NARU: `naru up` as its users meet it, on loopback and high ports, in a directory that is removed.

One line a check ("ok" or "not ok"), then "N passed, N failed, N skipped"."""
import json
import os
import poplib
import re
import shutil
import signal
import smtplib
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

import commands
import loops
import reload
import steered
import swarm
import upgrade
from machine import (ANSWERS, NARU, PASSWORD, PATIENCE_S, WHO, Up, check, counts, letter_count, letter_send, skipped, smtp_answers, upper)

# ---- the cases --------------------------------------------------------------------------------------------------------------

def starts_and_carries(up):
    if not check("all services are ready, and systemd is told", up.said("READY=1"), up.log_text()[-2000:]):
        return False
    added = up.command("account", "add", WHO, input=PASSWORD + "\n")
    check("an account is made through the control socket", added.returncode == 0, added.stderr)
    letter_send(up, "one")
    check("a letter goes through SMTP into POP3, each service a process", letter_count(up, "one") == 1)
    story = up.command("story", "--last")
    check("its story spans the processes", "stored in INBOX" in story.stdout and "synced" in story.stdout, story.stdout + story.stderr)
    check("the watchdog is fed", up.said("WATCHDOG=1"))
    return True


def is_locked(up):
    def status_of(pid):
        with open(f"/proc/{pid}/status") as f:
            return dict(line.rstrip("\n").split(":\t", 1) for line in f if ":\t" in line)

    states = {name: status_of(p["pid"]) for name, p in up.processes().items()}
    loose = [n for n, s in states.items() if s.get("NoNewPrivs") != "1" or s.get("Seccomp") != "2"]
    check("every service runs with no-new-privs under a seccomp filter", states and not loose, str(loose))
    if os.geteuid() == 0:
        users = [s["Uid"].split()[0] for s in states.values()]
        check("started as root, every service is a user of its own", "0" not in users and len(set(users)) == len(users), str(users))


def killed_services_come_back(up):
    times = {}
    for name in ANSWERS:
        before = up.processes()
        others = [o for o in ("mta", "mailstore", "upper") if o != name]
        held = {o: socket.create_connection(("127.0.0.1", up.port[{"mta": "smtp", "mailstore": "pop3", "upper": "upper"}[o]]),
                                            timeout=PATIENCE_S) for o in others}
        for o, s in held.items():
            if o != "upper":
                s.recv(500)                                  # its greeting: the conversation runs
        os.kill(before[name]["pid"], signal.SIGKILL)
        begun = time.monotonic()
        try:
            good = ANSWERS[name](up)
        except (OSError, EOFError, poplib.error_proto, smtplib.SMTPException) as e:
            good = False
            print(f"  {name}: {e!r}")
        took = times[name] = time.monotonic() - begun
        check(f"{name}, killed with -9, answers again", good, f"{took:.2f} s")
        for o, s in held.items():
            said = {"mta": b"NOOP\r\n", "mailstore": b"CAPA\r\n", "upper": b"held\n"}[o]
            s.sendall(said)
            check(f"... and a client of {o} notices nothing", s.recv(500)[:4] in (b"250 ", b"+OK ", b"HELD", b"+OK\r"))
            s.close()
        after = up.processes()
        check("... its process is another, the others' are not", after[name]["pid"] != before[name]["pid"] and
              all(after[o]["pid"] == before[o]["pid"] for o in before if o != name))
    print("  killed with -9, answers again after " + ", ".join(f"{name} {took * 1000:.0f} ms" for name, took in times.items()))
    letter_send(up, "after the kills")
    count = letter_count(up, "after the kills")
    check("afterwards a letter arrives, once", count == 1, f"{count} times; " + up.log_text()[-3000:])


def memory_when_idle(up):
    """What all processes hold together, shared pages counted once."""
    def pss_kib(pid):
        with open(f"/proc/{pid}/smaps_rollup") as f:
            return next(int(line.split()[1]) for line in f if line.startswith("Pss:"))

    processes = up.processes()
    sizes = {"supervisor": pss_kib(up.process.pid), **{name: pss_kib(p["pid"]) for name, p in processes.items()}}
    total = sum(sizes.values()) / 1024
    print(f"  idle: {total:.1f} MB PSS in {len(sizes)} processes ({', '.join(f'{n} {k / 1024:.1f}' for n, k in sizes.items())})")
    sanitized = b"__asan_init" in open(NARU, "rb").read() or b"__tsan_init" in open(NARU, "rb").read()
    if sanitized:
        skipped("up memory", "a sanitizer's memory is not ours")
    else:
        check("all services idle hold at most 60 MB", total <= 60, f"{total:.1f} MB")


def hung_service_is_noticed():
    up = Up("watchdog 5s\n")                     # a busy machine may not let a healthy service run for a second or two
    try:
        if not check("a naru with a watchdog of five seconds runs", up.said("READY=1"), up.log_text()[-1500:]):
            return
        before = up.processes()
        with socket.create_connection(("127.0.0.1", up.port["smtp"]), timeout=PATIENCE_S) as held:
            held.recv(500)
            os.kill(before["upper"]["pid"], signal.SIGSTOP)
            begun = time.monotonic()
            good = upper(up)                     # it waits in the socket's queue until there is a new process
            took = time.monotonic() - begun
            check("a service that hangs is killed and started again, and it is said", good and
                  "service-hung name=upper" in up.log_text(), f"{took:.1f} s; {up.log_text()[-500:]}")
            held.sendall(b"NOOP\r\n")
            check("... and a client of another notices nothing", held.recv(500).startswith(b"250"))
        print(f"  a service that hangs answers again after {took:.1f} s (watchdog 5s)")
        after = up.processes()
        check("... only this one is a new process", [n for n in after if after[n]["pid"] != before[n]["pid"]] == ["upper"])
        up.process.send_signal(signal.SIGSTOP)
        time.sleep(7)                            # the supervisor was not run: nobody is to blame
        up.process.send_signal(signal.SIGCONT)
        time.sleep(0.5)
        check("a supervisor that slept kills nobody", {n: p["pid"] for n, p in up.processes().items()} == {n: p["pid"] for n, p in after.items()})
    finally:
        up.end()


def reloads(up):
    with socket.create_connection(("127.0.0.1", up.port["smtp"]), timeout=PATIENCE_S) as held:
        held.recv(500)
        up.write("mta { sizze 3MB }\n")
        refused = up.command("reload")
        check("an edit with a mistake is refused, with line and column and the nearest name",
              refused.returncode == 1 and ":7:7:" in refused.stderr and '"size"' in refused.stderr, refused.stderr)
        letter_send(up, "on the old settings")
        check("... and the old settings stay", letter_count(up, "on the old settings") == 1)
        pids = {n: p["pid"] for n, p in up.processes().items()}
        up.write("mta { size 3MB }\n")
        good = up.command("reload")
        check("a good edit is taken", good.returncode == 0 and good.stdout == "reloaded\n", good.stderr)
        check("... without a new process", {n: p["pid"] for n, p in up.processes().items()} == pids)
        with smtplib.SMTP("127.0.0.1", up.port["smtp"], timeout=PATIENCE_S) as s:
            s.ehlo()
            check("... and counts for the next conversation", s.esmtp_features.get("size") == "3000000", str(s.esmtp_features))
        held.sendall(b"NOOP\r\n")
        check("... and a conversation that was open goes on", held.recv(500).startswith(b"250"))
    up.write("mta { size 3MB; connections 17 }\n")
    again = up.command("reload")
    check("what only a new start can take starts one service again", again.returncode == 0 and
          [n for n, p in up.processes().items() if p["pid"] != pids[n]] == ["mta"], again.stderr)
    up.write("mta { size 3MB; connections 17; certificate /nowhere.pem; key /nowhere.pem }\n")
    nowhere = up.command("reload")
    check("a service that cannot start on the new settings starts on the old ones",
          nowhere.returncode == 1 and "/nowhere.pem" in nowhere.stderr and smtp_answers(up), nowhere.stderr)
    up.write("mta { size 4MB; connections 17 }\n")
    up.forget()
    up.process.send_signal(signal.SIGHUP)
    check("SIGHUP reloads too, and systemd is told", up.said("RELOADING=1", "READY=1"))


def second_is_refused(up):
    second = subprocess.run([NARU, "up", up.config, "--dir", up.data], capture_output=True, text=True, timeout=PATIENCE_S)
    check("a second naru in the same directory is refused", second.returncode == 1 and "another naru" in second.stderr, second.stderr)


def stops_gracefully(up):
    held = smtplib.SMTP("127.0.0.1", up.port["smtp"], timeout=PATIENCE_S)
    held.ehlo()
    held.mail("alice@elsewhere.test")
    pids = [p["pid"] for p in up.processes().values()]
    up.process.terminate()
    until = time.monotonic() + PATIENCE_S
    while "service-ended name=upper" not in up.log_text() and time.monotonic() < until:
        time.sleep(0.02)                         # the stop has begun; mta is the next to end, and the conversation in its middle
    check("systemd is told that it stops", up.said("STOPPING=1"))
    held.rcpt(WHO)
    code, text = held.data(b"Subject: the last one\r\n\r\nBefore the doors close.\r\n")
    check("a conversation that is under way at SIGTERM is finished", code == 250, str((code, text)))
    held.quit()
    code = up.process.wait(PATIENCE_S * 3)
    check("then naru ends, exit code 0", code == 0, str(code) + up.log_text()[-1500:])
    check("no process is left", not [p for p in pids if os.path.exists(f"/proc/{p}")])
    left = [n for _, _, names in os.walk(up.data) for n in names if n.endswith(".sock")]
    check("no socket is left", not left, str(left))


def supervisor_is_killed():
    up = Up()
    try:
        if not check("it starts again", up.said("READY=1"), up.log_text()[-1500:]):
            return
        pids = [p["pid"] for p in up.processes().values()]
        up.process.kill()
        up.process.wait()
        until = time.monotonic() + PATIENCE_S
        while any(os.path.exists(f"/proc/{p}") for p in pids) and time.monotonic() < until:
            time.sleep(0.05)
        check("when the supervisor is killed, its services end", not any(os.path.exists(f"/proc/{p}") for p in pids))
        up.forget()
        after = subprocess.Popen([NARU, "up", up.config, "--dir", up.data], stderr=up.log, env=dict(os.environ, NOTIFY_SOCKET=up.dir + "/notify"))
        check("... and a new one starts over what it left", up.said("READY=1"), up.log_text()[-1500:])
        after.terminate()
        check("... and ends", after.wait(PATIENCE_S * 3) == 0)
    finally:
        up.end()


def guard_holds():
    directory = tempfile.mkdtemp(prefix="naru-guard-")
    proved = subprocess.run([NARU, "services", "--prove", "--json", "--dir", directory], capture_output=True, text=True, timeout=PATIENCE_S * 4)
    shutil.rmtree(directory, ignore_errors=True)
    try:
        answer = json.loads(proved.stdout)
    except ValueError:
        check("naru services --prove --json answers", False, proved.stderr)
        return
    kernel = answer["kernel"]
    if kernel["logged_only"] or not kernel["system_calls"] or not kernel["tcp"]:
        skipped("up guard", "this kernel or this build does not enforce all: " + json.dumps(kernel))
        return
    for service in answer["services"]:
        for what, verdict in service["proof"].items():
            check(f"{service['service']}: the kernel refuses a forbidden {what}", verdict in ("refused", "killed"), verdict)
    check("naru services --prove: exit code 0", proved.returncode == 0, str(proved.returncode))


def every_service_runs():
    """All of them at once: what they hold together, that they answer, and that each comes back."""
    up = Up("", start=False)
    try:
        zone = os.path.join(up.dir, "club.zone")
        with open(zone, "w") as f:
            f.write(loops.ZONE)
        up.write("tracker { open }\nswarm { dht off }\norigin { }\nedge { site video.test { origin 127.0.0.1:8080 } }\n"
                 "steering { place here { region earth } cdn king { node king-1 { address 127.0.0.1; place here } } }\n"
                 "console { plaintext loopback; registration yes }\n", zone=zone)
        up.start()
        if not check("all services run", up.said("READY=1"), up.log_text()[-1500:]):
            return
        names = set(up.processes())
        check("... every one of the table", names == set(table_of_services()), str(names))
        is_locked(up)
        memory_when_idle(up)
        the_console_serves(up)
        the_page_of_metrics_knows_all(up)
        doors = {"tracker": "tracker", "swarm": "rpc", "authoritative": "dns", "origin": "origin", "edge": "http", "console": "console"}
        for name, port in doors.items():
            pid = up.processes()[name]["pid"]
            os.kill(pid, signal.SIGKILL)
            with socket.create_connection(("127.0.0.1", up.port[port]), timeout=PATIENCE_S) as s:
                s.sendall(len(upgrade.QUERY).to_bytes(2, "big") + upgrade.QUERY if name == "authoritative" else b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
                answered = s.recv(100)
            check(f"{name}, killed with -9, answers again", answered and up.processes()[name]["pid"] != pid, repr(answered))
        done = up.command("upgrade")
        check("all services together are upgraded", done.returncode == 0, done.stderr)
    finally:
        up.end()


def the_page_of_metrics_knows_all(up):
    """Every meter of every service stands in docs/metrics.md, with its type and its help."""
    page = open(os.path.join(os.path.dirname(commands.DOCS), "metrics.md")).read()
    rows = {m[0]: (m[1], m[2]) for m in re.findall(r"^\| `(naru_\w+)` \| (\w+) \| [^|]* \| (.*) \|$", page, re.M)}
    said = loops.control_get(up, "/metrics")[1]
    kinds, helps = dict(re.findall(r"^# TYPE (\S+) (\w+)$", said, re.M)), dict(re.findall(r"^# HELP (\S+) (.*)$", said, re.M))
    wrong = [f"| `{name}` | {kind} | | {helps.get(name)} |" for name, kind in sorted(kinds.items()) if rows.get(name) != (kind, helps.get(name))]
    check("docs/metrics.md has every meter of every service", kinds and not wrong, "\n" + "\n".join(wrong))


def the_console_serves(up):
    """A stranger registers (the accounts service is another process), and sees what the supervisor says of all."""
    base = f"http://127.0.0.1:{up.port['console']}"
    joined = urllib.request.urlopen(urllib.request.Request(base + "/api/register", json.dumps({"user": "eve@gmail.com", "password": PASSWORD}).encode(),
                                                           {"Content-Type": "application/json"}), timeout=PATIENCE_S)
    cookie = joined.headers["Set-Cookie"].split(";")[0]
    status = json.load(urllib.request.urlopen(urllib.request.Request(base + "/api/status", headers={"Cookie": cookie}), timeout=PATIENCE_S))
    check("console: who registered sees every service", status["source"] == "supervisor" and {s["service"] for s in status["services"]} == set(up.processes()), str(status))
    told = up.command("console", "--json")
    check("naru console says how it is", told.returncode == 0 and json.loads(told.stdout)["sessions"] == 1, told.stderr + told.stdout)


def table_of_services():
    directory = tempfile.mkdtemp(prefix="naru-table-")
    answer = subprocess.run([NARU, "services", "--json", "--dir", directory], capture_output=True, text=True, timeout=PATIENCE_S)
    shutil.rmtree(directory, ignore_errors=True)
    return [s["service"] for s in json.loads(answer.stdout)["services"]]


def runs_without_root():
    up = Up(user=65534 if os.geteuid() == 0 else None)
    try:
        if check("it runs as an ordinary user on high ports", up.said("READY=1"), up.log_text()[-1500:]):
            check("... and says that all services are one user", "one-user" in up.log_text())
    finally:
        up.end()


def empty_file_is_valid():
    directory = tempfile.mkdtemp(prefix="naru-empty-")
    path = os.path.join(directory, "naru.conf")
    open(path, "w").close()
    answer = subprocess.run([NARU, "services", path, "--json", "--dir", directory], capture_output=True, text=True, timeout=PATIENCE_S)
    runs = [s["service"] for s in json.loads(answer.stdout)["services"] if s["runs"]] if answer.returncode == 0 else answer.stderr
    check("an empty file is valid: a resolver", runs == ["resolver", "control"], str(runs))
    shutil.rmtree(directory, ignore_errors=True)


def zones_and_mail_stand_side_by_side():
    """Nothing is said about the resolver: the zones have the DNS port, and mail still finds its way through a resolver."""
    up = Up("", start=False)
    try:
        with open(os.path.join(up.dir, "club.zone"), "w") as f:
            f.write(loops.ZONE)
        ports = "; ".join(f"{name} {port}" for name, port in up.port.items())
        with open(up.config, "w") as f:
            f.write(f"host mx.club.test\naddress 127.0.0.1\nports {{ {ports} }}\ndomain club.test {{ zone club.zone }}\n")
        up.start()
        if check("a domain with a zone needs no word about the resolver", up.said("READY=1"), up.log_text()[-1500:]):
            ns = bytes.fromhex("432101000001000000000000") + b"\x02ns\x04club\x04test\x00\x00\x01\x00\x01"
            check("... its zone is answered at the DNS port", loops.ask(up, "127.0.0.1", ns) == 0)
            up.port["dns"] = up.port["resolver"]
            check("... the resolver beside it", loops.ask(up, "127.0.0.1") == 0)
    finally:
        up.end()


def sums():
    return f"{counts['ok']} passed, {counts['not ok']} failed, {counts['skipped']} skipped"


def main():
    # It waits, mostly: it runs beside the others, as a program of its own.
    hung = subprocess.Popen([sys.executable, os.path.abspath(__file__), NARU, "--hung"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    empty_file_is_valid()
    guard_holds()
    zones_and_mail_stand_side_by_side()
    every_service_runs()
    up = Up("mta { retry 1s }\n")                # a letter may meet a connection to a mailstore that was killed
    try:
        if starts_and_carries(up):
            is_locked(up)
            second_is_refused(up)
            killed_services_come_back(up)
            reloads(up)
            stops_gracefully(up)
    finally:
        up.end()
    reload.cases()
    loops.cases()
    commands.cases()
    swarm.cases()
    steered.cases()
    upgrade.cases()
    supervisor_is_killed()
    if os.geteuid() == 0:
        runs_without_root()
    said, _, last = hung.communicate()[0].rstrip("\n").rpartition("\n")
    told = re.fullmatch(r"(\d+) passed, (\d+) failed, (\d+) skipped", last)
    print(said if told else said + "\n" + last)
    for kind, count in zip(counts, told.groups()) if told else ():
        counts[kind] += int(count)
    check("the service that hangs was played to its end", told is not None)
    print(sums())
    return counts["not ok"] > 0


if sys.argv[2:] == ["--hung"]:
    hung_service_is_noticed()
    print(sums())
    sys.exit(counts["not ok"] > 0)
sys.exit(main())
