// The console's door: who may ask what, and what every answer says to the browser.
#include "rooms/console/console_inside.h"

#include <string.h>

bool visit_is_owner(const visit *v) { return str_eq(v->role, S("admin")); }
session *visit_session(const visit *v) { return v->session ? session_numbered(v->c->sessions, v->session) : NULL; }

void visit_refuse(const visit *v, int status, const char *code)
{
    console_json_answer(v->reply, status, json_pack("{s:s}", "error", code));
}

json_t *visit_body(const visit *v)
{
    const char *why;
    str type = http_header_get(v->q, S("Content-Type"));
    if (!str_starts_nocase(type, S("application/json"))) {           // what a form of a foreign page cannot send
        visit_refuse(v, 415, "json");
        return NULL;
    }
    json_t *o = console_json_read(v->q->body, &why);
    if (!o)
        visit_refuse(v, 400, "malformed");
    return o;
}

// ---- whose request it is --------------------------------------------------------------------------------------------------------

// A browser says where the page stands that asks. Other programs say nothing and hold no one's cookie.
static bool from_own_page(const http_request *q)
{
    str site = http_header_get(q, S("Sec-Fetch-Site")), origin = http_header_get(q, S("Origin"));
    if (site.len && !str_eq(site, S("same-origin")))
        return false;
    ptrdiff_t scheme = str_find_str(origin, S("://"));
    return !origin.len || (scheme > 0 && str_eq_nocase(str_from(origin, scheme + 3), http_header_get(q, S("Host"))));
}

static void visit_know(visit *v)
{
    str token = sign_cookie(v->c, v->q);
    session *s = token.len ? session_find(v->c->sessions, token, world_now_ns(v->c->w)) : NULL;
    if (!s)
        return;
    v->session = s->number;
    v->who = str_copy(v->msg, str_z(s->who));
    v->role = str_copy(v->msg, str_z(s->role));
    sign_look(v);
}

static bool csrf_good(const visit *v)
{
    session *s = visit_session(v);
    return s && session_csrf_good(s, http_header_get(v->q, S("X-Naru-Csrf")));
}

// ---- what may be asked ------------------------------------------------------------------------------------------------------------

typedef enum { NEEDS_NOTHING, NEEDS_SIGN_IN } need;

static const struct { const char *method, *path; need needs; void (*answer)(visit *v); } exact[] = {
    {"GET", "/api/me", NEEDS_NOTHING, sign_me},
    {"POST", "/api/sign-in", NEEDS_NOTHING, sign_in},
    {"POST", "/api/register", NEEDS_NOTHING, sign_register},
    {"POST", "/api/sign-out", NEEDS_SIGN_IN, sign_out},
    {"POST", "/api/sign-out-everywhere", NEEDS_SIGN_IN, sign_out_everywhere},
    {"GET", "/api/films", NEEDS_SIGN_IN, films_answer},
    {"GET", "/api/status", NEEDS_SIGN_IN, status_answer},
    {"GET", "/api/accounting", NEEDS_SIGN_IN, account_answer},
    {"POST", "/api/viewings", NEEDS_SIGN_IN, account_begin},
    {"POST", "/api/password", NEEDS_SIGN_IN, sign_password},
    {"GET", "/api/link", NEEDS_SIGN_IN, link_look},
    {"POST", "/api/link", NEEDS_SIGN_IN, link_set},
    {"POST", "/api/report", NEEDS_SIGN_IN, relay_report},
};

static const struct { const char *method, *below; void (*answer)(visit *v, str rest); } below[] = {
    {"POST", "/api/viewings/", account_tell},
    {"GET", "/media/", relay_media},
    {"GET", "/via/", relay_via},
};

static bool method_is(const http_request *q, const char *method)
{
    return str_eq(q->method, str_z(method)) || (str_eq(q->method, S("HEAD")) && strcmp(method, "GET") == 0);
}

static void answer_one(visit *v, const char *method, need needs, void (*one)(visit *), void (*many)(visit *, str), str rest)
{
    bool changes = strcmp(method, "POST") == 0;
    if (!method_is(v->q, method)) {
        http_answer_header(v->reply, S("Allow"), str_z(method));
        visit_refuse(v, 405, "method");
    } else if (changes && !from_own_page(v->q)) {
        visit_refuse(v, 403, "foreign");
    } else if (needs == NEEDS_SIGN_IN && !v->session) {
        visit_refuse(v, 401, "sign-in");
    } else if (changes && needs == NEEDS_SIGN_IN && !csrf_good(v)) {
        visit_refuse(v, 403, "csrf");
    } else if (one) {
        one(v);
    } else {
        many(v, rest);
    }
}

// The last entry of this path, unless one before it has the request's method.
static int exact_at(const http_request *q)
{
    int found = -1;
    for (int i = 0; i < (int)(sizeof exact / sizeof *exact); i++)
        if (str_eq(q->path, str_z(exact[i].path)) && (found < 0 || !method_is(q, exact[found].method)))
            found = i;
    return found;
}

static bool answer_asked(visit *v)
{
    int at = exact_at(v->q);
    if (at >= 0) {
        answer_one(v, exact[at].method, exact[at].needs, exact[at].answer, NULL, (str){0});
        return true;
    }
    for (size_t i = 0; i < sizeof below / sizeof *below; i++)
        if (str_starts(v->q->path, str_z(below[i].below))) {
            answer_one(v, below[i].method, NEEDS_SIGN_IN, NULL, below[i].answer, str_from(v->q->path, (ptrdiff_t)strlen(below[i].below)));
            return true;
        }
    return false;
}

// Whatever is answered: no other page frames it, no type is guessed, nothing that is not ours runs in it.
// What others wrote (films, relayed hosts) may do nothing at all.
static void headers_put(const console *c, http_reply *reply, bool ours)
{
    http_answer_header(reply, S("Content-Security-Policy"), ours ? c->policy : S("default-src 'none'; sandbox; frame-ancestors 'none'"));
    http_answer_header(reply, S("X-Content-Type-Options"), S("nosniff"));
    http_answer_header(reply, S("Referrer-Policy"), S("no-referrer"));
    http_answer_header(reply, S("X-Frame-Options"), S("DENY"));
    http_answer_header(reply, S("Cross-Origin-Opener-Policy"), S("same-origin"));
    http_answer_header(reply, S("Cross-Origin-Resource-Policy"), S("same-origin"));
    http_answer_header(reply, S("Permissions-Policy"), S("camera=(), microphone=(), geolocation=()"));
    if (c->tls)
        http_answer_header(reply, S("Strict-Transport-Security"), S("max-age=31536000"));
}

void console_handle(void *arg, const http_request *q, http_reply *reply, arena *msg)
{
    console *c = arg;
    visit v = {.c = c, .q = q, .reply = reply, .msg = msg};
    bool others = str_starts(q->path, S("/media/")) || str_starts(q->path, S("/via/"));
    headers_put(c, reply, !others);
    if (!str_starts(q->path, S("/api/")) && !others) {
        if (!method_is(q, "GET"))
            visit_refuse(&v, 405, "method");
        else if (!asset_answer(c, q, reply))
            http_answer(reply, 404, S("text/plain; charset=utf-8"), S("nothing is here; the pages begin at /\n"));
        return;
    }
    if (str_starts(q->path, S("/api/")))
        http_answer_header(reply, S("Cache-Control"), S("no-store"));
    visit_know(&v);
    if (!answer_asked(&v))
        visit_refuse(&v, 404, "nothing");
}
