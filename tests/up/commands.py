"""Every command of `naru --help`: --json gives JSON (or a JSON value a line), exit codes are those of docs/commands.md."""
import json
import os
import re
import subprocess

from machine import NARU, PASSWORD, PATIENCE_S, WHO, Up, check

DOCS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../docs/commands.md")
NO_DIR = "/nowhere/naru"

# What can be run harmlessly beside a running `naru up`: words, standard input, exit code. DIR, CONFIG, BAD, SMTP, DNS, UPPER are put in.
ROWS = {
    "up": [("up CONFIG --dir DIR", None, 1), ("up BAD --dir DIR", None, 2)],
    "status": [("status --dir DIR", None, 0), ("status --dir NOWHERE", None, 3)],
    "ps": [("ps --dir DIR", None, 0), ("ps --dir NOWHERE", None, 3)],
    "story": [("story --last --dir DIR", None, 0), ("story --last --dir NOWHERE", None, 3)],
    "queue": [("queue list --dir DIR", None, 0), ("queue list --dir NOWHERE", None, 3)],
    "account": [("account list --dir DIR", None, 0), ("account add lee@club.test --dir DIR", PASSWORD + "\n", 0), ("account list --dir NOWHERE", None, 3)],
    "services": [("services CONFIG --dir DIR", None, 0), ("services BAD --dir DIR", None, 2)],
    "reload": [("reload --dir DIR", None, 0), ("reload --dir NOWHERE", None, 3)],
    "upgrade": [("upgrade --dir DIR", None, 0), ("upgrade --dir NOWHERE", None, 3)],
    "config": [("config check CONFIG", None, 0), ("config check BAD", None, 2), ("config fmt CONFIG", None, 0), ("config fmt TORN", None, 2),
               ("config show CONFIG --effective", None, 0), ("config show BAD", None, 2), ("config describe", None, 0), ("config describe mta --lang ko", None, 0)],
    "man": [("man query", None, 0), ("man naru.conf --lang ko", None, 0), ("man --list", None, 0), ("man nothing", None, 2)],
    "completion": [("completion bash", None, 0), ("completion zsh", None, 0), ("completion fish", None, 0), ("completion tcsh", None, 2)],
    "scene": [("scene", None, 0)],
    "torrent": [("torrent create BAD --output TORRENT", None, 0), ("torrent show TORRENT", None, 0), ("torrent magnet TORRENT", None, 0),
                ("torrent create NOWHERE", None, 2)],
    "tracker": [("tracker record", None, 0), ("tracker status --dir NOWHERE", None, 3)],
    "steering": [("steering show --dir NOWHERE", None, 3), ("steering why somewhere", None, 2)],
    "play": [("play http://127.0.0.1:1/film.mpd", None, 3), ("play", None, 2), ("play http://127.0.0.1:1/film.mpd --rule coin", None, 2)],
    "video": [("video list --catalogue NOWHERE", None, 0), ("video show film --catalogue NOWHERE", None, 1), ("video add BAD --catalogue NOWHERE --rate best", None, 2)],
    "console": [("console --dir NOWHERE", None, 3), ("console accounting --dir NOWHERE", None, 3), ("console nothing", None, 2)],
    "mail": [("mail list", None, 2)],
    "query": [("query localhost @127.0.0.1#DNS", None, 0)],
    "upper": [("upper 127.0.0.1:UPPER ketchup", None, 0)],
}


def is_json(text):
    try:
        json.loads(text)
        return True
    except ValueError:
        pass
    try:
        return all(json.loads(line) is not None for line in text.splitlines())
    except ValueError:
        return False


def run(words, given=None):
    return subprocess.run([NARU, *words], input=given, capture_output=True, text=True, timeout=PATIENCE_S)


def rows_hold(up, commands):
    bad = os.path.join(up.dir, "bad.conf")
    with open(bad, "w") as f:
        f.write("mta { sizze 3MB }\n")
    torn = os.path.join(up.dir, "torn.conf")
    with open(torn, "w") as f:
        f.write("mta {\n")
    values = {"TORN": torn, "TORRENT": os.path.join(up.dir, "bad.torrent"), "DIR": up.data, "CONFIG": up.config, "BAD": bad, "NOWHERE": NO_DIR}
    for command in commands:
        wrong = []
        for text, given, code in ROWS.get(command, []):
            words = [values.get(w, w).replace("#DNS", f"#{up.port['dns']}").replace(":UPPER", f":{up.port['upper']}") for w in text.split()]
            answer = run([*words, "--json"], given)
            out = answer.stdout
            if answer.returncode != code or not (is_json(out) if code == 0 else not out or is_json(out)) or (code == 0 and not out):
                wrong.append((text, answer.returncode, out[:200], answer.stderr[:200]))
            if code and not answer.stderr:
                wrong.append((text, "nothing on standard error"))
        if command in ROWS:
            check(f"naru {command} --json: JSON, and the exit code of the table", not wrong, str(wrong))


def help_holds(commands):
    without, codes = [], []
    for command in commands:
        text = run([command, "--help"]).stdout
        if "  --json " not in text:
            without.append(command)
        if run([command, "--no-such-option"]).returncode != 2 or "Exit codes: 0 " not in text:
            codes.append(command)
    check(f"every one of {len(commands)} commands has --json", not without, str(without))
    check("... says its exit codes, and answers 2 to an unknown option", not codes, str(codes))


def documents_hold(commands):
    with open(DOCS) as f:
        docs = f.read()
    table = dict(re.findall(r"^\| `naru ([a-z]+)` \|[^|]*\| ([^|]*) \|", docs, re.M))
    check("docs/commands.md has every command, with --json", set(commands) <= set(table) and all(table[c].startswith("yes") for c in commands),
          str({c: table.get(c) for c in commands if not table.get(c, "").startswith("yes")}))
    documented = set(re.findall(r"^\| (\d) \|", docs, re.M))
    missing = [c for c in commands for code in documented if f"\n.B {code}\n" not in run(["man", c]).stdout]
    check("its exit codes stand on every manual page", documented == {"0", "1", "2", "3"} and not missing, str((documented, missing)))


def cases():
    commands = re.findall(r"^  ([a-z]+) ", run(["--help"]).stdout, re.M)
    help_holds(commands)
    documents_hold(commands)
    up = Up("")
    try:
        if check("a naru to be asked runs", up.said("READY=1"), up.log_text()[-1500:]):
            up.command("account", "add", WHO, input=PASSWORD + "\n")
            rows_hold(up, commands)
    finally:
        up.end()
