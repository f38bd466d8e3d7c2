// Base64 (RFC 4648 section 4; lines of 76 columns as in MIME, RFC 2045 section 6.8). Three bytes become four letters
// of six bits each; '=' fills the last group. AVX2 where the processor has it, else the plain version, which also
// takes the tails. `out` and `in` never overlap.
#pragma once
#include "base/arena.h"

enum {
    BASE64_LINE_BYTES = 57,         // binary bytes in a full line
    BASE64_LINE_COLUMNS = 76,       // RFC 2045 section 6.8: no more than 76 characters
};

// Sizes of `out` in bytes. The decoded size is an upper bound: padding and line ends make it less.
static inline size_t base64_encoded_size(size_t n) { return (n + 2) / 3 * 4; }
static inline size_t base64_lines_size(size_t n)
{
    return base64_encoded_size(n) + (n + BASE64_LINE_BYTES - 1) / BASE64_LINE_BYTES * 2;
}
static inline size_t base64_decoded_size_max(size_t n) { return n / 4 * 3 + 3; }

// One unbroken run of letters with padding. Returns base64_encoded_size(in.len).
size_t base64_encode(unsigned char *out, str in);
// Lines of 76 letters, every line (the last too) ended by CR LF. Returns base64_lines_size(in.len). Input may be
// given in pieces whose sizes are multiples of 57.
size_t base64_encode_lines(unsigned char *out, str in);

// Strict, for protocols: the alphabet only, whole groups of four, canonical padding (unused bits are zero). Returns
// the number of bytes, or -1 when the text is not that.
ptrdiff_t base64_decode(unsigned char *out, str in);
// Lenient, for mail: skips every byte that is not of the alphabet (RFC 2045 section 6.8), ends at the first '=', takes
// whole bytes of an unfinished group. Never fails; returns the number of bytes. Fast on lines of 76 columns.
size_t base64_decode_mime(unsigned char *out, str in);

str  base64_text(arena *a, str in);                      // encoded, unbroken; empty when the arena is full
bool base64_bytes(arena *a, str in, str *out);           // strict; false when malformed or the arena is full

// The plain versions, without special instructions: what the fast ones are tested and measured against.
size_t    base64_encode_plain(unsigned char *out, str in);
size_t    base64_encode_lines_plain(unsigned char *out, str in);
ptrdiff_t base64_decode_plain(unsigned char *out, str in);
size_t    base64_decode_mime_plain(unsigned char *out, str in);
