"""What goes wrong on a machine: full disks, read-only directories, taken ports, kill -9, two instances."""
import os, poplib, shutil, smtplib, socket, subprocess, tempfile
from internet import PATIENCE_S, Skip, SmallInternet, run, wait_for


def letters(i, who="bob@hamburger.edu"):
    p = poplib.POP3(*i.where("hamburger.edu", "pop3"), timeout=PATIENCE_S)
    p.user(who)
    p.pass_(i.passwords[who])
    texts = [b"\n".join(p.retr(n + 1)[1]) for n in range(len(p.list()[1]))]
    p.quit()
    return texts


def case_two_instances_coexist_and_leave_nothing(i):
    with SmallInternet(i.naru) as other:
        assert other.where("hamburger.edu", "smtp") != i.where("hamburger.edu", "smtp")
        with smtplib.SMTP(*other.where("hamburger.edu", "smtp"), timeout=PATIENCE_S) as s:
            s.sendmail("alice@crepes.fr", ["bob@hamburger.edu"], "Subject: other\r\n\r\nx\r\n")
        assert wait_for(lambda: len(letters(other)) == 1)
        directory = other.dir
        assert other.stop() == 0
    assert not os.path.exists(directory), "the temporary directory is still there"
    listed = os.path.join(os.environ["XDG_RUNTIME_DIR"], "naru")
    assert len(os.listdir(listed)) == 1, "only the main instance is listed"


def case_kill_9_loses_nothing_and_doubles_nothing(i):
    directory = tempfile.mkdtemp()
    first = SmallInternet(i.naru, directory)
    sent = 0
    with smtplib.SMTP(*first.where("hamburger.edu", "smtp"), timeout=PATIENCE_S) as s:
        for n in range(60):
            s.sendmail("alice@crepes.fr", ["bob@hamburger.edu"], f"Subject: number {n} \r\n\r\nx\r\n")
            sent += 1
        first.kill()
    with SmallInternet(i.naru, directory) as again:
        assert wait_for(lambda: len(letters(again)) >= sent), f"{len(letters(again))} of {sent}"
        texts = letters(again)
        for n in range(sent):
            assert sum(f"Subject: number {n} ".encode() in t for t in texts) == 1, n
    shutil.rmtree(directory)


def case_a_full_disk_answers_452_and_recovers(i):
    if os.geteuid() != 0:
        raise Skip("a small file system of its own needs root")
    directory = tempfile.mkdtemp()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", directory], stderr=subprocess.PIPE)
    if done.returncode:
        raise Skip("cannot mount a small file system: " + done.stderr.decode().strip())
    try:
        with SmallInternet(i.naru, os.path.join(directory, "d")) as full:
            filler = os.path.join(directory, "filler")
            with open(filler, "wb") as f:
                try:
                    while True:
                        f.write(b"x" * 65536)
                        f.flush()
                except OSError:
                    pass
            refused = None
            with smtplib.SMTP(*full.where("hamburger.edu", "smtp"), timeout=PATIENCE_S) as s:
                for n in range(3000):
                    try:
                        s.sendmail("alice@crepes.fr", ["bob@hamburger.edu"], "Subject: big\r\n\r\n" + "x" * 60000 + "\r\n")
                    except smtplib.SMTPDataError as e:
                        refused = e
                        break
                assert refused and refused.smtp_code == 452, refused
                assert b"no space" in refused.smtp_error, refused
                os.remove(filler)
                s.sendmail("alice@crepes.fr", ["bob@hamburger.edu"], "Subject: again\r\n\r\nroom\r\n")
            assert wait_for(lambda: any(b"Subject: again" in t for t in letters(full)))
    finally:
        subprocess.run(["umount", "-l", directory], check=False)
        os.rmdir(directory)


def case_a_taken_port_is_avoided(i):
    others = []
    for subnet in range(40):
        other = socket.socket()
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            other.bind((f"127.0.{subnet}.35", 2525))
            other.listen()
            others.append(other)
        except OSError:                                  # a naru that runs already
            other.close()
    mine = {o.getsockname()[0] for o in others}
    try:
        with SmallInternet(i.naru) as beside:
            assert beside.where("hamburger.edu", "smtp")[0] not in mine
    finally:
        for other in others:
            other.close()


def case_a_directory_that_cannot_be_written_is_named(i):
    code, said = run([i.naru, "try", "--json", "--dir", "/proc/naru"])
    assert code == 1 and "/proc/naru" in said, (code, said)


def case_a_zone_of_ones_own_stays_and_its_mistakes_are_named(i):
    directory = tempfile.mkdtemp()
    zone = os.path.join(directory, "umass.edu/zones/umass.edu.zone")
    with SmallInternet(i.naru, directory):
        with open(zone) as f:
            lines = f.readlines()
        assert "Take this line away" in lines[0], lines[0]
    def start():
        return run(["timeout", "--signal=INT", "60", i.naru, "try", "--json", "--dir", directory])
    with open(zone, "w") as f:
        f.writelines(lines[1:] + ["mine IN A 192.0.2.7\n", "broken ( line\n"])
    code, said = start()
    assert code == 1 and f"{zone}:{len(lines) + 1}: a parenthesis" in said, (code, said)
    with open(zone, "w") as f:
        f.writelines(lines[1:] + ["mine IN A 192.0.2.7\n"])
    with SmallInternet(i.naru, directory) as again:
        authority = open(again.ca).read()
        code, said = start()
        assert code == 1 and "another naru runs in" in said, (code, said)
        assert open(again.ca).read() == authority, "the first one is unharmed"
        address, port = again.where("resolver", "dns")
        assert "192.0.2.7" in run([i.naru, "query", "mine.umass.edu", f"@{address}#{port}"])[1]
    shutil.rmtree(directory)


def case_a_stranger_with_endless_lines_and_garbage_is_bounded(i):
    address = i.where("hamburger.edu", "smtp")
    with socket.create_connection(address, timeout=PATIENCE_S) as s:
        s.recv(1000)
        s.sendall(b"x" * 5_000_000 + b"\r\n")
        assert s.recv(1000).startswith(b"500 "), "a line of five megabytes is one refused line"
    with socket.create_connection(address, timeout=PATIENCE_S) as s:
        s.recv(1000)
        said = b""
        for _ in range(20):
            s.sendall(bytes(range(128, 256)) * 4 + b"\r\n")
            said += s.recv(65536)
        while piece := s.recv(65536):
            said += piece
        assert b"421 4.7.0 Too many errors" in said
    with smtplib.SMTP(*address, timeout=PATIENCE_S) as s:
        assert s.noop()[0] == 250, "the others are unharmed"


SHELL = """#!/bin/sh
exec > "$1.out" 2>&1
cat /etc/resolv.conf
dig +trace +nodnssec gaia.cs.umass.edu
dig +short www.networkutopia.com
printf 'Subject: in the shell\r\n\r\nHow about pickles?\r\n' > "$1.letter"
curl -sS smtp://hamburger.edu/crepes.fr --mail-from alice@crepes.fr --mail-rcpt bob@hamburger.edu -T "$1.letter"
password=$(sed -n 's/.*bob@hamburger.edu  *//p' "$1.tty" | tr -d '\\r' | head -n 1)
for try in $(seq 100); do
    curl -sS pop3://hamburger.edu/1 -u "bob@hamburger.edu:$password" && break
    sleep 0.2
done
naru queue list
echo the end
"""


def text_of(path):
    if not os.path.exists(path):
        return ""
    with open(path, errors="replace") as f:
        return f.read()


def case_the_shell_has_the_courses_addresses_and_ports(i):
    directory = tempfile.mkdtemp()
    base = os.path.join(directory, "shell")
    with open(base, "w") as f:
        f.write(SHELL.replace("$1", base))
    os.chmod(base, 0o755)
    refusal = "No network of its own here"
    shell = subprocess.Popen(["script", "-qefc", f"SHELL={base} {i.naru} try --shell", base + ".tty"], stdin=subprocess.DEVNULL,
                             stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                             env=dict(os.environ, SHELL="/bin/sh", TERM="vt100"))
    wait_for(lambda: shell.poll() is not None or refusal in text_of(base + ".tty"), 2 * PATIENCE_S)
    said = text_of(base + ".tty")
    shell.terminate()                            # where there is no shell, naru waits for this
    code = shell.wait(timeout=PATIENCE_S)
    if refusal in said:
        raise Skip("this machine refuses the namespaces" + said.split(refusal, 1)[1].splitlines()[0])
    assert os.path.exists(base + ".out"), f"the shell did not run: exit code {code}: {said}"
    out = text_of(base + ".out")
    for want in ("nameserver 128.238.29.10", "128.119.245.12", "212.212.212.20", "How about pickles?", "The queue is empty", "the end"):
        assert want in out, (want, out)
    shutil.rmtree(directory)
