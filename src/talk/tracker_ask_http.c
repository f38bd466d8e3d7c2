// Trackers over HTTP and HTTPS: one GET, one bencoded answer.
#include "rt/tls.h"
#include "talk/http_fetch.h"
#include "talk/tracker_ask_inside.h"

enum { QUERY_BYTES_MAX = TRACKER_SCRAPES_MAX * 72 + TRACKER_QUERY_BYTES_MAX, HTTP_PORT = 80, HTTPS_PORT = 443 };

str tracker_ask_own_query(const tracker_question *q, arena *a)
{
    buf query = buf_make(QUERY_BYTES_MAX);
    tracker_announce said = q->announce;
    said.ip = (addr){0};
    said.compact = said.no_peer_id = true;
    bool fits = q->scrape ? tracker_scrape_write(&query, q->hashes, q->hash_count) : tracker_announce_write(&query, &said);
    str text = fits ? str_copy(a, buf_str(&query)) : (str){0};
    buf_free(&query);
    return text;
}

static str target_of(const tracker_asking *x, const tracker_url *u)
{
    str own = tracker_ask_own_query(x->q, x->a);
    if (!own.len)
        return own;
    return str_format(x->a, STR_FMT "?" STR_FMT "%s" STR_FMT, STR_ARG(u->path), STR_ARG(u->query), u->query.len ? "&" : "",
                      STR_ARG(own));
}

static str host_of(arena *a, const tracker_url *u)
{
    bool usual = u->port == (u->scheme == TRACKER_HTTPS ? HTTPS_PORT : HTTP_PORT), bracket = u->numeric.family == 6;
    str host = bracket ? str_format(a, "[" STR_FMT "]", STR_ARG(u->host)) : u->host;
    return usual ? host : str_format(a, STR_FMT ":%u", STR_ARG(host), u->port);
}

static bool is_redirect(int status)
{
    return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

// Failures often come with a status of their own and a bencoded body: the body counts.
static err answer_take(tracker_asking *x, const http_result *r)
{
    bencode_refusal why = {0};
    str failure = {0}, coding = http_result_header(r, S("Content-Encoding"));
    bool read;
    if (coding.len && !str_eq_nocase(coding, S("identity")))
        return tracker_ask_fail(x, E_PROTOCOL, S("the answer is packed in a way that was not asked for"));
    if (x->q->scrape)
        read = tracker_swarms_read(r->body, x->a, &x->out->swarms, &x->out->swarm_count, &failure, &why);
    else
        read = tracker_reply_read(r->body, x->a, &x->out->reply, &why);
    if (x->q->scrape)
        x->out->reply.failure = failure;
    if (read && (r->status == 200 || x->out->reply.failure.len))
        return E_OK;
    if (r->status != 200)
        return tracker_ask_fail(x, E_PROTOCOL, str_format(x->a, "the server answers %d %s", r->status, http_reason(r->status)));
    return tracker_ask_fail(x, E_PROTOCOL, str_format(x->a, "the answer is not a tracker's: %s (at byte %td)",
                                                      why.reason ? why.reason : "it cannot be read", why.offset));
}

static err fetch(tracker_asking *x, tracker_try *t, conn *c)
{
    const tracker_url *u = t->url;
    str agent = x->who->agent.len ? x->who->agent : S("naru/" NARU_VERSION), target = target_of(x, u);
    const http_header headers[] = {{S("User-Agent"), agent}, {S("Accept"), S("*/*")}, {S("Connection"), S("close")}};
    if (!target.len)
        return E_TOO_LONG;
    if (u->scheme == TRACKER_HTTPS && !conn_tls_connect(c, x->who->tls, u->numeric.family ? (str){0} : u->host)) {
        str reason = conn_tls_reason(c, x->a);
        return tracker_ask_fail(x, c->error, reason.len ? reason : str_z(err_text(c->error)));
    }
    http_result r = http_fetch(c, S("GET"), host_of(x->a, u), target, headers, 3, (str){0}, TRACKER_REPLY_BYTES_MAX, x->a);
    if (r.error)
        return r.error;
    if (is_redirect(r.status)) {
        t->redirect = http_result_header(&r, S("Location"));
        return t->redirect.len ? E_OK : tracker_ask_fail(x, E_PROTOCOL, S("the server redirects to nowhere"));
    }
    return answer_take(x, &r);
}

err tracker_ask_http(tracker_asking *x, tracker_try *t)
{
    int64_t left = t->until_ns - world_now_ns(x->who->world);
    if (left <= 0)
        return E_TIMEOUT;
    conn *c = conn_open(x->who->world, addr_with_port(t->at, t->url->port), left);
    conn_deadline(c, t->until_ns - world_now_ns(x->who->world) > 0 ? t->until_ns - world_now_ns(x->who->world) : 1);
    err e = c->error ? c->error : fetch(x, t, c);
    if (e)
        conn_abort(c);
    else
        conn_close(c);
    return e;
}
