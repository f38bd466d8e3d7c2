#include <string.h>

#include "base/date.h"
#include "base/embedded.h"
#include "rt/story_rows.h"

// One page without scripts and without anything from elsewhere (story.css stands in it). A row is its text and, under it,
// an arrow between two lanes. What a line means stands in a bubble that shows when the row is hovered over or tapped
// (focused). Protocols are shown and hidden by check boxes and CSS alone.
extern const embedded_file story_css[];

static void put_escaped(buf *out, str s)
{
    for (ptrdiff_t i = 0; i < s.len; i++) {
        const char *entity = s.at[i] == '<' ? "&lt;" : s.at[i] == '>' ? "&gt;" : s.at[i] == '&' ? "&amp;"
                           : s.at[i] == '"' ? "&quot;" : s.at[i] == '\'' ? "&#39;" : NULL;
        if (entity)
            buf_put(out, str_z(entity));
        else
            buf_put_byte(out, s.at[i]);
    }
}

static bool is_class(const char *protocol)           // letters and digits only: it becomes a class and an id
{
    for (const char *c = protocol; *c; c++)
        if (!is_alnum((unsigned char)*c))
            return false;
    return *protocol != 0;
}

static const char *class_of(const char *protocol) { return is_class(protocol) ? protocol : "other"; }

// Where a host's lane stands, in hundredths of a percent of the width; printed by PERCENT.
static int lane(const story_picture *p, int host) { return (2 * host + 1) * 5000 / p->host_count; }
#define PERCENT "%d.%02d%%"
#define PERCENT_ARG(lane) (lane) / 100, (lane) % 100
enum { MIDDLE = 5000, RIGHT_PART = 6000, ALL = 10000 };

// ---- the page's head ----

enum { PROTOCOLS_MAX = 16 };

static int protocols_of(const story_picture *p, const char *out[PROTOCOLS_MAX])
{
    int count = 0;
    for (int i = 0; i < p->row_count; i++) {
        const char *name = class_of(p->rows[i].event->protocol);
        int known = 0;
        while (known < count && strcmp(out[known], name) != 0)
            known++;
        if (known == count && count < PROTOCOLS_MAX)
            out[count++] = name;
    }
    return count;
}

static bool has_colour(const char *protocol)
{
    static const char *const known[] = {"dns", "smtp", "lmtp", "pop3", "disk", "http"};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (strcmp(known[i], protocol) == 0)
            return true;
    return false;
}

static void put_head(buf *out, const char *const *protocols, int count, str lang, str title)
{
    buf_format(out, "<!doctype html>\n<html lang=\"" STR_FMT "\">\n<head>\n<meta charset=\"utf-8\">\n"
               "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n<title>", STR_ARG(lang));
    put_escaped(out, title);
    buf_put(out, S("</title>\n<style>\n"));
    buf_put(out, story_css[0].text);
    for (int i = 0; i < count; i++) {
        const char *name = protocols[i];
        buf_format(out, ".%s { --c: var(--%s) !important; }\n", name, has_colour(name) ? name : "other");
        buf_format(out, "#show-%s:not(:checked) ~ main .%s { display: none; }\n", name, name);
        buf_format(out, "#show-%s:not(:checked) ~ .chips .%s { opacity: .4; text-decoration: line-through; }\n", name, name);
        buf_format(out, "#show-%s:focus-visible ~ .chips .%s { outline: 2px solid var(--fg); }\n", name, name);
    }
    buf_put(out, S("</style>\n</head>\n<body>\n"));
}

static void put_intro(buf *out, const story_picture *p, const char *const *protocols, int count, str title, bool korean)
{
    char when[DATE_TEXT_MAX], took[16];
    date_print_rfc3339_ms(when, p->rows[0].event->wall_ns);
    story_time_text(took, p->rows[p->row_count - 1].after_ns);
    buf_put(out, S("<h1>"));
    put_escaped(out, title);
    buf_format(out, korean ? "</h1>\n<p class=\"dim\">%s · 메시지 %d개 · 호스트 %d곳 · %s</p>\n"
                           : "</h1>\n<p class=\"dim\">%s · %d messages · %d hosts · %s</p>\n",
               when, p->row_count, p->host_count, took + 1);
    buf_put(out, korean ? S("<p>밑줄 친 줄에 마우스를 올리거나 누르면 무슨 뜻인지 나옵니다. 아래 단추로 프로토콜을 숨기거나 볼 수 있습니다.</p>\n")
                        : S("<p>Hover over an underlined line, or tap it, to see what it means. "
                            "The buttons hide and show protocols.</p>\n"));
    for (int i = 0; i < count; i++)
        buf_format(out, "<input class=\"f\" type=\"checkbox\" id=\"show-%s\" checked>\n", protocols[i]);
    buf_put(out, S("<div class=\"chips\">"));
    for (int i = 0; i < count; i++) {
        buf_format(out, "<label class=\"%s\" for=\"show-%s\">", protocols[i], protocols[i]);
        put_escaped(out, story_about(protocols[i], korean));
        buf_put(out, S("</label>"));
    }
    buf_put(out, S("</div>\n"));
}

// ---- the ladder ----

static void put_names(buf *out, const story_picture *p)
{
    buf_put(out, S("<div class=\"names\">\n"));
    for (int host = 0; host < p->host_count; host++) {
        buf_put(out, S("<div>"));
        for (int i = 0; i < host; i++)
            buf_format(out, "<i style=\"left:" PERCENT "\"></i>", PERCENT_ARG(lane(p, i)));
        int x = lane(p, host);
        if (x > RIGHT_PART)                                      // near the edge: the name stands left of its lane
            buf_format(out, "<i style=\"left:" PERCENT "\"></i><b style=\"right:" PERCENT ";padding-right:.3rem\">",
                       PERCENT_ARG(x), PERCENT_ARG(ALL - x));
        else
            buf_format(out, "<b style=\"left:" PERCENT "\">", PERCENT_ARG(x));
        put_escaped(out, str_z(p->hosts[host]));
        buf_put(out, S("</b></div>\n"));
    }
    buf_put(out, S("</div>\n"));
}

static void put_row(buf *out, const story_picture *p, const story_row *row, bool korean)
{
    const story_event *e = row->event;
    int left = row->from < row->to ? row->from : row->to, right = row->from < row->to ? row->to : row->from;
    int x = lane(p, left);
    str meaning = story_explain(e->protocol, row->text, korean);
    const char *shape = left != right ? row->from < row->to ? "r" : "l" : row->inside ? "n i" : "n";
    const char *west = left == right && x > MIDDLE ? " w" : "";          // a note near the edge: left of its lane
    char time[16];
    story_time_text(time, row->after_ns);
    int text_x = x < MIDDLE ? x : MIDDLE;
    buf_format(out, "<li class=\"%s %s%s%s\" style=\"--x:" PERCENT ";--m:" PERCENT "\"%s>", class_of(e->protocol), shape, west,
               meaning.len ? " e" : "", PERCENT_ARG(x), PERCENT_ARG(text_x), meaning.len ? " tabindex=\"0\"" : "");
    buf_format(out, "<span class=\"t\"><time>%s</time><code>", time);
    put_escaped(out, row->text);
    buf_put(out, S("</code></span>"));
    if (left != right)
        buf_format(out, "<div class=\"a\"><s style=\"left:" PERCENT ";width:" PERCENT "\"></s></div>", PERCENT_ARG(x),
                   PERCENT_ARG(lane(p, right) - x));
    if (meaning.len) {
        buf_put(out, S("<div class=\"x\" role=\"note\">"));
        put_escaped(out, meaning);
        buf_put(out, S("</div>"));
    }
    buf_put(out, S("</li>\n"));
}

static void put_ladder(buf *out, const story_picture *p, bool korean)
{
    buf_put(out, S("<main>\n"));
    put_names(out, p);
    buf_put(out, S("<div class=\"ladder\"><div class=\"lanes\">"));
    for (int i = 0; i < p->host_count; i++)
        buf_format(out, "<i style=\"left:" PERCENT "\"></i>", PERCENT_ARG(lane(p, i)));
    buf_put(out, S("</div>\n<ol>\n"));
    for (int i = 0; i < p->row_count; i++)
        put_row(out, p, &p->rows[i], korean);
    buf_put(out, S("</ol></div>\n</main>\n"));
}

void story_html(const story_event *events, int count, str lang, str title, buf *out)
{
    bool korean = str_eq(lang, S("ko"));
    lang = korean ? S("ko") : S("en");
    arena a = arena_make(64 << 20);
    story_picture p;
    const char *protocols[PROTOCOLS_MAX];
    if (story_picture_make(events, count, &a, &p)) {
        int protocol_count = protocols_of(&p, protocols);
        put_head(out, protocols, protocol_count, lang, title);
        if (p.row_count) {
            put_intro(out, &p, protocols, protocol_count, title, korean);
            put_ladder(out, &p, korean);
        } else {
            buf_put(out, korean ? S("<p>기록된 메시지가 없습니다.</p>\n") : S("<p>No messages were recorded.</p>\n"));
        }
        buf_format(out, "<footer class=\"dim\">naru %s</footer>\n</body>\n</html>\n", NARU_VERSION);
    }
    arena_free(&a);
}
