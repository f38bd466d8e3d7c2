// Invalid torrents. Each row is cut in two where the trouble is: the refusal names that offset and that reason.
#include "test.h"
#include "wire/bt/metainfo.h"

#define HASH   "aaaaaaaaaaaaaaaaaaaa"
#define PIECES "12:piece lengthi16384e6:pieces20:" HASH
#define INFO   "4:infod6:lengthi5e4:name1:a" PIECES "e"
#define TEN(x) x x x x x x x x x x

typedef struct { str before, after; const char *reason; } row;

static void refused(const row *rows, size_t count)
{
    arena a = arena_make(64 << 20);
    for (size_t i = 0; i < count; i++) {
        metainfo m;
        bencode_refusal why = {0};
        bool read = metainfo_read(str_join(&a, rows[i].before, rows[i].after), &a, &m, &why);
        CHECK_ROW(i, !read);
        CHECK_ROW(i, why.reason && str_eq(str_z(why.reason), str_z(rows[i].reason)));
        CHECK_ROW(i, why.offset == rows[i].before.len);
        arena_reset(&a);
    }
    arena_free(&a);
}
#define REFUSED(rows) refused(rows, sizeof rows / sizeof *rows)

TEST(torrents_that_are_no_bencode_are_refused)
{
    static const row rows[] = {
        {S(""), S(""), "text ends inside a value"},
        {S(""), S("x"), "no value begins with this byte"},
        {S(""), S("e"), "no value begins with this byte"},
        {S(""), S("-1:a"), "no value begins with this byte"},
        {S(""), S("<!DOCTYPE html>"), "no value begins with this byte"},
        {S(""), S("\0\0"), "no value begins with this byte"},
        {S("d"), S(""), "text ends inside a value"},
        {S("d4:info"), S(""), "text ends inside a value"},
        {S("d4:info"), S("e"), "dictionary's last key has no value"},
        {S("d" INFO), S(""), "text ends inside a value"},
        {S("d" INFO "e"), S("x"), "something follows behind the value"},
        {S("d" INFO "e"), S("\n"), "something follows behind the value"},
        {S("d" INFO "e"), S("d" INFO "e"), "something follows behind the value"},
        {S("d"), S("i1e1:ae"), "dictionary's key is no string"},
        {S("d"), S("le1:ae"), "dictionary's key is no string"},
        {S("d"), S("de1:ae"), "dictionary's key is no string"},
        {S("d1:b1:x"), S("1:a1:ye"), "dictionary's keys are not sorted"},
        {S("d1:a1:x"), S("1:a1:ye"), "dictionary has a key twice"},
        {S("d2:aa1:x"), S("1:a1:ye"), "dictionary's keys are not sorted"},
        {S("d1:\xff" "1:x"), S("1:a1:ye"), "dictionary's keys are not sorted"},
        {S("d" INFO), S(INFO "e"), "dictionary has a key twice"},
        {S("d4:infod6:lengthi5e4:name1:a" "12:piece lengthi16384e"), S("6:lengthi6eee"), "dictionary's keys are not sorted"},
        {S("d4:infod6:lengthi5e"), S("6:lengthi6e4:name1:a" PIECES "ee"), "dictionary has a key twice"},
        {S("d"), S("i1e"), "dictionary's key is no string"},
        {S("d"), S("01:a1:xe"), "string's length has a leading zero"},
        {S("d"), S("00:1:xe"), "string's length has a leading zero"},
        {S("d"), S("1"), "string's length has no end"},
        {S("d"), S("1a"), "string's length has no colon behind it"},
        {S("d"), S("1 :a"), "string's length has no colon behind it"},
        {S("d"), S("1-:a"), "string's length has no colon behind it"},
        {S("d"), S("2:a"), "string goes past the end"},
        {S("d"), S("9999999999:a"), "string goes past the end"},
        {S("d"), S("4294967297:a"), "string goes past the end"},
        {S("d"), S("99999999999:a"), "string's length is too long"},
        {S("d"), S("18446744073709551617:a"), "string's length is too long"},
        {S("d1:ai"), S("e"), "integer has no digits"},
        {S("d1:ai"), S("-e"), "integer has no digits"},
        {S("d1:ai"), S("-0e"), "integer is minus zero"},
        {S("d1:ai"), S("00e"), "integer has a leading zero"},
        {S("d1:ai"), S("05e"), "integer has a leading zero"},
        {S("d1:ai"), S("-05e"), "integer has a leading zero"},
        {S("d1:ai"), S("+5e"), "integer holds something else than digits"},
        {S("d1:ai"), S(" 5e"), "integer holds something else than digits"},
        {S("d1:ai"), S("5 e"), "integer holds something else than digits"},
        {S("d1:ai"), S("1.5e"), "integer holds something else than digits"},
        {S("d1:ai"), S("0x5e"), "integer has a leading zero"},
        {S("d1:ai"), S("--5e"), "integer holds something else than digits"},
        {S("d1:ai"), S("5"), "integer has no end"},
        {S("d1:ai"), S(""), "integer has no end"},
        {S("d1:ai"), S("9223372036854775808e"), "integer does not fit into 64 bits"},
        {S("d1:ai"), S("-9223372036854775809e"), "integer does not fit into 64 bits"},
        {S("d1:ai"), S("100000000000000000000000e"), "integer is too long"},
        {S("d1:a" "lllllllllllllll"), S(""), "text ends inside a value"},
        {S("d1:a" "lllllllllllllll"), S("l"), "containers stand too deep inside each other"},
    };
    REFUSED(rows);
}

TEST(torrents_without_what_a_torrent_needs_are_refused)
{
    static const row rows[] = {
        {S(""), S("le"), "torrent is no dictionary"},
        {S(""), S("i1e"), "torrent is no dictionary"},
        {S(""), S("1:a"), "torrent is no dictionary"},
        {S(""), S("de"), "torrent has no info"},
        {S(""), S("d4:spam1:ae"), "torrent has no info"},
        {S("d4:info"), S("lee"), "info is no dictionary"},
        {S("d4:info"), S("1:ae"), "info is no dictionary"},
        {S("d4:info"), S("i0ee"), "info is no dictionary"},
        {S("d4:info"), S("dee"), "info has no name"},
        {S("d4:info"), S("d6:lengthi5e" PIECES "ee"), "info has no name"},
        {S("d4:infod6:lengthi5e4:name"), S("i5e" PIECES "ee"), "name is no string"},
        {S("d4:infod6:lengthi5e4:name"), S("le" PIECES "ee"), "name is no string"},
        {S("d4:info"), S("d4:name1:a" PIECES "ee"), "file has no length"},
        {S("d4:infod6:length"), S("1:54:name1:a" PIECES "ee"), "length is no integer"},
        {S("d4:infod6:length"), S("i-1e4:name1:a" PIECES "ee"), "length is negative"},
        {S("d4:infod6:length"), S("i9223372036854775807e4:name1:a" PIECES "ee"), "lengths are too large together"},
        {S("d4:infod6:length"), S("i281474976710657e4:name1:a" PIECES "ee"), "lengths are too large together"},
        {S("d4:info"), S("d6:lengthi0e4:name1:a12:piece lengthi16384e6:pieces0:ee"), "torrent holds no bytes"},
        {S("d4:info"), S("d6:lengthi5e4:name1:a6:pieces20:" HASH "ee"), "info has no piece length"},
        {S("d4:infod6:lengthi5e4:name1:a12:piece length"), S("1:16:pieces20:" HASH "ee"), "piece length is no integer"},
        {S("d4:infod6:lengthi5e4:name1:a12:piece length"), S("i0e6:pieces20:" HASH "ee"), "piece length is not positive"},
        {S("d4:infod6:lengthi5e4:name1:a12:piece length"), S("i-16384e6:pieces20:" HASH "ee"), "piece length is not positive"},
        {S("d4:infod6:lengthi5e4:name1:a12:piece length"), S("i268435457e6:pieces20:" HASH "ee"), "piece length is too large"},
        {S("d4:infod6:lengthi5e4:name1:a12:piece length"), S("i9223372036854775807e6:pieces20:" HASH "ee"),
         "piece length is too large"},
        {S("d4:info"), S("d6:lengthi5e4:name1:a12:piece lengthi16384eee"), "info has no pieces"},
        {S("d4:infod6:lengthi5e4:name1:a12:piece lengthi16384e6:pieces"), S("i20eee"), "pieces is no string"},
        {S("d4:infod6:lengthi5e4:name1:a12:piece lengthi16384e6:pieces"), S("19:aaaaaaaaaaaaaaaaaaaee"),
         "pieces is no multiple of 20 bytes"},
        {S("d4:infod6:lengthi5e4:name1:a12:piece lengthi16384e6:pieces"), S("21:" HASH "aee"), "pieces is no multiple of 20 bytes"},
        {S("d4:infod6:lengthi5e4:name1:a12:piece lengthi16384e6:pieces"), S("0:ee"), "fewer pieces than the lengths need"},
        {S("d4:infod6:lengthi16385e4:name1:a12:piece lengthi16384e6:pieces"), S("20:" HASH "ee"),
         "fewer pieces than the lengths need"},
        {S("d4:infod6:lengthi16384e4:name1:a12:piece lengthi16384e6:pieces"), S("40:" HASH HASH "ee"),
         "more pieces than the lengths need"},
        {S("d4:infod6:lengthi281474976710656e4:name1:a12:piece lengthi1e6:pieces"), S("20:" HASH "ee"), "too many pieces"},
        {S("d4:infod6:lengthi5e4:name1:a" PIECES "7:private"), S("i2eee"), "private is neither 0 nor 1"},
        {S("d4:infod6:lengthi5e4:name1:a" PIECES "7:private"), S("i-1eee"), "private is neither 0 nor 1"},
        {S("d4:infod6:lengthi5e4:name1:a" PIECES "7:private"), S("1:1ee"), "private is neither 0 nor 1"},
        {S("d4:infod9:file treede12:meta version"), S("i2e4:name1:a12:piece lengthi16384eee"),
         "torrent is of version 2 only (BEP 52), which is not supported yet"},
        {S("d4:info"), S("d9:file treede4:name1:a12:piece lengthi16384eee"),
         "torrent is of version 2 only (BEP 52), which is not supported yet"},
        {S("d4:infod6:lengthi5e12:meta version"), S("i3e4:name1:a" PIECES "ee"), "meta version is unknown"},
        {S("d4:infod6:lengthi5e12:meta version"), S("i0e4:name1:a" PIECES "ee"), "meta version is unknown"},
        {S("d4:infod6:lengthi5e12:meta version"), S("1:24:name1:a" PIECES "ee"), "meta version is unknown"},
    };
    REFUSED(rows);
}

TEST(torrents_with_unsafe_names_are_refused)
{
    static const char slash[] = "part of a path holds a slash or backslash";
#define NAMED(name) {S("d4:infod6:lengthi5e4:name"), S(name PIECES "ee")
    static const row rows[] = {
        NAMED("0:"), "part of a path is empty"},
        NAMED("1:."), "part of a path is \".\" or \"..\""},
        NAMED("2:.."), "part of a path is \".\" or \"..\""},
        NAMED("1:/"), slash},
        NAMED("11:/etc/passwd"), slash},
        NAMED("4:../a"), slash},
        NAMED("3:a/b"), slash},
        NAMED("3:a\\b"), slash},
        NAMED("4:..\\a"), slash},
        NAMED("3:C:\\"), slash},
        NAMED("3:a\0b"), "part of a path holds a NUL"},
        NAMED("1:\0"), "part of a path holds a NUL"},
        NAMED("3:a\nb"), "part of a path holds a control character"},
        NAMED("3:a\x1b" "b"), "part of a path holds a control character"},
        NAMED("2:a\x7f"), "part of a path holds a control character"},
        NAMED("3:\xe2\x80\xae"), "part of a path holds a control character"},          // right-to-left override
        NAMED("1:\xff"), "part of a path is not UTF-8"},
        NAMED("2:\xc0\xaf"), "part of a path is not UTF-8"},                           // an overlong slash
        NAMED("3:\xed\xa0\x80"), "part of a path is not UTF-8"},
        NAMED("3:NUL"), "part of a path is a reserved device name"},
        NAMED("7:con.txt"), "part of a path is a reserved device name"},
        NAMED("4:Com1"), "part of a path is a reserved device name"},
        NAMED("8:lpt9.a.b"), "part of a path is a reserved device name"},
        NAMED("260:" TEN(TEN("ab")) TEN("abcdef")), "part of a path is too long"},
    };
    REFUSED(rows);
}

#define FILES  "d4:infod5:files"
#define MULTI  "4:name1:n" PIECES "ee"

TEST(torrents_whose_files_do_not_fit_together_are_refused)
{
    static const row rows[] = {
        {S(FILES), S("de" MULTI), "files is no list"},
        {S(FILES), S("1:a" MULTI), "files is no list"},
        {S(FILES), S("le" MULTI), "files is empty"},
        {S("d4:infod5:files"), S("le6:lengthi5e" MULTI), "info has both length and files"},
        {S(FILES "l"), S("i1ee" MULTI), "file is no dictionary"},
        {S(FILES "l"), S("lee" MULTI), "file is no dictionary"},
        {S(FILES "l"), S("dee" MULTI), "file has no path"},
        {S(FILES "l"), S("d6:lengthi5eee" MULTI), "file has no path"},
        {S(FILES "l"), S("d4:pathl1:aeee" MULTI), "file has no length"},
        {S(FILES "ld6:length"), S("i-1e4:pathl1:aeee" MULTI), "length is negative"},
        {S(FILES "ld6:length"), S("1:54:pathl1:aeee" MULTI), "length is no integer"},
        {S(FILES "ld6:lengthi281474976710656e4:pathl1:aeed6:length"), S("i1e4:pathl1:beee" MULTI),
         "lengths are too large together"},
        {S(FILES "ld6:lengthi5e4:path"), S("1:aee" MULTI), "path is no list"},
        {S(FILES "ld6:lengthi5e4:path"), S("leee" MULTI), "path is empty"},
        {S(FILES "ld6:lengthi5e4:pathl"), S("i1eeee" MULTI), "part of a path is no string"},
        {S(FILES "ld6:lengthi5e4:pathl"), S("leeee" MULTI), "part of a path is no string"},
        {S(FILES "ld6:lengthi5e4:pathl"), S("0:eee" MULTI), "part of a path is empty"},
        {S(FILES "ld6:lengthi5e4:pathl1:a"), S("0:eee" MULTI), "part of a path is empty"},
        {S(FILES "ld6:lengthi5e4:pathl"), S("2:..1:aeee" MULTI), "part of a path is \".\" or \"..\""},
        {S(FILES "ld6:lengthi5e4:pathl1:a"), S("2:..2:..4:evileee" MULTI), "part of a path is \".\" or \"..\""},
        {S(FILES "ld6:lengthi5e4:pathl1:a"), S("1:.eee" MULTI), "part of a path is \".\" or \"..\""},
        {S(FILES "ld6:lengthi5e4:pathl"), S("4:/etceee" MULTI), "part of a path holds a slash or backslash"},
        {S(FILES "ld6:lengthi5e4:pathl1:a"), S("5:b/../eee" MULTI), "part of a path holds a slash or backslash"},
        {S(FILES "ld6:lengthi5e4:pathl1:a"), S("3:b\0ceee" MULTI), "part of a path holds a NUL"},
        {S(FILES "ld6:lengthi5e4:pathl1:a"), S("3:auxeee" MULTI), "part of a path is a reserved device name"},
        {S(FILES "ld6:lengthi5e4:path"), S("l" TEN(TEN("1:a")) "eee" MULTI), "path has too many parts"},
        {S(FILES "ld6:lengthi5e4:path"), S("l" TEN("250:" TEN(TEN("ab")) TEN("abcde")) "eee" MULTI), "path is too long"},
        {S(FILES "ld6:lengthi1e4:pathl1:aee"), S("d6:lengthi1e4:pathl1:aeee" MULTI), "two files have the same path"},
        {S(FILES "ld6:lengthi1e4:pathl1:a1:beed6:lengthi1e4:pathl1:cee"), S("d6:lengthi1e4:pathl1:a1:beee" MULTI),
         "two files have the same path"},
        {S(FILES "ld6:lengthi1e4:pathl1:aee"), S("d6:lengthi1e4:pathl1:a1:beee" MULTI), "a file is the folder of another"},
        {S(FILES "ld6:lengthi1e4:pathl1:a1:bee"), S("d6:lengthi1e4:pathl1:aeee" MULTI), "a file is the folder of another"},
        {S(FILES "ld6:lengthi1e4:pathl1:aeed6:lengthi1e4:pathl3:a-bee"), S("d6:lengthi1e4:pathl1:a1:beee" MULTI),
         "a file is the folder of another"},
        {S(FILES "l"), S("d4:attr1:l6:lengthi0e4:pathl1:aeee" MULTI), "file is a symbolic link"},
        {S(FILES "l"), S("d6:lengthi0e4:pathl1:ae12:symlink pathl2:..eee" MULTI), "file is a symbolic link"},
        {S(FILES "ld4:attr"), S("i1e6:lengthi5e4:pathl1:aeee" MULTI), "attr is no string"},
        {S("d4:info"), S("d5:filesld6:lengthi0e4:pathl1:aee" "e4:name1:n12:piece lengthi1e6:pieces0:ee"), "torrent holds no bytes"},
        {S("d4:infod5:filesld6:lengthi3e4:pathl1:aeed6:lengthi3e4:pathl1:beee4:name1:n12:piece lengthi5e6:pieces"),
         S("20:" HASH "ee"), "fewer pieces than the lengths need"},
    };
    REFUSED(rows);
}

TEST(torrents_with_odd_trackers_seeds_and_texts_are_refused)
{
    static const row rows[] = {
        {S("d8:announce"), S("i1e" INFO "e"), "announce is no string"},
        {S("d8:announce"), S("le" INFO "e"), "announce is no string"},
        {S("d13:announce-list"), S("1:a" INFO "e"), "announce-list is no list"},
        {S("d13:announce-list"), S("de" INFO "e"), "announce-list is no list"},
        {S("d13:announce-listl"), S("1:ae" INFO "e"), "tier is no list"},
        {S("d13:announce-listll"), S("i1eee" INFO "e"), "tracker is no string"},
        {S("d13:announce-list"), S("l" TEN(TEN("le")) TEN("lelele") "e" INFO "e"), "too many tiers"},
        {S("d13:announce-listl"), S("l" TEN(TEN("1:a")) TEN("1:a1:b1:c") "ee" INFO "e"), "too many trackers"},
        {S("d7:comment"), S("i1e" INFO "e"), "comment is no string or too long"},
        {S("d10:created by"), S("le" INFO "e"), "created by is no string or too long"},
        {S("d13:creation date"), S("1:a" INFO "e"), "creation date is no time"},
        {S("d13:creation date"), S("i-1e" INFO "e"), "creation date is no time"},
        {S("d9:httpseeds"), S("1:a" INFO "e"), "web seeds are no list"},
        {S("d" INFO "8:url-list"), S("i1ee"), "web seeds are no list"},
        {S("d" INFO "8:url-listl"), S("lee" "e"), "web seed is no string"},
        {S("d" INFO "8:url-list"), S("l" TEN(TEN("1:a")) "ee"), "too many web seeds"},
    };
    REFUSED(rows);
}

TEST(torrents_above_the_ceilings_are_refused)
{
    arena a = arena_make(256 << 20);
    metainfo m;
    bencode_refusal why;
    buf big = buf_make(64 << 20);
    for (int i = 0; i <= METAINFO_NODES_MAX; i++)
        buf_put(&big, i ? S("0:") : S("l"));
    CHECK(!metainfo_read(buf_str(&big), &a, &m, &why) && strcmp(why.reason, "too many values") == 0);
    CHECK_INT(why.offset, 1 + 2 * (METAINFO_NODES_MAX - 1));
    buf_clear(&big);
    buf_put(&big, S("d4:infod5:filesl"));
    for (int i = 0; i <= METAINFO_FILES_MAX; i++)
        buf_put(&big, S("de"));
    buf_put(&big, S("e4:name1:aee"));
    CHECK(!metainfo_read(buf_str(&big), &a, &m, &why) && strcmp(why.reason, "too many files") == 0);
    CHECK_INT(why.offset, 15);
    buf_clear(&big);
    buf_put(&big, S("d13:announce-listl"));
    for (int i = 0; i <= METAINFO_TRACKERS_MAX / 2; i++)
        buf_format(&big, "l13:http://a/%04d13:http://b/%04de", i, i);
    ptrdiff_t last = (ptrdiff_t)big.len - 2 * 16 - 1;
    buf_put(&big, S("e" INFO "e"));
    CHECK(!metainfo_read(buf_str(&big), &a, &m, &why) && strcmp(why.reason, "too many trackers") == 0);
    CHECK_INT(why.offset, last);
    arena_reset(&a);
    buf_clear(&big);
    CHECK(buf_room(&big, METAINFO_BYTES_MAX + 1));
    CHECK(!metainfo_read((str){big.at, METAINFO_BYTES_MAX + 1}, &a, &m, &why) && strcmp(why.reason, "text is too long") == 0);
    arena small = arena_make(256);
    CHECK(!metainfo_read(S("d" INFO "e"), &small, &m, &why) && str_starts(str_z(why.reason), S("no memory is left")));
    CHECK(metainfo_read(S("d" INFO "e"), &a, &m, &why));
    arena_free(&small);
    buf_free(&big);
    arena_free(&a);
}
