// The part of the guard that filters system calls (libseccomp).
#pragma once
#include "rt/guard.h"

bool guard_calls_possible(void);     // does the kernel filter system calls?
bool guard_calls_log_only(void);     // a sanitizer's own calls are none that a service makes
// calls: guard_calls. Threads that exist already are not filtered: there must be none.
bool guard_calls_enter(unsigned calls, guard_report *report);
