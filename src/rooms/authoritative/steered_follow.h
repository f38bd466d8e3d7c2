// Keeps the table of steered names as the steering service says: a fiber a name follows the inside door "steering.names".
#pragma once
#include "rooms/authoritative/steered.h"
#include "rt/room.h"

typedef struct {
    room    *room;
    str      text;                           // the name, as configured
    steered_name *name;
    arena    memory[2];                      // of the ranking that is answered from, and of the next
    steered_ranking rankings[2];
    int      now;
    int64_t  heard_ns;                       // when steering last said anything; 0: never
    bool     silent;                         // it does not answer; the last ranking counts
} steered_following;

void steered_follow(void *arg);              // a steered_following; until canceled
void steered_follow_free(steered_following *f);
void steered_meters_show(void);
