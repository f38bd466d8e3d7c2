// Text in upper case, as Python's str.upper() makes it from UTF-8: whole mappings ("ß" becomes "SS"), whatever the
// language. Bytes that are not UTF-8 pass unchanged. Pure.
#pragma once
#include "base/text.h"

enum {
    UPPER_GROWTH = 3,               // a character may become so many times as long: U+0390, two bytes, becomes six
    UPPER_SLACK_BYTES = 32,         // what the library wants to have free beyond that
    UPPER_TAIL_BYTES_MAX = 3,       // of a character that is cut short
};

// Writes s in upper case; out has room for s.len * UPPER_GROWTH + UPPER_SLACK_BYTES. Returns how many bytes.
size_t upper_text(unsigned char *out, str s);
// The same into `size` bytes: what does not fit is left away, by whole characters.
size_t upper_text_fit(unsigned char *out, size_t size, str s);

// How many bytes of s stand before a character that is cut short at its end and could still become whole: s.len, or
// up to UPPER_TAIL_BYTES_MAX less.
ptrdiff_t upper_text_whole(str s);
