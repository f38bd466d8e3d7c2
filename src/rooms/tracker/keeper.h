// What survives a restart: a journal of who announced, in batches of a second. Nothing is ever written again: every peer announces
// in every interval, so what is older than a peer may be is of no use, and whole segments go.
#pragma once
#include "keep/journal.h"
#include "rooms/tracker/announce.h"
#include "rt/room.h"

enum {
    KEEPER_SEGMENT_BYTES = 4 << 20,
    KEEPER_SEGMENTS_MAX = 64,       // 256 MiB: above it the oldest goes, whatever its age
    KEEPER_PENDING_BYTES_MAX = 8 << 20,     // of changes that are not written yet; above it changes are not remembered
    KEEPER_SECRET_BYTES = 48,
    KEEPER_FORMAT = 1,
};

typedef struct {
    room    *room;
    tracker *core;
    int      expire_minutes;
    journal *journal;
    buf      pending[2];            // filled, and being written
    int      filling;
    bool     writing, failing;
    int64_t  unsaved, lost, restored;       // changes
    struct { uint32_t number; int64_t newest_s; } segments[KEEPER_SEGMENTS_MAX + 1];
    int      segment_count;
} keeper;

// The room's secrets, made once and kept: who a peer is must be known after a restart, too.
err  keeper_secret(room *r, uint8_t out[KEEPER_SECRET_BYTES], str *why);
// Reads what is there into the core's store (its rules, lists and time are set before) and remembers changes from now on.
err  keeper_open(keeper *k, room *r, tracker *core, int expire_minutes, str *why);
void keeper_count(keeper *k, const torrent *t);     // remembers how often a torrent was completed
void keeper_write(keeper *k);                       // what is pending; parks
void keeper_close(keeper *k);
