// The accounts service on a simulated host, asked through talk/login as the other services do.
#include "rooms/accounts/accounts.h"

#include "rooms/accounts/accounts_inside.h"
#include "rt/log.h"
#include "rt/loop.h"
#include "rt/sim.h"
#include "talk/login.h"
#include "test.h"

typedef struct stage {
    world *host, *director;
    node   n;
    room  *r;
    arena  memory;
    addr   client;
    void (*body)(struct stage *);
} stage;

static void node_up(stage *t)
{
    str why = {0};
    config_error error;
    statement *block = config_parse(S("test"), S("hash-memory 64KiB\nhash-passes 1\n"), &t->memory, NULL, NULL, &error);
    CHECK_INT(node_start(&t->n, t->host, S("hamburger.edu"), S("/data")), E_OK);
    CHECK_INT(node_add(&t->n, &accounts_kind, block, &t->r, &why), E_OK);
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

static void on_stage(void (*body)(stage *))
{
    addr at = addr_v4(0x7f00000c, 0);
    sim *s = sim_new(7);
    stage t = {.memory = arena_make(64 << 20), .client = addr_v4(0xc0000201, 1000), .body = body};
    t.host = sim_host(s, S("hamburger.edu"), &at, 1, (sim_disk){.write_ns = 1000, .sync_ns = 100000});
    CHECK_INT(sim_run(s, play, &t), E_OK);
    arena_free(&t.memory);
    sim_free(s);
}

static login_verdict check(stage *t, const char *user, const char *password)
{
    str account;
    login_verdict v = login_check(t->r, "test", t->client, str_z(user), str_z(password), &t->memory, &account);
    CHECK((v == LOGIN_OK) == (account.len > 0));
    return v;
}

static err add(stage *t, const char *who, const char *password)
{
    str why;
    return accounts_add(t->r, str_z(who), str_z(password), (str){0}, &t->memory, &why);
}

static void logins(stage *t)
{
    CHECK_INT(add(t, "Bob@Hamburger.edu", "ketchup and pickles"), E_OK);
    CHECK_INT(add(t, "bob@hamburger.edu", "another one"), E_EXISTS);
    CHECK_INT(add(t, "no address", "ketchup and pickles"), E_PROTOCOL);
    CHECK_INT(add(t, "eve@hamburger.edu", "short"), E_PROTOCOL);
    CHECK_INT(add(t, "eve@hamburger.edu", "with\nline end"), E_PROTOCOL);
    CHECK_INT(check(t, "bob@hamburger.edu", "ketchup and pickles"), LOGIN_OK);
    CHECK_INT(check(t, "BOB@hamburger.EDU", "ketchup and pickles"), LOGIN_OK);
    CHECK_INT(check(t, "bob", "ketchup and pickles"), LOGIN_OK);      // the node's domain
    CHECK_INT(check(t, "bob@hamburger.edu", "Ketchup and pickles"), LOGIN_WRONG);
    CHECK_INT(check(t, "eve@hamburger.edu", "ketchup and pickles"), LOGIN_WRONG);
    CHECK_INT(check(t, "", "x"), LOGIN_WRONG);
    CHECK_INT(accounts_put(t->r, S("bob@hamburger.edu"), S("mustard and onions")), E_OK);
    CHECK_INT(check(t, "bob@hamburger.edu", "ketchup and pickles"), LOGIN_WRONG);
    CHECK_INT(check(t, "bob@hamburger.edu", "mustard and onions"), LOGIN_OK);
    node_stop(&t->n);                                                // kept over a restart
    node_up(t);
    CHECK_INT(check(t, "bob@hamburger.edu", "mustard and onions"), LOGIN_OK);
}

TEST(accounts_know_right_from_wrong) { on_stage(logins); }

static change_verdict change(stage *t, const char *user, const char *password, const char *fresh)
{
    return login_change(t->r, "test", t->client, str_z(user), str_z(password), str_z(fresh), &t->memory);
}

static void changing(stage *t)
{
    char app[APP_PASSWORD_BYTES + 1];
    app_password_make(t->host, app);
    CHECK_INT(add(t, "bob@hamburger.edu", "ketchup and pickles"), E_OK);
    CHECK_INT(change(t, "bob@hamburger.edu", "guessed it", "mustard and onions"), CHANGE_WRONG);
    CHECK_INT(change(t, "nobody@hamburger.edu", "ketchup and pickles", "mustard and onions"), CHANGE_WRONG);
    CHECK_INT(change(t, "bob@hamburger.edu", "ketchup and pickles", "short"), CHANGE_PASSWORD);
    CHECK_INT(change(t, "bob@hamburger.edu", "ketchup and pickles", app), CHANGE_PASSWORD);      // would be taken for one
    CHECK_INT(change(t, "bob@hamburger.edu", app, "mustard and onions"), CHANGE_WRONG);
    CHECK_INT(check(t, "bob@hamburger.edu", "ketchup and pickles"), LOGIN_OK);                   // none of it changed anything
    CHECK_INT(change(t, "bob@hamburger.edu", "ketchup and pickles", "mustard and onions"), CHANGE_OK);
    CHECK_INT(check(t, "bob@hamburger.edu", "ketchup and pickles"), LOGIN_WRONG);
    CHECK_INT(check(t, "bob@hamburger.edu", "mustard and onions"), LOGIN_OK);
    t->client = addr_v4(0xc0000203, 1000);
    for (int i = 0; i < 6; i++)                                      // guessing by changing is guessing
        CHECK_INT(change(t, "bob@hamburger.edu", "guess", "mustard and onions 2"), CHANGE_WRONG);
    CHECK_INT(change(t, "bob@hamburger.edu", "mustard and onions", "mustard and onions 2"), CHANGE_TOO_MANY);
    CHECK_INT(check(t, "bob@hamburger.edu", "mustard and onions"), LOGIN_TOO_MANY);
}

TEST(accounts_change_a_password_for_who_knows_it) { on_stage(changing); }

static void role_now(stage *t)
{
    str role, mark, before;
    CHECK_INT(login_role(t->r, S("bob@hamburger.edu"), &t->memory, &role, &mark), ROLE_GONE);
    CHECK_INT(add(t, "bob@hamburger.edu", "ketchup and pickles"), E_OK);
    CHECK_INT(login_role(t->r, S("bob@hamburger.edu"), &t->memory, &role, &before), ROLE_IS);
    CHECK_STR(role, S("user"));
    node_stop(&t->n);
    node_up(t);
    CHECK_INT(login_role(t->r, S("bob@hamburger.edu"), &t->memory, &role, &mark), ROLE_IS);
    CHECK_STR(mark, before);                                         // a restart signs nobody out
    CHECK_INT(accounts_put(t->r, S("bob@hamburger.edu"), S("mustard and onions")), E_OK);
    CHECK_INT(login_role(t->r, S("bob@hamburger.edu"), &t->memory, &role, &mark), ROLE_IS);
    CHECK(!str_eq(mark, before));
}

TEST(accounts_say_what_somebody_is_now) { on_stage(role_now); }

static void guessing(stage *t)
{
    CHECK_INT(add(t, "bob@hamburger.edu", "ketchup and pickles"), E_OK);
    for (int i = 0; i < 6; i++)
        CHECK_INT(check(t, "bob@hamburger.edu", "guess"), LOGIN_WRONG);
    CHECK_INT(check(t, "bob@hamburger.edu", "guess"), LOGIN_TOO_MANY);
    CHECK_INT(check(t, "bob@hamburger.edu", "ketchup and pickles"), LOGIN_TOO_MANY);
    addr guesser = t->client;
    t->client = addr_v4(0xc0000202, 1000);                           // bob himself, elsewhere, is not shut out
    CHECK_INT(check(t, "bob@hamburger.edu", "ketchup and pickles"), LOGIN_OK);
    t->client = guesser;
    fiber_sleep(seconds(3));
    CHECK_INT(check(t, "bob@hamburger.edu", "ketchup and pickles"), LOGIN_OK);
    for (int i = 0; i < 40; i++) {                                   // one name from many addresses
        t->client.ip[3] = (uint8_t)(10 + i);
        check(t, "bob@hamburger.edu", "guess");
    }
    t->client.ip[3] = 99;
    CHECK_INT(check(t, "bob@hamburger.edu", "guess"), LOGIN_TOO_MANY);
    fiber_sleep(seconds(31));
    CHECK_INT(check(t, "bob@hamburger.edu", "ketchup and pickles"), LOGIN_OK);
}

TEST(accounts_make_guessers_wait_and_owners_not_for_long) { on_stage(guessing); }

// Forty guesses at once, the right one among them: they may not all be judged before the first has failed.
typedef struct { stage *t; const char *password; login_verdict verdict; } guess;

static void guess_one(void *arg)
{
    guess *g = arg;
    g->verdict = check(g->t, "bob@hamburger.edu", g->password);
}

static void guessing_at_once(stage *t)
{
    guess guesses[40];
    int wrong = 0, right = 0;
    CHECK_INT(add(t, "bob@hamburger.edu", "ketchup and pickles"), E_OK);
    SCOPE(all, 0, 40);
    for (int i = 0; i < 40; i++) {
        guesses[i] = (guess){t, i == 39 ? "ketchup and pickles" : "guess", LOGIN_TROUBLE};
        scope_go(&all, "guess", guess_one, &guesses[i]);
    }
    scope_wait(&all);
    for (int i = 0; i < 40; i++)
        wrong += guesses[i].verdict == LOGIN_WRONG, right += guesses[i].verdict == LOGIN_OK;
    CHECK_INT(right, 0);
    CHECK(wrong >= 1 && wrong <= 12);
}

TEST(accounts_judge_few_of_many_guesses_at_once) { on_stage(guessing_at_once); }

static str mailbox(stage *t, const char *who)
{
    str account;
    mailbox_verdict v = login_mailbox(t->r, str_z(who), &t->memory, &account);
    return v == MAILBOX_HERE ? account : v == MAILBOX_UNKNOWN ? S("unknown") : S("trouble");
}

static void mailboxes(stage *t)
{
    str why;
    CHECK_INT(add(t, "bob@hamburger.edu", "ketchup and pickles"), E_OK);
    CHECK_INT(accounts_add(t->r, S("chef@hamburger.edu"), S("ketchup and pickles"), S("admin"), &t->memory, &why),
              E_OK);
    CHECK_STR(mailbox(t, "bob@hamburger.edu"), S("bob@hamburger.edu"));
    CHECK_STR(mailbox(t, "BOB+lists@HAMBURGER.edu"), S("bob@hamburger.edu"));
    CHECK_STR(mailbox(t, "postmaster@hamburger.edu"), S("chef@hamburger.edu"));
    CHECK_STR(mailbox(t, "postmaster@elsewhere.org"), S("unknown"));
    CHECK_STR(mailbox(t, "eve@hamburger.edu"), S("unknown"));
    CHECK_STR(mailbox(t, "+x@hamburger.edu"), S("unknown"));
    CHECK(login_may_send_as(t->r, S("bob@hamburger.edu"), S("Bob@hamburger.edu"), &t->memory));
    CHECK(login_may_send_as(t->r, S("bob@hamburger.edu"), S("bob+x@hamburger.edu"), &t->memory));
    CHECK(!login_may_send_as(t->r, S("bob@hamburger.edu"), S("chef@hamburger.edu"), &t->memory));
}

TEST(accounts_say_whose_mailbox_an_address_is) { on_stage(mailboxes); }

static void app_passwords(stage *t)
{
    accounts *s = t->r->state;
    char secret[APP_PASSWORD_BYTES + 1], hash[PASSWORD_HASH_MAX];
    int64_t id;
    CHECK_INT(add(t, "bob@hamburger.edu", "ketchup and pickles"), E_OK);
    app_password_make(t->host, secret);
    CHECK_INT(check(t, "bob@hamburger.edu", secret), LOGIN_WRONG);
    CHECK_INT(accounts_hash(s, str_z(secret), app_password_cost(), hash), E_OK);
    CHECK_INT(people_app_add(s->people, people_find(s->people, S("bob@hamburger.edu")), S("phone"), hash, &id), E_OK);
    CHECK_INT(check(t, "bob@hamburger.edu", secret), LOGIN_OK);
    CHECK_INT(check(t, "bob@hamburger.edu", "ketchup and pickles"), LOGIN_OK);
    node_stop(&t->n);
    node_up(t);
    s = t->r->state;
    CHECK_INT(check(t, "bob@hamburger.edu", secret), LOGIN_OK);
    CHECK_INT(people_app_remove(s->people, people_find(s->people, S("bob@hamburger.edu")), id), E_OK);
    CHECK_INT(check(t, "bob@hamburger.edu", secret), LOGIN_WRONG);
    CHECK_INT(add(t, "eve@hamburger.edu", secret), E_PROTOCOL);      // a chosen password may not look like one
    CHECK_INT(people_remove(s->people, people_find(s->people, S("bob@hamburger.edu"))), E_OK);
    CHECK_INT(check(t, "bob@hamburger.edu", "ketchup and pickles"), LOGIN_WRONG);
    CHECK_STR(mailbox(t, "bob@hamburger.edu"), S("unknown"));
}

TEST(accounts_give_and_take_app_passwords) { on_stage(app_passwords); }

static void lines(stage *t)
{
    static const struct { const char *in, *out; } rows[] = {
        {"HELLO\n", "TROUBLE unknown request\n"},
        {"CHECK nonsense\n", "TROUBLE malformed\n"},
        {"\n", "TROUBLE unknown request\n"},
        {"CHECK user=+0a password=x\n", "TROUBLE malformed\n"},
        {"MAILBOX address=bob+40x\n", "UNKNOWN\n"},
        {"MAILBOX\n", "UNKNOWN\n"},
        {"SENDAS account=a+40b address=a+40b\n", "NO\n"},
        {"CHECK user=a+40b.c password=x\n", "NO wrong\n"},
    };
    conn *c = room_dial(t->r, "accounts.login");
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        conn_put(c, str_z(rows[i].in));
        CHECK_ROW(i, str_eq(conn_line(c, &t->memory, 4096), str_z(rows[i].out)));
    }
    conn_close(c);
}

TEST(accounts_protocol_answers_every_line) { on_stage(lines); }

// ---- viewers -----------------------------------------------------------------------------------------------------

static join_verdict join(stage *t, const char *user, const char *password)
{
    str account;
    join_verdict v = login_join(t->r, "console", t->client, str_z(user), str_z(password), &t->memory, &account);
    CHECK((v == JOIN_OK) == (account.len > 0));
    return v;
}

static void viewers_play(stage *t)
{
    accounts *s = t->r->state;
    str account, role;
    CHECK_INT(join(t, "eve@gmail.com", "ketchup-7"), JOIN_CLOSED);           // nobody said that strangers may
    s->registration = true;
    CHECK_INT(accounts_add(t->r, S("bob@hamburger.edu"), S("pickles-8"), S("admin"), &t->memory, &account), E_OK);
    CHECK_INT(join(t, "Eve@Gmail.com", "ketchup-7"), JOIN_OK);
    CHECK_INT(join(t, "eve@gmail.com", "another-9"), JOIN_TAKEN);
    CHECK_INT(join(t, "alice@hamburger.edu", "ketchup-7"), JOIN_NAME);       // that domain's mail is kept here
    CHECK_INT(join(t, "nobody", "ketchup-7"), JOIN_NAME);
    CHECK_INT(join(t, "eve2@gmail.com", "short"), JOIN_PASSWORD);
    CHECK_INT(login_check_role(t->r, "console", t->client, S("eve@gmail.com"), S("ketchup-7"), &t->memory, &account, &role), LOGIN_OK);
    CHECK_STR(role, S("viewer"));
    CHECK_INT(login_check_role(t->r, "console", t->client, S("bob"), S("pickles-8"), &t->memory, &account, &role), LOGIN_OK);
    CHECK_STR(role, S("admin"));
    CHECK_INT(check(t, "eve@gmail.com", "ketchup-7"), LOGIN_WRONG);          // another service than the console
    CHECK_INT(login_mailbox(t->r, S("eve@gmail.com"), &t->memory, &account), MAILBOX_UNKNOWN);
    CHECK_INT(login_mailbox(t->r, S("eve+x@gmail.com"), &t->memory, &account), MAILBOX_UNKNOWN);
    CHECK_INT(login_mailbox(t->r, S("postmaster@gmail.com"), &t->memory, &account), MAILBOX_UNKNOWN);
    CHECK(!login_may_send_as(t->r, S("eve@gmail.com"), S("eve@gmail.com"), &t->memory));
}

TEST(accounts_viewers_have_the_console_and_nothing_else) { on_stage(viewers_play); }
