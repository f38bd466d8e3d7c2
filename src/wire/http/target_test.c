#include "test.h"
#include "wire/http/target.h"

TEST(targets_are_made_harmless)
{
    static const struct { const char *target, *path, *query; } rows[] = {      // path NULL: refused
        {"/", "/", ""},
        {"/a/b", "/a/b", ""},
        {"/a/b/", "/a/b/", ""},
        {"/a?b=c?d", "/a", "b=c?d"},
        {"/a?", "/a", ""},
        {"*", "*", ""},
        {"http://host/a?b", "/a", "b"},
        {"HTTPS://host:80", "/", ""},
        {"http://host?b", "/", "b"},
        {"http:///a", NULL, NULL},
        {"ftp://host/", NULL, NULL},
        {"a", NULL, NULL},
        {"", NULL, NULL},
        {"//a///b", "/a/b", ""},
        {"/a/./b/.", "/a/b/", ""},
        {"/a/b/../c", "/a/c", ""},
        {"/a/..", "/", ""},
        {"/..", NULL, NULL},
        {"/a/../..", NULL, NULL},
        {"/%2e%2e/etc/passwd", NULL, NULL},
        {"/a%2f..%2f..%2fetc", NULL, NULL},
        {"/a%2f..%2fb", "/b", ""},
        {"/%252e%252e/", "/%2e%2e/", ""},                       // decoded once
        {"/...", "/...", ""},
        {"/%ed%95%9c", "/\xed\x95\x9c", ""},
        {"/%00", NULL, NULL},
        {"/%0a", NULL, NULL},
        {"/%7f", NULL, NULL},
        {"/%", NULL, NULL},
        {"/%4", NULL, NULL},
        {"/%4g", NULL, NULL},
        {"/a+b", "/a+b", ""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        arena a = arena_make(1 << 16);
        str path, query;
        bool good = target_read(str_z(rows[i].target), &a, &path, &query);
        CHECK_ROW(i, good == (rows[i].path != NULL));
        CHECK_ROW(i, !good || (str_eq(path, str_z(rows[i].path)) && str_eq(query, str_z(rows[i].query))));
        arena_free(&a);
    }
}

TEST(target_segments_are_bounded)
{
    arena a = arena_make(1 << 16);
    char many[2 * TARGET_SEGMENTS_MAX + 3];
    for (size_t i = 0; i < sizeof many; i++)
        many[i] = i % 2 ? 'a' : '/';
    str path, query;
    CHECK(target_read(str_of(many, 2 * TARGET_SEGMENTS_MAX), &a, &path, &query));
    CHECK(!target_read(str_of(many, 2 * TARGET_SEGMENTS_MAX + 2), &a, &path, &query));
    arena_free(&a);
}

TEST(queries_are_taken_apart)
{
    static const char *const rows[][3] = {
        {"a=b&c=d", "a", "b"}, {"a=b&c=d", "c", "d"}, {"a=b", "x", ""}, {"", "a", ""}, {"a", "a", ""}, {"a=b=c", "a", "b=c"},
        {"a=b+c%20d%26", "a", "b c d&"}, {"%61=b", "a", "b"}, {"a=%zz", "a", ""}, {"%zz=1&a=2", "a", "2"}, {"a=%00", "a", ""},
        {"&&a=1", "a", "1"}, {"a=1&a=2", "a", "1"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        arena a = arena_make(1 << 16);
        CHECK_ROW(i, str_eq(query_get(str_z(rows[i][0]), str_z(rows[i][1]), &a), str_z(rows[i][2])));
        arena_free(&a);
    }
}
