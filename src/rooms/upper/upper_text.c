#include "rooms/upper/upper_text.h"

#include <string.h>
#include <unicase.h>

#include "base/must.h"
#include "base/utf8.h"

enum { PIECE_BYTES = 512 };

// Most text is this. Finding its end takes eight bytes at a step; the second loop the compiler turns into vectors.
static ptrdiff_t upper_ascii(unsigned char *out, str s)
{
    ptrdiff_t n = 0;
    uint64_t eight;
    while (s.len - n >= 8 && (memcpy(&eight, s.at + n, 8), (eight & 0x8080808080808080u) == 0))
        n += 8;
    while (n < s.len && s.at[n] < 0x80)
        n++;
    for (ptrdiff_t i = 0; i < n; i++)
        out[i] = upper(s.at[i]);
    return n;
}

// How many bytes of whole characters beyond ASCII s begins with.
static ptrdiff_t beyond_ascii(str s)
{
    ptrdiff_t n = 0;
    uint32_t code;
    while (n < s.len && s.at[n] >= 0x80) {
        int bytes = utf8_decode(str_from(s, n), &code);
        if (bytes == 0)
            break;
        n += bytes;
    }
    return n;
}

// libunistring knows the mappings (Unicode's UnicodeData and SpecialCasing); well-formed text that fits cannot fail.
static size_t upper_characters(unsigned char *out, str s)
{
    size_t len = (size_t)s.len * UPPER_GROWTH + UPPER_SLACK_BYTES;
    uint8_t *result = u8_toupper(s.at, (size_t)s.len, NULL, NULL, out, &len);
    must(result == out);
    return len;
}

size_t upper_text(unsigned char *out, str s)
{
    unsigned char *start = out;
    while (s.len > 0) {
        ptrdiff_t n = upper_ascii(out, s);
        out += n;
        s = str_from(s, n);
        n = beyond_ascii(s);
        if (n > 0)
            out += upper_characters(out, str_first(s, n));
        s = str_from(s, n);
        if (n == 0 && s.len > 0) {                       // no UTF-8: passes
            *out++ = s.at[0];
            s = str_from(s, 1);
        }
    }
    return (size_t)(out - start);
}

// A piece of s that ends between characters.
static str piece_cut(str *s)
{
    str piece = str_first(*s, PIECE_BYTES);
    ptrdiff_t whole = upper_text_whole(piece);
    if (piece.len < s->len && whole > 0)
        piece.len = whole;
    *s = str_from(*s, piece.len);
    return piece;
}

size_t upper_text_fit(unsigned char *out, size_t size, str s)
{
    if ((size_t)s.len * UPPER_GROWTH + UPPER_SLACK_BYTES <= size)
        return upper_text(out, s);
    unsigned char work[PIECE_BYTES * UPPER_GROWTH + UPPER_SLACK_BYTES];
    size_t used = 0;
    while (s.len > 0) {
        str made = {work, (ptrdiff_t)upper_text(work, piece_cut(&s))};
        ptrdiff_t room = (ptrdiff_t)(size - used);
        if (made.len > room)
            made = str_first(made, room), made.len = upper_text_whole(made), s.len = 0;
        memcpy(out + used, made.at, (size_t)made.len);
        used += (size_t)made.len;
    }
    return used;
}

// Would some bytes behind it make this a character? The extremes tell: what may follow is a range of bytes.
static bool may_become_whole(str s)
{
    unsigned char try[4];
    uint32_t code;
    memcpy(try, s.at, (size_t)s.len);
    for (int filler = 0x80; filler <= 0xbf; filler += 0xbf - 0x80) {
        memset(try + s.len, filler, sizeof try - (size_t)s.len);
        if (utf8_decode((str){try, sizeof try}, &code) > s.len)
            return true;
    }
    return false;
}

ptrdiff_t upper_text_whole(str s)
{
    for (ptrdiff_t back = 1; back <= UPPER_TAIL_BYTES_MAX && back <= s.len; back++) {
        unsigned char byte = s.at[s.len - back];
        if (byte >= 0xc0)
            return may_become_whole(str_from(s, s.len - back)) ? s.len - back : s.len;
        if (byte < 0x80)
            return s.len;
    }
    return s.len;
}
