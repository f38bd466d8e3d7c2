// bench-echo [--json] [--quick]: what a datagram and a byte cost on their way through naru, beside the bare system calls,
// and what an idle conversation costs in memory.
//
// A server under test is a process of its own, pinned to one processor; the load comes from this process on another. Two
// servers (naru's and the bare one) stay up and are loaded in turn; the CPU time of the server's process over each round,
// divided by the datagrams or bytes, gives one ratio a pair of rounds; the median counts. Congestion control is cubic on
// both sides. Memory is the growth of the server's private pages, divided by the conversations.
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/heap_memory.h"
#include "base/must.h"
#include "rooms/upper/upper.h"
#include "rt/conn_inside.h"
#include "rt/linux.h"
#include "rt/log.h"
#include "rt/tls.h"

#include <openssl/ssl.h>

enum {
    PAIRS_MAX = 31, PAIRS = 15, PAIRS_QUICK = 5,
    DATAGRAM_BYTES = 64, DATAGRAMS = 150000, DATAGRAMS_QUICK = 60000, OUTSTANDING_MAX = 128,
    CHUNK_BYTES = 64 * 1024, CHUNKS = 6000, CHUNKS_QUICK = 3000,
    PLAIN_CONNS = 18000, TLS_CONNS = 5000, CONNS_QUICK = 2000,
};

static int pairs = PAIRS;
static bool quick;

// ---- processes ------------------------------------------------------------------------------------------------------------

typedef struct {
    pid_t     pid;
    clockid_t cpu;
    uint16_t  port;
} server;

static void pin(int processor)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(processor, &set);
    sched_setaffinity(0, sizeof set, &set);              // one processor only: then all share it
}

static struct sockaddr_in loopback(uint16_t port)
{
    return (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static bool bound(int type, struct sockaddr_in *at)
{
    int fd = socket(AF_INET, type, 0);
    socklen_t size = sizeof *at;
    bool ok = fd >= 0 && bind(fd, (struct sockaddr *)at, size) == 0 && getsockname(fd, (struct sockaddr *)at, &size) == 0;
    close(fd);
    return ok;
}

// A port that is free for UDP and TCP.
static uint16_t free_port(void)
{
    struct sockaddr_in at;
    do {
        at = loopback(0);
        must(bound(SOCK_DGRAM, &at));
    } while (!bound(SOCK_STREAM, &at));
    return ntohs(at.sin_port);
}

// Runs serve(port, ready) in a child; it writes a byte to `ready` when it listens.
static server server_start(void (*serve)(uint16_t port, int ready))
{
    int ready[2];
    char byte;
    server s = {.port = free_port()};
    must(pipe(ready) == 0);
    s.pid = fork();
    must(s.pid >= 0);
    if (s.pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        pin(0);
        serve(s.port, ready[1]);
        _exit(0);
    }
    close(ready[1]);
    must(read(ready[0], &byte, 1) == 1);
    close(ready[0]);
    must(clock_getcpuclockid(s.pid, &s.cpu) == 0);
    return s;
}

static void server_stop(server *s)
{
    kill(s->pid, SIGKILL);
    waitpid(s->pid, NULL, 0);
}

static double cpu_ns(const server *s)
{
    struct timespec t;
    must(clock_gettime(s->cpu, &t) == 0);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static int smaller(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *values, int count)
{
    qsort(values, (size_t)count, sizeof *values, smaller);
    return values[count / 2];
}

// naru's loop in this process until it is killed.
typedef struct { uint16_t port; int ready; void (*open)(uint16_t port); } naru_server;

static void naru_first(void *arg)
{
    naru_server *n = arg;
    n->open(n->port);
    must(write(n->ready, "r", 1) == 1);
    while (fiber_sleep(seconds(3600)) == E_OK)
        ;
}

static void naru_run(uint16_t port, int ready, void (*open)(uint16_t port))
{
    addr own = addr_v4(INADDR_LOOPBACK, 0);
    naru_server n = {port, ready, open};
    log_setup(LOG_LOGFMT, LOG_ERROR, NULL, NULL);
    loop_run(driver_linux_new(), world_linux_new(S("bench"), &own, 1), naru_first, &n);
}

// ---- datagrams ------------------------------------------------------------------------------------------------------------

static int bare_udp_socket(uint16_t port)
{
    int fd = socket(AF_INET, SOCK_DGRAM, 0), bytes = 4 << 20;
    struct sockaddr_in at = loopback(port);
    must(fd >= 0 && bind(fd, (struct sockaddr *)&at, sizeof at) == 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
    return fd;
}

static void batch_prepare(struct mmsghdr *m, struct iovec *v, struct sockaddr_in *from, unsigned char (*bytes)[2048])
{
    for (int i = 0; i < DATAGRAM_BATCH_MAX; i++) {
        v[i] = (struct iovec){bytes[i], sizeof *bytes};
        m[i].msg_hdr = (struct msghdr){.msg_iov = &v[i], .msg_iovlen = 1};
        if (from) {
            m[i].msg_hdr.msg_name = &from[i];
            m[i].msg_hdr.msg_namelen = sizeof from[i];
        }
    }
}

static void bare_udp(uint16_t port, int ready)
{
    static unsigned char bytes[DATAGRAM_BATCH_MAX][2048];
    static struct sockaddr_in from[DATAGRAM_BATCH_MAX];
    static struct mmsghdr m[DATAGRAM_BATCH_MAX];
    static struct iovec v[DATAGRAM_BATCH_MAX];
    int fd = bare_udp_socket(port);
    must(write(ready, "r", 1) == 1);
    for (;;) {
        batch_prepare(m, v, from, bytes);
        int got = recvmmsg(fd, m, DATAGRAM_BATCH_MAX, MSG_WAITFORONE, NULL);
        for (int i = 0; i < got; i++) {
            v[i].iov_len = m[i].msg_len;
            for (unsigned k = 0; k < m[i].msg_len; k++)
                bytes[i][k] = upper(bytes[i][k]);
        }
        for (int sent = 0, n; sent < got; sent += n)
            must((n = sendmmsg(fd, m + sent, (unsigned)(got - sent), 0)) > 0);
    }
}

static void upper_open(uint16_t port)
{
    static node n;
    static arena memory;
    config_error error;
    str why;
    memory = arena_make(1 << 20);
    statement *s = config_parse(S("bench"), str_format(&memory, "port %u", port), &memory, NULL, NULL, &error);
    must(s && node_start(&n, world_here(), S("bench"), S("/tmp")) == E_OK);
    must(node_add(&n, &upper_kind, s, NULL, &why) == E_OK);
}

static void naru_udp(uint16_t port, int ready) { naru_run(port, ready, upper_open); }

// Sends `total` datagrams with at most OUTSTANDING_MAX unanswered; answers how many came back.
static int udp_load(int fd, int total)
{
    static unsigned char in[DATAGRAM_BATCH_MAX][2048], out[DATAGRAM_BATCH_MAX][2048];
    static struct mmsghdr mi[DATAGRAM_BATCH_MAX], mo[DATAGRAM_BATCH_MAX];
    static struct iovec vi[DATAGRAM_BATCH_MAX], vo[DATAGRAM_BATCH_MAX];
    int sent = 0, back = 0;
    batch_prepare(mi, vi, NULL, in);
    batch_prepare(mo, vo, NULL, out);
    for (int i = 0; i < DATAGRAM_BATCH_MAX; i++) {
        vo[i].iov_len = DATAGRAM_BYTES;
        memset(out[i], 'a' + i % 26, DATAGRAM_BYTES);
    }
    while (back < total) {
        int allowed = OUTSTANDING_MAX - (sent - back), n = total - sent;
        n = n > DATAGRAM_BATCH_MAX ? DATAGRAM_BATCH_MAX : n;
        if (n > 0 && allowed >= n) {
            n = sendmmsg(fd, mo, (unsigned)n, 0);
            sent += n > 0 ? n : 0;
            continue;
        }
        struct pollfd p = {fd, POLLIN, 0};
        if (poll(&p, 1, 200) == 0)
            break;                                       // lost
        n = recvmmsg(fd, mi, DATAGRAM_BATCH_MAX, MSG_DONTWAIT, NULL);
        back += n > 0 ? n : 0;
    }
    return back;
}

static double udp_round(const server *s, int datagrams)
{
    int fd = bare_udp_socket(0);
    struct sockaddr_in to = loopback(s->port);
    must(connect(fd, (struct sockaddr *)&to, sizeof to) == 0);
    udp_load(fd, 1000);
    double start = cpu_ns(s);
    int back = udp_load(fd, datagrams);
    double took = cpu_ns(s) - start;
    close(fd);
    must(back > datagrams * 9 / 10);
    return took / back;
}

// ---- bytes ----------------------------------------------------------------------------------------------------------------

static void cubic(int fd) { setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, "cubic", 5); }

static int bare_listener(uint16_t port)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;
    struct sockaddr_in at = loopback(port);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    must(fd >= 0 && bind(fd, (struct sockaddr *)&at, sizeof at) == 0 && listen(fd, 16) == 0);
    return fd;
}

static void bare_tcp(uint16_t port, int ready)
{
    static unsigned char bytes[CHUNK_BYTES];
    int listener = bare_listener(port);
    must(write(ready, "r", 1) == 1);
    for (int fd; (fd = accept(listener, NULL, NULL)) >= 0; close(fd)) {
        int one = 1;
        cubic(fd);
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        for (ssize_t got; (got = recv(fd, bytes, sizeof bytes, 0)) > 0; )
            for (ssize_t sent = 0, n; sent < got; sent += n)
                if ((n = send(fd, bytes + sent, (size_t)(got - sent), MSG_NOSIGNAL)) <= 0)
                    break;
    }
}

static void echo_bytes(conn *c, void *arg)
{
    (void)arg;
    cubic(linux_of(inside(c)->sock)->fd);
    for (str some; (some = conn_some(c)).len > 0; ) {
        conn_put(c, some);
        conn_used(c, (size_t)some.len);
    }
}

static void door_of(uint16_t port, door_serve *serve, tls_config *tls)
{
    static scope s;
    door *d;
    door_options options = {.service = "bench", .at = addr_v4(INADDR_LOOPBACK, port), .tls = tls};
    scope_open(&s, 0, 4);
    must(door_open(&s, world_here(), options, serve, NULL, &d) == E_OK);
}

static void echo_open(uint16_t port) { door_of(port, echo_bytes, NULL); }
static void naru_tcp(uint16_t port, int ready) { naru_run(port, ready, echo_open); }

static int connect_to(const server *s)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;
    struct sockaddr_in to = loopback(s->port);
    must(fd >= 0);
    cubic(fd);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    must(connect(fd, (struct sockaddr *)&to, sizeof to) == 0);
    return fd;
}

// Writes and reads as it can: `total` bytes there and back.
static void tcp_load(int fd, int64_t total)
{
    static unsigned char out[CHUNK_BYTES], in[CHUNK_BYTES];
    int64_t sent = 0, back = 0;
    while (back < total) {
        bool more = sent < total && sent - back < 16 * CHUNK_BYTES;
        struct pollfd p = {fd, (short)(POLLIN | (more ? POLLOUT : 0)), 0};
        must(poll(&p, 1, 10000) > 0);
        if (p.revents & POLLIN) {
            ssize_t n = recv(fd, in, sizeof in, MSG_DONTWAIT);
            must(n > 0);
            back += n;
        }
        if (p.revents & POLLOUT) {
            ssize_t n = send(fd, out, sizeof out, MSG_DONTWAIT | MSG_NOSIGNAL);
            must(n > 0 || errno == EAGAIN);
            sent += n > 0 ? n : 0;
            total = total > sent ? total : sent;         // whole chunks
        }
    }
}

static double tcp_round(const server *s, int64_t bytes)
{
    int fd = connect_to(s);
    tcp_load(fd, bytes / 20);
    double start = cpu_ns(s);
    tcp_load(fd, bytes);
    double took = cpu_ns(s) - start;
    close(fd);
    return took / (double)bytes;
}

// ---- idle conversations ---------------------------------------------------------------------------------------------------

static tls_config *bench_tls;

static void mail_like(conn *c, void *arg)
{
    (void)arg;
    arena msg = arena_make(64 * 1024);
    conn_put(c, S("220 bench ESMTP\r\n"));
    while (!c->error) {
        conn_deadline(c, minutes(60));
        str line = conn_line(c, &msg, 1000);
        if (line.len > 0)
            conn_format(c, "250 bench greets " STR_FMT, STR_ARG(line));
        arena_free(&msg);
    }
}

static void plain_open(uint16_t port) { door_of(port, mail_like, NULL); }
static void plain_idle(uint16_t port, int ready) { naru_run(port, ready, plain_open); }

static void tls_open(uint16_t port)
{
    arena memory = arena_make(1 << 20);
    certificate ca, cert;
    str name = S("bench.example"), why;
    must(certificate_authority_make(world_here(), S("bench"), 10, &memory, &ca) &&
         certificate_make(world_here(), &ca, &name, 1, 10, &memory, &cert));
    bench_tls = tls_server_new(world_here(), "smtp", cert.cert_pem, cert.key_pem, NULL, &memory, &why);
    must(bench_tls);
    door_of(port, mail_like, bench_tls);
}

static void tls_idle(uint16_t port, int ready) { naru_run(port, ready, tls_open); }

static long private_kib(pid_t pid)
{
    char path[64], line[256];
    long kib = 0, n;
    snprintf(path, sizeof path, "/proc/%d/smaps_rollup", (int)pid);
    FILE *f = fopen(path, "r");
    must(f);
    while (fgets(line, sizeof line, f))
        if (strncmp(line, "Private_", 8) == 0) {
            const char *colon = strchr(line, ':');
            n = colon ? strtol(colon + 1, NULL, 10) : 0;
            kib += n;
        }
    fclose(f);
    return kib;
}

static void expect_line(int fd, const char *start)
{
    char line[256];
    ssize_t n = recv(fd, line, sizeof line, 0);
    must(n >= (ssize_t)strlen(start) && memcmp(line, start, strlen(start)) == 0);
}

static void plain_greet(int fd)
{
    expect_line(fd, "220 ");
    must(send(fd, "EHLO client.example\r\n", 21, 0) == 21);
    expect_line(fd, "250 ");
}

static SSL_CTX *client_context;

static void tls_greet(int fd)
{
    char line[256];
    SSL *ssl = SSL_new(client_context);
    SSL_set_fd(ssl, fd);
    must(SSL_connect(ssl) == 1 && SSL_read(ssl, line, sizeof line) > 4);
    must(SSL_write(ssl, "EHLO client.example\r\n", 21) == 21 && SSL_read(ssl, line, sizeof line) > 4);
    SSL_set_quiet_shutdown(ssl, 1);
    SSL_free(ssl);                                       // the descriptor stays open: the server waits for the next line
}

typedef struct { int conns; double bytes_each; } idle_figure;

static idle_figure idle_measure(void (*serve)(uint16_t port, int ready), void (*greet)(int fd), int wanted)
{
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    int *fds = memory_zeroed((size_t)wanted, sizeof *fds), conns = 0, warm = 100;
    if (wanted > (int)files.rlim_cur - 200)
        wanted = (int)files.rlim_cur - 200;
    server s = server_start(serve);
    for (; conns < warm; conns++)
        greet(fds[conns] = connect_to(&s));
    sleep(3);                                            // stacks are trimmed once a while
    long before = private_kib(s.pid);
    for (; conns < wanted; conns++)
        greet(fds[conns] = connect_to(&s));
    sleep(quick ? 3 : 6);
    long after = private_kib(s.pid);
    for (int i = 0; i < conns; i++)
        close(fds[i]);
    memory_free(fds);
    server_stop(&s);
    return (idle_figure){conns, (double)(after - before) * 1024 / (conns - warm)};
}

// ---- the table ------------------------------------------------------------------------------------------------------------

typedef struct { double naru, bare, ratio, low, high; } pair_figure;

static pair_figure compare(server *naru, server *bare, double (*round)(const server *, int64_t), int64_t amount)
{
    double n[PAIRS_MAX], b[PAIRS_MAX], r[PAIRS_MAX];
    for (int i = 0; i < pairs; i++) {
        bool naru_first_now = i % 2;
        if (naru_first_now)
            n[i] = round(naru, amount);
        b[i] = round(bare, amount);
        if (!naru_first_now)
            n[i] = round(naru, amount);
        r[i] = n[i] / b[i];
    }
    pair_figure f = {median(n, pairs), median(b, pairs), median(r, pairs), 0, 0};
    f.low = r[pairs / 4];
    f.high = r[pairs - 1 - pairs / 4];
    server_stop(naru);
    server_stop(bare);
    return f;
}

static double udp_round_of(const server *s, int64_t amount) { return udp_round(s, (int)amount); }

static bool say(const char *what, const char *unit, pair_figure f, double limit)
{
    bool ok = f.ratio <= limit;
    fprintf(stderr, "%-34s naru %8.3f %s   bare %8.3f   ratio %.3f (middle half %.3f to %.3f), goal %.2f: %s\n", what,
            f.naru, unit, f.bare, f.ratio, f.low, f.high, limit, ok ? "met" : "MISSED");
    return ok;
}

static bool say_idle(const char *what, idle_figure f, double limit_kib)
{
    bool ok = f.bytes_each <= limit_kib * 1024;
    fprintf(stderr, "%-34s %6d conversations, %.2f KiB each, goal %.0f KiB: %s\n", what, f.conns, f.bytes_each / 1024,
            limit_kib, ok ? "met" : "MISSED");
    return ok;
}

static void print_json(pair_figure udp, pair_figure tcp, idle_figure plain, idle_figure tls, bool met)
{
    printf("{\"bench\": \"echo\", \"pairs\": %d, ", pairs);
    printf("\"udp_us_per_packet\": %.4f, \"udp_bare_us_per_packet\": %.4f, \"udp_ratio\": %.4f, \"udp_ratio_goal\": 1.10, ",
           udp.naru, udp.bare, udp.ratio);
    printf("\"conn_ns_per_byte\": %.5f, \"bare_ns_per_byte\": %.5f, \"conn_ratio\": %.4f, \"conn_ratio_goal\": 1.15, ",
           tcp.naru, tcp.bare, tcp.ratio);
    printf("\"idle_conns\": %d, \"idle_bytes_each\": %.0f, \"idle_bytes_goal\": 5120, ", plain.conns, plain.bytes_each);
    printf("\"idle_tls_conns\": %d, \"idle_tls_bytes_each\": %.0f, \"idle_tls_bytes_goal\": 20480, \"met\": %s}\n", tls.conns,
           tls.bytes_each, met ? "true" : "false");
}

int main(int argc, char **argv)
{
    bool json = false;
    quick = getenv("NARU_BENCH_QUICK") != NULL;
    for (int i = 1; i < argc; i++) {
        json |= strcmp(argv[i], "--json") == 0;
        quick |= strcmp(argv[i], "--quick") == 0;
    }
    pairs = quick ? PAIRS_QUICK : PAIRS;
    signal(SIGPIPE, SIG_IGN);
    client_context = SSL_CTX_new(TLS_client_method());
    pin(1);
    server naru = server_start(naru_udp), bare = server_start(bare_udp);
    pair_figure udp = compare(&naru, &bare, udp_round_of, quick ? DATAGRAMS_QUICK : DATAGRAMS);
    udp.naru /= 1000, udp.bare /= 1000;
    bool ok = say("UDP upper, 64 bytes", "us a packet", udp, 1.10);
    naru = server_start(naru_tcp), bare = server_start(bare_tcp);
    pair_figure tcp = compare(&naru, &bare, tcp_round, (int64_t)CHUNK_BYTES * (quick ? CHUNKS_QUICK : CHUNKS));
    ok &= say("bytes through conn, there and back", "ns a byte  ", tcp, 1.15);
    idle_figure plain = idle_measure(plain_idle, plain_greet, quick ? CONNS_QUICK : PLAIN_CONNS);
    ok &= say_idle("idle SMTP-like conversations", plain, 5);
    idle_figure tls = idle_measure(tls_idle, tls_greet, quick ? CONNS_QUICK : TLS_CONNS);
    ok &= say_idle("idle conversations with TLS", tls, 20);
    if (json)
        print_json(udp, tcp, plain, tls, ok);
    return ok ? 0 : 1;
}
