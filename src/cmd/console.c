// naru console: the account of viewings of a running console, and how it is.
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/quantity.h"
#include "base/utf8.h"
#include "cmd/commands.h"
#include "cmd/options.h"
#include "cmd/running.h"

enum { CONSOLE_ARENA_BYTES_MAX = 64 << 20, FILM_COLUMNS = 28, WHO_COLUMNS = 26, SHOWN = 20, LIMIT_MAX = 10000 };

static long long number_of(const json_t *o, const char *key) { return json_integer_value(json_object_get(o, key)); }
static const char *text_of(const json_t *o, const char *key) { const char *t = json_string_value(json_object_get(o, key)); return t ? t : ""; }

static json_t *ask(arena *a, str directory, str target, int *code)
{
    http_result r = running_ask(a, directory, S("GET"), target, (str){0});
    json_t *o = r.error ? NULL : json_loadb((const char *)r.body.at, (size_t)r.body.len, 0, NULL);
    *code = COMMAND_OK;
    if (!o)
        *code = command_error("console", COMMAND_UNREACHABLE, "the console in " STR_FMT " does not answer", STR_ARG(directory));
    else if (r.status != 200)
        *code = command_error("console", COMMAND_FAILED, "%s", *text_of(o, "error") ? text_of(o, "error") : "the console refused");
    return o;
}

// What strangers wrote reaches the terminal without controls, in so many columns.
static void print_column(const char *text, int columns)
{
    str rest = str_z(text);
    int width = 0;
    while (rest.len) {
        uint32_t code;
        int n = utf8_decode(rest, &code);
        int wide = n ? utf8_columns(code) : 1;
        if (width + wide > columns)
            break;
        if (n && !utf8_is_control(code))
            fwrite(rest.at, 1, (size_t)n, stdout);
        else
            putchar('?');
        width += n && !utf8_is_control(code) ? wide : 1;
        rest = str_from(rest, n ? n : 1);
    }
    printf("%*s ", columns > width ? columns - width : 0, "");
}

static void print_time(long long ms)
{
    long long s = ms / 1000;
    printf("%3lld:%02lld:%02lld", s / 3600, s / 60 % 60, s % 60);
}

static void print_sum(const char *name, const json_t *sums, arena *a)
{
    str bytes = size_text(a, number_of(sums, "bytes"));
    print_column(name, FILM_COLUMNS);
    printf("%8lld ", number_of(sums, "viewings"));
    print_time(number_of(sums, "watched_ms"));
    printf(" %10.*s %6lld\n", STR_ARG(bytes), number_of(sums, "stalls"));
}

static void print_group(const char *title, json_t *groups, arena *a)
{
    const char *name;
    json_t *sums;
    printf("\n%-*s %8s %9s %10s %6s\n", FILM_COLUMNS, title, "VIEWINGS", "WATCHED", "BYTES", "STALLS");
    json_object_foreach(groups, name, sums)
        print_sum(name, sums, a);
}

static void print_viewing(const json_t *v, arena *a)
{
    const json_t *servers = json_object_get(v, "servers");
    str bytes = size_text(a, number_of(v, "bytes"));
    print_column(*text_of(v, "title") ? text_of(v, "title") : text_of(v, "film"), FILM_COLUMNS);
    print_column(text_of(v, "who"), WHO_COLUMNS);
    printf("%s ", text_of(v, "start"));
    print_time(number_of(v, "watched_ms"));
    printf(" %10.*s %6lld  ", STR_ARG(bytes), number_of(v, "stalls"));
    for (size_t i = 0; i < json_array_size(servers); i++)
        printf("%s%s", i ? ", " : "", json_string_value(json_array_get(servers, i)));
    printf("\n");
}

static void print_accounting(const json_t *o, arena *a)
{
    const json_t *list = json_object_get(o, "viewings"), *sums = json_object_get(o, "sums");
    if (!json_array_size(list)) {
        printf("Nothing was watched yet.\n");
        return;
    }
    printf("%-*s %-*s %-20s %9s %10s %6s  %s\n", FILM_COLUMNS, "FILM", WHO_COLUMNS, "WHO", "BEGAN", "WATCHED", "BYTES", "STALLS", "SERVERS");
    for (size_t i = 0; i < json_array_size(list); i++)
        print_viewing(json_array_get(list, i), a);
    print_group("BY FILM", json_object_get(sums, "films"), a);
    print_group("BY SERVER", json_object_get(sums, "servers"), a);
    printf("\n%lld viewings on record\n", number_of(o, "all"));
}

static void print_status(const json_t *o)
{
    printf("%lld signed in, %lld viewings on record; %s, registration %s\n", number_of(o, "sessions"), number_of(o, "viewings"),
           json_is_true(json_object_get(o, "tls")) ? "under TLS" : "in the open", json_is_true(json_object_get(o, "registration")) ? "open" : "closed");
}

static bool directory_find(arena *a, str wanted, str host, str *out, int *code)
{
    str found;
    running_node node;
    if (!running_find(a, wanted, &found)) {
        *code = command_error("console", COMMAND_UNREACHABLE, "no running naru found; start one (naru try) or name its directory (--dir DIR)");
        return false;
    }
    if (!running_nodes(a, found, "console", host, &node, 1)) {
        *code = command_error("console", COMMAND_FAILED, "the naru in " STR_FMT " has no console; `console { }` in naru.conf makes one", STR_ARG(found));
        return false;
    }
    *out = node.directory;
    return true;
}

int cmd_console(int argc, char **argv)
{
    bool json = false;
    str dir = {0}, host = {0}, words[1] = {{0}}, at;
    int64_t limit = SHOWN;
    const command_option options[] = {
        {"json", OPTION_FLAG, &json, NULL, "print JSON"},
        {"dir", OPTION_TEXT, &dir, "DIR", "the data directory of the running naru (default: the newest)"},
        {"host", OPTION_TEXT, &host, "NAME", "this host's console (naru try has several hosts)"},
        {"limit", OPTION_NUMBER, &limit, "N", "accounting: the newest N viewings (20)"},
        {0},
    };
    const command_help help = {"console", "status | accounting",
                               "Shows the console of a running naru: how it is, or the account of viewings.", options,
                               "accounting: who watched which film, when, for how long, from which servers; sums by film and by server.\n"
                               "The pages themselves are at http://HOST:8000/."};
    int count, code;
    if (!options_read(argc, argv, &help, words, 1, &count, &code))
        return code;
    bool accounting = str_eq(words[0], S("accounting"));
    if (count && !accounting && !str_eq(words[0], S("status")))
        return usage_error(&help, "say: status, or accounting");
    if (limit < 1 || limit > LIMIT_MAX)
        return usage_error(&help, "--limit: 1 to 10000");
    arena a = arena_make(CONSOLE_ARENA_BYTES_MAX);
    if (directory_find(&a, dir, host, &at, &code)) {
        str target = accounting ? str_format(&a, "/console/accounting?limit=%lld", (long long)limit) : S("/console/state");
        json_t *o = ask(&a, at, target, &code);
        if (code == COMMAND_OK && json) {
            json_dumpf(o, stdout, JSON_INDENT(2));
            printf("\n");
        } else if (code == COMMAND_OK && accounting) {
            print_accounting(o, &a);
        } else if (code == COMMAND_OK) {
            print_status(o);
        }
        json_decref(o);
    }
    arena_free(&a);
    return code;
}
