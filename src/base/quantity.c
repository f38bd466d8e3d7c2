#include "base/quantity.h"

typedef struct {
    const char *name;
    int64_t     factor;
} unit;

static const unit sizes[] = {
    {"", 1},       {"b", 1},         {"kb", 1000},        {"mb", 1000000},      {"gb", 1000000000}, {"tb", 1000000000000},
    {"kib", 1024}, {"mib", 1 << 20}, {"gib", 1 << 30},    {"tib", INT64_C(1) << 40}, {NULL, 0},
};
static const unit durations[] = {
    {"w", 7 * 86400000}, {"d", 86400000}, {"h", 3600000}, {"m", 60000}, {"s", 1000}, {"ms", 1}, {NULL, 0},
};
static const unit rates[] = {{"bit", 1}, {"kbit", 1000}, {"mbit", 1000000}, {"gbit", 1000000000}, {NULL, 0}};

enum { FRACTION_DIGITS_MAX = 6 };

static str take_span(str *s, bool (*is)(unsigned char))
{
    ptrdiff_t n = 0;
    while (n < s->len && is(s->at[n]))
        n++;
    str span = str_first(*s, n);
    *s = str_from(*s, n);
    return span;
}

static const unit *unit_find(const unit *units, str name)
{
    while (units->name && !str_eq_nocase(str_z(units->name), name))
        units++;
    return units->name ? units : NULL;
}

// A number, perhaps with a fraction, and its unit, taken off the front of *s. The fraction must come out even.
static bool take_quantity(str *s, const unit *units, const unit **used, int64_t *out)
{
    uint64_t whole, fraction = 0, scale = 1;
    if (!str_to_u64(take_span(s, is_digit), &whole) || whole > (uint64_t)INT64_MAX)
        return false;
    if (s->len && s->at[0] == '.') {
        *s = str_from(*s, 1);
        str digits = take_span(s, is_digit);
        if (digits.len > FRACTION_DIGITS_MAX || !str_to_u64(digits, &fraction))
            return false;
        for (ptrdiff_t i = 0; i < digits.len; i++)
            scale *= 10;
    }
    *used = unit_find(units, take_span(s, is_alpha));
    if (!*used || (fraction * (uint64_t)(*used)->factor) % scale)
        return false;
    int64_t part = (int64_t)(fraction * (uint64_t)(*used)->factor / scale);
    return !__builtin_mul_overflow((int64_t)whole, (*used)->factor, out) && !__builtin_add_overflow(*out, part, out);
}

bool size_parse(str text, int64_t *bytes)
{
    const unit *used;
    int64_t n;
    if (!take_quantity(&text, sizes, &used, &n) || text.len)
        return false;
    *bytes = n;
    return true;
}

bool rate_parse(str text, int64_t *bits_per_second)
{
    const unit *used;
    int64_t n;
    if (!take_quantity(&text, rates, &used, &n) || (text.len && !str_eq_nocase(text, S("/s"))))
        return false;
    *bits_per_second = n;
    return true;
}

bool duration_parse(str text, int64_t *milliseconds)
{
    int64_t total = 0, part;
    const unit *used, *before = NULL;
    if (str_eq(text, S("0"))) {
        *milliseconds = 0;
        return true;
    }
    do {
        if (!take_quantity(&text, durations, &used, &part) || (before && used <= before) ||
            __builtin_add_overflow(total, part, &total))
            return false;
        before = used;
    } while (text.len);
    *milliseconds = total;
    return true;
}

str size_text(arena *a, int64_t bytes)
{
    static const char *const names[] = {"kB", "MB", "GB", "TB", "PB", "EB"};
    if (bytes < 1000)
        return str_format(a, "%lld B", (long long)bytes);
    int power = 0;
    int64_t factor = 1000;
    while (bytes / factor >= 1000)
        factor *= 1000, power++;
    int64_t tenths = bytes / (factor / 10);
    if (tenths >= 100)
        return str_format(a, "%lld %s", (long long)(tenths / 10), names[power]);
    return str_format(a, "%lld.%lld %s", (long long)(tenths / 10), (long long)(tenths % 10), names[power]);
}

str duration_text(arena *a, int64_t milliseconds)
{
    str text = {0};
    if (milliseconds <= 0)
        return S("0");
    for (const unit *u = durations; u->name; u++) {
        if (milliseconds >= u->factor)
            text = str_format(a, STR_FMT "%lld%s", STR_ARG(text), (long long)(milliseconds / u->factor), u->name);
        milliseconds %= u->factor;
    }
    return text;
}
