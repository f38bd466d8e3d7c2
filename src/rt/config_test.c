#include "base/buf.h"
#include "rt/config.h"
#include "test.h"

static const setting DNS[] = {
    {"secondary", SETTING_TEXT, .repeated = true},
    {0},
};
static const setting SCHEMA[] = {
    {"host", SETTING_TEXT, "localhost"},
    {"verbose", SETTING_BOOL, "off"},
    {"workers", SETTING_INT, "4", 1, 64},
    {"quota", SETTING_SIZE, "200GB", 0, 1000000000000},
    {"idle", SETTING_DURATION, "5m", 1000000000, 3600000000000},
    {"rate", SETTING_RATE, "2Mbit"},
    {"listen", SETTING_ADDRESS, "127.0.0.1"},
    {"allow", SETTING_PREFIX, .repeated = true},
    {"alias", SETTING_LIST, .min = 2, .max = 8},
    {"password", SETTING_TEXT},
    {"at", SETTING_HOST, .repeated = true, .choices = "none"},
    {"plaintext", SETTING_TEXT, .choices = "loopback|off"},
    {"dns", SETTING_BLOCK, .block = DNS},
    {"domain", SETTING_BLOCK, .min = 1, .max = 1, .repeated = true, .block = DNS},
    {0},
};

static bool file_from_table(void *arg, str path, arena *a, str *text)
{
    (void)a;
    for (const char *const *pair = arg; *pair; pair += 2)
        if (str_eq(path, str_z(pair[0])))
            return *text = str_z(pair[1]), true;
    return false;
}

static statement *parse(arena *a, const char *text, config_error *error)
{
    return config_parse(S("naru.conf"), str_z(text), a, NULL, NULL, error);
}

TEST(config_formats_what_it_parses)
{
    static const char *const rows[][2] = {
        {"", ""},
        {"\n\n# nothing\n\n", "# nothing\n"},
        {"host a.example", "host a.example\n"},
        {"a b;c d\r\n e   \"f g\"", "a b\nc d\ne \"f g\"\n"},
        {"dns{secondary x}", "dns {\n    secondary x\n}\n"},
        {"dns { a { b c } d }", "dns {\n    a {\n        b c\n    }\n    d\n}\n"},
        {"empty {} next", "empty {}\nnext\n"},
        {"a \"\" \"x\\\"\\\\\\n\\ty\"", "a \"\" \"x\\\"\\\\\\n\\ty\"\n"},
        {"at 127.0.0.1#53 # why\n", "at 127.0.0.1#53    # why\n"},
        {"a \"#no\"", "a \"#no\"\n"},
        {"\n\n\na\n\n\n\nb\n{", NULL},
        {"a\n\n\n\nb\n", "a\n\nb\n"},
        {"# top\n\n# of a\na {\n\n\n# in\n  b # beside\n\n\n# end\n\n} # closed\n", "# top\n\n# of a\na {\n    # in\n    b    # beside\n\n    # end\n}    # closed\n"},
        {"\xef\xbb\xbfhost x", "host x\n"},
        {"\xed\x95\x9c\xea\xb8\x80 \xed\x95\x9c", "\xed\x95\x9c\xea\xb8\x80 \xed\x95\x9c\n"},
        {"include other.conf", NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        arena a = arena_make(1 << 20);
        config_error error;
        statement *root = parse(&a, rows[i][0], &error);
        CHECK_ROW(i, (root != NULL) == (rows[i][1] != NULL));
        if (root && rows[i][1])
            CHECK_STR(config_format(root, &a), str_z(rows[i][1]));
        arena_free(&a);
    }
}

TEST(config_errors_name_the_place)
{
    static const struct { const char *text; int line, column; const char *part; } rows[] = {
        {"a {\n b\n", 1, 1, "never closed"},
        {"a\n  }", 2, 3, "closes nothing"},
        {"a\n{ }", 2, 1, "needs a name"},
        {"a \"b\nc", 1, 3, "not closed"},
        {"a \"b\\x\"", 1, 5, "backslash"},
        {"a b\"c", 1, 4, "whole word"},
        {"a \"b\"c", 1, 6, "blank is missing"},
        {"a ; ;", 1, 5, "without a statement"},
        {"a \x01", 1, 3, "invisible"},
        {"a \xff", 1, 3, "UTF-8"},
        {"\xed\x95\x9c \xe2\x80\xae", 1, 3, "invisible"},
        {"\"\" a", 1, 1, "empty"},
        {"a\n include x", 2, 2, "not possible"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        arena a = arena_make(1 << 20);
        config_error error;
        CHECK_ROW(i, parse(&a, rows[i].text, &error) == NULL);
        CHECK_ROW(i, error.line == rows[i].line && error.column == rows[i].column);
        CHECK_ROW(i, str_find_str(error.text, str_z(rows[i].part)) >= 0);
        CHECK_STR(error.file, S("naru.conf"));
        arena_free(&a);
    }
}

TEST(config_is_bounded)
{
    arena a = arena_make(16 << 20);
    config_error error;
    buf text = buf_make(1 << 21);
    for (int depth = 0; depth < CONFIG_DEPTH_MAX; depth++)
        buf_put(&text, S("a {"));
    for (int depth = 0; depth < CONFIG_DEPTH_MAX; depth++)
        buf_put(&text, S("}"));
    CHECK(config_parse(S("f"), buf_str(&text), &a, NULL, NULL, &error) != NULL);
    buf_clear(&text);
    for (int depth = 0; depth < 100000; depth++)
        buf_put(&text, S("a {"));
    CHECK(!config_parse(S("f"), buf_str(&text), &a, NULL, NULL, &error));
    CHECK(str_find_str(error.text, S("deeper")) >= 0);
    buf_clear(&text);
    for (int words = 0; words <= CONFIG_WORDS_MAX; words++)
        buf_put(&text, S("a "));
    CHECK(!config_parse(S("f"), buf_str(&text), &a, NULL, NULL, &error));
    CHECK(str_find_str(error.text, S("words")) >= 0);
    buf_clear(&text);
    while (text.len <= CONFIG_FILE_BYTES_MAX)
        buf_put(&text, S("# a comment that fills the file\n"));
    CHECK(!config_parse(S("f"), buf_str(&text), &a, NULL, NULL, &error));
    CHECK(str_find_str(error.text, S("larger")) >= 0);
    arena small = arena_make(64);
    CHECK(!config_parse(S("f"), S("a b c d e f g h i"), &small, NULL, NULL, &error));
    CHECK(error.text.len > 0);
    buf_free(&text);
    arena_free(&small);
    arena_free(&a);
}

TEST(config_includes_relative_to_the_file_and_not_for_ever)
{
    static const char *const files[] = {
        "etc/zones/a.conf", "dns { secondary ns1 }\ninclude b.conf", "etc/zones/b.conf", "host b.example",
        "/loop", "include /loop", "/bad", "a\n  }", NULL,
    };
    arena a = arena_make(1 << 20);
    config_error error;
    statement *root = config_parse(S("etc/naru.conf"), S("verbose\ninclude zones/a.conf\nworkers 2"), &a, file_from_table,
                                   (void *)(uintptr_t)files, &error);
    CHECK(root != NULL);
    if (root) {
        CHECK_STR(config_text(root, SCHEMA, "host"), S("b.example"));
        CHECK_STR(config_find(root, "host")->file, S("etc/zones/b.conf"));
        CHECK_INT(config_int(root, SCHEMA, "workers"), 2);
    }
    CHECK(!config_parse(S("x"), S("include /loop"), &a, file_from_table, (void *)(uintptr_t)files, &error));
    CHECK(str_find_str(error.text, S("nested")) >= 0 || str_find_str(error.text, S("include itself")) >= 0);
    CHECK(!config_parse(S("x"), S("\ninclude /bad"), &a, file_from_table, (void *)(uintptr_t)files, &error));
    CHECK_STR(error.file, S("/bad"));
    CHECK_INT(error.line, 2);
    CHECK(!config_parse(S("x"), S("\ninclude /none"), &a, file_from_table, (void *)(uintptr_t)files, &error));
    CHECK_INT(error.line, 2);
    arena_free(&a);
}

TEST(config_check_says_what_to_do)
{
    static const struct { const char *text, *part; } rows[] = {      // part NULL: fine
        {"", NULL},
        {"host a; verbose; workers 64; quota 5GB; idle 1h; rate 300kbit; listen [::1]:53; allow 10.0.0.0/8 ::1", NULL},
        {"alias info kim lee", NULL},
        {"domain a { secondary b c }\ndomain b", NULL},
        {"hots a", "did you mean \"host\""},
        {"at none\nat ::1 127.0.0.1", NULL},
        {"at 127.0.0.300", "is not an IP address without a port"},
        {"at 127.0.0.1:25", "is not an IP address without a port"},
        {"plaintext lopback", "did you mean \"loopback\"?"},
        {"plaintext everywhere", "is none of loopback|off"},
        {"worker 2", "did you mean \"workers\""},
        {"zzzzzzzz 2", "here may stand: host, verbose"},
        {"dns { secondry x }", "did you mean \"secondary\""},
        {"host", "no value"},
        {"host a b", "takes one value"},
        {"host a { }", "no { block }"},
        {"host a\nhost b", "second time (first in line 1)"},
        {"verbose maybe", "neither on nor off"},
        {"workers 65", "may be from 1 to 64"},
        {"workers many", "whole number"},
        {"workers 99999999999999999999", "whole number"},
        {"quota 5 GB", "takes one value"},
        {"quota lots", "25MB"},
        {"idle 1ms", "from 1s to 1h"},
        {"idle 300000000d", "not a time"},
        {"listen localhost", "not an IP address"},
        {"allow 10.0.0.1/8", "not a prefix"},
        {"allow 10.0.0.0/33", "not a prefix"},
        {"allow 10.0.0.0/", "not a prefix"},
        {"alias info", "from 2 to 8 words"},
        {"domain { }", "from 1 to 1 words"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        arena a = arena_make(1 << 20);
        config_error error;
        statement *root = parse(&a, rows[i].text, &error);
        CHECK_ROW(i, root != NULL);
        bool good = root && config_check(root, SCHEMA, &a, &error);
        CHECK_ROW(i, good == (rows[i].part == NULL));
        if (rows[i].part && str_find_str(error.text, str_z(rows[i].part)) < 0)
            test_failed(__FILE__, __LINE__, "row %d: %.*s", (int)i, STR_ARG(error.text));
        arena_free(&a);
    }
}

TEST(config_values_and_defaults)
{
    arena a = arena_make(1 << 20);
    config_error error;
    statement *root = parse(&a, "quota 64KiB; idle 1h30m; verbose; allow 10.0.0.0/8; listen 192.0.2.1\npassword file:key", &error);
    CHECK(root != NULL);
    CHECK_INT(config_int(root, SCHEMA, "quota"), 65536);
    CHECK_INT(config_int(root, SCHEMA, "idle"), minutes(90));
    CHECK_INT(config_int(root, SCHEMA, "workers"), 4);
    CHECK_INT(config_int(NULL, SCHEMA, "rate"), 2000000);
    CHECK(config_bool(root, SCHEMA, "verbose") && !config_bool(NULL, SCHEMA, "verbose"));
    CHECK_STR(config_text(root, SCHEMA, "host"), S("localhost"));
    CHECK_STR(config_text(root, SCHEMA, "allow"), S("10.0.0.0/8"));
    CHECK(config_text(NULL, SCHEMA, "password").len == 0);
    addr at;
    CHECK(config_address(root, SCHEMA, "listen", 25, &at) && at.port == 25);
    static const char *const files[] = {"key", "s3cret\n", NULL};
    str secret;
    CHECK(config_secret(root, SCHEMA, "password", &a, file_from_table, (void *)(uintptr_t)files, &secret, &error));
    CHECK_STR(secret, S("s3cret"));
    static const char *const none[] = {NULL};
    CHECK(!config_secret(root, SCHEMA, "password", &a, file_from_table, (void *)(uintptr_t)none, &secret, &error));
    CHECK_INT(error.line, 2);
    arena_free(&a);
}

TEST(config_finds_the_last_and_the_next)
{
    arena a = arena_make(1 << 20);
    config_error error;
    statement *root = parse(&a, "domain a\nhost x\ndomain b\ndomain c", &error);
    CHECK_STR(config_find(root, "domain")->words[1], S("c"));
    const statement *s = root->children;
    CHECK_STR((s = config_next(s, "domain"))->words[1], S("b"));
    CHECK_STR((s = config_next(s, "domain"))->words[1], S("c"));
    CHECK(!config_next(s, "domain") && !config_find(root, "none") && !config_find(NULL, "domain"));
    arena_free(&a);
}

TEST(nearest_name_is_near)
{
    static const char *const names[] = {"authoritative", "resolver", "mta", "mailstore", "listen", "address"};
    static const char *const rows[][2] = {
        {"resovler", "resolver"}, {"RESOLVER", "resolver"}, {"mat", "mta"}, {"mailstor", "mailstore"}, {"addr", "address"},
        {"x", ""}, {"zebra", ""}, {"", ""}, {"lsiten", "listen"}, {"authoritativ", "authoritative"},
        {"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", ""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        CHECK_ROW(i, str_eq(nearest_name(str_z(rows[i][0]), names, 6), str_z(rows[i][1])));
}
