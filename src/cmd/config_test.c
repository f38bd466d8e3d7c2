#include <stdlib.h>

#include "base/arena.h"
#include "cmd/commands.h"
#include "cmd/directory_remove.h"
#include "cmd/options.h"
#include "cmd/schema.h"
#include "cmd/up_plan.h"
#include "test.h"

static int config(const char *verb, const char *name, const char *option)
{
    char *argv[] = {(char *)(uintptr_t)"config", (char *)(uintptr_t)verb, (char *)(uintptr_t)name, (char *)(uintptr_t)option, NULL};
    int argc = 1;
    while (argv[argc])
        argc++;
    return cmd_config(argc, argv);
}

TEST(config_command_checks_and_formats_files)
{
    static const struct { const char *text; int check; const char *form; } rows[] = {
        {"host a.example;resolver{allow 10.0.0.0/8}", COMMAND_OK, "host a.example\nresolver {\n    allow 10.0.0.0/8\n}\n"},
        {"include other.conf", COMMAND_OK, "include other.conf\n"},
        {"", COMMAND_OK, ""},
        {"domain a.example {\n    zone z\n}\nresolver\n", COMMAND_USAGE, "domain a.example {\n    zone z\n}\nresolver\n"},        // both want port 53
        {"domain a.example { zone z }", COMMAND_OK, "domain a.example {\n    zone z\n}\n"},                // the resolver stands aside
        {"domain a.example { zone z }\nresolver { listen 127.0.0.1 }\nauthoritative { listen 192.0.2.1 }", COMMAND_OK,
         "domain a.example {\n    zone z\n}\nresolver {\n    listen 127.0.0.1\n}\nauthoritative {\n    listen 192.0.2.1\n}\n"},
        {"upper { loops none }", COMMAND_USAGE, "upper {\n    loops none\n}\n"},
        {"upper { loops auto }", COMMAND_OK, "upper {\n    loops auto\n}\n"},
        {"users { upper nobody-of-this-name }", COMMAND_USAGE, "users {\n    upper nobody-of-this-name\n}\n"},
        {"users { upper 0 }", COMMAND_USAGE, "users {\n    upper 0\n}\n"},
        {"mta { domian x }", COMMAND_USAGE, "mta {\n    domian x\n}\n"},
        {"mta {", COMMAND_USAGE, NULL},
        {"include none.conf", COMMAND_USAGE, "include none.conf\n"},
    };
    char place[] = "/tmp/naru-config-test-XXXXXX";
    CHECK(mkdtemp(place) != NULL);
    world *w = world_linux_new(S("test"), NULL, 0);
    arena a = arena_make(1 << 20);
    char *path = str_to_z(&a, str_format(&a, "%s/naru.conf", place));
    CHECK_INT(file_replace(w, str_to_z(&a, str_format(&a, "%s/other.conf", place)), S("upper { port 12000 }"), 0600), E_OK);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        str form;
        CHECK_ROW(i, file_replace(w, path, str_z(rows[i].text), 0600) == E_OK);
        CHECK_ROW(i, config("check", path, NULL) == rows[i].check);
        CHECK_ROW(i, config("show", path, "--effective") == rows[i].check);
        CHECK_ROW(i, config("fmt", path, "--write") == (rows[i].form ? COMMAND_OK : COMMAND_USAGE));
        CHECK_ROW(i, file_read_all(w, path, &a, 1 << 16, &form) == E_OK);
        CHECK_ROW(i, str_eq(form, str_z(rows[i].form ? rows[i].form : rows[i].text)));
    }
    CHECK_INT(config("check", "/nowhere/naru.conf", NULL), COMMAND_USAGE);
    CHECK_INT(config("check", NULL, NULL), COMMAND_USAGE);
    CHECK_INT(config("describe", "nothing", NULL), COMMAND_USAGE);
    CHECK_INT(directory_remove(w, str_z(place)), E_OK);
    arena_free(&a);
    world_linux_free(w);
}

// Every default must be a value that its own schema accepts, and every setting must say what it is for.
static void check_schema(const setting *s, arena *a)
{
    for (; s && s->key; s++) {
        const setting one[] = {*s, {0}};
        config_error error = {0};
        if (!s->help_en || !s->help_en[0])
            test_failed(__FILE__, __LINE__, "%s has no help in English", s->key);
        if (!s->help_ko || !s->help_ko[0])
            test_failed(__FILE__, __LINE__, "%s has no help in Korean", s->key);
        else if (s->help_en && strcmp(s->help_en, s->help_ko) == 0)
            test_failed(__FILE__, __LINE__, "%s has the same help twice", s->key);
        if (s->block)
            check_schema(s->block, a);
        if (!s->fallback)
            continue;
        str text = str_format(a, "%s \"%s\"", s->key, s->fallback);
        const statement *root = config_parse(S("default"), text, a, NULL, NULL, &error);
        if (!root || !config_check(root, one, a, &error))
            test_failed(__FILE__, __LINE__, "%s: " STR_FMT, s->key, STR_ARG(error.text));
    }
}

TEST(config_explains_every_setting_in_both_languages_and_accepts_its_own_defaults)
{
    arena a = arena_make(1 << 20);
    check_schema(schema_whole(), &a);
    arena_free(&a);
}

// Paths count from the folder of the file in which they stand.
TEST(config_paths_are_beside_their_file)
{
    static const struct { const char *text, *key; int word; const char *path; } rows[] = {
        {"authoritative { zone a.example z }", "zone", 2, "z"},
        {"domain a.example { zone sub/z }\nauthoritative { listen 192.0.2.1 }", "zone", 2, "sub/z"},
        {"include sub/other.conf", "zone", 2, "sub/beside"},
        {"authoritative { zone a.example /abs/z }", "zone", 2, NULL},
    };
    char place[] = "/tmp/naru-config-test-XXXXXX";
    CHECK(mkdtemp(place) != NULL);
    world *w = world_linux_new(S("test"), NULL, 0);
    arena a = arena_make(1 << 20);
    char *path = str_to_z(&a, str_format(&a, "%s/naru.conf", place));
    CHECK_INT(dir_make(w, str_to_z(&a, str_format(&a, "%s/sub", place)), 0700), E_OK);
    CHECK_INT(file_replace(w, str_to_z(&a, str_format(&a, "%s/sub/other.conf", place)), S("authoritative { zone a.example beside }"), 0600), E_OK);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        up_plan plan;
        config_error error = {0};
        str wanted = rows[i].path ? str_format(&a, "%s/%s", place, rows[i].path) : S("/abs/z");
        CHECK_ROW(i, file_replace(w, path, str_z(rows[i].text), 0600) == E_OK);
        CHECK_ROW(i, up_plan_read(&plan, str_z(path), S("/nowhere"), &error));
        const statement *s = config_find(up_settings(&plan.services[UP_AUTHORITATIVE], &a), rows[i].key);
        CHECK_ROW(i, s && str_eq(s->words[rows[i].word], wanted));
        up_plan_free(&plan);
    }
    CHECK_INT(directory_remove(w, str_z(place)), E_OK);
    arena_free(&a);
    world_linux_free(w);
}

// What one program hands to the next says the same there.
TEST(plan_as_text_is_the_same_plan)
{
    up_plan plan, next;
    config_error error = {0};
    buf text = buf_make(1 << 20), again = buf_make(1 << 20);
    CHECK(up_plan_read(&plan, (str){0}, S("/nowhere"), &error));
    plan.addresses[plan.address_count++] = addr_v4(0x7f000001, 0);
    plan.ports[plan.port_count].well_known = 53;
    plan.ports[plan.port_count++].real = 5300;
    up_plan_write(&plan, &text);
    CHECK(up_plan_take(&next, buf_str(&text)));
    up_plan_write(&next, &again);
    CHECK_STR(buf_str(&again), buf_str(&text));
    CHECK(next.services[UP_RESOLVER].wanted && !next.services[UP_MTA].wanted);
    up_plan_free(&next);
    for (size_t cut = 1; cut < text.len; cut += 7) {                     // torn: refused or understood, never a crash
        CHECK(!up_plan_take(&next, str_first(buf_str(&text), (ptrdiff_t)(text.len - cut))) || next.directory.len > 0);
        up_plan_free(&next);
    }
    CHECK(!up_plan_take(&next, S("service mta 1 99999999999 0 1 1\n")));
    up_plan_free(&next);
    CHECK(!up_plan_take(&next, S("directory /x\nservice unheard-of 1 0 0 1 1\n")));
    up_plan_free(&next);
    up_plan_free(&plan);
    buf_free(&text);
    buf_free(&again);
}
