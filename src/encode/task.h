// What `naru-encode` is asked to do. One step a process, so that a crash, a limit or a kill costs one step: naru
// starts it again.
// The source is standard input (a file, opened by naru); it writes into the directory that it begins in and tells
// naru lines on standard output:
//
//     source DURATION_MS WIDTH HEIGHT FRAMES_NUMBER FRAMES_IN SOUND    probe: what it is; SOUND 0 or 1
//     progress DONE TOTAL                                              in thousandths or frames; TOTAL > 0
//     done | failed WHY                                                the last line
#pragma once
#include "base/text.h"

typedef enum { STEP_PROBE, STEP_VIDEO, STEP_SOUND, STEP_STILLS, STEP_SAMPLE, STEPS } task_step;

// What no source may exceed, whatever it says of itself.
enum {
    TASK_DURATION_S_MAX = 6 * 3600,
    TASK_PIXELS_MAX = 4096 * 2304,           // of one picture
    TASK_SIDE_MAX = 8192,
    TASK_STREAMS_MAX = 32,
    TASK_RATE_BPS_MAX = 100 * 1000 * 1000,
    TASK_FRAMES_MAX = TASK_DURATION_S_MAX * 60,
    TASK_TILES_ACROSS = 5, TASK_TILES_DOWN = 5, TASK_TILE_WIDTH = 160,
    TASK_GRAY_WIDTH = 64, TASK_GRAY_HEIGHT = 36,         // of flat.pgm and busy.pgm
};

typedef struct {
    task_step   step;
    const char *name;                        // what it writes: NAME.part
    int64_t     width, height;               // of the rendition
    int64_t     rate_bps;
    int64_t     frames_number, frames_in;    // frame rate = number / in
    int64_t     group_frames;                // from key frame to key frame: a segment
    int64_t     constant;                    // 1: constant bit rate, else variable with rate_bps as the ceiling
    int64_t     duration_ms;                 // of the source (of the film: sample)
    // What the process is held to.
    int64_t     user;                        // 0: stay who we are
    int64_t     memory_bytes, processor_s, file_bytes;
} task;

// From the words of the command line, STEP --KEY=VALUE ...; every value within its bounds. False with *why.
bool task_read(int argc, char **argv, task *out, const char **why);
