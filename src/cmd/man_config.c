// naru.conf(5), in English and Korean, from the schema that checks the file.
#include "cmd/man.h"
#include "cmd/roff.h"
#include "cmd/schema.h"
#include "cmd/setting_text.h"

typedef struct { buf *out; bool korean; } page;

static const char *say(const page *p, const char *english, const char *korean) { return p->korean ? korean : english; }

static void put_line(const page *p, const char *english, const char *korean)
{
    roff_put_z(p->out, say(p, english, korean));
    buf_put_byte(p->out, '\n');
}

// What follows the explanation: "Default: 25MB. May stand several times."
static void put_marks(const page *p, const setting *s)
{
    if (s->fallback) {
        roff_put_z(p->out, say(p, "Default: ", "기본값: "));
        roff_put_z(p->out, *s->fallback ? s->fallback : "\"\"");
        buf_put(p->out, S(".\n"));
    }
    if (s->repeated)
        put_line(p, "May stand several times.", "여러 번 쓸 수 있다.");
    if (s->reloadable)
        put_line(p, "Taken over by `naru reload`.", "`naru reload` 로 바뀐다.");
}

static void put_setting(const page *p, const setting *s)
{
    buf_put(p->out, S(".TP\n\\fB"));
    roff_put_z(p->out, s->key);
    buf_put(p->out, S("\\fR \\fI"));
    roff_put_z(p->out, setting_type_text(s));
    buf_put(p->out, S("\\fR\n"));
    roff_put_z(p->out, setting_help(s, p->korean));
    buf_put(p->out, S(".\n"));
    put_marks(p, s);
}

static void put_settings(const page *p, const setting *s, int depth)
{
    for (; s && s->key && depth <= CONFIG_DEPTH_MAX; s++) {
        put_setting(p, s);
        if (!s->block || !s->block->key)
            continue;
        buf_put(p->out, S(".RS\n"));
        put_settings(p, s->block, depth + 1);
        buf_put(p->out, S(".RE\n"));
    }
}

static void put_values(const page *p)
{
    static const struct { const char *type, *form; } values[] = {
        {"on|off", "on off yes no true false"},       {"number", "20"},
        {"text, words", "two \"two words\""},         {"size", "25MB (10^6), 64KiB (2^10)"},
        {"time", "250ms 30s 5m 4h 5d 1h30m"},         {"rate", "300kbit 2Mbit"},
        {"address", "192.0.2.1 192.0.2.1:53 [::1]:53"}, {"prefix", "10.0.0.0/8"},
    };
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        buf_put(p->out, S(".TP\n\\fI"));
        roff_put_z(p->out, values[i].type);
        buf_put(p->out, S("\\fR\n"));
        roff_put_z(p->out, values[i].form);
        buf_put_byte(p->out, '\n');
    }
}

static void put_heading(const page *p, const char *english, const char *korean)
{
    buf_put(p->out, S(".SH "));
    put_line(p, english, korean);
}

void man_config(buf *out, bool korean)
{
    page p = {out, korean};
    put_heading(&p, "NAME", "이름");
    buf_put(out, S("naru.conf \\- "));
    put_line(&p, "the configuration of naru", "naru 의 설정");
    put_heading(&p, "DESCRIPTION", "설명");
    put_line(&p, "A statement is a word and its values; it ends with its line or with a semicolon. A block of statements stands "
                 "in braces, the opening one on the line of its name. A # at the beginning of a word starts a comment. Words "
                 "with blanks stand in quotes. `include PATH` is replaced by that file's statements. A secret may stand in a "
                 "file of its own: file:PATH.",
             "문장은 낱말 하나와 그 값들이고, 줄이나 세미콜론에서 끝난다. 문장의 블록은 중괄호 안에 쓰고 여는 괄호는 이름과 같은 "
             "줄에 쓴다. 낱말의 처음에 오는 # 부터는 주석이다. 빈칸이 있는 값은 따옴표 안에 쓴다. `include 경로` 자리에는 그 "
             "파일의 문장들이 들어간다. 비밀은 따로 둔 파일에서 읽을 수 있다: file:경로.");
    buf_put(out, S(".PP\n"));
    put_line(&p, "`naru config check FILE` says line and column of a mistake, `naru config fmt FILE` puts a file into its "
                 "canonical form.",
             "`naru config check 파일` 은 틀린 곳의 줄과 칸을 말하고, `naru config fmt 파일` 은 표준 꼴로 바꾼다.");
    put_heading(&p, "VALUES", "값");
    put_values(&p);
    put_heading(&p, "SETTINGS", "설정");
    put_settings(&p, schema_whole(), 0);
    put_heading(&p, "SEE ALSO", "참고");
    buf_put(out, S(".BR naru (1),\n.BR naru\\-config (1),\n.BR naru\\-up (1)\n"));
}
