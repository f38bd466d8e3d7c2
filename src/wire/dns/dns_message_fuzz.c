// A message that can be read is written again, and reads back the same; whatever the bytes, describing them covers
// them all; memory stays under the arena's ceiling.
#include "base/must.h"
#include "wire/dns/describe.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool records_eq(const dns_record *a, const dns_record *b)
{
    return dns_name_eq(a->name, b->name) && a->type == b->type && a->class == b->class && a->ttl == b->ttl &&
           str_eq_nocase(a->rdata, b->rdata);
}

static void write_and_compare(arena *a, const dns_message *m)
{
    static unsigned char out[DNS_MESSAGE_MAX];
    dns_builder b;
    dns_message again;
    bool fits = true;
    dns_build_start(&b, out, sizeof out, m->header, m->edns.present ? &m->edns : NULL);
    if (m->has_question)
        dns_build_question(&b, m->question);
    for (int s = 0; s < DNS_SECTIONS; s++)
        for (int i = 0; i < m->count[s]; i++)
            fits &= dns_build_record(&b, s, dns_message_record(m, s, i));
    str wire = dns_build_end(&b, m->edns.present ? &m->edns : NULL);
    if (!fits)
        return;                                            // what came in used more compression than we do
    must(dns_message_read(wire, a, &again, NULL));
    must(again.header.id == m->header.id && again.header.rcode == m->header.rcode);
    must(again.has_question == m->has_question && (!m->has_question || dns_question_eq(again.question, m->question)));
    must(again.edns.present == m->edns.present && again.edns.has_ede == m->edns.has_ede);
    must(again.edns.has_subnet == m->edns.has_subnet && dns_subnet_same(&again.edns.subnet, &m->edns.subnet));
    for (int s = 0; s < DNS_SECTIONS; s++) {
        must(again.count[s] == m->count[s]);
        for (int i = 0; i < m->count[s]; i++)
            must(records_eq(dns_message_record(&again, s, i), dns_message_record(m, s, i)));
    }
}

static void describe_and_check(arena *a, str wire)
{
    dns_wire_field *f;
    int count = dns_wire_view(a, wire, false, &f);
    ptrdiff_t at = 0;
    for (int i = 0; i < count; i++) {
        must(f[i].offset >= 0 && f[i].len >= 0 && f[i].offset + f[i].len <= wire.len);
        if (f[i].len) {
            must(f[i].offset == at);
            at += f[i].len;
        }
    }
    must(at == wire.len || count == DNS_WIRE_FIELDS_MAX);
    (void)dns_wire_text(a, wire, f, count);
    (void)dns_message_text(a, wire);
    (void)dns_message_line(a, wire);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    unsigned char out[DNS_UDP_PLAIN_MAX];
    arena a = arena_make(16 << 20);
    str wire = str_of(data, size > DNS_MESSAGE_MAX ? DNS_MESSAGE_MAX : size);
    dns_message m;
    if (dns_message_read(wire, &a, &m, NULL) && !m.header.truncated)
        write_and_compare(&a, &m);
    (void)dns_reply_bare(out, sizeof out, wire, DNS_FORMERR);
    if (wire.len < 4096)
        describe_and_check(&a, wire);
    arena_free(&a);
    return 0;
}
