#include "talk/tracker_way.h"

#include <string.h>

enum { RECORD_BYTES_MAX = 4096, PORT_MAX = 65535 };

static bool way_read(str word, tracker_way *out)
{
    str port = word, protocol = str_cut(&port, ':');
    uint64_t n;
    bool udp = str_eq(protocol, S("UDP"));
    if ((!udp && !str_eq(protocol, S("TCP"))) || !str_to_u64(port, &n) || n < 1 || n > PORT_MAX)
        return false;
    *out = (tracker_way){udp, (uint16_t)n};
    return true;
}

bool tracker_host_read(str text, tracker_host *out)
{
    *out = (tracker_host){0};
    if (!str_eq(str_word(&text), S("BITTORRENT")))         // BEP 34: the case counts
        return false;
    out->said = true;
    for (str word; (word = str_word(&text)).len && out->count < TRACKER_WAYS_MAX; )
        if (way_read(word, &out->way[out->count]))
            out->count++;
    return true;
}

bool tracker_host_from_rdata(str rdata, arena *a, tracker_host *out)
{
    unsigned char *joined = rdata.len <= RECORD_BYTES_MAX ? arena_array(a, unsigned char, rdata.len + 1) : NULL;
    size_t len = 0;
    *out = (tracker_host){0};
    if (!joined)
        return false;
    for (str rest = rdata; rest.len; ) {
        str part = str_sub(rest, 1, rest.at[0]);
        if (part.len)
            memcpy(joined + len, part.at, (size_t)part.len);
        len += (size_t)part.len;
        rest = str_from(rest, 1 + part.len);
    }
    return tracker_host_read(str_of(joined, len), out);
}

static tracker_way_entry *entry_of(tracker_ways *w, str host)
{
    for (int i = 0; i < TRACKER_WAY_HOSTS_MAX; i++)
        if (w->entry[i].used_ns && str_eq_nocase(str_z(w->entry[i].name), host))
            return &w->entry[i];
    return NULL;
}

const tracker_host *tracker_ways_find(tracker_ways *w, str host, int64_t now_ns)
{
    tracker_way_entry *e = entry_of(w, host);
    if (!e || e->expires_ns <= now_ns)
        return NULL;
    e->used_ns = now_ns;
    return &e->host;
}

static tracker_way_entry *least_used(tracker_ways *w)
{
    tracker_way_entry *least = &w->entry[0];
    for (int i = 1; i < TRACKER_WAY_HOSTS_MAX; i++)
        if (w->entry[i].used_ns < least->used_ns)
            least = &w->entry[i];
    return least;
}

void tracker_ways_put(tracker_ways *w, str host, const tracker_host *what, int64_t now_ns, int64_t for_s)
{
    tracker_way_entry *e = entry_of(w, host);
    if (host.len > TRACKER_WAY_HOST_BYTES_MAX || !host.len)
        return;
    if (!e)
        e = least_used(w);
    memset(e->name, 0, sizeof e->name);
    memcpy(e->name, host.at, (size_t)host.len);
    e->host = *what;
    e->used_ns = now_ns ? now_ns : 1;
    e->expires_ns = now_ns + for_s * 1000000000;
}
