"""`naru torrent get` among the troubles of its users: killed in the middle, limited, bound to an address that goes away. Everything
stays on 127.0.0.1, or in a network namespace made for it."""
import glob, json, os, shutil, signal, socket, subprocess, tempfile
from concurrent.futures import ThreadPoolExecutor
from exchange import Running
from internet import PATIENCE_S, Skip, free_port, wait_for
from torrents import naru

MB = 1 << 20
SYNC_BYTES = 64 * MB             # STORE_SYNC_BYTES: so much is recorded at once
JOURNAL_SNAPSHOT_BYTES, JOURNAL_BEGIN_BYTES = 600, 100   # of HASH.have; a record of 64 MB has more than a thousand
RATE_MOST = 1.3                  # how near it comes, from below too, is the simulator's test: here the machine does other things


class Film:
    """One file, its torrent, a seed's and a leecher's directory."""
    def __init__(self, i, size, piece="256KiB"):
        self.top = tempfile.mkdtemp()
        self.size, self.naru, self.file = size, i.naru, os.path.join(self.top, "film.torrent")
        self.seed_dir, self.leech_dir = os.path.join(self.top, "seed"), os.path.join(self.top, "leech")
        os.mkdir(self.seed_dir)
        os.mkdir(self.leech_dir)
        block = os.urandom(MB)
        with open(os.path.join(self.seed_dir, "film"), "wb") as f:
            for n in range(0, size, MB):
                f.write((n.to_bytes(8, "big") + block[8:])[:size - n])
        naru(i, "create", os.path.join(self.seed_dir, "film"), "--piece", piece, "-o", self.file)

    def run(self, directory, *options, port=0, bind="127.0.0.1"):
        return Running([self.naru, "torrent", "get", self.file, "--dir", directory, "--port", str(port), "--no-dht", "--bind", bind, *options], self.top)

    def seed(self, *options):
        port = free_port()
        seed = self.run(self.seed_dir, "--seed", "--json", "--verbose", *options, port=port)
        assert wait_for(lambda: "event=seeding" in seed.said()), seed.said()     # it has checked what is there
        return seed, f"127.0.0.1:{port}"

    def same(self):
        return subprocess.run(["cmp", "-s", os.path.join(self.seed_dir, "film"), os.path.join(self.leech_dir, "film")]).returncode == 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.top)


def answer(running):
    """What a run that has ended said in JSON."""
    return json.loads([line for line in running.said().splitlines() if line.startswith("{")][-1])


def killed_at_each_record(i, film, rate, kills):
    """Bytes that the last of kills + 1 runs fetched; each but the last is killed when it has recorded something. None: one was too fast for that."""
    def journal_bytes():
        return sum(os.path.getsize(f) for f in glob.glob(os.path.join(film.leech_dir, ".naru-*/swarm/torrents/*.have")))

    seed, at = film.seed("--limit-up", rate)
    with seed:
        for n in range(kills):
            before = journal_bytes()
            with film.run(film.leech_dir, "--peer", at, "--verbose", "--json") as ours:
                # First it notes that it writes, in some dozen bytes (and a snapshot where there was none); then which pieces are complete.
                recorded = lambda: journal_bytes() > (before or JOURNAL_SNAPSHOT_BYTES) + JOURNAL_BEGIN_BYTES
                assert wait_for(lambda: recorded() or ours.process.poll() is not None), ours.said()[-1000:]
                if ours.process.poll() is not None:
                    return None
                os.kill(ours.process.pid, signal.SIGKILL)
                ours.process.wait(PATIENCE_S)
                assert n == 0 or "event=checking" not in ours.said(), "everything was hashed again"
        with film.run(film.leech_dir, "--peer", at, "--verbose", "--json") as ours:
            assert wait_for(lambda: ours.process.poll() is not None), ours.said()[-1000:]
            assert "event=checking" not in ours.said(), "everything was hashed again"
            assert ours.process.returncode == 0 and film.same(), ours.said()[-2000:]
            return answer(ours)["received"]


def case_a_download_that_was_killed_goes_on_where_it_was(i):
    kills, size = 2, 192 * MB
    for rate in ("640Mbit", "160Mbit", "40Mbit"):        # slower, where the disk or this test was too slow to kill in time
        with Film(i, size) as film:
            fetched = killed_at_each_record(i, film, rate, kills)
        if fetched is not None:
            break
    assert fetched and fetched <= size - kills * SYNC_BYTES + 8 * MB, f"the last run fetched {fetched} bytes of a file of {size}"


def limited(i, rate, seed_options, leech_options):
    size = int(rate / 8 * 3)
    with Film(i, size, "64KiB") as film:
        seed, at = film.seed(*seed_options)
        with seed, film.run(film.leech_dir, "--peer", at, "--json", *leech_options) as ours:
            assert wait_for(lambda: ours.process.poll() is not None), ours.said()
            seen = answer(ours)["received"] * 8 / (answer(ours)["ms"] / 1000)
            print(f"    {rate / 1e6:.0f} Mbit/s set, {seen / 1e6:.2f} seen")
            assert seen / rate <= RATE_MOST, f"{seen:.0f} bit/s seen, {rate:.0f} set"


def case_what_is_sent_and_received_keeps_its_limit(i):
    """All three at the same time: they wait, mostly."""
    with ThreadPoolExecutor(3) as pool:
        for done in [pool.submit(limited, i, *row) for row in ((5e6, ["--limit-up", "5Mbit"], []), (50e6, ["--limit-up", "50Mbit"], []),
                                                               (50e6, [], ["--limit-down", "50Mbit"]))]:
            done.result()


def case_a_torrent_of_a_stranger_does_not_lead_into_our_own_network(i):
    """Its tracker (any path but /announce), its web seed: nobody here is asked, unless the user is of this network himself."""
    with Film(i, MB) as film, socket.create_server(("127.0.0.1", 0)) as inside:
        url = f"http://127.0.0.1:{inside.getsockname()[1]}"
        naru(i, "create", os.path.join(film.seed_dir, "film"), "-o", film.file + "2", "--tracker", url + "/reboot?now=1", "--web-seed", url + "/film")
        for words, expected in (([], False), (["--bind", "127.0.0.1"], True)):
            inside.settimeout(PATIENCE_S if expected else 2)
            with Running([i.naru, "torrent", "get", film.file + "2", "--dir", film.leech_dir, "--no-dht", "--port", "0", *words], film.top):
                try:
                    inside.accept()[0].close()
                    came = True
                except TimeoutError:
                    came = False
            assert came == expected, f"with {words}: {came}"


NAMESPACE = """
import os, socket, subprocess, sys, time
naru, torrent, directory = sys.argv[1:]
def ip(*words): subprocess.run(["ip", *words], check=True)
ip("link", "set", "lo", "up"); ip("addr", "add", "10.1.0.1/24", "dev", "lo"); ip("addr", "add", "10.2.0.1/24", "dev", "lo")
seen = socket.create_server(("10.2.0.1", 7001))
ours = subprocess.Popen([naru, "torrent", "get", torrent, "--dir", directory, "--port", "7000", "--no-dht", "--bind", "10.1.0.1", "--peer",
                         "10.2.0.1:7001"], stderr=subprocess.DEVNULL)
def callers(seconds, wanted=None):
    found, end = set(), time.monotonic() + seconds
    while time.monotonic() < end and wanted not in found:
        seen.settimeout(max(0.01, end - time.monotonic()))
        try:
            c, at = seen.accept()
            found.add(at[0])
            c.close()
        except TimeoutError: pass
    return found
before = callers(90, "10.1.0.1")
ip("addr", "del", "10.1.0.1/24", "dev", "lo")
callers(1)
after = callers(4)
print(sorted(before), sorted(after), ours.poll())
ours.kill()
"""


def case_an_address_that_goes_away_is_not_replaced_by_another(i):
    if not shutil.which("ip") or subprocess.run(["unshare", "-rn", "true"], stderr=subprocess.DEVNULL).returncode:
        raise Skip("no network namespace of one's own (unshare -rn), or no `ip` (iproute2)")
    with Film(i, MB) as film:
        said = subprocess.run(["unshare", "-rn", "python3", "-c", NAMESPACE, i.naru, film.file, film.leech_dir], capture_output=True, text=True)
        assert said.stdout.strip() == "['10.1.0.1'] [] None", said.stdout + said.stderr[-2000:]
