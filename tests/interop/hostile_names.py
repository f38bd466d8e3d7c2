"""Hostile datagrams and connections at the doors of the name servers. What needs a forged network stands in tests/dns (simulated)."""
import functools, random, socket, struct, time
from internet import PATIENCE_S, memory_kib, wait_for


def kib_of(i):
    return memory_kib(i.process.pid)


def name(text):
    return b"".join(bytes([len(l)]) + l.encode() for l in text.split(".") if l) + b"\0"


def query(text, type_=1, ident=7, flags=0x0100, more=b"", counts=(1, 0, 0, 0)):
    return struct.pack(">6H", ident, flags, *counts) + name(text) + struct.pack(">2H", type_, 1) + more


GOOD = {"resolver": "www.amazon.com", "amazon.com": "www.amazon.com", "hamburger.edu": "hamburger.edu"}


def asked(i, host, packet, timeout=1.0):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(timeout)
        s.sendto(packet, i.where(host, "dns"))
        try:
            return s.recv(65536)
        except TimeoutError:
            return b""


def is_served(i, host):
    said, until = b"", time.monotonic() + PATIENCE_S
    while not said and time.monotonic() < until:         # a full queue drops datagrams: it is asked again
        said = asked(i, host, query(GOOD[host], ident=0x4242), timeout=2)
    assert said[:2] == b"\x42\x42" and said[3] & 15 == 0 and said[6:8] != b"\0\0", (host, said)


def rcode(said):
    return said[3] & 15 if len(said) >= 12 else None


def case_packets_that_are_no_questions(i):
    loop = struct.pack(">6H", 7, 0x0100, 1, 0, 0, 0) + b"\xc0\x0c\0\1\0\1"
    forward = struct.pack(">6H", 7, 0x0100, 1, 0, 0, 0) + b"\xc0\xff\0\1\0\1"
    chain = struct.pack(">6H", 7, 0x0100, 1, 0, 0, 0) + b"".join(b"\1a\xc0" + bytes([12 + 4 * n]) for n in range(60)) + b"\0\1\0\1"
    table = (
        ("a compression loop", loop), ("a pointer beyond the end", forward), ("a chain of pointers", chain),
        ("a label of 64 bytes", struct.pack(">6H", 7, 0x0100, 1, 0, 0, 0) + b"\x40" + b"a" * 64 + b"\0\0\1\0\1"),
        ("a name of 300 bytes", query(".".join(["a" * 60] * 5))), ("no question", struct.pack(">6H", 7, 0x0100, 0, 0, 0, 0)),
        ("two questions", query("a.com", counts=(2, 0, 0, 0)) + name("b.com") + b"\0\1\0\1"), ("65535 questions", query("a.com", counts=(65535,) * 4)),
        ("half a header", b"\0\7\1\0\0"), ("nothing", b""), ("a question without its end", query("www.amazon.com")[:-3]),
        ("ten OPT records", query("a.com", counts=(1, 0, 0, 10), more=b"\0\0\x29\x10\0\0\0\0\0\0\0" * 10)),
        ("an OPT whose options lie", query("a.com", counts=(1, 0, 0, 1), more=b"\0\0\x29\x10\0\0\0\0\0\0\4\0\3\xff\xff")),
        ("an OPT full of options", query("a.com", counts=(1, 0, 0, 1), more=b"\0\0\x29\x10\0\0\0\0\0\x0f\xa0" + b"\0\3\0\0" * 1000)),
        ("64 KB of zeros", bytes(60000)), ("an UPDATE", query("amazon.com", flags=0x2800)), ("a NOTIFY", query("amazon.com", 6, flags=0x2000)),
        ("an AXFR over UDP", query("amazon.com", 252)), ("class ANY", query("amazon.com")[:-2] + b"\0\xff"), ("class CHAOS", query("version.bind", 16)[:-2] + b"\0\3"))
    for host in GOOD:
        before = kib_of(i)
        for what, packet in table:
            said = asked(i, host, packet, timeout=0.15)
            assert rcode(said) in (None, 0, 1, 3, 4, 5, 16), (host, what, said)
            assert rcode(said) != 0 or said[6:8] == b"\0\0" or what.startswith(("an AXFR", "an OPT", "ten")), (host, what, said)
            assert len(said) <= 1232, (host, what, len(said))
        is_served(i, host)
        assert kib_of(i) - before < 4 * 1024, host


def case_answers_that_nobody_asked_for_get_none(i):
    for host in GOOD:
        for flags in (0x8180, 0x8580, 0x8001):
            assert asked(i, host, query(GOOD[host], flags=flags), timeout=0.2) == b"", "two servers would answer each other for ever"
        is_served(i, host)


def case_thousands_of_random_packets(i):
    chance = random.Random(7)
    for host in GOOD:
        before, good = kib_of(i), query(GOOD[host])
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            for n in range(4000):
                packet = bytearray(good + chance.randbytes(chance.randrange(60)))
                for _ in range(chance.randrange(1, 8)):
                    packet[chance.randrange(len(packet))] = chance.randrange(256)
                s.sendto(packet, i.where(host, "dns"))
        is_served(i, host)
        assert kib_of(i) - before < 12 * 1024, (host, before, kib_of(i))


def case_tcp_with_lengths_that_lie(i):
    for host in GOOD:
        for sent in (b"\0\0", b"\0\1x", b"\xff\xff" + b"x" * 100, b"\0\5hello", struct.pack(">H", 5000) + bytes(5000)):
            with socket.create_connection(i.where(host, "dns"), timeout=PATIENCE_S) as s:
                s.sendall(sent)
                s.shutdown(socket.SHUT_WR)
                try:
                    said = s.recv(65536)
                except ConnectionResetError:
                    said = b""
                assert said == b"" or said[5] & 15 != 0, (host, sent[:4], said)
        is_served(i, host)


def case_tcp_slots_taken_by_the_silent_do_not_shut_others_out(i):
    for host in ("resolver", "amazon.com"):
        before, held = kib_of(i), []
        try:
            for n in range(300):
                try:
                    held.append(socket.create_connection(i.where(host, "dns"), timeout=PATIENCE_S, source_address=(f"127.8.0.{1 + n % 3}", 0)))
                    held[-1].sendall(b"\0")
                except OSError:
                    break
            is_served(i, host)
            with socket.create_connection(i.where(host, "dns"), timeout=PATIENCE_S, source_address=("127.0.0.1", 0)) as s:
                packet = query(GOOD[host], ident=0x5151)
                s.sendall(struct.pack(">H", len(packet)) + packet)
                said = s.recv(4096)
                assert said[2:4] == b"\x51\x51" or said[:2] == b"\x51\x51" or len(said) == 2, (host, said)
        finally:
            for s in held:
                s.close()
        assert wait_for(lambda: kib_of(i) - before < 6 * 1024), host


def case_a_reader_that_never_reads_its_answers(i):
    for host in ("resolver", "amazon.com"):
        before = kib_of(i)
        packet = query(GOOD[host])
        with socket.create_connection(i.where(host, "dns"), timeout=2) as s:
            try:
                for _ in range(200):
                    s.sendall((struct.pack(">H", len(packet)) + packet) * 500)
            except OSError:
                pass                                      # it reads no more of us, or hung up
            is_served(i, host)
            assert kib_of(i) - before < 6 * 1024, (host, before, kib_of(i))


# ---- every case is measured ---------------------------------------------------------------------------------------------

CASE_SECONDS_MAX, CASE_KIB_MAX = 300, 16 * 1024


def measured(case):
    @functools.wraps(case)
    def run_it(i):
        before, began = kib_of(i), time.monotonic()
        case(i)
        assert time.monotonic() - began < CASE_SECONDS_MAX, "it took too long"
        assert wait_for(lambda: kib_of(i) - before < CASE_KIB_MAX), f"memory grew from {before} to {kib_of(i)} KiB"
    return run_it


for name_of_case in [n for n in globals() if n.startswith("case_")]:
    globals()[name_of_case] = measured(globals()[name_of_case])
