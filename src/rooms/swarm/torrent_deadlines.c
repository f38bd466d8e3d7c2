// Deadlines for whoever plays a torrent while it comes: pieces of some files in order, each wanted when the player comes to it. The
// picker knows a few hundred at a time; the next ones follow as those come.
#include <string.h>

#include "base/heap_memory.h"
#include "rooms/swarm/swarm_inside.h"
#include "rt/loop.h"

#define FAR_NS (365 * 24 * 3600 * NS_PER_S)

typedef unsigned __int128 wide;

struct torrent_playing {
    int64_t began_ns, within_ns, bytes_per_s;
    int     file_count;
    unsigned char *files;                    // a byte a file, 1: it is played; NULL: all
    // how far deadlines have been given
    int     file;
    int32_t first, piece;                    // the first and the last that have one; -1: none yet
    int64_t before, length;                  // bytes of played files before `file`; of all, 0: not counted yet
};

static void playing_free(struct torrent_playing *x)
{
    if (x)
        memory_free(x->files);
    memory_free(x);
}

void torrent_deadlines_free(torrent *t)
{
    playing_free(t->playing);
    t->playing = NULL;
}

static bool is_played(const struct torrent_playing *x, const metainfo *m, int number)
{
    return (!x->files || (number < x->file_count && x->files[number])) && m->files[number].length > 0 && !m->files[number].pad;
}

static int64_t length_of(const struct torrent_playing *x, const metainfo *m)
{
    int64_t length = 0;
    for (int i = 0; i < m->file_count; i++)
        length += is_played(x, m, i) ? m->files[i].length : 0;
    return length;
}

// When a player that has read `passed` bytes waits for the piece; without a rate, evenly until all is to be there.
static int64_t due_ns(const struct torrent_playing *x, int64_t passed, int64_t passed_with_it)
{
    wide after = x->bytes_per_s ? (wide)passed * (wide)NS_PER_S / (wide)x->bytes_per_s + (wide)x->within_ns
                                : (wide)x->within_ns * (wide)passed_with_it / (wide)x->length;
    return x->began_ns + (after < (wide)FAR_NS ? (int64_t)after : FAR_NS);
}

// False: the picker has no room for more now.
static bool piece_give(torrent *t, struct torrent_playing *x, const metainfo_file *f, int32_t piece)
{
    int64_t start = t->meta->piece_bytes * piece, end = start + metainfo_piece_length(t->meta, piece), file_end = f->offset + f->length;
    int64_t from = start > f->offset ? start - f->offset : 0, until = (end < file_end ? end : file_end) - f->offset;
    if (piece <= x->piece || bitfield_has(picker_have(t->picker), piece) || picker_priority_of(t->picker, piece) == PICKER_SKIP)
        return true;
    if (!picker_deadline_set(t->picker, piece, due_ns(x, x->before + from, x->before + until)))
        return false;
    x->first = x->first < 0 ? piece : x->first;
    x->piece = piece;
    return true;
}

static bool file_give(torrent *t, struct torrent_playing *x, const metainfo_file *f)
{
    int32_t first = (int32_t)(f->offset / t->meta->piece_bytes), last = (int32_t)((f->offset + f->length - 1) / t->meta->piece_bytes);
    for (int32_t i = first > x->piece ? first : x->piece + 1; i <= last; i++)
        if (!piece_give(t, x, f, i))
            return false;
    x->before += f->length;
    return true;
}

void torrent_deadlines_give(torrent *t)
{
    struct torrent_playing *x = t->playing;
    if (!x || !t->picker || !t->meta || x->file == t->meta->file_count)
        return;
    x->length = x->length ? x->length : length_of(x, t->meta);
    for (; x->file < t->meta->file_count; x->file++)
        if (is_played(x, t->meta, x->file) && !file_give(t, x, &t->meta->files[x->file]))
            return;
}

void torrent_deadlines_begin(torrent *t)
{
    struct torrent_playing *x = t->playing;
    if (x) {
        x->file = 0;
        x->first = x->piece = -1;
        x->before = 0;
    }
    torrent_deadlines_give(t);
}

static void deadlines_drop(torrent *t)
{
    for (int32_t i = t->playing ? t->playing->first : -1; t->picker && i >= 0 && i <= t->playing->piece; i++)
        (void)picker_deadline_set(t->picker, i, 0);
    torrent_deadlines_free(t);
}

void torrent_play(torrent *t, const torrent_playback *said)
{
    deadlines_drop(t);
    if (said->within_ns <= 0)
        return;
    struct torrent_playing *x = memory_zeroed(1, sizeof *x);
    *x = (struct torrent_playing){.began_ns = loop_now_ns(), .within_ns = said->within_ns, .bytes_per_s = said->bytes_per_s,
                                  .file_count = said->files ? said->file_count : 0};
    if (said->files)
        x->files = memcpy(memory_new((size_t)said->file_count + 1), said->files, (size_t)said->file_count);
    t->playing = x;
    torrent_deadlines_begin(t);
    torrent_ask_all(t);
}
