#include "case.h"

#include <string.h>

#include "base/hex.h"

enum { FIELDS_AT_ONCE = 8, STALLED_S = 60 };

typedef struct {
    str    file;
    int    line;
    arena *memory;
    str   *why;
    bool   bad;
} reading;

static void complain(reading *r, const char *what, str at)
{
    if (!r->bad)
        *r->why = str_format(r->memory, STR_FMT ":%d: %s: " STR_FMT, STR_ARG(r->file), r->line, what, STR_ARG(at));
    r->bad = true;
}

unsigned char case_pattern(int64_t at)
{
    return (unsigned char)('!' + (at * 7 + at / 94 * 3 + at / 65536) % 94);
}

int64_t case_waits_s(const edge_case *c)
{
    int64_t all = 0;
    for (int i = 0; i < c->count; i++) {
        const case_step *s = &c->steps[i];
        all += s->wait_s + (s->slow_ms > 1000 ? s->slow_ms / 1000 : 0) + (s->stall >= 0 ? STALLED_S : 0);
    }
    return all;
}

// ---- words ------------------------------------------------------------------------------------------------------------------

static bool is_escape_hex(str rest)
{
    return rest.len >= 4 && rest.at[1] == 'x' && hex_digit(rest.at[2]) >= 0 && hex_digit(rest.at[3]) >= 0;
}

// What stands behind a backslash; *used: of the bytes of `rest`, backslash included. -1: nothing that we know.
static int escape_read(str rest, int *used)
{
    static const char names[] = "rnt0\\\"", values[] = "\r\n\t\0\\\"";
    const char *found = rest.len > 1 && rest.at[1] ? strchr(names, rest.at[1]) : NULL;
    *used = 2;
    if (found)
        return (unsigned char)values[found - names];
    *used = 4;
    return is_escape_hex(rest) ? hex_digit(rest.at[2]) * 16 + hex_digit(rest.at[3]) : -1;
}

// "text": \r \n \t \0 \\ \" \xHH, and \{N} repeats the byte before it until there are N of it.
static str quoted_read(reading *r, str *line)
{
    buf out = buf_make(CASE_TEXT_BYTES_MAX);
    str rest = str_from(*line, 1);
    while (rest.len && rest.at[0] != '"') {
        int used = 1, byte = rest.at[0];
        if (rest.len > 2 && byte == '\\' && rest.at[1] == '{') {
            str number = str_from(rest, 2), digits = str_cut(&number, '}');
            uint64_t n = 0;
            if (!str_to_u64(digits, &n) || n > CASE_TEXT_BYTES_MAX || !out.len)
                complain(r, "\\{N} repeats what stands before it", *line);
            for (uint64_t i = 1; i < n && out.len; i++)
                buf_put_byte(&out, out.at[out.len - 1]);
            rest = number;
            continue;
        }
        if (byte == '\\')
            byte = escape_read(rest, &used);
        if (byte < 0) {
            complain(r, "an unknown escape", rest);
            break;
        }
        buf_put_byte(&out, (unsigned char)byte);
        rest = str_from(rest, used);
    }
    if (!rest.len || out.full)
        complain(r, "a text without its end", *line);
    *line = str_from(rest, 1);
    str text = str_copy(r->memory, buf_str(&out));
    buf_free(&out);
    return text;
}

// The next word, or quoted text (*quoted).
static str word_read(reading *r, str *line, bool *quoted)
{
    *line = str_trim(*line);
    *quoted = str_starts(*line, S("\""));
    return *quoted ? quoted_read(r, line) : str_word(line);
}

static int64_t number_read(reading *r, str *line)
{
    bool quoted;
    uint64_t n = 0;
    str word = word_read(r, line, &quoted);
    if (quoted || !str_to_u64(word, &n) || n > INT64_MAX / 2)
        complain(r, "not a number", word);
    return (int64_t)n;
}

// "A-B" and "A..B"; "A" alone is A..A.
static void span_read(reading *r, str word, str between, int64_t *first, int64_t *last)
{
    uint64_t a = 0, b = 0;
    ptrdiff_t at = str_find_str(word, between);
    str left = at < 0 ? word : str_first(word, at), right = at < 0 ? word : str_from(word, at + between.len);
    if (!str_to_u64(left, &a) || !str_to_u64(right, &b) || b < a)
        complain(r, "not a span of numbers", word);
    *first = (int64_t)a, *last = (int64_t)b;
}

// ---- steps ------------------------------------------------------------------------------------------------------------------

static bool flag_read(case_step *s, str word)
{
    const struct { const char *name; bool *to; } flags[] = {
        {"chunked", &s->chunked}, {"close", &s->close}, {"no-date", &s->no_date}, {"http/1.0", &s->http_1_0}, {"broken", &s->broken},
    };
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++)
        if (str_eq(word, str_z(flags[i].name)))
            return *flags[i].to = true;
    return false;
}

static bool figure_read(reading *r, case_step *s, str word, str *line)
{
    const struct { const char *name; int64_t *to; } figures[] = {
        {"length", &s->length}, {"die", &s->die}, {"stall", &s->stall}, {"slow", &s->slow_ms},
    };
    for (size_t i = 0; i < sizeof figures / sizeof *figures; i++)
        if (str_eq(word, str_z(figures[i].name))) {
            *figures[i].to = number_read(r, line);
            return true;
        }
    if (str_eq(word, S("times")))
        s->times = (int)number_read(r, line);
    return str_eq(word, S("times"));
}

static void options_read(reading *r, case_step *s, str line)
{
    bool quoted;
    for (str word; (word = word_read(r, &line, &quoted)).len || quoted; ) {
        bool is_bytes = !quoted && str_eq(word, S("bytes")), is_parts = !quoted && str_eq(word, S("parts"));
        if (quoted)
            s->body = word, s->has_body = true;
        else if (is_bytes && s->act == ACT_SEEN)
            span_read(r, word_read(r, &line, &quoted), S("-"), &s->first, &s->last);
        else if (is_bytes)
            s->bytes = number_read(r, &line);
        else if (is_parts)
            s->parts = word_read(r, &line, &quoted);
        else if (!flag_read(s, word) && !figure_read(r, s, word, &line))
            complain(r, "an unknown word", word);
        if (r->bad)
            return;
    }
}

static void status_read(reading *r, case_step *s, str line)
{
    bool quoted;
    str word = word_read(r, &line, &quoted);
    uint64_t status = 0;
    if (str_eq(word, S("raw"))) {
        s->raw = true;
        s->body = word_read(r, &line, &quoted);
    } else if (str_eq(word, S("nothing"))) {
        s->nothing = true;
    } else if (!str_to_u64(word, &status) || status < 100 || status > 999) {
        complain(r, "not a status", word);
    }
    s->status = (int)status;
    options_read(r, s, line);
}

static void client_read(reading *r, case_step *s, str line)
{
    bool quoted;
    s->method = word_read(r, &line, &quoted);
    if (str_eq(s->method, S("raw"))) {
        s->raw = true;
        s->body = word_read(r, &line, &quoted);
        if (!quoted)
            complain(r, "raw bytes stand in quotes", s->body);
    } else {
        s->target = word_read(r, &line, &quoted);
        if (!s->target.len)
            complain(r, "a client asks for a METHOD and a TARGET", line);
    }
    options_read(r, s, line);
}

static void origin_read(reading *r, case_step *s, str line)
{
    s->method = str_word(&line);
    s->target = str_word(&line);
    if (str_eq(s->method, S("away")) || str_eq(s->method, S("back")))
        s->act = str_eq(s->method, S("away")) ? ACT_AWAY : ACT_BACK;
    options_read(r, s, line);
}

static void purge_read(case_step *s, str verb, str line)
{
    s->soft = str_starts(verb, S("soft-"));
    s->by_tag = str_ends(verb, S("-tag"));
    s->target = str_trim(line);
}

static const struct { const char *verb; case_act act; } verbs[] = {
    {"client", ACT_CLIENT}, {"origin", ACT_ORIGIN}, {"answer", ACT_ANSWER}, {"seen", ACT_SEEN}, {"closed", ACT_CLOSED}, {"open", ACT_OPEN},
    {"wait", ACT_WAIT}, {"serve", ACT_SERVE}, {"asked", ACT_ASKED}, {"sent", ACT_SENT}, {"purge", ACT_PURGE}, {"purge-tag", ACT_PURGE},
    {"soft-purge", ACT_PURGE}, {"soft-purge-tag", ACT_PURGE},
};

static void step_read(reading *r, case_step *s, str line)
{
    str verb = str_word(&line);
    bool known = false;
    *s = (case_step){.line = r->line, .times = 1, .bytes = -1, .first = -1, .last = -1, .length = -1, .die = -1, .stall = -1,
                     .slow_ms = -1};
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs && !known; i++)
        if ((known = str_eq(verb, str_z(verbs[i].verb))))
            s->act = verbs[i].act;
    if (!known)
        complain(r, "no such verb", verb);
    switch (s->act) {
    case ACT_CLIENT: client_read(r, s, line); break;
    case ACT_ORIGIN: origin_read(r, s, line); break;
    case ACT_ANSWER: case ACT_SEEN: status_read(r, s, line); break;
    case ACT_WAIT: s->wait_s = number_read(r, &line); break;
    case ACT_SERVE: s->bytes = number_read(r, &line); break;
    case ACT_ASKED: case ACT_SENT: span_read(r, str_trim(line), S(".."), &s->first, &s->last); break;
    case ACT_PURGE: purge_read(s, verb, line); break;
    default: break;
    }
}

// A field may be written as it is sent, or in quotes where it has blanks or bytes of its own: "X-Odd" stands as "X-Odd: a\x01".
static void field_read(reading *r, case_step *s, str line)
{
    bool quoted = str_starts(line, S("\""));
    str text = quoted ? quoted_read(r, &line) : line, name = str_cut(&text, ':');
    if (s->field_count == CASE_FIELDS_MAX || !name.len) {
        complain(r, "not a field, or too many", line);
        return;
    }
    if (s->field_count % FIELDS_AT_ONCE == 0) {
        case_field *more = arena_array(r->memory, case_field, s->field_count + FIELDS_AT_ONCE);
        if (!more)
            return;
        if (s->field_count)
            memcpy(more, s->fields, (size_t)s->field_count * sizeof *more);
        s->fields = more;
    }
    s->fields[s->field_count++] = (case_field){name, str_trim(text)};
}

static void case_begin(reading *r, edge_case *c, str line)
{
    str rest = line, name = str_trim(str_cut(&rest, '|')), section = str_trim(str_cut(&rest, '|'));
    *c = (edge_case){.file = r->file, .line = r->line, .name = name, .section = section, .about = str_trim(rest)};
    c->steps = arena_array(r->memory, case_step, CASE_STEPS_MAX);
    if (!name.len || !section.len || !c->about.len)
        complain(r, "case NAME | SECTION | what must hold", line);
}

static void line_read(reading *r, str line, edge_case *out, int *count)
{
    bool inner = line.len && line.at[0] == ' ';
    line = str_trim(line);
    if (!line.len || line.at[0] == '#')
        return;
    edge_case *c = *count ? &out[*count - 1] : NULL;
    if (str_starts(line, S("case ")) && !inner) {
        if (*count == CASES_MAX)
            complain(r, "too many cases", line);
        else
            case_begin(r, &out[(*count)++], str_from(line, 5));
    } else if (!c || (inner && !c->count)) {
        complain(r, "no case has begun", line);
    } else if (inner) {
        field_read(r, &c->steps[c->count - 1], line);
    } else if (str_starts(line, S("config "))) {
        c->site_settings = str_join(r->memory, str_join(r->memory, c->site_settings, S("; ")), str_from(line, 7));
    } else if (str_starts(line, S("config-edge "))) {
        c->edge_settings = str_join(r->memory, str_join(r->memory, c->edge_settings, S("; ")), str_from(line, 12));
    } else if (c->count == CASE_STEPS_MAX) {
        complain(r, "too many steps", line);
    } else {
        step_read(r, &c->steps[c->count++], line);
    }
}

bool cases_read(str file, str text, arena *a, edge_case *out, int *count, str *why)
{
    reading r = {.file = file, .memory = a, .why = why};
    while (text.len && !r.bad) {
        r.line++;
        line_read(&r, str_cut(&text, '\n'), out, count);
    }
    return !r.bad && !a->full;
}
