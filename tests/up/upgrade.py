"""`naru upgrade`: another program takes the place of the running one, while clients come and go all the time."""
import os
import shutil
import signal
import smtplib
import socket
import threading
import time

from machine import NARU, PASSWORD, PATIENCE_S, WHO, Up, check, letter_count, letter_send, letters, upper

QUERY = bytes.fromhex("123401000001000000000000") + b"\x09localhost\x00\x00\x01\x00\x01"


def line_of(s):
    text = b""
    while not text.endswith(b"\n"):
        got = s.recv(500)
        if not got:
            raise EOFError("cut after " + repr(text))
        text += got
    return text


def says(s, text, wanted):
    if text:
        s.sendall(text)
    got = line_of(s)
    if not got.startswith(wanted):
        raise EOFError(repr(got))


def smtp_visit(port):
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S) as s:
        says(s, b"", b"220")
        says(s, b"NOOP\r\n", b"250")
        says(s, b"QUIT\r\n", b"221")


def pop3_visit(port):
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S) as s:
        says(s, b"", b"+OK")
        says(s, b"QUIT\r\n", b"+OK")


def upper_visit(port):
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S) as s:
        says(s, b"ketchup\n", b"KETCHUP")


def dns_tcp_visit(port):
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S) as s:
        s.sendall(len(QUERY).to_bytes(2, "big") + QUERY)
        if s.recv(600)[2:4] != b"\x12\x34":
            raise EOFError("no answer")


def dns_udp_visit(port):
    with socket.socket(type=socket.SOCK_DGRAM) as s:
        s.settimeout(PATIENCE_S)
        s.sendto(QUERY, ("127.0.0.1", port))
        s.recv(600)


VISITS = {"SMTP": (smtp_visit, "smtp"), "POP3": (pop3_visit, "pop3"), "upper": (upper_visit, "upper"),
          "DNS over TCP": (dns_tcp_visit, "dns"), "DNS over UDP": (dns_udp_visit, "dns")}


class Crowd:
    """Clients of every service, one conversation after the other, until the end."""

    def __init__(self, up):
        self.stop, self.visits, self.longest, self.troubles = False, dict.fromkeys(VISITS, 0), dict.fromkeys(VISITS, 0.0), []
        self.threads = [threading.Thread(target=self.run, args=(what, visit, up.port[port])) for what, (visit, port) in VISITS.items()]
        for t in self.threads:
            t.start()

    def run(self, what, visit, port):
        while not self.stop:
            begun = time.monotonic()
            try:
                visit(port)
                self.visits[what] += 1
            except (OSError, EOFError) as e:
                self.troubles.append(f"{what}: {e!r}")
            self.longest[what] = max(self.longest[what], time.monotonic() - begun)
            time.sleep(0.002)

    def end(self):
        self.stop = True
        for t in self.threads:
            t.join()


def slow_letter(up, subject, begun):
    """A conversation that is in its middle when the upgrade begins, and goes on in small steps."""
    with smtplib.SMTP("127.0.0.1", up.port["smtp"], timeout=PATIENCE_S) as s:
        s.ehlo("client.test")
        s.mail("alice@elsewhere.test")
        begun.set()
        time.sleep(0.3)
        s.rcpt(WHO)
        time.sleep(0.3)
        return s.data(f"Subject: {subject}\r\n\r\nStill here.\r\n".encode())[0]


class Letters:
    """Letters on their way all the time, each with a subject of its own."""

    def __init__(self, up):
        self.stop, self.sent, self.troubles = False, [], []
        self.thread = threading.Thread(target=self.run, args=(up,))
        self.thread.start()

    def run(self, up):
        while not self.stop:
            subject = f"letter {len(self.sent)}."
            try:
                letter_send(up, subject)
                self.sent.append(subject)
            except (OSError, smtplib.SMTPException) as e:
                self.troubles.append(repr(e))
            time.sleep(0.02)

    def end(self):
        self.stop = True
        self.thread.join()


def arrived(up, subjects):
    """How often each is in the mailbox, once all are there."""
    until = time.monotonic() + PATIENCE_S
    while True:
        texts = letters(up)
        counts = {s: sum(f"Subject: {s}" in t for t in texts) for s in subjects}
        if all(counts.values()) or time.monotonic() > until:
            return counts
        time.sleep(0.05)


def pids_of(up):
    return {name: p["pid"] for name, p in up.processes().items()}


def file_of(pid):
    st = os.stat(f"/proc/{pid}/exe")
    return st.st_dev, st.st_ino


def program_put(program, source):
    """A new file at the path of the running program, as a package manager puts it there."""
    if callable(source):
        source(program + ".new")
    else:
        shutil.copy2(source, program + ".new")
    os.chmod(program + ".new", 0o755)
    os.rename(program + ".new", program)


def nobody_is_refused(up, program):
    pids, crowd, post, held_end, begun = pids_of(up), Crowd(up), Letters(up), [], threading.Event()
    slow = threading.Thread(target=lambda: held_end.append(slow_letter(up, "across the upgrade", begun)))
    slow.start()
    try:
        with socket.create_connection(("127.0.0.1", up.port["upper"]), timeout=PATIENCE_S) as held:
            says(held, b"before\n", b"BEFORE")
            begun.wait(PATIENCE_S)
            program_put(program, NARU)
            answer = up.command("upgrade", "--json")
            says(held, b"after\n", b"AFTER")
        check("naru upgrade: the new program runs", answer.returncode == 0 and '"upgraded":true' in answer.stdout, answer.stdout + answer.stderr)
        time.sleep(0.2)
        again = up.command("upgrade")
        check("... and once more", again.returncode == 0 and again.stdout == "upgraded\n", again.stderr)
    finally:
        crowd.end()
        post.end()
        slow.join()
    after, file = pids_of(up), os.stat(program)
    check("... every service is a new process of it, under the same supervisor", set(after) == set(pids) and
          not set(after.values()) & set(pids.values()) and up.process.poll() is None and
          {file_of(p) for p in [*after.values(), up.process.pid]} == {(file.st_dev, file.st_ino)}, str((pids, after)))
    print("  clients meanwhile: " + ", ".join(f"{n} of {what} (longest {crowd.longest[what]:.2f} s)" for what, n in crowd.visits.items()))
    check("... no client was refused, none was cut", not crowd.troubles and min(crowd.visits.values()) > 0, str(crowd.troubles[:5]) + str(crowd.visits))
    check("... a conversation that was in its middle has ended well", held_end == [250], str(held_end))
    check("... and its letter is in the mailbox, once", letter_count(up, "across the upgrade") == 1)
    counts = arrived(up, post.sent)
    wrong = {s: n for s, n in counts.items() if n != 1}
    print(f"  letters meanwhile: {len(counts)} accepted, {sum(n == 0 for n in counts.values())} lost, {sum(n > 1 for n in counts.values())} doubled")
    check("... every letter that was accepted meanwhile is there, once", counts and not wrong and not post.troubles, str(wrong) + str(post.troubles[:3]))


def bad_programs_change_nothing(up, program):
    def script(path):
        with open(path, "w") as f:
            f.write("#!/bin/sh\nexit 3\n")

    def torn(path):
        with open(NARU, "rb") as whole, open(path, "wb") as f:
            f.write(whole.read(3000))

    pids = pids_of(up)
    for what, source, why in (("that ends at once", script, "code 3"), ("that is torn", torn, "")):
        program_put(program, source)
        answer = up.command("upgrade")
        check(f"a program {what} is not taken", answer.returncode == 1 and "the old program goes on" in answer.stderr and why in answer.stderr,
              answer.stdout + answer.stderr)
    os.unlink(program)
    gone = up.command("upgrade")
    check("a program that is not there is not taken", gone.returncode == 1 and "No such file" in gone.stderr, gone.stderr)
    program_put(program, NARU)
    up.write("mta { sizze 3MB }\n")
    mistake = up.command("upgrade", "--json")
    check("nor is one whose naru.conf has a mistake: line and column are said", mistake.returncode == 1 and ":7:7:" in mistake.stdout and
          '"upgraded":false' in mistake.stdout, mistake.stdout + mistake.stderr)
    check("... all runs on as it was", pids_of(up) == pids)
    up.write("mta { certificate /nowhere.pem; key /nowhere.pem }\n")
    crowd = Crowd(up)
    try:
        back = up.command("upgrade")
    finally:
        crowd.end()
    check("a service that does not start under the new program: the old one comes back", back.returncode == 1 and "/nowhere.pem" in back.stderr and
          upper(up) and all(p["state"] == "ready" for p in up.processes().values()), back.stderr + str(up.processes()))
    check("... no client was refused meanwhile, none was cut", not crowd.troubles, str(crowd.troubles[:5]))
    up.write("", mailstore="mailstore { certificate /nowhere.pem; key /nowhere.pem; plaintext loopback }\n")
    inner = up.command("upgrade")            # mta has ended by then, to start after it
    check("the same where others wait for that service", inner.returncode == 1 and "/nowhere.pem" in inner.stderr and
          all(p["state"] == "ready" for p in up.processes().values()), inner.stderr + str(up.processes()))
    up.write("")
    up.forget()
    up.process.send_signal(signal.SIGUSR2)
    check("SIGUSR2 upgrades too, and systemd is told", up.said("STATUS=trying the new program", "READY=1"))


def cases():
    directory = os.path.join("/tmp" if os.access("/tmp", os.W_OK) else ".", f"naru-program-{os.getpid()}")
    os.mkdir(directory)
    program = os.path.join(directory, "naru")
    shutil.copy2(NARU, program)
    up = Up(program=program)
    try:
        if check("a copy of the program runs", up.said("READY=1"), up.log_text()[-1500:]):
            up.command("account", "add", WHO, input=PASSWORD + "\n")
            nobody_is_refused(up, program)
            bad_programs_change_nothing(up, program)
            up.process.terminate()
            check("after all this it ends as always", up.process.wait(PATIENCE_S * 3) == 0, up.log_text()[-1500:])
    finally:
        up.end()
        shutil.rmtree(directory, ignore_errors=True)
