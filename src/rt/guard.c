#include "rt/guard.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/landlock.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "rt/guard_calls.h"

// What Landlock learned after these headers were made.
enum { ABI_REFER = 2, ABI_TRUNCATE = 3, ABI_TCP = 4, ABI_DEVICES = 5, ABI_SCOPES = 6, ABI_KNOWN_MAX = 7 };
#define FS_EXECUTE     (1ull << 0)
#define FS_WRITE_FILE  (1ull << 1)
#define FS_READ_FILE   (1ull << 2)
#define FS_READ_DIR    (1ull << 3)
#define FS_ABI_1       ((1ull << 13) - 1)
#define FS_REFER       (1ull << 13)
#define FS_TRUNCATE    (1ull << 14)
#define FS_DEVICES     (1ull << 15)
#define TCP_BIND       (1ull << 0)
#define TCP_CONNECT    (1ull << 1)
#define SCOPE_ABSTRACT (1ull << 0)
#define SCOPE_SIGNAL   (1ull << 1)
enum { RULE_TCP = 2 };

typedef struct { uint64_t files, tcp, scopes; } ruleset_attributes;
typedef struct { uint64_t allowed, port; } tcp_rule;

// ---- Landlock -----------------------------------------------------------------------------------------------------------------

static int landlock_abi(void)
{
    long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    return abi < 0 ? 0 : (int)abi;
}

static uint64_t files_handled(int abi)
{
    return FS_ABI_1 | (abi >= ABI_REFER ? FS_REFER : 0) | (abi >= ABI_TRUNCATE ? FS_TRUNCATE : 0) |
           (abi >= ABI_DEVICES ? FS_DEVICES : 0);
}

// Everything below a directory of one's own but running it and making devices there.
static uint64_t files_writable(uint64_t handled)
{
    const uint64_t devices = (1ull << 6) | (1ull << 11);         // character and block devices
    return handled & ~(FS_EXECUTE | FS_DEVICES | devices);
}

static bool path_allow(int ruleset, const char *path, uint64_t rights)
{
    struct stat st;
    int fd = open(path, O_PATH | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT || errno == EACCES || errno == ENOTDIR;       // nothing there that we could reach
    if (fstat(fd, &st) == 0 && !S_ISDIR(st.st_mode))
        rights &= FS_READ_FILE | FS_WRITE_FILE | FS_TRUNCATE;
    struct landlock_path_beneath_attr rule = {.allowed_access = rights, .parent_fd = fd};
    bool good = syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) == 0;
    close(fd);
    return good;
}

static bool port_allow(int ruleset, uint64_t what, uint16_t port)
{
    tcp_rule rule = {what, port};
    return syscall(SYS_landlock_add_rule, ruleset, RULE_TCP, &rule, 0) == 0;
}

static bool rules_add(int ruleset, const guard_policy *p, uint64_t handled, bool tcp)
{
    bool good = true;
    for (int i = 0; i < p->read_count && good; i++)
        good = path_allow(ruleset, p->reads[i], FS_READ_FILE | FS_READ_DIR);
    if (good && guard_calls_log_only())          // a sanitizer looks where its stacks are
        good = path_allow(ruleset, "/proc/self", FS_READ_FILE | FS_READ_DIR);
    for (int i = 0; i < p->write_count && good; i++)
        good = path_allow(ruleset, p->writes[i], files_writable(handled));
    for (int i = 0; i < p->connect_port_count && good && tcp && !p->connects_anywhere; i++)
        good = port_allow(ruleset, TCP_CONNECT, p->connect_ports[i]);
    // Who may connect binds the node's own address first, and the port that the kernel chooses.
    if (good && tcp && (p->connect_port_count || p->connects_anywhere))
        good = port_allow(ruleset, TCP_BIND, 0);
    return good;
}

static bool landlock_enter(const guard_policy *p, guard_report *report)
{
    int abi = report->landlock_abi;
    if (abi == 0)
        return true;
    ruleset_attributes all = {files_handled(abi), abi < ABI_TCP ? 0 : p->connects_anywhere ? TCP_BIND : TCP_BIND | TCP_CONNECT,
                              abi >= ABI_SCOPES ? SCOPE_ABSTRACT | SCOPE_SIGNAL : 0};
    size_t size = abi >= ABI_SCOPES ? sizeof all : abi >= ABI_TCP ? 2 * sizeof(uint64_t) : sizeof(uint64_t);
    int ruleset = (int)syscall(SYS_landlock_create_ruleset, &all, size, 0);
    if (ruleset < 0)
        return false;
    bool good = rules_add(ruleset, p, all.files, abi >= ABI_TCP) && syscall(SYS_landlock_restrict_self, ruleset, 0) == 0;
    close(ruleset);
    report->files = good;
    report->tcp = good && all.tcp;
    report->scopes = good && all.scopes;
    return good;
}

// ---- user and limits ------------------------------------------------------------------------------------------------------------

static bool user_change(const guard_policy *p, guard_report *report)
{
    if (p->user == 0 || geteuid() != 0)
        return true;
    gid_t group = p->group;
    report->own_user = setgroups(1, &group) == 0 && setresgid(group, group, group) == 0 &&
                       setresuid(p->user, p->user, p->user) == 0 && setuid(0) != 0;
    return report->own_user;
}

static void limit_set(__rlimit_resource_t what, uint64_t most)
{
    struct rlimit limit = {most, most};
    if (most)
        setrlimit(what, &limit);
}

static void limits_set(const guard_policy *p)
{
    struct rlimit none = {0, 0}, files;
    setrlimit(RLIMIT_CORE, &none);               // letters and keys do not go into a core file
    setrlimit(RLIMIT_MEMLOCK, &none);
    limit_set(RLIMIT_AS, guard_calls_log_only() ? 0 : p->memory_bytes_max);
    limit_set(RLIMIT_CPU, p->processor_s_max);
    limit_set(RLIMIT_FSIZE, p->file_bytes_max);
    if (p->nice)
        setpriority(PRIO_PROCESS, 0, p->nice);
    if (p->descriptors_max && getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = p->descriptors_max < files.rlim_max ? p->descriptors_max : files.rlim_max;
        files.rlim_max = files.rlim_cur;
        setrlimit(RLIMIT_NOFILE, &files);
    }
}

// ---- all ------------------------------------------------------------------------------------------------------------------------

guard_report guard_kernel(void)
{
    int abi = landlock_abi();
    bool calls = guard_calls_possible();
    return (guard_report){.landlock_abi = abi, .files = abi > 0, .tcp = abi >= ABI_TCP, .scopes = abi >= ABI_SCOPES,
                          .calls = calls, .calls_logged_only = calls && guard_calls_log_only(), .no_new_privileges = true,
                          .own_user = geteuid() == 0};
}

bool guard_enter(const guard_policy *p, guard_report *report, const char **why)
{
    *report = (guard_report){.landlock_abi = landlock_abi()};
    limits_set(p);
    report->no_new_privileges = prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;
    *why = !report->no_new_privileges       ? "the kernel refused no-new-privs"
           : !user_change(p, report)        ? "cannot become the service's own user; start without root, or with CAP_SETUID and CAP_SETGID"
           : !landlock_enter(p, report)     ? "Landlock refused the service's rules"
           : !guard_calls_enter(p->calls, report) ? "seccomp refused the service's filter"
                                            : NULL;
    return *why == NULL;
}
