// Why the name server asks, and steering does not push: each loop of each name server (there may be several) keeps its own table, one
// that has just started gets all of it at once, and steering need not know who they are. An answer waits at steering until something
// has changed, so a change is here as soon as if it had been sent.
#include "rooms/authoritative/steered_follow.h"

#include "rt/log.h"
#include "rt/loop.h"
#include "rt/meter.h"
#include "talk/http_fetch.h"

enum { ANSWER_S = 40, PAUSE_MS_MIN = 200, PAUSE_MS_MAX = 5000, MESSAGE_BYTES_MAX = 1 << 20 };

static meter silent = {.name = "naru_authoritative_steered_silent", .help = "Steered names whose steering service does not answer: the last ranking counts",
                       .type = METER_GAUGE};
static meter taken = {.name = "naru_authoritative_steered_rankings_total", .help = "Rankings taken from the steering service", .type = METER_COUNTER};

void steered_meters_show(void)
{
    meter_show(&silent);
    meter_show(&taken);
}

static void silence(steered_following *f, bool is)
{
    if (f->silent == is)
        return;
    f->silent = is;
    meter_add(&silent, is ? 1 : -1);
    log_line("authoritative", is ? LOG_WARNING : LOG_NOTICE, is ? "steering is silent" : "steering answers", F_STR("name", f->text),
             F_INT("version", f->name->ranking ? f->name->ranking->version : 0));
}

// Between two queries: what was answered from until now is freed when the next one comes.
static bool take(steered_following *f, str text)
{
    int next = !f->now;
    arena_reset(&f->memory[next]);
    if (!steered_read(str_copy(&f->memory[next], text), &f->memory[next], &f->rankings[next])) {
        log_line("authoritative", LOG_ERROR, "steering's ranking cannot be read", F_STR("name", f->text));
        return false;
    }
    f->now = next;
    f->name->ranking = &f->rankings[next];
    meter_add(&taken, 1);
    return true;
}

// Asks again and again over one conversation; returns when it ends. True: something was heard.
static bool converse(steered_following *f)
{
    bool heard = false, good = true;
    conn *c = room_dial(f->room, "steering.names");
    while (!c->error && good) {
        arena msg = arena_make(MESSAGE_BYTES_MAX);
        uint64_t have = f->name->ranking ? f->name->ranking->version : 0;
        str target = str_format(&msg, "/" STR_FMT "?have=%llu", STR_ARG(f->text), (unsigned long long)have);
        conn_deadline(c, seconds(ANSWER_S));
        http_result r = http_fetch(c, S("GET"), S("steering"), target, NULL, 0, (str){0}, STEERED_TEXT_BYTES_MAX, &msg);
        good = !r.error && (r.status == 304 || (r.status == 200 && take(f, r.body)));
        if (good) {
            f->heard_ns = loop_now_ns();
            silence(f, false);
        }
        heard |= good;
        arena_free(&msg);
    }
    conn_close(c);
    return heard;
}

void steered_follow(void *arg)
{
    steered_following *f = arg;
    int64_t pause_ms = PAUSE_MS_MIN;
    fiber_world(f->room->world);
    while (!fiber_canceled()) {
        bool heard = converse(f);
        if (fiber_canceled())
            break;
        silence(f, true);
        pause_ms = heard ? PAUSE_MS_MIN : pause_ms * 2 < PAUSE_MS_MAX ? pause_ms * 2 : PAUSE_MS_MAX;
        fiber_sleep(millis(pause_ms));
    }
}

void steered_follow_free(steered_following *f)
{
    if (f->silent)
        meter_add(&silent, -1);
    for (int i = 0; i < 2; i++)
        arena_free(&f->memory[i]);
}
