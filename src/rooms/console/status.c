// What runs here. Under `naru up` each service is a process of its own and locked: the console may not look into them, so it asks the
// control service at its inside door. In one process (`naru try`) the node's own list is there.
#include "rooms/console/console_inside.h"

#include "talk/http_fetch.h"

enum { STATUS_BYTES_MAX = 1 << 20, STATUS_S = 5 };

static json_t *supervisor_ask(const visit *v)
{
    const char *why;
    conn *at = room_dial(v->c->r, "control.status");
    conn_deadline(at, seconds(STATUS_S));
    http_result r = http_fetch(at, S("GET"), S("naru"), S("/status"), NULL, 0, (str){0}, STATUS_BYTES_MAX, v->msg);
    conn_close(at);
    return r.error || r.status != 200 ? NULL : console_json_read(r.body, &why);
}

// Of a process: what a page shows; neither pid nor directory.
static json_t *services_of(const json_t *status)
{
    json_t *all = json_array(), *one;
    size_t i;
    json_array_foreach(json_object_get(status, "processes"), i, one) {
        json_t *shown = json_object();
        static const char *const keys[] = {"service", "state", "since_ms", "restarts"};
        for (size_t k = 0; k < sizeof keys / sizeof *keys; k++)
            if (json_object_get(one, keys[k]))
                json_object_set(shown, keys[k], json_object_get(one, keys[k]));
        json_array_append_new(all, shown);
    }
    return all;
}

static json_t *rooms_of(const node *n)
{
    json_t *all = json_array();
    for (const room *r = n->rooms; r; r = r->next)
        json_array_append_new(all, json_pack("{s:s, s:s}", "service", r->kind->name, "state", "ready"));
    return all;
}

void status_answer(visit *v)
{
    const console *c = v->c;
    json_t *status = supervisor_ask(v), *o = json_object();
    json_object_set_new(o, "node", json_stringn((const char *)c->r->node->name.at, (size_t)c->r->node->name.len));
    json_object_set_new(o, "version", json_string(NARU_VERSION));
    json_object_set_new(o, "source", json_string(status ? "supervisor" : "process"));
    json_object_set_new(o, "services", status ? services_of(status) : rooms_of(c->r->node));
    if (json_object_get(status, "uptime_ms"))
        json_object_set(o, "uptime_ms", json_object_get(status, "uptime_ms"));
    json_object_set_new(o, "sessions", json_integer(sessions_count(c->sessions)));
    json_object_set_new(o, "viewings", json_integer(viewings_count(c->viewings)));
    json_object_set_new(o, "films", c->films ? json_integer((json_int_t)json_array_size(c->films)) : json_null());
    json_decref(status);
    console_json_answer(v->reply, 200, o);
}
