// The mechanism of `naru up`: one process a service, started again when it dies (at once, then with longer and longer waits), killed
// when it hangs, told and heard over a channel, replaced while it finishes, ended one after the other. The supervisor's process has
// one thread and no loop; it reads no byte from a stranger. What the services are is the caller's (cmd/up.c).
#pragma once
#include "base/buf.h"
#include "rt/world.h"

typedef struct supervisor supervisor;

enum {
    SUPERVISED_MAX = 24, SUPERVISED_RETIRED_MAX = 48,
    SUPERVISE_LINE_BYTES_MAX = 4096,     // of what a service says
    SUPERVISE_STOP_S = 10,               // a service that was asked to end is killed after this
    SUPERVISE_QUICK_DEATHS = 2,          // so many restarts wait for nothing; the next 100 ms, and twice as long each time
    SUPERVISE_WAIT_S_MAX = 30,
    SUPERVISE_CALM_S = 60,               // alive for so long: its deaths are forgotten
    SUPERVISE_BEATS = 4,                 // a service says "alive" so often within the time after which it counts as hung
};

typedef enum { SERVICE_STOPPED, SERVICE_STARTING, SERVICE_READY, SERVICE_STOPPING, SERVICE_WAITING } service_state;

typedef struct {
    service_state state;
    int           pid, restarts;
    int           end;                   // how it ended last: an exit code, or minus a signal
    bool          hung;                  // ... because it was silent too long
    int64_t       since_ns, wait_ns;     // in this state since; until it is started again
} service_view;

// A service's end of what binds it to its supervisor.
typedef struct {
    int channel;                         // a stream of lines, both ways
    int files;                           // where files come that it may no longer open itself (supervise_file_receive)
} service_ends;

typedef struct {
    void *arg;
    int  (*run)(void *arg, int service, service_ends ends);    // in the new process; returns its exit code
    void (*heard)(void *arg, int service, str line);           // a line that it said over its channel ("ready" and "alive" are taken here too)
    void (*changed)(void *arg, int service, const service_view *now);      // started, ready, ended
    void (*hang_up)(void *arg);                                // SIGHUP: read the configuration again
    void (*upgrade)(void *arg);                                // SIGUSR2: a new program
    void (*tick)(void *arg);                                   // about once a second
} supervise_hooks;

supervisor  *supervise_new(const supervise_hooks *hooks);      // blocks signals: before threads
void         supervise_free(supervisor *s);
// A service whose last word ("ready") is older than this without an "alive" is killed and started again. 0: never.
void         supervise_watch(supervisor *s, int64_t silent_ns_max);
int          supervise_add(supervisor *s, const char *name);   // its number, 0 ...; at most SUPERVISED_MAX (must). name: the caller's
void         supervise_start(supervisor *s, int service);
void         supervise_start_once(supervisor *s, int service, int64_t ns_max);     // not again when it ends; killed after ns_max

// How a process is asked to end: a text into its channel, or SIGTERM where that is empty or does not get through; and how long it may
// take before it is killed.
typedef struct { str text; int64_t patience_ns; } farewell;
extern const farewell farewell_plain;                          // SIGTERM, SUPERVISE_STOP_S
// `again`: it starts again at once when it has ended, without waiting.
void         supervise_stop(supervisor *s, int service, bool again, farewell how);
// A new process takes its place now, while the old one finishes by itself: what it says is no longer heard.
void         supervise_replace(supervisor *s, int service, farewell how);
// Into its channel, for its end of it. False: it does not run or does not read; it is killed then.
bool         supervise_tell(supervisor *s, int service, str text);
// A file that it cannot open itself any more. E_NO_ENTRY, E_ACCESS ...: nor can we; E_LIMIT, E_TOO_LONG: it does not take it.
err          supervise_file_send(supervisor *s, int service, const char *path);
// At the service's end `files`: the path (NUL-terminated) and a new descriptor; false: nothing waits.
enum { SUPERVISE_PATH_BYTES_MAX = 256 };
bool         supervise_file_receive(int files, char path[SUPERVISE_PATH_BYTES_MAX], int *fd);

service_view supervise_look(const supervisor *s, int service);
int          supervise_retired(const supervisor *s);           // old processes that are still finishing
const char  *supervise_state_name(service_state state);
int64_t      supervise_now_ns(void);
void         supervise_end(supervisor *s);                     // supervise_run stops all, the last added first, and returns
bool         supervise_ending(const supervisor *s);
// Until SIGINT or SIGTERM, or supervise_end.
void         supervise_run(supervisor *s);
void         supervise_turn(supervisor *s);                    // one round of it: waits for what happens next, a second at most

// For another program in this process (program.h): processes and channels as lines of text, descriptors to stay open over exec; and in
// that program, after supervise_add with the same names: takes one such line. False: it is none, or of no service known here.
void         supervise_write(const supervisor *s, buf *out);
void         supervise_pass(const supervisor *s);
bool         supervise_read(supervisor *s, str line);

// sd_notify(3): "READY=1", "STOPPING=1", "RELOADING=1\nMONOTONIC_USEC=...". Nothing happens without $NOTIFY_SOCKET.
void         supervise_notify(const char *text);
