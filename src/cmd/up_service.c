#include "cmd/up_service.h"

#include <stdio.h>

#include "base/must.h"
#include "rt/inherit.h"
#include "rt/log.h"
#include "rt/loop.h"
#include "rt/worker.h"
#include "talk/control.h"

enum {
    PROCESS_MEMORY_BYTES_MAX = 16 << 20, SETTINGS_BYTES_MAX = 1 << 20, LINE_BYTES_MAX = 256, ANSWER_BYTES_MAX = 256 * 1024,
    WORKERS = 2, FINISH_S = 5,           // conversations may go on for so long after SIGTERM
    REPLACED_FINISH_S = 10,              // ... and for so long when another process takes the place (UP_FINISH_S of the supervisor)
    ASK_S = 55,
};

struct up_process {
    const up_plan    *plan;
    const up_service *service;
    service_ends      ends;
    int               number, code;
    arena             memory, reloaded;
    world            *world;
    node              node;
    room             *room;
    conn             *channel;
    gate              ending, answered;
    bool              end, replaced;
    turn              asking;
    str              *answer;            // where the answer that is waited for goes
    arena            *answer_memory;
};

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

static bool settings_read(up_process *p, str text, arena *a, const statement **out, str *why)
{
    config_error error;
    *out = config_parse(str_z(p->service->policy->name), str_copy(a, text), a, config_include_keep, NULL, &error);
    bool good = *out && config_check(*out, p->service->policy->kind->settings, a, &error);
    if (!good)
        *why = error.text;
    return good;
}

// Files that we may not open any more come as descriptors; whoever opens their path finds the newest.
static void files_take(up_process *p)
{
    char path[SUPERVISE_PATH_BYTES_MAX];
    int fd;
    while (supervise_file_receive(p->ends.files, path, &fd))
        inherit_file_as(p->number, path, fd);
}

// Would the room take these settings? Nothing changes.
static void check(up_process *p, str text)
{
    arena a = arena_make(PROCESS_MEMORY_BYTES_MAX);
    const statement *settings;
    str why = {0};
    const room_kind *kind = p->service->policy->kind;
    files_take(p);
    if (settings_read(p, text, &a, &settings, &why) && (!kind->check || kind->check(p->room, settings, &why) == E_OK))
        tell(p, "fine", (str){0});
    else
        tell(p, "refused", why.len ? why : S("the service would not take it"));
    arena_free(&a);
}

static void reload(up_process *p, str text)
{
    arena a = arena_make(PROCESS_MEMORY_BYTES_MAX);
    const statement *settings;
    str why = {0};
    const room_kind *kind = p->service->policy->kind;
    if (settings_read(p, text, &a, &settings, &why) && kind->reload && kind->reload(p->room, settings, &why) == E_OK) {
        arena_free(&p->reloaded);                        // the room may look at the newest settings only
        p->reloaded = a;
        log_line(kind->name, LOG_NOTICE, "reloaded");
        tell(p, "reloaded", (str){0});
        return;
    }
    tell(p, "refused", why.len ? why : S("the service did not take it"));
    arena_free(&a);
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
    if (!str_to_i64(str_trim(line), &length) || length < 0 || length > SETTINGS_BYTES_MAX)
        return false;
    unsigned char *body = arena_array(a, unsigned char, (size_t)length + 1);
    if (!body || !conn_read(p->channel, body, (size_t)length))
        return false;
    if (str_eq(word, S("settings")))
        reload(p, str_of(body, (size_t)length));
    else if (str_eq(word, S("check")))
        check(p, str_of(body, (size_t)length));
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
        arena a = arena_make(4 * SETTINGS_BYTES_MAX);
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

// A loop that turns says so; one that hangs is silent.
static void beat(void *arg)
{
    up_process *p = arg;
    while (fiber_sleep(p->plan->watch_ns / SUPERVISE_BEATS) == E_OK)
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

static err room_start(up_process *p, str *why)
{
    const char *name = p->service->policy->name;
    err e = control_open_at(&p->node, up_path(p->plan, &p->memory, "run/%s.control.sock", name));
    if (e) {
        *why = S("cannot open its control socket");
        return e;
    }
    return node_add(&p->node, p->service->policy->kind, up_settings(p->service, &p->memory), &p->room, why);
}

static void serve_until_end(up_process *p)
{
    SCOPE(ears, 0, 3);
    scope_go(&ears, "supervisor", listen_to_supervisor, p);
    scope_go(&ears, "signals", listen_to_signals, p);
    if (p->plan->watch_ns)
        scope_go(&ears, "heart", beat, p);
    while (!p->end && gate_wait(&p->ending, NEVER_NS, "the end") == E_OK)
        ;
    doors_drain(loop_now_ns() + seconds(p->replaced ? REPLACED_FINISH_S : FINISH_S), p->replaced);
}

static void play(void *arg)
{
    up_process *p = arg;
    sock *s;
    str why = {0};
    if (sock_adopt(p->world, p->ends.channel, &s) != E_OK)
        return;
    p->channel = conn_of(s, (addr){0}, (addr){0});
    err e = node_start(&p->node, p->world, p->plan->host, p->plan->directory);
    p->node.inside_directory = str_z(up_path(p->plan, &p->memory, "run"));
    if (!e)
        e = p->service->policy->kind ? room_start(p, &why) : up_control_serve(p, &p->node.scope, &why);
    if (e) {
        tell(p, "failed", why.len ? why : str_z(err_text(e)));
        p->code = 1;
    } else {
        tell(p, "ready", (str){0});
        serve_until_end(p);
    }
    node_stop(&p->node);
    conn_close(p->channel);
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
                      .memory = arena_make(PROCESS_MEMORY_BYTES_MAX)};
    keys_open(p, number);
    inherit_seal(number);
    if (!guard_take(p, number))
        return 1;
    workers_start(WORKERS);
    loop_driver *driver = driver_linux_new();
    p->world = up_world(plan, plan->host);
    if (loop_run(driver, p->world, play, p) != E_OK)
        p->code = 1;
    driver_linux_free(driver);
    workers_stop();
    world_linux_free(p->world);
    arena_free(&p->reloaded);
    arena_free(&p->memory);
    return p->code;
}
