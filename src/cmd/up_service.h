// The process of one service of `naru up`: guarded first, then its loop, its room, and its channel to the supervisor.
#pragma once
#include "cmd/up_plan.h"
#include "rt/supervise.h"

// The body of the process; returns its exit code. Says "ready", "failed WHY", "fine", "reloaded" or "refused WHY" over the channel, and
// "alive" now and then; hears "check LENGTH" and "settings LENGTH" (of a reload, in this order), "answer LENGTH" and "finish LENGTH", each
// followed by so many bytes. Ends with the channel, by SIGTERM, or by "finish": then conversations have longer to come to their end.
int up_service_run(const up_plan *plan, int number, service_ends ends);

// For the control process: asks the supervisor one thing ("status", "reload", "upgrade"). The answer is in `a`; empty: it is gone.
typedef struct up_process up_process;
str up_ask(up_process *p, const char *question, arena *a);
world *up_process_world(const up_process *p);
const up_plan *up_process_plan(const up_process *p);
// Serves DIR/control.sock in the scope. up_control.c
err up_control_serve(up_process *p, scope *s, str *why);
