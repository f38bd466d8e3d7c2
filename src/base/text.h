// Text is a borrowed view: a pointer and a length, never NUL-terminated, never owned.
// A view lives as long as what it looks into: an arena, a buffer, a literal.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct {
    const unsigned char *at;
    ptrdiff_t            len;
} str;

#define S(literal) ((str){(const unsigned char *)("" literal), (ptrdiff_t)sizeof(literal) - 1})
#define STR_FMT    "%.*s"                              // printf("" STR_FMT, STR_ARG(s))
#define STR_ARG(s) (int)(s).len, (const char *)(s).at

str str_z(const char *zero_terminated);                // NULL gives the empty text
str str_of(const void *at, size_t len);

bool str_eq(str a, str b);
bool str_eq_nocase(str a, str b);                      // ASCII case only, as in DNS, SMTP and HTTP
bool str_eq_secret(str a, str b);                      // time depends on the lengths alone
int  str_cmp(str a, str b);                            // memcmp order, the shorter first
bool str_starts(str s, str prefix);
bool str_starts_nocase(str s, str prefix);
bool str_ends(str s, str suffix);
bool str_ends_nocase(str s, str suffix);

ptrdiff_t str_find(str s, unsigned char byte);         // index of the first, -1 when absent
ptrdiff_t str_rfind(str s, unsigned char byte);        // index of the last, -1 when absent
ptrdiff_t str_find_str(str s, str needle);             // -1 when absent

str str_from(str s, ptrdiff_t start);                  // s[start..], clamped
str str_first(str s, ptrdiff_t n);                     // s[..n], clamped
str str_sub(str s, ptrdiff_t start, ptrdiff_t n);      // s[start..start+n], clamped
str str_trim(str s);                                   // without SP, HT, CR, LF at both ends
str str_chomp(str s);                                  // without one CR LF or one LF at the end

// Cuts s at the first `at`: returns what stands before it and leaves what stands after it in *s.
// Without the byte the whole text is returned and *s becomes empty.
str str_cut(str *s, unsigned char at);
// The next word between runs of SP and HT; empty when there is none. *s moves behind it.
str str_word(str *s);

bool str_to_u64(str s, uint64_t *out);                 // all decimal digits, at least one, no overflow
bool str_to_i64(str s, int64_t *out);                  // an optional '-' before it
bool str_hex_to_u64(str s, uint64_t *out);

uint64_t str_hash(str s, uint64_t key);                // keyed (for tables that strangers fill)
uint64_t str_hash_nocase(str s, uint64_t key);

static inline unsigned char lower(unsigned char c) { return c >= 'A' && c <= 'Z' ? c + 32 : c; }
static inline unsigned char upper(unsigned char c) { return c >= 'a' && c <= 'z' ? c - 32 : c; }
static inline bool is_digit(unsigned char c) { return c >= '0' && c <= '9'; }
static inline bool is_alpha(unsigned char c) { return lower(c) >= 'a' && lower(c) <= 'z'; }
static inline bool is_alnum(unsigned char c) { return is_digit(c) || is_alpha(c); }
