// naru edge: the HTTP cache of a running naru: how it is, what is kept under a URL, what is asked for most, and purges.
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/hex.h"
#include "base/quantity.h"
#include "cmd/commands.h"
#include "cmd/options.h"
#include "cmd/running.h"

enum { EDGE_ARENA_BYTES_MAX = 64 << 20, EDGE_TARGET_BYTES_MAX = 32 * 1024 };

static long long number_of(const json_t *o, const char *key) { return json_integer_value(json_object_get(o, key)); }
static const char *text_of(const json_t *o, const char *key) { const char *t = json_string_value(json_object_get(o, key)); return t ? t : ""; }

// ---- asking ---------------------------------------------------------------------------------------------------------------------

static json_t *ask(arena *a, str directory, str method, str target, int *code)
{
    http_result r = running_ask(a, directory, method, target, (str){0});
    json_t *o = r.error ? NULL : json_loadb((const char *)r.body.at, (size_t)r.body.len, 0, NULL);
    *code = COMMAND_OK;
    if (!o)
        *code = command_error("edge", COMMAND_UNREACHABLE, "the edge in " STR_FMT " does not answer", STR_ARG(directory));
    else if (r.status != 200)
        *code = command_error("edge", COMMAND_FAILED, "%s", *text_of(o, "error") ? text_of(o, "error") : "the edge refused");
    return o;
}

static str target_of(arena *a, const char *path, const char *key, str value, bool soft)
{
    buf out = buf_make(EDGE_TARGET_BYTES_MAX);
    buf_format(&out, "/edge/%s?%s=", path, key);
    percent_put(&out, value, (str){0});
    buf_put(&out, soft ? S("&soft=yes") : S(""));
    str target = out.full ? (str){0} : str_copy(a, buf_str(&out));
    buf_free(&out);
    return target;
}

// ---- printing -------------------------------------------------------------------------------------------------------------------

static void print_status(const json_t *o, arena *a)
{
    const json_t *sites = json_object_get(o, "sites"), *s, *x;
    size_t i, k;
    str memory = size_text(a, number_of(o, "memory")), memory_max = size_text(a, number_of(o, "memory_max"));
    str disk = size_text(a, number_of(o, "disk")), disk_max = size_text(a, number_of(o, "disk_max"));
    printf("%s: %lld objects; memory " STR_FMT " of " STR_FMT "; disk " STR_FMT " of " STR_FMT "\n", text_of(o, "name"), number_of(o, "objects"),
           STR_ARG(memory), STR_ARG(memory_max), STR_ARG(disk), STR_ARG(disk_max));
    if (*text_of(o, "disk_trouble"))
        printf("the disk does not take what is written to it: %s; the edge serves on from memory\n", text_of(o, "disk_trouble"));
    if (number_of(o, "disk_damaged") || number_of(o, "disk_dropped"))
        printf("%lld slices on disk were damaged; %lld records did not get to the disk\n", number_of(o, "disk_damaged"), number_of(o, "disk_dropped"));
    json_array_foreach(sites, i, s) {
        long long requests = number_of(s, "requests"), hits = number_of(s, "hits");
        printf("%s: %lld requests, %lld hits (%lld %%)\n", text_of(s, "site"), requests, hits, requests ? hits * 100 / requests : 0);
        json_array_foreach(json_object_get(s, "origins"), k, x) {
            str bytes = size_text(a, number_of(x, "bytes"));
            printf("    %-28s %lld asked, %lld failed, " STR_FMT "%s\n", text_of(x, "origin"), number_of(x, "asked"), number_of(x, "failed"),
                   STR_ARG(bytes), number_of(x, "down_ms") ? "; is left alone for a while" : "");
        }
    }
}

static void print_object(const json_t *o, arena *a)
{
    str length = number_of(o, "length") < 0 ? S("?") : size_text(a, number_of(o, "length"));
    str memory = size_text(a, number_of(o, "in_memory")), disk = size_text(a, number_of(o, "on_disk"));
    long long fresh = number_of(o, "fresh_for");
    printf("%8lld  %s\n          %lld, " STR_FMT " (" STR_FMT " in memory, " STR_FMT " on disk), %lld s old, %s %lld s%s%s%s\n", number_of(o, "hits"),
           text_of(o, "url"), number_of(o, "status"), STR_ARG(length), STR_ARG(memory), STR_ARG(disk), number_of(o, "age"),
           fresh > 0 ? "fresh for" : "stale since", fresh > 0 ? fresh : -fresh, *text_of(o, "vary") ? ", varies by " : "", text_of(o, "vary"),
           json_is_true(json_object_get(o, "filling")) ? ", filling" : "");
}

static void print_objects(const json_t *o, arena *a)
{
    const json_t *list = json_object_get(o, "objects"), *x;
    size_t i;
    if (json_array_size(list) == 0)
        printf("Nothing is kept.\n");
    else
        printf("%8s  %s\n", "HITS", "URL");
    json_array_foreach(list, i, x)
        print_object(x, a);
}

// ---- the command ----------------------------------------------------------------------------------------------------------------

static int run(arena *a, str directory, str method, str target, bool json, void (*print)(const json_t *, arena *))
{
    int code;
    if (!target.len)
        return command_error("edge", COMMAND_USAGE, "that is too long");
    json_t *o = ask(a, directory, method, target, &code);
    if (code == COMMAND_OK && json) {
        json_dumpf(o, stdout, JSON_INDENT(2));
        printf("\n");
    } else if (code == COMMAND_OK) {
        print(o, a);
    }
    json_decref(o);
    return code;
}

static void print_purged(const json_t *o, arena *a)
{
    (void)a;
    printf(json_is_true(json_object_get(o, "soft")) ? "%lld made stale\n" : "%lld purged\n", number_of(o, "purged"));
}

int cmd_edge(int argc, char **argv)
{
    bool json = false, soft = false, all = false;
    str dir = {0}, host = {0}, tag = {0}, words[2] = {{0}}, found;
    const command_option options[] = {
        {"json", OPTION_FLAG, &json, NULL, "print JSON"},
        {"dir", OPTION_TEXT, &dir, "DIR", "the data directory of the running naru (default: the newest)"},
        {"host", OPTION_TEXT, &host, "NAME", "this host's edge (naru try may have several)"},
        {"tag", OPTION_TEXT, &tag, "TAG", "purge: everything whose Cache-Tag or Surrogate-Key names it"},
        {"all", OPTION_FLAG, &all, NULL, "purge: everything"},
        {"soft", OPTION_FLAG, &soft, NULL, "purge: keep it, stale from now on"},
        {0},
    };
    const command_help help = {"edge", "status | show URL | top [COUNT] | purge [URL]",
                               "Shows what the HTTP cache of a running naru keeps, and takes things out of it.", options,
                               "URL is http://HOST/PATH of a site of the edge. purge takes a URL (all its variants), --tag TAG or --all, and says how\n"
                               "many objects that were; with --soft they are validated before they are given again."};
    int count, code;
    if (!options_read(argc, argv, &help, words, 2, &count, &code))
        return code;
    str verb = count ? words[0] : S("status");
    bool show = str_eq(verb, S("show")), top = str_eq(verb, S("top")), purge = str_eq(verb, S("purge"));
    if (!show && !top && !purge && !(str_eq(verb, S("status")) && count <= 1))
        return usage_error(&help, "say: status, show URL, top, or purge URL");
    if (show && count < 2)
        return usage_error(&help, "which URL? naru edge show http://HOST/PATH");
    if (purge && (count > 1) + (tag.len > 0) + all != 1)
        return usage_error(&help, "purge what? A URL, --tag TAG, or --all");
    arena a = arena_make(EDGE_ARENA_BYTES_MAX);
    running_node node;
    if (!running_find(&a, dir, &found))
        code = command_error("edge", COMMAND_UNREACHABLE, "no running naru found; start one (naru up) or name its directory (--dir DIR)");
    else if (!running_nodes(&a, found, "edge", host, &node, 1))
        code = command_error("edge", COMMAND_UNREACHABLE, "the naru in " STR_FMT " has no edge; `edge { site ... }` in naru.conf makes one", STR_ARG(found));
    else if (show)
        code = run(&a, node.directory, S("GET"), target_of(&a, "show", "url", words[1], false), json, print_objects);
    else if (top)
        code = run(&a, node.directory, S("GET"), count > 1 ? target_of(&a, "top", "count", words[1], false) : S("/edge/top"), json, print_objects);
    else if (purge)
        code = run(&a, node.directory, S("POST"), all ? target_of(&a, "purge", "all", S("yes"), soft) : tag.len ? target_of(&a, "purge", "tag", tag, soft)
                   : target_of(&a, "purge", "url", words[1], soft), json, print_purged);
    else
        code = run(&a, node.directory, S("GET"), S("/edge/about"), json, print_status);
    arena_free(&a);
    return code;
}
