"""A running `naru up` in a directory of its own, on loopback and high ports; and what its users do. For up.py and its parts."""
import json
import os
import poplib
import shutil
import smtplib
import socket
import subprocess
import sys
import tempfile
import threading
import time

NARU = os.path.abspath(sys.argv[1])
WHO, PASSWORD = "kim@club.test", "ketchup-pickle-7"
NAMES = ["dns", "resolver", "smtp", "submission", "submissions", "pop3", "pop3s", "upper", "tracker", "peers", "rpc", "http", "origin", "steering", "console"]
PATIENCE_S = 30                 # a loaded machine is slow; what has a promise of its own says so below
counts = {"ok": 0, "not ok": 0, "skipped": 0}


def check(what, good, detail=""):
    word = "ok" if good else "not ok"
    counts[word] += 1
    print(f"{word} {what}" + (f": {detail}" if detail and not good else ""), flush=True)
    return good


def skipped(what, why):
    counts["skipped"] += 1
    print(f"SKIPPED {what}: {why}")


def free_ports(count):
    """Ports below the range that the kernel gives to clients, free for UDP and TCP now."""
    found, port = [], 20000 + os.getpid() % 8000
    while len(found) < count:
        port += 1
        with socket.socket() as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp:
            try:
                tcp.bind(("127.0.0.1", port))
                udp.bind(("127.0.0.1", port))
                found.append(port)
            except OSError:
                pass
    return dict(zip(NAMES, found))


class Up:
    """A running `naru up` in a directory of its own."""

    def __init__(self, more="", user=None, program=NARU, start=True, **parts):
        self.dir = tempfile.mkdtemp(prefix="naru-up-")
        os.chmod(self.dir, 0o711)                # as root: the services are users of their own
        self.config = os.path.join(self.dir, "naru.conf")
        self.data = os.path.join(self.dir, "data")
        self.port = free_ports(len(NAMES))
        self.write(more, **parts)
        self.log = open(os.path.join(self.dir, "log"), "w+")
        self.user, self.program, self.process = user, program, None
        if user:                                 # who may not enter the builder's home: root's, on Debian
            self.program = shutil.copy(program, self.dir)
            for path in (self.dir, self.config):
                os.chown(path, user, user)
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notify.bind(os.path.join(self.dir, "notify"))
        os.chmod(os.path.join(self.dir, "notify"), 0o777)
        self.told, self.heard = [], 0
        threading.Thread(target=self.listen, daemon=True).start()
        if start:
            self.start()

    def start(self):
        environment = dict(os.environ, NOTIFY_SOCKET=os.path.join(self.dir, "notify"), WATCHDOG_USEC="400000", XDG_RUNTIME_DIR=self.dir)
        self.process = subprocess.Popen([self.program, "up", self.config, "--dir", self.data], stderr=self.log, stdout=self.log,
                                        env=environment, user=self.user, group=self.user, extra_groups=[] if self.user else None)

    def write(self, more, zone="", mailstore="mailstore { plaintext loopback }\n"):
        """naru.conf; with a zone the resolver listens elsewhere than the authoritative server."""
        ports = "; ".join(f"{name} {port}" for name, port in self.port.items())
        domain = f"domain club.test {{ zone {zone} }}\n" if zone else "domain club.test\n"
        apart = "" if not zone else ("" if "authoritative {" in more else "authoritative { listen 127.0.0.1 }\n") + ("" if "resolver {" in more else "resolver { listen 127.0.0.2 }\n")
        upper = "" if "upper {" in more else "upper { }\n"
        with open(self.config, "w") as f:
            f.write(f"host mx.club.test\naddress 127.0.0.1\nports {{ {ports} }}\n{domain}{mailstore}{upper}{more}{apart}")

    def listen(self):
        while True:
            try:
                self.told.append(self.notify.recv(4096).decode())
            except OSError:
                return

    def said(self, *wanted, seconds=PATIENCE_S):
        """Waits until datagrams of sd_notify that hold these texts have come, in this order, since the last call."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            at = self.heard
            for text in wanted:
                at = next((i + 1 for i in range(at, len(self.told)) if text in self.told[i]), None)
                if at is None:
                    break
            else:
                self.heard = at
                return True
            time.sleep(0.02)
        return False

    def forget(self):
        self.heard = len(self.told)

    def command(self, *words, **more):
        return subprocess.run([NARU, *words, "--dir", self.data], capture_output=True, text=True, timeout=PATIENCE_S, **more)

    def processes(self):
        answer = self.command("status", "--json")
        return {p["service"]: p for p in json.loads(answer.stdout)["processes"]} if answer.returncode == 0 else {}

    def log_text(self):
        with open(self.log.name) as f:
            return f.read()

    def end(self):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(PATIENCE_S * 3)
            except subprocess.TimeoutExpired:
                self.process.kill()
        self.notify.shutdown(socket.SHUT_RDWR)
        self.notify.close()
        self.log.close()
        shutil.rmtree(self.dir, ignore_errors=True)


# ---- what a user does -------------------------------------------------------------------------------------------------------

def letter_send(up, subject):
    with smtplib.SMTP("127.0.0.1", up.port["smtp"], timeout=PATIENCE_S) as s:
        s.sendmail("alice@elsewhere.test", [WHO], f"From: alice@elsewhere.test\r\nTo: {WHO}\r\nSubject: {subject}\r\n\r\nDo you like ketchup?\r\n")


def letters(up):
    p = poplib.POP3("127.0.0.1", up.port["pop3"], timeout=PATIENCE_S)
    p.user(WHO)
    p.pass_(PASSWORD)
    texts = [b"\n".join(p.retr(i + 1)[1]).decode() for i in range(p.stat()[0])]
    p.quit()
    return texts


def letter_count(up, subject, at_least=1):
    """How often the letter is in the mailbox, once it is there."""
    until = time.monotonic() + PATIENCE_S
    count = 0
    while time.monotonic() < until:
        count = sum(f"Subject: {subject}" in t for t in letters(up))
        if count >= at_least:
            return count
        time.sleep(0.05)
    return count


def upper(up, text=b"ketchup\n"):
    with socket.create_connection(("127.0.0.1", up.port["upper"]), timeout=PATIENCE_S) as s:
        s.sendall(text)
        return s.recv(100) == text.upper()


def dns_answers(up):
    query = bytes.fromhex("123401000001000000000000") + b"\x09localhost\x00\x00\x01\x00\x01"
    with socket.create_connection(("127.0.0.1", up.port["dns"]), timeout=PATIENCE_S) as s:
        s.sendall(len(query).to_bytes(2, "big") + query)
        return s.recv(512)[2:4] == b"\x12\x34"


def smtp_answers(up):
    with smtplib.SMTP("127.0.0.1", up.port["smtp"], timeout=PATIENCE_S) as s:
        return s.noop()[0] == 250


def pop3_answers(up):
    p = poplib.POP3("127.0.0.1", up.port["pop3"], timeout=PATIENCE_S)
    p.close()
    return True


ANSWERS = {"mta": smtp_answers, "mailstore": pop3_answers, "resolver": dns_answers, "upper": upper,
           "accounts": lambda up: isinstance(letters(up), list), "control": lambda up: bool(up.processes())}
