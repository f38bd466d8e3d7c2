// A strip of filters: frames in at one end, frames out at the other (libavfilter).
#pragma once
#include <libavfilter/avfilter.h>

#include "encode/source.h"

typedef struct {
    AVFilterGraph   *graph;
    AVFilterContext *in, *out;               // in NULL: the strip makes its frames itself
    AVFrame         *frame;
    int              width, height, format;  // what comes in; it may not change
    int64_t          last, end;              // time stamps of the last frame: where it begins and ends
} strip;

// For frames like `first` (time stamps in AV_TIME_BASE units). filters: what stands between; false: said already.
bool strip_open_pictures(strip *s, const AVFrame *first, const char *filters);
bool strip_open_sound(strip *s, const AVFrame *first, const char *filters, int samples_a_frame);
// A graph with its own sources and one output named [out].
bool strip_open_made(strip *s, const char *graph, bool sound, int samples_a_frame);
void strip_close(strip *s);

// Puts a frame in (NULL: the last was before) and gives what comes out to `each`.
bool strip_put(strip *s, AVFrame *frame, source_frame *each, void *arg);
// The next frame of a strip that makes its own: 1, 0 at the end, -1 said already. It stands in s->frame until the next call.
int  strip_next(strip *s);
AVRational strip_time_base(const strip *s);
