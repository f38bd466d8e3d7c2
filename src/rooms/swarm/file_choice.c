#include "rooms/swarm/file_choice.h"

#include <fnmatch.h>
#include <string.h>

enum { PATTERN_BYTES_MAX = 1024, PATH_BYTES_MAX = 4096 };

static bool is_numbers(str part)
{
    for (ptrdiff_t i = 0; i < part.len; i++)
        if (!is_digit(part.at[i]) && part.at[i] != '-')
            return false;
    return part.len > 0;
}

static bool numbers_choose(str part, int count, file_choice to, file_choice *out)
{
    str last = part, first = str_cut(&last, '-');
    uint64_t from, until;
    if (!str_to_u64(first, &from))
        return false;
    until = from;
    if (part.len > first.len && !str_to_u64(last, &until))
        return false;
    if (from < 1 || until < from || until > (uint64_t)count)
        return false;
    for (uint64_t n = from; n <= until; n++)
        out[n - 1] = to;
    return true;
}

static bool text_copy(char *to, size_t size, str s)
{
    if ((size_t)s.len >= size || memchr(s.at, 0, (size_t)s.len))
        return false;
    memcpy(to, s.at, (size_t)s.len);
    to[s.len] = 0;
    return true;
}

// With a slash it is held against the whole path, without one against the last part.
static bool matches(const char *pattern, str path)
{
    char text[PATH_BYTES_MAX];
    bool whole = strchr(pattern, '/');
    return text_copy(text, sizeof text, whole ? path : str_from(path, str_rfind(path, '/') + 1)) && fnmatch(pattern, text, 0) == 0;
}

static bool pattern_choose(str part, file_names of, file_choice to, file_choice *out)
{
    char pattern[PATTERN_BYTES_MAX];
    if (of.name.len && str_starts(part, of.name) && str_starts(str_from(part, of.name.len), S("/")))
        part = str_from(part, of.name.len + 1);
    bool some = false, folder = !part.len || str_ends(part, S("/"));
    if (!text_copy(pattern, sizeof pattern, part))
        return false;
    for (int i = 0; i < of.count; i++) {
        if (!(folder ? str_starts(of.paths[i], part) : str_eq(of.paths[i], part) || matches(pattern, of.paths[i])))
            continue;
        out[i] = to;
        some = true;
    }
    return some;
}

static bool list_choose(str list, file_names of, file_choice to, file_choice *out, str *wrong)
{
    while (list.len > 0) {
        str part = str_trim(str_cut(&list, ','));
        if (is_numbers(part) ? numbers_choose(part, of.count, to, out) : part.len && pattern_choose(part, of, to, out))
            continue;
        *wrong = part;
        return false;
    }
    return true;
}

bool files_choose(file_choices c, file_names of, bool only, file_choice *out, str *wrong)
{
    for (int i = 0; i < of.count; i++)
        out[i] = only && c.want.len ? FILE_SKIPPED : FILE_STAYS;
    return list_choose(c.want, of, FILE_WANTED, out, wrong) && list_choose(c.skip, of, FILE_SKIPPED, out, wrong)
           && list_choose(c.first, of, FILE_FIRST, out, wrong);
}
