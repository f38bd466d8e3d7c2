// The process behind DIR/control.sock: it speaks for the supervisor, and carries questions on to the services.
#include <jansson.h>
#include <stdlib.h>

#include "cmd/up_metrics.h"
#include "cmd/up_service.h"
#include "rt/listener.h"
#include "rt/meter.h"
#include "talk/control.h"
#include "talk/http_fetch.h"

enum { CONNS_MAX = 64, CONNECT_S = 5, SERVICE_ANSWER_S = 60, EVENTS_MAX = 65536 };

static const str JSON = S("application/json");

static http_result fetch(up_process *p, int number, int loop, str method, str target, str body, arena *msg)
{
    conn *c = conn_open_unix(up_process_world(p), up_control_path(up_process_plan(p), number, loop, msg), seconds(CONNECT_S));
    conn_deadline(c, seconds(SERVICE_ANSWER_S));
    http_result r = http_fetch(c, method, S("naru"), target, NULL, 0, body, CONTROL_ANSWER_BYTES_MAX, msg);
    conn_close(c);
    return r;
}

static int service_named(const up_plan *plan, str name)
{
    for (int i = 0; i < UP_POLICIES; i++)
        if (plan->services[i].wanted && plan->services[i].policy->kind && str_eq(name, str_z(plan->services[i].policy->name)))
            return i;
    return -1;
}

// /mta/queue is the service's own; /mta/status is what every process answers, asked of this one.
static str target_for(str target, str name)
{
    static const char *const of_process[] = {"/status", "/metrics", "/ps", "/story"};
    str rest = str_from(target, name.len + 1), path = rest;
    path = str_cut(&path, '?');
    for (size_t i = 0; i < sizeof of_process / sizeof *of_process; i++)
        if (str_eq(path, str_z(of_process[i])))
            return rest;
    return target;
}

// What changes something is told to every loop of the service; the first answers.
static http_result ask_loops(up_process *p, int number, const http_request *q, str target, arena *msg)
{
    bool all = !str_eq(q->method, S("GET"));
    for (int i = up_process_plan(p)->services[number].loops - 1; i > 0 && all; i--)
        (void)fetch(p, number, i, q->method, target, q->body, msg);
    return fetch(p, number, 0, q->method, target, q->body, msg);
}

static void carry_on(up_process *p, const http_request *q, http_reply *reply, arena *msg)
{
    str name = str_from(q->path, 1);
    name = str_cut(&name, '/');
    int number = service_named(up_process_plan(p), name);
    if (number < 0) {
        control_error(reply, 404, S("nothing is here; see /status, /reload, /upgrade, /story, /ps, /metrics, /SERVICE/metrics and /SERVICE/..."), msg);
        return;
    }
    http_result r = ask_loops(p, number, q, target_for(q->target, name), msg);
    if (r.error) {
        control_error(reply, 503, str_format(msg, STR_FMT " does not answer: %s", STR_ARG(name), err_text(r.error)), msg);
        return;
    }
    str type = http_result_header(&r, S("Content-Type"));
    http_answer(reply, r.status, type.len ? type : JSON, r.body);
}

// ---- what all services know together ----------------------------------------------------------------------------------------------

static json_t *asked(up_process *p, int number, int loop, str target, arena *msg)
{
    http_result r = fetch(p, number, loop, S("GET"), target, (str){0}, msg);
    return r.error || r.status != 200 ? NULL : json_loadb((const char *)r.body.at, (size_t)r.body.len, 0, NULL);
}

// Every service's list (of the member, or the answer itself) in one. What belongs to a loop (each_loop) is asked of each.
static json_t *gather(up_process *p, str target, const char *member, bool each_loop, arena *msg)
{
    json_t *all = json_array();
    const up_plan *plan = up_process_plan(p);
    for (int i = 0; i < UP_POLICIES; i++)
        for (int l = 0; l < (each_loop ? plan->services[i].loops : 1) && plan->services[i].wanted && plan->services[i].policy->kind; l++) {
            json_t *one = asked(p, i, l, target, msg);
            json_array_extend(all, member ? json_object_get(one, member) : one);
            json_decref(one);
        }
    return all;
}

static void answer_json(http_reply *reply, const json_t *value, arena *msg)
{
    size_t size = json_dumpb(value, NULL, 0, JSON_COMPACT);
    char *text = size ? arena_array(msg, char, size + 1) : NULL;
    if (!text) {
        control_error(reply, 500, S("the answer is larger than the control socket gives"), msg);
        return;
    }
    json_dumpb(value, text, size, JSON_COMPACT);
    http_answer(reply, 200, JSON, str_of(text, size));
}

static int by_time(const void *left, const void *right)
{
    json_int_t a = json_integer_value(json_object_get(*(json_t *const *)left, "mono_ns"));
    json_int_t b = json_integer_value(json_object_get(*(json_t *const *)right, "mono_ns"));
    return (a > b) - (a < b);
}

static json_t *in_order(json_t *events, arena *msg)
{
    size_t count = json_array_size(events);
    json_t **rows = arena_array(msg, json_t *, count + 1), *sorted = json_array();
    if (!rows || count > EVENTS_MAX)
        return sorted;
    for (size_t i = 0; i < count; i++)
        rows[i] = json_array_get(events, i);
    qsort(rows, count, sizeof *rows, by_time);
    for (size_t i = 0; i < count; i++) {
        json_object_set_new(rows[i], "number", json_integer((json_int_t)i + 1));
        json_array_append(sorted, rows[i]);
    }
    return sorted;
}

// The trace of the newest letter; where there is none, of what else happened last.
static str last_trace(up_process *p, arena *msg)
{
    static const char *const services[] = {"mta", "mailstore", "resolver", "authoritative", "upper"};
    str trace = {0};
    for (size_t i = 0; i < sizeof services / sizeof *services && !trace.len; i++) {
        int number = service_named(up_process_plan(p), str_z(services[i]));
        if (number < 0)
            continue;
        json_t *events = asked(p, number, 0, S("/story?last"), msg);
        trace = str_copy(msg, str_z(json_string_value(json_object_get(json_array_get(events, 0), "trace"))));
        json_decref(events);
    }
    return trace;
}

static void story(up_process *p, const http_request *q, http_reply *reply, arena *msg)
{
    str target = q->target;
    if (str_eq(q->query, S("last")) || str_starts(q->query, S("last="))) {
        str trace = last_trace(p, msg);
        if (!trace.len) {
            http_answer(reply, 200, JSON, S("[]\n"));
            return;
        }
        target = str_join(msg, S("/story?trace="), trace);
    }
    json_t *events = gather(p, target, NULL, false, msg), *sorted = in_order(events, msg);
    answer_json(reply, sorted, msg);
    json_decref(sorted);
    json_decref(events);
}

static void ps(up_process *p, http_reply *reply, arena *msg)
{
    json_t *fibers = gather(p, S("/ps"), "fibers", true, msg), *whole = json_object();
    json_object_set_new(whole, "count", json_integer((json_int_t)json_array_size(fibers)));
    json_object_set_new(whole, "fibers", fibers);
    answer_json(reply, whole, msg);
    json_decref(whole);
}

// What the supervisor knows of each: ready or not, how often it was started again.
static void put_states(up_process *p, buf *out, arena *msg)
{
    str answer = up_ask(p, "status", msg);
    json_t *status = json_loadb((const char *)answer.at, (size_t)answer.len, 0, NULL), *one;
    size_t i;
    buf_put(out, S("# HELP naru_service_ready Whether the service's process runs and is ready\n# TYPE naru_service_ready gauge\n"));
    json_array_foreach(json_object_get(status, "processes"), i, one)
        buf_format(out, "naru_service_ready{service=\"%s\"} %d\n", json_string_value(json_object_get(one, "service")),
                   str_eq(str_z(json_string_value(json_object_get(one, "state"))), S("ready")));
    buf_put(out, S("# HELP naru_service_restarts_total Times the service died and was started again\n# TYPE naru_service_restarts_total counter\n"));
    json_array_foreach(json_object_get(status, "processes"), i, one)
        buf_format(out, "naru_service_restarts_total{service=\"%s\"} %lld\n", json_string_value(json_object_get(one, "service")),
                   (long long)json_integer_value(json_object_get(one, "restarts")));
    json_decref(status);
}

// Every process's /metrics in one.
static void metrics(up_process *p, http_reply *reply, arena *msg)
{
    const up_plan *plan = up_process_plan(p);
    metrics_page page = metrics_page_make();
    buf own = buf_make(METRICS_BYTES_MAX), out = buf_make(METRICS_BYTES_MAX);
    for (int i = 0; i < UP_POLICIES; i++)
        if (plan->services[i].wanted && plan->services[i].policy->kind) {
            http_result r = fetch(p, i, 0, S("GET"), S("/metrics"), (str){0}, msg);
            if (!r.error && r.status == 200)
                metrics_add(&page, plan->services[i].policy->name, r.body);
        }
    meters_print(&own);
    metrics_add(&page, "control", buf_str(&own));
    metrics_write(&page, &out);
    put_states(p, &out, msg);
    http_answer(reply, 200, S("text/plain; version=0.0.4; charset=utf-8"), str_copy(msg, buf_str(&out)));
    buf_free(&out);
    buf_free(&own);
    metrics_page_free(&page);
}

// What the supervisor answers is "+", or "-" and why not.
static void order(up_process *p, const char *what, const char *done, const http_request *q, http_reply *reply, arena *msg)
{
    if (!str_eq(q->method, S("POST"))) {
        http_answer_header(reply, S("Allow"), S("POST"));
        control_error(reply, 405, S("here the method is POST"), msg);
        return;
    }
    str answer = up_ask(p, what, msg);
    if (!answer.len)
        control_error(reply, 504, S("the supervisor has not answered in time; the log says what became of it"), msg);
    else if (str_eq(answer, S("+")))
        http_answer(reply, 200, JSON, str_z(done));
    else
        control_error(reply, 409, str_from(answer, 1), msg);
}

static void handle(void *arg, const http_request *q, http_reply *reply, arena *msg)
{
    up_process *p = arg;
    if (str_eq(q->path, S("/status"))) {
        str answer = up_ask(p, "status", msg);
        if (answer.len)
            http_answer(reply, 200, JSON, answer);
        else
            control_error(reply, 504, S("the supervisor does not answer"), msg);
    } else if (str_eq(q->path, S("/reload"))) {
        order(p, "reload", "{\"reloaded\": true}\n", q, reply, msg);
    } else if (str_eq(q->path, S("/upgrade"))) {
        order(p, "upgrade", "{\"begun\": true}\n", q, reply, msg);
    } else if (str_eq(q->path, S("/story"))) {
        story(p, q, reply, msg);
    } else if (str_eq(q->path, S("/ps"))) {
        ps(p, reply, msg);
    } else if (str_eq(q->path, S("/metrics"))) {
        metrics(p, reply, msg);
    } else {
        carry_on(p, q, reply, msg);
    }
}

static void serve(conn *c, void *arg)
{
    fiber_set_trace(0);
    http_serve(c, (http_limits){0}, handle, arg);
}

// The inside door control.status, for the console's page: what runs, and no more.
static void handle_status(void *arg, const http_request *q, http_reply *reply, arena *msg)
{
    if (str_eq(q->method, S("GET")) && str_eq(q->path, S("/status")))
        handle(arg, q, reply, msg);
    else
        control_error(reply, 404, S("here is GET /status"), msg);
}

static void serve_status(conn *c, void *arg)
{
    fiber_set_trace(0);
    http_serve(c, (http_limits){0}, handle_status, arg);
}

err up_control_serve(up_process *p, scope *s, str *why)
{
    door *d;
    arena a = arena_make(4096);
    err e = door_open_unix(s, up_process_world(p), up_path(up_process_plan(p), &a, "control.sock"), 0600,
                           (door_options){.service = "control", .conns_max = CONNS_MAX}, serve, p, &d);
    if (!e)
        e = door_open_unix(s, up_process_world(p), up_path(up_process_plan(p), &a, "run/control.status.sock"), 0600,
                           (door_options){.service = "control", .conns_max = CONNS_MAX}, serve_status, p, &d);
    arena_free(&a);
    if (e)
        *why = S("cannot open control.sock");
    return e;
}
