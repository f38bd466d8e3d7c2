"""Python's smtplib and poplib, and sockets used as the course uses them."""
import poplib, smtplib, socket, ssl, uuid
from internet import PATIENCE_S, wait_for


def context(i):
    c = ssl.create_default_context(cafile=i.ca)
    return c


def pop(i, host="hamburger.edu", who="bob@hamburger.edu", tls=True):
    address, port = i.where(host, "pop3s" if tls else "pop3")
    if tls:
        c = context(i)
        c.check_hostname = False
        p = poplib.POP3_SSL(address, port, context=c, timeout=PATIENCE_S)
    else:
        p = poplib.POP3(address, port, timeout=PATIENCE_S)
    p.user(who)
    p.pass_(i.passwords[who])
    return p


def case_smtplib_sends_pipelined_letters_over_one_connection(i):
    marks = [uuid.uuid4().hex for _ in range(5)]
    with smtplib.SMTP(*i.where("hamburger.edu", "smtp"), timeout=PATIENCE_S) as s:
        for mark in marks:
            assert s.sendmail("alice@crepes.fr", ["bob@hamburger.edu"], f"Subject: {mark}\r\n\r\nhi\r\n") == {}

    def all_there():
        p = pop(i)
        text = b"\n".join(b"\n".join(p.top(n + 1, 0)[1]) for n in range(len(p.list()[1])))
        p.quit()
        return all(m.encode() in text for m in marks)
    assert wait_for(all_there)


def case_smtplib_starttls_verifies_the_name(i):
    address, port = i.where("hamburger.edu", "smtp")
    with smtplib.SMTP(address, port, timeout=PATIENCE_S) as s:
        s.ehlo()
        s._host = "mail.hamburger.edu"
        s.starttls(context=context(i))
        assert s.ehlo()[0] == 250 and not s.has_extn("starttls")
    with smtplib.SMTP(address, port, timeout=PATIENCE_S) as s:
        s.ehlo()
        s._host = "mail.evil.example"
        try:
            s.starttls(context=context(i))
            raise AssertionError("a certificate for another name was taken")
        except ssl.SSLCertVerificationError:
            s.close()


def case_smtplib_is_refused_politely(i):
    with smtplib.SMTP(*i.where("hamburger.edu", "smtp"), timeout=PATIENCE_S) as s:
        for to, code in (("nobody@hamburger.edu", 550), ("x@gmail.com", 550)):
            try:
                s.sendmail("alice@crepes.fr", [to], "Subject: x\r\n\r\nx\r\n")
                raise AssertionError(f"{to} was accepted")
            except smtplib.SMTPRecipientsRefused as e:
                assert e.recipients[to][0] == code, e.recipients
        s.ehlo()
        code, text = s.docmd("MAIL", "FROM:<a@b.org> SIZE=99999999999")
        assert code == 552, (code, text)


def case_a_sent_copy_and_no_login_as_another(i):
    address, port = i.where("crepes.fr", "submission")
    with smtplib.SMTP(address, port, timeout=PATIENCE_S) as s:
        s.ehlo()
        s._host = "mail.crepes.fr"
        s.starttls(context=context(i))
        s.login("alice@crepes.fr", i.passwords["alice@crepes.fr"])
        try:
            s.sendmail("bob@hamburger.edu", ["bob@hamburger.edu"], "Subject: forged\r\n\r\nx\r\n")
            raise AssertionError("Alice sent as Bob")
        except smtplib.SMTPSenderRefused as e:
            assert e.smtp_code == 553, e


def case_poplib_full_walk(i):
    mark = uuid.uuid4().hex
    with smtplib.SMTP(*i.where("hamburger.edu", "smtp"), timeout=PATIENCE_S) as s:
        s.sendmail("alice@crepes.fr", ["bob@hamburger.edu"], f"Subject: {mark}\r\n\r\n..dots\r\n.\r\nlast line\r\n")

    def find():
        p = pop(i)
        for n in range(1, len(p.list()[1]) + 1):
            if mark.encode() in b"".join(p.top(n, 0)[1]):
                p.quit()
                return n
        p.quit()
        return 0
    assert wait_for(find)
    n = find()
    p = pop(i, tls=False)
    assert b"UIDL" in b" ".join(p._longcmd("CAPA")[1])
    uid = p.uidl(n).split()[2]
    text = p.retr(n)[1]
    assert text[-3:] == [b"..dots", b".", b"last line"], text[-4:]
    p.dele(n)
    p.rset()
    p.quit()                                              # nothing was deleted: RSET took it back
    p = pop(i, tls=False)
    assert p.uidl(n).split()[2] == uid
    p.dele(n)
    p.close()                                             # hung up without QUIT: nothing is deleted
    assert wait_for(lambda: uid in open_uidl(i))
    p = pop(i)
    p.dele(n)
    p.quit()
    assert uid not in open_uidl(i)


def open_uidl(i):
    try:
        p = pop(i)
    except poplib.error_proto:                            # the other session's lock is not gone yet
        return b""
    ids = b" ".join(p.uidl()[1])
    p.quit()
    return ids


def case_the_maildrop_is_locked_for_one(i):
    p = pop(i)
    try:
        pop(i)
        raise AssertionError("two sessions in one maildrop")
    except poplib.error_proto as e:
        assert b"-ERR" in e.args[0], e
    p.quit()


def case_stls_then_login(i):
    address, port = i.where("hamburger.edu", "pop3")
    p = poplib.POP3(address, port, timeout=PATIENCE_S)
    c = context(i)
    c.check_hostname = False
    p.stls(c)
    p.user("bob@hamburger.edu")
    p.pass_(i.passwords["bob@hamburger.edu"])
    p.quit()


def case_upper_as_the_course_writes_it(i):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.settimeout(10)
    text = "lowercase sentence, straße, 나루"
    s.sendto(text.encode(), i.where("hamburger.edu", "upper"))
    answer, server = s.recvfrom(2048)
    assert answer.decode() == text.upper() and server == i.where("hamburger.edu", "upper")
    s.close()
    c = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    c.settimeout(10)
    c.connect(i.where("hamburger.edu", "upper"))
    c.send(b"no newline here")
    assert c.recv(1024) == b"NO NEWLINE HERE"
    c.close()
