#include "rooms/tracker/web.h"

#include <string.h>

#include "rooms/tracker/tracker_stage_test.h"
#include "test.h"

static arena a;

static tracker_reply get(tracker *t, addr from, const char *path, tracker_announce said)
{
    buf query = buf_make(4096), out = buf_make(WEB_ANSWER_BYTES_MAX);
    tracker_reply r = {0};
    bencode_refusal why;
    a = a.max_bytes ? a : arena_make(8 << 20);
    arena_reset(&a);
    tracker_announce_write(&query, &said);
    CHECK(web_answer(t, from, str_z(path), buf_str(&query), &a, &out) != WEB_UNKNOWN);
    CHECK(tracker_reply_read(str_copy(&a, buf_str(&out)), &a, &r, &why));
    buf_free(&query);
    buf_free(&out);
    return r;
}

static addr host(unsigned n) { return addr_v4(0x0a000000 + n, 40000); }
static addr host6(unsigned n) { return (addr){.family = 6, .port = 40000, .ip = {0x20, 1, [15] = (uint8_t)n}}; }

TEST(web_tells_peers_of_both_families)
{
    tracker *t = stage_tracker();
    for (unsigned n = 1; n <= 4; n++)
        get(t, host(n), "/announce", stage_said(1, n)), get(t, host6(n), "/announce", stage_said(1, n + 100));
    tracker_reply r = get(t, host(9), "/announce", stage_said(1, 9));
    CHECK(r.peer_count == 8 && endpoint_count(r.peers, r.peer_count, 6) == 4);
    CHECK(r.interval_s == 1800 && r.interval_min_s == 300 && r.incomplete == 9 && r.complete == 0);
    CHECK(addr_eq_ip(r.external, host(9)));                            // BEP 24
    r = get(t, host6(9), "/announce", stage_said(1, 109));
    CHECK(r.peer_count == 9 && addr_eq_ip(r.external, host6(9)));
    addr mapped = {.family = 6, .port = 1, .ip = {[10] = 0xff, [11] = 0xff, 10, 0, 0, 77}};
    r = get(t, mapped, "/announce", stage_said(1, 77));
    CHECK(addr_eq_ip(r.external, addr_v4(0x0a00004d, 0)));
    stage_free(t);
}

TEST(web_refuses_with_reason_and_when_to_come_again)
{
    tracker *t = stage_tracker();
    tracker_announce said = stage_said(1, 1);
    t->access.open = false;
    tracker_reply r = get(t, host(1), "/announce", said);
    CHECK(r.failure.len && r.retry_min == ANNOUNCE_NEVER);             // BEP 31
    t->access.open = true;
    t->rules.new_torrents_max = 1;
    CHECK(get(t, host(1), "/announce", said).failure.len == 0);
    r = get(t, host(1), "/announce", stage_said(2, 1));
    CHECK(r.failure.len && r.retry_min == 20);
    stage_free(t);
}

// Path and query as they come from anybody.
TEST(web_takes_what_is_well_formed)
{
    static const struct { const char *path, *query; web_verdict verdict; const char *has; } rows[] = {
        {"/announce", "", WEB_REFUSED, "info_hash is missing"},
        {"/announce", "info_hash=aaaaaaaaaaaaaaaaaaaa&peer_id=bbbbbbbbbbbbbbbbbbbb", WEB_REFUSED, "port is missing"},
        {"/announce", "info_hash=aaaaaaaaaaaaaaaaaaaa&peer_id=bbbbbbbbbbbbbbbbbbbb&port=0", WEB_REFUSED, "port"},
        {"/announce", "info_hash=aaaaaaaaaaaaaaaaaaaa&peer_id=bbbbbbbbbbbbbbbbbbbb&port=70000", WEB_REFUSED, "port"},
        {"/announce", "info_hash=aaaaaaaaaaaaaaaaaaa&peer_id=bbbbbbbbbbbbbbbbbbbb&port=1", WEB_REFUSED, "20 bytes"},
        {"/announce", "info_hash=%zz&peer_id=bbbbbbbbbbbbbbbbbbbb&port=1", WEB_REFUSED, "digits"},
        {"/announce", "info_hash=aaaaaaaaaaaaaaaaaaaa&peer_id=bbbbbbbbbbbbbbbbbbbb&port=1&left=-1", WEB_REFUSED, "left"},
        {"/announce", "info_hash=aaaaaaaaaaaaaaaaaaaa&peer_id=bbbbbbbbbbbbbbbbbbbb&port=1&numwant=99999999", WEB_ANNOUNCED, "5:peers"},
        {"/announce", "info_hash=aaaaaaaaaaaaaaaaaaaa&peer_id=bbbbbbbbbbbbbbbbbbbb&port=1&compact=0&no_peer_id=1", WEB_ANNOUNCED, "5:peers"},
        {"/announce/", "", WEB_UNKNOWN, ""}, {"/", "", WEB_UNKNOWN, ""}, {"", "", WEB_UNKNOWN, ""}, {"//announce", "", WEB_UNKNOWN, ""},
        {"/a/b/announce", "", WEB_UNKNOWN, ""}, {"/stats", "", WEB_UNKNOWN, ""},
        {"/scrape", "", WEB_REFUSED, "everything"},
        {"/scrape", "info_hash=aaaaaaaaaaaaaaaaaaaa", WEB_SCRAPED, "d5:filesd20:aaaaaaaaaaaaaaaaaaaad8:complete"},
        {"/scrape", "info_hash=short", WEB_REFUSED, "20 bytes"},
        {"/0123456789abcdef/scrape", "info_hash=bbbbbbbbbbbbbbbbbbbb&info_hash=aaaaaaaaaaaaaaaaaaaa&info_hash=bbbbbbbbbbbbbbbbbbbb", WEB_SCRAPED, "20:aaaa"},
    };
    tracker *t = stage_tracker();
    arena msg = arena_make(8 << 20);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        buf out = buf_make(WEB_ANSWER_BYTES_MAX);
        arena_reset(&msg);
        CHECK_ROW(i, web_answer(t, host(1), str_z(rows[i].path), str_z(rows[i].query), &msg, &out) == rows[i].verdict);
        CHECK_ROW(i, str_find_str(buf_str(&out), str_z(rows[i].has)) >= 0 || !rows[i].has[0]);
        buf_free(&out);
    }
    arena_free(&msg);
    stage_free(t);
}

TEST(web_scrapes_of_many_hashes_are_refused)
{
    tracker *t = stage_tracker();
    arena msg = arena_make(8 << 20);
    buf query = buf_make(1 << 20), out = buf_make(WEB_ANSWER_BYTES_MAX);
    for (int i = 0; i < 1000; i++)
        buf_put(&query, S("info_hash=aaaaaaaaaaaaaaaaaaaa&"));
    CHECK_INT(web_answer(t, host(1), S("/scrape"), buf_str(&query), &msg, &out), WEB_REFUSED);
    CHECK(out.len < 200);
    buf_free(&query);
    buf_free(&out);
    arena_free(&msg);
    stage_free(t);
}

TEST(web_pass_keys_belong_to_people)
{
    tracker *t = stage_tracker();
    arena keys = arena_make(1 << 20);
    tracker_announce said = stage_said(1, 1);
    t->access.all_private = true;
    for (int i = 0; i < 100; i++)
        CHECK(access_key_add(&t->access, &keys, S("one"), str_format(&keys, "key-number-%06d", i)));
    CHECK(get(t, host(1), "/announce", said).failure.len);
    CHECK(get(t, host(1), "/key-number-000100/announce", said).failure.len);
    CHECK(get(t, host(1), "/key-number-00005/announce", said).failure.len);
    CHECK(get(t, host(1), "/key-number-000057/announce", said).failure.len == 0);
    CHECK_INT(access_key_find(&t->access, S("key-number-000057")), 57);
    CHECK_INT(access_key_find(&t->access, S("")), -1);
    arena_free(&keys);
    stage_free(t);
}
