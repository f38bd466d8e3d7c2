// Asking trackers that work, that keep silent, that speak nonsense and that lead astray; in virtual time.
#include "talk/tracker_ask.h"

#include "rt/listener.h"
#include "rt/sim.h"
#include "rt/tls.h"
#include "test.h"
#include "wire/bt/tracker_udp.h"
#include "wire/dns/message.h"

enum { UDP_PORT = 6969, LOG_MAX = 64, REPLY_BYTES = 4096, SERVERS_FIBERS = 64 };

static const char reply_text[] =
    "d8:completei3e10:incompletei7e8:intervali900e12:min intervali60e5:peers12:\xc6\x33\x64\x07\x1a\xe1\xc6\x33\x64\x08\x1a\xe1" "e";

typedef enum { UDP_WORKS, UDP_SILENT, UDP_CONNECTS_ONLY, UDP_LATE_CONNECT, UDP_NONSENSE, UDP_REFUSES } udp_manner;

typedef struct {
    sim     *sim;
    scope    life;
    world   *client, *tracker, *names;
    udp_manner manner;
    int      family;
    struct { int64_t at_s; uint32_t action; uint64_t connection; } log[LOG_MAX];
    int      logged;
    tracker_event event;
    char     url_data[128];
    const char *http[4];                     // answers: the first request gets the first, the last one serves all others
    int      asked;
    char     request[512];                   // the last head
    const char *txt;                         // the host's record; NULL: none
    const char *address, *address6;          // of every name; NULL: none
    tls_config *tls;                         // the server's, for t.example
    int      names_asked;
    tracker_ways ways;
    tracker_asker asker;
    arena    memory, tls_memory;
    void   (*body)(void *stage);
} stage;

// ---- servers ----------------------------------------------------------------------------------------------------------------

static str udp_answer(stage *t, str in, unsigned char out[REPLY_BYTES], arena *a)
{
    tracker_udp_request q;
    static addr peers[2];
    if (!tracker_udp_request_read(in, a, &q))
        return (str){0};
    if (t->logged < LOG_MAX) {
        t->log[t->logged].at_s = world_now_ns(t->client) / NS_PER_S;
        t->log[t->logged].connection = q.connection;
        t->log[t->logged++].action = q.action;
    }
    tracker_udp_reply r = {.action = q.action, .transaction = q.transaction, .connection = 77};
    if (t->manner == UDP_SILENT || (t->manner == UDP_CONNECTS_ONLY && q.action != TRACKER_UDP_CONNECT) ||
        (t->manner == UDP_LATE_CONNECT && t->logged < 3))
        return (str){0};
    if (t->manner == UDP_REFUSES) {
        r.action = TRACKER_UDP_ERROR;
        r.error = S("go away");
    } else if (t->manner == UDP_NONSENSE) {
        r.transaction ^= 1;
    } else if (q.action == TRACKER_UDP_ANNOUNCE) {
        CHECK_INT(q.connection, 77);
        t->event = q.announce.event;
        snprintf(t->url_data, sizeof t->url_data, STR_FMT, STR_ARG(q.url_data));
        peers[0] = addr_v4(0xc6336407, 6881);
        peers[1] = addr_v4(0xc6336408, 6881);
        r.interval_s = 900, r.complete = 3, r.incomplete = 7, r.peers = peers, r.peer_count = 2;
    } else if (q.action == TRACKER_UDP_SCRAPE) {
        static tracker_udp_swarm swarms[2];
        swarms[0] = (tracker_udp_swarm){3, 100, 7};
        swarms[1] = (tracker_udp_swarm){1, 0, 0};
        r.swarms = swarms, r.swarm_count = (int)(q.hashes.len / TRACKER_HASH_BYTES);
    }
    return tracker_udp_reply_write(out, REPLY_BYTES, 4, &r);
}

static size_t udp_serve(void *arg, datagram_door *d, const datagram *in, unsigned char *out, size_t out_max)
{
    arena a = arena_make(1 << 16);
    (void)d, (void)out_max;
    size_t len = (size_t)udp_answer(arg, str_of(in->at, in->len), out, &a).len;
    arena_free(&a);
    return len;
}

static void http_serve_one(conn *c, void *arg)
{
    stage *t = arg;
    arena msg = arena_make(1 << 16);
    size_t used = 0;
    for (str line; (line = conn_line(c, &msg, 8192)).len > 2; ) {
        int n = snprintf(t->request + used, sizeof t->request - used, STR_FMT, STR_ARG(line));
        used += n > 0 && (size_t)n < sizeof t->request - used ? (size_t)n : 0;
    }
    int i;
    for (i = 0; i < t->asked && i < 3 && t->http[i + 1]; i++)
        ;
    t->asked++;
    conn_put(c, str_z(t->http[i]));
    conn_flush(c);
    arena_free(&msg);
}

static size_t names_serve(void *arg, datagram_door *d, const datagram *in, unsigned char *out, size_t out_max)
{
    stage *t = arg;
    arena a = arena_make(1 << 16);
    dns_message m;
    dns_builder b;
    dns_record r = {.class = DNS_CLASS_IN, .ttl = 600};
    const char *why = "", *text = NULL;
    char quoted[200];
    (void)d;
    CHECK(dns_message_read(str_of(in->at, in->len), &a, &m, NULL));
    t->names_asked += m.question.type == DNS_TXT;
    dns_header head = {.id = m.header.id, .response = true, .recursion_available = true};
    dns_build_start(&b, out, out_max < 1400 ? out_max : 1400, head, NULL);
    dns_build_question(&b, m.question);
    if (m.question.type == DNS_A || m.question.type == DNS_AAAA)
        text = m.question.type == DNS_A ? t->address : t->address6;
    if (m.question.type == DNS_TXT && t->txt) {
        snprintf(quoted, sizeof quoted, "\"%s\"", t->txt);
        text = quoted;
    }
    r.name = m.question.name;
    r.type = m.question.type;
    if (text && dns_rdata_from_text(&a, r.type, str_z(text), dns_root, &r.rdata, &why))
        dns_build_record(&b, DNS_ANSWER, &r);
    size_t len = (size_t)dns_build_end(&b, NULL).len;
    arena_free(&a);
    return len;
}

static void tracker_boot(void *arg)
{
    stage *t = arg;
    datagram_door *udp;
    door *http;
    addr own = world_addresses(t->tracker, &(int){0})[0];
    SCOPE(s, 0, SERVERS_FIBERS);
    fiber_world(t->tracker);
    CHECK_INT(datagram_open(&s, t->tracker, "tracker", addr_with_port(own, UDP_PORT), false, udp_serve, t, &udp), E_OK);
    const addr at[] = {addr_with_port(own, 80), addr_with_port(own, 8080), {.family = 6, .port = 80}, addr_with_port(own, 443)};
    for (int i = 0; i < 4; i++) {
        door_options options = {.service = "tracker", .at = at[i], .tls = i == 3 ? t->tls : NULL};
        CHECK_INT(door_open(&s, t->tracker, options, http_serve_one, t, &http), E_OK);
    }
    while (fiber_sleep(seconds(3600)) == E_OK)
        ;
}

static void names_boot(void *arg)
{
    stage *t = arg;
    datagram_door *udp;
    SCOPE(s, 0, SERVERS_FIBERS);
    fiber_world(t->names);
    CHECK_INT(datagram_open(&s, t->names, "dns", addr_with_port(t->asker.dns[0], 53), false, names_serve, t, &udp), E_OK);
    while (fiber_sleep(seconds(3600)) == E_OK)
        ;
}

// ---- the stage --------------------------------------------------------------------------------------------------------------

static void play_first(void *arg)
{
    stage *t = arg;
    fiber_world(t->client);
    scope_open(&t->life, 0, SERVERS_FIBERS);
    CHECK_INT(sim_boot(t->tracker, &t->life, tracker_boot, t), E_OK);
    CHECK_INT(sim_boot(t->names, &t->life, names_boot, t), E_OK);
    fiber_sleep(millis(100));
    t->body(t);
    sim_shut_down(t->tracker);
    sim_shut_down(t->names);
    scope_close(&t->life);
}

static void tls_make(stage *t)
{
    str name = S("t.example"), why;
    certificate ca, own;
    CHECK(certificate_authority_make(t->tracker, S("test authority"), 30, &t->tls_memory, &ca));
    CHECK(certificate_make(t->tracker, &ca, &name, 1, 20, &t->tls_memory, &own));
    t->tls = tls_server_new(t->tracker, "tracker", own.cert_pem, own.key_pem, NULL, &t->tls_memory, &why);
    t->asker.tls = tls_client_new(t->client, ca.cert_pem, NULL, &t->tls_memory, &why);
    CHECK(t->tls && t->asker.tls);
}

static addr six(int number) { return (addr){.family = 6, .ip = {0x20, 0x01, 0x0d, 0xb8, [15] = (uint8_t)number}}; }

static void play(void (*body)(void *), const char *tracker_ip)
{
    static stage t;
    addr client[2] = {{0}, six(1)}, tracker[2] = {{0}, six(5)}, names = addr_v4(0xcb007135, 0);
    memset(&t, 0, sizeof t);
    t.sim = sim_new(7);
    t.memory = arena_make(TRACKER_ASK_ARENA_BYTES * 4);
    t.body = body;
    t.address = "203.0.113.5";
    CHECK(addr_parse_ip(S("198.51.100.1"), 0, &client[0]) && addr_parse_ip(str_z(tracker_ip), 0, &tracker[0]));
    t.client = sim_host(t.sim, S("client"), client, 2, (sim_disk){0});
    t.tracker = sim_host(t.sim, S("tracker"), tracker, 2, (sim_disk){0});
    t.names = sim_host(t.sim, S("names"), &names, 1, (sim_disk){0});
    t.asker = (tracker_asker){.world = t.client, .dns = {addr_with_port(names, 53)}, .dns_count = 1, .ways = &t.ways};
    t.tls_memory = arena_make(1 << 20);
    tls_make(&t);
    sim_link_default(t.sim, (sim_link){.delay_min_ns = millis(5), .delay_max_ns = millis(5)});
    CHECK_INT(sim_run(t.sim, play_first, &t), E_OK);
    sim_free(t.sim);
    tls_free(t.tls);
    tls_free(t.asker.tls);
    arena_free(&t.tls_memory);
    arena_free(&t.memory);
}

static err ask_for(stage *t, tracker_question q, tracker_answer *out)
{
    str why;
    for (int i = 0; i < TRACKER_HASH_BYTES; i++)
        q.announce.hash[i] = (uint8_t)(i * 13), q.announce.peer_id[i] = 'p';
    q.announce.port = 6881;
    q.announce.left = 1000;
    q.announce.wanted = -1;
    q.announce.event = TRACKER_STARTED;
    arena_reset(&t->memory);
    err e = tracker_ask(&t->asker, &q, &t->memory, out, &why);
    CHECK(e == E_OK || why.len > 0);
    return e;
}

static err ask(stage *t, const char *url, tracker_answer *out)
{
    return ask_for(t, (tracker_question){.url = str_z(url)}, out);
}

static err scrape(stage *t, const char *url, uint8_t (*hashes)[TRACKER_HASH_BYTES], int count, tracker_answer *out)
{
    tracker_question q = {.url = str_z(url), .scrape = true, .hashes = (const void *)hashes, .hash_count = count};
    return ask_for(t, q, out);
}

// ---- tests ------------------------------------------------------------------------------------------------------------------

static void check_reply(const tracker_answer *x)
{
    CHECK_INT(x->reply.interval_s, 900);
    CHECK(x->reply.complete == 3 && x->reply.incomplete == 7 && x->reply.peer_count == 2);
    CHECK(x->reply.peer_count == 2 && addr_eq(x->reply.peers[1], addr_v4(0xc6336408, 6881)));
    CHECK(x->has_v4 && !x->has_v6 && !x->reply.failure.len);
}

static void udp_body(void *arg)
{
    stage *t = arg;
    tracker_answer x;
    CHECK_INT(ask(t, "udp://203.0.113.5:6969/announce?key=secret", &x), E_OK);
    check_reply(&x);
    CHECK_STR(str_z(t->url_data), S("/announce?key=secret"));
    CHECK(t->event == TRACKER_STARTED && x.took_ns < seconds(1));
    CHECK_INT(t->logged, 2);
    uint8_t hashes[2][TRACKER_HASH_BYTES] = {{1}, {2}};
    CHECK_INT(scrape(t, "udp://t.example:6969", hashes, 2, &x), E_OK);
    CHECK(x.swarm_count == 2 && x.swarms[0].downloaded == 100 && x.swarms[1].hash[0] == 2);
    t->manner = UDP_REFUSES;
    CHECK_INT(ask(t, "udp://203.0.113.5:6969", &x), E_OK);
    CHECK_STR(x.reply.failure, S("go away"));
    t->manner = UDP_NONSENSE;
    CHECK_INT(ask(t, "udp://203.0.113.5:6969", &x), E_TIMEOUT);
    CHECK_INT(ask(t, "udp://203.0.113.5:7000", &x), E_REFUSED);
}

TEST(a_udp_tracker_is_announced_to_and_scraped) { play(udp_body, "203.0.113.5"); }

static void check_log(stage *t, int64_t began_s, const int *times, const int *actions, int count)
{
    CHECK_INT(t->logged, count);
    for (int i = 0; i < count && i < t->logged; i++) {
        CHECK_ROW(i, t->log[i].at_s - began_s == times[i]);
        CHECK_ROW(i, (int)t->log[i].action == actions[i]);
    }
}

// BEP 15's own examples, to the end of the schedule.
static void schedule_body(void *arg)
{
    static const int connects[] = {0, 15, 45, 105, 225, 465, 945, 1905, 3825}, zero[9];
    static const int announces[] = {0, 0, 15, 45, 105, 105, 225, 225}, kinds[] = {0, 1, 1, 1, 0, 1, 0, 1};
    static const int late[] = {0, 15, 45, 45}, late_kinds[] = {0, 0, 0, 1};
    stage *t = arg;
    tracker_answer x;
    int64_t began = world_now_ns(t->client) / NS_PER_S;
    t->manner = UDP_SILENT;
    CHECK_INT(ask_for(t, (tracker_question){.url = S("udp://203.0.113.5:6969"), .timeout_ns = seconds(100000)}, &x), E_TIMEOUT);
    check_log(t, began, connects, zero, 9);
    CHECK_INT(x.took_ns / NS_PER_S, 3825 + 3840);
    t->manner = UDP_CONNECTS_ONLY;
    t->logged = 0;
    began = world_now_ns(t->client) / NS_PER_S;
    CHECK_INT(ask_for(t, (tracker_question){.url = S("udp://203.0.113.5:6969"), .timeout_ns = seconds(300)}, &x), E_TIMEOUT);
    check_log(t, began, announces, kinds, 8);
    t->manner = UDP_LATE_CONNECT;
    t->logged = 0;
    began = world_now_ns(t->client) / NS_PER_S;
    CHECK_INT(ask(t, "udp://203.0.113.5:6969", &x), E_OK);
    check_log(t, began, late, late_kinds, 4);
    t->manner = UDP_SILENT;                                  // and the time that was given is kept
    CHECK_INT(ask_for(t, (tracker_question){.url = S("udp://203.0.113.5:6969"), .timeout_ns = seconds(5)}, &x), E_TIMEOUT);
    CHECK_INT(x.took_ns / NS_PER_S, 5);
}

TEST(a_silent_udp_tracker_is_asked_again_after_15_times_2_to_the_n_seconds) { play(schedule_body, "203.0.113.5"); }

static void http_body(void *arg)
{
    static char whole[1024];
    stage *t = arg;
    tracker_answer x;
    snprintf(whole, sizeof whole, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n%s", sizeof reply_text - 1, reply_text);
    t->http[0] = whole;
    CHECK_INT(ask(t, "http://203.0.113.5/announce?pass=1", &x), E_OK);
    check_reply(&x);
    CHECK(str_starts(str_z(t->request), S("GET /announce?pass=1&info_hash=%00%0D%1A%27")));
    CHECK(str_find_str(str_z(t->request), S("&event=started")) > 0 && str_find_str(str_z(t->request), S("&compact=1")) > 0);
    CHECK(str_find_str(str_z(t->request), S("\r\nHost: 203.0.113.5\r\n")) > 0);
    CHECK_INT(ask(t, "http://t.example:8080/announce", &x), E_OK);
    CHECK(str_find_str(str_z(t->request), S("\r\nHost: t.example:8080\r\n")) > 0);
    uint8_t hash[1][TRACKER_HASH_BYTES];
    memset(hash, 'h', sizeof hash);
    t->http[0] = "HTTP/1.1 200 OK\r\n\r\nd5:filesd20:hhhhhhhhhhhhhhhhhhhhd8:completei1e10:downloadedi2e10:incompletei3eeee";
    CHECK_INT(scrape(t, "http://203.0.113.5/announce", hash, 1, &x), E_OK);
    CHECK(x.swarm_count == 1 && x.swarms[0].incomplete == 3 && x.swarms[0].hash[19] == 'h');
    CHECK(str_starts(str_z(t->request), S("GET /scrape?info_hash=hhhh")));
    CHECK_INT(scrape(t, "http://203.0.113.5/x", hash, 1, &x), E_UNSUPPORTED);
    t->http[0] = "HTTP/1.1 403 Forbidden\r\nContent-Length: 40\r\n\r\nd14:failure reason6:closed8:retry ini5ee";
    CHECK_INT(ask(t, "http://203.0.113.5/announce", &x), E_OK);
    CHECK(str_eq(x.reply.failure, S("closed")) && x.reply.retry_min == 5);
    CHECK_INT(ask(t, "http://203.0.113.5:81/announce", &x), E_REFUSED);
}

TEST(an_http_tracker_is_announced_to_and_scraped) { play(http_body, "203.0.113.5"); }

static void nonsense_body(void *arg)
{
    static const struct { const char *answer; err want; } rows[] = {
        {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", E_PROTOCOL},
        {"HTTP/1.1 200 OK\r\n\r\n", E_PROTOCOL},
        {"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", E_PROTOCOL},
        {"HTTP/1.1 200 OK\r\nContent-Length: 999999999\r\n\r\nd", E_TOO_LONG},
        {"SSH-2.0-OpenSSH\r\n", E_PROTOCOL},
        {"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\nde", E_PROTOCOL},
        {"HTTP/1.1 301 Moved\r\nContent-Length: 0\r\n\r\n", E_PROTOCOL},
        {"HTTP/1.1 301 Moved\r\nLocation: /announce\r\nContent-Length: 0\r\n\r\n", E_PROTOCOL},       // to itself, for ever
        {"HTTP/1.1 301 Moved\r\nLocation: http://10.0.0.1/announce\r\nContent-Length: 0\r\n\r\n", E_ACCESS},
        {"HTTP/1.1 302 Moved\r\nLocation: http://127.0.0.1:9091/announce\r\nContent-Length: 0\r\n\r\n", E_ACCESS},
        {"HTTP/1.1 302 Moved\r\nLocation: udp://203.0.113.5:6969\r\nContent-Length: 0\r\n\r\n", E_ACCESS},
        {"HTTP/1.1 302 Moved\r\nLocation: file:///etc/passwd\r\nContent-Length: 0\r\n\r\n", E_ACCESS},
        {"HTTP/1.1 302 Moved\r\nLocation: http://203.0.113.5/x?info_hash=1\r\nContent-Length: 0\r\n\r\n", E_ACCESS},
    };
    stage *t = arg;
    tracker_answer x;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        t->http[0] = rows[i].answer;
        t->asked = 0;
        CHECK_ROW(i, ask(t, "http://203.0.113.5/announce", &x) == rows[i].want);
        CHECK_ROW(i, t->asked <= TRACKER_ASK_REDIRECTS_MAX + 1);
    }
    t->http[0] = "HTTP/1.1 302 Moved\r\nLocation: http://t.example:8080/other?x=1\r\nContent-Length: 0\r\n\r\n";
    t->http[1] = "HTTP/1.1 200 OK\r\n\r\nd8:intervali60e5:peers0:e";
    t->asked = 0;
    CHECK_INT(ask(t, "http://203.0.113.5/announce", &x), E_OK);
    CHECK_STR(x.url, S("http://t.example:8080/other?x=1"));
    CHECK(str_starts(str_z(t->request), S("GET /other?x=1&info_hash=%00")));
    t->txt = "BITTORRENT DENY ALL";                            // a redirect to who wants none is not followed
    memset(&t->ways, 0, sizeof t->ways);
    t->asked = 0;
    CHECK_INT(ask(t, "http://203.0.113.5/announce", &x), E_ACCESS);
    CHECK_INT(t->asked, 1);
}

TEST(a_tracker_that_speaks_nonsense_or_leads_astray_is_left) { play(nonsense_body, "203.0.113.5"); }

static void private_body(void *arg)
{
    stage *t = arg;
    tracker_answer x;
    t->address = "10.0.0.5";
    t->http[0] = "HTTP/1.1 200 OK\r\n\r\nd8:intervali60e5:peers0:e";
    CHECK_INT(ask(t, "http://router.example/reboot?now=1", &x), E_ACCESS);
    CHECK_INT(ask(t, "http://10.0.0.5/reboot", &x), E_ACCESS);
    CHECK_INT(t->asked, 0);
    CHECK_INT(ask(t, "http://10.0.0.5/announce", &x), E_OK);
    t->asker.private_allowed = true;
    CHECK_INT(ask(t, "http://router.example/my/announce?key=1", &x), E_OK);
}

TEST(a_private_address_is_asked_with_announce_alone) { play(private_body, "10.0.0.5"); }

static void record_body(void *arg)
{
    static char whole[1024];
    stage *t = arg;
    tracker_answer x;
    snprintf(whole, sizeof whole, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n%s", sizeof reply_text - 1, reply_text);
    t->http[0] = whole;
    CHECK_INT(ask(t, "http://t.example/announce", &x), E_OK);                // no record: as the URL has it
    CHECK_INT(ask(t, "http://t.example/announce", &x), E_OK);
    CHECK_INT(t->names_asked, 1);                                            // asked once, then remembered
    t->txt = "BITTORRENT DENY ALL";
    t->asked = 0;
    CHECK_INT(ask(t, "http://website.example/announce", &x), E_ACCESS);
    CHECK_INT(t->asked, 0);
    t->txt = "BITTORRENT UDP:6969 TCP:8080";                                 // UDP is liked better, and another port
    CHECK_INT(ask(t, "http://moved.example/announce?x=1", &x), E_OK);
    CHECK_STR(x.url, S("udp://moved.example:6969/announce?x=1"));
    check_reply(&x);
    t->manner = UDP_SILENT;                                                  // and when it is down, the next
    CHECK_INT(ask(t, "http://moved.example/announce?x=1", &x), E_OK);
    CHECK_STR(x.url, S("http://moved.example:8080/announce?x=1"));
    t->txt = "BITTORRENT TCP:8080";
    CHECK_INT(ask(t, "udp://older.example:1337", &x), E_OK);
    CHECK_STR(x.url, S("http://older.example:8080/announce"));
    sim_shut_down(t->names);                                                 // the DNS is down: nobody is denied by that
    CHECK_INT(ask(t, "http://unknown.example/announce", &x), E_AGAIN);
    CHECK_INT(ask(t, "http://203.0.113.5/announce", &x), E_OK);
}

TEST(what_the_host_says_in_the_dns_is_obeyed) { play(record_body, "203.0.113.5"); }

static void https_body(void *arg)
{
    static char whole[1024];
    stage *t = arg;
    tracker_answer x;
    snprintf(whole, sizeof whole, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n%s", sizeof reply_text - 1, reply_text);
    t->http[0] = whole;
    CHECK_INT(ask(t, "https://t.example/announce?key=1", &x), E_OK);
    check_reply(&x);
    CHECK_INT(ask(t, "https://other.example/announce?key=1", &x), E_TLS);     // not its certificate
    CHECK(ask(t, "https://t.example:80/announce?key=1", &x) != E_OK);        // no TLS there
    t->txt = "BITTORRENT UDP:6969 TCP:443";
    memset(&t->ways, 0, sizeof t->ways);
    CHECK_INT(ask(t, "https://t.example/announce?key=1", &x), E_OK);          // a pass key does not go in the clear
    CHECK_STR(x.url, S("https://t.example:443/announce?key=1"));
    t->txt = "BITTORRENT UDP:6969";
    memset(&t->ways, 0, sizeof t->ways);
    CHECK_INT(ask(t, "https://t.example/announce?key=1", &x), E_ACCESS);
    CHECK_INT(t->logged, 0);
    t->txt = NULL;
    memset(&t->ways, 0, sizeof t->ways);
    t->asked = 0;
    t->http[0] = "HTTP/1.1 302 Moved\r\nLocation: http://t.example/announce\r\nContent-Length: 0\r\n\r\n";
    CHECK_INT(ask(t, "https://t.example/announce?key=1", &x), E_ACCESS);
    CHECK_INT(t->asked, 1);
    tls_config *kept = t->asker.tls;
    t->asker.tls = NULL;
    CHECK_INT(ask(t, "https://t.example/announce?key=1", &x), E_UNSUPPORTED);
    t->asker.tls = kept;
}

TEST(https_stays_https_and_names_are_verified) { play(https_body, "203.0.113.5"); }

static void families_body(void *arg)
{
    stage *t = arg;
    tracker_answer x;
    t->http[0] = "HTTP/1.1 200 OK\r\n\r\nd8:intervali60e6:peers618:\x20\x01\x0d\xb8zzzzzzzzzzzz\x1a\xe1" "e";
    t->address6 = "2001:db8::5";
    CHECK_INT(ask(t, "http://t.example/announce", &x), E_OK);
    CHECK(x.has_v4 && x.has_v6 && x.reply.peer_count == 1 && x.reply.peers[0].family == 6);
    for (int family = 4; family <= 6; family += 2) {
        CHECK_INT(ask_for(t, (tracker_question){.url = S("http://t.example/announce"), .family = family}, &x), E_OK);
        CHECK_INT(x.from.family, family);
    }
    CHECK_INT(ask_for(t, (tracker_question){.url = S("http://203.0.113.5/announce"), .family = 6}, &x), E_UNSUPPORTED);
    t->address = NULL;
    CHECK_INT(ask(t, "http://t.example/announce", &x), E_OK);
    CHECK(!x.has_v4 && x.has_v6 && x.from.family == 6);
    CHECK_INT(ask(t, "http://[2001:db8::5]/announce", &x), E_OK);
    CHECK(str_find_str(str_z(t->request), S("\r\nHost: [2001:db8::5]\r\n")) > 0);
    t->address6 = NULL;
    CHECK_INT(ask(t, "http://t.example/announce", &x), E_NO_ENTRY);
}

TEST(both_families_of_a_tracker_can_be_asked) { play(families_body, "203.0.113.5"); }
