"""Where the tracker is, said in the DNS by naru's own name server (BEP 34) and obeyed by naru's own swarm: a `naru up` with all three."""
import json, os, subprocess, tempfile, time
from internet import PATIENCE_S, Skip, free_port, wait_for
from torrents import naru


class House:
    """authoritative, tracker and swarm of one `naru up`, as one user, on loopback."""
    def __init__(self, i, said):
        self.top, self.naru = tempfile.mkdtemp(), i.naru
        self.data, self.conf = os.path.join(self.top, "data"), os.path.join(self.top, "naru.conf")
        self.dns, self.tracker = free_port(), free_port()
        os.mkdir(os.path.join(self.top, "films"))
        with open(os.path.join(self.top, "club.zone"), "w") as f:
            f.write("$TTL 60\n@ SOA ns root 1 2h 30m 2w 5m\n@ NS ns\nns A 127.0.0.1\ntracker A 127.0.0.1\nother A 127.0.0.1\n")
        self.swarm_port = free_port()
        self.write(said)
        self.log = open(os.path.join(self.top, "log"), "w+")
        self.process = subprocess.Popen(["unshare", "-U", "--map-user=1000", "--map-group=1000", i.naru, "up", self.conf, "--dir", self.data],
                                        stdout=self.log, stderr=self.log)

    def write(self, said):
        with open(self.conf, "w") as f:
            f.write(f"host ns.club.test\naddress 127.0.0.1\nports {{ dns {self.dns}; tracker {self.tracker} }}\n"
                    f"authoritative {{ zone club.test {self.top}/club.zone; listen 127.0.0.1; {said.format(tracker=self.tracker)} }}\n"
                    f"tracker {{ open yes }}\n"
                    f"swarm {{ listen 127.0.0.1; port {self.swarm_port}; rpc-port 0; dht off; private-peers on; resolver 127.0.0.1:{self.dns}; directory {self.top}/films }}\n")

    def command(self, *words):
        done = subprocess.run([self.naru, *words], capture_output=True, text=True)
        return done.stdout if done.returncode == 0 else ""

    def __enter__(self):
        assert wait_for(lambda: self.command("torrent", "list", "--naru", self.data)), open(os.path.join(self.top, "log")).read()
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(PATIENCE_S)

    def share(self, i, name, url):
        film = os.path.join(self.top, "films", name)
        with open(film, "wb") as f:
            f.write(os.urandom(100000))
        out = os.path.join(self.top, name + ".torrent")
        naru(i, "create", film, "-o", out, "--tracker", url)
        self.command("torrent", "add", out, "--naru", self.data)
        return json.loads(naru(i, "show", out, "--json"))["info_hash"]

    def seeds(self, digest):
        found = json.loads(self.command("tracker", "list", digest, "--json", "--dir", self.data) or "{}").get("torrents")
        return found[0]["seeds"] if found else 0


def case_the_zone_says_where_the_tracker_is_and_the_swarm_obeys(i):
    if subprocess.run(["unshare", "-U", "true"], stderr=subprocess.DEVNULL).returncode:
        raise Skip("no user namespaces here")
    with House(i, "tracker tracker.club.test TCP:{tracker}; tracker other.club.test deny") as house:
        # The torrent says port 1, where nobody is; the zone knows better.
        digest = house.share(i, "one", "http://tracker.club.test:1/announce")
        assert wait_for(lambda: house.seeds(digest) == 1), house.command("torrent", "status", "all", "--naru", house.data)
        # The other name has a tracker behind it, and says that it is not to be asked.
        denied = house.share(i, "two", f"http://other.club.test:{house.tracker}/announce")

        def said():
            rows = json.loads(house.command("torrent", "status", "two", "--naru", house.data, "--json") or "[]")
            return [s["lastAnnounceResult"] for t in rows for s in t["trackerStats"] if s["hasAnnounced"]]
        assert wait_for(said), house.command("torrent", "status", "two", "--naru", house.data, "--json")
        assert house.seeds(denied) == 0 and "DNS" in said()[0] or "tracker" in said()[0], said()
        print(f"    denied: {said()[0]}")
