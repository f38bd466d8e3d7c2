#include "wire/http/cache_control.h"

#include <stddef.h>

typedef struct { str name; size_t offset; } directive;

static const directive switches[] = {
    {S("no-store"), offsetof(cache_control, no_store)},
    {S("no-cache"), offsetof(cache_control, no_cache)},
    {S("no-transform"), offsetof(cache_control, no_transform)},
    {S("must-revalidate"), offsetof(cache_control, must_revalidate)},
    {S("proxy-revalidate"), offsetof(cache_control, proxy_revalidate)},
    {S("must-understand"), offsetof(cache_control, must_understand)},
    {S("public"), offsetof(cache_control, is_public)},
    {S("private"), offsetof(cache_control, is_private)},
    {S("only-if-cached"), offsetof(cache_control, only_if_cached)},
    {S("immutable"), offsetof(cache_control, immutable)},
};
static const directive numbers[] = {
    {S("max-age"), offsetof(cache_control, max_age_s)},
    {S("s-maxage"), offsetof(cache_control, s_maxage_s)},
    {S("min-fresh"), offsetof(cache_control, min_fresh_s)},
    {S("max-stale"), offsetof(cache_control, max_stale_s)},
    {S("stale-while-revalidate"), offsetof(cache_control, stale_while_revalidate_s)},
    {S("stale-if-error"), offsetof(cache_control, stale_if_error_s)},
};
enum { SWITCHES = sizeof switches / sizeof *switches, NUMBERS = sizeof numbers / sizeof *numbers };

static bool *switch_at(cache_control *c, size_t offset) { return (bool *)((unsigned char *)c + offset); }
static int64_t *number_at(cache_control *c, size_t offset) { return (int64_t *)(void *)((unsigned char *)c + offset); }

static cache_control unsaid(void)
{
    cache_control c = {0};
    for (int i = 0; i < NUMBERS; i++)
        *number_at(&c, numbers[i].offset) = CACHE_UNSAID;
    return c;
}

bool cache_seconds_read(str text, int64_t *out)
{
    *out = 0;
    if (text.len == 0)
        return false;
    for (ptrdiff_t i = 0; i < text.len; i++) {
        if (!is_digit(text.at[i]))
            return false;
        *out = *out * 10 + (text.at[i] - '0');
        if (*out > CACHE_SECONDS_MAX)
            *out = CACHE_SECONDS_MAX;
    }
    return true;
}

static void number_take(int64_t *kept, int64_t seconds)
{
    if (*kept == CACHE_UNSAID || seconds < *kept)
        *kept = seconds;
}

// no-cache="Set-Cookie": only that field. A second list, or one beside the bare word, means everything.
static void fields_take(bool *whole, str *fields, str list)
{
    if (list.len && !fields->len && !*whole)
        *fields = list;
    else
        *whole = true;
}

static void directive_take(cache_control *c, str name, str value, bool has_value)
{
    int64_t seconds;
    if (str_eq_nocase(name, S("no-cache"))) {
        fields_take(&c->no_cache, &c->no_cache_fields, value);
        return;
    }
    if (str_eq_nocase(name, S("private"))) {
        fields_take(&c->is_private, &c->private_fields, value);
        return;
    }
    if (str_eq_nocase(name, S("max-stale")) && !has_value) {
        c->max_stale_any = true;
        return;
    }
    for (int i = 0; i < SWITCHES; i++)
        if (str_eq_nocase(name, switches[i].name))
            *switch_at(c, switches[i].offset) = true;
    for (int i = 0; i < NUMBERS; i++)
        if (str_eq_nocase(name, numbers[i].name))
            number_take(number_at(c, numbers[i].offset), cache_seconds_read(value, &seconds) ? seconds : 0);
}

cache_control cache_control_read(const http_header *headers, int count)
{
    cache_control c = unsaid();
    http_list l = http_list_of(headers, count, S("Cache-Control"));
    str member, name, value;
    bool has_value;
    while (http_list_next(&l, &member)) {
        http_member_cut(member, &name, &value, &has_value);
        directive_take(&c, name, value, has_value);
    }
    return c;
}

// ---- structured fields --------------------------------------------------------------------------------------------------------

static bool is_key(str s)                                // RFC 8941 section 3.1.2
{
    if (s.len == 0 || !((s.at[0] >= 'a' && s.at[0] <= 'z') || s.at[0] == '*'))
        return false;
    for (ptrdiff_t i = 1; i < s.len; i++) {
        unsigned char c = s.at[i];
        if (!((c >= 'a' && c <= 'z') || is_digit(c) || c == '_' || c == '-' || c == '.' || c == '*'))
            return false;
    }
    return true;
}

static bool is_integer(str s)                            // section 3.3.1
{
    s = str_from(s, str_starts(s, S("-")) ? 1 : 0);
    for (ptrdiff_t i = 0; i < s.len; i++)
        if (!is_digit(s.at[i]))
            return false;
    return s.len >= 1 && s.len <= 15;
}

static bool is_string(str s)                             // section 3.3.3
{
    if (s.len < 2 || s.at[0] != '"' || s.at[s.len - 1] != '"')
        return false;
    for (ptrdiff_t i = 1; i + 1 < s.len; i++) {
        if (s.at[i] < ' ' || s.at[i] > '~' || s.at[i] == '"')
            return false;
        if (s.at[i] == '\\' && (i + 2 >= s.len || (s.at[i + 1] != '"' && s.at[i + 1] != '\\')))
            return false;
        i += s.at[i] == '\\';
    }
    return true;
}

static bool is_item(str s)
{
    return is_integer(s) || is_string(s) || str_eq(s, S("?0")) || str_eq(s, S("?1")) || (s.len && is_alpha(s.at[0]) && http_is_token(s));
}

// One member: "key", "key=item", parameters after ';' are read past. A negative number is none that we know: broken.
static bool cdn_member(cache_control *c, str member)
{
    str bare = member, raw = str_trim(str_cut(&bare, ';')), value = raw, name = str_cut(&value, '=');
    bool has_value = name.len < raw.len, quoted = str_starts(value, S("\""));
    if (!is_key(name) || (has_value && !is_item(value)))
        return false;
    if (str_eq(value, S("?0")))
        return true;
    if (quoted)
        value = str_sub(value, 1, value.len - 2);
    for (int i = 0; i < NUMBERS; i++)
        if (str_eq(name, numbers[i].name)) {
            int64_t seconds;
            if (!has_value || quoted || !cache_seconds_read(value, &seconds))
                return false;
            *number_at(c, numbers[i].offset) = seconds;              // the last one counts (section 4.2.2)
            return true;
        }
    directive_take(c, name, quoted ? value : (str){0}, has_value);
    return true;
}

bool cache_control_read_cdn(const http_header *headers, int count, cache_control *out)
{
    http_list l = http_list_of(headers, count, S("CDN-Cache-Control"));
    str member;
    bool any = false;
    *out = unsaid();
    while (http_list_next(&l, &member)) {
        if (!cdn_member(out, member))
            return false;
        any = true;
    }
    return any;
}
