#include "rooms/swarm/file_choice.h"

#include <stdio.h>

#include "test.h"

enum { FILES = 5 };

// What comes of it, a letter a file: - stays, s skipped, w wanted, f first; "!" and the part that is wrong.
static const char *chosen(file_choices c, bool only)
{
    static char text[64];
    const str paths[FILES] = {S("a.pdf"), S("week1/b.pdf"), S("week1/c.txt"), S("week2/d.pdf"), S("[odd] e")};
    file_choice out[FILES];
    str wrong = {0};
    if (!files_choose(c, (file_names){S("slides"), paths, FILES}, only, out, &wrong)) {
        snprintf(text, sizeof text, "!" STR_FMT, STR_ARG(wrong));
        return text;
    }
    for (int i = 0; i < FILES; i++)
        text[i] = "-swf"[out[i]];
    text[FILES] = 0;
    return text;
}

TEST(files_are_chosen_by_number_and_by_name)
{
    static const struct { const char *want, *skip, *first; bool only; const char *chosen; } cases[] = {
        {"", "", "", true, "-----"},
        {"1,3-4", "", "", true, "wswws"},
        {"1,3-4", "", "", false, "w-ww-"},
        {"", "2", "", true, "-s---"},
        {"*.pdf", "", "", true, "wwsws"},
        {"week1/", "", "", true, "swwss"},
        {"week1/*.pdf, 5", "", "", true, "swssw"},
        {"slides/week1/", "", "", true, "swwss"},
        {"slides/", "*.txt", "week2/d.pdf", true, "wwsfw"},
        {"[odd] e", "", "", true, "ssssw"},
        {"", "", "a.pdf", false, "f----"},
        {"6", "", "", true, "!6"},
        {"0", "", "", true, "!0"},
        {"3-2", "", "", true, "!3-2"},
        {"1,,2", "", "", true, "!"},
        {"2-", "", "", true, "!2-"},
        {"99999999999999999999", "", "", true, "!99999999999999999999"},
        {"a.pdf", "*.mp4", "", true, "!*.mp4"},
        {"../a.pdf", "", "", true, "!../a.pdf"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        CHECK_STR(str_z(chosen((file_choices){str_z(cases[i].want), str_z(cases[i].skip), str_z(cases[i].first)}, cases[i].only)), str_z(cases[i].chosen));
}
