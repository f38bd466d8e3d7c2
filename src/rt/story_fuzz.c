// What reads as a story is written back the same, draws a ladder no line of which is wider than asked for, and makes a page
// in which nothing of it stands unescaped.
#include "base/must.h"
#include "base/utf8.h"
#include "rt/story_rows.h"

static void ladder_fits(const story_event *events, int count, int columns)
{
    buf out = buf_make(16 << 20);
    story_ladder(events, count, columns, false, &out);
    for (str rest = buf_str(&out); rest.len;)
        must(utf8_width(str_cut(&rest, '\n')) <= columns);
    buf_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > 1 << 16)
        return 0;
    arena a = arena_make(64 << 20);
    story_event *events, *again;
    int count, count_again;
    if (story_from_json(str_of(data, size), &a, &events, &count)) {
        buf first = buf_make(16 << 20), second = buf_make(16 << 20);
        story_json(events, count, &first);
        must(story_from_json(buf_str(&first), &a, &again, &count_again) && count == count_again);
        story_json(again, count, &second);
        must(str_eq(buf_str(&first), buf_str(&second)));
        ladder_fits(events, count, 40 + (int)(size % 120));
        buf_clear(&first);
        story_html(events, count, S("ko"), S("<title>"), &first);
        must(str_ends(buf_str(&first), S("</html>\n")) && str_find_str(buf_str(&first), S("<script")) < 0);
        buf_free(&first);
        buf_free(&second);
    }
    arena_free(&a);
    return 0;
}
