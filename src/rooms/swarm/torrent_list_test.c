#include "rooms/swarm/torrent_list.h"

#include <stdlib.h>

#include "base/hex.h"
#include "rooms/swarm/store_play_test.h"
#include "rooms/swarm/torrent_state.h"
#include "rt/worker.h"

static const play_file film[] = {{"film.mkv", 100000}}, book[] = {{"a/book", 70000}, {"a/cover", 3}};
static const char link_text[] = "magnet:?xt=urn:btih:0123456789abcdef0123456789abcdef01234567&dn=somewhere&tr=http%3A%2F%2Ft.example%2Fannounce";

typedef struct { play film, book; torrent_list *list; str why; stage *t; } listed;

static err reopen(listed *x)
{
    torrent_list_close(x->list);
    x->list = NULL;
    return torrent_list_open(x->t->world, S("/data/torrents"), &x->t->memory, &x->list, &x->why);
}

static void listed_begin(listed *x, stage *t)
{
    *x = (listed){.t = t};
    play_make(&x->film, t, film, 1, 16384);
    play_make(&x->book, t, book, 2, 16384);
    CHECK_INT(reopen(x), E_OK);
    CHECK_INT(torrent_list_count(x->list), 0);
}

static void listed_end(listed *x)
{
    torrent_list_close(x->list);
    play_free(&x->film);
    play_free(&x->book);
}

static void keep_body(stage *t)
{
    listed x;
    arena *a = &t->memory;
    torrent_entry *e, *again;
    str text;
    metainfo m;
    listed_begin(&x, t);
    CHECK_INT(torrent_list_add(x.list, x.book.torrent, S("/books"), a, &e, &x.why), E_OK);
    CHECK_INT(torrent_list_add(x.list, x.book.torrent, S("/books"), a, &again, &x.why), E_EXISTS);
    CHECK(again == e && torrent_list_count(x.list) == 1);
    fiber_sleep(seconds(2));
    CHECK_INT(torrent_list_add(x.list, x.film.torrent, S("/films"), a, &e, &x.why), E_OK);
    CHECK_STR(e->name, S("film.mkv"));
    torrent_entry_text(e, &e->labels, S("one\ntwo"));
    e->sent = 1ll << 40;
    e->ratio_per_mille = -1;
    e->paused = true;
    torrent_entry_changed(e);
    CHECK_INT(torrent_list_save(x.list), E_OK);
    CHECK(!e->changed);
    CHECK_INT(torrent_list_add(x.list, S("d4:infoi1ee"), S("/"), a, &again, &x.why), E_PROTOCOL);
    CHECK(x.why.len > 0);
    CHECK_INT(reopen(&x), E_OK);
    CHECK_INT(x.why.len, 0);
    CHECK_INT(torrent_list_count(x.list), 2);
    CHECK(memcmp(torrent_list_at(x.list, 0)->hash, x.book.hash, 20) == 0);           // in the order of adding
    e = torrent_list_find(x.list, x.film.hash);
    CHECK(e && e->sent == 1ll << 40 && e->ratio_per_mille == -1 && e->paused && e->has_metainfo);
    CHECK_STR(e->labels, S("one\ntwo"));
    CHECK_STR(e->directory, S("/films"));
    CHECK_INT(e->length, 100000);
    CHECK_INT(e->piece_count, 7);
    CHECK_INT(torrent_list_read(x.list, e, a, &text, &m, &x.why), E_OK);
    CHECK_STR(text, x.film.torrent);
    CHECK_INT(torrent_list_remove(x.list, e), E_OK);
    CHECK(!torrent_list_find(x.list, x.film.hash));
    CHECK_INT(reopen(&x), E_OK);
    CHECK_INT(torrent_list_count(x.list), 1);
    listed_end(&x);
}

TEST(torrent_list_keeps_what_was_added) { stage_simulated(1, quick_disk, keep_body, NULL); }

static void magnet_body(stage *t)
{
    listed x;
    arena *a = &t->memory;
    torrent_entry *e;
    str text, link;
    metainfo m;
    unsigned char hex[40];
    listed_begin(&x, t);
    hex_encode(hex, str_of(x.film.hash, 20));
    link = str_format(a, "magnet:?xt=urn:btih:%.40s&dn=x&tr=http%%3A%%2F%%2Ft.example%%2Fannounce&ws=http%%3A%%2F%%2Fw.example%%2F", hex);
    CHECK_INT(torrent_list_add_magnet(x.list, link, S("/films"), a, &e, &x.why), E_OK);
    CHECK_INT(torrent_list_add_magnet(x.list, str_z(link_text), S("/films"), a, &e, &x.why), E_OK);
    CHECK_STR(e->name, S("somewhere"));
    CHECK_INT(torrent_list_add_magnet(x.list, S("http://x"), S("/"), a, &e, &x.why), E_PROTOCOL);
    CHECK_INT(reopen(&x), E_OK);
    CHECK_INT(torrent_list_count(x.list), 2);
    e = torrent_list_find(x.list, x.film.hash);
    CHECK(e && !e->has_metainfo);
    CHECK_INT(torrent_list_read(x.list, e, a, &text, &m, &x.why), E_NO_ENTRY);
    bencode_refusal why;
    metainfo whole;
    CHECK(metainfo_read(x.film.torrent, a, &whole, &why));
    CHECK_INT(torrent_list_metadata(x.list, e, S("d4:name1:xe"), a, &x.why), E_PROTOCOL);
    CHECK_INT(torrent_list_metadata(x.list, e, whole.info, a, &x.why), E_OK);
    CHECK_INT(reopen(&x), E_OK);
    e = torrent_list_find(x.list, x.film.hash);
    CHECK(e && e->has_metainfo && e->length == 100000);
    CHECK_INT(torrent_list_read(x.list, e, a, &text, &m, &x.why), E_OK);
    CHECK(m.tracker_count == 1 && m.web_seed_count == 1);
    CHECK_STR(m.info, whole.info);
    listed_end(&x);
}

TEST(torrent_list_keeps_magnet_links_and_what_they_become) { stage_simulated(2, quick_disk, magnet_body, NULL); }

static char *path_of(listed *x, const play *p, const char *ending)
{
    unsigned char hex[40];
    hex_encode(hex, str_of(p->hash, 20));
    return str_to_z(&x->t->memory, str_format(&x->t->memory, "/data/torrents/%.40s%s", hex, ending));
}

static void damaged_body(stage *t)
{
    listed x;
    torrent_entry *e;
    listed_begin(&x, t);
    CHECK_INT(torrent_list_add(x.list, x.film.torrent, S("/films"), &t->memory, &e, &x.why), E_OK);
    stage_damage(t, path_of(&x, &x.film, ".state"), 100);
    CHECK_INT(reopen(&x), E_OK);
    CHECK(str_find_str(x.why, S("was damaged")) > 0);
    e = torrent_list_find(x.list, x.film.hash);
    CHECK(e && e->paused && e->has_metainfo && e->length == 100000);
    CHECK_INT(torrent_list_save(x.list), E_OK);
    CHECK_INT(reopen(&x), E_OK);
    CHECK_INT(x.why.len, 0);
    CHECK_INT(torrent_list_count(x.list), 1);
    listed_end(&x);
}

TEST(torrent_list_begins_anew_where_a_state_is_damaged) { stage_simulated(3, quick_disk, damaged_body, NULL); }

// The power fails at each step of adding, changing and removing: each torrent is wholly there or not, with its old figures or the new ones.
typedef struct { int64_t steps; bool met, added, saved, removed; stage *t; listed x; } crash;

static void crash_life(void *arg)
{
    crash *c = arg;
    listed *x = &c->x;
    torrent_entry *e;
    if (reopen(x))
        return;
    c->added = torrent_list_add(x->list, x->film.torrent, S("/films"), &x->t->memory, &e, &x->why) == E_OK;
    if (c->added) {
        e->sent = 77;
        torrent_entry_changed(e);
        c->saved = torrent_list_save(x->list) == E_OK;
    }
    if (c->saved)
        c->removed = torrent_list_remove(x->list, e) == E_OK;
}

static void crash_after_life(void *arg)
{
    crash *c = arg;
    listed *x = &c->x;
    CHECK_INT(reopen(x), E_OK);
    const torrent_entry *e = torrent_list_find(x->list, x->film.hash);
    CHECK(!(c->added && !c->saved) || (e && (e->sent == 77 || e->sent == 0)));
    CHECK(!c->removed || !e);
    CHECK(!e || e->length == 100000);
    CHECK_INT(x->why.len, 0);
}

static void crash_body(stage *t)
{
    crash *c = t->arg;
    c->x = (listed){.t = t};
    play_make(&c->x.film, t, film, 1, 16384);
    play_make(&c->x.book, t, book, 2, 16384);
    fiber_world(t->director);
    sim_crash_after(t->world, c->steps);
    {
        SCOPE(s, 0, 2);
        CHECK_INT(sim_boot(t->world, &s, crash_life, c), E_OK);
        scope_wait(&s);
    }
    c->met = !sim_is_up(t->world);
    sim_crash(t->world);
    sim_restart(t->world);
    {
        SCOPE(s, 0, 2);
        CHECK_INT(sim_boot(t->world, &s, crash_after_life, c), E_OK);
        scope_wait(&s);
    }
    listed_end(&c->x);
}

TEST(torrent_list_survives_a_power_cut_at_any_step)
{
    int64_t steps = 0;
    for (bool met = true; met && steps < 500; steps++) {
        crash c = {.steps = steps};
        stage_simulated((uint64_t)steps + 1, quick_disk, crash_body, &c);
        met = c.met;
    }
    CHECK(steps > 15 && steps < 500);
}

// A thousand torrents are there in a moment: only their states are read.
enum { THOUSAND = 1000 };

static void directory_clear(void *arg)
{
    listed *x = arg;
    arena a = arena_make(4 << 20);
    str *names;
    int count = 0;
    char *inside = str_to_z(&a, str_format(&a, STR_FMT "/torrents", STR_ARG(x->why)));
    CHECK_INT(dir_list(x->t->world, inside, &a, &names, &count), E_OK);
    for (int i = 0; i < count; i++)
        path_remove(x->t->world, str_to_z(&a, str_format(&a, "%s/" STR_FMT, inside, STR_ARG(names[i]))));
    CHECK_INT(path_remove(x->t->world, inside), E_OK);
    CHECK_INT(path_remove(x->t->world, str_to_z(&a, x->why)), E_OK);
    arena_free(&a);
}

static void thousand_body(stage *t)
{
    listed x = {.t = t};
    torrent_entry *e;
    char memory_disk[] = "/dev/shm/naru-list-XXXXXX";            // 1,000 times two syncs are not what is measured
    bool there = mkdtemp(memory_disk);
    str directory = str_format(&t->memory, "%s/torrents", there ? memory_disk : t->directory);
    CHECK_INT(torrent_list_open(t->world, directory, &t->memory, &x.list, &x.why), E_OK);
    for (int i = 0; i < THOUSAND; i++) {
        str link = str_format(&t->memory, "magnet:?xt=urn:btih:%040x&dn=torrent-%d", 0x1000 + i, i);
        CHECK_INT(torrent_list_add_magnet(x.list, link, S("/somewhere/deep"), &t->memory, &e, &x.why), E_OK);
    }
    torrent_list_close(x.list);
    int64_t before = world_now_ns(t->world);
    CHECK_INT(torrent_list_open(t->world, directory, &t->memory, &x.list, &x.why), E_OK);
    int64_t took = world_now_ns(t->world) - before;
    CHECK_INT(torrent_list_count(x.list), THOUSAND);
    CHECK(took < seconds(5));                    // a second is promised; other work may go on on this machine
    torrent_list_close(x.list);
    if (there) {
        x.why = str_z(memory_disk);
        work(directory_clear, &x);
    }
}

TEST(torrent_list_opens_a_thousand_quickly) { stage_real(thousand_body, NULL); }
