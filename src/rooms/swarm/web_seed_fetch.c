// One Range request after the other, over a connection that is kept, with redirects within bounds.
#include "rooms/swarm/web_seed_fetch.h"

#include <stdio.h>
#include <string.h>

#include "talk/http_fetch.h"

enum { HEADERS = 3, MEMORY_BYTES = 256 << 10, RETRY_AFTER_S_MAX = WEB_SEED_RETRY_S_MAX };

typedef struct {
    web_seed *x;
    arena    a;
    tracker_url url;
    str      target;
    bool     was_global;                         // a server outside was asked on the way
    int64_t  offset, length;
    unsigned char *into;
    str      location;                           // of a redirect; empty: none
} request;

static err say(web_seed *x, err e, const char *text)
{
    web_seed_say(x, text);
    return e;
}

void web_seed_hang_up(web_seed *x)
{
    conn_close(x->conn);
    x->conn = NULL;
    x->origin[0] = 0;
}

// ---- connecting ------------------------------------------------------------------------------------------------------------------

static err address_connect(request *q, addr to)
{
    web_seed *x = q->x;
    const web_seed_settings *s = &x->settings;
    bool local_allowed = s->local_allowed || !s->from_stranger;
    const char *trouble = web_seed_address_trouble(to, local_allowed, q->url.query.len > 0, q->was_global && !s->local_allowed);
    if (trouble)
        return say(x, E_ACCESS, trouble);
    q->was_global = q->was_global || !addr_is_private(to);
    x->conn = conn_open(s->world, addr_with_port(to, q->url.port), seconds(WEB_SEED_CONNECT_S));
    conn_deadline(x->conn, seconds(WEB_SEED_CONNECT_S));
    if (!x->conn->error && q->url.scheme == TRACKER_HTTPS)
        conn_tls_connect(x->conn, s->tls, q->url.host);
    err e = x->conn->error;
    if (e)
        web_seed_hang_up(x);
    return e ? say(x, e, err_text(e)) : E_OK;
}

static err connect_any(request *q)
{
    addr list[WEB_SEED_ADDRESSES_MAX];
    const web_seed_settings *s = &q->x->settings;
    int count = 1;
    err e = E_UNREACHABLE;
    list[0] = q->url.numeric;
    if (!q->url.numeric.family)
        count = s->calls.lookup ? s->calls.lookup(s->calls.arg, q->url.host, list, WEB_SEED_ADDRESSES_MAX) : 0;
    if (count <= 0)
        return say(q->x, E_NO_ENTRY, "its host's name has no address");
    for (int i = 0; i < count && e && e != E_CANCELED; i++)
        e = address_connect(q, list[i]);
    return e;
}

// The connection to this server that is there, or a new one.
static err connection_get(request *q, bool *fresh)
{
    web_seed *x = q->x;
    char origin[WEB_SEED_ORIGIN_BYTES];
    int n = snprintf(origin, sizeof origin, "%d " STR_FMT " %u", (int)q->url.scheme, STR_ARG(q->url.host), (unsigned)q->url.port);
    if (n >= (int)sizeof origin)
        return say(x, E_PROTOCOL, "its host has too long a name");
    *fresh = false;
    if (x->conn && !x->conn->error && strcmp(origin, x->origin) == 0) {
        q->was_global = q->was_global || !addr_is_private(x->conn->peer);
        return E_OK;
    }
    web_seed_hang_up(x);
    *fresh = true;
    err e = connect_any(q);
    if (!e)
        memcpy(x->origin, origin, sizeof origin);
    return e;
}

// ---- one request -----------------------------------------------------------------------------------------------------------------

// "bytes 100-199/5000": what we asked for?
static bool content_range_fits(str value, int64_t offset, int64_t length)
{
    uint64_t first, last;
    if (!str_starts_nocase(value, S("bytes ")))
        return false;
    str rest = str_from(value, 6), from = str_cut(&rest, '-'), to = str_cut(&rest, '/');
    return str_to_u64(str_trim(from), &first) && str_to_u64(str_trim(to), &last) && first == (uint64_t)offset &&
           last == (uint64_t)(offset + length - 1);
}

static err answer_take(request *q, const http_result *r)
{
    web_seed *x = q->x;
    uint64_t pause;
    char text[64];
    if (r->status == 206 && !content_range_fits(http_result_header(r, S("Content-Range")), q->offset, q->length))
        return say(x, E_PROTOCOL, "it sent another range than was asked for");
    if (r->status == 200 && (q->offset != 0 || r->body.len != q->length))
        return say(x, E_PROTOCOL, "it does not send parts of files");
    if (r->status == 200 || r->status == 206) {
        if (r->body.len != q->length)
            return say(x, E_PROTOCOL, "its file is shorter than the torrent's");
        memcpy(q->into, r->body.at, (size_t)r->body.len);
        return E_OK;
    }
    if (r->status == 301 || r->status == 302 || r->status == 303 || r->status == 307 || r->status == 308) {
        q->location = http_result_header(r, S("Location"));
        return q->location.len ? E_OK : say(x, E_PROTOCOL, "it redirects to nowhere");
    }
    if (str_to_u64(http_result_header(r, S("Retry-After")), &pause))
        x->retry_after_s = (int64_t)(pause < RETRY_AFTER_S_MAX ? pause : RETRY_AFTER_S_MAX);
    snprintf(text, sizeof text, "it answers %d", r->status);
    return say(x, r->status == 404 || r->status == 410 ? E_NO_ENTRY : E_PROTOCOL, text);
}

static str host_text(request *q)
{
    const tracker_url *u = &q->url;
    bool bracket = u->numeric.family == 6, usual = u->port == (u->scheme == TRACKER_HTTPS ? 443 : 80);
    return usual ? str_format(&q->a, "%s" STR_FMT "%s", bracket ? "[" : "", STR_ARG(u->host), bracket ? "]" : "")
                 : str_format(&q->a, "%s" STR_FMT "%s:%u", bracket ? "[" : "", STR_ARG(u->host), bracket ? "]" : "", u->port);
}

static err ask_once(request *q, bool *kept)
{
    web_seed *x = q->x;
    bool fresh;
    err e = connection_get(q, &fresh);
    if (e)
        return e;
    *kept = !fresh;
    http_header headers[HEADERS] = {
        {S("Range"), str_format(&q->a, "bytes=%lld-%lld", (long long)q->offset, (long long)(q->offset + q->length - 1))},
        {S("User-Agent"), x->settings.agent.len ? x->settings.agent : S("naru/" NARU_VERSION)},
        {S("Accept-Encoding"), S("identity")},
    };
    conn_deadline(x->conn, seconds(WEB_SEED_STALL_S) + seconds(q->length / WEB_SEED_BYTES_PER_S_MIN));
    conn_rate_min(x->conn, WEB_SEED_BYTES_PER_S_MIN, seconds(WEB_SEED_STALL_S));
    http_result r = http_fetch(x->conn, S("GET"), host_text(q), q->target, headers, HEADERS, (str){0}, (size_t)q->length, &q->a);
    if (!r.error)
        *kept = false;
    if (r.error == E_TOO_LONG)
        e = say(x, E_PROTOCOL, "it does not send parts of files");
    else
        e = r.error ? say(x, r.error, err_text(r.error)) : answer_take(q, &r);
    q->location = str_copy(&q->a, q->location);
    if (e || r.error || !r.keep_alive)
        web_seed_hang_up(x);
    return e;
}

// A connection that was kept may have been closed meanwhile: once more over a new one.
static err ask(request *q)
{
    bool kept = false;
    err e = ask_once(q, &kept);
    if (e && kept && (e == E_EOF || e == E_RESET))
        e = ask_once(q, &kept);
    return e;
}

static err redirect(request *q)
{
    web_seed *x = q->x;
    const char *why;
    tracker_url before = q->url;
    str to = q->location;
    q->location = (str){0};
    if (str_starts(to, S("/")) && !str_starts(to, S("//"))) {            // on the same server
        q->target = to;
        q->url.query = str_find(to, '?') >= 0 ? str_from(to, str_find(to, '?') + 1) : (str){0};
        return E_OK;
    }
    if (!tracker_url_read(to, &q->a, &q->url, &why))
        return say(x, E_PROTOCOL, why);
    if (q->url.scheme == TRACKER_UDP || (before.scheme == TRACKER_HTTPS && q->url.scheme != TRACKER_HTTPS))
        return say(x, E_ACCESS, "it redirects from https to something else");
    if (q->url.scheme == TRACKER_HTTPS && !x->settings.tls)
        return say(x, E_ACCESS, "it redirects to https, which is not set up");
    q->target = q->url.query.len ? str_format(&q->a, STR_FMT "?" STR_FMT, STR_ARG(q->url.path), STR_ARG(q->url.query)) : q->url.path;
    return E_OK;
}

// The file's own target on the server that the URL names.
static err target_make(request *q, int file_number)
{
    web_seed *x = q->x;
    const metainfo *m = x->settings.layout;
    const char *why;
    if (!tracker_url_read(x->settings.url, &q->a, &q->url, &why))
        return say(x, E_ACCESS, why);
    buf path = buf_make(WEB_SEED_URL_BYTES_MAX);
    bool good = web_seed_url(&path, q->url.path, m, file_number);
    if (q->url.query.len) {
        buf_put_byte(&path, '?');
        buf_put(&path, q->url.query);
    }
    q->target = str_copy(&q->a, buf_str(&path));
    good = good && !path.full;
    buf_free(&path);
    return good ? E_OK : say(x, E_PROTOCOL, "its address is too long");
}

static err part_fetch(web_seed *x, int file_number, int64_t offset, int64_t length, unsigned char *into)
{
    request q = {.x = x, .a = arena_make((size_t)length + MEMORY_BYTES), .offset = offset, .length = length, .into = into};
    err e = target_make(&q, file_number);
    for (int i = 0; !e; i++) {
        e = ask(&q);
        if (e || !q.location.len)
            break;
        e = i < WEB_SEED_REDIRECTS_MAX ? redirect(&q) : say(x, E_PROTOCOL, "it redirects too often");
    }
    arena_free(&q.a);
    return e;
}

err web_seed_range(web_seed *x, int file_number, int64_t offset, int64_t length, unsigned char *into)
{
    err e = E_OK;
    while (!e && length) {
        int64_t part = length < WEB_SEED_REQUEST_BYTES ? length : WEB_SEED_REQUEST_BYTES;
        if (x->settings.calls.allow)
            e = x->settings.calls.allow(x->settings.calls.arg, part);
        if (!e)
            e = part_fetch(x, file_number, offset, part, into);
        offset += part;
        into += part;
        length -= part;
    }
    return e;
}
