// The queries of announce and scrape: names, '=' and percent-encoded bytes.
#include <string.h>

#include "base/hex.h"
#include "wire/bt/tracker.h"

static const char *const event_names[] = {"", "completed", "started", "stopped"};

static bool decode(str in, arena *a, str *out)
{
    unsigned char *to = arena_array(a, unsigned char, in.len + 1);
    ptrdiff_t n = 0;
    for (ptrdiff_t i = 0; to && i < in.len; i++) {
        int c = in.at[i];
        if (c == '%') {
            if (i + 2 >= in.len || hex_digit(in.at[i + 1]) < 0 || hex_digit(in.at[i + 2]) < 0)
                return false;
            c = hex_digit(in.at[i + 1]) * 16 + hex_digit(in.at[i + 2]);
            i += 2;
        }
        to[n++] = (unsigned char)c;
    }
    *out = (str){to, n};
    return to != NULL;
}

static bool refuse(const char **why, const char *reason)
{
    *why = reason;
    return false;
}

static bool hash_take(str value, uint8_t *out)
{
    if (value.len != TRACKER_HASH_BYTES)
        return false;
    memcpy(out, value.at, TRACKER_HASH_BYTES);
    return true;
}

static bool number_take(str value, int64_t *out)
{
    uint64_t n;
    if (!str_to_u64(value, &n) || n > INT64_MAX)
        return false;
    *out = (int64_t)n;
    return true;
}

typedef struct { bool hash, peer_id, port; } seen;

static const char *parameter_take(tracker_announce *x, str name, str value, seen *s)
{
    int64_t number = 0;
    uint64_t key;
    if (str_eq(name, S("info_hash"))) {
        if (s->hash || !hash_take(value, x->hash))
            return "info_hash is not one of 20 bytes";
        s->hash = true;
    } else if (str_eq(name, S("peer_id"))) {
        if (s->peer_id || !hash_take(value, x->peer_id))
            return "peer_id is not one of 20 bytes";
        s->peer_id = true;
    } else if (str_eq(name, S("port"))) {
        if (!number_take(value, &number) || number < 1 || number > UINT16_MAX)
            return "port is not from 1 to 65535";
        x->port = (uint16_t)number;
        s->port = true;
    } else if (str_eq(name, S("uploaded"))) {
        return number_take(value, &x->uploaded) ? NULL : "uploaded is no number";
    } else if (str_eq(name, S("downloaded"))) {
        return number_take(value, &x->downloaded) ? NULL : "downloaded is no number";
    } else if (str_eq(name, S("left"))) {
        return number_take(value, &x->left) ? NULL : "left is no number";
    } else if (str_eq(name, S("numwant"))) {
        // Some clients say -1 for "as you like".
        x->wanted = number_take(value, &number) ? number < TRACKER_PEERS_MAX ? (int32_t)number : TRACKER_PEERS_MAX : -1;
    } else if (str_eq(name, S("event"))) {
        for (int i = 0; i < TRACKER_EVENTS; i++)
            if (str_eq(value, str_z(event_names[i])))
                x->event = (tracker_event)i;
    } else if (str_eq(name, S("key"))) {
        x->has_key = str_hex_to_u64(value, &key) && key <= UINT32_MAX;
        x->key = x->has_key ? (uint32_t)key : 0;
    } else if (str_eq(name, S("compact"))) {
        x->compact = !str_eq(value, S("0"));
    } else if (str_eq(name, S("no_peer_id"))) {
        x->no_peer_id = str_eq(value, S("1"));
    } else if (str_eq(name, S("ip"))) {
        if (!addr_parse_ip(value, 0, &x->ip))
            x->ip = (addr){0};
    } else if (str_eq(name, S("trackerid"))) {
        x->tracker_id = str_first(value, TRACKER_TEXT_BYTES_MAX);
    }
    return NULL;
}

bool tracker_announce_read(str query, arena *a, tracker_announce *out, const char **why)
{
    seen s = {0};
    *out = (tracker_announce){.left = -1, .wanted = -1, .compact = true};
    if (query.len > TRACKER_QUERY_BYTES_MAX)
        return refuse(why, "query is too long");
    while (query.len) {
        str value = str_cut(&query, '&'), name = str_cut(&value, '='), text;
        if (!decode(value, a, &text))
            return refuse(why, a->full ? "no memory is left" : "a % has no two digits behind it");
        const char *trouble = parameter_take(out, name, text, &s);
        if (trouble)
            return refuse(why, trouble);
    }
    if (!s.hash || !s.peer_id || !s.port)
        return refuse(why, !s.hash ? "info_hash is missing" : !s.peer_id ? "peer_id is missing" : "port is missing");
    return true;
}

bool tracker_announce_write(buf *out, const tracker_announce *x)
{
    buf_put(out, S("info_hash="));
    percent_put(out, str_of(x->hash, TRACKER_HASH_BYTES), S(""));
    buf_put(out, S("&peer_id="));
    percent_put(out, str_of(x->peer_id, TRACKER_HASH_BYTES), S(""));
    buf_format(out, "&port=%u&uploaded=%lld&downloaded=%lld", x->port, (long long)x->uploaded, (long long)x->downloaded);
    if (x->left >= 0)
        buf_format(out, "&left=%lld", (long long)x->left);
    buf_format(out, "&compact=%d", x->compact);
    if (x->no_peer_id)
        buf_put(out, S("&no_peer_id=1"));
    if (x->wanted >= 0)
        buf_format(out, "&numwant=%d", x->wanted);
    if (x->has_key)
        buf_format(out, "&key=%08x", x->key);
    if (x->event)
        buf_format(out, "&event=%s", event_names[x->event]);
    if (x->ip.family) {
        char text[ADDR_TEXT_MAX];
        addr_print(text, addr_with_port(x->ip, 0));
        str bare = str_first(str_z(text), str_rfind(str_z(text), ':'));          // "[::1]:0" and "1.2.3.4:0"
        buf_put(out, S("&ip="));
        percent_put(out, str_starts(bare, S("[")) ? str_sub(bare, 1, bare.len - 2) : bare, S(""));
    }
    if (x->tracker_id.len) {
        buf_put(out, S("&trackerid="));
        percent_put(out, x->tracker_id, S(""));
    }
    return !out->full;
}

bool tracker_scrape_read(str query, uint8_t hashes[TRACKER_SCRAPES_MAX][TRACKER_HASH_BYTES], int *count, arena *a,
                         const char **why)
{
    *count = 0;
    if (query.len > TRACKER_QUERY_BYTES_MAX * 2)
        return refuse(why, "query is too long");
    while (query.len) {
        str value = str_cut(&query, '&'), name = str_cut(&value, '='), text;
        if (!str_eq(name, S("info_hash")))
            continue;
        if (!decode(value, a, &text))
            return refuse(why, a->full ? "no memory is left" : "a % has no two digits behind it");
        if (*count == TRACKER_SCRAPES_MAX)
            return refuse(why, "too many info hashes");
        if (!hash_take(text, hashes[(*count)++]))
            return refuse(why, "info_hash is not one of 20 bytes");
    }
    return true;
}

bool tracker_scrape_write(buf *out, const uint8_t (*hashes)[TRACKER_HASH_BYTES], int count)
{
    for (int i = 0; i < count; i++) {
        buf_put(out, i ? S("&info_hash=") : S("info_hash="));
        percent_put(out, str_of(hashes[i], TRACKER_HASH_BYTES), S(""));
    }
    return !out->full;
}
