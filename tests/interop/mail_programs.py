"""telnet, nc, swaks, curl, s-nail and mutt against the mail doors."""
import os, socket, subprocess, tempfile, uuid
from internet import PATIENCE_S, need, run, wait_for


def pop3_letters(i, who="bob@hamburger.edu", host="hamburger.edu"):
    """All letters of a mailbox as curl reads them."""
    address, port = i.where(host, "pop3")
    code, listing = run([need("curl"), "-s", "-S", f"pop3://{address}:{port}/", "-u", f"{who}:{i.passwords[who]}"])
    assert code == 0, listing
    letters = []
    for line in listing.splitlines():
        if line.split():
            code, text = run(["curl", "-s", f"pop3://{address}:{port}/{line.split()[0]}", "-u", f"{who}:{i.passwords[who]}"])
            letters.append(text)
    return letters


def arrives(i, mark, **where):
    assert wait_for(lambda: any(mark in t for t in pop3_letters(i, **where))), f"{mark} did not arrive"
    return next(t for t in pop3_letters(i, **where) if mark in t)


class Typing:
    """A person at a program: types a line after having read an answer that holds what was expected."""

    def __init__(self, command, line_end="\n"):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.line_end, self.seen = line_end, ""

    def read_until(self, mark):
        while mark not in self.seen:
            piece = os.read(self.process.stdout.fileno(), 4096).decode()
            assert piece, f"the conversation ended before {mark!r}: {self.seen!r}"
            self.seen += piece
        self.seen = self.seen.split(mark, 1)[1]

    def type(self, *lines):
        for line in lines:
            self.process.stdin.write((line + self.line_end).encode())
        self.process.stdin.flush()

    def close(self):
        self.process.stdin.close()
        self.process.wait(timeout=PATIENCE_S)


def type_letter(person, mark, helo="helo"):
    for wait, line in (("220 ", f"{helo} crepes.fr"), ("250 ", "mail from: <alice@crepes.fr>"), ("250 2.1.0", "rcpt to: <bob@hamburger.edu>"),
                       ("250 2.1.5", "data")):
        person.read_until(wait)
        person.type(line)
    person.read_until("354")
    person.type("Do you like ketchup?", "How about pickles?", mark, ".")
    person.read_until("250 2.0.0")
    person.type("quit")
    person.read_until("221 2.0.0")
    person.close()


def case_telnet_types_the_textbook_letter(i):
    mark = uuid.uuid4().hex
    type_letter(Typing([need("telnet"), *map(str, i.where("hamburger.edu", "smtp"))]), mark)
    assert "How about pickles?" in arrives(i, mark)


def case_nc_with_crlf_types_the_letter(i):
    mark = uuid.uuid4().hex
    type_letter(Typing([need("nc"), "-C", *map(str, i.where("hamburger.edu", "smtp"))]), mark)
    arrives(i, mark)


def case_nc_without_crlf_is_told_how(i):
    person = Typing([need("nc"), "-N", *map(str, i.where("hamburger.edu", "smtp"))])
    person.read_until("220 ")
    person.type("helo crepes.fr")
    person.read_until("500 5.5.2 lines end with CR LF (nc: use -C)")
    person.close()


def case_who_talks_before_the_greeting_is_refused(i):
    """All of it in one segment: at the latest at DATA the text that did not wait is seen (nc sends line by line, so it may pass)."""
    with socket.create_connection(i.where("hamburger.edu", "smtp"), timeout=PATIENCE_S) as s:
        s.sendall(b"HELO x\r\nMAIL FROM:<a@b.c>\r\nRCPT TO:<bob@hamburger.edu>\r\nDATA\r\nsmuggled\r\n.\r\nQUIT\r\n")
        said = b""
        while piece := s.recv(65536):
            said += piece
    assert b"accepted for delivery" not in said and (b"554 5.5.0" in said or b"503 5.5.0" in said), said


def case_swaks_sends_in_plain_text_and_under_tls(i):
    address, port = i.where("hamburger.edu", "smtp")
    for more in ([], ["--tls", "--tls-ca-path", i.ca], ["--pipeline"]):
        mark = uuid.uuid4().hex
        code, said = run([need("swaks"), "--server", address, "--port", str(port), "--from", "alice@crepes.fr", "--to", "bob@hamburger.edu",
                          "--header", f"Subject: {mark}", *more])
        assert code == 0, said
        arrives(i, mark)


def case_swaks_submits_with_a_password_only_under_tls_or_from_here(i):
    address, port = i.where("crepes.fr", "submission")
    mark = uuid.uuid4().hex
    common = [need("swaks"), "--server", address, "--port", str(port), "--from", "alice@crepes.fr", "--to", "bob@hamburger.edu",
              "--header", f"Subject: {mark}", "--auth", "PLAIN", "--auth-user", "alice@crepes.fr"]
    code, said = run(common + ["--auth-password", i.passwords["alice@crepes.fr"], "--tls"])
    assert code == 0, said
    letter = arrives(i, mark)
    assert "from mail.crepes.fr" in letter
    code, said = run(common + ["--auth-password", "wrong", "--tls"])
    assert code != 0 and "535 5.7.8" in said, said


def case_swaks_cannot_relay(i):
    address, port = i.where("hamburger.edu", "smtp")
    for to in ("x@gmail.com", "x%gmail.com@hamburger.edu", "@hamburger.edu:x@gmail.com", '"x@gmail.com"@hamburger.edu'):
        code, said = run([need("swaks"), "--server", address, "--port", str(port), "--from", "alice@crepes.fr", "--to", to, "--quit-after", "RCPT"])
        assert code != 0 and ("550" in said or "553" in said or "501" in said), (to, said)


def case_curl_sends_and_reads(i):
    address, port = i.where("hamburger.edu", "smtp")
    mark = uuid.uuid4().hex
    code, said = run([need("curl"), "-sS", f"smtp://{address}:{port}/crepes.fr", "--mail-from", "alice@crepes.fr", "--mail-rcpt", "bob@hamburger.edu", "-T", "-"],
                     text=f"Subject: curl\r\n\r\n.a dot in front\r\n{mark}\r\n".encode())
    assert code == 0, said
    assert "\r\n.a dot in front\r\n" in arrives(i, mark)


def case_curl_reads_under_tls_and_checks_the_certificate(i):
    address, port = i.where("hamburger.edu", "pop3s")
    url = f"pop3s://mail.hamburger.edu:{port}/"
    common = [need("curl"), "-sS", url, "--resolve", f"mail.hamburger.edu:{port}:{address}", "-u", f"bob@hamburger.edu:{i.passwords['bob@hamburger.edu']}"]
    code, said = run(common + ["--cacert", i.ca])
    assert code == 0, said
    code, said = run(common)
    assert code == 60, f"without the authority's certificate curl must refuse, it said {code}: {said}"


def case_s_nail_sends(i):
    address, port = i.where("crepes.fr", "submission")
    mark, who = uuid.uuid4().hex, "alice@crepes.fr"
    password = i.passwords[who]
    code, said = run([need("s-nail"), "-n", "-S", "v15-compat", "-S", f"mta=smtp://alice%40crepes.fr:{password}@{address}:{port}",
                      "-S", "smtp-use-starttls", "-S", "tls-verify=ignore", "-S", "smtp-auth=plain", "-S", f"from={who}", "-S", "sendwait", "-s", mark, "bob@hamburger.edu"],
                     text="hello from s-nail\n".encode())
    assert code == 0, said
    arrives(i, mark)


def case_mutt_reads_by_pop3(i):
    address, port = i.where("hamburger.edu", "pop3")
    mark = uuid.uuid4().hex
    sa, sp = i.where("hamburger.edu", "smtp")
    run([need("curl"), "-sS", f"smtp://{sa}:{sp}/x.org", "--mail-from", "alice@crepes.fr", "--mail-rcpt", "bob@hamburger.edu", "-T", "-"],
        text=f"From: alice@crepes.fr\r\nSubject: {mark}\r\n\r\nfor mutt\r\n".encode())
    arrives(i, mark)
    need("mutt"), need("script")
    with tempfile.TemporaryDirectory() as home:
        settings = f'set pop_user="bob@hamburger.edu"\nset pop_pass="{i.passwords["bob@hamburger.edu"]}"\nset pop_authenticators="user"\nset ssl_starttls=no\nset ssl_force_tls=no\nset pop_delete=no\nset pop_last=no\nset confirmappend=no\nset confirmcreate=no\nset quit=yes\n'
        open(os.path.join(home, "rc"), "w").write(settings)
        os.mkdir(os.path.join(home, "Mail"))
        code, said = run(["script", "-qec", f"timeout --foreground 5 mutt -n -F {home}/rc -f pop://{address}:{port}/", "/dev/null"],
                         env={"HOME": home, "TERM": "vt100", "LINES": "40", "COLUMNS": "150", "SHELL": "/bin/sh"}, timeout=PATIENCE_S, text=b"")
        assert mark in said, said[-800:]                  # the subject stands in mutt's list (nobody types, so time ends it)
