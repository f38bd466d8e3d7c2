// The real driver: epoll, edge-triggered. Readiness is remembered in the sock; fibers are woken, never called.
#include <errno.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "base/heap_memory.h"
#include "rt/linux.h"

struct linux_driver {
    loop_driver base;
    int         epoll_fd, event_fd;
    list        starved;             // listeners, until retry_ns
    int64_t     retry_ns;
    bool        whole_ms;            // this kernel waits no finer
    struct datagram_batch *batch;
};

static _Thread_local linux_driver *driver_of_thread;

linux_driver *linux_driver_here(void)
{
    must(driver_of_thread);                      // sockets belong to a loop
    return driver_of_thread;
}

static int64_t driver_now_ns(void *self)
{
    (void)self;
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * NS_PER_S + t.tv_nsec;
}

static void ready_to_read(sock *s)
{
    s->readable = true;
    if (s->reader)
        fiber_wake(s->reader);
}

static void ready_to_write(sock *s)
{
    s->writable = true;
    if (s->writer)
        fiber_wake(s->writer);
}

static void event_take(const struct epoll_event *event)
{
    linux_sock *s = event->data.ptr;
    if (!s)
        return;                                  // a wake from another thread; edge-triggered, so it need not be read
    if (list_linked(&s->starved))
        return;                                  // its time will come
    bool over = event->events & (EPOLLHUP | EPOLLERR);
    s->hung_up |= over || (event->events & EPOLLRDHUP);
    if (over || (event->events & (EPOLLIN | EPOLLRDHUP)))
        ready_to_read(&s->base);
    if (over || (event->events & EPOLLOUT))
        ready_to_write(&s->base);
}

static void starved_retry(linux_driver *d)
{
    if (list_empty(&d->starved) || driver_now_ns(d) < d->retry_ns)
        return;
    for (list_link *k; (k = list_take(&d->starved)); )
        ready_to_read(&LIST_OF(k, linux_sock, starved)->base);
}

static int64_t whole_ms(int64_t ns) { return ns < minutes(10) ? ns / NS_PER_MS + 1 : 10 * 60 * 1000; }

// Kernels before 5.11, and filters that know no epoll_pwait2, get whole milliseconds.
static int wait_events(linux_driver *d, struct epoll_event *events, int64_t ns)
{
    struct timespec t = {.tv_sec = ns / NS_PER_S, .tv_nsec = ns % NS_PER_S};
    if (ns > 0 && !d->whole_ms) {
        int n = epoll_pwait2(d->epoll_fd, events, EPOLL_EVENTS_MAX, &t, NULL);
        if (n >= 0 || (errno != ENOSYS && errno != EPERM))
            return n;
        d->whole_ms = true;
    }
    return epoll_wait(d->epoll_fd, events, EPOLL_EVENTS_MAX, ns < 0 ? -1 : ns == 0 ? 0 : (int)whole_ms(ns));
}

static bool driver_wait(void *self, int64_t until_ns, bool poll_only)
{
    linux_driver *d = self;
    struct epoll_event events[EPOLL_EVENTS_MAX];
    int64_t now = poll_only ? 0 : driver_now_ns(d);
    if (!list_empty(&d->starved))
        until_ns = time_nearest(until_ns, d->retry_ns);
    int64_t ns = poll_only ? 0 : until_ns == NEVER_NS ? -1 : until_ns > now ? until_ns - now : 0;
    int n = wait_events(d, events, ns);
    must(n >= 0 || errno == EINTR);
    for (int i = 0; i < n; i++)
        event_take(&events[i]);
    starved_retry(d);
    return true;
}

static void driver_wake(void *self)
{
    linux_driver *d = self;
    uint64_t one = 1;
    (void)!write(d->event_fd, &one, sizeof one);
}

loop_driver *driver_linux_new(void)
{
    must(!driver_of_thread);
    linux_driver *d = memory_zeroed(1, sizeof *d);
    d->base = (loop_driver){d, driver_now_ns, driver_wait, driver_wake, true};
    d->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    d->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    struct epoll_event wake = {.events = EPOLLIN | EPOLLET};
    must(d->epoll_fd >= 0 && d->event_fd >= 0);
    must(epoll_ctl(d->epoll_fd, EPOLL_CTL_ADD, d->event_fd, &wake) == 0);
    list_init(&d->starved);
    driver_of_thread = d;
    return &d->base;
}

void driver_linux_free(loop_driver *driver)
{
    linux_driver *d = driver->self;
    must(d == driver_of_thread);
    driver_of_thread = NULL;
    close(d->event_fd);
    close(d->epoll_fd);
    memory_free(d->batch);
    memory_free(d);
}

struct datagram_batch *linux_driver_batch(linux_driver *d)
{
    if (!d->batch)
        d->batch = datagram_batch_new();
    return d->batch;
}

// ---- the driver's sockets -------------------------------------------------------------------------------------------------

err linux_sock_new(world *w, int fd, bool is_stream, uint8_t family, linux_sock **out)
{
    linux_driver *d = linux_driver_here();
    linux_sock *s = memory_zeroed(1, sizeof *s);
    s->base.world = w;
    s->fd = fd;
    s->is_stream = is_stream;
    s->family = family;
    s->driver = d;
    // A datagram socket says "writable" whenever somebody has read what it sent: it is asked only once it was full.
    struct epoll_event wanted = {.events = EPOLLIN | EPOLLRDHUP | EPOLLET | (is_stream ? EPOLLOUT : 0u), .data.ptr = s};
    if (epoll_ctl(d->epoll_fd, EPOLL_CTL_ADD, fd, &wanted) != 0) {
        err e = errno == ENOSPC ? E_LIMIT : errno_err(errno);       // no disk: the kernel's ceiling of watches
        close(fd);
        memory_free(s);
        return e;
    }
    *out = s;
    return E_OK;
}

void linux_sock_full(linux_sock *s)
{
    struct epoll_event all = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.ptr = s};
    s->base.writable = false;                    // before asking: an event that is due already comes with it
    must(epoll_ctl(s->driver->epoll_fd, EPOLL_CTL_MOD, s->fd, &all) == 0);
}

void linux_sock_free(linux_sock *s)
{
    list_remove(&s->starved);
    if (s->is_shared)
        epoll_ctl(s->driver->epoll_fd, EPOLL_CTL_DEL, s->fd, NULL);
    close(s->fd);                                // leaves the epoll set with it unless it is open elsewhere too
    memory_free(s);
}

void linux_sock_starved(linux_sock *s)
{
    linux_driver *d = s->driver;
    s->base.readable = false;
    if (list_empty(&d->starved))
        d->retry_ns = time_after(driver_now_ns(d), millis(ACCEPT_RETRY_MS));
    if (!list_linked(&s->starved))
        list_append(&d->starved, &s->starved);
}

// ---- signals --------------------------------------------------------------------------------------------------------------

static sigset_t signals_taken(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGHUP);
    return set;
}

void signals_block(void)
{
    sigset_t set = signals_taken();
    must(pthread_sigmask(SIG_BLOCK, &set, NULL) == 0);
    signal(SIGPIPE, SIG_IGN);
}

static int signal_read(linux_sock *s)
{
    struct signalfd_siginfo info;
    for (;;) {
        if (read(s->fd, &info, sizeof info) == sizeof info)
            return (int)info.ssi_signo;
        s->base.readable = false;
        if (sock_wait(&s->base, WAIT_READ, NEVER_NS) != E_OK)
            return 0;
    }
}

static err signal_sock(linux_sock **out)
{
    sigset_t set = signals_taken();
    int fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return fd < 0 ? errno_err(errno) : linux_sock_new(world_here(), fd, true, 0, out);
}

// What comes between two calls stays pending with the process and is read by the next.
int signal_wait(void)
{
    linux_sock *s;
    if (world_is_simulated(world_here())) {
        while (fiber_park(NEVER_NS, "a signal") == E_OK)
            ;
        return 0;
    }
    while (signal_sock(&s) != E_OK)              // out of descriptors: not for ever
        if (fiber_sleep(millis(ACCEPT_RETRY_MS)) != E_OK)
            return 0;
    int number = fiber_canceled() ? 0 : signal_read(s);
    linux_sock_free(s);
    return number;
}
