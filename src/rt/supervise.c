#include "rt/supervise_inside.h"

#include <errno.h>
#include <fcntl.h>
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
#include "rt/linux.h"

enum { TICK_MS = 1000, FIRST_WAIT_MS = 100, TERM_TRIES = 2 };

const farewell farewell_plain = {.patience_ns = (int64_t)SUPERVISE_STOP_S * NS_PER_S};

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

static void fd_close(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

static void ends_close(service *x)
{
    fd_close(&x->channel);
    fd_close(&x->files);
    x->line_bytes = 0;
}

// In the new process: others' channels are not ours, and a Ctrl-C at the terminal is the supervisor's to hear.
static _Noreturn void child_main(supervisor *s, service *x, service_ends ends)
{
    for (int i = 0; i < s->count; i++)
        ends_close(&s->services[i]);
    for (int i = 0; i < SUPERVISED_RETIRED_MAX; i++)
        if (s->retired[i].pid) {
            fd_close(&s->retired[i].channel);
            fd_close(&s->retired[i].files);
        }
    close(s->signal_fd);
    setpgid(0, 0);
    _exit(s->hooks.run(s->hooks.arg, (int)(x - s->services), ends));
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

typedef struct { int channel[2], files[2]; } pairs;

static bool pairs_make(pairs *p)
{
    *p = (pairs){{-1, -1}, {-1, -1}};
    return socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, p->channel) == 0 &&
           socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, p->files) == 0;
}

static void start_now(supervisor *s, service *x)
{
    pairs p;
    x->start_ns = x->kill_ns = 0;
    pid_t pid = pairs_make(&p) ? (fflush(NULL), fork()) : -1;
    if (pid == 0) {
        close(p.channel[0]);
        close(p.files[0]);
        child_main(s, x, (service_ends){p.channel[1], p.files[1]});
    }
    fd_close(&p.channel[1]);
    fd_close(&p.files[1]);
    if (pid < 0) {
        fd_close(&p.channel[0]);
        fd_close(&p.files[0]);
        x->deaths++;
        plan_start(s, x);
        return;
    }
    x->channel = p.channel[0];
    x->files = p.files[0];
    x->view.pid = pid;
    x->view.hung = false;
    state_set(s, x, SERVICE_STARTING);
}

void supervise_start(supervisor *s, int number)
{
    service *x = &s->services[number];
    x->wanted = true;
    if (x->view.pid == 0)
        start_now(s, x);
}

void supervise_start_once(supervisor *s, int number, int64_t ns_max)
{
    service *x = &s->services[number];
    x->wanted = false;
    if (x->view.pid)
        return;
    start_now(s, x);
    x->kill_ns = supervise_now_ns() + ns_max;
}

static void part_from(supervisor *s, service *x, farewell how)
{
    x->kill_ns = supervise_now_ns() + how.patience_ns;
    if (how.text.len == 0 || !supervise_tell(s, (int)(x - s->services), how.text))
        kill(x->view.pid, SIGTERM);
}

void supervise_stop(supervisor *s, int number, bool again, farewell how)
{
    service *x = &s->services[number];
    x->wanted = again;
    x->again = again;
    x->start_ns = 0;
    if (x->view.pid && x->view.state != SERVICE_STOPPING) {
        part_from(s, x, how);
        state_set(s, x, SERVICE_STOPPING);
    } else if (!x->view.pid && again) {
        start_now(s, x);
    } else if (!x->view.pid && x->view.state != SERVICE_STOPPED) {
        state_set(s, x, SERVICE_STOPPED);
    }
}

static retired *retired_room(supervisor *s)
{
    for (int i = 0; i < SUPERVISED_RETIRED_MAX; i++)
        if (!s->retired[i].pid)
            return &s->retired[i];
    return NULL;
}

void supervise_replace(supervisor *s, int number, farewell how)
{
    service *x = &s->services[number];
    retired *r = retired_room(s);
    x->wanted = true;
    if (x->view.pid == 0) {
        start_now(s, x);
        return;
    }
    if (!r) {                                    // too many still finish: this one ends before the next begins
        supervise_stop(s, number, true, how);
        return;
    }
    part_from(s, x, how);
    *r = (retired){x->view.pid, x->channel, x->files, x->kill_ns};
    x->channel = x->files = -1;
    x->line_bytes = 0;
    start_now(s, x);
}

int supervise_retired(const supervisor *s)
{
    int count = 0;
    for (int i = 0; i < SUPERVISED_RETIRED_MAX; i++)
        count += s->retired[i].pid != 0;
    return count;
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

static bool fd_send(int to, str path, int fd)
{
    struct iovec text = {(void *)(uintptr_t)path.at, (size_t)path.len};
    union { char room[CMSG_SPACE(sizeof fd)]; struct cmsghdr align; } with = {{0}};
    struct msghdr m = {.msg_iov = &text, .msg_iovlen = 1, .msg_control = with.room, .msg_controllen = sizeof with.room};
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof fd);
    memcpy(CMSG_DATA(c), &fd, sizeof fd);
    return sendmsg(to, &m, MSG_NOSIGNAL | MSG_DONTWAIT) == path.len;
}

err supervise_file_send(supervisor *s, int number, const char *path)
{
    str name = str_z(path);
    if (name.len >= SUPERVISE_PATH_BYTES_MAX)
        return E_TOO_LONG;
    int to = s->services[number].files, fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0)
        return errno_err(errno);
    bool sent = to >= 0 && fd_send(to, name, fd);
    close(fd);
    return sent ? E_OK : E_LIMIT;
}

bool supervise_file_receive(int files, char path[SUPERVISE_PATH_BYTES_MAX], int *fd)
{
    struct iovec text = {path, SUPERVISE_PATH_BYTES_MAX - 1};
    union { char room[CMSG_SPACE(sizeof *fd)]; struct cmsghdr align; } with;
    struct msghdr m = {.msg_iov = &text, .msg_iovlen = 1, .msg_control = with.room, .msg_controllen = sizeof with.room};
    ssize_t length = recvmsg(files, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    struct cmsghdr *c = length > 0 ? CMSG_FIRSTHDR(&m) : NULL;
    if (!c || c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS || c->cmsg_len != CMSG_LEN(sizeof *fd))
        return false;
    path[length] = 0;
    memcpy(fd, CMSG_DATA(c), sizeof *fd);
    return true;
}

service_view supervise_look(const supervisor *s, int number) { return s->services[number].view; }

// ---- what happens -----------------------------------------------------------------------------------------------------------

static void line_take(supervisor *s, service *x, str line)
{
    x->heard_ns = supervise_now_ns();
    if (str_eq(line, S("alive")))
        return;
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
            ends_close(x);
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
    ends_close(x);
    x->view.pid = 0;
    x->kill_ns = 0;
    x->heard_ns = 0;
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

static void retired_forget(retired *r)
{
    fd_close(&r->channel);
    fd_close(&r->files);
    *r = (retired){0};
}

static void reap(supervisor *s)
{
    int status;
    for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0; ) {
        for (int i = 0; i < s->count; i++)
            if (s->services[i].view.pid == pid)
                ended(s, &s->services[i], status);
        for (int i = 0; i < SUPERVISED_RETIRED_MAX; i++)
            if (s->retired[i].pid == pid)
                retired_forget(&s->retired[i]);
    }
}

static void signals_read(supervisor *s)
{
    struct signalfd_siginfo info;
    while (read(s->signal_fd, &info, sizeof info) == sizeof info) {
        if (info.ssi_signo == SIGHUP && !s->ending)
            s->hooks.hang_up(s->hooks.arg);
        else if (info.ssi_signo == SIGUSR2 && !s->ending)
            s->hooks.upgrade(s->hooks.arg);
        else if (info.ssi_signo == SIGTERM || info.ssi_signo == SIGINT)
            s->ending = true;
    }
    reap(s);                                     // also when SIGCHLD was merged with another
}

// When we were not run ourselves for a while (the machine slept), silence says nothing about a service.
static void silence_judge(supervisor *s, int64_t now)
{
    bool slept = s->turn_ns && now - s->turn_ns > s->silent_ns_max / 2 + millis(TICK_MS);
    s->turn_ns = now;
    for (int i = 0; i < s->count && s->silent_ns_max; i++) {
        service *x = &s->services[i];
        if (slept)
            x->heard_ns = now;
        if (x->view.state != SERVICE_READY || now - x->heard_ns <= s->silent_ns_max)
            continue;
        x->view.hung = true;
        x->heard_ns = now;
        kill(x->view.pid, SIGKILL);
    }
}

static void timers(supervisor *s, int64_t now)
{
    silence_judge(s, now);
    for (int i = 0; i < SUPERVISED_RETIRED_MAX; i++)
        if (s->retired[i].pid && now >= s->retired[i].kill_ns)
            kill(s->retired[i].pid, SIGKILL);
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
        int64_t silent_ns = x->heard_ns + s->silent_ns_max;
        until = s->silent_ns_max && x->view.state == SERVICE_READY && silent_ns < until ? silent_ns : until;
    }
    if (s->watchdog_ns && s->watchdog_next_ns < until)
        until = s->watchdog_next_ns;
    return until <= now ? 0 : (int)((until - now) / NS_PER_MS) + 1;
}

// What a retired process says goes nowhere; it must not wait for a reader.
static void retired_read(retired *r)
{
    char nowhere[SUPERVISE_LINE_BYTES_MAX];
    ssize_t n;
    while ((n = recv(r->channel, nowhere, sizeof nowhere, MSG_DONTWAIT)) > 0)
        ;
    if (n == 0 || (errno != EAGAIN && errno != EINTR))
        fd_close(&r->channel);
}

void supervise_turn(supervisor *s)
{
    enum { RETIRED = SUPERVISED_MAX + 1, WATCHED = RETIRED + SUPERVISED_RETIRED_MAX };
    struct pollfd watched[WATCHED] = {{.fd = s->signal_fd, .events = POLLIN}};
    for (int i = 0; i < SUPERVISED_MAX; i++)
        watched[i + 1] = (struct pollfd){.fd = i < s->count ? s->services[i].channel : -1, .events = POLLIN};      // -1 is passed over
    for (int i = 0; i < SUPERVISED_RETIRED_MAX; i++)
        watched[RETIRED + i] = (struct pollfd){.fd = s->retired[i].pid ? s->retired[i].channel : -1, .events = POLLIN};
    poll(watched, WATCHED, wait_ms(s, supervise_now_ns()));
    for (int i = 0; i < s->count; i++)
        if (watched[i + 1].revents && s->services[i].channel == watched[i + 1].fd)
            channel_read(s, &s->services[i]);
    for (int i = 0; i < SUPERVISED_RETIRED_MAX; i++)
        if (watched[RETIRED + i].revents && s->retired[i].channel == watched[RETIRED + i].fd)
            retired_read(&s->retired[i]);
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
    sigaddset(&set, SIGUSR2);
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
    s->services[s->count] = (service){.name = name, .channel = -1, .files = -1};
    return s->count++;
}

void supervise_end(supervisor *s) { s->ending = true; }
bool supervise_ending(const supervisor *s) { return s->ending; }
void supervise_watch(supervisor *s, int64_t silent_ns_max) { s->silent_ns_max = silent_ns_max; }

static void stop_all(supervisor *s)
{
    supervise_notify("STOPPING=1");
    int64_t until_ns = supervise_now_ns() + farewell_plain.patience_ns;
    for (int i = 0; i < SUPERVISED_RETIRED_MAX; i++)
        if (s->retired[i].kill_ns > until_ns)
            s->retired[i].kill_ns = until_ns;
    for (int i = s->count - 1; i >= 0; i--) {
        service *x = &s->services[i];
        supervise_stop(s, i, false, farewell_plain);
        while (x->view.pid)
            supervise_turn(s);
    }
    while (supervise_retired(s))
        supervise_turn(s);
}

void supervise_run(supervisor *s)
{
    while (!s->ending)
        supervise_turn(s);
    stop_all(s);
}
