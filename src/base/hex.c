#include "base/hex.h"

static const char digits[] = "0123456789abcdef", capital_digits[] = "0123456789ABCDEF";

void hex_encode(unsigned char *out, str in)
{
    for (ptrdiff_t i = 0; i < in.len; i++) {
        *out++ = (unsigned char)digits[in.at[i] >> 4];
        *out++ = (unsigned char)digits[in.at[i] & 15];
    }
}

int hex_digit(unsigned char c)
{
    if (is_digit(c))
        return c - '0';
    c = lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool hex_decode(unsigned char *out, str in)
{
    if (in.len % 2)
        return false;
    for (ptrdiff_t i = 0; i < in.len; i += 2) {
        int high = hex_digit(in.at[i]), low = hex_digit(in.at[i + 1]);
        if (high < 0 || low < 0)
            return false;
        *out++ = (unsigned char)(high << 4 | low);
    }
    return true;
}

str hex_text(arena *a, str in)
{
    unsigned char *at = in.len ? arena_alloc(a, (size_t)in.len, 2, 1) : NULL;
    if (!at)
        return (str){0};
    hex_encode(at, in);
    return (str){at, in.len * 2};
}

bool percent_put(buf *out, str in, str also)
{
    for (ptrdiff_t i = 0; i < in.len; i++) {
        unsigned char c = in.at[i];
        unsigned char coded[3] = {'%', (unsigned char)capital_digits[c >> 4], (unsigned char)capital_digits[c & 15]};
        bool plain = is_alnum(c) || str_find(S("-._~"), c) >= 0 || str_find(also, c) >= 0;
        if (!buf_put(out, plain ? (str){&c, 1} : (str){coded, 3}))
            return false;
    }
    return true;
}

bool percent_decode(buf *out, str in)
{
    for (ptrdiff_t i = 0; i < in.len; i++) {
        unsigned char c = in.at[i];
        if (c == '%') {
            if (in.len - i < 3 || !hex_decode(&c, str_sub(in, i + 1, 2)))
                return false;
            i += 2;
        }
        if (!buf_put_byte(out, c))
            return false;
    }
    return true;
}
