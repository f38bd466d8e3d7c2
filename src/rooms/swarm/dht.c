// The node's sockets, fibers and file around dht_core.
#include "rooms/swarm/dht.h"

#include <string.h>

#include "base/heap_memory.h"
#include "base/must.h"
#include "rooms/swarm/dht_core.h"
#include "rooms/swarm/dht_meters.h"
#include "rt/worker.h"
#include "talk/dns_ask.h"

enum {
    TICK_BUSY_MS = 250, TICK_IDLE_MS = 2000,
    SAVE_S = 600,
    ROUTERS_AGAIN_S = 600,                   // names are asked for again while nobody is known
    ROUTER_TIMEOUT_S = 10, ROUTER_ADDRESSES_MAX = 4,
    OWN_SEARCHES = 2,                        // places that dht_find leaves to the node's own upkeep
    NAME_BYTES_MAX = 16 * 1024, MEMORY_BYTES_MAX = 256 * 1024,
};

struct dht {
    dht_core      core;
    world        *world;
    scope        *scope;
    datagram_door *door[2];
    addr          at[2];
    slots         places;
    int           waiting;
    gate          wake;                      // the clock
    arena         memory;
    char         *path;                      // of the file; NULL: none
    str           routers[DHT_ROUTERS_MAX];
    int           router_count;
    addr          dns[DHT_NAME_SERVERS_MAX];
    int           dns_count;
    void        (*other)(void *arg, datagram_door *d, const datagram *in);
    void         *arg;
    int64_t       saved_ns, named_ns;
    bool          naming;
    dht_counted   counted;
    scope_end     end;
};

// ---- the core's hands -------------------------------------------------------------------------------------------------------

static void core_send(void *arg, int family, addr to, str bytes)
{
    dht *d = arg;
    if (d->door[dht_side_of(family)])
        (void)datagram_send(d->door[dht_side_of(family)], to, (addr){0}, bytes);
}

static void core_random(void *arg, void *out, size_t n) { world_random(((dht *)arg)->world, out, n); }

static size_t door_heard(void *arg, datagram_door *from, const datagram *in, unsigned char *out, size_t out_max)
{
    dht *d = arg;
    (void)out, (void)out_max;
    if (in->len && in->at[0] != 'd') {
        if (d->other)
            d->other(d->arg, from, in);
        return 0;
    }
    dht_core_heard(&d->core, in->peer, str_of(in->at, in->len), world_now_ns(d->world));
    return 0;
}

// ---- the file ---------------------------------------------------------------------------------------------------------------

typedef struct { dht *dht; buf text; str read; err error; } file_work;

static void file_load(void *arg)
{
    file_work *f = arg;
    f->error = file_read_all(f->dht->world, f->dht->path, &f->dht->memory, DHT_FILE_BYTES_MAX, &f->read);
}

static void file_save(void *arg)
{
    file_work *f = arg;
    f->error = file_replace(f->dht->world, f->dht->path, buf_str(&f->text), 0600);
}

static void table_load(dht *d)
{
    file_work f = {.dht = d};
    if (!d->path)
        return;
    work(file_load, &f);
    if (f.error == E_OK)
        (void)dht_file_read(&d->core, f.read);               // damaged: as if there were none
}

static void table_save(dht *d)
{
    file_work f = {.dht = d, .text = buf_make(DHT_FILE_BYTES_MAX)};
    d->saved_ns = world_now_ns(d->world);
    if (!d->path || !d->core.changed)
        return;
    d->core.changed = false;
    if (dht_file_write(&d->core, &f.text))
        work(file_save, &f);
    buf_free(&f.text);
}

// ---- bootstrap nodes ------------------------------------------------------------------------------------------------------

static bool router_split(str text, str *host, uint16_t *port)
{
    ptrdiff_t colon = str_rfind(text, ':');
    uint64_t n;
    *host = str_first(text, colon);
    if (colon < 1 || !str_to_u64(str_from(text, colon + 1), &n) || n < 1 || n > UINT16_MAX)
        return false;
    *port = (uint16_t)n;
    return true;
}

static void router_find(dht *d, str router)
{
    arena a = arena_make(NAME_BYTES_MAX);
    addr found[ROUTER_ADDRESSES_MAX];
    int count = 0;
    str host;
    uint16_t port = 0;
    if (router_split(router, &host, &port)) {
        if (addr_parse_ip(host, port, &found[0]))
            count = 1;
        else if (d->dns_count)
            (void)dns_ask_addresses(d->world, d->dns, d->dns_count, host, found, ROUTER_ADDRESSES_MAX, &count,
                                    seconds(ROUTER_TIMEOUT_S), &a);
    }
    for (int i = 0; i < count; i++)
        dht_core_seed(&d->core, NULL, addr_with_port(found[i], port));
    arena_free(&a);
}

static void routers_find(void *arg)
{
    dht *d = arg;
    for (int i = 0; i < d->router_count && !fiber_canceled(); i++)
        router_find(d, d->routers[i]);
    d->naming = false;
    gate_wake_all(&d->wake);
}

static bool knows_nobody(const dht *d) { return !d->core.side[0].table.live && !d->core.side[1].table.live; }

// ---- the clock --------------------------------------------------------------------------------------------------------------

static void routers_ask_if_due(dht *d, scope *naming, int64_t now)
{
    bool due = !d->named_ns || (knows_nobody(d) && now - d->named_ns >= seconds(ROUTERS_AGAIN_S));
    if (!due || d->naming || !d->router_count)
        return;
    d->named_ns = now ? now : 1;
    d->naming = scope_try_go(naming, "dht names", routers_find, d) == E_OK;
}

static void clock_body(void *arg)
{
    dht *d = arg;
    fiber_world(d->world);
    table_load(d);
    {
        SCOPE(naming, 0, 1);
        for (err e = E_OK; (e == E_OK || e == E_TIMEOUT) && !fiber_canceled(); ) {
            int64_t now = world_now_ns(d->world);
            routers_ask_if_due(d, &naming, now);
            dht_core_tick(&d->core, now);
            dht_meters_count(&d->core, &d->counted);
            if (now - d->saved_ns >= seconds(SAVE_S))
                table_save(d);
            e = gate_wait(&d->wake, now + millis(dht_core_busy(&d->core) ? TICK_BUSY_MS : TICK_IDLE_MS), "the time");
        }
    }
    table_save(d);
}

// ---- starting ---------------------------------------------------------------------------------------------------------------

static void dht_free(void *arg)
{
    dht *d = arg;
    dht_meters_gone(&d->counted);
    dht_core_free(&d->core);
    arena_free(&d->memory);
    memory_free(d);
}

static err door_start(dht *d, scope *s, int side, addr at)
{
    if (!at.family)
        return E_OK;
    err e = datagram_open(s, d->world, "dht", at, false, door_heard, d, &d->door[side]);
    if (!e)
        d->at[side] = datagram_address(d->door[side]);
    return e;
}

static void settings_copy(dht *d, const dht_settings *settings)
{
    d->router_count = settings->router_count < DHT_ROUTERS_MAX ? settings->router_count : DHT_ROUTERS_MAX;
    for (int i = 0; i < d->router_count; i++)
        d->routers[i] = str_copy(&d->memory, str_first(settings->routers[i], DHT_ROUTER_BYTES_MAX));
    d->dns_count = settings->dns_count < DHT_NAME_SERVERS_MAX ? settings->dns_count : DHT_NAME_SERVERS_MAX;
    for (int i = 0; i < d->dns_count; i++)
        d->dns[i] = settings->dns[i];
    if (settings->directory.len)
        d->path = str_to_z(&d->memory, str_join(&d->memory, settings->directory, S("/dht")));
}

// The doors' fibers hold `d`: what fails after the first of them ends with the scope, not here.
static void doors_leave(dht *d)
{
    d->core.side[0].on = d->core.side[1].on = false;
}

err dht_start(scope *s, const dht_settings *settings, dht **out)
{
    dht *d = memory_zeroed(1, sizeof *d);
    d->world = settings->world;
    d->scope = s;
    d->memory = arena_make(MEMORY_BYTES_MAX);
    d->other = settings->other;
    d->arg = settings->arg;
    d->places.free = DHT_SEARCHES_MAX - OWN_SEARCHES;
    dht_core_settings core = {.send = core_send, .random = core_random, .arg = d,
                              .on = {settings->at[0].family, settings->at[1].family}, .read_only = settings->read_only, .private_allowed = settings->private_allowed,
                              .bytes_per_s = settings->bytes_per_s_max};
    d->saved_ns = world_now_ns(d->world);
    dht_core_init(&d->core, &core, d->saved_ns);
    settings_copy(d, settings);
    dht_meters_show();
    scope_at_end(s, &d->end, dht_free, d);
    err e = door_start(d, s, 0, settings->at[0]);
    if (!e)
        e = door_start(d, s, 1, settings->at[1]);
    if (!e)
        e = scope_go(s, "dht", clock_body, d);
    if (e)
        doors_leave(d);
    else
        *out = d;
    return e;
}

// ---- what the room asks -----------------------------------------------------------------------------------------------------

typedef struct { gate over; bool done; dht_outcome outcome; dht_found *found; void *arg; } finding;

static void finding_peers(void *arg, const uint8_t hash[DHT_ID_BYTES], const addr *peers, int count)
{
    finding *f = arg;
    if (f->found)
        f->found(f->arg, hash, peers, count);
}

static void finding_done(void *arg, const dht_outcome *o)
{
    finding *f = arg;
    f->outcome = *o;
    f->done = true;
    gate_wake_all(&f->over);
}

static err find_in(dht *d, const dht_job_settings *wanted, finding *f)
{
    dht_job_settings s = *wanted;
    s.found = finding_peers;
    s.done = finding_done;
    s.arg = f;
    dht_job *job = dht_core_search(&d->core, &s, world_now_ns(d->world));
    if (!job)
        return E_AGAIN;
    gate_wake_all(&d->wake);
    for (err e; !f->done; )
        if ((e = gate_wait(&f->over, NEVER_NS, "peers from the DHT")) != E_OK && !f->done) {
            dht_core_cancel(&d->core, job);
            return e;
        }
    return f->outcome.nodes_answered ? E_OK : E_AGAIN;
}

static void outcome_add(dht_outcome *sum, const dht_outcome *o)
{
    sum->nodes_asked += o->nodes_asked;
    sum->nodes_answered += o->nodes_answered;
    sum->peers += o->peers;
    sum->announced += o->announced;
}

err dht_find(dht *d, const uint8_t hash[DHT_ID_BYTES], int family, uint16_t announce_port, bool implied_port, dht_found *found,
             void *arg, dht_outcome *out)
{
    dht_outcome sum = {0};
    err result = E_UNSUPPORTED;
    for (int side = 0; side < 2; side++) {
        if (!d->core.side[side].on || (family && dht_side_of(family) != side))
            continue;
        dht_job_settings s = {.target = hash, .family = side ? 6 : 4, .for_peers = true, .announce_port = announce_port,
                              .implied_port = implied_port};
        finding f = {.found = found, .arg = arg};
        d->waiting++;
        err e = slots_take(&d->places, NEVER_NS);
        d->waiting--;
        if (e)
            return e;
        e = find_in(d, &s, &f);
        slots_give(&d->places);
        outcome_add(&sum, &f.outcome);
        result = result == E_UNSUPPORTED || e == E_OK ? e : result;
        if (e == E_CANCELED || e == E_CRASHED || e == E_TIMEOUT)
            return e;
    }
    if (out)
        *out = sum;
    return result;
}

void dht_add_node(dht *d, addr node)
{
    dht_core_candidate(&d->core, node);
    gate_wake_all(&d->wake);
}

uint16_t dht_port(const dht *d, int family) { return d->at[dht_side_of(family)].port; }

void dht_look(const dht *d, dht_view *out)
{
    const dht_core *c = &d->core;
    *out = (dht_view){.torrents = (int)c->store.torrents.count, .peers = c->store.peer_count, .searches = c->job_count,
                      .searches_waiting = d->waiting, .bytes_in = c->bytes_in, .bytes_out = c->bytes_out,
                      .queries_in = c->queries_in, .queries_out = c->queries_out, .answers_out = c->answers_out,
                      .dropped = c->dropped, .ready = !knows_nobody(d)};
    for (int i = 0; i < 2; i++) {
        const dht_side *s = &c->side[i];
        out->side[i].is_on = s->on;
        out->side[i].at = d->at[i];
        out->side[i].nodes = s->table.live;
        out->side[i].spare = s->table.spare;
        out->side[i].external = s->external;
        memcpy(out->side[i].id, s->table.own, DHT_ID_BYTES);
    }
}
