// The console on the control socket: GET /console/accounting[?limit=N][&who=A], GET /console/state.
#include "rooms/console/console_inside.h"

#include <string.h>

#include "rt/meter.h"
#include "talk/control.h"

static meter sign_ins = {.name = "naru_console_sign_ins_total", .help = "Sign-ins, by what came of them; joined: registered", .type = METER_COUNTER,
                         .label = "verdict", .values = {"ok", "wrong", "too-many", "trouble", "joined"}};
static meter relayed = {.name = "naru_console_relayed_bytes_total", .help = "Bytes of films that passed through the console", .type = METER_COUNTER};
static meter viewings_begun = {.name = "naru_console_viewings_total", .help = "Viewings begun", .type = METER_COUNTER};

void console_meters_show(void)
{
    meter_show(&sign_ins);
    meter_show(&relayed);
    meter_show(&viewings_begun);
}

void console_count_sign_in(console_sign_in what) { meter_add_at(&sign_ins, (int)what, 1); }
void console_count_relayed(int64_t bytes) { meter_add(&relayed, bytes); }
void console_count_viewing(void) { meter_add(&viewings_begun, 1); }

static void control_accounting(void *arg, const http_request *q, http_reply *reply, arena *msg)
{
    console *c = arg;
    uint64_t limit = CONSOLE_ACCOUNTING_MAX;
    str wanted = http_query_get(q, S("limit"), msg), who = http_query_get(q, S("who"), msg);
    if (wanted.len && (!str_to_u64(wanted, &limit) || limit > VIEWINGS_MAX)) {
        control_error(reply, 400, str_format(msg, "limit: a number up to %d", VIEWINGS_MAX), msg);
        return;
    }
    console_json_answer(reply, 200, json_pack("{s:i, s:o, s:o}", "all", viewings_count(c->viewings), "sums", viewings_sums(c->viewings), "viewings",
                                              viewings_list(c->viewings, who, (int)limit)));
}

static void control_status(void *arg, const http_request *q, http_reply *reply, arena *msg)
{
    console *c = arg;
    (void)q, (void)msg;
    console_json_answer(reply, 200, json_pack("{s:i, s:i, s:b, s:b}", "sessions", sessions_count(c->sessions), "viewings",
                                              viewings_count(c->viewings), "tls", (int)(c->tls != NULL), "registration", (int)c->registration));
}

void console_control(console *c)
{
    const control_route routes[] = {{"/accounting", control_accounting, c}, {"/state", control_status, c}};
    enum { ROUTES = sizeof routes / sizeof *routes };
    control_route *kept = arena_array(c->r->memory, control_route, ROUTES);
    if (kept) {
        memcpy(kept, routes, sizeof routes);
        control_add(c->r, kept, ROUTES);
    }
}
