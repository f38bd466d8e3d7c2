#include "rt/listener.h"

#include <string.h>

#include "base/heap_memory.h"
#include "base/must.h"
#include "rt/meter.h"

enum {
    // Not a power of two: buffers at the same offset of each page would fight for the same lines of the cache.
    IN_STRIDE_BYTES = DATAGRAM_BYTES_MAX + 1 + 192,
    OUT_BYTES = DATAGRAM_BATCH_MAX * DATAGRAM_ANSWER_BYTES_MAX,
    BATCHES_IN_A_ROW_MAX = 8,            // then the others run
};

// What a batch is received into and answered in. Between receiving and sending nobody parks, so all doors of a thread share
// one; pages that no datagram was large or lucky enough to touch cost nothing.
typedef struct {
    datagram       in[DATAGRAM_BATCH_MAX], out[DATAGRAM_BATCH_MAX];
    unsigned char *in_bytes, *out_bytes;
    int            doors;
} batch;

static _Thread_local batch *shared;

// Of this thread's loop: its doors receive no more; conversations that still owe an answer, and who waits for the last.
static _Thread_local struct { bool quiet; int held; gate changed; } ending;

struct datagram_door {
    world           *world;
    sock            *sock;               // NULL: closed
    addr             at;
    datagram_answer *answer;
    void            *arg;
    scope_end        end;
};

static meter received = {
    .name = "naru_datagrams_received_total", .help = "Datagrams received on doors", .type = METER_COUNTER,
};
static meter answered = {
    .name = "naru_datagrams_sent_total", .help = "Datagrams sent from doors", .type = METER_COUNTER,
};
static meter dropped = {
    .name = "naru_datagrams_dropped_total", .help = "Datagrams that a door could not send", .type = METER_COUNTER,
};

static void batch_hold(void)
{
    if (!shared) {
        shared = memory_zeroed(1, sizeof *shared);
        shared->in_bytes = memory_new((size_t)DATAGRAM_BATCH_MAX * IN_STRIDE_BYTES);
        shared->out_bytes = memory_new(OUT_BYTES);
        for (int i = 0; i < DATAGRAM_BATCH_MAX; i++) {
            shared->in[i].at = shared->in_bytes + (size_t)i * IN_STRIDE_BYTES;
            shared->in[i].size = DATAGRAM_BYTES_MAX;
        }
    }
    shared->doors++;
}

static void batch_leave(void)
{
    if (--shared->doors > 0)
        return;
    memory_free(shared->in_bytes);
    memory_free(shared->out_bytes);
    memory_free(shared);
    shared = NULL;
    ending.quiet = false;                        // the thread's next loop begins anew
}

// ---- sending ------------------------------------------------------------------------------------------------------------

// Sends until all have gone (E_OK) or the socket is full (E_AGAIN); *done counts. A datagram that cannot go at all (no route,
// too long for the path) is skipped: the next may have another destination.
static err send_some(datagram_door *d, const datagram *v, int count, int *done)
{
    while (*done < count) {
        int sent = 0;
        err e = sock_send(d->sock, v + *done, count - *done, &sent);
        *done += sent;
        meter_add(&answered, sent);
        if (e == E_AGAIN || e == E_CANCELED || e == E_CRASHED)
            return e;
        if (e || sent == 0) {
            meter_add(&dropped, 1);
            ++*done;
        }
    }
    return E_OK;
}

// The socket is full: the answers move out of the shared batch and wait. Meanwhile nothing more is received, so that the
// kernel drops what is too much for us.
static err send_later(datagram_door *d, const datagram *v, int count)
{
    size_t total = 0;
    for (int i = 0; i < count; i++)
        total += v[i].len;
    unsigned char *copy = memory_new(total), *at = copy;
    datagram held[DATAGRAM_BATCH_MAX];
    for (int i = 0; i < count; i++) {
        held[i] = v[i];
        held[i].at = memcpy(at, v[i].at, v[i].len);
        at += v[i].len;
    }
    int done = 0;
    err e;
    while ((e = send_some(d, held, count, &done)) == E_AGAIN)
        if ((e = sock_wait(d->sock, WAIT_WRITE, NEVER_NS)) != E_OK)
            break;
    memory_free(copy);
    return e;
}

bool datagram_send(datagram_door *d, addr to, addr from_local, str bytes)
{
    datagram one = {.peer = to, .local = from_local, .at = (unsigned char *)(uintptr_t)bytes.at, .len = (size_t)bytes.len,
                    .size = (size_t)bytes.len};
    int sent = 0;
    bool ok = d->sock && bytes.len <= DATAGRAM_BYTES_MAX && sock_send(d->sock, &one, 1, &sent) == E_OK && sent == 1;
    meter_add(ok ? &answered : &dropped, 1);
    return ok;
}

// ---- receiving ----------------------------------------------------------------------------------------------------------

static err answer_all(datagram_door *d, int got)
{
    unsigned char *at = shared->out_bytes;
    int count = 0;
    for (int i = 0; i < got; i++) {
        const datagram *in = &shared->in[i];
        size_t len = d->answer(d->arg, d, in, at, DATAGRAM_ANSWER_BYTES_MAX);
        must(len <= DATAGRAM_ANSWER_BYTES_MAX);
        if (len == 0)
            continue;
        shared->out[count++] = (datagram){.peer = in->peer, .local = in->local, .at = at, .len = len, .size = len};
        at += len;
    }
    int done = 0;
    err e = send_some(d, shared->out, count, &done);
    return e == E_AGAIN ? send_later(d, shared->out + done, count - done) : e;
}

static err give_way(int *in_a_row)
{
    if (++*in_a_row < BATCHES_IN_A_ROW_MAX)
        return E_OK;
    *in_a_row = 0;
    fiber_yield();
    return fiber_canceled() ? E_CANCELED : E_OK;
}

static void door_run(void *arg)
{
    datagram_door *d = arg;
    fiber_world(d->world);
    int in_a_row = 0;
    for (err e = E_OK; e != E_CANCELED && e != E_CRASHED && e != E_TIMEOUT && !ending.quiet; ) {
        int got = 0;
        e = sock_receive(d->sock, shared->in, DATAGRAM_BATCH_MAX, &got);
        if (e == E_OK) {
            meter_add(&received, got);
            e = answer_all(d, got);
            if (e == E_OK)
                e = give_way(&in_a_row);
        } else if (e == E_AGAIN) {
            in_a_row = 0;
            e = sock_wait(d->sock, WAIT_READ, NEVER_NS);
        } else if (e != E_CRASHED) {             // an ICMP error about an earlier answer, no news about this socket
            e = give_way(&in_a_row);
        }
    }
    if (ending.quiet)
        return;                                  // answers may still go out
    sock_close(d->sock);
    d->sock = NULL;
}

static void door_free(void *arg)
{
    datagram_door *d = arg;
    if (d->sock)
        sock_close(d->sock);
    batch_leave();
    memory_free(d);
}

err datagram_open(scope *s, world *w, const char *service, addr at, bool share_port, datagram_answer *answer, void *arg,
                  datagram_door **out)
{
    sock *socket;
    err e = sock_datagram(w, at, share_port, &socket);
    if (e)
        return e;
    datagram_door *d = memory_zeroed(1, sizeof *d);
    *d = (datagram_door){.world = w, .sock = socket, .at = sock_local(socket), .answer = answer, .arg = arg};
    meter_show(&received);
    meter_show(&answered);
    meter_show(&dropped);
    batch_hold();
    e = scope_go(s, service, door_run, d);
    if (e) {
        door_free(d);
        return e;
    }
    scope_at_end(s, &d->end, door_free, d);
    *out = d;
    return E_OK;
}

addr datagram_address(datagram_door *d) { return d->at; }

void datagram_hold(datagram_door *d)
{
    (void)d;
    ending.held++;
}

void datagram_release(datagram_door *d)
{
    (void)d;
    if (--ending.held == 0)
        gate_wake_all(&ending.changed);
}

void datagrams_quiet(void) { ending.quiet = shared != NULL; }

void datagrams_drain(int64_t until_ns)
{
    while (ending.held > 0 && gate_wait(&ending.changed, until_ns, "the last datagrams' answers") == E_OK)
        ;
}
