// The torrent's side of its web seeds (web_seed.h): which runs of pieces they fetch, where these go. To the picker a web seed is
// one more peer that has everything; it is asked for runs of whole pieces that nobody else has begun.
#include <string.h>

#include "base/heap_memory.h"
#include "rooms/swarm/swarm_inside.h"
#include "rooms/swarm/web_seed.h"
#include "rt/loop.h"
#include "talk/dns_ask.h"

enum { SEEDS_MAX = 8, BLOCKS_AT_ONCE = 512, LOOKUP_BYTES = 64 * 1024 };
#define LOOKUP_NS (20 * NS_PER_S)

typedef struct {
    torrent  *torrent;
    web_seed *seed;
    int       number;                            // to the picker
    int32_t   next;                              // where it looks for its next run
    bitfield  run;                               // what it is fetching
} web;

struct torrent_web {
    web seeds[SEEDS_MAX];
    int count;
};

static bool is_free(const torrent *t, int32_t piece)
{
    if (bitfield_has(store_have(t->store), piece) || t->coming_by_piece[piece] || picker_priority_of(t->picker, piece) == PICKER_SKIP)
        return false;
    for (int i = 0; i < t->web->count; i++)
        if (bitfield_has(&t->web->seeds[i].run, piece))
            return false;
    return true;
}

static void run_ask(web *x, int32_t first, int32_t count)
{
    picker_block blocks[BLOCKS_AT_ONCE];
    for (int32_t i = first; i < first + count; i++)
        bitfield_add(&x->run, i);
    while (picker_choose(x->torrent->picker, x->number, &x->run, BLOCKS_AT_ONCE, loop_now_ns(), blocks) == BLOCKS_AT_ONCE)
        continue;
}

static bool web_take(void *arg, int64_t bytes_max, int32_t *first, int32_t *count)
{
    web *x = arg;
    torrent *t = x->torrent;
    int32_t pieces = t->meta->piece_count, tried = 0;
    if (t->seeding || t->store_waits || t->ending)
        return false;
    while (tried < pieces && !is_free(t, x->next)) {
        x->next = (x->next + 1) % pieces;
        tried++;
    }
    if (tried == pieces)
        return false;
    int64_t bytes = store_piece_length(t->store, x->next);
    *first = x->next;
    *count = 1;
    for (int32_t i = x->next + 1; i < pieces && is_free(t, i) && bytes + store_piece_length(t->store, i) <= bytes_max; i++) {
        bytes += store_piece_length(t->store, i);
        (*count)++;
    }
    run_ask(x, *first, *count);
    x->next = (*first + *count) % pieces;
    return true;
}

static void web_give_back(void *arg, int32_t first, int32_t count)
{
    web *x = arg;
    torrent *t = x->torrent;
    for (int32_t i = first; i < first + count; i++)
        bitfield_remove(&x->run, i);
    // The picker forgets all of it; what of the run goes on is asked for again.
    if (!t->picker)
        return;
    picker_returned_all(t->picker, x->number);
    picker_block blocks[BLOCKS_AT_ONCE];
    while (x->run.set && picker_choose(t->picker, x->number, &x->run, BLOCKS_AT_ONCE, loop_now_ns(), blocks) == BLOCKS_AT_ONCE)
        continue;
    torrent_ask_all(t);
}

static err web_deliver(void *arg, int32_t piece, str bytes, bool *good)
{
    web *x = arg;
    torrent *t = x->torrent;
    int64_t now = loop_now_ns();
    rate_count(&t->received_rate, bytes.len, now);
    rate_count(&t->swarm->received_rate, bytes.len, now);
    t->received += bytes.len;
    t->swarm->received += bytes.len;
    err e = piece_came_whole(t, piece, bytes, good);
    bitfield_remove(&x->run, piece);
    if (e || !*good)
        web_give_back(x, piece, 1);
    return e;
}

static err web_allow(void *arg, int64_t bytes)
{
    web *x = arg;
    torrent *t = x->torrent;
    int64_t now = loop_now_ns();
    int64_t a = rate_limit_take(&t->down, bytes, now), b = rate_limit_take(&t->swarm->down, bytes, now), at = a > b ? a : b;
    return at > now ? fiber_sleep(at - now) : E_OK;
}

static int web_lookup(void *arg, str host, addr *out, int max)
{
    web *x = arg;
    const tracker_asker *asker = &x->torrent->swarm->asker;
    int count = 0;
    arena a = arena_make(LOOKUP_BYTES);
    if (asker->dns_count)
        (void)dns_ask_addresses(asker->world, asker->dns, asker->dns_count, host, out, max, &count, LOOKUP_NS, &a);
    arena_free(&a);
    return count;
}

// In t->scope; torrent_web_end frees them when it has closed.
void torrent_web_begin(torrent *t)
{
    const char *why;
    if (t->seeding || t->meta->web_seed_count == 0)
        return;
    t->web = arena_new(&t->memory, torrent_web);
    for (int i = 0; t->web && i < t->meta->web_seed_count && t->web->count < SEEDS_MAX; i++) {
        web *x = &t->web->seeds[t->web->count];
        web_seed_settings s = {
            .world = t->swarm->w, .layout = t->meta, .url = t->meta->web_seeds[i], .from_stranger = true,
            .local_allowed = t->swarm->private_allowed, .tls = t->swarm->tls, .agent = S("naru/" NARU_VERSION),
            .calls = {web_take, web_give_back, web_deliver, web_allow, web_lookup, x},
        };
        *x = (web){.torrent = t, .number = SWARM_TORRENT_PEERS_MAX + i, .next = (int32_t)((int64_t)t->meta->piece_count * i / t->meta->web_seed_count)};
        x->seed = bitfield_make(&t->memory, t->meta->piece_count, &x->run) ? web_seed_new(&s, &why) : NULL;
        t->web->count += x->seed != NULL;
    }
    for (int i = 0; t->web && i < t->web->count; i++)
        (void)scope_try_go(&t->scope, "web seed", web_seed_run, t->web->seeds[i].seed);
}

void torrent_web_nudge(torrent *t)
{
    for (int i = 0; t->web && i < t->web->count; i++)
        web_seed_nudge(t->web->seeds[i].seed);
}

void torrent_web_end(torrent *t)
{
    for (int i = 0; t->web && i < t->web->count; i++)
        web_seed_free(t->web->seeds[i].seed);
    t->web = NULL;
}
