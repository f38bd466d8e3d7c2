// The line between a viewer and the network, whose rate the page's slider sets. In the small Internet (`naru try --map`) it is there: who
// built it offers it at the inside door small.line, and its operator alone may set it, for it is everybody's. Elsewhere, where
// the configuration says `link yes`, it is played: what passes through the console for a session goes at the rate that the session chose.
#include "rooms/console/console_inside.h"

#include "talk/http_fetch.h"

enum { LINE_BYTES_MAX = 1024, LINE_S = 5 };

// ---- the small Internet's ---------------------------------------------------------------------------------------------------------

// Asks for the line's rate, or sets it (bps >= 0). False: there is no such line here.
static bool line_ask(visit *v, int64_t set_bps, int64_t *bps)
{
    const char *why;
    conn *at = room_dial(v->c->r, "small.line");
    conn_deadline(at, seconds(LINE_S));
    str target = set_bps < 0 ? S("/line") : str_format(v->msg, "/line?bps=%lld", (long long)set_bps);
    http_result r = http_fetch(at, set_bps < 0 ? S("GET") : S("POST"), S("naru"), target, NULL, 0, (str){0}, LINE_BYTES_MAX, v->msg);
    conn_close(at);
    json_t *o = r.error || r.status != 200 ? NULL : console_json_read(r.body, &why);
    *bps = json_integer_value(json_object_get(o, "bps"));
    json_decref(o);
    return o != NULL;
}

// ---- the console's own ----------------------------------------------------------------------------------------------------------

void relay_pace(visit *v, ptrdiff_t bytes)
{
    session *s = visit_session(v);
    int64_t now_ns = world_now_ns(v->c->w);
    if (!s || !s->link_bps)
        return;
    s->link_free_ns = (s->link_free_ns > now_ns ? s->link_free_ns : now_ns) + bytes * 8 * NS_PER_S / s->link_bps;
    if (s->link_free_ns > now_ns)
        (void)fiber_sleep(s->link_free_ns - now_ns);
}

static void session_link(visit *v, int64_t bps)
{
    session *s = visit_session(v);
    if (!s)
        return;
    s->link_bps = bps == 0 || bps > CONSOLE_LINK_BPS_MAX ? 0 : bps < CONSOLE_LINK_BPS_MIN ? CONSOLE_LINK_BPS_MIN : bps;
    s->link_free_ns = 0;
}

// ---- both -------------------------------------------------------------------------------------------------------------------------

json_t *link_json(visit *v)
{
    int64_t bps = 0;
    if (line_ask(v, -1, &bps))
        return json_pack("{s:s, s:I, s:b}", "at", "line", "bps", (json_int_t)bps, "may", (int)visit_is_owner(v));
    session *s = visit_session(v);
    bool played = v->c->link && s;
    return json_pack("{s:s, s:I, s:b}", "at", played ? "console" : "none", "bps", (json_int_t)(played ? s->link_bps : 0), "may", (int)played);
}

void link_look(visit *v) { console_json_answer(v->reply, 200, link_json(v)); }

void link_set(visit *v)
{
    int64_t now_bps;
    json_t *body = visit_body(v), *given = json_object_get(body, "bps");
    if (!body)
        return;
    int64_t bps = json_is_integer(given) ? json_integer_value(given) : -1;
    json_decref(body);
    if (bps < 0) {
        visit_refuse(v, 400, "malformed");
        return;
    }
    if (bps > CONSOLE_LINK_BPS_MAX)
        bps = 0;
    bool there = line_ask(v, -1, &now_bps);
    if (there && !visit_is_owner(v)) {
        visit_refuse(v, 403, "operator");
        return;
    }
    if (!there && !v->c->link) {
        visit_refuse(v, 403, "link");
        return;
    }
    if (there)
        (void)line_ask(v, bps, &now_bps);
    else
        session_link(v, bps);
    link_look(v);
}
