// A torrent for the store's tests: its bytes, its torrent file, a pool and a store over it.
#pragma once
#include "keep/play_test.h"
#include "rooms/swarm/store.h"

typedef struct { const char *path; int64_t length; bool pad; } play_file;

typedef struct {
    stage   *t;
    arena    memory;
    metainfo m;
    uint8_t  hash[INFO_HASH_BYTES];
    unsigned char *payload;
    str      torrent;                            // the file's bytes
    str      state, home;                        // directories
    store_limits limits;
    store_pool *pool;
    store   *store;
    scope    scope;
    const bool *wanted;
    str      moving_from;
    bool     allocate_full;
    int      lost, recorded, troubles;
    str      why;
} play;

// Makes bytes and torrent file; single when the only path has no '/'.
void play_make(play *p, stage *t, const play_file *files, int count, int64_t piece_bytes);
void play_free(play *p);
err  play_open(play *p);                         // pool and store; the torrent file is put into the state directory first
void play_close(play *p);
str  play_piece(const play *p, int32_t piece);
err  play_put(play *p, int32_t piece);           // CHECKs that it is good unless an error came
// Reads every piece that is complete from the disk, hashes it, CHECKs it; returns how many.
int  play_verify_complete(play *p);
err  play_write_file(play *p, const char *path, int64_t offset, str bytes);      // behind the store's back; under home
str  play_read_file(play *p, const char *path);  // empty: not there
bool play_exists(play *p, const char *path);
err  play_remove(play *p, const char *path);
