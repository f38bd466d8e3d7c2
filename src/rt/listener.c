#include "rt/listener.h"

#include <string.h>

#include "base/heap_memory.h"
#include "base/list.h"
#include "base/map.h"
#include "base/must.h"
#include "rt/conn_inside.h"
#include "rt/loop.h"
#include "rt/meter.h"
#include "rt/tls.h"

enum {
    ACCEPTS_IN_A_ROW_MAX = 32,          // then the others run
    PAUSE_MS_FIRST = 10,                // out of descriptors: longer each time, or until one of our conns ends
    PAUSE_MS_MAX = 1000,
    DRAIN_MS_MAX = 10000,               // door_stop waits no longer for conversations
    VISITOR_KEY_BYTES = 9,
};

// One address that has conns here. IPv6 counts by /64: that is what one customer has.
typedef struct {
    unsigned char key[VISITOR_KEY_BYTES];
    int           conns;
} visitor;

struct door {
    world       *world;
    door_options options;
    door_serve  *serve;
    void        *arg;
    sock        *listener;              // NULL: closed
    addr         at;
    scope       *conversations;         // of the accepting fiber
    int          conns;
    map          visitors;              // by key; only who has conns now
    gate         changed;               // a conversation has ended
    bool         stopped;
    scope_end    end;
    list_link    open;                  // in doors_here
};

// The doors of this thread's loop.
static _Thread_local list doors_here;

typedef struct {
    door    *door;
    conn    *conn;
    visitor *from;
} visit;

// ---- meters -------------------------------------------------------------------------------------------------------------

typedef enum { REFUSED_ALL, REFUSED_ADDRESS, REFUSED_FIBERS } refusal;

static meter conns_open = {.name = "naru_conns_open", .help = "Conversations on doors now", .type = METER_GAUGE};
static meter conns_accepted = {
    .name = "naru_conns_accepted_total", .help = "Conversations begun on doors", .type = METER_COUNTER,
};
static meter conns_refused = {
    .name = "naru_conns_refused_total", .help = "Connections turned away at once, by the limit that was reached",
    .type = METER_COUNTER, .label = "limit", .values = {"all", "address", "fibers"},
};
static meter accept_pauses = {
    .name = "naru_accept_pauses_total", .help = "Times a door paused because the process was out of descriptors",
    .type = METER_COUNTER,
};

// ---- limits -------------------------------------------------------------------------------------------------------------

static bool is_mapped_v4(addr x)
{
    static const unsigned char prefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    return x.family == 6 && memcmp(x.ip, prefix, sizeof prefix) == 0;
}

static void visitor_key(unsigned char key[VISITOR_KEY_BYTES], addr peer)
{
    memset(key, 0, VISITOR_KEY_BYTES);
    bool mapped = is_mapped_v4(peer);
    key[0] = mapped ? 4 : peer.family;
    memcpy(key + 1, mapped ? peer.ip + 12 : peer.ip, key[0] == 4 ? 4 : 8);
}

static visitor *visitor_enter(door *d, addr peer)
{
    unsigned char key[VISITOR_KEY_BYTES];
    visitor_key(key, peer);
    visitor *v = map_get(&d->visitors, str_of(key, sizeof key));
    if (!v) {
        v = memory_zeroed(1, sizeof *v);
        memcpy(v->key, key, sizeof key);
        must(map_put(&d->visitors, str_of(v->key, sizeof v->key), v));     // no more visitors than conns
    }
    v->conns++;
    return v;
}

static void visitor_leave(door *d, visitor *v)
{
    if (--v->conns > 0)
        return;
    map_remove(&d->visitors, str_of(v->key, sizeof v->key));
    memory_free(v);
}

// ---- conversations ------------------------------------------------------------------------------------------------------

static void visit_end(visit *v)
{
    door *d = v->door;
    visitor_leave(d, v->from);
    d->conns--;
    meter_add(&conns_open, -1);
    memory_free(v);
    gate_wake_all(&d->changed);
}

static void visit_run(void *arg)
{
    visit *v = arg;
    door *d = v->door;
    if (!d->options.tls || conn_tls_accept(v->conn, d->options.tls))
        d->serve(v->conn, d->arg);
    conn_close(v->conn);
    visit_end(v);
}

static void refuse(door *d, conn *c, refusal why)
{
    if (!d->options.tls)
        conn_put(c, d->options.busy);
    conn_dismiss(c);
    meter_add_at(&conns_refused, (int)why, 1);
}

static void admit(door *d, conn *c)
{
    if (d->conns >= d->options.conns_max) {
        refuse(d, c, REFUSED_ALL);
        return;
    }
    visitor *from = visitor_enter(d, c->peer);
    if (d->options.conns_per_address_max && from->conns > d->options.conns_per_address_max) {
        visitor_leave(d, from);
        refuse(d, c, REFUSED_ADDRESS);
        return;
    }
    visit *v = memory_new(sizeof *v);
    *v = (visit){d, c, from};
    d->conns++;
    meter_add(&conns_open, 1);
    if (scope_try_go(d->conversations, d->options.service, visit_run, v) == E_OK) {
        meter_add(&conns_accepted, 1);
    } else {                                     // no guarded stack to be had, or we are about to end
        refuse(d, c, REFUSED_FIBERS);
        visit_end(v);
    }
}

// ---- accepting ----------------------------------------------------------------------------------------------------------

// Out of descriptors, most likely: who waits in the backlog waits on, until one of our conns ends or some time has passed.
static err pause_accepting(door *d, int64_t *pause_ns)
{
    *pause_ns = *pause_ns ? *pause_ns * 2 : millis(PAUSE_MS_FIRST);
    if (*pause_ns > millis(PAUSE_MS_MAX))
        *pause_ns = millis(PAUSE_MS_MAX);
    meter_add(&accept_pauses, 1);
    err e = gate_wait(&d->changed, loop_now_ns() + *pause_ns, "accepting: out of descriptors");
    return e == E_TIMEOUT ? E_OK : e;
}

static err give_way(int *in_a_row)
{
    if (++*in_a_row < ACCEPTS_IN_A_ROW_MAX)
        return E_OK;
    *in_a_row = 0;
    fiber_yield();
    return fiber_canceled() ? E_CANCELED : E_OK;
}

static void accept_all(door *d)
{
    int64_t pause_ns = 0;
    int in_a_row = 0;
    err e = E_OK;
    while (!d->stopped && e != E_CANCELED && e != E_CRASHED) {
        sock *s;
        addr peer, local;
        e = sock_accept(d->listener, &s, &peer, &local);
        if (e == E_OK) {
            pause_ns = 0;
            admit(d, conn_of(s, peer, local));
            e = give_way(&in_a_row);
        } else if (e == E_AGAIN) {
            in_a_row = 0;
            e = sock_wait(d->listener, WAIT_READ, NEVER_NS);
        } else if (e != E_RESET && e != E_CRASHED) {       // E_RESET: it gave up before we looked
            e = pause_accepting(d, &pause_ns);
        }
        if (e == E_TIMEOUT)
            e = E_CANCELED;                                // the scope's time is over
    }
}

static void door_shut(door *d)
{
    d->stopped = true;
    if (d->listener)
        sock_close(d->listener);
    d->listener = NULL;
}

static void door_run(void *arg)
{
    door *d = arg;
    fiber_world(d->world);
    scope conversations;
    scope_open(&conversations, 0, d->options.conns_max);
    d->conversations = &conversations;
    accept_all(d);
    if (d->options.drain)
        scope_wait(&conversations);
    door_shut(d);
    scope_close(&conversations);
    d->conversations = NULL;
    gate_wake_all(&d->changed);
}

static void door_free(void *arg)
{
    door *d = arg;
    door_shut(d);
    list_remove(&d->open);
    map_free(&d->visitors);
    memory_free(d);
}

static err door_start(scope *s, world *w, sock *listener, const door_options *options, door_serve *serve, void *arg,
                      door **out)
{
    door *d = memory_zeroed(1, sizeof *d);
    *d = (door){.world = w, .options = *options, .serve = serve, .arg = arg, .listener = listener};
    d->at = sock_local(listener);
    meter_show(&conns_refused);
    meter_show(&accept_pauses);
    if (!doors_here.ends.next)
        list_init(&doors_here);
    list_append(&doors_here, &d->open);
    if (d->options.conns_max == 0)
        d->options.conns_max = DOOR_CONNS_MAX;
    d->visitors = map_make(world_random_u64(w), (size_t)d->options.conns_max);
    err e = scope_go(s, options->service, door_run, d);
    if (e) {
        door_free(d);
        return e;
    }
    scope_at_end(s, &d->end, door_free, d);
    *out = d;
    return E_OK;
}

err door_open(scope *s, world *w, door_options options, door_serve *serve, void *arg, door **out)
{
    sock *listener;
    err e = sock_listen(w, options.at, (listen_options){.share_port = options.share_port}, &listener);
    return e ? e : door_start(s, w, listener, &options, serve, arg, out);
}

err door_open_unix(scope *s, world *w, const char *path, unsigned mode, door_options options, door_serve *serve, void *arg,
                   door **out)
{
    sock *listener;
    err e = sock_listen_unix(w, path, mode, &listener);
    return e ? e : door_start(s, w, listener, &options, serve, arg, out);
}

addr door_address(door *d) { return d->at; }
int  door_conns(door *d) { return d->conns; }

void door_stop(door *d)
{
    door_shut(d);
    int64_t until_ns = loop_now_ns() + millis(DRAIN_MS_MAX);
    while (d->options.drain && d->conns > 0 && gate_wait(&d->changed, until_ns, "a door's last conversations") == E_OK)
        ;
    if (d->conversations)
        scope_cancel(d->conversations);
}

static void drain_one(door *d, int64_t until_ns)
{
    while (d->options.drain && d->conns > 0 && gate_wait(&d->changed, until_ns, "a door's last conversations") == E_OK)
        ;
    d->options.drain = false;                    // its time is over: what door_stop meets now, it ends
}

void doors_drain(int64_t until_ns, bool all)
{
    datagrams_quiet();
    if (doors_here.ends.next) {
        for (list_link *k = list_first(&doors_here); k; k = list_next(&doors_here, k)) {
            LIST_OF(k, door, open)->options.drain |= all;
            door_shut(LIST_OF(k, door, open));
        }
        for (list_link *k = list_first(&doors_here); k; k = list_next(&doors_here, k))
            drain_one(LIST_OF(k, door, open), until_ns);
    }
    if (all)
        datagrams_drain(until_ns);
}
