#!/usr/bin/env python3
"""bench/swarm.py [CASE...] [--runs N] [--record FILE] [--minutes M] [--json]: how near to the bound
max{F/u_s, F/d_min, N F/(u_s + sum u_i)} a swarm comes, in network namespaces with tbf-capped lines (naru race --real; docs/race.md).
naru in its modes, other clients on the same rig where `make peers` has unpacked them. Median and worst of the runs.

Without CASE all cases. --list names them. Each run is written to --record as soon as it is done and is not run again: a bench that was
interrupted, or that --minutes ended (exit code 3), goes on where it was. A quick run is N = 4 and 8 MB, all clients, and claims nothing:
beginnings weigh more there. Exit code 1: a goal was missed."""
import argparse, json, os, subprocess, sys, time

build = os.environ.get("NARU_BUILD", "build")
quick = bool(os.environ.get("NARU_BENCH_QUICK"))
peers_dir = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "build", "peers", "usr")

# Name: F, piece, u_s, naru's mode or another client, the goal (times the bound; None: printed beside).
CASES = {
    "100MB-4u": ("100MB", "256KiB", "32Mbit", "default", 1.05),
    "100MB-managed": ("100MB", "256KiB", "8Mbit", "managed", 1.06),
    "100MB-default": ("100MB", "256KiB", "8Mbit", "default", 1.12),
    "100MB-course": ("100MB", "256KiB", "8Mbit", "course", None),
    "25MB-managed": ("25MB", "64KiB", "8Mbit", "managed", 1.10),
    "25MB-course": ("25MB", "64KiB", "8Mbit", "course", None),
    "25MB-libtorrent": ("25MB", "64KiB", "8Mbit", "libtorrent", None),
    "25MB-aria2": ("25MB", "64KiB", "8Mbit", "aria2", None),
    "25MB-transmission": ("25MB", "64KiB", "8Mbit", "transmission", None),
}
QUICK_CASES = {f"quick-{who}": ("8MB", "64KiB", "8Mbit", who, None) for who in ("default", "libtorrent", "aria2", "transmission")}
OTHERS = {"libtorrent": "lib/python3/dist-packages/libtorrent.cpython-311-x86_64-linux-gnu.so", "aria2": "bin/aria2c",
          "transmission": "bin/transmission-cli"}


def arguments():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("cases", nargs="*", metavar="CASE")
    p.add_argument("--runs", type=int, default=1 if quick else int(os.environ.get("NARU_BENCH_RUNS", 5)))
    p.add_argument("--peers", type=int, default=4 if quick else int(os.environ.get("NARU_BENCH_PEERS", 50)))
    p.add_argument("--record", metavar="FILE", help="where runs are kept, a line each")
    p.add_argument("--minutes", type=float, help="begin no run that would not end within so many")
    p.add_argument("--json", action="store_true", help="(always: one JSON object on standard output)")
    p.add_argument("--list", action="store_true")
    a = p.parse_args()
    known = QUICK_CASES if quick else CASES
    for name in a.cases:
        if name not in known:
            p.error(f"{name}: no such case; there are {' '.join(known)}")
    a.known = {name: known[name] for name in (a.cases or known)}
    return a


def lacking(who):
    """Why this client cannot be run; empty: it can. Other clients are run once: they are no goal of ours, and take long."""
    if who in OTHERS and not os.path.exists(os.path.join(peers_dir, OTHERS[who])):
        return f"{who} is not under build/peers; make peers unpacks it"
    return ""


def run(case, peers):
    size, piece, server, who, _ = case
    env = dict(os.environ)
    if who in OTHERS:
        env["PATH"] = f"{peers_dir}/bin:{env['PATH']}"
        env["PYTHON"] = "/usr/bin/python3"
        env["PYTHONPATH"] = f"{peers_dir}/lib/python3/dist-packages"
        env["LD_LIBRARY_PATH"] = f"{peers_dir}/lib/x86_64-linux-gnu"
    began = time.monotonic()
    done = subprocess.run(
        [f"{build}/naru", "race", "--real", "--json", "--no-server", "--clients", who if who in OTHERS else "naru", "--n", str(peers),
         "--peers", str(peers), "--file", size, "--piece", piece, "--server", server, "--peer", "8Mbit",
         "--mode", "default" if who in OTHERS else who], env=env, capture_output=True, text=True)
    took = round(time.monotonic() - began)
    if done.returncode:
        return {"trouble": done.stderr.strip().splitlines()[-1] if done.stderr.strip() else f"exit code {done.returncode}", "took_s": took}
    measured = json.loads(done.stdout)["points"][peers - 1]["measured"][0]
    cpu = [int(w.split("%")[0].split()[-1]) for w in done.stderr.splitlines() if "% of the processors" in w]
    return {"of_bound": measured["of_bound"], "s": measured["s"], "cpu_percent": max(cpu, default=0), "took_s": took}


def read_record(path):
    if not path or not os.path.exists(path):
        return []
    with open(path) as f:
        return [json.loads(line) for line in f if line.strip()]


def row_of(name, case, runs):
    times = sorted(r["of_bound"] for r in runs if "of_bound" in r)
    row = {"case": name, "file": case[0], "piece": case[1], "server": case[2], "who": case[3], "runs": len(times)}
    if times:
        row.update(median=times[len(times) // 2], worst=times[-1], cpu_percent=max(r["cpu_percent"] for r in runs if "of_bound" in r))
    troubles = [r["trouble"] for r in runs if "trouble" in r]
    if troubles:
        row["trouble"] = troubles[-1]
    if case[4] and not quick:
        row.update(goal=case[4], met=bool(times) and row["median"] <= case[4])
    return row


def row_tell(row):
    told = f"{row['median']:.3f} (worst {row['worst']:.3f} of {row['runs']}), processors {row['cpu_percent']} % busy" if "median" in row else ""
    told += f"  goal {row['goal']}: {'met' if row['met'] else 'missed'}" if "goal" in row and "median" in row else ""
    print(f"  {row['case']:18} {told}{'  ' + row['trouble'] if 'trouble' in row else ''}", file=sys.stderr)


def main():
    a = arguments()
    if a.list:
        print("\n".join(a.known))
        return 0
    print(f"N = {a.peers}, u = 8 Mbit/s; times the bound on goodput (rate x 1448/1514)", file=sys.stderr)
    began, all_runs, unfinished = time.monotonic(), read_record(a.record), False
    rows = []
    for name, case in a.known.items():
        if lacking(case[3]):
            print(f"  {name:18} SKIPPED: {lacking(case[3])}", file=sys.stderr)
            continue
        wanted = 1 if case[3] in OTHERS else a.runs
        runs = [r for r in all_runs if r["case"] == name and r["peers"] == a.peers]
        while len(runs) < wanted:
            expected = max((r["took_s"] for r in runs), default=150 if case[0] == "100MB" else 60)
            if a.minutes and time.monotonic() - began + expected > a.minutes * 60:
                unfinished = True
                break
            runs.append({"case": name, "peers": a.peers, **run(case, a.peers)})
            if a.record:
                with open(a.record, "a") as f:
                    f.write(json.dumps(runs[-1]) + "\n")
        if runs:
            rows.append(row_of(name, case, runs))
            row_tell(rows[-1])
    json.dump({"bench": "swarm", "peers": a.peers, "unfinished": unfinished, "rows": rows}, sys.stdout)
    print()
    return 3 if unfinished else int(any(r.get("met") is False for r in rows))


sys.exit(main())
