#include "rt/child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "rt/worker.h"

enum { VARIABLES_MAX = 1000, VARIABLES_MORE_MAX = 8, RUN_VARIABLE_BYTES = 512, FILL_TRIES = 20, FILL_SLACK_BYTES = 128 * 1024 };

// ---- the child --------------------------------------------------------------------------------------------------------

static bool names_alike(const char *variable, const char *other)
{
    const char *equals = strchr(variable, '=');
    return equals && strncmp(variable, other, (size_t)(equals - variable) + 1) == 0;
}

// Our own, those of `more` in their places.
static void variables_of(const char **out, const char *const *more)
{
    int count = 0, added = 0;
    for (int i = 0; environ[i] && count < VARIABLES_MAX; i++) {
        bool taken = false;
        for (int k = 0; more[k]; k++)
            taken = taken || names_alike(more[k], environ[i]);
        if (!taken)
            out[count++] = environ[i];
    }
    while (more[added] && added < VARIABLES_MORE_MAX)
        out[count++] = more[added++];
    out[count] = NULL;
}

typedef struct {
    const char *program;
    const char *const *argv, *const *variables;
    bool own_group;
} start;

// Between fork and exec: nothing but system calls, another thread may have held any lock.
static _Noreturn void become(const start *s, int out, int null, int parent)
{
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (s->own_group)
        setpgid(0, 0);
    if (getppid() == parent && dup2(null, 0) == 0 && dup2(out, 1) == 1 && dup2(out, 2) == 2)
        execve(s->program, (char *const *)(uintptr_t)s->argv, (char *const *)(uintptr_t)s->variables);
    _exit(127);
}

static err started(const start *s, const char *output, int *pid)
{
    int out = open(output, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600), null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    int parent = getpid();
    *pid = out >= 0 && null >= 0 ? fork() : -1;
    if (*pid == 0)
        become(s, out, null, parent);
    if (out >= 0)
        close(out);
    if (null >= 0)
        close(null);
    return *pid > 0 ? E_OK : E_IO;
}

err child_start(const char *const *argv, const char *output, const char *run_directory, int *pid)
{
    char run[RUN_VARIABLE_BYTES];
    const char *variables[VARIABLES_MAX + VARIABLES_MORE_MAX + 1], *more[] = {run, NULL};
    snprintf(run, sizeof run, "XDG_RUNTIME_DIR=%s", run_directory);
    variables_of(variables, more);
    return started(&(start){"/proc/self/exe", argv, variables, false}, output, pid);
}

err child_program_start(const char *const *argv, const char *const *variables, const char *output, int *pid)
{
    const char *all[VARIABLES_MAX + VARIABLES_MORE_MAX + 1];
    variables_of(all, variables);
    return started(&(start){argv[0], argv, all, true}, output, pid);
}

// Between fork and exec. The script comes from a file without a name: standard input stays free.
static _Noreturn void script_become(int script, int out, const char *directory)
{
    char path[64], self[4096];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    self[n < 0 ? 0 : n] = 0;
    snprintf(path, sizeof path, "/dev/fd/%d", script);
    setenv("NARU", self, 1);
    setenv("DIR", directory, 1);
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (n > 0 && dup2(out, 1) == 1 && fcntl(script, F_SETFD, 0) == 0)
        execlp("unshare", "unshare", "-Urnm", "sh", path, (char *)NULL);
    _exit(127);
}

static void pipe_read_all(int from, buf *out)
{
    char some[4096];
    for (ssize_t n; (n = read(from, some, sizeof some)) > 0 || (n < 0 && errno == EINTR); )
        if (n > 0)
            buf_put(out, str_of(some, (size_t)n));
}

err child_script(str script, buf *out)
{
    char directory[] = "/tmp/naru-race-XXXXXX";
    int ends[2], text = memfd_create("script", MFD_CLOEXEC);
    if (text < 0 || write(text, script.at, (size_t)script.len) != script.len || !mkdtemp(directory)) {
        if (text >= 0)
            close(text);
        return E_IO;
    }
    int pid = pipe2(ends, O_CLOEXEC) == 0 ? fork() : -1;
    if (pid == 0)
        script_become(text, ends[1], directory);
    close(text);
    if (pid > 0) {
        close(ends[1]);
        pipe_read_all(ends[0], out);
        close(ends[0]);
        while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
            continue;
    }
    rmdir(directory);                                    // what lay on it was in a memory disk of the script's own
    return pid > 0 ? E_OK : E_IO;
}

bool child_ended(int pid) { return waitpid(pid, NULL, WNOHANG) == pid; }

typedef struct { int pid, status; } waiting;

static void wait_work(void *arg)
{
    waiting *w = arg;
    while (waitpid(w->pid, &w->status, 0) < 0 && errno == EINTR)
        ;
}

int child_wait(int pid)
{
    waiting w = {.pid = pid};
    work(wait_work, &w);
    return WIFEXITED(w.status) ? WEXITSTATUS(w.status) : 128 + WTERMSIG(w.status);
}

void child_group_kill(int pid)
{
    (void)kill(-pid, SIGKILL);
    (void)kill(pid, SIGKILL);
    (void)child_wait(pid);
}

void child_kill(int pid)
{
    if (kill(pid, SIGKILL) == 0)
        child_wait(pid);
}

// ---- its children -----------------------------------------------------------------------------------------------------

static int parent_of(int pid)
{
    char path[64], text[512];
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    FILE *f = fopen(path, "re");
    size_t n = f ? fread(text, 1, sizeof text - 1, f) : 0;
    if (f)
        fclose(f);
    text[n] = 0;
    const char *behind = strrchr(text, ')');             // the name may hold anything
    return behind && strlen(behind) > 4 ? (int)strtol(behind + 4, NULL, 10) : -1;
}

// A descriptor of the process, while it is a child of `parent`; then its number may become another's, the descriptor does not.
static int grandchild_open(int pid, int parent)
{
    int fd = pid > 1 ? (int)syscall(SYS_pidfd_open, pid, 0) : -1;
    if (fd >= 0 && parent_of(pid) != parent) {
        close(fd);
        fd = -1;
    }
    return fd;
}

bool grandchild_kill(int pid, int parent)
{
    int fd = grandchild_open(pid, parent);
    bool good = fd >= 0 && syscall(SYS_pidfd_send_signal, fd, SIGKILL, NULL, 0) == 0;
    if (fd >= 0)
        close(fd);
    return good;
}

typedef struct { struct pollfd fds[GRANDCHILDREN_MAX]; int count; } family;

static void family_wait(void *arg)
{
    family *f = arg;
    for (int i = 0; i < f->count; i++)
        while (poll(&f->fds[i], 1, -1) < 0 && errno == EINTR)
            ;
}

void family_kill(int pid, const int *children, int count)
{
    family f = {.count = 0};
    for (int i = 0; i < count && f.count < GRANDCHILDREN_MAX; i++) {
        int fd = grandchild_open(children[i], pid);
        if (fd >= 0)
            f.fds[f.count++] = (struct pollfd){.fd = fd, .events = POLLIN};
    }
    child_kill(pid);
    for (int i = 0; i < f.count; i++)
        syscall(SYS_pidfd_send_signal, f.fds[i].fd, SIGKILL, NULL, 0);
    work(family_wait, &f);
    for (int i = 0; i < f.count; i++)
        close(f.fds[i].fd);
}

// ---- the disk ---------------------------------------------------------------------------------------------------------

static err refused(arena *a, str *why, const char *what)
{
    *why = str_format(a, "%s: %s", what, strerror(errno));
    return E_ACCESS;
}

err small_disk_enter(const char *path, int64_t bytes, arena *a, str *why)
{
    char size[64];
    snprintf(size, sizeof size, "mode=0711,size=%lld", (long long)bytes);
    if (unshare(CLONE_NEWNS) != 0)
        return refused(a, why, "the machine lets only root have mounts of its own");
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0)
        return refused(a, why, "mounts cannot be made private");
    if (mount("tmpfs", path, "tmpfs", MS_NOSUID | MS_NODEV, size) != 0)
        return refused(a, why, "a memory disk cannot be mounted");
    return E_OK;
}

static bool resize(const char *path, long long bytes)
{
    char size[64];
    snprintf(size, sizeof size, "mode=0711,size=%lld", bytes);
    return mount("tmpfs", path, NULL, MS_REMOUNT | MS_NOSUID | MS_NODEV, size) == 0;
}

bool small_disk_fill(const char *path)
{
    for (int i = 0; i < FILL_TRIES; i++) {               // somebody may write between the two calls
        struct statvfs st;
        if (statvfs(path, &st) != 0)
            return false;
        if (resize(path, (long long)(st.f_blocks - st.f_bfree) * (long long)st.f_frsize + FILL_SLACK_BYTES))
            return true;
    }
    return false;
}

bool small_disk_empty(const char *path, int64_t bytes) { return resize(path, bytes); }

void small_disk_leave(const char *path) { umount2(path, MNT_DETACH); }
