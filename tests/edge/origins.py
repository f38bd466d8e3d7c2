"""origins.py NARU: origins of a real `naru up`'s edge: under TLS with good and bad certificates, others by a reload while connections stay open,
and what an unsafe method made invalid before a kill -9."""
import os
import re
import shutil
import socket
import ssl
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from attacks import EdgeUp, Origin, get, waited          # noqa: E402
from machine import PATIENCE_S, check, counts, skipped               # noqa: E402

ORIGIN_NAME = "origin.example"
KINDS = {"good": "submission", "wrong": "submissions", "expired": "pop3", "self": "pop3s"}


def openssl(*words):
    done = subprocess.run(["openssl", *words], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


class Certificates:
    """An authority, and for each kind a certificate and its key in one file."""

    def __init__(self, directory):
        self.ca = os.path.join(directory, "ca.pem")
        self.key, self.directory = os.path.join(directory, "ca.key"), directory
        new = ("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
        openssl(*new, "-days", "30", "-subj", "/CN=test authority", "-keyout", self.key, "-out", self.ca)
        os.chmod(self.ca, 0o644)
        self.make("good", ORIGIN_NAME, "30")
        self.make("wrong", "elsewhere.example", "30")
        self.make("expired", ORIGIN_NAME, "-1")
        openssl(*new, "-days", "30", "-subj", f"/CN={ORIGIN_NAME}", "-addext", f"subjectAltName=DNS:{ORIGIN_NAME}", "-keyout", self.path("self") + ".key",
                "-out", self.path("self"))
        self.join("self")

    def path(self, kind):
        return os.path.join(self.directory, kind + ".pem")

    def join(self, kind):
        with open(self.path(kind), "a") as both, open(self.path(kind) + ".key") as key:
            both.write(key.read())

    def make(self, kind, name, days):
        request, names = self.path(kind) + ".csr", self.path(kind) + ".names"
        with open(names, "w") as f:
            f.write(f"subjectAltName=DNS:{name}\n")
        openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={name}", "-keyout", self.path(kind) + ".key", "-out", request)
        openssl("x509", "-req", "-in", request, "-CA", self.ca, "-CAkey", self.key, "-CAcreateserial", "-days", days, "-extfile", names, "-out", self.path(kind))
        self.join(kind)


class SecureOrigin(Origin):
    """The same under TLS; knows which names it was asked by, and what came in plain text."""

    def __init__(self, at, pem):
        self.names, self.plain = [], []
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(pem)
        self.context.sni_callback = lambda s, name, _: self.names.append(name)
        super().__init__(at)

    def process_request_thread(self, request, client):
        try:
            request.settimeout(PATIENCE_S)
            first = request.recv(1, socket.MSG_PEEK)
            if first != b"\x16":
                self.plain.append(first)
            request = self.context.wrap_socket(request, server_side=True)
        except OSError:
            request.close()
            return
        super().process_request_thread(request, client)


class Deed(Origin):
    """Takes POST, too."""
    class Handler(Origin.Handler):
        def do_POST(self):
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.send_response(204)
            self.end_headers()


class TheUp(EdgeUp):
    sites = ""

    def write(self, more="", **parts):
        super().write(more + self.sites, **parts)


def asked(up, host, path, method="GET", open_one=None, body=b""):
    """Status and body; over open_one, which stays open, or a connection of its own."""
    s = open_one or socket.create_connection(up.edge(), timeout=PATIENCE_S)
    close = "" if open_one else "Connection: close\r\n"
    s.sendall(f"{method} {path} HTTP/1.1\r\nHost: {host}\r\nContent-Length: {len(body)}\r\n{close}\r\n".encode() + body if body else
              f"{method} {path} HTTP/1.1\r\nHost: {host}\r\n{close}\r\n".encode())
    text = b""
    while b"\r\n\r\n" not in text:
        piece = s.recv(65536)
        if not piece:
            return 0, text
        text += piece
    head, _, text = text.partition(b"\r\n\r\n")
    length = re.search(rb"Content-Length: (\d+)", head)
    while length and len(text) < int(length[1]) and (piece := s.recv(65536)):
        text += piece
    if not open_one:
        s.close()
    return int(head.split()[1]), text


def case_origins_under_tls_must_show_good_certificates(up, servers):
    status, body = asked(up, "good.example", "/1000")
    check("an origin under TLS is asked when its certificate is good", (status, body) == (200, b"x" * 1000), f"{status} {up.log_text()[-800:]}")
    check("and hears the name that is checked (SNI)", servers["good"].names[:1] == [ORIGIN_NAME], str(servers["good"].names))
    asked(up, "good.example", "/1001")
    check("over a kept connection", len(servers["good"].names) == 1 and servers["good"].asked == 2, f"{servers['good'].names} {servers['good'].asked}")
    for kind, words in (("wrong", "hostname mismatch"), ("expired", "certificate has expired"), ("self", "self-signed certificate")):
        status, body = asked(up, f"{kind}.example", "/1000")
        check(f"a certificate that is no good ({kind}) is refused: 502", status == 502 and b"certificate" in body, f"{status} {body}")
        check(f"nothing was asked ({kind})", servers[kind].asked == 0 and not servers[kind].plain)
        check(f"the log says why: {words}", waited(lambda: words in up.log_text()), up.log_text()[-800:])


def case_no_way_back_to_plain_text(up, origin):
    """An https origin that speaks no TLS gets no request in plain text."""
    before = origin.asked
    status, _ = asked(up, "plain.example", "/1000")
    check("an origin without TLS where TLS was configured: 502, and it is not asked in plain text", status == 502 and origin.asked == before, str(status))


def case_a_reload_keeps_connections(up, first, second):
    s = socket.create_connection(up.edge(), timeout=PATIENCE_S)
    check("the first origin answers", asked(up, "film.example", "/2000?a", open_one=s)[0] == 200 and second.asked == 0)
    kept, pid = first.asked, up.processes()["edge"]["pid"]
    up.sites += f"    site moved.example {{ origin 127.0.0.1:{second.server_address[1]} }}\n"
    moved = "origin 127.0.0.1:%d }" % up.port["smtp"]
    with open(up.config) as f:
        text = f.read()
    text = text.replace(moved, "origin 127.0.0.1:%d }\n    site moved.example { %s" % (second.server_address[1], moved)).replace("memory 16MB", "memory 12MB")
    with open(up.config, "w") as f:
        f.write(text)
    good = up.command("reload")
    check("other origins and sizes are taken by a reload, without a new process", good.returncode == 0 and up.processes()["edge"]["pid"] == pid,
          good.stderr + up.log_text()[-500:])
    check("the connection is still open, and what is asked on it goes to the new origin",
          asked(up, "film.example", "/2000?b", open_one=s)[0] == 200 and second.asked == 1 and first.asked == kept, f"{first.asked} {second.asked}")
    check("what was kept is kept", asked(up, "film.example", "/2000?a", open_one=s)[0] == 200 and second.asked == 1)
    check("a site that was added is served", asked(up, "moved.example", "/2000?c", open_one=s)[0] == 200 and first.asked == kept + 1)
    check("the sizes are the new ones", b'"memory_max":12000000' in up.control("GET", "/edge/about").replace(b" ", b""), up.control("GET", "/edge/about").decode())
    with open(up.config, "w") as f:
        f.write(text.replace("127.0.0.1:%d }" % second.server_address[1], "127.0.0.1:9 }"))
    bad = up.command("reload")
    check("a port that no origin had is refused with a sentence", bad.returncode == 1 and "a port that no origin had" in bad.stdout + bad.stderr + up.log_text(), bad.stdout + bad.stderr)
    check("and everything goes on as it was", asked(up, "film.example", "/2000?d", open_one=s)[0] == 200 and second.asked == 2)
    with open(up.config, "w") as f:
        f.write(text)
    s.close()


def case_an_invalidation_outlives_a_kill(up, origin):
    shown = lambda path: up.control("GET", f"/edge/show?url=http://film.example{path}").replace(b" ", b"")      # noqa: E731
    asked(up, "film.example", "/200000?changed")
    asked(up, "film.example", "/200000?stays")
    there = waited(lambda: all(b'"on_disk":200000' in shown(f"/200000?{n}") for n in ("changed", "stays")))
    check("what is kept comes to the disk", there, shown("/200000?changed").decode())
    status, _ = asked(up, "film.example", "/200000?changed", "POST", body=b"new")
    pid = up.processes()["edge"]["pid"]
    os.kill(pid, 9)                                      # at once: what the client was told is on the disk already
    check("a POST goes through", status == 204, str(status))
    check("another process takes the killed one's place", waited(lambda: up.processes()["edge"].get("pid", pid) != pid))
    before = origin.asked
    status, body = asked(up, "film.example", "/200000?stays")
    check("what nobody changed is given from the disk", status == 200 and origin.asked == before, f"{status} {origin.asked - before}")
    status, body = asked(up, "film.example", "/200000?changed")
    check("what a POST made invalid before a kill -9 is asked for again", status == 200 and origin.asked > before, f"{status} {origin.asked - before}")


def main():
    if not shutil.which("openssl"):
        skipped("the edge's origins", "openssl is not installed")
        return
    up = TheUp("", start=False)
    try:
        made = Certificates(up.dir)
        os.chmod(up.dir, 0o755)
        up.sites = f"    origin-ca {made.ca}\n" + "".join(f"    site {k}.example {{ origin https://127.0.0.1:{up.port[p]}; host {ORIGIN_NAME} }}\n" for k, p in KINDS.items())
        up.sites += f"    site plain.example {{ origin https://127.0.0.1:{up.port['smtp']}; host {ORIGIN_NAME} }}\n"
        up.sites += f"    site other.example {{ origin 127.0.0.1:{up.port['upper']} }}\n"
        up.write()
        servers = {kind: SecureOrigin(("127.0.0.1", up.port[port]), made.path(kind)) for kind, port in KINDS.items()}
        with Deed(up.origin()) as first, Deed(("127.0.0.1", up.port["upper"])) as second:
            up.start()
            if not check("naru up serves an edge with origins under TLS", up.said("READY=1"), up.log_text()[-2000:]):
                return
            case_origins_under_tls_must_show_good_certificates(up, servers)
            case_no_way_back_to_plain_text(up, first)
            case_a_reload_keeps_connections(up, first, second)
            case_an_invalidation_outlives_a_kill(up, second)
    finally:
        up.end()


if __name__ == "__main__":
    main()
    print(f"{counts['ok']} passed, {counts['not ok']} failed, {counts['skipped']} skipped")
    sys.exit(counts["not ok"] > 0)
