// Asking origins: which one, over which connection, and their answers' bodies. An origin comes from the configuration only; a redirect is an
// answer like any other and is followed by nobody here.
#include <string.h>

#include "base/heap_memory.h"
#include "base/must.h"
#include "rooms/edge/edge_inside.h"
#include "rooms/edge/meters.h"
#include "rt/log.h"
#include "rt/loop.h"
#include "talk/dns_ask.h"

// ---- where it is --------------------------------------------------------------------------------------------------------------

// A name may lead anywhere, also to what only this machine or its network is meant to reach: such addresses must be listed.
static bool may_be_asked(const edge *e, addr a)
{
    bool multicast = a.family == 4 ? a.ip[0] >= 224 : a.ip[0] == 0xff;
    if (!addr_is_private(a) && !addr_is_any(a) && !multicast)
        return true;
    for (int i = 0; i < e->set->network_count; i++)
        if (addr_in_prefix(a, e->set->networks[i].prefix, e->set->networks[i].bits))
            return true;
    return false;
}

static bool origin_resolve(edge *e, origin *o, arena *msg)
{
    addr found[ORIGIN_ADDRESSES_MAX];
    int count = 0;
    if (!o->is_named || loop_now_ns() < o->at_until_ns)
        return o->at_count > 0;
    dns_answer a = dns_ask_addresses(e->w, e->set->resolvers, e->set->resolver_count, o->host, found, ORIGIN_ADDRESSES_MAX, &count,
                                     seconds(ORIGIN_CONNECT_S), msg);
    if (a.verdict == DNS_TROUBLE && o->at_count > 0)     // what was true a while ago is better than nothing
        return true;
    o->at_count = 0;
    for (int i = 0; i < count; i++)
        if (may_be_asked(e, found[i]))
            o->at[o->at_count++] = addr_with_port(found[i], o->port);
    int64_t ttl = a.ttl_s < ORIGIN_NAME_S_MIN ? ORIGIN_NAME_S_MIN : a.ttl_s > ORIGIN_NAME_S_MAX ? ORIGIN_NAME_S_MAX : a.ttl_s;
    o->at_until_ns = loop_now_ns() + seconds(ttl);
    return o->at_count > 0;
}

// ---- connections --------------------------------------------------------------------------------------------------------------

static void link_close(origin_link *l)
{
    conn_abort(l->c);
    memory_free(l);
}

static origin_link *idle_take(origin *o)
{
    for (list_link *k; (k = list_take(&o->idle)); ) {
        origin_link *l = LIST_OF(k, origin_link, idle);
        o->idle_count--;
        if (loop_now_ns() - l->since_ns < seconds(ORIGIN_IDLE_S) && conn_wait_input(l->c, loop_now_ns()) == E_TIMEOUT)
            return l;
        link_close(l);                                   // too old, or the origin has something to say, most likely goodbye
    }
    return NULL;
}

// TLS for who was configured with it, or nothing: there is no way back to plain text.
static bool link_secure(edge *e, origin *o, conn *c)
{
    if (!o->tls)
        return true;
    conn_deadline(c, seconds(ORIGIN_CONNECT_S));
    if (e->origin_tls && conn_tls_connect(c, e->origin_tls, o->checked))
        return true;
    arena a = arena_make(4096);
    log_line("edge", LOG_WARNING, "origin-tls", F_STR("origin", o->name), F_STR("name", o->checked), F_STR("why", conn_tls_reason(c, &a)));
    arena_free(&a);
    return false;
}

// *why: a literal.
static origin_link *link_open(edge *e, origin *o, const char **why)
{
    *why = "the origin cannot be reached";
    for (int i = 0; i < o->at_count; i++) {
        conn *c = conn_open(e->w, o->at[(o->at_next + i) % o->at_count], seconds(ORIGIN_CONNECT_S));
        bool reached = !c->error;
        if (reached && link_secure(e, o, c)) {
            o->at_next = (o->at_next + i) % o->at_count;
            origin_link *l = memory_zeroed(1, sizeof *l);
            *l = (origin_link){.c = c, .of = o};
            return l;
        }
        if (reached)
            *why = "the origin's certificate or TLS was not good; the log says why";
        conn_abort(c);
    }
    return NULL;
}

static void origin_failed(origin *o)
{
    o->failed++;
    o->back_off_ns = o->back_off_ns ? o->back_off_ns * 2 : seconds(ORIGIN_BACK_OFF_S_FIRST);
    if (o->back_off_ns > seconds(ORIGIN_BACK_OFF_S_MAX))
        o->back_off_ns = seconds(ORIGIN_BACK_OFF_S_MAX);
    o->down_until_ns = loop_now_ns() + o->back_off_ns;
}

static void origin_answered(origin *o)
{
    o->back_off_ns = 0;
    o->down_until_ns = 0;
}

// ---- one question -------------------------------------------------------------------------------------------------------------

static void question_put(const site *s, const question *q, conn *c)
{
    conn_put(c, q->method);
    conn_put(c, S(" "));
    conn_put(c, q->target);
    conn_put(c, S(" HTTP/1.1\r\nHost: "));
    conn_put(c, s->host);
    conn_put(c, S("\r\n"));
    for (int i = 0; i < q->field_count; i++) {
        must(http_is_token(q->fields[i].name) && http_is_value(q->fields[i].value));
        conn_put(c, q->fields[i].name);
        conn_put(c, S(": "));
        conn_put(c, q->fields[i].value);
        conn_put(c, S("\r\n"));
    }
    if (q->chunked)
        conn_put(c, S("Transfer-Encoding: chunked\r\n"));
    else if (q->body_bytes >= 0)
        conn_format(c, "Content-Length: %lld\r\n", (long long)q->body_bytes);
    conn_put(c, S("\r\n"));
}

static bool answer_head(conn *c, bool asked_head, arena *msg, origin_answer *out)
{
    for (int n = 0; n < INTERIM_ANSWERS_MAX; n++) {
        http_answer_begin(&out->in, asked_head);
        while (out->in.state == HTTP_HEAD_MORE) {
            str line = conn_line(c, msg, HTTP_LINE_BYTES_MAX + 1);
            if (line.len == 0) {
                out->why = c->error == E_TIMEOUT ? "the origin gave no answer in time" : "the origin ended the connection";
                return false;
            }
            http_head_line(&out->in, line);
        }
        if (out->in.state == HTTP_HEAD_BAD)
            break;
        if (out->in.head.status == 101)
            break;                                       // nobody asked for another protocol
        if (out->in.head.status >= 200)
            return true;
    }
    out->why = "the origin's answer is not HTTP/1.1";
    return false;
}

static bool asker_there(void *arg) { return !conn_peer_left(arg); }

static bool link_ask(edge *e, site *s, const question *q, origin_link *l, arena *msg, origin_answer *out)
{
    conn *c = l->c;
    *out = (origin_answer){.link = l, .asked_s = edge_now_s(e)};
    conn_deadline(c, seconds(ORIGIN_HEAD_S));
    question_put(s, q, c);
    bool sent = !q->body || q->body(q->arg, c);
    if (sent)
        conn_deadline(c, seconds(ORIGIN_HEAD_S));        // a long body has taken its own time
    if (sent && q->asker && !conn_wait_wanted(c, asker_there, q->asker)) {
        out->unwanted = true;
        out->why = "the client has left";
        return false;
    }
    if (!sent || !answer_head(c, str_eq(q->method, S("HEAD")), msg, out)) {
        out->why = sent ? out->why : "the request's body did not come whole, or the origin did not take it";
        return false;
    }
    out->came_s = edge_now_s(e);
    conn_deadline(c, 0);
    conn_rate_min(c, ORIGIN_BYTES_PER_S_MIN, seconds(ORIGIN_GRACE_S));
    const http_head *h = &out->in.head;
    out->left = h->body == HTTP_BODY_LENGTH ? h->body_bytes : 0;
    out->ended = h->body == HTTP_BODY_NONE || (h->body == HTTP_BODY_LENGTH && h->body_bytes == 0);
    return true;
}

// A kept connection may have ended just now: what has no body and got no byte of an answer is asked once more over a new one.
static bool origin_try(edge *e, site *s, origin *o, const question *q, arena *msg, origin_answer *out)
{
    bool again = true;
    *out = (origin_answer){.why = "the origin has no address that may be asked", .unsent = true};
    if (!origin_resolve(e, o, msg))
        return false;
    o->asked++;
    while (again) {
        origin_link *l = idle_take(o);
        bool kept = l != NULL;
        uint64_t before = kept ? l->c->bytes_in : 0;
        const char *why;
        if (!l && !(l = link_open(e, o, &why))) {
            *out = (origin_answer){.why = why, .unsent = true};
            return false;
        }
        if (link_ask(e, s, q, l, msg, out))
            return true;
        again = kept && !q->body && !out->unwanted && l->c->bytes_in == before && l->c->error != E_TIMEOUT && l->c->error != E_CANCELED;
        link_close(l);
        out->link = NULL;
    }
    return false;
}

static bool is_gateway_trouble(int status) { return status == 502 || status == 503 || status == 504; }

bool origin_ask(edge *e, site *s, const question *q, arena *msg, origin_answer *out)
{
    bool later = false;
    unsigned tried = 0;                                     // each is asked once, also one that fails in the first round
    *out = (origin_answer){.why = "the site has no origin"};
    for (int round = 0; round < 2; round++)                 // first those that are well
        for (int i = 0; i < s->origin_count; i++) {
            origin *o = &s->origins[i];
            bool down = loop_now_ns() < o->down_until_ns, more = i + 1 < s->origin_count || (round == 0 && later);
            later |= down && round == 0;
            if (down != (round == 1) || tried & 1u << i)
                continue;
            tried |= 1u << i;
            bool answered = origin_try(e, s, o, q, msg, out), trouble = !answered || is_gateway_trouble(out->in.head.status);
            if (out->unwanted)
                return false;
            meter_add_at(&edge_origin_asked, answered ? 0 : 1, 1);
            if (trouble)
                origin_failed(o);
            else
                origin_answered(o);
            if (answered && !(trouble && more && !q->body))
                return true;
            if (!answered && q->body && !out->unsent)
                return false;                            // some of the body has gone: it cannot be told twice
            if (answered)
                origin_done(e, out);
            if (fiber_canceled())
                return false;
        }
    return false;
}

// ---- bodies -------------------------------------------------------------------------------------------------------------------

static void piece_used(origin_answer *a)
{
    if (a->taken && a->link)
        conn_used(a->link->c, a->taken);
    a->taken = 0;
}

static str link_some(origin_answer *a)
{
    conn *c = a->link->c;
    return a->wanted && !conn_wait_wanted(c, a->wanted, a->wanted_arg) ? (str){0} : conn_some(c);
}

static str chunk_next(origin_answer *a)
{
    for (;;) {
        str there = link_some(a), rest = there;
        if (there.len == 0)
            return there;
        str part = chunked_next(&a->coding, &rest);
        if (part.len) {
            conn_used(a->link->c, (size_t)(there.len - rest.len - part.len));
            return part;
        }
        conn_used(a->link->c, (size_t)(there.len - rest.len));
        a->ended = a->coding.state == CHUNK_DONE;
        if (a->ended || a->coding.state == CHUNK_BAD)
            return (str){0};
    }
}

str body_next(origin_answer *a)
{
    piece_used(a);
    if (a->ended || !a->link)
        return (str){0};
    http_body kind = a->in.head.body;
    str part = kind == HTTP_BODY_CHUNKED ? chunk_next(a) : link_some(a);
    if (kind == HTTP_BODY_UNTIL_CLOSE && part.len == 0)
        a->ended = a->link->c->error == E_EOF;
    if (kind == HTTP_BODY_LENGTH) {
        part = str_first(part, a->left < PTRDIFF_MAX ? (ptrdiff_t)a->left : PTRDIFF_MAX);
        a->left -= part.len;
        a->ended = a->left == 0;
    }
    a->taken = (size_t)part.len;
    a->link->of->bytes += a->taken;
    meter_add(&edge_origin_bytes, (int64_t)a->taken);
    return part;
}

void origin_done(edge *e, origin_answer *a)
{
    origin_link *l = a->link;
    if (!l)
        return;
    piece_used(a);
    a->link = NULL;
    origin *o = l->of;
    if (e->stopping || o->closed || !a->ended || !a->in.head.keep_alive || l->c->error || o->idle_count >= ORIGIN_IDLE_MAX || conn_has_input(l->c)) {
        link_close(l);
        return;
    }
    conn_rate_min(l->c, 0, 0);
    l->since_ns = loop_now_ns();
    o->idle_count++;
    list_prepend(&o->idle, &l->idle);
}

void origins_close(edge *e)
{
    for (int i = 0; e->set && i < e->set->site_count; i++)
        for (int k = 0; k < e->set->sites[i].origin_count; k++) {
            origin *o = &e->set->sites[i].origins[k];
            o->closed = true;
            for (list_link *l; (l = list_take(&o->idle)); )
                link_close(LIST_OF(l, origin_link, idle));
            o->idle_count = 0;
        }
}
