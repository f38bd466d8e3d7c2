"""A running `naru up` with a tracker, a swarm, a certificate and a key is backed up and restored: the peer, the torrent and the key are there; a
torrent whose files are not there says so, and is not fetched anew by itself."""
import base64
import hashlib
import json
import os
import shutil
import subprocess
import urllib.parse
import urllib.request

from house import PATIENCE_S, House, check, skipped, wait_for

PIECE, NAME = 16384, "film.txt"
PAYLOAD = b"".join(hashlib.sha256(b"%d" % i).digest() for i in range(3 * PIECE // 32)) + b"the end"
PIECES = [PAYLOAD[at:at + PIECE] for at in range(0, len(PAYLOAD), PIECE)]


def bencode(x):
    if isinstance(x, int):
        return b"i%de" % x
    if isinstance(x, bytes):
        return b"%d:%s" % (len(x), x)
    return b"d" + b"".join(bencode(k) + bencode(x[k]) for k in sorted(x)) + b"e"


INFO = {b"length": len(PAYLOAD), b"name": NAME.encode(), b"piece length": PIECE, b"pieces": b"".join(hashlib.sha1(p).digest() for p in PIECES)}
HASH = hashlib.sha1(bencode(INFO)).digest()


def ask(house, path, body=None):
    """The control socket; None: no answer."""
    answer = subprocess.run(["curl", "-s", "--unix-socket", house.data + "/control.sock", "http://naru" + path] + (["-d", json.dumps(body)] if body else []),
                            capture_output=True, text=True, timeout=PATIENCE_S)
    try:
        return json.loads(answer.stdout)
    except ValueError:
        return None


def rpc(house, method, **arguments):
    return ask(house, "/swarm/rpc", {"method": method, "arguments": arguments}) or {}


def torrent(house):
    found = rpc(house, "torrent-get", fields=["hashString", "percentDone", "status", "error", "errorString", "downloadedEver", "downloadDir", "labels"])
    listed = found.get("arguments", {}).get("torrents", [])
    return listed[0] if len(listed) == 1 and listed[0]["hashString"] == HASH.hex() else {}


def payload_put(house):
    """As if it had been downloaded: below the swarm's directory, and its user's."""
    owner, folder = os.stat(house.data + "/swarm"), house.data + "/swarm/downloads"
    os.makedirs(folder, exist_ok=True)
    with open(f"{folder}/{NAME}", "wb") as f:
        f.write(PAYLOAD)
    for path in (folder, f"{folder}/{NAME}"):
        os.chown(path, owner.st_uid, owner.st_gid)


def announce(house):
    query = urllib.parse.urlencode({"info_hash": HASH, "peer_id": b"-XX0001-abcdefghijkl", "port": 7777, "left": 0, "uploaded": 0, "downloaded": 0,
                                    "event": "started", "compact": 1})
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{house.port['tracker']}/announce?{query}", timeout=PATIENCE_S) as answer:
            return b"interval" in answer.read()
    except OSError:
        return False


def seeds(house):
    found = ask(house, f"/tracker/torrents?hash={HASH.hex()}") or {"torrents": []}
    return [t["seeds"] for t in found["torrents"]]


BLOCKS = "tracker { open yes }\nswarm { dht off; peer-exchange off }\n"


def with_certificate(folder):
    """A new one, in the house's own directory."""
    if not shutil.which("openssl"):
        return "", BLOCKS
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "30", "-subj", "/CN=mx.club.test",
                    "-keyout", folder + "/mx.key", "-out", folder + "/mx.pem"], check=True, capture_output=True)
    os.chmod(folder + "/mx.key", 0o600)
    return f"certificate {folder}/mx.pem; key {folder}/mx.key", BLOCKS


def read(path):
    with open(path, "rb") as f:
        return f.read()


def keys_are_in(where, house, what):
    for name in ("mx.pem", "mx.key"):
        path = f"{where}/files{house.dir}/{name}"
        there = os.path.exists(path)
        check(f"keys: {name} is {what}, and nobody else may read it",
              there and read(path) == read(f"{house.dir}/{name}") and os.stat(path).st_mode & 0o777 == 0o600, path)


def tls_answers(house, certificate):
    answer = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{house.port['submissions']}", "-servername", "mx.club.test"],
                            input="", capture_output=True, text=True, timeout=PATIENCE_S)
    begin, end = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"
    return begin in answer.stdout and answer.stdout.split(begin)[1].split(end)[0].strip() in read(certificate).decode()


def backed_up(house, keys):
    check("torrents: naru up with tracker and swarm is ready", house.ready(), house.log_text()[-1500:])
    payload_put(house)
    added = rpc(house, "torrent-add", metainfo=base64.b64encode(bencode({b"info": INFO})).decode(), labels=["kept"])
    check("torrents: one is added", added.get("result") == "success", str(added))
    check("torrents: its file is found whole", wait_for(lambda: torrent(house).get("percentDone") == 1), str(torrent(house)))
    check("torrents: a peer announces itself", announce(house) and wait_for(lambda: seeds(house) == [1]))
    if keys:
        check("keys: the certificate is shown", tls_answers(house, house.dir + "/mx.pem"), house.log_text()[-800:])
    target = house.dir + "/backup"
    answer = house.command("backup", target, "--json")
    said = json.loads(answer.stdout) if answer.returncode == 0 else {"left_out": []}
    check("torrents: it is backed up while it runs; the files of torrents are left out, which is said",
          len(said["left_out"]) == 1 and "the files of torrents" in said["left_out"][0], answer.stdout + answer.stderr)
    found = {os.path.relpath(os.path.join(d, n), target + "/data") for d, _, names in os.walk(target + "/data") for n in names}
    list_of_torrents = {f"swarm/torrents/{HASH.hex()}.{kind}" for kind in ("torrent", "state", "have")}
    check("torrents: the list, where it was, and the tracker's memory are in it, the payload is not",
          list_of_torrents | {"swarm/place", "tracker/secret"} <= found and any(n.startswith("tracker/peers/") for n in found) and
          not any(NAME in n for n in found), str(sorted(found)))
    answer = subprocess.run([house.naru, "backup", "verify", target, "--json"], capture_output=True, text=True, timeout=PATIENCE_S * 3)
    said = json.loads(answer.stdout) if answer.stdout else {}
    check("torrents: verify reads the torrent and the announce", answer.returncode == 0 and said["swarm"] == {"torrents": 1, "magnets": 0, "pieces": len(PIECES)} and
          said["tracker"]["changes"] >= 1, answer.stdout[-500:] + answer.stderr)
    if keys:
        keys_are_in(target, house, "in the backup")
    return target


def restored(house, target, place, keys):
    old = f"{place}/files{house.dir}"
    answer = subprocess.run([house.naru, "restore", target, "--dir", place], capture_output=True, text=True, timeout=PATIENCE_S * 3)
    check("torrents: it is restored elsewhere; that the files of torrents are not in it is said", answer.returncode == 0 and
          "the files of torrents" in answer.stderr, answer.stderr)
    if keys:
        keys_are_in(place, house, "restored")
    second = House(house.naru, place, lambda _: (f"certificate {old}/mx.pem; key {old}/mx.key" if keys else "", BLOCKS))
    try:
        if not check("torrents: ... naru starts on it", second.ready(), second.log_text()[-1500:]):
            return
        if keys:
            check("keys: ... the restored certificate is shown", tls_answers(second, old + "/mx.pem"), second.log_text()[-800:])
        check("torrents: ... the tracker knows the peer", wait_for(lambda: seeds(second) == [1]), str(ask(second, "/tracker/figures")))
        missing = wait_for(lambda: torrent(second).get("error"))
        t = torrent(second)
        check("torrents: ... the swarm knows the torrent, looks for it below its new directory, and says that its file is missing",
              missing and NAME in t["errorString"] and t["downloadDir"] == place + "/swarm/downloads" and t["labels"] == ["kept"], str(t))
        check("torrents: ... nothing is fetched anew by itself", t.get("downloadedEver") == 0 and not os.path.exists(f"{place}/swarm/downloads/{NAME}.part"))
        payload_put(second)
        rpc(second, "torrent-start", ids=[HASH.hex()])
        check("torrents: ... its file put back, it is whole", wait_for(lambda: (t := torrent(second)).get("percentDone") == 1 and not t["error"]), str(torrent(second)))
    finally:
        second.end()


def come_back(naru):
    if not shutil.which("curl"):
        skipped("torrents in a backup", "curl is not installed")
        return
    keys = bool(shutil.which("openssl"))
    if not keys:
        skipped("certificates and keys in a backup", "openssl is not installed")
    house = House(naru, more=with_certificate)
    try:
        target = backed_up(house, keys)
        restored(house, target, house.dir + "/restored", keys)
    finally:
        house.end()
