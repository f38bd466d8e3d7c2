"""Pieces, exchanged with programs that nobody here wrote: each seeds for naru, and takes from naru. The programs are Debian's,
installed or unpacked under build/peers. Everything stays on 127.0.0.1: naru is told where the other listens, and connects."""
import http.server, json, os, re, shutil, signal, socket, subprocess, tempfile, threading, time, urllib.parse
from internet import PATIENCE_S, Skip, free_port, wait_for
from torrents import PEERS, TREE, naru, program

BYTES = 5 << 20


class Torrent:
    """A folder of files that share pieces, its torrent file, a copy for the seed and an empty place for the leecher."""
    def __init__(self, i, *options):
        self.top = tempfile.mkdtemp()
        self.seed, self.leech = os.path.join(self.top, "seed"), os.path.join(self.top, "leech")
        self.name = "slides"
        os.makedirs(os.path.join(self.seed, self.name, "deep"))
        os.makedirs(self.leech)
        for path, size in (("a.bin", BYTES - 100001), ("deep/b.bin", 100000), ("c", 1)):
            with open(os.path.join(self.seed, self.name, path), "wb") as f:
                f.write(os.urandom(size))
        self.file = os.path.join(self.top, "x.torrent")
        naru(i, "create", os.path.join(self.seed, self.name), "--piece", "64KiB", "-o", self.file, "--tracker",
             "http://127.0.0.1:9/announce", *options)                                # nobody is there; rtorrent takes no torrent without one
        self.magnet = naru(i, "magnet", self.file).strip()

    def arrived(self):
        for path in ("a.bin", "deep/b.bin", "c"):
            there = os.path.join(self.leech, self.name, path)
            if not os.path.exists(there) or open(there, "rb").read() != open(os.path.join(self.seed, self.name, path), "rb").read():
                return False
        return True


class Running:
    def __init__(self, command, directory, env=None):
        self.log = open(os.path.join(directory, f"log{len(os.listdir(directory))}"), "w+b")
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log, env=dict(os.environ, **(env or {})),
                                        start_new_session=True)

    def said(self):
        self.log.seek(0)
        return self.log.read().decode("utf-8", "replace")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for number in (signal.SIGINT, signal.SIGKILL):
            if self.process.poll() is None:
                os.killpg(self.process.pid, number)
                try:
                    self.process.wait(timeout=3)
                except subprocess.TimeoutExpired:
                    continue
        self.log.close()


def naru_get(i, what, directory, peer, *options):
    return Running([i.naru, "torrent", "get", what, "--dir", directory, "--port", "0", "--no-dht", "--bind", "127.0.0.1", "--verbose",
                    "--peer", f"127.0.0.1:{peer}", *options], os.path.dirname(directory))


# ---- the others: each is a function that starts the program on a port, with the files in a directory ---------------------------

LIBTORRENT = """
import sys, time, libtorrent as lt
s = lt.session({'listen_interfaces': '127.0.0.1:' + sys.argv[3], 'enable_dht': False, 'enable_lsd': False, 'enable_upnp': False,
                'enable_natpmp': False, 'allow_multiple_connections_per_ip': True})
h = s.add_torrent({'ti': lt.torrent_info(sys.argv[1]), 'save_path': sys.argv[2]})
time.sleep(600)
"""


def libtorrent(t, directory, port):
    env = {"PYTHONPATH": os.path.join(PEERS, "usr/lib/python3/dist-packages"),
           "LD_LIBRARY_PATH": os.path.join(PEERS, f"usr/lib/{os.uname().machine}-linux-gnu")}
    if subprocess.run(["/usr/bin/python3", "-c", "import libtorrent"], env=dict(os.environ, **env), stderr=subprocess.DEVNULL).returncode:
        raise Skip("libtorrent for Python is not there; tools/peers python3-libtorrent unpacks it")
    return Running(["/usr/bin/python3", "-c", LIBTORRENT, t.file, directory, str(port)], t.top, env)


def transmission(t, directory, port):
    config = tempfile.mkdtemp()
    with open(os.path.join(config, "settings.json"), "w") as f:
        json.dump({"dht-enabled": False, "lpd-enabled": False, "utp-enabled": False, "port-forwarding-enabled": False,
                   "bind-address-ipv4": "127.0.0.1", "peer-port": port}, f)
    return Running(program("transmission-cli", "transmission-cli") + ["-g", config, "-w", directory, "-p", str(port), "-M", t.file], t.top)


def aria2(t, directory, port):
    return Running(program("aria2c", "aria2") + ["--dir", directory, "--listen-port", str(port), "--enable-dht=false", "--enable-dht6=false",
                   "--bt-enable-lpd=false", "--enable-peer-exchange=false", "--check-integrity=true", "--seed-ratio=0.0", "--file-allocation=none",
                   "--no-conf=true", "--interface=127.0.0.1", t.file], t.top)


def rtorrent(t, directory, port):
    command = program("rtorrent", "rtorrent")
    session = tempfile.mkdtemp()
    options = ["-n", "-o", f"network.port_range.set={port}-{port},network.port_random.set=no,network.bind_address.set=127.0.0.1,"
               f"dht.mode.set=disable,protocol.pex.set=no,session.path.set={session},directory.default.set={directory},"
               "system.daemon.set=true,pieces.hash.on_completion.set=yes", t.file]
    if not shutil.which("script"):
        raise Skip("script (util-linux) is not installed")
    return Running(command + options, t.top, {"TERM": "xterm"})


def listens(port):
    with socket.socket() as s:
        return s.connect_ex(("127.0.0.1", port)) == 0


def it_seeds(i, start):
    t, port = Torrent(i), free_port()
    with start(t, t.seed, port) as other:
        assert wait_for(lambda: listens(port)), other.said()[-2000:]
        time.sleep(0.5)                                  # a peer that is still checking what it has closes connections
        with naru_get(i, t.file, t.leech, port) as ours:
            assert wait_for(lambda: ours.process.poll() is not None), ours.said()[-2000:] + other.said()[-1000:]
            assert ours.process.returncode == 0 and t.arrived(), ours.said()[-2000:]


def it_takes(i, start):
    t, port = Torrent(i), free_port()
    with start(t, t.leech, port) as other:
        assert wait_for(lambda: listens(port)), other.said()[-2000:]
        with naru_get(i, t.file, t.seed, port, "--seed") as ours:
            assert wait_for(t.arrived), ours.said()[-2000:] + other.said()[-1000:]


def case_libtorrent_seeds_for_naru(i): it_seeds(i, libtorrent)
def case_libtorrent_takes_from_naru(i): it_takes(i, libtorrent)
def case_transmission_seeds_for_naru_and_takes_from_it(i):
    """Both at the same time: it takes its ten seconds before it says a word."""
    troubles = []

    def guarded(way):
        try:
            way(i, transmission)
        except Skip as skip:
            troubles.append(skip)
        except Exception as trouble:
            troubles.append(trouble)
    ways = [threading.Thread(target=guarded, args=(way,)) for way in (it_seeds, it_takes)]
    for way in ways:
        way.start()
    for way in ways:
        way.join()
    if troubles:
        raise troubles[0]


def case_aria2_seeds_for_naru(i): it_seeds(i, aria2)
def case_aria2_takes_from_naru(i): it_takes(i, aria2)
def case_rtorrent_seeds_for_naru(i): it_seeds(i, rtorrent)
def case_rtorrent_takes_from_naru(i): it_takes(i, rtorrent)


def case_libtorrent_gives_naru_the_metadata_of_a_magnet_link(i):
    t, port = Torrent(i), free_port()
    with libtorrent(t, t.seed, port) as other:
        assert wait_for(lambda: listens(port)), other.said()
        with naru_get(i, t.magnet, t.leech, port) as ours:
            assert wait_for(lambda: ours.process.poll() is not None), ours.said()[-2000:]
            assert ours.process.returncode == 0 and t.arrived(), ours.said()[-2000:]


def case_an_interrupted_download_goes_on(i):
    t, port = Torrent(i), free_port()
    with libtorrent(t, t.seed, port) as other:
        assert wait_for(lambda: listens(port)), other.said()
        with naru_get(i, t.file, t.leech, port, "--limit-down", "16Mbit") as ours:
            assert wait_for(lambda: os.path.isdir(os.path.join(t.leech, t.name))), ours.said()
            time.sleep(0.7)
            ours.process.send_signal(signal.SIGKILL)
        with naru_get(i, t.file, t.leech, port) as ours:
            assert wait_for(lambda: ours.process.poll() is not None), ours.said()[-2000:]
            assert ours.process.returncode == 0 and t.arrived(), ours.said()[-2000:]


class RangeHandler(http.server.BaseHTTPRequestHandler):
    """A web server that knows what a Range is; Python's own does not."""
    def do_GET(self):
        path = os.path.join(self.server.top, urllib.parse.unquote(self.path).lstrip("/"))
        if not os.path.isfile(path):
            return self.send_error(404)
        with open(path, "rb") as f:
            data = f.read()
        asked = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
        first, last = (int(asked[1]), min(int(asked[2]), len(data) - 1)) if asked else (0, len(data) - 1)
        self.send_response(206 if asked else 200)
        self.send_header("Content-Length", str(last - first + 1))
        if asked:
            self.send_header("Content-Range", f"bytes {first}-{last}/{len(data)}")
        self.end_headers()
        self.wfile.write(data[first:last + 1])
        self.server.requests += 1

    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass


def case_a_web_seed_alone_is_enough(i):
    port = free_port()
    t = Torrent(i, "--web-seed", f"http://127.0.0.1:{port}/")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", port), RangeHandler)
    server.top, server.requests = t.seed, 0
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        with naru_get(i, t.file, t.leech, free_port()) as ours:
            assert wait_for(lambda: ours.process.poll() is not None), ours.said()[-2000:]
            assert ours.process.returncode == 0 and t.arrived() and server.requests > 1, ours.said()[-2000:]
    finally:
        server.shutdown()


def case_without_its_address_nothing_is_sent(i):
    """--bind is a promise: an address that this machine does not have (any more) is no reason to use another."""
    t, port = Torrent(i), free_port()
    with socket.socket() as heard:
        heard.bind(("127.0.0.1", port))
        heard.listen()
        heard.settimeout(3)
        with Running([i.naru, "torrent", "get", t.file, "--dir", t.leech, "--bind", "192.0.2.77", "--no-dht", "--peer", f"127.0.0.1:{port}"], t.top) as ours:
            assert wait_for(lambda: ours.process.poll() is not None) and ours.process.returncode == 1, ours.said()
            assert "192.0.2.77" in ours.said(), ours.said()
        try:
            heard.accept()
            raise AssertionError("somebody came")
        except socket.timeout:
            pass
