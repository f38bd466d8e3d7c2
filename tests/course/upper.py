#!/usr/bin/env python3
"""S1 and S2: the course's own client programs, and every kind of peer, against naru's upper service."""
import os, select, socket, subprocess, sys, threading, time, traceback

here = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(here, "..", "interop"))
from internet import SmallInternet  # noqa: E402

WAIT = 60


def udp():
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.settimeout(WAIT)
    return s


def tcp(at):
    s = socket.create_connection(at, timeout=WAIT)
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return s


def read_bytes(s, n):
    data = b""
    while len(data) < n:
        some = s.recv(65536)
        if not some:
            break
        data += some
    return data


def program(name, at, text):
    return subprocess.run([sys.executable, os.path.join(here, name), at[0], str(at[1]), text],
                          capture_output=True, text=True, timeout=WAIT).stdout.strip()


def case_the_udp_client_as_printed(at):
    assert program("UDPClient.py", at, "Straße nach 한국, été") == "STRASSE NACH 한국, ÉTÉ"


def case_the_tcp_client_as_printed_sends_no_newline(at):
    assert program("TCPClient.py", at, "hello") == "From Server: HELLO"


def case_every_character_as_python_makes_it(at):
    characters = [chr(c) for c in range(0x110000) if not 0xD800 <= c < 0xE000]
    s = udp()
    for start in range(0, len(characters), 4000):
        text = "".join(characters[start:start + 4000])
        s.sendto(text.encode(), at)
        assert s.recv(65536).decode() == text.upper(), hex(start)


def case_bytes_that_are_no_text_pass(at):
    s = udp()
    for sent, back in ((b"\xff\xfeabc", b"\xff\xfeABC"), (b"a\x80z", b"A\x80Z"), (b"\xed\xa0\x80a", b"\xed\xa0\x80A"), (bytes(range(256)), None)):
        s.sendto(sent, at)
        assert s.recv(2048) == (back or sent.upper()), sent


def case_one_socket_serves_many_udp_clients(at):
    clients = [udp() for _ in range(50)]
    for i, s in enumerate(clients):
        s.sendto(b"client %d" % i, at)
    for i, s in reversed(list(enumerate(clients))):
        answer, server = s.recvfrom(2048)
        assert answer == b"CLIENT %d" % i and server == at


def case_many_tcp_clients_at_once_each_with_a_socket_of_its_own(at):
    clients = [tcp(at) for _ in range(200)]
    for turn in range(3):
        for i, s in reversed(list(enumerate(clients))):
            s.sendall(b"turn %d of %d" % (turn, i))
        for i, s in enumerate(clients):
            want = b"TURN %d OF %d" % (turn, i)
            assert read_bytes(s, len(want)) == want


def case_each_chunk_is_answered_at_once_also_one_byte_at_a_time(at):
    s = tcp(at)
    for byte in "one byte at a time, été, 한":
        for b in byte.encode()[:-1]:
            s.send(bytes([b]))
        s.send(byte.encode()[-1:])
        want = byte.upper().encode()
        assert read_bytes(s, len(want)) == want, byte


def case_half_a_character_passes_when_no_more_comes(at):
    s = tcp(at)
    s.send(b"x\xed\x95")
    assert s.recv(10) == b"X"
    s.shutdown(socket.SHUT_WR)
    assert read_bytes(s, 10) == b"\xed\x95"


def case_a_client_that_half_closes_still_reads_its_answer(at):
    s = tcp(at)
    s.sendall(b"last words")
    s.shutdown(socket.SHUT_WR)
    assert read_bytes(s, 100) == b"LAST WORDS"


def case_a_large_text_streams_through(at):
    s, text = tcp(at), os.urandom(1 << 20).hex().encode()
    threading.Thread(target=lambda: (s.sendall(text), s.shutdown(socket.SHUT_WR)), daemon=True).start()
    assert read_bytes(s, len(text) + 1) == text.upper()


def case_the_largest_datagram_comes_back_whole(at):
    s = udp()
    s.sendto(b"z" * 65507, at)
    assert s.recv(65536) == b"Z" * 65507


def case_a_text_that_grows_beyond_a_datagram_is_cut_between_characters(at):
    s, text = udp(), "\u0390" * 30000
    s.sendto(text.encode(), at)
    answer = s.recv(65536)
    assert len(answer) > 65000 and text.upper().startswith(answer.decode())


def case_a_client_that_never_reads_harms_nobody(at):
    endless = tcp(at)
    endless.setblocking(False)
    sent, end = 0, time.monotonic() + 3
    while time.monotonic() < end:
        if not select.select([], [endless], [], 0.3)[1]:
            break
        sent += endless.send(b"a" * 65536)
    assert sent < 64 << 20, "the server keeps what nobody reads"
    assert program("TCPClient.py", at, "others") == "From Server: OTHERS"


def case_clients_that_break_off_harm_nobody(at):
    for _ in range(50):
        s = tcp(at)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
        s.send(b"x" * 5000)
        s.close()
    assert program("TCPClient.py", at, "others") == "From Server: OTHERS"


def main():
    sums = {"passed": 0, "failed": 0}
    with SmallInternet(sys.argv[1]) as internet:
        at = internet.where("hamburger.edu", "upper")
        for name, case in list(globals().items()):
            if not name.startswith("case_") or (sys.argv[2:] and not any(w in name for w in sys.argv[2:])):
                continue
            try:
                case(at)
                sums["passed"] += 1
                print("ok upper: " + name[5:].replace("_", " "), flush=True)
            except Exception:
                sums["failed"] += 1
                print("not ok upper: " + name[5:].replace("_", " "))
                traceback.print_exc(limit=3, file=sys.stdout)
    print("{passed} passed, {failed} failed, 0 skipped".format(**sums))
    sys.exit(1 if sums["failed"] or not sums["passed"] else 0)


main()
