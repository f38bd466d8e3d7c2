#include "rt/feed.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/heap_memory.h"
#include "rt/fiber.h"
#include "rt/loop.h"

enum { LOOK_MS = 20 };
#define KILL_PATIENCE_NS seconds(2)

extern char **environ;

struct feed {
    int   fd;                        // a socket, so that a program that is gone is an answer and no signal
    pid_t pid;                       // 0: it has ended and was waited for
    int   status;                    // then: as waitpid tells
};

static err spawn(const char *const *argv, int input, bool quiet, pid_t *pid)
{
    posix_spawn_file_actions_t files;
    posix_spawnattr_t how;
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawn_file_actions_init(&files);
    posix_spawnattr_init(&how);
    posix_spawn_file_actions_adddup2(&files, input, STDIN_FILENO);
    for (int fd = STDOUT_FILENO; quiet && fd <= STDERR_FILENO; fd++)
        posix_spawn_file_actions_addopen(&files, fd, "/dev/null", O_WRONLY, 0);
    posix_spawnattr_setsigmask(&how, &none);
    posix_spawnattr_setsigdefault(&how, &all);
    posix_spawnattr_setpgroup(&how, 0);              // Ctrl-C is ours to tell it
    posix_spawnattr_setflags(&how, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
    int e = posix_spawnp(pid, argv[0], &files, &how, (char *const *)(uintptr_t)argv, environ);
    posix_spawn_file_actions_destroy(&files);
    posix_spawnattr_destroy(&how);
    return e == 0 ? E_OK : e == ENOENT ? E_NO_ENTRY : e == EACCES ? E_ACCESS : E_IO;
}

err feed_start(const char *const *argv, bool quiet, feed **out)
{
    int ends[2];
    pid_t pid;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
        return E_LIMIT;
    err e = spawn(argv, ends[1], quiet, &pid);
    close(ends[1]);
    if (e) {
        close(ends[0]);
        return e;
    }
    *out = memory_new(sizeof **out);
    **out = (feed){.fd = ends[0], .pid = pid};
    return E_OK;
}

bool feed_ended(feed *f)
{
    if (f->pid && waitpid(f->pid, &f->status, WNOHANG) == f->pid)
        f->pid = 0;
    return f->pid == 0;
}

err feed_put(feed *f, str bytes)
{
    while (bytes.len > 0) {
        ssize_t n = send(f->fd, bytes.at, (size_t)bytes.len, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n > 0) {
            bytes = str_from(bytes, n);
            continue;
        }
        if (n < 0 && errno != EAGAIN && errno != EINTR)
            return E_EOF;
        if (feed_ended(f))
            return E_EOF;
        err e = fiber_sleep(millis(LOOK_MS));
        if (e)
            return E_CANCELED;
    }
    return E_OK;
}

// Looks until the program has ended or the time is over. On a fiber it parks; a fiber that is canceled does not
// wait.
static void wait_until(feed *f, int64_t until_ns)
{
    while (!feed_ended(f) && loop_now_ns() < until_ns)
        if (fiber_sleep(millis(LOOK_MS)))
            return;
}

static int verdict(int status)
{
    return WIFSIGNALED(status) ? -WTERMSIG(status) : WIFEXITED(status) ? WEXITSTATUS(status) : 0;
}

int feed_end(feed *f, long long patience_ns)
{
    if (!f)
        return 0;
    close(f->fd);
    wait_until(f, loop_now_ns() + patience_ns);
    bool told = !feed_ended(f);
    int how = told ? 0 : verdict(f->status);
    if (told) {
        kill(f->pid, SIGTERM);
        wait_until(f, loop_now_ns() + KILL_PATIENCE_NS);
    }
    if (!feed_ended(f)) {
        kill(f->pid, SIGKILL);
        waitpid(f->pid, NULL, 0);
    }
    memory_free(f);
    return how;
}
