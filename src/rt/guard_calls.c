#include "rt/guard_calls.h"

#include <errno.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#ifdef __has_feature
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(undefined_behavior_sanitizer)
#define SANITIZED 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

// What every service does: talk over sockets it has, wait, read and write files it may open, run threads, end.
// Names that an architecture lacks are passed over.
static const char *const everybody[] = {
    "read", "write", "readv", "writev", "pread64", "pwrite64", "preadv", "pwritev", "lseek", "close", "fstat", "newfstatat",
    "statx", "stat", "lstat", "openat", "open", "access", "faccessat", "faccessat2", "getdents64", "fcntl", "flock", "dup",
    "munmap", "mremap", "madvise", "brk", "rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "sigaltstack", "futex",
    "set_robust_list", "rseq", "exit", "exit_group", "gettid", "getpid", "getppid", "getuid", "geteuid", "getgid", "getegid",
    "tgkill", "getrandom", "clock_gettime", "clock_nanosleep", "nanosleep", "clock_getres", "gettimeofday", "restart_syscall",
    "epoll_create1", "epoll_ctl", "epoll_wait", "epoll_pwait", "epoll_pwait2", "eventfd2", "signalfd4", "poll", "ppoll",
    "accept4", "recvfrom", "recvmsg", "recvmmsg", "sendto", "sendmsg", "sendmmsg", "shutdown", "getsockname", "getpeername",
    "getsockopt", "setsockopt", "connect", "sched_yield", "sched_getaffinity", "uname", "sysinfo", "getcwd", "membarrier", "mincore",
};
static const char *const change_files[] = {
    "mkdir", "mkdirat", "rename", "renameat", "renameat2", "unlink", "unlinkat", "rmdir", "ftruncate", "fallocate", "fsync",
    "fdatasync", "sync_file_range", "pwritev2", "chmod", "fchmod", "fchmodat", "umask",
    "openat2", "fstatfs", "fstatfs64",
};
static const char *const inet[] = {"bind"};
static const char *const send_pages[] = {"pipe2", "splice", "vmsplice"};

// Asked for by libraries, needed by nobody: a refusal they can live with.
static const struct { const char *name; int answer; } refused[] = {
    {"clone3", ENOSYS}, {"ioctl", ENOTTY}, {"readlink", EACCES}, {"readlinkat", EACCES}, {"prctl", EPERM}, {"bind", EACCES},
    {"prlimit64", EPERM}, {"sched_setscheduler", EPERM}, {"listen", EACCES},
};

bool guard_calls_log_only(void) { return SANITIZED; }
bool guard_calls_possible(void) { return prctl(PR_GET_SECCOMP, 0, 0, 0, 0) >= 0; }

static bool allow_all(scmp_filter_ctx filter, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        int number = seccomp_syscall_resolve_name(names[i]);
        if (number >= 0 && seccomp_rule_add(filter, SCMP_ACT_ALLOW, number, 0) != 0)
            return false;
    }
    return true;
}

// Memory that may be run is never made; new threads yes, new processes no.
static bool allow_with_arguments(scmp_filter_ctx filter)
{
    return seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1, SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0)) == 0 &&
           seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1, SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0)) == 0 &&
           seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1,
                            SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD)) == 0;
}

static bool allow_family(scmp_filter_ctx filter, int family)
{
    return seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(socket), 1, SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)family)) == 0;
}

static bool refuse_politely(scmp_filter_ctx filter, unsigned calls)
{
    for (size_t i = 0; i < sizeof refused / sizeof *refused && !SANITIZED; i++) {
        int number = seccomp_syscall_resolve_name(refused[i].name);
        bool allowed = (calls & GUARD_CALLS_INET) && number == SCMP_SYS(bind);
        if (number >= 0 && !allowed && seccomp_rule_add(filter, SCMP_ACT_ERRNO((uint32_t)refused[i].answer), number, 0) != 0)
            return false;
    }
    return true;
}

static bool filter_fill(scmp_filter_ctx filter, unsigned calls)
{
    bool good = allow_all(filter, everybody, sizeof everybody / sizeof *everybody) && allow_with_arguments(filter) &&
                refuse_politely(filter, calls) && allow_family(filter, AF_UNIX);
    if (good && calls & GUARD_CALLS_FILES_CHANGE)
        good = allow_all(filter, change_files, sizeof change_files / sizeof *change_files);
    if (good && calls & GUARD_CALLS_INET)
        good = allow_all(filter, inet, sizeof inet / sizeof *inet) && allow_family(filter, AF_INET) && allow_family(filter, AF_INET6);
    if (good && calls & GUARD_CALLS_SEND_PAGES)
        good = allow_all(filter, send_pages, sizeof send_pages / sizeof *send_pages);
    return good;
}

bool guard_calls_enter(unsigned calls, guard_report *report)
{
    if (!guard_calls_possible())
        return true;
    scmp_filter_ctx filter = seccomp_init(SANITIZED ? SCMP_ACT_LOG : SCMP_ACT_KILL_PROCESS);
    if (!filter)
        return false;
    bool good = filter_fill(filter, calls) && seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2) == 0 && seccomp_load(filter) == 0;
    seccomp_release(filter);
    report->calls = good;
    report->calls_logged_only = good && SANITIZED;
    return good;
}
