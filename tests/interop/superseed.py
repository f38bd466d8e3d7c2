"""Superseeding (BEP 16): naru is the only seed, and shows each peer one piece at a time. libtorrent, aria2 and Transmission know nothing
of it and get everything, from it and from each other; it sends about one copy, where an ordinary seed sends more."""
import json, os, signal
from exchange import Running, Torrent, aria2, libtorrent, listens
from internet import PATIENCE_S, free_port, wait_for
from torrents import naru

COPIES_MAX = 2.2                 # of what three leechers need three of; 1.2 to 1.4 on a quiet machine, the rest is sent to who comes late


class Leecher:
    def __init__(self, t, start, name):
        self.directory, self.port = os.path.join(t.top, name), free_port()
        os.mkdir(self.directory)
        self.running = start(t, self.directory, self.port)


def whole(t, directory):
    here, t.leech = t.leech, directory
    try:
        return t.arrived()
    finally:
        t.leech = here


def copies_sent(i, starts, *options):
    """How many copies the seed sent until all had everything."""
    t = Torrent(i)
    leechers, there = [], []
    for n, start in enumerate(starts):
        leechers.append(Leecher(t, start, f"{start.__name__}{n}"))
    try:
        for leecher in leechers:
            assert wait_for(lambda: listens(leecher.port)), leecher.running.said()[-1000:]
        peers = ",".join(f"127.0.0.1:{leecher.port}" for leecher in leechers)
        with Running([i.naru, "torrent", "get", t.file, "--dir", t.seed, "--port", "0", "--no-dht", "--bind", "127.0.0.1", "--json", "--seed",
                      "--limit-up", "16Mbit", "--peer", peers, *options], t.top) as seed:
            assert wait_for(lambda: all(whole(t, leecher.directory) for leecher in leechers)), \
                "\n".join([seed.said()[-1000:]] + [leecher.running.said()[-500:] for leecher in leechers])
            seed.process.send_signal(signal.SIGINT)
            seed.process.wait(PATIENCE_S)
            said = json.loads([line for line in seed.said().splitlines() if line.startswith("{")][-1])
    finally:
        for leecher in leechers:
            leecher.running.__exit__()
    return said["sent"] / said["length"]


def case_a_superseed_sends_about_one_copy(i):
    superseed = copies_sent(i, (libtorrent, libtorrent, aria2), "--superseed")
    print(f"    {superseed:.2f} copies sent to three leechers")
    assert 1 <= superseed <= COPIES_MAX, superseed
