// Whatever parses is written in a form that parses to the same statements and is written the same again.
#include "base/must.h"
#include "rt/config.h"

static void must_be_same(const statement *a, const statement *b)
{
    for (; a && b; a = a->next, b = b->next) {
        must(a->word_count == b->word_count && a->has_block == b->has_block);
        for (int i = 0; i < a->word_count; i++)
            must(str_eq(a->words[i], b->words[i]));
        must_be_same(a->children, b->children);
    }
    must(!a && !b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool include_itself(void *arg, str path, arena *a, str *text)
{
    (void)a, (void)path;
    *text = *(str *)arg;
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const setting inner[] = {{"size", SETTING_SIZE, "1MB", 0, 1000000000}, {"on", SETTING_BOOL}, {"to", SETTING_ADDRESS}, {0}};
    static const setting schema[] = {
        {"a", SETTING_BLOCK, .block = inner, .repeated = true}, {"wait", SETTING_DURATION, "1s", 1, INT64_MAX},
        {"rate", SETTING_RATE}, {"net", SETTING_PREFIX, .repeated = true}, {"names", SETTING_LIST}, {"at", SETTING_HOST, .choices = "none"}, {0},
    };
    if (size > 1 << 14)
        return 0;
    arena a = arena_make(64 << 20);
    config_error error;
    str text = str_of(data, size);
    statement *first = config_parse(S("dir/fuzz.conf"), text, &a, config_include_keep, NULL, &error);
    if (first) {
        str form = config_format(first, &a);
        statement *second = config_parse(S("again"), form, &a, config_include_keep, NULL, &error);
        must(second);
        must_be_same(first->children, second->children);
        must(str_eq(form, config_format(second, &a)));
        if (config_check(first, schema, &a, &error))
            must(config_int(first, schema, "wait") >= 1);
        else
            must(error.text.len && error.line >= 1 && error.column >= 1);
    } else {
        must(error.text.len && error.line >= 1 && error.column >= 1);
    }
    config_parse(S("fuzz.conf"), text, &a, include_itself, &text, &error);
    arena_free(&a);
    return 0;
}
