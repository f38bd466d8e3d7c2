#include "rooms/tracker/keeper.h"

#include <string.h>

#include "base/bytes.h"
#include "base/must.h"
#include "rooms/tracker/read_back.h"
#include "rt/log.h"
#include "rt/loop.h"
#include "rt/worker.h"

// A record of the journal: the format, the wall clock's second, then entries. An entry: its kind, the info hash, and
// HERE: tag and endpoint; GONE: tag; COUNT: how often it was completed. Kinds carry the family and whether it is a seed.
enum { ENTRY_HERE = 1, ENTRY_GONE = 2, ENTRY_COUNT = 3, ENTRY_KINDS = 15, ENTRY_V6 = 16, ENTRY_SEED = 32,
       ENTRY_BYTES_MAX = 1 + TRACKER_HASH_BYTES + 4 + ENDPOINT_V6_BYTES, HEAD_BYTES = 9 };

// ---- the secrets ------------------------------------------------------------------------------------------------------------

typedef struct { room *r; char *path; uint8_t *out; arena memory; err e; } secret_wish;

static void secret_blocking(void *arg)
{
    secret_wish *wish = arg;
    str text = {0};
    wish->e = file_read_all(wish->r->world, wish->path, &wish->memory, KEEPER_SECRET_BYTES, &text);
    if (wish->e == E_OK && text.len == KEEPER_SECRET_BYTES) {
        memcpy(wish->out, text.at, KEEPER_SECRET_BYTES);
        return;
    }
    if (wish->e != E_OK && wish->e != E_NO_ENTRY)
        return;
    world_random(wish->r->world, wish->out, KEEPER_SECRET_BYTES);
    wish->e = file_replace(wish->r->world, wish->path, str_of(wish->out, KEEPER_SECRET_BYTES), 0600);
}

err keeper_secret(room *r, uint8_t out[KEEPER_SECRET_BYTES], str *why)
{
    if (room_directory(r).len == 0) {
        *why = S("tracker: its data directory cannot be made");
        return E_ACCESS;
    }
    secret_wish wish = {.r = r, .path = room_path(r, r->memory, S("secret")), .out = out, .memory = arena_make(4096)};
    work(secret_blocking, &wish);
    arena_free(&wish.memory);
    if (wish.e != E_OK)
        *why = str_format(r->memory, "tracker: cannot read or write %s: %s", wish.path, err_text(wish.e));
    return wish.e;
}

// ---- remembering ------------------------------------------------------------------------------------------------------------

static void entry_put(keeper *k, const writer *w)
{
    buf *b = &k->pending[k->filling];
    if (b->len + HEAD_BYTES + (size_t)wr_len(w) > b->max)
        k->lost++;
    else if (buf_put(b, wr_str(w)))
        k->unsaved++;
}

static void on_change(void *arg, change_kind kind, const uint8_t *hash, const peer *p)
{
    unsigned char entry[ENTRY_BYTES_MAX];
    writer w = wr_into(entry, sizeof entry);
    unsigned what = kind == CHANGE_HERE ? ENTRY_HERE : ENTRY_GONE;
    wr_u8(&w, what | (p->at.family == 6 ? ENTRY_V6 : 0u) | (p->seed ? ENTRY_SEED : 0u));
    wr_bytes(&w, str_of(hash, TRACKER_HASH_BYTES));
    wr_u32(&w, p->tag);
    if (kind == CHANGE_HERE)
        endpoint_write(&w, p->at);
    entry_put(arg, &w);
}

void keeper_count(keeper *k, const torrent *t)
{
    unsigned char entry[ENTRY_BYTES_MAX];
    writer w = wr_into(entry, sizeof entry);
    wr_u8(&w, ENTRY_COUNT);
    wr_bytes(&w, str_of(t->hash, TRACKER_HASH_BYTES));
    wr_u32(&w, t->downloaded);
    entry_put(k, &w);
}

// ---- segments ---------------------------------------------------------------------------------------------------------------

static void segment_release(keeper *k)
{
    journal_release(k->journal, k->segments[0].number);
    memmove(&k->segments[0], &k->segments[1], (size_t)--k->segment_count * sizeof k->segments[0]);
}

static void segment_note(keeper *k, uint32_t number, int64_t wall_s)
{
    int last = k->segment_count - 1;
    if (last >= 0 && k->segments[last].number == number) {
        if (wall_s > k->segments[last].newest_s)
            k->segments[last].newest_s = wall_s;
        return;
    }
    journal_hold(k->journal, number);
    k->segments[k->segment_count].number = number;
    k->segments[k->segment_count++].newest_s = wall_s;
    if (k->segment_count > KEEPER_SEGMENTS_MAX)
        segment_release(k);
}

static void segments_forget(keeper *k, int64_t wall_s)
{
    int64_t oldest = wall_s - (int64_t)k->expire_minutes * 60;
    while (k->segment_count > 1 && k->segments[0].newest_s < oldest)
        segment_release(k);
}

// ---- writing ----------------------------------------------------------------------------------------------------------------

static void trouble_tell(keeper *k, err e, int64_t changes)
{
    if (e != E_OK && !k->failing && e != E_CRASHED)
        log_line("tracker", LOG_WARNING, "peers not written", F_STR("why", str_z(err_text(e))), F_INT("changes", changes));
    if (e == E_OK && k->failing)
        log_line("tracker", LOG_NOTICE, "peers are written again", F_INT("changes", changes));
    k->failing = e != E_OK;
}

void keeper_write(keeper *k)
{
    buf *b = &k->pending[k->filling];
    if (k->writing || !k->journal || b->len == 0)
        return;
    unsigned char head[HEAD_BYTES];
    int64_t wall_s = world_wall_s(k->room->world), changes = k->unsaved;
    writer w = wr_into(head, sizeof head);
    wr_u8(&w, KEEPER_FORMAT);
    wr_u64(&w, (uint64_t)wall_s);
    str pieces[] = {wr_str(&w), buf_str(b)};
    journal_place place;
    k->writing = true;
    k->filling = !k->filling;
    err e = journal_append(k->journal, pieces, 2, &place);
    if (e == E_OK)
        segment_note(k, place.segment, wall_s);
    else
        k->lost += changes;                              // they announce again
    trouble_tell(k, e, changes);
    k->unsaved -= changes;
    buf_clear(b);
    segments_forget(k, wall_s);
    k->writing = false;
}

void keeper_close(keeper *k)
{
    journal_close(k->journal);
    k->journal = NULL;
    for (int i = 0; i < 2; i++)
        buf_free(&k->pending[i]);
}

// ---- reading ----------------------------------------------------------------------------------------------------------------

static const journal_options journal_as = {.segment_bytes_max = KEEPER_SEGMENT_BYTES, .record_bytes_max = KEEPER_PENDING_BYTES_MAX * 2};

typedef struct { keeper *k; int64_t now_s; } replay;

static torrent *torrent_again(tracker *core, const uint8_t *hash)
{
    torrent *there = swarms_find(core->store, hash);
    return there || !core->access.open ? there : swarms_make(core->store, hash);
}

typedef struct { uint8_t kind; int family; bool seed; str hash; uint32_t number; addr at; } entry;

// False: it is cut off.
static bool entry_read(reader *r, entry *out)
{
    uint8_t kind = rd_u8(r);
    *out = (entry){.kind = kind & ENTRY_KINDS, .family = kind & ENTRY_V6 ? 6 : 4, .seed = kind & ENTRY_SEED};
    out->hash = rd_bytes(r, TRACKER_HASH_BYTES);
    out->number = rd_u32(r);
    if (out->kind == ENTRY_HERE)
        out->at = endpoint_read(r, out->family);
    return !r->bad;
}

static void entry_apply(keeper *k, const entry *x, uint8_t minute)
{
    swarms_place place;
    peer p = {.tag = x->number, .minute = minute, .seed = x->seed, .at = x->at};
    torrent *t = torrent_again(k->core, x->hash.at);
    if (!t)
        return;
    if (x->kind == ENTRY_HERE)
        k->restored += swarms_put(k->core->store, t, &p, &place) == SWARMS_NEW;
    else if (x->kind == ENTRY_GONE)
        (void)swarms_remove(k->core->store, t, x->family, x->number);
    else if (x->kind == ENTRY_COUNT && x->number <= SWARMS_DOWNLOADED_MAX)
        t->downloaded = x->number & SWARMS_DOWNLOADED_MAX;
}

static void record_apply(void *arg, journal_place place, str bytes)
{
    replay *x = arg;
    keeper *k = x->k;
    reader r = rd_of(bytes);
    uint8_t format = rd_u8(&r);
    int64_t wall_s = (int64_t)rd_u64(&r), age_minutes = (x->now_s - wall_s) / 60;
    if (r.bad || format != KEEPER_FORMAT)
        return;                                          // of a later naru
    if (wall_s > x->now_s)
        wall_s = x->now_s, age_minutes = 0;              // the clock was put back
    segment_note(k, place.segment, wall_s);
    if (age_minutes >= k->expire_minutes)
        return;
    for (entry one; rd_left(&r) > 0 && entry_read(&r, &one);)
        entry_apply(k, &one, (uint8_t)(announce_minute(k->core) - age_minutes));
}

err keeper_open(keeper *k, room *r, tracker *core, int expire_minutes, str *why)
{
    *k = (keeper){.room = r, .core = core, .expire_minutes = expire_minutes};
    for (int i = 0; i < 2; i++)
        k->pending[i] = buf_make(KEEPER_PENDING_BYTES_MAX);
    replay x = {k, world_wall_s(r->world)};
    err e = journal_open(r->world, str_z(room_path(r, r->memory, S("peers"))), journal_as, record_apply, &x, r->memory, &k->journal, why);
    if (e != E_OK)
        return e;
    core->changed = on_change;
    core->changed_arg = k;
    return E_OK;
}

// ---- reading back -----------------------------------------------------------------------------------------------------------

typedef struct { tracker_read *out; bool damaged; journal_place at; } back;

static void record_look(void *arg, journal_place place, str bytes)
{
    back *x = arg;
    reader r = rd_of(bytes);
    uint8_t format = rd_u8(&r);
    (void)rd_u64(&r);
    x->out->records++;
    if (format != KEEPER_FORMAT && !r.bad)
        return;                                          // of a later naru
    for (entry one; rd_left(&r) > 0 && entry_read(&r, &one);)
        x->out->changes++;
    if (r.bad && !x->damaged) {
        x->damaged = true;
        x->at = place;
    }
}

typedef struct { world *w; char *path; err e; } presence;

static void presence_work(void *arg)
{
    presence *p = arg;
    file_stat st;
    p->e = path_stat(p->w, p->path, &st);
}

err tracker_read_back(world *w, str directory, tracker_read *out, arena *a, str *why)
{
    back x = {.out = out};
    journal *j = NULL;
    presence p = {.w = w, .path = str_to_z(a, directory)};
    *out = (tracker_read){0};
    work(presence_work, &p);
    if (p.e == E_NO_ENTRY)
        return E_OK;
    err e = journal_open(w, str_join(a, directory, S("/peers")), journal_as, record_look, &x, a, &j, why);
    journal_close(j);
    if (e || !x.damaged)
        return e;
    *why = str_format(a, "the tracker's journal in " STR_FMT "/peers: the record at byte %llu of segment %u is no record of a tracker",
                      STR_ARG(directory), (unsigned long long)x.at.offset, x.at.segment);
    return E_CORRUPT;
}
