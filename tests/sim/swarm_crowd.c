// The crowd: a thousand peers of the whole service, one seed and some liars; every byte goes through streams, hashes and disks.
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "base/heap_memory.h"
#include "base/must.h"
#include "rooms/swarm/swarm_inside.h"
#include "rooms/swarm/swarm_meters.h"
#include "rt/digest.h"
#include "rt/loop.h"
#include "rt/room.h"
#include "rt/shared.h"
#include "rt/worker.h"
#include "swarm_trial.h"

enum {
    NEIGHBOURS = 12,                         // of which a peer is told; as many are told of it
    PIECES = 256, PIECE_BYTES_LEAST = 16 * 1024, PORT = 6881, HONEST_PER_LIAR = 100, LOOK_MS = 100, MINUTES_MAX = 20,
    TORRENT_BYTES_MAX = 64 * 1024, MEMORY_BYTES_MAX = 64 << 20, FAILURES_TOLD = 5,
};
#define LINE_BYTES_PER_S 125000000                       // 1 Gbit/s up, each

typedef struct crowd crowd;

typedef struct {
    crowd   *crowd;
    int      number;                         // 0: the seed
    world   *world;
    addr     at;
    int64_t  done_ns;                        // 0: not yet
    torrent_state state;
    int32_t  pieces;
} member;

struct crowd {
    const crowd_plan *plan;
    sim      *sim;
    scope    *all;
    arena     memory;
    metainfo  m;
    metainfo_file file;
    str       payload, torrent;
    uint8_t   hash[INFO_HASH_BYTES];
    member   *members;
    swarm_liar *liars;
    int       count, liar_count, left, failures;
    int64_t   begun_ns, last_ns;
    gate      done;
};

static void failed(crowd *c, const char *what, int number)
{
    if (c->failures++ < FAILURES_TOLD)
        printf("FAILED seed %" PRIu64 " crowd of %d: peer %d: %s\n", c->plan->seed, c->plan->peers, number, what);
}

// ---- what is shared -----------------------------------------------------------------------------------------------------

static void payload_make(crowd *c)
{
    size_t bytes = (size_t)c->plan->mebibytes << 20;
    unsigned char *at = memory_new(bytes);
    for (size_t i = 0; i < bytes; i += 8) {
        uint64_t x = sim_random(c->sim);
        memcpy(at + i, &x, 8);
    }
    c->payload = str_of(at, bytes);
    int64_t piece = (int64_t)bytes / PIECES > PIECE_BYTES_LEAST ? (int64_t)bytes / PIECES : PIECE_BYTES_LEAST;
    c->file = (metainfo_file){.path = S("film"), .length = c->payload.len};
    c->m = (metainfo){.name = S("film"), .single = true, .piece_bytes = piece, .length = c->payload.len,
                      .piece_count = (int32_t)(c->payload.len / piece), .files = &c->file, .file_count = 1, .private = true};
    unsigned char *digests = arena_alloc(&c->memory, (size_t)c->m.piece_count, INFO_HASH_BYTES, 1);
    for (int32_t i = 0; i < c->m.piece_count; i++)
        digest_of(DIGEST_SHA1, str_sub(c->payload, (ptrdiff_t)(i * piece), (ptrdiff_t)piece), digests + i * INFO_HASH_BYTES);
    c->m.pieces = str_of(digests, (size_t)c->m.piece_count * INFO_HASH_BYTES);
    buf out = buf_make(TORRENT_BYTES_MAX);
    metainfo read;
    bencode_refusal why;
    must(metainfo_write(&out, &c->m));
    c->torrent = str_copy(&c->memory, buf_str(&out));
    buf_free(&out);
    must(metainfo_read(c->torrent, &c->memory, &read, &why));
    digest_of(DIGEST_SHA1, read.info, c->hash);
}

static void film_put(void *arg)
{
    member *k = arg;
    file *f;
    struct iovec v = {(void *)(uintptr_t)k->crowd->payload.at, (size_t)k->crowd->payload.len};
    must(dir_make(k->world, "/films", 0755) == E_OK);
    must(file_open(k->world, "/films/film", FILE_WRITE | FILE_CREATE, 0644, &f) == E_OK);
    must(file_write(f, 0, &v, 1) == E_OK && file_sync(f) == E_OK);
    file_close(f);
}

// ---- a peer -------------------------------------------------------------------------------------------------------------

static const statement *settings_make(arena *a)
{
    config_error error;
    str text = str_format(a, "port %d\ndht off\nlocal-discovery off\npeer-exchange off\nprivate-peers on\nrpc-port 0\n", PORT);
    statement *s = config_parse(S("crowd"), text, a, config_include_keep, NULL, &error);
    must(s && config_check(s, swarm_kind.settings, a, &error));
    return s;
}

static void neighbours_tell(member *k, torrent *t)
{
    crowd *c = k->crowd;
    for (int i = 0; i < NEIGHBOURS && c->count > 1; i++) {
        const member *other = &c->members[world_random_below(k->world, (uint64_t)c->count)];
        if (other != k)
            (void)torrent_peer_add(t, addr_with_port(other->at, PORT));
    }
    if (c->liar_count && k->number % 4 == 1)
        (void)torrent_peer_add(t, c->liars[world_random_below(k->world, (uint64_t)c->liar_count)].at);
}

static void member_watch(member *k, torrent *t)
{
    crowd *c = k->crowd;
    while (fiber_sleep(millis(LOOK_MS)) == E_OK) {
        k->state = t->state;
        k->pieces = t->have_pieces;
        if (k->done_ns || !t->store || !store_all_complete(t->store))
            continue;
        k->done_ns = c->last_ns = loop_now_ns() - c->begun_ns;
        if (--c->left == 0)
            gate_wake_all(&c->done);
    }
}

static void member_boot(void *arg)
{
    member *k = arg;
    crowd *c = k->crowd;
    node n;
    room *added;
    torrent *t;
    str why = {0};
    if (k->number == 0)
        work(film_put, k);
    must(node_start(&n, k->world, world_name(k->world), S("/state")) == E_OK);
    must(node_add(&n, &swarm_kind, settings_make(&n.memory), &added, &why) == E_OK);
    swarm_addition what = {.metainfo = c->torrent, .directory = S("/films"), .ratio_per_mille = -1};
    must(swarm_add(swarm_of(added), &what, &t, &n.memory, &why) == E_OK);
    neighbours_tell(k, t);
    member_watch(k, t);
    node_stop(&n);
}

// ---- what must hold -----------------------------------------------------------------------------------------------------

// A piece that is the payload's own block on the seed's disk is the payload; any other is compared.
static bool piece_fits(const crowd *c, file *f, file *of_seed, int32_t piece, unsigned char *space)
{
    size_t bytes = (size_t)c->m.piece_bytes, got;
    int64_t at = piece * c->m.piece_bytes;
    str ours = {0}, theirs = {0};
    bool lent = file_lend(of_seed, at, bytes, &theirs) == E_OK && file_lend(f, at, bytes, &ours) == E_OK;
    bool same = lent && ours.at == theirs.at;
    shared_drop(ours);
    shared_drop(theirs);
    return same || (file_read(f, at, space, bytes, &got) == E_OK && got == bytes && !memcmp(space, c->payload.at + at, bytes));
}

static void disks_check(void *arg)
{
    crowd *c = arg;
    unsigned char *space = memory_new((size_t)c->m.piece_bytes);
    file *of_seed;
    must(file_open(c->members[0].world, "/films/film", FILE_READ, 0, &of_seed) == E_OK);
    for (int i = 1; i < c->count; i++) {
        file *f;
        if (file_open(c->members[i].world, "/films/film", FILE_READ, 0, &f)) {
            failed(c, "the file is not whole", i);
            continue;
        }
        for (int32_t p = 0; p < c->m.piece_count; p++)
            if (!piece_fits(c, f, of_seed, p, space)) {
                failed(c, "a piece on its disk is false", i);
                break;
            }
        file_close(f);
    }
    file_close(of_seed);
    memory_free(space);
}

// ---- the whole ----------------------------------------------------------------------------------------------------------

static void direct(void *arg)
{
    crowd *c = arg;
    SCOPE(all, 0, c->count + c->liar_count + 1);
    for (int i = 0; i < c->liar_count; i++)
        must(sim_boot(c->liars[i].world, &all, swarm_liar_boot, &c->liars[i]) == E_OK);
    must(sim_boot(c->members[0].world, &all, member_boot, &c->members[0]) == E_OK);
    (void)fiber_sleep(seconds(2));                       // the seed has looked at its file when the others come
    c->begun_ns = loop_now_ns();
    for (int i = 1; i < c->count; i++)
        must(sim_boot(c->members[i].world, &all, member_boot, &c->members[i]) == E_OK);
    (void)gate_wait(&c->done, c->begun_ns + minutes(MINUTES_MAX), "all have the file");
    for (int i = 0; i < c->count; i++) {
        if (!c->members[i].done_ns && i)
            failed(c, "it has not got everything", i);
        sim_shut_down(c->members[i].world);
    }
    for (int i = 0; i < c->liar_count; i++)
        sim_shut_down(c->liars[i].world);
    work(disks_check, c);
}

static void hosts_make(crowd *c)
{
    sim_disk disk = {.write_ns = 20000, .sync_ns = millis(2), .per_kib_ns = 500};
    sim_link_default(c->sim, (sim_link){.delay_min_ns = millis(2), .delay_max_ns = millis(6)});
    c->count = c->plan->peers + 1;
    c->left = c->plan->peers + 1;                        // the seed counts: its file is looked at
    c->liar_count = (c->plan->peers + HONEST_PER_LIAR - 1) / HONEST_PER_LIAR;
    c->members = memory_zeroed((size_t)c->count, sizeof *c->members);
    c->liars = memory_zeroed((size_t)c->liar_count, sizeof *c->liars);
    for (int i = 0; i < c->count; i++) {
        member *k = &c->members[i];
        *k = (member){.crowd = c, .number = i, .at = addr_v4(0x0a000001u + (uint32_t)i * 256, 0)};
        k->world = sim_host(c->sim, i ? str_format(&c->memory, "peer%d", i) : S("seed"), &k->at, 1, disk);
        sim_capacity_set(k->world, (sim_capacity){.up_bytes_per_s = LINE_BYTES_PER_S * (i ? 1 : 2)});
    }
    for (int i = 0; i < c->liar_count; i++) {
        swarm_liar *l = &c->liars[i];
        *l = (swarm_liar){.payload = c->payload, .piece_bytes = c->m.piece_bytes, .piece_count = c->m.piece_count,
                          .kind = i % 2 ? LIAR_CORRUPTS_ALL : LIAR_CORRUPTS_SOME, .at = addr_v4(0x0b000001u + (uint32_t)i * 256, PORT)};
        l->world = sim_host(c->sim, str_format(&c->memory, "liar%d", i), &l->at, 1, disk);
    }
}

static double seconds_of(struct timeval t) { return (double)t.tv_sec + (double)t.tv_usec / 1e6; }

static double clock_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void figures_print(const crowd *c, double began_s, int64_t bad, int64_t banned)
{
    struct rusage used;
    sim_figures f = sim_figures_now(c->sim);
    getrusage(RUSAGE_SELF, &used);
    printf("crowd    %d peers, %d liars, %d MiB in %d pieces: %.1f s (processors %.1f s), %.2f GiB, %" PRId64 " events; the last had it after "
           "%.2f s of virtual time; %" PRId64 " pieces were false, %" PRId64 " bans; fingerprint %016" PRIx64 "\n",
           c->plan->peers, c->liar_count, c->plan->mebibytes, (int)c->m.piece_count, clock_s() - began_s,
           seconds_of(used.ru_utime) + seconds_of(used.ru_stime), (double)used.ru_maxrss / (1 << 20), f.events, (double)c->last_ns / 1e9, bad,
           banned, sim_fingerprint(c->sim));
}

bool swarm_crowd(const crowd_plan *plan)
{
    double began_s = clock_s();
    crowd c = {.plan = plan, .sim = sim_new(plan->seed), .memory = arena_make(MEMORY_BYTES_MAX)};
    int64_t bad = meter_value(&swarm_meter_pieces_bad, 0), banned = meter_value(&swarm_meter_banned, 0);
    if (plan->broken)
        sim_break(c.sim, str_z(plan->broken));
    payload_make(&c);
    hosts_make(&c);
    if (sim_run(c.sim, direct, &c) != E_OK)
        failed(&c, "fibers were left that nothing would ever wake", 0);
    bad = meter_value(&swarm_meter_pieces_bad, 0) - bad;
    banned = meter_value(&swarm_meter_banned, 0) - banned;
    if (c.liar_count && (bad == 0 || banned == 0))
        failed(&c, "nobody noticed the liars", 0);
    figures_print(&c, began_s, bad, banned);
    sim_free(c.sim);
    if (sim_blocks_kept())
        failed(&c, "shared blocks were never given back", 0);
    memory_free((void *)(uintptr_t)c.payload.at);
    memory_free(c.members);
    memory_free(c.liars);
    arena_free(&c.memory);
    return c.failures == 0;
}
