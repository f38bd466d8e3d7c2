#include "rt/supervise.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/heap_memory.h"
#include "base/must.h"

enum { TICK_MS = 1000, FIRST_WAIT_MS = 100, TERM_TRIES = 2 };

typedef struct {
    const char   *name;
    service_view  view;
    int           channel;               // -1: none
    int           deaths;                // without calm between them
    int64_t       kill_ns, start_ns;     // absolute; 0: not planned
    bool          wanted, again;
    char          line[SUPERVISE_LINE_BYTES_MAX];
    size_t        line_bytes;
} service;

struct supervisor {
    supervise_hooks hooks;
    service         services[SUPERVISED_MAX];
    int             count, signal_fd;
    sigset_t        before;
    bool            ending;
    int64_t         watchdog_ns, watchdog_next_ns, tick_next_ns;
};

int64_t supervise_now_ns(void)
{
    struct timespec t;
    must(clock_gettime(CLOCK_MONOTONIC, &t) == 0);
    return (int64_t)t.tv_sec * NS_PER_S + t.tv_nsec;
}

const char *supervise_state_name(service_state state)
{
    static const char *const names[] = {"stopped", "starting", "ready", "stopping", "waiting"};
    return names[state];
}

// ---- systemd --------------------------------------------------------------------------------------------------------------

void supervise_notify(const char *text)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    size_t length = path ? strlen(path) : 0;
    if (length < 2 || length >= sizeof to.sun_path || (path[0] != '/' && path[0] != '@'))
        return;
    memcpy(to.sun_path, path, length);
    if (path[0] == '@')
        to.sun_path[0] = 0;
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return;
    struct timeval patience = {.tv_usec = 200000};      // who does not listen must not stop us
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    (void)!sendto(fd, text, strlen(text), MSG_NOSIGNAL, (struct sockaddr *)&to,
                  (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length));
    close(fd);
}

// Half of what systemd waits for; 0: it does not watch us.
static int64_t watchdog_interval_ns(void)
{
    const char *usec = getenv("WATCHDOG_USEC");
    int64_t value;
    return usec && str_to_i64(str_z(usec), &value) && value > 0 && value < INT64_MAX / 1000 ? value * 1000 / 2 : 0;
}

// ---- one service ------------------------------------------------------------------------------------------------------------

static void state_set(supervisor *s, service *x, service_state state)
{
    x->view.state = state;
    x->view.since_ns = supervise_now_ns();
    s->hooks.changed(s->hooks.arg, (int)(x - s->services), &x->view);
}

static void channel_close(service *x)
{
    if (x->channel >= 0)
        close(x->channel);
    x->channel = -1;
    x->line_bytes = 0;
}

// In the new process: others' channels are not ours, and a Ctrl-C at the terminal is the supervisor's to hear.
static _Noreturn void child_main(supervisor *s, service *x, int channel)
{
    for (int i = 0; i < s->count; i++)
        channel_close(&s->services[i]);
    close(s->signal_fd);
    setpgid(0, 0);
    _exit(s->hooks.run(s->hooks.arg, (int)(x - s->services), channel));
}

static void plan_start(supervisor *s, service *x)
{
    int64_t wait_ns = 0;
    int slow = x->deaths - SUPERVISE_QUICK_DEATHS;
    if (slow > 0)
        wait_ns = millis(FIRST_WAIT_MS) << (slow < 16 ? slow - 1 : 15);
    if (wait_ns > seconds(SUPERVISE_WAIT_S_MAX))
        wait_ns = seconds(SUPERVISE_WAIT_S_MAX);
    x->view.wait_ns = wait_ns;
    x->start_ns = supervise_now_ns() + wait_ns;
    state_set(s, x, SERVICE_WAITING);
}

static void start_now(supervisor *s, service *x)
{
    int pair[2];
    x->start_ns = x->kill_ns = 0;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) != 0) {
        x->deaths++;
        plan_start(s, x);
        return;
    }
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        close(pair[0]);
        child_main(s, x, pair[1]);
    }
    close(pair[1]);
    if (pid < 0) {
        close(pair[0]);
        x->deaths++;
        plan_start(s, x);
        return;
    }
    x->channel = pair[0];
    x->view.pid = pid;
    state_set(s, x, SERVICE_STARTING);
}

void supervise_start(supervisor *s, int number)
{
    service *x = &s->services[number];
    x->wanted = true;
    if (x->view.pid == 0)
        start_now(s, x);
}

static void end_now(supervisor *s, service *x)
{
    x->kill_ns = supervise_now_ns() + seconds(SUPERVISE_STOP_S);
    kill(x->view.pid, SIGTERM);
    state_set(s, x, SERVICE_STOPPING);
}

void supervise_stop(supervisor *s, int number, bool again)
{
    service *x = &s->services[number];
    x->wanted = again;
    x->again = again;
    x->start_ns = 0;
    if (x->view.pid && x->view.state != SERVICE_STOPPING)
        end_now(s, x);
    else if (!x->view.pid && again)
        start_now(s, x);
    else if (!x->view.pid && x->view.state != SERVICE_STOPPED)
        state_set(s, x, SERVICE_STOPPED);
}

bool supervise_tell(supervisor *s, int number, str text)
{
    service *x = &s->services[number];
    if (x->channel < 0)
        return false;
    ssize_t sent = send(x->channel, text.at, (size_t)text.len, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent == text.len)
        return true;
    if (x->view.pid)
        kill(x->view.pid, SIGKILL);              // half a message cannot be taken back
    return false;
}

service_view supervise_look(const supervisor *s, int number) { return s->services[number].view; }

// ---- what happens -----------------------------------------------------------------------------------------------------------

static void line_take(supervisor *s, service *x, str line)
{
    if (str_eq(line, S("ready")) && x->view.state == SERVICE_STARTING)
        state_set(s, x, SERVICE_READY);
    s->hooks.heard(s->hooks.arg, (int)(x - s->services), line);
}

static void lines_take(supervisor *s, service *x)
{
    str all = str_of(x->line, x->line_bytes);
    for (ptrdiff_t end; (end = str_find(all, '\n')) >= 0; all = str_from(all, end + 1))
        line_take(s, x, str_first(all, end));
    memmove(x->line, all.at, (size_t)all.len);
    x->line_bytes = (size_t)all.len;
    if (x->line_bytes == sizeof x->line)
        x->line_bytes = 0;                       // no service of ours says such lines: it is not believed
}

static void channel_read(supervisor *s, service *x)
{
    for (;;) {
        ssize_t n = recv(x->channel, x->line + x->line_bytes, sizeof x->line - x->line_bytes, MSG_DONTWAIT);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            return;
        if (n <= 0) {
            channel_close(x);
            return;
        }
        x->line_bytes += (size_t)n;
        lines_take(s, x);
        if (x->channel < 0)
            return;
    }
}

static void ended(supervisor *s, service *x, int status)
{
    bool was_asked = x->view.state == SERVICE_STOPPING;
    if (x->channel >= 0)
        channel_read(s, x);                      // its last words
    channel_close(x);
    x->view.pid = 0;
    x->kill_ns = 0;
    x->view.end = WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
    if (supervise_now_ns() - x->view.since_ns > seconds(SUPERVISE_CALM_S))
        x->deaths = 0;
    if (!x->wanted || s->ending) {
        state_set(s, x, SERVICE_STOPPED);
    } else if (was_asked && x->again) {
        x->again = false;
        start_now(s, x);
    } else {
        x->deaths++;
        x->view.restarts++;
        plan_start(s, x);
    }
}

static void reap(supervisor *s)
{
    int status;
    for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0; )
        for (int i = 0; i < s->count; i++)
            if (s->services[i].view.pid == pid)
                ended(s, &s->services[i], status);
}

static void signals_read(supervisor *s)
{
    struct signalfd_siginfo info;
    while (read(s->signal_fd, &info, sizeof info) == sizeof info) {
        if (info.ssi_signo == SIGHUP && !s->ending)
            s->hooks.hang_up(s->hooks.arg);
        else if (info.ssi_signo == SIGTERM || info.ssi_signo == SIGINT)
            s->ending = true;
    }
    reap(s);                                     // also when SIGCHLD was merged with another
}

static void timers(supervisor *s, int64_t now)
{
    for (int i = 0; i < s->count; i++) {
        service *x = &s->services[i];
        if (x->start_ns && now >= x->start_ns && !s->ending)
            start_now(s, x);
        if (x->kill_ns && now >= x->kill_ns && x->view.pid)
            kill(x->view.pid, SIGKILL);
    }
    if (s->watchdog_ns && now >= s->watchdog_next_ns) {
        supervise_notify("WATCHDOG=1");
        s->watchdog_next_ns = now + s->watchdog_ns;
    }
    if (now >= s->tick_next_ns) {
        s->hooks.tick(s->hooks.arg);
        s->tick_next_ns = now + millis(TICK_MS);
    }
}

static int wait_ms(const supervisor *s, int64_t now)
{
    int64_t until = s->tick_next_ns;
    for (int i = 0; i < s->count; i++) {
        const service *x = &s->services[i];
        until = x->start_ns && x->start_ns < until ? x->start_ns : until;
        until = x->kill_ns && x->kill_ns < until ? x->kill_ns : until;
    }
    if (s->watchdog_ns && s->watchdog_next_ns < until)
        until = s->watchdog_next_ns;
    return until <= now ? 0 : (int)((until - now) / NS_PER_MS) + 1;
}

static void turn_once(supervisor *s)
{
    struct pollfd watched[SUPERVISED_MAX + 1] = {{.fd = s->signal_fd, .events = POLLIN}};
    for (int i = 0; i < s->count; i++)
        watched[i + 1] = (struct pollfd){.fd = s->services[i].channel, .events = POLLIN};      // -1 is passed over
    poll(watched, (nfds_t)s->count + 1, wait_ms(s, supervise_now_ns()));
    for (int i = 0; i < s->count; i++)
        if (watched[i + 1].revents && s->services[i].channel == watched[i + 1].fd)
            channel_read(s, &s->services[i]);
    signals_read(s);
    timers(s, supervise_now_ns());
}

// ---- all --------------------------------------------------------------------------------------------------------------------

supervisor *supervise_new(const supervise_hooks *hooks)
{
    sigset_t set;
    supervisor *s = memory_zeroed(1, sizeof *s);
    s->hooks = *hooks;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGHUP);
    sigaddset(&set, SIGCHLD);
    must(sigprocmask(SIG_BLOCK, &set, &s->before) == 0);
    signal(SIGPIPE, SIG_IGN);
    s->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    must(s->signal_fd >= 0);
    s->watchdog_ns = watchdog_interval_ns();
    return s;
}

void supervise_free(supervisor *s)
{
    close(s->signal_fd);
    sigprocmask(SIG_SETMASK, &s->before, NULL);
    memory_free(s);
}

int supervise_add(supervisor *s, const char *name)
{
    must(s->count < SUPERVISED_MAX);
    s->services[s->count] = (service){.name = name, .channel = -1};
    return s->count++;
}

void supervise_end(supervisor *s) { s->ending = true; }

static void stop_all(supervisor *s)
{
    supervise_notify("STOPPING=1");
    for (int i = s->count - 1; i >= 0; i--) {
        service *x = &s->services[i];
        supervise_stop(s, i, false);
        while (x->view.pid)
            turn_once(s);
    }
}

void supervise_run(supervisor *s)
{
    while (!s->ending)
        turn_once(s);
    stop_all(s);
}
