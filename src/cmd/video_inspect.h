// What `naru video inspect` and scene V1 draw: the sizes of frames, the rate over time, run-length coding.
#pragma once
#include "cmd/video.h"

enum { INSPECT_SECONDS_MAX = 6 * 3600 + 60, INSPECT_GRAY_WIDTH = 64, INSPECT_GRAY_HEIGHT = 36, INSPECT_LEVELS = 16 };

typedef struct { unsigned char type; uint32_t bytes; } inspect_frame;
typedef struct {
    inspect_frame *frames; int count;            // in the order of the file
    int            group;                        // frames from key frame to key frame
    uint64_t      *bits; int seconds;            // of each second of the film
} inspect_table;

typedef struct {
    unsigned char level[INSPECT_GRAY_HEIGHT][INSPECT_GRAY_WIDTH];      // 0 .. 15
    int           runs;                          // of equal values along the lines
} inspect_gray;

// A rendition's frames.txt. False: it is not there, or not of this rendition.
bool inspect_frames_read(world *w, const char *films, const film *f, const media_rendition *r, arena *a, inspect_table *out);
// "flat.pgm", "busy.pgm".
bool inspect_gray_read(world *w, const char *films, const film *f, const char *name, inspect_gray *out);

void inspect_frames_draw(buf *out, const inspect_table *t, const film_frames kinds[FILM_FRAME_KINDS], int columns,
                         bool korean);
// top_bps: what the highest column stands for; line_bps: drawn as a line through it.
void inspect_rate_draw(buf *out, const inspect_table *t, uint64_t top_bps, uint64_t line_bps, int columns);
uint64_t inspect_rate_most(const inspect_table *t);
void inspect_gray_draw(buf *out, const inspect_gray *flat, const inspect_gray *busy, bool korean);
