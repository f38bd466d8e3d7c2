// Trackers over UDP: a connect, then the request, each sent again after 15 * 2^n seconds (BEP 15).
#include "base/heap_memory.h"
#include "talk/tracker_ask_inside.h"
#include "wire/bt/tracker_udp.h"

enum { RESEND_S = 15, REPLY_BYTES_MAX = TRACKER_UDP_BYTES_MAX * 4, UNFIT_MAX = 64, REQUEST_BYTES_MAX = TRACKER_UDP_BYTES_MAX };

int64_t tracker_udp_wait_ns(int n)
{
    return seconds(RESEND_S) << (n < TRACKER_UDP_RESENDS_MAX ? n : TRACKER_UDP_RESENDS_MAX);
}

typedef struct {
    tracker_asking *x;
    tracker_try    *t;
    sock           *sock;
    tracker_udp_request request;
    int64_t         connected_ns;                // 0: there is no connection id
    unsigned char  *in;
    int             unfit;
} dialogue;

static void request_make(dialogue *d)
{
    const tracker_question *q = d->x->q;
    const tracker_url *u = d->t->url;
    world *w = d->x->who->world;
    d->request = (tracker_udp_request){.connection = d->request.connection, .transaction = (uint32_t)world_random_u64(w)};
    if (!d->connected_ns || world_now_ns(w) - d->connected_ns >= seconds(TRACKER_UDP_CONNECTION_S)) {
        d->connected_ns = 0;
        d->request.action = TRACKER_UDP_CONNECT;
    } else if (q->scrape) {
        d->request.action = TRACKER_UDP_SCRAPE;
        d->request.hashes = str_of(q->hashes, (size_t)q->hash_count * TRACKER_HASH_BYTES);
    } else {
        d->request.action = TRACKER_UDP_ANNOUNCE;
        d->request.announce = q->announce;
        d->request.announce.ip = (addr){0};
        if (u->path.len > 1 || u->query.len)                 // BEP 41
            d->request.url_data = u->query.len ? str_format(d->x->a, STR_FMT "?" STR_FMT, STR_ARG(u->path), STR_ARG(u->query))
                                               : u->path;
    }
}

static err request_send(dialogue *d)
{
    unsigned char room[REQUEST_BYTES_MAX];
    int sent;
    request_make(d);
    str bytes = tracker_udp_request_write(room, sizeof room, &d->request);
    if (!bytes.len)
        return E_TOO_LONG;
    datagram out = {.at = room, .len = (size_t)bytes.len, .size = sizeof room};
    err e = sock_send(d->sock, &out, 1, &sent);
    return e == E_AGAIN ? E_OK : e;                          // lost in our own queue: sent again as if on the way
}

// The next datagram that is an answer to the request. E_TIMEOUT at until_ns.
static err reply_wait(dialogue *d, int64_t until_ns, tracker_udp_reply *r)
{
    for (;;) {
        datagram in = {.at = d->in, .size = REPLY_BYTES_MAX};
        int got;
        err e = sock_receive(d->sock, &in, 1, &got);
        if (e == E_AGAIN)
            e = sock_wait(d->sock, WAIT_READ, until_ns);
        else if (e == E_OK && got && tracker_udp_reply_read(str_of(in.at, in.len), d->t->at.family, d->x->a, r) &&
                 r->transaction == d->request.transaction && (r->action == d->request.action || r->action == TRACKER_UDP_ERROR))
            return E_OK;
        else if (e == E_OK && ++d->unfit > UNFIT_MAX)
            return E_PROTOCOL;
        if (e)
            return e;
    }
}

static err refused(tracker_asking *x, str words)
{
    x->out->reply.failure = words.len ? str_copy(x->a, words) : S("the tracker refuses");
    x->out->reply.complete = x->out->reply.incomplete = -1;
    return E_OK;
}

static err answer_take(dialogue *d, const tracker_udp_reply *r)
{
    tracker_asking *x = d->x;
    if (r->action == TRACKER_UDP_ERROR)
        return refused(x, r->error);
    if (r->action == TRACKER_UDP_SCRAPE) {
        int count = r->swarm_count < x->q->hash_count ? r->swarm_count : x->q->hash_count;
        x->out->swarms = arena_array(x->a, tracker_swarm, count + 1);
        for (int i = 0; x->out->swarms && i < count; i++) {
            x->out->swarms[i] = (tracker_swarm){.complete = r->swarms[i].complete, .downloaded = r->swarms[i].downloaded,
                                                .incomplete = r->swarms[i].incomplete};
            for (int b = 0; b < TRACKER_HASH_BYTES; b++)
                x->out->swarms[i].hash[b] = x->q->hashes[i][b];
        }
        x->out->swarm_count = x->out->swarms ? count : 0;
        return E_OK;
    }
    int32_t interval = r->interval_s < TRACKER_INTERVAL_MAX ? (int32_t)r->interval_s : TRACKER_INTERVAL_MAX;
    x->out->reply = (tracker_reply){.interval_s = interval, .complete = r->complete, .incomplete = r->incomplete,
                                    .peers = r->peers, .peer_count = r->peer_count};
    return E_OK;
}

// n grows with every sending that met silence, connect or not. A reply to a connect goes on with the request at once.
static err converse(dialogue *d)
{
    world *w = d->x->who->world;
    for (int n = 0; n <= TRACKER_UDP_RESENDS_MAX; ) {
        tracker_udp_reply r;
        err e = request_send(d);
        int64_t until = world_now_ns(w) + tracker_udp_wait_ns(n);
        bool last = until >= d->t->until_ns;
        if (!e)
            e = reply_wait(d, last ? d->t->until_ns : until, &r);
        if (e == E_OK && r.action == TRACKER_UDP_CONNECT) {
            d->request.connection = r.connection;
            d->connected_ns = world_now_ns(w);
        } else if (e == E_OK) {
            return answer_take(d, &r);
        } else if (e == E_TIMEOUT && !last) {
            n++;
        } else {
            return e;
        }
    }
    return E_TIMEOUT;
}

err tracker_ask_udp(tracker_asking *x, tracker_try *t)
{
    dialogue d = {.x = x, .t = t};
    world *w = x->who->world;
    err e = sock_datagram(w, (addr){.family = t->at.family}, false, &d.sock);
    if (e)
        return e;
    d.in = memory_new(REPLY_BYTES_MAX);
    e = sock_datagram_connect(d.sock, addr_with_port(t->at, t->url->port));
    if (!e)
        e = converse(&d);
    sock_close(d.sock);
    memory_free(d.in);
    return e;
}
