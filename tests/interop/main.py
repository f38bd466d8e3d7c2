#!/usr/bin/env python3
"""Plays every case of the case files in this folder; prints each by name and the sums."""
import importlib, os, re, shutil, subprocess, sys, tempfile, time, traceback
from concurrent.futures import ThreadPoolExecutor

sys.path.insert(0, os.path.dirname(__file__))
from internet import Skip, SmallInternet  # noqa: E402


SLOW_S = 3                                  # so long a case says how long it took
# Two halves run side by side, each against a small Internet of its own: most of the time they wait.
HALVES = (("mail_programs", "python_libraries", "names", "own_commands", "metrics", "fibers", "user_agent", "trouble", "log_lines",
           "exchange", "superseed", "full_disk"),
          ("torrents", "chosen_files", "torrent_trouble", "tracker_record", "dht", "trackers", "rpc", "hostile_mail", "hostile_names"))


def cases(modules):
    for module in modules:
        loaded = importlib.import_module(module)
        for name, value in list(vars(loaded).items()):
            if name.startswith("case_"):
                yield f"{module}: {name[5:].replace('_', ' ')}", value


def play(name, case, internet):
    began = time.monotonic()
    try:
        case(internet)
    except Skip as why:
        print(f"SKIPPED {name}: {why}")
        return "skipped"
    except Exception:
        print(f"not ok {name}")
        traceback.print_exc(limit=4, file=sys.stdout)
        return "failed"
    took = time.monotonic() - began
    print(f"ok {name}" + (f" ({took:.0f} s)" if took >= SLOW_S else ""), flush=True)
    return "passed"


def half(naru, modules, wanted):
    sums = {"passed": 0, "failed": 0, "skipped": 0}
    tempfile.tempdir = tempfile.mkdtemp(prefix="naru-interop-")                   # all that the cases leave goes with it
    os.environ["XDG_RUNTIME_DIR"] = tempfile.mkdtemp()                            # a list of running narus of our own
    try:
        with SmallInternet(naru) as internet:
            for name, case in cases(modules):
                if not wanted or any(w in name for w in wanted):
                    sums[play(name, case, internet)] += 1
    finally:
        shutil.rmtree(tempfile.tempdir, ignore_errors=True)
    print("{passed} passed, {failed} failed, {skipped} skipped".format(**sums))
    return 1 if sums["failed"] or not sums["passed"] else 0


def both(naru):
    """Both halves at once; what they said comes in order, the last line sums."""
    runs = [subprocess.Popen([sys.executable, __file__, naru, "--half", str(n)], stdout=subprocess.PIPE, text=True) for n in (1, 2)]
    with ThreadPoolExecutor(2) as pool:
        said = list(pool.map(lambda run: run.communicate()[0], runs))
    sums = [0, 0, 0]
    for text in said:
        lines = text.splitlines() or [""]
        found = re.fullmatch(r"(\d+) passed, (\d+) failed, (\d+) skipped", lines[-1])
        print("\n".join(lines[:-1] if found else lines + ["not ok a half ended without its sums"]))
        sums = [a + int(b) for a, b in zip(sums, found.groups() if found else (0, 1, 0))]
    print("{} passed, {} failed, {} skipped".format(*sums))
    return 1 if sums[1] or not sums[0] or any(run.returncode for run in runs) else 0


def main():
    naru, wanted = sys.argv[1], sys.argv[2:]
    os.environ["NARU"] = os.path.abspath(naru)
    if not wanted:
        sys.exit(both(naru))
    if wanted[0] == "--half":
        sys.exit(half(naru, HALVES[int(wanted[1]) - 1], []))
    sys.exit(half(naru, HALVES[0] + HALVES[1], wanted))


main()
