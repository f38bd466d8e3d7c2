#include "rooms/tracker/web.h"

#include <string.h>

#include "base/must.h"

static web_verdict refusal_write(const char *why, int retry_min, buf *out)
{
    tracker_reply reply = {.failure = str_z(why), .retry_min = retry_min, .complete = -1, .incomplete = -1};
    must(tracker_reply_write(out, &reply));
    return WEB_REFUSED;
}

static void peers_take(const announce_told *told, tracker_reply *reply)
{
    for (int k = 0; k < 2; k++) {
        int family = k ? 6 : 4;
        str compact = str_of(told->room[k], (size_t)told->count[k] * (size_t)endpoint_bytes(family));
        must(endpoint_read_all(compact, family, reply->peers, &reply->peer_count, PEER_PICK_MAX * 2));
    }
}

static web_verdict announce_answer(tracker *t, addr from, str key, str query, arena *msg, buf *out)
{
    tracker_announce said;
    const char *why;
    if (!tracker_announce_read(query, msg, &said, &why))
        return refusal_write(why, ANNOUNCE_NEVER, out);
    announce_told told = {.room_for = {PEER_PICK_MAX, PEER_PICK_MAX}};
    told.room[0] = arena_array(msg, unsigned char, PEER_PICK_MAX * ENDPOINT_V4_BYTES);
    told.room[1] = arena_array(msg, unsigned char, PEER_PICK_MAX * ENDPOINT_V6_BYTES);
    tracker_reply reply = {.peers = arena_array(msg, addr, PEER_PICK_MAX * 2)};
    if (!reply.peers)
        return refusal_write("no memory is left", 1, out);
    announce(t, from, key, &said, &told);
    if (told.refusal)
        return refusal_write(told.refusal, told.retry_min, out);
    peers_take(&told, &reply);
    reply.complete = told.seeds;
    reply.incomplete = told.leechers;
    reply.interval_s = (int32_t)told.interval_s;
    reply.interval_min_s = (int32_t)told.interval_min_s;
    reply.external = addr_with_port(address_plain(from), 0);
    must(tracker_reply_write(out, &reply));
    return WEB_ANNOUNCED;
}

static int by_hash(const tracker_swarm *a, const tracker_swarm *b) { return memcmp(a->hash, b->hash, TRACKER_HASH_BYTES); }

// Ordered by hash, each once: bencode wants it. At most TRACKER_SCRAPES_MAX of them.
static int in_order_put(tracker_swarm *list, int count, tracker_swarm x)
{
    int at = count;
    while (at > 0 && by_hash(&list[at - 1], &x) > 0)
        at--;
    if (at > 0 && by_hash(&list[at - 1], &x) == 0)
        return count;
    memmove(&list[at + 1], &list[at], (size_t)(count - at) * sizeof *list);
    list[at] = x;
    return count + 1;
}

static web_verdict scrape_answer(tracker *t, str key, str query, arena *msg, buf *out)
{
    uint8_t hashes[TRACKER_SCRAPES_MAX][TRACKER_HASH_BYTES];
    tracker_swarm list[TRACKER_SCRAPES_MAX + 1];
    const char *why;
    int count, known = 0;
    if (!tracker_scrape_read(query, hashes, &count, msg, &why))
        return refusal_write(why, ANNOUNCE_NEVER, out);
    if (count == 0)
        return refusal_write("a scrape of everything is not answered: name info hashes", ANNOUNCE_NEVER, out);
    for (int i = 0; i < count; i++)
        known = in_order_put(list, known, scrape(t, key, hashes[i]));
    must(tracker_swarms_write(out, list, known));
    return WEB_SCRAPED;
}

web_verdict web_answer(tracker *t, addr from, str path, str query, arena *msg, buf *out)
{
    str key;
    if (access_path_key(path, S("announce"), &key))
        return announce_answer(t, from, key, query, msg, out);
    if (access_path_key(path, S("scrape"), &key))
        return scrape_answer(t, key, query, msg, out);
    return WEB_UNKNOWN;
}
