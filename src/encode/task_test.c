#include "encode/task.h"

#include "test.h"

enum { WORDS_MAX = 16 };

static bool read_words(const char *line, task *out)
{
    static char text[512];
    char *words[WORDS_MAX] = {(char[]){"naru-encode"}};
    int count = 1;
    snprintf(text, sizeof text, "%s", line);
    for (char *at = text; *at && count < WORDS_MAX; ) {
        words[count++] = at;
        at += strcspn(at, " ");
        if (*at)
            *at++ = 0;
    }
    const char *why;
    return task_read(count, words, out, &why);
}

TEST(task_takes_what_is_within_bounds_and_nothing_else)
{
    static const struct { const char *line; bool good; } rows[] = {
        {"probe", true},
        {"probe --memory=1000000 --processor-s=5", true},
        {"", false},
        {"burn", false},
        {"probe --memory=-1", false},
        {"probe --memory=1e6", false},
        {"probe --memory", false},
        {"probe memory=5", false},
        {"probe --unknown=5", false},
        {"video --name=v300 --width=320 --height=180 --rate=300000 --frames-number=24 --frames-in=1 --group=96", true},
        {"video --name=../v --width=320 --height=180 --rate=300000 --frames-number=24 --frames-in=1 --group=96", false},
        {"video --name=v300 --width=32000 --height=180 --rate=300000 --frames-number=24 --frames-in=1 --group=96", false},
        {"video --name=v300 --width=320 --height=180 --frames-number=24 --frames-in=1 --group=96", false},
        {"sound --name=a128 --rate=128000 --frames-number=24 --frames-in=1 --group=96", true},
        {"sound --name=a128 --rate=128000", false},
        {"stills --name=stills --duration-ms=4000", true},
    };
    task t;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        CHECK_ROW(i, read_words(rows[i].line, &t) == rows[i].good);
    CHECK(read_words(rows[9].line, &t));
    CHECK_INT(t.step, STEP_VIDEO);
    CHECK_INT(t.rate_bps, 300000);
    CHECK_INT(t.group_frames, 96);
    CHECK_STR(str_z(t.name), S("v300"));
}
