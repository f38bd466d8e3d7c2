// The payload of torrents: files on a disk, and what is known of them. docs/torrent-store.md tells formats and guarantees.
//
//   have       the piece was hashed in this life and is right: it may be announced and sent
//   complete   its data was synced, and then recorded in a checksummed journal: only this counts for users, for the
//              tracker's `completed`, and after a restart
//
// Data is synced and recorded behind, in batches (STORE_SYNC_S, STORE_SYNC_BYTES). Names that strangers chose are opened beneath
// the torrent's directory alone (rt/world.h: folders): no link is followed, no FIFO or device opened. Everything here that parks
// is deaf to cancelling unless it says otherwise: memory is lent to workers. All calls belong to one loop.
//
// An idle torrent (nothing asked of it for STORE_IDLE_S) holds two bitfields and a few hundred bytes: no files open, no hashes.
#pragma once
#include "rt/scope.h"
#include "wire/bt/bitfield.h"
#include "wire/bt/metainfo.h"

enum {
    STORE_SYNC_S = 5,                            // what was written is synced and recorded after this long,
    STORE_SYNC_BYTES = 64 << 20,                 // or when so much of one torrent waits
    STORE_SETTLE_S = 30,                         // nothing written for this long: sizes and times of the files are recorded
    STORE_IDLE_S = 30,
    STORE_CACHE_BYTES = 64 << 20,                // of a pool: what was read for sending
    STORE_CHUNK_BYTES = 1 << 20,                 // read at once, within a piece
    STORE_FILES_OPEN = 256,                      // of a pool
    STORE_LAYOUT_BYTES = 32 << 20,               // of a pool: torrent files in memory that nobody uses right now,
    STORE_LAYOUTS = 64,                          // and how many (each holds its directory open)
    STORE_LOOSE_VIEWS_MAX = 1024,                // views of their own memory while all of the cache is in use
    STORE_BLOCK_BYTES = 16 * 1024,               // of partly filled pieces
    STORE_PARTIAL_BYTES_MAX = 64 << 20,          // kept of one torrent over a stop
    STORE_CHECKS_MAX = 4,                        // pieces in flight in store_check
    STORE_DIRECTORY_BYTES_MAX = 1024,
};

// ---- what all torrents of a room share -----------------------------------------------------------------------------------

typedef struct store_pool store_pool;
typedef struct {                                 // 0: the constant above
    int64_t cache_bytes_max;
    int     files_open_max;
    int64_t sync_ns, sync_bytes, settle_ns, idle_ns;
    bool    part_suffix_off;                     // files that are not whole have their own name, without ".part"
} store_limits;

// Its one fiber (which syncs and records behind) runs in `s`; read-ahead, too. E_LIMIT, E_CANCELED.
err  store_pool_open(scope *s, store_limits limits, store_pool **out);
void store_pool_close(store_pool *p);            // no store is open; ends the fiber; NULL is fine

typedef struct {
    int64_t pieces_put, pieces_bad, bytes_written, bytes_read, cache_hits, cache_misses, syncs, recorded, read_ahead;
    int64_t cache_bytes, layout_bytes;           // now
    int     files_open;                          // now
} store_figures;
store_figures store_figures_now(const store_pool *p);

// ---- one torrent ---------------------------------------------------------------------------------------------------------

typedef struct store store;

typedef struct {                                 // run on the loop, must not park; each may be NULL
    void (*recorded)(void *arg);                 // `complete` has grown
    void (*lost)(void *arg, int32_t piece);      // we had it, and have it no more: a sync failed, a file was changed under us
    void (*trouble)(void *arg);                  // store_trouble says what; nothing is written until store_retry
    void *arg;
} store_events;

typedef struct {
    uint8_t hash[INFO_HASH_BYTES];
    str     state_directory;                     // HASH.torrent stands here (torrent_list puts it); HASH.have, HASH.parts ... too
    str     directory;                           // where the files go; made when missing
    str     moving_from;                         // not empty: a move from there to `directory` was not finished: finish it first
    const bool *wanted;                          // of each file; NULL: all
    int     file_count;                          // of wanted
    bool    allocate_full;                       // reserve all space at the beginning
    store_events events;
} store_options;

// Reads HASH.torrent and the journal, looks at size and time of each file. E_OK also when files have changed or there is no
// journal: pieces are then unchecked (store_unchecked) until store_check. E_NO_ENTRY, E_CORRUPT (no such torrent file, or damaged),
// E_ACCESS (a link or no directory in the way), E_IO ..., with *why in `a`. Parks.
err  store_open(store_pool *p, const store_options *options, arena *a, store **out, str *why);
// Syncs, records and settles what waits. All views are released and no call is running. Parks; NULL is fine.
void store_close(store *s);

// A store without a disk, for large simulations: `payload` (all bytes of the torrent, which outlives it) is what views show;
// store_put hashes and compares for real, and forgets. With `seed` everything is there from the start.
err  store_open_memory(store_pool *p, const metainfo *m, str payload, bool seed, store_events events, store **out);

// What the torrent file says: valid until store_release_layout. For showing files, tracker lists and the like. Parks. E_NO_ENTRY,
// E_CORRUPT, E_IO ... when it cannot be read any more.
err  store_layout(store *s, const metainfo **out);
void store_release_layout(store *s);

int32_t store_piece_count(const store *s);
int32_t store_piece_length(const store *s, int32_t piece);
int64_t store_length(const store *s);
const bitfield *store_have(const store *s);      // verified: may be announced and sent; valid while the store is open
const bitfield *store_complete(const store *s);  // synced and recorded
// Is every piece that a wanted file touches complete / had?
bool store_all_complete(const store *s);
bool store_all_have(const store *s);
int64_t store_have_bytes(const store *s);        // of pieces that are had
bool store_piece_wanted(const store *s, int32_t piece);

// A whole piece, given in blocks that follow each other (one, or as they came). Hashes it (one pass), and if *good writes it;
// then it is had. E_OK with *good false: the hash is another. An error: it could not be written, store_trouble says why, the
// piece is not had. A piece that is had already is *good without being written again. Parks.
err  store_put(store *s, int32_t piece, const str *blocks, int block_count, bool *good);
err  store_piece_put(store *s, int32_t piece, str bytes, bool *good);        // the same in one block

// Bytes of a piece that is had, for sending without a copy. Several views may stand at once; hold one no longer than the
// sending of one block takes. E_NO_ENTRY: not had (any more). E_LIMIT: too many views (STORE_LOOSE_VIEWS_MAX). E_IO ... Parks only
// when the bytes are not in the cache. Sequential views are read ahead.
typedef struct { str bytes; struct store_chunk *chunk; } store_view;
err  store_view_get(store *s, int32_t piece, int32_t begin, int32_t length, store_view *out);
void store_view_release(store *s, store_view *v);        // NULL-safe for a zeroed view; does not park
bool store_view_ready(store *s, int32_t piece, int32_t begin, int32_t length);     // would not park
// A view of it will be asked for soon (a peer's request waits in its queue): reading may begin. Does not park; may do nothing.
void store_view_expect(store *s, int32_t piece, int32_t begin);

// Syncs and records everything that is had. E_OK: have == complete. Parks.
err  store_flush(store *s);

// ---- partly filled pieces over a stop -------------------------------------------------------------------------------------

typedef struct {
    int32_t piece;
    const unsigned char *blocks;                 // a bit a block of STORE_BLOCK_BYTES, the high bit of the first byte is block 0
    str     bytes;                               // the whole piece; only set blocks count
} store_partial;
// Replaces what was kept. What is above STORE_PARTIAL_BYTES_MAX is left out. Count 0: nothing is kept any more. Parks.
err  store_partial_save(store *s, const store_partial *list, int count);
// What was kept, with memory of `a`, and forgets it on the disk. Damaged: none. Blocks are not verified before their piece is. Parks.
err  store_partial_load(store *s, arena *a, store_partial **list, int *count);

// ---- checking -------------------------------------------------------------------------------------------------------------

int32_t store_unchecked(const store *s);         // pieces that may be there but have to be hashed first
// What was found at opening and people should read ("film.mkv has changed since it was written: 312 pieces are checked
// again"); empty: nothing.
str  store_notice(const store *s);
// Hashes what is unchecked (all: everything), STORE_CHECKS_MAX pieces in flight. progress runs on the loop, must not park. Ends
// early with E_CANCELED when the fiber is canceled: what is left stays unchecked. Lost pieces are told by events.lost. Parks.
typedef void store_progress(void *arg, int32_t done, int32_t of);
err  store_check(store *s, bool all, store_progress *progress, void *arg);

// ---- selection, place, trouble --------------------------------------------------------------------------------------------

// Other files are wanted from now on (file_count of the layout). What stood in the part file moves to files that become wanted.
// Files that are there stay. On an error the old selection holds. Parks.
err  store_select(store *s, const bool *wanted, int file_count);
// Moves all files into `directory` (made when missing); other disks are copied to. Write down where from and to before calling it
// (torrent_list: moving_from), and that it is done after. E_EXISTS: a file of that name is there. On a further error, *why in `a`; what was
// moved has been moved, and the store is in trouble until it is finished (store_move again, or store_open with moving_from); not in
// trouble: the directory cannot be had, nothing was moved.
err  store_move(store *s, str directory, arena *a, str *why);
// Removes the torrent's files, then its directories as far as they are empty, never above its own. Nothing is had afterwards.
err  store_remove_data(store *s, arena *a, str *why);
// Removes what stands in the state directory for it (journal, parts, partial pieces), not HASH.torrent. After store_close.
err  store_forget(store_pool *p, str state_directory, const uint8_t hash[INFO_HASH_BYTES]);

// Which file, what, what to do; empty while all is well. A view: good until the next call that parks.
str  store_trouble(const store *s);
err  store_trouble_error(const store *s);
err  store_retry(store *s);                      // E_OK: trouble is over and what waited has been recorded. Parks.
