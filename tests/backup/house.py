"""A `naru up` of a test's own: loopback, high ports, a directory that is removed. And what its people do."""
import json
import os
import smtplib
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "up"))
from running import PATIENCE_S, Running, check, counts, free_ports, mailbox, skipped, wait_for  # noqa: E402, F401

PEOPLE, PASSWORD = ["kim@club.test", "lee@club.test"], "ketchup-pickle-7"
NAMES = ["dns", "smtp", "submission", "submissions", "pop3", "pop3s", "upper", "tracker", "peers", "rpc"]
QUICK_BYTES_MIN = 1 << 30


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


class House(Running):
    """naru up in a directory of its own; `data` may be one that was restored."""

    def __init__(self, naru, data=None, more=None, quick=True):
        """more(directory): further words of the mta's block, and further blocks."""
        super().__init__(naru, new_directory(quick))
        self.data = data or self.data
        mta, blocks = more(self.dir) if more else ("", "")
        ports = free_ports(len(NAMES) + 1, 9000)
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
        self.start()

    def start(self):
        self.spawn()

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
        return [line[9:].decode() for lines in mailbox(self.port["pop3"], who, PASSWORD, 0) for line in lines if line.startswith(b"Subject: ")]
