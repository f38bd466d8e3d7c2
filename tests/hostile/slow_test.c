// Slow-loris on the doors of the small Internet: who says nothing, drips, or never reads is hung up on in bounded time, and meanwhile
// everybody else is served at once. In virtual time.
#include <stdlib.h>

#include "cmd/small_internet.h"
#include "rt/log.h"
#include "rt/loop.h"
#include "rt/sim.h"
#include "talk/control.h"
#include "test.h"

enum { PEERS_OF_A_KIND = 20, ARENA_BYTES = 1 << 20 };

// What a peer says, a byte every `every_ns` from the byte `drip_from` on; then silence.
typedef struct {
    const char *what, *host;
    uint16_t    port;
    const char *prelude;             // said at once
    unsigned char drip;              // said again and again, 0: nothing
    int64_t     every_ns;
    int         limit_minutes;       // by then it must have been hung up on
    int         times;               // says the prelude so often and reads nothing
    const char *again;               // instead of a byte
    const char *path;                // of a Unix socket in the host's directory, instead of a port
} slow_kind;

#define HUNDRED "yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy\r\n"
#define TWO_KB HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED \
    HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED
#define TWELVE_KB TWO_KB TWO_KB TWO_KB TWO_KB TWO_KB TWO_KB TWO_KB

static const slow_kind kinds[] = {
    {"SMTP, silent", "hamburger.edu", 25, "", 0, 0, 6},
    {"SMTP, a byte a minute", "hamburger.edu", 25, "EHLO ", 'x', 60, 6},
    {"SMTP, silent behind DATA", "hamburger.edu", 25, "HELO x\r\nMAIL FROM:<a@b.org>\r\nRCPT TO:<bob@hamburger.edu>\r\nDATA\r\n", 0, 0, 12},
    {"SMTP, a letter that drips", "hamburger.edu", 25, "HELO x\r\nMAIL FROM:<a@b.org>\r\nRCPT TO:<bob@hamburger.edu>\r\nDATA\r\n", 'y', 2, 12},
    {"submission, silent behind STARTTLS", "crepes.fr", 587, "EHLO x\r\nSTARTTLS\r\n", 0, 0, 6},
    {"submission, half a login", "crepes.fr", 587, "EHLO x\r\nAUTH LOGIN\r\n", 0, 0, 6},
    {"submissions, no handshake", "crepes.fr", 465, "", 0, 0, 6},
    {"POP3, silent", "hamburger.edu", 110, "", 0, 0, 3},
    {"POP3, a byte every half minute", "hamburger.edu", 110, "USER ", 'b', 30, 3},
    {"POP3S, half a handshake", "hamburger.edu", 995, "\x16\x03\x01", 0, 0, 3},
    {"DNS over TCP, silent", "hamburger.edu", 53, "", 0, 0, 3},
    {"DNS over TCP, half a question", "hamburger.edu", 53, "\x01\x01", 'q', 20, 10},
    {"upper over TCP, silent", "hamburger.edu", 12000, "", 0, 0, 29},
    {"SMTP, a polite word every four minutes", "hamburger.edu", 25, "EHLO x\r\n", 0, 240, 31, .again = "NOOP\r\n"},
    {"SMTP, a letter without end at a good rate", "hamburger.edu", 25, "EHLO x\r\nMAIL FROM:<a@b.org>\r\nRCPT TO:<bob@hamburger.edu>\r\nDATA\r\n",
     0, 120, 125, .again = TWELVE_KB},
    {"POP3, a question every minute", "hamburger.edu", 110, "", 0, 60, 11, .again = "CAPA\r\n"},
    {"control, silent", "hamburger.edu", 0, "", 0, 0, 2, .path = "control.sock"},
    {"control, half a request", "hamburger.edu", 0, "GET /sta", 't', 3, 1, .path = "control.sock"},
    {"SMTP, who never reads", "hamburger.edu", 25, "HELP\r\n", 0, 0, 12, 100000},
    {"upper, who never reads", "hamburger.edu", 12000, "ketchup and pickles, again and again", 0, 0, 29, 100000},
};
enum { KINDS = sizeof kinds / sizeof kinds[0] };

typedef struct { const slow_kind *kind; const small_host *host; addr to; bool came_in; int64_t began_ns, ended_ns; } slow_peer;

typedef struct {
    sim            *sim;
    small_internet  internet;
    world          *visitor;
    slow_peer       peers[KINDS * PEERS_OF_A_KIND];
    int             waited_ms_max, served;
    bool            over;
} theatre;

// From the host itself: nobody else has its directory.
static conn *path_open(const slow_peer *p)
{
    arena a = arena_make(ARENA_BYTES);
    fiber_world(p->host->world);
    conn *c = conn_open_unix(p->host->world, str_to_z(&a, str_format(&a, STR_FMT "/%s", STR_ARG(p->host->directory), p->kind->path)),
                             seconds(30));
    arena_free(&a);
    return c;
}

// Says its part and counts the time until it is hung up on. What the server says is read, so that only its patience is measured.
static void be_slow(void *arg)
{
    slow_peer *p = arg;
    const slow_kind *k = p->kind;
    conn *c = k->path ? path_open(p) : conn_open(world_here(), p->to, seconds(30));
    p->began_ns = loop_now_ns();
    p->came_in = !c->error;
    for (int i = 0; i <= k->times && !c->error; i++)
        conn_put(c, str_z(k->prelude));
    conn_flush(c);
    int64_t next_ns = k->drip || k->again ? loop_now_ns() + seconds(k->every_ns) : NEVER_NS;
    while (!c->error) {
        err e = conn_wait_input(c, next_ns);
        if (e == E_TIMEOUT) {
            conn_put(c, k->again ? str_z(k->again) : str_of(&k->drip, 1));
            conn_flush(c);
            next_ns += seconds(k->every_ns);
        } else if (e == E_OK) {
            str some = conn_some(c);
            conn_used(c, (size_t)some.len);
        } else {
            break;
        }
    }
    p->ended_ns = loop_now_ns();
    conn_close(c);
}

// Somebody with manners, every ten seconds.
static void be_polite(void *arg)
{
    theatre *t = arg;
    const small_host *h = small_find(&t->internet, S("hamburger.edu"));
    while (!t->over) {
        arena a = arena_make(ARENA_BYTES);
        int64_t began_ns = loop_now_ns();
        conn *c = conn_open(t->visitor, addr_with_port(h->host->here[0], 25), seconds(10));
        conn_deadline(c, seconds(10));
        CHECK(str_starts(conn_line(c, &a, 1000), S("220")));
        conn_put(c, S("QUIT\r\n"));
        CHECK(str_starts(conn_line(c, &a, 1000), S("221")));
        conn_close(c);
        int waited_ms = (int)((loop_now_ns() - began_ns) / NS_PER_MS);
        t->waited_ms_max = waited_ms > t->waited_ms_max ? waited_ms : t->waited_ms_max;
        t->served++;
        arena_free(&a);
        if (fiber_sleep(seconds(10)) != E_OK)
            break;
    }
}

static world *machine_make(void *arg, str name, const addr *addresses, int count)
{
    return sim_host(((theatre *)arg)->sim, name, addresses, count, (sim_disk){.write_ns = 10000, .sync_ns = millis(1)});
}

static void all_at_once(theatre *t)
{
    SCOPE(polite, 0, 1);
    SCOPE(slow, minutes(150), KINDS * PEERS_OF_A_KIND);
    scope_go(&polite, "polite", be_polite, t);
    for (int i = 0; i < KINDS * PEERS_OF_A_KIND; i++) {
        const slow_kind *k = &kinds[i % KINDS];
        const small_host *h = small_find(&t->internet, str_z(k->host));
        t->peers[i] = (slow_peer){.kind = k, .host = h, .to = addr_with_port(h->host->here[0], k->port)};
        scope_go(&slow, "slow", be_slow, &t->peers[i]);
    }
    scope_wait(&slow);
    t->over = true;
    scope_close(&slow);
    scope_cancel(&polite);
    scope_wait(&polite);
}

static void first(void *arg)
{
    theatre *t = arg;
    log_setup(LOG_LOGFMT, LOG_ERROR, NULL, NULL);
    small_options options = {.directory = S("data"), .real_addresses = true, .real_ports = true, .make = machine_make,
                             .make_arg = t, .retry_ns = seconds(2), .expire_ns = minutes(10)};
    str why = {0};
    CHECK_INT(small_internet_start(&t->internet, options, &why), E_OK);
    CHECK_STR(why, S(""));
    world *home = world_here();
    fiber_world(small_find(&t->internet, S("hamburger.edu"))->world);
    CHECK_INT(control_open(&small_find(&t->internet, S("hamburger.edu"))->node), E_OK);
    addr own = addr_v4(0x0a6f0001, 0);
    fiber_world(home);
    t->visitor = sim_host(t->sim, S("visitor"), &own, 1, (sim_disk){0});
    fiber_world(t->visitor);
    all_at_once(t);
    fiber_world(home);
    small_internet_stop(&t->internet);
}

TEST(slow_peers_are_hung_up_on_and_nobody_waits_for_them)
{
    static theatre t;
    t = (theatre){.sim = sim_new(1)};
    CHECK_INT(sim_run(t.sim, first, &t), E_OK);
    for (int i = 0; i < KINDS * PEERS_OF_A_KIND; i++) {
        const slow_peer *p = &t.peers[i];
        int64_t limit_ns = p->began_ns + minutes(p->kind->limit_minutes);
        if (getenv("NARU_TEST_TELL"))
            printf("%s: %lld s\n", p->kind->what, (long long)((p->ended_ns - p->began_ns) / NS_PER_S));
        CHECK_ROW(i, p->came_in);
        if (!p->ended_ns || p->ended_ns > limit_ns)
            printf("  %s: %lld s\n", p->kind->what, (long long)((p->ended_ns - p->began_ns) / NS_PER_S));
        CHECK_ROW(i, p->ended_ns && p->ended_ns <= limit_ns);
    }
    CHECK(t.served > 10);
    CHECK(t.waited_ms_max < 2000);
    sim_free(t.sim);
}
