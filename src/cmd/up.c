// naru up: the real thing, one locked process a service. The supervisor reads the configuration, binds the sockets, starts the
// processes and starts again what dies; the process "control" speaks for it.
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/must.h"
#include "base/quantity.h"
#include "cmd/commands.h"
#include "cmd/options.h"
#include "cmd/running.h"
#include "cmd/up_service.h"
#include "rt/inherit.h"
#include "rt/json_text.h"
#include "rt/log.h"
#include "rt/own_dir.h"
#include "rt/supervise.h"

enum { STATUS_BYTES_MAX = 64 * 1024, MESSAGE_BYTES_MAX = 180 * 1024, RELOAD_S_MAX = 20, MEMORY_BYTES_MAX = 4 << 20 };

typedef struct {
    up_plan     plan, next;              // next: while services take a new configuration
    str         file, wanted_directory;
    supervisor *supervisor;
    int         numbers[UP_POLICIES];    // of the supervisor; -1: not wanted
    int         service_of[SUPERVISED_MAX];
    int64_t     begun_ns, reload_until_ns;
    bool        reloading, asked_to_reload, ready_said, ending;
    bool        waits_for[UP_POLICIES];  // a service that has not said yet how it took the new settings
    bool        restarted[UP_POLICIES];  // it takes them by a new start
    up_service  before[UP_POLICIES];     // what it ran on
    str         refusal;                 // of the reload that runs; in next's memory
    arena       memory;
    file       *lock;
    int         code;
} uping;

static const char *name_of(const uping *u, int row) { return u->plan.services[row].policy->name; }

// ---- before the services ------------------------------------------------------------------------------------------------------

// Services that are users of their own must get through every directory above theirs. Empty: they do.
static str closed_parent(uping *u, world *w, arena *a)
{
    for (ptrdiff_t i = 1; i < u->plan.directory.len && own_user() == 0; i++) {
        file_stat st;
        str parent = str_first(u->plan.directory, i);
        if (u->plan.directory.at[i] == '/' && path_stat(w, str_to_z(a, parent), &st) == E_OK && (st.mode & 0001) == 0)
            return parent;
    }
    return (str){0};
}

static bool directories_make(uping *u, arena *a)
{
    bool root = own_user() == 0, good = true;
    world *w = world_linux_new(S("naru"), NULL, 0);
    good = dir_make(w, str_to_z(a, u->plan.directory), 0700) == E_OK;
    good = good && dir_give(str_to_z(a, u->plan.directory), root ? 0711 : 0700, 0, 0) &&
           dir_give(up_path(&u->plan, a, "run"), root ? 0711 : 0700, 0, 0);
    for (int i = 0; i < UP_POLICIES && good; i++)
        if (u->plan.services[i].wanted && u->plan.services[i].policy->writes)
            good = dir_give(up_path(&u->plan, a, "%s", name_of(u, i)), 0700, UP_USER_FIRST + (unsigned)i, UP_GROUP_ALL);
    world_linux_free(w);
    return good;
}

// One `naru up` a directory. Its services hold the lock too, so that none of them meets one of another's.
static bool lock_take(uping *u, arena *a)
{
    static world *w;                             // as long as the lock: the process
    w = world_linux_new(S("naru"), NULL, 0);
    return file_open(w, up_path(&u->plan, a, "lock"), FILE_READ | FILE_WRITE | FILE_CREATE, 0600, &u->lock) == E_OK &&
           file_lock(u->lock) == E_OK;
}

static inherit_peers peers_of(const uping *u, const char *name)
{
    inherit_peers peers = {0};
    for (int i = 0; i < UP_POLICIES && own_user() == 0; i++)
        for (int k = 0; k < UP_INSIDE_MAX && u->plan.services[i].policy->peers[k]; k++)
            if (strcmp(u->plan.services[i].policy->peers[k], name) == 0)
                peers.users[peers.count++] = UP_USER_FIRST + (unsigned)i;
    return peers;
}

static unsigned inside_group(void) { return own_user() == 0 ? UP_GROUP_ALL : 0; }

static bool no_ipv6_here(addr at, err e)
{
    return at.family == 6 && addr_is_any(at) && (e == E_UNSUPPORTED || e == E_UNREACHABLE);
}

static bool door_bind(const up_plan *plan, int row, const up_door *d, arena *a, str *why)
{
    addr at[UP_ADDRESSES_MAX];
    const up_service *s = &plan->services[row];
    int count = up_door_addresses(plan, s, d, at, a);
    world *w = up_world(plan, plan->host);
    err e = E_OK;
    for (int i = 0; i < count && !e; i++) {
        if (d->protocols & UP_TCP)
            e = inherit_listen(w, row, at[i]);
        if (!e && d->protocols & UP_UDP)
            e = inherit_datagram(w, row, at[i]);
        addr real = addr_with_port(at[i], world_port(w, at[i].port));
        if (no_ipv6_here(at[i], e))
            e = E_OK;
        if (e)
            *why = str_format(a, "%s cannot listen on " STR_FMT ": %s. %s", s->policy->name, STR_ARG(addr_text(a, real)), err_text(e),
                              e == E_ACCESS ? "Start as root, or move the ports: ports { dns 5300; smtp 2525; pop3 2110 ... }"
                                            : "Another program, or another service of this one, has the port (ss -lntup shows which): "
                                              "end it, or give the service an address of its own (listen ADDRESS)");
    }
    world_linux_free(w);
    return e == E_OK;
}

static bool doors_bind(const up_plan *plan, int row, arena *a, str *why)
{
    const up_service *s = &plan->services[row];
    bool tls = s->policy->kind && config_find(up_settings(s, a), "certificate") != NULL;
    bool good = true;
    for (int i = 0; i < UP_DOORS_MAX && s->policy->doors[i].port && good; i++)
        if (!s->policy->doors[i].under_tls || tls)
            good = door_bind(plan, row, &s->policy->doors[i], a, why);
    return good;
}

static bool inside_bind(uping *u, int row, arena *a, str *why)
{
    const up_policy *p = u->plan.services[row].policy;
    inherit_peers peers = peers_of(u, p->name), nobody = {0}, control = {0};
    if (own_user() == 0)
        control = (inherit_peers){.users = {UP_USER_FIRST + UP_POLICIES - 1}, .count = 1};
    err e = E_OK;
    for (int i = 0; i < UP_INSIDE_MAX && p->inside[i] && !e; i++)
        e = inherit_unix(row, up_path(&u->plan, a, "run/%s.sock", p->inside[i]), inside_group(), &peers);
    if (!e && p->kind)
        e = inherit_unix(row, up_path(&u->plan, a, "run/%s.control.sock", p->name), inside_group(), &control);
    if (!e && !p->kind)
        e = inherit_unix(row, up_path(&u->plan, a, "control.sock"), 0, &nobody);
    if (e)
        *why = str_format(a, "cannot open the inside doors of %s in " STR_FMT "/run: %s", p->name, STR_ARG(u->plan.directory), err_text(e));
    return e == E_OK;
}

// ---- what the control process asks --------------------------------------------------------------------------------------------------

static void status_put_service(const uping *u, int row, buf *out)
{
    service_view v = supervise_look(u->supervisor, u->numbers[row]);
    int64_t now = supervise_now_ns();
    buf_format(out, "{\"service\": \"%s\", \"state\": \"%s\", \"pid\": %d, \"restarts\": %d, \"since_ms\": %lld, \"ended\": %d}",
               name_of(u, row), supervise_state_name(v.state), v.pid, v.restarts, (long long)((now - v.since_ns) / NS_PER_MS), v.end);
}

static void status_put(const uping *u, buf *out)
{
    buf_put(out, S("{\"node\": "));
    json_put(out, u->plan.host);
    buf_put(out, S(", \"version\": \"" NARU_VERSION "\", \"directory\": "));
    json_put(out, u->plan.directory);
    buf_format(out, ", \"uptime_ms\": %lld, \"services\": [", (long long)((supervise_now_ns() - u->begun_ns) / NS_PER_MS));
    const char *comma = "";
    for (int i = 0; i < UP_POLICIES; i++)
        if (u->numbers[i] >= 0 && u->plan.services[i].policy->kind) {
            buf_format(out, "%s\"%s\"", comma, name_of(u, i));
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
    buf_put(out, S("]}\n"));
}

static bool message_send(const uping *u, int row, const char *word, str text)
{
    buf out = buf_make(MESSAGE_BYTES_MAX);
    buf_format(&out, "%s %td\n", word, text.len);
    buf_put(&out, text);
    bool good = !out.full && supervise_tell(u->supervisor, u->numbers[row], buf_str(&out));
    buf_free(&out);
    return good;
}

static void status_answer(const uping *u)
{
    buf out = buf_make(STATUS_BYTES_MAX);
    status_put(u, &out);
    message_send(u, UP_POLICIES - 1, "answer", buf_str(&out));
    buf_free(&out);
}

// ---- reload ---------------------------------------------------------------------------------------------------------------------

static void reload_say(uping *u, str refusal)
{
    if (refusal.len)
        log_line("up", LOG_ERROR, "reload-refused", F_STR("why", refusal));
    else
        log_line("up", LOG_NOTICE, "reloaded");
    if (u->asked_to_reload)
        message_send(u, UP_POLICIES - 1, "answer", refusal.len ? str_format(&u->memory, "-" STR_FMT, STR_ARG(refusal)) : S("+"));
    u->asked_to_reload = false;
    arena_reset(&u->memory);
    supervise_notify("READY=1");
}

// All have answered. What a service refused it keeps as it was; the others run on the new settings.
static void reload_finish(uping *u)
{
    for (int i = 0; i < UP_POLICIES; i++)
        if (u->waits_for[i])
            return;
    u->reloading = false;
    str refusal = u->refusal.len ? str_copy(&u->memory, u->refusal) : (str){0};
    up_plan old = u->plan;
    if (refusal.len) {
        up_plan_free(&u->next);
    } else {
        u->plan = u->next;
        up_plan_free(&old);
    }
    reload_say(u, refusal);
}

// What only a new start of the whole can change.
static const char *too_much(const uping *u)
{
    const up_plan *a = &u->plan, *b = &u->next;
    if (!str_eq(a->directory, b->directory) || !str_eq(a->host, b->host))
        return "host and directory change by a new start of `naru up`";
    if (a->port_count != b->port_count || memcmp(a->ports, b->ports, sizeof a->ports) != 0)
        return "ports change by a new start of `naru up`";
    if (a->address_count != b->address_count || memcmp(a->addresses, b->addresses, sizeof a->addresses) != 0)
        return "addresses change by a new start of `naru up`";
    for (int i = 0; i < UP_POLICIES; i++)
        if (a->services[i].wanted != b->services[i].wanted)
            return "services are added and removed by a new start of `naru up`";
    return NULL;
}

static void reload_refuse(uping *u, str why)
{
    str kept = str_copy(&u->memory, why);
    up_plan_free(&u->next);
    reload_say(u, kept);
}

// A restarted child reads u->plan: it holds the settings that the service is to have from now on.
static void settings_keep(uping *u, int row)
{
    u->plan.services[row].settings = str_copy(&u->plan.memory, u->next.services[row].settings);
    u->plan.services[row].fixed = str_copy(&u->plan.memory, u->next.services[row].fixed);
}

static void hand_over(uping *u, int row)
{
    const up_service *new = &u->next.services[row], *old = &u->plan.services[row];
    if (str_eq(old->settings, new->settings) && !old->policy->reads_again)
        return;
    u->before[row] = *old;
    u->waits_for[row] = true;
    u->restarted[row] = !str_eq(old->fixed, new->fixed) || !old->policy->kind->reload;
    if (!u->restarted[row] && message_send(u, row, "settings", new->settings))
        return;
    if (!u->restarted[row]) {
        u->waits_for[row] = false;
        u->refusal = S("a service does not listen; it is started again, try once more");
        return;
    }
    str why = {0};
    if (!doors_bind(&u->next, row, &u->next.memory, &why)) {
        u->waits_for[row] = false;
        u->refusal = why;
        return;
    }
    settings_keep(u, row);
    supervise_stop(u->supervisor, u->numbers[row], true);
}

static void reload_begin(uping *u)
{
    config_error error;
    char usec[96];
    if (u->reloading)
        return;                                  // its end answers both
    snprintf(usec, sizeof usec, "RELOADING=1\nMONOTONIC_USEC=%lld", (long long)(supervise_now_ns() / 1000));
    supervise_notify(usec);
    if (!up_plan_read(&u->next, u->file, u->wanted_directory, &error)) {
        reload_refuse(u, str_format(&u->memory, STR_FMT ":%d:%d: " STR_FMT, STR_ARG(error.file), error.line, error.column,
                                    STR_ARG(error.text)));
        return;
    }
    const char *more = too_much(u);
    if (more) {
        reload_refuse(u, str_z(more));
        return;
    }
    u->reloading = true;
    u->refusal = (str){0};
    u->reload_until_ns = supervise_now_ns() + seconds(RELOAD_S_MAX);
    for (int i = 0; i < UP_POLICIES; i++)
        if (u->numbers[i] >= 0 && u->plan.services[i].policy->kind)
            hand_over(u, i);
    reload_finish(u);
}

static void reload_answered(uping *u, int row, str refusal)
{
    if (!u->reloading || !u->waits_for[row])
        return;
    u->waits_for[row] = false;
    if (refusal.len && u->restarted[row])
        u->plan.services[row] = u->before[row];          // its next start takes what worked
    else if (!refusal.len && !u->restarted[row])
        settings_keep(u, row);
    if (refusal.len)
        u->refusal = str_format(&u->next.memory, "%s: " STR_FMT, name_of(u, row), STR_ARG(refusal));
    reload_finish(u);
}

// ---- what happens to the services -----------------------------------------------------------------------------------------------

static void on_heard(void *arg, int number, str line)
{
    uping *u = arg;
    int row = u->service_of[number];
    str word = str_word(&line), rest = str_trim(line);
    if (str_eq(word, S("status"))) {
        status_answer(u);
    } else if (str_eq(word, S("reload"))) {
        u->asked_to_reload = true;
        reload_begin(u);
    } else if (str_eq(word, S("failed"))) {
        log_line("up", LOG_ERROR, "service-failed", F_STR("name", str_z(name_of(u, row))), F_STR("why", rest));
        if (!u->ready_said) {
            command_error("up", COMMAND_FAILED, STR_FMT, STR_ARG(rest));
            u->code = COMMAND_FAILED;
            supervise_end(u->supervisor);
        }
        reload_answered(u, row, rest);
    } else if (str_eq(word, S("ready")) && u->reloading && u->restarted[row]) {
        reload_answered(u, row, (str){0});
    } else if (str_eq(word, S("reloaded"))) {
        reload_answered(u, row, (str){0});
    } else if (str_eq(word, S("refused"))) {
        reload_answered(u, row, rest);
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
}

static void on_changed(void *arg, int number, const service_view *now)
{
    uping *u = arg;
    str name = str_z(name_of(u, u->service_of[number]));
    if (now->state == SERVICE_READY) {
        log_line("up", LOG_INFO, "service-ready", F_STR("name", name), F_INT("pid", now->pid));
        if (!u->ready_said)
            ready_say(u);
    } else if (now->state == SERVICE_WAITING) {
        log_line("up", LOG_ERROR, "service-died", F_STR("name", name), F_INT(now->end < 0 ? "signal" : "code", now->end < 0 ? -now->end : now->end),
                 F_INT("restarts", now->restarts), F_NS("again_in_ms", now->wait_ns));
        if (!u->ready_said && now->restarts > 0) {
            u->code = COMMAND_FAILED;
            supervise_end(u->supervisor);
        }
    } else if (now->state == SERVICE_STOPPED) {
        log_line("up", LOG_INFO, "service-ended", F_STR("name", name), F_INT("code", now->end));
    }
}

static void on_hang_up(void *arg) { reload_begin(arg); }

static void on_tick(void *arg)
{
    uping *u = arg;
    if (!u->reloading || supervise_now_ns() < u->reload_until_ns)
        return;
    for (int i = 0; i < UP_POLICIES; i++)
        if (u->waits_for[i])
            reload_answered(u, i, S("did not answer in time"));
}

static int on_run(void *arg, int number, int channel_fd)
{
    uping *u = arg;
    return up_service_run(&u->plan, u->service_of[number], channel_fd);
}

// ---- the command ------------------------------------------------------------------------------------------------------------------

static bool prepare(uping *u, arena *a)
{
    world *w = world_linux_new(S("naru"), NULL, 0);
    str closed = closed_parent(u, w, a), why = {0};
    world_linux_free(w);
    if (closed.len) {
        why = str_format(a, "the services run as users of their own and cannot get through " STR_FMT ": chmod o+x it, or choose another "
                         "directory with --dir", STR_ARG(closed));
    } else if (!directories_make(u, a)) {
        why = str_format(a, "cannot make " STR_FMT " and what stands in it; choose another with --dir", STR_ARG(u->plan.directory));
    } else if (!lock_take(u, a)) {
        why = str_format(a, "another naru runs in " STR_FMT " (or its lock cannot be opened); stop it, or choose --dir", STR_ARG(u->plan.directory));
    } else {
        bool good = true;
        for (int i = 0; i < UP_POLICIES && good; i++)
            if (u->plan.services[i].wanted)
                good = doors_bind(&u->plan, i, a, &why) && inside_bind(u, i, a, &why);
    }
    if (why.len)
        u->code = command_error("up", COMMAND_FAILED, STR_FMT, STR_ARG(why));
    return why.len == 0;
}

static void supervise(uping *u)
{
    const supervise_hooks hooks = {u, on_run, on_heard, on_changed, on_hang_up, on_tick};
    u->supervisor = supervise_new(&hooks);
    u->begun_ns = supervise_now_ns();
    for (int i = 0; i < UP_POLICIES; i++) {
        u->numbers[i] = u->plan.services[i].wanted ? supervise_add(u->supervisor, name_of(u, i)) : -1;
        if (u->numbers[i] >= 0)
            u->service_of[u->numbers[i]] = i;
    }
    for (int i = 0; i < UP_POLICIES; i++)
        if (u->numbers[i] >= 0)
            supervise_start(u->supervisor, u->numbers[i]);
    supervise_run(u->supervisor);
    log_line("up", LOG_NOTICE, "stopped");
    supervise_free(u->supervisor);
}

static int run(uping *u)
{
    config_error error;
    arena a = arena_make(MEMORY_BYTES_MAX);
    if (!up_plan_read(&u->plan, u->file, u->wanted_directory, &error)) {
        fprintf(stderr, STR_FMT ":%d:%d: " STR_FMT "\n", STR_ARG(error.file), error.line, error.column, STR_ARG(error.text));
        u->code = COMMAND_USAGE;
    } else if (prepare(u, &a)) {
        if (own_user() != 0)
            log_line("up", LOG_NOTICE, "one-user", F_STR("why", S("not started as root: all services run as this user")));
        bool listed = running_announce(&a, u->plan.directory);
        supervise(u);
        if (listed)
            running_forget(&a, u->plan.directory);
    }
    inherit_close();
    up_plan_free(&u->plan);
    arena_free(&a);
    return u->code;
}

int cmd_up(int argc, char **argv)
{
    static uping state;                          // large; one a process
    uping *u = &state;
    bool json_log = false, verbose = false;
    str words[1];
    const command_option options[] = {
        {"dir", OPTION_TEXT, &u->wanted_directory, "DIR", "keep everything that lasts here (default: the file's `directory`)"},
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
    const char *usual = "/etc/naru/naru.conf";
    u->file = count ? words[0] : path_stat(w, usual, &st) == E_OK ? str_z(usual) : (str){0};
    world_linux_free(w);
    u->memory = arena_make(MEMORY_BYTES_MAX);
    log_setup(json_log ? LOG_JSON : LOG_LOGFMT, verbose ? LOG_DEBUG : LOG_INFO, NULL, NULL);
    return run(u);
}

// What stands in {"error": ...}.
static str error_of(http_result r, arena *a)
{
    if (r.error)
        return str_z(err_text(r.error));
    json_t *body = json_loadb((const char *)r.body.at, (size_t)r.body.len, 0, NULL);
    const char *text = json_string_value(json_object_get(body, "error"));
    str error = str_copy(a, text ? str_z(text) : str_trim(r.body));
    json_decref(body);
    return error;
}

int cmd_reload(int argc, char **argv)
{
    str wanted = {0}, none, dir;
    const command_option options[] = {{"dir", OPTION_TEXT, &wanted, "DIR", "the directory of the running naru"}, {0}};
    const command_help help = {"reload", "", "Makes the running `naru up` read its configuration again.", options,
                               "A file with a mistake changes nothing: the line and column are said, exit code 1."};
    int words, code = COMMAND_OK;
    if (!options_read(argc, argv, &help, &none, 0, &words, &code))
        return code;
    arena a = arena_make(MEMORY_BYTES_MAX * 16);
    if (!running_find(&a, wanted, &dir)) {
        code = command_error("reload", COMMAND_UNREACHABLE, "no running naru answers; name its directory with --dir");
    } else {
        http_result r = running_ask(&a, dir, S("POST"), S("/reload"), (str){0});
        if (r.error || r.status != 200)
            code = command_error("reload", r.error ? COMMAND_UNREACHABLE : COMMAND_FAILED, "the old configuration stays: " STR_FMT,
                                 STR_ARG(error_of(r, &a)));
        else
            printf("reloaded\n");
    }
    arena_free(&a);
    return code;
}
