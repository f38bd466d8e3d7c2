#include "rt/sim.h"

#include <string.h>

#include "base/crc32c.h"
#include "base/heap_memory.h"
#include "base/must.h"
#include "rt/shared.h"
#include "rt/sim_inside.h"
#include "rt/sim_segment.h"
#include "rt/sim_tree.h"

enum {
    EVENTS_MAX = 4 * 1000 * 1000,
    MEMORY_MAX = 64 * 1024 * 1024,
    ROUNDS_AT_ONCE_MAX = 20 * 1000 * 1000,      // a loop that turns that often without time passing is our mistake
    HOST_FIBERS_MAX = 100 * 1000,
};

#define START_NS (1000 * NS_PER_S)                       // virtual time starts here: zero means "never"
#define START_WALL_NS (1767225600ll * NS_PER_S)          // 2026-01-01 00:00:00 UTC
#define SAME_HOST_DELAY_NS 10000

typedef enum { DICE_NETWORK, DICE_DIRECTOR, DICE_HOST, DICE_DISK } dice_purpose;

// ---- chance ------------------------------------------------------------------------------------------------

static uint64_t splitmix(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

dice dice_make(uint64_t seed, uint64_t purpose, uint64_t number)
{
    uint64_t state = seed;
    state = splitmix(&state) ^ purpose;
    state = splitmix(&state) ^ number;
    dice d;
    for (int i = 0; i < 4; i++)
        d.state[i] = splitmix(&state);
    return d;
}

static uint64_t rotate_left(uint64_t x, int bits) { return x << bits | x >> (64 - bits); }

uint64_t dice_roll(dice *d)
{
    uint64_t *s = d->state;
    uint64_t result = rotate_left(s[1] * 5, 7) * 9, t = s[1] << 17;
    s[2] ^= s[0], s[3] ^= s[1], s[1] ^= s[2], s[0] ^= s[3];
    s[2] ^= t, s[3] = rotate_left(s[3], 45);
    return result;
}

uint64_t dice_below(dice *d, uint64_t bound)
{
    must(bound > 0);
    uint64_t short_of = -bound % bound;                  // the 2^64 mod bound smallest would make some results likelier
    uint64_t roll;
    do
        roll = dice_roll(d);
    while (roll < short_of);
    return roll % bound;
}

bool dice_chance(dice *d, int64_t per_million)
{
    // No draw for what cannot happen would shift the rest of the stream: always draw.
    return (int64_t)dice_below(d, 1000000) < per_million;
}

int64_t dice_between(dice *d, int64_t least, int64_t most)
{
    must(least <= most);
    return least + (int64_t)dice_below(d, (uint64_t)(most - least) + 1);
}

// ---- events and time ---------------------------------------------------------------------------------------

void sim_at(sim *s, sim_event *e, int64_t when_ns)
{
    must(when_ns >= s->now_ns);
    if (heap_holds(&e->node))
        heap_move(&s->events, &e->node, when_ns);
    else
        must(heap_add(&s->events, &e->node, when_ns));
}

void sim_drop(sim *s, sim_event *e) { heap_remove(&s->events, &e->node); }

void sim_mix(sim *s, uint64_t what)
{
    uint64_t state = s->fingerprint ^ what * 0xff51afd7ed558ccdu;
    s->fingerprint = splitmix(&state);
}

void sim_mix_bytes(sim *s, str bytes)
{
    enum { END_BYTES = 64 };
    uint32_t check = crc32c((uint32_t)bytes.len, str_first(bytes, END_BYTES));
    sim_mix(s, bytes.len > END_BYTES ? crc32c(check, str_from(bytes, bytes.len - END_BYTES)) : check);
}

uint64_t sim_number(sim *s) { return ++s->numbers; }

static int64_t driver_now(void *self) { return ((sim *)self)->now_ns; }
static void driver_wake(void *self) { (void)self; }

// What comes next is fetched into the cache while this is done: with a thousand hosts nothing of it is there.
static void event_near(const heap_node *node)
{
    enum { NEAR_BYTES = 320, LINE_BYTES = 64 };
    for (int i = 0; node && i < NEAR_BYTES; i += LINE_BYTES)
        __builtin_prefetch((const char *)node + i);
}

static void events_due(sim *s)
{
    while (heap_first_key(&s->events) <= s->now_ns) {
        sim_event *e = LIST_OF(heap_take(&s->events), sim_event, node);
        event_near(heap_first(&s->events));
        s->figures.events++;
        sim_mix(s, (uint64_t)s->now_ns);
        e->run(e);
    }
}

// Time passes here and nowhere else: only when no fiber can run, and then straight to what comes next.
static bool driver_wait(void *self, int64_t until_ns, bool poll_only)
{
    sim *s = self;
    if (poll_only) {
        must(++s->rounds_at_once < ROUNDS_AT_ONCE_MAX);
        events_due(s);
        return true;
    }
    int64_t next = heap_first_key(&s->events);
    if (until_ns != NEVER_NS && until_ns < next)
        next = until_ns;
    if (next == INT64_MAX)
        return false;
    if (next > s->now_ns) {
        s->now_ns = next;
        s->rounds_at_once = 0;
    }
    must(++s->rounds_at_once < ROUNDS_AT_ONCE_MAX);
    events_due(s);
    return true;
}

static int blocks_kept;
int sim_blocks_kept(void) { return blocks_kept; }

// ---- the simulation ----------------------------------------------------------------------------------------

sim *sim_new(uint64_t seed)
{
    sim *s = memory_zeroed(1, sizeof *s);
    s->seed = seed;
    s->fingerprint = seed;
    s->now_ns = START_NS;
    s->events = heap_make(EVENTS_MAX);
    s->network = dice_make(seed, DICE_NETWORK, 0);
    s->director_dice = dice_make(seed, DICE_DIRECTOR, 0);
    s->link = (sim_link){.delay_min_ns = millis(1), .delay_max_ns = millis(1)};
    s->memory = arena_make(MEMORY_MAX);
    list_init(&s->streams);
    list_init(&s->flights);
    addr places[2] = {addr_v4(0xc63364fe, 0)};                             // 198.51.100.254
    must(addr_parse_ip(S("2001:db8:fe::fe"), 0, &places[1]));
    s->director = host_of(sim_host(s, S("director"), places, 2, (sim_disk){0}));
    return s;
}

void sim_free(sim *s)
{
    for (int i = 0; i < s->host_count; i++) {
        must(!s->hosts[i]->living);
        must(list_empty(&s->hosts[i]->sockets));         // somebody did not close what he opened
    }
    sim_streams_free(s);
    sim_datagrams_free(s);
    for (int i = 0; i < s->host_count; i++) {
        sim_line_stop(s->hosts[i]);
        memory_free(s->paths[i]);
        tree_free(s->hosts[i]->tree);
        memory_free(s->hosts[i]);
    }
    heap_free(&s->events);
    sim_segments_forget();
    blocks_kept = shared_held();
    shared_forget();
    arena_free(&s->memory);
    memory_free(s);
}

err sim_run(sim *s, fiber_body *first, void *arg)
{
    loop_driver driver = {.self = s, .now_ns = driver_now, .wait = driver_wait, .wake = driver_wake};
    return loop_run(&driver, &s->director->world, first, arg);
}

uint64_t sim_random(sim *s) { return dice_roll(&s->director_dice); }
uint64_t sim_random_below(sim *s, uint64_t bound) { return dice_below(&s->director_dice, bound); }
bool     sim_chance(sim *s, int per_million) { return dice_chance(&s->director_dice, per_million); }
int64_t  sim_now_ns(sim *s) { return s->now_ns; }
uint64_t sim_fingerprint(const sim *s) { return s->fingerprint; }
sim_figures sim_figures_now(const sim *s) { return s->figures; }

void sim_break(sim *s, str what)
{
    must(s->broken_count < (int)(sizeof s->broken / sizeof s->broken[0]));
    s->broken[s->broken_count++] = str_copy(&s->memory, what);
}

bool world_broken(world *w, const char *what)
{
    sim *s = sim_of(w);
    for (int i = 0; s && i < s->broken_count; i++)
        if (str_eq(s->broken[i], str_z(what)))
            return true;
    return false;
}

// ---- links -------------------------------------------------------------------------------------------------

// A thousand hosts have a million paths; what is like all others is not looked up in that table.
static sim_path *path_of(sim *s, const sim_machine *from, const sim_machine *to)
{
    if (!s->paths[from->number])
        s->paths[from->number] = memory_zeroed(SIM_HOSTS_MAX, sizeof *s->paths[0]);
    return &s->paths[from->number][to->number];
}

const sim_link *sim_link_of(sim *s, const sim_machine *from, const sim_machine *to)
{
    static const sim_link same_host = {.delay_min_ns = SAME_HOST_DELAY_NS, .delay_max_ns = SAME_HOST_DELAY_NS};
    if (from == to)
        return &same_host;
    const sim_path *row = s->paths[from->number];
    return row && row[to->number].own_link ? &row[to->number].link : &s->link;
}

bool sim_apart(sim *s, const sim_machine *from, const sim_machine *to)
{
    const sim_path *row = s->paths[from->number];
    return row && row[to->number].apart;
}

int64_t sim_arrival(sim *s, const sim_machine *from, const sim_machine *to, size_t bytes)
{
    const sim_link *link = sim_link_of(s, from, to);
    int64_t leaves = s->now_ns;
    if (link->bytes_per_s > 0) {
        sim_path *p = path_of(s, from, to);
        if (p->free_at_ns > leaves)
            leaves = p->free_at_ns;
        leaves += (int64_t)bytes * NS_PER_S / link->bytes_per_s;
        p->free_at_ns = leaves;
    }
    return leaves + dice_between(&s->network, link->delay_min_ns, link->delay_max_ns);
}

void sim_link_default(sim *s, sim_link link)
{
    must(0 <= link.delay_min_ns && link.delay_min_ns <= link.delay_max_ns);
    s->link = link;
}

void sim_link_between(sim *s, world *a, world *b, sim_link link)
{
    must(0 <= link.delay_min_ns && link.delay_min_ns <= link.delay_max_ns);
    sim_path *there = path_of(s, host_of(a), host_of(b)), *back = path_of(s, host_of(b), host_of(a));
    there->link = back->link = link;
    there->own_link = back->own_link = true;
}

void sim_partition(sim *s, world *a, world *b, bool apart)
{
    path_of(s, host_of(a), host_of(b))->apart = apart;
    path_of(s, host_of(b), host_of(a))->apart = apart;
}

sim_machine *sim_host_at(sim *s, sim_machine *from, addr to)
{
    for (int i = 0; i < s->host_count; i++)
        for (int k = 0; k < s->hosts[i]->world.address_count; k++)
            if (addr_eq_ip(s->hosts[i]->world.addresses[k], to))
                return s->hosts[i];
    return addr_is_loopback(to) || addr_is_any(to) ? from : NULL;
}

// ---- a host as a world -------------------------------------------------------------------------------------

static int64_t host_now(world *w) { return host_of(w)->sim->now_ns; }

static int64_t host_wall(world *w)
{
    sim_machine *h = host_of(w);
    return START_WALL_NS + (h->sim->now_ns - START_NS) + h->wall_offset_ns;
}

static void host_random(world *w, void *out, size_t n)
{
    sim_machine *h = host_of(w);
    for (size_t done = 0; done < n;) {
        uint64_t roll = dice_roll(&h->chance);
        size_t part = n - done < sizeof roll ? n - done : sizeof roll;
        memcpy((unsigned char *)out + done, &roll, part);
        done += part;
    }
}

static addr socket_local(sock *s) { return sock_inside(s)->local; }

static void socket_close(sock *base)
{
    sim_sock *s = sock_inside(base);
    list_remove(&s->of_host);
    switch (s->kind) {
    case SOCK_LISTENER: sim_listener_close(s); break;
    case SOCK_STREAM:   sim_stream_close(s); break;
    case SOCK_DATAGRAM: sim_datagram_close(s); break;
    }
}

static const world_operations sim_operations = {
    .simulated = true,
    .now_ns = host_now, .wall_ns = host_wall, .random = host_random,
    .listen = sim_listen, .listen_unix = sim_listen_unix, .accept = sim_accept,
    .connect = sim_connect, .connect_unix = sim_connect_unix, .connected = sim_connected,
    .read = sim_read, .lend = sim_lend, .write = sim_write, .shutdown = sim_shutdown, .close = socket_close,
    .local = socket_local, .peer_closed = sim_peer_closed, .unsent_max = sim_unsent_max,
    .queue_short = sim_queue_short,
    .datagram = sim_datagram, .datagram_connect = sim_datagram_connect, .datagram_group = sim_datagram_group,
    .receive = sim_receive, .send = sim_send,
    .open = sim_file_open, .file_read = sim_file_read, .file_lend = sim_file_lend, .file_write = sim_file_write, .file_size = sim_file_size,
    .file_truncate = sim_file_truncate, .file_sync = sim_file_sync, .file_lock = sim_file_lock,
    .file_close = sim_file_close, .stat = sim_path_stat, .rename = sim_path_rename, .remove = sim_path_remove,
    .dir_make = sim_dir_make, .dir_list = sim_dir_list, .dir_sync = sim_dir_sync,
    .file_sync_whole = sim_file_sync_whole, .file_look = sim_file_look, .file_reserve = sim_file_reserve,
    .folder_open = sim_folder_open, .folder_close = sim_folder_close, .folder_file = sim_folder_file,
    .folder_stat = sim_folder_stat, .folder_make = sim_folder_make, .folder_remove = sim_folder_remove,
    .folder_rename = sim_folder_rename, .folder_sync = sim_folder_sync, .folder_space = sim_folder_space,
};

world *sim_host(sim *s, str name, const addr *addresses, int count, sim_disk disk)
{
    must(s->host_count < SIM_HOSTS_MAX && count <= WORLD_ADDRESSES_MAX);
    sim_machine *h = memory_zeroed(1, sizeof *h);
    h->world.operations = &sim_operations;
    h->world.name = str_copy(&s->memory, name);
    for (int i = 0; i < count; i++) {
        must(!sim_host_at(s, NULL, addresses[i]));
        h->world.addresses[i] = addr_with_port(addresses[i], 0);
    }
    h->world.address_count = count;
    h->sim = s;
    h->number = s->host_count;
    h->up = true;
    h->chance = dice_make(s->seed, DICE_HOST, (uint64_t)h->number);
    h->disk_dice = dice_make(s->seed, DICE_DISK, (uint64_t)h->number);
    h->disk = disk;
    h->crash_in = h->fault_in = -1;
    h->tree = tree_new();
    list_init(&h->sockets);
    sim_line_init(h);
    s->hosts[s->host_count++] = h;
    return &h->world;
}

sim *sim_of(world *w) { return w->operations == &sim_operations ? host_of(w)->sim : NULL; }
void sim_disk_set(world *w, sim_disk disk) { host_of(w)->disk = disk; }
void sim_clock_step(world *w, int64_t ns) { host_of(w)->wall_offset_ns += ns; }
bool sim_is_up(world *w) { return host_of(w)->up; }

// ---- life and death of a host ------------------------------------------------------------------------------

static void host_first(void *arg)
{
    sim_machine *h = arg;
    fiber_world(&h->world);
    h->boot(h->boot_arg);
}

// Runs in the harness's world: it outlives the crash that it waits for.
static void host_live(void *arg)
{
    sim_machine *h = arg;
    scope_open(&h->life, 0, HOST_FIBERS_MAX);
    if (!h->ending && scope_go(&h->life, "host", host_first, h) == E_OK)
        scope_wait(&h->life);
    scope_close(&h->life);
    h->living = false;
    gate_wake_all(&h->ended);
}

err sim_boot(world *w, scope *s, fiber_body *boot, void *arg)
{
    sim_machine *h = host_of(w);
    must(h->up && !h->living);
    h->boot = boot, h->boot_arg = arg;
    h->living = true;
    h->ending = false;
    h->life = (scope){0};
    sim_mix(h->sim, (uint64_t)h->number);
    err e = scope_go(s, "host's life", host_live, h);
    if (e)
        h->living = false;
    return e;
}

static void life_cancel(sim_machine *h)
{
    h->ending = true;                        // for a life that was asked for but has not begun
    if (h->living && h->life.open)
        scope_cancel(&h->life);
}

static void life_wait(sim_machine *h)
{
    must(!h->living || world_here() != &h->world);
    while (h->living)
        gate_wait_uncanceled(&h->ended, "host drains");
}

void sim_shut_down(world *w)
{
    life_cancel(host_of(w));
    life_wait(host_of(w));
}

void sim_host_die(sim_machine *h)
{
    if (!h->up)
        return;
    tree_crash(h->tree, &h->disk_dice);      // first: nothing that a draining fiber does may reach the disk
    h->up = false;
    h->crash_in = h->fault_in = -1;
    h->sim->figures.crashes++;
    sim_mix(h->sim, 0xdead0000u + (uint64_t)h->number);
    sim_streams_crash(h);
    sim_line_stop(h);
    life_cancel(h);
    fibers_cancel_on(&h->world);             // also those that a harness sent there to play a client
}

void sim_crash(world *w)
{
    sim_host_die(host_of(w));
    life_wait(host_of(w));
}

void sim_restart(world *w)
{
    sim_machine *h = host_of(w);
    must(!h->up && !h->living);
    h->up = true;
    h->incarnation++;
}

void sim_crash_after(world *w, int64_t file_operations) { host_of(w)->crash_in = file_operations; }

void sim_fault_after(world *w, int64_t file_operations, err error)
{
    sim_machine *h = host_of(w);
    h->fault_in = file_operations;
    h->fault = error;
    h->fault_met = false;
}

bool sim_fault_met(world *w) { return host_of(w)->fault_met; }

// ---- sockets: names and places -----------------------------------------------------------------------------

void sim_sock_init(sim_sock *s, sim_machine *h, sim_sock_kind kind, addr local, bool share_port)
{
    s->base.world = &h->world;
    s->kind = kind;
    s->host = h;
    s->incarnation = h->incarnation;
    s->number = sim_number(h->sim);
    s->local = local;
    s->share_port = share_port;
    list_append(&h->sockets, &s->of_host);
}

void sim_sock_ready(sim_sock *s, bool reading, bool writing)
{
    if (reading) {
        s->base.readable = true;
        if (s->base.reader)
            fiber_wake(s->base.reader);
    }
    if (writing) {
        s->base.writable = true;
        if (s->base.writer)
            fiber_wake(s->base.writer);
    }
}

bool sim_may_bind(sim_machine *h, addr at)
{
    return addr_is_any(at) || addr_is_loopback(at) || sim_host_at(h->sim, NULL, at) == h;
}

static bool places_meet(addr a, addr b)
{
    return a.port == b.port && a.family == b.family && (addr_is_any(a) || addr_is_any(b) || addr_eq_ip(a, b));
}

bool sim_taken(sim_machine *h, sim_sock_kind kind, addr at, bool share_port)
{
    for (list_link *l = list_first(&h->sockets); l; l = list_next(&h->sockets, l)) {
        sim_sock *s = LIST_OF(l, sim_sock, of_host);
        if (s->kind == kind && sock_alive(s) && places_meet(s->local, at) && !(share_port && s->share_port))
            return true;
    }
    return false;
}

sim_sock *sim_hearer(sim_machine *h, sim_sock_kind kind, addr to)
{
    sim_sock *any = NULL;
    for (list_link *l = list_first(&h->sockets); l; l = list_next(&h->sockets, l)) {
        sim_sock *s = LIST_OF(l, sim_sock, of_host);
        if (s->kind != kind || !sock_alive(s) || s->local.port != to.port || s->local.family != to.family)
            continue;
        if (addr_eq_ip(s->local, to))
            return s;
        if (addr_is_any(s->local) && !any)
            any = s;
    }
    return any;
}

enum { PORT_FIRST = 1024, PORT_COUNT = 65536 - PORT_FIRST, PORT_TRIES_MAX = 64 };

err sim_source(sim_machine *h, addr to, sim_sock_kind kind, addr *out)
{
    int own = 0;
    while (own < h->world.address_count && h->world.addresses[own].family != to.family)
        own++;
    if (own < h->world.address_count && !addr_is_loopback(to))
        *out = h->world.addresses[own];
    else if (addr_is_loopback(to) || addr_is_any(to))
        *out = to;
    else
        return E_UNREACHABLE;
    for (int i = 0; i < PORT_TRIES_MAX; i++) {
        out->port = (uint16_t)(PORT_FIRST + dice_below(&h->sim->network, PORT_COUNT));
        if (!sim_taken(h, kind, *out, false))
            return E_OK;
    }
    return E_LIMIT;
}
