"""A `naru up` of a test's own: loopback, high ports, a directory that is removed. And what its people do."""
import json
import os
import poplib
import shutil
import smtplib
import socket
import subprocess
import tempfile
import time

PEOPLE, PASSWORD = ["kim@club.test", "lee@club.test"], "ketchup-pickle-7"
NAMES = ["dns", "smtp", "submission", "submissions", "pop3", "pop3s", "upper", "tracker", "peers", "rpc"]
PATIENCE_S = 30                 # a loaded machine is slow
QUICK_BYTES_MIN = 1 << 30
counts = {"ok": 0, "not ok": 0, "skipped": 0}


def check(what, good, detail=""):
    word = "ok" if good else "not ok"
    counts[word] += 1
    print(f"{word} {what}" + (f": {detail}" if detail and not good else ""), flush=True)
    return good


def skipped(what, why):
    counts["skipped"] += 1
    print(f"SKIPPED {what}: {why}")


def quick_place():
    """Memory, where there is enough of it: for what is only looked at. None: the usual place."""
    try:
        space = os.statvfs("/dev/shm")
        return "/dev/shm" if os.access("/dev/shm", os.W_OK) and space.f_bavail * space.f_frsize > QUICK_BYTES_MIN else None
    except OSError:
        return None


def new_directory(quick=False):
    made = tempfile.mkdtemp(prefix="naru-backup-", dir=quick_place() if quick else None)
    os.chmod(made, 0o711)                        # as root the services are users of their own
    return made


def free_ports(count):
    """Ports below the range that the kernel gives to clients, free for UDP and TCP now."""
    found, port = [], 9000 + os.getpid() % 9000
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


def wait_for(what, seconds=PATIENCE_S):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if what():
            return True
        time.sleep(0.05)
    return False


class House:
    """naru up in a directory of its own; `data` may be one that was restored."""

    def __init__(self, naru, data=None, more=None, quick=True):
        """more(directory): further words of the mta's block, and further blocks."""
        self.naru = naru
        self.dir = new_directory(quick)
        self.data = data or os.path.join(self.dir, "data")
        self.config = os.path.join(self.dir, "naru.conf")
        mta, blocks = more(self.dir) if more else ("", "")
        ports = free_ports(len(NAMES) + 1)
        self.port = dict(zip(NAMES, ports))
        with open(self.config, "w") as f:
            table = "; ".join(f"{name} {port}" for name, port in self.port.items())
            f.write(f"host mx.club.test\naddress 127.0.0.1\nports {{ {table} }}\ndomain club.test {{ zone {self.dir}/club.zone }}\n"
                    f"authoritative {{ listen 127.0.0.2 }}\nmailstore {{ plaintext loopback }}\n"
                    f"include more.conf\n{blocks}")
        with open(os.path.join(self.dir, "more.conf"), "w") as f:        # nobody answers DNS there: what goes outside waits
            f.write(f"mta {{ plaintext loopback; retry 1s; resolver 127.0.0.1:{ports[-1]}; {mta} }}\n")
        with open(os.path.join(self.dir, "club.zone"), "w") as f:
            f.write("$ORIGIN club.test.\n$TTL 60\n@ SOA mx.club.test. admin.club.test. 1 60 60 60 60\n@ NS mx.club.test.\nmx A 127.0.0.1\n")
        self.log = open(os.path.join(self.dir, "log"), "w+")
        self.process = None
        self.start()

    def start(self):
        self.process = subprocess.Popen([self.naru, "up", self.config, "--dir", self.data], stderr=self.log, stdout=self.log,
                                        env=dict(os.environ, XDG_RUNTIME_DIR=self.dir))

    def command(self, *words, **more):
        return subprocess.run([self.naru, *words, "--dir", self.data], capture_output=True, text=True, timeout=PATIENCE_S * 3, **more)

    def processes(self):
        answer = self.command("status", "--json")
        return {p["service"]: p for p in json.loads(answer.stdout)["processes"]} if answer.returncode == 0 else {}

    def ready(self):
        return wait_for(lambda: (p := self.processes()) and all(one["state"] == "ready" for one in p.values()))

    def queue(self):
        answer = self.command("queue", "list", "--json")
        return json.loads(answer.stdout) if answer.returncode == 0 else None

    def kill(self, service):
        pid = self.processes().get(service, {}).get("pid", 0)
        if pid:
            os.kill(pid, 9)
        return pid

    def send(self, subject, to=PEOPLE, filling=10, submit=False):
        """True: accepted."""
        text = f"From: alice@elsewhere.test\r\nSubject: {subject}\r\n\r\n" + "ketchup and pickles\r\n" * filling
        try:
            with smtplib.SMTP("127.0.0.1", self.port["submission" if submit else "smtp"], timeout=PATIENCE_S) as s:
                if submit:
                    s.login(PEOPLE[0], PASSWORD)
                s.sendmail(PEOPLE[0] if submit else "alice@elsewhere.test", to, text)
            return True
        except (OSError, smtplib.SMTPException):
            return False

    def subjects(self, who):
        """The subjects of all letters in a mailbox, by POP3."""
        p = poplib.POP3("127.0.0.1", self.port["pop3"], timeout=PATIENCE_S)
        p.user(who)
        p.pass_(PASSWORD)
        found = []
        for i in range(p.stat()[0]):
            found += [line[9:].decode() for line in p.top(i + 1, 0)[1] if line.startswith(b"Subject: ")]
        p.quit()
        return found

    def log_text(self):
        with open(self.log.name) as f:
            return f.read()

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(PATIENCE_S * 2)
            except subprocess.TimeoutExpired:
                self.process.kill()
        return self.process.returncode

    def end(self):
        self.stop()
        self.log.close()
        shutil.rmtree(self.dir, ignore_errors=True)
