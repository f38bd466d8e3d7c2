// The pictures of `naru video inspect`, in characters.
#include "cmd/video_inspect.h"

enum { BAR_ROWS = 6, EIGHTHS = 8, STRIP_FRAMES_MAX = 96, MARGIN = 12, SHOWN_RUNS_MAX = 12 };

static const char *const blocks[EIGHTHS + 1] = {" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};

// One row of a picture of columns: how much of this row is filled.
static const char *cell(uint64_t value, uint64_t top, int row, int rows)
{
    uint64_t eighths = top ? (value * (uint64_t)rows * EIGHTHS + top - 1) / top : 0,
        under = (uint64_t)(rows - 1 - row) * EIGHTHS;
    return eighths <= under ? blocks[0] : eighths - under >= EIGHTHS ? blocks[EIGHTHS] : blocks[eighths - under];
}

// The square root: B frames of a few bytes stay visible beside I frames of a hundred thousand.
static uint64_t root_of(uint64_t n)
{
    uint64_t root = 0;
    for (uint64_t bit = 1u << 31; bit; bit >>= 1)
        if ((root + bit) * (root + bit) <= n)
            root += bit;
    return root;
}

static void strip_draw(buf *out, const inspect_table *t, int first, int count)
{
    uint64_t top = 0;
    for (int i = 0; i < count; i++)
        top = t->frames[first + i].bytes > top ? t->frames[first + i].bytes : top;
    for (int row = 0; row < BAR_ROWS; row++) {
        buf_put(out, S("  "));
        for (int i = 0; i < count; i++)
            buf_put(out, str_z(cell(root_of(t->frames[first + i].bytes * 10000ull), root_of(top * 10000ull), row, BAR_ROWS)));
        buf_put(out, S("\n"));
    }
    buf_put(out, S("  "));
    for (int i = 0; i < count; i++)
        buf_put_byte(out, t->frames[first + i].type);
    buf_put(out, S("\n"));
}

// The group with most bytes tells most.
static int busiest_group(const inspect_table *t)
{
    int best = 0;
    uint64_t most = 0, here = 0;
    for (int i = 0, start = 0; i <= t->count; i++) {
        if (i == t->count || (t->frames[i].type == 'I' && i > start)) {
            if (here > most) {
                most = here;
                best = start;
            }
            here = 0;
            start = i;
        }
        here += i < t->count ? t->frames[i].bytes : 0;
    }
    return best;
}

void inspect_frames_draw(buf *out, const inspect_table *t, const film_frames kinds[FILM_FRAME_KINDS], int columns,
                         bool korean)
{
    static const struct { char type; const char *en, *ko; } said[FILM_FRAME_KINDS] = {
        {'I', "complete in itself (spatial coding)", "혼자서 완전함 (공간 부호화)"},
        {'P', "what changed since an earlier one (temporal coding)", "앞의 것에서 달라진 것 (시간 부호화)"},
        {'B', "between an earlier and a later one (temporal coding)", "앞과 뒤의 것 사이 (시간 부호화)"},
    };
    int width = columns - 4 < STRIP_FRAMES_MAX ? columns - 4 : STRIP_FRAMES_MAX, first = busiest_group(t);
    int count = t->count - first < width ? t->count - first : width;
    for (int k = 0; k < FILM_FRAME_KINDS; k++)
        if (kinds[k].count)
            buf_format(out, korean ? "  %c %6lld개, 평균 %8lld 바이트: %s\n"
                       : "  %c %6lld frames, on average %8lld bytes: %s\n", said[k].type, (long long)kinds[k].count,
                       (long long)(kinds[k].bytes / kinds[k].count), korean ? said[k].ko : said[k].en);
    buf_put(out, S("\n"));
    strip_draw(out, t, first, count);
    buf_format(out, korean ? "  프레임 %d..%d, 파일의 순서대로; 높이는 바이트 수의 제곱근; 키 프레임 사이 %d\n"
                           : "  frames %d to %d, in the order of the file; height: square root of bytes; %d from "
                             "key frame to key frame\n", first, first + count - 1, t->group);
}

uint64_t inspect_rate_most(const inspect_table *t)
{
    uint64_t most = 0;
    for (int i = 0; i < t->seconds; i++)
        most = t->bits[i] > most ? t->bits[i] : most;
    return most;
}

// Several seconds share a column where there are too many: their mean.
static uint64_t column_bits(const inspect_table *t, int column, int each)
{
    uint64_t sum = 0;
    int n = 0;
    for (int s = column * each; s < (column + 1) * each && s < t->seconds; s++, n++)
        sum += t->bits[s];
    return n ? sum / (uint64_t)n : 0;
}

void inspect_rate_draw(buf *out, const inspect_table *t, uint64_t top_bps, uint64_t line_bps, int columns)
{
    int width = columns - MARGIN > 8 ? columns - MARGIN : 8, each = (t->seconds + width - 1) / width;
    each = each ? each : 1;
    int shown = (t->seconds + each - 1) / each, wide = shown * 2 <= width ? 2 : 1;
    int line_row = top_bps ? BAR_ROWS - 1 - (int)(line_bps * BAR_ROWS / (top_bps + 1)) : 0;
    for (int row = 0; row < BAR_ROWS; row++) {
        if (row == 0)
            buf_format(out, "%6llu kb │", (unsigned long long)top_bps / 1000);
        else
            buf_put(out, S("          │"));
        for (int i = 0; i < shown; i++)
            for (int k = 0; k < wide; k++) {
                const char *c = cell(column_bits(t, i, each), top_bps, row, BAR_ROWS);
                buf_put(out, *c == ' ' && row == line_row ? S("─") : str_z(c));
            }
        buf_put(out, S("\n"));
    }
    buf_format(out, "          └ %d s\n", t->seconds);
}

// ---- run-length coding ------------------------------------------------------------------------------------------------

static void line_put(buf *out, const unsigned char *level)
{
    static const char shades[INSPECT_LEVELS + 1] = " .'`:;i!+ctxXM#@";
    for (int x = 0; x < INSPECT_GRAY_WIDTH; x += 2)
        buf_put_byte(out, (unsigned char)shades[level[x]]);
}

static void runs_put(buf *out, const unsigned char *level)
{
    int shown = 0;
    for (int x = 0, n; x < INSPECT_GRAY_WIDTH; x += n) {
        for (n = 1; x + n < INSPECT_GRAY_WIDTH && level[x + n] == level[x]; n++)
            ;
        if (shown++ == SHOWN_RUNS_MAX) {
            buf_put(out, S(" ..."));
            return;
        }
        buf_format(out, " %dx%d", level[x], n);
    }
}

static void share_put(buf *out, const char *name, const inspect_gray *g, bool korean)
{
    int values = INSPECT_GRAY_WIDTH * INSPECT_GRAY_HEIGHT, numbers = 2 * g->runs;
    buf_format(out, korean ? "  %s: 값 %d개 -> 길이 부호로 %d쌍 = 수 %d개, %d%%\n"
               : "  %s: %d values -> %d pairs (value x how often) = %d numbers, %d%%\n", name, values, g->runs,
               numbers, numbers * 100 / values);
}

void inspect_gray_draw(buf *out, const inspect_gray *flat, const inspect_gray *busy, bool korean)
{
    buf_put(out, korean ? S("\n길이 부호화 (run-length): 같은 값이 이어지면 값과 개수만 보냄. 가장 단조로운 그림과 가장 복잡한 그림:\n\n")
                        : S("\nRun-length coding: of equal values in a row only the value and how many. The "
                            "flattest picture and the busiest:\n\n"));
    for (int y = 0; y < INSPECT_GRAY_HEIGHT; y += 3) {
        buf_put(out, S("  "));
        line_put(out, flat->level[y]);
        buf_put(out, S("    "));
        line_put(out, busy->level[y]);
        buf_put(out, S("\n"));
    }
    buf_put(out, S("\n"));
    share_put(out, korean ? "단조로움" : "flat", flat, korean);
    share_put(out, korean ? "복잡함" : "busy", busy, korean);
    buf_format(out, korean ? "  가운데 줄:" : "  the middle line:");
    runs_put(out, flat->level[INSPECT_GRAY_HEIGHT / 2]);
    buf_put(out, korean ? S("  |  복잡한 그림:") : S("  |  of the busy one:"));
    runs_put(out, busy->level[INSPECT_GRAY_HEIGHT / 2]);
    buf_put(out, S("\n"));
}
