#include "rooms/mta/spool.h"

#include <string.h>

#include "base/heap_memory.h"
#include "base/must.h"
#include "rooms/mta/mta.h"
#include "rt/sim.h"

struct spool {
    world   *w;
    journal *journal;
    blobs   *blobs;
    list     letters;
    map      by_id;
    int      count;
    size_t   memory_bytes;           // texts in memory
    buf      delivered;              // a DELIVERED record that grows until it is written
    gate     some_delivered;
    int     *living;                 // per segment that we hold, from `oldest`
    uint32_t oldest;
    int      held, living_cap;       // segments oldest .. oldest + held - 1
    bool     lent;                   // to a backup: blobs stay
    blob_id *ended;                  // blobs to remove when it is over
    int      ended_count, ended_cap;
};

// ---- segments ---------------------------------------------------------------------------------------------------------

static void segment_seen(spool *s, uint32_t segment)
{
    if (s->held == 0)
        s->oldest = segment;
    while (s->oldest + (uint32_t)s->held <= segment) {
        must(s->held < SPOOL_SEGMENTS_MAX);
        if (s->held == s->living_cap) {
            s->living_cap = s->living_cap ? s->living_cap * 2 : 16;
            s->living = memory_resize(s->living, (size_t)s->living_cap * sizeof *s->living);
        }
        s->living[s->held] = 0;
        journal_hold(s->journal, s->oldest + (uint32_t)s->held++);
    }
}

static void segment_count(spool *s, uint32_t segment, int change)
{
    segment_seen(s, segment);
    must(segment >= s->oldest);
    s->living[segment - s->oldest] += change;
    must(s->living[segment - s->oldest] >= 0);
}

// The newest is always kept: the journal writes there.
static void segments_drop_empty(spool *s)
{
    int gone = 0;
    while (gone + 1 < s->held && s->living[gone] == 0)
        journal_release(s->journal, s->oldest + (uint32_t)gone++);
    s->oldest += (uint32_t)gone;
    s->held -= gone;
    if (gone)
        memmove(s->living, s->living + gone, (size_t)s->held * sizeof *s->living);
}

// ---- the list of living letters ---------------------------------------------------------------------------------------

static str id_key(const uint64_t *id) { return str_of(id, sizeof *id); }

static void letter_join(spool *s, letter *l)
{
    list_append(&s->letters, &l->link);
    bool fits = map_put(&s->by_id, id_key(&l->map_key), l);
    must(fits);
    s->count++;
    mta_count_waiting(+1);
    segment_count(s, l->place.segment, +1);
}

// A leftover after a crash here is harmless: nothing points at it.
static void blob_end(spool *s, blob_id blob)
{
    if (!s->lent) {
        blob_remove(s->blobs, blob);
        return;
    }
    if (s->ended_count == SPOOL_LENT_BLOBS_MAX)
        return;
    if (s->ended_count == s->ended_cap) {
        s->ended_cap = s->ended_cap ? s->ended_cap * 2 : 16;
        s->ended = memory_resize(s->ended, (size_t)s->ended_cap * sizeof *s->ended);
    }
    s->ended[s->ended_count++] = blob;
}

static void letter_end(spool *s, letter *l)
{
    if (l->over)
        return;
    l->over = true;
    map_remove(&s->by_id, id_key(&l->map_key));
    list_remove(&l->link);
    s->count--;
    mta_count_waiting(-1);
    segment_count(s, l->place.segment, -1);
    spool_forget_text(s, l);
    if (l->in_blob)
        blob_end(s, l->blob);
}

void spool_release(spool *s, letter *l)
{
    (void)s;
    if (l->over && l->users == 0)
        letter_free(l);
}

// ---- reading back -----------------------------------------------------------------------------------------------------

// Between journal_open's works; s->journal is not there yet, so segments are counted after it.
static void replay_letter(spool *s, reader *r, uint64_t id, journal_place place)
{
    letter *old = map_get(&s->by_id, id_key(&id));
    if (old) {                                      // carried forward: the newer record says all
        map_remove(&s->by_id, id_key(&old->map_key));
        s->count--;
        letter_free(old);
    }
    letter *l = letter_read(r, id);
    if (!l)
        return;
    l->place = place;
    if (l->to_waiting == 0 || s->count >= SPOOL_LETTERS_MAX || !map_put(&s->by_id, id_key(&l->map_key), l)) {
        letter_free(l);
        return;
    }
    list_append(&s->letters, &l->link);
    s->count++;
}

static void replay_gone(spool *s, letter *l)
{
    map_remove(&s->by_id, id_key(&l->map_key));
    s->count--;
    letter_free(l);
}

static void replay_outcome(spool *s, reader *r, letter *l, journal_place place)
{
    letter scratch = {.memory = arena_make(LETTER_ARENA_BYTES_MAX)};      // its letter has ended; its bounce may live
    if (!l) {
        scratch.to_count = LETTER_RECIPIENTS_MAX;
        scratch.to = arena_array(&scratch.memory, recipient, scratch.to_count);
    }
    str bounce = {0};
    bool whole = outcome_apply(r, l ? l : &scratch, &bounce);
    reader inner = rd_of(bounce);
    record_kind kind;
    uint64_t id;
    if (whole && bounce.len && record_open(&inner, &kind, &id) && kind == RECORD_LETTER)
        replay_letter(s, &inner, id, place);
    arena_free(&scratch.memory);
    if (l && l->to_waiting == 0)
        replay_gone(s, l);
    else if (l)
        letter_attempt(l, place);
}

static void replay_delivered(spool *s, reader *r, uint64_t id)
{
    int index;
    for (bool first = true; delivered_next(r, first, &id, &index); first = false) {
        letter *l = map_get(&s->by_id, id_key(&id));
        if (!l || index >= l->to_count || l->to[index].state != RECIPIENT_WAITING)
            continue;
        l->to[index].state = RECIPIENT_DELIVERED;
        if (--l->to_waiting == 0)
            replay_gone(s, l);
    }
}

static void replay(void *arg, journal_place place, str bytes)
{
    spool *s = arg;
    reader r = rd_of(bytes);
    record_kind kind;
    uint64_t id;
    bool on;
    if (!record_open(&r, &kind, &id))
        return;
    letter *l = map_get(&s->by_id, id_key(&id));
    if (kind == RECORD_DELIVERED)
        replay_delivered(s, &r, id);
    else if (kind == RECORD_LETTER)
        replay_letter(s, &r, id, place);
    else if (kind == RECORD_OUTCOME)
        replay_outcome(s, &r, l, place);
    else if (kind == RECORD_PAST && l)
        letter_attempt(l, place);
    else if (kind == RECORD_HOLD && l && mark_read(&r, &on))
        l->held = on;
    else if (kind == RECORD_DELETE && l)
        replay_gone(s, l);
}

// Blobs whose letters ended and that a crash, or a backup, left.
static void blobs_sweep(spool *s)
{
    arena a = arena_make(SPOOL_SWEEP_BYTES_MAX);
    map needed = map_make(world_random_u64(s->w), SPOOL_LETTERS_MAX);
    blob_id *ids = NULL;
    int count = 0;
    bool known = blobs_list(s->blobs, &a, &ids, &count) == E_OK;
    for (letter *l = spool_first(s); l && known; l = spool_next(s, l))
        if (l->in_blob)
            known = map_put(&needed, str_of(l->blob.bytes, sizeof l->blob.bytes), l);
    for (int i = 0; i < count && known; i++)
        if (!map_get(&needed, str_of(ids[i].bytes, sizeof ids[i].bytes)))
            blob_remove(s->blobs, ids[i]);
    map_free(&needed);
    arena_free(&a);
}

err spool_open(world *w, str directory, arena *a, spool **out, str *why)
{
    spool *s = memory_zeroed(1, sizeof *s);
    s->w = w;
    list_init(&s->letters);
    s->delivered = buf_make(SPOOL_DELIVERED_BYTES_MAX);
    s->by_id = map_make(world_random_u64(w), SPOOL_LETTERS_MAX);
    err e = blobs_open(w, str_format(a, STR_FMT "/blobs", STR_ARG(directory)), a, &s->blobs, why);
    if (e == E_OK)
        e = journal_open(w, str_format(a, STR_FMT "/journal", STR_ARG(directory)), (journal_options){0}, replay, s, a,
                         &s->journal, why);
    mta_count_waiting(s->count);
    if (e != E_OK) {
        spool_close(s);
        return e;
    }
    for (uint32_t segment = journal_oldest(s->journal); segment && segment <= journal_newest(s->journal); segment++)
        segment_seen(s, segment);
    for (letter *l = spool_first(s); l; l = spool_next(s, l))
        segment_count(s, l->place.segment, +1);
    segments_drop_empty(s);
    blobs_sweep(s);
    *out = s;
    return E_OK;
}

void spool_close(spool *s)
{
    if (!s)
        return;
    mta_count_waiting(-s->count);
    for (list_link *k; (k = list_first(&s->letters));)
        letter_free(LIST_OF(k, letter, link));
    if (s->journal)
        journal_close(s->journal);
    if (s->blobs)
        blobs_close(s->blobs);
    map_free(&s->by_id);
    buf_free(&s->delivered);
    memory_free(s->living);
    memory_free(s->ended);
    memory_free(s);
}

// ---- accepting --------------------------------------------------------------------------------------------------------

letter *spool_letter_new(spool *s)
{
    uint64_t id;
    do
        id = world_random_u64(s->w);
    while (id == 0 || map_get(&s->by_id, id_key(&id)));
    return letter_new(id);
}

static err letter_append(spool *s, letter *l, str text, journal_place *place)
{
    buf head = buf_make(LETTER_ARENA_BYTES_MAX);
    str pieces[2] = {{0}, l->in_blob ? (str){0} : text};
    err e = letter_record(l, &head) ? E_OK : E_LIMIT;
    pieces[0] = buf_str(&head);
    if (e == E_OK)
        e = journal_append(s->journal, pieces, 2, place);
    buf_free(&head);
    return e;
}

err spool_accept(spool *s, letter *l)
{
    if (s->count >= SPOOL_LETTERS_MAX)
        return E_LIMIT;
    err e = letter_append(s, l, l->text, &l->place);
    if (e != E_OK)
        return e;
    letter_join(s, l);
    if (s->memory_bytes + l->text_memory.cap > SPOOL_MEMORY_BYTES_MAX)
        buf_free(&l->text_memory), l->text = (str){0};
    s->memory_bytes += l->text_memory.cap;
    return E_OK;
}

// ---- what became of it ------------------------------------------------------------------------------------------------

static err append_patiently(spool *s, str record, journal_place *place)
{
    for (;;) {
        err e = journal_append(s->journal, &record, 1, place);
        if (e == E_OK || e == E_CRASHED || e == E_TOO_LONG)
            return e;
        err slept = fiber_sleep(seconds(1));
        if (slept != E_OK)
            return slept;
    }
}

static void outcomes_take(spool *s, letter *l, const outcome *v, int count)
{
    int64_t now_s = world_wall_s(s->w);
    for (int i = 0; i < count; i++) {
        recipient *to = &l->to[v[i].index];
        l->to_waiting -= to->state == RECIPIENT_WAITING && v[i].state != RECIPIENT_WAITING;
        to->state = v[i].state;
        to->attempts = (uint16_t)(to->attempts + (to->attempts < UINT16_MAX));
        to->last_try_s = now_s;
        to->reply = str_copy(&l->memory, str_first(v[i].reply, LETTER_REPLY_BYTES_MAX));
    }
}

err spool_outcome(spool *s, letter *l, const outcome *v, int count, letter *bounce)
{
    buf record = buf_make(LETTER_ARENA_BYTES_MAX), nested = buf_make(LETTER_ARENA_BYTES_MAX);
    if (bounce) {
        letter_record(bounce, &nested);
        buf_put(&nested, bounce->text);
    }
    must(outcome_record(l->id, v, count, world_wall_s(s->w), buf_str(&nested), &record));
    journal_place place = {0};
    err e = turn_take(&l->records, NEVER_NS);
    if (e == E_OK) {
        e = append_patiently(s, buf_str(&record), &place);
        turn_give(&l->records);
    }
    buf_free(&record);
    buf_free(&nested);
    if (e != E_OK) {
        letter_free(bounce);
        return e;
    }
    segment_seen(s, place.segment);
    letter_attempt(l, place);
    outcomes_take(s, l, v, count);
    if (bounce) {
        bounce->place = place;
        letter_join(s, bounce);
        s->memory_bytes += bounce->text_memory.cap;
    }
    if (l->to_waiting == 0)
        letter_end(s, l);
    return E_OK;
}

static void deliveries_write(spool *s)
{
    buf record = s->delivered;
    s->delivered = buf_make(SPOOL_DELIVERED_BYTES_MAX);
    journal_place place = {0};
    if (record.len && append_patiently(s, buf_str(&record), &place) == E_OK)
        segment_seen(s, place.segment);
    buf_free(&record);
}

void spool_record_deliveries(spool *s)
{
    while (!fiber_canceled()) {
        if (s->delivered.len == 0)
            gate_wait(&s->some_delivered, NEVER_NS, "deliveries to record");
        fiber_sleep(SPOOL_DELIVERED_WAIT_NS);
        deliveries_write(s);
    }
}

void spool_delivered(spool *s, letter *l, const outcome *v, int count)
{
    must(!l->in_blob);
    while (s->delivered.max - s->delivered.len < (size_t)count * 16)
        deliveries_write(s);
    for (int i = 0; i < count; i++)
        delivered_record(l->id, v[i].index, &s->delivered);
    outcomes_take(s, l, v, count);
    if (l->to_waiting == 0)
        letter_end(s, l);
    gate_wake_one(&s->some_delivered);
}

static err mark(spool *s, letter *l, record_kind kind, bool on)
{
    unsigned char bytes[16];
    buf record = {.at = bytes, .cap = sizeof bytes, .max = sizeof bytes};      // fits: never grows
    must(mark_record(kind, l->id, on, &record));
    str piece = buf_str(&record);
    journal_place place = {0};
    err e = turn_take(&l->records, NEVER_NS);
    if (e != E_OK)
        return e;
    e = journal_append(s->journal, &piece, 1, &place);
    turn_give(&l->records);
    if (e == E_OK)
        segment_seen(s, place.segment);
    return e;
}

err spool_hold(spool *s, letter *l, bool on)
{
    err e = mark(s, l, RECORD_HOLD, on);
    if (e == E_OK)
        l->held = on;
    return e;
}

err spool_delete(spool *s, letter *l)
{
    err e = mark(s, l, RECORD_DELETE, true);
    if (e == E_OK)
        letter_end(s, l);
    return e;
}

// ---- texts ------------------------------------------------------------------------------------------------------------

err spool_text(spool *s, letter *l, arena *a, str *text)
{
    if (l->text.len || l->size_bytes == 0) {
        *text = l->text;
        return E_OK;
    }
    str record;
    err e = journal_read(s->journal, l->place, a, &record);
    if (e == E_OK && !record_text(record, l->id, text))
        e = E_CORRUPT;
    return e;
}

void spool_forget_text(spool *s, letter *l)
{
    s->memory_bytes -= l->text_memory.cap;
    buf_free(&l->text_memory);
    l->text = (str){0};
}

blobs *spool_blobs(spool *s) { return s->blobs; }

// ---- attempts -----------------------------------------------------------------------------------------------------------

void spool_attempts(spool *s, letter *l, attempt_seen *each, void *arg)
{
    journal_place places[LETTER_ATTEMPTS_MAX];          // reading parks, and carrying forward replaces them
    int count = l->attempt_count;
    if (count)
        memcpy(places, l->attempts, (size_t)count * sizeof *places);
    arena a = arena_make(LETTER_INLINE_BYTES_MAX * 4 + LETTER_ARENA_BYTES_MAX);
    for (int i = 0; i < count; i++) {
        str record;
        arena_reset(&a);
        if (journal_read(s->journal, places[i], &a, &record) == E_OK)
            attempts_read(record, l->id, each, arg);
    }
    arena_free(&a);
}

typedef struct { attempt *kept; int count; arena memory; } past;

static void past_keep(void *arg, const attempt *a)
{
    past *p = arg;
    if (p->count == LETTER_PAST_MAX)
        memmove(p->kept, p->kept + 1, (size_t)--p->count * sizeof *p->kept);
    p->kept[p->count++] = (attempt){a->at_s, {a->was.index, a->was.state, str_copy(&p->memory, a->was.reply), str_copy(&p->memory, a->was.host)}};
}

// A carried letter's attempts lie in segments that will go: they are written down once more, in one record. Best effort: they are for people.
static void past_carry(spool *s, letter *l)
{
    past p = {.memory = arena_make(LETTER_ARENA_BYTES_MAX)};
    buf record = buf_make(LETTER_ARENA_BYTES_MAX);
    p.kept = arena_array(&p.memory, attempt, LETTER_PAST_MAX);
    spool_attempts(s, l, past_keep, &p);
    for (int i = 0; i < p.count; i++)
        past_record(l->id, &p.kept[i], &record);
    str piece = buf_str(&record);
    journal_place place = {0};
    l->attempt_count = 0;
    if (p.count && !record.full && journal_append(s->journal, &piece, 1, &place) == E_OK) {
        segment_seen(s, place.segment);
        letter_attempt(l, place);
    }
    buf_free(&record);
    arena_free(&p.memory);
}

// ---- looking ----------------------------------------------------------------------------------------------------------

static letter *letter_of(list_link *k) { return k ? LIST_OF(k, letter, link) : NULL; }
letter *spool_first(spool *s) { return letter_of(list_first(&s->letters)); }
letter *spool_next(spool *s, letter *l) { return letter_of(list_next(&s->letters, &l->link)); }
letter *spool_find(spool *s, uint64_t id) { return map_get(&s->by_id, id_key(&id)); }
int     spool_count(const spool *s) { return s->count; }
journal_figures spool_figures(const spool *s) { return journal_figures_now(s->journal); }

// ---- lending ----------------------------------------------------------------------------------------------------------

err spool_lend(spool *s, arena *a, journal_loan *out)
{
    must(!s->lent);
    err e = journal_lend(s->journal, a, out);
    s->lent = e == E_OK;
    return e;
}

void spool_give_back(spool *s, const journal_loan *loan, bool ending)
{
    must(s->lent);
    s->lent = false;
    journal_give_back(s->journal, loan);
    blob_id *ended = s->ended;                      // removing parks: others may end, or lend, meanwhile
    int count = s->ended_count;
    s->ended = NULL;
    s->ended_count = s->ended_cap = 0;
    for (int i = 0; i < count && !ending; i++)
        blob_remove(s->blobs, ended[i]);
    memory_free(ended);
}

// ---- tidying ----------------------------------------------------------------------------------------------------------

// Writes the letter again with all that is known of it. The turn keeps other records of it away meanwhile, so the new record
// cannot undo an outcome.
static err carry_forward(spool *s, letter *l)
{
    err e = turn_take(&l->records, NEVER_NS);
    if (e != E_OK)
        return e;
    arena a = arena_make(LETTER_INLINE_BYTES_MAX * 4 + LETTER_ARENA_BYTES_MAX);
    str text = {0};
    journal_place place = {0};
    if (!l->over) {
        e = l->in_blob ? E_OK : spool_text(s, l, &a, &text);
        if (e == E_OK)
            e = letter_append(s, l, text, &place);
        if (e == E_OK) {
            segment_count(s, place.segment, +1);
            segment_count(s, l->place.segment, -1);
            l->place = place;
            past_carry(s, l);
        }
    }
    arena_free(&a);
    turn_give(&l->records);
    return e;
}

static letter *letter_in_segment(spool *s, uint32_t segment)
{
    for (letter *l = spool_first(s); l; l = spool_next(s, l))
        if (l->place.segment == segment)
            return l;
    return NULL;
}

void spool_tidy(spool *s)
{
    segments_drop_empty(s);
    while (s->held > SPOOL_CARRY_SEGMENTS) {
        letter *l = letter_in_segment(s, s->oldest);
        if (!l)
            break;
        l->users++;
        err e = carry_forward(s, l);
        l->users--;
        spool_release(s, l);
        if (e != E_OK)
            break;
        segments_drop_empty(s);
    }
}
