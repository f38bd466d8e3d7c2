// Many small random numbers that need not be secret, from one large that world gave (splitmix64, Steele et al. 2014).
#pragma once
#include <stdint.h>

typedef struct { uint64_t state; } chance;

static inline uint64_t chance_u64(chance *c)
{
    uint64_t x = c->state += 0x9e3779b97f4a7c15ull;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ull;
    x = (x ^ x >> 27) * 0x94d049bb133111ebull;
    return x ^ x >> 31;
}

// 0 <= x < bound; bound > 0. As even as 32 bits allow.
static inline uint32_t chance_below(chance *c, uint32_t bound)
{
    return (uint32_t)((chance_u64(c) >> 32) * bound >> 32);
}
