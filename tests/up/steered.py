"""naru up with a CDN of one node: storage, edge, steering and the name server that answers as steering ranks, each locked in a process
of its own; a reload; a node that dies and comes back; the command line."""
import json
import os
import signal
import subprocess
import urllib.request

from machine import NARU, PATIENCE_S, Up, check, free_ports
from running import wait_for

ZONE = "$TTL 5m\n@ IN SOA ns hostmaster ( 1 2h 30m 2w 1m )\n@ IN NS ns\nns IN A 127.0.0.1\nvideo 10s IN A 192.0.2.200\n"


def config(up, ttl, near):
    ports = "\n".join(f"{name} {port}" for name, port in up.cdn.items())
    with open(os.path.join(up.dir, "kingcdn.zone"), "w") as f:
        f.write(ZONE)
    with open(up.config, "w") as f:
        f.write(f"""host cdn.test
address 127.0.0.1
ports {{
{ports}
}}
authoritative {{ zone kingcdn.test kingcdn.zone; steered video.kingcdn.test }}
origin {{ }}
edge {{
    capacity 1Gbit
    site video.kingcdn.test {{ origin 127.0.0.1:8080 }}
}}
steering {{
    ttl {ttl}s
    check-every 200ms
    rise 1
    place here {{ region home; network 127.0.0.0/8 }}
    cdn king {{
        host video.kingcdn.test
        health /catalogue.json
        node near {{ address {near}; place here; capacity 1Gbit }}
        node far {{ address 127.0.0.77 }}
    }}
    name video.kingcdn.test king
}}
""")


def steer(up, path="/steer/film"):
    with urllib.request.urlopen(f"http://127.0.0.1:{up.cdn['steering']}{path}", timeout=PATIENCE_S) as answer:
        return json.load(answer)


def named(up):
    got = subprocess.run([NARU, "query", "video.kingcdn.test", f"@127.0.0.1#{up.cdn['dns']}", "--json"], capture_output=True, text=True, timeout=PATIENCE_S)
    return got.stdout


def nodes(up):
    got = up.command("steering", "show", "--json")
    return {n["node"]: n["state"] for n in json.loads(got.stdout)["nodes"]} if got.returncode == 0 else {}


def why(up):
    """The first of the ranking, with its reasons."""
    got = up.command("steering", "why", "127.0.0.9", "--json")
    return json.loads(got.stdout)["ranking"][0] if got.returncode == 0 else {"error": got.stderr}


def cases():
    up = Up("", start=False)
    up.cdn = dict(zip(["dns", "http", "https", "origin", "steering"], free_ports(5)))
    try:
        config(up, 7, "127.0.0.1")
        up.start()
        if not check("storage, edge, steering and name server run, each in its process", up.said("READY=1"), up.log_text()[-1500:]):
            return
        check("steering sees who is alive and who is dead", wait_for(lambda: nodes(up) == {"near": "alive", "far": "dead"}), str(nodes(up)))
        check("the name server answers as steering ranks", wait_for(lambda: "127.0.0.1" in named(up)) and "192.0.2.200" not in named(up), named(up))
        # A node that a busy machine let miss a look is dead until the next one.
        check("players are steered", wait_for(lambda: steer(up)["PATHWAY-PRIORITY"] == ["near", "far"]) and steer(up)["TTL"] == 7, str(steer(up)))
        check("naru steering why says it", wait_for(lambda: (first := why(up)).get("node") == "near" and first.get("standing") == "good" and
                                                    first.get("load_per_mille", -1) >= 0), str(why(up)))
        os.kill(up.processes()["steering"]["pid"], signal.SIGKILL)
        check("while steering is dead the last ranking counts", "127.0.0.1" in named(up), named(up))
        check("... and it comes back", wait_for(lambda: nodes(up).get("near") == "alive" and "127.0.0.1" in named(up)), str(nodes(up)))
        config(up, 9, "127.0.0.99")                      # nobody is there
        up.command("reload")
        check("after a reload other nodes count, and all are dead: they are ranked all the same",
              wait_for(lambda: steer(up)["TTL"] == 9 and nodes(up).get("near") == "dead" and "127.0.0.99" in named(up)), named(up))
    finally:
        up.end()
