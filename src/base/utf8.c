#include "base/utf8.h"

int utf8_decode(str s, uint32_t *code)
{
    if (s.len <= 0)
        return 0;
    unsigned char first = s.at[0];
    if (first < 0x80)
        return *code = first, 1;
    int len = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
    if (first < 0xc2 || first > 0xf4 || s.len < len)
        return 0;
    uint32_t c = first & (0x7fu >> len);
    for (int i = 1; i < len; i++) {
        if ((s.at[i] & 0xc0) != 0x80)
            return 0;
        c = c << 6 | (s.at[i] & 0x3f);
    }
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    if (c < least[len] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
        return 0;
    *code = c;
    return len;
}

int utf8_encode(unsigned char out[4], uint32_t c)
{
    if (c < 0x80) {
        out[0] = (unsigned char)c;
        return 1;
    }
    if (c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
        return 0;
    int len = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    for (int i = len - 1; i > 0; i--, c >>= 6)
        out[i] = (unsigned char)(0x80 | (c & 0x3f));
    static const unsigned char mark[] = {0, 0, 0xc0, 0xe0, 0xf0};
    out[0] = (unsigned char)(mark[len] | c);
    return len;
}

bool utf8_valid(str s)
{
    uint32_t code;
    for (int n; s.len; s = str_from(s, n))
        if (!(n = utf8_decode(s, &code)))
            return false;
    return true;
}

str utf8_first(str s, ptrdiff_t max)
{
    if (s.len <= max)
        return s;
    ptrdiff_t end = max < 0 ? 0 : max;
    for (int back = 0; back < 3 && end > 0 && (s.at[end] & 0xc0) == 0x80; back++)
        end--;
    return str_first(s, end);
}

typedef struct { uint32_t first, last; } range;

static bool within(const range *ranges, int count, uint32_t code)
{
    int low = 0, high = count - 1;
    while (low <= high) {
        int middle = (low + high) / 2;
        if (code < ranges[middle].first)
            high = middle - 1;
        else if (code > ranges[middle].last)
            low = middle + 1;
        else
            return true;
    }
    return false;
}
#define WITHIN(table, code) within((table), (int)(sizeof(table) / sizeof(table)[0]), (code))

bool utf8_is_control(uint32_t c)
{
    static const range controls[] = {
        {0, 0x1f}, {0x7f, 0x9f}, {0x61c, 0x61c}, {0x200e, 0x200f}, {0x2028, 0x202e}, {0x2066, 0x2069}, {0xfeff, 0xfeff},
        {0xfff9, 0xfffb}, {0xe0000, 0xe007f},
    };
    return WITHIN(controls, c);
}

int utf8_columns(uint32_t c)
{
    static const range marks[] = {
        {0x300, 0x36f}, {0x483, 0x489}, {0x591, 0x5bd}, {0x610, 0x61a}, {0x64b, 0x65f}, {0x900, 0x902}, {0x93c, 0x93c},
        {0xe31, 0xe31}, {0xe34, 0xe3a}, {0xe47, 0xe4e}, {0x1160, 0x11ff}, {0x1ab0, 0x1aff}, {0x1dc0, 0x1dff},
        {0x200b, 0x200f}, {0x20d0, 0x20ff}, {0xd7b0, 0xd7ff}, {0xfe00, 0xfe0f}, {0xfe20, 0xfe2f},
    };
    static const range wide[] = {
        {0x1100, 0x115f}, {0x231a, 0x231b}, {0x2329, 0x232a}, {0x23e9, 0x23ec}, {0x2e80, 0x303e}, {0x3041, 0x33ff},
        {0x3400, 0x4dbf}, {0x4e00, 0x9fff}, {0xa000, 0xa4cf}, {0xa960, 0xa97f}, {0xac00, 0xd7a3}, {0xf900, 0xfaff},
        {0xfe30, 0xfe6f}, {0xff00, 0xff60}, {0xffe0, 0xffe6}, {0x1f300, 0x1f64f}, {0x1f680, 0x1f6ff}, {0x1f900, 0x1faff},
        {0x20000, 0x3fffd},
    };
    if (c < 0x300)
        return 1;
    return WITHIN(marks, c) ? 0 : WITHIN(wide, c) ? 2 : 1;
}

int utf8_width(str s)
{
    int columns = 0;
    while (s.len) {
        uint32_t code = 0;
        int n = utf8_decode(s, &code);
        columns += n ? utf8_columns(code) : 1;
        s = str_from(s, n ? n : 1);
    }
    return columns;
}

str utf8_first_columns(str s, int columns_max)
{
    str rest = s;
    while (rest.len) {
        uint32_t code = 0;
        int n = utf8_decode(rest, &code);
        columns_max -= n ? utf8_columns(code) : 1;
        if (columns_max < 0)
            break;
        rest = str_from(rest, n ? n : 1);
    }
    return str_first(s, s.len - rest.len);
}
