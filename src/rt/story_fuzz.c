// A story is written as JSON and read back the same, draws a ladder no line of which is wider than asked for, and makes a page
// in which nothing of it stands unescaped.
#include <string.h>

#include "base/bytes.h"
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

static void must_draw(const story_event *events, int count, arena *a, int columns)
{
    story_event *again, *third;
    int count_again, count_third;
    buf first = buf_make(64 << 20), second = buf_make(64 << 20);
    story_json(events, count, &first);
    must(story_from_json(buf_str(&first), a, &again, &count_again) && count == count_again);
    story_json(again, count, &second);
    must(story_from_json(buf_str(&second), a, &third, &count_third) && count == count_third);
    buf_clear(&first);
    story_json(third, count, &first);
    must(str_eq(buf_str(&first), buf_str(&second)));
    ladder_fits(events, count, columns);
    buf_clear(&first);
    story_html(events, count, S("ko"), S("<title>"), &first);
    must(str_ends(buf_str(&first), S("</html>\n")) && str_find_str(buf_str(&first), S("<script")) < 0);
    buf_free(&first);
    buf_free(&second);
}

// Events out of bytes: who, direction, to whom, how many letters, the letters.
static int events_read(reader *r, story_event *out, int max)
{
    static const char *const protocols[] = {"smtp", "dns", "lmtp", "pop3", "disk", "http", "x<y", ""};
    int count = 0;
    while (count < max && rd_left(r) > 4) {
        unsigned who = rd_u8(r), way = rd_u8(r), whom = rd_u8(r), len = rd_u8(r) % STORY_LINE_BYTES_MAX;
        story_event *e = &out[count];
        *e = (story_event){.number = (uint64_t)count + 1, .mono_ns = (int64_t)count * 1234567, .trace = 1};
        str line = rd_bytes(r, len < (unsigned)rd_left(r) ? len : (size_t)rd_left(r));
        e->direction = (story_direction)(way % 3);
        memcpy(e->protocol, protocols[way / 3 % 8], strlen(protocols[way / 3 % 8]) + 1);
        e->here[0] = (char)('a' + who % 40 % 26);
        e->local = who & 128 ? addr_v4(who % 40, (uint16_t)(who * 10)) : (addr){0};
        e->peer = who & 128 ? addr_v4(whom % 40, (uint16_t)(whom * 10)) : (addr){0};
        e->len = (uint8_t)line.len;
        bool valid = utf8_valid(line);                  // as story_tell leaves it
        for (ptrdiff_t i = 0; i < line.len; i++)
            e->line[i] = valid || line.at[i] < 0x80 ? (char)line.at[i] : '?';
        count++;
    }
    return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    enum { EVENTS_MAX = 200 };
    if (size > 1 << 16)
        return 0;
    arena a = arena_make(64 << 20);
    story_event *events, *own = arena_array(&a, story_event, EVENTS_MAX);
    int count, columns = 40 + (int)(size % 120);
    if (story_from_json(str_of(data, size), &a, &events, &count))
        must_draw(events, count, &a, columns);
    reader r = rd_of(str_of(data, size));
    must_draw(own, events_read(&r, own, EVENTS_MAX), &a, columns);
    arena_free(&a);
    return 0;
}
