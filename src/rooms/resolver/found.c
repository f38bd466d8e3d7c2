#include "rooms/resolver/found.h"

#include <string.h>

dns_record record_copy(arena *a, const dns_record *r)
{
    return (dns_record){dns_name_copy(a, r->name), r->type, r->class, r->ttl, str_copy(a, r->rdata)};
}

void found_fail(found *f, unsigned ede, str why)
{
    *f = (found){.rcode = DNS_SERVFAIL, .has_ede = true, .ede = (uint16_t)ede, .ede_text = why};
}

bool found_append(found *f, const dns_record *records, int count, arena *a)
{
    dns_record *all = arena_array(a, dns_record, f->answers + count);
    if (!all || a->full)
        return false;
    if (f->answers)
        memcpy(all, f->answer, (size_t)f->answers * sizeof *all);
    if (count)
        memcpy(all + f->answers, records, (size_t)count * sizeof *all);
    f->answer = all;
    f->answers += count;
    return true;
}

void found_copy(const found *from, arena *a, found *out)
{
    *out = *from;
    out->answer = arena_array(a, dns_record, from->answers);
    for (int i = 0; i < from->answers && out->answer; i++)
        out->answer[i] = record_copy(a, &from->answer[i]);
    if (from->has_soa)
        out->soa = record_copy(a, &from->soa);
    out->ede_text = str_copy(a, from->ede_text);
    out->rest = str_copy(a, from->rest);
    if (a->full)
        found_fail(out, DNS_EDE_OTHER, S("the answer is too large"));
}

void found_join(found *f, const found *rest, arena *a)
{
    found whole = *rest;
    whole.answer = f->answer;
    whole.answers = f->answers;
    whole.scope = rest->scope > f->scope ? rest->scope : f->scope;
    *f = whole;
    if (rest->rcode == DNS_SERVFAIL)
        f->answers = 0;
    else if (!found_append(f, rest->answer, rest->answers, a))
        found_fail(f, DNS_EDE_OTHER, S("the answer is too large"));
}
