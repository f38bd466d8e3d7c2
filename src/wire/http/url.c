#include "wire/http/url.h"

#include <string.h>

#include "base/hex.h"

static bool is_unreserved(int c) { return is_alnum((unsigned char)c) || c == '-' || c == '.' || c == '_' || c == '~'; }

// Nothing to change: no escape, and no segment that begins with a dot.
static bool is_normal(str s)
{
    if (memchr(s.at, '%', (size_t)s.len))
        return false;
    for (ptrdiff_t i = 0; i + 1 < s.len && s.at[i] != '?'; i++)
        if (s.at[i] == '/' && s.at[i + 1] == '.')
            return false;
    for (ptrdiff_t i = 0; i < s.len; i++)
        if (s.at[i] < 0x21 || s.at[i] > 0x7e || s.at[i] == '\\')
            return false;
    return true;
}

// Decodes what needs no escape. A backslash is one that another reader may take for a slash: it is escaped.
static bool escapes_normal(str s, buf *out)
{
    static const char digits[] = "0123456789ABCDEF";
    for (ptrdiff_t i = 0; i < s.len; i++) {
        int c = s.at[i];
        bool escaped = c == '%';
        if (escaped && (i + 2 >= s.len || hex_digit(s.at[i + 1]) < 0 || hex_digit(s.at[i + 2]) < 0))
            return false;
        if (escaped) {
            c = hex_digit(s.at[i + 1]) * 16 + hex_digit(s.at[i + 2]);
            i += 2;
        }
        if (c == 0 || (!escaped && (c < 0x21 || c > 0x7e)))
            return false;
        if (is_unreserved(c) || (!escaped && c != '\\')) {
            buf_put_byte(out, (unsigned char)c);
        } else {
            buf_put_byte(out, '%');
            buf_put_byte(out, (unsigned char)digits[c >> 4]);
            buf_put_byte(out, (unsigned char)digits[c & 15]);
        }
    }
    return !out->full;
}

// RFC 3986 section 5.2.4, in place; empty segments stay. False: above the root.
static bool dots_remove(unsigned char *path, size_t *len)
{
    size_t to = 0, from = 0;
    while (from < *len) {                                // path[from] is a '/'
        size_t end = from + 1;
        while (end < *len && path[end] != '/')
            end++;
        str segment = str_of(path + from + 1, end - from - 1);
        bool dot = str_eq(segment, S(".")), dots = str_eq(segment, S(".."));
        if (dots && to == 0)
            return false;
        while (dots && to > 0 && path[--to] != '/')
            ;
        if ((dot || dots) && end == *len)
            path[to++] = '/';
        else if (!dot && !dots) {
            memmove(path + to, path + from, end - from);
            to += end - from;
        }
        from = end;
    }
    *len = to;
    return true;
}

static str authority_cut(str *target)
{
    if (!str_starts_nocase(*target, S("http://")) && !str_starts_nocase(*target, S("https://")))
        return (str){0};
    *target = str_from(*target, str_find_str(*target, S("//")) + 2);
    ptrdiff_t end = 0;
    while (end < target->len && target->at[end] != '/' && target->at[end] != '?')
        end++;
    str authority = str_first(*target, end);
    *target = str_from(*target, end);
    return authority;
}

bool url_normal(str target, buf *room, str *authority, str *out)
{
    str whole = target;
    *authority = authority_cut(&target);
    if (authority->at && authority->len == 0)
        return false;
    bool rootless = authority->len && (target.len == 0 || target.at[0] == '?');
    if (!rootless && (target.len == 0 || target.at[0] != '/'))
        return false;
    *out = target;
    if (!rootless && is_normal(target))
        return true;
    size_t begin = room->len;
    ptrdiff_t question = str_find(target, '?');
    str path = question < 0 ? target : str_first(target, question);
    if (rootless)
        path = S("/");
    if (!escapes_normal(path, room))
        return false;
    size_t len = room->len - begin;
    if (!dots_remove(room->at + begin, &len))
        return false;
    room->len = begin + len;
    if (question >= 0 && !escapes_normal(str_from(target, question), room))
        return false;
    *out = str_of(room->at + begin, room->len - begin);
    return whole.len > 0;
}
