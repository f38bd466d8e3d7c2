#include "rooms/authoritative/zone_load.h"

typedef struct {
    zone         *z;
    zone_include *include;
    void         *context;
} loading;

static bool on_record(void *context, const dns_record *r, const char **why)
{
    loading *l = context;
    return zone_add(l->z, r, why);
}

static bool on_include(void *context, str path, str *text, const char **why)
{
    loading *l = context;
    return l->include(l->context, path, text, why);
}

zone *zone_load(dns_name origin, uint64_t secret, str file, str text, zone_include *include, void *context, arena *room,
                str *why)
{
    loading l = {zone_new(origin, secret), include, context};
    dns_zone_hooks hooks = {.record = on_record, .include = include ? on_include : NULL, .context = &l,
                            .origin = origin, .class = DNS_CLASS_IN};
    dns_zone_error error;
    const char *missing = NULL;
    bool parsed = dns_zone_parse(&hooks, room, file, text, &error);
    if (parsed && zone_check(l.z, &missing))
        return l.z;
    *why = parsed ? str_format(room, "" STR_FMT ": %s", STR_ARG(file), missing)
                  : str_format(room, "" STR_FMT ":%d: %s", STR_ARG(error.file), error.line, error.sentence);
    zone_free(l.z);
    return NULL;
}
