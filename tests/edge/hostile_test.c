// What hostile clients and origins do to the edge that does not fit into a case: slowness, crowds, amplification. In virtual time.
#include "test.h"

#include <inttypes.h>
#include <stdlib.h>

#include "heard.h"
#include "origin.h"
#include "rt/log.h"
#include "rt/loop.h"
#include "rt/sim.h"

enum {
    MEMORY_BYTES = 64 << 20, OBJECT_BYTES = 1000000, SLICE = STAGE_SLICE_BYTES, CROWD = 1000, CROWD_OBJECT_BYTES = 2 * SLICE + 1000,
    RANGES_TRIED = 150, LORIS = 60, MINUTES_MAX = 5, DISK_FAULTS = 32,
};

// ---- the stage ----------------------------------------------------------------------------------------------------------------

typedef struct {
    const edge_stage *stage;
    case_origin       origin;
    case_step         object;                // what the origin serves
    arena             memory;
} theatre;

static case_field object_fields[] = {{S("ETag"), S("\"1\"")}, {S("Cache-Control"), S("max-age=3600")}};

typedef void theatre_body(theatre *t);

static void play_on(const edge_stage *stage, void *arg)
{
    theatre t = {.stage = stage, .memory = arena_make(MEMORY_BYTES)};
    edge_case nothing = {.file = S("hostile_test"), .name = S("hostile")};
    t.object = (case_step){.act = ACT_SERVE, .bytes = OBJECT_BYTES, .die = -1, .stall = -1, .slow_ms = -1, .fields = object_fields,
                           .field_count = 2};
    t.origin = (case_origin){.stage = stage, .playing = &nothing, .memory = &t.memory, .serving = &t.object};
    origin_come(&t.origin);
    (*(theatre_body **)arg)(&t);
    origin_leave(&t.origin);
    arena_free(&t.memory);
}

static void play(theatre_body *body, const char *settings)
{
    log_setup(LOG_LOGFMT, LOG_ERROR, NULL, NULL);
    CHECK(stage_simulated(1, str_z(settings), (str){0}, play_on, &body));
}

static conn *edge_open(theatre *t)
{
    conn *c = conn_open(t->stage->visitor, t->stage->edge, seconds(10));
    conn_deadline(c, minutes(30));
    return c;
}

static heard ask(theatre *t, str request, arena *a)
{
    conn *c = edge_open(t);
    conn_put(c, request);
    heard h = heard_read(c, false, a);
    conn_close(c);
    return h;
}

static bool is_pattern(str bytes, int64_t first)
{
    for (ptrdiff_t i = 0; i < bytes.len; i++)
        if (bytes.at[i] != case_pattern(first + i))
            return false;
    return true;
}

// ---- amplification ------------------------------------------------------------------------------------------------------------

static str range_make(uint64_t *chance, arena *a)
{
    static const char *const odd[] = {"bytes=0-0,0-0,0-0", "bytes=0-,0-,0-,0-", "bytes=0-99999999999999999999", "bytes=-999999999", "bytes=999999999-",
                                      "bytes=0-18446744073709551615", "bytes=5-1", "bytes=,,,0-0", "bytes=0-0,-1", "bytes=-1,-2,-3"};
    str out = S("bytes=");
    int parts = 1 + (int)(test_random(chance) % 10);
    if (test_random(chance) % 4 == 0)
        return str_z(odd[test_random(chance) % (sizeof odd / sizeof *odd)]);
    for (int i = 0; i < parts; i++) {
        uint64_t from = test_random(chance) % (OBJECT_BYTES + 1000), to = from + test_random(chance) % 3;
        str part = test_random(chance) % 4 == 0 ? str_format(a, "-%" PRIu64, 1 + from % 9) : test_random(chance) % 9 == 0 ?
                   str_format(a, "%" PRIu64 "-", OBJECT_BYTES - 1 - from % 5) : str_format(a, "%" PRIu64 "-%" PRIu64, from, to);
        out = str_join(a, str_join(a, out, i ? S(",") : S("")), part);
    }
    return out;
}

// Each on an object that nobody has asked for yet, so that nothing is there.
static void ranges_ask(theatre *t)
{
    uint64_t chance = 7;
    int64_t worst = 0;
    for (int i = 0; i < RANGES_TRIED; i++) {
        arena a = arena_make(MEMORY_BYTES);
        str range = range_make(&chance, &a);
        t->origin.sent_bytes = 0;
        str request = str_format(&a, "GET /%d HTTP/1.1\r\nHost: " STAGE_HOST "\r\nRange: " STR_FMT "\r\n%sConnection: close\r\n\r\n", i,
                                 STR_ARG(range), i % 3 == 0 ? "If-Range: \"1\"\r\n" : "");
        heard h = ask(t, request, &a);
        fiber_sleep(seconds(2));
        CHECK_ROW(i, h.came && (h.head.status == 206 || h.head.status == 200 || h.head.status == 416));
        if (h.body.len < SLICE)
            CHECK_ROW(i, t->origin.sent_bytes <= 2 * SLICE);
        if (t->origin.sent_bytes > h.body.len + 2 * SLICE)
            test_failed(__FILE__, __LINE__, STR_FMT ": the origin sent %" PRId64 " bytes, the client got %td", STR_ARG(range),
                        t->origin.sent_bytes, h.body.len);
        worst = t->origin.sent_bytes - h.body.len > worst ? t->origin.sent_bytes - h.body.len : worst;
        arena_free(&a);
    }
    printf("  %d ranges: at most %.2f slices from the origin beyond what the client got\n", RANGES_TRIED, (double)worst / SLICE);
}

TEST(edge_asks_for_two_slices_at_most_whatever_the_range_says) { play(ranges_ask, ""); }

// Asks for everything and leaves after the first byte: what nobody reads is not fetched.
static void leave_early(theatre *t)
{
    for (int i = 0; i < 10; i++) {
        t->origin.sent_bytes = 0;
        conn *c = edge_open(t);
        conn_format(c, "GET /%d HTTP/1.1\r\nHost: " STAGE_HOST "\r\n\r\n", i);
        CHECK(conn_some(c).len > 0);
        conn_abort(c);
        fiber_sleep(seconds(30));
        CHECK_ROW(i, t->origin.sent_bytes <= 8 * SLICE);
    }
}

TEST(edge_fetches_little_for_who_leaves_early) { play(leave_early, ""); }

// ---- a crowd ------------------------------------------------------------------------------------------------------------------

typedef struct { theatre *t; int number; int64_t first_ns; bool right; } guest;

static void guest_come(void *arg)
{
    guest *g = arg;
    arena a = arena_make(4 << 20);
    fiber_sleep(millis(g->number / 50));                 // the simulated host lets 128 wait at its door
    conn *c = edge_open(g->t);
    conn_put(c, S("GET /a HTTP/1.1\r\nHost: " STAGE_HOST "\r\nConnection: close\r\n\r\n"));
    if (conn_wait_input(c, NEVER_NS) == E_OK)
        g->first_ns = loop_now_ns();
    heard h = heard_read(c, false, &a);
    g->right = h.came && h.whole && h.head.status == 200 && h.body.len == g->t->object.bytes && is_pattern(h.body, 0);
    conn_close(c);
    arena_free(&a);
}

static guest *crowd_come(theatre *t, int count)
{
    guest *all = arena_array(&t->memory, guest, count);
    SCOPE(crowd, 0, CROWD);
    for (int i = 0; i < count; i++) {
        all[i] = (guest){.t = t, .number = i};
        scope_go(&crowd, "guest", guest_come, &all[i]);
    }
    scope_wait(&crowd);
    return all;
}

// The origin takes two seconds for each answer: who got his first byte before the last answer began did not wait for the whole.
static void thousand_come(theatre *t)
{
    int64_t began_ns = loop_now_ns();
    t->object.bytes = CROWD_OBJECT_BYTES;
    t->object.slow_ms = 2000;
    guest *all = crowd_come(t, CROWD);
    int64_t took_ns = loop_now_ns() - began_ns;
    int right = 0, early = 0;
    for (int i = 0; i < CROWD; i++) {
        right += all[i].right;
        early += all[i].first_ns - began_ns < seconds(3);
    }
    CHECK_INT(right, CROWD);
    CHECK_INT(early, CROWD);
    CHECK(took_ns >= seconds(2));
    CHECK(t->origin.asked <= (CROWD_OBJECT_BYTES + SLICE - 1) / SLICE);
    CHECK_INT(t->origin.sent_bytes, CROWD_OBJECT_BYTES);
}

TEST(edge_asks_once_a_slice_for_a_thousand_clients) { play(thousand_come, ""); }

// An origin that says nothing more in the middle: a hundred who wait are told in time, and it was asked few times.
static void stalled_origin(theatre *t)
{
    int64_t began_ns = loop_now_ns();
    t->object.stall = 1000;
    guest *all = crowd_come(t, 100);
    CHECK(loop_now_ns() - began_ns < minutes(MINUTES_MAX));
    for (int i = 0; i < 100; i++)
        CHECK_ROW(i, !all[i].right);
    CHECK(t->origin.asked <= 40);
    t->object.stall = -1;
    fiber_sleep(seconds(60));
    all = crowd_come(t, 1);
    CHECK(all[0].right);
}

TEST(edge_does_not_wait_for_ever_for_an_origin_that_stalls) { play(stalled_origin, ""); }

// Who leaves while the origin is silent is missed long before the origin's own time is over, and so is the question; kept or not.
static void reader_leaves(theatre *t)
{
    static case_field passing[] = {{S("Cache-Control"), S("no-store")}};
    t->object.stall = 1000;
    for (int i = 0; i < 2; i++) {
        if (i == 1) {
            t->object.fields = passing;
            t->object.field_count = 1;
        }
        conn *c = edge_open(t);
        conn_put(c, i ? S("GET /b HTTP/1.1\r\nHost: " STAGE_HOST "\r\n\r\n") : S("GET /a HTTP/1.1\r\nHost: " STAGE_HOST "\r\n\r\n"));
        CHECK_ROW(i, conn_some(c).len > 0);
        fiber_sleep(seconds(5));
        CHECK_INT(t->origin.left_alone, i);
        conn_close(c);
        fiber_sleep(seconds(5));
        CHECK_INT(t->origin.left_alone, i + 1);
    }
}

TEST(edge_leaves_a_silent_origin_with_its_reader) { play(reader_leaves, ""); }

// ---- slowness -----------------------------------------------------------------------------------------------------------------

typedef struct { const char *what, *first, *drip; int every_ms, seconds_max; bool reads; } loris_kind;

static const loris_kind kinds[] = {
    {"says nothing", "", "", 1000, 70, true},
    {"a head, byte by byte", "GET /a HTTP/1.1\r\n", "X", 900, 15, true},
    {"a head, field by field", "GET /a HTTP/1.1\r\nHost: " STAGE_HOST "\r\n", "X: 1\r\n", 1000, 15, true},
    {"blank lines", "", "\r\n", 3000, 70, true},
    {"a body, byte by byte", "POST /a HTTP/1.1\r\nHost: " STAGE_HOST "\r\nContent-Length: 1000000\r\n\r\n", "x", 1000, 90, true},
    {"a body in chunks, byte by byte", "POST /a HTTP/1.1\r\nHost: " STAGE_HOST "\r\nTransfer-Encoding: chunked\r\n\r\n",
     "1\r\nx\r\n", 1000, 90, true},
    {"reads nothing", "GET /a HTTP/1.1\r\nHost: " STAGE_HOST "\r\n\r\n", "", 1000, 120, false},
};
enum { KINDS = sizeof kinds / sizeof *kinds };

typedef struct { theatre *t; const loris_kind *kind; int64_t ended_ns; } loris;

static void loris_come(void *arg)
{
    loris *l = arg;
    conn *c = edge_open(l->t);
    int64_t began_ns = loop_now_ns(), next_ns = began_ns;
    conn_put(c, str_z(l->kind->first));
    conn_flush(c);
    while (!c->error && loop_now_ns() - began_ns < minutes(MINUTES_MAX)) {
        next_ns += millis(l->kind->every_ms);
        if (!l->kind->reads) {
            fiber_sleep(next_ns - loop_now_ns());
            if (loop_now_ns() - began_ns < seconds(l->kind->seconds_max))
                continue;
            while (!c->error && conn_some(c).len)        // what lay in the network, and then the end
                conn_used(c, (size_t)conn_some(c).len);
            break;
        }
        err e = conn_wait_input(c, next_ns);
        if (e == E_OK && conn_some(c).len)
            conn_used(c, (size_t)conn_some(c).len);
        if (e == E_TIMEOUT && l->kind->drip[0]) {
            conn_put(c, str_z(l->kind->drip));
            conn_flush(c);
        }
    }
    l->ended_ns = c->error ? loop_now_ns() - began_ns : 0;
    conn_abort(c);
}

static void lorises_come(theatre *t)
{
    static loris all[LORIS];
    SCOPE(crowd, 0, LORIS);
    for (int i = 0; i < LORIS; i++) {
        all[i] = (loris){.t = t, .kind = &kinds[i % KINDS]};
        scope_go(&crowd, "loris", loris_come, &all[i]);
    }
    for (int i = 0; i < 100; i++) {                      // meanwhile everybody else is served at once
        arena a = arena_make(MEMORY_BYTES);
        int64_t began_ns = loop_now_ns();
        heard h = ask(t, S("GET /b HTTP/1.1\r\nHost: " STAGE_HOST "\r\nRange: bytes=0-9\r\nConnection: close\r\n\r\n"), &a);
        CHECK_ROW(i, h.head.status == 206 && loop_now_ns() - began_ns < seconds(1));
        arena_free(&a);
        fiber_sleep(seconds(1));
    }
    scope_wait(&crowd);
    for (int i = 0; i < LORIS; i++)
        if (!all[i].ended_ns || all[i].ended_ns > seconds(all[i].kind->seconds_max + 1))
            test_failed(__FILE__, __LINE__, "%s: ended after %lld s, not %d", all[i].kind->what, (long long)(all[i].ended_ns / NS_PER_S),
                        all[i].kind->seconds_max);
}

TEST(edge_hangs_up_on_who_is_slow_and_nobody_waits_for_them) { play(lorises_come, "; connections-per-address 2000"); }

// ---- a disk that fails --------------------------------------------------------------------------------------------------------

static bool about_says(theatre *t, const char *text)
{
    arena a = arena_make(4 << 20);
    world *home = world_here();
    fiber_world(t->stage->edge_world);
    conn *c = conn_open_unix(t->stage->edge_world, "/data/control.sock", seconds(5));
    fiber_world(home);
    conn_deadline(c, seconds(10));
    conn_put(c, S("GET /edge/about HTTP/1.1\r\nHost: naru\r\nConnection: close\r\n\r\n"));
    heard h = heard_read(c, false, &a);
    bool says = h.came && str_find_str(h.body, str_z(text)) >= 0;
    conn_close(c);
    arena_free(&a);
    return says;
}

// Full, or broken, at each of its operations in turn: whoever asks gets the right bytes, and the edge says what the disk does.
static void disk_fails(theatre *t)
{
    int met = 0;
    CHECK(about_says(t, "\"disk_failures\":0,\"disk_trouble\":\"\""));
    t->object.bytes = 3 * SLICE + 17;
    for (int i = 0; i < DISK_FAULTS; i++) {
        arena a = arena_make(MEMORY_BYTES);
        sim_fault_after(t->stage->edge_world, i / 2 % 8, i % 2 ? E_NO_SPACE : E_IO);
        for (int k = 0; k < 2; k++) {
            str request = str_format(&a, "GET /%d HTTP/1.1\r\nHost: " STAGE_HOST "\r\nConnection: close\r\n\r\n", i);
            heard h = ask(t, request, &a);
            CHECK_ROW(i, h.whole && h.head.status == 200 && h.body.len == t->object.bytes && is_pattern(h.body, 0));
            fiber_sleep(seconds(1));
        }
        fiber_sleep(seconds(12));                        // beyond the rest that it is given
        met += sim_fault_met(t->stage->edge_world);
        arena_free(&a);
    }
    sim_fault_after(t->stage->edge_world, -1, E_OK);
    CHECK(met >= DISK_FAULTS / 2);
    CHECK(!about_says(t, "\"disk_failures\":0,"));
}

TEST(edge_serves_on_when_its_disk_is_full_or_fails) { play(disk_fails, "; disk 16MiB"); }

// ---- many keys ----------------------------------------------------------------------------------------------------------------

// More objects than the memory holds: the oldest go, the edge goes on, and what was just asked for is there.
static void many_keys(theatre *t)
{
    t->object.bytes = 100;
    arena a = arena_make(MEMORY_BYTES);
    conn *c = edge_open(t);
    for (int i = 0; i < 6000; i++) {
        conn_format(c, "GET /k%d HTTP/1.1\r\nHost: " STAGE_HOST "\r\n\r\n", i);
        heard h = heard_read(c, false, &a);
        if (!h.whole || h.head.status != 200 || h.body.len != 100) {
            test_failed(__FILE__, __LINE__, "key %d: status %d", i, h.head.status);
            break;
        }
        arena_reset(&a);
    }
    t->origin.asked = 0;
    conn_put(c, S("GET /k5999 HTTP/1.1\r\nHost: " STAGE_HOST "\r\n\r\n"));
    CHECK(heard_read(c, false, &a).whole);
    CHECK_INT(t->origin.asked, 0);
    conn_put(c, S("GET /k0 HTTP/1.1\r\nHost: " STAGE_HOST "\r\n\r\n"));
    CHECK(heard_read(c, false, &a).whole);
    CHECK_INT(t->origin.asked, 1);
    conn_close(c);
    arena_free(&a);
}

TEST(edge_forgets_the_oldest_of_more_keys_than_memory_holds) { play(many_keys, "; memory 1MiB"); }

// One byte at the end of one large film, under many names: what is noted of where its slices would be is memory, too; and so are long keys.
static void far_ends(theatre *t)
{
    enum { FILMS = 300 };
    static unsigned char pad[4000];
    memset(pad, 'k', sizeof pad);
    t->object.bytes = 4ll << 30;
    for (int i = 0; i < FILMS; i++) {
        arena a = arena_make(MEMORY_BYTES);
        str request = str_format(&a, "GET /f?%d" STR_FMT " HTTP/1.1\r\nHost: " STAGE_HOST "\r\nRange: bytes=4294967000-4294967009\r\nConnection: close\r\n\r\n",
                                 i, STR_ARG(str_of(pad, sizeof pad)));
        heard h = ask(t, request, &a);
        CHECK_ROW(i, h.head.status == 206 && h.body.len == 10);
        arena_free(&a);
    }
    CHECK(!about_says(t, "\"objects\":300,"));            // half a MB each: 2 MB have room for few
}

TEST(edge_counts_the_far_ends_of_long_films) { play(far_ends, "; memory 2MiB"); }

// ---- an origin that is named --------------------------------------------------------------------------------------------------

// The name server of whoever owns the name: says what he likes (DNS rebinding).
typedef struct { addr says; int asked; } liar;

static size_t liar_answer(void *arg, datagram_door *d, const datagram *in, unsigned char *out, size_t out_max)
{
    enum { HEADER = 12, ADDRESS_RECORD = 16 };
    static const unsigned char record[] = {0xc0, 0x0c, 0, 1, 0, 1, 0, 0, 0, 1, 0, 4};
    liar *l = arg;
    size_t end = HEADER;
    (void)d;
    while (end < in->len && in->at[end])
        end += in->at[end] + 1u;
    end += 5;                                            // the root's label, type and class
    if (end > in->len || end + ADDRESS_RECORD > out_max)
        return 0;
    bool wants_v4 = in->at[end - 3] == 1;
    memcpy(out, in->at, end);
    memcpy(out + 2, (unsigned char[]){0x81, 0x80, 0, 1, 0, wants_v4, 0, 0, 0, 0}, 10);
    l->asked++;
    if (!wants_v4)
        return end;
    memcpy(out + end, record, sizeof record);
    memcpy(out + end + sizeof record, l->says.ip, 4);
    return end + ADDRESS_RECORD;
}

static int named_ask(theatre *t, const char *address)
{
    liar l = {0};
    arena a = arena_make(1 << 20);
    datagram_door *d;
    CHECK(addr_parse_ip(str_z(address), 0, &l.says));
    world *home = world_here();
    fiber_world(t->stage->origin);
    SCOPE(names, 0, 4);
    CHECK_INT(datagram_open(&names, t->stage->origin, "names", addr_with_port(t->stage->origin_at, 53), false, liar_answer, &l, &d), E_OK);
    fiber_world(home);
    fiber_sleep(seconds(40));                            // what was answered before is forgotten
    heard h = ask(t, S("GET /a HTTP/1.1\r\nHost: named.example\r\nRange: bytes=0-9\r\nConnection: close\r\n\r\n"), &a);
    CHECK(l.asked > 0);
    int status = h.head.status;
    arena_free(&a);
    return status;
}

static void named_private(theatre *t)
{
    static const char *const addresses[] = {"10.0.0.2", "127.0.0.1", "127.8.9.10", "0.0.0.0", "169.254.169.254", "192.168.1.1",
                                            "172.16.0.1", "224.0.0.1", "255.255.255.255"};
    for (size_t i = 0; i < sizeof addresses / sizeof *addresses; i++)
        CHECK_ROW(i, named_ask(t, addresses[i]) == 502);
    CHECK_INT(t->origin.asked, 0);
}

static void named_listed(theatre *t)
{
    CHECK_INT(named_ask(t, "10.0.0.2"), 206);
    CHECK_INT(t->origin.asked, 1);
}

#define NAMED "; resolver 10.0.0.2; site named.example { origin o.named.test:8080 }"

TEST(edge_asks_no_named_origin_at_a_private_address)
{
    play(named_private, NAMED);
    play(named_listed, "; origin-network 10.0.0.0/8" NAMED);
}
