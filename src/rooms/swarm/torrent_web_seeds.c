// A torrent's web seeds: which are at work, what they are given to fetch, where their pieces go. web_seed.c does the asking.
#include <stdio.h>
#include <string.h>

#include "base/heap_memory.h"
#include "base/must.h"
#include "rooms/swarm/swarm_inside.h"
#include "rooms/swarm/swarm_meters.h"
#include "rooms/swarm/web_seed.h"
#include "rt/json_text.h"
#include "rt/log.h"
#include "rt/loop.h"
#include "talk/dns_ask.h"

enum {
    SEEDS_MAX = 16,                                      // of a torrent's list; further ones are not asked
    AT_WORK_MAX = 4,                                     // at once; others when one of them was dropped
    FIRST_NUMBER = SWARM_TORRENT_PEERS_MAX,              // the picker's numbers behind those of peers
    SHARE = 16,                                          // one of so many parts of what is lacking is given out at once
    LOOKUP_BYTES = 64 << 10, LOOKUP_S = 10,
    GIVEN_MAX = WEB_SEED_RUN_BYTES / (16 << 10),         // pieces of a run: the smallest are of 16 KiB
};
_Static_assert(FIRST_NUMBER + SEEDS_MAX <= PICKER_PEERS_MAX, "each has a number of its own");

typedef struct {
    torrent  *torrent;
    web_seed *seed;                                      // NULL: its URL may not be asked
    int       number;
    bool      running;
} slot;

struct torrent_web {
    int  count;
    slot of[SEEDS_MAX];
};

// ---- what a web seed asks of its torrent ----------------------------------------------------------------------------------

static bool may_take(const torrent *t)
{
    return t->picker && t->started && !t->ending && !t->seeding && !t->store_waits &&
           t->coming_bytes + t->finish_bytes < TORRENT_BUFFERS_BYTES_MAX;
}

static bool take(void *arg, int64_t bytes_max, int32_t *first, int32_t *count)
{
    slot *x = arg;
    torrent *t = x->torrent;
    if (!may_take(t))
        return false;
    // Never so much that peers have nothing left but what is on its way from here.
    int64_t most = bytes_max / t->meta->piece_bytes, share = picker_look(t->picker).wanted / SHARE;
    most = most < share ? most : share;
    most = most < 1 ? 1 : most > GIVEN_MAX ? GIVEN_MAX : most;
    *count = picker_take_run(t->picker, x->number, (int32_t)most, first);
    return *count > 0;
}

static void give_back(void *arg, int32_t first, int32_t count)
{
    slot *x = arg;
    for (int32_t i = 0; i < count; i++)
        piece_blocks_return(x->torrent, x->number, first + i);
    torrent_ask_all(x->torrent);
}

static err deliver(void *arg, int32_t piece, str bytes, bool *good)
{
    slot *x = arg;
    torrent *t = x->torrent;
    int64_t now = loop_now_ns();
    rate_count(&t->received_rate, bytes.len, now);
    rate_count(&t->swarm->received_rate, bytes.len, now);
    t->received += bytes.len;
    t->swarm->received += bytes.len;
    meter_add(&swarm_meter_received, bytes.len);
    err e = piece_came_whole(t, x->number, piece, bytes, good);
    if (!*good)
        log_line("swarm", LOG_WARNING, "a web seed's piece has a wrong hash", F_INT("piece", piece));
    return e;
}

static err allow(void *arg, int64_t bytes)
{
    slot *x = arg;
    torrent *t = x->torrent;
    int64_t now = loop_now_ns();
    int64_t a = rate_limit_take(&t->down, bytes, now), b = rate_limit_take(&t->swarm->down, bytes, now), at = a > b ? a : b;
    return at > now ? fiber_sleep(at - now) : E_OK;
}

static int lookup(void *arg, str host, addr *out, int max)
{
    slot *x = arg;
    const tracker_asker *who = &x->torrent->swarm->asker;
    int count = 0;
    arena a = arena_make(LOOKUP_BYTES);
    dns_answer d = dns_ask_addresses(who->world, who->dns, who->dns_count, host, out, max, &count, seconds(LOOKUP_S), &a);
    arena_free(&a);
    return d.verdict == DNS_FOUND ? count : 0;
}

// ---- which are at work ----------------------------------------------------------------------------------------------------

static void run(void *arg)
{
    slot *x = arg;
    web_seed_view v;
    web_seed_run(x->seed);
    x->running = false;
    web_seed_look(x->seed, &v);
    if (v.state == WEB_SEED_DROPPED)
        log_line("swarm", LOG_NOTICE, "web seed dropped", F_STR("url", v.url), F_STR("why", str_z(v.why)));
    torrent_nudge(x->torrent);
}

static void slots_make(torrent *t)
{
    swarm *s = t->swarm;
    t->web = memory_zeroed(1, sizeof *t->web);
    for (int i = 0; i < t->meta->web_seed_count && i < SEEDS_MAX; i++) {
        slot *x = &t->web->of[t->web->count++];
        const char *why;
        *x = (slot){.torrent = t, .number = FIRST_NUMBER + i};
        web_seed_settings settings = {
            .world = s->w, .layout = t->meta, .url = t->meta->web_seeds[i], .from_stranger = true, .local_allowed = s->private_allowed,
            .tls = s->tls, .agent = s->asker.agent, .calls = {take, give_back, deliver, allow, lookup, x},
        };
        x->seed = web_seed_new(&settings, &why);
        if (!x->seed)
            log_line("swarm", LOG_NOTICE, "web seed not used", F_STR("url", t->meta->web_seeds[i]), F_STR("why", str_z(why)));
    }
}

static web_seed_state state_of(const slot *x)
{
    web_seed_view v;
    if (!x->seed)
        return WEB_SEED_DROPPED;
    web_seed_look(x->seed, &v);
    return v.state;
}

void torrent_web_nudge(torrent *t)
{
    if (!t->meta || !t->meta->web_seed_count)
        return;
    if (!t->web && !t->seeding)
        slots_make(t);
    int at_work = 0;
    for (int i = 0; t->web && i < t->web->count; i++) {
        slot *x = &t->web->of[i];
        if (t->seeding && x->running)
            web_seed_stop(x->seed);
        if (t->seeding || state_of(x) == WEB_SEED_DROPPED || at_work == AT_WORK_MAX)
            continue;
        at_work++;
        if (x->running) {
            web_seed_nudge(x->seed);
            continue;
        }
        x->running = true;
        if (scope_try_go(&t->scope, "web seed", run, x) != E_OK)
            x->running = false;
    }
}

void torrent_web_end(torrent *t)
{
    for (int i = 0; t->web && i < t->web->count; i++) {
        must(!t->web->of[i].running);
        web_seed_free(t->web->of[i].seed);
    }
    memory_free(t->web);
    t->web = NULL;
}

// ---- looking --------------------------------------------------------------------------------------------------------------

int torrent_web_sending(const torrent *t)
{
    int count = 0;
    for (int i = 0; t->web && i < t->web->count; i++)
        count += t->web->of[i].running && state_of(&t->web->of[i]) == WEB_SEED_FETCHES;
    return count;
}

static const char *state_words(const slot *x, web_seed_state s)
{
    static const char *const words[] = {
        [WEB_SEED_RESTS] = "nothing to ask it for now", [WEB_SEED_FETCHES] = "is being asked for pieces",
        [WEB_SEED_WAITS] = "is asked again later", [WEB_SEED_DROPPED] = "is not asked any more",
    };
    return s != WEB_SEED_DROPPED && !x->running ? "is asked when others fail" : words[s];
}

static void seed_put(buf *out, const slot *x, bool json)
{
    web_seed_view v = {.state = WEB_SEED_DROPPED, .url = x->torrent->meta->web_seeds[x->number - FIRST_NUMBER],
                       .why = "its address may not be asked"};
    if (x->seed)
        web_seed_look(x->seed, &v);
    if (!json) {
        buf_format(out, "web seed " STR_FMT ": %s%s%s; %lld kB received, %lld kB/s\n", STR_ARG(v.url), state_words(x, v.state),
                   v.why[0] ? ": " : "", v.why, (long long)(v.received / 1000), (long long)(v.rate / 1000));
        return;
    }
    buf_put(out, S("{\"url\": "));
    json_put(out, v.url);
    buf_put(out, S(", \"state\": "));
    json_put(out, str_z(state_words(x, v.state)));
    buf_put(out, S(", \"trouble\": "));
    json_put(out, str_z(v.why));
    buf_format(out, ", \"received\": %lld, \"rate\": %lld}", (long long)v.received, (long long)v.rate);
}

void torrent_web_why(torrent *t, buf *out, bool json)
{
    if (json)
        buf_put(out, S(", \"web_seeds\": ["));
    for (int i = 0; t->web && t->meta && i < t->web->count; i++) {
        if (json && i)
            buf_put(out, S(", "));
        seed_put(out, &t->web->of[i], json);
    }
    if (json)
        buf_put(out, S("]"));
}
