#include <stdio.h>

#include "cmd/up_process.h"
#include "rt/inherit.h"
#include "rt/log.h"
#include "rt/worker.h"
#include "talk/control.h"

enum { MESSAGE_BYTES_MAX = 1 << 20, LINE_BYTES_MAX = 256, WORKERS = 2, ASK_S = 55 };

// ---- the channel --------------------------------------------------------------------------------------------------------------

static void tell(up_process *p, const char *word, str text)
{
    conn_put(p->channel, str_z(word));
    if (text.len)
        conn_put(p->channel, S(" "));
    for (str line; text.len; ) {                         // one line, whatever the text is
        line = str_cut(&text, '\n');
        conn_put(p->channel, line);
    }
    conn_put(p->channel, S("\n"));
    conn_flush(p->channel);
}

// Files that we may not open any more come as descriptors; whoever opens their path finds the newest.
static void files_take(up_process *p)
{
    char path[SUPERVISE_PATH_BYTES_MAX];
    int fd;
    while (supervise_file_receive(p->ends.files, path, &fd))
        inherit_file_as(p->number, path, fd);
}

static void settings_take(up_process *p, up_order order, str text)
{
    str why = {0};
    if (order == UP_ORDER_CHECK)
        files_take(p);
    if (!up_loops_order(p, order, text, &why)) {
        tell(p, "refused", why.len ? why : S("the service does not take it"));
        return;
    }
    if (order == UP_ORDER_RELOAD)
        log_line(p->service->policy->name, LOG_NOTICE, "reloaded");
    tell(p, order == UP_ORDER_CHECK ? "fine" : "reloaded", (str){0});
}

static void end_now(up_process *p, bool replaced)
{
    p->end = true;
    p->replaced |= replaced;
    gate_wake_all(&p->ending);
}

static void answer_take(up_process *p, str body)
{
    if (p->answer)
        *p->answer = str_copy(p->answer_memory, body);
    p->answer = NULL;
    gate_wake_all(&p->answered);
}

// "WORD LENGTH" and the bytes.
static bool message_take(up_process *p, str line, arena *a)
{
    int64_t length;
    str word = str_word(&line);
    if (!str_to_i64(str_trim(line), &length) || length < 0 || length > MESSAGE_BYTES_MAX)
        return false;
    unsigned char *body = arena_array(a, unsigned char, (size_t)length + 1);
    if (!body || !conn_read(p->channel, body, (size_t)length))
        return false;
    if (str_eq(word, S("settings")))
        settings_take(p, UP_ORDER_RELOAD, str_of(body, (size_t)length));
    else if (str_eq(word, S("check")))
        settings_take(p, UP_ORDER_CHECK, str_of(body, (size_t)length));
    else if (str_eq(word, S("finish")))
        end_now(p, true);
    else
        answer_take(p, str_of(body, (size_t)length));
    return true;
}

static void listen_to_supervisor(void *arg)
{
    up_process *p = arg;
    for (bool more = true; more; ) {
        arena a = arena_make(4 * MESSAGE_BYTES_MAX);
        str line = conn_line(p->channel, &a, LINE_BYTES_MAX);
        more = str_ends(line, S("\n")) && message_take(p, str_chomp(line), &a);
        arena_free(&a);
    }
    end_now(p, false);
}

static void listen_to_signals(void *arg)
{
    up_process *p = arg;
    signal_wait();
    end_now(p, false);
}

// Loops that turn say so; one that hangs is silent.
static void beat(void *arg)
{
    up_process *p = arg;
    while (fiber_sleep(p->plan->watch_ns / SUPERVISE_BEATS) == E_OK)
        if (up_loops_alive(p))
            tell(p, "alive", (str){0});
}

str up_ask(up_process *p, const char *question, arena *a)
{
    str answer = {0};
    int64_t until_ns = loop_now_ns() + seconds(ASK_S);
    if (turn_take(&p->asking, until_ns) != E_OK)
        return answer;
    p->answer = &answer;
    p->answer_memory = a;
    tell(p, question, (str){0});
    while (p->answer && !p->end && gate_wait(&p->answered, until_ns, "the supervisor") == E_OK)
        ;
    p->answer = NULL;
    turn_give(&p->asking);
    return answer;
}

world *up_process_world(const up_process *p) { return p->world; }
const up_plan *up_process_plan(const up_process *p) { return p->plan; }

// ---- its life -------------------------------------------------------------------------------------------------------------------

static void serve_until_end(up_process *p)
{
    SCOPE(ears, 0, 3);
    scope_go(&ears, "supervisor", listen_to_supervisor, p);
    scope_go(&ears, "signals", listen_to_signals, p);
    if (p->plan->watch_ns)
        scope_go(&ears, "heart", beat, p);
    while (!p->end && gate_wait(&p->ending, NEVER_NS, "the end") == E_OK)
        ;
}

static void play(up_process *p)
{
    sock *s;
    up_loop *own = &p->loops[0];
    if (sock_adopt(p->world, p->ends.channel, &s) != E_OK)
        return;
    p->channel = conn_of(s, (addr){0}, (addr){0});
    err e = up_loop_start(own, &own->why);
    if (!e && !p->service->policy->kind)
        e = up_control_serve(p, &own->node.scope, &own->why);
    own->good = e == E_OK;
    if (e && !own->why.len)
        own->why = str_z(err_text(e));
    atomic_store(&own->loop, loop_here());               // the others go on
    str why = {0};
    if (up_loops_started(p, &why)) {
        tell(p, "ready", (str){0});
        serve_until_end(p);
    } else {
        tell(p, "failed", why);
        p->code = 1;
    }
    up_loops_order(p, UP_ORDER_END, (str){0}, &why);
    conn_close(p->channel);
}

static void loop_first(void *arg, int number)
{
    up_process *p = arg;
    inherit_share(number);
    fiber_world(p->world);
    if (number == 0) {
        play(p);
    } else {
        atomic_store(&p->loops[number].loop, loop_here());
        up_loop_run(&p->loops[number]);
    }
}

// Private keys and certificates are opened now, as who we still are; afterwards no path leads to them.
static void keys_open(up_process *p, int number)
{
    str paths[UP_FILES_MAX];
    int count = up_files(p->service, paths, &p->memory);
    for (int i = 0; i < count; i++)
        inherit_file(number, str_to_z(&p->memory, paths[i]));            // a missing one: the room says it better
}

static void say_what_lacks(const up_process *p, const guard_report *r)
{
    const char *lacks = !r->files ? "Landlock" : !r->calls ? "seccomp" : r->calls_logged_only ? "seccomp only logs" : NULL;
    if (lacks)
        log_line(p->service->policy->name, LOG_WARNING, "guard-incomplete", F_STR("lacks", str_z(lacks)));
}

static bool guard_take(up_process *p, int number)
{
    guard_policy policy = up_guard(p->plan, number, &p->memory);
    guard_report report;
    const char *why;
    if (!guard_enter(&policy, &report, &why)) {
        log_line(p->service->policy->name, LOG_ERROR, "guard-failed", F_STR("why", str_z(why)));
        return false;
    }
    say_what_lacks(p, &report);
    return true;
}

int up_service_run(const up_plan *plan, int number, service_ends ends)
{
    static up_process process;                   // one a process
    up_process *p = &process;
    *p = (up_process){.plan = plan, .service = &plan->services[number], .ends = ends, .number = number,
                      .memory = arena_make(UP_PROCESS_MEMORY_BYTES_MAX)};
    p->count = p->service->loops;
    p->at_work = p->count - 1;
    for (int i = 0; i < p->count; i++) {
        p->loops[i].process = p;
        p->loops[i].number = i;
        p->loops[i].memory = arena_make(UP_PROCESS_MEMORY_BYTES_MAX);
    }
    keys_open(p, number);
    inherit_seal(number);
    if (!guard_take(p, number))
        return 1;
    workers_start(WORKERS);
    p->world = up_world(plan, plan->host);
    if (loops_run(p->count, p->world, loop_first, p) != E_OK)
        p->code = 1;
    workers_stop();
    world_linux_free(p->world);
    for (int i = 0; i < p->count; i++) {
        arena_free(&p->loops[i].reloaded);
        arena_free(&p->loops[i].memory);
    }
    arena_free(&p->memory);
    return p->code;
}
