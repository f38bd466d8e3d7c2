// Hostile peers: what a stranger may send to a seed and to a leecher, what becomes of him, and that the honest are served all
// the same (docs/hostile.md). Three hosts in the simulator: a victim, an honest peer, and who attacks with bytes of its own.
#include <string.h>

#include "base/heap_memory.h"
#include "base/must.h"
#include "rooms/swarm/swarm_inside.h"
#include "rt/digest.h"
#include "rt/log.h"
#include "rt/loop.h"
#include "rt/sim.h"
#include "rt/worker.h"
#include "test.h"
#include "wire/bt/metainfo.h"

enum {
    SEED, LEECH, ATTACKER, HOSTS,
    PIECES = 61, PIECE_BYTES = 64 * 1024, LENGTH = PIECES * PIECE_BYTES - 777, PORT = 6881, ADDRESS_CONNS_MAX = 64,
};

typedef struct {
    sim     *s;
    world   *w[HOSTS];
    node     n[2];
    swarm   *swarm[2];
    torrent *t[2];
    unsigned char *payload;
    str      metainfo;
    uint8_t  hash[INFO_HASH_BYTES], victim_id[PEER_HASH_BYTES];
    uint8_t  ids;
    arena    memory;
    const char *settings;
    void   (*body)(void *play);
} play;

// ---- setting the scene --------------------------------------------------------------------------------------------------

static void film_make(play *p)
{
    unsigned char *digests = arena_alloc(&p->memory, PIECES * INFO_HASH_BYTES, 1, 1);
    metainfo_file only = {.path = S("film"), .length = LENGTH};
    metainfo read, m = {.name = S("film"), .single = true, .piece_bytes = PIECE_BYTES, .length = LENGTH, .piece_count = PIECES,
                        .pieces = str_of(digests, PIECES * INFO_HASH_BYTES), .files = &only, .file_count = 1};
    p->payload = memory_new(LENGTH);
    for (size_t i = 0; i < LENGTH; i++)
        p->payload[i] = (unsigned char)(i * 2654435761u >> 13);
    for (int32_t i = 0; i < PIECES; i++)
        digest_of(DIGEST_SHA1, str_of(p->payload + i * PIECE_BYTES, (size_t)metainfo_piece_length(&m, i)), digests + i * INFO_HASH_BYTES);
    buf out = buf_make(1 << 20);
    must(metainfo_write(&out, &m));
    p->metainfo = str_copy(&p->memory, buf_str(&out));
    buf_free(&out);
    must(metainfo_read(p->metainfo, &p->memory, &read, &(bencode_refusal){0}));
    digest_of(DIGEST_SHA1, read.info, p->hash);
}

static void film_put(void *arg)
{
    play *p = arg;
    must(dir_make(p->w[SEED], "/films", 0755) == E_OK);
    must(file_replace(p->w[SEED], "/films/film", str_of(p->payload, LENGTH), 0644) == E_OK);
}

static void host_start(play *p, int i)
{
    config_error error;
    str why = {0};
    room *added = NULL;
    fiber_world(p->w[i]);
    must(node_start(&p->n[i], p->w[i], S("host"), S("/data")) == E_OK);
    str text = str_format(&p->n[i].memory, "port %d\nrpc-port 0\n%s", PORT, p->settings ? p->settings : "dht off\nprivate-peers on\n");
    statement *s = config_parse(S("swarm"), text, &p->n[i].memory, config_include_keep, NULL, &error);
    must(s && config_check(s, swarm_kind.settings, &p->n[i].memory, &error));
    must(node_add(&p->n[i], &swarm_kind, s, &added, &why) == E_OK);
    p->swarm[i] = swarm_of(added);
}

static void film_add(play *p, int i, int64_t limit_down)
{
    str why = {0};
    swarm_addition what = {.metainfo = p->metainfo, .directory = S("/films"), .limit_down = limit_down};
    fiber_world(p->w[i]);
    CHECK_INT(swarm_add(p->swarm[i], &what, &p->t[i], &p->memory, &why), E_OK);
    while (!p->t[i]->started || p->t[i]->state == TORRENT_CHECKING)
        fiber_sleep(millis(10));
}

static addr address(int i) { return addr_v4(0x0a000001u + (uint32_t)i * 256, PORT); }

static void run(void *arg)
{
    play *p = arg;
    log_setup(LOG_LOGFMT, LOG_ERROR, NULL, NULL);
    for (int i = 0; i < HOSTS; i++) {
        addr at = addr_with_port(address(i), 0);
        p->w[i] = sim_host(p->s, str_format(&p->memory, "host%d", i), &at, 1, (sim_disk){.write_ns = 20000, .sync_ns = millis(1)});
    }
    film_make(p);
    fiber_world(p->w[SEED]);
    work(film_put, p);
    host_start(p, SEED);
    host_start(p, LEECH);
    film_add(p, SEED, 0);
    p->body(p);
    for (int i = 0; i < 2; i++) {
        fiber_world(p->w[i]);
        node_stop(&p->n[i]);
    }
    memory_free(p->payload);
}

static void stage_of(uint64_t seed, void (*body)(void *), const char *settings)
{
    play p = {.s = sim_new(seed), .memory = arena_make(4 << 20), .body = body, .settings = settings};
    sim_link_default(p.s, (sim_link){.delay_min_ns = millis(5), .delay_max_ns = millis(5), .bytes_per_s = 50000000});
    CHECK_INT(sim_run(p.s, run, &p), E_OK);
    sim_free(p.s);
    arena_free(&p.memory);
}

static void stage(void (*body)(void *), const char *settings) { stage_of(7, body, settings); }

// The honest leecher, from its addition to the last byte.
static bool honest_served(play *p, int64_t within_ns)
{
    int64_t end = loop_now_ns() + within_ns;
    fiber_world(p->w[LEECH]);
    if (!p->t[LEECH])
        film_add(p, LEECH, 0);
    (void)torrent_peer_add(p->t[LEECH], address(SEED));
    while (loop_now_ns() < end && !p->t[LEECH]->complete)
        fiber_sleep(millis(10));
    return p->t[LEECH]->complete;
}

// ---- who attacks --------------------------------------------------------------------------------------------------------

static conn *knock(play *p, int victim)
{
    fiber_world(p->w[ATTACKER]);
    conn *c = conn_open(p->w[ATTACKER], address(victim), seconds(5));
    conn_deadline(c, seconds(60));
    return c;
}

static void handshake_put(play *p, conn *c, const uint8_t *id, bool fast)
{
    unsigned char bytes[PEER_HANDSHAKE_BYTES];
    peer_handshake h = {.fast = fast, .extended = true, .dht = true};
    memcpy(h.hash, p->hash, sizeof h.hash);
    memset(h.peer_id, 'x', sizeof h.peer_id);
    h.peer_id[0] = ++p->ids;
    if (id)
        memcpy(h.peer_id, id, sizeof h.peer_id);
    peer_handshake_write(bytes, &h);
    conn_put(c, str_of(bytes, sizeof bytes));
}

// Connected, both handshakes done.
static conn *come_in(play *p, int victim, bool fast)
{
    unsigned char bytes[PEER_HANDSHAKE_BYTES];
    peer_handshake theirs;
    conn *c = knock(p, victim);
    handshake_put(p, c, NULL, fast);
    must(conn_read(c, bytes, sizeof bytes) && peer_handshake_read(str_of(bytes, sizeof bytes), &theirs));
    memcpy(p->victim_id, theirs.peer_id, sizeof p->victim_id);
    return c;
}

static void say(conn *c, peer_kind kind, uint32_t piece, uint32_t begin, uint32_t length)
{
    unsigned char head[PEER_HEAD_BYTES_MAX];
    peer_message m = {.kind = kind, .piece = piece, .begin = begin, .length = length, .port = (uint16_t)piece};
    conn_put(c, str_of(head, (size_t)peer_head_write(head, &m)));
}

static void say_extended(conn *c, uint8_t number, str body)
{
    buf out = buf_make(128 * 1024);
    must(peer_message_write(&out, &(peer_message){.kind = PEER_EXTENDED, .extension = number, .payload = body}));
    conn_put(c, buf_str(&out));
    buf_free(&out);
}

// Reads on; true when the victim has ended it by then.
static bool hung_up(conn *c, int64_t within_ns)
{
    conn_flush(c);
    conn_deadline(c, within_ns);
    for (str some; (some = conn_some(c)).len; )
        conn_used(c, (size_t)some.len);
    return c->error && c->error != E_TIMEOUT;
}

static bool empty_within(play *p, int victim, int64_t ns)
{
    for (int64_t end = loop_now_ns() + ns; loop_now_ns() < end && p->t[victim]->peer_count > 0; )
        fiber_sleep(millis(10));
    return p->t[victim]->peer_count == 0;
}

// ---- messages -----------------------------------------------------------------------------------------------------------

typedef struct { str bytes; int times; bool stays; } nonsense;

static const nonsense messages[] = {
    {S("\xff\xff\xff\xff\x07"), 1, false},                                               // four gigabytes
    {S("\0\2\x01\x09\x14"), 1, false},
    {S("\0\0\0\x01\x63"), 5000, true},                                                   // a kind that nobody knows
    {S("\0\0\0\0"), 20000, true},                                                        // keep alive
    {S("\0\0\0\x02\0\0"), 1, false},                                                     // choke with a body
    {S("\0\0\0\x0a\x05\xff\xff\xff\xff\xff\xff\xff\xff\xff"), 1, false},                 // bitfields: too long
    {S("\0\0\0\x08\x05\xff\xff\xff\xff\xff\xff\xff"), 1, false},                         // too short
    {S("\0\0\0\x09\x05\0\0\0\0\0\0\0\x01"), 1, false},                                   // spare bits
    {S("\0\0\0\x09\x05\xff\0\0\0\0\0\0\0"), 2000, true},                                 // again and again
    {S("\0\0\0\x05\x04\0\0\0\x3d"), 1, false},                                           // have of piece 61 of 61
    {S("\0\0\0\x05\x04\xff\xff\xff\xff"), 1, false},
    {S("\0\0\0\x05\x04\0\0\0\x07"), 20000, true},                                        // the same one all the time
    {S("\0\0\0\x0d\x06\0\0\0\x3d\0\0\0\0\0\0\x40\0"), 1, false},                         // requests: piece 61
    {S("\0\0\0\x0d\x06\0\0\0\0\x80\0\0\0\0\0\x40\0"), 1, false},                         // at 2^31
    {S("\0\0\0\x0d\x06\0\0\0\0\xff\xff\xff\xff\0\0\x40\0"), 1, false},                   // at 2^32 - 1
    {S("\0\0\0\x0d\x06\0\0\0\0\0\0\0\0\0\0\0\0"), 1, false},                             // of 0 bytes
    {S("\0\0\0\x0d\x06\0\0\0\0\0\0\0\0\0\x02\0\x01"), 1, false},                         // of 128 KiB and one
    {S("\0\0\0\x0d\x06\0\0\0\0\0\0\xff\xff\0\0\x40\0"), 1, false},                       // past the piece's end
    {S("\0\0\0\x0d\x06\0\0\0\x05\0\0\0\0\0\0\x40\0"), PEER_REQUESTS_ABUSE, true},        // of who is choked
    {S("\0\0\0\x0d\x06\0\0\0\x05\0\0\0\0\0\0\x40\0"), PEER_REQUESTS_ABUSE + 10, false},
    {S("\0\0\0\x0d\x08\0\0\0\x05\0\0\0\0\0\0\x40\0"), 20000, true},                      // cancels of nothing
    {S("\0\0\0\x0d\x10\0\0\0\x05\0\0\0\0\0\0\x40\0"), 20000, true},                      // rejects of nothing
    {S("\0\0\0\x0a\x07\0\0\0\x3d\0\0\0\0x"), 1, false},                                  // blocks: of piece 61
    {S("\0\0\0\x0a\x07\0\0\0\0\0\x01\0\0x"), 1, false},                                  // behind the piece
    {S("\0\0\0\x0a\x07\0\0\0\0\x7f\xff\xff\xffx"), 1, false},
    {S("\0\0\0\x09\x07\0\0\0\0\0\0\0\0"), 1, false},                                     // empty
    {S("\0\0\0\x0a\x07\0\0\0\0\0\0\0\0x"), PEER_BAD_MAX, true},                          // that nobody asked for
    {S("\0\0\0\x0a\x07\0\0\0\0\0\0\0\0x"), PEER_BAD_MAX + 1, false},
    {S("\0\0\0\x03\x09\0\x19"), 5000, true},                                             // DHT ports
    {S("\0\0\0\x05\x0d\0\0\0\x07"), 20000, true},                                        // suggestions, allowed fast
    {S("\0\0\0\x05\x11\0\0\0\x07"), 20000, true},
    {S("\0\0\0\x05\x0d\0\0\0\x3d"), 1, false},
    {S("\0\0\0\x05\x11\xff\xff\xff\xff"), 1, false},
    {S("\0\0\0\x01\x02\0\0\0\x01\x03"), 10000, true},                                    // interested, and not
    {S("\0\0\0\x01\x00\0\0\0\x01\x01"), 10000, true},                                    // chokes, and does not
    {S("\0\0\0\x01\x14"), 1, false},                                                     // an extension message of nothing
    {S("\0\0\0\x04\x14\0de"), 5000, true},
    {S("\0\0\0\x08\x14\x00" "d1:ei9"), 100, true},                                       // bencode that does not end
    {S("\0\0\0\x04\x14\x01le"), 100, true},                                              // peer exchange, metadata: a list
    {S("\0\0\0\x04\x14\x02le"), 100, true},
    {S("\0\0\0\x04\x14\xff" "de"), 100, true},                                           // no number of ours
};

static void send_nonsense(play *p, int victim, const nonsense *n, int row)
{
    conn *c = come_in(p, victim, true);
    fiber_sleep(millis(200));
    for (int i = 0; i < n->times && !c->error; i++)
        conn_put(c, n->bytes);
    bool gone = hung_up(c, seconds(5));
    if (gone == n->stays)
        test_failed(__FILE__, __LINE__, "row %d: a %s %s", row, victim == SEED ? "seed" : "leecher", gone ? "hangs up" : "stays");
    if (!gone && p->t[victim]->peer_count != 1)
        test_failed(__FILE__, __LINE__, "row %d: %d peers", row, p->t[victim]->peer_count);
    conn_abort(c);
    CHECK(empty_within(p, victim, seconds(5)));
}

static void nonsense_to_seed(void *arg)
{
    play *p = arg;
    for (size_t i = 0; i < sizeof messages / sizeof *messages; i++)
        send_nonsense(p, SEED, &messages[i], (int)i);
    CHECK(honest_served(p, seconds(20)));
}
TEST(hostile_messages_to_a_seed_end_as_they_should) { stage(nonsense_to_seed, NULL); }

static void nonsense_to_leecher(void *arg)
{
    play *p = arg;
    film_add(p, LEECH, 0);
    for (size_t i = 0; i < sizeof messages / sizeof *messages; i++)
        send_nonsense(p, LEECH, &messages[i], (int)i);
    CHECK(honest_served(p, seconds(20)));
}
TEST(hostile_messages_to_a_leecher_end_as_they_should) { stage(nonsense_to_leecher, NULL); }

static void no_fast(void *arg)
{
    play *p = arg;
    for (int kind = PEER_SUGGEST; kind <= PEER_ALLOWED_FAST; kind++) {
        conn *c = come_in(p, SEED, false);
        say(c, (peer_kind)kind, 1, 0, 16384);
        CHECK(hung_up(c, seconds(2)));
        conn_abort(c);
    }
    CHECK(empty_within(p, SEED, seconds(5)));
}
TEST(hostile_fast_messages_without_the_extension_are_hung_up_on) { stage(no_fast, NULL); }

// ---- the way in ---------------------------------------------------------------------------------------------------------

static void before_the_handshake(void *arg)
{
    play *p = arg;
    uint8_t hash = p->hash[0];
    conn *silent = knock(p, SEED), *half = knock(p, SEED), *web = knock(p, SEED), *stranger = knock(p, SEED), *mirror = come_in(p, SEED, true);
    conn_put(half, S("\x13" "BitTorrent pro"));
    conn_put(web, S("GET / HTTP/1.1\r\nHost: there\r\nAccept: everything that you have, please\r\n\r\n"));
    conn *again = knock(p, SEED);
    handshake_put(p, again, p->victim_id, true);
    p->hash[0] ^= 1;
    handshake_put(p, stranger, NULL, true);
    p->hash[0] = hash;
    conn_flush(half);
    CHECK(hung_up(web, seconds(1)) && hung_up(stranger, seconds(1)) && hung_up(again, seconds(1)));
    CHECK_INT(p->t[SEED]->peer_count, 1);
    CHECK(hung_up(half, PEER_HANDSHAKE_NS + seconds(1)) && hung_up(silent, seconds(2)));
    conn *const all[] = {silent, half, web, stranger, mirror, again};
    for (int i = 0; i < 6; i++)
        conn_abort(all[i]);
    CHECK(empty_within(p, SEED, seconds(5)));
}
TEST(hostile_handshakes_end_soon) { stage(before_the_handshake, NULL); }

// One address fills what one address may have; another comes in all the same.
static void many_from_one(void *arg)
{
    enum { MANY = 300 };
    play *p = arg;
    conn *c[MANY];
    int in = 0;
    for (int i = 0; i < MANY; i++) {
        c[i] = knock(p, SEED);
        if (!c[i]->error) {
            handshake_put(p, c[i], NULL, true);
            conn_flush(c[i]);
        }
    }
    fiber_sleep(seconds(1));
    in = p->t[SEED]->peer_count;
    CHECK(in > 0 && in <= ADDRESS_CONNS_MAX);
    CHECK(honest_served(p, seconds(20)));
    for (int i = 0; i < MANY; i++)
        conn_abort(c[i]);
}
TEST(hostile_crowd_from_one_address_leaves_room_for_others) { stage(many_from_one, NULL); }

// Who shows another's peer id does not take his place.
static void stolen_id(void *arg)
{
    play *p = arg;
    film_add(p, LEECH, 50000);
    CHECK(!honest_served(p, seconds(2)));
    for (int victim = SEED; victim <= LEECH; victim++) {
        CHECK_INT(p->t[victim]->peer_count, 1);
        const peer *honest = p->t[victim]->peers[0];
        conn *c = knock(p, victim);
        handshake_put(p, c, honest->id, true);
        CHECK(hung_up(c, seconds(2)));
        conn_abort(c);
        CHECK(p->t[victim]->peer_count == 1 && p->t[victim]->peers[0] == honest && !honest->leaving);
    }
}
TEST(hostile_peer_with_the_id_of_another_does_not_take_its_place)
{
    for (uint64_t seed = 1; seed <= 6; seed++)           // whose id is the smaller one is chance
        stage_of(seed, stolen_id, NULL);
}

// Reset after each part of a conversation: nothing stays behind.
static void resets(void *arg)
{
    play *p = arg;
    static const str steps[] = {
        S("\0\0\0\x01\x0e"), S("\0\0\0\x01\x02"), S("\0\0\0\x0d\x06\0\0\0\x05\0\0\0\0\0\0\x40\0"), S("\0\0\0\x0d"), S("\x06\0\0\0\x05\0\0\0\0\0\0\x40\0"),
        S("\0\0\x40\x09\x07\0\0\0\0\0\0\0\0half a block"),
    };
    film_add(p, LEECH, 0);
    for (int victim = SEED; victim <= LEECH; victim++)
        for (size_t n = 0; n <= sizeof steps / sizeof *steps; n++)
            for (int wait_ms = 0; wait_ms <= 300; wait_ms += 100) {
                conn *c = come_in(p, victim, true);
                for (size_t i = victim == SEED; i < n; i++)
                    conn_put(c, steps[i]);
                conn_flush(c);
                fiber_sleep(millis(wait_ms));
                conn_abort(c);
            }
    CHECK(empty_within(p, SEED, seconds(5)) && empty_within(p, LEECH, seconds(5)));
    CHECK(honest_served(p, seconds(30)));
}
TEST(hostile_resets_leave_nothing_behind) { stage(resets, NULL); }

// ---- floods and the slow ------------------------------------------------------------------------------------------------

typedef struct { conn *c; int sent; } flooding;

static void flood_run(void *arg)
{
    flooding *f = arg;
    say(f->c, PEER_INTERESTED, 0, 0, 0);
    for (; f->sent < 100000 && !f->c->error; f->sent++) {
        say(f->c, PEER_REQUEST, (uint32_t)f->sent % PIECES, 0, 16384);
        if (f->sent % 64 == 0)
            conn_flush(f->c);
    }
    conn_flush(f->c);
}

// Six that ask for all and read nothing: bounded memory, and the honest one does not wait for them.
static void never_read(void *arg)
{
    enum { MANY = 6 };
    play *p = arg;
    flooding f[MANY];
    scope floods;
    fiber_world(p->w[ATTACKER]);
    scope_open(&floods, 0, MANY);
    for (int i = 0; i < MANY; i++) {
        f[i] = (flooding){.c = come_in(p, SEED, true)};
        must(scope_go(&floods, "flood", flood_run, &f[i]) == E_OK);
    }
    for (int k = 0; k < 50; k++) {
        fiber_sleep(millis(100));
        for (int i = 0; i < p->t[SEED]->peers_end; i++) {
            const peer *q = p->t[SEED]->peers[i];
            CHECK(!q || (q->wanted_count <= PEER_REQUESTS_MAX && q->control.len <= PEER_CONTROL_BYTES_MAX));
        }
    }
    CHECK(honest_served(p, seconds(60)));
    scope_cancel(&floods);
    scope_close(&floods);
    for (int i = 0; i < MANY; i++)
        conn_abort(f[i].c);
}
TEST(hostile_floods_of_requests_unread_are_bounded_and_starve_nobody) { stage(never_read, NULL); }

static int listen_for(conn *c, peer_kind kind, int64_t until_ns, bool reject)
{
    const peer_rules rules = {.piece_count = PIECES, .fast = true};
    buf in = buf_make(1 << 20);
    const char *why;
    int heard = 0;
    conn_deadline(c, until_ns - loop_now_ns());
    for (str some; (some = conn_some(c)).len && buf_put(&in, some); ) {
        conn_used(c, (size_t)some.len);
        peer_message m;
        ptrdiff_t taken;
        while (peer_message_read(buf_str(&in), rules, &m, &taken, &why) == PEER_MESSAGE) {
            heard += m.kind == kind;
            if (m.kind == PEER_REQUEST && reject)
                say(c, PEER_REJECT, m.piece, m.begin, m.length);
            buf_drop_front(&in, (size_t)taken);
        }
        conn_flush(c);
    }
    buf_free(&in);
    return heard;
}

// Says that it has all and lets everybody ask, and rejects each request: asked again, but not at the speed of the line.
static void rejects_all(void *arg)
{
    enum { ASKED_MAX = PEER_REJECTS_MAX + 10 * PEER_ASK_MIN };
    play *p = arg;
    film_add(p, LEECH, 0);
    conn *c = come_in(p, LEECH, true);
    say(c, PEER_HAVE_ALL, 0, 0, 0);
    say(c, PEER_UNCHOKE, 0, 0, 0);
    int asked = listen_for(c, PEER_REQUEST, loop_now_ns() + seconds(10), true);
    if (asked > ASKED_MAX || asked == 0)
        test_failed(__FILE__, __LINE__, "it was asked %d times in ten seconds", asked);
    CHECK(honest_served(p, seconds(20)));
    conn_abort(c);
}
TEST(hostile_peer_that_rejects_all_is_not_asked_without_end) { stage(rejects_all, NULL); }

// Six that have all and never answer: what was asked of them comes from the honest one.
static void never_answer(void *arg)
{
    enum { MANY = 6 };
    play *p = arg;
    conn *c[MANY];
    film_add(p, LEECH, 0);
    for (int i = 0; i < MANY; i++) {
        c[i] = come_in(p, LEECH, i % 2);
        if (i % 2)
            say(c[i], PEER_HAVE_ALL, 0, 0, 0);
        else
            conn_put(c[i], S("\0\0\0\x09\x05\xff\xff\xff\xff\xff\xff\xff\xf8"));
        say(c[i], PEER_UNCHOKE, 0, 0, 0);
        conn_flush(c[i]);
    }
    fiber_sleep(seconds(2));
    CHECK(honest_served(p, seconds(45)));
    for (int i = 0; i < MANY; i++)
        conn_abort(c[i]);
}
TEST(hostile_promises_that_are_not_kept_do_not_stop_the_endgame) { stage(never_answer, NULL); }

// Whole pieces of rubbish: the sender is banned, the honest one is not, and the file is right.
static void poisons(void *arg)
{
    play *p = arg;
    static unsigned char rubbish[PICKER_BLOCK_BYTES];
    film_add(p, LEECH, 0);
    conn *c = come_in(p, LEECH, true);
    say(c, PEER_HAVE_ALL, 0, 0, 0);
    say(c, PEER_UNCHOKE, 0, 0, 0);
    const peer_rules rules = {.piece_count = PIECES, .fast = true};
    buf in = buf_make(1 << 20);
    const char *why;
    for (str some; (some = conn_some(c)).len && buf_put(&in, some); ) {
        conn_used(c, (size_t)some.len);
        peer_message m;
        ptrdiff_t taken;
        while (peer_message_read(buf_str(&in), rules, &m, &taken, &why) == PEER_MESSAGE) {
            if (m.kind == PEER_REQUEST && m.length <= sizeof rubbish) {
                unsigned char head[PEER_HEAD_BYTES_MAX];
                peer_message block = {.kind = PEER_PIECE, .piece = m.piece, .begin = m.begin, .payload = str_of(rubbish, m.length)};
                conn_put(c, str_of(head, (size_t)peer_head_write(head, &block)));
                conn_put(c, block.payload);
            }
            buf_drop_front(&in, (size_t)taken);
        }
        conn_flush(c);
    }
    buf_free(&in);
    CHECK(c->error && c->error != E_TIMEOUT);
    conn_abort(c);
    CHECK(swarm_banned(p->swarm[LEECH], address(ATTACKER)));
    CHECK(honest_served(p, seconds(20)));
    CHECK(!swarm_banned(p->swarm[LEECH], address(SEED)) && p->t[LEECH]->have_bytes == LENGTH);
    c = knock(p, LEECH);
    handshake_put(p, c, NULL, true);
    CHECK(hung_up(c, seconds(2)));
    conn_abort(c);
}
TEST(hostile_sender_of_rubbish_is_banned_and_the_honest_are_not) { stage(poisons, NULL); }

// ---- extensions ---------------------------------------------------------------------------------------------------------

static str nested(play *p, int depth)
{
    unsigned char *text = arena_alloc(&p->memory, (size_t)depth, 1, 1);
    memset(text, 'l', (size_t)depth);
    return str_of(text, (size_t)depth);
}

static void extensions(void *arg)
{
    play *p = arg;
    const str greetings[] = {
        S("d1:md6:ut_pexi1e11:ut_metadatai2ee13:metadata_sizei-5e4:reqqi99999999999999999999e1:pi70000ee"),
        S("d1:md6:ut_pexi-1e11:ut_metadatai300ee13:metadata_sizei9223372036854775807e4:reqqi-1e1:pi-1ee"),
        S("d1:md6:ut_pexi255e11:ut_metadatai255ee4:reqqi0e1:pi25e1:v4:\x1b[2Je"),
        S("d1:mi5e1:v0:e"), nested(p, 60000),
    };
    conn *c = come_in(p, SEED, true);
    for (int k = 0; k < 200; k++)
        for (size_t i = 0; i < sizeof greetings / sizeof *greetings; i++)
            say_extended(c, 0, greetings[i]);
    CHECK(!hung_up(c, seconds(2)));
    CHECK_INT(p->t[SEED]->peer_count, 1);
    const peer *q = p->t[SEED]->peers[0];
    CHECK(q->requests_max > 0 && !strchr(q->client, 0x1b));
    CHECK_INT(p->t[SEED]->known_count, 0);               // port 25 is a service's
    conn_abort(c);
    CHECK(empty_within(p, SEED, seconds(5)) && honest_served(p, seconds(20)));
}
TEST(hostile_extension_handshakes_are_harmless) { stage(extensions, NULL); }

static void metadata_floods(void *arg)
{
    play *p = arg;
    conn *c = come_in(p, SEED, true);
    say_extended(c, 0, S("d1:md11:ut_metadatai2eee"));
    for (int i = 0; i < 2000 && !c->error; i++) {
        say_extended(c, OUR_METADATA, S("d8:msg_typei0e5:piecei0ee"));
        say_extended(c, OUR_METADATA, S("d8:msg_typei0e5:piecei-1ee"));
        say_extended(c, OUR_METADATA, S("d8:msg_typei0e5:piecei4294967296ee"));
        say_extended(c, OUR_METADATA, S("d8:msg_typei1e5:piecei0e10:total_sizei99999999eexxxx"));
        if (i % 50 == 0)
            conn_flush(c);
    }
    conn_flush(c);
    if (p->t[SEED]->peer_count) {
        const peer *q = p->t[SEED]->peers[0];
        CHECK(q->serves.served <= METADATA_SERVE_PIECES_MAX && q->control.len <= PEER_CONTROL_BYTES_MAX);
    }
    conn_abort(c);
    CHECK(empty_within(p, SEED, seconds(5)) && honest_served(p, seconds(20)));
}
TEST(hostile_floods_of_metadata_requests_are_bounded) { stage(metadata_floods, NULL); }

// Each address that is named would be sent a datagram: one a peer.
static void many_nodes(void *arg)
{
    play *p = arg;
    dht_view seen;
    film_add(p, LEECH, 1000);
    conn *c = come_in(p, LEECH, true);
    for (uint32_t i = 0; i < 5000; i++)
        say(c, PEER_PORT, 1024 + i, 0, 0);
    CHECK(!hung_up(c, seconds(10)));
    dht_look(p->swarm[LEECH]->dht, &seen);
    if (seen.queries_out > 20)
        test_failed(__FILE__, __LINE__, "%lld datagrams went out", (long long)seen.queries_out);
    conn_abort(c);
}
TEST(hostile_floods_of_dht_ports_send_nobody_anything) { stage(many_nodes, "dht on\nprivate-peers on\n"); }

// Strangers name victims: services, the machine itself, its network, everybody. (10.0.0.1's own network is private.)
static void victims(void *arg)
{
    play *p = arg;
    film_add(p, LEECH, 1000);
    conn *c = come_in(p, LEECH, true);
    say_extended(c, 0, S("d1:md6:ut_pexi1eee"));
    for (int i = 0; i < 100; i++)
        say_extended(c, OUR_PEX, S("d5:added60:"
                                   "\x7f\0\0\x01\x1a\xe1" "\x0a\0\0\x09\x1a\xe1" "\xc0\xa8\x01\x01\x1a\xe1" "\x08\x08\x08\x08\0\x19" "\xe0\0\0\x01\x1a\xe1"
                                   "\xff\xff\xff\xff\x1a\xe1" "\0\0\0\0\x1a\xe1" "\x08\x08\x08\x08\0\0" "\xa9\xfe\x01\x01\x1a\xe1" "\x08\x08\x04\x04\x1a\xe1"
                                   "7:added.f10:\0\0\0\0\0\0\0\0\0\0" "e"));
    CHECK(!hung_up(c, seconds(2)));
    CHECK_INT(p->t[LEECH]->known_count, 1);
    CHECK(known_find(p->t[LEECH], addr_v4(0x08080404, 6881)) != NULL);
    conn_abort(c);
}
TEST(hostile_exchange_of_victims_addresses_leads_nowhere) { stage(victims, "dht off\nprivate-peers off\n"); }

static void addresses_without_end(void *arg)
{
    play *p = arg;
    film_add(p, LEECH, 1000);
    fiber_world(p->w[LEECH]);
    for (uint32_t i = 0; i < 100000; i++) {
        addr at = addr_v4(0x50000000u + i * 2654435u, (uint16_t)(2000 + i % 60000));
        torrent_heard_of(p->t[LEECH], &at, 1, PEER_FROM_EXCHANGE);
    }
    CHECK(p->t[LEECH]->known_count <= TORRENT_KNOWN_MAX * 3 / 5 && p->t[LEECH]->connecting <= TORRENT_CONNECTING_MAX);
    fiber_sleep(seconds(1));
    CHECK(p->swarm[LEECH]->connecting <= SWARM_CONNECTING_MAX && p->swarm[LEECH]->connects <= SWARM_CONNECTS_PER_S);
}
TEST(hostile_floods_of_addresses_are_bounded) { stage(addresses_without_end, "dht off\nprivate-peers off\n"); }
