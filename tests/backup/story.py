"""naru story of a letter that is still in the queue, after the mta was killed: when it came, and each attempt, stand in the spool."""
import json

from house import House, PASSWORD, PEOPLE, check, wait_for


def recorded(house, which):
    answer = house.command("story", which, "--json")
    return [e["line"] for e in json.loads(answer.stdout) if e["line"].startswith("recorded: ")] if answer.returncode == 0 else []


def attempts(house):
    letters = house.queue()
    return letters[0]["recipients"][0]["attempts"] if letters else 0


def survives_a_restart(naru):
    house = House(naru)
    try:
        if not check("story: naru up is ready", house.ready(), house.log_text()[-1500:]):
            return
        house.command("account", "add", PEOPLE[0], input=PASSWORD + "\n")
        sent = house.send("the story goes on", to=["bob@nowhere.test"], submit=True)
        check("story: a letter to a host that is not there was tried twice", sent and wait_for(lambda: attempts(house) >= 2), str(house.queue()))
        letter = house.queue()[0]
        check("story: while the process lives, its own ring tells all", recorded(house, letter["id"]) == [])
        pid = house.kill("mta")
        check("story: the mta is another process", pid and wait_for(lambda: house.processes().get("mta", {}).get("pid", pid) != pid and house.queue()))
        for which in (letter["id"], letter["trace"], "--last"):
            lines = recorded(house, which)
            tries = [l for l in lines if l.startswith("recorded: attempt for <bob@nowhere.test>") and "put off" in l]
            check(f"story: after kill -9 `naru story {which if which == '--last' else 'ID'}` shows the arrival and each attempt before it",
                  lines and letter["id"] in lines[0] and len(tries) >= letter["recipients"][0]["attempts"] - 1 and "nowhere.test" in tries[0], str(lines))
        shown = house.command("story", letter["id"])
        check("story: the ladder shows them", shown.returncode == 0 and "recorded: attempt" in shown.stdout.replace("\n", " "), shown.stdout[:600] + shown.stderr)
        check("story: stopped and started again, too", house.stop() == 0)
        house.start()
        check("story: ... it is there", house.ready() and len(recorded(house, letter["id"])) >= 2, house.log_text()[-800:])
    finally:
        house.end()
