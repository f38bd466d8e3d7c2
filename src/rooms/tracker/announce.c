#include "rooms/tracker/announce.h"

#include <string.h>

#include "base/bytes.h"

enum { SECONDS_A_MINUTE = 60, RETRY_FULL_MIN = 30, RETRY_NETWORK_MIN = 2 * NEWCOMERS_WINDOW_S / SECONDS_A_MINUTE };

uint8_t announce_minute(const tracker *t) { return (uint8_t)(t->now_s / SECONDS_A_MINUTE); }

addr address_plain(addr x)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    if (x.family != 6 || memcmp(x.ip, mapped, sizeof mapped) != 0)
        return x;
    addr plain = {.family = 4, .port = x.port};
    memcpy(plain.ip, x.ip + sizeof mapped, 4);
    return plain;
}

bool announce_trusts(const announce_rules *rules, addr from)
{
    if (addr_is_loopback(from))
        return true;
    for (int i = 0; i < rules->trust_count; i++)
        if (addr_in_prefix(from, rules->trust[i].prefix, rules->trust[i].bits))
            return true;
    return false;
}

// Nobody listens at all addresses at once, or at a multicast one.
static bool can_be_a_peer(addr x) { return x.family && !addr_is_any(x) && (x.family == 6 ? x.ip[0] != 0xff : x.ip[0] < 224); }

static addr address_of(const tracker *t, addr from, const tracker_announce *said)
{
    addr ip = address_plain(said->ip);
    addr at = can_be_a_peer(ip) && announce_trusts(&t->rules, from) ? ip : from;
    return addr_with_port(at, said->port);
}

// BEP 7 and 15: the key tells that it is the same client when its address is another; peer ids are known to the whole swarm and
// prove nothing. Who sends no key is who he is at his address only.
static uint32_t tag_of(const tracker *t, addr from, const tracker_announce *said)
{
    unsigned char bytes[TRACKER_HASH_BYTES + 4 + sizeof from.ip];
    writer w = wr_into(bytes, sizeof bytes);
    wr_bytes(&w, str_of(said->peer_id, TRACKER_HASH_BYTES));
    wr_u32(&w, said->has_key ? said->key : 0);
    if (!said->has_key || said->key == 0)
        wr_bytes(&w, str_of(from.ip, sizeof from.ip));
    return (uint32_t)siphash(t->tags, wr_str(&w));
}

static void refuse(announce_told *told, const char *why, int retry_min)
{
    told->refusal = why;
    told->retry_min = retry_min;
}

// ---- may it? ----------------------------------------------------------------------------------------------------------------

static torrent *torrent_open_new(tracker *t, addr from, const uint8_t *hash, announce_told *told)
{
    if (!t->access.open)
        return refuse(told, "this tracker serves listed torrents only, and this is none of them", ANNOUNCE_NEVER), NULL;
    if (!announce_trusts(&t->rules, from) && !newcomers_take(&t->new_torrents, from, t->now_s, t->rules.new_torrents_max))
        return refuse(told, "your network has brought too many new torrents", RETRY_NETWORK_MIN), NULL;
    torrent *x = swarms_make(t->store, hash);
    if (!x)
        refuse(told, "no room for another torrent", RETRY_FULL_MIN);
    return x;
}

static torrent *torrent_for(tracker *t, addr from, str key, const tracker_announce *said, announce_told *told)
{
    torrent *x = swarms_find(t->store, said->hash);
    bool private = t->access.all_private || (x && x->private);
    if (said->port == 0)
        return refuse(told, "port 0 cannot be connected to", ANNOUNCE_NEVER), NULL;
    if (private && access_key_find(&t->access, key) < 0)
        return refuse(told, "this torrent is private: a pass key is missing in the announce URL, or unknown", ANNOUNCE_NEVER), NULL;
    return x || said->event == TRACKER_STOPPED ? x : torrent_open_new(t, from, said->hash, told);
}

static bool newcomer_may(tracker *t, addr from, torrent *x, const peer *p, announce_told *told)
{
    if (announce_trusts(&t->rules, from) || peer_set_find(torrent_set(x, p->at.family), p->tag) != PEER_NONE)
        return true;
    if (newcomers_take(&t->new_peers, from, t->now_s, t->rules.new_peers_max))
        return true;
    refuse(told, "your network has brought too many new peers", RETRY_NETWORK_MIN);
    return false;
}

// ---- what is told -----------------------------------------------------------------------------------------------------------

static int wanted_of(const tracker *t, const torrent *x, const tracker_announce *said)
{
    int wanted = said->wanted < 0 ? t->rules.wanted : said->wanted < t->rules.wanted_max ? said->wanted : t->rules.wanted_max;
    bool managed = x->managed || t->access.all_managed;
    return managed && wanted > t->rules.degree ? t->rules.degree : wanted;
}

// The asker's own family first; the other one fills up. `early`: asked again before its time; that must not bend the graph.
static void peers_tell(tracker *t, torrent *x, const peer *p, uint32_t position, int wanted, bool early, announce_told *told)
{
    int own = p->at.family == 6, left = wanted;
    for (int k = 0; k < 2; k++) {
        int family = k == 0 ? own : !own;
        if (!told->room[family])
            continue;
        peer_wish wish = {.self = family == own ? position : PEER_NONE, .leechers_only = p->seed,
                          .managed = (x->managed || t->access.all_managed) && !early,
                          .wanted = left < told->room_for[family] ? left : told->room_for[family]};
        told->count[family] = peer_set_pick(&x->sets[family], &wish, &t->chance, told->room[family]);
        left -= told->count[family];
    }
}

static void figures_tell(const tracker *t, const torrent *x, int wanted, announce_told *told)
{
    int count = told->count[0] + told->count[1];
    told->seeds = torrent_seeds(x);
    told->leechers = torrent_leechers(x);
    told->interval_min_s = t->rules.interval_min_s;
    told->interval_s = count < ANNOUNCE_FEW_PEERS && count < wanted ? t->rules.interval_min_s : t->rules.interval_s;
}

// ---- all --------------------------------------------------------------------------------------------------------------------

static void leave(tracker *t, torrent *x, const peer *p, announce_told *told)
{
    told->interval_s = t->rules.interval_s;
    told->interval_min_s = t->rules.interval_min_s;
    if (!x)
        return;
    if (swarms_remove(t->store, x, p->at.family, p->tag) && t->changed)
        t->changed(t->changed_arg, CHANGE_GONE, x->hash, p);
    told->seeds = torrent_seeds(x);
    told->leechers = torrent_leechers(x);
}

static bool is_early(const tracker *t, const tracker_announce *said, swarms_outcome o, const swarms_place *place)
{
    uint32_t minutes = (uint8_t)(announce_minute(t) - place->minute_before);
    return o == SWARMS_SAME && said->event == TRACKER_NONE && minutes < (t->rules.interval_min_s + SECONDS_A_MINUTE - 1) / SECONDS_A_MINUTE;
}

static void stay(tracker *t, torrent *x, const peer *p, const tracker_announce *said, announce_told *told)
{
    swarms_place place;
    swarms_outcome o = swarms_put(t->store, x, p, &place);
    if (o == SWARMS_FULL) {
        refuse(told, "no room for another peer", RETRY_FULL_MIN);
        return;
    }
    bool early = is_early(t, said, o, &place);
    if (said->event == TRACKER_COMPLETED && p->seed && place.was_leecher && x->downloaded < SWARMS_DOWNLOADED_MAX)
        x->downloaded++;
    if (!early && t->changed)
        t->changed(t->changed_arg, CHANGE_HERE, x->hash, p);
    int wanted = wanted_of(t, x, said);
    peers_tell(t, x, p, place.position, wanted, early, told);
    figures_tell(t, x, wanted, told);
}

void announce(tracker *t, addr from, str key, const tracker_announce *said, announce_told *told)
{
    from = address_plain(from);
    torrent *x = torrent_for(t, from, key, said, told);
    if (told->refusal)
        return;
    peer p = {.at = address_of(t, from, said), .minute = announce_minute(t), .seed = said->left == 0};
    p.tag = tag_of(t, addr_with_port(p.at, 0), said);
    if (said->event == TRACKER_STOPPED)
        leave(t, x, &p, told);
    else if (newcomer_may(t, from, x, &p, told))
        stay(t, x, &p, said, told);
}

tracker_swarm scrape(tracker *t, str key, const uint8_t hash[TRACKER_HASH_BYTES])
{
    tracker_swarm told = {0};
    memcpy(told.hash, hash, TRACKER_HASH_BYTES);
    torrent *x = swarms_find(t->store, hash);
    if (!x || ((t->access.all_private || x->private) && access_key_find(&t->access, key) < 0))
        return told;
    told.complete = torrent_seeds(x);
    told.incomplete = torrent_leechers(x);
    told.downloaded = x->downloaded;
    return told;
}
