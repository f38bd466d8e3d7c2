"""tests/play/play.py NARU: plays films that ffmpeg packaged by DASH and HLS, looks at the summary, the stream that is handed on, the view."""
import concurrent.futures
import http.server
import json
import os
import pty
import re
import select
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time

NARU = os.path.abspath(sys.argv[1])
PATIENCE_S = 120
SECONDS, RATE, SPEED = 12, 10, "60"
passed = failed = 0


def check(good, what, seen=""):
    global passed, failed
    passed, failed = passed + bool(good), failed + (not good)
    if not good:
        print(f"not ok {what} {seen}")
    return good


class Handler(http.server.SimpleHTTPRequestHandler):
    """Files with single ranges; keeps connections."""
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *words):
        pass

    def do_GET(self):
        path = os.path.join(self.directory, self.path.lstrip("/").split("?")[0])
        if self.path.startswith("/moved/"):
            self.send_response(302)
            self.send_header("Location", "/" + self.path[len("/moved/"):])
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        if not os.path.isfile(path):
            self.send_error(404)
            return
        with open(path, "rb") as f:
            body = f.read()
        match = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
        if match:
            first, last = int(match[1]), min(int(match[2]), len(body) - 1)
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {first}-{last}/{len(body)}")
            body = body[first:last + 1]
        else:
            self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.server.segments_by_number += self.path.startswith("/d-")


class Server(http.server.ThreadingHTTPServer):
    segments_by_number = 0                               # answers with a piece of duration.mpd

    def handle_error(self, request, address):
        pass                                             # a player that goes away in the middle


def serve(directory):
    server = Server(("127.0.0.1", 0), lambda *a: Handler(*a, directory=directory))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def ffmpeg(directory, *words):
    subprocess.run(["ffmpeg", "-v", "error", "-y", *words], cwd=directory, check=True, timeout=PATIENCE_S)


def films(directory):
    """Two pictures and a sound, once encoded, packaged in six ways."""
    ffmpeg(directory, "-f", "lavfi", "-i", f"testsrc2=size=128x72:rate={RATE}", "-f", "lavfi", "-i", "sine=440:sample_rate=22050", "-t", str(SECONDS),
           "-filter_complex", "[0:v]split=2[a][b];[a]scale=64:36[v1];[b]copy[v2]", "-map", "[v1]", "-map", "[v2]", "-map", "1:a",
           "-c:v", "libx264", "-preset", "ultrafast", "-b:v:0", "20k", "-b:v:1", "60k", "-g", str(RATE), "-keyint_min", str(RATE), "-sc_threshold", "0",
           "-pix_fmt", "yuv420p", "-c:a", "aac", "-b:a", "16k", "all.mp4")
    copy = ["-i", "all.mp4", "-map", "0", "-c", "copy"]
    dash = [*copy, "-f", "dash", "-seg_duration", "2", "-adaptation_sets", "id=0,streams=v id=1,streams=a"]
    names = lambda w: ["-init_seg_name", w + "-i$RepresentationID$.m4s", "-media_seg_name", w + "-$RepresentationID$-$Number%03d$.m4s"]
    ffmpeg(directory, *dash, "-use_timeline", "1", *names("t"), "timeline.mpd")
    ffmpeg(directory, *dash, "-use_timeline", "0", *names("d"), "duration.mpd")
    ffmpeg(directory, *dash, "-use_timeline", "1", *names("b"), "-t", "4", "brief.mpd")
    ffmpeg(directory, *dash, "-use_template", "0", "-use_timeline", "0", *names("l"), "list.mpd")
    ffmpeg(directory, *dash, "-single_file", "1", "-single_file_name", "s-$RepresentationID$.mp4", "single.mpd")
    hls = [*copy, "-f", "hls", "-hls_segment_type", "fmp4", "-hls_time", "2", "-hls_playlist_type", "vod", "-var_stream_map",
           "v:0,agroup:a v:1,agroup:a a:0,agroup:a"]
    ffmpeg(directory, *hls, "-master_pl_name", "files.m3u8", "h%v.m3u8")
    ffmpeg(directory, *hls, "-hls_flags", "single_file", "-master_pl_name", "ranges.m3u8", "r%v.m3u8")
    for track, name in ((0, "small"), (1, "large"), (2, "sound")):
        ffmpeg(directory, "-i", "all.mp4", "-map", f"0:{track}", "-c", "copy", "-movflags", "+frag_keyframe+empty_moov+default_base_moof+global_sidx+cmaf",
               "-frag_duration", "2000000", f"{name}.mp4")


def sidx_of(path):
    with open(path, "rb") as f:
        data = f.read()
    at = 0
    while data[at + 4:at + 8] != b"sidx":
        at += int.from_bytes(data[at:at + 4], "big")
    return at, at + int.from_bytes(data[at:at + 4], "big") - 1


def on_demand(directory):
    """An MPD with SegmentBase for what ffmpeg made with an index (its own muxer writes lists)."""
    kinds = {"small": ("video", "avc1.64000a", 40000), "large": ("video", "avc1.64000a", 90000), "sound": ("audio", "mp4a.40.2", 16000)}
    sets = {"video": "", "audio": ""}
    for name, (kind, codecs, bps) in kinds.items():
        first, last = sidx_of(os.path.join(directory, name + ".mp4"))
        sets[kind] += (f'<Representation id="{name}" codecs="{codecs}" bandwidth="{bps}"><BaseURL>{name}.mp4</BaseURL>'
                       f'<SegmentBase indexRange="{first}-{last}"><Initialization range="0-{first - 1}"/></SegmentBase></Representation>')
    text = "".join(f'<AdaptationSet mimeType="{k}/mp4">{v}</AdaptationSet>' for k, v in sets.items())
    with open(os.path.join(directory, "base.mpd"), "w") as f:
        f.write(f'<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" mediaPresentationDuration="PT{SECONDS}S"><Period>{text}</Period></MPD>')


def naru(*words, code=0):
    done = subprocess.run([NARU, "play", *words], capture_output=True, text=True, timeout=PATIENCE_S)
    check(done.returncode == code, f"naru play {' '.join(words)}: exit code {done.returncode}, wanted {code}:", done.stderr.strip())
    return done


def plays(url, *words):
    done = naru(url, "--json", "--speed", SPEED, *words)
    try:
        return json.loads(done.stdout)
    except ValueError:
        check(False, f"{url}: JSON", done.stdout + done.stderr)
        return {}


def every_packaging(base):
    names = ["timeline.mpd", "duration.mpd", "list.mpd", "single.mpd", "base.mpd", "files.m3u8", "ranges.m3u8", "moved/timeline.mpd"]
    rules = ["throughput", "bola", "bola-e", "hybrid", "dynamic-e"]
    with concurrent.futures.ThreadPoolExecutor(4) as side_by_side:
        played = list(side_by_side.map(lambda name: plays(base + name), names))
        ruled = list(side_by_side.map(lambda rule: plays(base + "timeline.mpd", "--rule", rule), rules))
    for name, seen in zip(names, played):
        good = seen and abs(seen["played_ms"] - SECONDS * 1000) < 500 and seen["failed"] == 0 and seen["state"] == "ended" and len(seen["rungs"]) == 2
        check(good, f"{name} is played to its end", str(seen))
    for rule, seen in zip(rules, ruled):
        check(seen.get("state") == "ended", f"--rule {rule}", str(seen))


def frames(path):
    done = subprocess.run(["ffprobe", "-v", "error", "-count_frames", "-show_entries", "stream=codec_type,nb_read_frames", "-of", "csv=p=0", path],
                          capture_output=True, text=True, timeout=PATIENCE_S)
    return dict(line.split(",")[:2] for line in done.stdout.split()), done.stderr


def hands_on(base, directory):
    for rung in ("1", "0"):                              # one rendition throughout; as the rule says, with a change on the way
        path = os.path.join(directory, "handed.mp4")
        naru(base + "timeline.mpd", "--quiet", "--speed", SPEED, "--rung", rung, "--to", "dd of=" + path)
        seen, wrong = frames(path)
        check(seen.get("video") == str(SECONDS * RATE) and int(seen.get("audio", "0")) > SECONDS * 20 and not wrong,
              f"ffprobe counts every frame that was handed on (--rung {rung})", str(seen) + wrong)
    naru(base + "timeline.mpd", "--to", "no-such-program -", code=1)
    seen = naru(base + "timeline.mpd", "--to", "true", "--json")
    check('"state"' in seen.stdout, "a program that ends at once ends the playing")
    seen = naru(base + "timeline.mpd", "--to", "false -", "--json", code=1)
    check('"state"' in seen.stdout and "false ended by itself, with exit code 1" in seen.stderr, "a program that fails is told of", seen.stderr)
    seen = naru(base + "timeline.mpd", "--to", "ls --no-such-word", "--verbose", code=1)
    check("no-such-word" in seen.stderr, "and --verbose shows what it says", seen.stderr)


def other_programs(base, directory):
    """mpv and ffplay themselves, with outputs that nobody sees; what they say of what they were handed."""
    missing = [p for p in ("mpv", "ffplay") if not shutil.which(p)]
    if missing:
        print(f"SKIPPED play --mpv, --ffplay: {', '.join(missing)} is not installed")
        return
    home, log, report = (os.path.join(directory, name) for name in ("mpv", "mpv.log", "ffplay.log"))
    os.makedirs(home)
    with open(os.path.join(home, "mpv.conf"), "w") as f:
        f.write(f"ao=null\nvo=null\nspeed=4\nlog-file={log}\n")
    env = dict(os.environ, MPV_HOME=home, SDL_VIDEODRIVER="dummy", SDL_AUDIODRIVER="dummy", FFREPORT=f"file={report}:level=32")
    running = {p: subprocess.Popen([NARU, "play", base + "brief.mpd", p, "--json"], env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
               for p in ("--mpv", "--ffplay")}
    for p, process in running.items():
        out, err = process.communicate(timeout=PATIENCE_S)
        check(process.returncode == 0 and '"state"' in out, f"naru play {p}", err + out)
    with open(log) as f:
        said = f.read()
    check("VO: [null] 128x72" in said and "AO: [null]" in said and "(End of file)" in said, "mpv plays picture and sound to the end", said[-2000:])
    check(not re.search(r"\]\[[ef]\]|(?i:corrupt|invalid)", said), "mpv has no complaint", said[-2000:])
    with open(report) as f:
        said = f.read().split("configuration:", 1)[-1]
    check("Video: h264" in said and "Audio: aac" in said and re.search(r" [1-3]\.\d+ A-V:", said), "ffplay plays picture and sound", said[-2000:])
    check(not re.search(r"(?i)error|invalid|corrupt", said), "ffplay has no complaint", said[-2000:])


def second_server(directory, port):
    """The manifest ranks a server that is not there before the one that is."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        nobody = s.getsockname()[1]
        with open(os.path.join(directory, "timeline.mpd")) as f:
            text = f.read()
        bases = (f'<BaseURL serviceLocation="gone">http://127.0.0.1:{nobody}/</BaseURL>'
                 f'<BaseURL serviceLocation="here">http://127.0.0.1:{port}/</BaseURL>')
        with open(os.path.join(directory, "ranked.mpd"), "w") as f:
            f.write(text.replace("<Period", bases + "<Period", 1))
        seen = plays(f"http://127.0.0.1:{port}/ranked.mpd")
        check(seen.get("state") == "ended" and seen["servers"][1]["segments"] == SECONDS / 2 and seen["servers"][0]["failures"] > 0,
              "a server that is not there is passed over", str(seen))


def exit_codes(base):
    naru(base + "nothing.mpd", code=3)
    naru("http://127.0.0.1:1/x.mpd", code=3)
    naru(base + "all.mp4", code=3)                       # there, but no manifest
    naru("--json", code=2)
    naru(base + "timeline.mpd", "--rule", "coin", code=2)
    naru(base + "timeline.mpd", "--speed", "0", code=2)
    naru("file:///etc/passwd", code=2)


def view(base):
    """The live view on a terminal, with keys: pause, twice the speed, a jump, the end."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.environ.update(TERM="xterm", COLUMNS="100", LC_ALL="C.UTF-8")
        os.execv(NARU, [NARU, "play", base + "timeline.mpd", "--lang", "en"])
    text, sent, began, ended = b"", 0, time.monotonic(), False
    keys = [("playing", " "), ("paused", " f"), ("×2", "5n"), ("00:(0[6-9]|1[01]) /", "q")]      # a second that is not drawn is no harm
    while time.monotonic() - began < PATIENCE_S and not ended:
        if select.select([terminal], [], [], 0.1)[0]:
            try:
                piece = os.read(terminal, 65536)
            except OSError:
                break
            ended = not piece
            text += piece
        if sent < len(keys) and re.search(keys[sent][0], text.decode(errors="replace")):
            os.write(terminal, keys[sent][1].encode())
            text = text if sent + 1 == len(keys) else b""
            sent += 1
    _, status = os.waitpid(pid, 0)
    check(sent == len(keys) and os.waitstatus_to_exitcode(status) == 0, "the view answers to keys", f"{sent} of {len(keys)}: {text[-1500:]}")
    check(b"stalls" in text, "and ends with a summary")


def over_tls(directory):
    """https with a certificate of a test's own authority: verified by --ca, refused without, refused for another name."""
    key, pem = os.path.join(directory, "key.pem"), os.path.join(directory, "cert.pem")
    made = subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key, "-out", pem,
                           "-days", "2", "-subj", "/CN=film.test", "-addext", "subjectAltName=IP:127.0.0.1"], capture_output=True, timeout=PATIENCE_S)
    if not check(made.returncode == 0, "openssl makes a certificate", made.stderr):
        return
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem, key)
    server = Server(("", 0), lambda *a: Handler(*a, directory=directory))
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"https://127.0.0.1:{server.server_address[1]}/timeline.mpd"
    check(plays(url, "--ca", pem).get("state") == "ended", "https is played")
    naru(url, code=3)
    naru(url.replace("127.0.0.1", "127.0.0.2"), "--ca", pem, code=3)


def interrupted(server, base):
    before = server.segments_by_number
    done = subprocess.Popen([NARU, "play", base + "duration.mpd", "--json"], stdout=subprocess.PIPE, text=True)
    until = time.monotonic() + PATIENCE_S
    while server.segments_by_number < before + 2 and time.monotonic() < until:
        time.sleep(0.02)                                 # it plays, at the film's own speed
    done.send_signal(signal.SIGINT)
    out, _ = done.communicate(timeout=PATIENCE_S)
    check(done.returncode == 0 and json.loads(out)["played_ms"] < SECONDS * 1000, "Ctrl-C ends it with a summary", out)


def main():
    with tempfile.TemporaryDirectory(prefix="naru-play-") as directory:
        films(directory)
        on_demand(directory)
        server = serve(directory)
        port = server.server_address[1]
        base = f"http://127.0.0.1:{port}/"
        every_packaging(base)
        hands_on(base, directory)
        beside = threading.Thread(target=other_programs, args=(base, directory))
        beside.start()                                   # they play at their own speed
        second_server(directory, port)
        exit_codes(base)
        view(base)
        interrupted(server, base)
        over_tls(directory)
        beside.join()
    print(f"{passed} passed, {failed} failed, 0 skipped")
    sys.exit(failed > 0)


main()
