#include "wire/bt/bitfield.h"

#include <endian.h>
#include <string.h>

bool bitfield_make(arena *a, int32_t count, bitfield *out)
{
    *out = (bitfield){arena_array(a, unsigned char, bitfield_bytes(count) + 1), count, 0};
    return out->bytes != NULL;
}

bool bitfield_valid(str wire, int32_t count)
{
    if (count < 0 || wire.len != bitfield_bytes(count))
        return false;
    return count % 8 == 0 || (wire.at[wire.len - 1] & (0xff >> count % 8)) == 0;
}

bool bitfield_read(arena *a, int32_t count, str wire, bitfield *out)
{
    if (!bitfield_valid(wire, count) || !bitfield_make(a, count, out))
        return false;
    for (ptrdiff_t i = 0; i < wire.len; i++) {
        out->bytes[i] = wire.at[i];
        out->set += __builtin_popcount(wire.at[i]);
    }
    return true;
}

str bitfield_wire(const bitfield *b) { return (str){b->bytes, bitfield_bytes(b->count)}; }

static unsigned char mask(int32_t piece) { return (unsigned char)(0x80 >> piece % 8); }

void bitfield_add(bitfield *b, int32_t piece)
{
    if (piece < 0 || piece >= b->count || bitfield_has(b, piece))
        return;
    b->bytes[piece / 8] |= mask(piece);
    b->set++;
}

void bitfield_remove(bitfield *b, int32_t piece)
{
    if (!bitfield_has(b, piece))
        return;
    b->bytes[piece / 8] &= (unsigned char)~mask(piece);
    b->set--;
}

void bitfield_fill(bitfield *b)
{
    memset(b->bytes, 0xff, (size_t)bitfield_bytes(b->count));
    if (b->count % 8)
        b->bytes[b->count / 8] = (unsigned char)(0xff00 >> b->count % 8);
    b->set = b->count;
}

int32_t bitfield_next(const bitfield *b, int32_t from, bool there)
{
    const unsigned char dull = there ? 0 : 0xff;                 // a byte without any
    for (int32_t i = from < 0 ? 0 : from; i < b->count; i++) {
        if (i % 8 == 0 && b->bytes[i / 8] == dull)
            i += 7;
        else if (bitfield_has(b, i) == there)
            return i;
    }
    return -1;
}

enum { WORD_PIECES = 64 };

// The pieces from word * 64 on, the first one as the highest bit.
static uint64_t word_of(const bitfield *b, int32_t word)
{
    uint64_t bits = 0;
    int32_t at = word * 8, end = bitfield_bytes(b->count);
    if (end - at >= 8) {
        memcpy(&bits, b->bytes + at, 8);
        return be64toh(bits);
    }
    for (int shift = 56; at < end; at++, shift -= 8)
        bits |= (uint64_t)b->bytes[at] << shift;
    return bits;
}

int32_t bitfield_next_both(const bitfield *a, const bitfield *b, int32_t from)
{
    int32_t first = from < 0 ? 0 : from;
    if (a->count != b->count)
        return -1;
    for (int32_t word = first / WORD_PIECES; word * WORD_PIECES < a->count; word++) {
        uint64_t both = word_of(a, word) & word_of(b, word);
        if (word == first / WORD_PIECES)
            both &= UINT64_MAX >> first % WORD_PIECES;
        if (both)
            return word * WORD_PIECES + __builtin_clzll(both);
    }
    return -1;
}

bool bitfield_wants(const bitfield *b, const bitfield *other)
{
    for (int32_t word = 0; b->count == other->count && word * WORD_PIECES < b->count; word++)
        if (word_of(other, word) & ~word_of(b, word))
            return true;
    return false;
}
