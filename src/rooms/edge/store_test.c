#include "test.h"

#include <stdio.h>
#include <string.h>

#include "rooms/edge/edge_inside.h"
#include "rt/conn_play_test.h"

enum { SLICE = 64 * 1024, MEMORY = 40 * SLICE };

static void stage(edge *e, world *w)
{
    memset(e, 0, sizeof *e);                             // too large for a stack
    e->w = w;
    e->memory_max = MEMORY;
    e->slice_bytes = SLICE;
    e->object_bytes_max = 1 << 30;
    e->name = e->status_name = S("edge");
    edge_store_open(e);
}

static description *about_new(edge *e, const char *tag)
{
    http_header fields[] = {{S("Content-Type"), S("text/plain")}, {S("ETag"), S("\"1\"")}, {S("Cache-Tag"), str_z(tag)}};
    cache_policy p = {.lifetime_s = 100, .came_s = edge_now_s(e)};
    const char *why;
    description *d = description_new(e, 200, fields, 3, &p, NULL, 0, &why);
    must(d);
    return d;
}

// One object of one whole slice under http://h/NUMBER.
static void put(edge *e, int number, const char *tag)
{
    char key[32];
    snprintf(key, sizeof key, "http://h/%d", number);
    resource *r = resource_take(e, str_z(key));
    object *o = object_new(e, r, about_new(e, tag), SLICE);
    slice *s = slice_begin(o, 0);
    CHECK(slice_room(s, SLICE));
    memset(s->bytes->at, number, SLICE);
    s->len = SLICE;
    slice_end(s);
    object_leave(o);
    resource_leave(e, r);
}

static object *find(edge *e, int number)
{
    char key[32];
    bool others;
    snprintf(key, sizeof key, "http://h/%d", number);
    resource *r = edge_resource_find(e, str_z(key));
    return r ? resource_select(r, NULL, 0, &others) : NULL;
}

static void ask(edge *e, int number)
{
    object *o = find(e, number);
    if (o)
        slice_touch(object_slice(o, 0));
}

// Ten that are asked for again and again, and a scan of a thousand that are asked for once: the ten stay.
static void scan(world *w)
{
    static edge e;
    stage(&e, w);
    for (int i = 0; i < 10; i++)
        put(&e, i, "hot");
    for (int i = 0; i < 10; i++)
        ask(&e, i);
    for (int i = 100; i < 1100; i++) {
        put(&e, i, "cold");
        CHECK_ROW(i, e.small_bytes + e.main_bytes + e.described_bytes <= MEMORY);
        if (i % 20 == 0)
            for (int k = 0; k < 10; k++)
                ask(&e, k);
    }
    for (int i = 0; i < 10; i++)
        CHECK_ROW(i, find(&e, i) != NULL);
    CHECK(find(&e, 100) == NULL && find(&e, 1099) != NULL);
    CHECK(e.object_count <= MEMORY / SLICE + 1);
    edge_store_close(&e);
    CHECK_INT(e.piece_bytes, 0);
    CHECK_INT(e.described_bytes, 0);
}

TEST(store_keeps_what_is_asked_for_again) { play_simulated(scan); }

// Begins fills of a site until it may not, at most `most`.
static int fills_begin(edge *e, site *s, int most)
{
    int begun = 0;
    for (; begun < most && fill_allowed(e, s); begun++, s->fills++)
        e->fills++;
    return begun;
}

TEST(store_fills_of_slow_sites_leave_room_for_others)
{
    static edge e;
    static site slow[8], other;
    memset(&e, 0, sizeof e);
    CHECK_INT(fills_begin(&e, &slow[0], FILLS_MAX), FILLS_MAX / 2);
    for (int i = 1; i < 8; i++)
        CHECK_ROW(i, fills_begin(&e, &slow[i], FILLS_MAX) > 0);
    CHECK(e.fills < FILLS_MAX && fills_begin(&e, &other, 1) == 1);
    e.stopping = true;
    CHECK(!fill_allowed(&e, &other));
}

static void purges(world *w)
{
    static edge e;
    stage(&e, w);
    for (int i = 0; i < 6; i++)
        put(&e, i, i < 3 ? "film, first" : "film");
    uint64_t before = e.purges;
    CHECK_INT(purge_tag(&e, S("first"), false), 3);
    CHECK(!find(&e, 0) && !find(&e, 2) && find(&e, 3));
    CHECK_INT(purge_key(&e, S("http://h/3"), true), 1);
    object *stale = find(&e, 3), *fresh = find(&e, 4);
    CHECK(stale && cache_left_s(&stale->about->policy, edge_now_s(&e)) <= 0);
    CHECK(fresh && cache_left_s(&fresh->about->policy, edge_now_s(&e)) > 0);
    CHECK_INT(purge_key(&e, S("http://h/9"), false), 0);

    // What was asked for before a purge and comes after it is not kept.
    resource *r = resource_take(&e, S("http://h/1"));
    description *tagged = about_new(&e, "first"), *other = about_new(&e, "other");
    CHECK(purged_since(&e, r, tagged, before) && !purged_since(&e, r, other, before) && !purged_since(&e, r, tagged, e.purges));
    purge_key(&e, S("http://h/1"), false);
    CHECK(purged_since(&e, r, other, before));
    for (int i = 0; i < PURGES_KEPT + 1; i++)
        purge_tag(&e, S("x"), false);
    CHECK(purged_since(&e, r, other, before + 1));       // too long ago to know of which tag it was
    description_drop(tagged);
    description_drop(other);
    resource_leave(&e, r);
    CHECK_INT(purge_all(&e, false), e.object_count + 3);
    CHECK_INT(e.object_count, 0);
    edge_store_close(&e);
}

TEST(store_purges_by_url_and_by_tag) { play_simulated(purges); }

// A reader holds what is evicted; memory is never more than twice what was said.
static void held(world *w)
{
    static edge e;
    stage(&e, w);
    piece *held_pieces[2 * MEMORY / SLICE + 1];
    int n = 0;
    for (int i = 0; n < (int)(sizeof held_pieces / sizeof *held_pieces); i++, n++) {
        held_pieces[n] = piece_new(&e, SLICE);
        if (!held_pieces[n])
            break;
    }
    CHECK(n >= MEMORY / SLICE && n <= 2 * MEMORY / SLICE);
    CHECK(memory_is_short(&e));
    while (n > 0)
        piece_drop(held_pieces[--n]);
    CHECK_INT(e.piece_bytes, 0);
    edge_store_close(&e);
}

TEST(store_memory_has_a_ceiling) { play_simulated(held); }

// ---- descriptions -----------------------------------------------------------------------------------------------------------------

static void record(world *w)
{
    static edge e;
    stage(&e, w);
    http_header fields[] = {{S("Date"), S("Sun, 22 Nov 2026 05:00:00 GMT")}, {S("ETag"), S("\"x\"")}, {S("Vary"), S("Accept-Language")},
                            {S("Vary"), S("Accept")}, {S("Content-Length"), S("5")}, {S("Connection"), S("X-Mine")}, {S("X-Mine"), S("1")},
                            {S("Surrogate-Key"), S("a b c")}, {S("Age"), S("7")}};
    http_header asked[] = {{S("Accept-Language"), S("ko")}};
    cache_policy p = {.lifetime_s = 60, .age_at_start_s = 7, .came_s = 1000, .stale_if_error_s = 5, .never_stale = true};
    const char *why;
    description *d = description_new(&e, 200, fields, 9, &p, asked, 1, &why);
    CHECK(d != NULL);
    CHECK_STR(d->head, S("HTTP/1.1 200 OK\r\nDate: Sun, 22 Nov 2026 05:00:00 GMT\r\nETag: \"x\"\r\nVary: Accept-Language\r\nVary: Accept\r\n"
                         "Surrogate-Key: a b c\r\n"));
    CHECK_INT(d->tag_count, 3);
    buf out = buf_make(1 << 16);
    description_write(d, S("http://h/a?b"), 5, &out);
    str key;
    int64_t length;
    description *again = description_read(&e, buf_str(&out), &key, &length);
    CHECK(again != NULL);
    if (again) {
        CHECK_STR(again->head, d->head);
        CHECK_STR(again->vary_key, d->vary_key);
        CHECK_STR(key, S("http://h/a?b"));
        CHECK_INT(length, 5);
        CHECK(memcmp(&again->policy, &d->policy, sizeof d->policy) == 0);
        CHECK_INT(again->tag_count, 3);
        CHECK_INT(again->field_count, d->field_count);
        CHECK_STR(again->valid.etag, S("\"x\""));
    }
    for (size_t cut = 0; cut < out.len; cut++)           // a record that is shorter is none
        CHECK_ROW(cut, description_read(&e, str_first(buf_str(&out), (ptrdiff_t)cut), &key, &length) == NULL);
    description_drop(again);
    description_drop(d);
    buf_free(&out);
    edge_store_close(&e);
}

TEST(description_comes_back_from_its_record) { play_simulated(record); }
