// Queries, replies and datagrams of trackers: what is accepted is written and read again as the same.
#include <string.h>

#include "base/must.h"
#include "wire/bt/tracker_udp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void http(str in, arena *a)
{
    tracker_announce x, y;
    tracker_reply r, s;
    tracker_swarm *swarms;
    uint8_t hashes[TRACKER_SCRAPES_MAX][TRACKER_HASH_BYTES];
    const char *reason = NULL;
    bencode_refusal why;
    str failure;
    int count;
    buf out = buf_make(1 << 16);
    if (tracker_announce_read(in, a, &x, &reason)) {
        must(tracker_announce_write(&out, &x));
        if (out.len <= TRACKER_QUERY_BYTES_MAX) {
            must(tracker_announce_read(buf_str(&out), a, &y, &reason));
            must(memcmp(x.hash, y.hash, sizeof x.hash) == 0 && x.port == y.port && x.left == y.left && x.wanted == y.wanted);
            must(x.event == y.event && x.key == y.key && x.has_key == y.has_key && addr_eq_ip(x.ip, y.ip));
            must(str_eq(x.tracker_id, y.tracker_id));
        }
    } else {
        must(reason);
    }
    buf_clear(&out);
    if (tracker_reply_read(in, a, &r, &why)) {
        must(tracker_reply_write(&out, &r) && tracker_reply_read(buf_str(&out), a, &s, &why));
        must(r.failure.len || (s.peer_count == r.peer_count && s.interval_s == r.interval_s && s.complete == r.complete));
        must(str_eq(r.failure, s.failure) && r.retry_min == s.retry_min && r.peer_count <= TRACKER_PEERS_MAX);
    }
    (void)tracker_scrape_read(in, hashes, &count, a, &reason);
    must(count <= TRACKER_SCRAPES_MAX);
    (void)tracker_swarms_read(in, a, &swarms, &count, &failure, &why);
    buf_free(&out);
}

static void udp(str in, arena *a)
{
    unsigned char room[8192];
    tracker_udp_request q, p;
    tracker_udp_reply r, s;
    if (tracker_udp_request_read(in, a, &q)) {
        str wire = tracker_udp_request_write(room, sizeof room, &q);
        must(wire.len && wire.len <= TRACKER_UDP_BYTES_MAX && tracker_udp_request_read(wire, a, &p));
        must(q.action == p.action && q.transaction == p.transaction && str_eq(q.url_data, p.url_data) && str_eq(q.hashes, p.hashes));
        must(q.announce.port == p.announce.port && q.announce.left == p.announce.left && q.announce.wanted == p.announce.wanted);
    }
    for (int family = 4; family <= 6; family += 2)
        if (tracker_udp_reply_read(in, family, a, &r)) {
            must(tracker_udp_reply_read(tracker_udp_reply_write(room, sizeof room, family, &r), family, a, &s));
            must(r.action == s.action && r.peer_count == s.peer_count && r.swarm_count == s.swarm_count && str_eq(r.error, s.error));
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > 1 << 13)
        return 0;
    arena a = arena_make(8 << 20);
    http(str_of(data, size), &a);
    udp(str_of(data, size), &a);
    must(!a.full);
    arena_free(&a);
    return 0;
}
