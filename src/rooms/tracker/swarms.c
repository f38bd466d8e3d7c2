#include "rooms/tracker/swarms.h"

#include <string.h>

#include "base/heap_memory.h"
#include "base/must.h"

enum { BLOCK_TORRENTS = 256, SLOTS_MIN = 64 };
#define SLOT_EMPTY UINT32_MAX

// Torrents stand in blocks that never move, without gaps: the last fills the place of one that goes. The index is a table of
// their numbers by keyed hash, with linear probing.
struct swarms {
    siphash_key  secret;
    torrent    **blocks;
    uint32_t    *slots, slot_count;
    swarms_figures figures;
    uint32_t     hand_torrent, hand_family, hand_position;
};

swarms *swarms_new(uint32_t torrents_max, uint32_t peers_max, siphash_key secret)
{
    must(torrents_max > 0 && torrents_max <= SWARMS_TORRENTS_MAX && peers_max <= SWARMS_PEERS_MAX);
    swarms *s = memory_zeroed(1, sizeof *s);
    s->secret = secret;
    s->figures.torrents_max = torrents_max;
    s->figures.peers_max = peers_max;
    s->blocks = memory_zeroed((torrents_max + BLOCK_TORRENTS - 1) / BLOCK_TORRENTS, sizeof *s->blocks);
    s->slot_count = SLOTS_MIN;
    s->slots = memory_new(SLOTS_MIN * sizeof *s->slots);
    memset(s->slots, 0xff, SLOTS_MIN * sizeof *s->slots);
    return s;
}

torrent *swarms_torrent(swarms *s, uint32_t number)
{
    return &s->blocks[number / BLOCK_TORRENTS][number % BLOCK_TORRENTS];
}

void swarms_free(swarms *s)
{
    if (!s)
        return;
    for (uint32_t i = 0; i < s->figures.torrents; i++)
        for (int k = 0; k < 2; k++)
            peer_set_free(&swarms_torrent(s, i)->sets[k]);
    for (uint32_t i = 0; i * BLOCK_TORRENTS < s->figures.torrents_max; i++)
        memory_free(s->blocks[i]);
    memory_free(s->blocks);
    memory_free(s->slots);
    memory_free(s);
}

swarms_figures swarms_figures_now(const swarms *s) { return s->figures; }

uint64_t swarms_bytes(const swarms *s)
{
    uint64_t bytes = sizeof *s + (uint64_t)s->slot_count * sizeof *s->slots;
    for (uint32_t i = 0; i * BLOCK_TORRENTS < s->figures.torrents_max; i++)
        bytes += sizeof *s->blocks + (s->blocks[i] ? BLOCK_TORRENTS * sizeof(torrent) : 0);
    for (uint32_t i = 0; i < s->figures.torrents; i++)
        for (int k = 0; k < 2; k++)
            bytes += peer_set_bytes(&s->blocks[i / BLOCK_TORRENTS][i % BLOCK_TORRENTS].sets[k]);
    return bytes;
}

// ---- torrents by hash -------------------------------------------------------------------------------------------------------

static uint32_t slot_home(const swarms *s, const uint8_t *hash)
{
    return (uint32_t)((siphash(s->secret, str_of(hash, TRACKER_HASH_BYTES)) >> 32) * s->slot_count >> 32);
}

static uint32_t slot_next(const swarms *s, uint32_t slot) { return slot + 1 == s->slot_count ? 0 : slot + 1; }

static uint32_t slot_find(swarms *s, const uint8_t *hash)
{
    uint32_t slot = slot_home(s, hash);
    while (s->slots[slot] != SLOT_EMPTY && memcmp(swarms_torrent(s, s->slots[slot])->hash, hash, TRACKER_HASH_BYTES) != 0)
        slot = slot_next(s, slot);
    return slot;
}

static void slots_grow(swarms *s)
{
    s->slot_count += s->slot_count / 2;
    s->slots = memory_resize(s->slots, (size_t)s->slot_count * sizeof *s->slots);
    memset(s->slots, 0xff, (size_t)s->slot_count * sizeof *s->slots);
    for (uint32_t i = 0; i < s->figures.torrents; i++)
        s->slots[slot_find(s, swarms_torrent(s, i)->hash)] = i;
}

static void slot_remove(swarms *s, uint32_t hole)
{
    for (uint32_t i = slot_next(s, hole); s->slots[i] != SLOT_EMPTY; i = slot_next(s, i)) {
        uint32_t home = slot_home(s, swarms_torrent(s, s->slots[i])->hash);
        bool between = hole <= i ? hole < home && home <= i : hole < home || home <= i;
        if (between)
            continue;
        s->slots[hole] = s->slots[i];
        hole = i;
    }
    s->slots[hole] = SLOT_EMPTY;
}

torrent *swarms_find(swarms *s, const uint8_t hash[TRACKER_HASH_BYTES])
{
    uint32_t number = s->slots[slot_find(s, hash)];
    return number == SLOT_EMPTY ? NULL : swarms_torrent(s, number);
}

torrent *swarms_make(swarms *s, const uint8_t hash[TRACKER_HASH_BYTES])
{
    torrent *there = swarms_find(s, hash);
    uint32_t number = s->figures.torrents;
    if (there || number == s->figures.torrents_max)
        return there;
    if (number >= s->slot_count - s->slot_count / 4)
        slots_grow(s);
    if (!s->blocks[number / BLOCK_TORRENTS])
        s->blocks[number / BLOCK_TORRENTS] = memory_new(BLOCK_TORRENTS * sizeof(torrent));
    torrent *t = swarms_torrent(s, number);
    *t = (torrent){.sets = {{.family = 4}, {.family = 6}}};
    memcpy(t->hash, hash, TRACKER_HASH_BYTES);
    s->slots[slot_find(s, hash)] = number;
    s->figures.torrents++;
    return t;
}

static void torrent_remove(swarms *s, uint32_t number)
{
    uint32_t last = --s->figures.torrents;
    slot_remove(s, slot_find(s, swarms_torrent(s, number)->hash));
    for (int k = 0; k < 2; k++)
        peer_set_free(&swarms_torrent(s, number)->sets[k]);
    if (number != last) {
        s->slots[slot_find(s, swarms_torrent(s, last)->hash)] = number;
        *swarms_torrent(s, number) = *swarms_torrent(s, last);
    }
    if (last % BLOCK_TORRENTS == 0) {
        memory_free(s->blocks[last / BLOCK_TORRENTS]);
        s->blocks[last / BLOCK_TORRENTS] = NULL;
    }
}

// ---- peers ------------------------------------------------------------------------------------------------------------------

peer_set *torrent_set(torrent *t, int family) { return &t->sets[family == 6]; }
uint32_t torrent_seeds(const torrent *t) { return t->sets[0].seeds + t->sets[1].seeds; }
uint32_t torrent_leechers(const torrent *t) { return t->sets[0].count + t->sets[1].count - torrent_seeds(t); }

static void peer_gone(swarms *s, peer_set *set, uint32_t position)
{
    s->figures.peers[set->family == 6]--;
    s->figures.seeds -= position < set->seeds;
    peer_set_remove(set, position);
}

// Who has lost its state and starts anew where it was has another tag: the old one would be handed out until it expires. In large
// swarms that matters little, and looking for it would cost.
static uint32_t found(const peer_set *set, const peer *p)
{
    uint32_t at = peer_set_find(set, p->tag);
    return at == PEER_NONE && set->count <= PEER_SAME_ADDRESS_MAX ? peer_set_find_address(set, p->at) : at;
}

swarms_outcome swarms_put(swarms *s, torrent *t, const peer *p, swarms_place *place)
{
    peer_set *set = torrent_set(t, p->at.family);
    uint32_t at = found(set, p);
    *place = (swarms_place){PEER_NONE, p->minute, false};
    if (at == PEER_NONE) {
        if (s->figures.peers[0] + s->figures.peers[1] >= s->figures.peers_max || set->count == PEER_SET_MAX)
            return SWARMS_FULL;
        s->figures.peers[set->family == 6]++;
        s->figures.seeds += p->seed;
        place->position = peer_set_add(set, p);
        return SWARMS_NEW;
    }
    peer before = peer_set_at(set, at);
    s->figures.seeds += (uint32_t)p->seed - (uint32_t)before.seed;
    *place = (swarms_place){peer_set_change(set, at, p), before.minute, !before.seed};
    return before.seed != p->seed || before.tag != p->tag || !addr_eq(before.at, p->at) ? SWARMS_CHANGED : SWARMS_SAME;
}

bool swarms_remove(swarms *s, torrent *t, int family, uint32_t tag)
{
    peer_set *set = torrent_set(t, family);
    uint32_t at = peer_set_find(set, tag);
    if (at == PEER_NONE)
        return false;
    peer_gone(s, set, at);
    return true;
}

// ---- the hand ---------------------------------------------------------------------------------------------------------------

uint64_t swarms_round_steps(const swarms *s)
{
    return (uint64_t)s->figures.peers[0] + s->figures.peers[1] + (uint64_t)s->figures.torrents * 2;
}

// At the end of a set: to the other family's, then to the next torrent, and what nobody needs goes.
static void hand_on(swarms *s, torrent *t, swarms_seen *seen, void *arg)
{
    peer_set_fit(&t->sets[s->hand_family]);
    s->hand_position = 0;
    if (s->hand_family++ == 0)
        return;
    s->hand_family = 0;
    if (!t->listed && t->sets[0].count + t->sets[1].count == 0) {
        torrent_remove(s, s->hand_torrent);              // another stands in its place now
        return;
    }
    if (seen)
        seen(arg, t);
    s->hand_torrent++;
}

void swarms_sweep(swarms *s, uint8_t minute, int expire_minutes, uint32_t steps, swarms_seen *seen, void *arg)
{
    must(expire_minutes > 0 && expire_minutes <= SWARMS_EXPIRE_MINUTES_MAX);
    for (; steps > 0 && s->figures.torrents > 0; steps--) {
        if (s->hand_torrent >= s->figures.torrents)
            s->hand_torrent = s->hand_family = s->hand_position = 0;
        torrent *t = swarms_torrent(s, s->hand_torrent);
        peer_set *set = &t->sets[s->hand_family];
        if (s->hand_position >= set->count) {
            hand_on(s, t, seen, arg);
        } else if ((uint8_t)(minute - peer_set_minute(set, s->hand_position)) > expire_minutes) {
            peer_gone(s, set, s->hand_position);         // another stands there now
            s->figures.expired++;
        } else {
            s->hand_position++;
        }
    }
}
