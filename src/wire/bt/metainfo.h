// What a .torrent file says (BEP 3), with tracker tiers (12), web seeds (17, 19), the private mark (27) and pad files (47).
// Pure. A torrent of version 2 only (BEP 52) is refused with that reason; a hybrid is read by its version 1 half.
#pragma once
#include "wire/bt/bencode.h"

enum {
    METAINFO_BYTES_MAX = 32 << 20,           // of a .torrent file
    METAINFO_NODES_MAX = 1 << 20,            // bencoded values in it
    METAINFO_DEPTH_MAX = 16,
    METAINFO_FILES_MAX = 100000,
    METAINFO_PIECES_MAX = 1 << 20,
    METAINFO_PIECE_BYTES_MAX = 256 << 20,
    METAINFO_NAME_BYTES_MAX = 255,           // one part of a path (NAME_MAX)
    METAINFO_PATH_BYTES_MAX = 2048,          // the whole path below the torrent's name
    METAINFO_PATH_PARTS_MAX = 64,
    METAINFO_TRACKERS_MAX = 128,
    METAINFO_WEB_SEEDS_MAX = 64,
    METAINFO_URL_BYTES_MAX = 2048,
    METAINFO_TEXT_BYTES_MAX = 64 * 1024,     // comment, created by
    INFO_HASH_BYTES = 20,
};
#define METAINFO_LENGTH_MAX (1ll << 48)      // bytes of all files together: the sum of any two offsets stays far from 2^63

typedef struct {
    str     path;                            // its parts joined by '/', without the torrent's name; of a single file: the name
    int64_t offset, length;                  // bytes, in the one stream that the pieces cut
    bool    pad;                             // BEP 47: zeros that exist nowhere
} metainfo_file;

typedef struct {
    str url;                                 // http, https or udp
    int tier;                                // 0 is asked first
} metainfo_tracker;

typedef struct {
    str      info;                           // the raw bytes of `info`: their SHA-1 is the info hash
    ptrdiff_t info_offset;                   // where they begin
    str      name;                           // the single file, or the folder; safe as one part of a path
    bool     single, private, hybrid;        // hybrid: holds a version 2 half, too, which is not read
    int64_t  piece_bytes, length;
    int32_t  piece_count;
    str      pieces;                         // piece_count SHA-1 digests
    metainfo_file *files;                    // in the order of the stream; one when single
    int      file_count;
    metainfo_tracker *trackers;
    int      tracker_count;
    str     *web_seeds;                      // BEP 19
    int      web_seed_count;
    str     *http_seeds;                     // BEP 17
    int      http_seed_count;
    str      comment, created_by;            // not checked to be UTF-8
    int64_t  created_s;                      // since 1970; 0: not said
} metainfo;

// Reads a .torrent file. Views into `in` and memory of `a`. False with the reason and the offset in *why: malformed or not
// canonical bencode, a missing or wrong field, lengths that are negative, too large or do not fit the pieces, a path that is
// unsafe (empty part, "." or "..", '/', '\\', NUL or another control, not UTF-8, a reserved device name, over-long), two files
// of one path or a file that is another's folder, a limit. URLs of other schemes (wss ...) are passed over.
bool metainfo_read(str in, arena *a, metainfo *out, bencode_refusal *why);
// Reads the bare info dictionary (BEP 9); the caller has compared its hash.
bool metainfo_info_read(str info, arena *a, metainfo *out, bencode_refusal *why);

// Why `name` must not become one part of a path: a literal, or NULL when it is safe.
const char *metainfo_part_trouble(str name);
// Is it an absolute http, https (and, if asked, udp) URL without blanks and controls, of bounded length, with a host?
bool metainfo_url_valid(str url, bool udp_too);

int64_t metainfo_piece_length(const metainfo *m, int32_t piece);     // bytes of this piece; the last one may be shorter
str     metainfo_piece_hash(const metainfo *m, int32_t piece);       // INFO_HASH_BYTES bytes, empty outside of the range
int     metainfo_file_at(const metainfo *m, int64_t offset);         // index of the file that holds the byte; -1: none
// A power of two so that there are between 1,000 and 2,000 pieces, but 16 KiB to 16 MiB.
int64_t metainfo_piece_bytes_choose(int64_t length);

// Writes a .torrent file from name, single, private, piece_bytes, pieces, files, trackers, web_seeds, comment, created_by and
// created_s (0: left out). The bytes of `info` stand at out->len's growth: read the result to learn them. False when full.
bool metainfo_write(buf *out, const metainfo *m);
