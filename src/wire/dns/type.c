#include "wire/dns/type.h"

typedef struct { uint16_t number; str text; } mnemonic;

#define COUNT(table) (int)(sizeof(table) / sizeof((table)[0]))
#define WORD(number, literal) {number, {(const unsigned char *)literal, sizeof(literal) - 1}}

static const mnemonic types[] = {
    WORD(DNS_A, "A"), WORD(DNS_NS, "NS"), WORD(DNS_CNAME, "CNAME"), WORD(DNS_SOA, "SOA"), WORD(DNS_PTR, "PTR"),
    WORD(DNS_HINFO, "HINFO"), WORD(DNS_MX, "MX"), WORD(DNS_TXT, "TXT"), WORD(DNS_RP, "RP"), WORD(DNS_AFSDB, "AFSDB"),
    WORD(DNS_SIG, "SIG"), WORD(DNS_KEY, "KEY"), WORD(DNS_AAAA, "AAAA"), WORD(DNS_LOC, "LOC"), WORD(DNS_SRV, "SRV"),
    WORD(DNS_NAPTR, "NAPTR"), WORD(DNS_DNAME, "DNAME"), WORD(DNS_OPT, "OPT"), WORD(DNS_DS, "DS"),
    WORD(DNS_SSHFP, "SSHFP"), WORD(DNS_RRSIG, "RRSIG"), WORD(DNS_NSEC, "NSEC"), WORD(DNS_DNSKEY, "DNSKEY"),
    WORD(DNS_NSEC3, "NSEC3"), WORD(DNS_NSEC3PARAM, "NSEC3PARAM"), WORD(DNS_TLSA, "TLSA"), WORD(DNS_CDS, "CDS"),
    WORD(DNS_CDNSKEY, "CDNSKEY"), WORD(DNS_SVCB, "SVCB"), WORD(DNS_HTTPS, "HTTPS"), WORD(DNS_SPF, "SPF"),
    WORD(DNS_TSIG, "TSIG"), WORD(DNS_IXFR, "IXFR"), WORD(DNS_AXFR, "AXFR"), WORD(DNS_MAILB, "MAILB"),
    WORD(DNS_MAILA, "MAILA"), WORD(DNS_ANY, "ANY"), WORD(DNS_CAA, "CAA"),
};

static const mnemonic classes[] = {
    WORD(DNS_CLASS_IN, "IN"), WORD(DNS_CLASS_CH, "CH"), WORD(DNS_CLASS_HS, "HS"), WORD(DNS_CLASS_NONE, "NONE"),
    WORD(DNS_CLASS_ANY, "ANY"),
};

static const mnemonic opcodes[] = {
    WORD(DNS_OP_QUERY, "QUERY"), WORD(DNS_OP_IQUERY, "IQUERY"), WORD(DNS_OP_STATUS, "STATUS"),
    WORD(DNS_OP_NOTIFY, "NOTIFY"), WORD(DNS_OP_UPDATE, "UPDATE"),
};

static const mnemonic rcodes[] = {
    WORD(DNS_NOERROR, "NOERROR"), WORD(DNS_FORMERR, "FORMERR"), WORD(DNS_SERVFAIL, "SERVFAIL"),
    WORD(DNS_NXDOMAIN, "NXDOMAIN"), WORD(DNS_NOTIMP, "NOTIMP"), WORD(DNS_REFUSED, "REFUSED"),
    WORD(DNS_YXDOMAIN, "YXDOMAIN"), WORD(DNS_YXRRSET, "YXRRSET"), WORD(DNS_NXRRSET, "NXRRSET"),
    WORD(DNS_NOTAUTH, "NOTAUTH"), WORD(DNS_NOTZONE, "NOTZONE"), WORD(DNS_BADVERS, "BADVERS"),
};

static const mnemonic rcode_meanings[] = {
    WORD(DNS_NOERROR, "no error"), WORD(DNS_FORMERR, "the server could not read the question"),
    WORD(DNS_SERVFAIL, "the server failed to find the answer"), WORD(DNS_NXDOMAIN, "the name does not exist"),
    WORD(DNS_NOTIMP, "the server does not do this kind of request"), WORD(DNS_REFUSED, "the server refuses to answer"),
    WORD(DNS_NOTAUTH, "the server is not authoritative for the zone"), WORD(DNS_NOTZONE, "the name is not in the zone"),
    WORD(DNS_BADVERS, "the EDNS version is not supported"),
};

static const mnemonic extended_errors[] = {
    WORD(0, "Other"), WORD(1, "Unsupported DNSKEY Algorithm"), WORD(2, "Unsupported DS Digest Type"),
    WORD(3, "Stale Answer"), WORD(4, "Forged Answer"), WORD(5, "DNSSEC Indeterminate"), WORD(6, "DNSSEC Bogus"),
    WORD(7, "Signature Expired"), WORD(8, "Signature Not Yet Valid"), WORD(9, "DNSKEY Missing"),
    WORD(10, "RRSIGs Missing"), WORD(11, "No Zone Key Bit Set"), WORD(12, "NSEC Missing"), WORD(13, "Cached Error"),
    WORD(14, "Not Ready"), WORD(15, "Blocked"), WORD(16, "Censored"), WORD(17, "Filtered"), WORD(18, "Prohibited"),
    WORD(19, "Stale NXDOMAIN Answer"), WORD(20, "Not Authoritative"), WORD(21, "Not Supported"),
    WORD(22, "No Reachable Authority"), WORD(23, "Network Error"), WORD(24, "Invalid Data"),
};

static str text_of(const mnemonic *table, int count, unsigned number)
{
    for (int i = 0; i < count; i++)
        if (table[i].number == number)
            return table[i].text;
    return (str){0};
}

static bool number_of(const mnemonic *table, int count, str prefix, str text, uint16_t *number)
{
    uint64_t n;
    for (int i = 0; i < count; i++)
        if (str_eq_nocase(table[i].text, text)) {
            *number = table[i].number;
            return true;
        }
    if (!str_starts_nocase(text, prefix) || !str_to_u64(str_from(text, prefix.len), &n) || n > UINT16_MAX)
        return false;
    *number = (uint16_t)n;
    return true;
}

static str text_or_number(arena *a, const mnemonic *table, int count, const char *prefix, unsigned number)
{
    str text = text_of(table, count, number);
    return text.len ? text : str_format(a, "%s%u", prefix, number);
}

str dns_type_text(arena *a, unsigned type) { return text_or_number(a, types, COUNT(types), "TYPE", type); }
str dns_class_text(arena *a, unsigned class) { return text_or_number(a, classes, COUNT(classes), "CLASS", class); }
str dns_opcode_text(arena *a, unsigned op) { return text_or_number(a, opcodes, COUNT(opcodes), "OPCODE", op); }
str dns_rcode_text(arena *a, unsigned rcode) { return text_or_number(a, rcodes, COUNT(rcodes), "RCODE", rcode); }
str dns_rcode_meaning(unsigned rcode) { return text_of(rcode_meanings, COUNT(rcode_meanings), rcode); }

str dns_ede_text(arena *a, unsigned code)
{
    return text_or_number(a, extended_errors, COUNT(extended_errors), "Extended Error ", code);
}

bool dns_type_from_text(str text, uint16_t *type) { return number_of(types, COUNT(types), S("TYPE"), text, type); }

bool dns_class_from_text(str text, uint16_t *class)
{
    return number_of(classes, COUNT(classes), S("CLASS"), text, class);
}

bool dns_type_is_meta(unsigned type) { return type == DNS_OPT || (type >= DNS_TSIG && type <= DNS_ANY); }
