// The segments as one stream of fragmented MP4 for a program that reads standard input.
#include "cmd/play_video.h"

#include <string.h>

#include "rt/feed.h"
#include "rt/loop.h"
#include "wire/media/join.h"

enum { QUEUE_BYTES_MAX = 512 << 20, WORDS_MAX = 32, PIECE_BYTES = 64 * 1024, HAND_MEMORY_BYTES = 1 << 20 };
#define PLAY_ON_NS minutes(5)                            // the program still has what it was given
#define GONE_NS    seconds(1)                            // it reads no more: it is about to end

struct play_hand {
    arena  *a;
    feed   *feed;
    const char *program;
    buf     queue; size_t sent;                          // to be written; so much of it was
    unsigned char piece[PIECE_BYTES];                    // that is being written: the queue may move meanwhile
    buf     early;                                       // sound that came before the first picture's beginning
    str     video, sound;                                // initialization segments
    str     sets;                                        // of a new rendition: before its first sample
    bool    begun, gone, complete;
    uint32_t sequence;
    gate    changed;
};

play_hand *play_hand_new(str command, bool quiet, arena *a, str *why)
{
    const char *words[WORDS_MAX + 1] = {0};
    int count = 0;
    for (str rest = command, word; (word = str_word(&rest)).len > 0 && count < WORDS_MAX;)
        words[count++] = str_to_z(a, word);
    play_hand *h = arena_new(a, play_hand);
    if (!h) {
        *why = S("no memory is left");
        return NULL;
    }
    h->a = a;
    h->program = words[0];
    h->queue = buf_make(QUEUE_BYTES_MAX);
    h->early = buf_make(QUEUE_BYTES_MAX);
    err e = count ? feed_start(words, quiet, &h->feed) : E_NO_ENTRY;
    if (e) {
        *why = e == E_NO_ENTRY ? str_format(a, "there is no program \"%s\" here (Debian: apt install mpv ffmpeg)", count ? words[0] : "")
                               : str_format(a, "%s: %s", words[0], err_text(e));
        return NULL;
    }
    return h;
}

static bool begin(play_hand *h)
{
    h->begun = join_begin(h->video, h->sound, &h->queue);
    if (!h->begun) {                                     // several tracks in one already: as it stands
        buf_put(&h->queue, h->video);
        h->begun = true;
    }
    buf_put(&h->queue, buf_str(&h->early));
    buf_free(&h->early);
    return h->begun;
}

static void initialization_take(play_hand *h, const player_piece *p)
{
    if (p->lane) {
        h->sound = str_copy(h->a, p->bytes);
        return;
    }
    h->sets = h->begun ? join_parameter_sets(p->bytes, h->a) : (str){0};
    h->video = str_copy(h->a, p->bytes);
    if (!h->begun)
        (void)begin(h);
}

bool play_hand_take(play_hand *h, const player_piece *p)
{
    if (p->segment < 0) {
        initialization_take(h, p);
        gate_wake_all(&h->changed);
        return !h->gone;
    }
    buf *out = h->begun ? &h->queue : &h->early;
    size_t before = out->len;
    if (!join_segment(p->bytes, p->lane ? JOIN_AUDIO : JOIN_VIDEO, p->lane ? (str){0} : h->sets, &h->sequence, out)) {
        out->len = before;
        buf_put(out, p->bytes);                          // cannot be moved: as it stands
    }
    if (!p->lane)
        h->sets = (str){0};
    gate_wake_all(&h->changed);
    return !h->gone && !h->queue.full;
}

void play_hand_run(play_hand *h)
{
    while (!h->gone) {
        size_t left = h->queue.len - h->sent, n = left < PIECE_BYTES ? left : PIECE_BYTES;
        if (n == 0) {
            buf_clear(&h->queue);
            h->sent = 0;
            if (h->complete || gate_wait(&h->changed, NEVER_NS, "a segment for the picture") == E_CANCELED)
                return;
            continue;
        }
        memcpy(h->piece, h->queue.at + h->sent, n);
        h->sent += n;
        err e = feed_put(h->feed, str_of(h->piece, n));
        h->gone = e == E_EOF;
        if (e == E_CANCELED)
            return;
    }
}

void play_hand_finish(play_hand *h)
{
    h->complete = true;
    gate_wake_all(&h->changed);
}

bool play_hand_gone(const play_hand *h) { return h->gone; }

str play_hand_end(play_hand *h, bool at_once)
{
    if (!h)
        return (str){0};
    int how = feed_end(h->feed, h->gone ? GONE_NS : at_once ? 0 : PLAY_ON_NS);
    buf_free(&h->queue);
    buf_free(&h->early);
    return how == 0 ? (str){0} : str_format(h->a, "%s ended by itself, with %s %d; --verbose shows what it says", h->program,
                                            how < 0 ? "signal" : "exit code", how < 0 ? -how : how);
}
