// A torrent's life: opened, checked, exchanged; asleep while nobody wants anything of a complete one; paused; in trouble. One
// fiber while it is awake, none otherwise.
#include <string.h>

#include "base/heap_memory.h"
#include "base/must.h"
#include "rooms/swarm/swarm_inside.h"
#include "rt/log.h"
#include "rt/loop.h"
#include "rt/story.h"

enum { MEMORY_BYTES_MAX = 128 << 20 };
#define TICK_NS        (1 * NS_PER_S)
#define SLEEP_NS       (30 * NS_PER_S)               // a complete torrent without peers for so long holds no memory any more
#define AGAIN_NS       (250 * NS_PER_MS)
#define GOODBYE_NS     (2 * NS_PER_S)                // for saying `stopped` to trackers

torrent_entry *torrent_entry_of(torrent *t)
{
    torrent_entry *e = torrent_list_find(t->swarm->entries, t->hash);
    must(e);
    return e;
}

void torrent_nudge(torrent *t)
{
    t->nudged = true;
    gate_wake_all(&t->wake);
}

void torrent_state_set(torrent *t, torrent_state state)
{
    if (t->state == state)
        return;
    t->state = state;
    log_line("swarm", LOG_INFO, torrent_state_name(state), F_STR("torrent", torrent_entry_of(t)->name));
    swarm_changed(t);
}

static bool may_run(const torrent *t)
{
    return !t->removing && !t->moving && !t->swarm->stopping && !fiber_canceled() && !torrent_entry_of((torrent *)(uintptr_t)t)->paused;
}

// ---- what the store and the announcer tell ------------------------------------------------------------------------------

static void store_recorded(void *arg)
{
    torrent *t = arg;
    torrent_progress(t);
}

static void store_lost(void *arg, int32_t piece)
{
    torrent *t = arg;
    t->complete = t->seeding = false;
    if (t->picker)
        picker_piece_lost(t->picker, piece);
    torrent_nudge(t);
}

static void store_in_trouble(void *arg)
{
    torrent *t = arg;
    if (t->store)                                        // else it is being opened: store_begin looks
        torrent_store_trouble(t);
}

static void announce_figures(void *arg, announcer_figures *out)
{
    torrent *t = arg;
    int64_t left = t->store ? store_length(t->store) - store_have_bytes(t->store) : PICKER_BLOCK_BYTES;
    int places = t->swarm->torrent_peers_max - t->peer_count;
    *out = (announcer_figures){t->sent, t->received, left, places > 0 ? (places < 200 ? places : 200) : 0};
}

static void announce_peers(void *arg, const addr *at, int count, peer_source from)
{
    torrent *t = arg;
    torrent_heard_of(t, at, count, from);
}

static void announce_external(void *arg, addr ip)
{
    torrent *t = arg;
    swarm *s = t->swarm;
    for (int i = 0; i < s->own_count; i++)
        if (addr_eq_ip(s->own[i], ip))
            return;
    if (s->own_count < WORLD_ADDRESSES_MAX)
        s->own[s->own_count++] = addr_with_port(ip, s->port);
}

enum { TRACKERS_MAX = ANNOUNCER_TRACKERS_MAX };

// The entry's own lines ("TIER URL"), else those of the torrent file or the link.
static int trackers_take(torrent *t, announcer_url *out, arena *a)
{
    const torrent_entry *e = torrent_entry_of(t);
    int count = 0;
    str rest = e->trackers;
    magnet link;
    while (rest.len > 0 && count < TRACKERS_MAX) {
        str line = str_cut(&rest, '\n');
        uint64_t tier = 0;
        if (str_to_u64(str_word(&line), &tier) && line.len > 0)
            out[count++] = (announcer_url){str_trim(line), (int)tier};
    }
    for (int i = 0; !e->trackers.len && t->meta && i < t->meta->tracker_count && count < TRACKERS_MAX; i++)
        out[count++] = (announcer_url){t->meta->trackers[i].url, t->meta->trackers[i].tier};
    if (!e->trackers.len && !t->meta && magnet_read(e->magnet, a, &link, &(bencode_refusal){0}))
        for (int i = 0; i < link.tracker_count && count < TRACKERS_MAX; i++)
            out[count++] = (announcer_url){link.trackers[i], i};
    return count;
}

static void announce_begin(torrent *t)
{
    swarm *s = t->swarm;
    if (t->announcer || !s->announcers)
        return;
    announcer_url *urls = arena_array(&t->memory, announcer_url, TRACKERS_MAX);
    announcer_torrent what = {.port = world_port(s->w, s->port), .private_torrent = t->is_private, .complete = t->complete, .trackers = urls,
                              .tracker_count = trackers_take(t, urls, &t->memory), .key = (uint32_t)world_random_u64(s->w)};
    memcpy(what.hash, t->hash, sizeof what.hash);
    memcpy(what.peer_id, s->peer_id, sizeof what.peer_id);
    t->announcer = announcer_start(s->announcers, &what, &(announcer_calls){announce_figures, announce_peers, announce_external, t});
    if (s->local && !t->is_private)
        (void)local_discovery_add(s->local, t->hash);
}

static void announce_end(torrent *t)
{
    swarm *s = t->swarm;
    if (s->local)
        local_discovery_remove(s->local, t->hash);
    announcer *a = t->announcer;
    t->announcer = NULL;
    if (a)
        announcer_stop(a, GOODBYE_NS);
}

// ---- progress -----------------------------------------------------------------------------------------------------------

static void flush_run(void *arg)
{
    torrent *t = arg;
    err e = store_flush(t->store);
    t->flushing = false;
    if (e)
        torrent_store_trouble(t);
    torrent_progress(t);
}

// Everything wanted is there: nobody is asked any more, who wants nothing either is left, the rest is synced at once.
static void seeding_begin(torrent *t)
{
    t->seeding = true;
    for (int i = 0; i < t->peers_end; i++) {
        peer *p = t->peers[i];
        if (!p)
            continue;
        peer_interest(p);
        if (p->extended)
            peer_extension_greet(p);                     // BEP 21: from now on we only give
        if (p->upload_only && p->has_known)
            peer_end(p, "both want nothing");
    }
    torrent_rechoke_soon(t);
}

void torrent_progress(torrent *t)
{
    if (!t->store)
        return;
    t->have_pieces = store_have(t->store)->set;
    t->have_bytes = store_have_bytes(t->store);
    if (t->started && !t->seeding && store_all_have(t->store))
        seeding_begin(t);
    if (t->seeding && !t->complete && store_all_complete(t->store)) {
        torrent_entry *e = torrent_entry_of(t);
        t->complete = true;
        if (!e->completed_s)
            e->completed_s = world_wall_s(t->swarm->w);
        torrent_entry_changed(e);
        if (t->announcer)
            announcer_nudge(t->announcer, ANNOUNCER_COMPLETED);
        torrent_state_set(t, TORRENT_SEEDING);
    }
    torrent_nudge(t);
}

// ---- beginning ----------------------------------------------------------------------------------------------------------

static bool *wanted_files(torrent *t, const torrent_entry *e)
{
    if (!e->priorities.len)
        return NULL;
    bool *wanted = arena_array(&t->memory, bool, e->priorities.len);
    for (ptrdiff_t i = 0; wanted && i < e->priorities.len; i++)
        wanted[i] = e->priorities.at[i] != PICKER_SKIP;
    return wanted;
}

static bool store_begin(torrent *t)
{
    swarm *s = t->swarm;
    torrent_entry *e = torrent_entry_of(t);
    str why = {0};
    if (t->store)
        return true;
    store_options o = {
        .state_directory = torrent_list_directory(s->entries), .directory = e->directory, .moving_from = e->moving_from,
        .wanted = wanted_files(t, e), .file_count = (int)e->priorities.len, .allocate_full = e->allocate_full,
        .events = {store_recorded, store_lost, store_in_trouble, t},
    };
    memcpy(o.hash, t->hash, sizeof o.hash);
    err failed = store_open(s->pool, &o, &t->memory, &t->store, &why);
    if (failed)
        torrent_trouble(t, failed, why.len ? why : str_z(err_text(failed)));
    else if (store_trouble_error(t->store))
        torrent_store_trouble(t);                        // a file is missing, a move cannot be finished
    else if (e->moving_from.len) {                       // that move is finished now
        torrent_entry_text(e, &e->moving_from, (str){0});
        torrent_entry_changed(e);
    }
    return !failed;
}

void torrent_store_open_resting(torrent *t)
{
    t->memory = arena_make(MEMORY_BYTES_MAX);
    if (torrent_entry_of(t)->has_metainfo)
        (void)store_begin(t);
    arena_free(&t->memory);
}

static void check_progress(void *arg, int32_t done, int32_t of)
{
    torrent *t = arg;
    (void)of;
    t->checked = done;
}

static bool check(torrent *t)
{
    if (!t->verify && store_unchecked(t->store) == 0)
        return true;
    torrent_state_set(t, TORRENT_CHECKING);
    t->checked = 0;
    t->complete = false;
    err e = store_check(t->store, t->verify, check_progress, t);
    t->verify = false;
    if (e && e != E_CANCELED)
        torrent_trouble(t, e, store_trouble(t->store).len ? store_trouble(t->store) : str_z(err_text(e)));
    return !e;
}

static void partial_load(torrent *t)
{
    store_partial *kept;
    int count = 0;
    arena a = arena_make(2 * STORE_PARTIAL_BYTES_MAX);
    if (!t->seeding && store_partial_load(t->store, &a, &kept, &count) == E_OK)
        for (int i = 0; i < count; i++)
            piece_partial_take(t, &kept[i]);
    arena_free(&a);
}

void torrent_priorities_apply(torrent *t)
{
    const torrent_entry *e = torrent_entry_of(t);
    if (!t->picker)
        return;
    // A piece of several files is as urgent as the most urgent of them.
    for (int32_t i = 0; i < t->meta->piece_count && e->priorities.len; i++)
        picker_priority_set(t->picker, i, PICKER_SKIP);
    for (int f = 0; f < t->meta->file_count && f < (int)e->priorities.len; f++) {
        const metainfo_file *part = &t->meta->files[f];
        int32_t first = (int32_t)(part->offset / t->meta->piece_bytes);
        int32_t last = (int32_t)((part->offset + (part->length ? part->length - 1 : 0)) / t->meta->piece_bytes);
        for (int32_t i = first; i <= last && part->length && !part->pad; i++)
            if (picker_priority_of(t->picker, i) < (picker_priority)e->priorities.at[f])
                picker_priority_set(t->picker, i, (picker_priority)e->priorities.at[f]);
    }
    picker_sequential(t->picker, e->sequential);
}

static bool exchange_begin(torrent *t)
{
    swarm *s = t->swarm;
    if (!torrent_choices_apply(t))
        return false;
    if (slots_take(&s->starting, NEVER_NS) != E_OK)      // a thousand torrents do not all start at once
        return false;
    bool there = store_begin(t) && check(t);
    slots_give(&s->starting);
    if (!there)
        return false;
    err e = store_layout(t->store, &t->meta);
    if (e) {
        torrent_trouble(t, e, S("the torrent file cannot be read any more"));
        return false;
    }
    torrent_entry *entry = torrent_entry_of(t);
    t->is_private = t->meta->private;
    t->superseed = entry->superseed;
    picker_shape shape = {t->meta->length, t->meta->piece_bytes, t->meta->piece_count};
    t->picker = picker_new(shape, store_have(t->store), world_random_u64(s->w));
    t->coming_by_piece = memory_zeroed((size_t)t->meta->piece_count, sizeof(coming_piece *));
    t->poison = poison_new();
    t->choker = choker_make(world_random_u64(s->w));
    torrent_priorities_apply(t);
    torrent_deadlines_begin(t);
    t->seeding = store_all_have(t->store);
    t->complete = store_all_complete(t->store);
    t->have_pieces = store_have(t->store)->set;
    t->have_bytes = store_have_bytes(t->store);
    if (t->seeding)
        t->offers = seed_choice_new(t->meta->piece_count, world_random_u64(s->w));
    partial_load(t);
    torrent_state_set(t, t->store_waits ? TORRENT_TROUBLE : t->complete ? TORRENT_SEEDING : TORRENT_DOWNLOADING);
    return true;
}

// ---- ending -------------------------------------------------------------------------------------------------------------

static void exchange_end(torrent *t)
{
    t->ending = true;
    for (int i = 0; i < t->peers_end; i++)
        if (t->peers[i])
            peer_end(t->peers[i], "the torrent stops");
    gate_wake_all(&t->finish_room);
    scope_close(&t->scope);
    while (t->peer_count > 0)                            // conversations of the door's
        gate_wait_uncanceled(&t->wake, "peers to end");
    if (t->store && t->picker && !t->seeding)
        pieces_save(t);
    pieces_forget(t);
    picker_free(t->picker);
    t->picker = NULL;
    poison_free(t->poison);
    t->poison = NULL;
    seed_choice_free(t->offers);
    t->offers = NULL;
    torrent_web_end(t);
    metadata_fetch_free(t->fetch);
    t->fetch = NULL;
    if (t->meta)
        store_release_layout(t->store);
    t->meta = NULL;
    t->started = t->ending = false;
}

static void figures_save(torrent *t)
{
    torrent_entry *e = torrent_entry_of(t);
    if (e->sent == t->sent && e->received == t->received && e->wasted == t->wasted)
        return;
    e->sent = t->sent;
    e->received = t->received;
    e->wasted = t->wasted;
    e->active_s = world_wall_s(t->swarm->w);
    torrent_entry_changed(e);
}

// ---- the fiber ----------------------------------------------------------------------------------------------------------

static void tick(torrent *t, int64_t now)
{
    torrent_entry *e = torrent_entry_of(t);
    for (int i = 0; i < t->peers_end; i++) {
        peer *p = t->peers[i];
        if (!p)
            continue;
        peer_asks_late(p, now);
        peer_interest_again(p);
        peer_ask(p);
        if (p->hidden)
            peer_offer(p);
        peer_pex_send(p, now);
    }
    torrent_deadlines_give(t);
    torrent_web_nudge(t);
    torrent_trouble_retry(t, now);
    int64_t ratio = e->ratio_per_mille ? e->ratio_per_mille : t->swarm->ratio_per_mille;
    if (t->complete && ratio > 0 && t->meta && t->sent / t->meta->length * 1000 + t->sent % t->meta->length * 1000 / t->meta->length >= ratio)
        torrent_pause(t);
    if (t->announcer && t->peer_count == 0 && t->known_count == 0 && !t->seeding)
        announcer_nudge(t->announcer, ANNOUNCER_NEEDS_PEERS);
    figures_save(t);
}

static int64_t sooner(int64_t a, int64_t b) { return a < b ? a : b; }

typedef struct { int64_t tick_ns, choke_ns, metadata_ns, busy_ns; } dues;

static int64_t step(torrent *t, dues *d)
{
    int64_t now = loop_now_ns();
    if (now >= d->tick_ns) {
        tick(t, now);
        d->tick_ns = now + TICK_NS;
    }
    if (t->fetch && (now >= d->metadata_ns || t->nudged))
        d->metadata_ns = torrent_metadata_tick(t, now);
    if (t->picker && (t->rechoke || now >= d->choke_ns))
        d->choke_ns = torrent_choke(t, now);
    torrent_connect(t, now);
    if (t->seeding && !t->complete && !t->flushing && !t->store_waits && t->finishers == 0) {
        t->flushing = true;
        if (scope_try_go(&t->scope, "flush", flush_run, t))
            t->flushing = false;
    }
    if (t->peer_count + t->connecting > 0 || !t->complete)
        d->busy_ns = now;
    int64_t due = sooner(d->tick_ns, t->picker ? d->choke_ns : d->tick_ns);
    return t->fetch && d->metadata_ns != NEVER_NS ? sooner(due, d->metadata_ns) : due;
}

// Until it is to stop (true), or may sleep (false).
static bool exchange_run(torrent *t)
{
    dues d = {.tick_ns = loop_now_ns() + TICK_NS, .busy_ns = loop_now_ns()};
    str why = {0};
    t->started = true;
    announce_begin(t);
    torrent_web_nudge(t);
    gate_wake_all(&t->ready);
    if (t->reselect && t->store)
        torrent_select(t);
    t->reselect = false;
    torrent_progress(t);
    while (may_run(t) && !t->verify) {
        t->nudged = false;
        int64_t due = step(t, &d);
        if (t->metadata_whole && torrent_metadata_take(t, &why))
            return true;
        if (loop_now_ns() - d.busy_ns > SLEEP_NS)
            return false;
        if (!t->nudged && gate_wait(&t->wake, due, "a torrent's next step") == E_CANCELED)
            return true;
    }
    return true;
}

static bool metadata_begin(torrent *t)
{
    magnet link;
    t->fetch = metadata_fetch_new(t->hash);
    if (magnet_read(torrent_entry_of(t)->magnet, &t->memory, &link, &(bencode_refusal){0}))
        torrent_heard_of(t, link.peers, link.peer_count, PEER_FROM_MAGNET);
    torrent_state_set(t, TORRENT_METADATA);
    return true;
}

// Who gave us the metadata is connected to again, as soon as he has seen that the first connection ended.
static void known_refresh(torrent *t)
{
    for (list_link *l = list_first(&t->known); l; l = list_next(&t->known, l)) {
        known_peer *k = LIST_OF(l, known_peer, link);
        if (k->state != KNOWN_CONNECTING)
            *k = (known_peer){.link = k->link, .at = k->at, .source = k->source, .priority = k->priority, .again_ns = loop_now_ns() + AGAIN_NS};
    }
}

static void torrent_shut(torrent *t)
{
    announce_end(t);
    known_free(t);
    if (t->store && t->removing && t->remove_files)
        (void)store_remove_data(t->store, &t->memory, &t->remove_why);
    store_close(t->store);
    t->store = NULL;
    t->store_waits = false;
}

void torrent_run(void *arg)
{
    torrent *t = arg;
    fiber_set_trace(story_trace_new());
    t->memory = arena_make(MEMORY_BYTES_MAX);
    bool going = true;
    if (t->store_waits && t->store && store_retry(t->store) == E_OK)
        t->store_waits = false;
    while (going && may_run(t)) {
        bool link = !torrent_entry_of(t)->has_metainfo;
        scope_open(&t->scope, 0, TORRENT_FIBERS_MAX);
        bool begun = link ? metadata_begin(t) : exchange_begin(t);
        going = begun && exchange_run(t);
        exchange_end(t);
        known_refresh(t);
        arena_reset(&t->memory);
    }
    if (!may_run(t)) {
        torrent_shut(t);
        t->state = TORRENT_PAUSED;
        swarm_changed(t);
    } else {
        known_free(t);
    }
    figures_save(t);
    arena_free(&t->memory);
    t->awake = false;
    if (t->state == TORRENT_PAUSED && may_run(t))        // resumed while it stopped
        torrent_wake(t);
    gate_wake_all(&t->ready);
}

// ---- from outside -------------------------------------------------------------------------------------------------------

bool torrent_wake(torrent *t)
{
    if (t->awake) {
        torrent_nudge(t);
        return true;
    }
    if (t->moving)
        return false;
    t->awake = true;
    if (scope_try_go(t->swarm->torrents_scope, "torrent", torrent_run, t) != E_OK)
        t->awake = false;
    return t->awake;
}

torrent *torrent_wait_started(swarm *s, const uint8_t *hash)
{
    int64_t until = loop_now_ns() + PEER_HANDSHAKE_NS;
    for (;;) {
        torrent *t = swarm_find(s, hash);
        if (!t || t->removing || s->stopping || torrent_entry_of(t)->paused || t->state == TORRENT_CHECKING)
            return NULL;
        if (t->started && !t->ending)
            return t;
        if (!t->awake && (t->state == TORRENT_TROUBLE || !torrent_wake(t)))
            return NULL;
        if (gate_wait(&t->ready, until, "a torrent to start") != E_OK)
            return NULL;
    }
}

void torrent_rest(torrent *t)
{
    must(!may_run(t));
    while (t->awake) {
        torrent_nudge(t);
        gate_wait_uncanceled(&t->ready, "a torrent to rest");
    }
    t->memory = arena_make(MEMORY_BYTES_MAX);
    torrent_shut(t);
    arena_free(&t->memory);
}

// Tells it to stop and waits until it has; it holds nothing then.
void torrent_stop(torrent *t)
{
    while (t->moving)
        gate_wait_uncanceled(&t->ready, "a torrent's files to be moved");
    while (t->awake || t->store || t->announcer) {
        if (torrent_wake(t)) {
            gate_wait_uncanceled(&t->ready, "a torrent to stop");
            continue;
        }
        t->memory = arena_make(MEMORY_BYTES_MAX);            // no fiber can be had any more: we are told to end, too
        torrent_shut(t);
        arena_free(&t->memory);
    }
}

void torrent_pause(torrent *t)
{
    torrent_entry *e = torrent_entry_of(t);
    e->paused = true;
    torrent_entry_changed(e);
    torrent_wake(t);
    if (!t->awake)
        torrent_state_set(t, TORRENT_PAUSED);
}

void torrent_resume(torrent *t)
{
    torrent_entry *e = torrent_entry_of(t);
    e->paused = false;
    torrent_entry_changed(e);
    if (!t->store_waits)                                 // else it is over when the disk has been tried
        t->trouble = E_OK;
    t->retry_ns = 0;
    if (!t->awake)
        torrent_state_set(t, TORRENT_QUEUED);
    torrent_wake(t);
}

void torrent_verify(torrent *t)
{
    t->verify = true;
    torrent_wake(t);
}
