"""A running `naru try` for the interop cases, and small helpers around the programs that talk to it."""
import json, os, random, re, shutil, signal, socket, subprocess, tempfile, time

PATIENCE_S = 90                  # for an event that comes at once on a quiet machine: only what hangs meets it


class Skip(Exception):
    """Cannot be tested here; the reason is printed loudly."""


class SmallInternet:
    def __init__(self, naru, directory=None):
        self.naru, self.directory = os.path.abspath(naru), directory
        command = [self.naru, "try", "--json"] + (["--dir", directory] if directory else [])
        self.errors = tempfile.TemporaryFile()
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=self.errors, stdin=subprocess.DEVNULL, text=True)
        text = ""
        while True:
            line = self.process.stdout.readline()
            if not line:
                self.errors.seek(0)
                raise RuntimeError("naru try did not start: " + self.errors.read().decode())
            text += line
            try:
                self.map = json.loads(text)
                break
            except json.JSONDecodeError:
                continue
        self.dir, self.ca = self.map["dir"], self.map["ca"]
        self.passwords = {a["address"]: a["password"] for a in self.map["accounts"]}

    def where(self, host, service):
        address, port = self.map["hosts"][host][service].rsplit(":", 1)
        return address, int(port)

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            self.process.wait(timeout=PATIENCE_S)
        return self.process.returncode

    def kill(self):
        self.process.kill()
        self.process.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
        self.errors.close()


def need(program):
    path = shutil.which(program)
    if not path:
        raise Skip(f"{program} is not installed")
    return path


def run(command, text=None, timeout=PATIENCE_S, env=None):
    """Runs a program to its end; its output and errors as one text."""
    done = subprocess.run(command, input=text, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=timeout,
                          env=dict(os.environ, **(env or {})))
    return done.returncode, done.stdout.decode("utf-8", "replace")


def wait_for(check, seconds=PATIENCE_S):
    """True as soon as check() is; asked again until the time is over."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if check():
            return True
        time.sleep(0.05)
    return bool(check())


def memory_kib(pid):
    """What the process has written: pages of the program itself are shared with every other naru that runs, or not."""
    with open(f"/proc/{pid}/smaps_rollup") as f:
        return sum(int(kib) for kib in re.findall(r"^Pss_(?:Anon|Shmem):\s+(\d+)", f.read(), re.M))


ports_given = set()


def free_port():
    """Below the range that the kernel gives to clients, and beside that of tests/up: nobody takes it before it is used."""
    while True:
        port = random.randrange(28200, 32700)
        if port in ports_given:
            continue
        ports_given.add(port)
        with socket.socket() as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp:
            try:
                tcp.bind(("127.0.0.1", port))
                udp.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue
