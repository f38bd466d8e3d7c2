// What the files of the store share. Everything here is touched by the loop's thread alone, but for what a work was given: a store_io
// with its layout and handles, which are pinned meanwhile.
#pragma once
#include "base/list.h"
#include "base/map.h"
#include "rooms/swarm/store.h"
#include "rooms/swarm/store_journal.h"
#include "rt/digest.h"

enum {
    STORE_PATH_BYTES = 4096,                     // a path with its directory
    STORE_SEGMENTS_MAX = 16,                     // files that one work touches
    STORE_PARTS = -1,                            // the part file, among files
    STORE_WINDOW_S = 60,                         // a file that was being written may be newer than the last record by this
    STORE_TORRENT_MEMORY_BYTES = 512 << 20,      // of one torrent file in memory
    STORE_FILE_MODE = 0666, STORE_DIRECTORY_MODE = 0777, STORE_STATE_MODE = 0600,    // payload: the umask decides
    STORE_CHECK_BYTES_MAX = 64 << 20,            // of pieces in flight
    STORE_AHEAD_MAX = 4,                         // read-ahead fibers
    STORE_TROUBLE_BYTES_MAX = 512,
};

// What the torrent file says, in memory while somebody needs it.
typedef struct {
    arena    memory;
    metainfo m;
    folder  *folder;                             // the torrent's directory; NULL while it is not there
    bool     suffix;                             // files that are not whole end with ".part"
    int64_t  bytes;
} store_layout_data;

typedef struct {                                 // an open file of a store
    list_link of_pool, of_store;                 // of_pool: the least recently used first
    store    *store;
    int       file;                              // or STORE_PARTS
    bool      writable, dirty;
    int       pins;
    file     *file_open;
} store_handle;

struct store_chunk {
    list_link of_pool;                           // least recently used first; linked while it can be found
    unsigned char key[12];                       // store, piece, chunk
    unsigned char *bytes;
    int32_t   length;
    int       pins;
    bool      loading, loose;                    // loose: of its own, not in the cache
    bool      lent;                              // by the world: `bytes` are shared (rt/shared.h)
    err       error;
    gate      loaded;
};

struct store_pool {
    world    *world;
    store_limits limits;
    scope    *scope;
    list      stores;                            // all
    list      active;                            // those with something to do by and by
    list      handles, chunks;
    map       chunk_map;
    int       handle_count, loose_count, ahead_count;
    unsigned char *spare;                        // memory of the chunk that was forgotten last
    int32_t   spare_bytes;
    int64_t   layout_bytes_idle;
    int       layouts_idle;
    list      layouts;                           // stores whose layout nobody uses, the longest first
    gate      wake, ended;
    bool      closing, running;
    uint32_t  numbers;
    store_figures figures;
};

// What changes while a torrent is written to; gone when it has settled.
typedef struct {
    arena    memory;
    bitfield dirty, touched, created;            // files; the last bit is the part file
} store_session;

struct store {
    store_pool *pool;
    list_link of_pool, of_active, of_layouts;
    uint8_t   hash[INFO_HASH_BYTES];
    uint32_t  number;
    char     *state_directory, *directory;
    store_events events;
    bool      allocate_full;
    bool      moving;                            // a move was begun and is not finished
    int64_t   length, piece_bytes;
    int32_t   piece_count;
    int       file_count;

    arena     memory;                            // bitfields
    bitfield  have, complete;
    unsigned char *unchecked;                    // a bit a piece; NULL: none
    int32_t   unchecked_count;
    unsigned char *wanted, *in_parts;            // a bit a file; NULL: all wanted; none there
    unsigned char *unsettled;                    // a bit a file: written before the last crash, and not looked at since; NULL: none
    unsigned char *wanted_pieces;                // a bit a piece; NULL: all
    char     *notice;

    store_layout_data *layout;
    int       layout_pins;
    int64_t   used_ns;
    bool      layout_loading;
    gate      layout_gate;

    list      handles;
    store_session *session;
    bool      beginning, flushing;
    gate      flush_gate, begin_gate;
    int64_t   dirty_since_ns, dirty_bytes, written_ns;       // dirty_since 0: nothing waits
    uint32_t  sync_failures;                     // counted: a put that ran across one is not believed

    int64_t   journal_end, journal_snapshot_end; // of the file, when it may be appended to
    bool      journal_whole;                     // the next record replaces the file
    bool      journal_there;                     // anything was ever recorded

    char     *trouble;
    err       trouble_error;

    int       calls;
    bool      alone;
    gate      calls_gate;
    int64_t   last_chunk;                        // of the last view: for read-ahead

    const unsigned char *payload;                // a store without a disk
    metainfo  payload_layout;
};

// ---- bits --------------------------------------------------------------------------------------------------------------------------
static inline bool bit_get(const unsigned char *bits, int i) { return bits[i / 8] >> (7 - i % 8) & 1; }
static inline void bit_set(unsigned char *bits, int i) { bits[i / 8] |= (unsigned char)(0x80 >> i % 8); }
static inline void bit_clear(unsigned char *bits, int i) { bits[i / 8] &= (unsigned char)~(0x80 >> i % 8); }
static inline bool file_wanted(const store *s, int i) { return !s->wanted || bit_get(s->wanted, i); }
static inline bool file_in_parts(const store *s, int i) { return s->in_parts && bit_get(s->in_parts, i); }

// ---- store.c -----------------------------------------------------------------------------------------------------------------------
void store_enter(store *s);                      // an ordinary call; waits while somebody wants to be alone
void store_leave(store *s);
void store_enter_alone(store *s);                // waits until no call runs
void store_leave_alone(store *s);
// Sets the trouble (the first one stays): "cannot write film.mkv in /downloads: no space left on the disk; make room ...". file: one of the
// torrent, STORE_PARTS, or file_count + 1 (the state directory), file_count + 2 (the directory).
void store_set_trouble(store *s, err e, const char *what, int number);
void store_clear_trouble(store *s);
char *text_copy(str s);                          // on the heap, NUL behind it
int  session_bit(const store *s, int number);      // of a file, or of the part file, in a session's bitfields
void store_piece_files(const store *s, const metainfo *m, int32_t piece, int *first, int *last);     // files that it touches; last exclusive
// These pieces (of a file, or one) are had no more: told, and unchecked where `again`.
void store_lose_piece(store *s, int32_t piece, bool again);
void store_lose_file(store *s, const metainfo *m, int number, bool only_unrecorded, bool again);
void store_set_unchecked(store *s, int32_t piece, bool value);
void store_wanted_pieces_make(store *s, const metainfo *m);
void store_activate(store *s);                   // the pool's fiber looks at it

// ---- store_layout.c ------------------------------------------------------------------------------------------------------------------
err  store_layout_hold(store *s, store_layout_data **out);
void store_layout_drop(store *s);
void store_layout_unlist(store *s);              // of those that nobody uses
void store_layouts_trim(store_pool *p, int64_t now_ns, bool all);        // those that were not used for long, or too many. Parks
void store_layout_directory(store *s, store_layout_data *l);     // makes the directory, when it is not there. Parks
err  store_layout_read(world *w, const char *state_directory, const char *directory, const uint8_t *hash, store_layout_data **out);
void store_layout_free(void *layout);            // in work()
void store_file_name(const store_layout_data *l, int number, bool part, char out[STORE_PATH_BYTES]);   // beneath the folder
void store_state_path(const char *state_directory, const uint8_t *hash, const char *ending, char out[STORE_PATH_BYTES]);

// Opens the directory anew (its disk may have been mounted over it) and, if asked, looks whether all that is complete has its file: trouble
// when not. Alone. Parks.
err  store_directory_again(store *s, bool look);

// ---- store_io.c ----------------------------------------------------------------------------------------------------------------------
typedef struct { int file; bool pad; int64_t offset, at, length; } store_segment;        // offset in the file, at in the range

typedef struct {
    // what
    store   *store;
    bool     write, digest;                      // digest: of the range: first when writing (and then it must fit), last when reading
    int64_t  at, length;                         // in the stream of all files
    const str *blocks;                           // to write
    int      block_count;
    unsigned char *into;                         // to read
    str      *lent;                              // set when the world lent the bytes instead; NULL: it need not try
    const unsigned char *expected;               // INFO_HASH_BYTES
    bool     probing;                            // reading: what is not there is no trouble
    // answers
    bool     fits;                               // digest == expected
    err      error;
    int      bad_file;
    // of the work
    store_layout_data *layout;
    int64_t  done;
    store_segment segments[STORE_SEGMENTS_MAX];
    store_handle *handles[STORE_SEGMENTS_MAX];
    file    *files[STORE_SEGMENTS_MAX];
    bool     opened[STORE_SEGMENTS_MAX], created[STORE_SEGMENTS_MAX];
    int      count;
    store_handle *victims[STORE_SEGMENTS_MAX];
    err      victim_errors[STORE_SEGMENTS_MAX];
    int      victim_count;
    bool     failed_victims;
} store_io;

// Runs it to its end in one or more works; the store is entered. Sets no trouble.
void store_io_run(store_io *io);
void store_handles_close(store *s, bool all);    // those that nobody pins; dirty ones are synced first. Parks
// Opens one file: final name, then ".part"; makes it (as ".part" where the layout does so) when `write`. In work().
err  store_file_open(const store *s, const store_layout_data *l, int file_number, bool write, file **out, bool *created);
void store_unreadable(store *s, const store_io *io);         // trouble after reading: the file was cut, removed, or the disk fails
// Syncs the files whose bit is set in `batch` (and the directories of those in `created`); answers for each that failed: its bit in `failed`
// (same size). Parks.
err  store_sync_files(store *s, store_layout_data *l, const bitfield *batch, const bitfield *created, bitfield *failed);

// ---- store_record.c ----------------------------------------------------------------------------------------------------------------------
err  store_session_begin(store *s, store_layout_data *l);    // before the first write
err  store_flush_entered(store *s);
err  store_settle_entered(store *s);             // everything is recorded and written down as it looks; the session ends
void store_session_drop(store *s);               // what was not recorded is not there next time
err  store_states_record(store *s, store_layout_data *l);    // in a long check: how far it came
int64_t store_due_ns(const store *s);            // when flush or settle is due; INT64_MAX: nothing waits

// ---- store_cache.c -------------------------------------------------------------------------------------------------------------------------
void store_cache_forget(store *s, int32_t piece);        // -1: all of the store
