// Every record that a zone text yields is valid, and its line alone yields the same record; an error always carries
// a sentence and a line that exists.
#include "base/must.h"
#include "wire/dns/zone_text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool same(void *context, const dns_record *r, const char **why)
{
    const dns_record *first = context;
    (void)why;
    must(dns_name_eq(r->name, first->name) && r->type == first->type && r->ttl == first->ttl && str_eq(r->rdata, first->rdata));
    return true;
}

static bool hear(void *context, const dns_record *r, const char **why)
{
    arena *a = context;
    dns_record first = *r;
    dns_zone_hooks hooks = {.record = same, .context = &first, .origin = dns_root, .class = DNS_CLASS_IN};
    dns_zone_error error;
    (void)why;
    must(dns_name_valid(r->name) && dns_rdata_valid(r->type, r->rdata) && r->class == DNS_CLASS_IN && r->ttl <= INT32_MAX);
    if (r->rdata.len < DNS_TOKENS_MAX / 2)
        must(dns_zone_parse(&hooks, a, S("again"), dns_record_text(a, r), &error));
    arena_reset(a);
    return true;
}

static bool include(void *context, str path, str *text, const char **why)
{
    (void)context, (void)why;
    *text = path;                                          // a file that holds its own name
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    arena room = arena_make(16 << 20), again = arena_make(4 << 20);
    dns_zone_hooks hooks = {.record = hear, .include = include, .context = &again, .origin = dns_root, .class = DNS_CLASS_IN};
    dns_zone_error error = {0};
    if (!dns_zone_parse(&hooks, &room, S("fuzz"), str_of(data, size), &error))
        must(error.sentence && error.line >= 1);
    arena_free(&room);
    arena_free(&again);
    return 0;
}
