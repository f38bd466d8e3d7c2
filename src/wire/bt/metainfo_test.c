#include "test.h"
#include "wire/bt/metainfo.h"

#define HASH   "aaaaaaaaaaaaaaaaaaaa"
#define PIECES "12:piece lengthi16384e6:pieces20:" HASH
#define INFO   "d6:lengthi5e4:name1:a" PIECES "e"

TEST(a_single_file_is_read)
{
    arena a = arena_make(1 << 20);
    metainfo m;
    bencode_refusal why;
    CHECK(metainfo_read(S("d8:announce16:http://t/announc7:comment2:hi13:creation datei7e4:info" INFO "8:url-list10:http://w/ae"), &a,
                        &m, &why));
    CHECK(m.single && !m.private && !m.hybrid && m.length == 5 && m.piece_count == 1 && m.file_count == 1);
    CHECK_STR(m.files[0].path, S("a"));
    CHECK_STR(m.info, S(INFO));
    CHECK_INT(m.info_offset, 68);
    CHECK(m.tracker_count == 1 && m.web_seed_count == 1 && m.created_s == 7);
    CHECK_STR(m.web_seeds[0], S("http://w/a"));
    CHECK_INT(metainfo_piece_length(&m, 0), 5);
    CHECK_INT(metainfo_piece_length(&m, 1), 0);
    CHECK(metainfo_info_read(S(INFO), &a, &m, &why) && m.info_offset == 0 && m.tracker_count == 0);
    arena_free(&a);
}

TEST(files_lie_behind_each_other)
{
    arena a = arena_make(1 << 20);
    metainfo m;
    bencode_refusal why;
    CHECK(metainfo_read(S("d4:infod5:filesld6:lengthi3e4:pathl1:a1:beed6:lengthi0e4:pathl1:ceed4:attr1:p6:lengthi5e4:pathl4:.pad1:5ee"
                          "d4:attr1:p6:lengthi5e4:pathl4:.pad1:5eed6:lengthi1e4:pathl3:a-beee4:name1:n12:piece lengthi8e6:pieces40:"
                          HASH HASH "7:privatei1eee"), &a, &m, &why));
    CHECK(!m.single && m.private && m.length == 14 && m.file_count == 5 && m.piece_count == 2 && m.files[2].pad);
    CHECK_STR(m.files[0].path, S("a/b"));
    static const int at[] = {0, 0, 0, 2, 2, 2, 2, 2, 3, 3, 3, 3, 3, 4, -1, -1};
    for (int i = 0; i < 16; i++)
        CHECK_ROW(i, metainfo_file_at(&m, i) == at[i]);
    CHECK_INT(metainfo_file_at(&m, -1), -1);
    CHECK_INT(metainfo_piece_length(&m, 0), 8);
    CHECK_INT(metainfo_piece_length(&m, 1), 6);
    CHECK_STR(metainfo_piece_hash(&m, 1), S(HASH));
    CHECK_INT(metainfo_piece_hash(&m, 2).len, 0);
    arena_free(&a);
}

TEST(tiers_stand_in_order_and_other_schemes_are_passed_over)
{
    arena a = arena_make(1 << 20);
    metainfo m;
    bencode_refusal why;
    CHECK(metainfo_read(S("d8:announce8:http://x13:announce-listll8:http://ael7:wss://bel7:udp://c8:http://aee4:info" INFO "e"), &a, &m, &why));
    CHECK_INT(m.tracker_count, 2);
    CHECK(m.trackers[0].tier == 0 && m.trackers[1].tier == 2);
    CHECK_STR(m.trackers[1].url, S("udp://c"));
    static const struct { const char *url; bool good; } urls[] = {
        {"http://a", true}, {"HTTPS://a/b?c", true}, {"udp://a:1", true}, {"udp://", false}, {"http:///a", false}, {"http://:1", false},
        {"file:///etc/passwd", false}, {"ftp://a", false}, {"http://a b", false}, {"http://a\r\nHost: b", false}, {"", false},
        {"http://\xed\x95\x9c", false}, {"gopher://a", false}, {"http://?", false},
    };
    for (size_t i = 0; i < sizeof urls / sizeof *urls; i++)
        CHECK_ROW(i, metainfo_url_valid(str_z(urls[i].url), true) == urls[i].good);
    CHECK(!metainfo_url_valid(S("udp://a"), false));
    arena_free(&a);
}

TEST(piece_sizes_give_one_to_two_thousand_pieces)
{
    static const struct { int64_t length, piece; } rows[] = {
        {1, 16384}, {16384 * 2000ll - 1, 16384}, {16384 * 2000ll, 32768}, {100000000, 65536}, {1ll << 30, 1 << 20},
        {4700000000, 4 << 20}, {1ll << 47, 16 << 20},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        CHECK_ROW(i, metainfo_piece_bytes_choose(rows[i].length) == rows[i].piece);
}

TEST(what_is_written_is_read_again)
{
    arena a = arena_make(1 << 20);
    metainfo_file files[] = {{S("a/b"), 0, 3, false}, {S(".pad/5"), 3, 5, true}, {S("c"), 8, 1, false}};
    metainfo_tracker trackers[] = {{S("http://a"), 0}, {S("http://b"), 0}, {S("udp://c:1"), 1}};
    str seeds[] = {S("http://w/"), S("https://v/")};
    metainfo m = {.name = S("n"), .private = true, .piece_bytes = 8, .length = 9, .piece_count = 2, .pieces = S(HASH HASH), .files = files,
                  .file_count = 3, .trackers = trackers, .tracker_count = 3, .web_seeds = seeds, .web_seed_count = 2, .comment = S("c"),
                  .created_by = S("naru"), .created_s = 9}, n;
    bencode_refusal why = {0};
    buf out = buf_make(1 << 16);
    CHECK(metainfo_write(&out, &m));
    CHECK(metainfo_read(buf_str(&out), &a, &n, &why));
    CHECK(n.private && n.length == 9 && n.file_count == 3 && n.files[1].pad && n.tracker_count == 3 && n.trackers[2].tier == 1);
    CHECK(n.trackers[1].tier == 0 && n.web_seed_count == 2 && n.created_s == 9);
    CHECK_STR(n.files[0].path, S("a/b"));
    CHECK_STR(n.created_by, S("naru"));
    buf_free(&out);
    arena_free(&a);
}
