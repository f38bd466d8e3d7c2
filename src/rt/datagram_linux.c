// Datagrams of the real world: in batches, answered from the address that was asked (ip(7) IP_PKTINFO, RFC 3542 section 6).
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/heap_memory.h"
#include "rt/linux.h"

enum { CONTROL_BYTES = CMSG_SPACE(sizeof(struct in6_pktinfo)) };

typedef union { char bytes[CONTROL_BYTES]; struct cmsghdr align; } control;

typedef struct datagram_batch {
    struct mmsghdr          messages[DATAGRAM_BATCH_MAX];
    struct iovec            places[DATAGRAM_BATCH_MAX];
    struct sockaddr_storage peers[DATAGRAM_BATCH_MAX];
    control                 controls[DATAGRAM_BATCH_MAX];
} datagram_batch;

datagram_batch *datagram_batch_new(void) { return memory_zeroed(1, sizeof(datagram_batch)); }

// ---- making ---------------------------------------------------------------------------------------------------------------

static bool port_is_mapped(const world *w, uint16_t port)
{
    for (int i = 0; i < w->port_count; i++)
        if (w->ports[i].real == port || w->ports[i].well_known == port)
            return true;
    return false;
}

// A port nobody can guess: from the whole range above the privileged ones (RFC 5452 section 9.2).
static err bind_random_port(world *w, int fd, addr at)
{
    enum { FIRST = 1024, COUNT = 65536 - FIRST };
    err e = E_IN_USE;
    for (int i = 0; i < RANDOM_PORT_TRIES_MAX && e == E_IN_USE; i++) {
        at.port = (uint16_t)(FIRST + world_random_below(w, COUNT));
        if (!port_is_mapped(w, at.port))
            e = linux_bind(w, fd, at);
    }
    return e;
}

static void door_options_set(int fd, addr at, bool share_port)
{
    int yes = 1, bytes = DATAGRAM_DOOR_BUFFER_BYTES;
    if (share_port)
        setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &yes, sizeof yes);
    if (at.port)
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
}

// A bound wildcard must say with each datagram which address was asked; a socket with an address knows it.
static void learn_address(linux_sock *s)
{
    struct sockaddr_storage at = {0};
    socklen_t size = sizeof at;
    int yes = 1;
    must(getsockname(s->fd, (struct sockaddr *)&at, &size) == 0);
    s->at = addr_of_sockaddr(&at);
    s->asks_local = addr_is_any(s->at);
    if (s->asks_local && s->family == 4)
        setsockopt(s->fd, IPPROTO_IP, IP_PKTINFO, &yes, sizeof yes);
    if (s->asks_local && s->family == 6)
        setsockopt(s->fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &yes, sizeof yes);
}

err linux_datagram_fd(world *w, addr real, bool share_port, int *out)
{
    *out = -1;
    int fd = linux_socket(real.family, SOCK_DGRAM);
    if (fd < 0)
        return errno_err(errno);
    door_options_set(fd, real, share_port);
    err e = real.port ? linux_bind(w, fd, real) : bind_random_port(w, fd, real);
    if (e)
        close(fd);
    *out = e ? -1 : fd;
    return e;
}

err linux_datagram(world *w, addr at, bool share_port, sock **out)
{
    int fd = -1;
    at.port = at.port ? world_port(w, at.port) : 0;
    err inherited = inherited_datagram(at, &fd);
    err e = inherited == E_AGAIN ? linux_datagram_fd(w, at, share_port, &fd) : inherited;
    linux_sock *s;
    if (!e)
        e = linux_sock_new(w, fd, false, at.family, &s);
    if (e)
        return e;
    s->is_shared = inherited == E_OK;
    s->base.writable = true;
    learn_address(s);
    *out = &s->base;
    return E_OK;
}

err linux_datagram_connect(sock *base, addr to)
{
    linux_sock *s = linux_of(base);
    struct sockaddr_storage at;
    to.port = world_port(base->world, to.port);
    socklen_t size = sockaddr_of(to, &at);
    if (connect(s->fd, (struct sockaddr *)&at, size) != 0)
        return errno_err(errno);
    s->is_connected = true;
    learn_address(s);
    return E_OK;
}

enum { GROUP_HOPS = 4 };                     // of 239.192/14 and ff15::/16: a site's own networks, not the world

static addr own_address(const world *w, int family)
{
    for (int i = 0; i < w->address_count; i++)
        if (w->addresses[i].family == family)
            return w->addresses[i];
    return (addr){.family = (uint8_t)family};
}

static bool group_join_4(int fd, addr group, addr own)
{
    struct ip_mreq join;
    int hops = GROUP_HOPS;
    memcpy(&join.imr_multiaddr, group.ip, 4);
    memcpy(&join.imr_interface, own.ip, 4);
    return setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &join, sizeof join) == 0 &&
           setsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, &join.imr_interface, sizeof join.imr_interface) == 0 &&
           setsockopt(fd, IPPROTO_IP, IP_MULTICAST_TTL, &hops, sizeof hops) == 0;
}

static bool group_join_6(int fd, addr group)
{
    struct ipv6_mreq join = {0};
    int hops = GROUP_HOPS;
    memcpy(&join.ipv6mr_multiaddr, group.ip, 16);
    return setsockopt(fd, IPPROTO_IPV6, IPV6_JOIN_GROUP, &join, sizeof join) == 0 &&
           setsockopt(fd, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, &hops, sizeof hops) == 0;
}

// Bound to the group itself: nothing else can arrive, and the kernel chooses our address as the source.
err linux_datagram_group(world *w, addr group, sock **out)
{
    struct sockaddr_storage at;
    int yes = 1, fd = linux_socket(group.family, SOCK_DGRAM);
    if (fd < 0)
        return errno_err(errno);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    group.port = world_port(w, group.port);
    socklen_t size = sockaddr_of(group, &at);
    bool joined = bind(fd, (struct sockaddr *)&at, size) == 0 &&
                  (group.family == 4 ? group_join_4(fd, group, own_address(w, 4)) : group_join_6(fd, group));
    linux_sock *s;
    err e = joined ? E_OK : errno == ENODEV ? E_UNREACHABLE : errno_err(errno);
    if (e)
        close(fd);
    else
        e = linux_sock_new(w, fd, false, group.family, &s);
    if (e)
        return e;
    s->base.writable = true;
    learn_address(s);
    *out = &s->base;
    return E_OK;
}

// ---- receiving ------------------------------------------------------------------------------------------------------------

static void local_from_control(linux_sock *s, struct msghdr *m, addr *local)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
        if (s->family == 4 && c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
            struct in_pktinfo info;
            memcpy(&info, CMSG_DATA(c), sizeof info);
            memcpy(local->ip, &info.ipi_spec_dst, 4);
        } else if (s->family == 6 && c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
            struct in6_pktinfo info;
            memcpy(&info, CMSG_DATA(c), sizeof info);
            memcpy(local->ip, &info.ipi6_addr, 16);
        }
    }
}

static void prepare(datagram_batch *b, const linux_sock *s, const datagram *v, int i)
{
    b->places[i] = (struct iovec){v[i].at, v[i].size};
    b->messages[i].msg_hdr = (struct msghdr){.msg_name = &b->peers[i], .msg_namelen = sizeof b->peers[i],
                                             .msg_iov = &b->places[i], .msg_iovlen = 1,
                                             .msg_control = s->asks_local ? &b->controls[i] : NULL,
                                             .msg_controllen = s->asks_local ? sizeof b->controls[i] : 0};
}

err linux_receive(sock *base, datagram *v, int count, int *got)
{
    linux_sock *s = linux_of(base);
    datagram_batch *b = linux_driver_batch(s->driver);
    *got = 0;
    if (!base->readable)
        return E_AGAIN;
    count = count < DATAGRAM_BATCH_MAX ? count : DATAGRAM_BATCH_MAX;
    for (int i = 0; i < count; i++)
        prepare(b, s, v, i);
    int n = recvmmsg(s->fd, b->messages, (unsigned)count, 0, NULL);
    if (n < 0)
        return errno_err(errno);
    if (n < count)
        base->readable = false;                  // emptied: the next one makes a new edge
    addr at = s->at;
    at.port = port_from_real(base->world, at.port);
    for (int i = 0; i < n; i++) {
        v[i].len = b->messages[i].msg_len;
        v[i].peer = addr_of_sockaddr(&b->peers[i]);
        v[i].peer.port = port_from_real(base->world, v[i].peer.port);
        v[i].local = at;
        if (s->asks_local)
            local_from_control(s, &b->messages[i].msg_hdr, &v[i].local);
    }
    *got = n;
    return E_OK;
}

// ---- sending --------------------------------------------------------------------------------------------------------------

static void set_source(const linux_sock *s, struct msghdr *m, control *c, addr source)
{
    struct in_pktinfo v4 = {0};
    struct in6_pktinfo v6 = {0};
    memset(c, 0, sizeof *c);
    memcpy(&v4.ipi_spec_dst, source.ip, 4);
    memcpy(&v6.ipi6_addr, source.ip, 16);
    size_t size = s->family == 4 ? sizeof v4 : sizeof v6;
    c->align.cmsg_level = s->family == 4 ? IPPROTO_IP : IPPROTO_IPV6;
    c->align.cmsg_type = s->family == 4 ? IP_PKTINFO : IPV6_PKTINFO;
    c->align.cmsg_len = CMSG_LEN(size);
    memcpy(CMSG_DATA(&c->align), s->family == 4 ? (void *)&v4 : (void *)&v6, size);
    m->msg_control = c;
    m->msg_controllen = CMSG_SPACE(size);
}

err linux_send(sock *base, const datagram *v, int count, int *sent)
{
    linux_sock *s = linux_of(base);
    datagram_batch *b = linux_driver_batch(s->driver);
    *sent = 0;
    count = count < DATAGRAM_BATCH_MAX ? count : DATAGRAM_BATCH_MAX;
    for (int i = 0; i < count; i++) {
        b->places[i] = (struct iovec){v[i].at, v[i].len};
        struct msghdr *m = &b->messages[i].msg_hdr;
        *m = (struct msghdr){.msg_iov = &b->places[i], .msg_iovlen = 1};
        if (!s->is_connected) {
            m->msg_namelen = sockaddr_of(addr_with_port(v[i].peer, world_port(base->world, v[i].peer.port)), &b->peers[i]);
            m->msg_name = &b->peers[i];
        }
        if (s->asks_local && v[i].local.family == s->family && !addr_is_any(v[i].local))
            set_source(s, m, &b->controls[i], v[i].local);
    }
    int n = sendmmsg(s->fd, b->messages, (unsigned)count, MSG_NOSIGNAL);
    if (n < 0 && errno == EAGAIN)
        linux_sock_full(s);
    if (n < 0)
        return errno_err(errno);
    *sent = n;
    return E_OK;
}
