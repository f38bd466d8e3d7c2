#include "wire/dns/zone_text.h"

#include <string.h>

enum { ENTRY_ARENA_BYTES = 1024 * 1024 };

typedef struct {
    const dns_zone_hooks *hooks;
    arena    *room;
    arena     entry_room;                    // reset for every entry
    dns_entry entry;
    dns_name  owner;                         // of the last record; length 0: none yet
    unsigned char owner_bytes[DNS_NAME_MAX];
    bool      has_default_ttl, has_last_ttl;
    uint32_t  default_ttl, last_ttl;
    int       depth, includes;
    dns_zone_error *error;
} zone_parser;

static bool fail(const char **why, const char *sentence)
{
    *why = sentence;
    return false;
}

static bool file_parse(zone_parser *p, str file, str text, dns_name origin);

static bool ttl_read(str word, uint32_t *ttl)
{
    return word.len && is_digit(word.at[0]) && dns_ttl_from_text(word, ttl) && *ttl <= INT32_MAX;
}

// $INCLUDE FILE [ORIGIN]: the origin and owner of this file are the same again afterwards (RFC 1035 5.1).
static bool include(zone_parser *p, dns_name origin, bool *reported, const char **why)
{
    str path, text;
    const dns_entry *e = &p->entry;
    if (e->count < 2 || e->count > 3)
        return fail(why, "$INCLUDE is followed by a file name and perhaps an origin");
    if (!p->hooks->include)
        return fail(why, "$INCLUDE is not allowed here");
    if (p->depth + 1 > ZONE_INCLUDE_DEPTH_MAX || ++p->includes > ZONE_INCLUDES_MAX)
        return fail(why, "too many files are included, or one includes itself");
    if (e->count == 3 && !dns_name_from_text(p->room, e->token[2].text, origin, &origin, why))
        return false;
    path = str_copy(p->room, e->token[1].text);
    if (!p->hooks->include(p->hooks->context, path, &text, why))
        return false;
    unsigned char owner[DNS_NAME_MAX];
    ptrdiff_t owner_len = p->owner.len;
    memcpy(owner, p->owner_bytes, sizeof owner);
    p->depth++;
    bool good = file_parse(p, path, text, origin);
    p->depth--;
    memcpy(p->owner_bytes, owner, sizeof owner);
    p->owner = (str){p->owner_bytes, owner_len};
    *reported = !good;
    return good;
}

static bool directive(zone_parser *p, dns_name *origin, bool *reported, const char **why)
{
    const dns_entry *e = &p->entry;
    str word = e->token[0].text;
    if (str_eq_nocase(word, S("$INCLUDE")))
        return include(p, *origin, reported, why);
    if (e->count != 2)
        return fail(why, "this line wants exactly one value after its $ word");
    if (str_eq_nocase(word, S("$ORIGIN")))
        return dns_name_from_text(p->room, e->token[1].text, *origin, origin, why);
    if (!str_eq_nocase(word, S("$TTL")))
        return fail(why, "unknown $ word: $ORIGIN, $TTL and $INCLUDE are known");
    p->has_default_ttl = ttl_read(e->token[1].text, &p->default_ttl);
    return p->has_default_ttl || fail(why, "$TTL is followed by seconds such as 3600 or 1h, at most 2147483647");
}

// [TTL] [class] type or [class] [TTL] type; returns the words used, 0 with *why.
static int head_read(zone_parser *p, int at, dns_record *r, bool *has_ttl, const char **why)
{
    const dns_entry *e = &p->entry;
    bool has_class = false;
    *has_ttl = false;
    r->class = p->hooks->class;
    for (; at < e->count; at++) {
        str word = e->token[at].text;
        if (!*has_ttl && ttl_read(word, &r->ttl))
            *has_ttl = true;
        else if (!has_class && !str_eq_nocase(word, S("ANY")) && dns_class_from_text(word, &r->class))
            has_class = true;
        else if (dns_type_from_text(word, &r->type))
            return at + 1;
        else {
            *why = is_digit(word.at[0]) ? "a TTL should look like 3600 or 1h30m and be at most 2147483647 seconds"
                                        : "this is no record type that is known (TYPE123 names others)";
            return 0;
        }
    }
    *why = "the line ends before its record type";
    return 0;
}

// RFC 2308 4: without a TTL of its own a record has that of $TTL; older files mean that of the record before; a file
// that begins with a SOA and says neither means the SOA's minimum.
static bool ttl_settle(zone_parser *p, dns_record *r, bool has_ttl, const char **why)
{
    dns_soa soa;
    if (!has_ttl && p->has_default_ttl)
        r->ttl = p->default_ttl;
    else if (!has_ttl && p->has_last_ttl)
        r->ttl = p->last_ttl;
    else if (!has_ttl && r->type == DNS_SOA && dns_rdata_soa(r->rdata, &soa) && soa.minimum_s <= INT32_MAX)
        r->ttl = soa.minimum_s;
    else if (!has_ttl)
        return fail(why, "no TTL is known for this record: begin the file with $TTL 1h");
    p->has_last_ttl = true;
    p->last_ttl = r->ttl;
    return true;
}

static bool owner_read(zone_parser *p, dns_name origin, const char **why)
{
    dns_name owner;
    if (p->entry.blank_start)
        return p->owner.len || fail(why, "the first record of a file must begin with a name");
    if (!dns_name_from_text(&p->entry_room, p->entry.token[0].text, origin, &owner, why))
        return false;
    memcpy(p->owner_bytes, owner.at, (size_t)owner.len);
    p->owner = (str){p->owner_bytes, owner.len};
    return true;
}

static bool record(zone_parser *p, dns_name origin, const char **why)
{
    dns_record r = {0};
    bool has_ttl;
    const dns_entry *e = &p->entry;
    if (!owner_read(p, origin, why))
        return false;
    int data = head_read(p, e->blank_start ? 0 : 1, &r, &has_ttl, why);
    if (!data)
        return false;
    if (r.class != p->hooks->class)
        return fail(why, "the record's class is not the zone's");
    if (dns_type_is_meta(r.type))
        return fail(why, "this type stands only in questions and messages, not in zones");
    r.name = p->owner;
    return dns_rdata_from_tokens(&p->entry_room, r.type, e->token + data, e->count - data, origin, &r.rdata, why) &&
           ttl_settle(p, &r, has_ttl, why) && p->hooks->record(p->hooks->context, &r, why);
}

static bool file_parse(zone_parser *p, str file, str text, dns_name origin)
{
    dns_scanner s = {text, 1};
    const char *why = NULL;
    while (dns_entry_next(&s, &p->entry, &why)) {
        int line = p->entry.line;                              // an included file overwrites the entry
        bool reported = false;
        arena_reset(&p->entry_room);
        bool is_directive = !p->entry.blank_start && !p->entry.token[0].quoted && p->entry.token[0].text.at[0] == '$';
        if (is_directive ? directive(p, &origin, &reported, &why) : record(p, origin, &why))
            continue;
        if (!reported)
            *p->error = (dns_zone_error){file, line, why};
        return false;
    }
    if (why)
        *p->error = (dns_zone_error){file, s.line, why};
    return !why;
}

bool dns_zone_parse(const dns_zone_hooks *hooks, arena *room, str file, str text, dns_zone_error *error)
{
    zone_parser *p = arena_new(room, zone_parser);
    *error = (dns_zone_error){file, 1, "no memory left for reading the zone"};
    if (!p)
        return false;
    *p = (zone_parser){.hooks = hooks, .room = room, .entry_room = arena_make(ENTRY_ARENA_BYTES), .error = error};
    bool good = file_parse(p, file, text, hooks->origin.len ? hooks->origin : dns_root);
    arena_free(&p->entry_room);
    return good;
}

str dns_record_text(arena *a, const dns_record *r)
{
    str name = dns_name_text(a, r->name), class = dns_class_text(a, r->class), type = dns_type_text(a, r->type);
    str data = dns_rdata_text(a, r->type, r->rdata);
    return str_format(a, "" STR_FMT "\t%u\t" STR_FMT "\t" STR_FMT "\t" STR_FMT, STR_ARG(name), r->ttl, STR_ARG(class),
                      STR_ARG(type), STR_ARG(data));
}
