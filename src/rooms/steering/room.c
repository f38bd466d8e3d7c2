// The steering service's life: settings, checks of the nodes that they name, doors.
#include <string.h>

#include "base/heap_memory.h"
#include "base/must.h"
#include "rooms/steering/steering_inside.h"
#include "rt/log.h"
#include "rt/loop.h"
#include "rt/room_doors.h"

enum { CONNS_MAX = 5000, CONNS_PER_ADDRESS_MAX = 50, PUBLISH_EVERY_S = 2 };

static int64_t number(const statement *block, const char *key) { return config_int(block, topology_settings, key); }

// ---- settings -----------------------------------------------------------------------------------------------------------------------

static void look_take(steering *s, const statement *block)
{
    s->look_count = 0;
    for (const statement *l = config_first(block, "look"); l; l = config_next(l, "look"))
        for (int i = 1; i < l->word_count && s->look_count < STEERING_LOOK_MAX; i++) {
            ranking_network *to = &s->look[s->look_count];
            s->look_count += prefix_parse(l->words[i], &to->prefix, &to->bits);
        }
}

static void rules_take(steering *s, const statement *block)
{
    s->health_rules = (health_rules){(int)number(block, "fall"), (int)number(block, "rise"), number(block, "slow") / NS_PER_MS};
    s->report_rules = (report_rules){number(block, "report-every"), number(block, "report-life"), (int)number(block, "voters"),
                                     number(block, "report-slow")};
    s->ttl_ns = number(block, "ttl");
    s->answers = (int)number(block, "answers");
    s->check_every_ns = number(block, "check-every");
    s->check_deadline_ns = number(block, "check-deadline");
    look_take(s, block);
}

// What was known of a node with this name and address goes on.
static void health_carry(steering *s, const topology *fresh)
{
    health kept[RANKING_NODES_MAX] = {0};
    for (int i = 0; i < fresh->node_count; i++) {
        int old = s->top ? topology_node_find(s->top, fresh->ranks[i].name) : -1;
        if (old >= 0 && addr_eq(s->top->nodes[old].at, fresh->nodes[i].at))
            kept[i] = s->health[old];
    }
    memcpy(s->health, kept, sizeof kept);
}

static topology *topology_new(const statement *block, arena *a, str *why)
{
    topology *fresh = arena_new(a, topology);
    must(fresh);
    return topology_read(block, fresh, a, why) ? fresh : NULL;
}

err steering_settings_take(steering *s, const statement *block, str *why)
{
    arena *a = &s->memory[!s->memory_now];
    topology *fresh = topology_new(block, a, why);
    if (!fresh) {
        *why = str_copy(s->room->memory, *why);
        arena_reset(a);
        return E_PROTOCOL;
    }
    health_carry(s, fresh);
    s->top = fresh;
    arena_reset(&s->memory[s->memory_now]);
    s->memory_now = !s->memory_now;
    memset(s->reports, 0, sizeof *s->reports);       // they speak of nodes by number
    s->reports->key = s->key;
    for (int i = 0; i < TOPOLOGY_NAMES_MAX; i++)
        s->names[i].version = 0;
    rules_take(s, block);
    steering_publish(s);
    gate_wake_all(&s->changed);
    return E_OK;
}

// ---- checks -------------------------------------------------------------------------------------------------------------------------

// Complaints grow old without anything happening.
static void publish_again(void *arg)
{
    steering *s = arg;
    fiber_world(s->room->world);
    while (fiber_sleep(seconds(PUBLISH_EVERY_S)) == E_OK)
        steering_publish(s);
}

// The fibers of one topology, until the next one.
static void watch(void *arg)
{
    steering *s = arg;
    scope checks;
    scope_open(&checks, 0, RANKING_NODES_MAX + 1);
    s->checks = &checks;
    scope_go(&checks, "steering ranking", publish_again, s);
    for (int i = 0; i < s->top->node_count; i++) {
        steering_checking *one = memory_new(sizeof *one);
        *one = (steering_checking){s, i};
        if (scope_go(&checks, "steering check", steering_check, one) != E_OK)
            memory_free(one);
    }
    scope_wait(&checks);
    scope_close(&checks);
    s->checks = NULL;
    gate_wake_all(&s->changed);
}

// ---- doors --------------------------------------------------------------------------------------------------------------------------

static err doors_open(steering *s, str *why)
{
    addr at[STEERING_DOORS_MAX];
    room *r = s->room;
    int count = room_addresses(r, false, (uint16_t)number(r->settings, "port"), at, STEERING_DOORS_MAX);
    for (int i = 0; i < count; i++) {
        door_options options = {.service = "steering", .at = at[i], .conns_max = CONNS_MAX, .conns_per_address_max = CONNS_PER_ADDRESS_MAX};
        err e = door_open(r->scope, r->world, options, steering_web, s, &s->doors[s->door_count]);
        s->door_count += e == E_OK;
        if (e && !room_has_no_ipv6(at[i], e)) {
            *why = str_format(r->memory, "steering cannot listen on " STR_FMT ": %s. End the program that has the port (ss -lntp shows which), "
                              "or set another (port N)", STR_ARG(addr_text(r->memory, at[i])), err_text(e));
            return e;
        }
    }
    return room_offer(r, "steering.names", steering_names, s);
}

// ---- the room -----------------------------------------------------------------------------------------------------------------------

static err start(room *r, str *why)
{
    steering *s = memory_zeroed(1, sizeof *s);
    r->state = s;
    s->room = r;
    s->key = world_random_u64(r->world);
    s->version = (uint64_t)world_wall_ns(r->world);          // a name server that remembers one of an earlier life must not take it for ours
    s->reports = memory_zeroed(1, sizeof *s->reports);
    for (int i = 0; i < 2; i++)
        s->memory[i] = arena_make(STEERING_TOPOLOGY_BYTES_MAX);
    steering_web_meters_show();
    err e = steering_settings_take(s, r->settings, why);
    if (e)
        return e;
    steering_routes_open(s);
    e = scope_go(r->scope, "steering", watch, s);
    e = e ? e : doors_open(s, why);
    if (!e)
        log_line("steering", LOG_NOTICE, "ready", F_INT("nodes", s->top->node_count), F_INT("cdns", s->top->cdn_count));
    return e;
}

static err check(room *r, const statement *block, str *why)
{
    arena a = arena_make(STEERING_TOPOLOGY_BYTES_MAX);
    err e = topology_new(block, &a, why) ? E_OK : E_PROTOCOL;
    *why = str_copy(r->memory, *why);
    arena_free(&a);
    return e;
}

static err reload(room *r, const statement *block, str *why)
{
    steering *s = r->state;
    err e = check(r, block, why);
    if (e)
        return e;
    if (s->checks)
        scope_cancel(s->checks);
    while (s->checks && gate_wait(&s->changed, NEVER_NS, "the old checks") == E_OK)
        ;
    r->settings = block;
    e = steering_settings_take(s, block, why);
    return e ? e : scope_go(r->scope, "steering", watch, s);
}

static void stop(room *r)
{
    steering *s = r->state;
    for (int i = 0; i < s->door_count; i++)
        door_stop(s->doors[i]);
}

static void gone(room *r)
{
    steering *s = r->state;
    if (!s)
        return;
    for (int i = 0; i < TOPOLOGY_NAMES_MAX; i++)
        buf_free(&s->names[i].text);
    for (int i = 0; i < 2; i++)
        arena_free(&s->memory[i]);
    memory_free(s->reports);
    memory_free(s);
    r->state = NULL;
}

const room_kind steering_kind = {.name = "steering", .settings = topology_settings, .start = start, .check = check, .reload = reload,
                                 .stop = stop, .gone = gone};
