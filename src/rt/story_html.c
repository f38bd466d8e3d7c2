#include <string.h>

#include "base/date.h"
#include "rt/story_rows.h"

// One page without scripts and without anything from elsewhere. A row is its text and, under it, an arrow between two
// lanes; positions are percentages, so the same page fits a phone. What a line means stands in a bubble that shows when
// the row is hovered over or tapped (focused). Protocols are shown and hidden by check boxes and CSS alone.
static const char style[] =
    ":root{--bg:#fdfdfb;--fg:#1d2430;--dim:#6b7480;--lane:#d4d8de;--box:#fff;--edge:#c5ccd6;"
    "--dns:#0b7285;--smtp:#2b7a2b;--lmtp:#9a6700;--pop3:#8b3aa8;--disk:#2f5fc4;--http:#b3341f;--other:#5b6470}\n"
    "@media(prefers-color-scheme:dark){:root{--bg:#12161c;--fg:#e4e8ee;--dim:#96a0ad;--lane:#2e3742;--box:#1b222b;--edge:#3d4855;"
    "--dns:#4cc9dc;--smtp:#6fd06f;--lmtp:#e0b050;--pop3:#d08cf0;--disk:#84abff;--http:#ff8a70;--other:#a9b3bf}}\n"
    "*{box-sizing:border-box}\n"
    "body{margin:0 auto;padding:1rem;max-width:70rem;background:var(--bg);color:var(--fg);"
    "font:16px/1.5 system-ui,-apple-system,'Noto Sans KR','Apple SD Gothic Neo','Malgun Gothic',sans-serif}\n"
    "h1{font-size:1.35rem;margin:.2rem 0;overflow-wrap:anywhere;word-break:keep-all}p{margin:.3rem 0;word-break:keep-all}"
    ".dim,time{color:var(--dim)}\n"
    "input.f{position:absolute;opacity:0;width:1px;height:1px}\n"
    ".chips{display:flex;flex-wrap:wrap;gap:.4rem;margin:.8rem 0}\n"
    ".chips label{border:1.5px solid var(--c);color:var(--c);border-radius:1rem;padding:.1rem .7rem;font-size:.85rem;cursor:pointer}\n"
    "main{position:relative;padding:0 .5rem}\n"
    ".names{position:sticky;top:0;z-index:3;background:var(--bg);padding:.3rem 0 .2rem;font-weight:600;font-size:.85rem;"
    "border-bottom:1px solid var(--edge)}\n"
    ".names div{position:relative;height:1.35rem}\n"
    ".names b{position:absolute;top:0;white-space:nowrap}\n"
    ".names i,.lanes i{position:absolute;top:0;bottom:0;border-left:1.5px solid var(--lane)}\n"
    ".ladder{position:relative;padding:.4rem 0 1rem}.lanes{position:absolute;inset:0}\n"
    "ol{list-style:none;margin:0;padding:0;position:relative}\n"
    "li{position:relative;padding:.18rem 0 .1rem;outline:0;--c:var(--other)}\n"
    "li:hover,li:focus{background:color-mix(in srgb,var(--c) 9%,transparent)}\n"
    "li.e{cursor:help}li.e code{text-decoration:underline dotted;text-decoration-color:var(--dim);text-underline-offset:.2em}\n"
    ".t{display:block;width:max-content;max-width:calc(100% - var(--m) - .6rem);margin-left:calc(var(--m) + .6rem);"
    "background:var(--bg);padding:0 .25rem;border-radius:.2rem}\n"
    "code{color:var(--c);font:.86rem/1.4 ui-monospace,SFMono-Regular,Menlo,Consolas,'Noto Sans Mono CJK KR',monospace;"
    "overflow-wrap:anywhere}\n"
    "time{font-size:.72rem;margin-right:.35rem;white-space:nowrap}\n"
    ".a{position:relative;height:.8rem}\n"
    ".a s{position:absolute;top:.38rem;border-top:2px solid var(--c)}\n"
    ".a s:after{content:'';position:absolute;top:-5.5px;border:4.5px solid transparent}\n"
    ".r s:after{right:0;border-left:8px solid var(--c);border-right:0}.l s:after{left:0;border-right:8px solid var(--c);border-left:0}\n"
    ".n:before{content:'';position:absolute;left:var(--x);top:.62rem;width:.6rem;height:.6rem;margin-left:-.27rem;background:var(--c);"
    "transform:rotate(45deg)}.n.i:before{border-radius:50%;background:var(--bg);border:2px solid var(--c)}\n"
    ".w .t{margin-left:auto;margin-right:calc(100% - var(--x) + .7rem);max-width:calc(var(--x) - .7rem)}\n"
    ".x{display:none;position:absolute;z-index:4;left:min(calc(var(--m) + .6rem),12%);right:0;top:100%;max-width:34rem;"
    "background:var(--box);color:var(--fg);border:1px solid var(--edge);border-left:4px solid var(--c);border-radius:.4rem;"
    "padding:.45rem .7rem;font-size:.9rem;box-shadow:0 4px 14px #0003}\n"
    "li:hover .x,li:focus .x{display:block}\n"
    "footer{margin-top:1.5rem;font-size:.8rem}\n"
    "@media(max-width:40rem){body{padding:.6rem}.t{margin-left:calc(min(var(--m),14%) + .6rem);max-width:calc(86% - .6rem)}"
    ".n:not(.w) .t{margin-left:calc(var(--m) + .7rem);max-width:calc(100% - var(--m) - .7rem)}"
    "code{font-size:.8rem}.names{font-size:.75rem}}\n"
    "@media print{.names{position:static}.x{display:block;position:static;box-shadow:none}}\n";

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
    buf_format(out, "</title>\n<style>\n%s", style);
    for (int i = 0; i < count; i++)
        buf_format(out, ".%s{--c:var(--%s)!important}#show-%s:not(:checked)~main .%s{display:none}"
                   "#show-%s:not(:checked)~.chips .%s{opacity:.4;text-decoration:line-through}"
                   "#show-%s:focus-visible~.chips .%s{outline:2px solid var(--fg)}\n",
                   protocols[i], has_colour(protocols[i]) ? protocols[i] : "other", protocols[i], protocols[i], protocols[i],
                   protocols[i], protocols[i], protocols[i]);
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
                        : S("<p>Hover over an underlined line, or tap it, to see what it means. The buttons hide and show protocols.</p>\n"));
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
            buf_format(out, "<i style=\"left:" PERCENT "\"></i><b style=\"right:" PERCENT ";padding-right:.3rem\">", PERCENT_ARG(x),
                       PERCENT_ARG(ALL - x));
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
    buf_format(out, "<li class=\"%s %s%s%s\" style=\"--x:" PERCENT ";--m:" PERCENT "\"%s><span class=\"t\"><time>%s</time><code>",
               class_of(e->protocol), shape, west, meaning.len ? " e" : "", PERCENT_ARG(x), PERCENT_ARG(x < MIDDLE ? x : MIDDLE),
               meaning.len ? " tabindex=\"0\"" : "", time);
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
