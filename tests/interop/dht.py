"""naru's DHT node and libtorrent's in one network on the loopback, each finding what the other announced."""
import os, re, subprocess, tempfile, threading, time
from internet import PATIENCE_S, Skip
from torrents import libtorrent

HASH = "0123456789abcdef0123456789abcdef01234567"
OTHER = "89abcdef0123456789abcdef0123456789abcdef"

# A libtorrent session at sys.argv[1] that knows sys.argv[2]; announces the torrents of sys.argv[3] and asks for those of
# sys.argv[4] ("-": none) until sys.argv[5] stands among the answers, is there as a file, or 80 seconds have passed.
SESSION = """
import os, time
s = lt.session({'listen_interfaces': sys.argv[1], 'enable_dht': True, 'dht_bootstrap_nodes': sys.argv[2], 'enable_lsd': False,
                'enable_upnp': False, 'enable_natpmp': False, 'dht_restrict_routing_ips': False, 'dht_restrict_search_ips': False,
                'dht_prefer_verified_node_ids': False, 'dht_enforce_node_id': False,
                'alert_mask': lt.alert.category_t.all_categories})
host, port = sys.argv[2].rsplit(':', 1)
s.add_dht_node((host, int(port)))
if sys.argv[3] != '-':
    h = s.add_torrent({'info_hash': bytes.fromhex(sys.argv[3]), 'save_path': '/tmp', 'flags': lt.torrent_flags.upload_mode})
end, asked, found = time.time() + 80, 0, ''
while time.time() < end and not found and not os.path.exists(sys.argv[5]):
    if time.time() - asked > 2:
        asked = time.time()
        if sys.argv[3] != '-':
            h.force_dht_announce()
        if sys.argv[4] != '-':
            s.dht_get_peers(lt.sha1_hash(bytes.fromhex(sys.argv[4])))
    for a in s.pop_alerts():
        if isinstance(a, lt.dht_get_peers_reply_alert):
            for peer in a.peers():
                text = '%s:%d' % tuple(peer)
                if text == sys.argv[5]:
                    found = text
    time.sleep(0.1)
print('found', found)
"""


class Node:
    """A naru node; what it says is kept."""

    def __init__(self, i, at, *words):
        program = os.path.join(os.path.dirname(os.path.abspath(i.naru)), "tests/dht/naru-dht-node")
        if not os.path.exists(program):
            raise Skip(f"{program} is not built")
        self.said = ""
        self.process = subprocess.Popen([program, at, str(2 * PATIENCE_S), *words], stdout=subprocess.PIPE, text=True)
        self.thread = threading.Thread(target=self.listen, daemon=True)
        self.thread.start()

    def listen(self):
        for line in self.process.stdout:
            self.said += line

    def wait_for(self, pattern):
        end = time.time() + PATIENCE_S
        while time.time() < end:
            if re.search(pattern, self.said):
                return True
            time.sleep(0.1)
        return False

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()


class Session(threading.Thread):
    """A libtorrent session that runs beside the nodes until its `with` ends."""

    def __init__(self, at, router, announced):
        super().__init__(daemon=True)
        self.stop = os.path.join(tempfile.mkdtemp(), "stop")
        self.words = (SESSION, at, router, announced, "-", self.stop)

    def run(self):
        self.said = libtorrent(*self.words)

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        with open(self.stop, "w"):
            pass
        self.join()


def case_libtorrent_finds_what_naru_announced(i):
    libtorrent("pass")                                       # or the case is skipped
    with Node(i, "127.0.0.31:26881") as router, \
            Node(i, "127.0.0.32:26881", "router", "127.0.0.31:26881", "announce", HASH, "5555") as announcer:
        assert announcer.wait_for(r"told [1-9]"), announcer.said
        said = libtorrent(SESSION, "127.0.0.33:26881", "127.0.0.31:26881", "-", HASH, "127.0.0.32:5555")
        assert said == "found 127.0.0.32:5555", said + router.said


def case_naru_finds_what_libtorrent_announced(i):
    libtorrent("pass")
    with Node(i, "127.0.0.34:26881") as router, Session("127.0.0.35:26881", "127.0.0.34:26881", OTHER), \
            Node(i, "127.0.0.36:26881", "router", "127.0.0.34:26881", "find", OTHER) as finder:
        assert finder.wait_for(r"found 127\.0\.0\.35:26881\n"), finder.said + router.said


def case_naru_nodes_meet_through_a_libtorrent_node(i):
    """The router is libtorrent's: naru finds its way by its answers and tokens."""
    libtorrent("pass")
    with Session("127.0.0.37:26881", "127.0.0.38:26881", "-"), \
            Node(i, "127.0.0.38:26881", "router", "127.0.0.37:26881", "announce", HASH, "6666") as announcer, \
            Node(i, "127.0.0.39:26881", "router", "127.0.0.37:26881", "find", HASH) as finder:
        assert finder.wait_for(r"found 127\.0\.0\.38:6666\n"), announcer.said + finder.said
