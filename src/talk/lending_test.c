#include "talk/lending.h"

#include <string.h>

#include "rt/conn_play_test.h"
#include "rt/loop.h"
#include "rt/worker.h"
#include "talk/http_fetch.h"

// A room that lends two files; what happens to the loan is noted.
typedef struct { int lent, back, ended; bool sound; err refuses; } library;

static err library_lend(void *arg, loan *l, str part, str *why)
{
    library *own = arg;
    if (own->refuses) {
        *why = str_format(&l->memory, "the shelf \"" STR_FMT "\" is broken", STR_ARG(part));
        return own->refuses;
    }
    own->lent++;
    l->files = arena_array(&l->memory, lent_file, 2);
    l->files[0] = (lent_file){str_format(&l->memory, STR_FMT "/one", STR_ARG(part)), 17};
    l->files[1] = (lent_file){S("two \"2\""), -1};
    l->file_count = 2;
    l->folder = S("blobs");
    return E_OK;
}

static bool library_back(void *arg, loan *l, bool ending)
{
    library *own = arg;
    (void)l;
    own->back++;
    own->ended += ending;
    return own->sound;
}

static lender lender_now;                                // of the test that plays

static err room_start(room *r, str *why)
{
    (void)why;
    lending_offer(r, &lender_now);
    return E_OK;
}

static const room_kind kind = {.name = "library", .start = room_start};

static http_result ask(node *n, const char *target, arena *a)
{
    conn *c = conn_open_unix(n->world, str_to_z(a, str_join(a, n->directory, S("/control.sock"))), seconds(60));
    conn_deadline(c, seconds(500));
    http_result r = http_fetch(c, S("POST"), S("naru"), str_z(target), NULL, 0, (str){0}, 1 << 20, a);
    conn_close(c);
    return r;
}

// The loan's number out of its answer; empty: no loan.
static str loan_of(http_result r)
{
    ptrdiff_t at = str_find_str(r.body, S("{\"loan\": \""));
    return r.status == 200 && at == 0 ? str_sub(r.body, 10, 16) : (str){0};
}

static http_result with_loan(node *n, const char *verb, str id, arena *a)
{
    return ask(n, str_to_z(a, str_format(a, "/library/backup/%s?loan=" STR_FMT, verb, STR_ARG(id))), a);
}

static bool says(http_result r, int status, const char *part) { return r.status == status && str_find_str(r.body, str_z(part)) >= 0; }

typedef struct { node *n; arena a; room *r; library own; world *world; str directory; } stage;

static void directory_remove_work(void *arg)
{
    stage *t = arg;
    static const char *const names[] = {"/control.sock", "/library/last-backup", "/library", ""};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        path_remove(t->world, str_to_z(&t->a, str_join(&t->a, t->directory, str_z(names[i]))));
}

static void stage_with(world *w, void (*act)(stage *t))
{
    node n;
    str why;
    stage t = {.n = &n, .a = arena_make(16 << 20), .own = {.sound = true}};
    lender_now = (lender){library_lend, library_back, &t.own};
    t.world = w;
    t.directory = world_is_simulated(w) ? S("/data/node") : str_format(&t.a, "/tmp/naru-lending-%llx", (unsigned long long)world_random_u64(w));
    CHECK_INT(node_start(&n, w, S("here"), t.directory), E_OK);
    CHECK_INT(node_add(&n, &kind, NULL, &t.r, &why), E_OK);
    CHECK_INT(control_open(&n), E_OK);
    act(&t);
    int back = t.own.back;
    bool out = t.own.lent > back;
    node_stop(&n);
    CHECK_INT(t.own.back, back + out);                   // a loan that is out ends with its room
    CHECK_INT(t.own.ended, out);
    work(directory_remove_work, &t);
    arena_free(&t.a);
}

static void there_and_back(stage *t)
{
    http_result r = ask(t->n, "/library/backup/lend?part=a%2Fb", &t->a);
    CHECK(says(r, 200, "\"files\": [{\"path\": \"a/b/one\", \"bytes\": 17}, {\"path\": \"two \\\"2\\\"\", \"bytes\": -1}], \"folders\": [\"blobs\"]}"));
    str id = loan_of(r);
    CHECK(says(ask(t->n, "/library/backup/lend", &t->a), 409, "another backup"));
    CHECK_INT(with_loan(t->n, "keep", id, &t->a).status, 200);
    CHECK_INT(with_loan(t->n, "keep", S("0000000000000000"), &t->a).status, 410);
    CHECK(says(with_loan(t->n, "return", id, &t->a), 200, "\"sound\": true"));
    CHECK_INT(with_loan(t->n, "return", id, &t->a).status, 410);
    t->own.sound = false;
    id = loan_of(ask(t->n, "/library/backup/lend", &t->a));
    CHECK(says(with_loan(t->n, "return", id, &t->a), 200, "\"sound\": false"));
    t->own.refuses = E_IO;
    CHECK(says(ask(t->n, "/library/backup/lend?part=x", &t->a), 503, "the shelf \\\"x\\\" is broken"));
    t->own.refuses = E_NO_ENTRY;
    CHECK(says(ask(t->n, "/library/backup/lend?part=x", &t->a), 200, "{\"nothing\": true}"));
    CHECK_INT(ask(t->n, "/library/backup/done?bytes=-1", &t->a).status, 400);
    CHECK_INT(ask(t->n, "/library/backup/done?bytes=12345", &t->a).status, 200);
    CHECK_INT(t->own.lent, 2);
    CHECK_INT(t->own.back, 2);
}

// The meters know of the last backup after a restart.
static void remembered(stage *t)
{
    room *again;
    str why;
    CHECK_INT(ask(t->n, "/library/backup/done?bytes=777", &t->a).status, 200);
    CHECK_INT(node_add(t->n, &kind, NULL, &again, &why), E_OK);
    http_result r = ask(t->n, "/metrics", &t->a);
    CHECK_INT(r.status, 405);                            // POST
    conn *c = conn_open_unix(t->n->world, str_to_z(&t->a, str_join(&t->a, t->n->directory, S("/control.sock"))), seconds(60));
    r = http_fetch(c, S("GET"), S("naru"), S("/metrics"), NULL, 0, (str){0}, 1 << 20, &t->a);
    conn_close(c);
    CHECK(says(r, 200, "naru_backup_last_bytes 777"));
    CHECK(!says(r, 200, "naru_backup_last_timestamp_seconds 0\n"));
}

static void remembered_in(world *w) { stage_with(w, remembered); }

TEST(the_last_backup_is_remembered) { play_both(remembered_in); }

static void there_and_back_in(world *w) { stage_with(w, there_and_back); }

TEST(a_loan_goes_there_and_back) { play_both(there_and_back_in); }

// Nobody gives it back: it ends by itself, and the next one can have it. The room may end in the middle of one.
static void forgotten(stage *t)
{
    str id = loan_of(ask(t->n, "/library/backup/lend", &t->a));
    fiber_sleep(seconds(LENDING_S - 1));
    CHECK_INT(with_loan(t->n, "keep", id, &t->a).status, 200);
    fiber_sleep(seconds(LENDING_S - 1));
    CHECK_INT(t->own.back, 0);
    fiber_sleep(seconds(2));
    CHECK_INT(t->own.back, 1);
    CHECK_INT(with_loan(t->n, "return", id, &t->a).status, 410);
    CHECK_INT(loan_of(ask(t->n, "/library/backup/lend", &t->a)).len, 16);
}

static void forgotten_in(world *w) { stage_with(w, forgotten); }

TEST(a_forgotten_loan_ends_by_itself) { play_simulated(forgotten_in); }
