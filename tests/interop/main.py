#!/usr/bin/env python3
"""Plays every case of the case files in this folder; prints each by name and the sums."""
import importlib, os, re, shutil, subprocess, sys, tempfile, time, traceback
from concurrent.futures import ThreadPoolExecutor

sys.path.insert(0, os.path.dirname(__file__))
from internet import Skip, SmallInternet  # noqa: E402


SLOW_S = 3                                  # so long a case says how long it took
# Lanes run side by side, each against a small Internet of its own: most of the time they wait.
LANES = (("mail_programs", "python_libraries", "names", "own_commands", "fibers", "user_agent", "trouble", "log_lines"),
         ("metrics", "exchange", "superseed", "full_disk"),
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


def lane(naru, modules, wanted):
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


def all_lanes(naru, wanted):
    """All lanes at once; what they said comes in order, the last line sums."""
    used = [n for n, modules in enumerate(LANES) if not wanted or any(w in name for w in wanted for name, _ in cases(modules))]
    runs = [subprocess.Popen([sys.executable, __file__, naru, "--lane", str(n), *wanted], stdout=subprocess.PIPE, text=True) for n in used]
    with ThreadPoolExecutor(len(LANES)) as pool:
        said = list(pool.map(lambda run: run.communicate()[0], runs))
    sums = [0, 0, 0]
    for text in said:
        lines = text.splitlines() or [""]
        found = re.fullmatch(r"(\d+) passed, (\d+) failed, (\d+) skipped", lines[-1])
        print("\n".join(lines[:-1] if found else lines + ["not ok a lane ended without its sums"]))
        sums = [a + int(b) for a, b in zip(sums, found.groups() if found else (0, 1, 0))]
    print("{} passed, {} failed, {} skipped".format(*sums))
    return 1 if sums[1] or not sums[0] or any(run.returncode for run in runs) else 0


def main():
    naru, wanted = sys.argv[1], sys.argv[2:]
    os.environ["NARU"] = os.path.abspath(naru)
    if wanted[:1] == ["--lane"]:
        sys.exit(lane(naru, LANES[int(wanted[1])], wanted[2:]))
    sys.exit(all_lanes(naru, wanted))


main()
