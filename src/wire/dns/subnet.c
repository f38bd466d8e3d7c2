#include "wire/dns/subnet.h"

#include <string.h>

enum { FAMILY_IPV4 = 1, FAMILY_IPV6 = 2 };   // IANA's address family numbers

static int bits_max(uint8_t family) { return family == 4 ? 32 : family == 6 ? 128 : 0; }

static size_t address_bytes(int bits) { return (size_t)(bits + 7) / 8; }

dns_subnet dns_subnet_of(addr x, int bits)
{
    int most = bits_max(x.family), told = bits < 0 ? 0 : bits < most ? bits : most;
    dns_subnet s = {.network.family = x.family, .source = (uint8_t)told};
    memcpy(s.network.ip, x.ip, address_bytes(told));
    if (told % 8)
        s.network.ip[told / 8] &= (uint8_t)(0xff << (8 - told % 8));
    return s;
}

bool dns_subnet_read(str value, dns_subnet *out)
{
    reader r = rd_of(value);
    unsigned family = rd_u16(&r);
    addr x = {.family = family == FAMILY_IPV4 ? 4 : family == FAMILY_IPV6 ? 6 : 0};
    unsigned source = rd_u8(&r), scope = rd_u8(&r);
    str address = rd_rest(&r);
    unsigned most = (unsigned)bits_max(x.family);
    bool known = x.family || family == 0;                  // family 0 with nothing told is what some senders say for "nobody"
    if (r.bad || !known || source > most || scope > most || address.len != (ptrdiff_t)address_bytes((int)source))
        return false;
    if (address.len)
        memcpy(x.ip, address.at, (size_t)address.len);
    *out = dns_subnet_of(x, (int)source);
    out->scope = (uint8_t)scope;
    return addr_eq_ip(out->network, x);                    // nothing was cut away: no bit stood beyond `source`
}

size_t dns_subnet_bytes(const dns_subnet *s) { return 4 + address_bytes(s->source); }

void dns_subnet_write(writer *w, const dns_subnet *s)
{
    wr_u16(w, s->network.family == 4 ? FAMILY_IPV4 : s->network.family == 6 ? FAMILY_IPV6 : 0);
    wr_u8(w, s->source);
    wr_u8(w, s->scope);
    wr_bytes(w, str_of(s->network.ip, address_bytes(s->source)));
}

bool dns_subnet_same(const dns_subnet *a, const dns_subnet *b)
{
    return a->source == b->source && addr_eq_ip(a->network, b->network);
}

str dns_subnet_text(arena *a, const dns_subnet *s)
{
    if (!s->network.family)
        return S("0");
    str text = str_format(a, STR_FMT "/%d", STR_ARG(addr_ip_text(a, s->network)), s->source);
    return s->scope ? str_join(a, text, str_format(a, " for /%d", s->scope)) : text;
}

bool dns_subnet_from_text(str text, dns_subnet *out)
{
    addr x = {0};
    bool has_bits = str_find_str(text, S("/")) >= 0;
    str ip = str_cut(&text, '/');
    uint64_t bits = 0;
    *out = (dns_subnet){0};
    if (str_eq(ip, S("0")) && !has_bits)
        return true;
    if (!addr_parse_ip(ip, 0, &x) || (has_bits && (!str_to_u64(text, &bits) || bits > (uint64_t)bits_max(x.family))))
        return false;
    *out = dns_subnet_of(x, has_bits ? (int)bits : bits_max(x.family));
    return true;
}
