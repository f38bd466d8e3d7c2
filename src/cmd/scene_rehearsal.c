#include "cmd/scene_rehearsal.h"

#include <stdio.h>

#include "cmd/play_video.h"
#include "rt/loop.h"
#include "rt/worker.h"

enum { BAR_MS = 1000, BAR_COLUMNS = 30, TICK_MS = 100 };

scene_rehearsal *scene_of(rehearsal *r) { return r->arg; }

static int64_t now_ms(const scene_rehearsal *s) { return (loop_now_ns() - s->begun_ns) / NS_PER_MS; }

void scene_say(rehearsal *r, const char *format, ...)
{
    scene_rehearsal *s = scene_of(r);
    va_list args;
    if (s->play->quiet || s->lines++ > SCENE_LINES_MAX)
        return;
    va_start(args, format);
    str line = str_vformat(&r->memory, format, args);
    va_end(args);
    int64_t ms = now_ms(s);
    printf("  %5lld.%lld s  " STR_FMT "\n", (long long)ms / 1000, (long long)ms % 1000 / 100, STR_ARG(line));
}

static void heard(rehearsal *r, const player_event *e)
{
    scene_rehearsal *s = scene_of(r);
    if (!s->events || !r->player || e->type == PLAYER_LOADED || e->type == PLAYER_HELD)
        return;
    player_view v = rehearsal_look(r);
    buf line = buf_make(4096);
    play_event_line(&line, &v, e, false);
    str text = str_chomp(buf_str(&line));
    if (text.len > 0)
        scene_say(r, STR_FMT, STR_ARG(str_from(text, str_find_str(text, S(" s  ")) + 4)));
    buf_free(&line);
}

static void look(scene_rehearsal *s)
{
    player_view v = rehearsal_look(&s->r);
    char bar[BAR_COLUMNS * 3 + 1];
    size_t n = 0;
    if (v.state == PLAYOUT_PLAYING && v.position_ms > 1000 && v.position_ms < v.duration_ms - v.capacity_ms) {
        s->least_ms = v.buffer_ms < s->least_ms ? v.buffer_ms : s->least_ms;
        s->most_ms = v.buffer_ms > s->most_ms ? v.buffer_ms : s->most_ms;
    }
    if (s->look_ms == 0 || !v.loaded || now_ms(s) - s->looked_ms < s->look_ms)
        return;
    s->looked_ms = now_ms(s);
    for (int i = 0; i < BAR_COLUMNS && (i + 1) * BAR_MS <= v.buffer_ms; i++)
        n += (size_t)snprintf(bar + n, sizeof bar - n, "█");
    bar[n] = 0;
    scene_say(&s->r, "%-8s at %3lld.%lld s of the film, " STR_FMT ", buffer %2lld.%lld s %s", play_state_text(&v, false), (long long)v.position_ms / 1000,
              (long long)v.position_ms % 1000 / 100, STR_ARG(v.rung >= 0 ? v.ids[v.rung] : S("-")), (long long)v.buffer_ms / 1000,
              (long long)v.buffer_ms % 1000 / 100, bar);
}

static void watch(void *arg)
{
    scene_rehearsal *s = arg;
    while (fiber_sleep(millis(TICK_MS)) == E_OK)
        look(s);
}

static void script(rehearsal *r)
{
    scene_rehearsal *s = scene_of(r);
    s->begun_ns = loop_now_ns();
    SCOPE(looking, 0, 1);
    (void)scope_go(&looking, "looks", watch, s);
    if (s->script)
        s->script(r);
    while (fiber_sleep(minutes(1)) == E_OK)
        continue;
}

static void rehearse(void *arg)                  // in work(): the simulator runs a loop of its own on the worker's thread
{
    scene_rehearsal *s = arg;
    rehearsal_play(&s->plan, &s->r);
}

void scene_rehearse(scene_rehearsal *s)
{
    s->plan.arg = s;
    s->plan.heard = heard;
    s->plan.script = script;
    s->least_ms = INT64_MAX;
    work(rehearse, s);
    play_check(s->play, s->r.outcome == E_OK && s->r.wrong == 0, "the film came to its end, %d segments, every byte right" STR_FMT, s->r.pieces,
               STR_ARG(s->r.view.trouble));
}

void scene_rehearsal_end(scene_rehearsal *s) { rehearsal_end(&s->r); }
