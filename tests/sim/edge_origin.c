#include <inttypes.h>

#include "edge_day.h"
#include "wire/http/conditional.h"
#include "wire/http/range.h"

enum { FIELD_BYTES_MAX = 200, BODY_PIECE_BYTES = 4096 };

// ---- the catalogue ------------------------------------------------------------------------------------------------------------

void day_catalogue_make(day *d)
{
    sim *s = d->t->sim;
    for (int i = 0; i < DAY_OBJECTS; i++) {
        day_object *o = &d->objects[i];
        *o = (day_object){.number = i, .max_age_s = sim_between(s, 5, i % 2 ? 120 : 4000), .by_language = i % 4 == 1, .coded = i % 5 == 2};
        o->bytes = i % 5 == 4 ? sim_between(s, 66000, 150000) : sim_between(s, 1, 3000);
        o->must_revalidate = i % 7 == 3;
        if (i % 3 == 1)
            o->revalidate_s = sim_between(s, 1, 600);
        if (i % 3 != 0)
            o->error_s = sim_between(s, 1, 3600);
    }
}

void day_object_change(day_object *o, int64_t now_ns)
{
    if (o->version + 1 == DAY_VERSIONS_MAX)
        return;
    o->ended_ns[o->version] = now_ns;
    o->version++;
}

int64_t day_object_bytes(const day_object *o, int version) { return o->bytes + version % 7; }

static uint64_t eight_bytes(uint64_t number, uint64_t key)
{
    uint64_t x = number * 0x9e3779b97f4a7c15u + key;
    x ^= x >> 29, x *= 0xbf58476d1ce4e5b9u;
    return x ^ x >> 32;
}

void day_object_write(const day_object *o, int version, int language, int64_t first, unsigned char *out, int64_t n)
{
    uint64_t key = (uint64_t)(o->number * 1000003 + version * 1009 + language * 17), x = eight_bytes((uint64_t)(first >> 3), key);
    for (int64_t at = first; at < first + n; at++) {
        if ((at & 7) == 0)
            x = eight_bytes((uint64_t)(at >> 3), key);
        out[at - first] = (unsigned char)(x >> (8 * (at & 7)));
    }
}

// ---- the origin ---------------------------------------------------------------------------------------------------------------

typedef struct {
    day              *d;
    const day_object *o;
    int               version, language;
    http_header       fields[6];
    int               count;
} answer;

static void field(answer *a, str name, str value) { a->fields[a->count++] = (http_header){name, value}; }

static void fields_make(answer *a, arena *msg)
{
    const day_object *o = a->o;
    str control = str_format(msg, "public, max-age=%" PRId64, o->max_age_s);
    if (o->revalidate_s)
        control = str_join(msg, control, str_format(msg, ", stale-while-revalidate=%" PRId64, o->revalidate_s));
    if (o->error_s)
        control = str_join(msg, control, str_format(msg, ", stale-if-error=%" PRId64, o->error_s));
    if (o->must_revalidate)
        control = str_join(msg, control, S(", must-revalidate"));
    field(a, S("Cache-Control"), control);
    field(a, S("ETag"), str_format(msg, "\"%d-%d-%d\"", o->number, a->version, a->language));
    field(a, S("Cache-Tag"), str_format(msg, "tag-%d", o->number % DAY_TAGS));
    if (o->by_language)
        field(a, S("Vary"), S("Accept-Language"));
}

static str body_make(const answer *a, byte_range part, arena *msg)
{
    int64_t n = part.last - part.first + 1;
    unsigned char *bytes = arena_array(msg, unsigned char, n + 1);
    if (!bytes)
        return S("");
    day_object_write(a->o, a->version, a->language, part.first, bytes, n);
    return str_of(bytes, (size_t)n);
}

static void body_stream(http_reply *reply, str body)
{
    http_begin(reply, 200, S("application/octet-stream"));
    while (body.len && http_write(reply, str_first(body, BODY_PIECE_BYTES)))
        body = str_from(body, BODY_PIECE_BYTES);
}

static void answer_say(answer *a, const http_request *q, http_reply *reply, arena *msg)
{
    byte_range parts[RANGE_PARTS_MAX], part = {0, day_object_bytes(a->o, a->version) - 1};
    int64_t length = part.last + 1;
    int count = 0;
    validators now = validators_of(a->fields, a->count);
    int status = conditions_judge(q->method, q->headers, q->header_count, &now);
    for (int i = 0; i < a->count; i++)
        http_answer_header(reply, a->fields[i].name, a->fields[i].value);
    if (status) {
        http_answer(reply, status, S(""), S(""));
        return;
    }
    bool ranged = condition_if_range(q->headers, q->header_count, &now);
    range_verdict v = ranged ? range_read(http_header_get(q, S("Range")), length, parts, &count) : RANGE_NONE;
    char text[FIELD_BYTES_MAX];
    if (v == RANGE_UNSATISFIABLE || (v == RANGE_PARTS && count == 1)) {
        part = v == RANGE_PARTS ? parts[0] : (byte_range){-1, -1};
        buf out = buf_make(sizeof text);
        content_range_write(&out, part, length);
        http_answer_header(reply, S("Content-Range"), buf_str(&out));
        buf_free(&out);
        http_answer(reply, v == RANGE_PARTS ? 206 : 416, S(""), v == RANGE_PARTS ? body_make(a, part, msg) : S(""));
    } else if (a->o->coded) {
        body_stream(reply, body_make(a, part, msg));
    } else {
        http_answer(reply, 200, S("application/octet-stream"), body_make(a, part, msg));
    }
}

static int language_of(const http_request *q)
{
    str l = http_header_get(q, S("Accept-Language"));
    return l.len ? (l.at[0] - 'a') % DAY_LANGUAGES : 0;
}

// The version is that of the moment when the question came: a slow answer is old when it arrives, and its age must say so.
static void origin_answer(void *arg, const http_request *q, http_reply *reply, arena *msg)
{
    day *d = arg;
    uint64_t n;
    if (!str_starts(q->path, S("/f/")) || !str_to_u64(str_from(q->path, 3), &n) || n >= DAY_OBJECTS) {
        http_answer(reply, 404, S(""), S("no such film"));
        return;
    }
    if (str_eq(q->method, S("PUT"))) {
        day_object_change(&d->objects[n], sim_now_ns(d->t->sim));
        http_answer_header(reply, S("X-Version"), str_format(msg, "%d", d->objects[n].version));
        http_answer(reply, 204, S(""), S(""));
        return;
    }
    answer a = {.d = d, .o = &d->objects[n], .version = d->objects[n].version};
    a.language = a.o->by_language ? language_of(q) : 0;
    fields_make(&a, msg);
    if (d->origin_slow)
        fiber_sleep(millis((int64_t)world_random_below(d->origin, DAY_SLOW_MS_MAX)));
    if (d->origin_broken && world_random_below(d->origin, 2))
        http_answer(reply, 503, S(""), S("out of order"));
    else
        answer_say(&a, q, reply, msg);
}

static void origin_serve(conn *c, void *arg) { http_serve(c, (http_limits){0}, origin_answer, arg); }

void day_origin_boot(void *arg)
{
    day *d = arg;
    door *door_of;
    SCOPE(doors, 0, 500);
    err e = door_open(&doors, d->origin, (door_options){.service = "origin", .at = d->origin_at}, origin_serve, d, &door_of);
    if (e && e != E_CRASHED && e != E_CANCELED)
        trial_failed(d->t, "the origin does not start: %s", err_text(e));
    while (!e && fiber_sleep(seconds(3600)) == E_OK)
        ;
}
