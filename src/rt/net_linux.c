// Streams of the real world: TCP and Unix sockets, never blocking.
#include <errno.h>
#include <limits.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "rt/linux.h"
#include "rt/pages.h"

// ---- addresses ------------------------------------------------------------------------------------------------------------

uint16_t port_from_real(const world *w, uint16_t real)
{
    for (int i = 0; i < w->port_count; i++)
        if (w->ports[i].real == real)
            return w->ports[i].well_known;
    return real;
}

socklen_t sockaddr_of(addr a, struct sockaddr_storage *out)
{
    memset(out, 0, sizeof *out);
    if (a.family == 4) {
        struct sockaddr_in *v4 = (struct sockaddr_in *)out;
        v4->sin_family = AF_INET;
        v4->sin_port = htons(a.port);
        memcpy(&v4->sin_addr, a.ip, 4);
        return sizeof *v4;
    }
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)out;
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(a.port);
    memcpy(&v6->sin6_addr, a.ip, 16);
    return sizeof *v6;
}

addr addr_of_sockaddr(const struct sockaddr_storage *from)
{
    addr a = {0};
    if (from->ss_family == AF_INET) {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)from;
        a.family = 4;
        a.port = ntohs(v4->sin_port);
        memcpy(a.ip, &v4->sin_addr, 4);
    } else if (from->ss_family == AF_INET6) {
        const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)from;
        a.family = 6;
        a.port = ntohs(v6->sin6_port);
        memcpy(a.ip, &v6->sin6_addr, 16);
    }
    return a;
}

static addr seen_from_above(const world *w, const struct sockaddr_storage *from)
{
    addr a = addr_of_sockaddr(from);
    a.port = port_from_real(w, a.port);
    return a;
}

// The one address of the world's own in this family; family 0 when it has none or several.
static addr only_address(const world *w, uint8_t family)
{
    addr only = {0};
    for (int i = 0; i < w->address_count; i++) {
        if (w->addresses[i].family != family)
            continue;
        if (only.family)
            return (addr){0};
        only = w->addresses[i];
    }
    return only;
}

static addr first_address(const world *w, uint8_t family)
{
    for (int i = 0; i < w->address_count; i++)
        if (w->addresses[i].family == family)
            return w->addresses[i];
    return (addr){0};
}

// ---- making ---------------------------------------------------------------------------------------------------------------

static void set_option(int fd, int level, int name, int value) { setsockopt(fd, level, name, &value, sizeof value); }

int linux_socket(int family, int type)
{
    int domain = family == 4 ? AF_INET : family == 6 ? AF_INET6 : AF_UNIX;
    int fd = socket(domain, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    if (family == 6)
        set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
    if (family && type == SOCK_STREAM)
        set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    return fd;
}

static err close_failed(int fd)
{
    err e = errno_err(errno);
    close(fd);
    return e;
}

// "Any address" of a world with one address of its own is that address: several such worlds stand side by side. With several
// addresses it is the wildcard.
err linux_bind(world *w, int fd, addr at)
{
    struct sockaddr_storage to;
    addr own = addr_is_any(at) ? only_address(w, at.family) : (addr){0};
    socklen_t size = sockaddr_of(own.family ? addr_with_port(own, at.port) : at, &to);
    return bind(fd, (struct sockaddr *)&to, size) == 0 ? E_OK : errno_err(errno);
}

err linux_listen_fd(world *w, addr real, listen_options options, int *out)
{
    int fd = linux_socket(real.family, SOCK_STREAM);
    if (fd < 0)
        return errno_err(errno);
    set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    if (options.share_port)
        set_option(fd, SOL_SOCKET, SO_REUSEPORT, 1);
    err e = linux_bind(w, fd, real);
    if (!e && listen(fd, options.backlog ? options.backlog : LISTEN_BACKLOG) != 0)
        e = errno_err(errno);
    if (e)
        close(fd);
    *out = e ? -1 : fd;
    return e;
}

// inherited: what inherit.h answered; E_AGAIN: the descriptor was made here.
static err listener_new(world *w, int fd, uint8_t family, err inherited, sock **out)
{
    linux_sock *s;
    err e = linux_sock_new(w, fd, true, family, &s);
    if (!e)
        s->is_shared = inherited == E_OK;
    *out = e ? NULL : &s->base;
    return e;
}

err linux_listen(world *w, addr at, listen_options options, sock **out)
{
    int fd = -1;
    at.port = world_port(w, at.port);
    err inherited = inherited_listen(at, &fd);
    err e = inherited == E_AGAIN ? linux_listen_fd(w, at, options, &fd) : inherited;
    return e ? e : listener_new(w, fd, at.family, inherited, out);
}

static bool unix_address(const char *path, struct sockaddr_un *out)
{
    *out = (struct sockaddr_un){.sun_family = AF_UNIX};
    int n = snprintf(out->sun_path, sizeof out->sun_path, "%s", path);
    return n > 0 && n < (int)sizeof out->sun_path;
}

// A socket file that nobody answers on is a leftover of a process that died.
static bool socket_is_dead(const struct sockaddr_un *at)
{
    struct stat st;
    if (lstat(at->sun_path, &st) != 0 || !S_ISSOCK(st.st_mode))
        return false;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    bool dead = fd >= 0 && connect(fd, (const struct sockaddr *)at, sizeof *at) != 0 && errno == ECONNREFUSED;
    if (fd >= 0)
        close(fd);
    return dead;
}

err linux_listen_unix_fd(const char *path, unsigned mode, int *out)
{
    struct sockaddr_un at;
    *out = -1;
    if (!unix_address(path, &at))
        return E_TOO_LONG;
    int fd = linux_socket(0, SOCK_STREAM);
    if (fd < 0)
        return errno_err(errno);
    if (socket_is_dead(&at))
        unlink(path);
    fchmod(fd, mode);                            // before bind: the file never has a wider mode
    if (bind(fd, (struct sockaddr *)&at, sizeof at) != 0 || chmod(path, mode) != 0 || listen(fd, LISTEN_BACKLOG) != 0)
        return close_failed(fd);
    *out = fd;
    return E_OK;
}

err linux_listen_unix(world *w, const char *path, unsigned mode, sock **out)
{
    int fd = -1;
    const inherit_peers *peers;
    err inherited = inherited_unix(path, &fd, &peers);
    err e = inherited == E_AGAIN ? linux_listen_unix_fd(path, mode, &fd) : inherited;
    if (!e)
        e = listener_new(w, fd, 0, inherited, out);
    if (!e)
        linux_of(*out)->peers = peers;
    return e;
}

// ---- accepting and connecting ---------------------------------------------------------------------------------------------

// Trouble that belongs to the connection that was to be accepted, not to the listener (accept(2)).
static bool next_one_may_do(int number)
{
    return number == ECONNABORTED || number == EPERM || number == EPROTO || number == ENETDOWN || number == EHOSTDOWN ||
           number == ENONET || number == EHOSTUNREACH || number == ENETUNREACH || number == EINTR;
}

err linux_accept(sock *base, sock **out, addr *peer, addr *local)
{
    enum { TRIES = 16 };
    linux_sock *l = linux_of(base), *s;
    struct sockaddr_storage from = {0}, at = {0};
    int fd = -1;
    for (int i = 0; fd < 0 && i < TRIES; i++) {
        socklen_t size = sizeof from;
        fd = accept4(l->fd, (struct sockaddr *)&from, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0 && !next_one_may_do(errno))
            break;
        if (fd >= 0 && !inherit_peer_allowed(fd, l->peers)) {
            close(fd);
            fd = -1;
            errno = ECONNABORTED;
        }
    }
    if (fd < 0 && errno_err(errno) == E_LIMIT)
        linux_sock_starved(l);                   // the same connection would wake us again and again
    if (fd < 0)
        return next_one_may_do(errno) ? E_AGAIN : errno_err(errno);
    socklen_t size = sizeof at;
    if (l->family) {
        set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
        getsockname(fd, (struct sockaddr *)&at, &size);
    }
    err e = linux_sock_new(base->world, fd, true, l->family, &s);
    if (e)
        return e;
    s->is_connected = s->base.readable = s->base.writable = true;      // try first, wait then
    *peer = seen_from_above(base->world, &from);
    *local = seen_from_above(base->world, &at);
    *out = &s->base;
    return E_OK;
}

static err connect_fd(world *w, int fd, const struct sockaddr *to, socklen_t size, uint8_t family, sock **out)
{
    bool at_once = connect(fd, to, size) == 0;
    if (!at_once && errno == EINVAL)             // so Linux says that no way leads from a loopback address to elsewhere
        errno = ENETUNREACH;
    if (!at_once && errno == EAGAIN) {           // a Unix listener whose queue is full: there is nothing to wait on
        close(fd);
        return E_LIMIT;
    }
    if (!at_once && errno != EINPROGRESS)
        return close_failed(fd);
    linux_sock *s;
    err e = linux_sock_new(w, fd, true, family, &s);
    if (e)
        return e;
    s->base.writable = s->is_connected = at_once;
    *out = &s->base;
    return E_OK;
}

err linux_connect(world *w, addr to, sock **out)
{
    int fd = linux_socket(to.family, SOCK_STREAM);
    if (fd < 0)
        return errno_err(errno);
    struct sockaddr_storage at;
    addr own = first_address(w, to.family);
    if (own.family) {
        // The port is chosen when the peer is known: many more are free then.
        set_option(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1);
        socklen_t size = sockaddr_of(addr_with_port(own, 0), &at);
        if (bind(fd, (struct sockaddr *)&at, size) != 0)
            return close_failed(fd);
    }
    to.port = world_port(w, to.port);
    socklen_t size = sockaddr_of(to, &at);
    return connect_fd(w, fd, (struct sockaddr *)&at, size, to.family, out);
}

err linux_connect_unix(world *w, const char *path, sock **out)
{
    struct sockaddr_un to;
    if (!unix_address(path, &to))
        return E_TOO_LONG;
    int fd = linux_socket(0, SOCK_STREAM);
    if (fd < 0)
        return errno_err(errno);
    return connect_fd(w, fd, (struct sockaddr *)&to, sizeof to, 0, out);
}

err linux_connected(sock *base)
{
    linux_sock *s = linux_of(base);
    int number = 0;
    socklen_t size = sizeof number;
    if (s->is_connected)
        return E_OK;
    if (!base->writable)
        return E_AGAIN;
    must(getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &number, &size) == 0);
    if (number)
        return errno_err(number);
    s->is_connected = base->readable = true;
    return E_OK;
}

// ---- bytes ----------------------------------------------------------------------------------------------------------------

// A short read has emptied the socket: the next byte makes a new edge. Unless the end was seen already: that edge is past.
err linux_read(sock *base, void *into, size_t size, size_t *got)
{
    linux_sock *s = linux_of(base);
    ssize_t n;
    *got = 0;
    if (!base->readable)
        return E_AGAIN;
    do
        n = recv(s->fd, into, size, 0);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return errno_err(errno);
    if (n == 0)
        return size ? E_EOF : E_OK;
    if ((size_t)n < size && !s->hung_up)
        base->readable = false;
    *got = (size_t)n;
    return E_OK;
}

// A write is taken as long as it fits behind what was not sent yet, however much waits: only poll heeds the ceiling, and promises the
// next edge.
static bool takes_more(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLOUT};
    return poll(&p, 1, 0) != 0;
}

// The first `most` bytes of these, and more come behind them; false: they are fewer.
static bool shortened(const struct iovec *from, int *count, size_t most, struct iovec out[IOVECS_MAX])
{
    for (int i = 0; i < *count && i < IOVECS_MAX; i++) {
        out[i] = from[i];
        if (from[i].iov_len <= most) {
            most -= from[i].iov_len;
            continue;
        }
        out[i].iov_len = most;
        *count = i + 1;
        return true;
    }
    return false;
}

err linux_write(sock *base, const struct iovec *from, int count, size_t *put)
{
    linux_sock *s = linux_of(base);
    struct iovec first[IOVECS_MAX] __attribute__((uninitialized));
    *put = 0;
    if (s->write_max && !takes_more(s->fd))
        return E_AGAIN;
    bool more = s->write_max && shortened(from, &count, (size_t)s->write_max, first);
    from = more ? first : from;
    struct msghdr message = {.msg_iov = (struct iovec *)(uintptr_t)from,
                             .msg_iovlen = (size_t)(count < IOVECS_MAX ? count : IOVECS_MAX)};
    ssize_t n;
    do
        n = sendmsg(s->fd, &message, MSG_NOSIGNAL | (more ? MSG_MORE : 0));
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return errno_err(errno);
    *put = (size_t)n;
    return E_OK;
}

// What stands before the pages waits for them in the kernel, so that both go in full packets.
err linux_write_pages(sock *base, const struct iovec *from, int count, struct pages *in, str bytes, size_t *put)
{
    linux_sock *s = linux_of(base);
    struct msghdr message = {.msg_iov = (struct iovec *)(uintptr_t)from, .msg_iovlen = (size_t)count};
    size_t before = 0;
    ssize_t n = 0;
    *put = 0;
    for (int i = 0; i < count; i++)
        before += from[i].iov_len;
    do
        n = before ? sendmsg(s->fd, &message, MSG_NOSIGNAL | MSG_MORE) : 0;
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return errno_err(errno);
    *put = (size_t)n;
    if (*put < before)
        return E_OK;
    size_t went;
    int trouble = pages_send(in, s->fd, bytes, &s->fills, &went);
    *put += went;
    return *put > 0 || !trouble ? E_OK : errno_err(trouble);          // trouble shows again at the next call
}

err linux_shutdown(sock *base) { return shutdown(linux_of(base)->fd, SHUT_WR) == 0 ? E_OK : errno_err(errno); }
void linux_close(sock *base)
{
    linux_sock *s = linux_of(base);
    struct linger at_once = {.l_onoff = 1, .l_linger = 0};
    if (base->aborted && s->is_stream)
        setsockopt(s->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    linux_sock_free(s);
}

addr linux_local(sock *base)
{
    struct sockaddr_storage at = {0};
    socklen_t size = sizeof at;
    if (getsockname(linux_of(base)->fd, (struct sockaddr *)&at, &size) != 0)
        return (addr){0};
    return seen_from_above(base->world, &at);
}

void linux_unsent_max(sock *base, int bytes)
{
    if (linux_of(base)->family)
        set_option(linux_of(base)->fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, bytes ? bytes : INT_MAX);
}

void linux_queue_short(sock *base, int least)
{
    if (linux_of(base)->family)
        linux_of(base)->write_max = queue_short_set(linux_of(base)->fd, least);
}

bool linux_peer_closed(sock *base)
{
    struct pollfd look = {.fd = linux_of(base)->fd, .events = POLLRDHUP};
    return poll(&look, 1, 0) == 1 && (look.revents & (POLLRDHUP | POLLERR | POLLHUP));
}
