"""A running `naru try` for the interop cases, and small helpers around the programs that talk to it."""
import json, os, shutil, signal, subprocess, tempfile, time


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
            self.process.wait(timeout=30)
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


def run(command, text=None, timeout=30, env=None):
    """Runs a program to its end; its output and errors as one text."""
    done = subprocess.run(command, input=text, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=timeout,
                          env=dict(os.environ, **(env or {})))
    return done.returncode, done.stdout.decode("utf-8", "replace")


def wait_for(check, seconds=20):
    """True as soon as check() is; asked again until the time is over."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if check():
            return True
        time.sleep(0.05)
    return bool(check())
