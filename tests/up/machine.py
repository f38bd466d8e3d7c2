"""A running `naru up` in a directory of its own, on loopback and high ports; and what its users do. For up.py and its parts."""
import os
import poplib
import shutil
import smtplib
import socket
import sys
import tempfile
import threading
import time

from running import PATIENCE_S, Running, check, counts, free_ports, mailbox, skipped  # noqa: F401  (the cases take them from here)

NARU = os.path.abspath(sys.argv[1])
WHO, PASSWORD = "kim@club.test", "ketchup-pickle-7"
NAMES = ["dns", "resolver", "smtp", "submission", "submissions", "pop3", "pop3s", "upper", "tracker", "peers", "rpc", "http", "origin", "steering", "console"]


class Up(Running):
    """A running `naru up` with every service a port, told by systemd's words how it is."""

    def __init__(self, more="", user=None, program=NARU, start=True, **parts):
        super().__init__(NARU, tempfile.mkdtemp(prefix="naru-up-"))
        self.port = dict(zip(NAMES, free_ports(len(NAMES))))
        self.write(more, **parts)
        self.user, self.program = user, program
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
        self.spawn(self.program, {"NOTIFY_SOCKET": os.path.join(self.dir, "notify"), "WATCHDOG_USEC": "400000"},
                   user=self.user, group=self.user, extra_groups=[] if self.user else None)

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

    def end(self):
        self.stop()
        self.notify.shutdown(socket.SHUT_RDWR)
        self.notify.close()
        super().end()


# ---- what a user does -------------------------------------------------------------------------------------------------------

def letter_send(up, subject):
    with smtplib.SMTP("127.0.0.1", up.port["smtp"], timeout=PATIENCE_S) as s:
        s.sendmail("alice@elsewhere.test", [WHO], f"From: alice@elsewhere.test\r\nTo: {WHO}\r\nSubject: {subject}\r\n\r\nDo you like ketchup?\r\n")


def letters(up):
    return [b"\n".join(lines).decode() for lines in mailbox(up.port["pop3"], WHO, PASSWORD)]


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
