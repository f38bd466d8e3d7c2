#include "rooms/mta/queue.h"

#include <string.h>

#include "base/heap_memory.h"
#include "base/must.h"
#include "rt/log.h"

enum { QUEUE_TIDY_S = 60 };

struct queue {
    mta  *m;
    map   destinations;              // by domain
    heap  due;                       // destinations with work, by time
    gate  changed;
    scope senders;                   // every conversation with a destination
    int   running;
    bool  finishing;                 // nothing is begun any more
    gate  finished;                  // ... and the last conversation has ended
    bool  sleeping;
};

mta *queue_mta(queue *q) { return q->m; }

// ---- destinations -----------------------------------------------------------------------------------------------------

static destination *destination_of(queue *q, str domain, bool local)
{
    str key = local ? (str){0} : domain;
    destination *d = map_get(&q->destinations, key);
    if (d)
        return d;
    d = memory_zeroed(1, sizeof *d + (size_t)key.len);
    if (key.len)
        memcpy(d->name, key.at, (size_t)key.len);
    d->domain = str_of(d->name, (size_t)key.len);
    d->local = local;
    d->jobs = heap_make(QUEUE_JOBS_MAX);
    bool fits = map_put(&q->destinations, d->domain, d);
    must(fits);                                              // at most a destination a living letter's recipient domain
    return d;
}

static int connections_max(const queue *q, const destination *d)
{
    return d->local ? q->m->concurrency_max * 2 : q->m->concurrency_max;
}

// When should a conversation with d begin? INT64_MAX: none is wanted.
static int64_t destination_time(const queue *q, const destination *d)
{
    int64_t first = heap_first_key(&d->jobs);
    if (first == INT64_MAX || d->idle > 0 || d->active >= connections_max(q, d))
        return INT64_MAX;
    int64_t at = first > d->not_before_ns ? first : d->not_before_ns;
    if (d->active > 0 && !d->local && d->jobs.count < (size_t)(d->active * QUEUE_BACKLOG_A_CONNECTION)) {
        // Those at work will come to it (one connection, many letters), unless their peers have fallen silent.
        int64_t patience = d->moved_ns + QUEUE_PATIENCE_NS;
        return at > patience ? at : patience;
    }
    return at;
}

static void destination_schedule(queue *q, destination *d)
{
    int64_t at = destination_time(q, d);
    heap_remove(&q->due, &d->due);
    if (at != INT64_MAX) {
        must(heap_add(&q->due, &d->due, at));
        if (heap_first(&q->due) == &d->due)
            gate_wake_one(&q->changed);
    } else if (d->jobs.count == 0 && d->active == 0) {
        map_remove(&q->destinations, d->domain);
        heap_free(&d->jobs);
        memory_free(d);
    } else if (d->idle > 0 && heap_first_key(&d->jobs) <= world_now_ns(q->m->w)) {
        gate_wake_one(&d->idle_senders);
    }
}

// ---- jobs -------------------------------------------------------------------------------------------------------------

static bool same_destination(const queue *q, const recipient *a, const destination *d)
{
    str domain = str_from(a->address, str_rfind(a->address, '@') + 1);
    return mta_is_local(q->m, domain) ? d->local : !d->local && str_eq(domain, d->domain);
}

static void job_new(queue *q, letter *l, destination *d, int64_t at_ns)
{
    job *j = memory_zeroed(1, sizeof *j);
    j->letter = l;
    j->to = d;
    l->users++;
    must(heap_add(&d->jobs, &j->due, at_ns));
    destination_schedule(q, d);
}

// One job for each destination that still waits.
static void jobs_for(queue *q, letter *l, int64_t at_ns)
{
    for (int i = 0; i < l->to_count; i++) {
        if (l->to[i].state != RECIPIENT_WAITING)
            continue;
        str domain = str_from(l->to[i].address, str_rfind(l->to[i].address, '@') + 1);
        destination *d = destination_of(q, domain, mta_is_local(q->m, domain));
        bool first = true;
        for (int k = 0; k < i && first; k++)
            first = l->to[k].state != RECIPIENT_WAITING || !same_destination(q, &l->to[k], d);
        if (first)
            job_new(q, l, d, at_ns);
    }
}

void queue_add(queue *q, letter *l)
{
    int64_t now_ns = world_now_ns(q->m->w);
    int64_t age_s = world_wall_s(q->m->w) - l->arrived_s;    // of a letter read back; a clock that jumped counts as no age
    int64_t left_ns = q->m->expire_ns - (age_s > 0 && age_s < q->m->expire_ns / NS_PER_S ? seconds(age_s) : 0);
    l->expires_ns = now_ns + left_ns;
    jobs_for(q, l, now_ns);
}

job *queue_take(queue *q, destination *d)
{
    if (q->finishing || heap_first_key(&d->jobs) > world_now_ns(q->m->w))
        return NULL;
    heap_node *n = heap_take(&d->jobs);
    d->moved_ns = world_now_ns(q->m->w);
    destination_schedule(q, d);                              // the sender that asks is active: d stays
    return n ? LIST_OF(n, job, due) : NULL;
}

job *queue_linger(queue *q, destination *d, int64_t ns)
{
    int64_t until_ns = world_now_ns(q->m->w) + ns;
    job *j = queue_take(q, d);
    while (!j && !q->finishing && world_now_ns(q->m->w) < until_ns) {
        d->idle++;
        destination_schedule(q, d);
        err e = gate_wait(&d->idle_senders, until_ns, "another letter for this connection");
        d->idle--;
        j = queue_take(q, d);
        if (e != E_OK)
            break;
    }
    return j;
}

void queue_job_done(queue *q, job *j)
{
    letter *l = j->letter;
    l->users--;
    spool_release(q->m->spool, l);
    memory_free(j);
}

void queue_job_later(queue *q, job *j, int64_t at_ns)
{
    must(heap_add(&j->to->jobs, &j->due, at_ns));
    destination_schedule(q, j->to);
}

// ---- looking and pushing ----------------------------------------------------------------------------------------------

typedef struct { letter *of; int64_t first_ns; } search;

static void each_job(queue *q, letter *l, void (*visit)(queue *, job *, void *), void *arg)
{
    for (int i = 0; i < l->to_count; i++) {
        str domain = str_from(l->to[i].address, str_rfind(l->to[i].address, '@') + 1);
        destination *d = map_get(&q->destinations, mta_is_local(q->m, domain) ? (str){0} : domain);
        for (size_t n = d ? d->jobs.count : 0; n >= 1; n--) {
            job *j = LIST_OF(d->jobs.slots[n].node, job, due);
            if (j->letter == l) {
                visit(q, j, arg);
                break;
            }
        }
    }
}

static void earliest(queue *q, job *j, void *arg)
{
    (void)q;
    int64_t *first_ns = arg;
    int64_t key = heap_key(&j->to->jobs, &j->due);
    if (*first_ns == NEVER_NS || key < *first_ns)
        *first_ns = key;
}

int64_t queue_next_try_ns(queue *q, letter *l)
{
    int64_t first_ns = NEVER_NS;
    each_job(q, l, earliest, &first_ns);
    return first_ns;
}

static void push(queue *q, job *j, void *arg)
{
    (void)arg;
    j->to->not_before_ns = 0;
    heap_move(&j->to->jobs, &j->due, world_now_ns(q->m->w));
    destination_schedule(q, j->to);
}

void queue_retry(queue *q, letter *l) { each_job(q, l, push, NULL); }

// ---- the scheduler ----------------------------------------------------------------------------------------------------

typedef struct { queue *q; destination *d; job *first; } errand;

static void sender(void *arg)
{
    errand e = *(errand *)arg;
    memory_free(arg);
    deliver(e.q, e.d, e.first);
    e.d->active--;
    e.q->running--;
    destination_schedule(e.q, e.d);
    gate_wake_one(&e.q->changed);
    if (e.q->running == 0)
        gate_wake_all(&e.q->finished);
}

static bool send_out(queue *q, destination *d)
{
    heap_node *n = heap_take(&d->jobs);
    must(n);
    errand *e = memory_new(sizeof *e);
    *e = (errand){q, d, LIST_OF(n, job, due)};
    d->active++;
    d->moved_ns = world_now_ns(q->m->w);
    q->running++;
    if (scope_try_go(&q->senders, "deliver", sender, e) == E_OK) {
        destination_schedule(q, d);
        return true;
    }
    d->active--;                                             // no stack to be had: a moment later
    q->running--;
    memory_free(e);
    must(heap_add(&d->jobs, n, world_now_ns(q->m->w) + seconds(1)));
    destination_schedule(q, d);
    return false;
}

static void schedule(void *arg)
{
    queue *q = arg;
    scope_open(&q->senders, 0, q->m->senders_max);
    while (!fiber_canceled()) {
        int64_t first = heap_first_key(&q->due);
        if (first <= world_now_ns(q->m->w) && q->running < q->m->senders_max && !q->finishing) {
            destination *d = LIST_OF(heap_take(&q->due), destination, due);
            send_out(q, d);
            continue;
        }
        bool full = q->running >= q->m->senders_max || q->finishing;
        gate_wait(&q->changed, full || first == INT64_MAX ? NEVER_NS : first, "letters to carry");
    }
    scope_close(&q->senders);
}

void queue_finish(queue *q, int64_t ns)
{
    int64_t until_ns = world_now_ns(q->m->w) + ns;
    size_t cursor = 0;
    str domain;
    void *d;
    q->finishing = true;
    while (map_each(&q->destinations, &cursor, &domain, &d))
        gate_wake_all(&((destination *)d)->idle_senders);
    while (q->running > 0 && gate_wait(&q->finished, until_ns, "the last deliveries") == E_OK)
        ;
}

static void tidy(void *arg)
{
    queue *q = arg;
    while (fiber_sleep(seconds(QUEUE_TIDY_S)) == E_OK)
        spool_tidy(q->m->spool);
}

static void record_deliveries(void *arg)
{
    queue *q = arg;
    spool_record_deliveries(q->m->spool);
}

queue *queue_new(mta *m)
{
    queue *q = memory_zeroed(1, sizeof *q);
    q->m = m;
    q->destinations = map_make(world_random_u64(m->w), QUEUE_DESTINATIONS_MAX);
    q->due = heap_make(QUEUE_DESTINATIONS_MAX);
    m->queue = q;
    for (letter *l = spool_first(m->spool); l; l = spool_next(m->spool, l))
        queue_add(q, l);
    scope_go(m->room->scope, "queue", schedule, q);
    scope_go(m->room->scope, "spool tidy", tidy, q);
    scope_go(m->room->scope, "spool deliveries", record_deliveries, q);
    return q;
}

void queue_free(queue *q)
{
    if (!q)
        return;
    heap_free(&q->due);                              // while the destinations, whose nodes it holds, are still there
    size_t cursor = 0;
    str key;
    void *value;
    while (map_each(&q->destinations, &cursor, &key, &value)) {
        destination *d = value;
        for (heap_node *n; (n = heap_take(&d->jobs));)
            queue_job_done(q, LIST_OF(n, job, due));
        heap_free(&d->jobs);
        memory_free(d);
    }
    map_free(&q->destinations);
    memory_free(q);
}
