// naru up: the real thing, one locked process a service. The supervisor reads the configuration, binds the sockets, starts the
// processes and starts again what dies; the process "control" speaks for it.
#include <stdio.h>
#include <unistd.h>

#include "base/quantity.h"
#include "cmd/commands.h"
#include "cmd/options.h"
#include "cmd/running.h"
#include "cmd/up_inside.h"
#include "rt/inherit.h"
#include "rt/json_text.h"
#include "rt/log.h"
#include "rt/own_dir.h"
#include "rt/program.h"

enum { STATUS_BYTES_MAX = 64 * 1024 };

// ---- what the control process asks --------------------------------------------------------------------------------------------------

static void status_put_service(const uping *u, int row, buf *out)
{
    service_view v = supervise_look(u->supervisor, u->numbers[row]);
    int64_t now = supervise_now_ns();
    buf_format(out, "{\"service\": \"%s\", \"state\": \"%s\", \"pid\": %d, \"restarts\": %d, \"since_ms\": %lld, \"ended\": %d}",
               up_name(u, row), supervise_state_name(v.state), v.pid, v.restarts, (long long)((now - v.since_ns) / NS_PER_MS), v.end);
}

// naru.conf with its whole path: `naru backup` keeps it and what it names.
static void config_put(const uping *u, buf *out)
{
    arena a = arena_make(16 * 1024);
    char here[4096];
    bool relative = u->file.len && u->file.at[0] != '/' && getcwd(here, sizeof here);
    buf_put(out, S(", \"config\": "));
    json_put(out, relative ? str_format(&a, "%s/" STR_FMT, here, STR_ARG(u->file)) : u->file);
    arena_free(&a);
}

static void status_put(const uping *u, buf *out)
{
    buf_put(out, S("{\"node\": "));
    json_put(out, u->plan.host);
    buf_put(out, S(", \"version\": \"" NARU_VERSION "\", \"directory\": "));
    json_put(out, u->plan.directory);
    config_put(u, out);
    buf_format(out, ", \"uptime_ms\": %lld, \"services\": [", (long long)((supervise_now_ns() - u->begun_ns) / NS_PER_MS));
    const char *comma = "";
    for (int i = 0; i < UP_POLICIES; i++)
        if (u->numbers[i] >= 0 && u->plan.services[i].policy->kind) {
            buf_format(out, "%s\"%s\"", comma, up_name(u, i));
            comma = ", ";
        }
    buf_put(out, S("], \"processes\": ["));
    comma = "";
    for (int i = 0; i < UP_POLICIES; i++)
        if (u->numbers[i] >= 0) {
            buf_put(out, str_z(comma));
            status_put_service(u, i, out);
            comma = ", ";
        }
    buf_put(out, S("]"));
    up_upgrade_status(u, out);
    buf_put(out, S("}\n"));
}

bool up_message(const uping *u, int row, const char *word, str text)
{
    buf out = buf_make(UP_MESSAGE_BYTES_MAX);
    buf_format(&out, "%s %td\n", word, text.len);
    buf_put(&out, text);
    bool good = !out.full && supervise_tell(u->supervisor, u->numbers[row], buf_str(&out));
    buf_free(&out);
    return good;
}

const farewell up_farewell = {.text = {(const unsigned char *)"finish 0\n", 9}, .patience_ns = (UP_FINISH_S + SUPERVISE_STOP_S) * NS_PER_S};

// What owns data cannot stand side by side with its successor: connections wait in the sockets' queues meanwhile.
void up_replace(uping *u, int row)
{
    if (u->plan.services[row].policy->writes)
        supervise_stop(u->supervisor, u->numbers[row], true, up_farewell);
    else
        supervise_replace(u->supervisor, u->numbers[row], up_farewell);
}

static void status_answer(const uping *u)
{
    buf out = buf_make(STATUS_BYTES_MAX);
    status_put(u, &out);
    up_message(u, UP_CONTROL, "answer", buf_str(&out));
    buf_free(&out);
}

// ---- what happens to the services -----------------------------------------------------------------------------------------------

// With --json: {"event": "ready"}, {"event": "failed", "error": why}, {"event": "stopped"}.
static void tell_user(const uping *u, const char *event, str why)
{
    buf out = buf_make(STATUS_BYTES_MAX);
    buf_format(&out, "{\"event\": \"%s\"", event);
    if (why.len) {
        buf_put(&out, S(", \"error\": "));
        json_put(&out, why);
    }
    if (u->json)
        printf(STR_FMT "}\n", STR_ARG(buf_str(&out)));
    fflush(stdout);
    buf_free(&out);
}

static void end_now(uping *u)
{
    u->code = COMMAND_FAILED;
    supervise_end(u->supervisor);
}

static void failed(uping *u, int row, str why)
{
    log_line("up", LOG_ERROR, "service-failed", F_STR("name", str_z(up_name(u, row))), F_STR("why", why));
    if (!u->ready_said) {
        command_error("up", COMMAND_FAILED, STR_FMT, STR_ARG(why));
        tell_user(u, "failed", why);
        end_now(u);
    }
    up_upgrade_failed(u, row, why);
}

static void upgrade_answer(uping *u)
{
    str why = up_upgrade_begin(u);
    up_message(u, UP_CONTROL, "answer", why.len ? str_format(&u->memory, "-" STR_FMT, STR_ARG(why)) : S("+"));
}

static void on_heard(void *arg, int number, str line)
{
    uping *u = arg;
    int row = u->service_of[number];
    if (row < 0) {
        up_upgrade_trial_heard(u, line);
        return;
    }
    str word = str_word(&line), rest = str_trim(line);
    if (str_eq(word, S("status"))) {
        status_answer(u);
    } else if (str_eq(word, S("reload"))) {
        u->asked_to_reload = true;
        up_reload_begin(u);
    } else if (str_eq(word, S("upgrade"))) {
        upgrade_answer(u);
    } else {
        if (str_eq(word, S("failed")))
            failed(u, row, rest);
        up_reload_heard(u, row, word, rest);
    }
}

static void ready_say(uping *u)
{
    for (int i = 0; i < UP_POLICIES; i++)
        if (u->numbers[i] >= 0 && supervise_look(u->supervisor, u->numbers[i]).state != SERVICE_READY)
            return;
    u->ready_said = true;
    log_line("up", LOG_NOTICE, "ready", F_STR("host_name", u->plan.host), F_STR("directory", u->plan.directory));
    supervise_notify("READY=1\nSTATUS=all services answer");
    tell_user(u, "ready", (str){0});
}

static void died(uping *u, int row, const service_view *now)
{
    str name = str_z(up_name(u, row));
    if (now->hung)
        log_line("up", LOG_ERROR, "service-hung", F_STR("name", name), F_NS("silent_ms", u->plan.watch_ns));
    log_line("up", LOG_ERROR, "service-died", F_STR("name", name), F_INT(now->end < 0 ? "signal" : "code", now->end < 0 ? -now->end : now->end),
             F_INT("restarts", now->restarts), F_NS("again_in_ms", now->wait_ns));
    if (!u->ready_said && now->restarts > 0)
        end_now(u);
    up_upgrade_failed(u, row, S("it ended before it was ready"));
}

static void on_changed(void *arg, int number, const service_view *now)
{
    uping *u = arg;
    int row = u->service_of[number];
    if (row < 0) {
        up_upgrade_trial_ended(u, now);
    } else if (now->state == SERVICE_READY) {
        log_line("up", LOG_INFO, "service-ready", F_STR("name", str_z(up_name(u, row))), F_INT("pid", now->pid));
        if (!u->ready_said)
            ready_say(u);
        up_upgrade_ready(u, row);
    } else if (now->state == SERVICE_WAITING) {
        died(u, row, now);
    } else if (now->state == SERVICE_STOPPED) {
        log_line("up", LOG_INFO, "service-ended", F_STR("name", str_z(up_name(u, row))), F_INT("code", now->end));
        up_upgrade_stopped(u, row);
    }
}

static void on_hang_up(void *arg) { up_reload_begin(arg); }
static void on_upgrade(void *arg) { up_upgrade_begin(arg); }

static void on_tick(void *arg)
{
    up_reload_tick(arg);
    up_upgrade_tick(arg);
}

static int on_run(void *arg, int number, service_ends ends)
{
    uping *u = arg;
    int row = u->service_of[number];
    program_close(u->upgrade.before);
    return row < 0 ? up_upgrade_run_trial(u, ends.channel) : up_service_run(&u->plan, row, ends);
}

// ---- the command ------------------------------------------------------------------------------------------------------------------

static err lock_take(uping *u, arena *a)
{
    return inherit_lock(up_path(&u->plan, a, "lock"));
}

static bool prepare(uping *u, arena *a, str *why)
{
    str closed = up_closed_parent(u, a);
    *why = (str){0};
    if (closed.len) {
        *why = str_format(a, "the services run as users of their own and cannot get through " STR_FMT ": chmod o+x it, or choose another "
                          "directory with --dir", STR_ARG(closed));
    } else if (!up_directories_make(u, a)) {
        *why = str_format(a, "cannot make " STR_FMT " and what stands in it; choose another with --dir", STR_ARG(u->plan.directory));
    } else if (lock_take(u, a) != E_OK) {
        *why = str_format(a, "another naru runs in " STR_FMT " (or its lock cannot be opened); stop it, or choose --dir", STR_ARG(u->plan.directory));
    } else {
        bool good = true;
        for (int i = 0; i < UP_POLICIES && good; i++)
            if (u->plan.services[i].wanted)
                good = up_doors_bind(&u->plan, i, a, why) && up_inside_bind(&u->plan, i, a, why);
    }
    return why->len == 0;
}

void up_supervisor_make(uping *u)
{
    const supervise_hooks hooks = {u, on_run, on_heard, on_changed, on_hang_up, on_upgrade, on_tick};
    u->supervisor = supervise_new(&hooks);
    supervise_watch(u->supervisor, u->plan.watch_ns);
    for (int i = 0; i < UP_POLICIES; i++) {
        u->numbers[i] = u->plan.services[i].wanted ? supervise_add(u->supervisor, up_name(u, i)) : -1;
        if (u->numbers[i] >= 0)
            u->service_of[u->numbers[i]] = i;
    }
    u->upgrade.number = supervise_add(u->supervisor, "upgrade");
    u->service_of[u->upgrade.number] = -1;
}

static void supervise(uping *u, bool takes_over)
{
    up_supervisor_make(u);
    if (takes_over) {
        up_upgrade_take_processes(u);
        up_upgrade_next(u);
    } else {
        u->begun_ns = supervise_now_ns();
        for (int i = 0; i < UP_POLICIES; i++)
            if (u->numbers[i] >= 0)
                supervise_start(u->supervisor, u->numbers[i]);
    }
    supervise_run(u->supervisor);
    log_line("up", LOG_NOTICE, "stopped");
    tell_user(u, "stopped", (str){0});
    supervise_free(u->supervisor);
}

static int plan_error(const uping *u, const config_error *error)
{
    arena a = arena_make(UP_MEMORY_BYTES_MAX);
    tell_user(u, "failed", str_format(&a, STR_FMT ":%d:%d: " STR_FMT, STR_ARG(error->file), error->line, error->column, STR_ARG(error->text)));
    arena_free(&a);
    fprintf(stderr, STR_FMT ":%d:%d: " STR_FMT "\n", STR_ARG(error->file), error->line, error->column, STR_ARG(error->text));
    return COMMAND_USAGE;
}

static int run(uping *u)
{
    config_error error;
    str why;
    arena a = arena_make(UP_MEMORY_BYTES_MAX);
    if (!up_plan_read(&u->plan, u->file, u->wanted_directory, &error)) {
        u->code = plan_error(u, &error);
    } else if (!prepare(u, &a, &why)) {
        u->code = command_error("up", COMMAND_FAILED, STR_FMT, STR_ARG(why));
        tell_user(u, "failed", why);
    } else {
        if (own_user() != 0)
            log_line("up", LOG_NOTICE, "one-user", F_STR("why", S("not started as root: all services run as this user")));
        str warnings[UP_WARNINGS_MAX];
        int count = up_warnings(&u->plan, warnings, &a);
        for (int i = 0; i < count; i++)
            log_line("up", LOG_WARNING, "configuration", F_STR("why", warnings[i]));
        bool listed = running_announce(&a, u->plan.directory);
        supervise(u, false);
        if (listed)
            running_forget(&a, u->plan.directory);
    }
    inherit_close();
    up_plan_free(&u->plan);
    arena_free(&a);
    return u->code;
}

// In the place of a program that runs already: its sockets, its processes.
static int take_over(uping *u)
{
    config_error error;
    str why;
    arena a = arena_make(UP_MEMORY_BYTES_MAX);
    if (!up_upgrade_take_plan(u, &error))
        up_upgrade_give_up(u, str_format(&a, STR_FMT ":%d:%d: " STR_FMT, STR_ARG(error.file), error.line, error.column, STR_ARG(error.text)));
    if (!prepare(u, &a, &why))
        up_upgrade_give_up(u, why);
    supervise(u, true);
    running_forget(&a, u->plan.directory);
    inherit_close();
    up_plan_free(&u->plan);
    arena_free(&a);
    return u->code;
}

// Another program asks whether we could take its place. Whatever it runs on is not ours to close or to remove.
static int trial(uping *u, int answer)
{
    config_error error;
    str why = {0};
    arena a = arena_make(UP_MEMORY_BYTES_MAX);
    if (!up_upgrade_take_plan(u, &error))
        why = str_format(&a, STR_FMT ":%d:%d: " STR_FMT, STR_ARG(error.file), error.line, error.column, STR_ARG(error.text));
    for (int i = 0; i < UP_POLICIES && !why.len; i++)
        if (u->plan.services[i].wanted)
            (void)up_doors_bind(&u->plan, i, &a, &why);
    program_answer(answer, why.len ? str_format(&a, "failed " STR_FMT, STR_ARG(why)) : S("ready"));
    arena_free(&a);
    return why.len ? COMMAND_FAILED : COMMAND_OK;
}

int cmd_up(int argc, char **argv)
{
    static uping state;                          // large; one a process
    uping *u = &state;
    bool json_log = false, verbose = false;
    str words[1];
    const command_option options[] = {
        {"dir", OPTION_TEXT, &u->wanted_directory, "DIR", "keep everything that lasts here (default: the file's `directory`)"},
        {"json", OPTION_FLAG, &u->json, NULL, "what happens to the whole as JSON, a line each; log lines too"},
        {"json-log", OPTION_FLAG, &json_log, NULL, "log lines as JSON"},
        {"verbose", OPTION_FLAG, &verbose, NULL, "log more"},
        {0},
    };
    const command_help help = {"up", "[CONFIG]", "Runs the services of naru.conf, each in a locked process of its own.", options,
                               "Without CONFIG: /etc/naru/naru.conf where it is there. Ctrl-C or SIGTERM ends it gracefully; `naru reload`\n"
                               "or SIGHUP reads the file again. Without root the ports must be moved: ports { dns 5300; smtp 2525; ... }"};
    int count, code;
    if (!options_read(argc, argv, &help, words, 1, &count, &code))
        return code;
    file_stat st;
    world *w = world_linux_new(S("naru"), NULL, 0);
    u->file = count ? words[0] : path_stat(w, UP_USUAL_FILE, &st) == E_OK ? str_z(UP_USUAL_FILE) : (str){0};
    world_linux_free(w);
    u->memory = arena_make(UP_MEMORY_BYTES_MAX);
    u->program_memory = arena_make(UP_MEMORY_BYTES_MAX);
    u->upgrade.argv = (const char *const *)argv;
    u->upgrade.before = u->upgrade.row = -1;
    log_setup(json_log || u->json ? LOG_JSON : LOG_LOGFMT, verbose ? LOG_DEBUG : LOG_INFO, NULL, NULL);
    int asked;
    if (!up_upgrade_state(u, &asked))
        return run(u);
    return asked >= 0 ? trial(u, asked) : take_over(u);
}
