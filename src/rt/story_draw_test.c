#include "base/utf8.h"
#include "rt/story_rows.h"
#include "test.h"

static story_event event(const char *here, const char *protocol, story_direction d, addr local, addr peer, str line)
{
    static uint64_t number;
    number++;
    story_event e = {.number = number, .direction = d, .local = local, .peer = peer, .len = (uint8_t)line.len,
                     .mono_ns = (int64_t)number * 1000000, .wall_ns = 1795298613000000000, .trace = 1};
    memcpy(e.here, here, strlen(here));
    memcpy(e.protocol, protocol, strlen(protocol));
    memcpy(e.line, line.at, (size_t)line.len);
    return e;
}

// A client that tells nothing, two mail servers that both tell, a note, and a word inside the second host.
static int example(story_event *e)
{
    addr person = addr_v4(0x7f000001, 50000), sch = addr_v4(0x7f00000c, 25);
    addr out = addr_v4(0x7f00000c, 40000), ham = addr_v4(0x7f000006, 25);
    int n = 0;
    e[n++] = event("sch.ac.kr", "smtp", STORY_OUT, sch, person, S("220 sch.ac.kr"));
    e[n++] = event("sch.ac.kr", "smtp", STORY_IN, sch, person, S("MAIL FROM: <a@b>"));
    e[n++] = event("sch.ac.kr", "disk", STORY_NOTE, (addr){0}, (addr){0}, S("synced"));
    e[n++] = event("sch.ac.kr", "smtp", STORY_OUT, out, ham, S("DATA"));
    e[n++] = event("hamburger.edu", "smtp", STORY_IN, ham, out, S("DATA"));
    e[n++] = event("hamburger.edu", "smtp", STORY_OUT, ham, out, S("354 \xed\x95\x9c\xea\xb8\x80"));
    e[n++] = event("sch.ac.kr", "smtp", STORY_IN, out, ham, S("354 \xed\x95\x9c\xea\xb8\x80"));
    e[n++] = event("hamburger.edu", "lmtp", STORY_OUT, (addr){0}, (addr){0}, S("LHLO x"));
    e[n++] = event("hamburger.edu", "lmtp", STORY_IN, (addr){0}, (addr){0}, S("LHLO x"));
    e[n] = event("sch.ac.kr", "dns", STORY_OUT, out, addr_v4(0x7f000003, 53), S("query 1 a A"));
    memcpy(e[n++].there, "root", 4);
    return n;
}

TEST(story_rows_say_a_message_once)
{
    story_event e[16];
    arena a = arena_make(1 << 20);
    story_picture p;
    int count = example(e);
    CHECK(story_picture_make(e, count, &a, &p));
    static const char *const hosts[] = {"127.0.0.1", "sch.ac.kr", "hamburger.edu", "root"};
    CHECK_INT(p.host_count, 4);
    for (int i = 0; i < 4; i++)
        CHECK_STR(str_z(p.hosts[i]), str_z(hosts[i]));
    static const int ways[][2] = {{1, 0}, {0, 1}, {1, 1}, {1, 2}, {2, 1}, {2, 2}, {1, 3}};
    CHECK_INT(p.row_count, 7);
    for (int i = 0; i < 7 && i < p.row_count; i++)
        CHECK_ROW(i, p.rows[i].from == ways[i][0] && p.rows[i].to == ways[i][1]);
    CHECK(p.rows[5].inside && !p.rows[2].inside && p.rows[0].after_ns == 0 && p.rows[1].after_ns == 1000000);
    arena_free(&a);
}

TEST(story_rows_keep_what_was_lost_or_said_twice)
{
    addr x = addr_v4(1, 1), y = addr_v4(2, 2);
    story_event e[4] = {
        event("x", "smtp", STORY_OUT, x, y, S("NOOP")), event("x", "smtp", STORY_OUT, x, y, S("NOOP")),
        event("y", "smtp", STORY_IN, y, x, S("NOOP")), event("y", "smtp", STORY_IN, y, x, S("RSET")),
    };
    arena a = arena_make(1 << 20);
    story_picture p;
    CHECK(story_picture_make(e, 4, &a, &p));
    CHECK_INT(p.row_count, 3);                   // the second NOOP never arrived, RSET was only heard
    arena_free(&a);
}

TEST(story_rows_join_the_lines_of_an_answer)
{
    addr x = addr_v4(1, 1), y = addr_v4(2, 2);
    story_event e[6] = {
        event("x", "smtp", STORY_OUT, x, y, S("250-x")), event("x", "smtp", STORY_OUT, x, y, S("250-SIZE 5")),
        event("x", "smtp", STORY_OUT, x, y, S("250 HELP")), event("x", "smtp", STORY_OUT, x, y, S("250 next")),
        event("x", "smtp", STORY_OUT, x, y, S("250-a")), event("x", "smtp", STORY_OUT, x, y, S("251 b")),
    };
    arena a = arena_make(1 << 20);
    story_picture p;
    CHECK(story_picture_make(e, 6, &a, &p));
    static const char *const want[] = {"250-x / SIZE 5 / HELP", "250 next", "250-a", "251 b"};
    CHECK_INT(p.row_count, 4);
    for (int i = 0; i < p.row_count && i < 4; i++)
        CHECK_STR(p.rows[i].text, str_z(want[i]));
    arena_free(&a);
}

TEST(story_rows_are_bounded)
{
    static story_event e[2 * STORY_HOSTS_MAX];
    for (int i = 0; i < 2 * STORY_HOSTS_MAX; i++)
        e[i] = event("hub", "dns", STORY_OUT, addr_v4(1, 53), addr_v4((uint32_t)i + 2, 53), S("query"));
    arena a = arena_make(4 << 20), small = arena_make(100);
    story_picture p;
    CHECK(story_picture_make(e, 2 * STORY_HOSTS_MAX, &a, &p));
    CHECK_INT(p.host_count, STORY_HOSTS_MAX);
    CHECK_STR(str_z(p.hosts[STORY_HOSTS_MAX - 1]), S("..."));
    CHECK(!story_picture_make(e, 2 * STORY_HOSTS_MAX, &small, &p));
    for (int columns = 1; columns < 500; columns += 7) {
        buf out = buf_make(1 << 22);
        story_ladder(e, 2 * STORY_HOSTS_MAX, columns, false, &out);
        int most = columns < 40 ? 40 : columns;
        for (str rest = buf_str(&out); rest.len;)
            CHECK_ROW(columns, utf8_width(str_cut(&rest, '\n')) <= most);
        buf_free(&out);
    }
    arena_free(&small);
    arena_free(&a);
}

TEST(story_ladder_is_drawn)
{
    static const char want[] =
        "           127.0.0.1\n"
        "           │               sch.ac.kr\n"
        "           │               │               hamburger.edu\n"
        "           │               │               │             root\n"
        " +0.00 ms  │ smtp 220 sch.ac.kr            │               │\n"
        "           │◀──────────────┤               │               │\n"
        " +1.00 ms  │ smtp MAIL FROM: <a@b>         │               │\n"
        "           ├──────────────▶│               │               │\n"
        " +2.00 ms  │               ◆ disk synced   │               │\n"
        " +3.00 ms  │               ├── smtp DATA ─▶│               │\n"
        " +5.00 ms  │               │ smtp 354 한글 │               │\n"
        "           │               │◀──────────────┤               │\n"
        " +7.00 ms  │               │               ▷ lmtp LHLO x   │\n"
        " +9.00 ms  │               ├── dns query 1 a A ───────────▶│\n";
    story_event e[16];
    int count = example(e);
    buf out = buf_make(1 << 16);
    story_ladder(e, count, 61, false, &out);
    CHECK_STR(buf_str(&out), str_z(want));
    buf_clear(&out);
    story_ladder(e, count, 61, true, &out);
    CHECK(str_find_str(buf_str(&out), S("\033[0;32m")) > 0 && str_ends(buf_str(&out), S("\033[0m\n")));
    buf_clear(&out);
    story_ladder(e, 0, 61, true, &out);
    CHECK_INT(out.len, 0);
    buf_free(&out);
}

TEST(story_times_are_short)
{
    static const struct { int64_t ns; const char *text; } rows[] = {
        {0, "+0.00 ms"}, {-5, "+0.00 ms"}, {1234567, "+1.23 ms"}, {12345678, "+12.3 ms"}, {999999999, "+999.9 ms"},
        {1234567890, "+1.23 s"}, {99999000000, "+99.99 s"}, {100000000000, "+100 s"}, {86400000000000, "+86400 s"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char text[16];
        story_time_text(text, rows[i].ns);
        CHECK_STR(str_z(text), str_z(rows[i].text));
    }
    char text[16];
    story_time_text(text, INT64_MAX);
    CHECK(strlen(text) < sizeof text);
}

TEST(story_page_stands_alone_and_escapes)
{
    addr x = addr_v4(1, 1), y = addr_v4(2, 2);
    story_event e[2] = {
        event("<b>host", "smtp", STORY_OUT, x, y, S("MAIL FROM:<a@b>\"'&")),
        event("<b>host", "x\"y", STORY_OUT, x, y, S("</code><script>alert(1)</script>")),
    };
    buf out = buf_make(1 << 20);
    story_html(e, 2, S("ko"), S("<script>"), &out);
    str page = buf_str(&out);
    CHECK(str_starts(page, S("<!doctype html>\n<html lang=\"ko\">")) && str_ends(page, S("</html>\n")));
    CHECK(str_find_str(page, S("<script")) < 0 && str_find_str(page, S("<b>host")) < 0 && str_find_str(page, S("x\"y")) < 0);
    CHECK(str_find_str(page, S("MAIL FROM:&lt;a@b&gt;&quot;&#39;&amp;")) > 0);
    CHECK(str_find_str(page, S("http://")) < 0 && str_find_str(page, S("https://")) < 0 && str_find_str(page, S("url(")) < 0);
    CHECK(str_find_str(page, story_explain("smtp", S("MAIL FROM:<a@b>"), true)) > 0);
    CHECK(utf8_valid(page));
    buf_clear(&out);
    story_html(e, 0, S("fr"), S("empty"), &out);
    CHECK(str_find_str(buf_str(&out), S("lang=\"en\"")) > 0 && str_find_str(buf_str(&out), S("No messages")) > 0);
    buf_free(&out);
}

TEST(story_lines_are_explained)
{
    static const struct { const char *protocol; str line; const char *part; } rows[] = {
        {"smtp", S("mail from: <a@b>"), "envelope's sender"},
        {"smtp", S("."), "CR LF . CR LF"},
        {"smtp", S("250 2.0.0 A1 Message accepted for delivery"), "on the server's disk"},
        {"smtp", S("250 2.1.0 ok"), "2xx means yes"},
        {"smtp", S("250-SIZE"), "extension"},
        {"smtp", S("450 later"), "queue"},
        {"dns", S("query 1 a.example A rd"), "recursion"},
        {"dns", S("query 1 a.example A"), "iterated"},
        {"dns", S("reply 1 a A NOERROR: 0 answers, 2 authority, 1 additional"), "referral"},
        {"dns", S("reply 1 a A NOERROR aa: 1 answers, 0 authority"), "responsible"},
        {"dns", S("reply 1 a A NXDOMAIN aa: 0 answers"), "no such name"},
        {"pop3", S("DELE 1"), "QUIT"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        str english = story_explain(rows[i].protocol, rows[i].line, false);
        CHECK_ROW(i, str_find_str(english, str_z(rows[i].part)) >= 0);
        CHECK_ROW(i, story_explain(rows[i].protocol, rows[i].line, true).len > 0);
    }
    CHECK(story_explain("smtp", S("(no such words)"), false).len == 0 && story_explain("none", S("HELO"), false).len == 0);
    CHECK_STR(story_about("none", true), S("none"));
}
