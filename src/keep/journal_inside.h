// What the journal's files share. A segment's file and its ends are touched by one work at a time: the commit.
#pragma once
#include "base/list.h"
#include "keep/journal.h"
#include "keep/journal_scan.h"

enum {
    SEGMENT_BYTES_DEFAULT = 64 << 20, SEGMENT_BYTES_CEILING = 1 << 30,
    RECORD_BYTES_DEFAULT = 32 << 20,  RECORD_BYTES_CEILING = 512 << 20,
    COMMIT_RECORDS_MAX = 256,
    COMMIT_BYTES_MAX = 4 << 20,       // in one write; a single larger record goes alone
    COMMIT_VECTORS_MAX = 900,         // with those of the zeros below Linux's IOV_MAX of 1024
    ZEROS_BYTES = 16 << 10,
    PREPARE_COMMIT_BYTES_MAX = 48 << 10,      // a larger commit grows the file: writing zeros would cost more than it saves
    PREPARE_BYTES = 1 << 20,          // zeros are written ahead in steps of this (docs/decisions/journal-space.md)
    JOURNAL_PATH_BYTES = 4096,
};

typedef struct {
    list_link    link;                // in journal.segments, oldest first
    segment_head head;
    file        *file;
    int64_t      end;                 // behind the last durable record
    int64_t      prepared;            // the file is written (records, then zeros) up to here
    int64_t      holds;               // records that somebody needs
    int          pins;                // appends that have not returned yet and reads in progress
    bool         sealed;              // nothing is written to it any more
    bool         ours;                // begun in this life
} segment;

typedef struct append append;

// The commit that is running or being put together; there is one at a time, so its room is in the journal.
typedef struct {
    segment     *into, *created;      // the newest segment so far (or NULL); the one that the commit had to start
    append      *records[COMMIT_RECORDS_MAX];
    unsigned char heads[COMMIT_RECORDS_MAX][RECORD_HEAD_BYTES];
    struct iovec vectors[COMMIT_VECTORS_MAX + PREPARE_BYTES / ZEROS_BYTES + 1];
    int          count, vector_count;
    int64_t      bytes;               // records with their heads
    err          error;
    bool         sync_failed;
} commit;

struct journal {
    world          *world;
    char           *directory;
    journal_options options;
    file           *lock;
    list            segments;
    list            waiting;          // of appends, first come first
    bool            committing, cleaning, clean_wanted, closing;
    int             calls;            // that are inside: journal_close waits for them
    gate            closer;
    commit          commit;
    uint64_t        next_sequence;
    journal_figures figures;
};

// ---- journal_segment.c: files; blocking, inside work() -------------------------------------------------------------------

void segment_path(const journal *j, uint32_t number, char out[JOURNAL_PATH_BYTES]);
// A new segment, durable under its name before anything is written to it. `before`: the newest one, or NULL. One that was
// sealed before it promised anything is replaced: the new one takes its number and place.
bool segment_is_waste(const segment *s);
err  segment_create(journal *j, const segment *before, uint64_t first_sequence, segment **out);
// Deletes it, or keeps one of full size as a spare that the next new segment writes over; the directory is synced. One that is
// gone already is fine.
err  segment_retire(journal *j, const segment *s);
void segment_free(segment *s);                         // closes the file

// ---- journal.c -------------------------------------------------------------------------------------------------------------

void journal_free(void *journal);                      // closes all files; blocking, inside work()
