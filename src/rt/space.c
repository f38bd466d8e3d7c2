#include "rt/space.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "rt/worker.h"

extern char **environ;

enum { SHELL_VARIABLES_MAX = 1024 };

static err refused(arena *a, str *why, const char *step)
{
    *why = str_format(a, "%s: %s", step, strerror(errno));
    return errno == EPERM || errno == EACCES ? E_ACCESS : E_UNSUPPORTED;
}

static bool write_file(const char *path, const char *text, size_t len)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0)
        return false;
    bool whole = write(fd, text, len) == (ssize_t)len;
    return close(fd) == 0 && whole;
}

// Root in here is the user outside: enough to mount and to open ports below 1024, and nothing more.
static bool map_user(uid_t uid, gid_t gid)
{
    char text[64];
    int n = snprintf(text, sizeof text, "0 %u 1\n", (unsigned)uid);
    if (!write_file("/proc/self/setgroups", "deny", 4) && errno != ENOENT)
        return false;
    if (!write_file("/proc/self/uid_map", text, (size_t)n))
        return false;
    n = snprintf(text, sizeof text, "0 %u 1\n", (unsigned)gid);
    return write_file("/proc/self/gid_map", text, (size_t)n);
}

static bool loopback_up(void)
{
    struct ifreq request = {.ifr_name = "lo"};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return false;
    request.ifr_flags = IFF_UP | IFF_RUNNING;
    bool up = ioctl(fd, SIOCSIFFLAGS, &request) == 0;
    close(fd);
    return up;
}

// `ip route add local 0.0.0.0/0 dev lo`: from here on every address is ours.
static bool everything_local(int family)
{
    struct {
        struct nlmsghdr head;
        struct rtmsg    route;
        struct rtattr   attribute;
        uint32_t        interface;
    } ask = {
        .head = {.nlmsg_len = sizeof ask, .nlmsg_type = RTM_NEWROUTE, .nlmsg_flags = NLM_F_REQUEST | NLM_F_CREATE | NLM_F_ACK},
        .route = {.rtm_family = (unsigned char)family, .rtm_table = RT_TABLE_LOCAL, .rtm_protocol = RTPROT_STATIC,
                  .rtm_scope = family == AF_INET ? RT_SCOPE_HOST : RT_SCOPE_UNIVERSE, .rtm_type = RTN_LOCAL},
        .attribute = {.rta_len = RTA_LENGTH(4), .rta_type = RTA_OIF},
        .interface = if_nametoindex("lo"),
    };
    struct { struct nlmsghdr head; struct nlmsgerr result; char more[256]; } answer;
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    bool done = fd >= 0 && send(fd, &ask, sizeof ask, 0) == sizeof ask &&
                recv(fd, &answer, sizeof answer, 0) >= (ssize_t)(sizeof answer.head + sizeof answer.result.error);
    if (fd >= 0)
        close(fd);
    if (done && answer.head.nlmsg_type == NLMSG_ERROR && answer.result.error != 0) {
        errno = -answer.result.error;
        return false;
    }
    return done;
}

err space_enter(arena *a, str *why)
{
    uid_t uid = geteuid();
    gid_t gid = getegid();
    if (unshare(CLONE_NEWUSER | CLONE_NEWNET | CLONE_NEWNS) != 0)
        return refused(a, why, "the kernel refuses user, network and mount namespaces (unshare)");
    if (!map_user(uid, gid))
        return refused(a, why, "the user cannot be mapped into the namespace");
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0)
        return refused(a, why, "mounts cannot be made private");
    if (!loopback_up())
        return refused(a, why, "the loopback interface cannot be brought up");
    if (!everything_local(AF_INET))
        return refused(a, why, "addresses cannot be made local");
    (void)everything_local(AF_INET6);                    // a machine without IPv6 has the IPv4 half
    return E_OK;
}

err space_file_over(const char *path, const char *directory, const char *name, str text, arena *a, str *why)
{
    char *source = str_to_z(a, str_format(a, "%s/%s", directory, name));
    if (!write_file(source, (const char *)text.at, (size_t)text.len))
        return refused(a, why, source);
    if (mount(source, path, NULL, MS_BIND, NULL) != 0)
        return refused(a, why, path);
    return E_OK;
}

// ---- the shell --------------------------------------------------------------------------------------------------------

static bool same_name(const char *a, const char *b)
{
    size_t n = strcspn(a, "=");
    return strncmp(a, b, n + 1) == 0;
}

static int environment(const char **out, const char *const *variables)
{
    int count = 0;
    for (int i = 0; environ[i] && count < SHELL_VARIABLES_MAX; i++) {
        bool replaced = false;
        for (int k = 0; variables[k] && !replaced; k++)
            replaced = same_name(variables[k], environ[i]);
        if (!replaced)
            out[count++] = environ[i];
    }
    for (int k = 0; variables[k] && count < SHELL_VARIABLES_MAX; k++)
        out[count++] = variables[k];
    out[count] = NULL;
    return count;
}

err shell_start(const char *const *variables, int *pid)
{
    static const char *env[SHELL_VARIABLES_MAX + 1];
    environment(env, variables);
    const char *shell = getenv("SHELL");
    if (!shell || access(shell, X_OK) != 0)
        shell = "/bin/sh";
    posix_spawnattr_t attributes;
    posix_spawn_file_actions_t actions;
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_init(&attributes);
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    posix_spawnattr_setpgroup(&attributes, 0);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &all);
    if (isatty(STDIN_FILENO))
        posix_spawn_file_actions_addtcsetpgrp_np(&actions, STDIN_FILENO);
    char *argv[] = {(char *)(uintptr_t)shell, NULL};
    int failed = posix_spawn(pid, shell, &actions, &attributes, argv, (char *const *)(uintptr_t)env);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    return failed ? E_NO_ENTRY : E_OK;
}

typedef struct { int pid, status; } waiting;

static void wait_blocking(void *arg)
{
    waiting *w = arg;
    while (waitpid(w->pid, &w->status, 0) < 0 && errno == EINTR)
        continue;
}

int shell_wait(int pid)
{
    waiting w = {.pid = pid};
    work(wait_blocking, &w);
    if (isatty(STDIN_FILENO)) {                          // we are in the background now: taking the terminal back must not stop us
        signal(SIGTTOU, SIG_IGN);
        tcsetpgrp(STDIN_FILENO, getpgrp());
    }
    return WIFEXITED(w.status) ? WEXITSTATUS(w.status) : 128 + WTERMSIG(w.status);
}

void shell_hang_up(int pid) { kill(pid, SIGHUP); }
