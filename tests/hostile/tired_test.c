// A domain with ten mail servers of eight addresses each, none of which ever greets: one attempt at it must not hold a sender's place
// for a working day. In virtual time.
#include "base/base64.h"
#include "cmd/small_internet.h"
#include "rt/listener.h"
#include "rt/log.h"
#include "rt/loop.h"
#include "rt/sim.h"
#include "rt/worker.h"
#include "test.h"
#include "wire/mail/sasl.h"

enum { PIT_ADDRESSES = 16, EXCHANGERS = 10, ADDRESSES_EACH = 8, ARENA_BYTES = 1 << 20, ATTEMPT_MINUTES_MAX = 21 };

typedef struct {
    sim           *sim;
    small_internet internet;
    int            knocked;              // connections to the pit
    int            attempts;             // that the mta gave up
    int64_t        longest_ms;
} theatre;

static addr pit_address(int i) { return addr_v4(0xcb007100u + 1 + (uint32_t)i, 0); }

// Its own version of the zone, before the host's name server looks for it.
static void zone_write(void *arg)
{
    world *w = arg;
    buf zone = buf_make(64 * 1024);
    buf_put(&zone, S("$TTL 1h\n@ IN SOA ns1.amazon.com. root.amazon.com. ( 1 2h 30m 2w 1m )\n@ IN NS ns1.amazon.com.\nns1 IN A 205.251.192.27\n"));
    for (int i = 0; i < EXCHANGERS; i++) {
        buf_format(&zone, "@ IN MX %d pit%d.amazon.com.\n", i + 1, i);
        for (int k = 0; k < ADDRESSES_EACH; k++)
            buf_format(&zone, "pit%d IN A 203.0.113.%d\n", i, 1 + (i + k) % PIT_ADDRESSES);
    }
    CHECK_INT(dir_make(w, "data/amazon.com/zones", 0700), E_OK);
    CHECK_INT(file_replace(w, "data/amazon.com/zones/amazon.com.zone", buf_str(&zone), 0600), E_OK);
    buf_free(&zone);
}

static world *machine_make(void *arg, str name, const addr *addresses, int count)
{
    world *w = sim_host(((theatre *)arg)->sim, name, addresses, count, (sim_disk){.write_ns = 10000, .sync_ns = millis(1)});
    if (str_eq(name, S("amazon.com"))) {
        world *here = world_here();
        fiber_world(w);
        work(zone_write, w);
        fiber_world(here);
    }
    return w;
}

static void say_nothing(conn *c, void *arg)
{
    theatre *t = arg;
    t->knocked++;
    while (!c->error)
        conn_used(c, (size_t)conn_some(c).len);
}

static void log_look(void *arg, str line)
{
    theatre *t = arg;
    ptrdiff_t at = str_find_str(line, S(" duration_ms="));
    int64_t ms = 0;
    if (str_find_str(line, S("service=smtp-out")) < 0 || str_find_str(line, S("verdict=unreachable")) < 0 || at < 0)
        return;
    str number = str_from(line, at + 13);
    CHECK(str_to_i64(str_cut(&number, '.'), &ms));
    t->attempts++;
    t->longest_ms = ms > t->longest_ms ? ms : t->longest_ms;
}

static void said(conn *c, arena *a, const char *line, const char *answer)
{
    if (line[0])
        conn_format(c, "%s\r\n", line);
    str heard;
    do
        heard = conn_line(c, a, 2048);
    while (heard.len > 3 && heard.at[3] == '-');
    CHECK(str_starts(heard, str_z(answer)));
}

// From her own machine, where a password may go without TLS.
static void alice_writes(theatre *t)
{
    arena a = arena_make(ARENA_BYTES);
    small_host *h = small_find(&t->internet, S("crepes.fr"));
    str password = {0};
    for (int i = 0; i < t->internet.account_count; i++)
        if (str_eq(t->internet.accounts[i].address, S("alice@crepes.fr")))
            password = t->internet.accounts[i].password;
    conn *c = conn_open(h->world, addr_with_port(h->host->here[0], 587), seconds(10));
    said(c, &a, "", "220");
    said(c, &a, "EHLO laptop", "250");
    said(c, &a, str_to_z(&a, str_join(&a, S("AUTH PLAIN "), sasl_plain_write(&a, S("alice@crepes.fr"), password))), "235");
    said(c, &a, "MAIL FROM:<alice@crepes.fr>", "250");
    said(c, &a, "RCPT TO:<x@amazon.com>", "250");
    said(c, &a, "DATA", "354");
    said(c, &a, "Subject: into the pit\r\n\r\nx\r\n.", "250");
    said(c, &a, "QUIT", "221");
    conn_close(c);
    arena_free(&a);
}

static void first(void *arg)
{
    theatre *t = arg;
    addr pit[PIT_ADDRESSES];
    door *d;
    str why = {0};
    log_setup(LOG_LOGFMT, LOG_INFO, log_look, t);
    small_options options = {.directory = S("data"), .real_addresses = true, .real_ports = true, .make = machine_make, .make_arg = t,
                             .retry_ns = seconds(2), .expire_ns = minutes(10)};
    CHECK_INT(small_internet_start(&t->internet, options, &why), E_OK);
    CHECK_STR(why, S(""));
    world *home = world_here();
    for (int i = 0; i < PIT_ADDRESSES; i++)
        pit[i] = pit_address(i);
    world *below = sim_host(t->sim, S("pit"), pit, PIT_ADDRESSES, (sim_disk){0});
    fiber_world(below);
    SCOPE(doors, 0, 1000);
    for (int i = 0; i < PIT_ADDRESSES; i++)
        CHECK_INT(door_open(&doors, below, (door_options){.service = "pit", .at = addr_with_port(pit[i], 25)}, say_nothing, t, &d), E_OK);
    fiber_world(small_find(&t->internet, S("crepes.fr"))->world);
    alice_writes(t);
    for (int i = 0; i < 120 && !t->attempts; i++)
        fiber_sleep(minutes(1));
    fiber_world(home);
    scope_close(&doors);
    small_internet_stop(&t->internet);
}

TEST(mta_gives_up_on_many_servers_that_never_greet)
{
    static theatre t;
    t = (theatre){.sim = sim_new(1)};
    CHECK_INT(sim_run(t.sim, first, &t), E_OK);
    CHECK_INT(t.attempts, 1);
    CHECK(t.knocked >= 2 && t.knocked <= 5);
    CHECK(t.longest_ms <= ATTEMPT_MINUTES_MAX * 60000);
    sim_free(t.sim);
}
