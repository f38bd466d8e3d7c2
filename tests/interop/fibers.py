"""tools/naru-gdb.py on a living naru and on a core dump: every fiber, what it waits for, and its backtrace."""
import json, os, platform, re, resource, shutil, signal, smtplib, tempfile
from internet import PATIENCE_S, Skip, SmallInternet, need, run, wait_for

TREE = os.path.join(os.path.dirname(__file__), "..", "..")
SCRIPT = os.path.join(TREE, "tools", "naru-gdb.py")


def gdb(arguments, *commands):
    if platform.machine() != "x86_64":
        raise Skip("the script knows x86-64 alone")
    line = [need("gdb"), "-q", "-nx", "-batch", "-iex", "set debuginfod enabled off", "-x", SCRIPT, *arguments]
    code, said = run(line + [w for c in commands for w in ("-ex", c)], timeout=120)
    if "ptrace: Operation not permitted" in said:
        raise Skip("this kernel lets nobody attach to a process")
    if "No symbol \"loop_of_thread\"" in said or "No debugging symbols" in said:
        raise Skip("this naru was built without debug information")
    return said


def rows(said):
    """The lines of naru-ps: (number, world, label, what it waits for, deepest stack)."""
    found = []
    for line in said.splitlines():
        row = re.match(r" *(\d+) +\d+ (.{22}) (.{22}) (\S.*?) +(?:\d+\S*|-) +(\d+) +(\d+)  ", line)    # who runs waits since never: -
        if row:
            found.append((int(row[1]), row[2].strip(), row[3].strip(), row[4].strip(), int(row[6])))
    assert f"{len(found)} fibers" in said and len(found) > 20, said
    return found


def cut_backtraces(said):
    """The fibers whose backtrace does not reach the bottom of their stack."""
    return [f[:2000] for f in said.split("\nfiber ")[1:] if " switch_start ()" not in f or " fiber_main (" not in f]


def check_backtraces(said, listed):
    running = {r[0] for r in listed if r[3] == "(running)"}                  # it may stand in the middle of a switch
    cut = [f for f in cut_backtraces(said) if int(f.split(":")[0]) not in running]
    assert said.count("\nfiber ") == len(listed) and not cut, f"of {len(listed)} these end early: {cut}"


def both(i):
    """What gdb says at one moment, and who is there by gdb and by `naru ps` (whose own conversation comes and goes)."""
    told = json.loads(run([i.naru, "ps", "--json"], env={"NARU_DIR": i.dir})[1])["fibers"]
    said = gdb(["-p", str(i.process.pid)], "naru-ps", "naru-bt all")
    ours = sorted((r[1], r[2]) for r in rows(said) if r[2] != "control")
    return said, ours, sorted((f["host"][:22], f["label"][:22]) for f in told if f["label"] != "control")


def case_gdb_lists_the_fibers_of_a_running_naru(i):
    with smtplib.SMTP(*i.where("crepes.fr", "smtp"), timeout=PATIENCE_S) as s:
        s.ehlo("fibers.example")
        held = []
        # A fiber that runs at that moment may stand in the middle of a switch: a moment is waited for in which all of them wait.
        quiet = lambda: (held.clear(), held.extend(both(i)), held[1] == held[2] and not cut_backtraces(held[0]))[2]
        assert wait_for(quiet, 2 * PATIENCE_S), (set(held[1]) ^ set(held[2]), cut_backtraces(held[0]))
        said, listed = held[0], rows(held[0])
        assert all(0 < r[4] < 256 * 1024 for r in listed), "each has used some of its stack, and no more than it has"
        check_backtraces(said, listed)
        # The conversation that we hold open: in the SMTP server's loop, waiting for our next line.
        assert any("conn_line" in f for f in said.split("\nfiber ") if re.match(r"\d+: crepes\.fr smtp", f)), said[-3000:]
        assert s.noop()[0] == 250, "and goes on when gdb has left"


def case_gdb_lists_the_fibers_of_a_core_dump(i):
    need("gdb")
    with open("/proc/sys/kernel/core_pattern") as f:
        pattern = f.read().strip()
    if pattern[:1] in "|/":
        raise Skip(f"the kernel gives core dumps to somebody else: {pattern}")
    soft, hard = resource.getrlimit(resource.RLIMIT_CORE)
    if hard != resource.RLIM_INFINITY:
        raise Skip("core dumps are limited here")
    where, before = tempfile.mkdtemp(), os.getcwd()
    listed_in = os.environ["XDG_RUNTIME_DIR"]
    os.environ["XDG_RUNTIME_DIR"] = tempfile.mkdtemp()          # who is killed cannot take itself off the list
    os.chdir(where)
    resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))
    try:
        own = SmallInternet(i.naru, os.path.join(where, "data"))
    finally:
        os.chdir(before)
        os.environ["XDG_RUNTIME_DIR"] = listed_in
        resource.setrlimit(resource.RLIMIT_CORE, (soft, hard))
    own.process.send_signal(signal.SIGABRT)
    own.process.wait(timeout=PATIENCE_S)
    cores = [f for f in os.listdir(where) if f.startswith("core")]
    if not cores:
        raise Skip("the kernel wrote no core dump")
    core = os.path.join(where, cores[0])
    said = gdb([i.naru, core], "naru-ps", "naru-bt all")
    listed = rows(said)
    assert {"crepes.fr", "local"} <= {r[1] for r in listed} and {"smtp", "queue", "control"} <= {r[2] for r in listed}, listed
    check_backtraces(said, listed)
    frames = gdb([i.naru, core], "naru-bt 3", "frame 3", "naru-bt", "backtrace 1").split("fiber 3: ")[1]
    assert re.search(r"^#3 ", frames, re.M) and re.search(r"^#0 ", frames, re.M), "the fiber's frame, then the thread's\n" + frames
    assert "naru-bt takes" in gdb([i.naru, core], "naru-bt 100000")
    shutil.rmtree(where)
