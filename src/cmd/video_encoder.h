// The encoder's processes: one for each step, locked, told what to do by words and telling lines
// (src/encode/task.h). docs/video.md.
#pragma once
#include "cmd/video.h"

// What a source is, from a process that has looked at it and nothing else.
typedef struct {
    int64_t  duration_ms;
    uint32_t width, height, frames_number, frames_in;
    bool     sound;
} video_source;

typedef void video_progress(void *arg, int64_t done, int64_t total);

typedef struct {
    video_run      *run;
    const char     *program;                     // naru-encode
    const char     *source, *directory;          // source NULL: none (a film that is made)
    video_progress *progress;
    void           *arg;
    int64_t         duration_ms;                 // what bounds time and files; 0: not known yet
} video_encoder;

// naru-encode beside naru, or in ../libexec/naru beside its folder. False: said.
bool video_encoder_find(video_run *v, const char **program);
bool video_encoder_probe(video_encoder *e, video_source *out);
// Runs a step: its name and --words (at most VIDEO_WORDS_MAX). False: said, and what the source did, or what was missing.
enum { VIDEO_WORDS_MAX = 12, VIDEO_WORD_BYTES_MAX = 64 };
bool video_encoder_run(video_encoder *e, const char *step, char words[][VIDEO_WORD_BYTES_MAX], int count,
                       int64_t file_bytes_max);
