// Fractions in JSON objects, for code that knows no floating point (what the simulator runs): a decimal number stands as an integer
// of thousandths, millionths ... The library knows numbers as doubles only; they stay in this file's .c.
#pragma once
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

enum {
    JSON_MILLION = 1000000,
    JSON_FIXED_FLAGS = JSON_REAL_PRECISION(12),              // for json_dump...: 0.333333, not 0.33333299999999999
};

// n / scale as a JSON number with a decimal point; scale > 0. A new object.
json_t *json_fixed(int64_t n, int64_t scale);

// part / whole in millionths, rounded down; whole > 0. Both may be as large as they like: digits that do not fit are left out.
int64_t json_share(int64_t part, int64_t whole);

// What a number is in units of 1 / scale, rounded towards zero and held between -max and max; false when o is no number.
bool json_fixed_value(const json_t *o, int64_t scale, int64_t max, int64_t *out);
