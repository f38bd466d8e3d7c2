#include "player.h"

#include <inttypes.h>

#include "heard.h"
#include "origin.h"
#include "wire/http/range.h"

enum {
    CLIENTS_MAX = 1000, SEEN_MAX = 8, CLIENT_MEMORY_BYTES = 80 << 20, PATIENCE_S = 90, SIMULATED_PATIENCE_S = 300,
    SETTLE_STEPS = 3000, QUIET_MS = 30, REAL_QUIET_MS = 1,
    MULTIPART_BYTES_MAX = 1 << 20,
};

typedef struct {
    const edge_stage *stage;
    const edge_case  *playing;
    arena            *memory;
    player_tally     *tally;
    case_origin       origin;
    str              *why;
    bool              failed;
} player;

// The steps between one client and the next.
typedef struct {
    const case_step *ask, *seen[SEEN_MAX], *asked, *sent;
    int              seen_count;
    bool             wants_closed, wants_open;
} question;

static void wrong(player *p, int line, str what)
{
    if (!p->failed)
        *p->why = str_format(p->memory, STR_FMT ":%d: " STR_FMT, STR_ARG(p->playing->file), line ? line : p->playing->line, STR_ARG(what));
    p->failed = true;
}

// ---- one client -------------------------------------------------------------------------------------------------------------

typedef struct {
    player     *p;
    const question *t;
    arena       memory;
    heard       answers[SEEN_MAX];
    err         after;                       // what followed: E_EOF, E_TIMEOUT (silence), E_OK (more bytes)
} client;

static bool given(const case_step *s, str name)
{
    for (int i = 0; i < s->field_count; i++)
        if (str_eq_nocase(s->fields[i].name, name))
            return true;
    return false;
}

static void request_put(conn *c, const client *k, arena *a)
{
    const case_step *s = k->t->ask;
    const case_origin *o = &k->p->origin;
    if (s->raw) {
        conn_put(c, case_expand(o->stage, o->start_s, s->body, a));
        return;
    }
    str target = case_expand(o->stage, o->start_s, s->target, a);
    conn_format(c, STR_FMT " " STR_FMT " HTTP/1.%d\r\n", STR_ARG(s->method), STR_ARG(target), !s->http_1_0);
    if (!given(s, S("Host")))
        conn_format(c, "Host: " STR_FMT "\r\n", STR_ARG(o->stage->host));
    for (int i = 0; i < s->field_count; i++) {
        str value = case_expand(o->stage, o->start_s, s->fields[i].value, a);
        if (!str_eq(value, S("absent"))) {
            conn_put(c, s->fields[i].name);
            conn_put(c, S(": "));
            conn_put(c, value);
            conn_put(c, S("\r\n"));
        }
    }
    if (s->chunked)
        conn_format(c, "Transfer-Encoding: chunked\r\n\r\n%tx\r\n" STR_FMT "\r\n0\r\n\r\n", s->body.len, STR_ARG(s->body));
    else if (s->has_body)
        conn_format(c, "Content-Length: %td\r\n\r\n" STR_FMT, s->body.len, STR_ARG(s->body));
    else
        conn_put(c, S("\r\n"));
}

// For so long nothing more must come. Real time is dear, and what comes late is seen by the next client.
static int64_t quiet_ns(const edge_stage *s) { return millis(s->simulated ? QUIET_MS : REAL_QUIET_MS); }

static void client_run(void *arg)
{
    client *k = arg;
    const question *t = k->t;
    const edge_stage *stage = k->p->stage;
    bool head = str_eq(t->ask->method, S("HEAD")) || (t->ask->raw && str_starts(t->ask->body, S("HEAD ")));
    int64_t patience_ns = seconds(stage->simulated ? SIMULATED_PATIENCE_S : PATIENCE_S);
    conn *c = conn_open(stage->visitor, stage->edge, patience_ns);
    conn_deadline(c, patience_ns);
    request_put(c, k, &k->memory);
    conn_flush(c);
    for (int i = 0; i < t->seen_count; i++)
        k->answers[i] = heard_read(c, head, &k->memory);
    k->after = c->error;
    if (!c->error) {
        int64_t until = t->wants_closed ? NEVER_NS : world_now_ns(stage->visitor) + quiet_ns(stage);
        k->after = conn_wait_input(c, until);
        if (k->after == E_OK && !conn_some(c).len)
            k->after = c->error;
    }
    conn_close(c);
}

// ---- what it saw ------------------------------------------------------------------------------------------------------------

static bool is_pattern(str bytes, int64_t first)
{
    for (ptrdiff_t i = 0; i < bytes.len; i++)
        if (bytes.at[i] != case_pattern(first + i))
            return false;
    return true;
}

// One part of multipart/byteranges taken off *rest: its Content-Range says where it lies, and its bytes are those.
static bool part_take(str *rest, str boundary, byte_range want, arena *a)
{
    str opening = str_join(a, S("--"), boundary);
    int64_t length, bytes = want.last - want.first + 1;
    byte_range is = {-1, -1};
    if (str_starts(*rest, S("\r\n")))
        *rest = str_from(*rest, 2);
    if (!str_starts(*rest, opening))
        return false;
    str_cut(rest, '\n');
    for (str line; (line = str_trim(str_cut(rest, '\n'))).len; )
        if (str_starts_nocase(line, S("Content-Range:")))
            content_range_read(str_trim(str_from(line, 14)), &is, &length);
    bool good = is.first == want.first && is.last == want.last && rest->len >= bytes &&
                is_pattern(str_first(*rest, (ptrdiff_t)bytes), want.first);
    *rest = str_from(*rest, (ptrdiff_t)bytes);
    return good;
}

static bool parts_fit(const http_head *h, str body, str parts, arena *a)
{
    str type = http_header_find(h->headers, h->header_count, S("Content-Type"));
    ptrdiff_t at = str_find_str(type, S("boundary="));
    if (!str_starts_nocase(type, S("multipart/byteranges")) || at < 0)
        return false;
    str boundary = str_from(type, at + 9);
    if (str_starts(boundary, S("\"")))
        boundary = str_sub(boundary, 1, boundary.len - 2);
    while (parts.len) {
        str last = str_cut(&parts, ','), first = str_cut(&last, '-');
        uint64_t x = 0, y = 0;
        if (!str_to_u64(first, &x) || !str_to_u64(last, &y) || !part_take(&body, boundary, (byte_range){(int64_t)x, (int64_t)y}, a))
            return false;
    }
    return str_starts(str_trim(body), str_join(a, str_join(a, S("--"), boundary), S("--")));
}

static str body_shown(str body, arena *a)
{
    return str_format(a, "%td bytes \"" STR_FMT "\"", body.len, STR_ARG(str_first(body, 60)));
}

static void body_check(player *p, const case_step *want, const heard *got)
{
    arena *a = p->memory;
    if (got->whole == want->broken)
        wrong(p, want->line, str_format(a, "the body is %s: " STR_FMT, got->whole ? "whole" : "broken off",
                                        STR_ARG(body_shown(got->body, a))));
    if (want->has_body && !str_eq(got->body, want->body))
        wrong(p, want->line, str_format(a, "the body is " STR_FMT, STR_ARG(body_shown(got->body, a))));
    if (want->first >= 0 && (got->body.len != want->last - want->first + 1 || !is_pattern(got->body, want->first)))
        wrong(p, want->line, str_format(a, "the body is other bytes, %td of them", got->body.len));
    if (want->parts.len && !parts_fit(&got->head, got->body, want->parts, a))
        wrong(p, want->line, str_format(a, "the parts are not those: " STR_FMT, STR_ARG(str_first(got->body, 300))));
}

// What holds for every answer, whatever a case asks for.
static void manners_check(player *p, const case_step *want, const heard *got)
{
    static const char *const once[] = {"Date", "Age", "Content-Length", "ETag", "Last-Modified", "Content-Range", "Transfer-Encoding"};
    const http_head *h = &got->head;
    uint64_t age;
    for (size_t i = 0; i < sizeof once / sizeof *once; i++) {
        int times = 0;
        for (int j = 0; j < h->header_count; j++)
            times += str_eq_nocase(h->headers[j].name, str_z(once[i]));
        if (times > 1)
            wrong(p, want->line, str_format(p->memory, "the field %s comes %d times", once[i], times));
    }
    if (!http_header_find(h->headers, h->header_count, S("Date")).len)
        wrong(p, want->line, S("the answer has no Date (RFC 9110 section 6.6.1)"));
    str said = http_header_find(h->headers, h->header_count, S("Age"));
    if (said.len && !str_to_u64(said, &age))
        wrong(p, want->line, S("Age is no number"));
}

static void seen_check(player *p, const case_step *want, const heard *got)
{
    p->tally->checks++;
    if (want->nothing) {
        if (got->came)
            wrong(p, want->line, str_format(p->memory, "an answer came: %d", got->head.status));
        return;
    }
    if (!got->came) {
        wrong(p, want->line, got->why.len ? str_join(p->memory, S("what came is no answer: "), got->why) : S("no answer came"));
        return;
    }
    if (got->head.status != want->status)
        wrong(p, want->line, str_format(p->memory, "the status is %d, not %d", got->head.status, want->status));
    for (int i = 0; i < want->field_count; i++) {
        str is;
        if (!case_field_fits(p->stage, p->origin.start_s, &want->fields[i], got->head.headers, got->head.header_count, p->memory, &is))
            wrong(p, want->line, str_format(p->memory, STR_FMT ": " STR_FMT ", not " STR_FMT, STR_ARG(want->fields[i].name), STR_ARG(is),
                                            STR_ARG(want->fields[i].value)));
    }
    body_check(p, want, got);
    manners_check(p, want, got);
}

static void client_check(player *p, const client *k)
{
    const question *t = k->t;
    for (int i = 0; i < t->seen_count; i++)
        seen_check(p, t->seen[i], &k->answers[i]);
    bool ended = k->after == E_EOF || k->after == E_RESET;
    if (t->wants_closed && !ended)
        wrong(p, t->ask->line, str_format(p->memory, "the edge does not end the connection: %s", err_text(k->after)));
    if (t->wants_open && k->after != E_TIMEOUT)
        wrong(p, t->ask->line, str_format(p->memory, "the edge ended the connection, or said more: %s", err_text(k->after)));
    if (k->after == E_OK)
        wrong(p, t->ask->line, S("the edge said more than was asked"));
}

// ---- the turns --------------------------------------------------------------------------------------------------------------

// Lets the origin's script be used up (what is validated behind an answer), then looks whether there is quiet.
static void settle(player *p)
{
    case_origin *o = &p->origin;
    for (int i = 0; i < SETTLE_STEPS && o->next < o->count; i++)
        fiber_sleep(millis(1));
    fiber_sleep(quiet_ns(p->stage));
}

static void origin_check(player *p, const question *t)
{
    case_origin *o = &p->origin;
    if (o->why.len)
        wrong(p, o->why_line ? o->why_line : t->ask->line, o->why);
    if (o->next < o->count)
        wrong(p, o->turns[o->next].give->line, S("the origin was not asked"));
    if (t->asked && (o->asked < t->asked->first || o->asked > t->asked->last))
        wrong(p, t->asked->line, str_format(p->memory, "the origin was asked %" PRId64 " times", o->asked));
    if (t->sent && (o->sent_bytes < t->sent->first || o->sent_bytes > t->sent->last))
        wrong(p, t->sent->line, str_format(p->memory, "the origin sent %" PRId64 " bytes", o->sent_bytes));
}

static void clients_play(player *p, const question *t)
{
    int count = t->ask->times < CLIENTS_MAX ? t->ask->times : CLIENTS_MAX;
    client *all = arena_array(p->memory, client, count);
    if (!all)
        return;
    SCOPE(crowd, 0, CLIENTS_MAX);
    for (int i = 0; i < count; i++) {
        all[i] = (client){.p = p, .t = t, .memory = arena_make(CLIENT_MEMORY_BYTES)};
        scope_go(&crowd, "client", client_run, &all[i]);
    }
    scope_wait(&crowd);
    settle(p);
    for (int i = 0; i < count; i++) {
        client_check(p, &all[i]);
        arena_free(&all[i].memory);
    }
    p->tally->clients += count;
    origin_check(p, t);
}

// Gathers what belongs to the client at `at`; returns the step behind it.
static int question_gather(player *p, const case_step *steps, int count, int at, question *t)
{
    const case_step *want = NULL;
    case_origin *o = &p->origin;
    *t = (question){.ask = &steps[at++]};
    o->count = o->next = 0;
    o->asked = o->sent_bytes = 0;
    for (; at < count; at++) {
        const case_step *s = &steps[at];
        if (s->act == ACT_ORIGIN)
            want = s;
        else if (s->act == ACT_ANSWER && o->count < ORIGIN_ANSWERS_MAX)
            o->turns[o->count++] = (origin_turn){want, s}, want = NULL;
        else if (s->act == ACT_SEEN && t->seen_count < SEEN_MAX)
            t->seen[t->seen_count++] = s;
        else if (s->act == ACT_ASKED)
            t->asked = s;
        else if (s->act == ACT_SENT)
            t->sent = s;
        else if (s->act == ACT_CLOSED || s->act == ACT_OPEN)
            *(s->act == ACT_OPEN ? &t->wants_open : &t->wants_closed) = true;
        else
            break;
    }
    if (want)
        wrong(p, want->line, S("an `origin` without its `answer`"));
    if (!t->seen_count)
        wrong(p, t->ask->line, S("a client without what it must see"));
    return at;
}

static void purge(player *p, const case_step *s)
{
    arena *a = p->memory;
    str why = {0}, soft = s->soft ? S("&soft=yes") : S(""), target;
    if (s->by_tag)
        target = str_format(a, "/edge/purge?tag=" STR_FMT STR_FMT, STR_ARG(s->target), STR_ARG(soft));
    else
        target = str_format(a, "/edge/purge?url=http://" STR_FMT STR_FMT STR_FMT, STR_ARG(p->stage->host), STR_ARG(s->target),
                            STR_ARG(soft));
    if (!stage_control(p->stage, target, a, &why))
        wrong(p, s->line, str_join(p->memory, S("the purge is refused: "), why));
}

static void steps_play(player *p)
{
    const edge_case *c = p->playing;
    for (int at = 0; at < c->count && !p->failed; ) {
        const case_step *s = &c->steps[at];
        question t;
        if (s->act == ACT_CLIENT) {
            at = question_gather(p, c->steps, c->count, at, &t);
            if (!p->failed)
                clients_play(p, &t);
            continue;
        }
        if (s->act == ACT_WAIT)
            fiber_sleep(seconds(s->wait_s));
        else if (s->act == ACT_SERVE)
            p->origin.serving = s;
        else if (s->act == ACT_AWAY)
            origin_leave(&p->origin);
        else if (s->act == ACT_BACK)
            origin_come(&p->origin);
        else if (s->act == ACT_PURGE)
            purge(p, s);
        else
            wrong(p, s->line, S("this belongs behind a `client`"));
        at++;
    }
}

bool case_play(const edge_stage *stage, const edge_case *c, arena *a, player_tally *tally, str *why)
{
    player p = {.stage = stage, .playing = c, .memory = a, .tally = tally, .why = why};
    p.origin = (case_origin){.stage = stage, .playing = c, .memory = a, .start_s = world_wall_s(world_here())};
    origin_come(&p.origin);
    steps_play(&p);
    origin_leave(&p.origin);
    if (p.origin.why.len)
        wrong(&p, p.origin.why_line, p.origin.why);
    return !p.failed;
}
