#include "base/siphash.h"

#include <string.h>

static uint64_t rotated(uint64_t x, int bits) { return x << bits | x >> (64 - bits); }

// Little endian, whatever the machine: compilers make one load of it.
static inline uint64_t read_u64(const unsigned char *at)
{
    return at[0] | (uint64_t)at[1] << 8 | (uint64_t)at[2] << 16 | (uint64_t)at[3] << 24 | (uint64_t)at[4] << 32 |
           (uint64_t)at[5] << 40 | (uint64_t)at[6] << 48 | (uint64_t)at[7] << 56;
}

static uint64_t read_rest(const unsigned char *at, ptrdiff_t count)
{
    uint64_t x = 0;
    for (ptrdiff_t i = 0; i < count; i++)
        x |= (uint64_t)at[i] << (8 * i);
    return x;
}

typedef struct { uint64_t a, b, c, d; } state;

static inline void rounds(state *v, int count)
{
    for (int i = 0; i < count; i++) {
        v->a += v->b, v->c += v->d;
        v->b = rotated(v->b, 13) ^ v->a, v->d = rotated(v->d, 16) ^ v->c;
        v->a = rotated(v->a, 32);
        v->c += v->b, v->a += v->d;
        v->b = rotated(v->b, 17) ^ v->c, v->d = rotated(v->d, 21) ^ v->a;
        v->c = rotated(v->c, 32);
    }
}

static inline void mix(state *v, uint64_t word)
{
    v->d ^= word;
    rounds(v, 2);
    v->a ^= word;
}

siphash_key siphash_key_of(const uint8_t bytes[SIPHASH_KEY_BYTES])
{
    return (siphash_key){read_u64(bytes), read_u64(bytes + 8)};
}

uint64_t siphash(siphash_key key, str text)
{
    state v = {key.low ^ 0x736f6d6570736575ull, key.high ^ 0x646f72616e646f6dull,
               key.low ^ 0x6c7967656e657261ull, key.high ^ 0x7465646279746573ull};
    ptrdiff_t whole = text.len & ~(ptrdiff_t)7;
    for (ptrdiff_t i = 0; i < whole; i += 8)
        mix(&v, read_u64(text.at + i));
    mix(&v, (uint64_t)text.len << 56 | read_rest(text.at + whole, text.len - whole));
    v.c ^= 0xff;
    rounds(&v, 4);
    return v.a ^ v.b ^ v.c ^ v.d;
}
