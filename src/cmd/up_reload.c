// naru.conf read again. In two steps, so that a refusal leaves everything as it was: every service that the edit concerns says first
// whether it would take it; when all would, those that need a new start get it, then the others take the settings as they run.
#include <stdio.h>
#include <string.h>

#include "cmd/up_inside.h"
#include "rt/inherit.h"
#include "rt/log.h"

enum { RELOAD_S_MAX = 45 };

static void reload_say(uping *u, str refusal)
{
    if (refusal.len)
        log_line("up", LOG_ERROR, "reload-refused", F_STR("why", refusal));
    else
        log_line("up", LOG_NOTICE, "reloaded");
    if (u->asked_to_reload)
        up_message(u, UP_CONTROL, "answer", refusal.len ? str_format(&u->memory, "-" STR_FMT, STR_ARG(refusal)) : S("+"));
    u->asked_to_reload = false;
    arena_reset(&u->memory);
    supervise_notify("READY=1");
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
    for (int i = 0; i < UP_POLICIES; i++)
        if (a->services[i].loops != b->services[i].loops || a->services[i].user != b->services[i].user)
            return "loops and users change by a new start of `naru up`";
    return NULL;
}

// ---- one service ----------------------------------------------------------------------------------------------------------------

// A restarted child reads u->plan: it holds the settings that the service is to have from now on.
static void settings_keep(uping *u, int row)
{
    u->plan.services[row].settings = str_copy(&u->plan.memory, u->next.services[row].settings);
    u->plan.services[row].fixed = str_copy(&u->plan.memory, u->next.services[row].fixed);
}

// Its certificate and key as they are now: it cannot open them any more. False: one cannot be opened.
static bool files_send(uping *u, int row)
{
    str paths[UP_FILES_MAX];
    int count = up_files(&u->next.services[row], paths, &u->next.memory);
    for (int i = 0; i < count; i++) {
        err e = supervise_file_send(u->supervisor, u->numbers[row], str_to_z(&u->next.memory, paths[i]));
        if (e) {
            u->refusal = str_format(&u->next.memory, "%s: cannot read " STR_FMT ": %s", up_name(u, row), STR_ARG(paths[i]), err_text(e));
            return false;
        }
    }
    return true;
}

static bool is_concerned(const uping *u, int row)
{
    const up_service *new = &u->next.services[row], *old = &u->plan.services[row];
    str paths[UP_FILES_MAX];
    arena a = arena_make(UP_MEMORY_BYTES_MAX);
    bool concerned = !str_eq(old->settings, new->settings) || old->policy->reads_again || up_files(new, paths, &a) > 0;
    arena_free(&a);
    return u->numbers[row] >= 0 && old->policy->kind && concerned;
}

// Asks whether it would take the new settings; what a new start takes shows in whether its doors can be had.
static void ask(uping *u, int row)
{
    const up_service *new = &u->next.services[row], *old = &u->plan.services[row];
    u->before[row] = *old;
    u->concerned[row] = true;
    u->restarted[row] = !str_eq(old->fixed, new->fixed) || (!old->policy->kind->reload && !str_eq(old->settings, new->settings));
    if (u->restarted[row]) {
        str why = {0};
        if (!up_doors_bind(&u->next, row, &u->next.memory, &why))
            u->refusal = why;
        return;
    }
    if (!files_send(u, row))
        return;
    u->waits_for[row] = up_message(u, row, "check", new->settings);
    if (!u->waits_for[row])
        u->refusal = str_format(&u->next.memory, "%s does not listen; it is started again, try once more", up_name(u, row));
}

// ---- the steps --------------------------------------------------------------------------------------------------------------------

static bool waits(const uping *u)
{
    for (int i = 0; i < UP_POLICIES; i++)
        if (u->waits_for[i])
            return true;
    return false;
}

// Which of the doors that are open are its own from now on.
static bool doors_mark(uping *u, const up_plan *plan, int row)
{
    str why = {0};
    inherit_unmark(row);
    return up_doors_bind(plan, row, &u->memory, &why) && up_inside_bind(plan, row, &u->memory, &why);
}

// What has been taken already is taken back. A service that could not start starts on its old settings by itself.
static void take_back(uping *u)
{
    for (int i = 0; i < UP_POLICIES; i++) {
        bool half = u->reload_step == RELOAD_APPLY && !u->restarted[i];      // one of its loops may have taken them
        if (!u->concerned[i] || !(u->taken[i] || half))
            continue;
        u->plan.services[i] = u->before[i];
        if (!u->restarted[i])
            up_message(u, i, "settings", u->before[i].settings);
        else if (doors_mark(u, &u->plan, i))
            up_replace(u, i);
    }
}

static void finish(uping *u)
{
    str refusal = u->refusal.len ? str_copy(&u->memory, u->refusal) : (str){0};
    up_plan old = u->plan;
    if (refusal.len && u->reload_step != RELOAD_CHECK)
        take_back(u);
    for (int i = 0; i < UP_POLICIES; i++)
        if (u->concerned[i] && u->restarted[i] && doors_mark(u, refusal.len ? &u->plan : &u->next, i))
            inherit_sweep(i);
    u->reload_step = RELOAD_NONE;
    if (refusal.len) {
        up_plan_free(&u->next);
    } else {
        u->plan = u->next;
        up_plan_free(&old);
    }
    reload_say(u, refusal);
}

static void restart_all(uping *u)
{
    u->reload_step = RELOAD_RESTART;
    for (int i = 0; i < UP_POLICIES; i++) {
        if (!u->concerned[i] || !u->restarted[i])
            continue;
        u->waits_for[i] = true;
        settings_keep(u, i);
        doors_mark(u, &u->next, i);                      // they could be had a moment ago
        up_replace(u, i);
    }
}

static void apply_all(uping *u)
{
    u->reload_step = RELOAD_APPLY;
    for (int i = 0; i < UP_POLICIES; i++)
        if (u->concerned[i] && !u->restarted[i] && u->plan.services[i].policy->kind->reload)
            u->waits_for[i] = up_message(u, i, "settings", u->next.services[i].settings);
}

static void go_on(uping *u)
{
    while (u->reload_step != RELOAD_NONE && !waits(u)) {
        if (u->refusal.len || u->reload_step == RELOAD_APPLY)
            finish(u);
        else if (u->reload_step == RELOAD_CHECK)
            restart_all(u);
        else
            apply_all(u);
    }
}

static void refuse(uping *u, str why)
{
    str kept = str_copy(&u->memory, why);
    up_plan_free(&u->next);
    reload_say(u, kept);
}

void up_reload_begin(uping *u)
{
    config_error error;
    char usec[96];
    if (u->reload_step != RELOAD_NONE)
        return;                                  // its end answers both
    snprintf(usec, sizeof usec, "RELOADING=1\nMONOTONIC_USEC=%lld", (long long)(supervise_now_ns() / 1000));
    supervise_notify(usec);
    if (u->upgrade.phase != UPGRADE_NONE) {
        reload_say(u, S("an upgrade is under way; try again when it is done"));
        return;
    }
    if (!up_plan_read(&u->next, u->file, u->wanted_directory, &error)) {
        refuse(u, str_format(&u->memory, STR_FMT ":%d:%d: " STR_FMT, STR_ARG(error.file), error.line, error.column, STR_ARG(error.text)));
        return;
    }
    const char *more = too_much(u);
    if (more) {
        refuse(u, str_z(more));
        return;
    }
    u->reload_step = RELOAD_CHECK;
    u->refusal = (str){0};
    u->reload_until_ns = supervise_now_ns() + seconds(RELOAD_S_MAX);
    for (int i = 0; i < UP_POLICIES; i++) {
        u->concerned[i] = u->restarted[i] = u->taken[i] = u->waits_for[i] = false;
        if (is_concerned(u, i) && !u->refusal.len)
            ask(u, i);
    }
    go_on(u);
}

static void answered(uping *u, int row, str refusal)
{
    if (u->reload_step == RELOAD_NONE || !u->waits_for[row])
        return;
    u->waits_for[row] = false;
    u->taken[row] = !refusal.len && u->reload_step != RELOAD_CHECK;
    if (refusal.len && u->reload_step == RELOAD_RESTART) {
        u->plan.services[row] = u->before[row];          // its next start takes what worked
        doors_mark(u, &u->plan, row);
    } else if (u->taken[row] && u->reload_step == RELOAD_APPLY) {
        settings_keep(u, row);
    }
    if (refusal.len)
        u->refusal = str_format(&u->next.memory, "%s: " STR_FMT, up_name(u, row), STR_ARG(refusal));
    go_on(u);
}

void up_reload_heard(uping *u, int row, str word, str rest)
{
    bool restarts = u->reload_step == RELOAD_RESTART;
    if (str_eq(word, S("refused")) || (str_eq(word, S("failed")) && restarts))
        answered(u, row, rest.len ? rest : S("refused"));
    else if (str_eq(word, S("ready")) ? restarts : !restarts && (str_eq(word, S("fine")) || str_eq(word, S("reloaded"))))
        answered(u, row, (str){0});
}

void up_reload_tick(uping *u)
{
    for (int i = 0; i < UP_POLICIES && u->reload_step != RELOAD_NONE && supervise_now_ns() >= u->reload_until_ns; i++)
        if (u->waits_for[i])
            answered(u, i, S("did not answer in time"));
}
