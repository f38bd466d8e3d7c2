// Whatever fields come: ages and lifetimes stay in their bounds, a kept answer is never given past its lifetime without leave,
// what Vary names makes one key for one request, and what is kept holds no field of the connection.
#include "base/must.h"
#include "wire/http/caching.h"
#include "wire/http/range.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { FIELDS = 12, NOW = 1784714007 };

static int fields_of(str text, http_header *out)
{
    int n = 0;
    while (text.len && n < FIELDS) {
        str value = str_cut(&text, '\n'), name = str_cut(&value, ':');
        out[n++] = (http_header){name, str_trim(value)};
    }
    return n;
}

static void ranges_try(str field, int64_t length)
{
    byte_range parts[RANGE_PARTS_MAX];
    int count;
    range_verdict v = range_read(field, length, parts, &count);
    must((v == RANGE_PARTS) == (count > 0) && count <= RANGE_PARTS_MAX);
    int64_t sum = 0;
    for (int i = 0; i < count; i++) {
        must(parts[i].first >= 0 && parts[i].first <= parts[i].last && parts[i].last < length);
        sum += parts[i].last - parts[i].first + 1;
    }
    must(sum <= length);                                 // no request multiplies bytes
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > 1 << 14)
        return 0;
    str came = str_of(data, size), asked = str_cut(&came, 0);
    http_header question[FIELDS], answer[FIELDS], kept[FIELDS];
    cache_question q = {S("GET"), question, fields_of(asked, question)};
    cache_answer a = {200, answer, fields_of(came, answer), NOW - 1, NOW};
    cache_policy p;
    for (int i = 0; i < q.header_count; i++)
        ranges_try(question[i].value, 1000);
    int n = cache_fields_keep(answer, a.header_count, kept);
    for (int i = 0; i < n; i++)
        must(!http_field_is_of_connection(answer, a.header_count, kept[i].name));
    buf one = buf_make(CACHE_VARY_KEY_BYTES_MAX), two = buf_make(CACHE_VARY_KEY_BYTES_MAX);
    bool possible = cache_vary_key(answer, a.header_count, question, q.header_count, &one);
    must(possible == cache_vary_key(answer, a.header_count, question, q.header_count, &two));
    must(str_eq(buf_str(&one), buf_str(&two)));
    buf_free(&one);
    buf_free(&two);
    if (cache_judge(&q, &a, true, &p))
        return 0;
    must(p.lifetime_s >= 0 && p.lifetime_s <= CACHE_SECONDS_MAX && p.age_at_start_s >= 0 && p.age_at_start_s <= CACHE_SECONDS_MAX);
    cache_question plain = {S("GET"), NULL, 0};
    cache_use use = cache_use_judge(&p, &plain, NOW + 100);
    must(use != CACHE_GIVE || cache_left_s(&p, NOW + 100) > 0);
    must(use != CACHE_GIVE_AND_VALIDATE || (!p.never_stale && -cache_left_s(&p, NOW + 100) < p.stale_while_revalidate_s));
    return 0;
}
