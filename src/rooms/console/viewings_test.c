// The account of viewings on a simulated disk: what was answered is there after a restart, and after a crash.
#include "rooms/console/viewings.h"

#include "rooms/console/read_back.h"

#include "rt/sim.h"
#include "test.h"

typedef struct { world *host; arena memory; void (*body)(world *w, arena *a); } stage;

static void play(void *arg)
{
    stage *t = arg;
    fiber_world(t->host);
    t->body(t->host, &t->memory);
}

static void on_stage(void (*body)(world *w, arena *a))
{
    addr at = addr_v4(0x0a000001, 0);
    sim *s = sim_new(3);
    stage t = {.memory = arena_make(16 << 20), .body = body};
    t.host = sim_host(s, S("netcinema.com"), &at, 1, (sim_disk){.write_ns = 1000, .sync_ns = 100000});
    CHECK_INT(sim_run(s, play, &t), E_OK);
    arena_free(&t.memory);
    sim_free(s);
}

static viewings *opened(world *w, arena *a)
{
    viewings *v = NULL;
    str why = {0};
    CHECK_INT(viewings_open(w, S("/data/console"), a, &v, &why), E_OK);
    CHECK_STR(why, S(""));
    return v;
}

static json_t *said(const char *text) { return json_loads(text, 0, NULL); }

static err tell(viewings *v, uint64_t session, const char *id, const char *text)
{
    json_t *o = said(text);
    CHECK(o != NULL);
    err e = viewings_tell(v, session, str_z(id), o);
    json_decref(o);
    return e;
}

static long long field(viewings *v, int i, const char *name)
{
    json_t *all = viewings_list(v, S(""), 100);
    long long n = json_integer_value(json_object_get(json_array_get(all, (size_t)i), name));
    json_decref(all);
    return n;
}

static void nothing(void *arg, journal_place place, str bytes) { (void)arg, (void)place, (void)bytes; }

static void kept_play(world *w, arena *a)
{
    char id[VIEWING_ID_DIGITS + 1], other[VIEWING_ID_DIGITS + 1];
    viewings *v = opened(w, a);
    CHECK_INT(viewings_begin(v, 7, S("bob@gmail.com"), S("ferry"), S("The <b>Ferry</b>"), id), E_OK);
    CHECK_INT(viewings_begin(v, 8, S("eve@gmail.com"), S("lake"), S("Lake"), other), E_OK);
    fiber_sleep(seconds(60));
    CHECK_INT(tell(v, 7, id, "{\"watched_ms\": 50000, \"bytes\": 1234567, \"stalls\": 1, \"stall_ms\": 900, \"servers\": [\"east\", \"west\"]}"), E_OK);
    CHECK_INT(tell(v, 7, id, "{\"watched_ms\": 51000}"), E_LIMIT);           // too soon
    CHECK_INT(tell(v, 7, id, "{\"watched_ms\": 52000, \"ended\": true}"), E_OK);     // the last word is always taken
    CHECK_INT(tell(v, 7, id, "{\"watched_ms\": 1}"), E_NO_ENTRY);            // it is over
    viewings_close(v);
    v = opened(w, a);
    CHECK_INT(viewings_count(v), 2);
    CHECK_INT(field(v, 1, "watched_ms"), 52000);
    CHECK_INT(field(v, 1, "bytes"), 1234567);
    CHECK_INT(tell(v, 8, other, "{\"watched_ms\": 1, \"ended\": true}"), E_NO_ENTRY);        // of a session before the restart
    json_t *bobs = viewings_list(v, S("bob@gmail.com"), 10), *sums = viewings_sums(v);
    CHECK_INT(json_array_size(bobs), 1);
    CHECK(strcmp(json_string_value(json_object_get(json_array_get(bobs, 0), "title")), "The <b>Ferry</b>") == 0);
    CHECK_INT(json_integer_value(json_object_get(json_object_get(json_object_get(sums, "servers"), "west"), "bytes")), 1234567);
    CHECK_INT(json_integer_value(json_object_get(json_object_get(sums, "all"), "viewings")), 2);
    json_decref(bobs);
    json_decref(sums);
    viewings_close(v);
    console_read back;
    str why = {0};
    CHECK(console_read_back(w, S("/data/console"), &back, a, &why) == E_OK && back.viewings == 2);
    journal *j;
    str rubbish = S("{\"viewing\": 7}");
    CHECK_INT(journal_open(w, S("/data/console/viewings"), (journal_options){0}, nothing, NULL, a, &j, &why), E_OK);
    CHECK_INT(journal_append(j, &rubbish, 1, &(journal_place){0}), E_OK);
    journal_close(j);
    CHECK(console_read_back(w, S("/data/console"), &back, a, &why) == E_CORRUPT && why.len);
}

TEST(viewings_are_there_after_a_restart) { on_stage(kept_play); }

static void claims_play(world *w, arena *a)
{
    char id[VIEWING_ID_DIGITS + 1];
    viewings *v = opened(w, a);
    viewings_begin(v, 7, S("bob"), S("ferry"), S(""), id);
    fiber_sleep(seconds(10));
    CHECK_INT(tell(v, 8, id, "{\"watched_ms\": 5}"), E_NO_ENTRY);            // another's
    CHECK_INT(tell(v, 0, id, "{\"watched_ms\": 5}"), E_NO_ENTRY);
    CHECK_INT(tell(v, 7, "0000000000000000", "{}"), E_NO_ENTRY);
    CHECK_INT(tell(v, 7, id, "{\"watched_ms\": 999999999, \"stall_ms\": 999999999, \"bytes\": -5, \"stalls\": \"many\", \"mean_bps\": 99,"
                             " \"servers\": [\"a b\", \"<script>\", 7, \"good.example:80\", \"\"]}"), E_OK);
    CHECK(field(v, 0, "watched_ms") == 80000 && field(v, 0, "stall_ms") == 10000);           // no longer than it lasted, at ×8
    CHECK(field(v, 0, "bytes") == 0 && field(v, 0, "stalls") == 0 && field(v, 0, "mean_bps") == 99);
    json_t *all = viewings_list(v, S(""), 1), *servers = json_object_get(json_array_get(all, 0), "servers");
    CHECK_INT(json_array_size(servers), 1);
    json_decref(all);
    viewings_close(v);
}

TEST(viewings_take_no_claim_that_cannot_be) { on_stage(claims_play); }

static void many_play(world *w, arena *a)
{
    char id[VIEWING_ID_DIGITS + 1], first[VIEWING_ID_DIGITS + 1];
    viewings *v = opened(w, a);
    viewings_begin(v, 1, S("first"), S("f"), S(""), first);
    for (int i = 0; i < VIEWINGS_MAX + 5; i++)
        CHECK_INT(viewings_begin(v, 1, S("bob"), S("f"), S(""), id), E_OK);
    CHECK_INT(viewings_count(v), VIEWINGS_MAX);
    CHECK_INT(tell(v, 1, first, "{\"ended\": true}"), E_NO_ENTRY);           // forgotten, not lost: the journal has it
    viewings_close(v);
    v = opened(w, a);
    CHECK_INT(viewings_count(v), VIEWINGS_MAX);
    viewings_close(v);
}

TEST(viewings_in_memory_are_bounded) { on_stage(many_play); }
