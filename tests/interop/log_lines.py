"""One line a conversation, with the names that docs/log.md promises."""
import os, poplib, re, shlex, smtplib, socket, uuid
from internet import PATIENCE_S, run, wait_for

ALWAYS = {"time", "level", "host", "service", "event"}
KEYS = {
    "smtp": {"trace", "peer", "helo", "account", "letters", "accepted", "refused", "tls", "verdict", "end", "duration_ms"},
    "submission": {"trace", "peer", "helo", "account", "letters", "accepted", "refused", "tls", "verdict", "end", "duration_ms"},
    "smtp-out": {"trace", "domain", "host_name", "peer", "letters", "delivered", "deferred", "failed", "tls", "verdict", "end", "duration_ms"},
    "lmtp-out": {"trace", "domain", "host_name", "peer", "letters", "delivered", "deferred", "failed", "tls", "verdict", "end", "duration_ms"},
    "lmtp": {"trace", "letters", "recipients", "refused", "verdict", "end", "duration_ms"},
    "pop3": {"trace", "peer", "user", "retrieved", "removed", "logins_failed", "tls", "verdict", "end", "duration_ms"},
    "control": {"requests", "changes", "bytes_out", "verdict", "end", "duration_ms"},
}
VERDICTS = {"smtp": {"accepted", "refused", "nothing"}, "submission": {"accepted", "refused", "nothing"}, "lmtp": {"ok", "broken"},
            "smtp-out": {"delivered", "deferred", "failed", "unreachable", "nothing"}, "pop3": {"read", "login", "refused", "nothing"},
            "lmtp-out": {"delivered", "deferred", "failed", "unreachable", "nothing"}, "control": {"changed"}}


def lines_of(i, service=None):
    with open(os.path.join(i.dir, "log"), errors="surrogateescape") as f:
        for line in f:
            pairs = [w.split("=", 1) for w in shlex.split(line)]
            names = [p[0] for p in pairs]
            assert len(set(names)) == len(names), f"a name stands twice: {line}"
            fields = dict(pairs)
            if fields["event"] == "conversation" and service in (None, fields["service"]):
                yield fields


def case_every_conversation_leaves_one_line(i):
    mark = uuid.uuid4().hex
    alice, bob = "alice@crepes.fr", "bob@hamburger.edu"
    with smtplib.SMTP(*i.where("crepes.fr", "submission"), timeout=PATIENCE_S) as s:
        s.ehlo(mark + ".example")
        s.login(alice, i.passwords[alice])
        s.sendmail(alice, [bob], f"Subject: {mark}\r\n\r\nx\r\n")

    def arrived():
        p = poplib.POP3(*i.where("hamburger.edu", "pop3"), timeout=PATIENCE_S)
        p.user(bob), p.pass_(i.passwords[bob])
        found = any(mark.encode() in b"".join(p.retr(n + 1)[1]) for n in range(len(p.list()[1])))
        p.quit()
        return found
    assert wait_for(arrived)
    run([i.naru, "queue", "flush"], env={"NARU_DIR": i.dir})
    with socket.create_connection(i.where("hamburger.edu", "smtp"), timeout=PATIENCE_S) as s:      # says a name that would like to be a line
        s.recv(1000)
        s.sendall(b'HELO x"\x01\xff verdict=accepted\r\nQUIT\r\n')
        while s.recv(1000):
            pass
    submitted = lambda: [f for f in lines_of(i, "submission") if f["helo"].startswith(mark)]
    assert wait_for(submitted)
    trace = submitted()[0]["trace"]
    same = lambda service: [f for f in lines_of(i, service) if f.get("trace") == trace]
    for service in ("submission", "smtp", "smtp-out", "lmtp", "lmtp-out"):
        assert wait_for(lambda: same(service)), f"no line of {service} has the letter's trace"
    assert submitted()[0]["verdict"] == "accepted" and submitted()[0]["accepted"] == "1", submitted()
    assert {f["verdict"] for f in same("smtp-out")} == {"delivered"}, same("smtp-out")
    seen = set()
    for fields in lines_of(i):
        service = fields["service"]
        if service not in KEYS:
            continue
        seen.add(service)
        assert ALWAYS | KEYS[service] - {"trace"} <= set(fields) <= ALWAYS | KEYS[service], fields
        assert fields["verdict"] in VERDICTS[service] and re.fullmatch(r"\d+\.\d{3}", fields["duration_ms"]), fields
    assert seen >= set(KEYS) - {"control"}, seen


def case_docs_log_names_every_service_and_key(i):
    with open(os.path.join(os.path.dirname(__file__), "../../docs/log.md")) as f:
        text = f.read()
    for service, keys in KEYS.items():
        row = re.search(rf"^\| `{service}` \|(.*)$", text, re.M)
        assert row, f"docs/log.md has no row for {service}"
        missing = [k for k in keys - {"trace"} if f"`{k}`" not in row.group(1)]
        assert not missing, (service, missing)
