#!/usr/bin/env python3
"""bench/swarm.py [--json]: how near to the bound max{F/u_s, F/d_min, N F/(u_s + sum u_i)} a swarm comes, in network namespaces with
tbf-capped lines (naru race --real; docs/race.md). naru in its modes, other clients on the same rig where `make peers` has unpacked
them. Median and worst of the runs. A quick run is N = 4 and 8 MB, all clients, and claims nothing: beginnings weigh more there."""
import json, os, subprocess, sys

build = os.environ.get("NARU_BUILD", "build")
quick = bool(os.environ.get("NARU_BENCH_QUICK"))
peers_dir = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "build", "peers", "usr")

# What is run: name, F, piece, u_s, mode, the goal (times the bound; None: printed beside).
CASES = [
    ("u_s = 4u", "100MB", "256KiB", "32Mbit", "default", 1.05),
    ("u_s = u", "100MB", "256KiB", "8Mbit", "managed", 1.06),
    ("u_s = u", "100MB", "256KiB", "8Mbit", "default", 1.12),
    ("u_s = u", "100MB", "256KiB", "8Mbit", "course", None),
    ("25 MB, u_s = u", "25MB", "64KiB", "8Mbit", "managed", 1.10),
]

QUICK_CASES = [("quick, u_s = u", "8MB", "64KiB", "8Mbit", "default", None)]
OTHERS = {"libtorrent": "lib/python3/dist-packages/libtorrent.cpython-311-x86_64-linux-gnu.so", "aria2": "bin/aria2c",
          "transmission": "bin/transmission-cli"}


def installed(client):
    return os.path.exists(os.path.join(peers_dir, OTHERS[client]))


def run(client, size, piece, server, mode, peers, runs):
    env = dict(os.environ)
    env["PATH"] = f"{peers_dir}/bin:{env['PATH']}"
    env["PYTHON"] = "/usr/bin/python3"
    env["PYTHONPATH"] = f"{peers_dir}/lib/python3/dist-packages"
    env["LD_LIBRARY_PATH"] = f"{peers_dir}/lib/x86_64-linux-gnu"
    if client == "naru":
        env.pop("LD_LIBRARY_PATH")
    done = subprocess.run(
        [f"{build}/naru", "race", "--real", "--json", "--no-server", "--clients", client, "--n", str(peers), "--peers", str(peers),
         "--file", size, "--piece", piece, "--server", server, "--peer", "8Mbit", "--mode", mode, "--runs", str(runs)],
        env=env, capture_output=True, text=True)
    if done.returncode:
        return {"trouble": done.stderr.strip().splitlines()[-1] if done.stderr.strip() else f"exit code {done.returncode}"}
    measured = json.loads(done.stdout)["points"][peers - 1]["measured"]
    cpu = [int(w.split("%")[0].split()[-1]) for w in done.stderr.splitlines() if "% of the processors" in w]
    return {"median": measured[0]["of_bound"], "worst": measured[-1]["of_bound"], "seconds": measured[0]["s"], "cpu_percent": max(cpu, default=0)}


def main():
    peers, runs = (4, 1) if quick else (int(os.environ.get("NARU_BENCH_PEERS", 50)), int(os.environ.get("NARU_BENCH_RUNS", 5)))
    rows, missed = [], False
    print(f"N = {peers}, u = 8 Mbit/s, {runs} run(s) each; times the bound on goodput (rate x 1448/1514)", file=sys.stderr)
    cases = QUICK_CASES if quick else CASES
    for client in OTHERS:
        if not installed(client):
            print(f"  SKIPPED {client}: it is not under build/peers; make peers unpacks it", file=sys.stderr)
    for name, size, piece, server, mode, goal in cases:
        jobs = [("naru", mode)]
        if mode == "managed" or quick:
            jobs += [(other, "default") for other in OTHERS if installed(other)]
        for client, how in jobs:
            r = run(client, size, piece, server, how, peers, runs if client == "naru" else 1)
            r.update(case=name, file=size, piece=piece, client=client, mode=how if client == "naru" else "its own")
            if client == "naru" and goal and not quick:
                r["goal"], r["met"] = goal, r.get("median", 99) <= goal
                missed = missed or not r["met"]
            rows.append(r)
            told = r.get("trouble") or f"{r['median']:.3f} (worst {r['worst']:.3f}), {r['seconds']:.0f} s, processors {r['cpu_percent']} % busy"
            print(f"  {name:15} {size:>6} {client:12} {r['mode']:8} {told}{'  goal ' + str(goal) if 'goal' in r else ''}", file=sys.stderr)
    json.dump({"bench": "swarm", "peers": peers, "runs": runs, "rows": rows}, sys.stdout)
    print()
    return 1 if missed else 0


sys.exit(main())
