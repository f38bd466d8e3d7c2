#include "wire/http/caching.h"

#include "base/date.h"

static bool is_one_of(int status, const int *list)
{
    for (; *list; list++)
        if (*list == status)
            return true;
    return false;
}

// RFC 9110 section 15.1, without 206: parts are put together from slices, not kept as they come.
static bool heuristically_cacheable(int status)
{
    static const int list[] = {200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 501, 0};
    return is_one_of(status, list);
}

// Whose caching rules we know: with must-understand only these are kept.
static bool understood(int status)
{
    static const int list[] = {200, 203, 204, 300, 301, 302, 303, 307, 308, 400, 403, 404, 405, 410, 414, 421, 451, 500, 501, 502, 503, 504, 0};
    return is_one_of(status, list);
}

static bool date_field(const cache_answer *a, str name, int64_t *out)
{
    return date_parse_http(http_header_find(a->headers, a->header_count, name), out);
}

// ---- keeping ------------------------------------------------------------------------------------------------------------------

static int64_t bounded(int64_t s)
{
    return s < 0 ? 0 : s > CACHE_SECONDS_MAX ? CACHE_SECONDS_MAX : s;
}

// Section 4.2.1. False: nothing is said about it.
static bool lifetime_said(const cache_control *c, const cache_answer *a, bool targeted, int64_t *out)
{
    int64_t expires, sent = a->came_s;
    *out = c->s_maxage_s != CACHE_UNSAID ? c->s_maxage_s : c->max_age_s;
    if (*out != CACHE_UNSAID)
        return true;
    if (targeted || !http_field_present(a->headers, a->header_count, S("Expires")))
        return false;
    if (!date_field(a, S("Date"), &sent))
        sent = a->came_s;
    *out = date_field(a, S("Expires"), &expires) ? bounded(expires - sent) : 0;      // "Expires: 0" is in the past
    return true;
}

static int64_t lifetime_guess(const cache_answer *a)
{
    int64_t modified, sent = a->came_s;
    if (!date_field(a, S("Last-Modified"), &modified))
        return 0;
    if (!date_field(a, S("Date"), &sent))
        sent = a->came_s;
    int64_t guess = bounded(sent - modified) / CACHE_HEURISTIC_DIVISOR;
    return guess < CACHE_HEURISTIC_S_MAX ? guess : CACHE_HEURISTIC_S_MAX;
}

static int64_t age_at_start(const cache_answer *a)       // section 4.2.3
{
    int64_t sent, said = 0;
    http_list l = http_list_of(a->headers, a->header_count, S("Age"));
    str first;
    if (http_list_next(&l, &first) && !cache_seconds_read(first, &said))
        said = 0;
    int64_t apparent = date_field(a, S("Date"), &sent) ? bounded(a->came_s - sent) : 0;
    int64_t corrected = bounded(said + (a->came_s - a->asked_s));
    return apparent > corrected ? apparent : corrected;
}

static const char *storing_refused(const cache_question *q, const cache_answer *a, const cache_control *c, bool lifetime)
{
    cache_control asked = cache_control_read(q->headers, q->header_count);
    bool by_rule = c->must_understand && understood(a->status);      // must-understand overrides no-store (section 5.2.2.3)
    if (!str_eq(q->method, S("GET")) && !str_eq(q->method, S("HEAD")))
        return "the method is not kept";
    if (a->status < 200 || a->status == 304 || a->status == 206)
        return "not a final, whole answer";
    if (c->must_understand && !understood(a->status))
        return "must-understand, and the status is not understood";
    if (asked.no_store)
        return "the request says no-store";
    if (c->no_store && !by_rule)
        return "no-store";
    if (c->is_private)
        return "private";
    if (http_field_present(q->headers, q->header_count, S("Authorization"))
        && !c->is_public && !c->must_revalidate && c->s_maxage_s == CACHE_UNSAID)
        return "the request is authorised and the answer does not allow sharing";
    if (!lifetime && !c->is_public && !heuristically_cacheable(a->status))
        return "no lifetime is given and the status has none by itself";
    return NULL;
}

const char *cache_judge(const cache_question *q, const cache_answer *a, bool heuristics, cache_policy *out)
{
    cache_control c;
    bool targeted = cache_control_read_cdn(a->headers, a->header_count, &c);
    if (!targeted)
        c = cache_control_read(a->headers, a->header_count);
    int64_t lifetime = 0;
    bool said = lifetime_said(&c, a, targeted, &lifetime);
    const char *why = storing_refused(q, a, &c, said);
    if (why)
        return why;
    bool guess = !said && heuristics && heuristically_cacheable(a->status);
    validators v = validators_of(a->headers, a->header_count);
    *out = (cache_policy){
        .lifetime_s = said ? lifetime : guess ? lifetime_guess(a) : 0,
        .age_at_start_s = age_at_start(a),
        .came_s = a->came_s,
        .stale_while_revalidate_s = c.stale_while_revalidate_s == CACHE_UNSAID ? 0 : c.stale_while_revalidate_s,
        .stale_if_error_s = c.stale_if_error_s == CACHE_UNSAID ? 0 : c.stale_if_error_s,
        .always_validate = c.no_cache,
        .never_stale = c.must_revalidate || c.proxy_revalidate || c.s_maxage_s != CACHE_UNSAID,
        .heuristic = guess,
        .has_validator = v.etag.len || v.modified_s != CONDITION_NO_DATE,
    };
    return NULL;
}

// ---- giving -------------------------------------------------------------------------------------------------------------------

int64_t cache_age_s(const cache_policy *p, int64_t now_s)
{
    return bounded(p->age_at_start_s + (now_s > p->came_s ? now_s - p->came_s : 0));
}

int64_t cache_left_s(const cache_policy *p, int64_t now_s)
{
    return p->lifetime_s - cache_age_s(p, now_s);
}

// Pragma counts only where there is no Cache-Control (RFC 9111 section 5.4).
static bool wants_validation(const cache_control *asked, const cache_question *q)
{
    http_list l = http_list_of(q->headers, q->header_count, S("Pragma"));
    str member;
    if (asked->no_cache)
        return true;
    if (!http_field_present(q->headers, q->header_count, S("Cache-Control")))
        while (http_list_next(&l, &member))
            if (str_eq_nocase(member, S("no-cache")))
                return true;
    return false;
}

cache_use cache_use_judge(const cache_policy *p, const cache_question *q, int64_t now_s)
{
    cache_control asked = cache_control_read(q->headers, q->header_count);
    cache_use otherwise = asked.only_if_cached ? CACHE_TIMEOUT : CACHE_VALIDATE;
    int64_t age = cache_age_s(p, now_s), left = p->lifetime_s - age;
    if (p->always_validate || wants_validation(&asked, q))
        return otherwise;
    if (asked.max_age_s != CACHE_UNSAID && age > asked.max_age_s)
        return otherwise;
    if (left > 0)
        return asked.min_fresh_s == CACHE_UNSAID || left >= asked.min_fresh_s ? CACHE_GIVE : otherwise;
    if (p->never_stale || asked.min_fresh_s != CACHE_UNSAID)
        return otherwise;
    if (asked.max_stale_any || (asked.max_stale_s != CACHE_UNSAID && -left <= asked.max_stale_s))
        return CACHE_GIVE;
    return -left < p->stale_while_revalidate_s ? CACHE_GIVE_AND_VALIDATE : otherwise;
}

bool cache_may_give_on_error(const cache_policy *p, const cache_question *q, int64_t forgiving_s, int64_t now_s)
{
    cache_control asked = cache_control_read(q->headers, q->header_count);
    int64_t stale = -cache_left_s(p, now_s), leave = forgiving_s;
    if (p->never_stale || p->always_validate || wants_validation(&asked, q))
        return false;
    if (p->stale_if_error_s > 0)
        leave = p->stale_if_error_s;
    if (asked.stale_if_error_s != CACHE_UNSAID)
        leave = asked.stale_if_error_s;
    return stale <= 0 || stale <= leave;
}

// ---- one of several -----------------------------------------------------------------------------------------------------------

static void lower_put(buf *out, str s)
{
    for (ptrdiff_t i = 0; i < s.len; i++)
        buf_put_byte(out, lower(s.at[i]));
}

bool cache_vary_key(const http_header *answer, int answer_count, const http_header *question, int question_count, buf *out)
{
    http_list names = http_list_of(answer, answer_count, S("Vary"));
    str name, member;
    int fields = 0;
    while (http_list_next(&names, &name)) {
        if (str_eq(name, S("*")) || fields++ == CACHE_VARY_FIELDS_MAX || !http_is_token(name))
            return false;
        lower_put(out, name);
        buf_put_byte(out, http_field_present(question, question_count, name) ? ':' : '-');
        http_list values = http_list_of(question, question_count, name);
        while (http_list_next(&values, &member)) {
            buf_put(out, member);
            buf_put_byte(out, ',');
        }
        buf_put_byte(out, '\n');
    }
    return !out->full;
}

// ---- fields -------------------------------------------------------------------------------------------------------------------

static bool named_in(str list, str name)
{
    http_header one = {S("X"), list};
    http_list l = http_list_of(&one, 1, S("X"));
    str member;
    while (http_list_next(&l, &member))
        if (str_eq_nocase(member, name))
            return true;
    return false;
}

bool http_field_is_of_connection(const http_header *headers, int count, str name)
{
    static const char *const always[] = {"Connection", "Keep-Alive", "Proxy-Connection", "TE", "Trailer", "Transfer-Encoding", "Upgrade",
                                         "Proxy-Authenticate", "Proxy-Authentication-Info", "Proxy-Authorization"};
    for (size_t i = 0; i < sizeof always / sizeof *always; i++)
        if (str_eq_nocase(name, str_z(always[i])))
            return true;
    for (int i = 0; i < count; i++)
        if (str_eq_nocase(headers[i].name, S("Connection")) && named_in(headers[i].value, name))
            return true;
    return false;
}

int cache_fields_keep(const http_header *headers, int count, http_header *out)
{
    cache_control c = cache_control_read(headers, count);
    int n = 0;
    for (int i = 0; i < count; i++)
        if (!http_field_is_of_connection(headers, count, headers[i].name) && !named_in(c.no_cache_fields, headers[i].name)
            && !named_in(c.private_fields, headers[i].name))
            out[n++] = headers[i];
    return n;
}

static bool of_the_body(str name)
{
    return str_eq_nocase(name, S("Content-Length")) || str_eq_nocase(name, S("Content-Encoding"))
           || str_eq_nocase(name, S("Content-Type")) || str_eq_nocase(name, S("Content-Range")) || str_eq_nocase(name, S("Vary"));
}

int cache_fields_update(const http_header *old, int old_count, const http_header *fresh, int fresh_count, http_header *out)
{
    int n = 0;
    for (int i = 0; i < old_count; i++)
        if (of_the_body(old[i].name) || !http_field_present(fresh, fresh_count, old[i].name))
            out[n++] = old[i];
    for (int i = 0; i < fresh_count; i++)
        if (!of_the_body(fresh[i].name) && !http_field_is_of_connection(fresh, fresh_count, fresh[i].name))
            out[n++] = fresh[i];
    return n;
}

// ---- what ends it -------------------------------------------------------------------------------------------------------------

bool cache_method_is_safe(str method)
{
    return str_eq(method, S("GET")) || str_eq(method, S("HEAD")) || str_eq(method, S("OPTIONS")) || str_eq(method, S("TRACE"));
}

bool cache_invalidates(str method, int status)
{
    return !cache_method_is_safe(method) && status >= 200 && status < 400;
}

bool cache_loops(const http_header *headers, int count, str own_id)
{
    http_list l = http_list_of(headers, count, S("CDN-Loop"));
    str member;
    int passed = 0;
    while (http_list_next(&l, &member)) {
        str id = str_trim(str_cut(&member, ';'));
        if (str_eq_nocase(id, own_id) || ++passed > CACHE_LOOP_MAX)
            return true;
    }
    return false;
}
