#include "rooms/tracker/tracker_stage_test.h"

#include <string.h>

#include "test.h"

typedef struct { unsigned char in[UDP_REQUEST_BYTES_MAX + 64], out[4096]; size_t in_len, len; udp_verdict verdict; } exchange;

static arena msg;

static void ask_raw(tracker *t, addr from, str in, exchange *x)
{
    msg = msg.max_bytes ? msg : arena_make(UDP_REQUEST_MEMORY_BYTES);
    arena_reset(&msg);
    memset(x->out, 0xee, sizeof x->out);
    x->in_len = (size_t)in.len;
    x->verdict = udp_answer(t, from, in, &msg, x->out, sizeof x->out, &x->len);
    CHECK(x->len <= UDP_ANSWER_BYTES_MAX);
    for (size_t i = x->len; i < sizeof x->out && i < x->len + 64; i++)
        CHECK(x->verdict == UDP_REFUSED || x->verdict == UDP_ANNOUNCED || x->out[i] == 0xee);
}

static tracker_udp_reply reply_of(const exchange *x, int family)
{
    static arena a;
    tracker_udp_reply r = {0};
    a = a.max_bytes ? a : arena_make(4 << 20);
    arena_reset(&a);
    CHECK(tracker_udp_reply_read(str_of(x->out, x->len), family, &a, &r));
    return r;
}

static void ask(tracker *t, addr from, tracker_udp_request q, exchange *x)
{
    ask_raw(t, from, tracker_udp_request_write(x->in, sizeof x->in, &q), x);
}

static uint64_t connect_as(tracker *t, addr from)
{
    exchange x;
    ask(t, from, (tracker_udp_request){.action = TRACKER_UDP_CONNECT, .transaction = 7}, &x);
    CHECK(x.verdict == UDP_CONNECTED && x.len == 16 && x.len <= x.in_len);
    tracker_udp_reply r = reply_of(&x, from.family);
    CHECK_INT(r.transaction, 7);
    return r.connection;
}

static tracker_udp_reply announce_as(tracker *t, addr from, tracker_announce said, str url, exchange *x)
{
    ask(t, from, (tracker_udp_request){.action = TRACKER_UDP_ANNOUNCE, .transaction = 9, .connection = connect_as(t, from),
                                       .announce = said, .url_data = url}, x);
    return reply_of(x, from.family);
}

static addr host(unsigned n) { return addr_v4(0x0a000000 + n * 256, 5000); }
static addr host6(unsigned n) { return (addr){.family = 6, .port = 5000, .ip = {0x20, 1, 0x0d, 0xb8, (uint8_t)(n >> 8), (uint8_t)n, [15] = 1}}; }

TEST(udp_tells_of_the_others_in_the_swarm)
{
    tracker *t = stage_tracker();
    exchange x;
    for (unsigned n = 0; n < 10; n++) {
        tracker_udp_reply r = announce_as(t, host(n), stage_said(1, n), S(""), &x);
        CHECK_INT(x.verdict, UDP_ANNOUNCED);
        CHECK(r.action == TRACKER_UDP_ANNOUNCE && r.transaction == 9 && r.peer_count == (int)n);
        CHECK_INT(r.incomplete, n + 1);
        CHECK_INT(r.interval_s, n < ANNOUNCE_FEW_PEERS ? 300 : 1800);
        for (int i = 0; i < r.peer_count; i++)
            CHECK(r.peers[i].port >= 1000 && r.peers[i].port < 1000 + n);
    }
    tracker_udp_reply r = announce_as(t, host6(1), stage_said(1, 50), S(""), &x);
    CHECK(r.peer_count == 0 && r.incomplete == 11);                    // IPv6 askers are told of IPv6 peers
    r = announce_as(t, host6(2), stage_said(1, 51), S(""), &x);
    CHECK(r.peer_count == 1 && r.peers[0].family == 6 && r.peers[0].port == 1050);
    r = announce_as(t, host(0), stage_said(2, 0), S(""), &x);
    CHECK(r.peer_count == 0 && r.incomplete == 1);                     // another torrent
    stage_free(t);
}

TEST(udp_an_unproven_address_never_gets_more_than_it_sent)
{
    tracker *t = stage_tracker();
    exchange x;
    uint64_t other = connect_as(t, host(99));
    for (unsigned n = 0; n < 100; n++)
        announce_as(t, host(n), stage_said(1, n), S(""), &x);
    for (int action = 0; action < 4; action++)
        for (size_t len = 0; len < 400; len++) {
            unsigned char in[400] = {0};
            writer w = wr_into(in, sizeof in);
            wr_u64(&w, action ? other : TRACKER_UDP_PROTOCOL);
            wr_u32(&w, (uint32_t)action);
            in[16] = 1;
            ask_raw(t, host(98), str_of(in, len), &x);
            CHECK_ROW(len, x.len <= x.in_len && x.verdict != UDP_ANNOUNCED && x.verdict != UDP_SCRAPED);
        }
    tracker_udp_request late = {.action = TRACKER_UDP_ANNOUNCE, .connection = connect_as(t, host(1)), .announce = stage_said(1, 1)};
    t->now_s += 2 * 3600;
    ask(t, host(1), late, &x);
    CHECK(x.verdict == UDP_UNPROVEN && x.len == UDP_EXPIRED_BYTES && x.len <= x.in_len);
    stage_free(t);
}

TEST(udp_answers_fit_one_packet)
{
    tracker *t = stage_tracker();
    exchange x;
    t->rules.wanted_max = PEER_PICK_MAX;
    for (unsigned n = 0; n < 300; n++)
        announce_as(t, host(n), stage_said(1, n), S(""), &x), announce_as(t, host6(n), stage_said(1, n), S(""), &x);
    tracker_announce greedy = stage_said(1, 400);
    greedy.wanted = TRACKER_PEERS_MAX - 1;
    CHECK_INT(announce_as(t, host(400), greedy, S(""), &x).peer_count, (UDP_ANSWER_BYTES_MAX - 20) / 6);
    CHECK_INT(announce_as(t, host6(400), greedy, S(""), &x).peer_count, (UDP_ANSWER_BYTES_MAX - 20) / 18);
    greedy.wanted = 3;
    CHECK_INT(announce_as(t, host(401), greedy, S(""), &x).peer_count, 3);
    greedy.wanted = 0;
    CHECK_INT(announce_as(t, host(402), greedy, S(""), &x).peer_count, 0);
    stage_free(t);
}

TEST(udp_scrapes_of_a_thousand_hashes_are_answered_for_74)
{
    tracker *t = stage_tracker();
    exchange x;
    static uint8_t hashes[1000 * TRACKER_HASH_BYTES];
    for (unsigned n = 0; n < 5; n++)
        announce_as(t, host(n), stage_said(1, n), S(""), &x);
    hashes[0] = 1;
    static unsigned char in[16 + sizeof hashes];
    writer w = wr_into(in, sizeof in);
    wr_u64(&w, connect_as(t, host(1)));
    wr_u32(&w, TRACKER_UDP_SCRAPE);
    wr_u32(&w, 5);
    wr_bytes(&w, str_of(hashes, sizeof hashes));
    ask_raw(t, host(1), wr_str(&w), &x);
    CHECK(x.verdict == UDP_DROPPED && x.len == 0);                     // longer than any datagram of this protocol
    ask_raw(t, host(1), str_first(wr_str(&w), UDP_REQUEST_BYTES_MAX), &x);
    tracker_udp_reply r = reply_of(&x, 4);
    CHECK(x.verdict == UDP_SCRAPED && r.swarm_count == TRACKER_SCRAPES_MAX && x.len < x.in_len);
    CHECK(r.swarms[0].incomplete == 5 && r.swarms[0].complete == 0 && r.swarms[1].incomplete == 0);
    stage_free(t);
}

TEST(udp_events_are_kept_count_of)
{
    tracker *t = stage_tracker();
    exchange x;
    tracker_announce a = stage_said(1, 1), b = stage_said(1, 2);
    a.event = b.event = TRACKER_STARTED;
    announce_as(t, host(1), a, S(""), &x);
    b.left = 0;
    tracker_udp_reply r = announce_as(t, host(2), b, S(""), &x);
    CHECK(r.complete == 1 && r.incomplete == 1 && r.peer_count == 1);
    a.left = 0, a.event = TRACKER_COMPLETED;
    r = announce_as(t, host(1), a, S(""), &x);
    CHECK(r.complete == 2 && r.incomplete == 0 && r.peer_count == 0);  // a seed needs no seeds
    announce_as(t, host(1), a, S(""), &x);                             // said twice counts once
    CHECK_INT(scrape(t, S(""), a.hash).downloaded, 1);
    a.event = TRACKER_STOPPED;
    r = announce_as(t, host(1), a, S(""), &x);
    CHECK(r.complete == 1 && r.peer_count == 0);
    announce_as(t, host(1), a, S(""), &x);
    CHECK_INT(scrape(t, S(""), a.hash).complete, 1);
    a.hash[0] = 77;
    announce_as(t, host(1), a, S(""), &x);                             // who stops in a torrent nobody knows brings none
    CHECK_INT(swarms_figures_now(t->store).torrents, 1);
    stage_free(t);
}

TEST(udp_the_key_tells_who_has_moved)
{
    tracker *t = stage_tracker();
    exchange x;
    announce_as(t, host(1), stage_said(1, 1), S(""), &x);
    CHECK_INT(announce_as(t, host(2), stage_said(1, 1), S(""), &x).incomplete, 1);     // the same key, another address
    tracker_announce thief = stage_said(1, 1);
    thief.key = 5;
    CHECK_INT(announce_as(t, host(3), thief, S(""), &x).incomplete, 2);                // a peer id alone moves nobody
    thief.key = 0;
    CHECK_INT(announce_as(t, host(4), thief, S(""), &x).incomplete, 3);
    thief.port = 1500;
    CHECK_INT(announce_as(t, host(4), thief, S(""), &x).incomplete, 3);                // but at its address it is known
    tracker_announce again = stage_said(1, 9);
    again.port = 1500;
    CHECK_INT(announce_as(t, host(4), again, S(""), &x).incomplete, 3);                // started anew where it was
    stage_free(t);
}

TEST(udp_the_ip_field_is_believed_from_loopback_only)
{
    tracker *t = stage_tracker();
    exchange x;
    tracker_announce a = stage_said(1, 1);
    a.ip = addr_v4(0xc6336401, 0);
    announce_as(t, host(1), a, S(""), &x);
    tracker_udp_reply r = announce_as(t, host(2), stage_said(1, 2), S(""), &x);
    CHECK(r.peer_count == 1 && addr_eq(r.peers[0], addr_with_port(host(1), 1001)));
    a = stage_said(1, 3);
    a.ip = addr_v4(0xc6336401, 0);
    announce_as(t, addr_v4(0x7f000001, 6000), a, S(""), &x);
    r = announce_as(t, host(2), stage_said(1, 2), S(""), &x);
    bool found = false;
    for (int i = 0; i < r.peer_count; i++)
        found |= addr_eq(r.peers[i], addr_v4(0xc6336401, 1003));
    CHECK(found && r.peer_count == 2);
    stage_free(t);
}

TEST(udp_a_flood_of_torrents_and_peers_is_bounded)
{
    tracker *t = stage_tracker();
    exchange x;
    int refused = 0;
    for (unsigned n = 0; n < 500; n++)
        refused += announce_as(t, host(1), stage_said(n, 1), S(""), &x).action == TRACKER_UDP_ERROR;
    CHECK_INT(refused, 400);
    CHECK_INT(swarms_figures_now(t->store).torrents, 100);
    CHECK(announce_as(t, host(2), stage_said(1000, 1), S(""), &x).action == TRACKER_UDP_ANNOUNCE);     // other networks go on
    for (unsigned n = 0; n < 3000; n++)
        announce_as(t, host(3), stage_said(1, n), S(""), &x);
    CHECK(swarms_figures_now(t->store).peers[0] <= 2000 + 102);
    CHECK(announce_as(t, host(3), stage_said(1, 5), S(""), &x).action == TRACKER_UDP_ANNOUNCE);        // who is known stays
    t->now_s += 3 * NEWCOMERS_WINDOW_S;
    CHECK(announce_as(t, host(1), stage_said(2000, 1), S(""), &x).action == TRACKER_UDP_ANNOUNCE);
    stage_free(t);
}

TEST(udp_refuses_with_a_reason)
{
    static const struct { bool open, listed, private; uint16_t port; str url; const char *why; } rows[] = {
        {true, false, false, 1000, S(""), NULL},
        {true, false, false, 0, S(""), "port 0"},
        {false, false, false, 1000, S(""), "listed torrents only"},
        {false, true, false, 1000, S("/announce"), NULL},
        {false, true, true, 1000, S(""), "pass key"},
        {false, true, true, 1000, S("/0123456789abcdefX/announce"), "pass key"},
        {false, true, true, 1000, S("/0123456789abcdef/announce?x=1"), NULL},
        {true, false, true, 1000, S("/0123456789abcdef/scrape"), "pass key"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        tracker *t = stage_tracker();
        arena a = arena_make(1 << 20);
        exchange x;
        tracker_announce said = stage_said(1, 1);
        t->access.open = rows[i].open;
        CHECK(access_key_add(&t->access, &a, S("lee"), S("0123456789abcdef")));
        if (rows[i].listed || rows[i].private)
            swarms_make(t->store, said.hash)->private = rows[i].private;
        said.port = rows[i].port;
        tracker_udp_reply r = announce_as(t, host(1), said, rows[i].url, &x);
        CHECK_ROW(i, (r.action == TRACKER_UDP_ERROR) == (rows[i].why != NULL));
        if (rows[i].why)
            CHECK_ROW(i, str_find_str(r.error, str_z(rows[i].why)) >= 0);
        if (rows[i].private && !rows[i].why)
            CHECK_ROW(i, scrape(t, S(""), said.hash).incomplete == 0 && scrape(t, S("0123456789abcdef"), said.hash).incomplete == 1);
        arena_free(&a);
        stage_free(t);
    }
}

TEST(udp_full_is_said)
{
    tracker *t = stage_tracker();
    exchange x;
    swarms_free(t->store);
    t->store = swarms_new(2, 3, (siphash_key){5, 6});
    for (unsigned n = 0; n < 3; n++)
        CHECK(announce_as(t, host(n), stage_said(1, n), S(""), &x).action == TRACKER_UDP_ANNOUNCE);
    CHECK(str_starts(announce_as(t, host(4), stage_said(1, 4), S(""), &x).error, S("no room for another peer")));
    CHECK(announce_as(t, host(1), stage_said(1, 1), S(""), &x).action == TRACKER_UDP_ANNOUNCE);
    announce_as(t, host(4), stage_said(2, 4), S(""), &x);
    CHECK(str_starts(announce_as(t, host(4), stage_said(3, 4), S(""), &x).error, S("no room for another torrent")));
    stage_free(t);
}

typedef struct { int here, gone; } heard;
static void on_change(void *arg, change_kind kind, const uint8_t *hash, const peer *p)
{
    heard *h = arg;
    CHECK(hash && p->at.port);
    kind == CHANGE_HERE ? h->here++ : h->gone++;
}

TEST(announces_before_their_time_cost_nothing_more)
{
    tracker *t = stage_tracker();
    exchange x;
    heard h = {0};
    t->changed = on_change, t->changed_arg = &h;
    for (int i = 0; i < 50; i++)
        announce_as(t, host(1), stage_said(1, 1), S(""), &x);
    CHECK_INT(h.here, 1);
    t->now_s += 1800;
    announce_as(t, host(1), stage_said(1, 1), S(""), &x);
    CHECK_INT(h.here, 2);
    tracker_announce bye = stage_said(1, 1);
    bye.event = TRACKER_STOPPED;
    announce_as(t, host(1), bye, S(""), &x);
    announce_as(t, host(1), bye, S(""), &x);
    CHECK_INT(h.gone, 1);
    stage_free(t);
}
