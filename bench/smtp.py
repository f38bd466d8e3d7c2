#!/usr/bin/env python3
"""bench/smtp.py [--json]: durable SMTP acceptance, naru beside Debian's Postfix in the same run, interleaved; and through to one
mailbox against Postfix with Dovecot's LMTP. Letters of 4 KiB from smtp-source over 1, 20 and 100 sessions. Both sides hand the
letters on (to a door that discards them, or to a store). CPU is user + system of all processes of the server until its queue is
empty. The generator's own ceiling (into smtp-sink) stands beside. Nothing here measures a network: all of it is loopback."""
import json, os, shutil, signal, statistics, subprocess, sys, tempfile, time

from mail_servers import BUILD, ROOT, Naru, Postfix, cpu_seconds, free_ports, peer, wait_port

QUICK = bool(os.environ.get("NARU_BENCH_QUICK"))
ROUNDS = 1 if QUICK else 3


def load(port, sessions, count):
    begun = time.monotonic()
    peer("smtp-source", "-s", str(sessions), "-m", str(count), "-l", "4096", "-f", "alice@crepes.fr", "-t", "bob@bench.example", f"127.0.0.1:{port}")
    return time.monotonic() - begun


def ceiling(sessions, count):
    port = free_ports(1)
    sink = subprocess.Popen([os.path.join(ROOT, "tools", "peer"), "smtp-sink", "-u", "nobody", f"127.0.0.1:{port}", "1000"], stderr=subprocess.DEVNULL)
    try:
        wait_port(port)
        return count / load(port, sessions, count)
    finally:
        sink.terminate()
        sink.wait()


def measure(server, sessions, count, sent, through):
    """Letters a second (accepted, or all the way through) and CPU microseconds a letter until the queue is empty."""
    before, begun = cpu_seconds(server.pids), time.monotonic()
    took = load(server.port, sessions, count)
    while not server.finished(sent + count):
        if time.monotonic() - begun > 300:
            raise RuntimeError(f"{server.name} does not finish")
        time.sleep(0.02)
    return count / (time.monotonic() - begun if through else took), (cpu_seconds(server.pids) - before) / count * 1e6


def compare(servers, sessions, counts, sent, through=False):
    figures = {s.name: [] for s in servers}
    for _ in range(ROUNDS):
        for s in servers:
            figures[s.name].append(measure(s, sessions, counts[s.name], sent[s.name], through))
            sent[s.name] += counts[s.name]
    return {name: (statistics.median(r for r, _ in f), statistics.median(c for _, c in f)) for name, f in figures.items()}


def show(*words):
    print(*words, file=sys.stderr, flush=True)


def acceptance(directory, out):
    servers = [Naru(directory, store=False), Postfix(directory)]
    sent, missed = {"naru": 0, "Postfix": 0}, False
    show(f"{'sessions':>8} {'naru/s':>9} {'Postfix/s':>10} {'ratio':>7} {'goal':>5}   {'naru CPU':>9} {'Postfix':>9} {'ratio':>7} {'goal':>5}   generator's ceiling/s")
    try:
        for sessions, goal, cpu_goal in ((1, 2, None), (20, 8, 8), (100, 8, 8)):
            scale = 1 if QUICK else 3
            counts = {"naru": (400 if sessions == 1 else 3000) * scale, "Postfix": (150 if sessions == 1 else 400) * scale}
            top = ceiling(sessions, counts["naru"])
            figures = compare(servers, sessions, counts, sent)
            (rate, cpu), (peer_rate, peer_cpu) = figures["naru"], figures["Postfix"]
            ratio, cpu_ratio = rate / peer_rate, peer_cpu / cpu
            missed |= ratio < goal or (cpu_goal is not None and cpu_ratio < cpu_goal)
            show(f"{sessions:8} {rate:9.0f} {peer_rate:10.0f} {ratio:6.1f}x {goal:4}x   {cpu:6.0f} us {peer_cpu:6.0f} us {cpu_ratio:6.1f}x {str(cpu_goal or '-'):>4}x   {top:.0f}")
            out.append({"what": "accept", "sessions": sessions, "naru_per_s": rate, "postfix_per_s": peer_rate, "ratio": ratio, "goal": goal,
                        "naru_cpu_us": cpu, "postfix_cpu_us": peer_cpu, "cpu_ratio": cpu_ratio, "cpu_goal": cpu_goal, "generator_per_s": top})
    finally:
        for s in servers:
            s.stop()
    return missed


def through(directory, out):
    """From the sender to one mailbox: naru's mailstore, Postfix with Dovecot's LMTP."""
    servers, goal = [Naru(directory, store=True), Postfix(directory, dovecot=True)], 8
    sent = {"naru": 0, "Postfix": 0}
    counts = {"naru": 2000 if QUICK else 6000, "Postfix": 200 if QUICK else 500}
    try:
        figures = compare(servers, 20, counts, sent, through=True)
    finally:
        for s in servers:
            s.stop()
    (rate, cpu), (peer_rate, peer_cpu) = figures["naru"], figures["Postfix"]
    show(f"through to one mailbox, 20 sessions: naru {rate:.0f}/s, Postfix + Dovecot {peer_rate:.0f}/s: {rate / peer_rate:.1f}x (goal {goal}x); "
         f"CPU {cpu:.0f} against {peer_cpu:.0f} us a letter")
    out.append({"what": "through", "sessions": 20, "naru_per_s": rate, "postfix_dovecot_per_s": peer_rate, "ratio": rate / peer_rate, "goal": goal,
                "naru_cpu_us": cpu, "postfix_dovecot_cpu_us": peer_cpu})
    return rate / peer_rate < goal


def main():
    if os.geteuid() != 0:
        show("SKIPPED: Postfix's master wants root")
        return 0
    subprocess.run([os.path.join(ROOT, "tools", "peers"), "postfix", "dovecot-core", "dovecot-lmtpd"], check=True, stdout=subprocess.DEVNULL)
    missed, out = False, []
    for part in (acceptance, through):
        directory = tempfile.mkdtemp(prefix="naru-bench-", dir=BUILD)
        os.chmod(directory, 0o755)
        try:
            missed |= part(directory, out)
        finally:
            shutil.rmtree(directory, ignore_errors=True)
    if "--json" in sys.argv:
        json.dump({"bench": "smtp", "figures": out}, sys.stdout)
        print()
    return 1 if missed else 0


signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))        # the servers are stopped on this way out, too
sys.exit(main())
