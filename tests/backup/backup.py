"""tests/backup/backup.py NARU [--longer]: letters flow into a running `naru up`, services are killed with -9, and meanwhile it is backed up
again and again. Every backup must verify, and restore to a state in which each letter that had been accepted before it began lies exactly
once in each mailbox. Then everything that must be refused.

One line a check ("ok" or "not ok"), then "N passed, N failed, N skipped"."""
import collections
import concurrent.futures
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time

from house import PASSWORD, PATIENCE_S, PEOPLE, House, check, counts, new_directory, quick_place, skipped, wait_for
import story
import torrents

NARU = os.path.abspath(sys.argv[1])
LONGER = "--longer" in sys.argv
ROUNDS, SENDERS = (8, 4) if LONGER else (4, 3)
# Their mailboxes are copied behind the two that are read: time enough for letters to move, so that a wrong order would lose some.
CROWD = [f"zoe-{i}@club.test" for i in range(15)]


def naru(*words):
    quick = {"TMPDIR": quick_place()} if quick_place() else {}
    return subprocess.run([NARU, *words], capture_output=True, text=True, timeout=PATIENCE_S * 3, env=dict(os.environ, **quick))


class Load:
    """Senders that never rest. A letter is sent once; `accepted` has those that got their 250."""

    def __init__(self, house):
        self.house, self.accepted, self.over = house, [], False
        self.threads = [threading.Thread(target=self.work, args=(i,)) for i in range(SENDERS)]
        for t in self.threads:
            t.start()

    def work(self, sender):
        for number in range(1000000):
            if self.over:
                return
            subject = f"{sender}-{number}"
            if self.house.send(subject, filling=4000 if number % 9 == 4 else 10):       # 84 kB: a blob
                self.accepted.append(subject)
            time.sleep(0.02)

    def end(self):
        self.over = True
        for t in self.threads:
            t.join()


def stop_for_a_moment(house, load):
    """The mailstore stands still until letters wait in the queue and the backup has begun: they move while mailboxes are copied."""
    pid, count = house.processes()["mailstore"]["pid"], len(load.accepted)
    os.kill(pid, signal.SIGSTOP)
    wait_for(lambda: len(load.accepted) >= count + 15)
    threading.Timer(0.4, os.kill, (pid, signal.SIGCONT)).start()


def backs_up_under_load(house):
    """[(directory, subjects accepted before it began)]"""
    load, made, again = Load(house), [], 0
    try:
        for round_number in range(ROUNDS):
            wait_for(lambda: len(load.accepted) >= 25 * (round_number + 1))
            victim = ["none", "mta", "mailstore", "accounts"][round_number % 4]
            if victim == "none":
                stop_for_a_moment(house, load)
            begun, before, target = time.monotonic(), list(load.accepted), os.path.join(house.dir, f"backup-{round_number}")
            command = subprocess.Popen([NARU, "backup", target, "--dir", house.data, "--json"],
                                       stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            if victim != "none":
                house.kill(victim)
            out, complaint = command.communicate(timeout=PATIENCE_S * 3)
            if check(f"a backup while letters come in (killed meanwhile: {victim})", command.returncode == 0, complaint + house.log_text()[-1500:]):
                made.append((target, before))
                again += json.loads(out)["tried_again"]
            print(f"  {time.monotonic() - begun:.2f} s")
    finally:
        load.end()
    print(f"  {len(load.accepted)} letters accepted, {len(made)} backups, {again} parts copied again")
    return made


def restores_whole(target, before, number):
    """A second naru on what was restored: its queue drains, then every mailbox is read."""
    answer = naru("backup", "verify", target, "--json")
    verified = json.loads(answer.stdout) if answer.stdout else {}
    check(f"backup {number} verifies: every letter was read back", answer.returncode == 0 and verified.get("good") and verified["people"] == len(PEOPLE + CROWD),
          answer.stdout[-300:] + answer.stderr)
    inboxes = verified.get("started", {})
    check("... the services were started on it, behind the guard: every letter of every inbox came over POP3",
          verified.get("guarded") and 0 < inboxes.get("letters", 0) <= verified["letters"] and inboxes["inboxes"] == len(verified["accounts"]), str(inboxes))
    around = new_directory(quick=True)
    place = around + "/restored"
    answer = naru("restore", target, "--dir", place, "--json")
    if not check(f"backup {number} is restored", answer.returncode == 0 and json.loads(answer.stdout)["restored"], answer.stderr):
        shutil.rmtree(around, ignore_errors=True)
        return
    second = House(NARU, place)
    try:
        if not check("... naru starts on it", second.ready(), second.log_text()[-1500:]):
            return
        # One letter waits for a host that is not there; all others are for people here.
        drained = wait_for(lambda: [l["recipients"][0]["address"] for l in second.queue() or []] == ["bob@nowhere.test"])
        check("... its queue drains; the letter to another host waits on", drained, str(second.queue())[:500])
        for who in PEOPLE:
            times = collections.Counter(second.subjects(who))
            lost = [s for s in before if times[s] == 0]
            doubled = [s for s, n in times.items() if n > 1]
            check(f"... {who}: {len(before)} had been accepted, lost 0, doubled 0", not lost and not doubled, f"lost {lost[:5]}, doubled {doubled[:5]}")
        print(f"  verified: {verified.get('letters')} in mailboxes, {verified.get('queue', {}).get('letters')} in the queue")
    finally:
        second.end()
        shutil.rmtree(around, ignore_errors=True)


def holds_all_kinds(target, house):
    names = [os.path.join(d, n)[len(target) + 1:] for d, _, found in os.walk(target) for n in found]
    wanted = ["manifest", "data/accounts/people.db", f"files{house.dir}/naru.conf", f"files{house.dir}/more.conf", f"files{house.dir}/club.zone"]
    check("queue, mailboxes, people, configuration, what it includes, and zones are in it", all(w in names for w in wanted) and
          any("/blobs/" in n for n in names) and any(n.endswith(".segment") for n in names), str(names)[:800])
    loose = [n for n in names if os.stat(os.path.join(target, n)).st_mode & 0o077]
    check("nobody else may read it", not loose and os.stat(target).st_mode & 0o777 == 0o700, str(loose))


def damage_is_found(target):
    def one(kind):
        return next(os.path.join(d, n) for d, _, found in os.walk(target) for n in sorted(found) if kind in os.path.join(d, n))

    for kind in (".segment", "mail.db", "/blobs/", "people.db", "naru.conf", "manifest"):
        path = one(kind)
        with open(path, "r+b") as f:
            f.seek(os.path.getsize(path) // 2)
            byte = f.read(1)
            f.seek(-1, 1)
            f.write(bytes([byte[0] ^ 1]))
        verify, back = naru("backup", "verify", target), naru("restore", target, "--dir", target + ".no")
        good = verify.returncode == 1 and path in verify.stderr and back.returncode == 1 and not os.path.exists(target + ".no")
        check(f"one bit in a file ({kind}) is found and the file is named", good, verify.stderr + back.stderr)
        with open(path, "r+b") as f:
            f.seek(os.path.getsize(path) // 2)
            f.write(byte)
    path = one(".segment")
    os.rename(path, path + ".away")
    check("a missing file, too", (v := naru("backup", "verify", target)).returncode == 1 and path in v.stderr, v.stderr)
    os.rename(path + ".away", path)
    check("... and put right it verifies again", naru("backup", "verify", target).returncode == 0)


def refusals(target, house):
    os.rename(target + "/manifest", target + "/manifest.away")
    for words in (("backup", "verify", target), ("restore", target, "--dir", target + ".no")):
        answer = naru(*words)
        check(f"an unfinished backup is refused by naru {words[0]}", answer.returncode == 1 and "no finished backup" in answer.stderr, answer.stderr)
    os.rename(target + "/manifest.away", target + "/manifest")
    full = os.path.join(house.dir, "full")
    os.mkdir(full)
    open(full + "/mine", "w").close()
    answer = naru("restore", target, "--dir", full)
    check("restoring over what is there is refused", answer.returncode == 1 and "not empty" in answer.stderr and os.listdir(full) == ["mine"], answer.stderr)
    answer = house.command("backup", full)
    check("a backup into a directory that is not empty is refused", answer.returncode == 1 and "not empty" in answer.stderr and
          os.listdir(full) == ["mine"], answer.stderr)
    with open(target + "/manifest") as f:
        text = f.read()
    with open(target + "/manifest", "w") as f:
        f.write(text.replace("naru backup 1", "naru backup 2"))
    answer = naru("restore", target, "--dir", target + ".no")
    check("a newer format is refused", answer.returncode == 1 and "newer naru" in answer.stderr, answer.stderr)
    with open(target + "/manifest", "w") as f:
        f.write(text)
    check("no naru, no backup", naru("backup", target + ".no", "--dir", "/nowhere").returncode == 3)


def full_disk_harms_nobody(house):
    disk = os.path.join(house.dir, "disk")
    os.mkdir(disk)
    script = f'mount -t tmpfs -o size=128k none "{disk}" && "{NARU}" backup "{disk}/b" --dir "{house.data}"; code=$?; ls -A "{disk}"; exit $code'
    tried = subprocess.run(["unshare", "-m", "true"] if os.geteuid() == 0 else ["unshare", "-rm", "true"], capture_output=True)
    if tried.returncode != 0:
        skipped("a full disk during a backup", "this machine gives no mount namespace")
        return
    answer = subprocess.run(["unshare", "-m" if os.geteuid() == 0 else "-rm", "sh", "-c", script], capture_output=True, text=True, timeout=PATIENCE_S * 3)
    check("a full disk during a backup: it says so, and leaves nothing", answer.returncode == 1 and "no space left" in answer.stderr and answer.stdout == "",
          answer.stdout + answer.stderr)
    check("... letters come in as before", house.send("after the full disk") and
          wait_for(lambda: all("after the full disk" in house.subjects(who) for who in PEOPLE)), house.log_text()[-1000:])
    answer = house.command("backup", os.path.join(house.dir, "next"))
    check("... and nothing is lent any more: the next backup goes through", answer.returncode == 0, answer.stderr)
    metrics = subprocess.run(["curl", "-s", "--unix-socket", house.data + "/control.sock", "http://naru/mta/metrics"], capture_output=True, text=True).stdout
    if metrics:
        said = [float(l.split()[1]) for l in metrics.splitlines() if l.startswith("naru_backup_last_timestamp_seconds ")]
        check("the meters say when the last one was", said and abs(said[0] - time.time()) < 600, metrics[:300])


def interrupted_leaves_nothing(house):
    """Ctrl-C while the mailstore does not answer. A loan is then out that nobody gives back: the service must stop in order all the same."""
    target, pid = os.path.join(house.dir, "interrupted"), house.processes()["mailstore"]["pid"]
    os.kill(pid, signal.SIGSTOP)
    command = subprocess.Popen([NARU, "backup", target, "--dir", house.data], stderr=subprocess.PIPE, text=True, start_new_session=True)
    begun = wait_for(lambda: os.path.exists(target + "/data/mta"))
    os.killpg(command.pid, signal.SIGINT)
    complaint = command.communicate(timeout=PATIENCE_S)[1]
    os.kill(pid, signal.SIGCONT)
    check("an interrupted backup leaves nothing", begun and command.returncode == 1 and not os.path.exists(target), complaint)


def stopped_too(house, accepted):
    check("it stops in order", house.stop() == 0, house.log_text()[-1500:])
    target = os.path.join(house.dir, "stopped")
    answer = naru("backup", target, "--dir", house.data, "--config", house.config)
    check("a stopped naru is backed up", answer.returncode == 0 and "stopped naru" in answer.stdout, answer.stderr)
    answer = naru("backup", "verify", target, "--json")
    letters = json.loads(answer.stdout)["letters"] if answer.returncode == 0 else 0
    check("... with every letter", letters >= accepted * len(PEOPLE), f"{letters}, {answer.stderr}")


def main():
    house = House(NARU, quick=False)             # on a real disk, so that a backup takes a while
    try:
        if check("naru up is ready", house.ready(), house.log_text()[-1500:]):
            with concurrent.futures.ThreadPoolExecutor(4) as pool:
                added = list(pool.map(lambda who: house.command("account", "add", who, input=PASSWORD + "\n").returncode, PEOPLE + CROWD))
            check("people have accounts, and a first letter each", not any(added) and house.send("first", to=PEOPLE + CROWD) and
                  wait_for(lambda: house.queue() == []), house.log_text()[-1500:])
            check("a letter to another host waits in the queue", house.send("waits", to=["bob@nowhere.test"], submit=True))
            made = backs_up_under_load(house)
            for number, (target, before) in enumerate(made):
                if LONGER or number in (0, len(made) - 1):
                    restores_whole(target, before, number)
            if made:
                holds_all_kinds(made[-1][0], house)
                damage_is_found(made[-1][0])
                refusals(made[-1][0], house)
            full_disk_harms_nobody(house)
            interrupted_leaves_nothing(house)
            stopped_too(house, len(made[-1][1]) if made else 0)
    finally:
        house.end()
    story.survives_a_restart(NARU)
    torrents.come_back(NARU)
    print(f"{counts['ok']} passed, {counts['not ok']} failed, {counts['skipped']} skipped")
    return counts["not ok"] > 0


sys.exit(main())
