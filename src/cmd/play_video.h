// naru play: what its parts share. docs/play.md.
#pragma once
#include "base/buf.h"
#include "rooms/player/player.h"

enum { PLAY_SAMPLES = 60, PLAY_TEXT_BYTES_MAX = 256 * 1024, PLAY_LINES_MAX = 24 };

// What the live view draws over time: one sample each PLAY_SAMPLE_MS.
enum { PLAY_SAMPLE_MS = 500 };
typedef struct {
    int64_t  buffer_ms[PLAY_SAMPLES];
    uint64_t throughput_bps[PLAY_SAMPLES];
    int8_t   rung[PLAY_SAMPLES];             // -1: none
    int      count, next;                    // a ring
} play_history;
void play_history_add(play_history *h, const player_view *v);

// play_draw.c
void play_draw(buf *out, const player_view *v, const play_history *h, int columns, bool keys, bool korean);
void play_summary(buf *out, const player_view *v, const char *rule, bool korean);
void play_summary_json(buf *out, const player_view *v, const char *rule);
// One line of what happened; empty for events that say nothing to people.
void play_event_line(buf *out, const player_view *v, const player_event *e, bool korean);
const char *play_state_text(const player_view *v, bool korean);

// play_hand.c: the segments as one stream for mpv, ffplay or another program.
typedef struct play_hand play_hand;
play_hand *play_hand_new(str command, bool quiet, arena *a, str *why);    // "mpv -" and so on; NULL with *why. quiet: its own words go nowhere
bool play_hand_take(play_hand *h, const player_piece *piece);    // false: the program is gone
void play_hand_run(play_hand *h);                                // writes, until the fiber is canceled or play_hand_finish; in a fiber of its own
void play_hand_finish(play_hand *h);                             // no more comes: play_hand_run returns when all is written
bool play_hand_gone(const play_hand *h);                         // the program reads no more
// The stream is complete: waits for the program, or tells it to end. Why it failed; empty: it did not.
str  play_hand_end(play_hand *h, bool at_once);
