#include "cmd/up_process.h"
#include "rt/inherit.h"
#include "rt/log.h"
#include "talk/control.h"

enum {
    FINISH_S = 5,                        // conversations may go on for so long after SIGTERM
    REPLACED_FINISH_S = 10,              // ... and for so long when another process takes the place (UP_FINISH_S of the supervisor)
    FIRST_LOOP_MS = 1, BEATS = 2 * SUPERVISE_BEATS,
};

// ---- its room -----------------------------------------------------------------------------------------------------------------

err up_loop_start(up_loop *l, str *why)
{
    up_process *p = l->process;
    const up_policy *policy = p->service->policy;
    err e = node_start(&l->node, p->world, p->plan->host, p->plan->directory);
    l->node.loops = p->count;
    l->node.inside_directory = str_z(up_path(p->plan, &l->memory, "run"));
    if (e || !policy->kind)
        return e;
    e = control_open_at(&l->node, up_control_path(p->plan, p->number, l->number, &l->memory));
    if (e)
        *why = S("cannot open its control socket");
    return e ? e : node_add(&l->node, policy->kind, up_settings(p->service, &l->memory), &l->room, why);
}

static bool settings_read(up_loop *l, str text, arena *a, const statement **out, str *why)
{
    config_error error;
    const up_policy *policy = l->process->service->policy;
    *out = config_parse(str_z(policy->name), str_copy(a, text), a, config_include_keep, NULL, &error);
    bool good = *out && config_check(*out, policy->kind->settings, a, &error);
    if (!good)
        *why = str_copy(&l->memory, error.text);
    return good;
}

// Would the room take these settings? Nothing changes.
static bool check(up_loop *l, str text, str *why)
{
    arena a = arena_make(UP_PROCESS_MEMORY_BYTES_MAX);
    const statement *settings;
    const room_kind *kind = l->process->service->policy->kind;
    bool good = settings_read(l, text, &a, &settings, why) && (!kind->check || kind->check(l->room, settings, why) == E_OK);
    arena_free(&a);
    return good;
}

static bool reload(up_loop *l, str text, str *why)
{
    arena a = arena_make(UP_PROCESS_MEMORY_BYTES_MAX), old = l->reloaded;
    const statement *settings;
    const room_kind *kind = l->process->service->policy->kind;
    bool good = settings_read(l, text, &a, &settings, why) && kind->reload && kind->reload(l->room, settings, why) == E_OK;
    if (good)
        l->reloaded = a;                                 // the room may look at the newest settings only
    arena_free(good ? &old : &a);
    return good;
}

void up_loop_end(up_loop *l)
{
    bool replaced = l->process->replaced;
    doors_drain(loop_now_ns() + seconds(replaced ? REPLACED_FINISH_S : FINISH_S), replaced);
    node_stop(&l->node);
}

static void obey(up_loop *l)
{
    up_process *p = l->process;
    l->why = (str){0};
    l->good = true;
    if (p->order == UP_ORDER_CHECK)
        l->good = check(l, p->text, &l->why);
    else if (p->order == UP_ORDER_RELOAD)
        l->good = reload(l, p->text, &l->why);
    else
        up_loop_end(l);
}

// ---- orders over threads ----------------------------------------------------------------------------------------------------------

// On loop 0.
static void obeyed(void *arg)
{
    up_process *p = ((up_loop *)arg)->process;
    p->at_work--;
    gate_wake_all(&p->obeyed);
}

// On the loop that is meant.
static void ordered(void *arg)
{
    up_loop *l = arg;
    l->ordered = true;
    gate_wake_all(&l->woken);
}

static bool all_obeyed(up_process *p, str *why)
{
    bool good = true;
    while (p->at_work > 0)
        gate_wait_uncanceled(&p->obeyed, "the other loops");
    for (int i = 0; i < p->count; i++)
        if (!p->loops[i].good) {
            *why = p->loops[i].why;
            good = false;
        }
    return good;
}

bool up_loops_order(up_process *p, up_order order, str text, str *why)
{
    p->order = order;
    p->text = text;
    p->at_work = p->count - 1;
    for (int i = 1; i < p->count; i++)
        loop_post(atomic_load(&p->loops[i].loop), ordered, &p->loops[i]);
    obey(&p->loops[0]);
    return all_obeyed(p, why);
}

bool up_loops_started(up_process *p, str *why) { return all_obeyed(p, why); }

// ---- the others ---------------------------------------------------------------------------------------------------------------------

static void beat(void *arg)
{
    up_loop *l = arg;
    while (fiber_sleep(l->process->plan->watch_ns / BEATS) == E_OK)
        atomic_fetch_add(&l->beats, 1);
}

bool up_loops_alive(up_process *p)
{
    bool alive = true;
    for (int i = 1; i < p->count; i++) {
        unsigned now = atomic_load(&p->loops[i].beats);
        alive &= now != p->loops[i].beats_seen;
        p->loops[i].beats_seen = now;
    }
    return alive;
}

void up_loop_run(up_loop *l)
{
    up_process *p = l->process;
    while (!atomic_load(&p->loops[0].loop))
        fiber_sleep(millis(FIRST_LOOP_MS));
    loop *first = atomic_load(&p->loops[0].loop);
    SCOPE(heart, 0, 1);
    if (p->plan->watch_ns)
        scope_go(&heart, "heart", beat, l);
    err e = up_loop_start(l, &l->why);
    l->good = e == E_OK;
    if (e && !l->why.len)
        l->why = str_z(err_text(e));
    loop_post(first, obeyed, l);
    for (bool more = true; more; ) {
        while (!l->ordered)
            gate_wait_uncanceled(&l->woken, "an order");
        l->ordered = false;
        obey(l);
        more = p->order != UP_ORDER_END;
        loop_post(first, obeyed, l);                     // then the next order may come
    }
}
