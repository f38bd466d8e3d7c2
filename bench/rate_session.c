#include "rate_session.h"
#include <math.h>
#include <string.h>
#include "base/must.h"

// ---- the network ----

static void network_next(network *n)
{
    n->at = (n->at + 1) % n->t->count;
    n->left = n->t->period[n->at].ms;
}

network network_of(const trace *t)
{
    return (network){.t = t, .left = t->period[0].ms};
}

void network_wait(network *n, double ms)
{
    while (ms > n->left) {
        ms -= n->left;
        network_next(n);
    }
    n->left -= ms;
}

double network_latency(network *n)
{
    double total = 0, units = 1;
    while (units > 0) {
        double latency = n->t->period[n->at].latency_ms, ms = units * latency;
        if (ms <= n->left) {
            n->left -= ms;
            return total + ms;
        }
        total += n->left;
        units -= n->left / latency;
        network_next(n);
    }
    return total;
}

double network_download(network *n, double bits)
{
    double total = 0;
    for (;;) {
        double kbps = n->t->period[n->at].kbps;
        if (bits <= n->left * kbps) {
            double ms = kbps > 0 ? bits / kbps : 0;
            n->left -= ms;
            return total + ms;
        }
        total += n->left;
        bits -= n->left * kbps;
        network_next(n);
    }
}

double network_some(network *n, double most, double bits, double ms, double *got)
{
    double total = 0, have = 0;
    while (have < most && (have < bits || total < ms)) {
        double kbps = n->t->period[n->at].kbps;
        double want_ms = ms - total;
        if (kbps > 0) {
            want_ms = fmax(want_ms, (bits - have) / kbps);
            want_ms = fmin(want_ms, (most - have) / kbps);
        } else if (have < bits) {
            want_ms = n->left;
        }
        if (want_ms < n->left) {
            n->left -= want_ms;
            total += want_ms;
            have += want_ms * kbps;
            break;
        }
        total += n->left;
        have += n->left * kbps;
        network_next(n);
    }
    have = have > most - 1e-6 ? most : have;
    *got += have;
    return total;
}

// ---- the playout ----

static void segment_shown(player *p)
{
    int rung = p->buffer[p->played++];
    double kbps = (double)p->film->bps[rung] / 1000;
    p->out.utility += log((double)p->film->bps[rung] / (double)p->film->bps[0]);
    p->out.kbps += kbps / p->film->segments;
    if (p->last >= 0)
        p->out.switches_kbps += fabs(kbps - (double)p->film->bps[p->last] / 1000) / p->film->segments;
    p->last = rung;
}

// Time passes: the buffer plays, then stalls.
static void player_run(player *p, double ms)
{
    p->out.total_ms += ms;
    if (p->fetched == 0) {
        p->out.start_ms += ms;
        return;
    }
    if (ms > p->buffer_ms + 1e-9) {
        p->out.stalls += p->buffer_ms > 0;
        p->out.stalled_ms += ms - p->buffer_ms;
        ms = p->buffer_ms;
    }
    p->buffer_ms -= ms;
}

static outcome player_end(player *p)
{
    player_run(p, p->buffer_ms);
    while (p->played < p->fetched)
        segment_shown(p);
    double segment = p->film->segment_ms;
    p->out.score = (p->out.utility - 5 * p->out.stalled_ms / segment) / (p->out.total_ms / segment);
    return p->out;
}

static void player_take(player *p, int rung)
{
    p->buffer[p->fetched++] = (unsigned char)rung;
    p->buffer_ms += p->film->segment_ms;
}

outcome session_replay(const film *f, const trace *t, const unsigned char *rungs, double capacity_ms)
{
    static player p;
    memset(&p, 0, sizeof p);
    p.film = f;
    p.last = -1;
    network n = network_of(t);
    for (int i = 0; i < f->segments; i++) {
        double full = p.buffer_ms + f->segment_ms - capacity_ms;
        if (full > 0) {
            network_wait(&n, full);
            player_run(&p, full);
        }
        double ms = network_latency(&n);
        ms += network_download(&n, (double)f->bytes[i * f->rungs + rungs[i]] * 8);
        player_run(&p, ms);
        player_take(&p, rungs[i]);
    }
    return player_end(&p);
}

// ---- a session that decides ----

typedef struct { player p; network n; rate_situation s; rate_memory m; double now_ms; } session;

static void session_pass(session *s, double ms)
{
    s->now_ms += ms;
    player_run(&s->p, ms);
}

static void situation_fill(session *s)
{
    const film *f = s->p.film;
    s->s.now_ms = (int64_t)llround(s->now_ms);
    s->s.playout = s->p.fetched == 0 ? RATE_STARTING : s->p.buffer_ms > 0 ? RATE_PLAYING : RATE_STALLED;
    s->s.buffer_ms = (uint32_t)ceil(s->p.buffer_ms - 1e-6);
    s->s.segments_left = (uint32_t)(f->segments - s->p.fetched);
    s->s.bytes = f->bytes + (ptrdiff_t)s->p.fetched * f->rungs;
    s->s.ahead = f->segments - s->p.fetched;
}

// One download, looked at as Sabre does: after every 50 ms and 12,000 bits.
static void session_fetch(session *s, int rung)
{
    rate_running *r = &s->s.running;
    double bits = (double)rate_bytes(s->p.film, s->p.fetched, rung) * 8, got = 0, first = network_latency(&s->n), elapsed = first;
    bool abandon = false;
    session_pass(s, first);
    double least_ms = 50 - first;
    while (got < bits && !abandon) {
        double ms = network_some(&s->n, bits - got, 12000, fmax(least_ms, 0), &got);
        least_ms = 50;
        elapsed += ms;
        session_pass(s, ms);
        if (got >= bits)
            break;
        situation_fill(s);
        *r = (rate_running){.is = true, .rung = rung, .bytes = (uint64_t)(bits / 8), .bytes_got = (uint64_t)(got / 8),
                            .elapsed_us = (uint64_t)(elapsed * 1000), .first_byte_us = (uint64_t)(first * 1000)};
        abandon = rate_decide(&s->s, &s->m).act == RATE_ABANDON;
        r->is = false;
    }
    s->p.out.abandoned += abandon;
    if (!abandon)
        player_take(&s->p, rung);
    rate_download d = {.now_ms = (int64_t)s->now_ms, .rung = rung, .bytes = (uint64_t)(got / 8), .first_byte_us = (uint64_t)(first * 1000),
                       .elapsed_us = (uint64_t)(elapsed * 1000), .end = abandon ? RATE_ENDED_ABANDONED : RATE_ENDED_WHOLE};
    rate_learn(&s->m, &d);
}

uint64_t rate_bytes(const film *f, int segment, int rung)
{
    return f->bytes[segment * f->rungs + rung];
}

outcome session_play(const film *f, const trace *t, rate_rule rule, double capacity_ms, rate_memory *memory)
{
    static session s;
    memset(&s, 0, sizeof s);
    s.p.film = f;
    s.p.last = -1;
    s.n = network_of(t);
    s.s = (rate_situation){.capacity_ms = (uint32_t)capacity_ms, .segment_ms = f->segment_ms, .rungs = f->rungs, .servers = 1};
    memcpy(s.s.bps, f->bps, sizeof s.s.bps);
    rate_memory_start(&s.m, rule);
    for (;;) {
        situation_fill(&s);
        rate_decision d = rate_decide(&s.s, &s.m);
        if (d.act == RATE_DONE)
            break;
        if (d.act == RATE_WAIT) {
            network_wait(&s.n, d.wait_ms);
            session_pass(&s, d.wait_ms);
        } else {
            must(d.act == RATE_FETCH);
            session_fetch(&s, d.rung);
        }
    }
    if (memory)
        *memory = s.m;
    return player_end(&s.p);
}
