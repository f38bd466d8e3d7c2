#include "rt/room.h"

#include "rt/conn_play_test.h"
#include "rt/worker.h"

static int  lives;              // rooms that have started and are not gone
static char order[16];          // who stopped, in order

static void greet(conn *c, void *arg)
{
    room *r = arg;
    arena msg = arena_make(1 << 16);
    for (str line; (line = conn_line(c, &msg, 100)).len > 0; )
        conn_format(c, "%s " STR_FMT, r->kind->name, STR_ARG(line));
    arena_free(&msg);
}

static err start_greeter(room *r, str *why)
{
    (void)why;
    r->state = r;
    lives++;
    CHECK_STR(world_name(world_here()), S("here"));
    return room_offer(r, "greeter.lines", greet, r);
}

static void note_stop(room *r) { strncat(order, r->kind->name, sizeof order - strlen(order) - 1); }
static void note_gone(room *r) { (void)r, lives--; }

static err start_other(room *r, str *why)
{
    (void)why;
    r->state = r;
    lives++;
    CHECK_INT(room_offer(r, "greeter.lines", greet, r), E_IN_USE);
    return E_OK;
}

static err start_never(room *r, str *why)
{
    r->state = r;
    lives++;
    CHECK_INT(room_offer(r, "never.lines", greet, r), E_OK);
    *why = str_format(r->memory, "the %s is missing", "ferry");
    return E_NO_ENTRY;
}

static const room_kind greeter = {.name = "greeter", .start = start_greeter, .stop = note_stop, .gone = note_gone};
static const room_kind other = {.name = "other", .start = start_other, .stop = note_stop, .gone = note_gone};
static const room_kind never = {.name = "never", .start = start_never, .stop = note_stop, .gone = note_gone};

static void rooms_meet(world *w)
{
    arena msg = arena_make(1 << 16);
    node n;
    room *r;
    str why;
    lives = 0, order[0] = 0;
    CHECK_INT(node_start(&n, w, S("node"), S("/tmp/naru-room-test")), E_OK);
    CHECK_INT(node_add(&n, &greeter, NULL, NULL, &why), E_OK);
    CHECK_INT(node_add(&n, &other, NULL, &r, &why), E_OK);
    CHECK_INT(node_add(&n, &never, NULL, NULL, &why), E_NO_ENTRY);
    CHECK_STR(why, S("the ferry is missing"));
    CHECK_INT(lives, 2);
    CHECK(node_room(&n, "other") == r && !node_room(&n, "never"));

    conn *c = room_dial(r, "greeter.lines");
    conn_put(c, S("a\nb\n"));
    CHECK_STR(conn_line(c, &msg, 100), S("greeter a\n"));
    CHECK_STR(conn_line(c, &msg, 100), S("greeter b\n"));
    conn *nobody = room_dial(r, "never.lines");
    CHECK_INT(nobody->error, E_REFUSED);
    conn_close(nobody);
    node_stop(&n);
    CHECK(conn_line(c, &msg, 100).len == 0);             // its room has gone, and says so
    CHECK(c->error == E_EOF || c->error == E_RESET);
    conn_close(c);
    CHECK_INT(lives, 0);
    CHECK_STR(str_z(order), S("othergreeter"));
    arena_free(&msg);
}

TEST(rooms_meet_over_inside_doors) { play_both(rooms_meet); }

static void directories(world *w)
{
    arena msg = arena_make(1 << 16);
    node n;
    room *r;
    str why;
    lives = 0, order[0] = 0;
    CHECK_INT(node_start(&n, w, S("node"), S("/tmp/naru-room-test-directory")), E_OK);
    CHECK_INT(node_add(&n, &greeter, NULL, &r, &why), E_OK);
    CHECK_STR(str_z(room_path(r, &msg, S("journal"))), S("/tmp/naru-room-test-directory/greeter/journal"));
    node_stop(&n);
    arena_free(&msg);
}

TEST(room_has_a_directory_of_its_own) { play_simulated(directories); }

typedef struct { room *r; conn *all[5000]; int got, limited; } crowd;

static void too_many(world *w)
{
    static crowd k;
    node n;
    str why;
    k.got = k.limited = 0;
    lives = 0, order[0] = 0;
    CHECK_INT(node_start(&n, w, S("node"), S("/tmp/naru-room-test")), E_OK);
    CHECK_INT(node_add(&n, &greeter, NULL, &k.r, &why), E_OK);
    for (int i = 0; i < 5000; i++) {
        k.all[i] = room_dial(k.r, "greeter.lines");
        k.got += k.all[i]->error == E_OK;
        k.limited += k.all[i]->error == E_LIMIT;
    }
    CHECK(k.got > 1000 && k.got + k.limited == 5000 && k.limited > 0);
    for (int i = 0; i < 5000; i++)
        conn_close(k.all[i]);
    node_stop(&n);
    CHECK_INT(lives, 0);
}

TEST(room_inside_door_has_a_limit) { play_simulated(too_many); }
