"""Some files of a torrent: chosen by number and by name when it is fetched or added, and afterwards; what was not chosen does not come."""
import json, os, subprocess
from exchange import Running, listens, naru_get
from internet import free_port, run, wait_for
from torrents import naru
import tempfile

FILES = {"a.pdf": 200001, "week1/b.pdf": 150000, "week1/c.txt": 90000, "week2/d.bin": 300000}


class Slides:
    """A seed of four files that share pieces, and an empty place."""
    def __init__(self, i):
        self.top = tempfile.mkdtemp()
        self.seed, self.leech, self.port = os.path.join(self.top, "seed"), os.path.join(self.top, "leech"), free_port()
        os.mkdir(self.leech)
        for path, size in FILES.items():
            os.makedirs(os.path.dirname(os.path.join(self.seed, "slides", path)), exist_ok=True)
            with open(os.path.join(self.seed, "slides", path), "wb") as f:
                f.write(os.urandom(size))
        self.file = os.path.join(self.top, "slides.torrent")
        naru(i, "create", os.path.join(self.seed, "slides"), "--piece", "32KiB", "-o", self.file)
        self.magnet = naru(i, "magnet", self.file).strip()
        self.running = Running([i.naru, "torrent", "get", self.file, "--dir", self.seed, "--port", str(self.port), "--no-dht", "--seed",
                                "--bind", "127.0.0.1"], self.top)

    def __enter__(self):
        assert wait_for(lambda: "complete slides" in self.running.said()), self.running.said()
        return self

    def __exit__(self, *_):
        self.running.__exit__()

    def arrived(self, directory=None):
        """Names of the files that are whole; others must not be there at all."""
        top, whole = os.path.join(directory or self.leech, "slides"), set()
        for path in FILES:
            there, here = os.path.join(top, path), os.path.join(self.seed, "slides", path)
            if os.path.exists(there):
                assert subprocess.run(["cmp", "-s", there, here]).returncode == 0, f"{path} has other bytes"
                whole.add(path)
        return whole

    def fetched(self, i, what, *options):
        with naru_get(i, what, self.leech, self.port, "--json", *options) as ours:
            assert wait_for(lambda: ours.process.poll() is not None), ours.said()
            assert ours.process.returncode == 0, ours.said()
            return json.loads([line for line in ours.said().splitlines() if line.startswith("{")][-1])


def case_get_takes_the_files_that_are_wanted(i):
    with Slides(i) as slides:
        shown = naru(i, "show", slides.file).splitlines()
        assert [line.split()[0] for line in shown[-4:]] == ["1", "2", "3", "4"], shown
        said = slides.fetched(i, slides.file, "--want", "*.pdf", "--first", "2")
        assert slides.arrived() == {"a.pdf", "week1/b.pdf"} and said["wanted"] < said["length"], said
        assert said["received"] < sum(FILES.values()) - FILES["week2/d.bin"] + 3 * 32768, said
        slides.fetched(i, slides.file, "--skip", "week2/")                     # more of them, later
        assert slides.arrived() == {"a.pdf", "week1/b.pdf", "week1/c.txt"}


def case_get_takes_the_files_of_a_magnet_link_that_are_wanted(i):
    with Slides(i) as slides:
        slides.fetched(i, slides.magnet, "--want", "slides/week1/", "--skip", "3")
        assert slides.arrived() == {"week1/b.pdf"}, slides.arrived()


def case_a_choice_that_means_no_file_is_refused(i):
    with Slides(i) as slides:
        for choice in ("5", "0", "2-1", "*.mp4", "", ","):
            if choice:
                assert "no file of" in naru(i, "get", slides.file, "--dir", slides.leech, "--want", choice, "--no-dht", want=2)
        assert not os.listdir(slides.leech) or slides.arrived() == set()


def case_files_are_chosen_in_the_running_swarm(i):
    """add --want, files --want, files --skip, against Alice's swarm of the small Internet; the seed is told to it as a magnet link's peer is."""
    host = ("--host", "alice.torrent.edu", "--naru", i.dir)

    def torrent(*words):
        code, said = run([i.naru, "torrent", *words, *host])
        assert code == 0, said
        return said
    with Slides(i) as slides:
        link = slides.magnet + f"&x.pe=127.0.0.1:{slides.port}"
        torrent("add", link, "--dir", slides.leech, "--paused")
        assert "no file of" in run([i.naru, "torrent", "add", slides.file, "--want", "*.mp4", *host])[1]
        assert "files chooses" in torrent("add", link, "--want", "1")          # it is there already
        torrent("remove", "slides")
        torrent("add", slides.file, "--dir", slides.leech, "--want", "a.pdf,3", "--superseed")
        listed = {f["name"]: s["wanted"] for t in json.loads(torrent("files", "slides", "--json")) for f, s in zip(t["files"], t["fileStats"])}
        assert listed == {"slides/a.pdf": True, "slides/week1/b.pdf": False, "slides/week1/c.txt": True, "slides/week2/d.bin": False}, listed
        # Another naru brings what is wanted: it connects to Alice.
        address, port = i.where("alice.torrent.edu", "bittorrent")
        with naru_get(i, slides.file, slides.seed, port, "--seed", "--peer", f"{address}:{port}", "--bind", "127.0.0.1"):
            assert wait_for(lambda: slides.arrived() == {"a.pdf", "week1/c.txt"}), torrent("files", "slides")
            torrent("files", "slides", "--want", "week2/*", "--first", "week2/d.bin")
            assert wait_for(lambda: "week2/d.bin" in slides.arrived()), torrent("files", "slides")
            assert "week1/b.pdf" not in slides.arrived()
            torrent("files", "slides", "--skip", "1", "--want", "2")
            assert wait_for(lambda: "week1/b.pdf" in slides.arrived()), torrent("files", "slides")
        torrent("sequential", "slides", "--within", "10s", "--rate", "8Mbit", "--first", "1")
        assert json.loads(torrent("status", "slides", "--json"))[0]["sequentialDownload"] is True
        torrent("sequential", "slides", "--off")
        assert json.loads(torrent("status", "slides", "--json"))[0]["sequentialDownload"] is False
        for wrong in (["--rate", "8Mbit"], ["--within", "soon"], ["--within", "8d"], ["--off", "--within", "1s"]):
            assert run([i.naru, "torrent", "sequential", "slides", *wrong, *host])[0] == 2, wrong
        torrent("limit", "slides", "--ratio", "1.5")
        seen = json.loads(torrent("status", "slides", "--json"))[0]
        assert (seen["seedRatioLimit"], seen["seedRatioMode"]) == (1.5, 1), seen
        torrent("limit", "slides", "--ratio", "none")
        assert json.loads(torrent("status", "slides", "--json"))[0]["seedRatioMode"] == 2
        assert run([i.naru, "torrent", "limit", "slides", "--ratio", "x", *host])[0] == 2
        torrent("remove", "slides", "--delete-files")


def case_files_of_a_magnet_link_are_chosen_in_the_running_swarm(i):
    """The words wait until a peer has told what there is; those that mean nothing stop it, and it goes on when files are chosen."""
    host = ("--host", "alice.torrent.edu", "--naru", i.dir)

    def torrent(*words):
        code, said = run([i.naru, "torrent", *words, *host])
        assert code == 0, said
        return said
    with Slides(i) as slides:
        torrent("add", slides.magnet, "--dir", slides.leech, "--want", "*.mp4")
        said = torrent("files", "slides")
        assert "nobody has told yet" in said and "want: *.mp4" in said, said
        address, port = i.where("alice.torrent.edu", "bittorrent")
        with naru_get(i, slides.file, slides.seed, port, "--seed", "--peer", f"{address}:{port}", "--bind", "127.0.0.1"):
            assert wait_for(lambda: 'no file of it is "*.mp4"' in torrent("list")), torrent("list")
            torrent("files", "slides", "--want", "week1/b.pdf")
            assert wait_for(lambda: slides.arrived() == {"week1/b.pdf"}), torrent("files", "slides")
            torrent("remove", "slides", "--delete-files")
            torrent("add", slides.magnet, "--dir", slides.leech, "--skip", "week2/", "--first", "3")
            assert wait_for(lambda: slides.arrived() == {"a.pdf", "week1/b.pdf", "week1/c.txt"}), torrent("files", "slides")
        torrent("remove", "slides", "--delete-files")
