// Another program in the place of this one, and no connection is refused: the sockets stay open all the time.
//
//     trial     a child runs the new program: does it start, does it read naru.conf and what we would hand over, can it have its doors?
//     exec      it takes the supervisor's place in the same process, with the sockets, the children and their channels
//     forward   it replaces the services one after the other; what owns data ends before its successor opens it, from the outside in
//     back      a service does not start: the program before, which was kept open, takes the supervisor's place again
#include <stdio.h>
#include <string.h>

#include "base/must.h"
#include "cmd/up_inside.h"
#include "rt/inherit.h"
#include "rt/json_text.h"
#include "rt/log.h"
#include "rt/program.h"

enum { TRIAL_S_MAX = 20, START_S_MAX = 120, WHY_BYTES_MAX = 1024 };

static void why_keep(uping *u, str why)
{
    static unsigned char kept[WHY_BYTES_MAX];
    why = str_first(why, WHY_BYTES_MAX);
    for (ptrdiff_t i = 0; i < why.len; i++)              // one line, whatever it was
        kept[i] = why.at[i] == '\n' ? ' ' : why.at[i];
    u->upgrade.why = str_of(kept, (size_t)why.len);
}

static void failed(uping *u, str why)
{
    why_keep(u, why);
    u->upgrade.failed++;
    u->upgrade.phase = UPGRADE_NONE;
    log_line("up", LOG_ERROR, "upgrade-failed", F_STR("why", u->upgrade.why));
    supervise_notify("STATUS=an upgrade failed, all runs as before");
}

void up_upgrade_status(const uping *u, buf *out)
{
    static const char *const names[] = {"none", "trial", "forward", "back"};
    buf_format(out, ", \"upgrade\": {\"phase\": \"%s\", \"done\": %d, \"failed\": %d, \"why\": ", names[u->upgrade.phase], u->upgrade.done,
               u->upgrade.failed);
    json_put(out, u->upgrade.why);
    buf_put(out, S("}"));
}

// ---- what goes along ------------------------------------------------------------------------------------------------------------

static void state_put(const uping *u, upgrade_phase phase, int before, str plan, buf *out)
{
    buf_format(out, "version " NARU_VERSION "\nphase %s\nbegan %lld\ncounts %d %d\nbefore %d\n", phase == UPGRADE_BACK ? "back" : "forward",
               (long long)u->begun_ns, u->upgrade.done, u->upgrade.failed, before);
    buf_format(out, "program " STR_FMT "\nwhy " STR_FMT "\nrows", STR_ARG(u->upgrade.program), STR_ARG(u->upgrade.why));
    for (int i = 0; i < UP_POLICIES; i++)
        buf_format(out, " %s", up_policies[i].name);
    buf_put(out, S("\n"));
    for (int i = 0; i < UP_POLICIES && phase == UPGRADE_BACK; i++)
        if (!u->upgrade.fresh[i] && !u->upgrade.halted[i])       // it never left the program that comes back
            buf_format(out, "fresh %s\n", up_policies[i].name);
    inherit_write(out);
    supervise_write(u->supervisor, out);
    buf_format(out, "plan %td\n", plan.len);
    buf_put(out, plan);
}

static int argv_make(const uping *u, const char **out)
{
    int count = 0;
    out[count++] = "naru";
    for (int i = 0; u->upgrade.argv[i] && count < PROGRAM_WORDS_MAX - 1; i++)
        out[count++] = u->upgrade.argv[i];
    out[count] = NULL;
    return count;
}

// Returns only when it did not work. path NULL: the program that is open as `before`.
static void become(uping *u, upgrade_phase phase, const char *path, int before, str plan, int trial)
{
    const char *argv[PROGRAM_WORDS_MAX];
    buf state = buf_make(PROGRAM_STATE_BYTES_MAX);
    argv_make(u, argv);
    state_put(u, phase, path ? before : -1, plan, &state);
    inherit_pass();
    if (trial < 0)
        supervise_pass(u->supervisor);
    if (trial < 0 && path)
        program_keep(before);
    int trouble = state.full ? 0 : program_become(path, before, argv, buf_str(&state), trial);
    buf_free(&state);
    char why[WHY_BYTES_MAX];
    snprintf(why, sizeof why, "cannot run " STR_FMT ": %s", STR_ARG(u->upgrade.program), trouble ? strerror(trouble) : "too much to hand over");
    why_keep(u, str_z(why));
}

static str plan_text(const uping *u, buf *out)
{
    *out = buf_make(PROGRAM_STATE_BYTES_MAX);
    up_plan_write(&u->plan, out);
    return buf_str(out);
}

// ---- the trial ------------------------------------------------------------------------------------------------------------------

str up_upgrade_begin(uping *u)
{
    str why = u->upgrade.phase != UPGRADE_NONE  ? S("an upgrade is under way already")
              : u->reload_step != RELOAD_NONE   ? S("a reload is under way; try again when it is done")
              : !u->ready_said                  ? S("not all services are ready yet")
              : u->upgrade.program.len == 0     ? S("the program's own path is not known")
                                                : (str){0};
    if (why.len) {
        log_line("up", LOG_ERROR, "upgrade-refused", F_STR("why", why));
        return why;
    }
    u->upgrade.phase = UPGRADE_TRIAL;
    u->upgrade.why = (str){0};
    u->upgrade.trial_good = false;
    log_line("up", LOG_NOTICE, "upgrade-begins", F_STR("program", u->upgrade.program));
    supervise_notify("STATUS=trying the new program");
    supervise_start_once(u->supervisor, u->upgrade.number, seconds(TRIAL_S_MAX));
    return why;
}

int up_upgrade_run_trial(uping *u, int answer)
{
    buf plan;
    str text = plan_text(u, &plan);
    become(u, UPGRADE_FORWARD, str_to_z(&u->memory, u->upgrade.program), -1, text, answer);
    program_answer(answer, str_format(&u->memory, "failed " STR_FMT, STR_ARG(u->upgrade.why)));
    return 1;
}

void up_upgrade_trial_heard(uping *u, str line)
{
    str word = str_word(&line);
    if (str_eq(word, S("ready")))
        u->upgrade.trial_good = true;
    else if (str_eq(word, S("failed")))
        why_keep(u, str_trim(line));
}

static void go_forward(uping *u)
{
    buf plan;
    str text = plan_text(u, &plan);
    int own = program_open();
    log_line("up", LOG_NOTICE, "upgrade-takes-over", F_STR("from", S(NARU_VERSION)));
    become(u, UPGRADE_FORWARD, str_to_z(&u->memory, u->upgrade.program), own, text, -1);
    buf_free(&plan);
    failed(u, u->upgrade.why);
}

void up_upgrade_trial_ended(uping *u, const service_view *end)
{
    if (u->upgrade.phase != UPGRADE_TRIAL || end->state != SERVICE_STOPPED || supervise_ending(u->supervisor))
        return;
    char why[WHY_BYTES_MAX];
    snprintf(why, sizeof why, "the new program ended with %s %d before it was ready", end->end < 0 ? "signal" : "code",
             end->end < 0 ? -end->end : end->end);
    if (u->upgrade.trial_good && end->end == 0)
        go_forward(u);
    else
        failed(u, u->upgrade.why.len ? u->upgrade.why : str_z(why));
}

// ---- taking over ----------------------------------------------------------------------------------------------------------------

// The numbers of services are who they are and whose the sockets are: they must mean the same in both programs.
static bool rows_agree(str line)
{
    for (int i = 0; i < UP_POLICIES && line.len; i++) {
        str name = str_word(&line);
        if (name.len && !str_eq(name, str_z(up_policies[i].name)))
            return false;
    }
    return true;
}

static int64_t number_of(str *line)
{
    int64_t value = 0;
    str_to_i64(str_word(line), &value);
    return value;
}

static void state_line(uping *u, str line)
{
    str all = line, word = str_word(&line), rest = str_trim(line);
    upgrading *g = &u->upgrade;
    if (str_eq(word, S("phase"))) {
        g->phase = str_eq(rest, S("back")) ? UPGRADE_BACK : UPGRADE_FORWARD;
    } else if (str_eq(word, S("began"))) {
        u->begun_ns = number_of(&rest);
    } else if (str_eq(word, S("counts"))) {
        g->done = (int)number_of(&rest);
        g->failed = (int)number_of(&rest);
    } else if (str_eq(word, S("before"))) {
        g->before = (int)number_of(&rest);
    } else if (str_eq(word, S("program"))) {
        g->program = str_copy(&u->program_memory, rest);
    } else if (str_eq(word, S("why"))) {
        why_keep(u, rest);
    } else if (str_eq(word, S("rows"))) {
        if (!rows_agree(rest))
            why_keep(u, S("the new program numbers its services differently; stop naru and start it"));
    } else if (str_eq(word, S("fresh"))) {
        for (int i = 0; i < UP_POLICIES; i++)
            g->fresh[i] |= str_eq(rest, str_z(up_policies[i].name));
    } else if (str_eq(word, S("kept"))) {
        inherit_read(all);
    } else if (str_eq(word, S("process")) || str_eq(word, S("retired"))) {
        buf_put(&g->processes, all);
        buf_put_byte(&g->processes, '\n');
    }
}

bool up_upgrade_state(uping *u, int *trial)
{
    str state;
    u->upgrade.processes = buf_make(PROGRAM_STATE_BYTES_MAX);
    *trial = -1;
    if (!program_state(&u->program_memory, &state, trial)) {
        u->upgrade.program = program_path(&u->program_memory);
        return false;
    }
    while (state.len && !str_starts(state, S("plan ")))
        state_line(u, str_cut(&state, '\n'));
    str_cut(&state, '\n');
    u->upgrade.plan_before = state;
    u->ready_said = true;
    return true;
}

static bool refuse(const uping *u, config_error *error, str why)
{
    *error = (config_error){u->file, 1, 1, why};
    return false;
}

bool up_upgrade_take_plan(uping *u, config_error *error)
{
    up_plan before;
    if (!up_plan_take(&before, u->upgrade.plan_before))
        return refuse(u, error, S("what the program before handed over is not understood"));
    if (u->upgrade.phase == UPGRADE_BACK) {
        u->plan = before;
        return true;
    }
    const char *why = NULL;
    if (u->upgrade.why.len)
        return refuse(u, error, u->upgrade.why);
    if (!up_plan_read(&u->plan, u->file, u->wanted_directory, error))
        return false;
    if (!str_eq(before.directory, u->plan.directory))
        why = "the directory changes by a new start of `naru up`";
    for (int i = 0; i < UP_POLICIES; i++)
        if (before.services[i].wanted != u->plan.services[i].wanted)
            why = "services are added and removed by a new start of `naru up`";
    for (int i = 0; i < UP_POLICIES; i++)
        if (before.services[i].loops != u->plan.services[i].loops || before.services[i].user != u->plan.services[i].user)
            why = "loops and users change by a new start of `naru up`";
    up_plan_free(&before);
    return !why || refuse(u, error, str_z(why));
}

void up_upgrade_take_processes(uping *u)
{
    str all = buf_str(&u->upgrade.processes);
    while (all.len)
        supervise_read(u->supervisor, str_cut(&all, '\n'));
}

// ---- the services, one after the other -------------------------------------------------------------------------------------------

static void finished(uping *u)
{
    bool back = u->upgrade.phase == UPGRADE_BACK;
    u->upgrade.phase = UPGRADE_NONE;
    u->upgrade.row = -1;
    for (int i = 0; i < UP_POLICIES; i++)
        inherit_sweep(i);                                // prepare() has marked what the services have now
    program_close(u->upgrade.before);
    u->upgrade.before = -1;
    supervise_notify("READY=1\nSTATUS=all services answer");
    if (back) {
        failed(u, u->upgrade.why);
    } else {
        u->upgrade.done++;
        u->upgrade.why = (str){0};
        log_line("up", LOG_NOTICE, "upgraded", F_STR("to", S(NARU_VERSION)));
    }
}

// Who delivers to others ends before they do and starts after them: nothing that is being said inside is cut. -1: all have ended.
static int halt_next(const uping *u)
{
    for (int i = UP_POLICIES - 1; i >= 0; i--) {
        const up_policy *p = u->plan.services[i].policy;
        if (u->numbers[i] >= 0 && p->writes && p->peers[0] && !u->upgrade.fresh[i] && !u->upgrade.halted[i])
            return i;
    }
    return -1;
}

void up_upgrade_next(uping *u)
{
    int row;
    while ((row = halt_next(u)) >= 0) {
        u->upgrade.halted[row] = true;
        if (supervise_look(u->supervisor, u->numbers[row]).state == SERVICE_STOPPED)
            continue;                                    // we go back, and it had ended already
        u->upgrade.row = row;
        u->upgrade.until_ns = supervise_now_ns() + seconds(START_S_MAX);
        supervise_stop(u->supervisor, u->numbers[row], false, up_farewell);
        return;
    }
    row = 0;
    while (row < UP_POLICIES && (u->numbers[row] < 0 || u->upgrade.fresh[row]))
        row++;
    if (row == UP_POLICIES) {
        finished(u);
        return;
    }
    u->upgrade.row = row;
    u->upgrade.fresh[row] = true;
    u->upgrade.until_ns = supervise_now_ns() + seconds(START_S_MAX);
    up_replace(u, row);
}

void up_upgrade_stopped(uping *u, int row)
{
    if (u->upgrade.phase > UPGRADE_TRIAL && row == u->upgrade.row && u->upgrade.halted[row] && !u->upgrade.fresh[row])
        up_upgrade_next(u);
}

void up_upgrade_ready(uping *u, int row)
{
    if (u->upgrade.phase > UPGRADE_TRIAL && row == u->upgrade.row)
        up_upgrade_next(u);
}

void up_upgrade_give_up(uping *u, str why)
{
    why_keep(u, why);
    log_line("up", LOG_ERROR, "upgrade-goes-back", F_STR("why", u->upgrade.why));
    if (!u->supervisor && up_plan_take(&u->plan, u->upgrade.plan_before)) {
        up_supervisor_make(u);
        up_upgrade_take_processes(u);
    }
    if (u->supervisor && u->upgrade.before >= 0)
        become(u, UPGRADE_BACK, NULL, u->upgrade.before, u->upgrade.plan_before, -1);
    log_line("up", LOG_ERROR, "upgrade-cannot-go-back", F_STR("why", u->upgrade.why));
    must(u->supervisor);                                 // else nobody is there to run anything
}

void up_upgrade_failed(uping *u, int row, str why)
{
    if (u->upgrade.phase == UPGRADE_BACK && row == u->upgrade.row) {
        up_upgrade_next(u);                              // it is tried again like any service that dies
    } else if (u->upgrade.phase == UPGRADE_FORWARD && row == u->upgrade.row) {
        up_upgrade_give_up(u, str_format(&u->memory, "%s: " STR_FMT, up_name(u, row), STR_ARG(why)));
        u->upgrade.phase = UPGRADE_BACK;                 // it could not: we go on with what we have
        up_upgrade_next(u);
    }
}

void up_upgrade_tick(uping *u)
{
    if (u->upgrade.phase > UPGRADE_TRIAL && u->upgrade.row >= 0 && supervise_now_ns() > u->upgrade.until_ns)
        up_upgrade_failed(u, u->upgrade.row, S("was not ready in time"));
}
