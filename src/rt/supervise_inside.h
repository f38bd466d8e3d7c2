// What supervise.c and supervise_state.c share.
#pragma once
#include <signal.h>

#include "rt/supervise.h"

typedef struct {
    const char   *name;
    service_view  view;
    int           channel, files;        // -1: none
    int           deaths;                // without calm between them
    int64_t       kill_ns, start_ns;     // absolute; 0: not planned
    int64_t       heard_ns;              // its last "ready" or "alive"
    bool          wanted, again;
    char          line[SUPERVISE_LINE_BYTES_MAX];
    size_t        line_bytes;
} service;

// A process whose place another has taken; pid 0: this row is free.
typedef struct { int pid, channel, files; int64_t kill_ns; } retired;

struct supervisor {
    supervise_hooks hooks;
    service         services[SUPERVISED_MAX];
    retired         retired[SUPERVISED_RETIRED_MAX];
    int             count, signal_fd;
    sigset_t        before;
    bool            ending;
    int64_t         silent_ns_max, turn_ns;
    int64_t         watchdog_ns, watchdog_next_ns, tick_next_ns;
};
