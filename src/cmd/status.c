// naru status and naru ps: what is running, how it is, and what every conversation waits for.
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/quantity.h"
#include "base/utf8.h"
#include "cmd/commands.h"
#include "cmd/options.h"
#include "cmd/running.h"

enum { STATUS_ARENA_BYTES_MAX = 128 << 20, STATUS_NODES_MAX = 64 };

static const char *text_of(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    return text ? text : "";
}

static long long number_of(const json_t *object, const char *name)
{
    return json_integer_value(json_object_get(object, name));
}

// Asks the naru in dir and reads its JSON; NULL when it does not answer so. *raw: the text.
static json_t *ask(arena *a, str dir, str target, str *raw)
{
    http_result r = running_ask(a, dir, S("GET"), target, (str){0});
    *raw = r.body;
    return r.error || r.status != 200 ? NULL : json_loadb((const char *)r.body.at, (size_t)r.body.len, 0, NULL);
}

// What both commands share: options, the directory. True: go on with *dir.
static bool begin(int argc, char **argv, const char *name, const char *summary, arena *a, bool *json, str *dir,
                  int *code)
{
    str wanted = {0};
    const command_option options[] = {
        {"json", OPTION_FLAG, json, NULL, "as JSON"},
        {"dir", OPTION_TEXT, &wanted, "DIR", "the directory of the running naru"},
        {0},
    };
    const command_help help = {name, "", summary, options, NULL};
    int words;
    str none;
    if (!options_read(argc, argv, &help, &none, 0, &words, code))
        return false;
    if (running_find(a, wanted, dir))
        return true;
    *code = command_error(name, COMMAND_UNREACHABLE,
                          "no running naru answers; start one with `naru try`, or name its directory with --dir");
    return false;
}

// ---- status ----

static void print_services(const json_t *status)
{
    const json_t *list = json_object_get(status, "services"), *name;
    size_t i;
    json_array_foreach(list, i, name)
        printf("%s%s", i ? ", " : "", json_string_value(name));
}

// `naru up`: a process a service.
static void print_processes(const json_t *status, arena *a)
{
    const json_t *list = json_object_get(status, "processes"), *one;
    size_t i;
    json_array_foreach(list, i, one) {
        str since = duration_text(a, number_of(one, "since_ms") / 1000 * 1000);
        int width = printf("  %s", text_of(one, "service"));
        printf("%*s%-9s for " STR_FMT ", pid %lld", width < 17 ? 17 - width : 1, "", text_of(one, "state"), STR_ARG(since), number_of(one, "pid"));
        if (number_of(one, "restarts"))
            printf(", restarted %lld times", number_of(one, "restarts"));
        printf("\n");
    }
}

static void print_status(const json_t *status, arena *a)
{
    str up = duration_text(a, number_of(status, "uptime_ms") / 1000 * 1000);
    printf("%s: naru %s, up " STR_FMT ", in %s\n", text_of(status, "node"), text_of(status, "version"), STR_ARG(up),
           text_of(status, "directory"));
    if (json_object_get(status, "processes")) {
        print_processes(status, a);
        return;
    }
    str stacks = size_text(a, number_of(status, "stack_bytes"));
    printf("  %lld fibers of %lld, stacks " STR_FMT "\n", number_of(status, "fibers"),
           number_of(status, "fibers_max"), STR_ARG(stacks));
    if (json_array_size(json_object_get(status, "services"))) {
        printf("  services: ");
        print_services(status);
        printf("\n");
    }
}

// The hosts of a small Internet that have control sockets of their own, below its directory.
static json_t *hosts_ask(arena *a, str dir)
{
    json_t *hosts = json_array();
    world *w = world_linux_new(S("naru"), NULL, 0);
    str *names, raw;
    int count;
    file_stat st;
    if (dir_list(w, str_to_z(a, dir), a, &names, &count) != E_OK)
        count = 0;
    for (int i = 0, asked = 0; i < count && asked < STATUS_NODES_MAX; i++) {
        str below = str_format(a, STR_FMT "/" STR_FMT, STR_ARG(dir), STR_ARG(names[i]));
        if (path_stat(w, str_to_z(a, str_join(a, below, S("/control.sock"))), &st) != E_OK)
            continue;
        json_t *host = ask(a, below, S("/status"), &raw);
        asked++;
        if (host)
            json_array_append_new(hosts, host);
    }
    world_linux_free(w);
    return hosts;
}

static void print_hosts(const json_t *hosts)
{
    json_t *host;
    size_t i;
    json_array_foreach(hosts, i, host) {
        int width = printf("  %s", text_of(host, "node"));
        printf("%*s", width < 24 ? 24 - width : 1, "");
        print_services(host);
        printf("\n");
    }
}

int cmd_status(int argc, char **argv)
{
    arena a = arena_make(STATUS_ARENA_BYTES_MAX);
    bool json = false;
    str dir, raw;
    int code;
    if (begin(argc, argv, "status", "Says what the running naru is and how it is.", &a, &json, &dir, &code)) {
        json_t *status = ask(&a, dir, S("/status"), &raw);
        json_t *hosts = status ? hosts_ask(&a, dir) : NULL;
        if (!status) {
            code = command_error("status", COMMAND_UNREACHABLE, "the naru in " STR_FMT " stopped answering",
                                 STR_ARG(dir));
        } else if (json) {
            json_object_set(status, "hosts", hosts);
            json_dumpf(status, stdout, JSON_INDENT(2));
            printf("\n");
        } else {
            print_status(status, &a);
            print_hosts(hosts);
        }
        json_decref(hosts);
        json_decref(status);
    }
    arena_free(&a);
    return code;
}

// ---- ps ----

static void print_padded(const char *text, int columns)
{
    printf("%s%*s", text, columns > utf8_width(str_z(text)) ? columns - utf8_width(str_z(text)) : 1, "");
}

static void print_fiber(const json_t *one, arena *a)
{
    const char *why = text_of(one, "waits_for"), *trace = text_of(one, "trace");
    print_padded(text_of(one, "host"), 22);
    print_padded(text_of(one, "label"), 20);
    print_padded(*why ? why : "(running)", 24);
    str waits = duration_text(a, number_of(one, "for_ms")), stack = size_text(a, number_of(one, "stack_bytes"));
    printf("%12.*s %10.*s  %s\n", STR_ARG(waits), STR_ARG(stack), strspn(trace, "0") == strlen(trace) ? "-" : trace);
}

int cmd_ps(int argc, char **argv)
{
    arena a = arena_make(STATUS_ARENA_BYTES_MAX);
    bool json = false;
    str dir, raw;
    int code;
    if (begin(argc, argv, "ps", "Lists every conversation of the running naru, and what it waits for.", &a, &json,
              &dir, &code)) {
        json_t *census = ask(&a, dir, S("/ps"), &raw), *one;
        size_t i;
        if (!census) {
            code = command_error("ps", COMMAND_UNREACHABLE, "the naru in " STR_FMT " stopped answering",
                                 STR_ARG(dir));
        } else if (json) {
            fwrite(raw.at, 1, (size_t)raw.len, stdout);
        } else {
            printf("%-22s%-20s%-24s%12s %10s  %s\n", "HOST", "CONVERSATION", "WAITS FOR", "SINCE", "STACK", "TRACE");
            json_array_foreach(json_object_get(census, "fibers"), i, one)
                print_fiber(one, &a);
        }
        json_decref(census);
    }
    arena_free(&a);
    return code;
}
