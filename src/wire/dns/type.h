// The numbers of DNS and their mnemonics (IANA "DNS Parameters"): types, classes, opcodes, response codes, extended
// errors. A type or class without a mnemonic is written TYPE123, CLASS32 (RFC 3597 5).
#pragma once
#include "base/arena.h"

enum {
    DNS_A = 1, DNS_NS = 2, DNS_CNAME = 5, DNS_SOA = 6, DNS_PTR = 12, DNS_HINFO = 13, DNS_MX = 15, DNS_TXT = 16,
    DNS_RP = 17, DNS_AFSDB = 18, DNS_SIG = 24, DNS_KEY = 25, DNS_AAAA = 28, DNS_LOC = 29, DNS_SRV = 33, DNS_NAPTR = 35,
    DNS_DNAME = 39, DNS_OPT = 41, DNS_DS = 43, DNS_SSHFP = 44, DNS_RRSIG = 46, DNS_NSEC = 47, DNS_DNSKEY = 48,
    DNS_NSEC3 = 50, DNS_NSEC3PARAM = 51, DNS_TLSA = 52, DNS_CDS = 59, DNS_CDNSKEY = 60, DNS_SVCB = 64, DNS_HTTPS = 65,
    DNS_SPF = 99, DNS_TSIG = 250, DNS_IXFR = 251, DNS_AXFR = 252, DNS_MAILB = 253, DNS_MAILA = 254, DNS_ANY = 255,
    DNS_CAA = 257,
};

enum { DNS_CLASS_IN = 1, DNS_CLASS_CH = 3, DNS_CLASS_HS = 4, DNS_CLASS_NONE = 254, DNS_CLASS_ANY = 255 };

enum { DNS_OP_QUERY = 0, DNS_OP_IQUERY = 1, DNS_OP_STATUS = 2, DNS_OP_NOTIFY = 4, DNS_OP_UPDATE = 5 };

enum {
    DNS_NOERROR = 0, DNS_FORMERR = 1, DNS_SERVFAIL = 2, DNS_NXDOMAIN = 3, DNS_NOTIMP = 4, DNS_REFUSED = 5,
    DNS_YXDOMAIN = 6, DNS_YXRRSET = 7, DNS_NXRRSET = 8, DNS_NOTAUTH = 9, DNS_NOTZONE = 10, DNS_BADVERS = 16,
};

// Extended DNS errors, RFC 8914 4.
enum {
    DNS_EDE_OTHER = 0, DNS_EDE_STALE_ANSWER = 3, DNS_EDE_CACHED_ERROR = 13, DNS_EDE_NOT_READY = 14, DNS_EDE_BLOCKED = 15,
    DNS_EDE_PROHIBITED = 18, DNS_EDE_NOT_AUTHORITATIVE = 20, DNS_EDE_NOT_SUPPORTED = 21,
    DNS_EDE_NO_REACHABLE_AUTHORITY = 22, DNS_EDE_NETWORK_ERROR = 23, DNS_EDE_INVALID_DATA = 24,
};

str  dns_type_text(arena *a, unsigned type);            // "MX", "TYPE65400"
bool dns_type_from_text(str text, uint16_t *type);      // case does not count; also TYPE123
str  dns_class_text(arena *a, unsigned class);          // "IN", "CLASS7"
bool dns_class_from_text(str text, uint16_t *class);    // also CLASS7
str  dns_opcode_text(arena *a, unsigned opcode);        // "QUERY", "OPCODE9"
str  dns_rcode_text(arena *a, unsigned rcode);          // "NXDOMAIN", "RCODE77"
str  dns_rcode_meaning(unsigned rcode);                 // "the name does not exist"; empty when unknown
str  dns_ede_text(arena *a, unsigned code);             // "Stale Answer", "Extended Error 99"

// Types that stand only in questions or carry no zone data: OPT, TSIG, IXFR, AXFR, MAILB, MAILA, ANY (RFC 6895 3.1).
bool dns_type_is_meta(unsigned type);
