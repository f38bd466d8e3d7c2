"""naru mail and naru account against the running small Internet."""
import json, os, smtplib, tempfile, uuid
from email.mime.text import MIMEText
from internet import PATIENCE_S, wait_for
from own_commands import naru, password_file


def listed(i, who="bob@hamburger.edu"):
    return json.loads(naru(i, "mail", "list", "--json", "--account", who))


def arrived(i, subject, who="bob@hamburger.edu"):
    found = []
    def look():
        found[:] = [l for l in listed(i, who) if l["subject"] == subject]
        return found
    assert wait_for(look), f"'{subject}' did not arrive"
    return str(found[0]["number"])


def case_mail_sends_pictures_and_korean_and_reads_them_back(i):
    subject = "점심 " + uuid.uuid4().hex
    with tempfile.TemporaryDirectory() as d:
        picture, out = os.path.join(d, "그림.jpg"), os.path.join(d, "out")
        with open(picture, "wb") as f:
            f.write(os.urandom(150000))
        said = naru(i, "mail", "send", "bob@hamburger.edu", "--account", "alice@crepes.fr", "--subject", subject,
                    "--text", "Do you like 김치?\n.\n..dots", "--attach", picture)
        assert "accepted for bob@hamburger.edu" in said, said
        n = arrived(i, subject)
        letter = json.loads(naru(i, "mail", "read", n, "--json", "--account", "bob@hamburger.edu", "--save", out))
        assert letter["text"].replace("\r\n", "\n").rstrip("\n") == "Do you like 김치?\n.\n..dots", letter
        assert letter["attachments"] == [{"name": "그림.jpg", "type": "image/jpeg", "size": 150000}], letter
        with open(picture, "rb") as a, open(os.path.join(out, "그림.jpg"), "rb") as b:
            assert a.read() == b.read()
        assert "Subject: =?UTF-8?B?" in naru(i, "mail", "read", n, "--raw", "--account", "bob@hamburger.edu")
        naru(i, "mail", "delete", n, "--account", "bob@hamburger.edu")
        assert subject not in [l["subject"] for l in listed(i)]


def case_mail_reads_korean_charsets(i):
    address, port = i.where("hamburger.edu", "smtp")
    for charset in ("euc-kr", "cp949", "iso-2022-kr", "utf-8"):
        mark = uuid.uuid4().hex
        letter = MIMEText("안녕하세요, 반갑습니다\n", "plain", charset)
        letter["Subject"], letter["From"], letter["To"] = mark, "alice@crepes.fr", "bob@hamburger.edu"
        with smtplib.SMTP(address, port, "crepes.fr", timeout=PATIENCE_S) as s:
            s.send_message(letter)
        n = arrived(i, mark)
        assert "안녕하세요, 반갑습니다" in naru(i, "mail", "read", n, "--account", "bob@hamburger.edu"), charset
        naru(i, "mail", "delete", n, "--account", "bob@hamburger.edu")


def case_mail_says_what_went_wrong(i):
    address, port = i.where("hamburger.edu", "pop3")
    server = ["--server", f"{address}:{port}", "--account", "bob@hamburger.edu"]
    assert "wrong name or password" in naru(i, "mail", "list", *server, "--ca", i.ca, "--password", "no such one", want=1)
    assert "issuer" in naru(i, "mail", "list", *server, "--password-file", password_file(i, "bob@hamburger.edu"), want=1)
    assert "connection refused" in naru(i, "mail", "list", "--server", "127.0.0.1:1", "--account", "bob@hamburger.edu", "--ca", i.ca, "--password", "x", want=3)
    assert "no message" in naru(i, "mail", "read", "99999", "--account", "bob@hamburger.edu", want=1)
    assert "no address" in naru(i, "mail", "send", "nobody", "--account", "alice@crepes.fr", "--text", "x", want=2)
    assert "whose mail" in naru(i, "mail", "list", want=2)


def case_accounts_come_and_go(i):
    who = f"carol-{uuid.uuid4().hex[:8]}@hamburger.edu"
    naru(i, "account", "add", who, text=b"pickles for all\n")
    assert "already" in naru(i, "account", "add", who, text=b"pickles for all\n", want=1)
    assert "at least 8" in naru(i, "account", "add", "x" + who, text=b"short\n", want=1)
    assert who in naru(i, "account", "list")
    def can_read(password, want=0):
        address, port = i.where("hamburger.edu", "pop3")
        return naru(i, "mail", "list", "--account", who, "--server", f"{address}:{port}", "--ca", i.ca, "--tls" if port == 995 else "--json",
                    "--password", password, want=want)
    can_read("pickles for all")
    naru(i, "account", "passwd", who, text=b"onions for all\n")
    can_read("pickles for all", want=1)
    can_read("onions for all")
    app = json.loads(naru(i, "account", "app-add", who, "--label", "phone", "--json"))
    can_read(app["password"])
    naru(i, "account", "app-remove", who, "--id", str(app["id"]))
    can_read(app["password"], want=1)
    naru(i, "account", "remove", who)
    can_read("onions for all", want=1)
    assert "there is no account" in naru(i, "account", "remove", who, want=1)
