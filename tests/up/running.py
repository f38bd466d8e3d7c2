"""A `naru up` that a test started in a directory of its own, whatever its naru.conf says; and what its checks print and count.
For tests/up, tests/backup and tests/edge."""
import json
import os
import poplib
import shutil
import socket
import subprocess
import time

PATIENCE_S = 90                 # for an event that comes at once on a quiet machine: only what hangs meets it
counts = {"ok": 0, "not ok": 0, "skipped": 0}


def check(what, good, detail=""):
    word = "ok" if good else "not ok"
    counts[word] += 1
    print(f"{word} {what}" + (f": {detail}" if detail and not good else ""), flush=True)
    return good


def skipped(what, why):
    counts["skipped"] += 1
    print(f"SKIPPED {what}: {why}")


def wait_for(what, seconds=PATIENCE_S):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if what():
            return True
        time.sleep(0.05)
    return False


def free_ports(count, first=20000):
    """Ports below the range that the kernel gives to clients, free for UDP and TCP now; from another `first` tests at once do not meet."""
    found, port = [], first + os.getpid() * 97 % 8000
    while len(found) < count:
        port += 1
        with socket.socket() as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp:
            try:
                tcp.bind(("127.0.0.1", port))
                udp.bind(("127.0.0.1", port))
                found.append(port)
            except OSError:
                pass
    return found


class Running:
    """`naru up CONFIG --dir DATA` with its log in `dir`, which goes at the end."""

    def __init__(self, naru, directory):
        os.chmod(directory, 0o711)                       # as root the services are users of their own
        self.naru, self.dir = naru, directory
        self.config, self.data = os.path.join(directory, "naru.conf"), os.path.join(directory, "data")
        self.log = open(os.path.join(directory, "log"), "w+")
        self.process = None

    def spawn(self, program=None, environment=None, **more):
        self.process = subprocess.Popen([program or self.naru, "up", self.config, "--dir", self.data], stderr=self.log, stdout=self.log,
                                        env=dict(os.environ, XDG_RUNTIME_DIR=self.dir, **(environment or {})), **more)

    def command(self, *words, **more):
        return subprocess.run([self.naru, *words, "--dir", self.data], capture_output=True, text=True, timeout=PATIENCE_S * 3, **more)

    def processes(self):
        answer = self.command("status", "--json")
        return {p["service"]: p for p in json.loads(answer.stdout)["processes"]} if answer.returncode == 0 else {}

    def log_text(self):
        with open(self.log.name) as f:
            return f.read()

    def stop(self):
        """Its exit code."""
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(PATIENCE_S * 3)
            except subprocess.TimeoutExpired:
                self.process.kill()
        return self.process.returncode if self.process else None

    def end(self):
        self.stop()
        self.log.close()
        shutil.rmtree(self.dir, ignore_errors=True)


def mailbox(port, who, password, lines=None):
    """Its letters, as lists of lines, by POP3; with `lines` only the head and so many lines of each."""
    p = poplib.POP3("127.0.0.1", port, timeout=PATIENCE_S)
    p.user(who)
    p.pass_(password)
    found = [(p.retr(i + 1) if lines is None else p.top(i + 1, lines))[1] for i in range(p.stat()[0])]
    p.quit()
    return found
