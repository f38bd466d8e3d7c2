"""naru up with a tracker and a swarm: the directories that the configuration names under the services' locks, the command line and
Transmission's remote control with a password. For up.py."""
import json
import os
import shutil
import subprocess
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


def film_make(up, films):
    film, made = os.path.join(films, "film.bin"), os.path.join(up.dir, "film.torrent")
    with open(film, "wb") as f:
        f.write(os.urandom(1 << 20))
    os.chmod(film, 0o666)
    torrent(up, "create", film, "--piece", "64KiB", "-o", made, "--tracker", f"http://127.0.0.1:{up.port['tracker']}/announce")
    return film, made


def watched_shared_and_controlled(up, films):
    film, made = film_make(up, films)
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
        up.write(f"tracker {{ open yes }}\nswarm {{ dht off; private-peers on; directory {films}; watch {films}/incoming; rpc-user kim; rpc-password ketchup }}\n")
        os.makedirs(os.path.join(films, "incoming"))
        os.chmod(films, 0o777)                   # the service is a user of its own
        os.chmod(os.path.join(films, "incoming"), 0o777)
        up.start()
        if check("tracker and swarm run with directories of the configuration", up.said("READY=1"), up.log_text()[-1500:]):
            watched_shared_and_controlled(up, films)
    finally:
        up.end()
