#include "cmd/setting_text.h"

const char *setting_type_text(const setting *s)
{
    static const char *const names[] = {
        [SETTING_BOOL] = "on|off",     [SETTING_INT] = "number",    [SETTING_SIZE] = "size",
        [SETTING_DURATION] = "time",   [SETTING_RATE] = "rate",     [SETTING_TEXT] = "text",
        [SETTING_ADDRESS] = "address", [SETTING_PREFIX] = "prefix", [SETTING_LIST] = "words",   [SETTING_HOST] = "address",
        [SETTING_BLOCK] = "{ block }",
    };
    return s->choices ? s->choices : names[s->type];
}

const char *setting_help(const setting *s, bool korean)
{
    const char *help = korean && s->help_ko ? s->help_ko : s->help_en;
    return help ? help : "";
}
