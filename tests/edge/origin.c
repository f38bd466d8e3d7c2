#include "origin.h"

#include <inttypes.h>

#include "base/date.h"
#include "base/must.h"
#include "wire/http/chunked.h"
#include "wire/http/conditional.h"
#include "wire/http/range.h"

enum {
    PIECE_BYTES = 8 * 1024, REQUEST_MEMORY_BYTES = 8 << 20, HEAD_BYTES_MAX = 256 * 1024, LINE_BYTES_MAX = 64 * 1024,
    STALL_S = 900, REQUEST_BODY_BYTES_MAX = 4 << 20, CHUNK_BYTES = 7,
};

// ---- values -----------------------------------------------------------------------------------------------------------------

// "{now-5}": a date; "{host}", "{origin}". What is in no braces stays.
static str insert_of(const edge_stage *s, int64_t start_s, str name, arena *a)
{
    bool now = str_starts(name, S("now"));
    int64_t from = now ? world_wall_s(world_here()) : start_s, off = 0;
    if (str_eq(name, S("host")))
        return s->host;
    if (str_eq(name, S("origin")))
        return addr_text(a, s->origin_at);
    str rest = str_from(name, now ? 3 : 5);
    bool plus = str_starts(rest, S("+"));
    must((now || str_starts(name, S("start"))) && (!rest.len || str_to_i64(str_from(rest, plus), &off)));
    char text[DATE_TEXT_MAX];
    date_print_http(text, from + off);
    return str_copy(a, str_z(text));
}

str case_expand(const edge_stage *s, int64_t start_s, str value, arena *a)
{
    str out = {0};
    if (str_find(value, '{') < 0)
        return value;
    while (value.len) {
        ptrdiff_t open = str_find(value, '{');
        out = str_join(a, out, open < 0 ? value : str_first(value, open));
        if (open < 0)
            break;
        value = str_from(value, open + 1);
        out = str_join(a, out, insert_of(s, start_s, str_cut(&value, '}'), a));
    }
    return out;
}

static bool glob(str pattern, str text)
{
    while (pattern.len && pattern.at[0] != '*') {
        if (!text.len || text.at[0] != pattern.at[0])
            return false;
        pattern = str_from(pattern, 1), text = str_from(text, 1);
    }
    if (!pattern.len)
        return !text.len;
    pattern = str_from(pattern, 1);
    for (ptrdiff_t i = 0; i <= text.len; i++)
        if (glob(pattern, str_from(text, i)))
            return true;
    return false;
}

static bool between(str pattern, str text, bool *is_span)
{
    uint64_t a, b, n;
    ptrdiff_t dots = str_find_str(pattern, S(".."));
    *is_span = dots > 0 && str_to_u64(str_first(pattern, dots), &a) && str_to_u64(str_from(pattern, dots + 2), &b);
    return *is_span && str_to_u64(text, &n) && a <= n && n <= b;
}

bool case_field_fits(const edge_stage *s, int64_t start_s, const case_field *want, const http_header *headers, int count,
                     arena *a, str *got)
{
    str value = case_expand(s, start_s, want->value, a);
    bool there = false, is_span;
    *got = (str){0};
    for (int i = 0; i < count; i++)
        if (str_eq_nocase(headers[i].name, want->name)) {
            *got = there ? str_join(a, str_join(a, *got, S(", ")), headers[i].value) : headers[i].value;
            there = true;
        }
    if (!there)
        *got = S("(absent)");
    if (str_eq(value, S("absent")) || str_eq(value, S("present")))
        return there == str_eq(value, S("present"));
    if (str_starts(value, S("= ")))
        return there && str_eq(*got, str_from(value, 2));
    bool fits = between(value, *got, &is_span);
    return there && (is_span ? fits : glob(value, *got));
}

static bool given(const case_step *s, str name)
{
    for (int i = 0; i < s->field_count; i++)
        if (str_eq_nocase(s->fields[i].name, name))
            return true;
    return false;
}

// ---- what it is asked -------------------------------------------------------------------------------------------------------

typedef struct {
    case_origin     *o;
    conn            *c;
    arena            memory;
    http_head_reader in;
    str              body;
    bool             ends;                   // the connection, after this answer
} exchange;

static void wrong(case_origin *o, int line, str why)
{
    if (!o->why.len) {
        o->why = str_copy(o->memory, why);
        o->why_line = line;
    }
}

static bool request_head_read(exchange *t)
{
    http_request_begin(&t->in);
    if (conn_wait_input(t->c, NEVER_NS) != E_OK)
        return false;
    while (t->in.state == HTTP_HEAD_MORE) {
        str line = conn_line(t->c, &t->memory, LINE_BYTES_MAX);
        if (!line.len)
            return false;
        http_head_line(&t->in, line);
    }
    if (t->in.state == HTTP_HEAD_BAD)
        wrong(t->o, t->o->playing->line, str_format(&t->memory, "the origin was sent what is no request: %s", t->in.why));
    return t->in.state == HTTP_HEAD_DONE;
}

static bool request_body_read(exchange *t)
{
    chunked coding = {0};
    buf whole = buf_make(REQUEST_BODY_BYTES_MAX);
    const http_head *h = &t->in.head;
    int64_t left = h->body == HTTP_BODY_LENGTH ? h->body_bytes : h->body == HTTP_BODY_NONE ? 0 : INT64_MAX;
    while (left && coding.state < CHUNK_DONE && !whole.full) {
        str there = conn_some(t->c), rest = there;
        if (!there.len)
            break;
        if (h->body == HTTP_BODY_CHUNKED) {
            while (rest.len && coding.state < CHUNK_DONE)
                buf_put(&whole, chunked_next(&coding, &rest));
        } else {
            str piece = str_first(rest, rest.len < left ? rest.len : (ptrdiff_t)left);
            buf_put(&whole, piece);
            rest = str_from(rest, piece.len);
            left -= piece.len;
        }
        conn_used(t->c, (size_t)(there.len - rest.len));
    }
    t->body = str_copy(&t->memory, buf_str(&whole));
    buf_free(&whole);
    return h->body == HTTP_BODY_CHUNKED ? coding.state == CHUNK_DONE : left == 0;
}

static void want_check(exchange *t, const case_step *want)
{
    const http_head *h = &t->in.head;
    case_origin *o = t->o;
    str target = case_expand(o->stage, o->start_s, want->target, &t->memory);
    if (want->method.len && (!str_eq(want->method, h->method) || !str_eq(target, h->target)))
        wrong(o, want->line, str_format(&t->memory, "the origin is asked \"" STR_FMT " " STR_FMT "\"", STR_ARG(h->method),
                                        STR_ARG(h->target)));
    if (want->has_body && !str_eq(want->body, t->body))
        wrong(o, want->line, str_format(&t->memory, "the origin is sent the body \"" STR_FMT "\"", STR_ARG(t->body)));
    for (int i = 0; i < want->field_count; i++) {
        str got;
        if (!case_field_fits(o->stage, o->start_s, &want->fields[i], h->headers, h->header_count, &t->memory, &got))
            wrong(o, want->line, str_format(&t->memory, "the origin is asked with \"" STR_FMT ": " STR_FMT "\", not " STR_FMT,
                                            STR_ARG(want->fields[i].name), STR_ARG(got), STR_ARG(want->fields[i].value)));
    }
}

// ---- what it answers --------------------------------------------------------------------------------------------------------

static void fields_put(exchange *t, const case_step *give)
{
    case_origin *o = t->o;
    if (!give->no_date && !given(give, S("Date"))) {
        char text[DATE_TEXT_MAX];
        date_print_http(text, world_wall_s(world_here()));
        conn_format(t->c, "Date: %s\r\n", text);
    }
    for (int i = 0; i < give->field_count; i++) {
        conn_put(t->c, give->fields[i].name);
        conn_put(t->c, S(": "));
        conn_put(t->c, case_expand(o->stage, o->start_s, give->fields[i].value, &t->memory));
        conn_put(t->c, S("\r\n"));
    }
}

// A body of text or of the pattern: bytes first..first+length-1.
typedef struct { str text; int64_t first, length; } body_of;

static void body_put(exchange *t, const body_of *b, int64_t from, int64_t count, bool in_chunks)
{
    unsigned char piece[PIECE_BYTES];
    int64_t step = in_chunks && b->text.at ? CHUNK_BYTES : PIECE_BYTES;
    for (int64_t done = 0; done < count && !t->c->error; ) {
        int64_t n = count - done < step ? count - done : step;
        for (int64_t i = 0; i < n; i++)
            piece[i] = b->text.at ? b->text.at[from + done + i] : case_pattern(b->first + from + done + i);
        if (in_chunks)
            conn_format(t->c, "%" PRIx64 "\r\n", (uint64_t)n);
        conn_put(t->c, str_of(piece, (size_t)n));
        if (in_chunks)
            conn_put(t->c, S("\r\n"));
        done += n;
        t->o->sent_bytes += n;
    }
}

// The body, as far as the case lets it come.
static void body_give(exchange *t, const case_step *give, const body_of *b)
{
    int64_t end = give->die >= 0 ? give->die : give->stall >= 0 ? give->stall : b->length;
    body_put(t, b, 0, end < b->length ? end : b->length, give->chunked);
    conn_flush(t->c);
    if (give->die >= 0) {
        t->ends = true;
    } else if (give->stall >= 0) {
        conn_deadline(t->c, seconds(STALL_S));
        conn_wait_input(t->c, NEVER_NS);         // until the edge has enough of it
        t->o->left_alone += !t->c->error || t->c->error == E_RESET;
        t->ends = true;
    } else if (give->chunked) {
        conn_put(t->c, S("0\r\n\r\n"));
    }
}

static void answer_give(exchange *t, const case_step *give)
{
    body_of b = {give->body, 0, give->has_body ? give->body.len : give->bytes >= 0 ? give->bytes : 0};
    bool bodiless = give->status == 204 || give->status == 304 || give->status < 200;
    if (give->bytes >= 0)
        b.text = (str){0};
    if (give->slow_ms > 0)
        fiber_sleep(millis(give->slow_ms));
    t->ends = give->close || give->raw || give->nothing || !t->in.head.keep_alive;
    if (give->raw)
        conn_put(t->c, case_expand(t->o->stage, t->o->start_s, give->body, &t->memory));
    if (give->raw || give->nothing)
        return;
    conn_format(t->c, "HTTP/1.%d %d It Is So\r\n", !give->http_1_0, give->status);
    fields_put(t, give);
    if (give->length >= 0)
        conn_format(t->c, "Content-Length: %" PRId64 "\r\n", give->length);
    else if (give->chunked)
        conn_put(t->c, S("Transfer-Encoding: chunked\r\n"));
    else if (!give->close && !bodiless && !given(give, S("Content-Length")))
        conn_format(t->c, "Content-Length: %" PRId64 "\r\n", b.length);
    conn_put(t->c, give->close ? S("Connection: close\r\n\r\n") : S("\r\n"));
    if (!bodiless && !str_eq(t->in.head.method, S("HEAD")))
        body_give(t, give, &b);
    if (give->length > b.length)
        t->ends = true;
}

// An object of its own, with ranges and conditions as an honest origin has them.
static void object_give(exchange *t, const case_step *give)
{
    const http_head *h = &t->in.head;
    http_header fields[CASE_FIELDS_MAX];
    byte_range parts[RANGE_PARTS_MAX];
    int count = 0;
    if (give->slow_ms > 0)
        fiber_sleep(millis(give->slow_ms));
    for (int i = 0; i < give->field_count; i++)
        fields[i] = (http_header){give->fields[i].name, case_expand(t->o->stage, t->o->start_s, give->fields[i].value, &t->memory)};
    validators v = validators_of(fields, give->field_count);
    int status = conditions_judge(h->method, h->headers, h->header_count, &v);
    byte_range part = {0, give->bytes - 1};
    bool get = str_eq(h->method, S("GET")), in_part = false;
    if (!status && get && condition_if_range(h->headers, h->header_count, &v)) {
        range_verdict r = range_read(http_header_find(h->headers, h->header_count, S("Range")), give->bytes, parts, &count);
        in_part = r == RANGE_PARTS && count == 1;
        status = r == RANGE_UNSATISFIABLE ? 416 : 0;
        part = in_part ? parts[0] : part;
    }
    conn_format(t->c, "HTTP/1.1 %d Object\r\nAccept-Ranges: bytes\r\n", status ? status : in_part ? 206 : 200);
    fields_put(t, give);
    if (in_part)
        conn_format(t->c, "Content-Range: bytes %" PRId64 "-%" PRId64 "/%" PRId64 "\r\n", part.first, part.last, give->bytes);
    else if (status == 416)
        conn_format(t->c, "Content-Range: bytes */%" PRId64 "\r\n", give->bytes);
    int64_t length = status ? 0 : part.last - part.first + 1;
    if (status != 304)
        conn_format(t->c, "Content-Length: %" PRId64 "\r\n", length);
    conn_put(t->c, S("\r\n"));
    body_of b = {.first = part.first, .length = length};
    if (get && !status)
        body_give(t, give, &b);
    if (give->die >= 0 || give->stall >= 0)
        t->ends = true;
}

static void exchange_play(exchange *t)
{
    case_origin *o = t->o;
    const http_head *h = &t->in.head;
    o->asked++;
    if (o->next < o->count) {
        origin_turn now = o->turns[o->next++];
        if (now.want)
            want_check(t, now.want);
        answer_give(t, now.give);
    } else if (o->serving) {
        object_give(t, o->serving);
    } else {
        wrong(o, 0, str_format(&t->memory, "the origin is asked once more: " STR_FMT " " STR_FMT, STR_ARG(h->method), STR_ARG(h->target)));
        conn_put(t->c, S("HTTP/1.1 500 Not In The Script\r\nContent-Length: 0\r\nCache-Control: no-store\r\n\r\n"));
    }
    conn_flush(t->c);
}

static void origin_serve(conn *c, void *arg)
{
    for (bool goes_on = true; goes_on; ) {
        exchange t = {.o = arg, .c = c, .memory = arena_make(REQUEST_MEMORY_BYTES)};
        goes_on = request_head_read(&t) && request_body_read(&t);
        if (goes_on)
            exchange_play(&t);
        goes_on = goes_on && !t.ends && t.in.head.keep_alive && !c->error;
        arena_free(&t.memory);
    }
}

// ---- coming and going -------------------------------------------------------------------------------------------------------

void origin_come(case_origin *o)
{
    world *home = world_here();
    door *d;
    if (o->is_there)
        return;
    fiber_world(o->stage->origin);
    scope_open(&o->doors, 0, 2000);
    err e = door_open(&o->doors, o->stage->origin, (door_options){.service = "origin", .at = o->stage->origin_at}, origin_serve, o, &d);
    fiber_world(home);
    if (e)
        wrong(o, 0, str_format(o->memory, "the origin's door does not open: %s", err_text(e)));
    o->is_there = true;
}

void origin_leave(case_origin *o)
{
    if (o->is_there)
        scope_close(&o->doors);
    o->is_there = false;
}
