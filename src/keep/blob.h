// Blobs: immutable files for large bodies, DIRECTORY/ab/cdef…, written to a temporary name, synced, renamed, directory
// synced, so that an id that blob_finish returned is there after a crash. Leftovers of unfinished ones are removed at opening.
// Calls park while a worker does the work; different fibers may use different drafts of one store at once.
#pragma once
#include "base/arena.h"
#include "rt/world.h"

typedef struct blobs blobs;
typedef struct blob_draft blob_draft;
typedef struct { unsigned char bytes[16]; } blob_id;         // random, from the world

enum { BLOB_BYTES_MAX = 1 << 30 };                           // of one blob; above it E_TOO_LONG

// Makes the directory when it is missing. On failure *why (in `a`) says what, where, why and what to do.
err  blobs_open(world *w, str directory, arena *a, blobs **out, str *why);
void blobs_close(blobs *b);                                  // no draft is left and no call is running; NULL is fine
err  blob_begin(blobs *b, blob_draft **out);
err  blob_write(blob_draft *d, str bytes);                   // through work(); buffered to 256 KiB steps; sticky error
err  blob_finish(blob_draft *d, blob_id *id);                // synced; frees the draft in every case
void blob_drop(blob_draft *d);                               // forget it; NULL is fine
err  blob_read(blobs *b, blob_id id, int64_t offset, void *into, size_t size, size_t *got);    // fewer only at its end
err  blob_size(blobs *b, blob_id id, int64_t *out);          // E_NO_ENTRY
err  blob_remove(blobs *b, blob_id id);                      // E_NO_ENTRY; a crash soon after it may bring the blob back
// All blobs there are, in order of their ids: for removing, after a crash, those that nothing points at. E_LIMIT: the arena
// is full.
err  blobs_list(blobs *b, arena *a, blob_id **ids, int *count);
void blob_id_text(blob_id id, char out[33]);
bool blob_id_parse(str text, blob_id *out);                  // 32 digits, lower case as blob_id_text writes them
