"""dig against the resolver and the authoritative servers."""
from internet import need, run


def dig(i, host, *words):
    address, port = i.where(host, "dns")
    code, said = run([need("dig"), f"@{address}", "-p", str(port), "+tries=1", "+time=5", *words])
    assert code == 0, said
    return said


def case_dig_finds_through_the_resolver(i):
    for name, want in (("www.networkutopia.com", "212.212.212.20"), ("gaia.cs.umass.edu", "128.119.245.12"), ("www.ibm.com", "129.42.60.216")):
        assert want in dig(i, "resolver", name, "+short").split(), name
    assert want in dig(i, "resolver", "www.ibm.com", "+tcp", "+short").split()


def case_dig_sees_flags_and_sections(i):
    said = dig(i, "resolver", "www.amazon.com")
    assert "status: NOERROR" in said and " ra" in said and " aa" not in said.split("flags:")[1].split(";")[0]
    said = dig(i, "amazon.com", "www.amazon.com", "+norecurse")
    assert " aa" in said.split("flags:")[1].split(";")[0]
    said = dig(i, "com", "www.amazon.com", "+norecurse")
    assert "AUTHORITY: 1" in said and "ns1.amazon.com." in said and "ANSWER: 0" in said, said


def case_dig_is_told_why_a_name_is_not_there(i):
    said = dig(i, "resolver", "www.nosuchname.de")
    assert "NXDOMAIN" in said and "this is a small Internet: no such name here" in said, said


def case_dig_types_and_unknown_types(i):
    assert "gmail-smtp-in.l.google.com." in dig(i, "resolver", "gmail.com", "MX", "+short")
    assert "v=spf1 -all" in dig(i, "resolver", "naver.com", "TXT", "+short")
    assert "hostmaster.amazon.com." in dig(i, "amazon.com", "amazon.com", "SOA", "+short")
    said = dig(i, "amazon.com", "www.amazon.com", "TYPE731")
    assert "NOERROR" in said and "ANSWER: 0" in said and "SOA" in said, said


def case_dig_is_refused_elsewhere(i):
    assert "REFUSED" in dig(i, "amazon.com", "www.ibm.com")
    assert "NOTIMP" in dig(i, "amazon.com", "+opcode=2", "www.amazon.com")


def case_addresses_rotate(i):
    firsts = {dig(i, "naver.com", "naver.com", "+short").split()[0] for _ in range(12)}
    assert len(firsts) >= 3, firsts
