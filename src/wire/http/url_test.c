#include "test.h"
#include "wire/http/url.h"

TEST(url_normal_rows)
{
    static const struct { const char *target, *authority, *out; } rows[] = {        // out NULL: refused
        {"/", "", "/"}, {"/a/b.mp4?x=1&y=2", "", "/a/b.mp4?x=1&y=2"}, {"/a?", "", "/a?"}, {"/a//b", "", "/a//b"},
        {"/%7euser", "", "/~user"}, {"/%7Euser/%2f", "", "/~user/%2F"}, {"/a%c3%a9", "", "/a%C3%A9"},
        {"/a/./b", "", "/a/b"}, {"/a/../b", "", "/b"}, {"/a/b/..", "", "/a/"}, {"/a/.", "", "/a/"}, {"/a/%2e%2e/b", "", "/b"},
        {"/.well-known/x", "", "/.well-known/x"}, {"/...", "", "/..."}, {"/a/..b/", "", "/a/..b/"},
        {"/..", "", NULL}, {"/a/../..", "", NULL}, {"/%2e%2e/x", "", NULL}, {"/../x", "", NULL},
        {"/a%00b", "", NULL}, {"/a%0", "", NULL}, {"/a%zz", "", NULL}, {"/%", "", NULL}, {"", "", NULL}, {"*", "", NULL}, {"a", "", NULL},
        {"/a?b=../c&d=%7e%41", "", "/a?b=../c&d=~A"}, {"/a?%zz", "", NULL}, {"/a?x=%00", "", NULL},
        {"/a\\..\\b", "", "/a%5C..%5Cb"},
        {"http://h.example/a", "h.example", "/a"}, {"HTTP://h:80/a/../b", "h:80", "/b"}, {"https://h", "h", "/"}, {"http://h?x", "h", "/?x"},
        {"http:///a", "", NULL}, {"ftp://h/a", "", NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        buf room = buf_make(200);
        str authority, out;
        bool good = url_normal(str_z(rows[i].target), &room, &authority, &out);
        if (good != (rows[i].out != NULL))
            test_failed(__FILE__, __LINE__, "row %zu: %s", i, good ? "taken" : "refused");
        if (good && rows[i].out) {
            CHECK_STR(out, str_z(rows[i].out));
            CHECK_STR(authority, str_z(rows[i].authority));
        }
        buf_free(&room);
    }
}
