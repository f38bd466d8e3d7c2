#!/usr/bin/env python3
"""bench/idle_torrents.py [--json]: a thousand torrents that are seeded and that nobody asks for: memory (PSS of the process that holds
them) and CPU over a minute (NARU_BENCH_QUICK: ten seconds). They are made here (64 pieces each, files of zeros that take no room on
the disk), added through the remote control of a swarm under `naru up`, announced to naru's own tracker beside it."""
import base64, hashlib, json, os, re, shutil, socket, subprocess, sys, tempfile, time, urllib.error, urllib.request

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
NARU = os.path.join(os.environ.get("NARU_BUILD", os.path.join(ROOT, "build")), "naru")
QUICK = bool(os.environ.get("NARU_BENCH_QUICK"))
TORRENTS, PIECE, PIECES = 1000, 16384, 64
GOAL_MB, GOAL_CPU_PERCENT, MEASURE_S, PATIENCE_S = 30.0, 1.0, 10 if QUICK else 60, 180


def free_ports(count):
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [s.getsockname()[1] for s in held]
    for s in held:
        s.close()
    return ports


def bencode(x):
    if isinstance(x, dict):
        return b"d" + b"".join(bencode(k) + bencode(x[k]) for k in sorted(x)) + b"e"
    return b"i%de" % x if isinstance(x, int) else b"%d:%s" % (len(x), x)


def torrents(directory, tracker):
    zeros = hashlib.sha1(bytes(PIECE)).digest() * PIECES
    for n in range(TORRENTS):
        name = b"idle-%04d" % n
        with open(os.path.join(directory, name.decode()), "wb") as f:
            f.truncate(PIECE * PIECES)
        info = {b"name": name, b"length": PIECE * PIECES, b"piece length": PIECE, b"pieces": zeros}
        yield bencode({b"announce": tracker, b"info": info})


class Remote:
    def __init__(self, port):
        self.url, self.session = f"http://127.0.0.1:{port}/transmission/rpc", ""

    def ask(self, method, **arguments):
        for _ in range(2):
            try:
                request = urllib.request.Request(self.url, json.dumps({"method": method, "arguments": arguments}).encode(),
                                                 {"X-Transmission-Session-Id": self.session})
                answer = json.load(urllib.request.urlopen(request, timeout=30))
                if answer["result"] != "success":
                    raise RuntimeError(f"{method}: {answer['result']}")
                return answer["arguments"]
            except urllib.error.HTTPError as e:
                self.session = e.headers["X-Transmission-Session-Id"]
        raise RuntimeError("the remote control does not let us in")


def until(what, condition):
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        try:
            if condition():
                return
        except OSError:
            pass
        time.sleep(0.2)
    raise RuntimeError(f"waited {PATIENCE_S} s in vain: {what}")


def swarm_pid(log):
    with open(log) as f:
        return int(re.search(r"event=service-ready name=swarm pid=(\d+)", f.read()).group(1))


def cpu_s(pid):
    total = 0
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/schedstat") as f:
            total += int(f.read().split()[0])
    return total / 1e9


def pss_mb(pid):
    with open(f"/proc/{pid}/smaps_rollup") as f:
        return int(re.search(r"^Pss:\s+(\d+)", f.read(), re.M).group(1)) / 1024


def measure(directory):
    ports = free_ports(3)
    films, data, conf = (os.path.join(directory, n) for n in ("films", "data", "naru.conf"))
    os.mkdir(films)
    os.chmod(directory, 0o755)
    os.chmod(films, 0o777)
    with open(conf, "w") as f:
        f.write(f"directory {data}\naddress 127.0.0.1\nports {{ tracker {ports[0]}; peers {ports[1]}; rpc {ports[2]} }}\ntracker {{ }}\n"
                f"swarm {{ directory {films}; dht off; private-peers on }}\n")
    with open(os.path.join(directory, "log"), "w") as log:
        process = subprocess.Popen([NARU, "up", conf], stdout=log, stderr=log, env=dict(os.environ, XDG_RUNTIME_DIR=directory))
    try:
        remote = Remote(ports[2])
        until("naru up", lambda: remote.ask("session-get"))
        pid = swarm_pid(os.path.join(directory, "log"))
        empty = pss_mb(pid)
        begun = time.monotonic()
        for one in torrents(films, f"udp://127.0.0.1:{ports[0]}".encode()):
            remote.ask("torrent-add", metainfo=base64.b64encode(one).decode())
        until("all are seeded", lambda: remote.ask("session-stats")["torrentCount"] == TORRENTS and
              all(t["status"] == 6 for t in remote.ask("torrent-get", fields=["status"])["torrents"]))
        added_s = time.monotonic() - begun
        busy = pss_mb(pid)
        time.sleep(45)                                   # a torrent falls asleep after half a minute
        before, began = cpu_s(pid), time.monotonic()
        time.sleep(MEASURE_S)
        percent = (cpu_s(pid) - before) / (time.monotonic() - began) * 100
        return {"empty_mb": empty, "added_s": added_s, "awake_mb": busy, "pss_mb": pss_mb(pid), "cpu_percent": percent}
    finally:
        process.terminate()
        process.wait(60)


def main():
    directory = tempfile.mkdtemp(prefix="naru-bench-")
    try:
        seen = measure(directory)
    except Exception:
        with open(os.path.join(directory, "log")) as f:
            sys.stderr.write(f.read()[-3000:])
        raise
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    print(f"{TORRENTS} idle seeding torrents: {seen['pss_mb']:.1f} MB PSS (goal {GOAL_MB:.0f}; {seen['empty_mb']:.1f} without torrents, "
          f"{seen['awake_mb']:.1f} while awake), {seen['cpu_percent']:.2f} % CPU over {MEASURE_S} s (goal {GOAL_CPU_PERCENT:.0f}), "
          f"added and checked in {seen['added_s']:.1f} s", file=sys.stderr)
    if "--json" in sys.argv:
        json.dump({"bench": "idle_torrents", "torrents": TORRENTS, "pss_goal_mb": GOAL_MB, "cpu_goal_percent": GOAL_CPU_PERCENT, **seen}, sys.stdout)
        print()
    return 1 if seen["pss_mb"] > GOAL_MB or seen["cpu_percent"] > GOAL_CPU_PERCENT else 0


sys.exit(main())
