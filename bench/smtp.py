#!/usr/bin/env python3
"""bench/smtp.py [--json]: durable SMTP acceptance, naru beside Debian's Postfix in the same run, interleaved; and through to one
mailbox against Postfix with Dovecot's LMTP. Letters of 4 KiB from smtp-source over 1, 20 and 100 sessions. Both sides hand the
letters on (to a door that discards them, or to a store). CPU is user + system of all processes of the server until its queue is
empty. The generator's own ceiling (into smtp-sink) stands beside. Nothing here measures a network: all of it is loopback."""
import json, os, pwd, shutil, signal, socket, statistics, subprocess, sys, tempfile, time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BUILD = os.environ.get("NARU_BUILD", os.path.join(ROOT, "build"))
PEERS = os.path.join(ROOT, "build", "peers")
QUICK = bool(os.environ.get("NARU_BENCH_QUICK"))
TICK = os.sysconf("SC_CLK_TCK")
ROUNDS = 1 if QUICK else 3


def peer(*words, **more):
    return subprocess.run([os.path.join(ROOT, "tools", "peer"), *words], check=True, stdout=subprocess.DEVNULL, **more)


def free_ports(count):
    for base in range(27000, 30000, 10):
        try:
            for p in range(base, base + count):
                with socket.socket() as s:
                    s.bind(("127.0.0.1", p))
            return base
        except OSError:
            continue
    raise RuntimeError("no free ports")


def wait_port(port, seconds=20):
    end = time.time() + seconds
    while time.time() < end:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.05)
    raise RuntimeError(f"nothing answers on port {port}")


def descendants(pid):
    children = {}
    for p in filter(str.isdigit, os.listdir("/proc")):
        try:
            fields = open(f"/proc/{p}/stat").read().rsplit(")", 1)[1].split()
            children.setdefault(int(fields[1]), []).append(int(p))
        except OSError:
            pass
    found, todo = [], [pid]
    while todo:
        p = todo.pop()
        found.append(p)
        todo += children.get(p, [])
    return found


def cpu_seconds(pid):
    """Of a process, its descendants, and those of them that have ended and been waited for."""
    total = 0
    for p in descendants(pid):
        try:
            fields = open(f"/proc/{p}/stat").read().rsplit(")", 1)[1].split()
            total += sum(int(x) for x in fields[11:15])
        except OSError:
            pass
    return total / TICK


class Naru:
    name = "naru"

    def __init__(self, directory, store):
        self.port = free_ports(5)
        command = [os.path.join(BUILD, "bench", "bench-mail_server"), os.path.join(directory, "naru"), str(self.port)]
        self.process = subprocess.Popen(command + (["--store"] if store else []), stdout=subprocess.PIPE, text=True)
        if "ready" not in self.process.stdout.readline():
            raise RuntimeError("bench-mail_server did not start")
        self.pid, self.log = self.process.pid, os.path.join(directory, "naru.log")

    def finished(self, count):
        return subprocess.run(["grep", "-c", "event=delivered", self.log], stdout=subprocess.PIPE, text=True).stdout.strip() == str(count)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(timeout=60)


class Postfix:
    name = "Postfix"

    def __init__(self, directory, dovecot_socket=None):
        self.port, self.directory = free_ports(1), os.path.join(directory, "postfix")
        etc, self.queue = os.path.join(self.directory, "etc"), os.path.join(self.directory, "queue")
        self.log = os.path.join(self.directory, "log")
        os.makedirs(etc)
        owner = pwd.getpwnam("bin")
        for name, mode in (("", 0o755), ("pid", 0o755), ("private", 0o700), ("public", 0o710), ("maildrop", 0o730), ("../data", 0o700)):
            path = os.path.join(self.queue, name)
            os.makedirs(path, exist_ok=True)
            os.chmod(path, mode)
        for name in ("incoming", "active", "bounce", "corrupt", "defer", "deferred", "flush", "hold", "saved", "trace"):
            os.makedirs(os.path.join(self.queue, name))
            os.chown(os.path.join(self.queue, name), owner.pw_uid, -1)
            os.chmod(os.path.join(self.queue, name), 0o700)
        for name in ("private", "../data", "public", "maildrop"):
            os.chown(os.path.join(self.queue, name), owner.pw_uid, -1)
        transport = f"lmtp:unix:{dovecot_socket}" if dovecot_socket else "discard:"
        settings = {
            "compatibility_level": "3.6", "queue_directory": self.queue, "data_directory": os.path.join(self.directory, "data"),
            "daemon_directory": f"{PEERS}/usr/lib/postfix/sbin", "command_directory": f"{PEERS}/usr/sbin", "shlib_directory": f"{PEERS}/usr/lib/postfix",
            "meta_directory": etc, "mail_owner": "bin", "setgid_group": "games", "default_privs": "nobody", "myhostname": "bench.example",
            "mydestination": "", "virtual_mailbox_domains": "bench.example", "virtual_transport": transport, "virtual_mailbox_maps": "",
            "local_recipient_maps": "", "alias_maps": "", "alias_database": "", "inet_interfaces": "127.0.0.1", "inet_protocols": "ipv4",
            "mynetworks": "127.0.0.0/8", "smtpd_peername_lookup": "no", "smtputf8_enable": "no", "smtpd_client_connection_count_limit": "0",
            "default_process_limit": "120", "maillog_file": self.log, "maillog_file_prefixes": self.directory, "default_database_type": "texthash",
            "import_environment": f"MAIL_CONFIG MAIL_LOGTAG TZ LANG=C LD_LIBRARY_PATH={os.environ.get('LD_LIBRARY_PATH', '')}", "biff": "no",
        }
        with open(os.path.join(etc, "main.cf"), "w") as f:
            f.writelines(f"{k} = {v}\n" for k, v in settings.items())
        services = ["cleanup unix n - n - 0 cleanup", "qmgr unix n - n 300 1 qmgr", "rewrite unix - - n - - trivial-rewrite", "bounce unix - - n - 0 bounce",
                    "defer unix - - n - 0 bounce", "trace unix - - n - 0 bounce", "verify unix - - n - 1 verify", "flush unix n - n 1000? 0 flush",
                    "proxymap unix - - n - - proxymap", "anvil unix - - n - 1 anvil", "scache unix - - n - 1 scache", "discard unix - - n - - discard",
                    "lmtp unix - - n - - lmtp", "error unix - - n - - error", "retry unix - - n - - error", "postlog unix-dgram n - n - 1 postlogd",
                    "tlsmgr unix - - n 1000? 1 tlsmgr", "showq unix n - n - - showq"]
        with open(os.path.join(etc, "master.cf"), "w") as f:
            f.write(f"127.0.0.1:{self.port} inet n - n - - smtpd\n" + "\n".join(services) + "\n")
        libraries = [f"{PEERS}/usr/lib/postfix", f"{PEERS}/usr/lib/{os.uname().machine}-linux-gnu", f"{PEERS}/lib/{os.uname().machine}-linux-gnu"]
        environment = dict(os.environ, LD_LIBRARY_PATH=":".join(libraries), MAIL_CONFIG=etc)
        with open(os.path.join(etc, "main.cf"), "a") as f:
            f.write(f"import_environment = MAIL_CONFIG MAIL_LOGTAG TZ LANG=C LD_LIBRARY_PATH={':'.join(libraries)}\n")
        self.process = subprocess.Popen([f"{PEERS}/usr/lib/postfix/sbin/master", "-c", etc, "-s"], env=environment,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_port(self.port)
        self.pid = self.process.pid

    def finished(self, _count):
        return not any(files for name in ("incoming", "active", "maildrop") for _, _, files in os.walk(os.path.join(self.queue, name)))

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(timeout=60)


def load(port, sessions, count):
    begun = time.monotonic()
    peer("smtp-source", "-s", str(sessions), "-m", str(count), "-l", "4096", "-f", "alice@crepes.fr", "-t", "bob@bench.example", f"127.0.0.1:{port}")
    return time.monotonic() - begun


def ceiling(sessions, count):
    port = free_ports(1)
    sink = subprocess.Popen([os.path.join(ROOT, "tools", "peer"), "smtp-sink", "-u", "nobody", f"127.0.0.1:{port}", "1000"], stderr=subprocess.DEVNULL)
    try:
        wait_port(port)
        return count / load(port, sessions, count)
    finally:
        sink.terminate()
        sink.wait()


def measure(server, sessions, count, sent, through):
    """Letters a second (accepted, or all the way through) and CPU microseconds a letter until the queue is empty."""
    before, begun = cpu_seconds(server.pid), time.monotonic()
    took = load(server.port, sessions, count)
    while not server.finished(sent + count):
        if time.monotonic() - begun > 300:
            raise RuntimeError(f"{server.name} does not finish")
        time.sleep(0.02)
    return count / (time.monotonic() - begun if through else took), (cpu_seconds(server.pid) - before) / count * 1e6


def compare(servers, sessions, counts, sent, through=False):
    figures = {s.name: [] for s in servers}
    for _ in range(ROUNDS):
        for s in servers:
            figures[s.name].append(measure(s, sessions, counts[s.name], sent[s.name], through))
            sent[s.name] += counts[s.name]
    return {name: (statistics.median(r for r, _ in f), statistics.median(c for _, c in f)) for name, f in figures.items()}


def show(*words):
    print(*words, file=sys.stderr, flush=True)


def acceptance(directory, out):
    servers = [Naru(directory, store=False), Postfix(directory)]
    sent, missed = {"naru": 0, "Postfix": 0}, False
    show(f"{'sessions':>8} {'naru/s':>9} {'Postfix/s':>10} {'ratio':>7} {'goal':>5}   {'naru CPU':>9} {'Postfix':>9} {'ratio':>7} {'goal':>5}   generator's ceiling/s")
    try:
        for sessions, goal, cpu_goal in ((1, 2, None), (20, 8, 8), (100, 8, 8)):
            scale = 1 if QUICK else 3
            counts = {"naru": (400 if sessions == 1 else 3000) * scale, "Postfix": (150 if sessions == 1 else 400) * scale}
            top = ceiling(sessions, counts["naru"])
            figures = compare(servers, sessions, counts, sent)
            (rate, cpu), (peer_rate, peer_cpu) = figures["naru"], figures["Postfix"]
            ratio, cpu_ratio = rate / peer_rate, peer_cpu / cpu
            missed |= ratio < goal or (cpu_goal is not None and cpu_ratio < cpu_goal)
            show(f"{sessions:8} {rate:9.0f} {peer_rate:10.0f} {ratio:6.1f}x {goal:4}x   {cpu:6.0f} us {peer_cpu:6.0f} us {cpu_ratio:6.1f}x {str(cpu_goal or '-'):>4}x   {top:.0f}")
            out.append({"what": "accept", "sessions": sessions, "naru_per_s": rate, "postfix_per_s": peer_rate, "ratio": ratio, "goal": goal,
                        "naru_cpu_us": cpu, "postfix_cpu_us": peer_cpu, "cpu_ratio": cpu_ratio, "cpu_goal": cpu_goal, "generator_per_s": top})
    finally:
        for s in servers:
            s.stop()
    return missed


def main():
    if os.geteuid() != 0:
        show("SKIPPED: Postfix's master wants root")
        return 0
    subprocess.run([os.path.join(ROOT, "tools", "peers"), "postfix"], check=True, stdout=subprocess.DEVNULL)
    directory, out = tempfile.mkdtemp(prefix="naru-bench-", dir=BUILD), []
    os.chmod(directory, 0o755)
    try:
        missed = acceptance(directory, out)
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    if "--json" in sys.argv:
        json.dump({"bench": "smtp", "figures": out}, sys.stdout)
        print()
    return 1 if missed else 0


sys.exit(main())
