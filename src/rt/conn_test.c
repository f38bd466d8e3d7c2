#include "rt/conn.h"

#include <stdlib.h>

#include "base/heap_memory.h"
#include "rt/conn_play_test.h"

static const char *const joint_names[BY_COUNT] = {"pair", "socket", "tls"};

// Runs body for each joint with ends that are joined by it, in both worlds.
static void (*body_of_joints)(world *w, test_ends e, joint by);

static void each_joint(world *w)
{
    test_tls t;
    test_tls_make(&t, w, "test");
    for (joint by = BY_PAIR; by < BY_COUNT; by++) {
        test_ends e = test_join(w, by, &t);
        body_of_joints(w, e, by);
    }
    test_tls_free(&t);
}

static void play_joints(void (*body)(world *w, test_ends e, joint by))
{
    body_of_joints = body;
    play_both(each_joint);
}

// ---- lines ----------------------------------------------------------------------------------------------------------------

enum { LINES_MAX = 4 };

static const struct { str sent; size_t max; str lines[LINES_MAX]; } line_rows[] = {
    {S(""), 100, {S("")}},
    {S("one\r\ntwo\nthree\r\n"), 100, {S("one\r\n"), S("two\n"), S("three\r\n")}},
    {S("no end"), 100, {S("no end")}},
    {S("a\n\n\r\nb"), 100, {S("a\n"), S("\n"), S("\r\n"), S("b")}},
    {S("12345678\nnext\n"), 9, {S("12345678\n"), S("next\n")}},                 // exactly as long as allowed
    {S("123456789\nnext\n"), 9, {S("123456789"), S("next\n")}},                 // one too long: cut, without its LF
    {S("123456789abcdefghijkl\nnext\n"), 9, {S("123456789"), S("next\n")}},
    {S("123456789abcdef"), 9, {S("123456789")}},
    {S("\xff\x00\x01\nnext\n"), 9, {{(const unsigned char *)"\xff\0\1\n", 4}, S("next\n")}},
};

static void lines_come_in_pieces(world *w, joint by, test_tls *t, size_t row, ptrdiff_t piece)
{
    test_ends e = test_join(w, by, t);
    arena msg = arena_make(1 << 20);
    SCOPE(writing, seconds(30), 1);
    test_writer writer = {.c = e.client, .text = line_rows[row].sent, .piece = piece};
    must(scope_go(&writing, "writer", test_write, &writer) == E_OK);
    for (int i = 0; i < LINES_MAX && line_rows[row].lines[i].len > 0; i++) {
        str line = conn_line(e.server, &msg, line_rows[row].max);
        if (!str_eq(line, line_rows[row].lines[i]))
            test_failed(__FILE__, __LINE__, "row %zu by %s in pieces of %td: line %d is '" STR_FMT "'", row, joint_names[by], piece,
                        i, STR_ARG(line));
        CHECK_ROW(row, e.server->error == E_OK);
    }
    CHECK_ROW(row, conn_line(e.server, &msg, line_rows[row].max).len == 0);
    CHECK_ROW(row, e.server->error == E_EOF);
    CHECK_ROW(row, (ptrdiff_t)e.server->bytes_in == line_rows[row].sent.len);
    CHECK_INT(scope_wait(&writing), E_OK);
    conn_close(e.server);
    conn_close(e.client);
    arena_free(&msg);
}

static void lines_in(world *w)
{
    static const ptrdiff_t pieces[] = {1, 2, 7, 1000};
    test_tls t;
    test_tls_make(&t, w, "test");
    for (joint by = BY_PAIR; by < BY_COUNT; by++)
        for (size_t row = 0; row < sizeof line_rows / sizeof *line_rows; row++)
            for (size_t p = 0; p < sizeof pieces / sizeof *pieces; p++)
                lines_come_in_pieces(w, by, &t, row, pieces[p]);
    test_tls_free(&t);
}

TEST(conn_line_is_the_same_however_it_comes) { play_both(lines_in); }

// ---- bulk -----------------------------------------------------------------------------------------------------------------

enum { BULK_BYTES = 3 * 1000 * 1000 + 17 };

static void echo_all(void *arg)
{
    conn *c = arg;
    for (str some; (some = conn_some(c)).len > 0; ) {
        size_t n = (size_t)some.len;
        conn_put(c, some);
        conn_used(c, n);
    }
    CHECK_INT(c->error, E_EOF);
    conn_shutdown(c);                            // the peer's half of the end does not keep us from writing ours
}

static void bulk_echoes(world *w, test_ends e, joint by)
{
    (void)w, (void)by;
    unsigned char *sent = memory_new(BULK_BYTES), *back = memory_new(BULK_BYTES);
    uint64_t state = 7;
    for (size_t i = 0; i < BULK_BYTES; i++)
        sent[i] = (unsigned char)test_random(&state);
    SCOPE(all, seconds(60), 2);
    test_writer writer = {.c = e.client, .text = str_of(sent, BULK_BYTES), .piece = 50021};
    must(scope_go(&all, "echo", echo_all, e.server) == E_OK && scope_go(&all, "writer", test_write, &writer) == E_OK);
    CHECK(conn_read(e.client, back, BULK_BYTES));
    CHECK(memcmp(sent, back, BULK_BYTES) == 0);
    CHECK(conn_some(e.client).len == 0);
    CHECK_INT(e.client->error, E_EOF);
    CHECK_INT(e.client->bytes_out, BULK_BYTES);
    CHECK_INT(e.server->bytes_out, BULK_BYTES);
    CHECK_INT(scope_wait(&all), E_OK);
    conn_close(e.client);
    conn_close(e.server);
    memory_free(sent);
    memory_free(back);
}

TEST(conn_carries_what_is_larger_than_every_buffer) { play_joints(bulk_echoes); }

// One fiber reads (and sends what waits, before it parks), another writes; the peer is slow in both directions.
enum { STREAM_BYTES = 600 * 1000 };

static void write_numbers(void *arg)
{
    conn *c = arg;
    unsigned char piece[1000];
    for (int i = 0; i < STREAM_BYTES / 1000; i++) {
        memset(piece, i % 251, sizeof piece);
        conn_put(c, str_of(piece, sizeof piece));
        if (i % 7 == 0)
            fiber_yield();
    }
    CHECK(conn_flush(c));
}

static void read_dots(void *arg)
{
    conn *c = arg;
    unsigned char dot;
    for (int i = 0; i < 200; i++)
        CHECK(conn_read(c, &dot, 1) && dot == '.');
}

static void one_reads_one_writes(world *w, test_ends e, joint by)
{
    (void)w, (void)by;
    SCOPE(all, seconds(30), 2);
    must(scope_go(&all, "reader", read_dots, e.server) == E_OK && scope_go(&all, "writer", write_numbers, e.server) == E_OK);
    bool same = true;
    unsigned char got[3000], want[3000];
    for (int i = 0; i < 200; i++) {
        conn_put(e.client, S("."));
        conn_flush(e.client);
        fiber_yield();
        CHECK(conn_read(e.client, got, sizeof got));
        for (int k = 0; k < 3; k++)
            memset(want + k * 1000, (i * 3 + k) % 251, 1000);
        same &= memcmp(got, want, sizeof got) == 0;
    }
    CHECK(same);
    CHECK_INT(scope_wait(&all), E_OK);
    conn_close(e.client);
    conn_close(e.server);
}

TEST(conn_has_a_reader_and_a_writer) { play_joints(one_reads_one_writes); }

// ---- a dialogue -----------------------------------------------------------------------------------------------------------

static void answer_lines(void *arg)
{
    conn *c = arg;
    arena msg = arena_make(1 << 16);
    for (str line; (line = conn_line(c, &msg, 100)).len > 0; arena_reset(&msg))
        conn_format(c, "250 " STR_FMT, STR_ARG(line));
    arena_free(&msg);
    conn_close(c);
}

static void dialogue(world *w, test_ends e, joint by)
{
    (void)w;
    SCOPE(serving, seconds(60), 1);
    must(scope_go(&serving, "server", answer_lines, e.server) == E_OK);
    arena msg = arena_make(1 << 16);
    conn_put(e.client, S("one\r\ntwo\r\nthree\r\n"));
    str all = conn_some(e.client);
    CHECK_STR(all, S("250 one\r\n250 two\r\n250 three\r\n"));       // pipelined replies travel together
    conn_used(e.client, (size_t)all.len);
    conn_put(e.client, S("fo"));
    CHECK_INT(conn_wait_input(e.client, loop_now_ns() + millis(20)), E_TIMEOUT);
    CHECK_INT(e.client->error, E_OK);                               // that was only our own patience
    CHECK(!conn_has_input(e.client));
    CHECK(inside(e.client)->in.at == NULL && inside(e.client)->out.at == NULL);      // idle: no buffers
    if (by != BY_PAIR)
        CHECK(inside(e.client)->pipe == NULL);
    conn_put(e.client, S("ur\r\n"));
    CHECK_STR(conn_line(e.client, &msg, 100), S("250 four\r\n"));
    conn_shutdown(e.client);
    CHECK(conn_line(e.client, &msg, 100).len == 0);
    CHECK_INT(e.client->error, E_EOF);
    arena_free(&msg);
    scope_wait(&serving);
    conn_close(e.client);
}

TEST(conn_holds_a_dialogue) { play_joints(dialogue); }

// ---- trouble --------------------------------------------------------------------------------------------------------------

static void deadline_passes(world *w, test_ends e, joint by)
{
    (void)w, (void)by;
    arena msg = arena_make(1 << 16);
    conn_put(e.client, S("unfinished"));
    conn_flush(e.client);
    conn_deadline(e.server, millis(30));
    CHECK(conn_line(e.server, &msg, 100).len == 0);
    CHECK_INT(e.server->error, E_TIMEOUT);
    conn_put(e.server, S("dropped"));
    CHECK(!conn_flush(e.server));
    conn_put_last(e.server, S("421 too slow\r\n"));
    conn_close(e.server);
    CHECK_STR(conn_line(e.client, &msg, 100), S("421 too slow\r\n"));
    conn_close(e.client);
    arena_free(&msg);
}

TEST(conn_deadline_ends_a_slow_read_and_the_last_words_arrive) { play_joints(deadline_passes); }

typedef struct { conn *c; int64_t pause_ns; } dripper;

static void drip(void *arg)
{
    dripper *d = arg;
    while (!d->c->error && fiber_sleep(d->pause_ns) == E_OK) {
        conn_put(d->c, S("x"));
        conn_flush(d->c);
    }
}

static void slow_peer(world *w, test_ends e, joint by)
{
    (void)w, (void)by;
    arena msg = arena_make(1 << 16);
    SCOPE(dripping, seconds(20), 1);
    dripper d = {e.client, millis(5)};           // 200 bytes a second: always moving, and for ever
    must(scope_go(&dripping, "dripper", drip, &d) == E_OK);
    conn_deadline(e.server, seconds(20));
    conn_rate_min(e.server, 2000, millis(100));
    CHECK(conn_line(e.server, &msg, 10000).len == 0);
    CHECK_INT(e.server->error, E_SLOW);
    scope_cancel(&dripping);
    scope_wait(&dripping);
    conn_close(e.server);
    conn_close(e.client);
    arena_free(&msg);
}

TEST(conn_rate_min_ends_a_peer_that_drips) { play_joints(slow_peer); }

static void fast_enough(world *w, test_ends e, joint by)
{
    (void)w, (void)by;
    SCOPE(dripping, seconds(20), 1);
    dripper d = {e.client, millis(2)};
    must(scope_go(&dripping, "dripper", drip, &d) == E_OK);
    conn_rate_min(e.server, 20, seconds(30));
    unsigned char got[40];
    CHECK(conn_read(e.server, got, sizeof got));
    scope_cancel(&dripping);
    scope_wait(&dripping);
    conn_close(e.server);
    conn_close(e.client);
}

TEST(conn_rate_min_lets_a_peer_that_keeps_up_alone) { play_joints(fast_enough); }

static void peer_never_reads(world *w, test_ends e, joint by)
{
    (void)w, (void)by;
    unsigned char block[8192] = {0};
    conn_deadline(e.server, millis(100));
    int64_t put = 0;
    for (; e.server->error == E_OK && put < (1 << 30); put += (int64_t)sizeof block)
        conn_put(e.server, str_of(block, sizeof block));
    CHECK_INT(e.server->error, E_TIMEOUT);       // bounded: the kernel's (or the pair's) buffers, then we wait
    CHECK(conn_unsent(e.server) <= CONN_OUT_BYTES);
    conn_abort(e.server);
    conn_close(e.client);
}

TEST(conn_that_nobody_reads_waits_and_gives_up) { play_joints(peer_never_reads); }

static void endless_line(void *arg)
{
    conn *c = arg;
    unsigned char block[4096];
    memset(block, 'A', sizeof block);
    while (!c->error)
        conn_put(c, str_of(block, sizeof block));
}

static void peer_never_ends_its_line(world *w, test_ends e, joint by)
{
    (void)w, (void)by;
    arena msg = arena_make(1 << 16);
    SCOPE(writing, seconds(20), 1);
    must(scope_go(&writing, "endless", endless_line, e.client) == E_OK);
    conn_deadline(e.server, millis(100));
    CHECK(conn_line(e.server, &msg, 1000).len == 0);
    CHECK_INT(e.server->error, E_TIMEOUT);
    CHECK(inside(e.server)->in.cap <= CONN_IN_BYTES_MAX);
    conn_abort(e.server);
    scope_cancel(&writing);
    scope_wait(&writing);
    conn_close(e.client);
    arena_free(&msg);
}

// Only in real time: where reading costs nothing an endless line takes no time, and no deadline ever passes.
static void never_ends_real(world *w)
{
    (void)w;
    each_joint(w);
}

TEST(conn_line_without_end_takes_bounded_memory_and_time)
{
    body_of_joints = peer_never_ends_its_line;
    play_real(never_ends_real);
}

static void reader_is_canceled(void *arg)
{
    conn *c = arg;
    CHECK(conn_some(c).len == 0);
    CHECK_INT(c->error, E_CANCELED);
    conn_put_last(c, S("421 closing\r\n"));
    conn_close(c);
}

static void canceled(world *w, test_ends e, joint by)
{
    (void)w, (void)by;
    SCOPE(reading, 0, 1);
    must(scope_go(&reading, "reader", reader_is_canceled, e.server) == E_OK);
    fiber_sleep(millis(10));
    scope_cancel(&reading);
    CHECK_INT(scope_wait(&reading), E_OK);
    arena msg = arena_make(1 << 16);
    CHECK_STR(conn_line(e.client, &msg, 100), S("421 closing\r\n"));
    conn_close(e.client);
    arena_free(&msg);
}

TEST(conn_of_a_canceled_fiber_still_says_goodbye) { play_joints(canceled); }

static void refused(world *w)
{
    sock *listener;
    must(sock_listen(w, addr_v4(0x7f000001, 0), (listen_options){0}, &listener) == E_OK);
    addr gone = sock_local(listener);
    sock_close(listener);
    conn *c = conn_open(w, gone, seconds(5));
    CHECK_INT(c->error, E_REFUSED);
    conn_put(c, S("into the void"));
    CHECK(!conn_flush(c));
    CHECK(conn_some(c).len == 0);
    conn_close(c);
}

TEST(conn_open_where_nobody_listens_is_refused) { play_both(refused); }

static void aborted(world *w, test_ends e, joint by)
{
    (void)w, (void)by;
    conn_put(e.server, S("half of an ans"));
    conn_abort(e.server);
    while (conn_some(e.client).len > 0)
        conn_used(e.client, (size_t)conn_some(e.client).len);
    CHECK_INT(e.client->error, E_RESET);
    conn_close(e.client);
}

TEST(conn_that_is_aborted_shows_as_a_reset) { play_joints(aborted); }

static void close_it(void *arg) { conn_close(arg); }

// A peer that still talks when we close must get our last words: a reset would take them away.
static void talks_on(world *w, test_ends e, joint by)
{
    (void)w, (void)by;
    arena msg = arena_make(1 << 16);
    conn_put(e.client, S("EHLO a\r\nMAIL b\r\nRCPT c\r\n"));
    conn_flush(e.client);
    fiber_sleep(millis(5));
    CHECK_STR(conn_line(e.server, &msg, 100), S("EHLO a\r\n"));
    conn_put(e.server, S("554 go away\r\n"));
    SCOPE(closing, 0, 1);
    must(scope_go(&closing, "closing", close_it, e.server) == E_OK);
    CHECK_STR(conn_line(e.client, &msg, 100), S("554 go away\r\n"));
    conn_close(e.client);
    scope_wait(&closing);
    arena_free(&msg);
}

TEST(conn_close_lets_a_peer_that_talks_on_hear_our_last_words) { play_joints(talks_on); }

// ---- memory pairs ---------------------------------------------------------------------------------------------------------

static void pair_ends(world *w)
{
    (void)w;
    arena msg = arena_make(1 << 16);
    conn *a, *b;
    conn_pair(&a, &b);
    CHECK(a->is_inside && b->is_inside && a->peer.family == 0);
    conn_put(a, S("last words\n"));
    conn_close(a);
    CHECK_STR(conn_line(b, &msg, 100), S("last words\n"));      // what was sent before the end arrives
    CHECK(conn_line(b, &msg, 100).len == 0);
    CHECK_INT(b->error, E_EOF);
    conn_put(b, S("nobody hears"));
    CHECK(!conn_flush(b));
    conn_close(b);

    conn_pair(&a, &b);
    conn_put(a, S("cut off\n"));
    conn_flush(a);
    conn_abort(a);
    CHECK(conn_some(b).len == 0);
    CHECK_INT(b->error, E_RESET);
    conn_close(b);
    arena_free(&msg);
}

TEST(conn_pair_tells_an_end_from_a_break) { play_both(pair_ends); }

// ---- parts ----------------------------------------------------------------------------------------------------------------

enum { PARTS = 9, PART_BYTES = 40000 };
static unsigned char part_bytes[PARTS * PART_BYTES];

static void parts_write(void *arg)
{
    conn *c = arg;
    str parts[PARTS];
    for (int i = 0; i < PARTS; i++)                      // of all sizes, empty ones too, also at the end
        parts[i] = str_of(part_bytes + i * PART_BYTES, i == 2 || i == PARTS - 1 ? 0 : (size_t)(i * i * 500));
    conn_put(c, S("first,"));
    conn_put_parts(c, parts, PARTS);
    for (int i = 0; i < PARTS; i++)
        CHECK_ROW((size_t)i, parts[i].len == 0);
    conn_put(c, S("last"));
    conn_shutdown(c);
}

static void parts_arrive(world *w, test_ends e, joint by)
{
    (void)w, (void)by;
    static unsigned char got[PART_BYTES];
    for (size_t i = 0; i < sizeof part_bytes; i++)
        part_bytes[i] = (unsigned char)(i / 7 + i % 251);
    SCOPE(writing, seconds(30), 1);
    must(scope_go(&writing, "writer", parts_write, e.client) == E_OK);
    CHECK(conn_read(e.server, got, 6) && memcmp(got, "first,", 6) == 0);
    for (int i = 0; i < PARTS; i++) {
        size_t n = i == 2 || i == PARTS - 1 ? 0 : (size_t)(i * i * 500);
        CHECK_ROW((size_t)i, conn_read(e.server, got, n) && memcmp(got, part_bytes + i * PART_BYTES, n) == 0);
    }
    CHECK(conn_read(e.server, got, 4) && memcmp(got, "last", 4) == 0);
    CHECK_INT(scope_wait(&writing), E_OK);
    scope_close(&writing);
    conn_close(e.server);
    conn_close(e.client);
}

TEST(parts_arrive_in_order_over_every_carrier) { play_joints(parts_arrive); }
