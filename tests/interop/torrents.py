"""Torrent files and magnet links: naru's own are read by libtorrent, Transmission and aria2, and theirs by naru. The programs are
Debian's, installed or unpacked under build/peers (tools/peers python3-libtorrent transmission-cli aria2)."""
import json, os, re, shutil, tempfile
from internet import Skip, run

TREE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../..")
PEERS = os.path.join(TREE, "build/peers")


def naru(i, *words, want=0):
    code, said = run([i.naru, "torrent", *words])
    assert code == want, f"naru torrent {' '.join(words)}: exit code {code}, wanted {want}\n{said}"
    return said


def program(name, package):
    if os.path.exists(os.path.join(PEERS, "usr/bin", name)):
        return [os.path.join(TREE, "tools/peer"), name]
    if shutil.which(name):
        return [name]
    raise Skip(f"{name} is not there; tools/peers {package} unpacks it")


def libtorrent(script, *words):
    """Runs a few lines of Python with `lt` imported in a process of its own; what it printed."""
    env = {"PYTHONPATH": os.path.join(PEERS, "usr/lib/python3/dist-packages"),
           "LD_LIBRARY_PATH": os.path.join(PEERS, f"usr/lib/{os.uname().machine}-linux-gnu")}
    if run(["/usr/bin/python3", "-c", "import libtorrent"], env=env)[0] != 0:
        raise Skip("libtorrent for Python is not there; tools/peers python3-libtorrent unpacks it")
    code, said = run(["/usr/bin/python3", "-c", "import sys, libtorrent as lt\n" + script, *words], env=env)
    assert code == 0, said
    return said.strip()


def tree():
    """A folder with files that share pieces, an empty one and a deep one; names beyond ASCII."""
    top = os.path.join(tempfile.mkdtemp(), "slides")
    os.makedirs(os.path.join(top, "part one/deep"))
    for path, size in (("a.bin", 700001), ("b", 1), ("empty", 0), ("part one/한글.txt", 40000), ("part one/deep/z", 300000)):
        with open(os.path.join(top, path), "wb") as f:
            f.write(os.urandom(size))
    return top


def made_by_naru(i, *options):
    top = tree()
    out = os.path.join(os.path.dirname(top), "x.torrent")
    naru(i, "create", top, "-o", out, "--tracker", "http://127.0.0.1:6969/announce,udp://127.0.0.1:6969", *options)
    shown = json.loads(naru(i, "show", out, "--json"))
    return top, out, shown["info_hash"]


def case_libtorrent_reads_narus_torrent_and_link(i):
    top, out, digest = made_by_naru(i, "--piece", "16KiB", "--private", "--web-seed", "http://127.0.0.1/")
    said = libtorrent("t = lt.torrent_info(sys.argv[1])\nf = t.files()\n"
                      "print(t.info_hash(), t.num_files(), t.num_pieces(), t.priv(), len(t.web_seeds()), len(list(t.trackers())))", out)
    assert said == f"{digest} 5 64 True 1 2", said
    said = libtorrent("print(lt.parse_magnet_uri(sys.argv[1]).info_hash)", naru(i, "magnet", out).strip())
    assert said == digest, said


def case_libtorrent_finds_narus_pieces_right(i):
    top, out, _ = made_by_naru(i)
    said = libtorrent(
        "import time\n"
        "s = lt.session({'listen_interfaces': '127.0.0.1:0', 'enable_dht': False, 'enable_lsd': False, 'enable_upnp': False,"
        " 'enable_natpmp': False})\n"
        "h = s.add_torrent({'ti': lt.torrent_info(sys.argv[1]), 'save_path': sys.argv[2], 'flags': lt.torrent_flags.upload_mode})\n"
        "for _ in range(800):\n"
        "    if h.status().progress == 1: break\n"
        "    time.sleep(0.1)\n"
        "print(h.status().progress)", out, os.path.dirname(top))
    assert said == "1.0", said


def case_naru_reads_and_checks_libtorrents_torrent(i):
    top = tree()
    out = os.path.join(os.path.dirname(top), "lt.torrent")
    said = libtorrent("import os\nf = lt.file_storage()\nlt.add_files(f, sys.argv[1])\nt = lt.create_torrent(f, 32768, 64)\n"
                      "t.add_tracker('http://127.0.0.1/announce')\nlt.set_piece_hashes(t, os.path.dirname(sys.argv[1]))\n"
                      "open(sys.argv[2], 'wb').write(lt.bencode(t.generate()))\nprint(lt.torrent_info(sys.argv[2]).info_hash())", top, out)
    assert json.loads(naru(i, "show", out, "--json"))["info_hash"] == said
    naru(i, "check", out, os.path.dirname(top))
    assert naru(i, "magnet", out).startswith(f"magnet:?xt=urn:btih:{said}&")


def case_transmission_reads_narus_torrent(i):
    _, out, digest = made_by_naru(i)
    code, said = run(program("transmission-show", "transmission-cli") + [out])
    assert code == 0 and re.search(rf"Hash: {digest}\b", said), said


def case_naru_reads_and_checks_transmissions_torrent(i):
    top = tree()
    out = os.path.join(os.path.dirname(top), "tr.torrent")
    code, said = run(program("transmission-create", "transmission-cli") + ["-o", out, "-p", "-t", "http://127.0.0.1/announce", top])
    assert code == 0, said
    code, said = run(program("transmission-show", "transmission-cli") + [out])
    digest = re.search(r"Hash: ([0-9a-f]{40})", said).group(1)
    shown = json.loads(naru(i, "show", out, "--json"))
    assert shown["info_hash"] == digest and shown["private"], shown
    naru(i, "check", out, os.path.dirname(top))


def case_aria2_reads_narus_torrent(i):
    _, out, digest = made_by_naru(i)
    code, said = run(program("aria2c", "aria2") + ["-S", out])
    assert code == 0 and f"Info Hash: {digest}" in said, said


def case_check_says_what_is_damaged(i):
    top, out, _ = made_by_naru(i, "--piece", "16KiB")
    assert "is whole" in naru(i, "check", out, top)
    with open(os.path.join(top, "a.bin"), "r+b") as f:
        f.seek(100000)
        byte = f.read(1)
        f.seek(100000)
        f.write(bytes([byte[0] ^ 1]))
    os.remove(os.path.join(top, "part one/deep/z"))
    files = {f["path"]: f for f in json.loads(naru(i, "check", out, top, "--json", want=1))["files"]}
    # The changed byte's piece, and the last one, which it shares with `b` and the missing file.
    assert files["a.bin"]["state"] == "damaged" and files["a.bin"]["bad_pieces"] == 2 and files["b"]["state"] == "unproven", files
    assert files["part one/deep/z"]["state"] == "missing" and files["empty"]["state"] == "good", files
    assert files["part one/한글.txt"]["state"] == "unproven", files                  # it shares its last piece with the missing one


def case_the_same_files_give_the_same_torrent(i):
    top, out, _ = made_by_naru(i)
    texts = []
    for name in ("1", "2"):
        path = os.path.join(os.path.dirname(top), name)
        naru(i, "create", top, "--no-date", "-o", path)
        with open(path, "rb") as f:
            texts.append(f.read())
    assert texts[0] == texts[1]
    assert "is there already" in naru(i, "create", top, "-o", out, want=2)
