#include "rooms/swarm/store.h"

#include <stdio.h>
#include <string.h>

#include "base/heap_memory.h"
#include "rooms/swarm/store_inside.h"
#include "rt/worker.h"

char *text_copy(str s)
{
    char *z = memory_new((size_t)s.len + 1);
    if (s.len)
        memcpy(z, s.at, (size_t)s.len);
    z[s.len] = 0;
    return z;
}

// ---- calls --------------------------------------------------------------------------------------------------------------------------

void store_enter(store *s)
{
    while (s->alone)
        gate_wait_uncanceled(&s->calls_gate, "torrent's files");
    s->calls++;
}

void store_leave(store *s)
{
    must(s->calls > 0);
    if (--s->calls == 0)
        gate_wake_all(&s->calls_gate);
}

void store_enter_alone(store *s)
{
    while (s->alone)
        gate_wait_uncanceled(&s->calls_gate, "torrent's files");
    s->alone = true;
    while (s->calls)
        gate_wait_uncanceled(&s->calls_gate, "torrent's files");
}

void store_leave_alone(store *s)
{
    s->alone = false;
    gate_wake_all(&s->calls_gate);
}

void store_activate(store *s)
{
    if (!list_linked(&s->of_active))
        list_append(&s->pool->active, &s->of_active);
    gate_wake_all(&s->pool->wake);
}

// ---- looking ------------------------------------------------------------------------------------------------------------------------

int32_t store_piece_count(const store *s) { return s->piece_count; }
int64_t store_length(const store *s) { return s->length; }
const bitfield *store_have(const store *s) { return &s->have; }
const bitfield *store_complete(const store *s) { return &s->complete; }
int32_t store_unchecked(const store *s) { return s->unchecked_count; }
str store_notice(const store *s) { return str_z(s->notice); }
str store_trouble(const store *s) { return str_z(s->trouble); }
err store_trouble_error(const store *s) { return s->trouble_error; }

int32_t store_piece_length(const store *s, int32_t piece)
{
    if (piece < 0 || piece >= s->piece_count)
        return 0;
    int64_t left = s->length - s->piece_bytes * piece;
    return (int32_t)(left < s->piece_bytes ? left : s->piece_bytes);
}

bool store_piece_wanted(const store *s, int32_t piece)
{
    return piece >= 0 && piece < s->piece_count && (!s->wanted_pieces || bit_get(s->wanted_pieces, piece));
}

static bool all_wanted_in(const store *s, const bitfield *there)
{
    if (bitfield_all(there))
        return true;
    for (int32_t i = bitfield_next(there, 0, false); i >= 0; i = bitfield_next(there, i + 1, false)) {
        if (store_piece_wanted(s, i))
            return false;
        if (i + 1 >= there->count)
            break;
    }
    return true;
}

bool store_all_complete(const store *s) { return all_wanted_in(s, &s->complete); }
bool store_all_have(const store *s) { return all_wanted_in(s, &s->have); }

int64_t store_have_bytes(const store *s)
{
    int64_t bytes = s->have.set * s->piece_bytes;
    if (s->piece_count && bitfield_has(&s->have, s->piece_count - 1))
        bytes -= s->piece_bytes - store_piece_length(s, s->piece_count - 1);
    return bytes;
}

int session_bit(const store *s, int number) { return number == STORE_PARTS ? s->file_count : number; }

void store_piece_files(const store *s, const metainfo *m, int32_t piece, int *first, int *last)
{
    int64_t at = s->piece_bytes * piece, end = at + store_piece_length(s, piece);
    *first = metainfo_file_at(m, at);
    *last = *first;
    while (*last < m->file_count && m->files[*last].offset < end)
        ++*last;
}

err store_layout(store *s, const metainfo **out)
{
    if (s->payload) {
        *out = &s->payload_layout;
        return E_OK;
    }
    store_layout_data *l;
    store_enter(s);
    err e = store_layout_hold(s, &l);
    store_leave(s);
    if (!e)
        *out = &l->m;
    return e;
}

void store_release_layout(store *s)
{
    if (!s->payload)
        store_layout_drop(s);
}

// ---- trouble ------------------------------------------------------------------------------------------------------------------------

static const char *advice(err e)
{
    switch (e) {
    case E_NO_SPACE:    return "make room on the disk, then resume";
    case E_ACCESS:      return "something else stands in its place (a link, a directory), or naru may not (under `naru up`: beneath the configured directory alone); then resume";
    case E_READ_ONLY:   return "mount the disk for writing, then resume";
    case E_NO_ENTRY:    return "is its disk mounted? Put it back and resume, or verify to fetch it again";
    case E_EOF:         return "it is shorter than it was: put it back and resume, or verify to fetch it again";
    case E_IO:          return "the disk fails; save what can still be read, replace it, then resume";
    case E_LIMIT:       return "raise the limit of open files, then resume";
    case E_CORRUPT:     return "verify the torrent";
    case E_UNSUPPORTED: return "this kernel cannot open files safely (Linux 5.6 is needed)";
    default:            return "resume to try again";
    }
}

static str trouble_place(const store *s, int number, arena *a)
{
    char name[STORE_PATH_BYTES];
    if (number == STORE_PARTS || number == s->file_count + 1)
        return str_z(s->state_directory);
    if (number < 0 || number >= s->file_count || !s->layout)
        return str_z(s->directory);
    store_file_name(s->layout, number, false, name);
    return str_format(a, "%s in %s", name, s->directory);
}

void store_set_trouble(store *s, err e, const char *what, int number)
{
    if (s->trouble)
        return;
    arena a = arena_make(4 * STORE_PATH_BYTES);
    str where = trouble_place(s, number, &a);
    const char *text = e == E_EOF ? "its end is missing" : err_text(e);
    s->trouble = text_copy(str_format(&a, "%s " STR_FMT ": %s; %s", what, STR_ARG(where), text, advice(e)));
    s->trouble_error = e;
    arena_free(&a);
    if (s->events.trouble)
        s->events.trouble(s->events.arg);
}

void store_clear_trouble(store *s)
{
    memory_free(s->trouble);
    s->trouble = NULL;
    s->trouble_error = E_OK;
}

void store_set_unchecked(store *s, int32_t piece, bool value)
{
    if (!s->unchecked && !value)
        return;
    if (!s->unchecked)
        s->unchecked = memory_zeroed((size_t)bitfield_bytes(s->piece_count) + 1, 1);
    if (bit_get(s->unchecked, piece) == value)
        return;
    s->unchecked_count += value ? 1 : -1;
    (value ? bit_set : bit_clear)(s->unchecked, piece);
    if (s->unchecked_count)
        return;
    memory_free(s->unchecked);
    s->unchecked = NULL;
}

void store_lose_piece(store *s, int32_t piece, bool again)
{
    if (!bitfield_has(&s->have, piece))
        return;
    if (bitfield_has(&s->complete, piece)) {
        bitfield_remove(&s->complete, piece);
        s->journal_whole = true;                 // it says otherwise
    }
    bitfield_remove(&s->have, piece);
    store_cache_forget(s, piece);
    if (again)
        store_set_unchecked(s, piece, true);
    if (s->events.lost)
        s->events.lost(s->events.arg, piece);
}

static bool piece_in_parts(const store *s, const metainfo *m, int32_t piece)
{
    int first, last;
    store_piece_files(s, m, piece, &first, &last);
    for (int i = first; i < last; i++)
        if (file_in_parts(s, i))
            return true;
    return false;
}

// Without a layout nobody knows which pieces these are: then all.
void store_lose_file(store *s, const metainfo *m, int number, bool only_unrecorded, bool again)
{
    for (int32_t i = 0; i < s->piece_count; i++) {
        int first = 0, last = 0;
        if (!bitfield_has(&s->have, i) || (only_unrecorded && bitfield_has(&s->complete, i)))
            continue;
        if (m && number != STORE_PARTS)
            store_piece_files(s, m, i, &first, &last);
        bool touches = !m || (number == STORE_PARTS ? piece_in_parts(s, m, i) : number >= first && number < last);
        if (touches)
            store_lose_piece(s, i, again);
    }
}

// ---- putting ------------------------------------------------------------------------------------------------------------------------

static err put_memory(store *s, int32_t piece, const str *blocks, int count, bool *good)
{
    unsigned char found[DIGEST_SHA1_BYTES];
    digest *d = digest_new(DIGEST_SHA1);
    for (int i = 0; i < count; i++)
        digest_add(d, blocks[i]);
    digest_take(d, found);
    digest_free(d);
    *good = str_eq(str_of(found, sizeof found), metainfo_piece_hash(&s->payload_layout, piece));
    s->pool->figures.pieces_bad += !*good;
    s->pool->figures.pieces_put += *good;
    if (*good) {
        bitfield_add(&s->have, piece);
        bitfield_add(&s->complete, piece);
        if (s->events.recorded)
            s->events.recorded(s->events.arg);
    }
    return E_OK;
}

static err put_written(store *s, int32_t piece, const store_io *io)
{
    s->written_ns = world_now_ns(s->pool->world);
    if (!s->dirty_since_ns)
        s->dirty_since_ns = s->written_ns;
    s->dirty_bytes += io->length;
    s->pool->figures.pieces_put++;
    bitfield_add(&s->have, piece);
    store_set_unchecked(s, piece, false);
    store_activate(s);
    return E_OK;
}

static err put_entered(store *s, int32_t piece, const str *blocks, int count, bool *good)
{
    store_layout_data *l;
    err e = s->trouble ? s->trouble_error : store_layout_hold(s, &l);
    if (e) {
        store_set_trouble(s, e, "cannot read the torrent file of", s->file_count + 1);
        return e;
    }
    uint32_t failures = s->sync_failures;
    store_io io = {.store = s, .layout = l, .write = true, .digest = true, .at = s->piece_bytes * piece, .length = store_piece_length(s, piece),
                   .blocks = blocks, .block_count = count, .expected = metainfo_piece_hash(&l->m, piece).at};
    e = store_session_begin(s, l);
    if (!e) {
        store_io_run(&io);
        e = io.error;
        *good = !e && io.fits;
        s->pool->figures.pieces_bad += !e && !io.fits;
        if (e)
            store_set_trouble(s, e, "cannot write", io.bad_file);
        else if (io.fits && failures != s->sync_failures)
            e = E_IO;                            // the sync that failed may have been meant for it
        else if (io.fits)
            e = put_written(s, piece, &io);
    }
    *good = *good && !e;
    store_layout_drop(s);
    return e;
}

err store_put(store *s, int32_t piece, const str *blocks, int block_count, bool *good)
{
    int64_t bytes = 0;
    for (int i = 0; i < block_count; i++)
        bytes += blocks[i].len;
    must(piece >= 0 && piece < s->piece_count && bytes == store_piece_length(s, piece));
    *good = false;
    if (bitfield_has(&s->have, piece)) {
        *good = true;
        return E_OK;
    }
    if (s->payload)
        return put_memory(s, piece, blocks, block_count, good);
    store_enter(s);
    err e = put_entered(s, piece, blocks, block_count, good);
    store_leave(s);
    return e;
}

err store_piece_put(store *s, int32_t piece, str bytes, bool *good) { return store_put(s, piece, &bytes, 1, good); }

err store_flush(store *s)
{
    store_enter(s);
    err e = store_flush_entered(s);
    store_leave(s);
    return e;
}

// Something may have been done about it: a disk mounted, a file put back.
err store_retry(store *s)
{
    if (s->payload)
        return E_OK;
    store_enter_alone(s);
    bool missing = s->trouble_error == E_NO_ENTRY;
    store_clear_trouble(s);
    store_handles_close(s, false);
    err e = store_directory_again(s, missing);
    if (!e)
        e = store_flush_entered(s);
    store_leave_alone(s);
    return e;
}
