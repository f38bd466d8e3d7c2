"""The service on a full disk: a real one, a small memory disk in a mount namespace made for it. The download pauses with the reason, where
users look for it; it goes on when there is room; what had come is not fetched again. `full_disk.py inside ...` is the namespace's side."""
import json, os, subprocess, sys, time
from internet import PATIENCE_S, Skip, free_port, wait_for

MB = 1 << 20
DISK, FILLER, FILM = 12 * MB, 6 * MB, 9 * MB


def case_a_download_onto_a_full_disk_pauses_and_goes_on(i):
    from torrent_trouble import Film
    if subprocess.run(["unshare", "-Urm", "true"], stderr=subprocess.DEVNULL).returncode:
        raise Skip("no user and mount namespaces here")
    with Film(i, FILM, "64KiB") as film:
        seed, at = film.seed()
        with seed:
            magnet = subprocess.run([i.naru, "torrent", "magnet", film.file], capture_output=True, text=True).stdout.strip() + "&x.pe=" + at
            done = subprocess.run(["unshare", "-Urm", sys.executable, os.path.abspath(__file__), "inside", i.naru, magnet, film.top],
                                  capture_output=True, text=True, timeout=4 * PATIENCE_S)
            print("\n".join("    " + line for line in done.stdout.splitlines()))
            assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]


# ---- inside ---------------------------------------------------------------------------------------------------------------------

def within(check, what):
    if not wait_for(check):
        raise AssertionError(what())


def inside(naru, magnet, top):
    disk, data, rpc = os.path.join(top, "disk"), os.path.join(top, "data"), free_port()
    os.mkdir(disk)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK}", "disk", disk], check=True)
    os.mkdir(os.path.join(disk, "films"))
    with open(os.path.join(disk, "filler"), "wb") as f:
        f.write(bytes(FILLER))
    with open(os.path.join(top, "naru.conf"), "w") as f:
        f.write(f"host disk.test\nswarm {{ listen 127.0.0.1; port {free_port()}; rpc-port {rpc}; directory {disk}/films; dht off; private-peers on }}\n")
    log = open(os.path.join(top, "up.log"), "w+")
    # As root naru gives each service a user of its own; this namespace has one.
    up = subprocess.Popen(["unshare", "-U", "--map-user=1000", "--map-group=1000", naru, "up", os.path.join(top, "naru.conf"), "--dir", data],
                          stdout=log, stderr=log)

    def torrent(*words):
        done = subprocess.run([naru, "torrent", *words, "--naru", data], capture_output=True, text=True)
        return done.stdout if done.returncode == 0 else ""

    def row():
        rows = json.loads(torrent("status", "1", "--json") or "[{}]")
        return rows[0]

    def told():
        return torrent("status") + torrent("peers", "1") + open(os.path.join(top, "up.log")).read()[-2000:]
    try:
        within(lambda: torrent("list"), told)
        torrent("add", magnet)
        within(lambda: row().get("error") == 3, told)
        time.sleep(1)
        full = row()
        assert "no space left" in full["errorString"] and "make room" in full["errorString"], full
        assert 0 < full["haveValid"] < FILM and full["status"] == 0, full
        assert full["errorString"] in torrent("list") and full["errorString"] in torrent("status", "1") and "trouble" in torrent("status", "1")
        print(f"full after {full['haveValid'] / MB:.1f} of {FILM / MB:.0f} MiB: {full['errorString']}")
        torrent("resume", "1")                               # too early
        within(lambda: row().get("error") == 3, told)
        os.remove(os.path.join(disk, "filler"))
        torrent("resume", "1")
        within(lambda: row().get("percentDone") == 1, told)
        assert row()["error"] == 0 and row()["errorString"] == "", row()
        same = subprocess.run(["cmp", os.path.join(top, "seed/film"), os.path.join(disk, "films/film")]).returncode == 0
        assert same, "other bytes"
        print("whole after room was made and it was resumed")
    finally:
        up.terminate()
        up.wait(PATIENCE_S)


if __name__ == "__main__" and sys.argv[1] == "inside":
    inside(*sys.argv[2:])
