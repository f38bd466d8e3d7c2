#include "base/text.h"

#include <string.h>

str str_z(const char *z) { return z ? (str){(const unsigned char *)z, (ptrdiff_t)strlen(z)} : (str){0}; }
str str_of(const void *at, size_t len) { return (str){at, (ptrdiff_t)len}; }

bool str_eq(str a, str b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.at, b.at, (size_t)a.len) == 0);
}

static uint64_t word_at(const unsigned char *at)
{
    uint64_t word;
    memcpy(&word, at, sizeof word);
    return word;
}

// Eight ASCII letters at once: bytes from 'A' to 'Z' get the bit that makes them small, all others stay.
static uint64_t word_lower(uint64_t word)
{
    const uint64_t each = 0x0101010101010101u;
    uint64_t low_bits = word & 0x7f * each;
    uint64_t from_a = low_bits + (0x80 - 'A') * each, after_z = low_bits + (0x80 - 'Z' - 1) * each;
    uint64_t capital = (from_a ^ after_z) & ~word & 0x80 * each;
    return word | capital >> 2;
}

bool str_eq_nocase(str a, str b)
{
    if (a.len != b.len)
        return false;
    ptrdiff_t i = 0;
    for (; a.len - i >= 8; i += 8)
        if (word_lower(word_at(a.at + i)) != word_lower(word_at(b.at + i)))
            return false;
    for (; i < a.len; i++)
        if (lower(a.at[i]) != lower(b.at[i]))
            return false;
    return true;
}

bool str_eq_secret(str a, str b)
{
    if (a.len != b.len)
        return false;
    volatile unsigned char differ = 0;
    for (ptrdiff_t i = 0; i < a.len; i++)
        differ = (unsigned char)(differ | (a.at[i] ^ b.at[i]));
    return differ == 0;
}

int str_cmp(str a, str b)
{
    ptrdiff_t n = a.len < b.len ? a.len : b.len;
    int order = n ? memcmp(a.at, b.at, (size_t)n) : 0;
    return order ? order : (a.len > b.len) - (a.len < b.len);
}

bool str_starts(str s, str p) { return s.len >= p.len && str_eq(str_first(s, p.len), p); }
bool str_starts_nocase(str s, str p) { return s.len >= p.len && str_eq_nocase(str_first(s, p.len), p); }
bool str_ends(str s, str p) { return s.len >= p.len && str_eq(str_from(s, s.len - p.len), p); }
bool str_ends_nocase(str s, str p) { return s.len >= p.len && str_eq_nocase(str_from(s, s.len - p.len), p); }

ptrdiff_t str_find(str s, unsigned char byte)
{
    const unsigned char *hit = s.len ? memchr(s.at, byte, (size_t)s.len) : NULL;
    return hit ? hit - s.at : -1;
}

ptrdiff_t str_rfind(str s, unsigned char byte)
{
    const unsigned char *hit = s.len ? memrchr(s.at, byte, (size_t)s.len) : NULL;
    return hit ? hit - s.at : -1;
}

ptrdiff_t str_find_str(str s, str needle)
{
    if (needle.len == 0)
        return 0;
    const unsigned char *hit = s.len ? memmem(s.at, (size_t)s.len, needle.at, (size_t)needle.len) : NULL;
    return hit ? hit - s.at : -1;
}

static ptrdiff_t clamp(ptrdiff_t n, ptrdiff_t max) { return n < 0 ? 0 : n > max ? max : n; }

str str_from(str s, ptrdiff_t start)
{
    start = clamp(start, s.len);
    return s.len ? (str){s.at + start, s.len - start} : s;
}

str str_first(str s, ptrdiff_t n) { return (str){s.at, clamp(n, s.len)}; }
str str_sub(str s, ptrdiff_t start, ptrdiff_t n) { return str_first(str_from(s, start), n); }

static bool is_blank(unsigned char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

str str_trim(str s)
{
    while (s.len && is_blank(s.at[0]))
        s.at++, s.len--;
    while (s.len && is_blank(s.at[s.len - 1]))
        s.len--;
    return s;
}

str str_chomp(str s)
{
    if (s.len && s.at[s.len - 1] == '\n')
        s.len--;
    if (s.len && s.at[s.len - 1] == '\r')
        s.len--;
    return s;
}

str str_cut(str *s, unsigned char at)
{
    ptrdiff_t i = str_find(*s, at);
    str head = i < 0 ? *s : str_first(*s, i);
    *s = i < 0 ? str_from(*s, s->len) : str_from(*s, i + 1);
    return head;
}

str str_word(str *s)
{
    while (s->len && (s->at[0] == ' ' || s->at[0] == '\t'))
        s->at++, s->len--;
    ptrdiff_t n = 0;
    while (n < s->len && s->at[n] != ' ' && s->at[n] != '\t')
        n++;
    str word = str_first(*s, n);
    *s = str_from(*s, n);
    return word;
}

bool str_to_u64(str s, uint64_t *out)
{
    uint64_t n = 0;
    if (s.len == 0)
        return false;
    for (ptrdiff_t i = 0; i < s.len; i++)
        if (!is_digit(s.at[i]) || __builtin_mul_overflow(n, 10u, &n) || __builtin_add_overflow(n, s.at[i] - '0', &n))
            return false;
    *out = n;
    return true;
}

bool str_to_i64(str s, int64_t *out)
{
    bool minus = s.len && s.at[0] == '-';
    uint64_t n;
    if (!str_to_u64(str_from(s, minus), &n) || n > (uint64_t)INT64_MAX)
        return false;
    *out = minus ? -(int64_t)n : (int64_t)n;
    return true;
}

bool str_hex_to_u64(str s, uint64_t *out)
{
    uint64_t n = 0;
    if (s.len == 0 || s.len > 16)
        return false;
    for (ptrdiff_t i = 0; i < s.len; i++) {
        unsigned char c = lower(s.at[i]);
        if (!is_digit(c) && (c < 'a' || c > 'f'))
            return false;
        n = n << 4 | (uint64_t)(is_digit(c) ? c - '0' : c - 'a' + 10);
    }
    *out = n;
    return true;
}

// A multiply-and-fold hash over 8-byte steps; the key enters every step, so that tables filled by strangers
// cannot be flooded with chosen collisions without knowing it.
static uint64_t fold(uint64_t a, uint64_t b)
{
    __uint128_t product = (__uint128_t)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static uint64_t hash_step(uint64_t h, uint64_t word, uint64_t key)
{
    return fold(h ^ word, key | 0x8000000080000001u) + 0x632be59bd9b4e019u;
}

static uint64_t hash(str s, uint64_t key, bool nocase)
{
    uint64_t h = fold(key ^ 0x9e3779b97f4a7c15u, (uint64_t)s.len ^ 0xd1b54a32d192ed03u);
    for (; s.len >= 8; s = (str){s.at + 8, s.len - 8}) {
        uint64_t word = word_at(s.at);
        h = hash_step(h, nocase ? word_lower(word) : word, key);
    }
    if (s.len > 0) {
        unsigned char last[8] = {0};
        memcpy(last, s.at, (size_t)s.len);
        h = hash_step(h, nocase ? word_lower(word_at(last)) : word_at(last), key);
    }
    return fold(h, key ^ 0xa0761d6478bd642fu);
}

uint64_t str_hash(str s, uint64_t key) { return hash(s, key, false); }
uint64_t str_hash_nocase(str s, uint64_t key) { return hash(s, key, true); }
