// What the console answers.
#include "rooms/console/console_stage.h"

// ---- signing in -------------------------------------------------------------------------------------------------------------------

static void sessions_play(stage *t)
{
    CHECK_INT(get(t, "/api/films").status, 401);
    http_result r = ask(t, "POST", "/api/sign-in", "Content-Type: application/json\n", "{\"user\": \"kim\", \"password\": \"guess\"}");
    CHECK(r.status == 401 && !header(&r, "Set-Cookie").len);
    sign_in_as(t, "kim");
    r = ask(t, "POST", "/api/sign-in", "Content-Type: application/json\n", "{\"user\": \"kim\", \"password\": \"right\"}");
    CHECK(has(header(&r, "Set-Cookie"), "; HttpOnly; SameSite=Strict; Max-Age=") && !has(header(&r, "Set-Cookie"), "Secure"));
    CHECK(!has(r.body, t->cookie));                                  // a script never sees the token
    CHECK_INT(get(t, "/api/films").status, 200);
    r = get(t, "/api/me");
    CHECK(has(r.body, "kim@club.example") && has(r.body, "\"role\":\"admin\"") && str_eq(header(&r, "Cache-Control"), S("no-store")));
    CHECK_INT(post(t, "/api/sign-out", "{}").status, 200);
    CHECK_INT(get(t, "/api/films").status, 401);                     // the old cookie opens nothing
}

TEST(console_signs_in_and_out) { on_stage(sessions_play); }

static void fixation_play(stage *t)
{
    char planted[65] = "00000000000000000000000000000000000000000000000000000000000000aa", before[128];
    snprintf(t->cookie, sizeof t->cookie, "%s", planted);
    http_result r = ask(t, "POST", "/api/sign-in", with_session(t, ""), "{\"user\": \"kim\", \"password\": \"right\"}");
    session_take(t, &r);
    CHECK(strcmp(t->cookie, planted) != 0);
    snprintf(before, sizeof before, "%s", t->cookie);
    r = ask(t, "POST", "/api/sign-in", with_session(t, ""), "{\"user\": \"bob\", \"password\": \"right\"}");
    session_take(t, &r);
    CHECK(strcmp(t->cookie, before) != 0);
    snprintf(t->cookie, sizeof t->cookie, "%s", before);
    CHECK_INT(get(t, "/api/films").status, 401);                     // the session of before is over
}

TEST(console_gives_every_sign_in_a_session_of_its_own) { on_stage(fixation_play); }

static void csrf_play(stage *t)
{
    sign_in_as(t, "kim");
    static const struct { const char *drop, *extra; int status; } rows[] = {
        {"", "", 200},
        {"", "Origin: http://10.0.0.1:8000", 200},
        {"", "Sec-Fetch-Site: same-origin", 200},
        {"", "Origin: http://evil.example", 403},
        {"", "Origin: null", 403},
        {"", "Sec-Fetch-Site: cross-site", 403},
        {"", "Sec-Fetch-Site: same-site", 403},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        CHECK_ROW(i, ask(t, "POST", "/api/link", with_session(t, rows[i].extra), "{\"bps\": 100000}").status == rows[i].status);
    const char *good = t->csrf;
    char kept[64];
    snprintf(kept, sizeof kept, "%s", good);
    t->csrf[0] = t->csrf[0] == '0' ? '1' : '0';
    CHECK_INT(post(t, "/api/link", "{\"bps\": 1}").status, 403);     // another's token
    t->csrf[0] = 0;
    CHECK_INT(post(t, "/api/sign-out", "{}").status, 403);           // none
    snprintf(t->csrf, sizeof t->csrf, "%s", kept);
    const char *form = str_to_z(&t->memory, str_format(&t->memory, "Cookie: naru=%s\nX-Naru-Csrf: %s\nContent-Type: text/plain", t->cookie, t->csrf));
    CHECK_INT(ask(t, "POST", "/api/link", form, "{\"bps\": 1}").status, 415);        // what a form can send
    CHECK_INT(ask(t, "POST", "/api/sign-in", "Content-Type: application/json\nOrigin: http://evil.example", "{\"user\": \"kim\", \"password\": \"right\"}").status, 403);
    CHECK_INT(ask(t, "GET", "/api/sign-out", with_session(t, ""), "").status, 405);
    CHECK_INT(get(t, "/api/films").status, 200);                     // none of it signed anybody out
}

TEST(console_changes_nothing_for_foreign_pages) { on_stage(csrf_play); }

static void guess_play(stage *t)
{
    int status = 0;
    http_result r = {0};
    for (int i = 0; i < 8; i++) {
        r = ask(t, "POST", "/api/sign-in", "Content-Type: application/json\n", "{\"user\": \"kim\", \"password\": \"guess\"}");
        status = r.status;
    }
    CHECK(status == 429 && header(&r, "Retry-After").len);
    int joined = 0;
    for (int i = 0; i < NEWCOMERS_PER_CLIENT_MAX + 5; i++)
        joined += ask(t, "POST", "/api/register", "Content-Type: application/json\n", "{\"user\": \"new@gmail.com\", \"password\": \"longenough\"}").status == 200;
    CHECK_INT(joined, NEWCOMERS_PER_CLIENT_MAX);
    CHECK_INT(ask(t, "POST", "/api/sign-in", "Content-Type: application/json\n", "{\"user\": \"kim\"}").status, 400);
    CHECK_INT(ask(t, "POST", "/api/sign-in", "Content-Type: application/json\n", "[[[[[[[[[[[[1]]]]]]]]]]]]").status, 400);
    CHECK_INT(ask(t, "POST", "/api/sign-in", "Content-Type: application/json\n", "nonsense").status, 400);
}

TEST(console_slows_down_who_guesses_or_registers_much) { on_stage(guess_play); }

// Every other session of who changes the password is over; guessing here is slowed down like signing in.
static void password_play(stage *t)
{
    char elsewhere[128];
    sign_in_as(t, "kim");
    snprintf(elsewhere, sizeof elsewhere, "%s", t->cookie);
    sign_in_as(t, "kim");
    CHECK_INT(post(t, "/api/password", "{\"password\": \"guess\", \"new\": \"longenough\"}").status, 422);
    http_result r = post(t, "/api/password", "{\"password\": \"right\", \"new\": \"short\"}");
    CHECK(r.status == 422 && has(r.body, "\"password\"") && !header(&r, "Set-Cookie").len);
    static const char *const malformed[] = {"{}", "{\"password\": \"right\"}", "{\"new\": \"longenough\"}", "{\"password\": 5, \"new\": []}", "nonsense"};
    for (size_t i = 0; i < sizeof malformed / sizeof *malformed; i++)
        CHECK_ROW(i, post(t, "/api/password", malformed[i]).status == 400);
    char csrf[64], before[128];
    snprintf(csrf, sizeof csrf, "%s", t->csrf);
    snprintf(before, sizeof before, "%s", t->cookie);
    t->csrf[0] = 0;
    int asked = t->logins;
    CHECK_INT(post(t, "/api/password", "{\"password\": \"right\", \"new\": \"longenough\"}").status, 403);
    snprintf(t->csrf, sizeof t->csrf, "%s", csrf);
    CHECK_INT(ask(t, "POST", "/api/password", with_session(t, "Origin: http://evil.example"), "{\"password\": \"right\", \"new\": \"longenough\"}").status, 403);
    CHECK_INT(ask(t, "POST", "/api/password", "Content-Type: application/json\n", "{\"password\": \"right\", \"new\": \"longenough\"}").status, 401);
    CHECK_INT(ask(t, "GET", "/api/password", with_session(t, ""), "").status, 405);
    CHECK_INT(t->logins, asked);                                     // none of these asked whether it is right
    r = post(t, "/api/password", "{\"password\": \"right\", \"new\": \"longenough\"}");
    CHECK_INT(r.status, 200);
    session_take(t, &r);
    CHECK(strcmp(t->cookie, before) != 0 && get(t, "/api/films").status == 200);
    snprintf(t->cookie, sizeof t->cookie, "%s", before);
    CHECK_INT(get(t, "/api/films").status, 401);
    snprintf(t->cookie, sizeof t->cookie, "%s", elsewhere);
    CHECK_INT(get(t, "/api/films").status, 401);
    sign_in_as(t, "kim");
    for (int i = 0; i < 8; i++)
        r = post(t, "/api/password", "{\"password\": \"guess\", \"new\": \"longenough\"}");
    CHECK(r.status == 429 && header(&r, "Retry-After").len);
}

TEST(console_changes_a_password_and_signs_out_everywhere_else) { on_stage(password_play); }

static void everywhere_play(stage *t)
{
    char first[128];
    sign_in_as(t, "kim");
    snprintf(first, sizeof first, "%s", t->cookie);
    sign_in_as(t, "bob");
    char bob[128];
    snprintf(bob, sizeof bob, "%s", t->cookie);
    sign_in_as(t, "kim");
    CHECK_INT(post(t, "/api/sign-out-everywhere", "{}").status, 200);
    CHECK_INT(get(t, "/api/films").status, 401);
    snprintf(t->cookie, sizeof t->cookie, "%s", first);
    CHECK_INT(get(t, "/api/films").status, 401);
    snprintf(t->cookie, sizeof t->cookie, "%s", bob);
    CHECK_INT(get(t, "/api/films").status, 200);                     // others stay
}

TEST(console_signs_out_everywhere) { on_stage(everywhere_play); }

static void closed_play(stage *t)
{
    CHECK_INT(ask(t, "POST", "/api/register", "Content-Type: application/json\n", "{\"user\": \"n@g.com\", \"password\": \"longenough\"}").status, 403);
    CHECK_INT(ask(t, "POST", "/api/sign-in", "Content-Type: application/json\n", "{\"user\": \"kim\", \"password\": \"right\"}").status, 403);
    CHECK_INT(t->logins, 0);                                         // no password went further
    CHECK(has(ask(t, "GET", "/api/me", "", "").body, "\"safe\":false"));
}

TEST(console_takes_no_password_in_the_open) { on_stage_with("registration no\n", closed_play); }

static void register_play(stage *t)
{
    http_result r = ask(t, "POST", "/api/register", "Content-Type: application/json\n", "{\"user\": \"bob@gmail.com\", \"password\": \"longenough\"}");
    CHECK(r.status == 409 && has(r.body, "taken"));
    r = ask(t, "POST", "/api/register", "Content-Type: application/json\n", "{\"user\": \"new@gmail.com\", \"password\": \"longenough\"}");
    CHECK_INT(r.status, 200);
    session_take(t, &r);
    CHECK(has(get(t, "/api/me").body, "\"role\":\"viewer\""));
}

TEST(console_registers_viewers) { on_stage(register_play); }

// ---- pages ------------------------------------------------------------------------------------------------------------------------

static void pages_play(stage *t)
{
    static const char *const pages[] = {"/", "/films", "/watch/ferry", "/sign-in", "/register", "/status", "/accounting", "/account"};
    for (size_t i = 0; i < sizeof pages / sizeof *pages; i++) {
        http_result r = ask(t, "GET", pages[i], "", "");
        CHECK_ROW(i, r.status == 200 && has(r.body, "<!doctype html>") && str_starts(header(&r, "Content-Type"), S("text/html")));
        str policy = header(&r, "Content-Security-Policy");
        CHECK_ROW(i, has(policy, "default-src 'none'") && has(policy, "frame-ancestors 'none'") && !has(policy, "unsafe-inline"));
        CHECK_ROW(i, str_eq(header(&r, "X-Content-Type-Options"), S("nosniff")) && header(&r, "Referrer-Policy").len);
        CHECK_ROW(i, str_eq(header(&r, "Cache-Control"), S("no-cache")));
        str again = str_format(&t->memory, "If-None-Match: " STR_FMT, STR_ARG(header(&r, "ETag")));
        CHECK_ROW(i, ask(t, "GET", pages[i], str_to_z(&t->memory, again), "").status == 304);
        CHECK_ROW(i, !has(r.body, "<script>") && !has(r.body, "style=") && !has(r.body, "onclick"));
    }
    static const char *const none[] = {"/nothing", "/assets/", "/assets/index.html.gz", "/assets/..%2findex.html", "/watch/..%2f..", "/watch/", "/index.html", "/assets/%00",
                                       "/etc/passwd", "/api", "/api/nothing", "/media/ferry/../../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd"};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
        int status = ask(t, "GET", none[i], "", "").status;
        CHECK_ROW(i, status == 404 || status == 400 || status == 401);
    }
    CHECK_INT(ask(t, "POST", "/", "Content-Type: application/json\n", "{}").status, 405);
}

TEST(console_pages_say_what_browsers_may_do_with_them) { on_stage(pages_play); }

static void assets_play(stage *t)
{
    http_result page = ask(t, "GET", "/", "", "");
    for (str rest = page.body; has(rest, "/assets/");) {
        rest = str_from(rest, str_find_str(rest, S("/assets/")));
        str path = str_first(rest, str_find(rest, '"'));
        rest = str_from(rest, path.len);
        http_result plain = ask(t, "GET", str_to_z(&t->memory, path), "", ""), packed = ask(t, "GET", str_to_z(&t->memory, path), "Accept-Encoding: br, gzip", "");
        CHECK(plain.status == 200 && has(header(&plain, "Cache-Control"), "immutable") && header(&plain, "ETag").len);
        CHECK(!header(&packed, "Content-Encoding").len || (str_eq(header(&packed, "Content-Encoding"), S("gzip")) && packed.body.len < plain.body.len));
    }
}

TEST(console_assets_are_kept_for_ever_by_their_names) { on_stage(assets_play); }

// ---- films --------------------------------------------------------------------------------------------------------------------------

static void films_play(stage *t)
{
    sign_in_as(t, "bob");
    http_result r = get(t, "/api/films");
    CHECK(r.status == 200 && has(r.body, "\"id\":\"ferry\"") && has(r.body, "\"manifest\":\"/media/ferry/manifest.mpd\""));
    CHECK(str_eq(header(&r, "Content-Type"), S("application/json")) && has(r.body, "<img"));         // as data: the page shows it as text
    CHECK(!has(r.body, "../etc"));                                   // no film is called so
    r = get(t, "/api/films?q=fErRy");
    CHECK(has(r.body, "ferry") && !has(r.body, "lake"));
    CHECK(has(get(t, "/api/films?q=%ED%98%B8%EC%88%98").body, "lake"));
    CHECK(!has(get(t, "/api/films?q=nothing").body, "\"id\""));
    r = get(t, "/media/ferry/v1000/1.m4s");
    CHECK(r.status == 200 && str_eq(r.body, S("0123456789")) && str_eq(header(&r, "Content-Type"), S("video/mp4")));
    CHECK_STR(t->origin_target, S("/ferry/v1000/1.m4s"));
    r = get(t, "/media/ferry/evil.html");
    CHECK(str_eq(header(&r, "Content-Type"), S("application/octet-stream")) && has(header(&r, "Content-Security-Policy"), "default-src 'none'"));
    static const char *const none[] = {"/media/ferry", "/media/ferry/", "/media/Ferry/a", "/media/ferry/a/b/c", "/media/ferry/.hidden", "/media/ferry/a%2fb%2fc",
                                       "/media/ferry/a%20b", "/media/ferry/a%3fb", "/media/fer%0ary/a"};
    t->origin_target = S("untouched");
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
        int status = get(t, none[i]).status;
        CHECK_ROW(i, status == 404 || status == 400);
    }
    CHECK_STR(t->origin_target, S("untouched"));
    t->cookie[0] = 0;
    CHECK_INT(get(t, "/media/ferry/v1000/1.m4s").status, 401);
}

TEST(console_shows_films_and_fetches_nothing_else) { on_stage(films_play); }

static void via_play(stage *t)
{
    sign_in_as(t, "bob");
    http_result r = get(t, "/via/10.0.0.1:8080/6Y7B23V?x=%41");
    CHECK(r.status == 200 && str_eq(r.body, S("0123456789")));
    CHECK_STR(t->origin_target, S("/6Y7B23V?x=%41"));
    static const char *const refused[] = {"/via/10.0.0.2/x", "/via/169.254.169.254/latest", "/via/localhost/x", "/via/evilkingcdn.com/x", "/via/10.0.0.1:0/x",
                                          "/via/10.0.0.1:99999/x", "/via//x", "/via/10.0.0.1@evil/x", "/via/kingcdn.com.evil/x"};
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        int status = get(t, refused[i]).status;
        CHECK_ROW(i, status == 403 || status == 404);
    }
    CHECK_INT(get(t, "/via/10.0.0.1:8080/away").status, 502);        // a redirect leads nowhere that we would not go
    CHECK_INT(get(t, "/via/10.0.0.1:1/x").status, 502);              // nobody there
    CHECK(relay_allowed(t->r->state, S("a.KingCDN.com")) && !relay_allowed(t->r->state, S("kingcdn.com.org")));
    t->cookie[0] = 0;
    CHECK_INT(get(t, "/via/10.0.0.1:8080/x").status, 401);
}

TEST(console_relays_to_named_hosts_only) { on_stage(via_play); }

static void link_play(stage *t)
{
    sign_in_as(t, "bob");
    int64_t begun = loop_now_ns();
    get(t, "/media/ferry/a");
    CHECK(loop_now_ns() - begun < millis(100));
    http_result r = post(t, "/api/link", "{\"bps\": 10}");
    CHECK(r.status == 200 && has(r.body, "50000"));                  // no slower than that
    begun = loop_now_ns();
    for (int i = 0; i < 10; i++)
        get(t, "/media/ferry/a");                                    // 10 bytes each at 50 kbit/s: 1.6 ms
    CHECK(loop_now_ns() - begun >= millis(16));
    CHECK(has(post(t, "/api/link", "{\"bps\": 0}").body, "\"bps\":0"));
    static const char *const malformed[] = {"{\"bps\": -1}", "{\"bps\": \"5\"}", "{}", "{\"bps\": 1e3}", "[]"};
    for (size_t i = 0; i < sizeof malformed / sizeof *malformed; i++)
        CHECK_ROW(i, post(t, "/api/link", malformed[i]).status == 400);
    CHECK(has(get(t, "/api/link").body, "\"at\":\"console\"") && has(get(t, "/api/link").body, "\"may\":true"));
}

TEST(console_link_has_the_rate_that_was_set) { on_stage(link_play); }

// In the small Internet the line is everybody's: its operator sets it, and everybody sees what it truly is.
static void line_set_play(stage *t)
{
    CHECK_INT(room_offer(t->r, "small.line", line_play, t), E_OK);
    sign_in_as(t, "bob");
    CHECK(has(get(t, "/api/link").body, "\"at\":\"line\"") && has(get(t, "/api/link").body, "\"may\":false"));
    http_result r = post(t, "/api/link", "{\"bps\": 500000}");
    CHECK(r.status == 403 && has(r.body, "operator") && t->line_bps == 0);
    sign_in_as(t, "kim");
    r = post(t, "/api/link", "{\"bps\": 500000}");
    CHECK(r.status == 200 && has(r.body, "\"bps\":500000") && has(r.body, "\"may\":true") && t->line_bps == 500000);
    CHECK(has(post(t, "/api/link", "{\"bps\": 1}").body, "\"bps\":200000"));      // the true value, not the wish
    int64_t begun = loop_now_ns();
    get(t, "/media/ferry/a");
    CHECK(loop_now_ns() - begun < millis(100));                      // the console itself holds nothing back
    CHECK(has(post(t, "/api/link", "{\"bps\": 0}").body, "\"bps\":0"));
}

TEST(console_sets_the_small_internets_line_for_its_operator) { on_stage(line_set_play); }

static void no_line_play(stage *t)
{
    sign_in_as(t, "kim");
    CHECK(has(get(t, "/api/link").body, "\"at\":\"none\"") && has(get(t, "/api/link").body, "\"may\":false"));
    CHECK_INT(post(t, "/api/link", "{\"bps\": 500000}").status, 403);
}

TEST(console_without_a_line_says_so) { on_stage_with("plaintext loopback\norigin 10.0.0.1:8080\n", no_line_play); }

static void report_play(stage *t)
{
    sign_in_as(t, "bob");
    fiber_sleep(seconds(1));
    CHECK_INT(post(t, "/api/report", "{\"session\": \"ab\", \"server\": \"east\", \"throughput_bps\": 5}").status, 200);
    CHECK_STR(t->origin_target, S("/report"));
    CHECK_INT(post(t, "/api/report", "{}").status, 429);             // not so often
    fiber_sleep(seconds(1));
    CHECK_INT(post(t, "/api/report", "nonsense").status, 400);
    CHECK(has(get(t, "/api/me").body, "\"steering\":"));
}

TEST(console_passes_reports_to_the_steering_service) { on_stage(report_play); }

// ---- viewings ---------------------------------------------------------------------------------------------------------------------

static void viewings_play(stage *t)
{
    sign_in_as(t, "bob");
    CHECK_INT(post(t, "/api/viewings", "{\"film\": \"nothing\"}").status, 404);
    http_result r = post(t, "/api/viewings", "{\"film\": \"ferry\"}");
    CHECK_INT(r.status, 201);
    json_t *o = json_loadb((const char *)r.body.at, (size_t)r.body.len, 0, NULL);
    str path = str_format(&t->memory, "/api/viewings/%s", json_string_value(json_object_get(o, "viewing")));
    json_decref(o);
    CHECK_INT(post(t, str_to_z(&t->memory, path), "{\"watched_ms\": 1}").status, 429);
    fiber_sleep(seconds(20));
    CHECK_INT(post(t, str_to_z(&t->memory, path), "{\"watched_ms\": 20000, \"bytes\": 5000, \"servers\": [\"east\"], \"ended\": true}").status, 200);
    CHECK_INT(post(t, "/api/viewings/../x", "{}").status, 404);
    r = get(t, "/api/accounting");
    CHECK(has(r.body, "\"owner\":false") && has(r.body, "\"watched_ms\":20000") && !has(r.body, "sums"));
    sign_in_as(t, "kim");
    CHECK_INT(post(t, str_to_z(&t->memory, path), "{\"ended\": true}").status, 404);         // another's
    r = get(t, "/api/accounting");
    CHECK(has(r.body, "\"owner\":true") && has(r.body, "bob@gmail.com") && has(r.body, "\"servers\":{\"east\":"));
    for (int i = 0; i < CONSOLE_BEGINS_A_MINUTE_MAX; i++)
        CHECK_INT(post(t, "/api/viewings", "{\"film\": \"lake\"}").status, 201);
    CHECK_INT(post(t, "/api/viewings", "{\"film\": \"lake\"}").status, 429);
    r = get(t, "/api/status");
    CHECK(has(r.body, "\"source\":\"process\"") && has(r.body, "\"service\":\"console\"") && !has(r.body, "/data"));
}

TEST(console_keeps_the_account_of_viewings) { on_stage(viewings_play); }

// ---- TLS --------------------------------------------------------------------------------------------------------------------------

static void tls_files(stage *t, certificate *ca)
{
    certificate own;
    str names[] = {S("10.0.0.1")};
    CHECK(certificate_authority_make(t->host, S("test"), 3, &t->memory, ca) && certificate_make(t->host, ca, names, 1, 3, &t->memory, &own));
    CHECK_INT(dir_make(t->host, "/keys", 0700), E_OK);
    CHECK_INT(file_replace(t->host, "/keys/cert.pem", own.cert_pem, 0600), E_OK);
    CHECK_INT(file_replace(t->host, "/keys/key.pem", own.key_pem, 0600), E_OK);
}

typedef struct { stage *t; certificate ca; } keys;
static void keys_work(void *arg) { tls_files(((keys *)arg)->t, &((keys *)arg)->ca); }

static void tls_play(void *arg)
{
    stage *t = arg;
    keys k = {.t = t};
    str why = {0};
    config_error error;
    log_setup(LOG_LOGFMT, LOG_ERROR, NULL, NULL);
    t->director = world_here();
    fiber_world(t->host);
    work(keys_work, &k);
    statement *block = config_parse(S("test"), S("certificate /keys/cert.pem\nkey /keys/key.pem\n"), &t->memory, NULL, NULL, &error);
    CHECK_INT(node_start(&t->n, t->host, S("netcinema.com"), S("/data")), E_OK);
    CHECK_INT(node_add(&t->n, &console_kind, block, &t->r, &why), E_OK);
    CHECK_INT(room_offer(t->r, "accounts.login", accounts_play, t), E_OK);
    tls_config *client = tls_client_new(t->director, k.ca.cert_pem, NULL, &t->memory, &why);
    conn *c = conn_open(t->director, addr_v4(0x0a000001, CONSOLE_PORT), seconds(5));
    CHECK(client && conn_tls_connect(c, client, S("10.0.0.1")));
    http_header type = {S("Content-Type"), S("application/json")};
    http_result r = http_fetch(c, S("POST"), S("10.0.0.1:8000"), S("/api/sign-in"), &type, 1, S("{\"user\": \"kim\", \"password\": \"right\"}"), 1 << 20, &t->memory);
    CHECK_INT(r.status, 200);
    CHECK(str_starts(header(&r, "Set-Cookie"), S("__Host-naru=")) && has(header(&r, "Set-Cookie"), "; Secure"));
    CHECK(header(&r, "Strict-Transport-Security").len);
    conn_close(c);
    tls_free(client);
    node_stop(&t->n);
}

TEST(console_under_tls_keeps_its_cookie_there)
{
    addr at = addr_v4(0x0a000001, 0);
    sim *s = sim_new(9);
    stage t = {.memory = arena_make(TEST_MEMORY_BYTES_MAX)};
    t.host = sim_host(s, S("netcinema.com"), &at, 1, (sim_disk){.write_ns = 1000, .sync_ns = 100000});
    CHECK_INT(sim_run(s, tls_play, &t), E_OK);
    arena_free(&t.memory);
    sim_free(s);
}

TEST(console_judges_names_of_films_and_hosts)
{
    static const struct { const char *authority; bool good; uint16_t port; } rows[] = {
        {"a.example", true, 80}, {"a.example:8080", true, 8080}, {"[::1]:81", true, 81}, {"[::1]", true, 80}, {"127.0.0.1:5", true, 5},
        {"", false, 0}, {":80", false, 0}, {"a:b", false, 0}, {"a/b", false, 0}, {"a b", false, 0}, {"a@b", false, 0}, {"a:70000", false, 0},
    };
    str host;
    uint16_t port = 0;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        bool good = relay_authority(str_z(rows[i].authority), &host, &port);
        CHECK_ROW(i, good == rows[i].good && (!good || port == rows[i].port));
    }
    CHECK(film_id_sound(S("6y7b23v")) && !film_id_sound(S("A")) && !film_id_sound(S("")) && !film_id_sound(S("a/b")) && !film_id_sound(S("..")));
    CHECK(film_file_sound(S("v1000/1.m4s")) && film_file_sound(S("poster.jpg")) && !film_file_sound(S("a/b/c")) && !film_file_sound(S("..")));
    CHECK(!film_file_sound(S("")) && !film_file_sound(S("/a")) && !film_file_sound(S("a/")) && !film_file_sound(S("a//b")) && !film_file_sound(S("a/.b")));
}
