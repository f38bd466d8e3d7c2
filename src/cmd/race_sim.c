// The race in the simulator: real naru peers (rooms/swarm) on simulated hosts with capped lines, in virtual time.
#include <string.h>

#include "base/hex.h"
#include "base/heap_memory.h"
#include "base/must.h"
#include "cmd/race.h"
#include "rooms/swarm/swarm.h"
#include "rt/digest.h"
#include "rt/loop.h"
#include "rt/room.h"
#include "rt/sim.h"
#include "rt/worker.h"

enum {
    NEIGHBOURS = 30,                         // a peer is told of so many others, at random, and of the seed
    PORT = 6881, METAINFO_BYTES = 64 << 20, PATIENCE_BOUNDS = 20, LOOK_MS = 50,
};

typedef struct race race;

typedef struct {
    race    *race;
    int      number;                         // 0: the seed, or the server
    world   *world;
    addr     at;
    int64_t  done_ns;                        // 0: not yet
    bool     selfish, crashes;
    int64_t  sent;
    str      trouble;
    uint64_t chance;
} racer;

struct race {
    const race_plan *plan;
    race_kind kind;
    int       count;                         // racers: N + 1
    racer    *racers;
    sim      *sim;
    scope    *all;
    str       payload, metainfo;
    uint8_t   hash[INFO_HASH_BYTES];
    int64_t   begun_ns, patience_ns, last_ns, first_ns;
    int       left;
    bool      over;
    gate      done;
    arena     memory;
};

static uint64_t next_chance(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

// ---- what is distributed ------------------------------------------------------------------------------------------------

static bool payload_make(race *r)
{
    const race_plan *p = r->plan;
    unsigned char *bytes = memory_new((size_t)p->file_bytes);
    uint64_t chance = p->seed;
    for (int64_t i = 0; i < p->file_bytes; i += 8) {
        uint64_t x = next_chance(&chance);
        memcpy(bytes + i, &x, (size_t)(p->file_bytes - i < 8 ? p->file_bytes - i : 8));
    }
    r->payload = str_of(bytes, (size_t)p->file_bytes);
    metainfo m = {.name = S("file"), .single = true, .length = p->file_bytes, .private = true};
    m.piece_bytes = p->piece_bytes ? p->piece_bytes : metainfo_piece_bytes_choose(p->file_bytes);
    m.piece_count = (int32_t)((m.length - 1) / m.piece_bytes + 1);
    unsigned char *digests = arena_alloc(&r->memory, (size_t)m.piece_count, INFO_HASH_BYTES, 1);
    for (int32_t i = 0; digests && i < m.piece_count; i++)
        digest_of(DIGEST_SHA1, str_sub(r->payload, (ptrdiff_t)(i * m.piece_bytes), (ptrdiff_t)metainfo_piece_length(&m, i)),
                  digests + i * INFO_HASH_BYTES);
    m.pieces = str_of(digests, (size_t)m.piece_count * INFO_HASH_BYTES);
    metainfo_file only = {.path = m.name, .length = m.length};
    m.files = &only, m.file_count = 1;
    buf out = buf_make(METAINFO_BYTES);
    metainfo read;
    bencode_refusal why;
    bool ok = digests && metainfo_write(&out, &m);
    r->metainfo = str_copy(&r->memory, buf_str(&out));
    buf_free(&out);
    if (!ok || !metainfo_read(r->metainfo, &r->memory, &read, &why))
        return false;
    digest_of(DIGEST_SHA1, read.info, r->hash);
    return true;
}

// ---- one peer -----------------------------------------------------------------------------------------------------------

typedef struct { race *race; world *world; err failed; } filling;

static void file_fill(void *arg)                 // in work(): the seed has the file
{
    filling *f = arg;
    file *out;
    struct iovec v = {(void *)(uintptr_t)f->race->payload.at, (size_t)f->race->payload.len};
    f->failed = dir_make(f->world, "/race", 0755);
    if (!f->failed)
        f->failed = file_open(f->world, "/race/file", FILE_WRITE | FILE_CREATE, 0644, &out);
    if (f->failed)
        return;
    f->failed = file_write(out, 0, &v, 1);
    file_close(out);
}

static const statement *settings_make(racer *k, arena *a)
{
    config_error error;
    str text = str_format(a, "port %d\ndht off\nlocal-discovery off\npeer-exchange on\nprivate-peers on\nrpc-port 0\nmode %s\n%s", PORT,
                          race_mode_name(k->race->plan->mode), k->selfish ? "limit-up 8bit\n" : "");
    statement *s = config_parse(S("race"), text, a, config_include_keep, NULL, &error);
    must(s && config_check(s, swarm_kind.settings, a, &error));
    return s;
}

static int neighbours_choose(racer *k, addr *out)
{
    race *r = k->race;
    int count = 0;
    if (k->number > 0)
        out[count++] = addr_with_port(r->racers[0].at, PORT);
    for (int i = 0; i < NEIGHBOURS && r->count > 2; i++)
        out[count++] = addr_with_port(r->racers[1 + next_chance(&k->chance) % (uint64_t)(r->count - 1)].at, PORT);
    return count;
}

static void racer_done(racer *k)
{
    race *r = k->race;
    k->done_ns = world_now_ns(k->world) - r->begun_ns;
    r->left--;
    if (!r->first_ns)
        r->first_ns = k->done_ns;
    r->last_ns = k->done_ns;
    if (r->left == 0)
        gate_wake_all(&r->done);
}

static void peer_watch(racer *k, torrent *t)
{
    torrent_view v;
    do {
        torrent_look(t, &v);
        k->sent = v.sent;
        if (v.state == TORRENT_TROUBLE && !k->trouble.len)
            k->trouble = str_copy(&k->race->memory, v.trouble);
        if (v.have_bytes == v.length && v.length > 0 && !k->done_ns && k->number > 0) {
            racer_done(k);
            if (k->race->plan->leave)
                return;
        }
    } while (fiber_sleep(millis(LOOK_MS)) == E_OK);
}

static void peer_live(void *arg)
{
    racer *k = arg;
    race *r = k->race;
    node n = {0};
    room *added;
    arena a = arena_make(1 << 20);
    addr peers[NEIGHBOURS + 1];
    str why = {0};
    torrent *t = NULL;
    filling f = {.race = r, .world = k->world};
    if (k->number == 0)
        work(file_fill, &f);
    err e = f.failed ? f.failed : node_start(&n, k->world, world_name(k->world), S("/state"));
    if (!e && !(e = node_add(&n, &swarm_kind, settings_make(k, &a), &added, &why))) {
        swarm *s = swarm_of(added);
        swarm_addition what = {.metainfo = r->metainfo, .directory = S("/race"), .ratio_per_mille = -1, .peers = peers};
        what.peer_count = neighbours_choose(k, peers);
        t = swarm_find(s, r->hash);                      // back from a crash
        e = t ? E_OK : swarm_add(s, &what, &t, &a, &why);
        for (int i = 0; t && i < what.peer_count; i++)
            (void)torrent_peer_add(t, peers[i]);
    }
    if (e)
        k->trouble = str_copy(&r->memory, why.len ? why : str_z(err_text(e)));
    else
        peer_watch(k, t);
    if (n.world)
        node_stop(&n);
    arena_free(&a);
}

// ---- client and server --------------------------------------------------------------------------------------------------

typedef struct { conn *c; race *race; } serving;

static void server_answer(void *arg)
{
    serving *s = arg;
    race_http_serve(s->c, s->race->payload);
    conn_close(s->c);
    memory_free(s);
}

static void server_live(void *arg)
{
    racer *k = arg;
    sock *welcome, *s;
    if (sock_listen(k->world, addr_v4(0, 80), (listen_options){.backlog = RACE_SIM_PEERS_MAX + 1}, &welcome))
        return;
    SCOPE(all, 0, RACE_SIM_PEERS_MAX + 1);
    addr peer, local;
    for (err e = E_OK; !e || e == E_AGAIN; ) {
        e = sock_accept(welcome, &s, &peer, &local);
        if (e == E_AGAIN) {
            if (sock_wait(welcome, WAIT_READ, NEVER_NS))
                break;
            continue;
        }
        serving *one = e ? NULL : memory_new(sizeof *one);
        if (!one)
            break;
        *one = (serving){conn_of(s, peer, local), k->race};
        scope_go(&all, "answer", server_answer, one);
    }
    sock_close(welcome);
}

static void client_live(void *arg)
{
    racer *k = arg;
    conn *c = conn_open(k->world, addr_with_port(k->race->racers[0].at, 80), minutes(1));
    if (!c->error && race_http_fetch(c, k->race->payload.len))
        racer_done(k);
    else
        k->trouble = str_copy(&k->race->memory, str_z(c->error ? err_text(c->error) : "the file did not come whole"));
    conn_close(c);
}

// ---- the whole ----------------------------------------------------------------------------------------------------------

static fiber_body *body_of(const race *r, int number)
{
    return r->kind == RACE_P2P ? peer_live : number == 0 ? server_live : client_live;
}

// Crashes some peers at a third of the way, one after the other, and lets them come back.
static void churn(void *arg)
{
    race *r = arg;
    if (fiber_sleep(r->patience_ns / PATIENCE_BOUNDS / 3))
        return;
    for (int i = 1; i < r->count; i++) {
        racer *k = &r->racers[i];
        if (!k->crashes || k->done_ns)
            continue;
        sim_crash(k->world);
        if (fiber_sleep(millis(500)))
            return;
        sim_restart(k->world);
        sim_boot(k->world, r->all, body_of(r, i), k);
    }
}

static void direct(void *arg)
{
    race *r = arg;
    SCOPE(all, 0, 2 * r->count + 8);
    r->all = &all;
    int64_t bound_ns = r->patience_ns / PATIENCE_BOUNDS;
    sim_boot(r->racers[0].world, &all, body_of(r, 0), &r->racers[0]);
    (void)fiber_sleep(seconds(2));                       // the source is ready when the others come
    r->begun_ns = loop_now_ns();
    for (int i = 1; i < r->count; i++)
        sim_boot(r->racers[i].world, &all, body_of(r, i), &r->racers[i]);
    if (r->plan->churn_percent && bound_ns)
        scope_go(&all, "churn", churn, r);
    (void)gate_wait(&r->done, r->begun_ns + r->patience_ns, "all have the file");
    r->over = true;
    for (int i = 0; i < r->count; i++)
        if (sim_is_up(r->racers[i].world))
            sim_shut_down(r->racers[i].world);
}

static void racers_make(race *r, int peers)
{
    const race_plan *p = r->plan;
    uint64_t chance = p->seed * 31 + (uint64_t)peers;
    r->count = peers + 1;
    r->left = peers;
    r->racers = arena_array(&r->memory, racer, r->count);
    must(r->racers);
    for (int i = 0; i < r->count; i++) {
        racer *k = &r->racers[i];
        *k = (racer){.race = r, .number = i, .at = addr_v4(0x0a000001 + (uint32_t)i, 0), .chance = next_chance(&chance)};
        k->selfish = i > 0 && (int)(next_chance(&chance) % 100) < p->selfish_percent;
        k->crashes = i > 0 && (int)(next_chance(&chance) % 100) < p->churn_percent;
        k->world = sim_host(r->sim, i ? str_format(&r->memory, "peer%d", i) : S("source"), &k->at, 1, (sim_disk){0});
        sim_capacity_set(k->world, (sim_capacity){i ? p->peer_rates[(i - 1) % p->peer_rate_count] : p->server_rate,
                                                  i ? p->down_rate : 0});
    }
}

bool race_simulate(const race_plan *p, int peers, race_kind kind, race_outcome *out, arena *a, str *why)
{
    race r = {.plan = p, .kind = kind, .memory = arena_make(RACE_MEMORY_BYTES_MAX), .sim = sim_new(p->seed)};
    race_lines lines = race_plan_lines(p);
    int64_t bound = kind == RACE_P2P ? race_p2p_ms(&lines, peers, NULL) : race_client_server_ms(&lines, peers, NULL);
    must(peers <= RACE_SIM_PEERS_MAX);
    r.patience_ns = (bound + 1000) * NS_PER_MS * PATIENCE_BOUNDS;
    sim_link_default(r.sim, (sim_link){.delay_min_ns = millis(2), .delay_max_ns = millis(6)});
    racers_make(&r, peers);
    bool ok = payload_make(&r) && sim_run(r.sim, direct, &r) == E_OK;
    *out = (race_outcome){.last_ms = r.left ? -1 : r.last_ns / NS_PER_MS, .first_ms = r.first_ns / NS_PER_MS, .bound_ms = bound,
                          .source_per_mille = r.racers[0].sent * 1000 / p->file_bytes, .events = sim_figures_now(r.sim).events};
    for (int i = 0; i < r.count && !why->len; i++)
        if (r.racers[i].trouble.len)
            *why = str_format(a, "peer %d: " STR_FMT, i, STR_ARG(r.racers[i].trouble));
    if (!ok && !why->len)
        *why = S("the simulation did not come to an end");
    if (ok && r.left && !why->len)
        *why = str_format(a, "%d of %d peers never had everything", r.left, peers);
    sim_free(r.sim);
    memory_free((void *)(uintptr_t)r.payload.at);
    arena_free(&r.memory);
    return ok && r.left == 0;
}
