#include "rt/told_process.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/heap_memory.h"

enum { END_TRIES = 500, END_WAIT_MS = 4 };

struct told_process {
    int      pid, lines, signals;
    sigset_t before;
    char     text[TOLD_LINE_BYTES_MAX + 1];
    size_t   used, given;            // bytes there; of the line that was given last
    bool     ended;
};

told_ending told_ending_of(int end)
{
    switch (-end) {
    case SIGKILL: return TOLD_KILLED;
    case SIGINT: case SIGTERM: case SIGHUP: return TOLD_ASKED;
    case SIGXCPU: return TOLD_PROCESSOR_TIME;
    case SIGXFSZ: return TOLD_FILE_SIZE;
    case SIGSYS: return TOLD_FORBIDDEN_CALL;
    }
    return end < 0 ? TOLD_BROKE : TOLD_EXITED;
}

bool program_runs(const char *path) { return access(path, X_OK) == 0; }

static err err_of(int number)
{
    return number == ENOENT || number == ENOTDIR ? E_NO_ENTRY : number == EACCES || number == EPERM ? E_ACCESS
           : number == EMFILE || number == ENFILE || number == EAGAIN || number == ENOMEM ? E_LIMIT : E_IO;
}

// Without waiting for anybody at the other end of a FIFO.
static err source_open(const char *path, int *fd)
{
    struct stat st;
    *fd = open(path ? path : "/dev/null", O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (*fd < 0)
        return err_of(errno);
    if (!path || (fstat(*fd, &st) == 0 && S_ISREG(st.st_mode)))
        return E_OK;
    close(*fd);
    *fd = -1;
    return E_ACCESS;
}

// Between fork and exec: system calls alone. A pipe that execve closes tells the parent that it worked.
static _Noreturn void become(const char *program, const char *const *argv, const char *directory, const int *ends,
                             int source, int trouble, int parent)
{
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGPIPE, SIG_DFL);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    int nothing = open("/dev/null", O_WRONLY);
    if (getppid() == parent && (!directory || chdir(directory) == 0) && dup2(source, 0) == 0 &&
        dup2(ends[1], 1) == 1 && dup2(nothing, 2) == 2 &&
        close_range(3, ~0U, CLOSE_RANGE_CLOEXEC) == 0)
        execve(program, (char *const *)(uintptr_t)argv, environ);
    int number = errno;
    (void)!write(trouble, &number, sizeof number);
    _exit(127);
}

static void signals_take(told_process *t)
{
    sigset_t ours;
    sigemptyset(&ours);
    sigaddset(&ours, SIGINT);
    sigaddset(&ours, SIGTERM);
    sigaddset(&ours, SIGHUP);
    sigprocmask(SIG_BLOCK, &ours, &t->before);
    t->signals = signalfd(-1, &ours, SFD_CLOEXEC | SFD_NONBLOCK);
}

static err process_start(told_process *t, const char *program, const char *const *argv, int source, const char *directory)
{
    int ends[2], trouble[2], number = 0;
    if (pipe2(ends, O_CLOEXEC) != 0)
        return E_LIMIT;
    if (pipe2(trouble, O_CLOEXEC) != 0) {
        close(ends[0]);
        close(ends[1]);
        return E_LIMIT;
    }
    signals_take(t);
    int parent = getpid();
    t->pid = fork();
    if (t->pid == 0)
        become(program, argv, directory, ends, source, trouble[1], parent);
    close(ends[1]);
    close(trouble[1]);
    t->lines = ends[0];
    bool failed = t->pid < 0 || read(trouble[0], &number, sizeof number) == sizeof number;
    close(trouble[0]);
    return !failed ? E_OK : t->pid < 0 ? E_LIMIT : err_of(number);
}

err told_start(const char *program, const char *const *argv, const char *source, const char *directory, told_process **out)
{
    int fd;
    err e = source_open(source, &fd);
    *out = NULL;
    if (e)
        return e;
    told_process *t = memory_zeroed(1, sizeof *t);
    e = process_start(t, program, argv, fd, directory);
    close(fd);
    if (!e) {
        *out = t;
        return E_OK;
    }
    int end;
    if (t->signals)
        told_end(t, &end);
    else
        memory_free(t);
    return e;
}

// E_OK: something came into the buffer.
static err some_more(told_process *t, int64_t patience_ns)
{
    struct pollfd both[2] = {{t->lines, POLLIN, 0}, {t->signals, POLLIN, 0}};
    int64_t ms = patience_ns / 1000000;
    int ready = poll(both, 2, ms > INT32_MAX ? INT32_MAX : (int)ms);
    if (ready < 0 && errno != EINTR)
        return E_IO;
    if (ready == 0)
        return E_TIMEOUT;
    if (ready > 0 && both[1].revents)
        return E_CANCELED;
    if (ready < 0 || !both[0].revents)
        return E_OK;
    ssize_t n = read(t->lines, t->text + t->used, sizeof t->text - t->used);
    t->ended = n == 0 || (n < 0 && errno != EINTR);
    t->used += n > 0 ? (size_t)n : 0;
    return E_OK;
}

err told_line(told_process *t, int64_t patience_ns, str *line)
{
    t->used -= t->given;
    memmove(t->text, t->text + t->given, t->used);
    t->given = 0;
    for (;;) {
        char *end = memchr(t->text, '\n', t->used);
        if (end) {
            *line = str_of(t->text, (size_t)(end - t->text));
            t->given = (size_t)line->len + 1;
            return str_find(*line, 0) < 0 ? E_OK : E_TOO_LONG;
        }
        if (t->used == sizeof t->text)
            return E_TOO_LONG;
        if (t->ended)
            return E_EOF;                // half a line is none
        err e = some_more(t, patience_ns);
        if (e)
            return e;
    }
}

void told_end(told_process *t, int *end)
{
    int status = 0, gone = 0;
    if (t->pid > 0) {
        for (int i = 0; t->ended && gone == 0 && i < END_TRIES; i++)     // who closes its output is about to end
            if ((gone = waitpid(t->pid, &status, WNOHANG)) == 0)
                poll(NULL, 0, END_WAIT_MS);
        if (gone == 0)
            kill(t->pid, SIGKILL);
        while (gone == 0 && waitpid(t->pid, &status, 0) < 0 && errno == EINTR)
            ;
    }
    struct signalfd_siginfo asked;               // heard already: it must not end us when it is let through again
    while (read(t->signals, &asked, sizeof asked) == sizeof asked)
        ;
    *end = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
    close(t->lines);
    close(t->signals);
    sigprocmask(SIG_SETMASK, &t->before, NULL);
    memory_free(t);
}
