"""attacks.py NARU [--longer]: the edge of a real `naru up` over real sockets: the cases that need no time, and attacks whose memory and time
are measured. Bounds are ratios, or what the configuration allows."""
import http.server
import os
import re
import resource
import selectors
import socket
import socketserver
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "up"))
import machine                                           # noqa: E402
from machine import check, counts, skipped               # noqa: E402

HOST = "film.example"
MEMORY_KIB = 16 * 1024
IDLE_KIB, IDLE_S, QUIET_S = 5, 90, 0.5
BUILD = os.path.dirname(machine.NARU)
CASES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "cases")


class EdgeUp(machine.Up):
    """`naru up` with an edge and nothing else."""

    def write(self, more, **parts):
        with open(self.config, "w") as f:
            f.write(f"host edge.test\naddress 127.0.0.1\nports {{ http {self.port['dns']} }}\nedge {{\n    name edge\n    memory 16MB\n    disk 64MB\n    slice 64KiB\n"
                    f"    connections-per-address 20000\n    site {HOST} www.{HOST} {{ origin 127.0.0.1:{self.port['smtp']} }}\n{more}}}\n")

    def edge(self):
        return ("127.0.0.1", self.port["dns"])

    def origin(self):
        return ("127.0.0.1", self.port["smtp"])

    def memory_kib(self):
        """What the edge has written: pages of the program itself are shared with every other naru that runs, or not."""
        with open(f"/proc/{self.processes()['edge']['pid']}/smaps_rollup") as f:
            return sum(int(kib) for kib in re.findall(r"^Pss_(?:Anon|Shmem):\s+(\d+)", f.read(), re.M))

    def ticks(self):
        """The processor time that the edge has used."""
        with open(f"/proc/{self.processes()['edge']['pid']}/stat") as f:
            return sum(int(word) for word in f.read().rpartition(")")[2].split()[11:13])

    def control(self, method, path):
        """The body of what the control socket answers; empty: it refuses."""
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(machine.PATIENCE_S)
            s.connect(os.path.join(self.data, "control.sock"))
            s.sendall(f"{method} {path} HTTP/1.1\r\nHost: naru\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())
            text = b""
            while piece := s.recv(65536):
                text += piece
            return text.partition(b"\r\n\r\n")[2] if text.startswith(b"HTTP/1.1 200") else b""

    def purge_all(self):
        return self.control("POST", "/edge/purge?all=yes")


class Origin(socketserver.ThreadingMixIn, http.server.HTTPServer):
    """/N... is an object of N bytes, fresh for an hour, with ranges."""
    daemon_threads, allow_reuse_address, request_queue_size = True, True, 200

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version, wbufsize = "HTTP/1.1", 1 << 16            # a head and its body in one piece: no waiting for acknowledgements

        def do_GET(self):
            self.server.asked += 1
            size = int(re.match(r"/(\d+)", self.path).group(1))
            part = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
            first, last = (int(part[1]), min(int(part[2]), size - 1)) if part else (0, size - 1)
            self.send_response(206 if part else 200)
            for name, value in (("ETag", '"1"'), ("Cache-Control", "max-age=3600"), ("Content-Length", last - first + 1)):
                self.send_header(name, value)
            if part:
                self.send_header("Content-Range", f"bytes {first}-{last}/{size}")
            self.end_headers()
            try:
                for at in range(first, last + 1, 1 << 16):
                    self.wfile.write(b"x" * min(1 << 16, last + 1 - at))
                    self.server.sent += 1 << 16
            except OSError:
                self.close_connection = True

        def log_message(self, *words):
            pass

    def __init__(self, at):
        super().__init__(at, self.Handler)
        self.asked = self.sent = 0
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *why):
        self.shutdown()
        self.server_close()

    def handle_error(self, *words):
        pass


def get(path, more="", close=True):
    return f"GET {path} HTTP/1.1\r\nHost: {HOST}\r\n{more}{'Connection: close' + chr(13) + chr(10) if close else ''}\r\n".encode()


def asked(up, path, more=""):
    with socket.create_connection(up.edge(), timeout=machine.PATIENCE_S) as s:
        s.sendall(get(path, more))
        text = b""
        while piece := s.recv(1 << 16):
            text += piece
    head, _, body = text.partition(b"\r\n\r\n")
    return head, body


def served(up):
    head, body = asked(up, "/100")
    return head.startswith(b"HTTP/1.1 200") and body == b"x" * 100


def cases_play(up):
    """The table of cases, over real sockets."""
    words = [os.path.join(BUILD, "naru-edge-cases"), "--edge", "%s:%d" % up.edge(), "--origin", "%s:%d" % up.origin(), "--control",
             os.path.join(up.data, "control.sock")]
    said = subprocess.run(words + sorted(os.path.join(CASES, n) for n in os.listdir(CASES) if n.endswith(".cases")), capture_output=True, text=True, timeout=600)
    lines = said.stdout.splitlines()
    for n, line in enumerate(lines[:-1]):
        if not line.startswith("ok "):
            print(line)
    sums = re.fullmatch(r"(\d+) passed, (\d+) failed, 0 skipped", lines[-1] if lines else "")
    if sums:
        counts["ok"] += int(sums[1])
        counts["not ok"] += int(sums[2])
        print(f"{'ok' if sums[2] == '0' else 'not ok'} {sums[1]} cases over real sockets, {sums[2]} failed")
    check("the cases were played to their end", bool(sums) and said.stderr == "", said.stderr[-500:])


def case_flood_of_keys_stays_bounded_in_memory_and_time(up):
    """Four thousand URLs, pipelined: memory as configured, the last quarter costs the edge no more than the first."""
    before, times = up.memory_kib(), []
    with socket.create_connection(up.edge(), timeout=machine.PATIENCE_S) as s:
        for quarter in range(4):
            began = up.ticks()
            for n in range(0, 1000, 20):
                s.sendall(b"".join(get(f"/10?k={quarter}-{n + i}", close=False) for i in range(20)))
                text = b""
                while text.count(b"HTTP/1.1 200") < 20 or not text.endswith(b"x" * 10):
                    text += s.recv(1 << 16)
            times.append(up.ticks() - began)
    grown = up.memory_kib() - before
    check("a flood of keys takes no more memory than is configured", grown < MEMORY_KIB + 8 * 1024, f"{grown} KiB")
    check("a flood of keys becomes no dearer", times[3] < 4 * times[0] + 100, f"{times} ticks")


def many_open(up, count, first):
    found = []
    for n in range(count):
        s = socket.create_connection(up.edge(), timeout=machine.PATIENCE_S)
        if first:
            s.sendall(first)
        found.append(s)
    return found


def case_readers_that_do_not_read_hold_little(up, origin):
    """Each asks for 8 MB that is being fetched and takes nothing: nobody's memory."""
    before = up.memory_kib()
    held = [s for n in range(40) for s in many_open(up, 1, get(f"/8000000?r={n}"))]
    seen, since = -1, time.monotonic()
    while time.monotonic() - since < QUIET_S:                # until the edge asks for no more
        if seen != origin.sent:
            seen, since = origin.sent, time.monotonic()
        time.sleep(0.05)
    grown = up.memory_kib() - before
    check("readers that do not read hold no more than is configured", grown < MEMORY_KIB + 8 * 1024, f"{grown} KiB")
    check("others are served meanwhile", served(up))
    for s in held:
        s.close()


def case_heads_without_end_hold_little(up):
    before = up.memory_kib()
    held = many_open(up, 200, b"GET / HTTP/1.1\r\nHost: film.example\r\n" + b"X: " + b"a" * 7000 + b"\r\n" + b"Y: " + b"b" * 4000)
    served(up)                                           # whoever came before was looked at
    grown = up.memory_kib() - before
    check("two hundred heads that do not end hold less than their bytes four times", grown < 200 * 11 * 4, f"{grown} KiB")
    check("others are served meanwhile", served(up))
    for s in held:
        s.close()


def case_bodies_that_do_not_come_hold_little(up):
    before = up.memory_kib()
    held = many_open(up, 100, f"POST /10 HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: 15000000\r\n\r\n".encode())
    served(up)                                           # whoever came before was looked at
    grown = up.memory_kib() - before
    check("a hundred bodies that are promised and do not come hold little", grown < 100 * 100, f"{grown} KiB")
    check("others are served meanwhile", served(up))
    for s in held:
        s.close()


def case_the_control_socket_is_the_owners_alone(up):
    mode = os.stat(os.path.join(up.data, "control.sock")).st_mode & 0o777
    check("the control socket that purges is for its owner alone", mode == 0o600, oct(mode))


def waited(what, seconds=machine.PATIENCE_S):
    until = time.monotonic() + seconds
    while not what():
        if time.monotonic() > until:
            return False
        time.sleep(0.02)
    return True


def case_what_is_on_disk_outlives_a_killed_edge(up, origin):
    """kill -9: the next process gives what was kept, whole, without asking; and what was purged before is not there."""
    size, shown = 200000, lambda path: up.control("GET", f"/edge/show?url=http://{HOST}{path}").replace(b" ", b"")
    asked(up, f"/{size}?stays")
    asked(up, f"/{size}?goes")
    there = waited(lambda: all(b'"on_disk":%d' % size in shown(f"/{size}?{name}") for name in ("stays", "goes")))
    check("what is kept comes to the disk", there, shown(f"/{size}?stays").decode())
    check("a purge is acknowledged", up.control("POST", f"/edge/purge?url=http://{HOST}/{size}?goes") != b"")
    pid, origin.asked = up.processes()["edge"]["pid"], 0
    os.kill(pid, 9)
    check("another process takes the killed one's place", waited(lambda: up.processes()["edge"].get("pid", pid) != pid))
    head, body = asked(up, f"/{size}?stays")
    check("and gives what was kept without asking for it", body == b"x" * size and origin.asked == 0 and b"; hit" in head, f"{len(body)} {origin.asked} {head}")
    head, body = asked(up, f"/{size}?goes")
    check("but not what was purged", body == b"x" * size and origin.asked >= 1 and b"; hit" not in head, f"{len(body)} {origin.asked} {head}")


def case_a_crowd_on_a_cold_object_over_real_sockets(up, origin):
    """Three hundred at once: as many questions as slices, everybody gets all of it."""
    chosen, size, count = selectors.DefaultSelector(), 600000, 300
    origin.asked = 0
    for s in many_open(up, count, b""):
        s.sendall(get(f"/{size}?crowd"))
        s.setblocking(False)
        chosen.register(s, selectors.EVENT_READ, [0])
    left, until = count, time.monotonic() + machine.PATIENCE_S
    right = 0
    while left and time.monotonic() < until:
        for key, _ in chosen.select(1):
            piece = key.fileobj.recv(1 << 18)
            if piece and key.data[0] == 0:
                key.data[0] -= piece.index(b"\r\n\r\n") + 4 if b"\r\n\r\n" in piece else 0
            key.data[0] += len(piece)
            if not piece:
                right += key.data[0] == size
                left -= 1
                chosen.unregister(key.fileobj)
                key.fileobj.close()
    check("three hundred at once get all of a cold object", right == count, f"{right} of {count}")
    check("and the origin is asked once a slice at most", origin.asked <= size // 65536 + 1, str(origin.asked))


def case_idle_connections_take_five_kib_each(up):
    """Ten thousand that have asked once and keep their connection."""
    count = 10000
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < count + 500:
        skipped("ten thousand idle connections", f"this process may open {hard} files")
        return
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    served(up)
    before, held = up.memory_kib(), []
    for n in range(count):
        s = socket.socket()
        s.bind((f"127.7.{n % 40}.1", 0))
        s.settimeout(machine.PATIENCE_S)
        s.connect(up.edge())
        s.sendall(get("/100", close=False))
        text = b""
        while not text.endswith(b"x" * 100):
            text += s.recv(65536)
        held.append(s)
    each, until = 1e9, time.monotonic() + IDLE_S
    while each > IDLE_KIB and time.monotonic() < until:      # what was used deep down is given back after some seconds of silence
        time.sleep(0.5)
        each = (up.memory_kib() - before) / count
    check(f"an idle connection takes at most {IDLE_KIB} KiB", each <= IDLE_KIB, f"{each:.2f} KiB")
    print(f"  {each:.2f} KiB each")
    check("others are served meanwhile", served(up))
    for s in held:
        s.close()


def main():
    up = EdgeUp()
    try:
        if not check("naru up serves an edge", up.said("READY=1"), up.log_text()[-2000:]):
            return
        cases_play(up)
        up.purge_all()
        with Origin(up.origin()) as origin:
            for case in (case_flood_of_keys_stays_bounded_in_memory_and_time, case_heads_without_end_hold_little,
                         case_bodies_that_do_not_come_hold_little, case_the_control_socket_is_the_owners_alone):
                case(up)
            case_readers_that_do_not_read_hold_little(up, origin)
            case_a_crowd_on_a_cold_object_over_real_sockets(up, origin)
            check("no service died", all(p["restarts"] == 0 for p in up.processes().values()), str(up.processes()))
            case_what_is_on_disk_outlives_a_killed_edge(up, origin)
            if "--longer" in sys.argv:
                case_idle_connections_take_five_kib_each(up)
    finally:
        up.end()


if __name__ == "__main__":
    main()
    print(f"{counts['ok']} passed, {counts['not ok']} failed, {counts['skipped']} skipped")
    sys.exit(counts["not ok"] > 0)
