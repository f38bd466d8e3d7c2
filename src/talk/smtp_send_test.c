// The client against a server that follows a script: what the client must say, and what the server answers.
#include "talk/smtp_send.h"

#include "rt/loop.h"
#include "rt/sim.h"
#include "test.h"

// "C: " what the client's next line must begin with; "S: " what the server says; "D: " a line of the letter,
// exactly, up to the dot; "X" the server hangs up; "W: N" it waits for N seconds; "R: N" it reads a byte every N seconds until the end;
// "L" it reads lines of seven bits up to the dot.
typedef struct {
    const char *const *script;
    conn *c;
    int   wrong;                     // the line of the script that was not kept, from 1
} server;

static void wait_for(conn *c, str seconds_text)
{
    int64_t n = 0;
    CHECK(str_to_i64(seconds_text, &n));
    conn_flush(c);
    fiber_sleep(seconds(n));
}

static void serve(void *arg)
{
    server *s = arg;
    arena msg = arena_make(1 << 16);
    for (int i = 0; s->script[i] && !s->wrong; i++, arena_reset(&msg)) {
        const char *line = s->script[i];
        str rest = str_from(str_z(line), 3);
        if (line[0] == 'S') {
            conn_put(s->c, rest);
            conn_put(s->c, S("\r\n"));
        } else if (line[0] == 'X') {
            break;
        } else if (line[0] == 'W') {
            wait_for(s->c, rest);
        } else if (line[0] == 'L') {
            bool seven = true, dot = false;
            while (!dot) {
                arena_reset(&msg);
                str got = conn_line(s->c, &msg, 4096);
                dot = got.len == 0 || str_eq(got, S(".\r\n"));
                for (ptrdiff_t k = 0; k < got.len; k++)
                    seven = seven && got.at[k] < 128;
            }
            CHECK(seven);
        } else if (line[0] == 'R') {
            for (unsigned char byte; conn_read(s->c, &byte, 1);)
                wait_for(s->c, rest);
        } else {
            str got = conn_line(s->c, &msg, 4096);
            bool kept = line[0] == 'C' ? str_starts(got, rest) : str_eq(str_chomp(got), rest) &&
                str_ends(got, S("\r\n"));
            if (!kept) {
                s->wrong = i + 1;
                printf("  script line %d: wanted '%s', got '" STR_FMT "'\n", i + 1, line, STR_ARG(got));
            }
        }
    }
    conn_close(s->c);
    arena_free(&msg);
}

typedef struct {
    const char *const *script;
    smtp_client_options options;
    int  letters, recipients;
    str  body;
    bool body_8bit;
    int64_t size_bytes;
    // the outcome
    bool started, alive;
    smtp_verdict start, verdicts[4];
    int  wrong;
    int64_t took_ns;
    arena memory;
} play;

typedef struct { str text; bool given; } one_piece;

static bool body_next(void *arg, str *piece, err *trouble)
{
    one_piece *p = arg;
    (void)trouble;
    *piece = p->text;
    return !p->given && (p->given = true);
}

static void play_run(void *arg)
{
    play *p = arg;
    server s = {.script = p->script};
    conn *mine;
    int64_t began_ns = loop_now_ns();
    conn_pair(&mine, &s.c);
    SCOPE(both, 0, 1);
    scope_go(&both, "server", serve, &s);
    p->options.helo = S("crepes.fr");
    smtp_client *client = smtp_client_start(mine, p->options, &p->memory, &p->start);
    p->started = p->alive = client != NULL;
    for (int i = 0; i < p->letters && p->alive; i++) {
        one_piece body = {p->body, false};
        smtp_recipient to[4] = {{.to = {S("bob"), S("hamburger.edu")}, .delivery_id = S("1-0")},
                                {.to = {S("eve"), S("x.org")}, .mailbox = S("Sent")},
                                {.to = {S("joe"), S("x.org")}}, {.to = {S("ann"), S("x.org")}}};
        smtp_letter l = {.from = {S("alice"), S("crepes.fr")}, .to = to, .count = p->recipients, .body = body_next,
                         .body_arg = &body,
                         .body_8bit = p->body_8bit, .size_bytes = p->size_bytes ? p->size_bytes : p->body.len};
        p->alive = smtp_client_send(client, &l, p->verdicts, &p->memory);
    }
    if (client && p->alive)
        smtp_client_quit(client);
    else if (client)
        smtp_client_drop(client);
    p->took_ns = loop_now_ns() - began_ns;
    conn_close(mine);
    scope_wait(&both);
    p->wrong = s.wrong;
}

static void played(play *p)
{
    addr at = addr_v4(0x0a000001, 0);
    sim *s = sim_new(1);
    sim_host(s, S("crepes.fr"), &at, 1, (sim_disk){0});
    p->memory = arena_make(1 << 20);
    CHECK_INT(sim_run(s, play_run, p), E_OK);
    CHECK_INT(p->wrong, 0);
    sim_free(s);
}

static const str KETCHUP = S("Subject: x\r\n\r\nDo you like ketchup?\r\n.\r\n");

TEST(smtp_client_plays_the_textbook_one_step_at_a_time)
{
    static const char *const script[] = {
        "S: 220 hamburger.edu", "C: EHLO crepes.fr", "S: 500 what?", "C: HELO crepes.fr", "S: 250 Hello crepes.fr",
        "C: MAIL FROM:<alice@crepes.fr>\r\n", "S: 250 ok", "C: RCPT TO:<bob@hamburger.edu>\r\n", "S: 250 ok",
        "C: DATA", "S: 354 go",
        "D: Subject: x", "D: ", "D: Do you like ketchup?", "D: ..", "D: .", "S: 250 2.0.0 accepted as 17", "C: QUIT",
        "S: 221 bye", NULL};
    play p = {.script = script, .letters = 1, .recipients = 1, .body = KETCHUP};
    played(&p);
    CHECK(p.started && p.alive);
    CHECK_INT(p.verdicts[0].code, 250);
    CHECK_STR(p.verdicts[0].text, S("2.0.0 accepted as 17"));
    CHECK_STR(p.verdicts[0].enhanced, S("2.0.0"));
    arena_free(&p.memory);
}

TEST(smtp_client_pipelines_and_tells_each_recipient_apart)
{
    static const char *const script[] = {
        "S: 220-hello", "S: 220 there", "C: EHLO", "S: 250-mx", "S: 250-PIPELINING", "S: 250 SIZE 1000",
        "C: MAIL FROM:<alice@crepes.fr> SIZE=39", "C: RCPT TO:<bob@", "C: RCPT TO:<eve@", "C: RCPT TO:<joe@", "C: DATA",
        "S: 250 ok", "S: 250 ok", "S: 550-5.1.1 nobody", "S: 550 5.1.1 here", "S: 450 4.2.1 later", "S: 354 go",
        "D: Subject: x", "D: ", "D: Do you like ketchup?", "D: ..", "D: .", "S: 250 done",
        "C: MAIL", "C: RCPT", "C: RCPT", "C: RCPT", "C: DATA", "S: 250 ok", "S: 550 no", "S: 550 no", "S: 550 no",
        "S: 503 no recipients",
        "C: QUIT", "S: 221 bye", NULL};
    play p = {.script = script, .letters = 2, .recipients = 3, .body = KETCHUP};
    played(&p);
    CHECK(p.alive);
    for (int i = 0; i < 3; i++)
        CHECK_INT(p.verdicts[i].code, 550);
    arena_free(&p.memory);
}

TEST(smtp_client_ends_a_data_that_nobody_gets)
{
    static const char *const script[] = {
        "S: 220 hello", "C: EHLO", "S: 250-mx", "S: 250 PIPELINING", "C: MAIL", "C: RCPT", "C: DATA", "S: 250 ok",
        "S: 550 5.1.1 no",
        "S: 354 go", "D: .", "S: 554 no recipients", "C: RSET", "S: 250 ok", "C: MAIL", "C: RCPT", "C: DATA",
        "S: 421 4.3.2 closing", "X", NULL};
    play p = {.script = script, .letters = 2, .recipients = 1, .body = KETCHUP};
    played(&p);
    CHECK(!p.alive);
    CHECK_INT(p.verdicts[0].code, 421);
    arena_free(&p.memory);
}

TEST(smtp_client_knows_that_the_letter_may_have_arrived)
{
    static const char *const script[] = {
        "S: 220 hello", "C: EHLO", "S: 250 mx", "C: MAIL", "S: 250 ok", "C: RCPT", "S: 250 ok", "C: DATA",
        "S: 354 go", "D: Subject: x",
        "D: ", "D: Do you like ketchup?", "D: ..", "D: .", "X", NULL};
    play p = {.script = script, .letters = 1, .recipients = 1, .body = KETCHUP};
    played(&p);
    CHECK(!p.alive && p.verdicts[0].after_dot && p.verdicts[0].error != E_OK && p.verdicts[0].code == 0);
    arena_free(&p.memory);
}

TEST(smtp_client_converts_for_servers_of_seven_bits)
{
    static const char *const script[] = {
        "S: 220 hello", "C: EHLO", "S: 250 mx", "C: MAIL FROM:<alice@crepes.fr>\r\n", "S: 250 ok", "C: RCPT",
        "S: 250 ok", "C: DATA", "S: 354 go",
        "D: Subject: x", "D: Content-Transfer-Encoding: quoted-printable", "D: MIME-Version: 1.0",
        "D: Content-Type: text/plain; charset=utf-8", "D: ",
        "D: caf=C3=A9 au lait and nothing else", "D: .", "S: 250 ok", "C: QUIT", "S: 221 bye", NULL};
    play p = {.script = script, .letters = 1, .recipients = 1,
              .body = S("Subject: x\r\n\r\ncaf\xc3\xa9 au lait and nothing else\r\n"), .body_8bit = true};
    played(&p);
    CHECK_INT(p.verdicts[0].code, 250);
    arena_free(&p.memory);
}

TEST(smtp_client_says_nothing_about_a_letter_that_is_too_large)
{
    static const char *const script[] = {"S: 220 hello", "C: EHLO", "S: 250-mx", "S: 250 SIZE 1000", "C: QUIT",
                                         "S: 221 bye", NULL};
    play p = {.script = script, .letters = 1, .recipients = 2, .body = KETCHUP, .size_bytes = 1001};
    played(&p);
    CHECK(p.alive);
    CHECK_INT(p.verdicts[1].code, 552);
    arena_free(&p.memory);
}

TEST(lmtp_client_hears_each_recipient)
{
    static const char *const script[] = {
        "S: 220 hello", "C: LHLO crepes.fr", "S: 250-mx", "S: 250-XDELIVERYID", "S: 250-XMAILBOX",
        "S: 250 PIPELINING", "C: MAIL",
        "C: RCPT TO:<bob@hamburger.edu> XDELIVERYID=1-0\r\n", "C: RCPT TO:<eve@x.org> XMAILBOX=Sent\r\n",
        "C: RCPT TO:<joe@", "C: DATA", "S: 250 ok", "S: 250 ok", "S: 250 ok",
        "S: 550 5.1.1 no", "S: 354 go", "D: Subject: x", "D: ", "D: Do you like ketchup?", "D: ..", "D: .",
        "S: 250 stored", "S: 452 4.3.1 full", "C: QUIT", "S: 221 bye", NULL};
    play p = {.script = script, .options = {.lmtp = true}, .letters = 1, .recipients = 3, .body = KETCHUP};
    played(&p);
    CHECK_INT(p.verdicts[0].code, 250);
    CHECK_INT(p.verdicts[1].code, 452);
    CHECK_INT(p.verdicts[2].code, 550);
    arena_free(&p.memory);
}

TEST(smtp_client_gives_up_on_nonsense)
{
    static const struct { const char *script[6]; err error; int code; } rows[] = {
        {{"S: hello", NULL}, E_PROTOCOL, 0},
        {{"S: 554 go away", "C: QUIT", "S: 221 bye", NULL}, E_OK, 554},
        {{"S: 220 hi", "C: EHLO", "S: 250-a", "S: 550 b", NULL}, E_PROTOCOL, 0},
        {{"S: 220 hi", "C: EHLO", "S: 421 busy", NULL}, E_OK, 421},
        {{"S: 220 hi", "C: EHLO", "X", NULL}, E_EOF, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        play p = {.script = rows[i].script};
        played(&p);
        CHECK_ROW(i, !p.started);
        CHECK_ROW(i, p.start.error == rows[i].error || (rows[i].error == E_EOF && p.start.error == E_RESET));
        CHECK_ROW(i, p.start.code == rows[i].code);
        arena_free(&p.memory);
    }
}

// ---- hostile servers ----

// A server that answers DATA with 250 has taken nothing: the letter must stay ours, whatever it says behind that.
TEST(smtp_client_believes_no_promise_before_the_letter)
{
    static const char *const rows[][14] = {
        {"S: 220 hi", "C: EHLO", "S: 250-mx", "S: 250 PIPELINING", "C: MAIL", "C: RCPT", "C: DATA", "S: 250 ok",
         "S: 250 ok", "S: 250 accepted", "S: 250 accepted", "X", NULL},
        {"S: 220 hi", "C: EHLO", "S: 250 mx", "C: MAIL", "S: 250 ok", "C: RCPT", "S: 250 ok", "C: DATA",
         "S: 250 accepted", "X", NULL},
        {"S: 220 hi", "C: EHLO", "S: 250 mx", "C: MAIL", "S: 250 ok", "C: RCPT", "S: 250 ok", "C: DATA",
         "S: 334 go", "X", NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        play p = {.script = rows[i], .letters = 1, .recipients = 1, .body = KETCHUP};
        played(&p);
        CHECK_ROW(i, !p.alive && p.verdicts[0].code == 0 && p.verdicts[0].error == E_PROTOCOL);
        arena_free(&p.memory);
    }
}

// RFC 2920 answers that come before their question: nobody may be told that the letter arrived when the dot was not sent.
TEST(smtp_client_is_not_confused_by_answers_ahead_of_time)
{
    static const char *const script[] = {
        "S: 220 hi", "S: 250-mx", "S: 250 PIPELINING", "S: 250 ok", "S: 250 ok", "S: 250 ok", "S: 250 ok", "X", NULL};
    play p = {.script = script, .letters = 1, .recipients = 1, .body = KETCHUP};
    played(&p);
    CHECK(!p.alive);
    CHECK(p.verdicts[0].code / 100 != 2);
    arena_free(&p.memory);
}

TEST(smtp_client_keeps_little_of_a_long_answer)
{
    static char line[1500] = "S: 550-";
    static const char *script[64] = {"S: 220 hi", "C: EHLO", "S: 250 mx", "C: MAIL"};
    int n = 4;
    memset(line + 7, 'x', sizeof line - 8);
    for (int i = 0; i < 9; i++)
        script[n++] = line;
    script[n++] = "S: 550 end";
    script[n++] = "C: QUIT";
    script[n++] = "S: 221 bye";
    play p = {.script = script, .letters = 1, .recipients = 4, .body = KETCHUP};
    played(&p);
    for (int i = 0; i < 4; i++) {
        CHECK_INT(p.verdicts[i].code, 550);
        CHECK(p.verdicts[i].text.len <= 1024);
    }
    CHECK(p.memory.used_bytes < 16 * 1024);
    arena_free(&p.memory);
}

// ---- servers that play for time ------------------------------------------------------------------------------------

TEST(smtp_client_leaves_a_server_that_never_gets_on)
{
    static const char *const greeting[] = {"W: 240", "S: 220-one moment", "W: 70", "S: 220 x", NULL};          // one reply has five minutes
    static const char *const start[] = {"W: 240", "S: 220 x", "C: EHLO", "W: 240", "S: 250 x", NULL};            // slow, but it gets on
    static const char *const endless[] = {"W: 280", "S: 220 x", "C: EHLO", "W: 280", "S: 500 what", "C: HELO", "W: 280", "S: 250 x", NULL};
    static const char *const envelope[] = {"S: 220 x", "C: EHLO", "S: 250 x", "C: MAIL", "W: 290", "S: 250 ok", "C: RCPT", "W: 290",
                                           "S: 250 ok", "C: RCPT", "W: 290", "S: 250 ok", NULL};
    static const struct { const char *const *script; bool started; int minutes_max; } rows[] = {
        {greeting, false, 6}, {start, true, 9}, {endless, false, 11}, {envelope, true, 12}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        play p = {.script = rows[i].script, .letters = 1, .recipients = 2, .body = KETCHUP};
        played(&p);
        CHECK_ROW((int)i, p.started == rows[i].started && p.took_ns <= minutes(rows[i].minutes_max));
        CHECK_ROW((int)i, !p.started || (p.verdicts[0].error != E_OK && !p.verdicts[0].after_dot));
        arena_free(&p.memory);
    }
}

TEST(smtp_client_leaves_a_server_that_reads_a_byte_a_minute)
{
    static unsigned char many[2 << 20];
    for (size_t i = 0; i < sizeof many; i++)
        many[i] = (unsigned char)(i % 70 == 68 ? '\r' : i % 70 == 69 ? '\n' : 'x');
    static const char *const script[] = {"S: 220 x", "C: EHLO", "S: 250 x", "C: MAIL", "S: 250 ok", "C: RCPT", "S: 250 ok", "C: DATA",
                                         "S: 354 go", "R: 60", NULL};
    play p = {.script = script, .letters = 1, .recipients = 1, .body = str_of(many, sizeof many)};
    played(&p);
    CHECK(!p.alive && p.verdicts[0].error != E_OK && !p.verdicts[0].after_dot);
    CHECK(p.took_ns <= minutes(5));
    arena_free(&p.memory);
}

// As large as the arena of the whole conversation: what is converted does not have to fit into that.
TEST(smtp_client_converts_letters_of_megabytes_and_refuses_larger_ones)
{
    static unsigned char many[2 << 20];
    static const char *const taken[] = {"S: 220 x", "C: EHLO", "S: 500 what?", "C: HELO", "S: 250 x", "C: MAIL FROM:<alice@crepes.fr>\r\n",
                                        "S: 250 ok", "C: RCPT", "S: 250 ok", "C: DATA", "S: 354 go", "L", "S: 250 ok", "C: QUIT", "S: 221 bye", NULL};
    static const char *const none[] = {"S: 220 x", "C: EHLO", "S: 500 what?", "C: HELO", "S: 250 x", "C: QUIT", "S: 221 bye", NULL};
    static const char head[] = "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\nMIME-Version: 1.0\r\n\r\n";
    for (size_t i = 0; i < sizeof many; i++)
        many[i] = (unsigned char)(i < sizeof head - 1 ? head[i] : i % 70 == 68 ? '\r' : i % 70 == 69 ? '\n' : i % 2 ? 0xa9 : 0xc3);
    play p = {.script = taken, .letters = 1, .recipients = 1, .body_8bit = true, .body = str_of(many, sizeof many)};
    played(&p);
    CHECK_INT(p.verdicts[0].code, 250);
    arena_free(&p.memory);
    play q = {.script = none, .letters = 1, .recipients = 1, .body_8bit = true, .body = str_of(many, 1000), .size_bytes = 9 << 20};
    played(&q);
    CHECK_INT(q.verdicts[0].code, 554);
    CHECK_STR(q.verdicts[0].enhanced, S("5.6.3"));
    arena_free(&q.memory);
}
