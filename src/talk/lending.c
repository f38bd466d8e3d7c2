#include "talk/lending.h"

#include <string.h>

#include "base/must.h"
#include "rt/json_text.h"
#include "rt/log.h"
#include "rt/loop.h"
#include "rt/meter.h"
#include "rt/worker.h"

enum { ANSWER_BYTES_MAX = 4 << 20, NOTE_BYTES_MAX = 256, NOTE_MODE = 0600 };

// Stands on the stack of the fiber that gives a loan back.
typedef struct { bool done, sound; } returning;

typedef struct {
    room         *room;
    const lender *of;
    // The loan that runs. Its fiber owns it.
    bool          running, ready;
    uint64_t      id;                        // 0: none
    int64_t       until_ns;
    str           part;                      // of the fiber that asks, until ready; so are these two:
    arena        *asker;
    str           why;
    err           error;
    returning    *back;                      // of the fiber that gives it back
    loan          loan;
    gate          changed;
} lending;

static meter loans = {.name = "naru_backup_loans_total", .help = "Files lent to a backup, by how it ended", .type = METER_COUNTER,
                      .label = "result", .values = {"sound", "broken", "expired"}};
static meter last_time = {.name = "naru_backup_last_timestamp_seconds",
                          .help = "When the last backup was finished, seconds since 1970; 0: never", .type = METER_GAUGE};
static meter last_bytes = {.name = "naru_backup_last_bytes", .help = "Size of the last finished backup", .type = METER_GAUGE};
enum { SOUND, BROKEN, EXPIRED };

static const str JSON = S("application/json");

// ---- the loan's fiber -----------------------------------------------------------------------------------------------------

static void lend_and_wait(void *arg)
{
    lending *k = arg;
    loan *l = &k->loan;
    k->error = k->of->lend(k->of->arg, l, k->part, &k->why);
    k->why = str_copy(k->asker, k->why);
    k->until_ns = loop_now_ns() + seconds(LENDING_S);
    k->ready = true;
    gate_wake_all(&k->changed);
    if (k->error == E_OK) {
        while (!k->back && !fiber_canceled() && loop_now_ns() < k->until_ns)
            gate_wait(&k->changed, k->until_ns, "a backup to copy the files");
        bool sound = k->of->give_back(k->of->arg, l, fiber_canceled());
        meter_add_at(&loans, !k->back ? EXPIRED : sound ? SOUND : BROKEN, 1);
        if (k->back)
            *k->back = (returning){.done = true, .sound = sound};
        else if (!fiber_canceled())
            log_line(k->room->kind->name, LOG_WARNING, "backup-loan-expired", F_INT("after_s", LENDING_S));
    }
    arena_free(&l->memory);
    k->running = false;
    k->id = 0;
    gate_wake_all(&k->changed);
}

// ---- the routes -----------------------------------------------------------------------------------------------------------

static bool is_post(const http_request *q, http_reply *reply, arena *msg)
{
    if (str_eq(q->method, S("POST")))
        return true;
    http_answer_header(reply, S("Allow"), S("POST"));
    control_error(reply, 405, S("here the method is POST"), msg);
    return false;
}

static void answer_loan(const lending *k, http_reply *reply, arena *msg)
{
    buf out = buf_make(ANSWER_BYTES_MAX);
    buf_format(&out, "{\"loan\": \"%016llx\", \"files\": [", (unsigned long long)k->id);
    for (int i = 0; i < k->loan.file_count; i++) {
        buf_put(&out, i ? S(", {\"path\": ") : S("{\"path\": "));
        json_put(&out, k->loan.files[i].path);
        buf_format(&out, ", \"bytes\": %lld}", (long long)k->loan.files[i].bytes);
    }
    buf_put(&out, S("], \"folders\": ["));
    if (k->loan.folder.len)
        json_put(&out, k->loan.folder);
    buf_put(&out, S("]}\n"));
    if (out.full)
        control_error(reply, 500, S("the list of files is longer than the control socket gives"), msg);
    else
        http_answer(reply, 200, JSON, str_copy(msg, buf_str(&out)));
    buf_free(&out);
}

static void route_lend(void *arg, const http_request *q, http_reply *reply, arena *msg)
{
    lending *k = arg;
    if (!is_post(q, reply, msg))
        return;
    if (k->running) {
        control_error(reply, 409, str_format(msg, "another backup copies these files; when it has died, they are free again after %d seconds",
                                             LENDING_S), msg);
        return;
    }
    k->running = true;
    k->ready = false;
    k->error = E_OK;
    k->back = NULL;
    k->why = (str){0};
    k->asker = msg;
    k->part = http_query_get(q, S("part"), msg);
    k->loan = (loan){.memory = arena_make(LENDING_MEMORY_BYTES_MAX)};
    k->id = world_random_u64(k->room->world) | 1;
    err e = scope_try_go(k->room->scope, "backup loan", lend_and_wait, k);
    if (e) {
        k->running = false;
        control_error(reply, 503, S("the service is stopping, or too busy"), msg);
        return;
    }
    while (!k->ready)
        gate_wait_uncanceled(&k->changed, "the files for a backup");
    if (k->error == E_NO_ENTRY)
        http_answer(reply, 200, JSON, S("{\"nothing\": true}\n"));
    else if (k->error)
        control_error(reply, 503, k->why.len ? k->why : str_z(err_text(k->error)), msg);
    else if (!k->running)
        control_error(reply, 503, S("the service is stopping"), msg);
    else
        answer_loan(k, reply, msg);
}

// The loan that the request names; NULL: answered.
static lending *loan_named(void *arg, const http_request *q, http_reply *reply, arena *msg)
{
    lending *k = arg;
    uint64_t id;
    if (!is_post(q, reply, msg))
        return NULL;
    if (str_hex_to_u64(http_query_get(q, S("loan"), msg), &id) && id && id == k->id && k->ready && !k->back)
        return k;
    control_error(reply, 410, S("there is no such loan: it has ended, or the service was started again meanwhile"), msg);
    return NULL;
}

static void route_keep(void *arg, const http_request *q, http_reply *reply, arena *msg)
{
    lending *k = loan_named(arg, q, reply, msg);
    if (!k)
        return;
    k->until_ns = loop_now_ns() + seconds(LENDING_S);
    gate_wake_all(&k->changed);
    http_answer(reply, 200, JSON, S("{}\n"));
}

static void route_return(void *arg, const http_request *q, http_reply *reply, arena *msg)
{
    lending *k = loan_named(arg, q, reply, msg);
    if (!k)
        return;
    returning back = {0};
    k->back = &back;
    gate_wake_all(&k->changed);
    while (!back.done)
        gate_wait_uncanceled(&k->changed, "the files to be taken back");
    http_answer(reply, 200, JSON, back.sound ? S("{\"sound\": true}\n") : S("{\"sound\": false}\n"));
}

// A note in the room's directory, so that a restart does not look like a backup that is missing: "SECONDS BYTES\n".
typedef struct { room *room; int64_t at_s, bytes; } note;

static void note_write(void *arg)
{
    const note *n = arg;
    arena a = arena_make(LENDING_PATH_BYTES_MAX * 4);
    str text = str_format(&a, "%lld %lld\n", (long long)n->at_s, (long long)n->bytes);
    file_replace(n->room->world, room_path(n->room, &a, S("last-backup")), text, NOTE_MODE);      // without it the meters forget, no more
    arena_free(&a);
}

static void note_read(void *arg)
{
    note *n = arg;
    arena a = arena_make(LENDING_PATH_BYTES_MAX * 4);
    str text;
    bool good = file_read_all(n->room->world, room_path(n->room, &a, S("last-backup")), &a, NOTE_BYTES_MAX, &text) == E_OK &&
                str_to_i64(str_word(&text), &n->at_s) && str_to_i64(str_trim(text), &n->bytes);
    if (!good)
        n->at_s = n->bytes = 0;
    arena_free(&a);
}

static void note_show(const note *n)
{
    meter_set(&last_time, n->at_s);
    meter_set(&last_bytes, n->bytes);
}

static void route_done(void *arg, const http_request *q, http_reply *reply, arena *msg)
{
    const lending *k = arg;
    note n = {.room = k->room, .at_s = world_wall_s(k->room->world)};
    if (!is_post(q, reply, msg))
        return;
    if (!str_to_i64(http_query_get(q, S("bytes"), msg), &n.bytes) || n.bytes < 0) {
        control_error(reply, 400, S("bytes is a number"), msg);
        return;
    }
    work(note_write, &n);
    note_show(&n);
    log_line(k->room->kind->name, LOG_NOTICE, "backup-done", F_INT("bytes", n.bytes));
    http_answer(reply, 200, JSON, S("{}\n"));
}

void lending_offer(room *r, const lender *of)
{
    static const struct { const char *path; http_handler *handler; } rows[] = {
        {"/backup/lend", route_lend}, {"/backup/keep", route_keep}, {"/backup/return", route_return}, {"/backup/done", route_done},
    };
    enum { COUNT = sizeof rows / sizeof *rows };
    lending *k = arena_new(r->memory, lending);
    control_route *routes = arena_array(r->memory, control_route, COUNT);
    must(k && routes);
    *k = (lending){.room = r, .of = of};
    for (int i = 0; i < COUNT; i++)
        routes[i] = (control_route){rows[i].path, rows[i].handler, k};
    meter_show(&loans);
    meter_show(&last_time);
    meter_show(&last_bytes);
    note n = {.room = r};
    room_directory(r);
    work(note_read, &n);
    note_show(&n);
    control_add(r, routes, COUNT);
}
