#!/usr/bin/env python3
"""bench/edge.py [--json]: what a cache hit costs, naru's edge beside Debian's nginx (proxy_cache), Varnish and h2o (which serves files: it has no
HTTP cache) in the same run. One loop or worker each, pinned to one processor, the load (wrk) on the other; servers are loaded in turn, and the median of
each pair's ratios counts. 1 KB in requests a CPU-second, 1 MB in bytes a CPU-second. Everything is asked for once before. A client's receive window never
limits (tcp_rmem). naru runs as it is shipped:
`naru up`, guarded, its disk on. A network of its own with cubic where that may be made. CPU is user + system of all of a server's threads, with
what the kernel does for it in its name. At the end: what 10,000 idle keep-alive connections take of naru's memory."""
import http.server, json, os, re, resource, shutil, socket, statistics, subprocess, sys, tempfile, threading, time, urllib.request

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BUILD = os.environ.get("NARU_BUILD", os.path.join(ROOT, "build"))
NARU = os.path.join(BUILD, "naru")
PEER = os.path.join(ROOT, "tools", "peer")
QUICK = bool(os.environ.get("NARU_BENCH_QUICK"))
ROUNDS, SECONDS = (5, 1) if QUICK else (9, 2)
SERVER_CPU, LOAD_CPU = 0, (os.cpu_count() or 1) - 1
SMALL, LARGE = 1000, 1 << 20
IDLE, IDLE_GOAL_KIB = 10000, 5.0
ORIGIN_PORT, MEMORY = 18090, "256m"
# The kernel lets a client's window grow by its own guesses, otherwise in each run; in a small one the client's processor does a part of the sending
# (when it acknowledges), in a large one the server does. So all have one that never limits: what is counted is all of a server's work.
WINDOW = "4096 4194304 4194304"


def show(*words):
    print(*words, file=sys.stderr, flush=True)


def own_network():
    """Into a network namespace of our own with cubic, where we may."""
    if os.environ.get("NARU_BENCH_NETWORK") or os.geteuid() != 0:
        return
    script = ("ip link set lo up && sysctl -qw net.ipv4.tcp_congestion_control=cubic net.ipv4.ip_local_port_range='1024 65000' "
              f"net.ipv4.tcp_rmem='{WINDOW}' "
              "net.core.somaxconn=8192 2>/dev/null; exec \"$@\"")
    if subprocess.run(["unshare", "-n", "true"], capture_output=True).returncode == 0:
        os.environ["NARU_BENCH_NETWORK"] = "own"
        os.execvp("unshare", ["unshare", "-n", "sh", "-c", script, "sh", sys.executable] + sys.argv)


class Origin(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        size = int(self.path.strip("/"))
        self.send_response(200)
        for name, value in (("ETag", f'"{size}"'), ("Cache-Control", "public, max-age=100000"), ("Content-Type", "video/mp4"),
                            ("Content-Length", str(size))):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(b"n" * size)

    def log_message(self, *_):
        pass


def cpu_ns(pids):
    """schedstat's first number is the time on a processor, in nanoseconds."""
    total = 0
    for pid in pids:
        for task in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{task}/schedstat") as f:
                total += int(f.read().split()[0])
    return total


def children(pid):
    with open(f"/proc/{pid}/task/{pid}/children") as f:
        return [int(p) for p in f.read().split()]


class Server:
    def __init__(self, name, port, process, pids):
        self.name, self.port, self.process, self.pids = name, port, process, pids
        for pid in pids:
            for task in os.listdir(f"/proc/{pid}/task"):
                os.sched_setaffinity(int(task), {SERVER_CPU})

    def url(self, size):
        return f"http://127.0.0.1:{self.port}/{size}"

    def load(self, size, connections, seconds):
        """Requests a CPU-second, requests a second."""
        before = cpu_ns(self.pids)
        said = subprocess.run(["taskset", "-c", str(LOAD_CPU), WRK, "-t1", f"-c{connections}", f"-d{seconds}s", self.url(size)],
                              capture_output=True, text=True, check=True).stdout
        used = (cpu_ns(self.pids) - before) / 1e9
        if "Non-2xx" in said or "Socket errors" in said:
            raise RuntimeError(f"{self.name}: {said}")
        count = int(re.search(r"(\d+) requests in", said).group(1))
        return count / used, float(re.search(r"Requests/sec:\s+([\d.]+)", said).group(1))

    def end(self):
        self.process.terminate()
        self.process.wait(20)


def wait_for(port, process, log):
    until = time.monotonic() + 20
    while time.monotonic() < until and process.poll() is None:
        try:
            for size in (SMALL, LARGE):
                for _ in range(2):
                    with urllib.request.urlopen(f"http://127.0.0.1:{port}/{size}", timeout=5) as f:
                        assert len(f.read()) == size
            return
        except OSError:
            time.sleep(0.1)
    process.terminate()
    raise RuntimeError(open(log).read()[-600:])


def start(name, port, words, directory, **more):
    log = os.path.join(directory, name + ".log")
    process = subprocess.Popen(words, stdout=open(log, "w"), stderr=subprocess.STDOUT, cwd=directory, **more)
    wait_for(port, process, log)
    return process


def naru(directory):
    port, data = 18081, os.path.join(directory, "naru")
    with open(os.path.join(directory, "naru.conf"), "w") as f:
        f.write(f"directory {data}\naddress 127.0.0.1\nports {{ http {port} }}\n"
                f"edge {{ memory 256MB; disk 1GB; connections-per-address 20000; site 127.0.0.1 {{ origin 127.0.0.1:{ORIGIN_PORT} }} }}\n")
    process = start("naru", port, [NARU, "up", os.path.join(directory, "naru.conf")], directory)
    said = json.loads(subprocess.run([NARU, "status", "--json", "--dir", data], capture_output=True, text=True, check=True).stdout)
    return Server("naru", port, process, [p["pid"] for p in said["processes"] if p["service"] == "edge"])


def nginx(directory):
    port, conf = 18082, os.path.join(directory, "nginx.conf")
    with open(conf, "w") as f:
        f.write(f"daemon off; worker_processes 1; pid {directory}/nginx.pid; error_log {directory}/nginx.err;\n"
                "events { worker_connections 4096; }\n"
                f"http {{ access_log off; sendfile on; tcp_nopush on; keepalive_requests 100000000; open_file_cache max=1000 inactive=60s;\n"
                f"client_body_temp_path {directory}/t1; proxy_temp_path {directory}/t2; fastcgi_temp_path {directory}/t3; uwsgi_temp_path {directory}/t4;\n"
                f"scgi_temp_path {directory}/t5; proxy_cache_path {directory}/nginx-cache levels=1:2 keys_zone=c:10m max_size=1g inactive=1d;\n"
                f"server {{ listen 127.0.0.1:{port} reuseport; location / {{ proxy_pass http://127.0.0.1:{ORIGIN_PORT}; proxy_cache c; }} }} }}\n")
    process = start("nginx", port, [PEER, "nginx", "-e", os.path.join(directory, "nginx.err"), "-p", directory, "-c", conf], directory)
    return Server("nginx", port, process, children(process.pid)[:1])      # the worker; the cache's loader goes after a minute


def varnish(directory):
    port, work = 18083, os.path.join(directory, "varnish")
    vcl = os.path.join(directory, "default.vcl")
    with open(vcl, "w") as f:
        f.write(f'vcl 4.1;\nbackend default {{ .host = "127.0.0.1"; .port = "{ORIGIN_PORT}"; }}\n')
    process = start("varnish", port, [PEER, "varnishd", "-F", "-j", "none", "-n", work, "-f", vcl, "-a", f"127.0.0.1:{port}", "-s", f"malloc,{MEMORY}",
                                      "-p", f"vmod_path={ROOT}/build/peers/usr/lib/x86_64-linux-gnu/varnish/vmods"], directory)
    return Server("varnish", port, process, children(process.pid))


def h2o(directory):
    port, files, conf = 18084, os.path.join(directory, "files"), os.path.join(directory, "h2o.conf")
    os.mkdir(files)
    for size in (SMALL, LARGE):
        with open(os.path.join(files, str(size)), "wb") as f:
            f.write(b"n" * size)
    with open(conf, "w") as f:
        f.write(f"num-threads: 1\nuser: root\nlisten:\n  host: 127.0.0.1\n  port: {port}\nhosts:\n  default:\n    paths:\n      /:\n        file.dir: {files}\n")
    process = start("h2o", port, [PEER, "h2o", "-c", conf], directory)
    return Server("h2o", port, process, [process.pid])


def compare(servers, size, connections, unit, scale):
    figures = {s.name: [] for s in servers}
    for turn in range(ROUNDS):
        for s in servers if turn % 2 == 0 else servers[::-1]:
            figures[s.name].append(s.load(size, connections, SECONDS)[0] * scale)
    show(f"\nhits of {size} bytes, {connections} connections: {unit} a CPU-second of the server (median of {ROUNDS} rounds)")
    out = {}
    for name, values in figures.items():
        ratio = statistics.median(a / b for a, b in zip(figures["naru"], values))
        out[name] = {"figure": statistics.median(values), "naru_ratio": ratio}
        show(f"  {name:<10} {statistics.median(values):>12,.2f}   naru is {ratio:.2f} of it")
    return out


def pss_kib(pid):
    with open(f"/proc/{pid}/smaps_rollup") as f:
        return int(re.search(r"^Pss:\s+(\d+)", f.read(), re.M).group(1))


def hold(port, count):
    """Connections that have asked once and stay."""
    held, answer = [], f"GET /{SMALL} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()
    for n in range(count):
        s = socket.socket()
        s.bind((f"127.1.0.{1 + n // 1000}", 0))
        s.connect(("127.0.0.1", port))
        s.sendall(answer)
        got = 0
        while got < SMALL:
            got += len(s.recv(65536))
        held.append(s)
    return held


def idle(server):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    count = min(IDLE, hard - 300)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, count + 300), hard))
    first = hold(server.port, 200)                       # what is made once
    time.sleep(2)
    before = pss_kib(server.pids[0])
    held = hold(server.port, count - 200)
    time.sleep(6)
    each = (pss_kib(server.pids[0]) - before) / (count - 200)
    for s in first + held:
        s.close()
    show(f"\n{count} idle keep-alive connections: {each:.2f} KiB each of naru's memory (goal {IDLE_GOAL_KIB:.0f})")
    return {"connections": count, "kib_each": each}


def main():
    global WRK
    if not os.environ.get("NARU_BENCH_NETWORK"):         # before the network is our own
        subprocess.run([os.path.join(ROOT, "tools", "peers"), "nginx-light", "h2o", "varnish", "wrk"], check=True, stdout=sys.stderr)
    own_network()
    WRK = os.path.join(ROOT, "build", "peers", "usr", "bin", "wrk")
    if not os.path.exists(WRK):
        WRK = shutil.which("wrk")
    directory = tempfile.mkdtemp(prefix="naru-bench-", dir=BUILD)
    os.chmod(directory, 0o755)
    http.server.ThreadingHTTPServer.handle_error = lambda *_: None       # an edge that closes its connections is no news
    origin = http.server.ThreadingHTTPServer(("127.0.0.1", ORIGIN_PORT), Origin)
    threading.Thread(target=origin.serve_forever, daemon=True).start()
    servers, out = [], {"bench": "edge"}
    try:
        for make in (naru, nginx, h2o, varnish):
            try:
                servers.append(make(directory))
            except (RuntimeError, OSError, subprocess.SubprocessError) as e:
                if make is naru:
                    raise
                show(f"SKIPPED {make.__name__}: {e}")
        with open("/proc/sys/net/ipv4/tcp_congestion_control") as f:
            show(f"congestion control: {f.read().strip()}; load average {os.getloadavg()[0]:.1f}")
        out["small"] = compare(servers, SMALL, 64, "requests", 1)
        out["large"] = compare(servers, LARGE, 8, "GB", LARGE / 1e9)
        out["idle"] = idle(servers[0])
    finally:
        for s in servers:
            s.end()
        shutil.rmtree(directory, ignore_errors=True)
    goals = [out["small"].get(p, {}).get("naru_ratio", 1) >= 1 for p in ("h2o", "nginx")]
    goals += [out["large"].get(p, {}).get("naru_ratio", 1) >= 1 for p in ("varnish", "nginx")]
    goals.append(out["idle"]["kib_each"] <= IDLE_GOAL_KIB)
    out["good"] = all(goals)
    if "--json" in sys.argv:
        print(json.dumps(out))
    return 0 if all(goals) else 1


if __name__ == "__main__":
    sys.exit(main())
