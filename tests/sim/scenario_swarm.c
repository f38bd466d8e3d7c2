// swarm: a seed, honest peers that crash, come back elsewhere and lose what was not synced, and peers that lie. Every honest
// peer gets every piece; nothing is called complete that is not on its disk; who sends false data is banned.
#include <stdio.h>
#include <string.h>

#include "base/heap_memory.h"
#include "base/must.h"
#include "rooms/swarm/swarm_inside.h"
#include "rooms/swarm/swarm_meters.h"
#include "rt/digest.h"
#include "rt/room.h"
#include "rt/worker.h"
#include "swarm_trial.h"

enum {
    PEERS_MAX = 10, LIARS_MAX = LIAR_KINDS, EVENTS_MAX = 14, MINUTES_MAX = 40, PORT = 6881, TORRENT_BYTES_MAX = 64 * 1024,
    BAD_PIECES_MAX = 12,                     // of one liar at one host's life, before it is found out
};

typedef struct scene scene;

typedef struct {
    scene   *s;
    world   *world;
    addr     at[2];
    int      number, lives, crashes;
    torrent *torrent;                        // while it runs
    bool     done;                           // says that all is complete
    unsigned char promised[SWARM_PIECES];    // called complete
} host;

struct scene {
    trial        *t;
    swarm_payload payload;
    host          hosts[PEERS_MAX];
    swarm_liar    liars[LIARS_MAX];
    int           count, liar_count, lives;
    scope        *all;
    bool          calm;
};

// ---- what is shared -----------------------------------------------------------------------------------------------------

static void payload_make(scene *s)
{
    swarm_payload *p = &s->payload;
    p->t = s->t;
    p->memory = arena_make(1 << 20);
    for (size_t i = 0; i < SWARM_LENGTH; i += 8) {
        uint64_t x = sim_random(s->t->sim);
        memcpy(p->payload + i, &x, SWARM_LENGTH - i < 8 ? SWARM_LENGTH - i : 8);
    }
    metainfo_file only = {.path = S("film"), .length = SWARM_LENGTH};
    metainfo m = {.name = S("film"), .single = true, .piece_bytes = SWARM_PIECE_BYTES, .length = SWARM_LENGTH, .piece_count = SWARM_PIECES,
                  .pieces = str_of(p->digests, sizeof p->digests), .files = &only, .file_count = 1};
    for (int32_t i = 0; i < SWARM_PIECES; i++)
        digest_of(DIGEST_SHA1, str_of(p->payload + i * SWARM_PIECE_BYTES, (size_t)metainfo_piece_length(&m, i)), p->digests + i * INFO_HASH_BYTES);
    buf out = buf_make(TORRENT_BYTES_MAX);
    metainfo read;
    bencode_refusal why;
    must(metainfo_write(&out, &m));
    p->metainfo = str_copy(&p->memory, buf_str(&out));
    buf_free(&out);
    must(metainfo_read(p->metainfo, &p->memory, &read, &why));
    digest_of(DIGEST_SHA1, read.info, p->hash);
}

typedef struct { scene *s; world *w; err failed; } filling;

static void film_put(void *arg)
{
    filling *f = arg;
    f->failed = dir_make(f->w, "/films", 0755);
    if (!f->failed)
        f->failed = file_replace(f->w, "/films/film", str_of(f->s->payload.payload, SWARM_LENGTH), 0644);
    if (!f->failed)
        f->failed = dir_sync(f->w, "/");
}

// ---- an honest host -----------------------------------------------------------------------------------------------------

static const statement *settings_make(host *h, arena *a)
{
    config_error error;
    str text = str_format(a, "listen " STR_FMT "\nport %d\ndht off\nprivate-peers on\nrpc-port 0\n",
                          STR_ARG(addr_ip_text(a, h->at[h->lives % 2])), PORT);
    statement *s = config_parse(S("swarm"), text, a, config_include_keep, NULL, &error);
    must(s && config_check(s, swarm_kind.settings, a, &error));
    return s;
}

static void peers_tell(host *h)
{
    scene *s = h->s;
    for (int i = 0; i < s->count; i++)
        for (int k = 0; k < 2 && i != h->number; k++)
            (void)torrent_peer_add(h->torrent, addr_with_port(s->hosts[i].at[k], PORT));
    for (int i = 0; i < s->liar_count; i++)
        (void)torrent_peer_add(h->torrent, s->liars[i].at);
}

// What it has called complete by now.
static void promises_note(host *h)
{
    torrent *t = h->torrent;
    if (!t || !t->store)
        return;
    const bitfield *said = world_broken(h->world, "early-complete") ? store_have(t->store) : store_complete(t->store);
    for (int32_t i = 0; i < SWARM_PIECES; i++)
        h->promised[i] = bitfield_has(said, i);
    torrent_view v;
    torrent_look(t, &v);
    h->done = v.complete;
}

static bool torrent_begin(host *h, swarm *s, arena *a)
{
    str why = {0};
    swarm_addition what = {.metainfo = h->s->payload.metainfo, .directory = S("/films")};
    h->torrent = swarm_find(s, h->s->payload.hash);
    err e = h->torrent ? E_OK : swarm_add(s, &what, &h->torrent, a, &why);
    if (e && h->s->calm)
        trial_failed(h->s->t, "host %d: the torrent cannot be added: %s " STR_FMT, h->number, err_text(e), STR_ARG(why));
    return !e;
}

static void host_boot(void *arg)
{
    host *h = arg;
    filling f = {h->s, h->world, E_OK};
    node n;
    room *added;
    str why = {0};
    h->lives++;
    if (h->number == 0 && h->lives == 1)
        work(film_put, &f);
    if (node_start(&n, h->world, S("host"), S("/data")) != E_OK)
        return;
    err e = node_add(&n, &swarm_kind, settings_make(h, &n.memory), &added, &why);
    if (e && h->s->calm)
        trial_failed(h->s->t, "host %d: the swarm does not start: %s " STR_FMT, h->number, err_text(e), STR_ARG(why));
    if (!e && torrent_begin(h, swarm_of(added), &n.memory)) {
        torrent_resume(h->torrent);
        peers_tell(h);
        while (fiber_sleep(millis(100)) == E_OK)
            promises_note(h);
    }
    h->torrent = NULL;
    node_stop(&n);
}

// ---- checking -----------------------------------------------------------------------------------------------------------

typedef struct { host *h; int checked; } looking;

static str film_read(host *h, arena *a)
{
    str text = {0};
    if (file_read_all(h->world, "/films/film", a, 2 * SWARM_LENGTH, &text) != E_OK)
        (void)file_read_all(h->world, "/films/film.part", a, 2 * SWARM_LENGTH, &text);
    return text;
}

static void promises_check(void *arg)
{
    looking *k = arg;
    host *h = k->h;
    const unsigned char *payload = h->s->payload.payload;
    arena a = arena_make(4 * SWARM_LENGTH);
    str film = film_read(h, &a);
    for (int i = 0; i < SWARM_PIECES; i++) {
        ptrdiff_t at = (ptrdiff_t)i * SWARM_PIECE_BYTES, len = SWARM_LENGTH - at < SWARM_PIECE_BYTES ? SWARM_LENGTH - at : SWARM_PIECE_BYTES;
        if (!h->promised[i])
            continue;
        k->checked++;
        if (film.len < at + len || memcmp(film.at + at, payload + at, (size_t)len) != 0) {
            trial_failed(h->s->t, "host %d, life %d: piece %d was called complete and is not on the disk", h->number, h->lives, i);
            break;
        }
    }
    arena_free(&a);
}

static void disk_check(host *h)
{
    looking k = {.h = h};
    work(promises_check, &k);
    h->s->t->tally.records += k.checked;
}

// ---- what goes wrong ----------------------------------------------------------------------------------------------------

static void crash_one(scene *s, host *h)
{
    if (sim_chance(s->t->sim, 500000)) {
        sim_crash_after(h->world, sim_between(s->t->sim, 0, 60));
        fiber_sleep(sim_between(s->t->sim, 0, seconds(3)));
    }
    promises_note(h);
    sim_crash(h->world);
    fiber_sleep(sim_between(s->t->sim, 0, seconds(5)));
    sim_restart(h->world);
    h->torrent = NULL;
    disk_check(h);
    memset(h->promised, 0, sizeof h->promised);
    h->done = false;
    h->crashes++;
    s->lives++;
    (void)sim_boot(h->world, s->all, host_boot, h);
}

static void misfortune(scene *s)
{
    sim *w = s->t->sim;
    host *a = &s->hosts[sim_random_below(w, (uint64_t)s->count)], *b = &s->hosts[sim_random_below(w, (uint64_t)s->count)];
    switch (sim_random_below(w, 4)) {
    case 0: case 1:
        crash_one(s, a);
        break;
    case 2:
        if (a != b) {
            sim_partition(w, a->world, b->world, true);
            fiber_sleep(sim_between(w, seconds(1), seconds(30)));
            sim_partition(w, a->world, b->world, false);
        }
        break;
    default:
        (void)sim_cut_streams(a->world, b->world);
    }
}

// ---- the play -----------------------------------------------------------------------------------------------------------

static void hosts_make(scene *s)
{
    sim *w = s->t->sim;
    sim_disk disk = {.write_ns = 20000, .sync_ns = millis(2), .per_kib_ns = 500};
    s->count = (int)sim_between(w, 3, PEERS_MAX);
    s->liar_count = (int)sim_between(w, 0, LIARS_MAX);
    for (int i = 0; i < s->count; i++) {
        host *h = &s->hosts[i];
        *h = (host){.s = s, .number = i, .at = {addr_v4(0x0a000001u + (uint32_t)i * 256, 0), addr_v4(0x0a000002u + (uint32_t)i * 256, 0)}};
        h->world = sim_host(w, str_format(&s->payload.memory, "peer%d", i), h->at, 2, disk);
    }
    for (int i = 0; i < s->liar_count; i++) {
        swarm_liar *l = &s->liars[i];
        *l = (swarm_liar){.payload = str_of(s->payload.payload, SWARM_LENGTH), .piece_bytes = SWARM_PIECE_BYTES, .piece_count = SWARM_PIECES,
                          .kind = (liar_kind)i, .at = addr_v4(0x0a090001u + (uint32_t)i * 256, PORT)};
        l->world = sim_host(w, str_format(&s->payload.memory, "liar%d", i), &l->at, 1, disk);
        must(sim_boot(l->world, s->all, swarm_liar_boot, l) == E_OK);
    }
}

static bool all_done(const scene *s)
{
    for (int i = 0; i < s->count; i++)
        if (!s->hosts[i].done)
            return false;
    return true;
}

static int64_t bad_pieces_max(const scene *s) { return (int64_t)BAD_PIECES_MAX * 2 * (s->count + s->lives); }

static void end_check(scene *s, int64_t bad, int64_t banned)
{
    for (int i = 0; i < s->count; i++) {
        host *h = &s->hosts[i];
        promises_note(h);
        if (!h->done)
            trial_failed(s->t, "host %d has not got everything: %s, %d of %d pieces, %d peers, trouble %s", i,
                         h->torrent ? torrent_state_name(h->torrent->state) : "down", h->torrent ? h->torrent->have_pieces : -1, SWARM_PIECES,
                         h->torrent ? h->torrent->peer_count : -1, h->torrent ? h->torrent->trouble_text : "");
        sim_shut_down(h->world);
        disk_check(h);
    }
    if (bad > 0 && banned == 0)
        trial_failed(s->t, "%lld pieces were false and nobody was banned", (long long)bad);
    if (bad > bad_pieces_max(s))
        trial_failed(s->t, "%lld pieces were false: who sends them is not found out", (long long)bad);
    for (int i = 0; i < s->liar_count; i++)
        sim_shut_down(s->liars[i].world);
}

void swarm_play(trial *t)
{
    scene *s = memory_zeroed(1, sizeof *s);
    int64_t bad = meter_value(&swarm_meter_pieces_bad, 0), banned = meter_value(&swarm_meter_banned, 0);
    s->t = t;
    sim_link_default(t->sim, (sim_link){.delay_min_ns = millis(2), .delay_max_ns = millis(40), .lose_per_million = 2000,
                                        .cut_per_million = sim_chance(t->sim, 300000) ? 200 : 0, .bytes_per_s = 400000});
    payload_make(s);
    SCOPE(all, 0, PEERS_MAX + LIARS_MAX);
    s->all = &all;
    hosts_make(s);
    for (int i = 0; i < s->count; i++) {
        must(sim_boot(s->hosts[i].world, &all, host_boot, &s->hosts[i]) == E_OK);
        if (i == 0)
            fiber_sleep(seconds(1));
    }
    for (int i = (int)sim_between(t->sim, 0, EVENTS_MAX); i > 0; i--) {
        fiber_sleep(sim_between(t->sim, millis(100), seconds(6)));
        misfortune(s);
    }
    s->calm = true;
    int64_t hopeless = bad + bad_pieces_max(s) + 1;      // then it need not go on
    for (int i = 0; i < MINUTES_MAX * 60 && !all_done(s) && meter_value(&swarm_meter_pieces_bad, 0) <= hopeless; i++)
        fiber_sleep(seconds(1));
    end_check(s, meter_value(&swarm_meter_pieces_bad, 0) - bad, meter_value(&swarm_meter_banned, 0) - banned);
    scope_cancel(&all);
    scope_close(&all);
    arena_free(&s->payload.memory);
    memory_free(s);
}
