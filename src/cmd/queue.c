// naru queue: what waits in the mail queues of a running naru, and what is to become of it.
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "cmd/commands.h"
#include "cmd/options.h"
#include "cmd/running.h"

enum { QUEUE_HOSTS_MAX = 64, QUEUE_ARENA_BYTES_MAX = 64 << 20 };

typedef struct {
    arena *a;
    running_node nodes[QUEUE_HOSTS_MAX];     // those that have a queue
    int    count;
    bool   json;
    int    found, shown;
    json_t *all;
} asking;

static json_t *ask(asking *q, int node, const char *method, const char *path, int *status)
{
    http_result r = running_ask(q->a, q->nodes[node].directory, str_z(method), str_z(path), (str){0});
    *status = r.error ? 0 : r.status;
    return r.error ? NULL : json_loadb((const char *)r.body.at, (size_t)r.body.len, 0, NULL);
}

static const char *text_of(const json_t *o, const char *key) { return json_string_value(json_object_get(o, key)) ? json_string_value(json_object_get(o, key)) : ""; }
static long long number_of(const json_t *o, const char *key) { return json_integer_value(json_object_get(o, key)); }

static void print_line(asking *q, int node, const json_t *letter)
{
    json_t *to = json_object_get(letter, "recipients"), *first = NULL, *r;
    size_t i;
    json_array_foreach(to, i, r)
        if (!first && strcmp(text_of(r, "state"), "waiting") == 0)
            first = r;
    if (q->shown++ == 0)
        printf("%-14s %-14s %8s %-26s %-26s %4s %s\n", "ID", "HOST", "SIZE", "FROM", "TO", "TRY", "NEXT");
    char next[32];
    if (json_is_true(json_object_get(letter, "held")))
        snprintf(next, sizeof next, "held");
    else
        snprintf(next, sizeof next, "in %lld s", number_of(letter, "next_try_s"));
    printf("%-14s %-14.*s %8lld %-26s %-26s %4lld %s\n", text_of(letter, "id"), (int)q->nodes[node].name.len, (const char *)q->nodes[node].name.at,
           number_of(letter, "size"), *text_of(letter, "from") ? text_of(letter, "from") : "<>", first ? text_of(first, "address") : "",
           first ? number_of(first, "attempts") : 0ll, next);
    if (first && *text_of(first, "reply"))
        printf("               %s\n", text_of(first, "reply"));
}

static void print_letter(const json_t *letter)
{
    json_t *r;
    size_t i;
    bool held = json_is_true(json_object_get(letter, "held"));
    printf("id        %s\nfrom      %s\nsize      %lld bytes\n", text_of(letter, "id"),
           *text_of(letter, "from") ? text_of(letter, "from") : "<>", number_of(letter, "size"));
    if (held)
        printf("next try  held, not before `naru queue release %s`\n", text_of(letter, "id"));
    else
        printf("next try  in %lld s\n", number_of(letter, "next_try_s"));
    printf("story     naru story %s\n", text_of(letter, "trace"));
    json_array_foreach(json_object_get(letter, "recipients"), i, r)
        printf("to        %s%s%s: %s after %lld attempt%s%s%s\n", text_of(r, "address"), *text_of(r, "mailbox") ? " mailbox " : "",
               text_of(r, "mailbox"), text_of(r, "state"), number_of(r, "attempts"), number_of(r, "attempts") == 1 ? "" : "s",
               *text_of(r, "reply") ? ": " : "", text_of(r, "reply"));
}

// What became of a letter, in one sentence.
static void print_done(const char *verb, const json_t *letter)
{
    static const struct { const char *verb, *what; } done[] = {
        {"retry", "is tried now; `naru queue show` says how it went"},
        {"hold", "is held: it stays and is not tried until `naru queue release`"},
        {"release", "is released and goes on"},
        {"delete", "is deleted; its sender is not told"},
    };
    for (size_t i = 0; i < sizeof done / sizeof *done; i++)
        if (strcmp(done[i].verb, verb) == 0)
            printf("%s from %s %s\n", text_of(letter, "id"), *text_of(letter, "from") ? text_of(letter, "from") : "<>", done[i].what);
}

static int list_all(asking *q)
{
    int answered = 0;
    for (int n = 0; n < q->count; n++) {
        int status;
        json_t *o = ask(q, n, "GET", "/mta/queue", &status), *letter;
        size_t i;
        answered += status == 200;
        json_array_foreach(json_object_get(o, "letters"), i, letter) {
            json_object_set_new(letter, "host", json_stringn((const char *)q->nodes[n].name.at, (size_t)q->nodes[n].name.len));
            if (q->json)
                json_array_append(q->all, letter);
            else
                print_line(q, n, letter);
        }
        json_decref(o);
    }
    if (answered == 0)
        return command_error("queue", COMMAND_UNREACHABLE, "no mail queue answers; is naru running? (--dir DIR)");
    if (q->json) {
        json_dumpf(q->all, stdout, JSON_INDENT(2));
        printf("\n");
    } else if (q->shown == 0) {
        printf("The queue is empty.\n");
    }
    return COMMAND_OK;
}

static int one(asking *q, const char *verb, str id)
{
    char path[128];
    bool show = strcmp(verb, "show") == 0;
    snprintf(path, sizeof path, "/mta/queue/" STR_FMT "%s%s", STR_ARG(str_first(id, 40)), show ? "" : "/", show ? "" : verb);
    for (int n = 0; n < q->count; n++) {
        int status;
        json_t *o = ask(q, n, show ? "GET" : "POST", path, &status);
        if (status == 200 && q->json) {
            json_dumpf(o, stdout, JSON_INDENT(2));
            printf("\n");
        } else if (status == 200 && show) {
            print_letter(o);
        } else if (status == 200) {
            print_done(verb, o);
        } else if (status != 404 && status != 0) {
            int code = command_error("queue", COMMAND_FAILED, "%s", *text_of(o, "error") ? text_of(o, "error") : "the server refused");
            json_decref(o);
            return code;
        }
        json_decref(o);
        if (status == 200)
            return COMMAND_OK;
    }
    return command_error("queue", COMMAND_FAILED, "no letter " STR_FMT " waits; it may have been delivered (naru queue list)", STR_ARG(id));
}

int cmd_queue(int argc, char **argv)
{
    bool json = false;
    str dir = {0}, host = {0}, words[3], found;
    const command_option options[] = {
        {"json", OPTION_FLAG, &json, NULL, "print JSON"},
        {"dir", OPTION_TEXT, &dir, "DIR", "the data directory of the running naru (default: the newest)"},
        {"host", OPTION_TEXT, &host, "NAME", "only this host's queue (naru try has several)"},
        {0},
    };
    const command_help help = {"queue", "list | show ID | retry ID | hold ID | release ID | delete ID",
                               "Shows the mail queue and changes what becomes of a letter.", options,
                               "delete forgets a letter without telling its sender."};
    int count, code;
    if (!options_read(argc, argv, &help, words, 3, &count, &code))
        return code;
    static const char *const verbs[] = {"show", "retry", "hold", "release", "delete"};
    str verb = count ? words[0] : S("list");
    const char *chosen = NULL;
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
        if (str_eq(verb, str_z(verbs[i])))
            chosen = verbs[i];
    if (!str_eq(verb, S("list")) && (!chosen || count != 2))
        return usage_error(&help, "say: list, show ID, retry ID, hold ID, release ID or delete ID");
    arena a = arena_make(QUEUE_ARENA_BYTES_MAX);
    asking q = {.a = &a, .json = json, .all = json_array()};
    if (!running_find(&a, dir, &found))
        code = command_error("queue", COMMAND_UNREACHABLE, "no running naru found; start one (naru try) or name its directory (--dir DIR)");
    else {
        q.count = running_nodes(&a, found, "mta", host, q.nodes, QUEUE_HOSTS_MAX);
        code = chosen ? one(&q, chosen, words[1]) : list_all(&q);
    }
    json_decref(q.all);
    arena_free(&a);
    return code;
}
