// What a shared cache may keep, for how long, and whom it may give it to (RFC 9111 with 5861, 9213; the fields of 9211 and 8586).
// Pure: times are seconds since 1970, given by the caller.
#pragma once
#include "wire/http/cache_control.h"
#include "wire/http/conditional.h"

enum {
    CACHE_HEURISTIC_DIVISOR = 10,            // without a lifetime: a tenth of the time since Last-Modified (section 4.2.2)
    CACHE_HEURISTIC_S_MAX = 24 * 3600,
    CACHE_VARY_FIELDS_MAX = 16,              // an answer that varies by more is not kept
    CACHE_VARY_KEY_BYTES_MAX = 8 * 1024,
    CACHE_LOOP_MAX = 8,                      // a request that has passed so many CDN nodes goes no further (CDN-Loop)
};

typedef struct {
    str         method;
    const http_header *headers;
    int         header_count;
} cache_question;

typedef struct {
    int         status;
    const http_header *headers;
    int         header_count;
    int64_t     asked_s, came_s;             // when the request went out and the answer came
} cache_answer;

// What a kept answer's fields mean, worked out once.
typedef struct {
    int64_t lifetime_s;                      // freshness; from the answer's birth
    int64_t age_at_start_s;                  // when it came (section 4.2.3)
    int64_t came_s;
    int64_t stale_while_revalidate_s, stale_if_error_s;      // 0: no such leave
    bool    always_validate;                 // no-cache
    bool    never_stale;                     // must-revalidate, proxy-revalidate, s-maxage: no stale answer, ever
    bool    heuristic;
    bool    has_validator;
} cache_policy;

// May the answer be kept (section 3)? NULL and *out, or the reason why not (a literal). heuristics: answers without a lifetime of
// their own may be fresh for a while; false: they are validated each time.
const char *cache_judge(const cache_question *q, const cache_answer *a, bool heuristics, cache_policy *out);

int64_t cache_age_s(const cache_policy *p, int64_t now_s);           // for the Age field; never negative
int64_t cache_left_s(const cache_policy *p, int64_t now_s);          // of the freshness; negative: stale for so long

typedef enum {
    CACHE_GIVE,                              // fresh enough for this request
    CACHE_GIVE_AND_VALIDATE,                 // stale-while-revalidate: give it, ask the origin behind
    CACHE_VALIDATE,                          // ask the origin first
    CACHE_TIMEOUT,                           // only-if-cached and there is nothing to give: 504
} cache_use;
// How a kept answer may serve this request (sections 4.2 and 5.2.1).
cache_use cache_use_judge(const cache_policy *p, const cache_question *q, int64_t now_s);
// May it be given although it is stale, because the origin failed (RFC 5861; unreachable or 500, 502, 503, 504)?
// forgiving_s: for how long that is allowed when neither side says anything (0: not).
bool cache_may_give_on_error(const cache_policy *p, const cache_question *q, int64_t forgiving_s, int64_t now_s);

// What selects one of several kept answers (section 4.1): the fields that Vary names, as the request has them, made alike
// ("a,b" = "a, b"; names in lower case, lines joined). False: it varies by "*" or by more than the limits: no request matches.
bool cache_vary_key(const http_header *answer, int answer_count, const http_header *question, int question_count, buf *out);

// The fields of an answer that are kept: without those of one connection (RFC 9110 section 7.6.1), those named in Connection and
// in no-cache="..." and private="...". Returns how many of `out`, which has room for count.
int  cache_fields_keep(const http_header *headers, int count, http_header *out);
bool http_field_is_of_connection(const http_header *headers, int count, str name);

// A 304 brings new fields for the kept answer (section 3.2): out = old, with those of the 304 in their place, except what says
// how long the body is and how it is coded. Room for old_count + fresh_count.
int  cache_fields_update(const http_header *old, int old_count, const http_header *fresh, int fresh_count, http_header *out);

// An unsafe method that succeeded makes what is kept under its URI (and Location, Content-Location of the same origin) invalid.
bool cache_method_is_safe(str method);
bool cache_invalidates(str method, int status);

// CDN-Loop (RFC 8586): has this request been here already, or been through too many?
bool cache_loops(const http_header *headers, int count, str own_id);
