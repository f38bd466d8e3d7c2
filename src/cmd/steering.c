// naru steering: the CDN nodes that a running naru steers to, how they are, and why a client is sent where it is.
#include <jansson.h>
#include <stdio.h>

#include "cmd/commands.h"
#include "cmd/options.h"
#include "cmd/running.h"
#include "rt/world.h"

enum { STEERING_ARENA_BYTES_MAX = 16 << 20, STEERING_HOSTS_MAX = 64, STATUS_GOOD = 200 };

static long long number_of(const json_t *o, const char *key) { return json_integer_value(json_object_get(o, key)); }
static const char *text_of(const json_t *o, const char *key) { const char *t = json_string_value(json_object_get(o, key)); return t ? t : ""; }

static json_t *ask(arena *a, str directory, str target, str *error)
{
    http_result r = running_ask(a, directory, S("GET"), target, (str){0});
    json_t *o = r.error ? NULL : json_loadb((const char *)r.body.at, (size_t)r.body.len, 0, NULL);
    if (o && r.status == STATUS_GOOD)
        return o;
    if (o && r.status != 404 && *text_of(o, "error"))
        *error = str_copy(a, str_z(text_of(o, "error")));
    json_decref(o);
    return NULL;
}

// The running naru's own steering (`naru up`), or that of a host below it (`naru try`).
static json_t *find(arena *a, str directory, str host, str target, str *error)
{
    world *w = world_linux_new(S("steering"), NULL, 0);
    str *names;
    int count = 0;
    file_stat st;
    json_t *o = host.len ? NULL : ask(a, directory, target, error);
    if (!o && dir_list(w, str_to_z(a, directory), a, &names, &count) != E_OK)
        count = 0;
    for (int i = 0; i < count && i < STEERING_HOSTS_MAX && !o; i++) {
        str below = str_format(a, STR_FMT "/" STR_FMT, STR_ARG(directory), STR_ARG(names[i]));
        bool asked = (!host.len || str_eq_nocase(host, names[i])) &&
                     path_stat(w, str_to_z(a, str_join(a, below, S("/control.sock"))), &st) == E_OK;
        o = asked ? ask(a, below, target, error) : NULL;
    }
    world_linux_free(w);
    return o;
}

static void print_nodes(const json_t *o)
{
    const json_t *list = json_object_get(o, "nodes"), *n;
    size_t i;
    printf("%-18s %-12s %-22s %-12s %-10s %8s %6s %6s\n", "NODE", "CDN", "ADDRESS", "PLACE", "STATE", "ANSWERS", "LOAD", "AWAY");
    json_array_foreach(list, i, n) {
        long long load = number_of(n, "load_per_mille");
        printf("%-18s %-12s %-22s %-12s %-10s %5lld ms ", text_of(n, "node"), text_of(n, "cdn"), text_of(n, "address"), text_of(n, "place"),
               text_of(n, "state"), number_of(n, "answer_ms"));
        if (load < 0)
            printf("%6s", "-");
        else
            printf("%5lld%%", load / 10);
        printf(" %5lld%%\n", number_of(n, "away_per_mille") / 10);
    }
    json_array_foreach(json_object_get(o, "names"), i, n)
        printf("name %s, ranking %lld\n", text_of(n, "name"), number_of(n, "version"));
    printf("answers hold for %lld s; %lld players' reports are believed; AWAY: the share of client networks that is sent elsewhere\n", number_of(o, "ttl_s"),
           number_of(o, "reports"));
}

static void print_ranking(const json_t *o, str client)
{
    const json_t *n;
    size_t i;
    printf(STR_FMT " is in the network %s/%lld%s%s%s%s\n", STR_ARG(client), text_of(o, "network"), number_of(o, "bits"), *text_of(o, "place") ? ", " : "",
           text_of(o, "place"), *text_of(o, "region") ? ", " : "", text_of(o, "region"));
    json_array_foreach(json_object_get(o, "ranking"), i, n)
        printf("%3zu. %-18s %-12s %-22s %-12s %s\n", i + 1, text_of(n, "node"), text_of(n, "cdn"), text_of(n, "address"), text_of(n, "distance"),
               text_of(n, "standing"));
    printf("Dead nodes come last, troubled ones before them; then near before far, then the preferred CDN, then by capacity.\n");
}

static bool is_address(str text)
{
    addr x;
    return addr_parse_ip(text, 0, &x);
}

int cmd_steering(int argc, char **argv)
{
    bool json = false;
    str dir = {0}, host = {0}, words[2] = {{0}}, found;
    const command_option options[] = {
        {"json", OPTION_FLAG, &json, NULL, "print JSON"},
        {"dir", OPTION_TEXT, &dir, "DIR", "the data directory of the running naru (default: the newest)"},
        {"host", OPTION_TEXT, &host, "NAME", "this host's steering (naru try has several hosts)"},
        {0},
    };
    const command_help help = {"steering", "show | why ADDRESS", "Shows the CDN nodes that viewers are sent to, and why one is sent where it is.",
                               options, "ADDRESS: a viewer's, or that of the name server that asks on its behalf."};
    int count, code;
    if (!options_read(argc, argv, &help, words, 2, &count, &code))
        return code;
    bool why = count == 2 && str_eq(words[0], S("why")), show = !count || (count == 1 && str_eq(words[0], S("show")));
    if (!why && !show)
        return usage_error(&help, "say: show, or why ADDRESS");
    if (why && !is_address(words[1]))
        return usage_error(&help, "why wants an IP address such as 192.0.2.7");
    arena a = arena_make(STEERING_ARENA_BYTES_MAX);
    str error = {0}, target = why ? str_format(&a, "/steering/why?client=" STR_FMT, STR_ARG(words[1])) : S("/steering/show");
    json_t *o = NULL;
    code = COMMAND_OK;
    if (!running_find(&a, dir, &found))
        code = command_error("steering", COMMAND_UNREACHABLE, "no running naru found; start one (naru try --map enter-deep) or name its directory (--dir DIR)");
    else if (!(o = find(&a, found, host, target, &error)))
        code = error.len ? command_error("steering", COMMAND_FAILED, STR_FMT, STR_ARG(error))
                         : command_error("steering", COMMAND_FAILED, "the naru in " STR_FMT " has no steering; `steering { }` in naru.conf makes one, or "
                                         "naru try --map enter-deep", STR_ARG(found));
    if (o && json) {
        json_dumpf(o, stdout, JSON_INDENT(2));
        printf("\n");
    } else if (o && why) {
        print_ranking(o, words[1]);
    } else if (o) {
        print_nodes(o);
    }
    json_decref(o);
    arena_free(&a);
    return code;
}
