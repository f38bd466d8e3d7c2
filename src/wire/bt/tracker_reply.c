// The bencoded replies of announce and scrape.
#include <string.h>

#include "wire/bt/tracker.h"

static const bencode_limits limits = {TRACKER_REPLY_BYTES_MAX, 32 * 1024, 6, true, false};

static bool refuse(bencode_refusal *why, const char *reason, const bencode_node *where)
{
    *why = (bencode_refusal){reason, where ? where->offset : 0};
    return false;
}

static str text_of(const bencode_node *root, const char *key)
{
    return str_first(bencode_get_string(root, str_z(key)), TRACKER_TEXT_BYTES_MAX);
}

// BEP 3's first form: a dictionary for each peer. A host name instead of an address is passed over: nothing here asks DNS.
static void peers_take(const bencode_node *list, tracker_reply *out)
{
    for (const bencode_node *p = bencode_first(list); p && out->peer_count < TRACKER_PEERS_MAX; p = bencode_next(list, p)) {
        int64_t port = 0;
        addr x;
        if (bencode_get_integer(p, S("port"), 1, UINT16_MAX, &port) &&
            addr_parse_ip(bencode_get_string(p, S("ip")), (uint16_t)port, &x))
            out->peers[out->peer_count++] = x;
    }
}

static void external_take(str ip, tracker_reply *out)
{
    if (ip.len != 4 && ip.len != 16)
        return;
    out->external.family = ip.len == 4 ? 4 : 6;
    memcpy(out->external.ip, ip.at, (size_t)ip.len);
}

static void retry_take(const bencode_node *root, tracker_reply *out)
{
    int64_t minutes = 0;
    if (str_eq(bencode_get_string(root, S("retry in")), S("never")))
        out->retry_min = -1;
    else if (bencode_get_integer(root, S("retry in"), 1, TRACKER_INTERVAL_MAX / 60, &minutes))
        out->retry_min = (int32_t)minutes;
}

bool tracker_reply_read(str in, arena *a, tracker_reply *out, bencode_refusal *why)
{
    int64_t interval = 0, interval_min = 0;
    *out = (tracker_reply){.complete = -1, .incomplete = -1};
    const bencode_node *root = bencode_read(in, &limits, a, why);
    if (!root)
        return false;
    if (!bencode_is(root, BENCODE_DICTIONARY))
        return refuse(why, "reply is no dictionary", root);
    out->failure = text_of(root, "failure reason");
    out->warning = text_of(root, "warning message");
    out->tracker_id = text_of(root, "tracker id");
    retry_take(root, out);
    (void)bencode_get_integer(root, S("interval"), 0, TRACKER_INTERVAL_MAX, &interval);
    (void)bencode_get_integer(root, S("min interval"), 0, TRACKER_INTERVAL_MAX, &interval_min);
    (void)bencode_get_integer(root, S("complete"), 0, INT32_MAX, &out->complete);
    (void)bencode_get_integer(root, S("incomplete"), 0, INT32_MAX, &out->incomplete);
    out->interval_s = (int32_t)interval;
    out->interval_min_s = (int32_t)interval_min;
    external_take(bencode_get_string(root, S("external ip")), out);
    out->peers = arena_array(a, addr, TRACKER_PEERS_MAX);
    if (!out->peers)
        return refuse(why, "no memory is left", root);
    const bencode_node *peers = bencode_get(root, S("peers")), *peers6 = bencode_get(root, S("peers6"));
    if (bencode_is(peers, BENCODE_LIST))
        peers_take(peers, out);
    else if (!endpoint_read_all(bencode_string(peers), 4, out->peers, &out->peer_count, TRACKER_PEERS_MAX))
        return refuse(why, "peers is no multiple of 6 bytes", peers);
    if (!endpoint_read_all(bencode_string(peers6), 6, out->peers, &out->peer_count, TRACKER_PEERS_MAX))
        return refuse(why, "peers6 is no multiple of 18 bytes", peers6);
    return true;
}

static void put_number(buf *out, const char *key, int64_t value, bool said)
{
    if (said) {
        bencode_put_key(out, key);
        bencode_put_integer(out, value);
    }
}

static void put_text(buf *out, const char *key, str value)
{
    if (value.len) {
        bencode_put_key(out, key);
        bencode_put_string(out, value);
    }
}

static void put_peers(buf *out, const char *key, const tracker_reply *x, int family)
{
    bencode_put_key(out, key);
    buf_format(out, "%d:", endpoint_count(x->peers, x->peer_count, family) * endpoint_bytes(family));
    endpoint_put_all(out, x->peers, x->peer_count, family);
}

bool tracker_reply_write(buf *out, const tracker_reply *x)
{
    buf_put_byte(out, 'd');
    if (!x->failure.len)
        put_number(out, "complete", x->complete, x->complete >= 0);
    put_text(out, "external ip", str_of(x->external.ip, x->external.family == 6 ? 16 : x->external.family == 4 ? 4 : 0));
    put_text(out, "failure reason", x->failure);
    if (!x->failure.len) {
        put_number(out, "incomplete", x->incomplete, x->incomplete >= 0);
        put_number(out, "interval", x->interval_s, x->interval_s > 0);
        put_number(out, "min interval", x->interval_min_s, x->interval_min_s > 0);
        put_peers(out, "peers", x, 4);
        if (endpoint_count(x->peers, x->peer_count, 6))
            put_peers(out, "peers6", x, 6);
    }
    if (x->retry_min < 0)
        put_text(out, "retry in", S("never"));
    put_number(out, "retry in", x->retry_min, x->retry_min > 0);
    put_text(out, "tracker id", x->tracker_id);
    put_text(out, "warning message", x->warning);
    return buf_put_byte(out, 'e');
}

bool tracker_swarms_read(str in, arena *a, tracker_swarm **out, int *count, str *failure, bencode_refusal *why)
{
    *count = 0;
    const bencode_node *root = bencode_read(in, &limits, a, why);
    if (!root)
        return false;
    *failure = text_of(root, "failure reason");
    const bencode_node *files = bencode_get(root, S("files"));
    if (!bencode_is(files, BENCODE_DICTIONARY))
        return failure->len || refuse(why, "scrape has no files", root);
    *out = arena_array(a, tracker_swarm, files->count / 2 + 1);
    if (!*out)
        return refuse(why, "no memory is left", root);
    for (const bencode_node *key = bencode_first(files); key; key = bencode_next(files, key + 1)) {
        tracker_swarm *s = &(*out)[*count];
        if (bencode_string(key).len != TRACKER_HASH_BYTES)
            return refuse(why, "info hash is not of 20 bytes", key);
        memcpy(s->hash, bencode_string(key).at, TRACKER_HASH_BYTES);
        (void)bencode_get_integer(key + 1, S("complete"), 0, INT64_MAX, &s->complete);
        (void)bencode_get_integer(key + 1, S("downloaded"), 0, INT64_MAX, &s->downloaded);
        (void)bencode_get_integer(key + 1, S("incomplete"), 0, INT64_MAX, &s->incomplete);
        (*count)++;
    }
    return true;
}

bool tracker_swarms_write(buf *out, const tracker_swarm *swarms, int count)
{
    buf_put(out, S("d5:filesd"));
    for (int i = 0; i < count; i++) {
        bencode_put_string(out, str_of(swarms[i].hash, TRACKER_HASH_BYTES));
        buf_put_byte(out, 'd');
        put_number(out, "complete", swarms[i].complete, true);
        put_number(out, "downloaded", swarms[i].downloaded, true);
        put_number(out, "incomplete", swarms[i].incomplete, true);
        buf_put_byte(out, 'e');
    }
    return buf_put(out, S("ee"));
}
