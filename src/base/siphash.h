// SipHash-2-4 (Aumasson and Bernstein 2012): a keyed hash of short texts that nobody without the key can predict or make
// collide. Pure.
#pragma once
#include "base/text.h"

enum { SIPHASH_KEY_BYTES = 16 };
typedef struct { uint64_t low, high; } siphash_key;

siphash_key siphash_key_of(const uint8_t bytes[SIPHASH_KEY_BYTES]);
uint64_t    siphash(siphash_key key, str text);
