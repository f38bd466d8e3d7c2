// What passes through the console on its way to a player: the origin's files (/media/), and other servers' for browsers that cannot reach
// them by name: those of the small Internet (/via/HOST/...). Both go over the session's *link*, whose rate the page's slider sets: the
// line between a viewer's home and the network.
#include "rooms/console/console_inside.h"

#include "talk/dns_ask.h"
#include "talk/http_fetch.h"

enum { RELAY_PIECE_BYTES = 8 * 1024, ADDRESSES_MAX = 4 };

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

// What was fetched for somebody who is signed in is theirs: no cache between us and them may give it to others.
static str caching_passed(str value, arena *a)
{
    buf out = buf_make(HTTP_ANSWER_HEADERS_BYTES_MAX / 2);
    buf_put(&out, S("private"));
    while (value.len) {
        str one = str_trim(str_cut(&value, ','));
        if (one.len && !str_eq_nocase(one, S("public")) && !str_eq_nocase(one, S("private")) && !str_starts_nocase(one, S("s-maxage")))
            buf_format(&out, ", " STR_FMT, STR_ARG(one));
    }
    str kept = out.full ? S("private") : str_copy(a, buf_str(&out));
    buf_free(&out);
    return kept;
}

static void headers_pass(visit *v, const http_result *r)
{
    static const char *const names[] = {"Content-Range", "ETag", "Last-Modified", "Age", "Cache-Status", "Cache-Tag"};
    http_answer_header(v->reply, S("Cache-Control"), caching_passed(http_result_header(r, S("Cache-Control")), v->msg));
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

// An answer on its way through: it goes on as it comes, no faster than the browser takes it.
typedef struct { visit *v; conn *from; bool begun, refused, given_up; } passing;

// What the head says of the length: of the answer to HEAD, too.
static int64_t length_of(const visit *v, const http_result *r, int64_t body_bytes)
{
    uint64_t said;
    if (!str_eq(v->q->method, S("HEAD")))
        return body_bytes;
    return str_to_u64(http_result_header(r, S("Content-Length")), &said) && said <= CONSOLE_RELAY_BYTES_MAX ? (int64_t)said : 0;
}

static bool pass_head(void *arg, const http_result *r, int64_t body_bytes)
{
    passing *p = arg;
    visit *v = p->v;
    bool redirect = r->status == 301 || r->status == 302 || r->status == 307 || r->status == 308;
    if (r->status >= 300 && r->status < 400 && r->status != 304 && !(redirect && redirect_pass(v, http_result_header(r, S("Location"))))) {
        visit_refuse(v, 502, "redirect");
        p->refused = true;
        return false;
    }
    headers_pass(v, r);
    str type = type_passed(http_result_header(r, S("Content-Type")));
    if (r->status == 204 || r->status == 304) {
        http_answer(v->reply, r->status, type, (str){0});
        p->refused = true;
        return false;
    }
    body_bytes = length_of(v, r, body_bytes);
    if (body_bytes >= 0)
        http_begin_length(v->reply, r->status, type, body_bytes);
    else
        http_begin(v->reply, r->status, type);
    p->begun = true;
    return true;
}

static bool pass_piece(void *arg, str piece)
{
    passing *p = arg;
    console_count_relayed(piece.len);
    while (piece.len && !p->given_up) {
        str part = str_first(piece, RELAY_PIECE_BYTES);
        relay_pace(p->v, part.len);
        p->given_up = fiber_canceled() || !http_write(p->v->reply, part);
        piece = str_from(piece, part.len);
    }
    conn_deadline(p->from, seconds(CONSOLE_RELAY_S));
    return !p->given_up;
}

static bool is_there(void *arg) { return !http_peer_left(((passing *)arg)->v->reply); }

static void fetch(visit *v, str host, uint16_t port, str authority, str target)
{
    http_header headers[4];
    int count = 0;
    static const char *const asked[] = {"Range", "If-None-Match", "If-Range", "Accept"};
    for (size_t i = 0; i < sizeof asked / sizeof *asked; i++) {
        str value = http_header_get(v->q, str_z(asked[i]));
        if (value.len)
            headers[count++] = (http_header){str_z(asked[i]), value};
    }
    passing p = {.v = v, .from = relay_dial(v->c, host, port, v->msg)};
    conn_deadline(p.from, seconds(CONSOLE_RELAY_S));
    http_taker taker = {.head = pass_head, .take = pass_piece, .wanted = is_there, .arg = &p};
    http_result r = http_fetch_pieces(p.from, v->q->method, authority, target, headers, count, (str){0}, taker, CONSOLE_RELAY_BYTES_MAX, v->msg);
    conn_close(p.from);
    if (p.begun && r.error)
        http_break_off(v->reply);
    else if (r.error && !p.refused)
        visit_refuse(v, r.error == E_TIMEOUT ? 504 : 502, "unreachable");
}

// So many at once, of all and of each: what waits holds memory.
static void fetch_and_pass(visit *v, str host, uint16_t port, str authority, str target)
{
    session *s = visit_session(v);
    if (!s || s->relaying >= CONSOLE_RELAYS_OF_PERSON_MAX || !slots_try(&v->c->relaying)) {
        visit_refuse(v, 503, "busy");
        return;
    }
    s->relaying++;
    fetch(v, host, port, authority, target);
    s = visit_session(v);                    // it may be over meanwhile
    if (s)
        s->relaying--;
    slots_give(&v->c->relaying);
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
