#include "wire/bt/tracker_udp.h"

#include <string.h>

enum { OPTION_END = 0, OPTION_NOTHING = 1, OPTION_URL = 2, OPTION_BYTES_MAX = 255 };

static int64_t amount(uint64_t n) { return n > INT64_MAX ? INT64_MAX : (int64_t)n; }

static void hash_read(reader *r, uint8_t *out)
{
    str hash = rd_bytes(r, TRACKER_HASH_BYTES);
    if (hash.len)
        memcpy(out, hash.at, TRACKER_HASH_BYTES);
}

// BEP 41: what follows an announce is options; an unknown one has a length, too. Malformed options end the list.
static bool options_read(reader *r, arena *a, str *url)
{
    while (rd_left(r)) {
        int kind = rd_u8(r);
        if (kind == OPTION_END)
            return true;
        if (kind == OPTION_NOTHING)
            continue;
        str value = rd_bytes(r, rd_u8(r));
        if (r->bad)
            return true;
        if (kind == OPTION_URL && value.len) {
            *url = str_join(a, *url, value);
            if (a->full)
                return false;
        }
    }
    return true;
}

static bool announce_read(reader *r, arena *a, tracker_udp_request *out)
{
    tracker_announce *x = &out->announce;
    *x = (tracker_announce){.compact = true};
    hash_read(r, x->hash);
    hash_read(r, x->peer_id);
    x->downloaded = amount(rd_u64(r));
    x->left = amount(rd_u64(r));
    x->uploaded = amount(rd_u64(r));
    uint32_t event = rd_u32(r), ip = rd_u32(r);
    x->event = event < TRACKER_EVENTS ? (tracker_event)event : TRACKER_NONE;
    x->ip = ip ? addr_v4(ip, 0) : (addr){0};
    x->key = rd_u32(r);
    x->has_key = true;
    int32_t wanted = (int32_t)rd_u32(r);
    x->wanted = wanted < 0 ? -1 : wanted < TRACKER_PEERS_MAX ? wanted : TRACKER_PEERS_MAX;
    x->port = rd_u16(r);
    return !r->bad && options_read(r, a, &out->url_data);
}

bool tracker_udp_request_read(str datagram, arena *a, tracker_udp_request *out)
{
    reader r = rd_of(str_first(datagram, TRACKER_UDP_BYTES_MAX));
    *out = (tracker_udp_request){.connection = rd_u64(&r)};
    uint32_t action = rd_u32(&r);
    out->transaction = rd_u32(&r);
    if (r.bad || action > TRACKER_UDP_SCRAPE)
        return false;
    out->action = (tracker_udp_action)action;
    if (action == TRACKER_UDP_CONNECT)
        return out->connection == TRACKER_UDP_PROTOCOL;
    if (action == TRACKER_UDP_ANNOUNCE)
        return announce_read(&r, a, out);
    ptrdiff_t count = rd_left(&r) / TRACKER_HASH_BYTES;
    out->hashes = rd_bytes(&r, (size_t)(count < TRACKER_SCRAPES_MAX ? count : TRACKER_SCRAPES_MAX) * TRACKER_HASH_BYTES);
    return count > 0;
}

static void announce_write(writer *w, const tracker_udp_request *q)
{
    const tracker_announce *x = &q->announce;
    wr_bytes(w, str_of(x->hash, TRACKER_HASH_BYTES));
    wr_bytes(w, str_of(x->peer_id, TRACKER_HASH_BYTES));
    wr_u64(w, (uint64_t)x->downloaded);
    wr_u64(w, x->left < 0 ? 0 : (uint64_t)x->left);
    wr_u64(w, (uint64_t)x->uploaded);
    wr_u32(w, x->event);
    wr_bytes(w, str_of(x->ip.ip, 4));
    wr_u32(w, x->key);
    wr_u32(w, (uint32_t)x->wanted);
    wr_u16(w, x->port);
    for (str rest = q->url_data; rest.len; rest = str_from(rest, OPTION_BYTES_MAX)) {
        str part = str_first(rest, OPTION_BYTES_MAX);
        wr_u8(w, OPTION_URL);
        wr_u8(w, (unsigned)part.len);
        wr_bytes(w, part);
    }
}

str tracker_udp_request_write(void *room, size_t size, const tracker_udp_request *x)
{
    writer w = wr_into(room, size);
    wr_u64(&w, x->action == TRACKER_UDP_CONNECT ? TRACKER_UDP_PROTOCOL : x->connection);
    wr_u32(&w, x->action);
    wr_u32(&w, x->transaction);
    if (x->action == TRACKER_UDP_ANNOUNCE)
        announce_write(&w, x);
    if (x->action == TRACKER_UDP_SCRAPE)
        wr_bytes(&w, x->hashes);
    return w.bad ? (str){0} : wr_str(&w);
}

static bool swarms_read(reader *r, arena *a, tracker_udp_reply *out)
{
    int count = (int)(rd_left(r) / 12);
    out->swarms = arena_array(a, tracker_udp_swarm, count + 1);
    if (!out->swarms)
        return false;
    for (; out->swarm_count < count && out->swarm_count < TRACKER_SCRAPES_MAX; out->swarm_count++) {
        uint32_t complete = rd_u32(r), downloaded = rd_u32(r);
        out->swarms[out->swarm_count] = (tracker_udp_swarm){complete, downloaded, rd_u32(r)};
    }
    return true;
}

bool tracker_udp_reply_read(str datagram, int family, arena *a, tracker_udp_reply *out)
{
    reader r = rd_of(str_first(datagram, TRACKER_UDP_BYTES_MAX * 4));
    uint32_t action = rd_u32(&r);
    *out = (tracker_udp_reply){.transaction = rd_u32(&r)};
    if (r.bad || action > TRACKER_UDP_ERROR)
        return false;
    out->action = (tracker_udp_action)action;
    if (action == TRACKER_UDP_CONNECT)
        return out->connection = rd_u64(&r), !r.bad;
    if (action == TRACKER_UDP_ERROR)
        return out->error = str_first(rd_rest(&r), TRACKER_TEXT_BYTES_MAX), true;
    if (action == TRACKER_UDP_SCRAPE)
        return swarms_read(&r, a, out);
    out->interval_s = rd_u32(&r);
    out->incomplete = rd_u32(&r);
    out->complete = rd_u32(&r);
    str peers = rd_rest(&r);
    out->peers = arena_array(a, addr, TRACKER_PEERS_MAX);
    return !r.bad && out->peers &&
           endpoint_read_all(str_first(peers, peers.len / endpoint_bytes(family) * endpoint_bytes(family)), family, out->peers,
                             &out->peer_count, TRACKER_PEERS_MAX);
}

str tracker_udp_reply_write(void *room, size_t size, int family, const tracker_udp_reply *x)
{
    writer w = wr_into(room, size);
    wr_u32(&w, x->action);
    wr_u32(&w, x->transaction);
    if (x->action == TRACKER_UDP_CONNECT) {
        wr_u64(&w, x->connection);
    } else if (x->action == TRACKER_UDP_ERROR) {
        wr_bytes(&w, x->error);
    } else if (x->action == TRACKER_UDP_ANNOUNCE) {
        wr_u32(&w, x->interval_s);
        wr_u32(&w, x->incomplete);
        wr_u32(&w, x->complete);
        for (int i = 0; i < x->peer_count && wr_left(&w) >= endpoint_bytes(family); i++)
            if (x->peers[i].family == family)
                endpoint_write(&w, x->peers[i]);
    }
    for (int i = 0; i < x->swarm_count && x->action == TRACKER_UDP_SCRAPE; i++) {
        wr_u32(&w, x->swarms[i].complete);
        wr_u32(&w, x->swarms[i].downloaded);
        wr_u32(&w, x->swarms[i].incomplete);
    }
    return w.bad ? (str){0} : wr_str(&w);
}
