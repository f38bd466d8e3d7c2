// The console on a simulated host, asked over HTTP as browsers and as strangers do. The accounts service, the origin and the small
// Internet's line are played (console_stage.c).
#pragma once
#include "rooms/console/console_inside.h"

#include "rt/listener.h"
#include "rt/log.h"
#include "rt/loop.h"
#include "rt/sim.h"
#include "rt/worker.h"
#include "talk/http_fetch.h"
#include "test.h"


enum { TEST_MEMORY_BYTES_MAX = 128 << 20, BIG_BYTES = 64 << 20 };

typedef struct stage {
    world *host, *director;
    node   n;
    room  *r;
    arena  memory;
    const char *settings;
    char   cookie[128], csrf[64];
    int    logins;
    const char *now;                         // what the accounts service says of everybody now; NULL: what it said when they signed in
    str    origin_target;                    // what the origin was asked last
    int64_t big_put;                         // bytes of large answers that the origin got rid of
    int    big_cut;                          // large answers whose reader went away
    int64_t line_bps;                        // of the small Internet's line, as its maker has it
    void (*body)(struct stage *);
} stage;

void on_stage_with(const char *settings, void (*body)(stage *));
void on_stage(void (*body)(stage *));
// extra: "Name: value\n..."; the session's cookie and token go along when they are there.
http_result ask(stage *t, const char *method, const char *target, const char *extra, const char *body);
const char *with_session(stage *t, const char *more);
http_result get(stage *t, const char *target);
http_result post(stage *t, const char *target, const char *body);
bool has(str text, const char *what);
str  header(const http_result *r, const char *name);
void session_take(stage *t, const http_result *r);
void sign_in_as(stage *t, const char *user);
void accounts_play(conn *c, void *arg);      // for rooms that a test makes itself
void line_play(conn *c, void *arg);          // to be offered as small.line
