#include "test.h"
#include "base/date.h"
#include "wire/http/caching.h"
#include "wire/http/fields_test.h"

// The origin's clock says NOW; fields write times as DATE(-100): filled in by `at`.
enum { NOW = 1784714007 };

static const char *at(const char *text, char *out)           // every "@-100" becomes the date of NOW - 100
{
    char *to = out;
    while (*text) {
        if (*text != '@') {
            *to++ = *text++;
            continue;
        }
        char sign = text[1], day[DATE_TEXT_MAX];
        int64_t seconds = 0;
        for (text += 2; is_digit((unsigned char)*text); text++)
            seconds = seconds * 10 + (*text - '0');
        date_print_http(day, NOW + (sign == '-' ? -seconds : seconds));
        memcpy(to, day, strlen(day));
        to += strlen(day);
    }
    *to = 0;
    return out;
}

typedef struct {
    http_header asked[TEST_FIELDS_MAX], came[TEST_FIELDS_MAX];
    char        asked_text[1000], came_text[1000];
    cache_question q;
    cache_answer   a;
} exchange;

static void exchange_make(exchange *x, const char *method, const char *asked, int status, const char *came)
{
    x->q = (cache_question){str_z(method), x->asked, test_fields(at(asked, x->asked_text), x->asked)};
    x->a = (cache_answer){status, x->came, test_fields(at(came, x->came_text), x->came), NOW, NOW};
}

TEST(answers_are_kept_or_not)
{
    static const struct { const char *method, *asked; int status; const char *came; bool kept; int64_t lifetime_s; } rows[] = {
        {"GET", "", 200, "Cache-Control: max-age=60", true, 60},
        {"GET", "", 200, "Cache-Control: max-age=60, s-maxage=5", true, 5},
        {"GET", "", 200, "Expires: @+30\nDate: @+0", true, 30},
        {"GET", "", 200, "Expires: @+30", true, 30},
        {"GET", "", 200, "Expires: 0", true, 0},
        {"GET", "", 200, "Expires: @-30", true, 0},
        {"GET", "", 200, "Expires: @+30\nCache-Control: max-age=5", true, 5},
        {"GET", "", 200, "Expires: @+30\nCache-Control: max-age=x", true, 0},
        {"GET", "", 200, "Last-Modified: @-1000\nDate: @+0", true, 100},
        {"GET", "", 200, "Last-Modified: @-100000000\nDate: @+0", true, CACHE_HEURISTIC_S_MAX},
        {"GET", "", 200, "", true, 0},
        {"GET", "", 302, "", false, 0},
        {"GET", "", 302, "Cache-Control: max-age=9", true, 9},
        {"GET", "", 302, "Cache-Control: public", true, 0},
        {"GET", "", 404, "Last-Modified: @-1000", true, 100},
        {"GET", "", 500, "", false, 0},
        {"GET", "", 503, "Cache-Control: max-age=9", true, 9},
        {"GET", "", 599, "Cache-Control: max-age=9", true, 9},
        {"GET", "", 599, "Cache-Control: max-age=9, must-understand", false, 0},
        {"GET", "", 200, "Cache-Control: max-age=9, no-store, must-understand", true, 9},
        {"GET", "", 206, "Cache-Control: max-age=9\nContent-Range: bytes 0-1/2", false, 0},
        {"GET", "", 304, "Cache-Control: max-age=9", false, 0},
        {"HEAD", "", 200, "Cache-Control: max-age=9", true, 9},
        {"POST", "", 200, "Cache-Control: max-age=9", false, 0},
        {"PUT", "", 200, "Cache-Control: max-age=9", false, 0},
        {"GET", "", 200, "Cache-Control: no-store", false, 0},
        {"GET", "", 200, "Cache-Control: max-age=9\nCache-Control: no-store", false, 0},
        {"GET", "", 200, "Cache-Control: private, max-age=9", false, 0},
        {"GET", "", 200, "Cache-Control: private=\"Set-Cookie\", max-age=9", true, 9},
        {"GET", "Cache-Control: no-store", 200, "Cache-Control: max-age=9", false, 0},
        {"GET", "Authorization: x", 200, "Cache-Control: max-age=9", false, 0},
        {"GET", "Authorization: x", 200, "Cache-Control: max-age=9, public", true, 9},
        {"GET", "Authorization: x", 200, "Cache-Control: s-maxage=9", true, 9},
        {"GET", "Authorization: x", 200, "Cache-Control: max-age=9, must-revalidate", true, 9},
        {"GET", "", 200, "Cache-Control: no-store\nCDN-Cache-Control: max-age=9", true, 9},
        {"GET", "", 200, "Cache-Control: max-age=9\nCDN-Cache-Control: no-store", false, 0},
        {"GET", "", 200, "Cache-Control: max-age=9\nCDN-Cache-Control: private", false, 0},
        {"GET", "", 200, "Cache-Control: max-age=9\nCDN-Cache-Control: max-age=\"5\"", true, 9},
        {"GET", "", 200, "Expires: @+30\nCDN-Cache-Control: must-revalidate", true, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        exchange x;
        cache_policy p = {0};
        exchange_make(&x, rows[i].method, rows[i].asked, rows[i].status, rows[i].came);
        const char *why = cache_judge(&x.q, &x.a, true, &p);
        CHECK_ROW(i, (why == NULL) == rows[i].kept);
        CHECK_ROW(i, why || p.lifetime_s == rows[i].lifetime_s);
    }
}

TEST(age_is_what_it_was_and_what_passed)
{
    static const struct { const char *came; int64_t way_s, age_s; } rows[] = {
        {"Date: @+0", 0, 0}, {"Date: @-7", 0, 7}, {"Date: @+50", 0, 0}, {"Date: @-7\nAge: 100", 0, 100}, {"Age: 3", 2, 5},
        {"Date: @-9\nAge: 3", 2, 9}, {"Age: -3", 0, 0}, {"Age: 1.5", 0, 0}, {"Age: 7200, 0", 0, 7200}, {"Age: 99999999999", 0, CACHE_SECONDS_MAX},
        {"", 0, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        exchange x;
        cache_policy p;
        exchange_make(&x, "GET", "", 200, rows[i].came);
        x.a.asked_s -= rows[i].way_s;
        CHECK_ROW(i, cache_judge(&x.q, &x.a, true, &p) == NULL && cache_age_s(&p, NOW) == rows[i].age_s);
        CHECK_ROW(i, rows[i].age_s > 1000000 || cache_age_s(&p, NOW + 10) == rows[i].age_s + 10);
        CHECK_ROW(i, cache_age_s(&p, NOW - 10) == rows[i].age_s);            // a clock that was set back
    }
}

TEST(kept_answers_serve_whom_they_may)
{
    static const struct { const char *came, *asked; int later_s; cache_use use; } rows[] = {
        {"Cache-Control: max-age=60", "", 59, CACHE_GIVE},
        {"Cache-Control: max-age=60", "", 60, CACHE_VALIDATE},
        {"Cache-Control: max-age=60\nAge: 30", "", 29, CACHE_GIVE},
        {"Cache-Control: max-age=60\nAge: 30", "", 30, CACHE_VALIDATE},
        {"Cache-Control: max-age=60", "Cache-Control: no-cache", 0, CACHE_VALIDATE},
        {"Cache-Control: max-age=60", "Pragma: no-cache", 0, CACHE_VALIDATE},
        {"Cache-Control: max-age=60", "Pragma: no-cache\nCache-Control: max-age=50", 0, CACHE_GIVE},
        {"Cache-Control: max-age=60", "Cache-Control: max-age=10", 11, CACHE_VALIDATE},
        {"Cache-Control: max-age=60", "Cache-Control: max-age=10", 10, CACHE_GIVE},
        {"Cache-Control: max-age=60", "Cache-Control: max-age=0", 0, CACHE_GIVE},
        {"Cache-Control: max-age=60", "Cache-Control: min-fresh=30", 30, CACHE_GIVE},
        {"Cache-Control: max-age=60", "Cache-Control: min-fresh=30", 31, CACHE_VALIDATE},
        {"Cache-Control: max-age=60", "Cache-Control: max-stale=10", 70, CACHE_GIVE},
        {"Cache-Control: max-age=60", "Cache-Control: max-stale=10", 71, CACHE_VALIDATE},
        {"Cache-Control: max-age=60", "Cache-Control: max-stale", 9999, CACHE_GIVE},
        {"Cache-Control: max-age=60, must-revalidate", "Cache-Control: max-stale", 61, CACHE_VALIDATE},
        {"Cache-Control: max-age=60, proxy-revalidate", "Cache-Control: max-stale", 61, CACHE_VALIDATE},
        {"Cache-Control: s-maxage=60", "Cache-Control: max-stale", 61, CACHE_VALIDATE},
        {"Cache-Control: max-age=60, no-cache", "", 0, CACHE_VALIDATE},
        {"Cache-Control: max-age=60, no-cache=\"X\"", "", 0, CACHE_GIVE},
        {"Cache-Control: max-age=60, stale-while-revalidate=30", "", 89, CACHE_GIVE_AND_VALIDATE},
        {"Cache-Control: max-age=60, stale-while-revalidate=30", "", 90, CACHE_VALIDATE},
        {"Cache-Control: max-age=60, stale-while-revalidate=30, must-revalidate", "", 61, CACHE_VALIDATE},
        {"Cache-Control: max-age=60", "Cache-Control: only-if-cached", 1, CACHE_GIVE},
        {"Cache-Control: max-age=60", "Cache-Control: only-if-cached", 61, CACHE_TIMEOUT},
        {"", "", 0, CACHE_VALIDATE},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        exchange x;
        cache_policy p;
        exchange_make(&x, "GET", rows[i].asked, 200, rows[i].came);
        CHECK_ROW(i, cache_judge(&x.q, &x.a, true, &p) == NULL);
        CHECK_ROW(i, cache_use_judge(&p, &x.q, NOW + rows[i].later_s) == rows[i].use);
    }
}

TEST(errors_are_bridged_where_that_is_allowed)
{
    static const struct { const char *came, *asked; int forgiving_s, later_s; bool given; } rows[] = {
        {"Cache-Control: max-age=60, stale-if-error=30", "", 0, 90, true},
        {"Cache-Control: max-age=60, stale-if-error=30", "", 0, 91, false},
        {"Cache-Control: max-age=60", "", 0, 61, false},
        {"Cache-Control: max-age=60", "", 100, 160, true},
        {"Cache-Control: max-age=60", "Cache-Control: stale-if-error=5", 100, 66, false},
        {"Cache-Control: max-age=60, must-revalidate", "", 100, 61, false},
        {"Cache-Control: max-age=60, no-cache", "", 100, 1, false},
        {"Cache-Control: s-maxage=60", "", 100, 61, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        exchange x;
        cache_policy p;
        exchange_make(&x, "GET", rows[i].asked, 200, rows[i].came);
        CHECK_ROW(i, cache_judge(&x.q, &x.a, true, &p) == NULL);
        CHECK_ROW(i, cache_may_give_on_error(&p, &x.q, rows[i].forgiving_s, NOW + rows[i].later_s) == rows[i].given);
    }
}

static bool vary_same(const char *vary, const char *one, const char *other, bool *possible)
{
    http_header answer[TEST_FIELDS_MAX], fields[TEST_FIELDS_MAX];
    int count = test_fields(vary, answer);
    buf a = buf_make(CACHE_VARY_KEY_BYTES_MAX), b = buf_make(CACHE_VARY_KEY_BYTES_MAX);
    *possible = cache_vary_key(answer, count, fields, test_fields(one, fields), &a)
                && cache_vary_key(answer, count, fields, test_fields(other, fields), &b);
    bool same = str_eq(buf_str(&a), buf_str(&b));
    buf_free(&a);
    buf_free(&b);
    return same;
}

TEST(vary_selects_by_the_fields_it_names)
{
    static const struct { const char *vary, *one, *other; bool possible, same; } rows[] = {
        {"", "A: 1", "A: 2", true, true},
        {"Vary: A", "A: 1", "A: 1", true, true},
        {"Vary: A", "A: 1", "A: 2", true, false},
        {"Vary: a", "A: 1,2", "a: 1 , 2", true, true},
        {"Vary: A", "A: 1\nA: 2", "A: 1, 2", true, true},
        {"Vary: A", "A: 1, 2", "A: 2, 1", true, false},
        {"Vary: A", "", "A:", true, false},
        {"Vary: A", "", "B: 1", true, true},
        {"Vary: A, B", "A: 1\nB: 2", "A: 1\nB: 3", true, false},
        {"Vary: A\nVary: B", "A: 1\nB: 2", "A: 1\nB: 3", true, false},
        {"Vary: *", "", "", false, true},
        {"Vary: A, *", "A: 1", "A: 1", false, true},
        {"Vary: A B", "", "", false, true},
        {"Vary: a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q", "", "", false, true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        bool possible, same = vary_same(rows[i].vary, rows[i].one, rows[i].other, &possible);
        CHECK_ROW(i, possible == rows[i].possible && (!possible || same == rows[i].same));
    }
}

static void names_put(buf *out, const http_header *h, int n)
{
    buf_clear(out);
    for (int i = 0; i < n; i++)
        buf_format(out, STR_FMT "=" STR_FMT ";", STR_ARG(h[i].name), STR_ARG(h[i].value));
}

TEST(fields_of_the_connection_are_not_kept)
{
    http_header h[TEST_FIELDS_MAX], out[2 * TEST_FIELDS_MAX], fresh[TEST_FIELDS_MAX];
    buf got = buf_make(1000);
    int n = test_fields("A: 1\nConnection: close, B\nB: 2\nKeep-Alive: x\nTransfer-Encoding: chunked\nSet-Cookie: s\n"
                        "Cache-Control: no-cache=\"set-cookie\"", h);
    names_put(&got, out, cache_fields_keep(h, n, out));
    CHECK_STR(buf_str(&got), S("A=1;Cache-Control=no-cache=\"set-cookie\";"));
    n = test_fields("ETag: \"1\"\nContent-Length: 5\nX: old\nY: kept", h);
    int m = test_fields("ETag: \"1\"\nContent-Length: 0\nX: new\nConnection: Z\nZ: no", fresh);
    names_put(&got, out, cache_fields_update(h, n, fresh, m, out));
    CHECK_STR(buf_str(&got), S("Content-Length=5;Y=kept;ETag=\"1\";X=new;"));
    buf_free(&got);
}

TEST(unsafe_methods_invalidate_when_they_succeed)
{
    CHECK(cache_invalidates(S("POST"), 200) && cache_invalidates(S("DELETE"), 303) && cache_invalidates(S("M-SEARCH"), 204));
    CHECK(!cache_invalidates(S("POST"), 404) && !cache_invalidates(S("GET"), 200) && !cache_invalidates(S("OPTIONS"), 200));
}

TEST(a_request_that_was_here_goes_no_further)
{
    http_header h[TEST_FIELDS_MAX];
    CHECK(cache_loops(h, test_fields("CDN-Loop: other, naru-1; v=2", h), S("naru-1")));
    CHECK(!cache_loops(h, test_fields("CDN-Loop: other, naru-11", h), S("naru-1")));
    CHECK(cache_loops(h, test_fields("CDN-Loop: a,b,c,d,e,f,g,h,i", h), S("naru-1")));
    CHECK(!cache_loops(h, 0, S("naru-1")));
}
