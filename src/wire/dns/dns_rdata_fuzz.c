// The first two bytes are a type, the rest is tried as text and as wire form: what is accepted survives the way
// text -> wire -> text -> wire and wire -> text -> wire.
#include "base/must.h"
#include "wire/dns/rdata.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void text_way(arena *a, unsigned type, str text)
{
    str wire, again;
    const char *why;
    if (!dns_rdata_from_text(a, type, text, dns_root, &wire, &why))
        return;
    must(dns_rdata_valid(type, wire));
    must(dns_rdata_from_text(a, type, dns_rdata_text(a, type, wire), dns_root, &again, &why));
    must(str_eq(wire, again));
}

static void wire_way(arena *a, unsigned type, str wire)
{
    str again;
    const char *why;
    if (!dns_rdata_valid(type, wire))
        return;
    str text = dns_rdata_text(a, type, wire);
    must(text.len);
    if (!dns_rdata_from_text(a, type, text, dns_root, &again, &why)) {
        must(wire.len > DNS_TOKENS_MAX / 2);               // only the ceilings of the text form may stop it
        return;
    }
    must(str_eq(wire, again));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    arena a = arena_make(16 << 20);
    reader r = rd_of(str_of(data, size));
    unsigned type = rd_u16(&r) % 300;
    str rest = rd_rest(&r);
    if (rest.len <= DNS_RDATA_MAX) {
        text_way(&a, type, rest);
        wire_way(&a, type, rest);
    }
    arena_free(&a);
    return 0;
}
