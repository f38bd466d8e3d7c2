// What `naru queue` asks through the control socket:
//     GET  /mta/queue            every letter, oldest first (at most CONTROL_LETTERS_MAX)
//     GET  /mta/queue/ID         one letter with its recipients
//     POST /mta/queue/ID/retry   now; /hold, /release; /delete (without a bounce)
#include "rooms/mta/queue.h"
#include "rt/json_text.h"
#include "rt/story.h"
#include "talk/control.h"

enum { CONTROL_LETTERS_MAX = 1000, CONTROL_BYTES_MAX = 4 << 20 };

static const char *const state_names[] = {"waiting", "delivered", "failed"};

static void put_key(buf *out, const char *key, str value)
{
    buf_format(out, "\"%s\":", key);
    json_put(out, value);
}

static void put_recipients(const letter *l, buf *out)
{
    buf_put(out, S(",\"recipients\":["));
    for (int i = 0; i < l->to_count; i++) {
        const recipient *to = &l->to[i];
        buf_put(out, i ? S(",{") : S("{"));
        put_key(out, "address", to->address);
        if (to->mailbox.len) {
            buf_put_byte(out, ',');
            put_key(out, "mailbox", to->mailbox);
        }
        buf_format(out, ",\"state\":\"%s\",\"attempts\":%d,\"last_try\":%lld,", state_names[to->state], to->attempts, (long long)to->last_try_s);
        put_key(out, "reply", to->reply);
        buf_put_byte(out, '}');
    }
    buf_put_byte(out, ']');
}

static void put_letter(mta *m, letter *l, buf *out)
{
    char id[LETTER_ID_TEXT], trace[17];
    letter_id_text(l->id, id);
    story_trace_text(trace, l->trace);
    int64_t next_ns = queue_next_try_ns(m->queue, l), now_ns = world_now_ns(m->w);
    buf_format(out, "{\"id\":\"%s\",\"trace\":\"%s\",\"arrived\":%lld,\"size\":%lld,\"held\":%s,\"waiting\":%d,\"next_try_s\":%lld,", id,
               trace, (long long)l->arrived_s, (long long)l->size_bytes, l->held ? "true" : "false",
               l->to_waiting, next_ns == NEVER_NS || next_ns < now_ns ? 0ll : (long long)((next_ns - now_ns) / NS_PER_S));
    put_key(out, "from", l->from);
    put_recipients(l, out);
    buf_put_byte(out, '}');
}

static void answer(http_reply *reply, int status, buf *out)
{
    if (out->full)
        http_answer(reply, 500, S("application/json"), S("{\"error\":\"the answer is too large\"}"));
    else
        http_answer(reply, status, S("application/json"), buf_str(out));
}

static void list_all(mta *m, http_reply *reply)
{
    buf out = buf_make(CONTROL_BYTES_MAX);
    journal_figures f = spool_figures(m->spool);
    buf_format(&out, "{\"count\":%d,\"segments\":%lld,\"letters\":[", spool_count(m->spool), (long long)f.segments);
    int n = 0;
    for (letter *l = spool_first(m->spool); l && n < CONTROL_LETTERS_MAX; l = spool_next(m->spool, l)) {
        if (n++)
            buf_put_byte(&out, ',');
        put_letter(m, l, &out);
    }
    buf_put(&out, S("]}"));
    answer(reply, 200, &out);
    buf_free(&out);
}

static err act(mta *m, letter *l, str verb, bool *known)
{
    *known = true;
    if (str_eq(verb, S("retry"))) {
        queue_retry(m->queue, l);
        return E_OK;
    }
    if (str_eq(verb, S("hold")))
        return spool_hold(m->spool, l, true);
    if (str_eq(verb, S("release"))) {
        err e = spool_hold(m->spool, l, false);
        if (e == E_OK)
            queue_retry(m->queue, l);
        return e;
    }
    if (str_eq(verb, S("delete")))
        return spool_delete(m->spool, l);
    *known = false;
    return E_OK;
}

static void one(mta *m, const http_request *q, str id_text, str verb, http_reply *reply, arena *msg)
{
    uint64_t id;
    letter *l = letter_id_parse(id_text, &id) ? spool_find(m->spool, id) : NULL;
    if (!l) {
        http_answer(reply, 404, S("application/json"), S("{\"error\":\"no such letter waits; it may have been delivered\"}"));
        return;
    }
    buf out = buf_make(CONTROL_BYTES_MAX);
    if (verb.len == 0) {
        put_letter(m, l, &out);
        answer(reply, 200, &out);
    } else if (!str_eq(q->method, S("POST"))) {
        http_answer(reply, 405, S("application/json"), S("{\"error\":\"use POST\"}"));
    } else {
        bool known;
        l->users++;
        err e = act(m, l, verb, &known);
        if (!known)
            http_answer(reply, 404, S("application/json"), S("{\"error\":\"retry, hold, release or delete\"}"));
        else if (e != E_OK)
            http_answer(reply, 503, S("application/json"), str_format(msg, "{\"error\":\"cannot write that down: %s\"}", err_text(e)));
        else {
            put_letter(m, l, &out);
            answer(reply, 200, &out);
        }
        l->users--;
        spool_release(m->spool, l);
    }
    buf_free(&out);
}

static void handle(void *arg, const http_request *q, http_reply *reply, arena *msg)
{
    mta *m = arg;
    ptrdiff_t at = str_find_str(q->path, S("/queue"));
    str rest = at < 0 ? (str){0} : str_from(q->path, at + 6);
    if (rest.len <= 1) {
        list_all(m, reply);
        return;
    }
    rest = str_from(rest, 1);
    str id = str_cut(&rest, '/');
    one(m, q, id, rest, reply, msg);
}

static const char queue_path[] = "/queue", letter_path[] = "/queue/";

void mta_control(mta *m)
{
    control_route *routes = arena_array(m->room->memory, control_route, 2);
    routes[0] = (control_route){queue_path, handle, m};
    routes[1] = (control_route){letter_path, handle, m};
    control_add(m->room, routes, 2);
}
