#!/usr/bin/env python3
"""bench/idle.py [--json]: `naru try` with everything on: seconds until ready, memory when idle (PSS of the process), seconds to end."""
import json, os, re, signal, subprocess, sys, time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
NARU = os.path.join(os.environ.get("NARU_BUILD", os.path.join(ROOT, "build")), "naru")
GOAL_READY_S, GOAL_PSS_MB, SETTLE_S = 2.0, 40.0, 2


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
    if "--json" in sys.argv:
        json.dump({"bench": "idle", "hosts": hosts, "ready_s": ready_s, "ready_goal_s": GOAL_READY_S, "pss_mb": pss_mb, "pss_goal_mb": GOAL_PSS_MB,
                   "end_s": end_s}, sys.stdout)
        print()
    return 1 if pss_mb > GOAL_PSS_MB else 0


sys.exit(main())
