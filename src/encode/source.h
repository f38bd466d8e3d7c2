// A stranger's film: opened from a descriptor, with demuxers and decoders that are named here and no others, and
// nothing that a file
// points at is followed. Frames come with time stamps from 0.
#pragma once
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>

#include "rt/world.h"

typedef struct {
    world           *world;
    file            *file;
    int64_t          at, size_bytes;
    AVFormatContext *format;
    int              video, sound;           // stream numbers, -1: none
    int              width, height;          // as shown: square pixels, turned upright
    int              turn;                   // degrees clockwise: 0 90 180 270
    AVRational       frame_rate;             // one of the usual ones
    int64_t          duration_ms;
    int64_t          start_us;               // what the file's clock says at the first frame
} source;

// False: said already.
bool source_open(source *s, world *w);
void source_close(source *s);

typedef bool source_frame(void *arg, AVFrame *frame);        // NULL: that was the last; false: stop (said already)
// Decodes one stream from its beginning; times in AV_TIME_BASE units from the film's start stand in frame->pts.
// key_frames: only those.
bool source_frames(source *s, int stream, bool key_frames, source_frame *each, void *arg);
