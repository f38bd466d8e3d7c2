// F2, a torrent's life: a tracker, a seed and ten peers of naru on simulated hosts with capped lines, by the course's rules, in
// virtual time. What is told and asserted is what Alice's swarm says of itself (torrent_peers, torrent_why), held against what
// the other hosts really have.
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/heap_memory.h"
#include "base/must.h"
#include "cmd/scene_files.h"
#include "rooms/swarm/swarm.h"
#include "rooms/tracker/tracker.h"
#include "rt/digest.h"
#include "rt/loop.h"
#include "rt/sim.h"
#include "rt/worker.h"
#include "wire/bt/bitfield.h"

enum {
    PIECE_BYTES = 256 * 1024, PIECES = 40, LENGTH = PIECE_BYTES * PIECES, SEED_NUMBER = 2026,
    TORRENT_BYTES_MAX = 64 * 1024, WHY_BYTES_MAX = 1 << 20, HOST_MEMORY_BYTES_MAX = 1 << 20,
    LOOK_MS = 100, WHY_EVERY = 10,           // looks
    ROUND_S = 10, LUCK_S = 30, TOP = 4, PATIENCE_S = 600, ASKS_TOLD_MAX = 6,
};

typedef enum { SEED, PEER, ALICE, SELFISH, MOVES, VANISHES } part;

static const struct { const char *name; part part; int64_t up; int joins_s; } cast[] = {
    {"Library", SEED, 300000, 0}, {"Carol", PEER, 150000, 0},      {"Dave", PEER, 90000, 0},     {"Erin", PEER, 120000, 1},
    {"Frank", VANISHES, 100000, 1},   {"Grace", PEER, 200000, 2},      {"Heidi", PEER, 60000, 3},    {"Ivan", PEER, 110000, 4},
    {"Mallory", SELFISH, 100000, 5},  {"Wanda", MOVES, 130000, 6},     {"Alice", ALICE, 140000, 20}, {"Judy", PEER, 100000, 25},
};
enum { CAST = sizeof cast / sizeof *cast };
#define VANISH_NS seconds(50)
#define MOVE_NS   seconds(45)

typedef struct life life;

typedef struct {
    life    *life;
    int      number;
    world   *world, *later;                  // later: the machine it moves to
    addr     at[2];
    int      lives;
    torrent *torrent;                        // while it runs
    int64_t  done_ns, sent;
    str      trouble;
} dweller;

// What one has seen of another.
typedef struct {
    bool    fastest, lucky;                  // at the last look: whom it sends to, and why
    bool    gave;                            // sent to it before any luck
    int64_t lucky_ns, gives_ns, both_ns;     // first: tried out by luck, sends to it, each among the other's top four
} bond;

struct life {
    play    *play;
    sim     *sim;
    scope   *all;
    arena    memory;
    world   *tracker;
    addr     tracker_at;
    str      payload, metainfo;
    uint8_t  hash[INFO_HASH_BYTES];
    dweller  dwellers[CAST];
    bond     bonds[CAST][CAST];              // of each with each
    bond     seen[CAST];                     // of Alice with each, at her last look
    int64_t  begun_ns;
    str      trouble;                        // of the tracker
    // what Alice's looks found
    int64_t  round_ns, luck_ns, round_gap_ns, luck_gap_ns;       // last change of the top four, of luck; the shortest between two
    int      rounds, lucks, top_most, luck_most, neighbours_most, from_tracker;
    int      asks, asks_rare, asks_told, asks_first;
    int      know_looked, know_right;
    bool     moved_seen;
};

static int64_t now_of(const life *l) { return loop_now_ns() - l->begun_ns; }

static void tell(life *l, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void tell(life *l, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    str line = str_vformat(&l->memory, format, args);
    va_end(args);
    if (!l->play->quiet)
        printf("  %6.1f s  " STR_FMT "\n", (double)(now_of(l) / NS_PER_MS) / 1000, STR_ARG(line));
}

// ---- the torrent --------------------------------------------------------------------------------------------------------

static void torrent_make(life *l)
{
    unsigned char *bytes = memory_new(LENGTH), digests[PIECES * INFO_HASH_BYTES];
    for (size_t i = 0; i < LENGTH; i++)
        bytes[i] = (unsigned char)(i * 2654435761u >> 13 ^ i / PIECE_BYTES);
    l->payload = str_of(bytes, LENGTH);
    for (int i = 0; i < PIECES; i++)
        digest_of(DIGEST_SHA1, str_sub(l->payload, (ptrdiff_t)i * PIECE_BYTES, PIECE_BYTES), digests + i * INFO_HASH_BYTES);
    metainfo_file only = {.path = S("lecture.mp4"), .length = LENGTH};
    metainfo_tracker tracker = {str_format(&l->memory, "http://" STR_FMT ":%d/announce", STR_ARG(addr_ip_text(&l->memory, l->tracker_at)), TRACKER_PORT), 0};
    metainfo m = {.name = S("lecture.mp4"), .single = true, .piece_bytes = PIECE_BYTES, .length = LENGTH, .piece_count = PIECES,
                  .pieces = str_of(digests, sizeof digests), .files = &only, .file_count = 1, .trackers = &tracker, .tracker_count = 1};
    buf out = buf_make(TORRENT_BYTES_MAX);
    metainfo read;
    bencode_refusal why;
    must(metainfo_write(&out, &m));
    l->metainfo = str_copy(&l->memory, buf_str(&out));
    buf_free(&out);
    must(metainfo_read(l->metainfo, &l->memory, &read, &why));
    digest_of(DIGEST_SHA1, read.info, l->hash);
}

// ---- those who take part ------------------------------------------------------------------------------------------------

typedef struct { life *life; world *world; err failed; } filling;

static void file_fill(void *arg)                 // in work(): the seed has the file
{
    filling *f = arg;
    f->failed = dir_make(f->world, "/films", 0755);
    if (!f->failed)
        f->failed = file_replace(f->world, "/films/lecture.mp4", f->life->payload, 0644);
}

static statement *settings_of(str name, str text, const setting *known, arena *a)
{
    config_error error;
    statement *s = config_parse(name, text, a, config_include_keep, NULL, &error);
    must(s && config_check(s, known, a, &error));
    return s;
}

static void tracker_live(void *arg)
{
    life *l = arg;
    node n;
    room *added;
    str why = {0};
    if (node_start(&n, l->tracker, S("tracker"), S("/state")))
        return;
    if (!node_add(&n, &tracker_kind, settings_of(S("tracker"), S("open yes\ninterval 1m\ninterval-min 10s\n"), tracker_kind.settings, &n.memory), &added, &why))
        while (fiber_sleep(seconds(60)) == E_OK)
            continue;
    else
        l->trouble = str_copy(&l->memory, why);
    node_stop(&n);
}

static void watch(dweller *d, int64_t until_ns)
{
    life *l = d->life;
    torrent_view v;
    do {
        torrent_look(d->torrent, &v);
        d->sent = v.sent;
        if (v.complete && !d->done_ns && cast[d->number].part != SEED) {
            d->done_ns = now_of(l);
            tell(l, "%s has all %d pieces%s", cast[d->number].name, PIECES, cast[d->number].part == SELFISH ? ", and leaves at once" : " and stays as a seed");
            if (cast[d->number].part == SELFISH)
                return;
        }
    } while (now_of(l) < until_ns && fiber_sleep(millis(LOOK_MS)) == E_OK);
}

// One life of a host, at one of its addresses; again when it comes back.
static void dweller_live(void *arg)
{
    dweller *d = arg;
    life *l = d->life;
    part as = cast[d->number].part;
    node n;
    room *added;
    str why = {0};
    filling f = {.life = l, .world = d->world};
    if (as == SEED)
        work(file_fill, &f);
    err e = f.failed ? f.failed : node_start(&n, d->world, world_name(d->world), S("/state"));
    if (e) {
        d->trouble = str_z(err_text(e));
        return;
    }
    str text = str_format(&n.memory, "listen " STR_FMT "\ndht off\nlocal-discovery off\nprivate-peers on\nrpc-port 0\nmode course\n%s",
                          STR_ARG(addr_ip_text(&n.memory, d->at[d->lives % 2])), as == SELFISH ? "limit-up 8bit\n" : "");
    d->lives++;
    if (!(e = node_add(&n, &swarm_kind, settings_of(S("swarm"), text, swarm_kind.settings, &n.memory), &added, &why))) {
        swarm *s = swarm_of(added);
        swarm_addition what = {.metainfo = l->metainfo, .directory = S("/films"), .ratio_per_mille = -1};
        torrent *t = swarm_find(s, l->hash);                 // back from elsewhere
        if (t || !(e = swarm_add(s, &what, &t, &n.memory, &why))) {
            d->torrent = t;
            watch(d, as == MOVES && d->lives == 1 ? MOVE_NS : as == VANISHES ? VANISH_NS : seconds(2 * PATIENCE_S));
            d->torrent = NULL;
            if (!d->done_ns && as == VANISHES)
                tell(l, "%s leaves in the middle, and does not come back", cast[d->number].name);
        }
    }
    if (e)
        d->trouble = str_copy(&l->memory, why.len ? why : str_z(err_text(e)));
    node_stop(&n);
}

static dweller *dweller_at(life *l, addr at)
{
    for (int i = 0; i < CAST; i++)
        if (addr_eq_ip(l->dwellers[i].at[0], at) || addr_eq_ip(l->dwellers[i].at[1], at))
            return &l->dwellers[i];
    return NULL;
}

static dweller *alice_of(life *l)
{
    int i = 0;
    while (cast[i].part != ALICE)
        i++;
    return &l->dwellers[i];
}

// ---- looking over Alice's shoulder --------------------------------------------------------------------------------------

static bool has(torrent *t, int32_t piece)
{
    str bits = t ? torrent_pieces(t) : (str){0};
    return piece / 8 < bits.len && bits.at[piece / 8] >> (7 - piece % 8) & 1;
}

static int neighbours_with(life *l, const peer_view *near, int count, int32_t piece)
{
    int n = 0;
    for (int i = 0; i < count; i++) {
        dweller *d = dweller_at(l, near[i].at);
        n += d && has(d->torrent, piece);
    }
    return n;
}

// A piece chosen for rarity is at no more neighbours than those that she lacks on the average.
static void ask_judge(life *l, const peer_view *near, int count, const char *of, int32_t piece)
{
    torrent *mine = alice_of(l)->torrent;
    int lacking = 0, sum = 0, here = neighbours_with(l, near, count, piece);
    for (int32_t i = 0; i < PIECES; i++)
        if (!has(mine, i)) {
            lacking++;
            sum += neighbours_with(l, near, count, i);
        }
    l->asks++;
    l->asks_rare += here * lacking <= sum + lacking;
    if (l->asks_told < ASKS_TOLD_MAX && l->asks % 9 == 1 && ++l->asks_told)
        tell(l, "Alice asks %s for piece %d: %d of her %d neighbours have it, the others that she lacks are at %d.%d on the average", of,
             piece, here, count, sum / lacking, sum * 10 / lacking % 10);
}

static void why_read(life *l, const peer_view *near, int count)
{
    buf text = buf_make(WHY_BYTES_MAX);
    torrent_why(alice_of(l)->torrent, &text, true);
    json_t *all = json_loadb((const char *)text.at, text.len, 0, NULL), *one;
    size_t i;
    buf_free(&text);
    json_array_foreach(json_object_get(all, "peers"), i, one) {
        const char *reason = json_string_value(json_object_get(one, "next_reason")), *peer = json_string_value(json_object_get(one, "peer"));
        int32_t piece = (int32_t)json_integer_value(json_object_get(one, "next_piece"));
        addr at;
        dweller *d = peer && addr_parse(str_z(peer), 0, &at) ? dweller_at(l, at) : NULL;
        if (!reason || !d || json_is_true(json_object_get(one, "chokes_us")) || piece < 0)
            continue;
        if (strcmp(reason, picker_reason_words(PICKER_WHY_RANDOM)) == 0 && l->asks_first++ == 0)
            tell(l, "Alice asks %s for piece %d: %s", cast[d->number].name, piece, reason);
        if (strcmp(reason, picker_reason_words(PICKER_WHY_RAREST)) == 0)
            ask_judge(l, near, count, cast[d->number].name, piece);
    }
    json_decref(all);
}

// When the four, or the lucky one, were last chosen anew; and the shortest time between two such moments.
static void change_note(int64_t *last_ns, int64_t *gap_ns, int *times, int64_t now_ns)
{
    if (*times > 0 && now_ns - *last_ns < *gap_ns)
        *gap_ns = now_ns - *last_ns;
    *last_ns = now_ns;
    ++*times;
}

static void round_tell(life *l, const peer_view *near, int count, bool luck)
{
    arena a = arena_make(HOST_MEMORY_BYTES_MAX);
    str top = {0}, lucky = S("nobody");
    for (int i = 0; i < count; i++) {
        dweller *d = dweller_at(l, near[i].at);
        if (!d || near[i].we_choke)
            continue;
        if (near[i].choke_reason == CHOKER_OPTIMISTIC)
            lucky = str_z(cast[d->number].name);
        else
            top = str_format(&a, STR_FMT "%s%s", STR_ARG(top), top.len ? ", " : "", cast[d->number].name);
    }
    tell(l, "%s: Alice sends to those that send to her fastest: " STR_FMT "; by luck to " STR_FMT, luck ? "30 s are over" : "10 s are over",
         STR_ARG(top.len ? top : S("nobody yet")), STR_ARG(lucky));
    arena_free(&a);
}

// Who was tried out by luck, gave for the first time after that, and is now in the top four of the other, as the other in its own?
static void friends_note(life *l)
{
    int64_t now = now_of(l);
    for (int i = 0; i < CAST; i++) {
        peer_view near[CAST + 4];
        int count = l->dwellers[i].torrent && cast[i].part != SEED ? torrent_peers(l->dwellers[i].torrent, near, CAST + 4) : 0;
        for (int k = 0; k < CAST; k++)
            l->bonds[i][k].fastest = l->bonds[i][k].lucky = false;
        for (int k = 0; k < count && k < CAST + 4; k++) {
            dweller *d = dweller_at(l, near[k].at);
            if (!d)
                continue;
            bond *b = &l->bonds[i][d->number];
            b->fastest = !near[k].we_choke && near[k].choke_reason == CHOKER_FASTEST;
            b->lucky = !near[k].we_choke && near[k].choke_reason == CHOKER_OPTIMISTIC;
            b->gave |= !b->lucky_ns && near[k].received > 0;
            b->lucky_ns = b->lucky_ns ? b->lucky_ns : b->lucky ? now : 0;
            b->gives_ns = b->gives_ns ? b->gives_ns : b->lucky_ns && !b->gave && near[k].rate_down > 0 ? now : 0;
        }
    }
    for (int i = 0; i < CAST * CAST; i++) {
        bond *b = &l->bonds[i / CAST][i % CAST];
        if (b->gives_ns && !b->both_ns && b->fastest && l->bonds[i % CAST][i / CAST].fastest)
            b->both_ns = now;
    }
}

static void bonds_note(life *l, const peer_view *near, int count)
{
    bond *before = l->seen;
    int top = 0, luck = 0;
    bool new_top = false, new_luck = false;
    for (int i = 0; i < count; i++) {
        dweller *d = dweller_at(l, near[i].at);
        if (!d)
            continue;
        bond *b = &before[d->number];
        bool fastest = !near[i].we_choke && near[i].choke_reason == CHOKER_FASTEST, lucky = !near[i].we_choke && near[i].choke_reason == CHOKER_OPTIMISTIC;
        top += fastest, luck += lucky;
        new_top |= fastest && !b->fastest;
        new_luck |= lucky && !b->lucky;
        b->fastest = fastest, b->lucky = lucky;
        if (cast[d->number].part == MOVES && addr_eq_ip(near[i].at, d->at[1]))
            l->moved_seen = true;
    }
    l->top_most = top > l->top_most ? top : l->top_most;
    l->luck_most = luck > l->luck_most ? luck : l->luck_most;
    if (new_top)
        change_note(&l->round_ns, &l->round_gap_ns, &l->rounds, now_of(l));
    if (new_luck)
        change_note(&l->luck_ns, &l->luck_gap_ns, &l->lucks, now_of(l));
    if (new_top || new_luck)
        round_tell(l, near, count, new_luck);
}

// Does she know of what each neighbour has and she lacks? (What she has herself nobody tells her.) A HAVE may be on its way.
static void knowledge_check(life *l, const peer_view *near, int count)
{
    for (int i = 0; i < count; i++) {
        dweller *d = dweller_at(l, near[i].at);
        int theirs = 0, useful = 0;
        for (int32_t k = 0; d && k < PIECES; k++) {
            theirs += has(d->torrent, k);
            useful += has(d->torrent, k) && !has(alice_of(l)->torrent, k);
        }
        if (!d || !d->torrent || cast[d->number].part == SEED)       // a source tells of its pieces bit by bit while the swarm is young
            continue;
        l->know_looked++;
        l->know_right += near[i].has_pieces <= theirs && near[i].has_pieces >= useful - 1;
    }
}

static void alice_look(life *l, int64_t look)
{
    peer_view near[CAST + 4];
    torrent_view v;
    torrent_look(alice_of(l)->torrent, &v);
    int count = torrent_peers(alice_of(l)->torrent, near, CAST + 4), tracker = 0;
    if (v.complete || count > CAST + 4)
        return;
    for (int i = 0; i < count; i++)
        tracker += near[i].source == PEER_FROM_TRACKER;
    if (!l->from_tracker && tracker)
        tell(l, "the tracker has given Alice a list; she connects to %d neighbours of it", tracker);
    l->from_tracker = tracker > l->from_tracker ? tracker : l->from_tracker;
    l->neighbours_most = count > l->neighbours_most ? count : l->neighbours_most;
    bonds_note(l, near, count);
    if (look % WHY_EVERY == 0)
        knowledge_check(l, near, count);
    if (look % WHY_EVERY == 0 || !l->asks_first)
        why_read(l, near, count);
}

// ---- direction ----------------------------------------------------------------------------------------------------------

static bool all_done(life *l)
{
    for (int i = 0; i < CAST; i++)
        if (!l->dwellers[i].done_ns && cast[i].part != SEED && cast[i].part != VANISHES)
            return false;
    return true;
}

static void comings_and_goings(life *l, int64_t now)
{
    for (int i = 0; i < CAST; i++) {
        dweller *d = &l->dwellers[i];
        if (d->lives == 0 && now >= seconds(2 + cast[i].joins_s)) {
            if (cast[i].part == ALICE)
                tell(l, "Alice joins with nothing");
            sim_boot(d->world, l->all, dweller_live, d);
            fiber_yield();
        }
        if (cast[i].part == MOVES && d->lives == 1 && now >= MOVE_NS + seconds(3)) {
            tell(l, "%s, who left 3 s ago, is back at another address", cast[i].name);
            d->world = d->later;
            sim_boot(d->world, l->all, dweller_live, d);
            fiber_yield();
        }
    }
}

static void direct(void *arg)
{
    life *l = arg;
    SCOPE(all, 0, 4 * CAST);
    l->all = &all;
    l->begun_ns = loop_now_ns();
    sim_boot(l->tracker, &all, tracker_live, l);
    (void)fiber_sleep(seconds(1));
    for (int64_t look = 0; !all_done(l) && now_of(l) < seconds(PATIENCE_S) && fiber_sleep(millis(LOOK_MS)) == E_OK; look++) {
        comings_and_goings(l, now_of(l));
        friends_note(l);
        if (alice_of(l)->torrent)
            alice_look(l, look);
    }
    for (int i = 0; i < CAST; i++)
        sim_shut_down(l->dwellers[i].world);
    sim_shut_down(l->tracker);
}

static void hosts_make(life *l)
{
    l->tracker_at = addr_v4(0x0a000001, 0);
    l->tracker = sim_host(l->sim, S("tracker"), &l->tracker_at, 1, (sim_disk){0});
    for (int i = 0; i < CAST; i++) {
        dweller *d = &l->dwellers[i];
        *d = (dweller){.life = l, .number = i, .at = {addr_v4(0x0a000010 + (uint32_t)i, 0), addr_v4(0x0a000110 + (uint32_t)i, 0)}};
        d->world = sim_host(l->sim, str_z(cast[i].name), d->at, 1, (sim_disk){0});
        sim_capacity_set(d->world, (sim_capacity){cast[i].up, 4 * cast[i].up});
        if (cast[i].part == MOVES) {
            d->later = sim_host(l->sim, str_format(&l->memory, "%s-later", cast[i].name), d->at + 1, 1, (sim_disk){0});
            sim_capacity_set(d->later, (sim_capacity){cast[i].up, 4 * cast[i].up});
        }
    }
}

static void simulate(void *arg)
{
    life *l = arg;
    l->sim = sim_new(SEED_NUMBER);
    sim_link_default(l->sim, (sim_link){.delay_min_ns = millis(5), .delay_max_ns = millis(15)});
    hosts_make(l);
    torrent_make(l);
    must(sim_run(l->sim, direct, l) == E_OK);
    sim_free(l->sim);
    memory_free((void *)(uintptr_t)l->payload.at);
}

// ---- what came of it ----------------------------------------------------------------------------------------------------

static int seconds_of(int64_t ns) { return (int)(ns / NS_PER_S); }

static void friends_check(play *p, const life *l)
{
    const bond *all = &l->bonds[0][0];
    int first = -1;
    for (int i = 0; i < CAST * CAST; i++)
        if (all[i].both_ns && (first < 0 || all[i].both_ns < all[first].both_ns || (cast[i / CAST].part == ALICE && cast[first / CAST].part != ALICE)))
            first = i;
    if (!play_check(p, first >= 0, "one who was tried out by luck became a provider, and was sent to for it in turn"))
        return;
    play_tell(p, "%s is the Alice of the course here, and %s its Bob: unchoked by luck at %d s, Bob sent something back from %d s on, and from %d s each was among "
              "the other's top four.", cast[first / CAST].name, cast[first % CAST].name, seconds_of(all[first].lucky_ns), seconds_of(all[first].gives_ns),
              seconds_of(all[first].both_ns));
}

static void ends_check(play *p, life *l)
{
    int64_t others = 0, last = 0, selfish = 0;
    int honest = 0, done = 0;
    for (int i = 0; i < CAST; i++) {
        const dweller *d = &l->dwellers[i];
        if (d->trouble.len)
            play_check(p, false, "%s cannot run: " STR_FMT, cast[i].name, STR_ARG(d->trouble));
        if (cast[i].part == SEED || cast[i].part == VANISHES)
            continue;
        if (cast[i].part == SELFISH) {
            selfish = d->done_ns;
            play_check(p, d->sent * 50 < LENGTH, "%s sent next to nothing (%lld kB)", cast[i].name, (long long)d->sent / 1000);
            continue;
        }
        honest++;
        done += d->done_ns > 0;
        others += d->done_ns;
        last = d->done_ns > last ? d->done_ns : last;
    }
    play_check(p, done == honest, "all %d who stayed have every piece, hashed, %d s after the beginning", honest, seconds_of(last));
    play_check(p, selfish > others / honest, "the selfish one had it after %d s, the others after %d s on the average", seconds_of(selfish),
               seconds_of(others / honest));
}

static void rules_check(play *p, const life *l)
{
    play_check(p, l->trouble.len == 0, "the tracker runs%s" STR_FMT, l->trouble.len ? ": " : "", STR_ARG(l->trouble));
    play_check(p, l->from_tracker >= TOP, "the tracker's list led to %d neighbours; %d at most at once", l->from_tracker, l->neighbours_most);
    play_check(p, l->know_looked > 0 && l->know_right * 5 >= l->know_looked * 4,
               "she knew what her neighbours have: right %d times of %d (a bitfield first, then a HAVE for each piece; the course says \"asks periodically\")",
               l->know_right, l->know_looked);
    play_check(p, l->asks > 0 && l->asks_rare * 4 >= l->asks * 3, "rarest first: %d of %d choices were no more frequent than the average of what she lacked",
               l->asks_rare, l->asks);
    play_check(p, l->top_most == TOP && l->luck_most == 1, "never more than %d at once for their rate, and %d by luck", l->top_most, l->luck_most);
    play_check(p, l->rounds >= 2 && l->round_gap_ns >= seconds(ROUND_S) - millis(2 * LOOK_MS), "the four were chosen anew %d times, never within 10 s (%d.%d s)",
               l->rounds, seconds_of(l->round_gap_ns), (int)(l->round_gap_ns / (NS_PER_S / 10) % 10));
    play_check(p, l->lucks >= 1 && l->luck_gap_ns >= seconds(LUCK_S) - millis(2 * LOOK_MS), "luck came to another %d times, never within 30 s", l->lucks);
    play_check(p, l->moved_seen, "the one that moved was found again at its new address");
}

void scene_torrent_life(play *p)
{
    life *l = memory_zeroed(1, sizeof *l);
    l->play = p;
    l->memory = arena_make(HOST_MEMORY_BYTES_MAX * 16);
    l->round_gap_ns = l->luck_gap_ns = seconds(PATIENCE_S);
    play_tell(p, "A torrent of %d chunks of 256 KB, a tracker, a seed, ten peers; simulated lines, virtual time, the course's rules.", PIECES);
    work(simulate, l);
    play_tell(p, "What was seen:");
    rules_check(p, l);
    friends_check(p, l);
    ends_check(p, l);
    arena_free(&l->memory);
    memory_free(l);
}
