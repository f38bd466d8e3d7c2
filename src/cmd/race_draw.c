#include "cmd/race_draw.h"

#include <string.h>

enum { ROWS = 20, COLUMNS_MIN = 40, COLUMNS_MAX = 120, MARGIN = 10, WIDTH = 720, HEIGHT = 440, LEFT = 84, RIGHT = 24, TOP = 56, BOTTOM = 52 };

void race_put_seconds(buf *out, int64_t ms)
{
    buf_format(out, "%lld", (long long)(ms / 1000));
    int64_t rest = ms % 1000;
    if (rest == 0)
        return;
    int digits = rest % 100 == 0 ? 1 : rest % 10 == 0 ? 2 : 3;
    buf_format(out, ".%0*lld", digits, (long long)(digits == 1 ? rest / 100 : digits == 2 ? rest / 10 : rest));
}

static int64_t highest(const race_picture *p)
{
    int64_t most = race_client_server_ms(&p->lines, p->peers, NULL);
    for (int i = 0; i < p->measured_count; i++)
        if (p->measured[i].ms > most)
            most = p->measured[i].ms;
    return most;
}

// The unit that suits: hours, minutes or seconds. Returns the milliseconds of one, and its name.
static int64_t unit_of(int64_t ms, const char **name, bool korean)
{
    if (ms >= 2 * 3600 * 1000)
        return *name = korean ? "시간" : "hours", 3600 * 1000;
    if (ms >= 5 * 60 * 1000)
        return *name = korean ? "분" : "minutes", 60 * 1000;
    return *name = korean ? "초" : "seconds", 1000;
}

static void put_tenths(buf *out, int64_t ms, int64_t unit)
{
    int64_t tenths = (ms * 10 + unit / 2) / unit;
    buf_format(out, "%lld.%lld", (long long)(tenths / 10), (long long)(tenths % 10));
}

// ---- the terminal ------------------------------------------------------------------------------------------------------

typedef struct { char cell[ROWS][COLUMNS_MAX]; int columns; int64_t top; int peers; } canvas;

static void canvas_put(canvas *c, int n, int64_t ms, char mark)
{
    int x = c->peers > 1 ? (int)((int64_t)(n - 1) * (c->columns - 1) / (c->peers - 1)) : 0;
    int y = ROWS - 1 - (int)(ms * (ROWS - 1) / c->top);
    if (x >= 0 && x < c->columns && y >= 0 && y < ROWS)
        c->cell[y][x] = mark;
}

static void canvas_print(const canvas *c, const char *unit_name, int64_t unit, buf *out)
{
    for (int y = 0; y < ROWS; y++) {
        buf number = buf_make(64);
        if (y % 4 == 3 || y == 0)
            put_tenths(&number, c->top * (ROWS - 1 - y) / (ROWS - 1), unit);
        buf_format(out, "%8.*s |%.*s\n", (int)number.len, number.len ? (const char *)number.at : "", c->columns, c->cell[y]);
        buf_free(&number);
    }
    buf_format(out, "%8s +", unit_name);
    for (int x = 0; x < c->columns; x++)
        buf_put_byte(out, '-');
    buf_format(out, "\n%*s1%*d peers (N)\n", MARGIN, "", c->columns - 2, c->peers);
}

void race_draw_text(const race_picture *p, int columns, buf *out)
{
    canvas c = {.top = highest(p), .peers = p->peers};
    const char *unit_name;
    int64_t unit = unit_of(c.top, &unit_name, p->korean);
    c.columns = columns - MARGIN - 2;
    c.columns = c.columns < COLUMNS_MIN ? COLUMNS_MIN : c.columns > COLUMNS_MAX ? COLUMNS_MAX : c.columns;
    memset(c.cell, ' ', sizeof c.cell);
    for (int n = 1; n <= p->peers; n++) {
        canvas_put(&c, n, race_client_server_ms(&p->lines, n, NULL), '#');
        canvas_put(&c, n, race_p2p_ms(&p->lines, n, NULL), '*');
    }
    for (int i = 0; i < p->measured_count; i++)
        canvas_put(&c, p->measured[i].n, p->measured[i].ms, p->measured[i].kind == RACE_P2P ? 'o' : 'x');
    canvas_print(&c, unit_name, unit, out);
    buf_put(out, p->korean ? S("\n# 클라이언트-서버   * P2P   (하한)") : S("\n# client-server   * peer-to-peer   (the bounds)"));
    if (p->measured_count)
        buf_put(out, p->korean ? S("   x o 측정값") : S("   x o measured"));
    buf_put(out, S("\n"));
}

// ---- SVG ---------------------------------------------------------------------------------------------------------------

static const char style[] =
    "<style>svg{font:14px system-ui,sans-serif;--ink:#1c2733;--soft:#6b7785;--line:#d8dee5;--cs:#b4451f;--p2p:#0b6aa8}"
    "@media(prefers-color-scheme:dark){svg{--ink:#e6ebf0;--soft:#9aa7b4;--line:#38434e;--cs:#ff9466;--p2p:#66b7f0}}"
    "text{fill:var(--ink)}.soft{fill:var(--soft);font-size:12px}.grid{stroke:var(--line)}.axis{stroke:var(--soft)}"
    "polyline{fill:none;stroke-width:2.5}.cs{stroke:var(--cs)}.p2p{stroke:var(--p2p)}circle,path{stroke-width:2;fill:none}"
    ".lcs{fill:var(--cs)}.lp2p{fill:var(--p2p)}</style>\n";

typedef struct { int64_t top; int peers; } scale;

static int64_t x_of(scale s, int n)
{
    return LEFT + (s.peers > 1 ? (int64_t)(n - 1) * (WIDTH - LEFT - RIGHT) / (s.peers - 1) : 0);
}

static int64_t y_of(scale s, int64_t ms) { return HEIGHT - BOTTOM - ms * (HEIGHT - TOP - BOTTOM) / s.top; }

static void put_curve(const race_picture *p, scale s, race_kind kind, buf *out)
{
    buf_format(out, "<polyline class=\"%s\" points=\"", kind == RACE_P2P ? "p2p" : "cs");
    int step = p->peers > 400 ? p->peers / 400 : 1;
    for (int n = 1; n <= p->peers; n += step) {
        int64_t ms = kind == RACE_P2P ? race_p2p_ms(&p->lines, n, NULL) : race_client_server_ms(&p->lines, n, NULL);
        buf_format(out, "%s%lld,%lld", n > 1 ? " " : "", (long long)x_of(s, n), (long long)y_of(s, ms));
    }
    buf_put(out, S("\"/>\n"));
}

static void put_axes(const race_picture *p, scale s, buf *out)
{
    const char *unit_name;
    int64_t unit = unit_of(s.top, &unit_name, p->korean);
    for (int i = 0; i <= 4; i++) {
        int64_t ms = s.top * i / 4, y = y_of(s, ms);
        buf_format(out, "<line class=\"%s\" x1=\"%d\" x2=\"%d\" y1=\"%lld\" y2=\"%lld\"/><text class=\"soft\" x=\"%d\" y=\"%lld\" text-anchor=\"end\">",
                   i ? "grid" : "axis", LEFT, WIDTH - RIGHT, (long long)y, (long long)y, LEFT - 8, (long long)y + 4);
        put_tenths(out, ms, unit);
        buf_put(out, S("</text>\n"));
    }
    for (int i = 0; i <= 5; i++) {
        int n = 1 + (int)((int64_t)(p->peers - 1) * i / 5);
        buf_format(out, "<text class=\"soft\" x=\"%lld\" y=\"%d\" text-anchor=\"middle\">%d</text>\n", (long long)x_of(s, n), HEIGHT - BOTTOM + 20, n);
    }
    buf_format(out, "<text class=\"soft\" x=\"%d\" y=\"%d\" text-anchor=\"middle\">%s</text>\n", (WIDTH + LEFT) / 2, HEIGHT - 10,
               p->korean ? "피어 수 N" : "peers N");
    buf_format(out, "<text class=\"soft\" x=\"%d\" y=\"%d\">%s</text>\n", 12, TOP - 16, unit_name);
}

static void put_measured(const race_picture *p, scale s, buf *out)
{
    for (int i = 0; i < p->measured_count; i++) {
        const race_measured *m = &p->measured[i];
        long long x = (long long)x_of(s, m->n), y = (long long)y_of(s, m->ms);
        if (m->kind == RACE_P2P)
            buf_format(out, "<circle class=\"p2p\" cx=\"%lld\" cy=\"%lld\" r=\"5\">", x, y);
        else
            buf_format(out, "<path class=\"cs\" d=\"M%lld %lldl8 8m0 -8l-8 8\">", x - 4, y - 4);
        buf_format(out, "<title>%s, N=%d: ", m->who, m->n);
        race_put_seconds(out, m->ms);
        buf_format(out, " s</title>%s\n", m->kind == RACE_P2P ? "</circle>" : "</path>");
    }
}

void race_draw_svg(const race_picture *p, buf *out)
{
    scale s = {.top = highest(p), .peers = p->peers};
    buf_format(out, "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" role=\"img\">\n<title>%s</title>\n", WIDTH, HEIGHT,
               p->korean ? "배포 시간: 클라이언트-서버와 P2P" : "Distribution time: client-server against peer-to-peer");
    buf_put(out, str_z(style));
    buf_format(out, "<text x=\"%d\" y=\"24\" font-weight=\"600\">%s</text>\n", LEFT,
               p->korean ? "파일이 모두에게 닿기까지" : "Until everybody has the file");
    buf_format(out, "<text class=\"lcs\" x=\"%d\" y=\"44\">%s</text><text class=\"lp2p\" x=\"%d\" y=\"44\">%s</text>\n", LEFT,
               p->korean ? "클라이언트-서버" : "client-server", LEFT + 130, "P2P");
    if (p->measured_count)
        buf_format(out, "<text class=\"soft\" x=\"%d\" y=\"44\">%s</text>\n", LEFT + 190, p->korean ? "표식: 측정값" : "marks: measured");
    put_axes(p, s, out);
    put_curve(p, s, RACE_CLIENT_SERVER, out);
    put_curve(p, s, RACE_P2P, out);
    put_measured(p, s, out);
    buf_put(out, S("</svg>\n"));
}
