// Giving rights up. Before a process reads a byte from a stranger, and before it starts threads, guard_enter leaves it with what
// its policy names: files by Landlock, TCP ports by Landlock (ABI 4), signals and abstract sockets by Landlock (ABI 6), system
// calls by seccomp, no new privileges, another user, resource limits. What the kernel does not enforce is in the report.
#pragma once
#include <stdbool.h>
#include <stdint.h>

enum { GUARD_PATHS_MAX = 24, GUARD_PORTS_MAX = 64 };

typedef enum {
    GUARD_CALLS_INET = 1,            // sockets of IPv4 and IPv6 may be made (clients; doors are inherited)
    GUARD_CALLS_FILES_CHANGE = 2,    // files may be made, renamed and removed
    GUARD_CALLS_SEND_PAGES = 4,      // memory may go to sockets through a pipe, without a copy (pages.h)
} guard_calls;

typedef struct {
    const char *reads[GUARD_PATHS_MAX];      // files, or directories with all below; what is not there is left out
    const char *writes[GUARD_PATHS_MAX];     // directories: reading, writing, making and removing below
    int         read_count, write_count;
    uint16_t    connect_ports[GUARD_PORTS_MAX];      // TCP; real ports
    int         connect_port_count;
    bool        connects_anywhere;           // to any TCP port: peers have the ports that they like
    unsigned    calls;                       // guard_calls
    unsigned    user, group;                 // 0: stay who we are
    uint64_t    descriptors_max;             // 0: as it is; so for the next four
    uint64_t    memory_bytes_max;            // address space; not in a build with a sanitizer, which reserves terabytes
    uint64_t    processor_s_max;             // above it the kernel ends the process (SIGXCPU)
    uint64_t    file_bytes_max;              // of a file that it writes (SIGXFSZ)
    int         nice;                        // 1 .. 19: others go first
} guard_policy;

typedef struct {
    int  landlock_abi;               // 0: this kernel has none, or it is switched off
    bool files, tcp, scopes;         // what Landlock enforces
    bool calls;                      // seccomp is on
    bool calls_logged_only;          // built with a sanitizer: what is forbidden is logged and goes on
    bool no_new_privileges;
    bool own_user;                   // another user than the supervisor's
} guard_report;

// What this kernel can do; changes nothing.
guard_report guard_kernel(void);
// Gives everything else up, for ever. False with *why (a literal): the process must not go on.
bool guard_enter(const guard_policy *p, guard_report *report, const char **why);

// Tries what must not work, each in a process of its own that has entered the guard.
typedef enum { GUARD_TRY_OPEN, GUARD_TRY_CONNECT, GUARD_TRY_EXEC, GUARD_TRY_PTRACE, GUARD_TRIES } guard_try;
typedef enum { GUARD_REFUSED, GUARD_KILLED, GUARD_ALLOWED, GUARD_UNTRIED } guard_verdict;
const char   *guard_try_name(guard_try t);
guard_verdict guard_prove(const guard_policy *p, guard_try t);
