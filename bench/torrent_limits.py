#!/usr/bin/env python3
"""bench/torrent_limits.py [--json]: are rate limits kept? A seed with limit-up to a leecher, a seed to a leecher with limit-down, each at
three rates, all at once over loopback. The file is as long as the limit lets through in the time; what counts is its length over the time
that the leecher took, from its start to its last recorded byte: a burst at the beginning would show."""
import json, os, shutil, socket, subprocess, sys, tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
NARU = os.path.join(os.path.abspath(os.environ.get("NARU_BUILD", os.path.join(ROOT, "build"))), "naru")
SECONDS = 10 if os.environ.get("NARU_BENCH_QUICK") else 30
MBITS = (1, 5, 40)
GOAL_PERCENT = 1.0


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as s:
        return s.getsockname()[1]


class Pair:
    def __init__(self, top, side, mbit):
        self.side, self.mbit, self.bytes = side, mbit, mbit * 125000 * SECONDS
        self.top = os.path.join(top, f"{side}-{mbit}")
        seed, torrent, port = os.path.join(self.top, "seed"), os.path.join(self.top, "torrent"), free_port()
        os.makedirs(seed)
        os.makedirs(os.path.join(self.top, "leech"))
        with open(os.path.join(seed, "film"), "wb") as f:
            f.write(os.urandom(self.bytes))
        subprocess.run([NARU, "torrent", "create", os.path.join(seed, "film"), "-o", torrent], check=True, stdout=subprocess.DEVNULL)
        limit = [f"--limit-{side}", f"{mbit}Mbit"]
        common = [NARU, "torrent", "get", torrent, "--no-dht"]
        self.seed = subprocess.Popen([*common, "--dir", seed, "--seed", "--port", str(port), "--bind", "127.0.0.1", *(limit if side == "up" else [])],
                                     stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self.seed.stdout.readline()                      # it has looked at its file
        self.leech = [*common, "--json", "--dir", os.path.join(self.top, "leech"), "--port", "0", "--peer", f"127.0.0.1:{port}", *(limit if side == "down" else [])]

    def begin(self):
        self.process = subprocess.Popen(self.leech, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)

    def end(self):
        """How many per cent more than the limit."""
        try:
            said = json.loads(self.process.communicate(timeout=SECONDS * 3)[0])
            assert said["complete"], f"limit-{self.side} {self.mbit}Mbit: the file has not arrived"
            return (self.bytes / (said["ms"] / 1000) / (self.mbit * 125000) - 1) * 100
        finally:
            self.process.kill()
            self.seed.kill()


def main():
    top, seen, missed = tempfile.mkdtemp(prefix="naru-limits-", dir="/dev/shm"), [], False
    try:
        pairs = [Pair(top, side, mbit) for side in ("up", "down") for mbit in MBITS]
        for p in pairs:
            p.begin()
        for p in pairs:
            percent = p.end()
            seen.append({"side": p.side, "mbit": p.mbit, "off_percent": round(percent, 2)})
            missed |= abs(percent) > GOAL_PERCENT
            print(f"limit-{p.side:5} {p.mbit:3} Mbit/s: {percent:+.2f} % over {SECONDS} s (goal {GOAL_PERCENT:.0f})", file=sys.stderr)
    finally:
        shutil.rmtree(top, ignore_errors=True)
    if "--json" in sys.argv:
        print(json.dumps({"bench": "torrent_limits", "limits": seen, "seconds": SECONDS, "missed": missed}))
    return 1 if missed else 0


sys.exit(main())
