#include "talk/control.h"

#include <string.h>

#include "base/heap_memory.h"
#include "base/must.h"
#include "rt/json_text.h"
#include "rt/log.h"
#include "rt/loop.h"
#include "rt/meter.h"
#include "rt/story.h"
#include "rt/wait.h"
#include "rt/worker.h"

// Routes that a room added. They are served while the room is one of its node's.
// What a room has written down of journeys.
typedef struct recorder {
    room            *room;
    control_story   *tell;
    void            *arg;
    struct recorder *next;
} recorder;

typedef struct control_group {
    room                 *room;
    const control_route  *routes;
    int                   count;
    struct control_group *next;
} control_group;

struct control {
    node          *node;
    control_group *groups;
    recorder      *recorders;
    int            route_count;
    int64_t        opened_ns;
    control_reload *reload;
    void          *reload_arg;
    slots          large;                // for answers of megabytes: held until their reader has them
};

// What one client asked of a node, for the log.
typedef struct { struct control *control; int requests, changes; } conversation;

enum { LARGE_WAIT_S = 2 };

static const str JSON = S("application/json"), TEXT = S("text/plain; version=0.0.4; charset=utf-8");

static struct control *control_of(node *n)
{
    if (!n->control) {
        n->control = arena_new(&n->memory, struct control);
        must(n->control);
        n->control->node = n;
        n->control->large.free = CONTROL_LARGE_AT_ONCE_MAX;
    }
    return n->control;
}

void control_add(room *r, const control_route *routes, int count)
{
    struct control *k = control_of(r->node);
    must(count > 0 && k->route_count + count <= CONTROL_ROUTES_MAX);
    control_group *g = arena_new(&r->node->memory, control_group);
    must(g);
    *g = (control_group){r, routes, count, k->groups};
    k->groups = g;
    k->route_count += count;
}

void control_add_story(room *r, control_story *tell, void *arg)
{
    struct control *k = control_of(r->node);
    recorder *one = arena_new(&r->node->memory, recorder);
    must(one);
    *one = (recorder){r, tell, arg, k->recorders};
    k->recorders = one;
}

void control_on_reload(node *n, control_reload *reload, void *arg)
{
    struct control *k = control_of(n);
    k->reload = reload;
    k->reload_arg = arg;
}

void control_error(http_reply *reply, int status, str text, arena *msg)
{
    buf out = buf_make(16 * 1024);
    buf_put(&out, S("{\"error\": "));
    json_put(&out, text);
    buf_put(&out, S("}\n"));
    http_answer(reply, status, JSON, str_copy(msg, buf_str(&out)));
    buf_free(&out);
}

void control_answer(http_reply *reply, buf *json, arena *msg)
{
    if (json->full)
        control_error(reply, 500, S("the answer is too long"), msg);
    else
        http_answer(reply, 200, S("application/json"), str_copy(msg, buf_str(json)));
    buf_free(json);
}

static void answer(http_reply *reply, str type, buf *out, arena *msg)
{
    if (out->full)
        control_error(reply, 500, S("the answer is larger than the control socket gives"), msg);
    else
        http_answer(reply, 200, type, buf_str(out));
    buf_free(out);
}

// ---- what every node answers --------------------------------------------------------------------------------------------

static void status(const struct control *k, http_reply *reply, arena *msg)
{
    buf out = buf_make(CONTROL_ANSWER_BYTES_MAX);
    fiber_limits limits = fiber_limits_now();
    buf_put(&out, S("{\"node\": "));
    json_put(&out, k->node->name);
    buf_put(&out, S(", \"version\": "));
    json_put(&out, S(NARU_VERSION));
    buf_put(&out, S(", \"directory\": "));
    json_put(&out, k->node->directory);
    buf_format(&out, ", \"uptime_ms\": %lld, \"services\": [",
               (long long)((world_now_ns(k->node->world) - k->opened_ns) / NS_PER_MS));
    for (const room *r = k->node->rooms; r; r = r->next) {
        json_put(&out, str_z(r->kind->name));
        buf_put(&out, r->next ? S(", ") : S(""));
    }
    buf_format(&out, "], \"fibers\": %d, \"fibers_max\": %d, \"stack_bytes\": %zu}\n", limits.fibers,
               limits.fibers_max, limits.stack_bytes);
    answer(reply, JSON, &out, msg);
}

// Not what the clock says minus the age: it must not move when the clock is set.
static meter start_time = {
    .name = "naru_start_time_seconds", .help = "When this process began, seconds since 1970", .type = METER_GAUGE,
};

static void metrics(http_reply *reply, arena *msg)
{
    buf out = buf_make(CONTROL_ANSWER_BYTES_MAX);
    meters_print(&out);
    answer(reply, TEXT, &out, msg);
}

// The newest letter; where no letter was sent, what else happened last.
static uint64_t last_trace(void)
{
    static const char *const protocols[] = {"smtp", "lmtp", "pop3", "dns", "http", "upper"};
    uint64_t trace = 0;
    for (size_t i = 0; i < sizeof protocols / sizeof protocols[0] && !trace; i++)
        trace = story_last_trace(protocols[i]);
    return trace;
}

// ---- the story ----------------------------------------------------------------------------------------------------------

static bool room_serves(const node *n, const room *wanted);

// A recorder runs on a fiber of its room, so that the room does not end under it.
typedef struct {
    const recorder *of;
    uint64_t        trace;
    story_event    *out;
    int             count;
    gate            waiting;
    bool            done;
} recollection;

static void recollect(void *arg)
{
    recollection *x = arg;
    x->count = x->of->tell(x->of->arg, x->trace, x->out, CONTROL_RECORDED_MAX);
    x->done = true;
    gate_wake_all(&x->waiting);
}

// What the node's rooms have written down of this journey; of the first that knows it.
static int recorded_read(const struct control *k, uint64_t trace, arena *msg, story_event **out)
{
    int count = 0;
    *out = k->recorders && trace ? arena_array(msg, story_event, CONTROL_RECORDED_MAX) : NULL;
    for (const recorder *r = k->recorders; *out && r && !count; r = r->next) {
        recollection x = {.of = r, .trace = trace, .out = *out};
        if (!room_serves(k->node, r->room) || scope_try_go(r->room->scope, "control", recollect, &x) != E_OK)
            continue;
        while (!x.done)
            gate_wait_uncanceled(&x.waiting, "recorded story");
        count = x.count;
    }
    int64_t now_ns = world_now_ns(k->node->world), wall_ns = world_wall_ns(k->node->world);
    for (int i = 0; i < count; i++) {
        (*out)[i].trace = trace;
        (*out)[i].mono_ns = now_ns - (wall_ns - (*out)[i].wall_ns);      // to stand in order with what this life tells
    }
    return count;
}

// A full ring is megabytes of JSON: written off the loop.
typedef struct { uint64_t trace; const story_event *recorded; int recorded_count; buf out; } story_wish;

// Recorded times are whole seconds: what happened since the second of the ring's oldest event, the ring tells better.
static void story_write(void *arg)
{
    story_wish *wish = arg;
    story_event *events = memory_new((STORY_RING_EVENTS + CONTROL_RECORDED_MAX) * sizeof *events);
    story_event *ring = events + wish->recorded_count;
    int count = story_read(wish->trace, ring, STORY_RING_EVENTS), older = 0;
    while (older < wish->recorded_count && (!count || wish->recorded[older].wall_ns / NS_PER_S < ring[0].wall_ns / NS_PER_S))
        older++;
    if (older)
        memcpy(ring - older, wish->recorded, (size_t)older * sizeof *events);
    story_json(ring - older, count + older, &wish->out);
    memory_free(events);
}

static void story(const struct control *k, const http_request *q, http_reply *reply, arena *msg)
{
    uint64_t trace = 0;
    str wanted = http_query_get(q, S("trace"), msg);
    bool last = str_eq(q->query, S("last")) || str_starts(q->query, S("last="));
    if (wanted.len && !story_trace_parse(wanted, &trace)) {
        control_error(reply, 400, S("a trace id is up to 16 hexadecimal digits"), msg);
        return;
    }
    if (last && (trace = last_trace()) == 0) {
        http_answer(reply, 200, JSON, S("[]\n"));
        return;
    }
    story_event *recorded;
    int recorded_count = recorded_read(k, trace, msg, &recorded);
    story_wish wish = {trace, recorded, recorded_count, buf_make(CONTROL_ANSWER_BYTES_MAX)};
    work(story_write, &wish);
    answer(reply, JSON, &wish.out, msg);
}

static void fiber_put(buf *out, const fiber_view *f, int64_t now_ns)
{
    char trace[17];
    story_trace_text(trace, f->trace);
    bool running = !f->why || !*f->why;
    buf_put(out, S("  {\"host\": "));
    json_put(out, f->world_name);
    buf_put(out, S(", \"label\": "));
    json_put(out, str_z(f->label));
    buf_put(out, S(", \"waits_for\": "));
    json_put(out, str_z(f->why));
    buf_format(out, ", \"for_ms\": %lld, \"stack_bytes\": %zu, \"trace\": \"%s\"}",
               running ? 0ll : (long long)((now_ns - f->since_ns) / NS_PER_MS), f->stack_used_max_bytes, trace);
}

static void ps(http_reply *reply, arena *msg)
{
    fiber_view *views = memory_zeroed(CONTROL_FIBERS_MAX, sizeof *views);
    int all = fiber_census(views, CONTROL_FIBERS_MAX);
    int shown = all < CONTROL_FIBERS_MAX ? all : CONTROL_FIBERS_MAX;
    int64_t now_ns = loop_now_ns();
    buf out = buf_make(CONTROL_ANSWER_BYTES_MAX);
    buf_format(&out, "{\"count\": %d, \"fibers\": [\n", all);
    for (int i = 0; i < shown; i++) {
        fiber_put(&out, &views[i], now_ns);
        buf_put(&out, i + 1 < shown ? S(",\n") : S("\n"));
    }
    buf_put(&out, S("]}\n"));
    memory_free(views);
    answer(reply, JSON, &out, msg);
}

static void reload(const struct control *k, http_reply *reply, arena *msg)
{
    str why = {0};
    if (!k->reload)
        control_error(reply, 404, S("this node was not started from a configuration file"), msg);
    else if (k->reload(k->reload_arg, msg, &why))
        http_answer(reply, 200, JSON, S("{\"reloaded\": true}\n"));
    else
        control_error(reply, 409, why, msg);
}

// ---- routing ------------------------------------------------------------------------------------------------------------

static bool room_serves(const node *n, const room *wanted)
{
    for (const room *r = n->rooms; r; r = r->next)
        if (r == wanted)
            return true;
    return false;
}

static bool route_matches(const control_route *route, str path)
{
    str own = str_z(route->path);
    return str_eq(path, own) || (str_ends(own, S("/")) && str_starts(path, own));
}

static const control_route *route_find(const struct control *k, str path, room **of)
{
    str room_name = str_from(path, 1);
    ptrdiff_t slash = str_find(room_name, '/');
    if (slash <= 0)
        return NULL;
    str rest = str_from(room_name, slash);
    room_name = str_first(room_name, slash);
    for (const control_group *g = k->groups; g; g = g->next) {
        if (!room_serves(k->node, g->room) || !str_eq(room_name, str_z(g->room->kind->name)))
            continue;
        *of = g->room;
        for (int i = 0; i < g->count; i++)
            if (route_matches(&g->routes[i], rest))
                return &g->routes[i];
    }
    return NULL;
}

// A handler runs on a fiber of its room, so that the room does not end under it.
typedef struct {
    const control_route *route;
    const http_request  *q;
    http_reply          *reply;
    arena               *msg;
    gate                 waiting;
    bool                 done;
} call;

static void call_run(void *arg)
{
    call *x = arg;
    x->route->handler(x->route->arg, x->q, x->reply, x->msg);
    x->done = true;
    gate_wake_all(&x->waiting);
}

static void room_answers(room *r, const control_route *route, const http_request *q, http_reply *reply, arena *msg)
{
    call x = {.route = route, .q = q, .reply = reply, .msg = msg};
    if (scope_try_go(r->scope, "control", call_run, &x) != E_OK) {
        control_error(reply, 503, S("the service is stopping, or too busy"), msg);
        return;
    }
    while (!x.done)
        gate_wait_uncanceled(&x.waiting, "control handler");
}

// True when the path is one of ours (then it was answered).
static bool own_route(struct control *k, const http_request *q, http_reply *reply, arena *msg)
{
    static const char *const paths[] = {"/status", "/metrics", "/story", "/ps", "/reload"};
    enum { STATUS, METRICS, STORY, PS, RELOAD, COUNT };
    int which = 0;
    while (which < COUNT && !str_eq(q->path, str_z(paths[which])))
        which++;
    if (which == COUNT)
        return false;
    str method = which == RELOAD ? S("POST") : S("GET");
    bool head = which != RELOAD && str_eq(q->method, S("HEAD"));
    if (!head && !str_eq(q->method, method)) {
        http_answer_header(reply, S("Allow"), method);
        control_error(reply, 405, str_join(msg, S("here the method is "), method), msg);
        return true;
    }
    bool large = which == STORY || which == PS;
    if (large && slots_take(&k->large, loop_now_ns() + seconds(LARGE_WAIT_S)) != E_OK) {
        control_error(reply, 503, S("others are being told long stories just now; try again"), msg);
        return true;
    }
    switch (which) {
    case STATUS:  status(k, reply, msg); break;
    case METRICS: metrics(reply, msg); break;
    case STORY:   story(k, q, reply, msg); break;
    case PS:      ps(reply, msg); break;
    case RELOAD:  reload(k, reply, msg); break;
    }
    if (large)
        slots_give(&k->large);
    return true;
}

static void handle(void *arg, const http_request *q, http_reply *reply, arena *msg)
{
    conversation *one = arg;
    struct control *k = one->control;
    one->requests++;
    one->changes += !str_eq(q->method, S("GET")) && !str_eq(q->method, S("HEAD"));
    if (own_route(k, q, reply, msg))
        return;
    room *r = NULL;
    const control_route *route = route_find(k, q->path, &r);
    if (route)
        room_answers(r, route, q, reply, msg);
    else
        control_error(reply, 404,
                      S("nothing is here; see /status, /metrics, /story, /ps, /reload and /SERVICE/..."), msg);
}

// ---- the socket ---------------------------------------------------------------------------------------------------------

static void serve(conn *c, void *arg)
{
    conversation one = {.control = arg};
    world *w = one.control->node->world;
    int64_t begun_ns = world_now_ns(w);
    fiber_set_trace(0);
    http_serve(c, (http_limits){0}, handle, &one);
    // Whoever only looks looks often.
    log_line("control", one.changes ? LOG_INFO : LOG_DEBUG, "conversation", F_INT("requests", one.requests), F_INT("changes", one.changes),
             F_INT("bytes_out", c->bytes_out), F_STR("verdict", one.changes ? S("changed") : one.requests ? S("looked") : S("nothing")),
             F_STR("end", str_z(c->error ? err_name(c->error) : "quit")), F_NS("duration_ms", world_now_ns(w) - begun_ns));
}

typedef struct { world *world; const char *path; err result; } directory_wish;

static void directory_make(void *arg)
{
    directory_wish *wish = arg;
    wish->result = dir_make(wish->world, wish->path, 0700);
}

err control_open_at(node *n, const char *path)
{
    struct control *k = control_of(n);
    k->opened_ns = world_now_ns(n->world);
    meter_set(&start_time, world_wall_ns(n->world) / NS_PER_S);
    door *d;
    return door_open_unix(&n->scope, n->world, path, 0600,
                          (door_options){.service = "control", .conns_max = CONTROL_CONNS_MAX}, serve, k, &d);
}

err control_open(node *n)
{
    directory_wish wish = {n->world, str_to_z(&n->memory, n->directory), E_OK};
    work(directory_make, &wish);
    if (wish.result)
        return wish.result;
    return control_open_at(n, str_to_z(&n->memory, str_format(&n->memory, STR_FMT "/control.sock", STR_ARG(n->directory))));
}
