#!/usr/bin/env python3
"""bench/torrent_pair.py [--json]: one seed to one leecher over loopback TCP (cubic on both sides), files on a RAM disk: naru, libtorrent
and aria2 (Debian's, unpacked under build/peers) in turns. The clock runs from the leecher's start to its last verified byte; CPU is user +
system of both sides from then to then, so that the seed's first look at its file is not counted. Needs root or unprivileged namespaces."""
import json, os, shutil, signal, statistics, subprocess, sys, tempfile, time

ROOT = os.path.abspath(os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
BUILD = os.path.abspath(os.environ.get("NARU_BUILD", os.path.join(ROOT, "build")))
PEERS = os.path.join(ROOT, "build/peers")
NARU = os.path.join(BUILD, "naru")
QUICK = bool(os.environ.get("NARU_BENCH_QUICK"))
MIB = int(os.environ.get("PAIR_MIB", "256" if QUICK else "2048"))
ROUNDS = int(os.environ.get("PAIR_ROUNDS", "1" if QUICK else "5"))
GOAL = 1.5
PORT = 7101
TICK = os.sysconf("SC_CLK_TCK")

LIBTORRENT = """
import sys, time, libtorrent as lt
role, torrent, directory, port = sys.argv[1:5]
s = lt.session({'listen_interfaces': '127.0.0.1:' + port, 'enable_dht': False, 'enable_lsd': False, 'enable_upnp': False, 'enable_natpmp': False,
                'enable_incoming_utp': False, 'enable_outgoing_utp': False, 'allow_multiple_connections_per_ip': True})
h = s.add_torrent({'ti': lt.torrent_info(torrent), 'save_path': directory})
while role == 'seed' or h.status().progress < 1:
    if role == 'leech' and not h.get_peer_info(): h.connect_peer(('127.0.0.1', %d))
    time.sleep(0.02)
""" % PORT


def show(*words):
    print(*words, file=sys.stderr, flush=True)


def libtorrent_env():
    arch = os.uname().machine
    return dict(os.environ, PYTHONPATH=os.path.join(PEERS, "usr/lib/python3/dist-packages"),
                LD_LIBRARY_PATH=os.path.join(PEERS, f"usr/lib/{arch}-linux-gnu"))


def naru(role, torrent, directory):
    words = ["--seed", "--port", str(PORT)] if role == "seed" else ["--port", "0", "--peer", f"127.0.0.1:{PORT}"]
    return [NARU, "torrent", "get", torrent, "--dir", directory, "--no-dht", *words], None


def libtorrent(role, torrent, directory):
    return ["/usr/bin/python3", "-c", LIBTORRENT, role, torrent, directory, str(PORT if role == "seed" else PORT + 1)], libtorrent_env()


def aria2(role, torrent, directory):
    common = [os.path.join(ROOT, "tools/peer"), "aria2c", "--no-conf=true", "--dir", directory, "--enable-dht=false", "--enable-dht6=false",
              "--bt-enable-lpd=false", "--file-allocation=none", "--interface=127.0.0.1", "--check-integrity=" + ("true" if role == "seed" else "false"),
              "--bt-max-peers=4", "--summary-interval=0", "--show-console-readout=false", "--quiet=true"]
    if role == "seed":
        return common + ["--listen-port", str(PORT), "--seed-ratio=0.0", torrent], None
    return common + ["--listen-port", str(PORT + 1), "--seed-time=0", torrent], None


def cpu_s(pid):
    """Of a process and all that it started."""
    total = 0
    try:
        with open(f"/proc/{pid}/stat") as f:
            words = f.read().rsplit(")", 1)[1].split()
        total = (int(words[11]) + int(words[12]) + int(words[13]) + int(words[14])) / TICK
        for task in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{task}/children") as f:
                total += sum(cpu_s(int(child)) for child in f.read().split())
    except (OSError, ValueError):
        pass
    return total


def tracker_run(top):
    """aria2 finds its peer by a tracker alone: a few lines that always name the seed."""
    script = ("import http.server, socket\n"
              "class H(http.server.BaseHTTPRequestHandler):\n"
              "    def do_GET(self):\n"
              "        body = b'd8:intervali60e5:peers6:' + socket.inet_aton('127.0.0.1') + (%d).to_bytes(2, 'big') + b'e'\n"
              "        self.send_response(200); self.send_header('Content-Length', str(len(body))); self.end_headers(); self.wfile.write(body)\n"
              "    def log_message(self, *_): pass\n"
              "http.server.HTTPServer(('127.0.0.1', 7199), H).serve_forever()\n" % PORT)
    return subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def settle(process):
    """The seed has looked at its file when it uses no processor any more."""
    last, still = -1, 0
    for _ in range(600):
        now = cpu_s(process.pid)
        still = still + 1 if now - last < 0.02 else 0
        last = now
        if still >= 5:
            return
        time.sleep(0.2)


def run(program, top, torrent, size):
    leech = os.path.join(top, "leech")
    shutil.rmtree(leech, ignore_errors=True)
    os.makedirs(leech)
    command, env = program("seed", torrent, os.path.join(top, "seed"))
    seed = subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    try:
        settle(seed)
        before, began = cpu_s(seed.pid), time.monotonic()
        command, env = program("leech", torrent, leech)
        usage = os.times()
        done = subprocess.run(command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=300)
        took, after = time.monotonic() - began, os.times()
        used = cpu_s(seed.pid) - before + (after.children_user - usage.children_user) + (after.children_system - usage.children_system)
        same = subprocess.run(["cmp", "-s", os.path.join(top, "seed", "film"), os.path.join(leech, "film")]).returncode == 0
        assert done.returncode == 0 and same, f"{program.__name__}: the file has not arrived"
        return size / took / 1e6, size / used / 1e6
    finally:
        os.killpg(seed.pid, signal.SIGKILL)
        seed.wait()


def inside():
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    try:
        with open("/proc/sys/net/ipv4/tcp_congestion_control", "w") as f:
            f.write("cubic")
    except OSError:
        show("cubic may not be chosen here: figures with", open("/proc/sys/net/ipv4/tcp_congestion_control").read().strip())
    top = tempfile.mkdtemp(prefix="naru-pair-", dir="/dev/shm")
    tracker = tracker_run(top)
    try:
        os.makedirs(os.path.join(top, "seed"))
        film, torrent = os.path.join(top, "seed", "film"), os.path.join(top, "film.torrent")
        block = os.urandom(1 << 20)
        with open(film, "wb") as f:
            for i in range(MIB):
                f.write(i.to_bytes(8, "big") + block[8:])
        subprocess.run([NARU, "torrent", "create", film, "--tracker", "http://127.0.0.1:7199/announce", "-o", torrent], check=True, stdout=subprocess.DEVNULL)
        figures = measure(top, torrent, MIB << 20)
    finally:
        tracker.kill()
        shutil.rmtree(top, ignore_errors=True)
    return report(figures)


def measure(top, torrent, size):
    programs, figures = [naru], {}
    if subprocess.run(["/usr/bin/python3", "-c", "import libtorrent"], env=libtorrent_env(), stderr=subprocess.DEVNULL).returncode == 0:
        programs.append(libtorrent)
    if os.path.exists(os.path.join(PEERS, "usr/bin/aria2c")):
        programs.append(aria2)
    for _ in range(ROUNDS):
        for program in programs:
            figures.setdefault(program.__name__, []).append(run(program, top, torrent, size))
    return figures


def report(figures):
    middle = {name: tuple(statistics.median(x[i] for x in rows) for i in (0, 1)) for name, rows in figures.items()}
    out = {"name": "torrent_pair", "mib": MIB, "rounds": ROUNDS, "missed": False}
    for name, (rate, per_cpu) in middle.items():
        worst = min(x[0] for x in figures[name])
        show(f"{name:12} {rate:7.0f} MB/s (worst {worst:.0f})   {per_cpu:7.0f} MB a CPU second")
        out[name] = {"mb_per_s": round(rate, 1), "mb_per_cpu_s": round(per_cpu, 1)}
    for name in middle:
        if name == "naru":
            continue
        faster, leaner = middle["naru"][0] / middle[name][0], middle["naru"][1] / middle[name][1]
        show(f"naru / {name}: {faster:.2f} x the bytes a second (goal {GOAL}), {leaner:.2f} x the bytes a CPU second (goal 1)")
        out[f"over_{name}"] = {"rate": round(faster, 2), "cpu": round(leaner, 2)}
        out["missed"] |= faster < GOAL or leaner < 1
    if "--json" in sys.argv:
        print(json.dumps(out))
    return 1 if out["missed"] else 0


if __name__ == "__main__":
    if os.environ.get("PAIR_INSIDE"):
        sys.exit(inside())
    sys.exit(subprocess.run(["unshare", "-rnm" if os.geteuid() else "-nm", sys.executable, *sys.argv], env=dict(os.environ, PAIR_INSIDE="1")).returncode)
