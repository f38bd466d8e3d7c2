#include <string.h>

#include "base/heap_memory.h"
#include "base/utf8.h"
#include "rt/story_rows.h"

// The picture is drawn row by row into cells; a wide character fills two.
enum {
    COLUMNS_MIN = 40, COLUMNS_MAX = 400, TIME_COLUMNS = 11, SPACING_MIN = 4, SPACING_MAX = 26, TEXT_COLUMNS_MIN = 24,
};

typedef struct { char bytes[5]; const char *style; bool covered; } cell;

typedef struct {
    const story_picture *picture;
    buf  *out;
    int   columns, spacing;
    bool  colour;
    cell  cells[COLUMNS_MAX];
} canvas;

static const char DIM[] = "2", BOLD[] = "1", PLAIN[] = "";

static const char *style_of(const char *protocol)
{
    static const struct { const char *protocol, *style; } styles[] = {
        {"dns", "36"}, {"smtp", "32"}, {"lmtp", "33"}, {"pop3", "35"}, {"disk", "34"}, {"http", "31"}, {"upper", "36"},
    };
    for (size_t i = 0; i < sizeof styles / sizeof styles[0]; i++)
        if (strcmp(protocol, styles[i].protocol) == 0)
            return styles[i].style;
    return PLAIN;
}

static int lane(const canvas *v, int host) { return TIME_COLUMNS + host * v->spacing; }

static void clear(canvas *v)
{
    for (int i = 0; i < v->columns; i++)
        v->cells[i] = (cell){" ", PLAIN, false};
}

// One character of at most four bytes.
static void put(canvas *v, int x, const char *bytes, const char *style)
{
    if (x < 0 || x >= v->columns)
        return;
    cell *c = &v->cells[x];
    size_t n = 0;
    for (; n < sizeof c->bytes - 1 && bytes[n]; n++)
        c->bytes[n] = bytes[n];
    c->bytes[n] = 0;
    c->style = style;
}

// Text from column x on; returns the column behind it. What does not fit is left out.
static int put_text(canvas *v, int x, str text, const char *style)
{
    while (text.len) {
        uint32_t code = 0;
        int n = utf8_decode(text, &code);
        bool shown = n && !utf8_is_control(code);
        int width = shown ? utf8_columns(code) : 1;
        char bytes[5] = "?";
        if (shown)
            memcpy(bytes, text.at, (size_t)n), bytes[n] = 0;
        text = str_from(text, n ? n : 1);
        if (width == 0)
            continue;                                // a combining mark: drawn without
        if (x + width > v->columns)
            break;
        put(v, x, bytes, style);
        if (width == 2 && x + 1 < v->columns)
            v->cells[x + 1].covered = true;
        x += width;
    }
    return x;
}

static void put_lanes(canvas *v, int count)
{
    for (int i = 0; i < count; i++)
        put(v, lane(v, i), "│", DIM);
}

static void flush(canvas *v)
{
    int end = v->columns;
    while (end > 0 && str_eq(str_z(v->cells[end - 1].bytes), S(" ")) && !v->cells[end - 1].covered)
        end--;
    const char *style = PLAIN;
    for (int i = 0; i < end; i++) {
        const cell *c = &v->cells[i];
        if (c->covered)
            continue;
        if (v->colour && strcmp(c->style, style) != 0) {
            buf_format(v->out, *c->style ? "\033[0;%sm" : "\033[0m", c->style);
            style = c->style;
        }
        buf_put(v->out, str_z(c->bytes));
    }
    if (v->colour && *style)
        buf_put(v->out, S("\033[0m"));
    buf_put_byte(v->out, '\n');
    clear(v);
}

// ---- text ----

// Takes the next piece of at most `width` columns off the text, broken at a blank where there is one.
static str piece_take(str *text, int width)
{
    ptrdiff_t end = 0, blank = 0;
    int columns = 0;
    while (end < text->len) {
        uint32_t code = 0;
        int n = utf8_decode(str_from(*text, end), &code);
        int wide = n ? utf8_columns(code) : 1;
        if (columns + wide > width)
            break;
        if (text->at[end] == ' ')
            blank = end + 1;
        columns += wide;
        end += n ? n : 1;
    }
    if (end < text->len && blank > width / 3)
        end = blank;
    if (end == 0)
        end = text->len;                             // a width of nothing: all of it, put_text cuts
    str piece = str_first(*text, end);
    *text = str_from(*text, end);
    return piece;
}

static void put_time(canvas *v, int64_t after_ns)
{
    char text[16];
    story_time_text(text, after_ns);
    int x = TIME_COLUMNS - 2 - (int)strlen(text);
    put_text(v, x < 0 ? 0 : x, str_z(text), DIM);
}

// The protocol and the line, in as many rows as needed, `width` columns from x on.
static void put_wrapped(canvas *v, const story_row *row, int x, int width, str text, const char *mark)
{
    const char *style = style_of(row->event->protocol);
    bool first = true;
    do {
        put_lanes(v, v->picture->host_count);
        put(v, x - 1, " ", PLAIN);
        int end = put_text(v, x, piece_take(&text, width), style);
        put(v, end, " ", PLAIN);
        if (first)
            put_time(v, row->after_ns);
        if (first && mark)
            put(v, lane(v, row->from), mark, style);
        flush(v);
        first = false;
    } while (text.len);
}

static void arrow(canvas *v, const story_row *row)
{
    const char *style = style_of(row->event->protocol);
    int from = lane(v, row->from), to = lane(v, row->to), step = from < to ? 1 : -1;
    put(v, from, from < to ? "├" : "┤", style);
    for (int x = from + step; x != to; x += step)
        put(v, x, "─", style);
    put(v, to - step, step > 0 ? "▶" : "◀", style);
}

// ---- rows ----

static str row_text(const story_row *row, arena *a)
{
    return str_format(a, "%s " STR_FMT, row->event->protocol, STR_ARG(row->text));
}

// A text beside a lane: right of it, or left of it near the edge. mark: what stands on the lane; may be NULL.
static void put_beside(canvas *v, const story_row *row, int at, str text, const char *mark)
{
    int width = utf8_width(text), right = v->columns - (at + 2), left = at - 2 - TIME_COLUMNS;
    if (right >= width || right >= TEXT_COLUMNS_MIN || right >= left)
        put_wrapped(v, row, at + 2, right, text, mark);
    else
        put_wrapped(v, row, width < left ? at - 1 - width : TIME_COLUMNS + 1, left, text, mark);
}

static void draw_row(canvas *v, const story_row *row, arena *a)
{
    str text = row_text(row, a);
    int width = utf8_width(text), left = lane(v, row->from < row->to ? row->from : row->to);
    if (row->from == row->to) {
        put_beside(v, row, left, text, row->inside ? row->event->direction == STORY_OUT ? "▷" : "◁" : "◆");
        return;
    }
    int span = (row->from < row->to ? row->to - row->from : row->from - row->to) * v->spacing - 1;
    if (width + 6 <= span) {
        put_lanes(v, v->picture->host_count);
        put_time(v, row->after_ns);
        arrow(v, row);
        put(v, left + 3, " ", PLAIN);
        put(v, put_text(v, left + 4, text, style_of(row->event->protocol)), " ", PLAIN);
        flush(v);
        return;
    }
    put_beside(v, row, left, text, NULL);
    put_lanes(v, v->picture->host_count);
    arrow(v, row);
    flush(v);
}

static void draw_names(canvas *v)
{
    for (int i = 0; i < v->picture->host_count; i++) {
        str name = str_z(v->picture->hosts[i]);
        int last = v->columns - utf8_width(name), x = lane(v, i) < last ? lane(v, i) : last;
        put_lanes(v, i);
        put(v, x - 1, " ", PLAIN);
        put_text(v, x < 0 ? 0 : x, name, BOLD);
        flush(v);
    }
}

// More hosts than the terminal can hold side by side: one line a message, with names.
static void draw_list(canvas *v, arena *a)
{
    for (int i = 0; i < v->picture->row_count; i++) {
        const story_row *row = &v->picture->rows[i];
        const char *from = v->picture->hosts[row->from], *to = v->picture->hosts[row->to];
        const char *style = style_of(row->event->protocol);
        put_time(v, row->after_ns);
        put_text(v, TIME_COLUMNS, row->from == row->to ? str_z(from) : str_format(a, "%s → %s", from, to), BOLD);
        flush(v);
        str text = row_text(row, a);
        do {
            put_text(v, TIME_COLUMNS + 2, piece_take(&text, v->columns - TIME_COLUMNS - 2), style);
            flush(v);
        } while (text.len);
    }
}

void story_ladder(const story_event *events, int count, int columns, bool colour, buf *out)
{
    arena a = arena_make(64 << 20);
    story_picture picture;
    canvas *v = memory_zeroed(1, sizeof *v);
    if (count > 0 && story_picture_make(events, count, &a, &picture)) {
        v->picture = &picture;
        v->out = out;
        v->colour = colour;
        v->columns = columns < COLUMNS_MIN ? COLUMNS_MIN : columns > COLUMNS_MAX ? COLUMNS_MAX : columns;
        v->spacing = picture.host_count > 1 ? (v->columns - TIME_COLUMNS - 2) / (picture.host_count - 1)
                                            : SPACING_MAX;
        v->spacing = v->spacing > SPACING_MAX ? SPACING_MAX : v->spacing;
        clear(v);
        if (v->spacing < SPACING_MIN) {
            draw_list(v, &a);
        } else {
            draw_names(v);
            for (int i = 0; i < picture.row_count; i++)
                draw_row(v, &picture.rows[i], &a);
        }
    }
    memory_free(v);
    arena_free(&a);
}
