// A piece of this program in a process of its own, so that it can give rights up, be interrupted, or fail, and somebody is left who
// tidies up. For commands with one thread and no loop running.
#pragma once
#include <stdbool.h>

// Runs body(arg) in a child, which ends with what it returns as its exit code; waits for it. *end: the exit code, or minus a signal.
// From here on SIGINT, SIGTERM and SIGHUP no longer end this process (the child they do): what is left to do is short. False: no child
// can be made.
bool process_run(int (*body)(void *arg), void *arg, int *end);
