// The process of one service of `naru up`: guarded first, then its loop, its room, and its channel to the supervisor.
#pragma once
#include "cmd/up_plan.h"

// The body of the process; returns its exit code. Says "ready", "failed WHY", "reloaded" or "refused WHY" over the channel; hears
// "settings LENGTH" and "answer LENGTH", each followed by so many bytes. Ends with the channel, or by SIGTERM.
int up_service_run(const up_plan *plan, int number, int channel_fd);

// For the control process: asks the supervisor one thing ("status", "reload"). The answer is in `a`; empty: it is gone.
typedef struct up_process up_process;
str up_ask(up_process *p, const char *question, arena *a);
world *up_process_world(const up_process *p);
const up_plan *up_process_plan(const up_process *p);
// Serves DIR/control.sock in the scope. up_control.c
err up_control_serve(up_process *p, scope *s, str *why);
