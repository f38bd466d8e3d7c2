#include "cmd/options.h"
#include "test.h"

typedef struct { bool json; str lang; int64_t count; } choices;

// Runs options_read over up to eight words; standard error is not what is looked at here.
static bool read_words(const char *const *given, choices *c, str *words, int *count, int *code)
{
    const command_option options[] = {
        {"json", OPTION_FLAG, &c->json, NULL, "as JSON"},
        {"lang", OPTION_TEXT, &c->lang, "ko|en", "language"},
        {"count", OPTION_NUMBER, &c->count, "N", "how many"},
        {0},
    };
    command_help help = {"test", "[WORD]", "Tests.", options, NULL};
    char *argv[10] = {(char *)(uintptr_t)"test"};
    int argc = 1;
    for (; given[argc - 1]; argc++)
        argv[argc] = (char *)(uintptr_t)given[argc - 1];
    return options_read(argc, argv, &help, words, 2, count, code);
}

TEST(options_are_read_from_their_table)
{
    static const struct {
        const char *given[8];
        bool good, json;
        const char *lang;
        int64_t count;
        int words, code;
    } rows[] = {
        {{NULL}, true, false, "", 7, 0, 0},
        {{"a", "--json", "b"}, true, true, "", 7, 2, 0},
        {{"--lang", "ko", "--count=3"}, true, false, "ko", 3, 0, 0},
        {{"--lang=en", "--", "--json"}, true, false, "en", 7, 1, 0},
        {{"-"}, true, false, "", 7, 1, 0},
        {{"--count", "-5"}, true, false, "", -5, 0, 0},
        {{"--jsno"}, false, false, "", 7, 0, COMMAND_USAGE},
        {{"--json=1"}, false, false, "", 7, 0, COMMAND_USAGE},
        {{"--lang"}, false, false, "", 7, 0, COMMAND_USAGE},
        {{"--count", "many"}, false, false, "", 7, 0, COMMAND_USAGE},
        {{"-j"}, false, false, "", 7, 0, COMMAND_USAGE},
        {{"a", "b", "c"}, false, false, "", 7, 2, COMMAND_USAGE},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        choices c = {.count = 7};
        str words[2];
        int count, code;
        bool good = read_words(rows[i].given, &c, words, &count, &code);
        CHECK_ROW(i, good == rows[i].good && code == rows[i].code && count == rows[i].words);
        CHECK_ROW(i, c.json == rows[i].json && c.count == rows[i].count && str_eq(c.lang, str_z(rows[i].lang)));
    }
}

TEST(options_language)
{
    CHECK_STR(language_choose(S("ko")), S("ko"));
    CHECK_STR(language_choose(S("en")), S("en"));
    CHECK(language_choose(S("fr")).len == 0);
    str own = language_choose((str){0});
    CHECK(str_eq(own, S("ko")) || str_eq(own, S("en")));
}
