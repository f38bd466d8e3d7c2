// HASH.have: which pieces of a torrent are complete, and what its files looked like when that was written down. Pure: bytes to values and
// back, so that it can be fuzzed. docs/torrent-store.md has the layout.
//
// A head, one snapshot, then records that only ever add pieces: whatever is cut off at the end, what stands before it is true.
// Something that is true no more is never appended: the file is replaced as a whole.
#pragma once
#include "base/buf.h"
#include "wire/bt/bitfield.h"
#include "wire/bt/metainfo.h"

enum {
    STORE_JOURNAL_BYTES_MAX = 64 << 20,
    STORE_JOURNAL_GROWTH_MAX = 256 << 10,        // appended behind the snapshot; then the file is replaced
};

typedef struct {
    int64_t size_bytes, modified_ns;             // size -1: was not there, or is not known
    bool    in_parts;                            // its bytes stand in HASH.parts: it was never wanted
} store_file_state;

typedef struct {
    uint8_t  hash[INFO_HASH_BYTES];
    bitfield pieces;                             // complete ones
    bitfield unchecked;                          // may be there, have to be hashed first
    store_file_state *files;
    int      file_count;
    bool     writing;                            // files may have been written after they were looked at
    int64_t  writing_since_ns, last_ns;          // wall clock: when that began, and of the last record
    int64_t  end;                                // bytes that are intact
    int64_t  snapshot_end;                       // of these, head and snapshot
} store_journal;

// False: not an intact journal of this torrent; nothing of it counts. What is behind `end` is torn, or damaged: to be replaced.
bool store_journal_read(str bytes, const uint8_t hash[INFO_HASH_BYTES], int32_t piece_count, int file_count, arena *a, store_journal *out);
// Head and snapshot. False when full.
bool store_journal_write(buf *out, const store_journal *j);
// Records to append at offset `end`: writing begins; these pieces (those of `now` that `before` lacks) are complete.
bool store_journal_begin(buf *out, const uint8_t hash[INFO_HASH_BYTES], int64_t end, int64_t wall_ns);
bool store_journal_pieces(buf *out, const uint8_t hash[INFO_HASH_BYTES], int64_t end, int64_t wall_ns, const bitfield *now,
                          const bitfield *before);
