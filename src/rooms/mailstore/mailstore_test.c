// The mailstore on a simulated host, beside a stand-in for the accounts service that speaks its line protocol.
#include "rooms/mailstore/mailstore.h"

#include "base/heap_memory.h"
#include "rooms/mailstore/read_back.h"
#include "rt/log.h"
#include "rt/loop.h"
#include "rt/sim.h"
#include "talk/smtp_send.h"
#include "test.h"

// ---- the stage -------------------------------------------------------------------------------------------------

// Everybody at hamburger.edu has an account, the password is "ketchup1"; *@other.org is unknown.
static void accounts_answer(conn *c, void *arg)
{
    arena msg = arena_make(1 << 16);
    (void)arg;
    for (str line; (line = str_chomp(conn_line(c, &msg, 4096))).len; arena_reset(&msg)) {
        str verb = str_word(&line), name = {0}, word;
        bool right = false;
        while ((word = str_word(&line)).len) {
            right |= str_eq(word, S("password=ketchup1"));
            if (str_starts(word, S("user=")) || str_starts(word, S("address=")))
                name = str_from(word, str_find(word, '=') + 1);
        }
        bool known = str_ends(name, S("@hamburger.edu"));
        if (str_eq(verb, S("CHECK")))
            conn_format(c, known && right ? "OK account=" STR_FMT "\n" : "NO wrong\n", STR_ARG(name));
        else
            conn_format(c, known ? "HERE account=" STR_FMT "\n" : "UNKNOWN\n", STR_ARG(name));
    }
    arena_free(&msg);
}

static err accounts_start(room *r, str *why)
{
    (void)why;
    return room_offer(r, "accounts.login", accounts_answer, NULL);
}

static const room_kind accounts_stand_in = {.name = "accounts", .start = accounts_start};

typedef struct stage {
    sim   *sim;
    world *host, *director;
    node   n;
    room  *r;
    arena  memory;
    void (*body)(struct stage *);
} stage;

static const sim_disk quick = {.write_ns = 1000, .sync_ns = 100000, .per_kib_ns = 100};

static void node_up(stage *t)
{
    str why = {0};
    static const char text[] = "plaintext loopback\n";
    config_error error;
    statement *block = config_parse(S("test"), str_z(text), &t->memory, NULL, NULL, &error);
    CHECK_INT(node_start(&t->n, t->host, S("hamburger.edu"), S("/data")), E_OK);
    CHECK_INT(node_add(&t->n, &accounts_stand_in, NULL, NULL, &why), E_OK);
    CHECK_INT(node_add(&t->n, &mailstore_kind, block, &t->r, &why), E_OK);
    CHECK_STR(why, S(""));
}

static void play(void *arg)
{
    stage *t = arg;
    log_setup(LOG_LOGFMT, LOG_ERROR, NULL, NULL);
    t->director = world_here();
    fiber_world(t->host);
    node_up(t);
    t->body(t);
    node_stop(&t->n);
}

static void on_stage(uint64_t seed, sim_disk disk, void (*body)(stage *))
{
    addr at = addr_v4(0x7f00000c, 0);
    stage t = {.sim = sim_new(seed), .memory = arena_make(64 << 20), .body = body};
    t.host = sim_host(t.sim, S("hamburger.edu"), &at, 1, disk);
    CHECK_INT(sim_run(t.sim, play, &t), E_OK);
    arena_free(&t.memory);
    sim_free(t.sim);
}

// ---- the two ends ----------------------------------------------------------------------------------------------

typedef struct { str text; bool given; } one_piece;

static bool body_next(void *arg, str *piece, err *trouble)
{
    one_piece *p = arg;
    (void)trouble;
    *piece = p->text;
    return !p->given && (p->given = true);
}

// One letter by LMTP over a conversation of its own; the verdict for the only recipient.
static smtp_verdict hand_over(room *r, const char *to, const char *id, const char *mailbox, str text, arena *a)
{
    smtp_verdict v;
    conn *c = room_dial(r, "mailstore.lmtp");
    smtp_client *client = smtp_client_start(c, (smtp_client_options){.lmtp = true, .helo = S("test")}, a, &v);
    if (client) {
        one_piece body = {text, false};
        smtp_recipient whom = {.delivery_id = str_z(id), .mailbox = str_z(mailbox)};
        address_read(str_z(to), a, &whom.to);
        smtp_letter l = {.from = {S("alice"), S("crepes.fr")}, .to = &whom, .count = 1, .size_bytes = text.len,
                         .body = body_next, .body_arg = &body};
        smtp_client_send(client, &l, &v, a);
        smtp_client_quit(client);
    }
    conn_close(c);
    return v;
}

static str ask(conn *c, const char *command, arena *a)
{
    if (command[0])
        conn_format(c, "%s\r\n", command);
    return str_chomp(conn_line(c, a, 4096));
}

static conn *pop3_login(stage *t, const char *user)
{
    int count;
    arena a = arena_make(1 << 16);
    conn *c = conn_open(t->host, addr_with_port(world_addresses(t->host, &count)[0], 110), seconds(10));
    CHECK(str_starts(ask(c, "", &a), S("+OK")));
    CHECK(str_starts(ask(c, str_to_z(&a, str_format(&a, "USER %s", user)), &a), S("+OK")));
    ask(c, "PASS ketchup1", &a);
    arena_free(&a);
    return c;
}

// The lines of a multi-line answer, dots taken away.
static str multi(conn *c, const char *command, arena *a)
{
    buf all = buf_make(1 << 22);
    arena line_memory = arena_make(1 << 20);
    CHECK(str_starts(ask(c, command, a), S("+OK")));
    for (str line; (line = conn_line(c, &line_memory, 65536)).len &&
         !str_eq(line, S(".\r\n")); arena_reset(&line_memory))
        buf_put(&all, str_starts(line, S(".")) ? str_from(line, 1) : line);
    str s = str_copy(a, buf_str(&all));
    buf_free(&all);
    arena_free(&line_memory);
    return s;
}

// ---- scenes ----------------------------------------------------------------------------------------------------

static const char KETCHUP[] = "Subject: dinner\r\n\r\nDo you like ketchup?\r\n.hidden\r\n.\r\nHow about pickles?\r\n";

static void pop3_two_ways(stage *t)
{
    arena a = arena_make(8 << 20);
    CHECK_INT(hand_over(t->r, "bob@hamburger.edu", "1-0", "", str_z(KETCHUP), &a).code, 250);
    CHECK_INT(hand_over(t->r, "bob@hamburger.edu", "2-0", "", str_z("Subject: two\r\n\r\nx\r\n"), &a).code, 250);
    CHECK_INT(hand_over(t->r, "bob@hamburger.edu", "3-0", "Sent", str_z("Subject: sent\r\n\r\nx\r\n"), &a).code, 250);
    CHECK_INT(hand_over(t->r, "eve@other.org", "4-0", "", str_z(KETCHUP), &a).code, 550);

    conn *phone = pop3_login(t, "bob@hamburger.edu");                // keeps
    CHECK(str_starts(ask(phone, "STAT", &a), S("+OK 2 ")));
    str letter = multi(phone, "RETR 1", &a);
    CHECK_STR(letter, str_join(&a, S("Return-Path: <alice@crepes.fr>\r\n"), str_z(KETCHUP)));
    CHECK(str_ends(multi(phone, "TOP 1 1", &a), S("dinner\r\n\r\nDo you like ketchup?\r\n")));
    CHECK(str_ends(multi(phone, "TOP 1 0", &a), S("dinner\r\n\r\n")));
    str ids = multi(phone, "UIDL", &a);
    CHECK(str_starts(ids, S("1 ")) && str_ends(ids, S(".2\r\n")));
    CHECK(str_starts(ask(phone, "RETR 3", &a), S("-ERR")));
    CHECK(str_starts(ask(phone, "DELE 1", &a), S("+OK")));
    CHECK(str_starts(ask(phone, "RETR 1", &a), S("-ERR")));
    conn *other = pop3_login(t, "bob@hamburger.edu");                // the maildrop is locked
    CHECK(str_starts(ask(other, "STAT", &a), S("-ERR")));
    conn_close(other);
    conn_abort(phone);                                               // no QUIT: nothing is deleted
    fiber_sleep(seconds(1));

    conn *desk = pop3_login(t, "bob@hamburger.edu");                 // deletes
    CHECK_STR(multi(desk, "UIDL", &a), ids);
    CHECK(str_starts(ask(desk, "DELE 1", &a), S("+OK")));
    CHECK(str_starts(ask(desk, "RSET", &a), S("+OK")));
    CHECK(str_starts(ask(desk, "STAT", &a), S("+OK 2 ")));
    CHECK(str_starts(ask(desk, "DELE 1", &a), S("+OK")));
    CHECK(str_starts(ask(desk, "DELE 2", &a), S("+OK")));
    CHECK(str_starts(ask(desk, "QUIT", &a), S("+OK")));
    conn_close(desk);
    phone = pop3_login(t, "bob@hamburger.edu");
    CHECK_STR(ask(phone, "STAT", &a), S("+OK 0 0"));
    ask(phone, "QUIT", &a);
    conn_close(phone);
    arena_free(&a);
}

TEST(pop3_keeps_or_deletes_and_only_quit_deletes) { on_stage(1, quick, pop3_two_ways); }

static void once(stage *t)
{
    arena a = arena_make(8 << 20);
    for (int i = 0; i < 3; i++)
        CHECK_INT(hand_over(t->r, "bob@hamburger.edu", "7-0", "", str_z(KETCHUP), &a).code, 250);
    conn *c = pop3_login(t, "bob@hamburger.edu");
    CHECK(str_starts(ask(c, "STAT", &a), S("+OK 1 ")));
    ask(c, "DELE 1", &a);
    ask(c, "QUIT", &a);
    conn_close(c);
    // also after it was read
    CHECK_INT(hand_over(t->r, "bob@hamburger.edu", "7-0", "", str_z(KETCHUP), &a).code, 250);
    c = pop3_login(t, "bob@hamburger.edu");
    CHECK(str_starts(ask(c, "STAT", &a), S("+OK 0 ")));
    conn_close(c);
    arena_free(&a);
}

TEST(lmtp_stores_a_delivery_id_once) { on_stage(2, quick, once); }

// ---- a restored mailbox -----------------------------------------------------------------------------------------

enum { DELIVERY_IDS_KEPT_DAYS = 6, SWEPT_AFTER = 1001 };

// Many letters on one conversation: afterwards old delivery ids have been swept.
static void crowd_hand_over(stage *t)
{
    arena a = arena_make(4 << 20), memory = arena_make(1 << 20);
    smtp_verdict v;
    conn *c = room_dial(t->r, "mailstore.lmtp");
    smtp_client *client = smtp_client_start(c, (smtp_client_options){.lmtp = true, .helo = S("test")}, &a, &v);
    for (int i = 0; client && i < SWEPT_AFTER; i++, arena_reset(&memory)) {
        one_piece body = {S("Subject: one of many\r\n\r\nx\r\n"), false};
        smtp_recipient whom = {.delivery_id = str_format(&memory, "crowd-%d", i)};
        address_read(S("bob@hamburger.edu"), &memory, &whom.to);
        smtp_letter l = {.from = {S("alice"), S("crepes.fr")}, .to = &whom, .count = 1, .size_bytes = body.text.len,
                         .body = body_next, .body_arg = &body};
        smtp_client_send(client, &l, &v, &memory);
    }
    if (client)
        smtp_client_quit(client);
    conn_close(c);
    arena_free(&memory);
    arena_free(&a);
}

// A backup lay about for longer than delivery ids are kept; its queue still has the letter that its mailbox has, too. Copies of it
// after the queue has delivered again, late.
static int copies_after(stage *t, bool renewed)
{
    arena a = arena_make(8 << 20);
    str why = {0};
    uint64_t all = 0;
    CHECK_INT(hand_over(t->r, "bob@hamburger.edu", "7-0", "", str_z(KETCHUP), &a).code, 250);
    node_stop(&t->n);
    fiber_sleep(seconds((DELIVERY_IDS_KEPT_DAYS + 1) * 86400));
    if (renewed)
        CHECK_INT(mailstore_restored(t->host, S("/data/mailstore"), &a, &why), E_OK);
    CHECK_STR(why, S(""));
    node_up(t);
    crowd_hand_over(t);
    CHECK_INT(hand_over(t->r, "bob@hamburger.edu", "7-0", "", str_z(KETCHUP), &a).code, 250);
    conn *c = pop3_login(t, "bob@hamburger.edu");
    str stat = ask(c, "STAT", &a);
    conn_close(c);
    str_word(&stat);
    CHECK(str_to_u64(str_word(&stat), &all));
    arena_free(&a);
    return (int)all - SWEPT_AFTER;
}

static void old_backup_restored(stage *t) { CHECK_INT(copies_after(t, true), 1); }
static void old_backup_as_it_was(stage *t) { CHECK_INT(copies_after(t, false), 2); }     // why they are renewed

TEST(delivery_ids_of_an_old_backup_are_renewed)
{
    on_stage(11, quick, old_backup_restored);
    on_stage(11, quick, old_backup_as_it_was);
}

static void large(stage *t)
{
    arena a = arena_make(32 << 20);
    buf text = buf_make(4 << 20);
    buf_put(&text, S("Subject: large\r\n\r\n"));
    for (int i = 0; text.len < 300000; i++)
        buf_format(&text, i % 7 ? "line %d of many\r\n" : ".%d\r\n", i);
    CHECK_INT(hand_over(t->r, "bob@hamburger.edu", "1-0", "", buf_str(&text), &a).code, 250);
    CHECK_INT(hand_over(t->r, "bob@hamburger.edu", "1-0", "", buf_str(&text), &a).code, 250);
    conn *c = pop3_login(t, "bob@hamburger.edu");
    CHECK(str_starts(ask(c, "STAT", &a), S("+OK 1 ")));
    str got = multi(c, "RETR 1", &a);
    CHECK(str_ends(got, buf_str(&text)));
    CHECK_INT(got.len, text.len + sizeof "Return-Path: <alice@crepes.fr>\r\n" - 1);
    ask(c, "DELE 1", &a);
    CHECK(str_starts(ask(c, "QUIT", &a), S("+OK")));
    conn_close(c);
    buf_free(&text);
    arena_free(&a);
}

TEST(lmtp_takes_large_letters_as_blobs) { on_stage(3, quick, large); }

// ---- many at once, and crashes ---------------------------------------------------------------------------------

enum { SENDERS = 40, LETTERS_EACH = 5 };

typedef struct { stage *t; int number, good; } sender;

static void send_some(void *arg)
{
    sender *s = arg;
    for (int i = 0; i < LETTERS_EACH; i++) {
        arena a = arena_make(1 << 20);
        char id[32];
        snprintf(id, sizeof id, "%d-%d", s->number, i);
        s->good += hand_over(s->t->r, "bob@hamburger.edu", id, "", str_z(KETCHUP), &a).code == 250;
        arena_free(&a);
    }
}

static void many(stage *t)
{
    arena a = arena_make(1 << 20);
    sender all[SENDERS];
    int good = 0;
    {
        SCOPE(crowd, 0, SENDERS);
        for (int i = 0; i < SENDERS; i++) {
            all[i] = (sender){t, i, 0};
            CHECK_INT(scope_go(&crowd, "sender", send_some, &all[i]), E_OK);
        }
        scope_wait(&crowd);
    }
    for (int i = 0; i < SENDERS; i++)
        good += all[i].good;
    CHECK_INT(good, SENDERS * LETTERS_EACH);
    conn *c = pop3_login(t, "bob@hamburger.edu");
    CHECK(str_starts(ask(c, "STAT", &a), S("+OK 200 ")));
    conn_close(c);
    arena_free(&a);
}

TEST(lmtp_serves_many_at_once) { on_stage(4, quick, many); }

enum { LIVES = 4, CRASH_SENDERS = 6, CRASH_LETTERS = 8 };

typedef struct { stage *t; int first, tried; bool promised[CRASH_LETTERS]; } crash_sender;

static void send_until_crash(void *arg)
{
    crash_sender *s = arg;
    while (s->tried < CRASH_LETTERS && !fiber_canceled()) {
        arena a = arena_make(1 << 20);
        char id[32];
        snprintf(id, sizeof id, "%d-0", s->first + s->tried);
        s->promised[s->tried++] = hand_over(s->t->r, "bob@hamburger.edu", id, "", str_z(KETCHUP), &a).code == 250;
        arena_free(&a);
    }
}

// Some hand over letters until the host dies under them, at any moment; then it comes back.
static void one_life(stage *t, int life, crash_sender *senders)
{
    SCOPE(crowd, 0, CRASH_SENDERS);
    for (int i = 0; i < CRASH_SENDERS; i++) {
        senders[i] = (crash_sender){.t = t, .first = (life * CRASH_SENDERS + i) * CRASH_LETTERS};
        CHECK_INT(scope_go(&crowd, "sender", send_until_crash, &senders[i]), E_OK);
    }
    fiber_world(t->director);
    fiber_sleep((int64_t)sim_random_below(t->sim, 4 * NS_PER_MS));
    sim_crash(t->host);
    scope_close(&crowd);
    node_stop(&t->n);
    sim_restart(t->host);
    fiber_world(t->host);
    node_up(t);
}

static void crash_and_again(stage *t)
{
    arena a = arena_make(16 << 20);
    crash_sender senders[LIVES][CRASH_SENDERS];
    int tried = 0, promised = 0;
    for (int life = 0; life < LIVES; life++)
        one_life(t, life, senders[life]);
    conn *c = pop3_login(t, "bob@hamburger.edu");
    str stat = ask(c, "STAT", &a);
    ask(c, "QUIT", &a);
    conn_close(c);
    for (int i = 0; i < LIVES * CRASH_SENDERS; i++)
        for (int k = 0; k < senders[i / CRASH_SENDERS][i % CRASH_SENDERS].tried; k++, tried++)
            promised += senders[i / CRASH_SENDERS][i % CRASH_SENDERS].promised[k];
    uint64_t there = 0;
    str_word(&stat);
    CHECK(str_to_u64(str_word(&stat), &there));
    CHECK((int)there >= promised && (int)there <= tried);            // what was promised is there, nothing twice
    for (int i = 0; i < LIVES * CRASH_SENDERS; i++)                  // the queue does not know, and tries all once more
        for (int k = 0; k < senders[i / CRASH_SENDERS][i % CRASH_SENDERS].tried; k++) {
            char id[32];
            snprintf(id, sizeof id, "%d-0", senders[i / CRASH_SENDERS][i % CRASH_SENDERS].first + k);
            CHECK_INT(hand_over(t->r, "bob@hamburger.edu", id, "", str_z(KETCHUP), &a).code, 250);
            arena_reset(&a);
        }
    c = pop3_login(t, "bob@hamburger.edu");
    CHECK(str_starts(ask(c, "STAT", &a), str_format(&a, "+OK %d ", tried)));
    conn_close(c);
    arena_free(&a);
}

TEST(lmtp_promises_outlive_crashes)
{
    for (uint64_t seed = 1; seed <= 20; seed++)
        on_stage(seed, quick, crash_and_again);
}

static void full_disk(stage *t)
{
    arena a = arena_make(8 << 20);
    sim_disk full = quick;
    CHECK_INT(hand_over(t->r, "bob@hamburger.edu", "1-0", "", str_z(KETCHUP), &a).code, 250);
    full.capacity_bytes = 1;
    sim_disk_set(t->host, full);
    CHECK_INT(hand_over(t->r, "bob@hamburger.edu", "2-0", "", str_z(KETCHUP), &a).code, 452);
    sim_disk_set(t->host, quick);
    CHECK_INT(hand_over(t->r, "bob@hamburger.edu", "2-0", "", str_z(KETCHUP), &a).code, 250);
    conn *c = pop3_login(t, "bob@hamburger.edu");
    CHECK(str_starts(ask(c, "STAT", &a), S("+OK 2 ")));
    conn_close(c);
    arena_free(&a);
}

TEST(lmtp_says_452_when_the_disk_is_full_and_goes_on_after) { on_stage(5, quick, full_disk); }

static void strangers(stage *t)
{
    arena a = arena_make(8 << 20);
    int count;
    addr at = addr_with_port(world_addresses(t->host, &count)[0], 110);
    conn *c = conn_open(t->host, at, seconds(10));
    ask(c, "", &a);
    CHECK(str_starts(ask(c, "STAT", &a), S("-ERR")));
    CHECK(str_starts(ask(c, "USER bob@hamburger.edu", &a), S("+OK")));
    CHECK(str_starts(ask(c, "PASS wrong", &a), S("-ERR [AUTH]")));
    CHECK(str_starts(ask(c, "STLS", &a), S("-ERR")));                 // no certificate here
    CHECK(str_starts(ask(c, "AUTH PLAIN AGJvYkBoYW1idXJnZXIuZWR1AGtldGNodXAx", &a), S("+OK 0 messages")));
    CHECK(str_starts(ask(c, "UIDL 1", &a), S("-ERR")));
    ask(c, "QUIT", &a);
    conn_close(c);
    c = conn_open(t->host, at, seconds(10));
    ask(c, "", &a);
    CHECK_INT(ask(c, "GET / HTTP/1.1", &a).len, 0);                   // hung up without a word
    conn_close(c);
    c = conn_open(t->host, at, seconds(10));
    ask(c, "", &a);
    int answers = 0;
    while (answers < 100 && ask(c, "XYZZY", &a).len)
        answers++;
    CHECK(answers > 10 && answers < 30);
    conn_close(c);
    arena_free(&a);
}

TEST(pop3_is_patient_with_people_and_short_with_others) { on_stage(6, quick, strangers); }

static void resting(stage *t)
{
    arena a = arena_make(1 << 20);
    CHECK_INT(hand_over(t->r, "bob@hamburger.edu", "1-0", "", str_z(KETCHUP), &a).code, 250);
    conn *c = pop3_login(t, "bob@hamburger.edu");
    for (int i = 0; i < 3; i++) {
        fiber_sleep(minutes(9));                                      // RFC 1939 3: at least ten
        CHECK(str_starts(ask(c, i ? "NOOP" : "STAT", &a), S("+OK")));
    }
    multi(c, "RETR 1", &a);
    fiber_sleep(minutes(9));
    CHECK(str_starts(ask(c, "NOOP", &a), S("+OK")));
    fiber_sleep(minutes(11));
    CHECK_INT(ask(c, "NOOP", &a).len, 0);
    conn_close(c);
    arena_free(&a);
}

TEST(pop3_lets_a_client_rest_for_ten_minutes) { on_stage(8, quick, resting); }

// ---- who leads nowhere ------------------------------------------------------------------------------------------

// Minutes until the inside door hangs up on somebody who says this every four minutes.
static int64_t lmtp_minutes(stage *t, const char *prelude, const char *again)
{
    arena a = arena_make(8 << 20);
    int64_t began_ns = loop_now_ns();
    conn *c = room_dial(t->r, "mailstore.lmtp");
    conn_put(c, str_z(prelude));
    for (int i = 0; i < 100 && !c->error; i++) {
        conn_put(c, str_z(again));
        conn_flush(c);
        for (int64_t until_ns = loop_now_ns() + minutes(4); conn_wait_input(c, until_ns) == E_OK && !c->error;)
            conn_line(c, &a, 4096);
        arena_reset(&a);
    }
    conn_close(c);
    arena_free(&a);
    return (loop_now_ns() - began_ns) / (60 * NS_PER_S);
}

static void lmtp_loris(stage *t)
{
    CHECK(lmtp_minutes(t, "", "") <= 11);                             // silent
    CHECK(lmtp_minutes(t, "LHLO x\r\n", "N") <= 13);                  // a byte every four minutes
    CHECK(lmtp_minutes(t, "LHLO x\r\n", "NOOP\r\n") <= 35);
    CHECK(lmtp_minutes(t, "LHLO x\r\nMAIL FROM:<a@b.org>\r\nRCPT TO:<bob@hamburger.edu>\r\nDATA\r\n", "x\r\n") <= 13);
}

TEST(lmtp_hangs_up_on_who_leads_nowhere) { on_stage(9, quick, lmtp_loris); }

static void lmtp_oddities(stage *t)
{
    static const struct { const char *say, *answer; } rows[] = {
        {"LHLO x", NULL}, {"MAIL FROM:<a@b.org> RET=HDRS", "555"}, {"MAIL FROM:<a@b.org> ENVID=x", "555"}, {"MAIL FROM:<a@b.org>", "250"},
        {"RCPT TO:<bob@hamburger.edu> NOTIFY=NEVER", "555"}, {"RCPT TO:<bob@hamburger.edu> ORCPT=rfc822;a@b.org", "555"},
        {"DATA", "503"}, {"RCPT TO:<bob@hamburger.edu> XMAILBOX=a+0Ab", "5"}, {"RCPT TO:<bob@hamburger.edu> XDELIVERYID=../x", "5"},
        {"RCPT TO:<bob@hamburger.edu> XDELIVERYID=1-0", "250"}, {"DATA", "354"}, {"x\r\n.\nMAIL FROM:<evil@b.org>", "554"},
    };
    arena a = arena_make(1 << 20);
    conn *c = room_dial(t->r, "mailstore.lmtp");
    ask(c, "", &a);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        str said = ask(c, rows[i].say, &a);
        while (!rows[i].answer && said.len > 3 && said.at[3] == '-')
            said = ask(c, "", &a);
        CHECK_ROW((int)i, !rows[i].answer || str_starts(said, str_z(rows[i].answer)));
    }
    CHECK_INT(ask(c, "", &a).len, 0);                                 // hung up: what follows is no command
    conn_close(c);
    c = room_dial(t->r, "mailstore.lmtp");
    ask(c, "", &a);
    CHECK_INT(ask(c, "GET / HTTP/1.1", &a).len, 0);
    conn_close(c);
    arena_free(&a);
}

TEST(lmtp_refuses_what_it_did_not_offer_and_what_smuggles) { on_stage(10, quick, lmtp_oddities); }

static void for_days(stage *t)
{
    arena a = arena_make(1 << 20);
    conn *c = pop3_login(t, "bob@hamburger.edu");
    int quarters = 0;
    while (quarters < 1000 && str_starts(ask(c, "NOOP", &a), S("+OK")) && ++quarters)
        fiber_sleep(minutes(9));
    CHECK(quarters >= 24 * 60 / 9 - 1 && quarters <= 24 * 60 / 9 + 2);
    conn_close(c);
    arena_free(&a);
}

TEST(pop3_ends_a_session_after_a_day) { on_stage(11, quick, for_days); }
