// The small Internet, alive: a node for every host of the map (lab.h), in one process, on the real network or in the simulator.
#pragma once
#include "cmd/lab.h"
#include "rt/access_line.h"
#include "rt/room.h"
#include "rt/tls.h"

enum { SMALL_PASSWORD_BYTES = 24, SMALL_SUBNETS = 200, SMALL_SUBNET_PORT = 5299 };

typedef struct {
    const lab_host *host;
    world *world;
    node   node;
    str    directory;
    bool   started;
} small_host;

typedef struct {
    const lab_host *host;
    str address, password;
} small_account;

// How a host gets its machine: the real world or a simulated one.
typedef world *small_world_make(void *arg, str name, const addr *addresses, int count);

typedef struct {
    str  directory;                  // everything lives below it
    bool real_addresses, real_ports; // in a space of one's own; else 127.0.subnet.n and ports from 2025 up
    int  subnet;                     // found by small_internet_start when not real_addresses
    small_world_make *make;          // NULL: the real world
    void *make_arg;
    int64_t retry_ns, expire_ns;     // of the mail queues
    bool recursion;                  // small_recursion_begin
    bool lean;                       // names and films alone: no mail, no swarms
    str  map;                        // a further map: "enter-deep"; empty: none
} small_options;

typedef struct {
    small_options options;
    lab           map;
    small_host    hosts[LAB_HOSTS_MAX];
    int           count;
    small_account accounts[LAB_HOSTS_MAX];
    int           account_count;
    certificate   ca;
    str           ca_path;
    str           torrent;           // the course's, as small_swarm.h makes it
    world        *world;             // the machine it all runs on
    sock         *subnet_door;       // held while it runs: nobody else has this subnet
    access_line   line;              // between people on this machine and what serves them films; the console sets its rate
    node          own;               // the whole's control socket: DIRECTORY/control.sock
    arena         memory;
} small_internet;

// Builds and starts everything on the running fiber; returns when every service answers. On failure *why says what, why and what
// to do; small_internet_stop is due in every case.
err  small_internet_start(small_internet *n, small_options options, str *why);
void small_internet_stop(small_internet *n);
bool small_service_add(small_internet *n, small_host *h, const room_kind *kind, str settings, str *why);      // False: *why
void small_host_stop(small_internet *n, small_host *h);      // the host dies (in order); scenes do this
// From now on every name server without mail asks others on the asker's behalf, and the local server asks it to (scene N2). They
// start again, with empty caches. False: *why.
bool small_recursion_begin(small_internet *n, str *why);
small_host *small_find(small_internet *n, str name);
// "127.0.0.12:2525": where a service of a host is reached from here.
str  small_where(small_internet *n, const small_host *h, uint16_t well_known, arena *a);
str  small_password_make(small_internet *n);                 // "ketchup-ferry-0042"
uint16_t small_port(const small_internet *n, uint16_t well_known);
const small_account *small_account_of(const small_internet *n, str who);
