// What the supervisor of `naru up` is made of: up.c (start, hooks, status), up_doors.c (what it binds), up_reload.c, up_upgrade.c.
#pragma once
#include "cmd/up_service.h"
#include "rt/supervise.h"

typedef enum { RELOAD_NONE, RELOAD_CHECK, RELOAD_RESTART, RELOAD_APPLY } reload_step;
typedef enum { UPGRADE_NONE, UPGRADE_TRIAL, UPGRADE_FORWARD, UPGRADE_BACK } upgrade_phase;

// Another program takes this one's place, then its services one after the other. Kept over the exec by up_upgrade.c.
typedef struct {
    upgrade_phase      phase;
    const char *const *argv;             // as this program was started
    str                program;          // its file; where a new one is looked for
    int                number;           // of the trial, in the supervisor
    int                before;           // the program before this one, open; -1: none
    bool               trial_good;
    bool               fresh[UP_POLICIES];       // runs on this program
    bool               halted[UP_POLICIES];      // ended, for its successor to start when its turn comes
    int                row;              // the service that is being replaced; -1: none
    int                done, failed;     // upgrades since `naru up`
    str                why;              // the last one did not work
    str                plan_before;      // what the program before this one ran on
    buf                processes;        // what it handed over about its processes
    int64_t            until_ns;         // the service that is being replaced must be ready
} upgrading;

typedef struct {
    up_plan     plan, next;              // next: while services take a new configuration
    str         file, wanted_directory;
    supervisor *supervisor;
    int         numbers[UP_POLICIES];    // of the supervisor; -1: not wanted
    int         service_of[SUPERVISED_MAX];      // -1: not a service (the upgrade's trial)
    int64_t     begun_ns, reload_until_ns;
    bool        asked_to_reload, ready_said, json;
    reload_step reload_step;
    bool        concerned[UP_POLICIES];  // has new settings, or files to read again
    bool        restarted[UP_POLICIES];  // takes them by a new start
    bool        waits_for[UP_POLICIES];  // has not said yet how it takes them
    bool        taken[UP_POLICIES];      // runs on them
    up_service  before[UP_POLICIES];     // what it ran on
    str         refusal;                 // of the reload that runs; in next's memory
    arena       memory, program_memory;
    upgrading   upgrade;
    int         code;
} uping;

enum { UP_MESSAGE_BYTES_MAX = 180 * 1024, UP_MEMORY_BYTES_MAX = 4 << 20, UP_FINISH_S = 10 };

static inline const char *up_name(const uping *u, int row) { return u->plan.services[row].policy->name; }
// "WORD LENGTH", a line end and the text, to a service. False: it does not run or does not read.
bool up_message(const uping *u, int row, const char *word, str text);
// The service ends, its conversations may finish; `again`: the process that takes its place starts then, or (what owns no data) at once.
void up_replace(uping *u, int row);
extern const farewell up_farewell;               // its conversations may finish

void up_supervisor_make(uping *u);                // for u->plan

// ---- up_doors.c: before the services ----
bool up_directories_make(uping *u, arena *a);
str  up_closed_parent(uping *u, arena *a);       // a directory above that services of other users cannot get through; empty: none
bool up_doors_bind(const up_plan *plan, int row, arena *a, str *why);
bool up_inside_bind(const up_plan *plan, int row, arena *a, str *why);

// ---- up_reload.c ----
void up_reload_begin(uping *u);
void up_reload_heard(uping *u, int row, str word, str rest);
void up_reload_tick(uping *u);

// ---- up_upgrade.c ----
str  up_upgrade_begin(uping *u);                 // why not; empty: it has begun
int  up_upgrade_run_trial(uping *u, int answer);        // in the trial's process
void up_upgrade_trial_heard(uping *u, str line);
void up_upgrade_trial_ended(uping *u, const service_view *end);
void up_upgrade_failed(uping *u, int row, str why);      // a service could not start
void up_upgrade_ready(uping *u, int row);
void up_upgrade_stopped(uping *u, int row);
void up_upgrade_status(const uping *u, buf *out);        // , "upgrade": {...}
// Were we started in another's place? Its state is read then; `trial`: we are only asked whether we could, over this descriptor.
bool up_upgrade_state(uping *u, int *trial);
bool up_upgrade_take_plan(uping *u, config_error *error);        // the file's; going back: the one that we ran on before
void up_upgrade_take_processes(uping *u);
void up_upgrade_tick(uping *u);
void up_upgrade_next(uping *u);                  // goes on with the next service
void up_upgrade_give_up(uping *u, str why);      // we cannot go on: the program before us is to
