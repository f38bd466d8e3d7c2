#!/usr/bin/env python3
"""Plays every case of the case files in this folder; prints each by name and the sums."""
import importlib, os, shutil, sys, tempfile, traceback

sys.path.insert(0, os.path.dirname(__file__))
from internet import Skip, SmallInternet  # noqa: E402


def cases():
    for module in ("mail_programs", "python_libraries", "names", "own_commands", "torrents", "dht", "trackers", "rpc", "metrics", "fibers", "user_agent", "trouble", "hostile_mail", "hostile_names", "log_lines"):
        loaded = importlib.import_module(module)
        for name, value in list(vars(loaded).items()):
            if name.startswith("case_"):
                yield f"{module}: {name[5:].replace('_', ' ')}", value


def play(name, case, internet):
    try:
        case(internet)
    except Skip as why:
        print(f"SKIPPED {name}: {why}")
        return "skipped"
    except Exception:
        print(f"not ok {name}")
        traceback.print_exc(limit=4, file=sys.stdout)
        return "failed"
    print(f"ok {name}", flush=True)
    return "passed"


def main():
    naru, wanted = sys.argv[1], sys.argv[2:]
    sums = {"passed": 0, "failed": 0, "skipped": 0}
    os.environ["NARU"] = os.path.abspath(naru)
    tempfile.tempdir = tempfile.mkdtemp(prefix="naru-interop-")                   # all that the cases leave goes with it
    os.environ["XDG_RUNTIME_DIR"] = tempfile.mkdtemp()                            # a list of running narus of our own
    try:
        with SmallInternet(naru) as internet:
            for name, case in cases():
                if not wanted or any(w in name for w in wanted):
                    sums[play(name, case, internet)] += 1
    finally:
        shutil.rmtree(tempfile.tempdir, ignore_errors=True)
    print("{passed} passed, {failed} failed, {skipped} skipped".format(**sums))
    sys.exit(1 if sums["failed"] or not sums["passed"] else 0)


main()
