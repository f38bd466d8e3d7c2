// Logarithms and powers without floats, for the rate decision: tables of 64 steps an octave with straight lines between them (error below 0.00002).
#pragma once
#include "base/text.h"

enum { RATE_ONE = 1 << 24 };                 // 1.0 of a fixed-point fraction

int64_t rate_log2_q(uint64_t x);             // 65536 * log2(x); x = 0 counts as 1
int64_t rate_ln_micro(uint64_t x);           // 1,000,000 * ln(x); x = 0 counts as 1
// RATE_ONE * 2^-(numerator / denominator); numerator 0 .. 2^40, denominator > 0.
int64_t rate_half_power(int64_t numerator, int64_t denominator);
