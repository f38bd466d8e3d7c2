// What there is to see of a torrent, its peers and files; and what a user may change of it.
#include <stdio.h>
#include <string.h>

#include "base/heap_memory.h"
#include "base/must.h"
#include "rooms/swarm/swarm_inside.h"
#include "rt/loop.h"

#define RATE_SPAN_NS (5 * NS_PER_S)

const char *torrent_state_name(torrent_state s)
{
    static const char *const names[] = {"paused", "queued", "metadata", "checking", "downloading", "seeding", "trouble"};
    return names[s];
}

static void look_peers(torrent *t, torrent_view *out)
{
    for (int i = 0; i < t->peers_end; i++) {
        const peer *p = t->peers[i];
        if (!p)
            continue;
        out->peers_sending += p->we_want && !p->they_choke;
        out->peers_taking += p->they_want && !p->we_choke;
        out->seeds += p->upload_only;
    }
}

void torrent_look(torrent *t, torrent_view *out)
{
    const torrent_entry *e = torrent_entry_of(t);
    int64_t now = loop_now_ns();
    *out = (torrent_view){
        .name = e->name, .directory = e->directory, .trouble = t->trouble ? str_z(t->trouble_text) : (str){0},
        .state = e->paused && !t->awake ? TORRENT_PAUSED : t->state, .is_private = e->is_private, .sequential = e->sequential, .superseed = e->superseed,
        .complete = t->complete, .awake = t->awake, .length = e->length, .wanted_bytes = e->length, .have_bytes = t->have_bytes,
        .piece_bytes = t->meta ? t->meta->piece_bytes : t->store ? store_piece_length(t->store, 0) : 0, .checked_pieces = t->checked,
        .piece_count = e->piece_count, .have_pieces = t->have_pieces, .file_count = e->file_count, .sent = t->sent,
        .received = t->received, .wasted = t->wasted, .rate_up = rate_now(&t->sent_rate, RATE_SPAN_NS, now),
        .rate_down = rate_now(&t->received_rate, RATE_SPAN_NS, now), .limit_up = t->up.bytes_per_s, .limit_down = t->down.bytes_per_s,
        .ratio_per_mille = e->ratio_per_mille, .peers = t->peer_count, .peers_known = t->known_count, .added_s = e->added_s,
        .completed_s = e->completed_s, .eta_s = -1,
    };
    memcpy(out->hash, t->hash, sizeof out->hash);
    out->web_seeds_sending = torrent_web_sending(t);
    look_peers(t, out);
    if (t->store && e->priorities.len) {
        out->wanted_bytes = 0;
        for (int32_t i = 0; i < e->piece_count; i++)
            out->wanted_bytes += store_piece_wanted(t->store, i) ? store_piece_length(t->store, i) : 0;
    }
    if (t->fetch)
        metadata_fetch_progress(t->fetch, &out->metadata_have, &out->metadata_bytes);
    int64_t left = out->wanted_bytes - out->have_bytes;
    if (left <= 0 && out->length)
        out->eta_s = 0;
    else if (out->rate_down > 0)
        out->eta_s = left / out->rate_down;
}

str torrent_trackers_trouble(torrent *t)
{
    str why = {0};
    announcer_tracker_view *all = t->announcer ? memory_new(sizeof *all * ANNOUNCER_TRACKERS_MAX) : NULL;
    int count = all ? announcer_view(t->announcer, all, ANNOUNCER_TRACKERS_MAX) : 0;
    count = count < ANNOUNCER_TRACKERS_MAX ? count : ANNOUNCER_TRACKERS_MAX;
    for (int i = count - 1; i >= 0; i--)
        if (all[i].failures && all[i].trouble.len)
            why = all[i].trouble;
    for (int i = 0; i < count; i++)
        if (all[i].answered)
            why = (str){0};
    memory_free(all);
    return why;
}

// Peer ids are a stranger's bytes.
static void id_print(char out[21], const uint8_t *id)
{
    for (int i = 0; i < 20; i++)
        out[i] = id[i] > 0x20 && id[i] < 0x7f ? (char)id[i] : '.';
    out[20] = 0;
}

int torrent_peers(torrent *t, peer_view *out, int max)
{
    int count = 0;
    int64_t now = loop_now_ns();
    for (int i = 0; i < t->peers_end; i++) {
        const peer *p = t->peers[i];
        if (!p || count++ >= max)
            continue;
        peer_view *v = &out[count - 1];
        *v = (peer_view){
            .at = p->at, .source = p->source, .incoming = p->incoming, .fast = p->fast, .they_choke = p->they_choke,
            .they_want = p->they_want, .we_choke = p->we_choke, .we_want = p->we_want, .snubbed = p->snubbed,
            .upload_only = p->upload_only, .has_pieces = p->has.set, .asked = t->picker ? picker_asked_of(t->picker, p->number) : 0,
            .wanted = p->wanted_count, .rate_up = rate_now(&p->to, RATE_SPAN_NS, now), .rate_down = rate_now(&p->from, RATE_SPAN_NS, now),
            .sent = p->sent, .received = p->received, .since_ns = p->since_ns, .choke_reason = p->choke_reason,
        };
        memcpy(v->client, p->client, sizeof v->client);
        id_print(v->peer_id, p->id);
    }
    return count;
}

str torrent_pieces(torrent *t) { return t->store ? bitfield_wire(store_have(t->store)) : (str){0}; }

static int64_t file_have(torrent *t, const metainfo_file *f, int32_t first, int32_t last)
{
    int64_t have = 0;
    for (int32_t i = first; i <= last && f->length; i++) {
        if (!bitfield_has(store_have(t->store), i))
            continue;
        int64_t from = i * t->meta->piece_bytes, to = from + store_piece_length(t->store, i);
        from = from > f->offset ? from : f->offset;
        to = to < f->offset + f->length ? to : f->offset + f->length;
        have += to - from;
    }
    return have;
}

bool torrent_file(torrent *t, int number, file_view *out)
{
    const torrent_entry *e = torrent_entry_of(t);
    if (!t->meta || number < 0 || number >= t->meta->file_count)
        return false;
    const metainfo_file *f = &t->meta->files[number];
    int32_t first = (int32_t)(f->offset / t->meta->piece_bytes);
    int32_t last = (int32_t)((f->offset + (f->length ? f->length - 1 : 0)) / t->meta->piece_bytes);
    *out = (file_view){
        .path = f->path, .length = f->length, .have_bytes = file_have(t, f, first, last), .first_piece = first, .last_piece = last,
        .priority = number < e->priorities.len ? (picker_priority)e->priorities.at[number] : PICKER_NORMAL, .pad = f->pad,
    };
    return true;
}

str torrent_metainfo(torrent *t, arena *a, str *why)
{
    str text = {0};
    metainfo m;
    return torrent_list_read(t->swarm->entries, torrent_entry_of(t), a, &text, &m, why) == E_OK ? text : (str){0};
}

// ---- what a user may change ---------------------------------------------------------------------------------------------

void torrent_reannounce(torrent *t)
{
    if (t->announcer)
        announcer_nudge(t->announcer, ANNOUNCER_USER);
}

void torrent_limit(torrent *t, int64_t up, int64_t down)
{
    torrent_entry *e = torrent_entry_of(t);
    e->limit_up = up;
    e->limit_down = down;
    torrent_entry_changed(e);
    rate_limit_set(&t->up, up, loop_now_ns());
    rate_limit_set(&t->down, down, loop_now_ns());
}

void torrent_ratio(torrent *t, int64_t per_mille)
{
    torrent_entry *e = torrent_entry_of(t);
    e->ratio_per_mille = per_mille;
    torrent_entry_changed(e);
}

void torrent_sequential(torrent *t, bool in_order)
{
    torrent_entry *e = torrent_entry_of(t);
    e->sequential = in_order;
    torrent_entry_changed(e);
    if (t->picker)
        picker_sequential(t->picker, in_order);
}

void torrent_select(void *arg)
{
    torrent *t = arg;
    const torrent_entry *e = torrent_entry_of(t);
    arena a = arena_make(1 << 20);
    bool *wanted = arena_array(&a, bool, e->priorities.len + 1);
    int count = (int)e->priorities.len;
    for (int i = 0; i < count && wanted; i++)
        wanted[i] = e->priorities.at[i] != PICKER_SKIP;
    if (wanted && store_select(t->store, wanted, count) != E_OK)
        torrent_store_trouble(t);
    arena_free(&a);
    bool done = store_all_have(t->store);
    if (!done) {
        t->seeding = t->complete = false;
        torrent_state_set(t, TORRENT_DOWNLOADING);
    }
    for (int i = 0; i < t->peers_end; i++)
        if (t->peers[i])
            peer_interest(t->peers[i]);
    torrent_ask_all(t);
    torrent_progress(t);
}

static void priorities_take(torrent *t, str bytes)
{
    torrent_entry *e = torrent_entry_of(t);
    bool waited = e->choices.len > 0;                    // for words that mean something
    torrent_choices_keep(e, (file_choices){0});
    torrent_entry_text(e, &e->priorities, bytes);
    torrent_entry_changed(e);
    torrent_priorities_apply(t);
    t->reselect = t->store && !t->started;               // asleep: its store still has the old selection
    if (t->reselect)
        (void)torrent_wake(t);
    else if (t->store)
        (void)scope_try_go(&t->scope, "selection", torrent_select, t);
    if (waited && t->state == TORRENT_TROUBLE)
        torrent_resume(t);
}

bool torrent_files_priorities(torrent *t, const picker_priority *to, int count)
{
    arena a = arena_make(1 << 20);
    bool good = count > 0 && count == torrent_entry_of(t)->file_count;
    unsigned char *all = good ? arena_alloc(&a, (size_t)count, 1, 1) : NULL;
    for (int i = 0; all && i < count; i++)
        all[i] = (unsigned char)to[i];
    if (all)
        priorities_take(t, str_of(all, (size_t)count));
    arena_free(&a);
    return all != NULL;
}

bool torrent_file_priority(torrent *t, int number, picker_priority to)
{
    const torrent_entry *e = torrent_entry_of(t);
    arena a = arena_make(1 << 20);
    bool good = e->file_count > 0 && number >= 0 && number < e->file_count;
    unsigned char *all = good ? arena_alloc(&a, (size_t)e->file_count, 1, 1) : NULL;
    for (int i = 0; all && i < e->file_count; i++)
        all[i] = i == number ? (unsigned char)to : i < e->priorities.len ? e->priorities.at[i] : PICKER_NORMAL;
    if (all)
        priorities_take(t, str_of(all, (size_t)e->file_count));
    arena_free(&a);
    return all != NULL;
}

bool torrent_choose(torrent *t, file_choices choices)
{
    torrent_entry *e = torrent_entry_of(t);
    if (e->has_metainfo || !torrent_choices_usable(choices))
        return false;
    torrent_choices_keep(e, choices);
    return true;
}

void torrent_superseed(torrent *t, bool on)
{
    torrent_entry *e = torrent_entry_of(t);
    e->superseed = t->superseed = on;
    torrent_entry_changed(e);
}

bool torrent_deadline(torrent *t, int32_t piece, int64_t from_now_ns)
{
    if (!t->picker)
        return false;
    bool good = picker_deadline_set(t->picker, piece, from_now_ns ? loop_now_ns() + from_now_ns : 0);
    torrent_ask_all(t);
    return good;
}

bool torrent_peer_add(torrent *t, addr at)
{
    known_peer *k = known_add(t, at, PEER_FROM_USER);
    if (k && k->state == KNOWN_IDLE)
        k->again_ns = 0;
    torrent_wake(t);
    return k != NULL;
}
