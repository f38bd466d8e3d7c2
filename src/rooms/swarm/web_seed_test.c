// A web seed against servers that work, that do not, and that lead astray; in virtual time.
#include "rooms/swarm/web_seed.h"

#include "base/hex.h"
#include "rooms/swarm/store_play_test.h"
#include "rt/digest.h"
#include "rt/listener.h"
#include "talk/http_serve.h"

enum { PIECE = 16 << 10, FIBERS = 64 };
static const play_file files[] = {{"a b/one.bin", 40000}, {"none", 0}, {".pad/1", 9152, true}, {"two%.bin", 70000}};

typedef enum { SERVES, LIES, IGNORES_RANGES, SHORT, FAILS_TWICE, FAILS, REDIRECTS, REDIRECTS_INSIDE, REDIRECTS_ROUND, SAYS_LATER } manner;

typedef struct {
    stage   *t;
    play     p;
    world   *server;
    manner   manner;
    bool     from_stranger, local_allowed;
    const char *url, *address;
    int      asked;
    char     last_target[256];
    bool     got[16];
    int      pieces, bad, given_back;
    int32_t  next;
    err      deliver_error;
    web_seed *seed;
    web_seed_view view;
} web;

// ---- the server ----------------------------------------------------------------------------------------------------------------

static int file_of(const web *w, str path)
{
    arena a = arena_make(4096);
    int found = -1;
    for (int i = 0; i < w->p.m.file_count; i++)
        if (str_eq(path, str_format(&a, "/seed/show/" STR_FMT, STR_ARG(w->p.m.files[i].path))))
            found = i;
    arena_free(&a);
    return found;
}

static void serve_file(web *w, const http_request *q, http_reply *r, int number, arena *msg)
{
    const metainfo_file *f = &w->p.m.files[number];
    str whole = str_of(w->p.payload + f->offset, (size_t)f->length), range = http_header_get(q, S("Range")), rest;
    uint64_t first = 0, last = 0;
    CHECK(str_starts(range, S("bytes=")));
    rest = str_from(range, 6);
    str from = str_cut(&rest, '-');
    CHECK(str_to_u64(from, &first) && str_to_u64(rest, &last) && last < (uint64_t)f->length && first <= last);
    str part = str_copy(msg, str_sub(whole, (ptrdiff_t)first, (ptrdiff_t)(last - first + 1)));
    if (w->manner == LIES && number == 3)
        ((unsigned char *)(uintptr_t)part.at)[0] ^= 1;
    if (w->manner == SHORT)
        part = str_first(part, part.len - 1);
    http_answer_header(r, S("Content-Range"), str_format(msg, "bytes %llu-%llu/%lld", (unsigned long long)first, (unsigned long long)last,
                                                         (long long)f->length));
    if (w->manner == IGNORES_RANGES)
        http_answer(r, 200, S("application/octet-stream"), whole);
    else
        http_answer(r, 206, S("application/octet-stream"), part);
}

static void serve(void *arg, const http_request *q, http_reply *r, arena *msg)
{
    web *w = arg;
    w->asked++;
    snprintf(w->last_target, sizeof w->last_target, STR_FMT, STR_ARG(q->target));
    bool moved = str_starts(q->path, S("/moved"));
    int number = file_of(w, moved ? str_from(q->path, 6) : q->path);
    if (w->manner == FAILS || (w->manner == FAILS_TWICE && w->asked <= 2)) {
        http_answer(r, 503, S("text/plain"), S("no"));
    } else if (w->manner == SAYS_LATER && w->asked == 1) {
        http_answer_header(r, S("Retry-After"), S("120"));
        http_answer(r, 503, S("text/plain"), S("later"));
    } else if (w->manner == REDIRECTS && !moved) {
        http_answer_header(r, S("Location"), str_join(msg, S("/moved"), q->target));
        http_answer(r, 302, S("text/plain"), S(""));
    } else if (w->manner == REDIRECTS_INSIDE) {
        http_answer_header(r, S("Location"), S("http://127.0.0.1:8080/secret"));
        http_answer(r, 302, S("text/plain"), S(""));
    } else if (w->manner == REDIRECTS_ROUND) {
        http_answer_header(r, S("Location"), q->target);
        http_answer(r, 302, S("text/plain"), S(""));
    } else if (number < 0) {
        http_answer(r, 404, S("text/plain"), S("no"));
    } else {
        serve_file(w, q, r, number, msg);
    }
}

static void serve_conn(conn *c, void *arg) { http_serve(c, (http_limits){0}, serve, arg); }

static void server_life(void *arg)
{
    web *w = arg;
    door *d;
    fiber_world(w->server);
    SCOPE(s, 0, FIBERS);
    door_options options = {.service = "web", .at = addr_v4(0, 8080)};
    CHECK_INT(door_open(&s, w->server, options, serve_conn, w, &d), E_OK);
    fiber_park(NEVER_NS, "requests");
}

// ---- the torrent ---------------------------------------------------------------------------------------------------------------

static bool take(void *arg, int64_t bytes_max, int32_t *first, int32_t *count)
{
    web *w = arg;
    CHECK(bytes_max >= PIECE);
    if (w->next >= w->p.m.piece_count)
        return false;
    *first = w->next;
    *count = w->p.m.piece_count - w->next < 3 ? w->p.m.piece_count - w->next : 3;
    w->next += *count;
    return true;
}

static void give_back(void *arg, int32_t first, int32_t count)
{
    web *w = arg;
    w->given_back += count;
    w->next = first;
}

static err deliver(void *arg, int32_t piece, str bytes, bool *good)
{
    web *w = arg;
    uint8_t sum[20];
    digest_of(DIGEST_SHA1, bytes, sum);
    *good = str_eq(str_of(sum, 20), metainfo_piece_hash(&w->p.m, piece));
    w->bad += !*good;
    w->pieces += *good && !w->got[piece];
    w->got[piece] = w->got[piece] || *good;
    return E_OK;
}

static int lookup(void *arg, str host, addr *out, int max)
{
    web *w = arg;
    CHECK(max > 0 && str_eq(host, S("web.example")));
    return addr_parse_ip(str_z(w->address), 0, &out[0]);
}

static void web_body(stage *t)
{
    web *w = t->arg;
    const char *why;
    w->t = t;
    play_make(&w->p, t, files, 4, PIECE);
    addr at;
    CHECK(addr_parse_ip(S("203.0.113.9"), 0, &at));
    w->server = sim_host(t->sim, S("web"), &at, 1, quick_disk);
    web_seed_settings settings = {.world = t->world, .layout = &w->p.m, .url = str_z(w->url), .from_stranger = w->from_stranger,
                                  .local_allowed = w->local_allowed, .calls = {take, give_back, deliver, NULL, lookup, w}};
    w->seed = web_seed_new(&settings, &why);
    CHECK(w->seed);
    {
        SCOPE(s, 0, 4);
        CHECK_INT(scope_go(&s, "server", server_life, w), E_OK);
        fiber_sleep(millis(1));
        CHECK_INT(scope_go(&s, "web seed", web_seed_run, w->seed), E_OK);
        fiber_sleep(minutes(180));
        web_seed_look(w->seed, &w->view);
    }
    web_seed_free(w->seed);
    play_free(&w->p);
}

static web played(manner m, const char *url, bool from_stranger)
{
    web w = {.manner = m, .url = url, .address = "203.0.113.9", .from_stranger = from_stranger};
    stage_simulated(3, quick_disk, web_body, &w);
    return w;
}

static const char usual[] = "http://web.example:8080/seed";

TEST(web_seed_brings_all_pieces)
{
    web w = played(SERVES, usual, true);
    CHECK_INT(w.pieces, 8);
    CHECK(w.bad == 0 && w.given_back == 0 && w.view.state == WEB_SEED_RESTS && w.view.failures == 0);
    CHECK_INT(w.view.received, 119152);
    CHECK_STR(str_z(w.last_target), S("/seed/show/two%25.bin"));
    CHECK_INT(played(SERVES, "http://203.0.113.9:8080/seed/", true).pieces, 8);
}

TEST(web_seed_that_lies_is_dropped)
{
    web w = played(LIES, usual, true);
    CHECK(w.bad == 1 && w.view.state == WEB_SEED_DROPPED && w.given_back > 0);
    CHECK(str_find_str(str_z(w.view.why), S("another hash")) >= 0);
}

TEST(web_seed_waits_and_tries_again)
{
    CHECK_INT(played(FAILS_TWICE, usual, true).pieces, 8);
    CHECK_INT(played(SAYS_LATER, usual, true).pieces, 8);
    CHECK_INT(played(REDIRECTS, usual, true).pieces, 8);
    web w = played(FAILS, usual, true);
    CHECK(w.pieces == 0 && w.view.state == WEB_SEED_DROPPED && w.asked == WEB_SEED_FAILURES_MAX);
    CHECK(str_find_str(str_z(w.view.why), S("503")) >= 0);
    w = played(IGNORES_RANGES, usual, true);
    CHECK(w.view.state == WEB_SEED_DROPPED && w.pieces < 8);
    w = played(SHORT, usual, true);
    CHECK(w.view.state == WEB_SEED_DROPPED && w.pieces == 0 && w.bad == 0);
    w = played(REDIRECTS_ROUND, usual, true);
    CHECK(w.view.state == WEB_SEED_DROPPED && w.asked == WEB_SEED_FAILURES_MAX * (WEB_SEED_REDIRECTS_MAX + 1));
}

// What a torrent's author may not make us ask.
TEST(web_seed_does_not_ask_what_only_we_can_reach)
{
    web w = played(REDIRECTS_INSIDE, usual, true);
    CHECK(w.view.state == WEB_SEED_DROPPED && w.asked == 1 && w.pieces == 0);
    CHECK(str_find_str(str_z(w.view.why), S("sent us to an address inside")) >= 0);
    static const char *const inside[] = {"127.0.0.1", "10.1.2.3", "192.168.1.1", "169.254.1.1", "::1", "fe80::1", "fd00::1", "::ffff:127.0.0.1",
                                         "0.0.0.0", "224.0.0.1"};
    for (size_t i = 0; i < sizeof inside / sizeof *inside; i++) {
        web x = {.manner = SERVES, .url = usual, .address = inside[i], .from_stranger = true};
        stage_simulated(3, quick_disk, web_body, &x);
        CHECK_ROW(i, x.view.state == WEB_SEED_DROPPED && x.asked == 0);
    }
    CHECK_INT(played(SERVES, "http://127.0.0.1:8080/seed", true).view.state, WEB_SEED_DROPPED);
}

TEST(web_seed_addresses)
{
    static const struct { const char *ip; bool allowed, query, redirected, fine; } rows[] = {
        {"203.0.113.9", false, true, false, true}, {"203.0.113.9", false, true, true, true}, {"10.0.0.1", false, false, false, false},
        {"10.0.0.1", true, false, false, true}, {"10.0.0.1", true, true, false, false}, {"10.0.0.1", true, false, true, false},
        {"::1", true, false, false, true}, {"::", true, false, false, false}, {"::ffff:10.0.0.1", true, false, false, false},
        {"ff02::1", true, false, false, false}, {"0.1.2.3", true, false, false, false}, {"255.255.255.255", true, false, false, false},
        {"2001:db8::1", false, false, false, true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        addr x;
        CHECK_ROW(i, addr_parse_ip(str_z(rows[i].ip), 0, &x));
        CHECK_ROW(i, !web_seed_address_trouble(x, rows[i].allowed, rows[i].query, rows[i].redirected) == rows[i].fine);
    }
}

TEST(web_seed_urls)
{
    metainfo_file two[] = {{S("a/b c"), 0, 5, false}, {S("\xed\x95\x9c?#"), 5, 5, false}}, one[] = {{S("film 1"), 0, 5, false}};
    metainfo many = {.name = S("na me"), .files = two, .file_count = 2}, single = {.name = S("film 1"), .single = true, .files = one, .file_count = 1};
    static const struct { bool single; int file; const char *url, *want; } rows[] = {
        {false, 0, "http://x/y", "http://x/y/na%20me/a/b%20c"},
        {false, 0, "http://x/y/", "http://x/y/na%20me/a/b%20c"},
        {false, 1, "http://x", "http://x/na%20me/%ED%95%9C%3F%23"},
        {true, 0, "http://x/y/", "http://x/y/film%201"},
        {true, 0, "http://x/other?k=v", "http://x/other?k=v"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        buf out = buf_make(WEB_SEED_URL_BYTES_MAX);
        CHECK_ROW(i, web_seed_url(&out, str_z(rows[i].url), rows[i].single ? &single : &many, rows[i].file));
        CHECK_STR(buf_str(&out), str_z(rows[i].want));
        buf_free(&out);
    }
}

TEST(web_seed_refuses_urls)
{
    static const char *const urls[] = {"ftp://x/", "file:///etc/passwd", "udp://x:1/", "http://", "http://x y/", "https://x/", "http://x/?q=1",
                                       "http://user@x/", "gopher://x"};
    metainfo_file one[] = {{S("f"), 0, 5, false}};
    metainfo m = {.name = S("n"), .files = one, .file_count = 1, .piece_bytes = 16384, .piece_count = 1, .length = 5};
    for (size_t i = 0; i < sizeof urls / sizeof *urls; i++) {
        const char *why;
        web_seed_settings settings = {.layout = &m, .url = str_z(urls[i])};
        CHECK_ROW(i, !web_seed_new(&settings, &why) && why);
    }
}
