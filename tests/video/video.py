"""tests/video/video.py NARU: a tiny film from the encoder to an HTTP client. ffprobe and xmllint judge what was made."""
import glob
import http.client
import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

NARU = os.path.abspath(sys.argv[1])
HERE = os.path.dirname(os.path.abspath(__file__))
VIDEO = ["v300", "v1000", "v3000"]
PATIENCE_S = 120
passed = failed = 0


def check(good, what):
    global passed, failed
    passed, failed = passed + bool(good), failed + (not good)
    if not good:
        print("not ok " + what)
    return good


def naru(*words, code=0):
    done = subprocess.run([NARU, *words], capture_output=True, text=True, timeout=PATIENCE_S)
    if code is not None:
        check(done.returncode == code, f"naru {' '.join(words)}: exit code {done.returncode}, wanted {code}: {done.stderr.strip()}")
    return done


def free_port():
    """Below the range that the kernel gives to clients: nobody takes it before it is used."""
    while True:
        port = random.randrange(18000, 19900)
        with socket.socket() as s:
            try:
                s.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue


def wait_for(what, then):
    until = time.monotonic() + PATIENCE_S
    while not then():
        if time.monotonic() > until:
            check(False, "waited in vain for " + what)
            return False
        time.sleep(0.01)
    return True


class Origin:
    """A naru up with the origin alone."""

    def __init__(self, directory):
        self.port = free_port()
        self.data = directory + "/data"
        conf = directory + "/naru.conf"
        with open(conf, "w") as f:
            f.write(f"host origin.test\ndirectory {self.data}\naddress 127.0.0.1\nports {{ origin {self.port} }}\n"
                    "origin { base east http://198.51.100.1; base west http://198.51.100.2/cdn; steering http://198.51.100.9/steer }\n")
        self.log = open(directory + "/log", "wb")
        self.process = subprocess.Popen([NARU, "up", conf], stdout=self.log, stderr=self.log)
        wait_for("the origin", self.answers)

    def answers(self):
        try:
            return self.get("/catalogue.json")[0] == 200
        except OSError:
            return False

    def get(self, path, method="GET", **headers):
        c = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_S)
        c.request(method, path, headers={k.replace("_", "-"): v for k, v in headers.items()})
        r = c.getresponse()
        body = r.read()
        c.close()
        return r.status, {k.lower(): v for k, v in r.getheaders()}, body

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(PATIENCE_S)
        self.log.close()


def ffprobe(path, entries, *more):
    done = subprocess.run(["ffprobe", "-v", "error", "-of", "json", "-show_entries", entries, *more, path], capture_output=True, text=True, timeout=PATIENCE_S)
    return json.loads(done.stdout or "{}") if done.returncode == 0 and not done.stderr else {"error": done.stderr}


def probe_segments(origin, film, r, directory):
    """Every segment behind its initialization is a film of its own for ffprobe; together they are whole.mp4."""
    init = origin.get(f"/test-film/{r['id']}/init.mp4")[2]
    starts, bodies = [], []
    for n in range(1, len(r["segments"]) + 1):
        status, _, body = origin.get(f"/test-film/{r['id']}/{n}.m4s")
        bodies.append(body)
        path = f"{directory}/{r['id']}-{n}.mp4"
        with open(path, "wb") as f:
            f.write(init + body)
        told = ffprobe(path, "packet=pts_time,flags,duration_time")
        packets = told.get("packets", [])
        keys = [i for i, p in enumerate(packets) if "K" in p["flags"]]
        good = status == 200 and packets and len(body) == r["segments"][n - 1][1]
        check(good and (r["kind"] == "audio" or keys == [0]), f"ffprobe reads segment {n} of {r['id']}, which begins with its only key frame: {told.get('error', keys)}")
        starts.append(packets[0]["pts_time"] if packets else None)
    whole = origin.get(f"/test-film/{r['id']}/whole.mp4")[2]
    head = r["initialization_bytes"] + r["index_bytes"]
    check(whole[:len(init)] == init and whole[head:] == b"".join(bodies), f"segments of {r['id']} are bytes of whole.mp4")
    check(origin.get(f"/test-film/{r['id']}/{len(r['segments']) + 1}.m4s")[0] == 404, "there is no segment behind the last")
    peak = max(-(-len(b) * 8 * r["timescale"] // s[0]) for b, s in zip(bodies, r["segments"]))
    check(peak == r["peak_bps"], f"{r['id']}: the true peak is {peak}, told {r['peak_bps']}")
    return starts, peak


def manifests(origin, peaks, directory):
    for name, broken in (("manifest.mpd", 'type="static"'), ("ondemand.mpd", 'indexRange="')):
        _, headers, body = origin.get("/test-film/" + name)
        path = directory + "/" + name
        with open(path, "wb") as f:
            f.write(body)
        xmllint = ["xmllint", "--noout", "--nonet", "--schema", HERE + "/mpd.xsd", path]
        done = subprocess.run(xmllint, capture_output=True, text=True)
        check(done.returncode == 0, f"{name} is valid: {done.stderr[:300]}")
        with open(path, "wb") as f:
            f.write(body.replace(broken.encode(), broken.replace("=", "Wrong=").encode(), 1))
        check(subprocess.run(xmllint, capture_output=True).returncode != 0, f"the schema refuses a broken {name}")
        check(headers["content-type"] == "application/dash+xml" and "stale-if-error" in headers["cache-control"], f"{name}: its headers")
        text = body.decode()
        bases = re.findall(r'<BaseURL serviceLocation="(\w+)"[^>]*>([^<]*)<', text)
        check(bases == [("east", "http://198.51.100.1/test-film/"), ("west", "http://198.51.100.2/cdn/test-film/")], f"{name} ranks the bases: {bases}")
        check("<ContentSteering" in text and "198.51.100.9" in text, f"{name} says whom to ask")
        check(len(re.findall("<Representation ", text)) == 5, f"{name} has three renditions of pictures, sound, thumbnails")
    master = origin.get("/test-film/master.m3u8")[2].decode()
    told = [int(b) for b in re.findall(r"STREAM-INF:BANDWIDTH=(\d+)", master)]
    for r in VIDEO:
        check(peaks[r] + peaks["a128"] in told, f"HLS tells the peak of {r} with its sound")
    playlist = origin.get("/test-film/v300/playlist.m3u8")[2].decode()
    check("#EXT-X-ENDLIST" in playlist and playlist.count("#EXTINF") == 3, "the media playlist names all segments")


def film_whole(origin, directory):
    record = json.loads(origin.get("/test-film/presentation.json")[2])
    starts, peaks = {}, {}
    for r in record["renditions"]:
        if r["kind"] != "images":
            starts[r["id"]], peaks[r["id"]] = probe_segments(origin, record, r, directory)
    check(starts["v300"] == starts["v1000"] == starts["v3000"], f"key frames stand at the same times: {starts}")
    manifests(origin, peaks, directory)
    for name in ("poster.jpg", "tiles-1.jpg"):
        status, headers, body = origin.get("/test-film/" + name)
        with open(directory + "/still.jpg", "wb") as f:
            f.write(body)
        check(status == 200 and ffprobe(directory + "/still.jpg", "stream=codec_name").get("streams", [{}])[0].get("codec_name") == "mjpeg", name + " is a picture")
    frames = origin.get("/test-film/v3000/frames.txt")[2].decode().split("\n")[:-1]
    told = ffprobe(f"{origin.data}/origin/films/test-film/v3000/whole.mp4", "packet=size", "-select_streams", "v").get("packets", [])
    check([int(f[2:]) for f in frames] == [int(p["size"]) for p in told] and len(frames) == 216, "frames.txt has the size of every frame")
    types = ffprobe(f"{origin.data}/origin/films/test-film/v3000/whole.mp4", "frame=pict_type", "-select_streams", "v").get("frames", [])
    check(sorted(f[0] for f in frames) == sorted(t["pict_type"] for t in types), "and its type, as a decoder sees it")


def case_origin_paths_and_ranges(origin):
    path = "/test-film/v300/1.m4s"
    _, headers, body = origin.get(path)
    rows = [
        ("GET", path, {"Range": "bytes=0-9"}, 206, body[:10]),
        ("GET", path, {"Range": "bytes=-5"}, 206, body[-5:]),
        ("GET", path, {"Range": f"bytes={len(body)}-"}, 416, None),
        ("GET", path, {"Range": "bytes=0-9", "If_Range": '"other"'}, 200, body),
        ("GET", path, {"Range": "bytes=0-9,20-29"}, 200, body),
        ("GET", path, {"If_None_Match": headers["etag"]}, 304, b""),
        ("GET", path, {"If_Match": '"other"'}, 412, None),
        ("GET", path, {"If_Modified_Since": headers["last-modified"]}, 304, b""),
        ("HEAD", path, {}, 200, b""),
        ("OPTIONS", path, {"Origin": "http://elsewhere.example"}, 204, b""),
        ("POST", path, {}, 405, None),
        ("GET", "/test-film/v300/01.m4s", {}, 404, None),
        ("GET", "/test-film/v300/0.m4s", {}, 404, None),
        ("GET", "/test-film/../test-film/v300/1.m4s", {}, 200, body),
        ("GET", "/test-film/%2e%2e/%2e%2e/lock", {}, 400, None),
        ("GET", "/..%2f..%2fetc/passwd", {}, 400, None),
        ("GET", "/test-film/v300/whole.mp4%00.m4s", {}, 400, None),
        ("GET", "/test-film/v300/../../work", {}, 404, None),
        ("GET", "/nothing/manifest.mpd", {}, 404, None),
        ("GET", "/", {}, 404, None),
    ]
    for method, where, more, wanted, bytes_wanted in rows:
        status, h, got = origin.get(where, method, **more)
        check(status == wanted and (bytes_wanted is None or got == bytes_wanted), f"{method} {where} {more}: {status}, wanted {wanted}")
        if status < 400 or status in (404, 405, 416):
            check(h.get("access-control-allow-origin") == "*", f"{method} {where}: players of other hosts may read it")
    check(headers["cache-control"] == "public, max-age=31536000, immutable" and headers["cache-tag"] == "test-film" and headers["accept-ranges"] == "bytes",
          f"a segment's headers: {headers}")
    check(origin.get(path, "HEAD")[1]["content-length"] == str(len(body)), "HEAD says how long it is")


def children_of(pid):
    with open(f"/proc/{pid}/task/{pid}/children") as f:
        return [int(c) for c in f.read().split()]


def stopped_in_the_second(command, work, second, catalogue):
    """The encoder stands still in the middle of the second rendition: the process, and its children. Where this test was not run in time, again."""
    for _ in range(5):
        process = subprocess.Popen([NARU, *command], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        wait_for("the first rendition", lambda: os.path.exists(work + "/v300.done") and glob.glob(f"{work}/part/{second}.part") or process.poll() is not None)
        worker = children_of(process.pid) if process.poll() is None else []
        for w in worker:
            os.kill(w, signal.SIGSTOP)
        if worker and os.path.exists(work + "/v300.done") and not os.path.exists(f"{work}/{second}.done"):
            return process, worker
        for w in worker:
            os.kill(w, signal.SIGCONT)
        process.communicate(timeout=PATIENCE_S)
        shutil.rmtree(catalogue, ignore_errors=True)
    return process, []


def case_killed_encoding_goes_on(directory, whom):
    """kill -9 (or SIGTERM: asked) while the second rendition is encoded; the same command goes on behind the first."""
    catalogue = f"{directory}/killed-{whom}"
    command = ["video", "sample", "--seconds", "12", "--size", "320x180", "--ladder", "300kbit,1Mbit", "--catalogue", catalogue, "--id", "film"]
    work = catalogue + "/work/film"
    process, worker = stopped_in_the_second(command, work, "v1000", catalogue)
    if not check(worker, f"the second rendition is at work when {whom} is to be killed"):
        return
    before = os.stat(work + "/film/v300/whole.mp4")
    os.kill(worker[0] if whom == "encoder" else process.pid, signal.SIGTERM if whom == "asked" else signal.SIGKILL)
    for w in worker if whom == "naru" else []:
        os.kill(w, signal.SIGCONT)                       # it finds that nobody listens any more
    said = process.communicate(timeout=PATIENCE_S)[1]
    wanted = {"naru": "", "encoder": "killed", "asked": "interrupted"}[whom]
    check(wanted in said and (whom == "naru" or (process.returncode == 1 and "goes on" in said)), f"what is said when {whom} is killed: {said}")
    wait_for("the encoder's end", lambda: not any(os.path.exists(f"/proc/{w}") for w in worker))
    check(not os.path.exists(catalogue + "/films/film"), "half a film is no film")
    done = naru(*command)
    check("went on" in done.stdout, f"it went on: {done.stdout}")
    after = os.stat(catalogue + "/films/film/v300/whole.mp4")
    check((before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns), "the finished rendition was not made again")
    check(not os.path.exists(work), "nothing is left of the work")


def case_full_disk(directory):
    """The disk fills in the middle: one sentence, no half film; with room again the same command goes on. In a mount namespace of its own."""
    done = subprocess.run(["unshare", "-m", sys.executable, os.path.abspath(__file__), NARU, "--full-disk", directory + "/full"], capture_output=True, text=True,
                          timeout=4 * PATIENCE_S)
    if done.returncode == 77 or "unshare failed" in done.stderr:
        print("SKIPPED a full disk: no mount namespace can be had here")
    else:
        check(done.returncode == 0, "a full disk: " + done.stdout + done.stderr)


def full_disk(disk):
    os.mkdir(disk)
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=48m", "tmpfs", disk], capture_output=True).returncode:
        return 77
    os.chmod(disk, 0o755)
    command = [NARU, "video", "sample", "--seconds", "12", "--size", "320x180", "--ladder", "300kbit,3Mbit", "--rate", "cbr", "--catalogue", disk + "/films", "--id", "film"]
    work, filler = disk + "/films/work/film", disk + "/filler"
    process, worker = stopped_in_the_second(command[1:], work, "v3000", disk + "/films")
    if check(worker, "the second rendition is at work when the disk is filled"):
        with open(filler, "wb", buffering=0) as f:
            try:
                while f.write(bytes(65536)) == 65536:
                    pass
            except OSError:
                pass
    for w in worker:
        os.kill(w, signal.SIGCONT)
    said = process.communicate(timeout=PATIENCE_S)[1]
    check(process.returncode == 1 and "full" in said and "goes on" in said and said.count("\n") <= 2, f"what is said of a full disk: {said}")
    check(not os.path.exists(disk + "/films/films/film") and os.path.exists(work + "/v300.done"), "half a film is no film, and what is finished stays")
    os.unlink(filler)
    done = naru(*command[1:])
    check("went on" in done.stdout, f"with room again it goes on: {done.stdout}")
    shown = json.loads(naru("video", "inspect", "film", "--json", "--catalogue", disk + "/films").stdout)[0]
    check(all(sum(r[k]["count"] for k in "IPB") == 288 for r in shown["renditions"]), "and the film is whole")
    return failed > 0


def box(kind, body):
    return (len(body) + 8).to_bytes(4, "big") + kind + body


def case_hostile_films_end_in_one_sentence(directory, film):
    """Each ends with one sentence, within its limits, and leaves no film."""
    os.mkfifo(directory + "/fifo")
    with open(film, "rb") as f:
        real = f.read()
    nested = b""
    for _ in range(2000):
        nested = box(b"moov", nested)
    files = {
        "empty.mp4": b"",
        "garbage.mp4": bytes((i * i * 7 + i) % 251 for i in range(100000)),
        "no-moov.mp4": box(b"ftyp", b"isom\0\0\0\0isom") + box(b"mdat", b"x" * 5000),
        "cut.mp4": real[:len(real) // 3],
        "flipped.mp4": real[:200] + bytes(255 - b for b in real[200:1200]) + real[1200:],
        "huge.y4m": b"YUV4MPEG2 W60000 H60000 F25:1 Ip C420jpeg\nFRAME\n" + b"x" * 1000,
        "thin.y4m": b"YUV4MPEG2 W2 H8000 F25:1 Ip C420jpeg\nFRAME\n" + b"x" * 24000,
        "nested.mp4": box(b"ftyp", b"isom\0\0\0\0isom") + nested,
        "list.m3u8": b"#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\n/etc/passwd\n#EXT-X-ENDLIST\n",
        "list.ffconcat": b"ffconcat version 1.0\nfile /etc/passwd\n",
        "page.mpd": b'<MPD xmlns="urn:mpeg:dash:schema:mpd:2011"><BaseURL>http://127.0.0.1:1/</BaseURL></MPD>',
    }
    for name, content in files.items():
        with open(f"{directory}/{name}", "wb") as f:
            f.write(content)
    paths = [f"{directory}/{name}" for name in files] + [directory + "/fifo", directory, directory + "/nothing"]
    catalogue = directory + "/hostile"

    def one(path):
        done = subprocess.run([NARU, "video", "add", path, "--catalogue", catalogue, "--id", "hostile"], capture_output=True, text=True, timeout=PATIENCE_S)
        said = done.stderr.strip().split("\n")
        check(done.returncode in (1, 2) and len(said) == 1 and said[0].startswith("naru video: ") and path in said[0] and "broke down" not in said[0],
              f"{path}: exit code {done.returncode}, {done.stderr.strip()}")

    for path in paths:
        one(path)
    check(not os.path.exists(catalogue + "/films/hostile"), "no film came of them")


class Names:
    """A name server: edge.test is here, nothing else is anywhere."""

    def __init__(self):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.port, self.asked = self.socket.getsockname()[1], 0
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                query, peer = self.socket.recvfrom(512)
            except OSError:
                return
            end = query.index(b"\0", 12) + 5
            question, here = query[12:end], b"\4edge\4test\0" in query[12:end]
            found = here and question[-3] == 1
            self.asked += found
            answer = b"\xc0\x0c\0\1\0\1\0\0\0\5\0\4\x7f\0\0\1" if found else b""
            self.socket.sendto(query[:2] + (b"\x81\x80" if here else b"\x81\x83") + b"\0\1\0" + bytes([found]) + b"\0\0\0\0" + question + answer, peer)

    def end(self):
        self.socket.close()


def push_by_tls(origin, where, directory):
    """To an edge with a certificate of its own, which only who trusts it speaks with."""
    port, pem, key = free_port(), directory + "/edge.pem", directory + "/edge.key"
    made = subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30", "-subj", "/CN=edge.test",
                           "-addext", "subjectAltName=DNS:edge.test", "-keyout", key, "-out", pem], capture_output=True, text=True)
    if not check(made.returncode == 0, "openssl makes a certificate: " + made.stderr):
        return
    conf = directory + "/edge.conf"
    with open(conf, "w") as f:
        f.write(f"host edge.test\ndirectory {directory}/edge\naddress 127.0.0.1\nports {{ http {free_port()}; https {port} }}\n"
                f"edge {{ certificate {pem}; key {key}; site edge.test {{ origin 127.0.0.1:{origin.port} }} }}\n")
    url = f"https://edge.test:{port}"
    with open(directory + "/edge.log", "wb") as log:
        edge = subprocess.Popen([NARU, "up", conf], stdout=log, stderr=log)
    answers = lambda: subprocess.run([NARU, "edge", "--dir", directory + "/edge"], capture_output=True).returncode == 0       # noqa: E731
    if wait_for("the edge", lambda: answers() or edge.poll() is not None):
        refused = naru("video", "push", "test-film", url, *where, code=3).stderr
        check("TLS" in refused, f"a certificate that nobody vouches for: {refused}")
        pushed = json.loads(naru("video", "push", "test-film", url, "--ca", pem, "--json", *where).stdout)
        check(pushed["failed"] == 0 and pushed["requests"] > 20, f"push goes by TLS: {pushed}")
        there = json.loads(naru("edge", "--json", "--dir", directory + "/edge").stdout)
        check(there["objects"] == pushed["requests"], f"the edge keeps all of it: {there}")
    edge.send_signal(signal.SIGTERM)
    edge.wait(PATIENCE_S)


def verbs(origin, directory):
    listed = json.loads(naru("video", "list", "--json", "--naru", origin.data).stdout)
    check([f["id"] for f in listed] == ["test-film"] and listed == json.loads(origin.get("/catalogue.json")[2])["presentations"], "list and catalogue.json agree")
    shown = naru("video", "inspect", "test-film", "--naru", origin.data).stdout
    check("Run-length coding" in shown and "IPP" in shown.replace("B", "") and "─" in shown, "inspect draws frames, runs and the rate")
    told = json.loads(naru("video", "inspect", "test-film", "--json", "--naru", origin.data).stdout)[0]
    check(told["run_length"]["flat_runs"] < told["run_length"]["busy_runs"], f"the flat picture has fewer runs: {told['run_length']}")
    best = told["renditions"][-1]
    check(best["I"]["count"] == 3 and sum(best[k]["count"] for k in "IPB") == 216, f"frames are counted: {best}")
    pushed = json.loads(naru("video", "push", "test-film", f"http://127.0.0.1:{origin.port}", "--json", "--naru", origin.data).stdout)
    check(pushed["failed"] == 0 and pushed["requests"] > 20, f"push asks for all of it: {pushed}")
    names = Names()
    where = ["--resolver", f"127.0.0.1#{names.port}", "--naru", origin.data]
    done = naru("video", "push", "test-film", f"http://edge.test:{origin.port}", *where)
    check("requests" in done.stdout and names.asked, f"push finds an edge by its name: {done.stdout}")
    check("cannot find none.test" in naru("video", "push", "test-film", "http://none.test", *where, code=3).stderr, "a name that is not there is said")
    check("does not answer" in naru("video", "push", "test-film", f"http://edge.test:{free_port()}", *where, code=3).stderr, "so is an edge that does not answer")
    check("does not answer" in naru("video", "push", "test-film", f"https://edge.test:{origin.port}", *where, code=3).stderr, "and one without TLS")
    naru("video", "push", "test-film", "edge.test", *where, code=2)
    push_by_tls(origin, where, directory)
    names.end()
    naru("video", "show", "nothing", "--naru", origin.data, code=1)
    naru("video", "add", directory + "/x.mkv", "--rate", "best", "--naru", origin.data, code=2)
    constant = f"{directory}/constant"
    naru("video", "sample", "--rate", "cbr", "--ladder", "200kbit", "--seconds", "8", "--size", "160x120", "--catalogue", constant)
    rates = json.loads(naru("video", "inspect", "test-film", "--json", "--catalogue", constant).stdout)[0]["renditions"][0]
    check(rates["average_bps"] * 1.25 > rates["peak_bps"] > 180000, f"constant bit rate is constant: {rates}")
    copy = directory + "/copy"
    naru("backup", copy, "--dir", origin.data)
    naru("backup", "verify", copy)
    same = subprocess.run(["diff", "-r", copy + "/data/origin/films", origin.data + "/origin/films"], capture_output=True, text=True)
    check(same.returncode == 0, f"a backup of the running naru has the film: {same.stdout}{same.stderr}")
    naru("video", "remove", "test-film", "--naru", origin.data)
    check(wait_for("the removal", lambda: origin.get("/test-film/manifest.mpd")[0] == 404), "a film that was removed is gone")
    check(origin.get("/test-film/v300/1.m4s")[0] == 404 and wait_for("the list", lambda: json.loads(origin.get("/catalogue.json")[2])["presentations"] == []),
          "and so are its segments, and its line in the list")


def loads_no_libav():
    libraries = subprocess.run(["ldd", NARU], capture_output=True, text=True).stdout
    check("libssl" in libraries and "libav" not in libraries, "naru itself loads no libav*")


def main():
    directory = tempfile.mkdtemp(prefix="naru-video-")
    os.chmod(directory, 0o755)
    side = [threading.Thread(target=case_killed_encoding_goes_on, args=(directory, whom)) for whom in ("naru", "encoder", "asked")]
    side.append(threading.Thread(target=case_full_disk, args=(directory,)))
    origin = Origin(directory)
    try:
        check(json.loads(origin.get("/catalogue.json")[2]) == {"presentations": []}, "an empty catalogue")
        naru("video", "sample", "--seconds", "9", "--size", "320x180", "--naru", origin.data)
        check(wait_for("the film", lambda: origin.get("/test-film/manifest.mpd")[0] == 200), "a film appears without a restart")
        for t in side:
            t.start()
        film_whole(origin, directory)
        case_origin_paths_and_ranges(origin)
        case_hostile_films_end_in_one_sentence(directory, f"{origin.data}/origin/films/test-film/v3000/whole.mp4")
        verbs(origin, directory)
        loads_no_libav()
        for t in side:
            t.join()
    finally:
        origin.stop()
        shutil.rmtree(directory, ignore_errors=True)
    print(f"{passed} passed, {failed} failed, 0 skipped")
    return failed != 0


if __name__ == "__main__":
    sys.exit(full_disk(sys.argv[3]) if sys.argv[2:3] == ["--full-disk"] else main())
