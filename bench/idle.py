#!/usr/bin/env python3
"""bench/idle.py [--json]: `naru try` with everything on: seconds until ready, memory when idle (PSS of the process), seconds to end;
and what an idle SMTP conversation (after EHLO) costs the mail server, as many as the file limit of this process allows."""
import json, os, re, resource, shutil, signal, socket, subprocess, sys, tempfile, time

from mail_servers import BUILD, Naru

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
NARU = os.path.join(os.environ.get("NARU_BUILD", os.path.join(ROOT, "build")), "naru")
GOAL_READY_S, GOAL_PSS_MB, SETTLE_S = 2.0, 40.0, 2
GOAL_CONVERSATION_KIB, CONVERSATIONS_MAX, PER_ADDRESS = 5.0, 18000, 900


def pss_kib(pid):
    with open(f"/proc/{pid}/smaps_rollup") as f:
        return int(re.search(r"^Pss:\s+(\d+)", f.read(), re.M).group(1))


def converse(port, count):
    """That many conversations, each past EHLO, from as many loopback addresses as the limit per address wants."""
    held = []
    for n in range(count):
        s = socket.socket()
        s.bind((f"127.1.0.{1 + n // PER_ADDRESS}", 0))
        s.connect(("127.0.0.1", port))
        s.recv(512)
        s.sendall(b"EHLO idle.example\r\n")
        s.recv(2048)
        held.append(s)
    return held


def idle_conversations():
    directory = tempfile.mkdtemp(prefix="naru-bench-", dir=BUILD)
    server = Naru(directory, store=False)
    try:
        pid, count = server.pids[0], min(CONVERSATIONS_MAX, resource.getrlimit(resource.RLIMIT_NOFILE)[0] - 200)
        first = converse(server.port, 200)               # what is made once: tables, the story's ring
        time.sleep(SETTLE_S)
        before = pss_kib(pid)
        held = converse(server.port, count - 200)
        time.sleep(SETTLE_S * 3)
        each = (pss_kib(pid) - before) / (count - 200)
        for s in first + held:
            s.close()
    finally:
        server.stop()
        shutil.rmtree(directory, ignore_errors=True)
    print(f"{count} idle SMTP conversations at the mail server: {each:.2f} KiB each (goal {GOAL_CONVERSATION_KIB:.0f}, user memory)", file=sys.stderr)
    return count, each


def main():
    begun = time.monotonic()
    process = subprocess.Popen([NARU, "try", "--json"], stdout=subprocess.PIPE, text=True)
    text = ""
    while "accounts" not in text or not text.rstrip().endswith("]}"):
        line = process.stdout.readline()
        if not line:
            print("naru try did not start", file=sys.stderr)
            return 1
        text += line
    ready_s = time.monotonic() - begun
    hosts = len(json.loads(text)["hosts"])
    time.sleep(SETTLE_S)                                  # the workers' last memory goes back
    with open(f"/proc/{process.pid}/smaps_rollup") as f:
        pss_mb = int(re.search(r"^Pss:\s+(\d+)", f.read(), re.M).group(1)) / 1024
    begun = time.monotonic()
    process.send_signal(signal.SIGINT)
    process.wait(timeout=30)
    end_s = time.monotonic() - begun
    print(f"naru try, {hosts} hosts: ready in {ready_s:.2f} s (goal {GOAL_READY_S:.0f}, on a quiet machine), idle {pss_mb:.1f} MB PSS (goal {GOAL_PSS_MB:.0f}), "
          f"ended in {end_s:.2f} s", file=sys.stderr)
    count, each = idle_conversations()
    if "--json" in sys.argv:
        json.dump({"bench": "idle", "hosts": hosts, "ready_s": ready_s, "ready_goal_s": GOAL_READY_S, "pss_mb": pss_mb, "pss_goal_mb": GOAL_PSS_MB,
                   "end_s": end_s, "smtp_conversations": count, "smtp_conversation_kib": each, "smtp_conversation_goal_kib": GOAL_CONVERSATION_KIB}, sys.stdout)
        print()
    return 1 if pss_mb > GOAL_PSS_MB or each > GOAL_CONVERSATION_KIB else 0


sys.exit(main())
