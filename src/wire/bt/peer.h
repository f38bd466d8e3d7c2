// What peers say to each other (BEP 3), with the fast extension (6). Pure. The extension protocol is peer_extension.h.
#pragma once
#include "base/buf.h"
#include "wire/bt/bitfield.h"

enum {
    PEER_HANDSHAKE_BYTES = 68,
    PEER_HASH_BYTES = 20,
    PEER_BLOCK_BYTES_MAX = 128 * 1024,           // of a request and of a piece message; 16 KiB is usual
    PEER_PIECES_MAX = 1 << 20,
    PEER_EXTENDED_BYTES_MAX = 64 * 1024,         // of an extension message
    PEER_HEAD_BYTES_MAX = 17,                    // length, kind and numbers of the longest message without a payload
};

typedef struct {
    uint8_t hash[PEER_HASH_BYTES], peer_id[PEER_HASH_BYTES];
    bool    fast, extended, dht;                 // BEP 6, 10, 5
} peer_handshake;

// False: these are not 68 bytes of the BitTorrent protocol.
bool peer_handshake_read(str in, peer_handshake *out);
void peer_handshake_write(unsigned char out[PEER_HANDSHAKE_BYTES], const peer_handshake *h);

typedef enum {
    PEER_CHOKE = 0, PEER_UNCHOKE = 1, PEER_INTERESTED = 2, PEER_NOT_INTERESTED = 3, PEER_HAVE = 4, PEER_BITFIELD = 5,
    PEER_REQUEST = 6, PEER_PIECE = 7, PEER_CANCEL = 8, PEER_PORT = 9,
    PEER_SUGGEST = 13, PEER_HAVE_ALL = 14, PEER_HAVE_NONE = 15, PEER_REJECT = 16, PEER_ALLOWED_FAST = 17,
    PEER_EXTENDED = 20, PEER_KEEP_ALIVE = 256, PEER_UNKNOWN = 257,
} peer_kind;

typedef struct {
    peer_kind kind;
    uint32_t  piece, begin, length;              // have, request, piece, cancel, suggest, reject, allowed fast
    uint16_t  port;
    uint8_t   extension;                         // extended: 0 is the handshake
    str       payload;                           // bitfield, a piece's block, an extended message; a view
} peer_message;

typedef struct {
    int32_t piece_count;                         // 0: not known yet (a magnet link)
    bool    fast;                                // both sides speak the fast extension
} peer_rules;

typedef enum { PEER_MORE, PEER_MESSAGE, PEER_BAD } peer_progress;

// The first message of `in`. PEER_MORE: it is not whole yet; *taken is how many bytes it will have (4 while not even the
// length is there). PEER_MESSAGE: *taken bytes were it. PEER_BAD with a literal in *why: hang up. Bad are a length above the
// kind's limit or that does not fit the kind, a piece outside of the torrent, blocks that are empty, above
// PEER_BLOCK_BYTES_MAX or past 2^31, a bitfield with spare bits, fast messages without the extension. The length is judged as
// soon as the kind's byte is there, before the payload comes. Kinds that nobody knows are PEER_UNKNOWN and to be passed over.
peer_progress peer_message_read(str in, peer_rules rules, peer_message *out, ptrdiff_t *taken, const char **why);
// The message without its payload's bytes, which follow it: a block need not be copied. Returns the bytes written.
int  peer_head_write(unsigned char out[PEER_HEAD_BYTES_MAX], const peer_message *m);
bool peer_message_write(buf *out, const peer_message *m);                // with the payload; false when full
