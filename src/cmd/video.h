// naru video: what its verbs share. Private to video*.c and the scenes.
#pragma once
#include "base/buf.h"
#include "cmd/options.h"
#include "rooms/origin/catalogue.h"
#include "rooms/origin/origin.h"

enum {
    VIDEO_MEMORY_BYTES_MAX = 256 << 20,
    VIDEO_TEXT_BYTES_MAX = 64 << 20,
    VIDEO_USER = 60899,                          // who the encoder runs as when we are root
    VIDEO_SOURCE_BYTES_MIN = 64,
};
#define VIDEO_SAMPLE_ID "test-film"

typedef struct {
    world *world;
    arena  memory;
    buf    out;                                  // standard output, when all is done
    str    words[COMMAND_WORDS_MAX];
    int    word_count;
    bool   json, quiet;
    bool   served;                               // by a naru that runs
    str    language;
    str    catalogue, naru, host, config;        // where the films are
    str    id, title, rate, ladder, size, limit_rate;
    str    resolver, ca;                         // push: how edges are found and verified
    int64_t seconds;                             // sample
    char  *directory;                            // films/ work/ trash/ are below it
    char  *films;
    origin_encoding encoding;
    int    code;
    str    trouble;                              // why code is not COMMAND_OK
} video_run;

// false; the first one counts
bool video_fail(video_run *v, int code, const char *format, ...) __attribute__((format(printf, 3, 4)));
// Where the films are: --catalogue, the running naru's, or what naru.conf says; sets directory, films and
// encoding. video_place.c
bool video_place(video_run *v);
// below directory
char *video_path(video_run *v, const char *format, ...) __attribute__((format(printf, 2, 3)));
bool video_film(video_run *v, str id, film *out);        // false: there is none; said

typedef void video_verb(video_run *v);
void video_add(video_run *v);                    // video_add.c
void video_sample(video_run *v);
void video_list(video_run *v);                   // video_show.c
void video_show(video_run *v);
void video_tell_equal(video_run *v, const film *f);      // a line for each rung that shows no more than the one below
void video_remove(video_run *v);
void video_inspect(video_run *v);                // video_inspect.c
void video_push(video_run *v);                   // video_push.c
