"""Transmission's remote control: transmission-remote (Debian's, installed or unpacked under build/peers) against the swarms of the
small Internet, unchanged. Alice fetches the ferries' timetable from the library; what the program shows is what is asserted."""
import os, re, tempfile
from internet import PATIENCE_S, need, run, wait_for
from torrents import program

ALICE, BOB, LIBRARY = "alice.torrent.edu", "bob.torrent.edu", "library.torrent.edu"
NAME, BYTES = "ferry-timetable.txt", 4 << 20


def remote(i, host, *words, want=0):
    address, port = i.where(host, "rpc")
    code, said = run(program("transmission-remote", "transmission-cli") + [f"{address}:{port}", *words])
    assert code == want, f"transmission-remote {' '.join(words)}: exit code {code}, wanted {want}\n{said}"
    return said


def torrent_file(i):
    return os.path.join(i.dir, NAME + ".torrent")


def here(i, host):
    return NAME in remote(i, host, "-l")


def downloaded(i, host):
    return os.path.join(i.map["hosts"][host]["dir"], "swarm/downloads", NAME)


def is_done(i, host):
    return re.search(r"^ *\d+ +100% .* Done ", remote(i, host, "-l"), re.M) is not None


def clean(i, host):
    if here(i, host):
        remote(i, host, "-t", "all", "--remove-and-delete")
        assert wait_for(lambda: not here(i, host)), "removed torrents are still listed"
    remote(i, host, "-D", "-U", "--no-start-paused")


def megabytes_of_the_session(i, host):
    """What it has downloaded since it started; torrents of other cases are in it."""
    seen = re.search(r"Downloaded: +([\d.]+) (kB|MB)", remote(i, host, "-st"))
    return float(seen[1]) / (1000 if seen[2] == "kB" else 1) if seen else 0


def case_adds_a_file_and_shows_it_while_it_comes(i):
    clean(i, ALICE)
    before = megabytes_of_the_session(i, ALICE)
    remote(i, ALICE, "-d", "1000")                                     # kB/s: four seconds
    remote(i, ALICE, "-a", torrent_file(i))
    assert wait_for(lambda: "Downloading" in remote(i, ALICE, "-t", "all", "-i")), remote(i, ALICE, "-t", "all", "-i")
    assert wait_for(lambda: re.search(r"^127\.\S+ +D\S* ", remote(i, ALICE, "-t", "all", "-pi"), re.M)), remote(i, ALICE, "-t", "all", "-pi")
    said = remote(i, LIBRARY, "-t", "1", "-pi")
    assert re.search(r"^127\.\S+ +\S*U\S* .* naru", said, re.M), said
    assert wait_for(lambda: is_done(i, ALICE)), remote(i, ALICE, "-l")
    assert os.path.getsize(downloaded(i, ALICE)) == BYTES
    said = remote(i, ALICE, "-t", "all", "-i", "-f", "-it", "-ic")
    for part in ("Percent Done: 100%", "4.19 MB verified", "Piece Count: 16", "Piece Size: 256.0 KiB", "(1 files)", "0: 100% Normal   Yes",
                 "Tracker 0: tracker.torrent.edu:6969", "Got a list of", "11111111 11111111", "Public torrent: Yes", "Location: " + i.dir):
        assert part in said, f"{part} is not in\n{said}"
    came = megabytes_of_the_session(i, ALICE) - before
    assert 4.1 < came < 4.4, f"{came} MB counted"


def case_adds_a_magnet_link(i):
    clean(i, BOB)
    link = re.search(r"Magnet: (\S+)", remote(i, LIBRARY, "-t", "1", "-i")).group(1)
    remote(i, BOB, "-a", link)
    assert wait_for(lambda: is_done(i, BOB)), remote(i, BOB, "-l")
    assert os.path.getsize(downloaded(i, BOB)) == BYTES
    clean(i, BOB)


def case_pauses_resumes_verifies_labels_and_announces(i):
    clean(i, BOB)
    remote(i, BOB, "--start-paused")
    remote(i, BOB, "-a", torrent_file(i))
    assert "Stopped" in remote(i, BOB, "-l")
    remote(i, BOB, "-t", "all", "-s")
    assert wait_for(lambda: is_done(i, BOB)), remote(i, BOB, "-l")
    remote(i, BOB, "-t", "all", "-S")
    assert wait_for(lambda: "Stopped" in remote(i, BOB, "-l")), remote(i, BOB, "-l")
    with open(downloaded(i, BOB), "r+b") as f:
        f.seek(300000)
        f.write(b"damaged")
    remote(i, BOB, "-t", "all", "-L", "ferries,good ones")
    assert "Labels: ferries, good ones" in remote(i, BOB, "-t", "all", "-i")
    assert "11111111 11111111" in remote(i, BOB, "-t", "all", "-ic")
    remote(i, BOB, "-t", "all", "-v")                                  # found when it runs again, and fetched again
    remote(i, BOB, "-t", "all", "-s")
    remote(i, BOB, "-t", "all", "--reannounce")
    whole = open(downloaded(i, LIBRARY), "rb").read()
    assert wait_for(lambda: is_done(i, BOB) and open(downloaded(i, BOB), "rb").read() == whole), remote(i, BOB, "-t", "all", "-i", "-ic")
    clean(i, BOB)


def case_limits_files_and_priorities(i):
    clean(i, BOB)
    remote(i, BOB, "--start-paused")
    remote(i, BOB, "-a", torrent_file(i))
    remote(i, BOB, "-t", "all", "-d", "100", "-u", "50")
    said = remote(i, BOB, "-t", "all", "-i")
    assert "Download Limit: 100 kB/s" in said and "Upload Limit: 50 kB/s" in said, said
    remote(i, BOB, "-t", "all", "-D", "-U", "-sr", "2.5", "-pr", "10", "-Bh")
    said = remote(i, BOB, "-t", "all", "-i")
    for part in ("Download Limit: Unlimited", "Ratio Limit: 2.5", "Peer limit: 10", "Bandwidth Priority: High"):
        assert part in said, f"{part} is not in\n{said}"
    for option, files, shown in (("-G", "0", "Normal   No"), ("-g", "0", "Normal   Yes"), ("-ph", "0", "High     Yes"),
                                 ("-pl", "all", "Low      Yes"), ("-pn", "0", "Normal   Yes")):
        remote(i, BOB, "-t", "all", option, files)
        assert f"0:   0% {shown}" in remote(i, BOB, "-t", "all", "-f"), remote(i, BOB, "-t", "all", "-f")
    remote(i, BOB, "-t", "all", "-g", "7", want=1)
    remote(i, BOB, "-d", "200", "-u", "300", "-gsr", "3")
    said = remote(i, BOB, "-si")
    for part in ("Upload speed limit: 300 kB/s (Enabled", "Download speed limit: 200 kB/s (Enabled", "Default seed ratio limit: 3.0", "Listenport: 6881"):
        assert part in said, f"{part} is not in\n{said}"
    remote(i, BOB, "-GSR")
    clean(i, BOB)
    assert "Download speed limit: Unlimited" in remote(i, BOB, "-si")


def case_moves_files(i):
    clean(i, BOB)
    remote(i, BOB, "-a", torrent_file(i))
    assert wait_for(lambda: is_done(i, BOB)), remote(i, BOB, "-l")
    films = os.path.join(os.path.dirname(downloaded(i, BOB)), "films")
    remote(i, BOB, "-t", "all", "--move", films)
    moved = os.path.join(films, NAME)
    assert os.path.getsize(moved) == BYTES and not os.path.exists(downloaded(i, BOB))
    assert "Location: " + films in remote(i, BOB, "-t", "all", "-i") and wait_for(lambda: is_done(i, BOB)), remote(i, BOB, "-l")
    code, said = run([i.naru, "torrent", "move", "all", os.path.dirname(films), "--naru", i.dir, "--host", BOB])
    assert code == 0 and "1 torrent moved" in said and os.path.getsize(downloaded(i, BOB)) == BYTES and not os.path.exists(moved), said
    code, said = run([i.naru, "torrent", "move", "all", "/proc/nowhere", "--naru", i.dir, "--host", BOB])
    assert code == 1 and "/proc/nowhere" in said and wait_for(lambda: is_done(i, BOB)), said
    clean(i, BOB)


def case_removes_with_files_or_without(i):
    clean(i, BOB)
    for delete in (False, True):
        remote(i, BOB, "-a", torrent_file(i))
        assert wait_for(lambda: is_done(i, BOB)), remote(i, BOB, "-l")
        remote(i, BOB, "-t", "all", "--remove-and-delete" if delete else "-r")
        assert wait_for(lambda: not here(i, BOB)) and os.path.exists(downloaded(i, BOB)) != delete


def case_what_naru_does_not_do_is_said(i):
    for words in (["-a", "http://127.0.0.1:9091/x.torrent"], ["-a", "/etc/passwd.torrent"], ["-t", "1", "-td", "http://127.0.0.1/"],
                  ["-t", "1", "--move", "/proc/nowhere"], ["-t", "1", "--find", "/tmp"], ["--exit"], ["-pt"], ["-p", "5000"]):
        said = remote(i, LIBRARY, *words, want=1)
        assert re.search(r"Error: .{15}", said), said
    assert here(i, LIBRARY)


def case_the_page_in_a_browser(i):
    """What stands in the page after its script ran, in both languages; nothing is blocked and nothing fails (the browser's console)."""
    browser = need("chromium")
    address, port = i.where(LIBRARY, "rpc")
    digest = re.search(r"Hash: (\S+)", remote(i, LIBRARY, "-t", "1", "-i")).group(1)
    for language, words in (("en", ("seeding", "Pieces (16", "Trackers")), ("ko", ("배포 중", "조각 (16", "트래커"))):
        code, said = run([browser, "--headless=new", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", "--virtual-time-budget=3000",
                          f"--user-data-dir={tempfile.mkdtemp()}", f"--lang={language}", f"--accept-lang={language}", "--dump-dom",
                          f"http://{address}:{port}/#{digest}"], timeout=PATIENCE_S)
        assert code == 0, said
        for part in (NAME, *words):
            assert part in said, f"{part} is not in\n{said}"
        assert "CONSOLE" not in said, "\n".join(line for line in said.splitlines() if "CONSOLE" in line)
