#include "rooms/tracker/swarms.h"

#include <string.h>

#include "test.h"

static const siphash_key secret = {1, 2};

static void hash_of(uint8_t out[TRACKER_HASH_BYTES], uint32_t n)
{
    memset(out, 0xab, TRACKER_HASH_BYTES);
    memcpy(out, &n, sizeof n);
}

static swarms_outcome put(swarms *s, uint32_t hash, uint32_t who, uint8_t minute, bool seed, swarms_place *place)
{
    uint8_t bytes[TRACKER_HASH_BYTES];
    hash_of(bytes, hash);
    torrent *t = swarms_make(s, bytes);
    chance c = {who};
    peer p = {.at = addr_v4(0x0a000000 + who, 6881), .tag = (uint32_t)chance_u64(&c), .minute = minute, .seed = seed};
    return t ? swarms_put(s, t, &p, place) : SWARMS_FULL;
}

TEST(swarms_keeps_peers_by_torrent)
{
    swarms *s = swarms_new(100, 1000, secret);
    swarms_place place;
    CHECK_INT(put(s, 1, 1, 10, false, &place), SWARMS_NEW);
    CHECK_INT(put(s, 1, 1, 12, false, &place), SWARMS_SAME);
    CHECK_INT(place.minute_before, 10);
    CHECK_INT(put(s, 1, 1, 12, true, &place), SWARMS_CHANGED);
    CHECK(place.was_leecher);
    CHECK_INT(put(s, 1, 2, 12, false, &place), SWARMS_NEW);
    CHECK_INT(put(s, 2, 1, 12, true, &place), SWARMS_NEW);
    uint8_t hash[TRACKER_HASH_BYTES];
    hash_of(hash, 1);
    torrent *t = swarms_find(s, hash);
    CHECK(torrent_seeds(t) == 1 && torrent_leechers(t) == 1);
    swarms_figures f = swarms_figures_now(s);
    CHECK(f.torrents == 2 && f.peers[0] == 3 && f.peers[1] == 0 && f.seeds == 2);
    hash_of(hash, 3);
    CHECK(swarms_find(s, hash) == NULL);
    swarms_free(s);
}

TEST(swarms_has_ceilings)
{
    swarms *s = swarms_new(10, 20, secret);
    swarms_place place;
    int torrents = 0, peers = 0;
    uint8_t hash[TRACKER_HASH_BYTES];
    for (uint32_t i = 0; i < 50; i++)
        hash_of(hash, i), torrents += swarms_make(s, hash) != NULL;
    CHECK_INT(torrents, 10);
    for (uint32_t i = 0; i < 50; i++)
        peers += put(s, 3, i, 0, false, &place) == SWARMS_NEW;
    CHECK_INT(peers, 20);
    CHECK_INT(put(s, 3, 5, 1, false, &place), SWARMS_SAME);             // who is known stays known
    swarms_free(s);
}

TEST(swarms_forgets_who_does_not_announce_and_torrents_of_nobody)
{
    swarms *s = swarms_new(1000, 10000, secret);
    swarms_place place;
    uint8_t hash[TRACKER_HASH_BYTES];
    for (uint32_t i = 0; i < 300; i++)
        for (uint32_t k = 0; k <= i % 40; k++)
            put(s, i, k, k % 2 ? 100 : 130, k % 3 == 0, &place);
    hash_of(hash, 0);
    swarms_find(s, hash)->listed = true;
    uint32_t all = swarms_figures_now(s).peers[0], half = 0;
    swarms_sweep(s, 140, 60, (uint32_t)swarms_round_steps(s), NULL, NULL);
    CHECK_INT(swarms_figures_now(s).peers[0], all);
    swarms_sweep(s, (uint8_t)(161), 60, (uint32_t)swarms_round_steps(s) * 2, NULL, NULL);
    half = swarms_figures_now(s).peers[0];
    CHECK(half > all * 2 / 5 && half < all * 3 / 5);
    CHECK_INT(swarms_figures_now(s).expired, all - half);
    swarms_sweep(s, (uint8_t)(191 + 256), 60, (uint32_t)swarms_round_steps(s) * 2, NULL, NULL);
    swarms_figures f = swarms_figures_now(s);
    CHECK(f.peers[0] == 0 && f.seeds == 0 && f.torrents == 1);
    CHECK(swarms_find(s, hash) != NULL);
    swarms_free(s);
}

// The hand takes a few steps at a time and meets everybody in a round, whatever happens between its steps.
TEST(swarms_hand_meets_everybody)
{
    swarms *s = swarms_new(1000, 10000, secret);
    swarms_place place;
    for (uint32_t i = 0; i < 500; i++)
        put(s, i % 50, i, 0, i % 2, &place);
    for (int k = 0; k < 400; k++) {
        swarms_sweep(s, 100, 60, 7, NULL, NULL);
        put(s, (uint32_t)k % 50, 1000 + (uint32_t)k, 100, k % 2, &place);
    }
    CHECK_INT(swarms_figures_now(s).expired, 500);
    CHECK_INT(swarms_figures_now(s).peers[0], 400);
    swarms_free(s);
}

// 24 bytes a peer, with a million of them, everything counted.
static uint64_t bytes_a_peer_x10(uint32_t torrents, uint32_t peers)
{
    swarms *s = swarms_new(torrents, peers, secret);
    swarms_place place;
    for (uint32_t i = 0; i < peers; i++)
        put(s, i % torrents, i, 0, i % 10 == 0, &place);
    swarms_figures f = swarms_figures_now(s);
    CHECK(f.peers[0] <= peers && f.peers[0] > peers - peers / 2000);      // a few have the same tag
    uint64_t bytes = swarms_bytes(s);
    swarms_free(s);
    return bytes * 10 / f.peers[0];
}

TEST(swarms_takes_at_most_24_bytes_a_peer)
{
    CHECK(bytes_a_peer_x10(1, 1000000) <= 240);
    CHECK(bytes_a_peer_x10(1000, 300000) <= 240);
    CHECK(bytes_a_peer_x10(10000, 1000000) <= 240);
}
