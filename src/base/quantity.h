// Numbers with units as people write them in naru.conf: "25MB", "30s", "2Mbit".
#pragma once
#include "base/arena.h"

// Bytes: a number and nothing, B, kB, MB, GB, TB (powers of 1000) or KiB, MiB, GiB, TiB (powers of 1024); case does not
// matter, one decimal fraction is taken ("1.5GB"). False on anything else or above 2^63 - 1.
bool size_parse(str text, int64_t *bytes);
// Milliseconds from ms, s, m, h, d, w, also several in falling order: "1h30m". A bare number is refused, but "0" is not.
bool duration_parse(str text, int64_t *milliseconds);
// Bits a second from bit, kbit, Mbit, Gbit, also with "/s" behind it.
bool rate_parse(str text, int64_t *bits_per_second);

str size_text(arena *a, int64_t bytes);                 // "1.5 MB": for people, rounded down to one decimal
str duration_text(arena *a, int64_t milliseconds);      // "1h30m", "250ms": exact, duration_parse reads it back
