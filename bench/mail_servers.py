"""The mail servers that bench/smtp.py loads: naru, Debian's Postfix, Debian's Dovecot (LMTP). The peers run from build/peers with
configurations of their own; nothing of this machine is replaced. All of it is on loopback and ends by pid."""
import os, pwd, signal, socket, subprocess, time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BUILD = os.environ.get("NARU_BUILD", os.path.join(ROOT, "build"))
PEERS = os.path.join(ROOT, "build", "peers")
TICK = os.sysconf("SC_CLK_TCK")


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


def cpu_seconds(pids):
    """Of processes, their descendants, and those of them that have ended and been waited for."""
    total = 0
    for p in (p for pid in pids for p in descendants(pid)):
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
        self.pids, self.log = [self.process.pid], os.path.join(directory, "naru.log")

    def finished(self, count):
        return subprocess.run(["grep", "-c", "event=delivered", self.log], stdout=subprocess.PIPE, text=True).stdout.strip() == str(count)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(timeout=60)


class Dovecot:
    """LMTP into a Maildir, from build/peers laid over /usr in a mount namespace of its own (Dovecot knows its programs by path)."""

    def __init__(self, directory):
        base = os.path.join(directory, "dovecot")
        for name in ("run", "state", "home"):
            os.makedirs(os.path.join(base, name))
        os.chown(os.path.join(base, "home"), pwd.getpwnam("mail").pw_uid, -1)
        with open(os.path.join(base, "dovecot.conf"), "w") as f:
            f.write(f"""protocols = lmtp
base_dir = {base}/run
state_dir = {base}/state
log_path = {base}/log
default_internal_user = nobody
default_internal_group = nogroup
default_login_user = nobody
first_valid_uid = 1
ssl = no
mail_location = maildir:~/Maildir
passdb {{
  driver = static
  args = nopassword=y
}}
userdb {{
  driver = static
  args = uid=mail gid=mail home={base}/home/%u
}}
service lmtp {{
  unix_listener {base}/lmtp {{
    mode = 0666
  }}
  process_limit = 100
}}
service stats {{
  unix_listener stats-writer {{
    mode = 0666
  }}
}}
""")
        script = (f"set -e\nmount -t overlay overlay -o lowerdir={PEERS}/usr:/usr /usr\n"
                  f"[ ! -d {PEERS}/lib ] || mount -t overlay overlay -o lowerdir={PEERS}/lib:/usr/lib /usr/lib\n"
                  f"exec /usr/sbin/dovecot -F -c {base}/dovecot.conf\n")
        self.process = subprocess.Popen(["unshare", "-m", "sh", "-c", script], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        end = time.time() + 20
        while not os.path.exists(os.path.join(base, "lmtp")):
            if time.time() > end or self.process.poll() is not None:
                raise RuntimeError("Dovecot did not start")
            time.sleep(0.05)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(timeout=60)


class Postfix:
    name = "Postfix"

    def __init__(self, directory, dovecot=False):
        dovecot_socket = os.path.join(directory, "dovecot", "lmtp") if dovecot else None
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
            "biff": "no", "lmtp_destination_recipient_limit": "1",
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
        self.dovecot = Dovecot(directory) if dovecot_socket else None
        self.process = subprocess.Popen([f"{PEERS}/usr/lib/postfix/sbin/master", "-c", etc, "-s"], env=environment,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_port(self.port)
        self.pids = [self.process.pid] + ([self.dovecot.process.pid] if dovecot else [])

    def finished(self, _count):
        return not any(files for name in ("incoming", "active", "maildrop") for _, _, files in os.walk(os.path.join(self.queue, name)))

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(timeout=60)
        if self.dovecot:
            self.dovecot.stop()
