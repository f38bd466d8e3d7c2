// Which pieces are there: one bit a piece, the high bit of the first byte is piece 0 (BEP 3). Pure.
#pragma once
#include "base/arena.h"

typedef struct {
    unsigned char *bytes;                // bitfield_bytes(count) of them
    int32_t        count;                // pieces
    int32_t        set;                  // how many are there
} bitfield;

static inline int32_t bitfield_bytes(int32_t count) { return count / 8 + (count % 8 != 0); }

bool bitfield_make(arena *a, int32_t count, bitfield *out);            // none is there; false when the arena is full
// From the wire: exactly bitfield_bytes(count) bytes, unused bits zero (BEP 3), else false. Copied into the arena.
bool bitfield_read(arena *a, int32_t count, str wire, bitfield *out);
bool bitfield_valid(str wire, int32_t count);                          // the same check without the copy
str  bitfield_wire(const bitfield *b);                                 // a view, to be sent as it is

static inline bool bitfield_has(const bitfield *b, int32_t piece)      // false outside of the range
{
    return piece >= 0 && piece < b->count && b->bytes[piece / 8] & 0x80 >> piece % 8;
}
void bitfield_add(bitfield *b, int32_t piece);                         // nothing outside of the range
void bitfield_remove(bitfield *b, int32_t piece);
void bitfield_fill(bitfield *b);
static inline bool bitfield_all(const bitfield *b) { return b->set == b->count; }
// The first piece at or after `from` that is there (or is not); -1 when there is none.
int32_t bitfield_next(const bitfield *b, int32_t from, bool there);
// The first piece at or after `from` that is in both, which are of the same count; -1 when there is none. Eight bytes at a time.
int32_t bitfield_next_both(const bitfield *a, const bitfield *b, int32_t from);
// Does `other`, of the same count, have a piece that b lacks?
bool bitfield_wants(const bitfield *b, const bitfield *other);
