#include <stdlib.h>

#include "base/arena.h"
#include "cmd/commands.h"
#include "cmd/directory_remove.h"
#include "cmd/options.h"
#include "cmd/schema.h"
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
        if (!s->help_en)
            test_failed(__FILE__, __LINE__, "%s has no help", s->key);
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

TEST(config_schema_accepts_its_own_defaults)
{
    arena a = arena_make(1 << 20);
    check_schema(schema_whole(), &a);
    arena_free(&a);
}
