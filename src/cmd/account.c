// naru account: people and their passwords, through the accounts service's control routes.
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <termios.h>
#include <unistd.h>

#include "base/hex.h"
#include "cmd/commands.h"
#include "cmd/options.h"
#include "cmd/running.h"
#include "rt/world.h"

enum { ACCOUNT_MEMORY_BYTES_MAX = 64 << 20, ACCOUNT_HOSTS_MAX = 64, ACCOUNT_PASSWORD_BYTES_MAX = 4096 };

typedef struct {
    arena *a;
    str    dir;                      // of the running naru
    running_node nodes[ACCOUNT_HOSTS_MAX];   // those that have accounts, named after their domains
    int    node_count;
    bool   json;
    str    role, label, id, password_file;
    int    code;
} asking;

// ---- where -----------------------------------------------------------------------------------------------------

static bool node_of(asking *q, str who, str *node)
{
    str domain = str_from(who, str_rfind(who, '@') + 1);
    for (int i = 0; i < q->node_count; i++)
        if (q->node_count == 1 || str_eq_nocase(q->nodes[i].name, domain)) {
            *node = q->nodes[i].directory;
            return true;
        }
    q->code = command_error("account", COMMAND_FAILED, "no host here has accounts for " STR_FMT, STR_ARG(domain));
    return false;
}

// ---- the password ----------------------------------------------------------------------------------------------

static str line_read(asking *q, FILE *from)
{
    char line[ACCOUNT_PASSWORD_BYTES_MAX];
    return fgets(line, sizeof line, from) ? str_copy(q->a, str_chomp(str_z(line))) : (str){0};
}

// On a terminal it is asked for without showing it, twice.
static str password_type(asking *q)
{
    struct termios before, silent;
    if (!isatty(0) || tcgetattr(0, &before) != 0)
        return line_read(q, stdin);
    silent = before;
    silent.c_lflag &= ~(tcflag_t)ECHO;
    tcsetattr(0, TCSAFLUSH, &silent);
    fprintf(stderr, "Password: ");
    str first = line_read(q, stdin);
    fprintf(stderr, "\nAgain: ");
    str second = line_read(q, stdin);
    fprintf(stderr, "\n");
    tcsetattr(0, TCSAFLUSH, &before);
    if (str_eq(first, second))
        return first;
    fprintf(stderr, "naru account: the two are not the same\n");
    return (str){0};
}

static bool password_get(asking *q, str *out)
{
    *out = str_copy(q->a, str_z(getenv("NARU_PASSWORD")));
    if (q->password_file.len) {
        FILE *f = fopen(str_to_z(q->a, q->password_file), "r");
        if (f) {
            *out = line_read(q, f);
            fclose(f);
        }
    } else if (!out->len) {
        *out = password_type(q);
    }
    if (!out->len)
        q->code = command_error("account", COMMAND_USAGE,
                                "no password: --password-file FILE, $NARU_PASSWORD or standard input");
    return out->len > 0;
}

// ---- asking ----------------------------------------------------------------------------------------------------

static str query_put(asking *q, str target, const char *key, str value)
{
    buf out = buf_make(8192);
    buf_format(&out, STR_FMT "%c%s=", STR_ARG(target), str_find(target, '?') < 0 ? '?' : '&', key);
    percent_put(&out, value, S(""));
    str s = str_copy(q->a, buf_str(&out));
    buf_free(&out);
    return s;
}

static json_t *ask(asking *q, str node, const char *method, str target, str body)
{
    http_result r = running_ask(q->a, node, str_z(method), target, body);
    json_t *o = r.error ? NULL : json_loadb((const char *)r.body.at, (size_t)r.body.len, 0, NULL);
    const char *why = json_string_value(json_object_get(o, "error"));
    if (r.error)
        q->code = command_error("account", COMMAND_UNREACHABLE, "the accounts service does not answer: %s",
                                err_text(r.error));
    else if (r.status != 200)
        q->code = command_error("account", COMMAND_FAILED, "%s", why ? why : "the accounts service refused");
    return o;
}

static void change(asking *q, const char *what, str who, bool with_password)
{
    str node, password = {0}, target = query_put(q, str_format(q->a, "/accounts/%s", what), "address", who);
    if (!node_of(q, who, &node) || (with_password && !password_get(q, &password)))
        return;
    if (q->role.len)
        target = query_put(q, target, "role", q->role);
    if (q->label.len)
        target = query_put(q, target, "label", q->label);
    if (q->id.len)
        target = query_put(q, target, "id", q->id);
    json_t *o = ask(q, node, "POST", target, password);
    const char *made = json_string_value(json_object_get(o, "password"));
    if (q->code == COMMAND_OK && q->json)
        json_dumpf(o, stdout, JSON_INDENT(2)), printf("\n");
    else if (q->code == COMMAND_OK && made)
        printf("%s\n", made);
    else if (q->code == COMMAND_OK)
        fprintf(stderr, STR_FMT ": done\n", STR_ARG(who));
    json_decref(o);
}

static void print_person(const json_t *person)
{
    json_t *app;
    size_t i;
    printf("%-32s %s\n", json_string_value(json_object_get(person, "address")),
           json_string_value(json_object_get(person, "role")));
    json_array_foreach(json_object_get(person, "app_passwords"), i, app)
        printf("    app password %lld  %s\n", (long long)json_integer_value(json_object_get(app, "id")),
               json_string_value(json_object_get(app, "label")));
}

static void list(asking *q)
{
    json_t *all = json_array(), *person;
    size_t i;
    for (int n = 0; n < q->node_count && q->code == COMMAND_OK; n++) {
        json_t *o = ask(q, q->nodes[n].directory, "GET", S("/accounts/list"), (str){0});
        json_array_foreach(json_object_get(o, "accounts"), i, person)
            json_array_append(all, person);
        json_decref(o);
    }
    if (q->json && q->code == COMMAND_OK)
        json_dumpf(all, stdout, JSON_INDENT(2)), printf("\n");
    json_array_foreach(all, i, person)
        if (!q->json)
            print_person(person);
    json_decref(all);
}

// ---- the command -----------------------------------------------------------------------------------------------

static const struct { const char *name, *route; bool password; } verbs[] = {
    {"add", "add", true},          {"passwd", "passwd", true},
    {"remove", "remove", false},   {"app-add", "app-add", false},
    {"app-remove", "app-remove", false},
};

static const char more[] =
    "An app password is made by naru and shown once: one for each device, so that one can be taken back alone.\n"
    "  naru account add kim@club.example.kr                    (asks for the password)\n"
    "  naru account app-add kim@club.example.kr --label phone";

int cmd_account(int argc, char **argv)
{
    arena memory = arena_make(ACCOUNT_MEMORY_BYTES_MAX);
    asking q = {.a = &memory};
    str dir = {0}, words[2];
    int count, chosen = -1;
    const command_option options[] = {
        {"role", OPTION_TEXT, &q.role, "ROLE", "add: user (default) or admin"},
        {"label", OPTION_TEXT, &q.label, "TEXT", "app-add: what the app password is for"},
        {"id", OPTION_TEXT, &q.id, "N", "app-remove: its number from `naru account list`"},
        {"password-file", OPTION_TEXT, &q.password_file, "FILE",
         "the password's file (default: $NARU_PASSWORD, standard input)"},
        {"dir", OPTION_TEXT, &dir, "DIR", "the data directory of the running naru (default: the newest)"},
        {"json", OPTION_FLAG, &q.json, NULL, "print JSON"},
        {0},
    };
    const command_help help = {"account", "list | add ADDRESS | passwd ADDRESS | remove ADDRESS | app-add ADDRESS |"
                                          " app-remove ADDRESS --id N",
                               "People who have mail here, and their passwords.", options, more};
    if (!options_read(argc, argv, &help, words, 2, &count, &q.code))
        return q.code;
    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0] && count; i++)
        if (str_eq(words[0], str_z(verbs[i].name)))
            chosen = (int)i;
    bool listing = count == 1 && str_eq(words[0], S("list"));
    if (!listing && (chosen < 0 || count != 2))
        return usage_error(&help, "say: list, or add, passwd, remove, app-add or app-remove with an address");
    if (!running_find(&memory, dir, &q.dir))
        q.code = command_error("account", COMMAND_UNREACHABLE,
                               "no running naru found; start one (naru try) or name its directory (--dir DIR)");
    else if (q.node_count = running_nodes(&memory, q.dir, "accounts", (str){0}, q.nodes, ACCOUNT_HOSTS_MAX), listing)
        list(&q);
    else
        change(&q, verbs[chosen].route, words[1], verbs[chosen].password);
    arena_free(&memory);
    return q.code;
}
