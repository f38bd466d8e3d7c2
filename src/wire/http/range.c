#include "wire/http/range.h"

#include <inttypes.h>

// Digits only, at most 18 of them: no offset comes near 2^63.
static bool offset_read(str s, int64_t *out)
{
    uint64_t n;
    if (s.len < 1 || s.len > 18 || !str_to_u64(s, &n))
        return false;
    *out = (int64_t)n;
    return true;
}

typedef enum { PART_GOOD, PART_OUTSIDE, PART_BAD } part_verdict;

static part_verdict part_read(str text, int64_t length, byte_range *out)
{
    if (str_find(text, '-') < 0)
        return PART_BAD;
    str first = str_trim(str_cut(&text, '-')), last = str_trim(text);
    int64_t n;
    if (first.len == 0) {                                // the last n bytes
        if (!offset_read(last, &n) || length < 0)
            return PART_BAD;
        *out = (byte_range){n < length ? length - n : 0, length - 1};
        return n > 0 && length > 0 ? PART_GOOD : PART_OUTSIDE;
    }
    if (!offset_read(first, &out->first))
        return PART_BAD;
    if (last.len == 0 && length < 0)
        return PART_BAD;
    out->last = length - 1;
    if (last.len && (!offset_read(last, &n) || n < out->first))
        return PART_BAD;
    if (last.len && (length < 0 || n < length))
        out->last = n;
    return length < 0 || out->first < length ? PART_GOOD : PART_OUTSIDE;
}

static bool overlaps(const byte_range *parts, int count, byte_range x)
{
    for (int i = 0; i < count; i++)
        if (x.first <= parts[i].last && parts[i].first <= x.last)
            return true;
    return false;
}

static range_verdict none(int *count)
{
    *count = 0;
    return RANGE_NONE;
}

range_verdict range_read(str field, int64_t length, byte_range parts[RANGE_PARTS_MAX], int *count)
{
    str unit = str_cut(&field, '=');
    int outside = 0;
    *count = 0;
    if (!str_eq_nocase(str_trim(unit), S("bytes")))
        return RANGE_NONE;
    while (field.len) {
        str text = str_trim(str_cut(&field, ','));
        byte_range x;
        if (text.len == 0)
            continue;
        if (*count + outside == RANGE_PARTS_MAX)
            return none(count);
        part_verdict v = part_read(text, length, &x);
        if (v == PART_BAD || (v == PART_GOOD && overlaps(parts, *count, x)))
            return none(count);
        if (v == PART_GOOD)
            parts[(*count)++] = x;
        else
            outside++;
    }
    return *count ? RANGE_PARTS : outside ? RANGE_UNSATISFIABLE : RANGE_NONE;
}

bool content_range_read(str field, byte_range *part, int64_t *length)
{
    str unit = str_word(&field), whole = str_trim(field), range = str_cut(&whole, '/');
    *length = -1;
    *part = (byte_range){-1, -1};
    if (!str_eq_nocase(unit, S("bytes")) || (!str_eq(whole, S("*")) && !offset_read(whole, length)))
        return false;
    if (str_eq(range, S("*")))
        return *length >= 0;
    str last = range, first = str_cut(&last, '-');
    return offset_read(first, &part->first) && offset_read(last, &part->last) && part->first <= part->last
           && (*length < 0 || part->last < *length);
}

bool content_range_write(buf *out, byte_range part, int64_t length)
{
    bool good = buf_put(out, S("bytes "));
    good = good && (part.first < 0 ? buf_put_byte(out, '*') : buf_format(out, "%" PRId64 "-%" PRId64, part.first, part.last));
    return good && (length < 0 ? buf_put(out, S("/*")) : buf_format(out, "/%" PRId64, length));
}
