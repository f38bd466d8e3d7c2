#include "rooms/authoritative/tracker_record.h"

#include "wire/dns/name.h"
#include "wire/dns/type.h"

enum { TEXT_BYTES_MAX = 255, PORT_MAX = 65535 };

static bool way_good(str word)
{
    uint64_t port;
    str protocol = str_cut(&word, ':');
    return (str_eq(protocol, S("UDP")) || str_eq(protocol, S("TCP"))) && str_to_u64(word, &port) && port >= 1 && port <= PORT_MAX;
}

bool tracker_record_read(const statement *line, arena *a, dns_name *name, str *text, str *why)
{
    const char *sentence = NULL;
    if (!dns_name_from_text(a, line->words[1], dns_root, name, &sentence)) {
        *why = str_format(a, "tracker " STR_FMT ": %s", STR_ARG(line->words[1]), sentence);
        return false;
    }
    bool deny = line->word_count == 3 && str_eq(line->words[2], S("deny"));
    *text = deny ? S("BITTORRENT DENY ALL") : S("BITTORRENT");
    for (int i = 2; i < line->word_count && !deny; i++) {
        if (!way_good(line->words[i])) {
            *why = str_format(a, "tracker " STR_FMT ": \"" STR_FMT "\" is not UDP:PORT or TCP:PORT; deny alone says that there is none",
                              STR_ARG(line->words[1]), STR_ARG(line->words[i]));
            return false;
        }
        *text = str_join(a, *text, str_join(a, S(" "), line->words[i]));
    }
    if (line->word_count == 2)
        *text = str_format(a, "BITTORRENT UDP:%d TCP:%d", TRACKER_RECORD_PORT, TRACKER_RECORD_PORT);
    if (text->len > TEXT_BYTES_MAX)
        *why = str_format(a, "tracker " STR_FMT ": too many ports for one record", STR_ARG(line->words[1]));
    return text->len <= TEXT_BYTES_MAX;
}

// Does the master file say something of a tracker at this name?
static bool said_already(const zone *z, dns_name name, str rdata)
{
    const zone_node *n = zone_find(z, name);
    const zone_set *set = n ? zone_node_set(n, DNS_TXT) : NULL;
    uint32_t cursor = 0;
    for (str there; set && zone_set_next(set, &cursor, &there);)
        if (str_starts(str_from(there, 1), S("BITTORRENT")) && !str_eq(there, rdata))
            return true;
    return false;
}

static bool record_put(zone_table *zones, const statement *line, arena *a, str *why)
{
    dns_name name;
    str text;
    const char *sentence = NULL;
    if (!tracker_record_read(line, a, &name, &text, why))
        return false;
    const zone *around = zone_table_find(zones, name);
    zone *z = around ? zone_table_get(zones, around->origin) : NULL;
    unsigned char length = (unsigned char)text.len;
    str rdata = str_join(a, str_of(&length, 1), text);
    dns_record r = {.name = name, .type = DNS_TXT, .class = DNS_CLASS_IN, .ttl = TRACKER_RECORD_TTL_S, .rdata = rdata};
    if (!z)
        sentence = "no zone of this server has the name";
    else if (said_already(z, name, rdata))
        sentence = "the zone's file says something else of a tracker there: take one of the two away";
    else if (zone_add(z, &r, &sentence))
        return true;
    *why = str_format(a, "tracker " STR_FMT ": %s", STR_ARG(line->words[1]), sentence);
    return false;
}

bool tracker_records_put(zone_table *zones, const statement *block, arena *a, str *why)
{
    bool good = true;
    for (const statement *line = config_first(block, "tracker"); line; line = config_next(line, "tracker")) {
        str sentence = {0};
        if (record_put(zones, line, a, &sentence))
            continue;
        *why = good ? sentence : *why;
        good = false;
    }
    return good;
}
