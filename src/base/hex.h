// Bytes as hexadecimal text, and percent encoding (RFC 3986 section 2.1).
#pragma once
#include "base/buf.h"

// Two lower-case digits a byte; out has room for 2 * in.len bytes.
void hex_encode(unsigned char *out, str in);
// Pairs of digits in either case; out has room for in.len / 2 bytes. False on an odd length or another character.
bool hex_decode(unsigned char *out, str in);
str  hex_text(arena *a, str in);                        // empty when the arena is full
int  hex_digit(unsigned char c);                        // 0..15, -1 when c is none

// Appends `in` with every byte that is not of the unreserved set (letters, digits, "-._~") or in `also` as %XX.
bool percent_put(buf *out, str in, str also);           // false when the buffer is full
// Appends the decoded bytes. False when a '%' has no two digits behind it or the buffer is full. '+' stays '+'.
bool percent_decode(buf *out, str in);
