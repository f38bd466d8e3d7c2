#!/usr/bin/env python3
"""tests/soak/soak.py NARU MINUTES: does anything grow, or stay behind, when `naru up` runs for long among friends, enemies and changes?

Rounds, until the time is over: letters in and out, every kind of hostile client, names, a new configuration; now and then a backup and a
`naru torment` in small. After each round, when its clients are gone: memory (PSS, kB), descriptors, fibers and temporary files of all
processes. Flat means: the median memory of the last quarter is at most that of the second quarter + 5 % + 2 MB, and descriptors, fibers and
temporary files are at the end what they were after the first round, which comes before the count."""
import json, os, poplib, random, re, shutil, signal, smtplib, socket, statistics, struct, subprocess, sys, tempfile, threading, time

NARU, MINUTES = os.path.abspath(sys.argv[1]), float(sys.argv[2])
ZONE = "$TTL 60\n. IN SOA ns.test. root.test. ( 1 30m 15m 1w 1m )\n. IN NS ns.test.\nns.test. IN A {names}\nclub.test. IN MX 10 mx.club.test.\n" \
       "mx.club.test. IN A {node}\n*.wild.test. IN TXT \"x\"\n"
WHO, PASSWORD = "kim@club.test", "ketchup-pickle-7"
LETTERS, TORMENT_EVERY, BACKUP_EVERY, SETTLE_S, IDLE_S = 40, 8, 5, 60, 4
GROWTH, GROWTH_KB, RING_EVENTS = 1.05, 2048, 16384
counts = {"ok": 0, "not ok": 0}


def check(what, good, detail=""):
    counts["ok" if good else "not ok"] += 1
    print(f"{'ok' if good else 'not ok'} {what}" + (f": {detail}" if detail else ""), flush=True)
    return good


class Up:
    """A `naru up` with names, a resolver and mail, on 127.x.y.0/24 of its own."""

    def __init__(self):
        own = os.getpid()
        self.net = f"127.{10 + own // 250 % 50}.{1 + own % 250}."
        self.node, self.resolver, self.names = (self.net + last for last in ("10", "20", "30"))
        self.port = dict(dns=15453, smtp=15425, submission=15487, pop3=15410, upper=15412)
        self.top = tempfile.mkdtemp(prefix="naru-soak-")
        os.chmod(self.top, 0o711)
        self.data, self.config = os.path.join(self.top, "data"), os.path.join(self.top, "naru.conf")
        os.mkdir(os.path.join(self.top, "tmp"))
        with open(os.path.join(self.top, "root.zone"), "w") as f:
            f.write(ZONE.format(node=self.node, names=self.names))
        self.write(0)
        self.log = open(os.path.join(self.top, "log"), "w")
        self.environment = dict(os.environ, XDG_RUNTIME_DIR=self.top, TMPDIR=os.path.join(self.top, "tmp"), NARU_PASSWORD=PASSWORD)
        self.process = subprocess.Popen([NARU, "up", self.config, "--dir", self.data], stdout=self.log, stderr=self.log, env=self.environment)
        wait_for("naru up", lambda: self.processes() and all(p["state"] == "ready" for p in self.processes()))
        assert self.command("account", "add", WHO).returncode == 0

    def write(self, number):
        ports = "; ".join(f"{k} {v}" for k, v in self.port.items())
        with open(self.config + ".new", "w") as f:
            f.write(f"host mx.club.test\naddress {self.node}\nports {{ {ports} }}\ndomain club.test\nupper {{ }}\n"
                    f"resolver {{ listen {self.resolver}; root ns.test {self.names}; cache 1MB }}\n"
                    f"authoritative {{ listen {self.names}; zone . \"{self.top}/root.zone\" }}\n"
                    f"mta {{ recipients {100 + number % 7} }}\nmailstore {{ plaintext loopback }}\n")
        os.replace(self.config + ".new", self.config)

    def command(self, *words):
        return subprocess.run([NARU, *words, "--dir", self.data], capture_output=True, text=True, timeout=120, env=self.environment)

    def processes(self):
        said = self.command("status", "--json")
        return json.loads(said.stdout)["processes"] if said.returncode == 0 else []

    def pids(self):
        return [self.process.pid] + [p["pid"] for p in self.processes()]

    def end(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            code = "killed"
        self.log.close()
        return code


def wait_for(what, good, seconds=60):
    until = time.monotonic() + seconds
    while not good():
        if time.monotonic() > until:
            raise RuntimeError(f"{what}: not within {seconds} s")
        time.sleep(0.1)


# ---- what is sampled ----------------------------------------------------------------------------------------------------------

def pss_kb(pid):
    with open(f"/proc/{pid}/smaps_rollup") as f:
        return int(re.search(r"^Pss:\s+(\d+)", f.read(), re.M).group(1))


def temporary_files(up):
    paths = [os.path.relpath(os.path.join(d, f), up.top) for d, _, files in os.walk(up.top) for f in files]
    return [p for p in paths if re.search(r"\.(new|tmp|draft)$|^tmp/|/new/|^backup-", p)]


def sample(up):
    fibers = json.loads(up.command("ps", "--json").stdout)
    fibers = fibers["fibers"] if isinstance(fibers, dict) else fibers
    pids = up.pids()
    return {"pss": sum(pss_kb(p) for p in pids), "each": {p["service"]: pss_kb(p["pid"]) for p in up.processes()},
            "descriptors": sum(len(os.listdir(f"/proc/{p}/fd")) for p in pids), "fibers": len(fibers), "temporary": len(temporary_files(up)),
            "restarts": sum(p["restarts"] for p in up.processes())}


def settled(up, like):
    """A sample when what the round's clients left has gone: at once, or after the time that a lingering connection may take."""
    until = time.monotonic() + SETTLE_S
    while True:
        now = sample(up)
        if not like or time.monotonic() > until or all(now[k] <= like[k] for k in ("descriptors", "fibers", "temporary")):
            return now
        time.sleep(0.3)


# ---- a round --------------------------------------------------------------------------------------------------------------------

def letters_in_and_out(up, number):
    chance = random.Random(number)
    with smtplib.SMTP(up.node, up.port["smtp"], timeout=60) as s:
        for n in range(LETTERS):
            body = "x" * 70 + "\r\n"
            s.sendmail("alice@elsewhere.test", [WHO], f"Subject: {number}.{n}\r\n\r\n" + body * chance.choice((1, 20, 20, 2000)))
    found = 0
    until = time.monotonic() + 60
    while found < LETTERS and time.monotonic() < until:
        p = poplib.POP3(up.node, up.port["pop3"], timeout=60)
        p.user(WHO), p.pass_(PASSWORD)
        for n in range(p.stat()[0]):
            p.retr(n + 1), p.dele(n + 1)
            found += 1
        p.quit()
    assert found == LETTERS, f"{found} of {LETTERS} letters came out"


SAID = [b"", b"\r\n" * 50, b"EHLO x\r\n" * 40, b"EHLO x\r\nMAIL FROM:<a@b.org>\r\nRCPT TO:<kim@club.test>\r\nDATA\r\n", b"\x16\x03\x01\x02\x00" + bytes(200),
        b"EHLO x\r\nSTARTTLS\r\n\x16\x03\x01", b"GET / HTTP/1.1\r\n\r\n", b"NOOP\r\n" * 1100, b"x" * 100000, b"USER a\r\nPASS b\r\n" * 30,
        b"AUTH PLAIN\r\n" + b"=" * 3000 + b"\r\n", b"RSET\r\nVRFY a\r\nHELP\r\n" * 50, b"EHLO x\r\nMAIL FROM:<a@b.org> RET=FULL\r\n" * 10]


def read_all(s, wanted):
    got = 0
    while got < wanted and (piece := s.recv(65536)):
        got += piece.count(b"\n")


def rings_fill(up):
    """Every process keeps its last 16,384 events (docs/story.md): that memory is not growth, so it is used first."""
    for _ in range(10):
        with socket.create_connection((up.node, up.port["smtp"]), timeout=60) as s:
            s.recv(1000)
            s.sendall(b"NOOP\r\n" * 900)
            read_all(s, 900)
    with socket.create_connection((up.node, up.port["pop3"]), timeout=60) as s:
        s.sendall(f"USER {WHO}\r\nPASS {PASSWORD}\r\n".encode())
        read_all(s, 3)
        for _ in range(90):
            s.sendall(b"NOOP\r\n" * 100)
            read_all(s, 100)
    with socket.create_connection((up.node, up.port["upper"]), timeout=60) as s:
        for _ in range(9000):
            s.sendall(b"x\n")
            s.recv(100)
    with socket.socket(type=socket.SOCK_DGRAM) as s:
        s.settimeout(0.2)
        for n in range(RING_EVENTS):                     # each name is new: its question is told, and the answer to it
            s.sendto(struct.pack(">6H", n % 65536, 0x100, 1, 0, 0, 0) + b"\7f%06d\4none\4test\0\0\1\0\1" % n, (up.resolver, up.port["dns"]))
            try:
                while n % 50 == 49 and s.recv(4096)[:2] != struct.pack(">H", n % 65536):
                    pass
            except OSError:
                pass


def hostile_clients(up, number):
    chance, held = random.Random(1000 + number), []
    for n in range(80):
        try:
            s = socket.create_connection((up.node, up.port[chance.choice(("smtp", "submission", "pop3", "upper"))]), timeout=5,
                                         source_address=(up.net + str(100 + n % 100), 0))
            s.settimeout(1)
            s.sendall(chance.choice(SAID))
            held.append(s)
        except OSError:
            pass
    for s in held:
        if chance.random() < 0.5:                      # a reset, not an end
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        s.close()


def names(up, number):
    chance = random.Random(2000 + number)
    with socket.socket(type=socket.SOCK_DGRAM) as s:
        s.settimeout(0.01)
        for n in range(400):
            name = b"".join(bytes([len(l)]) + l for l in (b"n%d" % chance.randrange(10 ** 6), chance.choice((b"wild", b"none")), b"test")) + b"\0"
            packet = struct.pack(">6H", chance.randrange(65536), 0x100, 1, 0, 0, 0) + name + struct.pack(">2H", chance.choice((1, 16)), 1)
            if chance.random() < 0.3:
                packet = packet[:chance.randrange(len(packet))] + chance.randbytes(20)
            s.sendto(packet, (chance.choice((up.resolver, up.names)), up.port["dns"]))
            try:
                s.recv(4096)
            except OSError:
                pass
    for _ in range(20):
        with socket.create_connection((up.resolver, up.port["dns"]), timeout=5) as s:
            s.sendall(chance.randbytes(chance.randrange(1, 60)))


def reload(up, number):
    up.write(number)
    said = up.command("reload")
    assert said.returncode == 0, said.stderr


def backup(up, number):
    to = os.path.join(up.top, f"backup-{number}")
    said = up.command("backup", to)
    assert said.returncode == 0, said.stderr
    shutil.rmtree(to)


def torment(up, number):
    said = subprocess.run([NARU, "torment", "--letters", "300", "--seed", str(number), "--kills", "5"], capture_output=True, text=True, timeout=300,
                          env=up.environment)
    assert said.returncode == 0 and "accepted 300, lost 0, doubled in a mailbox 0" in said.stdout, said.stdout + said.stderr
    left = os.listdir(up.environment["TMPDIR"])
    assert not left, f"torment left {left}"


def round_of(up, number):
    threads = [threading.Thread(target=hostile_clients, args=(up, number)), threading.Thread(target=names, args=(up, number))]
    for t in threads:
        t.start()
    try:
        letters_in_and_out(up, number)
    finally:
        for t in threads:
            t.join()
    reload(up, number)
    if number % BACKUP_EVERY == BACKUP_EVERY - 1:
        backup(up, number)
    if number % TORMENT_EVERY == TORMENT_EVERY - 1:
        torment(up, number)


# ---- the verdict ------------------------------------------------------------------------------------------------------------------

def judge(samples):
    quarter = max(1, len(samples) // 4)
    second, last, end = samples[quarter:2 * quarter], samples[-quarter:], samples[-1]
    before, after = (statistics.median(s["pss"] for s in part) for part in (second, last))
    for s in samples if counts["not ok"] else samples[::max(1, len(samples) // 8)]:
        print(f"  pss {s['pss']} kB, descriptors {s['descriptors']}, fibers {s['fibers']}, temporary files {s['temporary']}; {s['each']}")
    check("memory is flat", after <= before * GROWTH + GROWTH_KB, f"{before:.0f} kB in the second quarter, {after:.0f} kB in the last, {len(samples)} rounds")
    for what in ("descriptors", "fibers", "temporary"):
        check(f"no {what} left", end[what] <= samples[0][what], f"{samples[0][what]} after the first round, {end[what]} at the end")
    check("no service died", end["restarts"] == 0, f"{end['restarts']} restarts")


def main():
    up, samples, until = Up(), [], time.monotonic() + MINUTES * 60
    try:
        rings_fill(up)
        round_of(up, 0)
        time.sleep(IDLE_S)
        number = 1
        while time.monotonic() < until or len(samples) < 4:
            samples.append(settled(up, samples[0] if samples else None))
            round_of(up, number)
            number += 1
        samples.append(settled(up, samples[0]))
        judge(samples)
    except (AssertionError, RuntimeError, OSError, subprocess.TimeoutExpired) as why:
        check(f"round {len(samples)}", False, str(why))
    check("it ends as asked", up.end() == 0)
    left = temporary_files(up)
    check("no temporary file is left", not left, str(left) if left else "")
    if counts["not ok"]:
        print(f"its log and data are in {up.top}")
    else:
        shutil.rmtree(up.top, ignore_errors=True)
    print(f"{counts['ok']} passed, {counts['not ok']} failed, 0 skipped")
    sys.exit(1 if counts["not ok"] else 0)


main()
