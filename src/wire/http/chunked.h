// The chunked transfer coding (RFC 9112 section 7.1), decoded from bytes as they come. Pure. Extensions and trailers are
// read past and bounded; sizes that another reader could take for something else are refused.
#pragma once
#include "base/buf.h"

enum {
    CHUNK_SIZE_DIGITS_MAX = 15,             // hexadecimal: no size overflows
    CHUNK_LINE_BYTES_MAX = 256,             // a size with its extension
    CHUNK_EXTRA_BYTES_MAX = 16 * 1024,      // all extensions and trailers of one message together
};

typedef enum {
    CHUNK_SIZE_FIRST, CHUNK_SIZE, CHUNK_EXTENSION, CHUNK_SIZE_LF, CHUNK_DATA, CHUNK_DATA_CR, CHUNK_DATA_LF,
    CHUNK_TRAILER_START, CHUNK_TRAILER, CHUNK_TRAILER_LF, CHUNK_END_LF, CHUNK_DONE, CHUNK_BAD,
} chunk_state;

typedef struct {
    chunk_state state;                      // a zeroed struct begins; CHUNK_DONE and CHUNK_BAD are final
    uint64_t    left;                       // of the chunk that is being read
    int         digits, line;               // of the size; bytes of its line
    int         extra;
} chunked;

// Takes bytes off *in and returns the next piece of the body, a view into the input. Empty: all input is used up (more is
// needed), or the state is CHUNK_DONE (what remains in *in is the next message) or CHUNK_BAD.
str  chunked_next(chunked *c, str *in);

// Writes one chunk, or with empty bytes the end of the body. False when the buffer is full.
bool chunk_put(buf *out, str bytes);
