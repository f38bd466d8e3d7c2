#include "rooms/mta/spool.h"

#include "rt/scope.h"
#include "rt/sim.h"
#include "test.h"

// A host that accepts letters, records outcomes and bounces, and is killed at its n-th file operation, for every n until a run
// is not reached by it any more. After the restart the spool must hold exactly what was promised.
enum { LETTERS = 6 };

typedef struct {
    sim   *sim;
    world *w;
    uint64_t ids[LETTERS], bounces[LETTERS];
    bool   accepted[LETTERS];            // spool_accept said E_OK
    bool   accept_tried[LETTERS], outcome_tried[LETTERS];
    bool   ended[LETTERS];               // spool_outcome said E_OK
    bool   finished;
} host_run;

static str text_of(int i, arena *a) { return str_format(a, "Subject: number %d\r\n\r\nhello\r\n", i); }

static letter *compose(spool *s, int i, const char *from)
{
    letter *l = spool_letter_new(s);
    l->from = str_copy(&l->memory, str_z(from));
    l->to = arena_new(&l->memory, recipient);
    l->to[0].address = S("bob@hamburger.edu");
    l->to_count = l->to_waiting = 1;
    l->text_memory = buf_make(1000);
    arena a = arena_make(1000);
    buf_put(&l->text_memory, text_of(i, &a));
    arena_free(&a);
    l->text = buf_str(&l->text_memory);
    l->size_bytes = l->text.len;
    return l;
}

static void end_letter(host_run *h, spool *s, int i, letter *l)
{
    outcome o = {.index = 0, .state = RECIPIENT_FAILED, .reply = S("550 nobody")};
    letter *bounce = i % 2 ? compose(s, 100 + i, "") : NULL;
    h->bounces[i] = bounce ? bounce->id : 0;
    h->outcome_tried[i] = true;
    l->users++;
    h->ended[i] = spool_outcome(s, l, &o, 1, bounce) == E_OK;
    l->users--;
    spool_release(s, l);
}

static void live(void *arg)
{
    host_run *h = arg;
    arena a = arena_make(1 << 20);
    spool *s = NULL;
    str why = {0};
    if (spool_open(h->w, S("spool"), &a, &s, &why) == E_OK) {
        for (int i = 0; i < LETTERS; i++) {
            letter *l = compose(s, i, "alice@crepes.fr");
            h->ids[i] = l->id;
            h->accept_tried[i] = true;
            h->accepted[i] = spool_accept(s, l) == E_OK;
            if (!h->accepted[i])
                letter_free(l);
            else if (i >= 2)
                end_letter(h, s, i, l);
        }
        spool_tidy(s);
        h->finished = sim_is_up(h->w);
        spool_close(s);
    }
    arena_free(&a);
}

static void check_letter(spool *s, uint64_t id, bool must_be, bool must_not, int number, int row)
{
    letter *l = id ? spool_find(s, id) : NULL;
    CHECK_ROW(row, !must_be || l);
    CHECK_ROW(row, !must_not || !l);
    if (!l)
        return;
    arena a = arena_make(1 << 20);
    str text;
    CHECK_ROW(row, spool_text(s, l, &a, &text) == E_OK && str_eq(text, text_of(number, &a)));
    arena_free(&a);
}

static int row_now;

static void check_after(void *arg)
{
    host_run *h = arg;
    arena a = arena_make(1 << 20);
    spool *s = NULL;
    str why = {0};
    err e = spool_open(h->w, S("spool"), &a, &s, &why);
    CHECK_ROW(row_now, e == E_OK);
    for (int i = 0; i < LETTERS && s; i++) {
        bool living = h->accepted[i] && !h->outcome_tried[i];
        check_letter(s, h->ids[i], living, h->ended[i] || !h->accept_tried[i], i, row_now);
        check_letter(s, h->bounces[i], h->ended[i] && h->bounces[i], false, 100 + i, row_now);
    }
    spool_close(s);
    arena_free(&a);
}

static void direct(void *arg)
{
    host_run *h = arg;
    sim_crash_after(h->w, row_now);
    {
        SCOPE(s, 0, 4);
        sim_boot(h->w, &s, live, h);
        scope_wait(&s);
        sim_crash_after(h->w, -1);
        sim_crash(h->w);
    }
    sim_restart(h->w);
    SCOPE(s, 0, 4);
    sim_boot(h->w, &s, check_after, h);
    scope_wait(&s);
}

TEST(spool_keeps_what_it_promised_wherever_it_is_killed)
{
    int rows = 0;
    for (bool finished = false; !finished && rows < 2000; rows++) {
        row_now = rows;
        host_run h = {.sim = sim_new(77 + (uint64_t)rows)};
        addr home = addr_v4(0x0a000001, 0);
        h.w = sim_host(h.sim, S("crepes.fr"), &home, 1, (sim_disk){.write_ns = 1000, .sync_ns = 100000});
        CHECK(sim_run(h.sim, direct, &h) == E_OK);
        finished = h.finished;
        sim_free(h.sim);
    }
    CHECK(rows > 20);
}

// ---- attempts, carried and read back ------------------------------------------------------------------------------------

enum { ATTEMPTS = 5 };

static void attempt_count(void *arg, const attempt *a)
{
    int *count = arg;
    CHECK_INT(a->was.state, RECIPIENT_WAITING);
    CHECK_STR(a->was.reply, S("451 later"));
    CHECK_STR(a->was.host, S("mx.hamburger.edu"));
    ++*count;
}

static int attempts_of(spool *s, uint64_t id)
{
    int count = 0;
    letter *l = spool_find(s, id);
    CHECK(l != NULL);
    if (l)
        spool_attempts(s, l, attempt_count, &count);
    return count;
}

// A failed sync seals a segment, the next letter begins another: so the journal moves on, and the letter that stays is carried forward.
static void push_on(host_run *h, spool *s)
{
    sim_disk quick = {.write_ns = 1000, .sync_ns = 100000}, failing = quick;
    failing.sync_fail_per_million = 1000000;
    for (int i = 0; i < SPOOL_CARRY_SEGMENTS + 3; i++) {
        letter *l = compose(s, i, "alice@crepes.fr"), *refused = compose(s, i, "alice@crepes.fr");
        outcome o = {.index = 0, .state = RECIPIENT_DELIVERED, .reply = S("250 ok")};
        CHECK_INT(spool_accept(s, l), E_OK);
        CHECK_INT(spool_outcome(s, l, &o, 1, NULL), E_OK);
        spool_release(s, l);
        sim_disk_set(h->w, failing);
        CHECK_INT(spool_accept(s, refused), E_IO);
        sim_disk_set(h->w, quick);
        letter_free(refused);
    }
    spool_tidy(s);
}

static void attempts_live(void *arg)
{
    host_run *h = arg;
    arena a = arena_make(1 << 20);
    spool *s = NULL;
    str why = {0};
    CHECK_INT(spool_open(h->w, S("spool"), &a, &s, &why), E_OK);
    letter *l = compose(s, 0, "alice@crepes.fr");
    h->ids[0] = l->id;
    CHECK_INT(spool_accept(s, l), E_OK);
    outcome o = {.index = 0, .state = RECIPIENT_WAITING, .reply = S("451 later"), .host = S("mx.hamburger.edu")};
    for (int i = 0; i < ATTEMPTS; i++)
        CHECK_INT(spool_outcome(s, l, &o, 1, NULL), E_OK);
    CHECK_INT(attempts_of(s, h->ids[0]), ATTEMPTS);
    uint32_t first = l->place.segment;
    push_on(h, s);
    CHECK(l->place.segment > first);                         // it was carried
    CHECK_INT(attempts_of(s, h->ids[0]), ATTEMPTS);
    CHECK_INT(spool_outcome(s, l, &o, 1, NULL), E_OK);
    CHECK_INT(attempts_of(s, h->ids[0]), ATTEMPTS + 1);
    spool_close(s);
    CHECK_INT(spool_open(h->w, S("spool"), &a, &s, &why), E_OK);
    CHECK_INT(attempts_of(s, h->ids[0]), ATTEMPTS + 1);
    CHECK_INT(spool_find(s, h->ids[0])->to[0].attempts, ATTEMPTS + 1);
    spool_close(s);
    arena_free(&a);
}

static void attempts_direct(void *arg)
{
    host_run *h = arg;
    SCOPE(s, 0, 4);
    sim_boot(h->w, &s, attempts_live, h);
    scope_wait(&s);
}

TEST(spool_carries_attempts_with_their_letter_and_over_a_restart)
{
    host_run h = {.sim = sim_new(5)};
    addr home = addr_v4(0x0a000001, 0);
    h.w = sim_host(h.sim, S("crepes.fr"), &home, 1, (sim_disk){.write_ns = 1000, .sync_ns = 100000});
    CHECK(sim_run(h.sim, attempts_direct, &h) == E_OK);
    sim_free(h.sim);
}
