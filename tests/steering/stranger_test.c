// Strangers at the steering's door: forged reports and floods of them move nobody else; what a query says of its client's network is not
// believed; a node's answer sends the health check nowhere.
#include "test.h"
#include "cmd/cdn_stage.h"
#include "cmd/small_film.h"
#include "rooms/steering/steering.h"
#include "rt/log.h"
#include "rt/loop.h"
#include "wire/dns/message.h"
#include "wire/dns/type.h"

enum { FORGED = 400, MEMORY_BYTES_MAX = 4 << 20, TAKEN = 204, TOO_MANY = 429, NO_ROOM = 503 };

typedef struct { bool ran; int taken, limited, refused; } seen;

static addr steering_at(cdn_stage *s) { return addr_with_port(lab_find(&s->net.map, S("kingcdn.com"))->here[0], STEERING_PORT); }

static http_result post(cdn_stage *s, const char *host, str body, arena *a)
{
    return cdn_request(s, host, steering_at(s), "POST", S("steer.kingcdn.com"), S("/report"), NULL, 0, body, a);
}

static str ranking(cdn_stage *s, const char *host, arena *a)
{
    http_result r = cdn_request(s, host, steering_at(s), "GET", S("steer.kingcdn.com"), S("/steer/" SMALL_FILM_ID), NULL, 0, (str){0}, a);
    ptrdiff_t at = str_find_str(r.body, S("PATHWAY-PRIORITY"));
    return at < 0 ? (str){0} : str_copy(a, str_from(r.body, at));
}

// Mallory sits in Bob's network, and says that Bob's node is bad, as often and under as many names as he can.
static void forge(cdn_stage *s, void *arg)
{
    seen *x = arg;
    arena a = arena_make(MEMORY_BYTES_MAX), msg = arena_make(MEMORY_BYTES_MAX);
    x->ran = true;
    str bob_before = ranking(s, "bob.poly.edu", &a), minji_before = ranking(s, "minji.isp.kr", &a);
    addr bob = cdn_ask(s, "bob.poly.edu", "local", "kingcdn.com"), minji = cdn_ask(s, "minji.isp.kr", "isp.kr", "kingcdn.com");
    for (int i = 0; i < FORGED; i++) {
        arena_reset(&msg);
        const char *whom = i % 2 ? "n1.kingcdn.com" : "n3.kingcdn.com";
        int status = post(s, "poly.edu", str_format(&msg, "{\"session\":\"m%d\",\"server\":\"%s\",\"throughput_bps\":1,\"stalls\":%d,\"failed\":true}", i % 40, whom, i), &msg).status;
        x->taken += status == TAKEN;
        x->limited += status == TOO_MANY || status == NO_ROOM;
    }
    (void)fiber_sleep(seconds(12));                        // longer than any answer holds
    CHECK_STR(ranking(s, "bob.poly.edu", &a), bob_before);
    CHECK_STR(ranking(s, "minji.isp.kr", &a), minji_before);
    CHECK(addr_eq_ip(cdn_ask(s, "bob.poly.edu", "local", "kingcdn.com"), bob) && addr_eq_ip(cdn_ask(s, "minji.isp.kr", "isp.kr", "kingcdn.com"), minji));
    static const char *const nonsense[] = {"", "{", "[]", "{\"server\":\"http://169.254.169.254/\"}", "{\"server\":\"127.0.0.1:22\"}", "{\"server\":\"n1.kingcdn.com\",\"stalls\":-1}"};
    for (size_t i = 0; i < sizeof nonsense / sizeof *nonsense; i++) {
        arena_reset(&msg);
        x->refused += post(s, "umass.edu", str_z(nonsense[i]), &msg).status >= 400;
    }
    CHECK_INT(x->refused, (int)(sizeof nonsense / sizeof *nonsense));
    arena_free(&msg);
    arena_free(&a);
}

TEST(steering_forged_reports_move_nobody_else)
{
    arena a = arena_make(1 << 16);
    seen x = {0};
    str why;
    log_setup(LOG_LOGFMT, LOG_ERROR, NULL, NULL);
    CHECK(cdn_stage_run(7, "enter-deep", forge, &x, &a, &why) && x.ran);
    CHECK(x.taken > 0 && x.taken < FORGED / 5 && x.taken + x.limited == FORGED);
    arena_free(&a);
}

// A query that says to come from Seoul (EDNS Client Subnet, RFC 7871), sent from New York: it is answered as for Seoul, to who asked, and
// nobody else is moved by it.
static void lie_about_network(cdn_stage *s, void *arg)
{
    static const unsigned char option[] = {0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 11, 0, 8, 0, 7, 0, 1, 24, 0, 211, 234, 10};
    arena a = arena_make(MEMORY_BYTES_MAX);
    seen *x = arg;
    unsigned char query[DNS_UDP_PLAIN_MAX], answer[DNS_UDP_MAX];
    dns_question q = {.type = DNS_A, .class = DNS_CLASS_IN};
    CHECK(dns_name_from_text(&a, S("kingcdn.com"), dns_root, &q.name, NULL));
    str wire = dns_query_build(query, sizeof query, 4711, q, false, 0);
    memcpy(query + wire.len, option, sizeof option);
    query[11] = 1;                                         // one additional record
    world *before = world_here(), *w = cdn_world(s, "bob.poly.edu");
    sock *out;
    fiber_world(w);
    addr server = addr_with_port(lab_find(&s->net.map, S("kingcdn.com"))->here[0], 53);
    CHECK(sock_datagram(w, addr_with_port(world_addresses(w, &(int){0})[0], 0), false, &out) == E_OK);
    datagram d = {.peer = server, .at = query, .len = (size_t)wire.len + sizeof option}, in = {.at = answer, .size = sizeof answer};
    int sent = 0, got = 0;
    CHECK(sock_send(out, &d, 1, &sent) == E_OK && sent == 1);
    while (sock_receive(out, &in, 1, &got) == E_AGAIN && sock_wait(out, WAIT_READ, loop_now_ns() + seconds(5)) == E_OK)
        ;
    dns_message m;
    CHECK(got == 1 && dns_message_read(str_of(answer, in.len), &a, &m, NULL) && m.count[DNS_ANSWER] >= 1);
    addr at = {.family = 4};
    for (int i = 0; got == 1 && i < m.count[DNS_ANSWER] && i < 1; i++)
        memcpy(at.ip, dns_message_record(&m, DNS_ANSWER, i)->rdata.at, 4);
    CHECK_STR(cdn_host_of(s, at), S("n3.kingcdn.com"));
    CHECK(m.edns.has_subnet && m.edns.subnet.source == 24 && m.edns.subnet.scope > 0);
    sock_close(out);
    fiber_world(before);
    CHECK_STR(cdn_host_of(s, cdn_ask(s, "bob.poly.edu", "local", "kingcdn.com")), S("n1.kingcdn.com"));
    x->ran = true;
    arena_free(&a);
}

TEST(steering_a_claimed_network_moves_nobody_else)
{
    arena a = arena_make(1 << 16);
    seen x = {0};
    str why;
    log_setup(LOG_LOGFMT, LOG_ERROR, NULL, NULL);
    CHECK(cdn_stage_run(8, "enter-deep", lie_about_network, &x, &a, &why) && x.ran);
    arena_free(&a);
}
