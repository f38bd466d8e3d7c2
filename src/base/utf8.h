// UTF-8 (RFC 3629): decoding that accepts nothing but the shortest form, and how wide a character is on a terminal.
#pragma once
#include "base/text.h"

// The first character of s: returns its length in bytes (1 to 4) and its code point; 0 when s is empty or does not
// begin with a well-formed character (overlong forms, surrogates, above U+10FFFF, cut short).
int  utf8_decode(str s, uint32_t *code);
int  utf8_encode(unsigned char out[4], uint32_t code);      // 1 to 4; 0 when it is no character
bool utf8_valid(str s);
str  utf8_first(str s, ptrdiff_t bytes_max);                // at most so many bytes, never half a character

// True for what must not reach a terminal or a log from a stranger: C0, DEL and C1 controls, line and paragraph
// separators, and the invisible marks that reorder text.
bool utf8_is_control(uint32_t code);

// Columns on a terminal: 0 for combining marks, 2 for wide East Asian characters (Unicode UAX 11, W and F), else 1.
int  utf8_columns(uint32_t code);
int  utf8_width(str s);                                     // a whole text; a malformed byte counts 1
str  utf8_first_columns(str s, int columns_max);            // the longest prefix of whole characters that is not wider
