// naru upgrade and naru reload: what the running `naru up` is told.
#include <jansson.h>
#include <stdio.h>

#include "cmd/commands.h"
#include "cmd/options.h"
#include "cmd/running.h"

enum { MEMORY_BYTES_MAX = 64 << 20, POLL_MS = 100, UPGRADE_S_MAX = 900 };

// {"KEY": true}, or {"KEY": false, "error": why}.
static void verdict_print(const char *key, const char *why)
{
    json_t *verdict = json_object();
    json_object_set_new(verdict, key, json_boolean(!why));
    if (why)
        json_object_set_new(verdict, "error", json_string(why));
    json_dumpf(verdict, stdout, JSON_COMPACT);
    printf("\n");
    json_decref(verdict);
}

static int unreachable(const char *name, bool json, const char *key)
{
    static const char why[] = "no running naru answers; name its directory with --dir";
    if (json)
        verdict_print(key, why);
    return command_error(name, COMMAND_UNREACHABLE, "%s", why);
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

static int refused(const char *name, const char *stays, http_result r, arena *a, bool json, const char *key)
{
    str why = error_of(r, a);
    if (json)
        verdict_print(key, str_to_z(a, why));
    return command_error(name, r.error ? COMMAND_UNREACHABLE : COMMAND_FAILED, "%s: " STR_FMT, stays, STR_ARG(why));
}

int cmd_reload(int argc, char **argv)
{
    bool json = false;
    str wanted = {0}, none, dir;
    const command_option options[] = {
        {"json", OPTION_FLAG, &json, NULL, "as JSON"},
        {"dir", OPTION_TEXT, &wanted, "DIR", "the directory of the running naru"},
        {0},
    };
    const command_help help = {"reload", "", "Makes the running `naru up` read its configuration again.", options,
                               "A file with a mistake changes nothing: the line and column are said, exit code 1."};
    int words, code = COMMAND_OK;
    if (!options_read(argc, argv, &help, &none, 0, &words, &code))
        return code;
    arena a = arena_make(MEMORY_BYTES_MAX);
    if (!running_find(&a, wanted, &dir)) {
        code = unreachable("reload", json, "reloaded");
    } else {
        http_result r = running_ask(&a, dir, S("POST"), S("/reload"), (str){0});
        if (r.error || r.status != 200)
            code = refused("reload", "the old configuration stays", r, &a, json, "reloaded");
        else if (json)
            verdict_print("reloaded", NULL);
        else
            printf("reloaded\n");
    }
    arena_free(&a);
    return code;
}

// ---- upgrade --------------------------------------------------------------------------------------------------------------------

// The upgrade's part of the status, NULL: it does not answer (just now another process takes the place of the one that does).
static json_t *status_of(str dir, arena *a)
{
    http_result r = running_ask(a, dir, S("GET"), S("/status"), (str){0});
    json_t *status = r.error || r.status != 200 ? NULL : json_loadb((const char *)r.body.at, (size_t)r.body.len, 0, NULL);
    json_t *upgrade = json_incref(json_object_get(status, "upgrade"));
    json_decref(status);
    return upgrade;
}

static long long number_of(const json_t *object, const char *name) { return json_integer_value(json_object_get(object, name)); }

// Until it is done or has failed. Empty: done; else why not.
static str wait_for_end(str dir, long long failed_before, arena *a)
{
    for (int waited_ms = 0; waited_ms < UPGRADE_S_MAX * 1000; waited_ms += POLL_MS) {
        arena msg = arena_make(MEMORY_BYTES_MAX);
        json_t *upgrade = status_of(dir, &msg);
        const char *phase = json_string_value(json_object_get(upgrade, "phase"));
        bool over = phase && str_eq(str_z(phase), S("none")), failed = over && number_of(upgrade, "failed") > failed_before;
        str why = failed ? str_copy(a, str_z(json_string_value(json_object_get(upgrade, "why")))) : (str){0};
        json_decref(upgrade);
        arena_free(&msg);
        if (over)
            return why;
        running_pause(POLL_MS);
    }
    return S("it takes longer than this command waits; `naru status` says when it is done");
}

static int upgrade(str dir, bool json, arena *a)
{
    json_t *before = status_of(dir, a);
    if (!before)
        return command_error("upgrade", COMMAND_FAILED, "the naru in " STR_FMT " is no `naru up`, or too old to be upgraded: stop it and start it",
                             STR_ARG(dir));
    long long failed = number_of(before, "failed");
    json_decref(before);
    http_result r = running_ask(a, dir, S("POST"), S("/upgrade"), (str){0});
    if (r.error || r.status != 200)
        return refused("upgrade", "the old program goes on", r, a, json, "upgraded");
    str why = wait_for_end(dir, failed, a);
    if (json)
        verdict_print("upgraded", why.len ? str_to_z(a, why) : NULL);
    else if (!why.len)
        printf("upgraded\n");
    return why.len ? command_error("upgrade", COMMAND_FAILED, "the old program goes on: " STR_FMT, STR_ARG(why)) : COMMAND_OK;
}

int cmd_upgrade(int argc, char **argv)
{
    bool json = false;
    str wanted = {0}, none, dir;
    const command_option options[] = {
        {"json", OPTION_FLAG, &json, NULL, "as JSON"},
        {"dir", OPTION_TEXT, &wanted, "DIR", "the directory of the running naru"},
        {0},
    };
    const command_help help = {"upgrade", "", "Puts the program that now lies at its path in the place of the running `naru up`.", options,
                               "No connection is refused meanwhile: the sockets stay open, and conversations have 10 s to finish. A program\n"
                               "that does not start, or a naru.conf that it does not take, changes nothing: exit code 1. SIGUSR2 does the same."};
    int words, code = COMMAND_OK;
    if (!options_read(argc, argv, &help, &none, 0, &words, &code))
        return code;
    arena a = arena_make(MEMORY_BYTES_MAX);
    code = running_find(&a, wanted, &dir) ? upgrade(dir, json, &a) : unreachable("upgrade", json, "upgraded");
    arena_free(&a);
    return code;
}
