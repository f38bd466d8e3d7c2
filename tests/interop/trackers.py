"""The tracker of the small Internet (tracker.torrent.edu): libtorrent, aria2 and Transmission announce to it and find each other, over
UDP and HTTP; it remembers over kill -9. The programs are Debian's, installed or unpacked under build/peers."""
import hashlib, http.client, json, os, random, shutil, socket, struct, subprocess, tempfile
from internet import PATIENCE_S, SmallInternet, run, wait_for
from torrents import PEERS, libtorrent, program

SEED = """
import sys, time
def torrent(path, tracker):
    info = lt.torrent_info(path)
    s = lt.session({'listen_interfaces': '127.0.0.1:0', 'enable_dht': False, 'enable_lsd': False, 'enable_upnp': False,
                    'enable_natpmp': False, 'min_announce_interval': 1, 'allow_multiple_connections_per_ip': True, 'alert_mask': lt.alert.category_t.all_categories})
    return s, s.add_torrent({'ti': info, 'save_path': sys.argv[2], 'trackers': [tracker]})
s, h = torrent(sys.argv[1], sys.argv[3])
"""


def tracker(i, *words):
    code, said = run([i.naru, "tracker", *words, "--json", "--dir", i.dir])
    assert code == 0, said
    return json.loads(said)


def swarm(i, digest):
    found = tracker(i, "list", digest)["torrents"]
    return (found[0]["seeds"], found[0]["leechers"]) if found else (0, 0)


def made(i, url):
    top = tempfile.mkdtemp()
    with open(os.path.join(top, "data"), "wb") as f:
        f.write(os.urandom(300000))
    out = os.path.join(top, "x.torrent")
    code, said = run([i.naru, "torrent", "create", os.path.join(top, "data"), "-o", out, "--tracker", url])
    assert code == 0, said
    code, said = run([i.naru, "torrent", "show", out, "--json"])
    return top, out, json.loads(said)["info_hash"]


def url(i, scheme):
    address, port = i.where("torrent.edu", "tracker")
    return f"{scheme}://{address}:{port}/announce"


class Seed:
    """libtorrent with the whole data, until it is left."""
    def __init__(self, i, out, top, where):
        self.env = dict(os.environ, PYTHONPATH=os.path.join(PEERS, "usr/lib/python3/dist-packages"),
                        LD_LIBRARY_PATH=os.path.join(PEERS, f"usr/lib/{os.uname().machine}-linux-gnu"))
        libtorrent("print(1)")                                         # or Skip
        self.process = subprocess.Popen(["/usr/bin/python3", "-c", "import libtorrent as lt\n" + SEED + "sys.stdin.read()\n", out, top, where],
                                        stdin=subprocess.PIPE, stderr=subprocess.DEVNULL, env=self.env)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait(PATIENCE_S)


def found_by_libtorrent(i, scheme):
    top, out, digest = made(i, url(i, scheme))
    with Seed(i, out, top, url(i, scheme)):
        assert wait_for(lambda: swarm(i, digest)[0] == 1), f"the seed is not known: {swarm(i, digest)}"
        down = tempfile.mkdtemp()
        said = libtorrent(SEED + "for _ in range(800):\n    if h.status().is_seeding: break\n    time.sleep(0.1)\n"
                          "print(h.status().progress)\n", out, down, url(i, scheme))
        assert said.splitlines()[-1] == "1.0", said
    return top, out, digest


def case_libtorrents_find_each_other_over_udp(i):
    found_by_libtorrent(i, "udp")


def case_libtorrents_find_each_other_over_http(i):
    found_by_libtorrent(i, "http")


def downloaded(i, scheme, command, only_known=False):
    top, out, digest = made(i, url(i, scheme))
    down = tempfile.mkdtemp()
    words = command(out, down)
    with Seed(i, out, top, url(i, scheme)):
        assert wait_for(lambda: swarm(i, digest)[0] == 1), swarm(i, digest)
        p = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=dict(os.environ, HOME=down))
        try:
            want = hashlib.sha1(open(os.path.join(top, "data"), "rb").read()).digest()
            path = os.path.join(down, "data")
            whole = lambda: os.path.exists(path) and hashlib.sha1(open(path, "rb").read()).digest() == want
            known = lambda: swarm(i, digest) == (1, 1)
            assert wait_for(known if only_known else whole), f"nothing came; the tracker knows {swarm(i, digest)}"
        finally:
            p.terminate()
            p.wait(PATIENCE_S)


def case_aria2_finds_a_seed_over_http(i):
    downloaded(i, "http", lambda out, down: program("aria2c", "aria2") + ["-q", "--enable-dht=false", "--bt-enable-lpd=false", "--seed-time=0",
               "--enable-peer-exchange=false", "--listen-port=50000-60000", "-d", down, out])


def case_aria2_finds_a_seed_over_udp(i):
    """aria2 asks UDP trackers through the socket of its DHT only."""
    downloaded(i, "udp", lambda out, down: program("aria2c", "aria2") + ["-q", "--enable-dht=true", "--bt-enable-lpd=false", "--seed-time=0",
               "--enable-peer-exchange=false", "--listen-port=50000-60000", "--dht-listen-port=50000-60000",
               "--dht-file-path=" + os.path.join(down, "dht.dat"), "-d", down, out])


def transmission(out, down):
    return program("transmission-cli", "transmission-cli") + ["-w", down, "-p", str(random.randrange(50000, 60000)), "-M", out]


# Transmission connects to no loopback address, and libtorrent's seed connects to nobody: that both are known must do here.
def case_transmission_announces_over_udp(i):
    downloaded(i, "udp", transmission, only_known=True)


def case_transmission_announces_over_http(i):
    downloaded(i, "http", transmission, only_known=True)


# ---- by hand ----------------------------------------------------------------------------------------------------------------

QUERY = "info_hash=" + "%AB" * 20 + "&peer_id=bbbbbbbbbbbbbbbbbbbb&port={}&left=0&uploaded=0&downloaded=0&key=1234{}"


def case_many_announces_on_one_connection(i):
    c = http.client.HTTPConnection(*i.where("torrent.edu", "tracker"), timeout=PATIENCE_S)
    for n in range(20):
        c.request("GET", "/announce?" + QUERY.format(7000 + n, n))
        r = c.getresponse()
        body = r.read()
        assert r.status == 200 and body.startswith(b"d8:completei%de" % (n + 1)), (n, r.status, body)
    c.request("GET", "/scrape?info_hash=" + "%AB" * 20)
    assert c.getresponse().read() == b"d5:filesd20:" + b"\xab" * 20 + b"d8:completei20e10:downloadedi0e10:incompletei0eeee"
    c.close()
    assert swarm(i, "ab" * 20) == (20, 0)


def case_an_unproven_address_gets_nothing_larger(i):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.settimeout(5)
    s.connect(i.where("torrent.edu", "tracker"))
    s.send(struct.pack(">QII", 12345, 1, 77) + bytes(82))
    said = s.recv(4096)
    assert struct.unpack(">II", said[:8]) == (3, 77) and b"expired" in said and len(said) <= 98, said
    s.send(struct.pack(">QII", 0x41727101980, 0, 78))
    assert len(s.recv(4096)) == 16
    s.close()


def case_the_dns_says_where_the_tracker_is(i):
    address, port = i.where("local", "dns") if "local" in i.map["hosts"] else i.where("resolver", "dns")
    code, said = run([i.naru, "query", "tracker.torrent.edu", "TXT", f"@{address}#{port}"])
    assert code == 0 and "BITTORRENT UDP:6969 TCP:6969" in said, said
    code, said = run([i.naru, "tracker", "record", "tracker.torrent.edu.", "--json"])
    assert json.loads(said)["text"] == "BITTORRENT UDP:6969 TCP:6969", said
    assert run([i.naru, "tracker", "record", "--udp", "70000"])[0] == 2


def case_peers_survive_kill_9(i):
    directory = tempfile.mkdtemp()
    first = SmallInternet(i.naru, directory)
    c = http.client.HTTPConnection(*first.where("torrent.edu", "tracker"), timeout=PATIENCE_S)
    for n in range(50):
        c.request("GET", "/announce?" + QUERY.format(7000 + n, n))
        assert c.getresponse().read()
    assert wait_for(lambda: tracker(first, "status")["unsaved"] == 0)
    first.kill()
    with SmallInternet(i.naru, directory) as again:
        figures = tracker(again, "status")
        assert figures["restored"] >= 50 and swarm(again, "ab" * 20) == (50, 0), figures      # the library's seed announces, too
    shutil.rmtree(directory, ignore_errors=True)
