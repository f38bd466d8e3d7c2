#!/usr/bin/env python3
"""bench/tracker.py [--json]: what an announce over UDP costs a tracker, naru beside Debian's opentracker and a bare responder in the same
run. Each server is pinned to one processor, the load to the other; servers are loaded in turn, and the median of the ratios of a
pair of rounds counts. 1,000 listed torrents of 100 peers; 50 peers are asked for. naru runs as it is shipped: `naru up`, guarded,
its journal on the disk. CPU is user + system of all of the server's threads."""
import json, os, shutil, socket, statistics, subprocess, sys, tempfile, time

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")
BUILD = os.environ.get("NARU_BUILD", os.path.join(ROOT, "build"))
BENCH = os.path.join(BUILD, "bench", "bench-tracker")
QUICK = bool(os.environ.get("NARU_BENCH_QUICK"))
PAIRS = 5 if QUICK else 15
ANNOUNCES = 60000 if QUICK else 150000
GOAL_RATIO, GOAL_BYTES = 2 / 3, 24
SERVER_CPU, LOAD_CPU = 0, (os.cpu_count() or 1) - 1


def show(*words):
    print(*words, file=sys.stderr, flush=True)


def free_port():
    """One that both protocols have free."""
    while True:
        with socket.socket() as t, socket.socket(type=socket.SOCK_DGRAM) as u:
            t.bind(("127.0.0.1", 0))
            try:
                u.bind(t.getsockname())
                return t.getsockname()[1]
            except OSError:
                continue


def cpu_ns(pid):
    """schedstat's first number is the time on a processor, in nanoseconds."""
    total = 0
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/schedstat") as f:
            total += int(f.read().split()[0])
    return total


def pin(pid):
    for task in os.listdir(f"/proc/{pid}/task"):
        os.sched_setaffinity(int(task), {SERVER_CPU})


class Server:
    def __init__(self, name, port, process, pid=None):
        self.name, self.port, self.process, self.pid = name, port, process, pid or process.pid
        pin(self.pid)
        self.rounds(0, first=True)

    def rounds(self, count, first=False):
        said = subprocess.run(["taskset", "-c", str(LOAD_CPU), BENCH, "load", str(self.port), str(count), str(ANNOUNCES), str(int(first))],
                              capture_output=True, text=True, check=True, timeout=300).stdout
        return [[int(n) for n in line.split()] for line in said.splitlines()]

    def measure(self):
        """CPU nanoseconds an announce, announces a second, peers told an announce."""
        before = cpu_ns(self.pid)
        [(answered, ns, peers, errors)] = self.rounds(1)
        if errors or answered < ANNOUNCES * 0.99:
            raise RuntimeError(f"{self.name}: {errors} errors, {answered} of {ANNOUNCES} answered")
        return (cpu_ns(self.pid) - before) / answered, answered / ns * 1e9, peers / answered

    def end(self):
        self.process.terminate()
        self.process.wait(20)


def naru(directory, hashes):
    port = free_port()
    data = os.path.join(directory, "naru")
    conf = os.path.join(directory, "naru.conf")
    with open(conf, "w") as f:
        f.write(f"directory {data}\naddress 127.0.0.1\nports {{ tracker {port} }}\n"
                "tracker {\n" + "".join(f"    allow {h}\n" for h in hashes) + "}\n")
    program = os.path.join(BUILD, "naru")
    process = subprocess.Popen([program, "up", conf], stdout=subprocess.DEVNULL, stderr=open(os.path.join(directory, "naru.log"), "w"))
    until = time.monotonic() + 20
    while time.monotonic() < until:
        said = subprocess.run([program, "status", "--json", "--dir", data], capture_output=True, text=True)
        if said.returncode == 0:
            for p in json.loads(said.stdout).get("processes", []):
                if p["service"] == "tracker" and p["state"] == "ready":
                    return Server("naru", port, process, p["pid"])
        time.sleep(0.1)
    process.terminate()
    raise RuntimeError("naru up did not start: " + open(os.path.join(directory, "naru.log")).read()[-500:])


def opentracker(directory, hashes):
    port = free_port()
    with open(os.path.join(directory, "whitelist"), "w") as f:
        f.write("".join(h + "\n" for h in hashes))
    listed = "/whitelist" if os.geteuid() == 0 else os.path.join(directory, "whitelist")     # root: it changes its root first
    conf = os.path.join(directory, "opentracker.conf")
    with open(conf, "w") as f:
        f.write(f"listen.udp 127.0.0.1:{port}\nlisten.tcp 127.0.0.1:{port}\naccess.whitelist {listed}\ntracker.rootdir {directory}\n"
                f"tracker.user nobody\n")
    os.chmod(directory, 0o755)
    env = dict(os.environ, LD_LIBRARY_PATH=os.path.join(ROOT, "build/peers/usr/lib"))     # where its libowfat lies
    process = subprocess.Popen([os.path.join(ROOT, "tools", "peer"), "opentracker", "-f", conf], stdout=subprocess.DEVNULL,
                               stderr=open(os.path.join(directory, "opentracker.log"), "w"), env=env)
    time.sleep(0.5)
    if process.poll() is not None:
        raise RuntimeError("opentracker: " + open(os.path.join(directory, "opentracker.log")).read()[-300:])
    return Server("opentracker", port, process)


def bare():
    port = free_port()
    process = subprocess.Popen([BENCH, "bare", str(port)])
    time.sleep(0.2)
    return Server("bare UDP", port, process)


def memory(out):
    show("\na million peers of IPv4 in                bytes a peer, all in")
    lines = subprocess.run([BENCH, "memory"], capture_output=True, text=True, check=True).stdout.splitlines()
    for line in lines:
        torrents, peers, size = (int(n) for n in line.split())
        each = size / peers
        goal = f"   goal {GOAL_BYTES}" if torrents <= 10000 else "   (nearly all of it is the torrents themselves)"
        show(f"  {torrents:>9,} torrent{'s' if torrents > 1 else ''}{each:>24.1f}{goal}")
        out["bytes_a_peer"].append({"torrents": torrents, "bytes": round(each, 2)})
        out["missed"] |= torrents <= 10000 and each > GOAL_BYTES


def compare(servers, out):
    figures = {s.name: [] for s in servers}
    for _ in range(PAIRS):
        for s in servers:
            figures[s.name].append(s.measure())
    show(f"{'':14}{'CPU ns an announce':>20}{'announces/s':>14}{'peers told':>12}")
    for name, f in figures.items():
        cpu, rate, told = (statistics.median(x[k] for x in f) for k in range(3))
        show(f"{name:14}{cpu:>20.0f}{rate:>14.0f}{told:>12.1f}")
        out["servers"][name] = {"cpu_ns": round(cpu), "announces_per_s": round(rate), "peers_told": round(told, 1)}
    if "opentracker" in figures:
        ratios = sorted(a[0] / b[0] for a, b in zip(figures["naru"], figures["opentracker"]))
        ratio = statistics.median(ratios)
        show(f"naru / opentracker: {ratio:.2f} (of {len(ratios)} pairs, from {ratios[0]:.2f} to {ratios[-1]:.2f}); goal at most {GOAL_RATIO:.2f}")
        out["ratio"], out["missed"] = round(ratio, 3), out["missed"] or ratio > GOAL_RATIO


def main():
    out = {"bench": "tracker", "servers": {}, "bytes_a_peer": [], "missed": False}
    directory, servers = tempfile.mkdtemp(prefix="naru-bench-tracker-"), []
    os.chmod(directory, 0o755)
    hashes = subprocess.run([BENCH, "hashes"], capture_output=True, text=True, check=True).stdout.split()
    try:
        servers.append(naru(directory, hashes))
        if os.path.exists(os.path.join(BUILD, "peers/usr/bin/opentracker")) or shutil.which("opentracker") or \
           subprocess.run([os.path.join(ROOT, "tools/peers"), "opentracker"], stdout=subprocess.DEVNULL).returncode == 0:
            servers.append(opentracker(directory, hashes))
        else:
            show("SKIPPED opentracker: tools/peers opentracker could not unpack it")
        servers.append(bare())
        compare(servers, out)
        memory(out)
    finally:
        for s in servers:
            s.end()
        shutil.rmtree(directory, ignore_errors=True)
    print(json.dumps(out))
    return 1 if out["missed"] else 0


sys.exit(main())
