// What passes through the console on its way to a player: the origin's files (/media/), and other servers' for browsers that cannot reach
// them by name: those of the small Internet (/via/HOST/...). Both go over the session's *link*, whose rate the page's slider sets: the
// line between a viewer's home and the network.
#include "rooms/console/console_inside.h"

#include "talk/dns_ask.h"
#include "talk/http_fetch.h"

enum { LINK_PIECE_BYTES = 8 * 1024, ADDRESSES_MAX = 4 };

// ---- where ----------------------------------------------------------------------------------------------------------------------

bool relay_allowed(const console *c, str host)
{
    for (int i = 0; i < c->relay_count; i++) {
        str name = c->relays[i];
        if (str_eq_nocase(host, name))
            return true;
        if (str_starts(name, S("*.")) && host.len > name.len - 1 && str_ends_nocase(host, str_from(name, 1)))
            return true;
    }
    return false;
}

conn *relay_dial(console *c, str host, uint16_t port, arena *msg)
{
    addr at[ADDRESSES_MAX];
    int count = addr_parse_ip(host, port, &at[0]);
    if (!count && c->resolver_count)
        dns_ask_addresses(c->w, c->resolvers, c->resolver_count, host, at, ADDRESSES_MAX, &count, seconds(CONSOLE_FETCH_S), msg);
    conn *first = conn_open(c->w, count ? addr_with_port(at[0], port) : (addr){0}, seconds(CONSOLE_FETCH_S));
    for (int i = 1; i < count && first->error; i++) {
        conn_close(first);
        first = conn_open(c->w, addr_with_port(at[i], port), seconds(CONSOLE_FETCH_S));
    }
    return first;
}

// ---- the link -------------------------------------------------------------------------------------------------------------------

// When this much more may have passed: pieces of all answers of a session follow each other.
static int64_t link_take(visit *v, ptrdiff_t bytes)
{
    session *s = visit_session(v);
    int64_t now_ns = world_now_ns(v->c->w);
    if (!s || !s->link_bps)
        return now_ns;
    s->link_free_ns = (s->link_free_ns > now_ns ? s->link_free_ns : now_ns) + bytes * 8 * NS_PER_S / s->link_bps;
    return s->link_free_ns;
}

static void link_write(visit *v, str body)
{
    while (body.len) {
        str piece = str_first(body, LINK_PIECE_BYTES);
        int64_t until_ns = link_take(v, piece.len), wait_ns = until_ns - world_now_ns(v->c->w);
        if ((wait_ns > 0 && fiber_sleep(wait_ns)) || !http_write(v->reply, piece))
            return;
        body = str_from(body, piece.len);
    }
}

void relay_link(visit *v)
{
    session *s = visit_session(v);
    json_t *body = v->c->link ? visit_body(v) : NULL;
    if (!v->c->link)
        visit_refuse(v, 403, "link");
    if (!body)
        return;
    int64_t bps = json_integer_value(json_object_get(body, "bps"));
    json_decref(body);
    if (!s || bps < 0) {
        visit_refuse(v, 400, "malformed");
        return;
    }
    s->link_bps = bps == 0 || bps > CONSOLE_LINK_BPS_MAX ? 0 : bps < CONSOLE_LINK_BPS_MIN ? CONSOLE_LINK_BPS_MIN : bps;
    s->link_free_ns = 0;
    console_json_answer(v->reply, 200, json_pack("{s:I}", "link_bps", (json_int_t)s->link_bps));
}

// ---- passing on -------------------------------------------------------------------------------------------------------------------

// Only what a player needs comes through under its own name; a page or a script does not.
static str type_passed(str type)
{
    static const char *const passed[] = {
        "video/", "audio/", "image/jpeg", "image/png", "application/dash+xml", "application/vnd.apple.mpegurl", "application/json", "text/vtt",
    };
    for (size_t i = 0; i < sizeof passed / sizeof *passed; i++)
        if (str_starts_nocase(type, str_z(passed[i])))
            return type;
    return S("application/octet-stream");
}

static void headers_pass(visit *v, const http_result *r)
{
    static const char *const names[] = {"Content-Range", "ETag", "Last-Modified", "Cache-Control", "Age", "Cache-Status", "Cache-Tag"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        str value = http_result_header(r, str_z(names[i]));
        if (value.len)
            http_answer_header(v->reply, str_z(names[i]), value);
    }
}

// A redirect to where we relay, too, stays behind us: "/via/HOST/..."; another is refused.
static bool redirect_pass(visit *v, str to)
{
    str host;
    uint16_t port;
    if (!str_starts(to, S("http://")))
        return false;
    str rest = str_from(to, 7), authority = rest;
    authority = str_cut(&authority, '/');
    if (!relay_authority(authority, &host, &port) || !relay_allowed(v->c, host))
        return false;
    http_answer_header(v->reply, S("Location"), str_join(v->msg, S("/via/"), rest));
    return true;
}

static void pass(visit *v, const http_result *r)
{
    bool redirect = r->status == 301 || r->status == 302 || r->status == 307 || r->status == 308;
    if (r->status >= 300 && r->status < 400 && r->status != 304 && !(redirect && redirect_pass(v, http_result_header(r, S("Location"))))) {
        visit_refuse(v, 502, "redirect");
        return;
    }
    headers_pass(v, r);
    str type = type_passed(http_result_header(r, S("Content-Type")));
    if (r->status == 204 || r->status == 304) {
        http_answer(v->reply, r->status, type, (str){0});
        return;
    }
    http_begin(v->reply, r->status, type);
    link_write(v, r->body);
    console_count_relayed(r->body.len);
}

static void fetch_and_pass(visit *v, str host, uint16_t port, str authority, str target)
{
    http_header headers[4];
    int count = 0;
    static const char *const asked[] = {"Range", "If-None-Match", "If-Range", "Accept"};
    for (size_t i = 0; i < sizeof asked / sizeof *asked; i++) {
        str value = http_header_get(v->q, str_z(asked[i]));
        if (value.len)
            headers[count++] = (http_header){str_z(asked[i]), value};
    }
    if (!slots_try(&v->c->relaying)) {
        visit_refuse(v, 503, "busy");
        return;
    }
    conn *at = relay_dial(v->c, host, port, v->msg);
    conn_deadline(at, seconds(CONSOLE_RELAY_S));
    http_result r = http_fetch(at, v->q->method, authority, target, headers, count, (str){0}, CONSOLE_RELAY_BYTES_MAX, v->msg);
    conn_close(at);
    slots_give(&v->c->relaying);
    if (r.error)
        visit_refuse(v, r.error == E_TIMEOUT ? 504 : 502, "unreachable");
    else
        pass(v, &r);
}

void relay_media(visit *v, str path)
{
    str host, name = path, id = str_cut(&name, '/');
    uint16_t port;
    if (!film_id_sound(id) || !film_file_sound(name) || !v->c->origin.len || !relay_authority(v->c->origin, &host, &port))
        visit_refuse(v, 404, "film");
    else
        fetch_and_pass(v, host, port, v->c->origin, str_format(v->msg, "/" STR_FMT "/" STR_FMT, STR_ARG(id), STR_ARG(name)));
}

// The target goes on as it was asked, not as it was decoded.
void relay_via(visit *v, str rest)
{
    str host, authority = str_cut(&rest, '/'), target = v->q->target;
    uint16_t port;
    ptrdiff_t at = str_find_str(target, S("/via/"));
    target = at < 0 ? (str){0} : str_from(target, at + 5);
    target = str_from(target, str_find(target, '/'));
    if (!relay_authority(authority, &host, &port) || !relay_allowed(v->c, host) || !str_starts(target, S("/")))
        visit_refuse(v, 403, "host");
    else
        fetch_and_pass(v, host, port, authority, target);
}

// ---- how players fare -----------------------------------------------------------------------------------------------------------

// "http://host:port/path"
static bool url_cut(str url, str *authority, str *host, uint16_t *port, str *target)
{
    str rest = str_from(url, 7);
    *authority = rest;
    *authority = str_cut(authority, '/');
    *target = rest.len > authority->len ? str_from(rest, authority->len) : S("/");
    return str_starts(url, S("http://")) && relay_authority(*authority, host, port);
}

// A player's report goes on to the steering service, as one of this session.
void relay_report(visit *v)
{
    str authority, host, target;
    uint16_t port;
    session *s = visit_session(v);
    int64_t now_ns = world_now_ns(v->c->w);
    json_t *body = visit_body(v);
    if (!body)
        return;
    json_decref(body);
    if (!url_cut(v->c->steering, &authority, &host, &port, &target) || v->q->body.len > CONSOLE_REPORT_BYTES_MAX) {
        visit_refuse(v, 404, "steering");
        return;
    }
    if (!s || now_ns - s->reported_ns < millis(CONSOLE_REPORT_EVERY_MS)) {
        visit_refuse(v, 429, "too-soon");
        return;
    }
    s->reported_ns = now_ns;
    http_header type = {S("Content-Type"), S("application/json")};
    conn *at = relay_dial(v->c, host, port, v->msg);
    conn_deadline(at, seconds(CONSOLE_FETCH_S));
    http_result r = http_fetch(at, S("POST"), authority, target, &type, 1, v->q->body, CONSOLE_REPORT_BYTES_MAX, v->msg);
    conn_close(at);
    if (r.error || r.status >= 300)
        visit_refuse(v, 502, "steering");
    else
        console_json_answer(v->reply, 200, json_pack("{s:b}", "told", 1));
}
