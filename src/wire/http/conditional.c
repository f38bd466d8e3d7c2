#include "wire/http/conditional.h"

#include "base/date.h"

enum { STRONG_DATE_S = 1 };              // Last-Modified is strong when it lies so long before Date (section 8.8.2.2)

static str opaque(str tag) { return str_from(tag, str_starts(tag, S("W/")) ? 2 : 0); }

bool etag_valid(str tag)
{
    str s = opaque(tag);
    if (s.len < 2 || s.at[0] != '"' || s.at[s.len - 1] != '"')
        return false;
    for (ptrdiff_t i = 1; i + 1 < s.len; i++)
        if (s.at[i] <= ' ' || s.at[i] == '"' || s.at[i] == 0x7f)
            return false;
    return true;
}

bool etag_same_weak(str a, str b) { return a.len && str_eq(opaque(a), opaque(b)); }
bool etag_same_strong(str a, str b) { return a.len && !str_starts(a, S("W/")) && str_eq(a, b); }

static int64_t date_of_field(const http_header *headers, int count, str name)
{
    int64_t seconds;
    return date_parse_http(http_header_find(headers, count, name), &seconds) ? seconds : CONDITION_NO_DATE;
}

validators validators_of(const http_header *headers, int count)
{
    validators v = {http_header_find(headers, count, S("ETag")), date_of_field(headers, count, S("Last-Modified")),
                    date_of_field(headers, count, S("Date"))};
    if (!etag_valid(v.etag))
        v.etag = (str){0};
    return v;
}

typedef bool etag_comparison(str a, str b);

static bool tags_match(const http_header *headers, int count, str name, str etag, etag_comparison *same)
{
    http_list l = http_list_of(headers, count, name);
    str member;
    while (http_list_next(&l, &member))
        if (str_eq(member, S("*")) || same(member, etag))
            return true;
    return false;
}

int conditions_judge(str method, const http_header *headers, int count, const validators *now)
{
    bool reads = str_eq(method, S("GET")) || str_eq(method, S("HEAD"));
    if (http_field_present(headers, count, S("If-Match"))) {
        if (!tags_match(headers, count, S("If-Match"), now->etag, etag_same_strong))
            return 412;
    } else {
        int64_t since = date_of_field(headers, count, S("If-Unmodified-Since"));
        if (since != CONDITION_NO_DATE && now->modified_s != CONDITION_NO_DATE && now->modified_s > since)
            return 412;
    }
    if (http_field_present(headers, count, S("If-None-Match")))
        return !tags_match(headers, count, S("If-None-Match"), now->etag, etag_same_weak) ? 0 : reads ? 304 : 412;
    int64_t since = date_of_field(headers, count, S("If-Modified-Since"));
    return reads && since != CONDITION_NO_DATE && now->modified_s != CONDITION_NO_DATE && now->modified_s <= since ? 304 : 0;
}

bool condition_if_range(const http_header *headers, int count, const validators *now)
{
    str field = http_header_find(headers, count, S("If-Range"));
    int64_t since;
    if (!http_field_present(headers, count, S("If-Range")))
        return true;
    if (etag_valid(field))
        return etag_same_strong(field, now->etag);
    return date_parse_http(field, &since) && now->modified_s == since && now->date_s != CONDITION_NO_DATE
           && now->date_s - now->modified_s >= STRONG_DATE_S;
}
