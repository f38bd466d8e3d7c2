#include "rooms/tracker/udp.h"

#include <string.h>

#include "base/bytes.h"
#include "base/must.h"
#include "rooms/tracker/connection_id.h"

enum { ANNOUNCE_HEAD_BYTES = 20, CONNECT_BYTES = 16 };

static size_t connect_write(tracker *t, addr from, uint32_t transaction, unsigned char *out, size_t size)
{
    tracker_udp_reply reply = {.action = TRACKER_UDP_CONNECT, .transaction = transaction,
                               .connection = connection_id(t->ids, from, t->now_s)};
    return (size_t)tracker_udp_reply_write(out, size, from.family, &reply).len;
}

static size_t error_write(uint32_t transaction, const char *why, unsigned char *out, size_t size)
{
    tracker_udp_reply reply = {.action = TRACKER_UDP_ERROR, .transaction = transaction, .error = str_z(why)};
    return (size_t)tracker_udp_reply_write(out, size, 4, &reply).len;
}

// Peers of the family that the datagram came by, and no others: the reply does not say of which they are.
static udp_verdict announce_answer(tracker *t, addr from, const tracker_udp_request *q, unsigned char *out, size_t size, size_t *len)
{
    announce_told told = {0};
    int k = from.family == 6;
    str key;
    if (!access_path_key(q->url_data, S("announce"), &key))
        key = (str){0};
    told.room[k] = out + ANNOUNCE_HEAD_BYTES;
    told.room_for[k] = (int)((size - ANNOUNCE_HEAD_BYTES) / (size_t)endpoint_bytes(from.family));
    announce(t, from, key, &q->announce, &told);
    if (told.refusal) {
        *len = error_write(q->transaction, told.refusal, out, size);
        return UDP_REFUSED;
    }
    tracker_udp_reply head = {.action = TRACKER_UDP_ANNOUNCE, .transaction = q->transaction, .interval_s = told.interval_s,
                              .incomplete = told.leechers, .complete = told.seeds};
    must(tracker_udp_reply_write(out, ANNOUNCE_HEAD_BYTES, from.family, &head).len == ANNOUNCE_HEAD_BYTES);
    *len = ANNOUNCE_HEAD_BYTES + (size_t)told.count[k] * (size_t)endpoint_bytes(from.family);
    return UDP_ANNOUNCED;
}

// Twelve bytes for each hash of twenty.
static udp_verdict scrape_answer(tracker *t, const tracker_udp_request *q, unsigned char *out, size_t size, size_t *len)
{
    writer w = wr_into(out, size);
    wr_u32(&w, TRACKER_UDP_SCRAPE);
    wr_u32(&w, q->transaction);
    for (ptrdiff_t at = 0; at < q->hashes.len; at += TRACKER_HASH_BYTES) {
        tracker_swarm s = scrape(t, (str){0}, q->hashes.at + at);
        wr_u32(&w, (uint32_t)s.complete);
        wr_u32(&w, (uint32_t)s.downloaded);
        wr_u32(&w, (uint32_t)s.incomplete);
    }
    *len = w.bad ? 0 : (size_t)wr_len(&w);
    return UDP_SCRAPED;
}

udp_verdict udp_answer(tracker *t, addr from, str in, arena *msg, unsigned char *out, size_t out_max, size_t *len)
{
    tracker_udp_request q;
    size_t size = out_max < UDP_ANSWER_BYTES_MAX ? out_max : UDP_ANSWER_BYTES_MAX;
    *len = 0;
    if (in.len < CONNECT_BYTES || in.len > UDP_REQUEST_BYTES_MAX || size < ANNOUNCE_HEAD_BYTES || from.port == 0)
        return UDP_DROPPED;
    if (!tracker_udp_request_read(in, msg, &q))
        return UDP_DROPPED;
    from = address_plain(from);
    if (q.action == TRACKER_UDP_CONNECT) {
        *len = connect_write(t, from, q.transaction, out, size);
        return UDP_CONNECTED;
    }
    if (!connection_id_valid(t->ids, from, t->now_s, q.connection)) {
        if (in.len >= UDP_EXPIRED_BYTES)
            *len = error_write(q.transaction, "connection id has expired", out, UDP_EXPIRED_BYTES);
        return UDP_UNPROVEN;
    }
    return q.action == TRACKER_UDP_ANNOUNCE ? announce_answer(t, from, &q, out, size, len) : scrape_answer(t, &q, out, size, len);
}
