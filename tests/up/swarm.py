"""naru up with a tracker and a swarm: the directories that the configuration names under the services' locks, private and managed
torrents, the command line and Transmission's remote control with a password. For up.py."""
import json
import os
import shutil
import subprocess
import urllib.parse
import urllib.request
from machine import NARU, PATIENCE_S, Up, check, skipped
from running import wait_for

TREE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../..")


def torrent(up, *words):
    # the command line of one who has no list of running instances: --naru names the data directory
    return subprocess.run([NARU, "torrent", *words], capture_output=True, text=True, timeout=PATIENCE_S)


def listed(up):
    done = torrent(up, "list", "--naru", up.data, "--json")
    return json.loads(done.stdout) if done.returncode == 0 else []


def remote(up, *words):
    program = [os.path.join(TREE, "tools/peer"), "transmission-remote"]
    if not os.path.exists(os.path.join(TREE, "build/peers/usr/bin/transmission-remote")):
        program = [shutil.which("transmission-remote")]
    return subprocess.run([*program, f"127.0.0.1:{up.port['rpc']}", *words], capture_output=True, text=True, timeout=PATIENCE_S) if program[0] else None


KEY = "0f9c2a7714c84b6e"
MANAGED, PEERS, DEGREE = b"m" * 20, 60, 8


def announce(up, digest, key="", **said):
    """What the tracker says, as it stands on the wire."""
    query = urllib.parse.urlencode({"info_hash": digest, "peer_id": b"-XX0001-" + b"%012d" % said.get("port", 1), "port": 1, "left": 1, "compact": 1, **said})
    with urllib.request.urlopen(f"http://127.0.0.1:{up.port['tracker']}{'/' + key if key else ''}/announce?{query}", timeout=PATIENCE_S) as answer:
        return answer.read()


def told(answer):
    """The ports of the peers in it: each of ours has another."""
    at = answer.index(b"5:peers") + 7
    size, _, rest = answer[at:].partition(b":")
    return [int.from_bytes(rest[i + 4:i + 6], "big") for i in range(0, int(size), 6)]


def in_one_piece(neighbours):
    seen, left = set(), [next(iter(neighbours))]
    while left:
        one = left.pop()
        if one not in seen:
            seen.add(one)
            left += neighbours[one]
    return len(seen) == len(neighbours)


def managed_and_private(up, private):
    """Peers of a managed swarm come one after the other; nobody is told to many more than others are, all hang together."""
    neighbours = {port: set() for port in range(1, PEERS + 1)}
    often = dict.fromkeys(neighbours, 0)
    for port in neighbours:
        for other in told(announce(up, MANAGED, port=port, ip=f"10.9.0.{port}", numwant=50)):
            often[other] += 1
            neighbours[port].add(other)
            neighbours[other].add(port)
    degrees = sorted(len(n) for n in neighbours.values())
    check("a managed swarm is a graph of about equal degree", max(often.values()) <= 2 * DEGREE and degrees[PEERS // 4] >= DEGREE and in_one_piece(neighbours),
          f"told {sorted(often.values())}, degrees {degrees}")
    check("a private torrent is refused without a pass key", b"pass key" in announce(up, private) and b"pass key" in announce(up, private, "a" * 16))
    check("... and taken with one", b"5:peers" in announce(up, private, KEY, event="started") and announce(up, private, KEY, event="stopped"))
    check("a torrent that is not listed is refused", b"listed torrents only" in announce(up, b"x" * 20))
    shown = subprocess.run([NARU, "tracker", "--dir", up.data, "--json"], capture_output=True, text=True, timeout=PATIENCE_S)
    check("naru tracker counts them", json.loads(shown.stdout or "{}").get("peers", 0) >= PEERS, shown.stdout + shown.stderr)


def film_make(up, films):
    film, made = os.path.join(films, "film.bin"), os.path.join(up.dir, "film.torrent")
    with open(film, "wb") as f:
        f.write(os.urandom(1 << 20))
    os.chmod(film, 0o666)
    url = f"http://127.0.0.1:{up.port['tracker']}"
    torrent(up, "create", film, "--piece", "64KiB", "-o", made, "--tracker", f"{url}/announce")
    torrent(up, "create", film, "--piece", "64KiB", "-o", os.path.join(up.dir, "own.torrent"), "--tracker", f"{url}/{KEY}/announce", "--private")
    return film, made


def info_hash(up, name):
    return json.loads(torrent(up, "show", os.path.join(up.dir, name), "--json").stdout)["info_hash"]


def watched_shared_and_controlled(up, films, film, made):
    empty = torrent(up, "list", "--naru", up.data)
    check("naru torrent list: nothing yet", empty.returncode == 0 and "naru torrent add" in empty.stdout, empty.stdout + empty.stderr)
    shutil.copy(made, os.path.join(films, "incoming/.film"))
    os.chmod(os.path.join(films, "incoming/.film"), 0o666)
    os.rename(os.path.join(films, "incoming/.film"), os.path.join(films, "incoming/film.torrent"))
    check("a torrent in the watch directory is added", wait_for(lambda: os.path.exists(os.path.join(films, "incoming/film.torrent.added"))),
          str(os.listdir(os.path.join(films, "incoming"))))
    check("... its file is found whole, and seeded", wait_for(lambda: any(t["status"] == 6 and t["percentDone"] == 1 for t in listed(up))), str(listed(up)))
    out = os.path.join(up.dir, "out")
    os.makedirs(out)
    got = torrent(up, "get", made, "--dir", out, "--no-dht", "--port", "0", "--bind", "127.0.0.1")
    check("a peer finds it through the tracker and has it", got.returncode == 0 and open(os.path.join(out, "film.bin"), "rb").read() == open(film, "rb").read(),
          got.stdout[-300:] + got.stderr[-300:])
    torrent(up, "add", os.path.join(up.dir, "own.torrent"), "--naru", up.data)
    out = os.path.join(up.dir, "own")
    os.makedirs(out)
    got = torrent(up, "get", os.path.join(up.dir, "own.torrent"), "--dir", out, "--port", "0", "--bind", "127.0.0.1")
    check("a private torrent comes by its pass key alone", got.returncode == 0 and os.path.getsize(os.path.join(out, "film.bin")) == 1 << 20, got.stderr[-300:])
    wrong = torrent(up, "pause", "7", "--naru", up.data)
    check("a wrong number is said", wrong.returncode == 1 and "naru torrent list" in wrong.stderr, wrong.stderr)
    if remote(up) is None:
        skipped("transmission-remote with a password", "transmission-remote is not there; tools/peers transmission-cli unpacks it")
        return
    refused, taken = remote(up, "-n", "kim:wrong", "-l"), remote(up, "-n", "kim:ketchup", "-l")
    check("transmission-remote: a wrong password is refused", refused.returncode != 0 and "film.bin" not in refused.stdout, refused.stdout)
    check("... the right one sees the torrent", taken.returncode == 0 and "film.bin" in taken.stdout, taken.stdout + taken.stderr)
    removed = remote(up, "-n", "kim:ketchup", "-t", "all", "--remove-and-delete")
    check("... and removes it with its file", removed.returncode == 0 and wait_for(lambda: not os.path.exists(film)) and not listed(up), removed.stdout)


def cases():
    up = Up("", start=False)
    try:
        films = os.path.join(up.dir, "films")
        os.makedirs(films)
        film, made = film_make(up, films)
        private = info_hash(up, "own.torrent")
        up.write(f"tracker {{ allow {info_hash(up, 'film.torrent')}\n allow {MANAGED.hex()} managed\n allow {private} private\n key kim {KEY}\n"
                 f" degree {DEGREE} }}\nswarm {{ dht off; private-peers on; directory {films}; watch {films}/incoming; rpc-user kim; rpc-password ketchup }}\n")
        os.makedirs(os.path.join(films, "incoming"))
        os.chmod(films, 0o777)                   # the service is a user of its own
        os.chmod(os.path.join(films, "incoming"), 0o777)
        up.start()
        if check("tracker and swarm run with directories of the configuration", up.said("READY=1"), up.log_text()[-1500:]):
            managed_and_private(up, bytes.fromhex(private))
            watched_shared_and_controlled(up, films, film, made)
    finally:
        up.end()
