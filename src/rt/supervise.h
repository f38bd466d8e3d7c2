// The mechanism of `naru up`: one process a service, started again when it dies (at once, then with longer and longer waits), told
// and heard over a channel, ended one after the other. The supervisor's process has one thread and no loop; it reads no byte from a
// stranger. What the services are is the caller's (cmd/up.c).
#pragma once
#include "base/text.h"
#include "rt/world.h"

typedef struct supervisor supervisor;

enum {
    SUPERVISED_MAX = 16,
    SUPERVISE_LINE_BYTES_MAX = 4096,     // of what a service says
    SUPERVISE_STOP_S = 10,               // a service that was asked to end is killed after this
    SUPERVISE_QUICK_DEATHS = 2,          // so many restarts wait for nothing; the next 100 ms, and twice as long each time
    SUPERVISE_WAIT_S_MAX = 30,
    SUPERVISE_CALM_S = 60,               // alive for so long: its deaths are forgotten
};

typedef enum { SERVICE_STOPPED, SERVICE_STARTING, SERVICE_READY, SERVICE_STOPPING, SERVICE_WAITING } service_state;

typedef struct {
    service_state state;
    int           pid, restarts;
    int           end;                   // how it ended last: an exit code, or minus a signal
    int64_t       since_ns, wait_ns;     // in this state since; until it is started again
} service_view;

typedef struct {
    void *arg;
    int  (*run)(void *arg, int service, int channel);          // in the new process; returns its exit code
    void (*heard)(void *arg, int service, str line);           // a line that it said over its channel ("ready" is taken here too)
    void (*changed)(void *arg, int service, const service_view *now);      // started, ready, ended
    void (*hang_up)(void *arg);                                // SIGHUP: read the configuration again
    void (*tick)(void *arg);                                   // about once a second
} supervise_hooks;

supervisor  *supervise_new(const supervise_hooks *hooks);      // blocks signals: before threads
void         supervise_free(supervisor *s);
int          supervise_add(supervisor *s, const char *name);   // its number, 0 ...; at most SUPERVISED_MAX (must)
void         supervise_start(supervisor *s, int service);
// Ends it gracefully (SIGTERM, then SIGKILL); `again`: it starts again at once, without waiting.
void         supervise_stop(supervisor *s, int service, bool again);
// Into its channel, for its end of it. False: it does not run or does not read; it is killed then.
bool         supervise_tell(supervisor *s, int service, str text);
service_view supervise_look(const supervisor *s, int service);
const char  *supervise_state_name(service_state state);
int64_t      supervise_now_ns(void);
void         supervise_end(supervisor *s);                     // supervise_run stops all, the last added first, and returns
// Until SIGINT or SIGTERM, or supervise_end.
void         supervise_run(supervisor *s);

// sd_notify(3): "READY=1", "STOPPING=1", "RELOADING=1\nMONOTONIC_USEC=...". Nothing happens without $NOTIFY_SOCKET.
void         supervise_notify(const char *text);
