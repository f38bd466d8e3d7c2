// What `naru up` runs: naru.conf turned into a plan, a row a service; and the table of what each service may touch.
#pragma once
#include "rt/guard.h"
#include "rt/room.h"

enum {
    UP_DOORS_MAX = 6, UP_INSIDE_MAX = 4, UP_PORTS_MAX = 24, UP_ADDRESSES_MAX = WORLD_ADDRESSES_MAX, UP_SERVICES_MAX = 16,
    UP_USER_FIRST = 60810,               // started as root: service number n runs as user UP_USER_FIRST + n where `users` names nobody
    UP_ASIDE_PORT = 1053,                // of the resolver that only mail needs, where our own zones have port 53; moved by ports { resolver N }
    UP_GROUP_ALL = 60800,                // the group whose members may knock on inside doors
    UP_DESCRIPTORS_MAX = 65536,
    UP_LOOPS_MAX = 16,
};

#define UP_USUAL_FILE "/etc/naru/naru.conf"

typedef enum { UP_TCP = 1, UP_UDP = 2 } up_protocol;
typedef struct {
    uint16_t    port;
    unsigned    protocols;
    bool        under_tls;                           // only with a certificate
    const char *port_key, *listen_key;               // settings that name another port (0: none) and other addresses than `listen`
    bool        here_only;                           // without addresses of its own: 127.0.0.1, or those of the host that are loopback
} up_door;

// A row of the table. kind NULL: the supervisor's voice (DIR/control.sock).
typedef struct {
    const char      *name;
    const room_kind *kind;
    up_door          doors[UP_DOORS_MAX];
    bool             here_only;                      // without `listen` and addresses: 127.0.0.1
    const char      *inside[UP_INSIDE_MAX];          // inside doors that it offers
    const char      *peers[UP_INSIDE_MAX];           // services that it dials inside
    uint16_t         connects[UP_INSIDE_MAX];        // TCP ports of strangers that it dials
    bool             connects_anywhere;              // ... or all
    unsigned         calls;                          // guard_calls
    bool             writes;                         // its own directory
    bool             reads_again;                    // a reload concerns it also when its settings stay: it reads files (zones)
    const char      *reads[GUARD_PATHS_MAX / 2];
    const char      *what;                           // a few words for `naru services`
} up_policy;

// A service's number is for ever: it is its user's, and over an upgrade it says whose a socket is. New rows go to the end.
extern const up_policy up_policies[];
enum { UP_ACCOUNTS, UP_RESOLVER, UP_MAILSTORE, UP_MTA, UP_AUTHORITATIVE, UP_UPPER, UP_CONTROL, UP_TRACKER, UP_SWARM, UP_STEERING, UP_ORIGIN, UP_CONSOLE, UP_EDGE, UP_POLICIES };

typedef struct {
    const up_policy *policy;
    bool             wanted;
    str              settings;           // its block as text, with what the host adds; checked
    str              fixed;              // the part that cannot change while it runs
    str              added;              // of settings: what the host adds
    unsigned         user;               // who it runs as, when we were started as root
    const statement *block, *reason;     // its own block, NULL: none; the statement that makes it run. In the plan's memory, NULL: read from text
    int              loops;              // its setting `loops`; 1 for rooms that have no choice
} up_service;

typedef struct {
    arena      memory;
    str        file;                     // naru.conf; empty: none
    str        host, directory;          // directory: absolute
    addr       addresses[UP_ADDRESSES_MAX];
    int        address_count;
    struct { uint16_t well_known, real; } ports[UP_PORTS_MAX];
    int        port_count;
    int64_t    watch_ns;                 // a service that is silent for so long is killed; 0: never
    const statement *root;               // the file's, in the memory; NULL: read from text
    up_service services[UP_POLICIES];    // in the order of up_policies
} up_plan;

// Reads the file `name` (empty: none) into *plan. False: *error says where and why. directory overrides the file's; may be empty.
bool up_plan_read(up_plan *plan, str name, str directory, config_error *error);
void up_plan_free(up_plan *plan);
// The plan as text, and from text: what one program hands to the next. False: it is none of ours.
void up_plan_write(const up_plan *plan, buf *out);
bool up_plan_take(up_plan *plan, str text);

// What is allowed but not good; returns how many texts, they live in the arena. up_check.c
enum { UP_WARNINGS_MAX = 8 };
int    up_warnings(const up_plan *plan, str out[UP_WARNINGS_MAX], arena *a);
// Do two services want the same address and port? False: *error names both places. up_check.c
bool   up_doors_apart(up_plan *plan, config_error *error);

world *up_world(const up_plan *plan, str name);              // a view of this machine for one process
// The addresses of a service's doors, at port; returns how many.
int    up_door_addresses(const up_plan *plan, const up_service *s, const up_door *d, addr out[UP_ADDRESSES_MAX], arena *a);
bool   up_door_open(const up_service *s, const up_door *d, arena *a);     // is it wanted with these settings?
const statement *up_settings(const up_service *s, arena *a); // the service's block again; checked when the plan was read
// The files that only it may read and that it may read again at a reload: certificate and key. Returns how many; texts live in the arena.
enum { UP_FILES_MAX = 2 };
int    up_files(const up_service *s, str out[UP_FILES_MAX], arena *a);
// Where one of the service's loops answers control.
char  *up_control_path(const up_plan *plan, int number, int which, arena *a);
// What the guard lets the service touch; texts live in the arena.
guard_policy up_guard(const up_plan *plan, int number, arena *a);
char  *up_path(const up_plan *plan, arena *a, const char *format, ...) __attribute__((format(printf, 3, 4)));   // below directory
