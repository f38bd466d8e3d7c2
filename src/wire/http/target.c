#include "wire/http/target.h"

#include "base/buf.h"
#include "base/hex.h"

// Decodes %XX (and '+' when asked). False for broken escapes and control characters.
static bool decode(str in, bool plus, arena *a, str *out)
{
    unsigned char *to = arena_array(a, unsigned char, in.len + 1);
    ptrdiff_t n = 0;
    if (!to)
        return false;
    for (ptrdiff_t i = 0; i < in.len; i++) {
        int c = in.at[i];
        if (c == '%') {
            if (i + 2 >= in.len || hex_digit(in.at[i + 1]) < 0 || hex_digit(in.at[i + 2]) < 0)
                return false;
            c = hex_digit(in.at[i + 1]) * 16 + hex_digit(in.at[i + 2]);
            i += 2;
        } else if (c == '+' && plus) {
            c = ' ';
        }
        if (c < ' ' || c == 0x7f)
            return false;
        to[n++] = (unsigned char)c;
    }
    *out = (str){to, n};
    return true;
}

// RFC 3986 section 5.2.4 on what was decoded, so that %2e%2e and %2f climb nowhere either.
static bool dots_remove(str path, arena *a, str *out)
{
    str segments[TARGET_SEGMENTS_MAX];
    int count = 0;
    bool folder = true;                                  // ends with a '/'
    while (path.len) {
        folder = str_find(path, '/') >= 0;
        str segment = str_cut(&path, '/');
        bool dot = str_eq(segment, S(".")), dots = str_eq(segment, S(".."));
        if (dots && --count < 0)
            return false;
        if (segment.len && !dot && !dots) {
            if (count == TARGET_SEGMENTS_MAX)
                return false;
            segments[count++] = segment;
        }
        folder = folder || dot || dots;
    }
    buf whole = buf_make(a->max_bytes);
    for (int i = 0; i < count; i++) {
        buf_put_byte(&whole, '/');
        buf_put(&whole, segments[i]);
    }
    if (folder || count == 0)
        buf_put_byte(&whole, '/');
    *out = str_copy(a, buf_str(&whole));
    buf_free(&whole);
    return out->len > 0;
}

bool target_read(str target, arena *a, str *path, str *query)
{
    if (str_starts_nocase(target, S("http://")) || str_starts_nocase(target, S("https://"))) {
        target = str_from(target, str_find_str(target, S("//")) + 2);
        ptrdiff_t end = 0;                               // of the authority
        while (end < target.len && target.at[end] != '/' && target.at[end] != '?')
            end++;
        if (end == 0)
            return false;
        target = str_from(target, end);
        if (target.len == 0 || target.at[0] == '?')
            target = str_join(a, S("/"), target);
    }
    *query = target;
    str raw = str_cut(query, '?'), decoded;
    if (str_eq(target, S("*")))
        return *path = target, true;
    return str_starts(raw, S("/")) && decode(str_from(raw, 1), false, a, &decoded) && dots_remove(decoded, a, path);
}

str query_get(str query, str name, arena *a)
{
    while (query.len) {
        str value = str_cut(&query, '&'), key, out;
        if (!decode(str_cut(&value, '='), true, a, &key) || !str_eq(key, name))
            continue;
        return decode(value, true, a, &out) ? out : (str){0};
    }
    return (str){0};
}
