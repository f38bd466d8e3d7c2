// A story made ready for drawing: who stands where, and one row for each message, though both of its ends told it. Pure.
#pragma once
#include "rt/story.h"

enum { STORY_HOSTS_MAX = 24, STORY_HOST_BYTES_MAX = 46, STORY_PAIR_DISTANCE_MAX = 256,
       STORY_TEXT_BYTES_MAX = 1024 };

typedef struct {
    const story_event *event;        // as the sender told it, where it did
    str     text;                    // its line; the lines of one answer ("250-", "250 ") together, with " / " between
    int     from, to;                // hosts; the same: a note, or a conversation inside one host
    bool    inside;                  // said inside one host (from == to), and no note
    int64_t after_ns;                // since the story began
} story_row;

typedef struct {
    char       hosts[STORY_HOSTS_MAX][STORY_HOST_BYTES_MAX];
    int        host_count;           // above STORY_HOSTS_MAX - 1 strangers share the last one, "..."
    story_row *rows;                 // in the arena
    int        row_count;
} story_picture;

// False when the arena is full. The events must outlive the picture.
bool story_picture_make(const story_event *events, int count, arena *a, story_picture *out);
// "+1.23 ms", "+12 s"
void story_time_text(char out[16], int64_t after_ns);
