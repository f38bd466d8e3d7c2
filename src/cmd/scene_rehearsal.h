// A rehearsal of the player as a scene tells it: on a worker's thread, in virtual time, with a line of the buffer
// every few seconds.
#pragma once
#include "cmd/play.h"
#include "rooms/player/rehearsal.h"

enum { SCENE_LINES_MAX = 64 };

typedef struct {
    play          *play;
    rehearsal_plan plan;                     // heard, script and arg are the scene's
    void         (*script)(rehearsal *r);    // on a fiber; scene_of(r) is the scene. NULL: none
    int64_t        look_ms;                  // a line each so often; 0: none
    bool           events;                   // tell what happens
    rehearsal      r;                        // afterwards; until scene_rehearsal_end
    int64_t        begun_ns, looked_ms;
    int64_t        least_ms, most_ms;        // of the buffer, while playing
    int            lines;
    void          *arg;
} scene_rehearsal;

void scene_rehearse(scene_rehearsal *s);
void scene_rehearsal_end(scene_rehearsal *s);
scene_rehearsal *scene_of(rehearsal *r);
void scene_say(rehearsal *r, const char *format, ...) __attribute__((format(printf, 2, 3)));        // with the time before it
