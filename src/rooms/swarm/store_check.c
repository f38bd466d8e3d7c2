// Hashing what is there already: a user's own files, or files that changed while nobody looked.
#include <string.h>

#include "base/heap_memory.h"
#include "rooms/swarm/store_inside.h"

void store_unreadable(store *s, const store_io *io)
{
    bool gone = io->error == E_EOF || io->error == E_NO_ENTRY;
    store_set_trouble(s, io->error, "cannot read", io->bad_file);
    if (gone)
        store_lose_file(s, &io->layout->m, io->bad_file, false, true);
}

typedef struct {
    store   *s;
    store_layout_data *layout;
    bool     all;
    int32_t  next, done, of;
    store_progress *progress;
    void    *arg;
    err      error;
    bool     stopped;
    int64_t  noted_ns;
} checking;

static int32_t piece_take(checking *c)
{
    while (c->next < c->s->piece_count) {
        int32_t piece = c->next++;
        if (c->all || (c->s->unchecked && bit_get(c->s->unchecked, piece)))
            return piece;
    }
    return -1;
}

// The files of a piece that is good are to be synced and written down: nobody knows who wrote them, and when.
static void piece_good(checking *c, int32_t piece)
{
    store *s = c->s;
    int first, last;
    store_set_unchecked(s, piece, false);
    if (bitfield_has(&s->have, piece))
        return;
    bitfield_add(&s->have, piece);
    store_piece_files(s, &c->layout->m, piece, &first, &last);
    for (int i = first; i < last; i++) {
        int bit = session_bit(s, file_in_parts(s, i) ? STORE_PARTS : i);
        if (c->layout->m.files[i].pad || !c->layout->m.files[i].length)
            continue;
        bitfield_add(&s->session->dirty, bit);
        bitfield_add(&s->session->touched, bit);
        bitfield_add(&s->session->created, bit);
    }
    s->written_ns = world_now_ns(s->pool->world);
    s->dirty_since_ns = s->dirty_since_ns ? s->dirty_since_ns : s->written_ns;
}

static void piece_check(checking *c, int32_t piece, unsigned char *room)
{
    store *s = c->s;
    store_io io = {.store = s, .layout = c->layout, .digest = true, .at = s->piece_bytes * piece, .length = store_piece_length(s, piece),
                   .into = room, .expected = metainfo_piece_hash(&c->layout->m, piece).at, .probing = true};
    store_io_run(&io);
    bool absent = io.error == E_EOF || io.error == E_NO_ENTRY || io.error == E_ACCESS;
    if (io.error && !absent) {
        c->error = io.error;
        store_set_trouble(s, io.error, "cannot read", io.bad_file);
        return;
    }
    if (!io.error && io.fits) {
        piece_good(c, piece);
    } else {
        store_set_unchecked(s, piece, false);
        store_lose_piece(s, piece, false);
    }
    c->done++;
    if (c->progress)
        c->progress(c->arg, c->done, c->of);
}

// A long check writes down how far it came: nobody wants to begin anew.
static void checked_note(checking *c)
{
    int64_t now = world_now_ns(c->s->pool->world);
    if (c->error || now - c->noted_ns < c->s->pool->limits.settle_ns)
        return;
    c->noted_ns = now;
    c->error = store_states_record(c->s, c->layout);
}

static void checker(void *arg)
{
    checking *c = arg;
    unsigned char *room = memory_new((size_t)c->s->piece_bytes);
    for (int32_t piece; !c->error && !c->stopped && (piece = piece_take(c)) >= 0; ) {
        piece_check(c, piece, room);
        checked_note(c);
        c->stopped = c->stopped || fiber_canceled();
    }
    memory_free(room);
}

static void check_run(checking *c)
{
    int64_t fit = STORE_CHECK_BYTES_MAX / c->s->piece_bytes;
    int fibers = fit < 1 ? 1 : fit < STORE_CHECKS_MAX ? (int)fit : STORE_CHECKS_MAX;
    SCOPE(checkers, 0, STORE_CHECKS_MAX);
    int started = 0;
    for (int i = 0; i < fibers; i++)
        started += scope_go(&checkers, "checking pieces", checker, c) == E_OK;
    if (!started)
        c->stopped = true;
    if (scope_wait(&checkers) != E_OK)
        c->stopped = true;
}

static void check_all(checking *c)
{
    store *s = c->s;
    check_run(c);
    if (!c->error && !s->trouble)
        c->error = store_flush_entered(s);
}

err store_check(store *s, bool all, store_progress *progress, void *arg)
{
    if (s->payload || (!all && !s->unchecked_count))
        return E_OK;
    checking c = {.s = s, .all = all, .progress = progress, .arg = arg, .of = all ? s->piece_count : s->unchecked_count,
                  .noted_ns = world_now_ns(s->pool->world)};
    if (all) {                                   // what was missing may be missing now
        store_enter_alone(s);
        store_clear_trouble(s);
        store_handles_close(s, true);            // by its name: a file that was removed can be read as long as it is open
        (void)store_directory_again(s, false);
        store_leave_alone(s);
    }
    store_enter(s);
    c.error = store_layout_hold(s, &c.layout);
    if (!c.error) {
        if (all)
            store_layout_directory(s, c.layout);
        c.error = store_session_begin(s, c.layout);
        if (!c.error)
            check_all(&c);
        store_layout_drop(s);
    }
    store_leave(s);
    if (c.error || c.stopped)
        return c.error ? c.error : E_CANCELED;
    store_enter_alone(s);
    err e = s->trouble ? s->trouble_error : store_settle_entered(s);
    store_leave_alone(s);
    return e;
}
