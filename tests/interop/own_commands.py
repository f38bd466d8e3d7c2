"""naru's own commands against the running small Internet, as the README prints them."""
import json, os, re, signal, subprocess, tempfile, uuid
from internet import PATIENCE_S, run, wait_for


def naru(i, *words, want=0, text=None):
    code, said = run([i.naru, *words], text=text, env={"NARU_DIR": i.dir, "LANG": "C.UTF-8"})
    assert code == want, f"naru {' '.join(words)}: exit code {code}, wanted {want}\n{said}"
    return said


def password_file(i, who):
    path = os.path.join(tempfile.mkdtemp(), "password")
    with open(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "w") as f:
        f.write(i.passwords[who] + "\n")
    return path


def case_help_everywhere(i):
    said = naru(i, "--help")
    commands = re.findall(r"^  ([a-z]+) ", said, re.M)
    assert len(commands) >= 10, said
    for command in commands:
        assert f"naru {command}" in naru(i, command, "--help").lower(), command


def case_a_mistyped_command_gets_a_hint(i):
    assert 'did you mean "query"' in naru(i, "qeury", want=2)


def case_query_answers_traces_and_shows_the_wire(i):
    address, port = i.where("resolver", "dns")
    server = f"@{address}#{port}"
    assert "212.212.212.20" in naru(i, "query", "www.networkutopia.com", server)
    traced = naru(i, "query", "gaia.cs.umass.edu", "--trace", server)
    assert "128.119.245.12" in traced and "umass.edu" in traced, traced
    wire = naru(i, "query", "www.amazon.com", "--wire", server)
    assert "recursion" in wire.lower() and "id" in wire.lower(), wire
    json.loads(naru(i, "query", "www.amazon.com", "--json", server))


def case_query_says_what_was_wrong(i):
    address, port = i.where("resolver", "dns")
    server = f"@{address}#{port}"
    assert '"BLAH" is no type' in naru(i, "query", "www.ibm.com", "BLAH", server, want=2)
    assert "say which name" in naru(i, "query", want=2)
    assert "what it stands for has no record of this type" in naru(i, "query", "www.ibm.com", "MX", server, want=1)
    assert "NXDOMAIN" in naru(i, "query", "nosuch.edu", server, want=1)


def case_a_letter_without_a_header_is_listed_by_its_envelope(i):
    import smtplib
    with smtplib.SMTP(*i.where("sch.ac.kr", "smtp"), timeout=PATIENCE_S) as s:
        s.sendmail("ninanooo@naver.com", ["bob@sch.ac.kr"], "Do you like ketchup?\r\n")
    secret = ("--account", "bob@sch.ac.kr", "--password-file", password_file(i, "bob@sch.ac.kr"))
    assert wait_for(lambda: "(no subject)" in naru(i, "mail", "list", *secret))
    listed = next(l for l in naru(i, "mail", "list", *secret).splitlines() if "(no subject)" in l)
    assert "<ninanooo@naver.com>" in listed, listed
    said = naru(i, "mail", "read", listed.split()[0], *secret)
    assert "Return-Path" in said and said.endswith("Do you like ketchup?\n"), said


def case_every_command_of_the_welcome_works(i):
    import shlex, smtplib
    with tempfile.TemporaryFile("w+") as told:
        own = subprocess.Popen([i.naru, "try", "--lang", "en"], stdout=told, stdin=subprocess.DEVNULL, cwd="/")
        try:
            welcome = lambda: (told.seek(0), told.read())[1]
            assert wait_for(lambda: "Ctrl-C ends it all and leaves nothing" in welcome()), welcome()
            commands = [shlex.split(l) for l in welcome().splitlines() if l.startswith("    ")]
            directory = re.search(r"Data, zones, log: (\S+)", welcome())[1]
            telnet = next(c for c in commands if c[0] == "telnet")
            with smtplib.SMTP(telnet[1], int(telnet[2]), timeout=PATIENCE_S) as s:
                s.sendmail("alice@crepes.fr", ["bob@hamburger.edu"], "Do you like ketchup?\r\n")
            curl = next(c for c in commands if c[0] == "curl")
            assert wait_for(lambda: "ketchup" in run(curl)[1]), run(curl)
            others = [c for c in commands if c[0] in (i.naru, "dig") and "--all" not in c and "--watch" not in c]      # they go on
            assert len(others) == 5, others
            for command in others:
                code, said = run(command, env={"NARU_DIR": directory})
                assert code == 0 and said, (command, said)
        finally:
            own.send_signal(signal.SIGINT)
            own.wait(timeout=PATIENCE_S)
    assert not os.path.exists(directory), "nothing is left"


def case_upper_command(i):
    address, port = i.where("hamburger.edu", "upper")
    assert "KETCHUP" in naru(i, "upper", f"{address}:{port}", "ketchup")
    assert "PICKLES" in naru(i, "upper", f"{address}:{port}", "pickles", "--tcp")


def case_queue_holds_shows_releases_and_deletes(i):
    import smtplib
    assert "empty" in naru(i, "queue", "list")
    address, port = i.where("crepes.fr", "submission")
    mark = uuid.uuid4().hex
    with smtplib.SMTP(address, port, timeout=PATIENCE_S) as s:
        s.login("alice@crepes.fr", i.passwords["alice@crepes.fr"])
        s.sendmail("alice@crepes.fr", ["mark@mail.networkutopia.com"], f"Subject: {mark}\r\n\r\nx\r\n")    # nobody listens there
    waits = lambda: json.loads(naru(i, "queue", "list", "--json"))
    assert wait_for(lambda: any(r["attempts"] for l in waits() for r in l["recipients"] if r["state"] == "waiting"))
    letter = waits()[0]["id"]
    shown = naru(i, "queue", "show", letter)
    assert "mark@mail.networkutopia.com" in shown and "no route to the host" in shown, shown
    assert "is held" in naru(i, "queue", "hold", letter)
    assert json.loads(naru(i, "queue", "show", letter, "--json"))["held"] is True
    assert "naru queue release" in naru(i, "queue", "show", letter)
    assert "is released" in naru(i, "queue", "release", letter)
    assert "is tried now" in naru(i, "queue", "retry", letter)
    assert "is deleted" in naru(i, "queue", "delete", letter)
    assert wait_for(lambda: not waits())
    naru(i, "queue", "show", letter, want=1)


def case_status_and_ps(i):
    assert naru(i, "status")
    json.loads(naru(i, "status", "--json"))
    assert naru(i, "ps")


def case_what_is_wrong_with_a_configuration_as_json(i):
    where = os.path.join(tempfile.mkdtemp(), "naru.conf")
    for text, code, fine in (("host mx.example\n", 0, True), ("host mx.example\nmta { sizze 3 }\n", 2, False)):
        with open(where, "w") as f:
            f.write(text)
        said = json.loads(naru(i, "config", "check", where, "--json", want=code).splitlines()[-1])
        assert said["fine"] is fine and said["file"] == where, said
    assert (said["line"], said["column"]) == (2, 7) and 'did you mean "size"' in said["error"], said


def case_the_list_of_scenes_as_json(i):
    scenes = json.loads(naru(i, "scene", "--json"))
    assert len(scenes) >= 30 and all(s["name"] and s["title"] and s["built"] in (True, False) for s in scenes), scenes


def case_story_of_the_last_letter(i):
    import smtplib
    with smtplib.SMTP(*i.where("crepes.fr", "submission"), timeout=PATIENCE_S) as s:
        s.login("alice@crepes.fr", i.passwords["alice@crepes.fr"])
        s.sendmail("alice@crepes.fr", ["bob@hamburger.edu"], "Subject: a story\r\n\r\nx\r\n")
    assert wait_for(lambda: "lmtp" in naru(i, "story", "--last", "--json").lower())
    said = naru(i, "story", "--last")
    for part in ("MAIL FROM", "RCPT TO", "354", "hamburger.edu"):
        assert part in said, (part, said)
    assert i.passwords["alice@crepes.fr"] not in said
    page = os.path.join(tempfile.mkdtemp(), "story.html")
    naru(i, "story", "--last", "--html", page, "--lang", "ko")
    html = open(page).read()
    assert "<html" in html and "http://" not in re.sub(r"http://www\.w3\.org[^\"']*", "", html), "one self-contained page"
