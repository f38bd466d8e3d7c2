#include "base/base64.h"

#include "base/base64_avx2.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

// The value of each letter; X where the byte is none. Only ASCII has letters.
enum { X = 0xff };
static const unsigned char values[128] = {
     X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,
     X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,
     X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X, 62,  X,  X,  X, 63,
    52, 53, 54, 55, 56, 57, 58, 59, 60, 61,  X,  X,  X,  X,  X,  X,
     X,  0,  1,  2,  3,  4,  5,  6,  7,  8,  9, 10, 11, 12, 13, 14,
    15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25,  X,  X,  X,  X,  X,
     X, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40,
    41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51,  X,  X,  X,  X,  X,
};

static unsigned value_of(unsigned char c) { return c < 128 ? values[c] : X; }

size_t base64_encode_plain(unsigned char *out, str in)
{
    unsigned char *o = out;
    const unsigned char *at = in.at;
    ptrdiff_t left = in.len;
    for (; left >= 3; left -= 3, at += 3) {
        uint32_t group = (uint32_t)at[0] << 16 | (uint32_t)at[1] << 8 | at[2];
        *o++ = (unsigned char)alphabet[group >> 18];
        *o++ = (unsigned char)alphabet[group >> 12 & 63];
        *o++ = (unsigned char)alphabet[group >> 6 & 63];
        *o++ = (unsigned char)alphabet[group & 63];
    }
    if (left) {
        uint32_t group = (uint32_t)at[0] << 16 | (left == 2 ? (uint32_t)at[1] << 8 : 0);
        *o++ = (unsigned char)alphabet[group >> 18];
        *o++ = (unsigned char)alphabet[group >> 12 & 63];
        *o++ = left == 2 ? (unsigned char)alphabet[group >> 6 & 63] : '=';
        *o++ = '=';
    }
    return (size_t)(o - out);
}

size_t base64_encode_lines_plain(unsigned char *out, str in)
{
    unsigned char *o = out;
    for (; in.len; in = str_from(in, BASE64_LINE_BYTES)) {
        o += base64_encode_plain(o, str_first(in, BASE64_LINE_BYTES));
        *o++ = '\r';
        *o++ = '\n';
    }
    return (size_t)(o - out);
}

// The last group of a strict text: four letters, or three and "=", or two and "==".
static ptrdiff_t last_group(unsigned char *out, const unsigned char *at)
{
    unsigned a = value_of(at[0]), b = value_of(at[1]), c = value_of(at[2]), d = value_of(at[3]);
    if ((a | b) > 63)
        return -1;
    out[0] = (unsigned char)(a << 2 | b >> 4);
    if (at[2] == '=' && at[3] == '=')
        return (b & 15) ? -1 : 1;
    if (c > 63)
        return -1;
    out[1] = (unsigned char)(b << 4 | c >> 2);
    if (at[3] == '=')
        return (c & 3) ? -1 : 2;
    if (d > 63)
        return -1;
    out[2] = (unsigned char)(c << 6 | d);
    return 3;
}

ptrdiff_t base64_decode_plain(unsigned char *out, str in)
{
    if (in.len % 4)
        return -1;
    unsigned char *o = out;
    for (ptrdiff_t i = 0; i < in.len; i += 4) {
        ptrdiff_t n = last_group(o, in.at + i);
        if (n < 0 || (n < 3 && i + 4 < in.len))
            return -1;
        o += n;
    }
    return o - out;
}

// A lenient decoder that can stop and go on: what is left of an unfinished group.
typedef struct {
    uint32_t bits;
    int      letters;           // 0..3 in `bits`
    bool     ended;             // a '=' was met
} group;

static unsigned char *decode_byte(group *g, unsigned char *o, unsigned char c)
{
    unsigned value = value_of(c);
    if (c == '=')
        g->ended = true;
    if (value > 63)
        return o;
    g->bits = g->bits << 6 | value;
    if (++g->letters < 4)
        return o;
    o[0] = (unsigned char)(g->bits >> 16);
    o[1] = (unsigned char)(g->bits >> 8);
    o[2] = (unsigned char)g->bits;
    *g = (group){0};
    return o + 3;
}

static unsigned char *finish_group(const group *g, unsigned char *o)
{
    if (g->letters >= 2)
        *o++ = (unsigned char)(g->letters == 2 ? g->bits >> 4 : g->bits >> 10);
    if (g->letters == 3)
        *o++ = (unsigned char)(g->bits >> 2);
    return o;
}

size_t base64_decode_mime_plain(unsigned char *out, str in)
{
    unsigned char *o = out;
    group g = {0};
    for (ptrdiff_t i = 0; i < in.len && !g.ended; i++)
        o = decode_byte(&g, o, in.at[i]);
    return (size_t)(finish_group(&g, o) - out);
}

size_t base64_encode(unsigned char *out, str in)
{
    size_t taken = base64_has_avx2() ? base64_avx2_encode(out, in) : 0;
    size_t made = taken / 3 * 4;
    return made + base64_encode_plain(out + made, str_from(in, (ptrdiff_t)taken));
}

size_t base64_encode_lines(unsigned char *out, str in)
{
    size_t taken = base64_has_avx2() ? base64_avx2_encode_lines(out, in) : 0;
    size_t made = base64_lines_size(taken);
    return made + base64_encode_lines_plain(out + made, str_from(in, (ptrdiff_t)taken));
}

ptrdiff_t base64_decode(unsigned char *out, str in)
{
    size_t taken = base64_has_avx2() ? base64_avx2_decode(out, in) : 0;
    ptrdiff_t made = (ptrdiff_t)(taken / 4 * 3);
    ptrdiff_t rest = base64_decode_plain(out + made, str_from(in, (ptrdiff_t)taken));
    return rest < 0 ? -1 : made + rest;
}

// Vectors while groups are whole and lines are regular; one line byte by byte where they are not, then try again.
static size_t decode_mime_fast(unsigned char *out, str in)
{
    unsigned char *o = out;
    group g = {0};
    while (in.len && !g.ended) {
        if (g.letters == 0) {
            base64_progress p = base64_avx2_decode_lines(o, in);
            o += p.made;
            in = str_from(in, (ptrdiff_t)p.taken);
        }
        ptrdiff_t i = 0;
        while (i < in.len && !g.ended && !(i > 0 && in.at[i - 1] == '\n'))
            o = decode_byte(&g, o, in.at[i++]);
        in = str_from(in, i);
    }
    return (size_t)(finish_group(&g, o) - out);
}

size_t base64_decode_mime(unsigned char *out, str in)
{
    return base64_has_avx2() ? decode_mime_fast(out, in) : base64_decode_mime_plain(out, in);
}

str base64_text(arena *a, str in)
{
    unsigned char *at = in.len ? arena_alloc(a, base64_encoded_size((size_t)in.len), 1, 1) : NULL;
    return at ? str_of(at, base64_encode(at, in)) : (str){0};
}

bool base64_bytes(arena *a, str in, str *out)
{
    unsigned char *at = arena_alloc(a, base64_decoded_size_max((size_t)in.len), 1, 1);
    ptrdiff_t n = at ? base64_decode(at, in) : -1;
    *out = n > 0 ? (str){at, n} : (str){0};
    return n >= 0;
}
