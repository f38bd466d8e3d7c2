// A reply as a hostile server may write it: what is taken from it lies inside the zone that was asked, a referral leads
// down towards the name, and what a client would be told of it can be read back.
#include "base/must.h"
#include "rooms/resolver/respond.h"
#include "rooms/resolver/scrub.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_referral(const dns_message *m, dns_name zone, dns_name cut, dns_name name)
{
    delegation d;
    uint32_t ttl;
    must(dns_name_under(cut, zone) && !dns_name_eq(cut, zone) && dns_name_under(name, cut));
    must(delegation_read(m, zone, cut, &d, &ttl) && d.names >= 1 && d.names <= DELEGATION_NAMES_MAX);
    must(d.addresses <= DELEGATION_ADDRESSES_MAX);
    for (int i = 0; i < d.addresses; i++)
        must(dns_name_under(d.name[d.address[i].name], zone));
}

static void check_respond(const dns_message *m, arena *a)
{
    static unsigned char out[DNS_MESSAGE_MAX];
    dns_message asked = {.header = {.id = 1, .recursion_desired = true}, .has_question = true, .question = m->question}, back;
    found f = {.answer = m->record, .answers = m->count[DNS_ANSWER], .rcode = DNS_NOERROR};
    for (int stream = 0; stream < 2; stream++) {
        respond_setting how = {.turn = (uint32_t)m->header.id, .is_stream = stream};
        size_t len = respond(&asked, &f, &how, out, sizeof out);
        must(len > 0 && len <= (stream ? DNS_MESSAGE_MAX : DNS_UDP_PLAIN_MAX));
        must(dns_message_read(str_of(out, len), a, &back, NULL));
        must(back.header.truncated || back.count[DNS_ANSWER] == f.answers);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    arena a = arena_make(8 << 20);
    dns_message m;
    if (dns_message_read(str_of(data, size), &a, &m, NULL) && m.has_question) {
        for (int labels = 0; labels <= dns_name_labels(m.question.name); labels++) {
            dns_name zone = dns_name_tail(m.question.name, labels);
            reply_view v = reply_judge(&m, zone, m.question, false);
            if (v.kind == REPLY_REFERRAL)
                check_referral(&m, zone, v.cut, m.question.name);
            must(!v.soa || (dns_name_under(v.soa->name, zone) && dns_name_under(m.question.name, v.soa->name)));
            must(v.kind == REPLY_REFERRAL || v.kind == REPLY_LAME || m.header.authoritative);
        }
        check_respond(&m, &a);
    }
    arena_free(&a);
    return 0;
}
