// The journal: numbered segments of checksummed records, appended by group commit. A record is durable when journal_append
// returns E_OK, and only then. Many fibers append at once and share one sync. Everything here may park; nothing blocks the loop.
// The formats on disk, the guarantees and what happens on each failure: docs/storage.md.
//
// After a failed sync the segment is sealed and never synced again: all its waiters get the error, and the next append
// starts a new segment. An opening, too, never writes to what an earlier life left: it cuts a torn tail off, and the first
// append starts a new segment. Damage to what had been promised stops the opening with E_CORRUPT and names file and offset.
// A record that was written whole but never promised may be replayed (better twice than lost).
#pragma once
#include "base/arena.h"
#include "rt/wait.h"

typedef struct journal journal;
typedef struct { uint32_t segment; uint64_t offset; } journal_place;     // of a record; offset in bytes

enum {
    JOURNAL_PIECES_MAX = 64,         // pieces of one record
    JOURNAL_SEGMENTS_MAX = 1024,     // each keeps a descriptor open; above it appends answer E_LIMIT
};

typedef struct {
    int64_t segment_bytes_max;       // 0: 64 MiB; at most 1 GiB
    int64_t record_bytes_max;        // 0: 32 MiB; at most 512 MiB
    int64_t commit_wait_ns;          // how long a lone record waits for company; 0: not at all
} journal_options;

// Calls `each` for every intact record in order, then is ready for appending; makes the directory when it is missing. `each`
// runs on the calling fiber between works, may not keep `bytes`, and may hold segments (*out is set before). On failure *out is
// NULL and *why (in `a`) says what, where, why and what to do: E_CORRUPT, E_IN_USE (another process has it open), E_ACCESS,
// E_NO_SPACE, E_IO ...
typedef void journal_replay(void *arg, journal_place place, str bytes);
err  journal_open(world *w, str directory, journal_options options, journal_replay *each, void *arg,
                  arena *a, journal **out, str *why);
void journal_close(journal *j);                              // waits for running commits and reads; NULL is fine
// Appends one record given in pieces, which must stay as they are until it returns. Not cancelable.
// E_OK: durable. E_TOO_LONG; E_NO_SPACE, E_IO, E_LIMIT, E_CRASHED: not promised; after a restart it may be replayed or not.
err  journal_append(journal *j, const str *pieces, int count, journal_place *place);
// E_CORRUPT: not an intact record. E_NO_ENTRY: its segment was dropped. E_LIMIT: the arena is full. E_IO.
err  journal_read(journal *j, journal_place place, arena *a, str *out);

// Who keeps records alive counts them per segment: hold inside `each`, or right after journal_append, without parking in
// between. Segments go whole and oldest first, each durably before the next, when nobody holds them and they are not the newest:
// so a record that ends an older one ("delivered") outlives it without being held. One old record therefore keeps all
// that is younger: who has long-lived ones appends them anew and releases the old place.
void journal_hold(journal *j, uint32_t segment);             // one more record of it is needed
void journal_release(journal *j, uint32_t segment);          // one less; never parks: files go with a later commit or the closing
// From oldest to newest without gaps; while there is none, oldest is 1 and newest 0.
uint32_t journal_oldest(journal *j);
uint32_t journal_newest(journal *j);
typedef struct { int64_t records, syncs, bytes, failed_syncs, segments, torn_bytes; } journal_figures;
journal_figures journal_figures_now(const journal *j);       // since the opening; records and bytes that became durable

// For a backup: the files that hold every record that is durable now. They stay, unchanged in their first so many bytes, until
// journal_give_back; appending goes on. Nothing parks. E_LIMIT: the arena is full.
typedef struct { uint32_t number; int64_t bytes; } journal_part;         // bytes -1: the whole file
typedef struct { journal_part *parts; int count; } journal_loan;
err  journal_lend(journal *j, arena *a, journal_loan *out);
void journal_give_back(journal *j, const journal_loan *loan);            // a loan of nothing is fine
enum { JOURNAL_FILE_NAME_BYTES = 24 };
void journal_file_name(uint32_t number, char out[JOURNAL_FILE_NAME_BYTES]);      // of a segment, in the journal's directory
