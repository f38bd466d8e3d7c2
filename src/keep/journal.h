// The journal: numbered segments of checksummed records, appended by group commit. A record is durable when journal_append
// returns E_OK, and only then. Many fibers append at once and share one sync. Everything here may park; nothing blocks the loop.
//
// Record on disk: magic, length, sequence number, crc32c over them and the bytes. After a failed sync the segment is sealed
// and never synced again: all its waiters get E_SEALED (or E_NO_SPACE, E_IO), and the next append starts a new segment.
// At opening, a torn tail of the last segment (or of a sealed one) is cut off; damage before intact records stops the opening
// with E_CORRUPT and names file and offset.
#pragma once
#include "base/arena.h"
#include "rt/wait.h"

typedef struct journal journal;
typedef struct { uint32_t segment; uint64_t offset; } journal_place;     // of a record; offset in bytes

typedef struct {
    int64_t segment_bytes_max;       // 0: 64 MiB
    int64_t record_bytes_max;        // 0: 32 MiB
    int64_t commit_wait_ns;          // how long a lone record waits for company; 0: not at all
} journal_options;

// Calls `each` for every intact record in order, then is ready for appending. `each` runs on the calling fiber between works and may not keep `bytes`.
typedef void journal_replay(void *arg, journal_place place, str bytes);
err  journal_open(world *w, str directory, journal_options options, journal_replay *each, void *arg,
                  arena *a, journal **out, str *why);
void journal_close(journal *j);                              // waits for running commits
// Appends one record given in pieces (copied or written before return). E_NO_SPACE, E_IO, E_SEALED, E_TOO_LONG; not cancelable.
err  journal_append(journal *j, const str *pieces, int count, journal_place *place);
err  journal_read(journal *j, journal_place place, arena *a, str *out);       // E_CORRUPT, E_NO_ENTRY
// Who keeps records alive counts them per segment; a segment that is not the newest and not in use can be dropped whole.
void journal_hold(journal *j, uint32_t segment);             // one more record of it is needed
void journal_release(journal *j, uint32_t segment);          // one less; at zero the file is deleted in the background
uint32_t journal_newest(journal *j);
uint32_t journal_oldest(journal *j);
typedef struct { int64_t records, syncs, bytes, failed_syncs, segments, torn_bytes; } journal_figures;
journal_figures journal_figures_now(const journal *j);
