// naru tracker: how the tracker of a running naru is, its torrents, and the record that announces it in the DNS (BEP 34).
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/quantity.h"
#include "cmd/commands.h"
#include "cmd/options.h"
#include "cmd/running.h"
#include "rooms/tracker/tracker.h"
#include "rt/world.h"

enum { TRACKER_ARENA_BYTES_MAX = 64 << 20, TRACKER_NODES_MAX = 64, PORT_MAX = 65535 };

static long long number_of(const json_t *o, const char *key) { return json_integer_value(json_object_get(o, key)); }
static const char *text_of(const json_t *o, const char *key) { const char *t = json_string_value(json_object_get(o, key)); return t ? t : ""; }
static bool is(const json_t *o, const char *key) { return json_is_true(json_object_get(o, key)); }

// The directory of the node that has a tracker: the running naru's own (`naru up`), or one below it (`naru try`).
static bool node_find(arena *a, str directory, str host, str *out)
{
    world *w = world_linux_new(S("tracker"), NULL, 0);
    str *names;
    int count = 0;
    file_stat st;
    bool found = !host.len && path_stat(w, str_to_z(a, str_join(a, directory, S("/tracker"))), &st) == E_OK;
    *out = directory;
    if (!found && dir_list(w, str_to_z(a, directory), a, &names, &count) != E_OK)
        count = 0;
    for (int i = 0; i < count && i < TRACKER_NODES_MAX && !found; i++) {
        if (host.len && !str_eq_nocase(host, names[i]))
            continue;
        *out = str_format(a, STR_FMT "/" STR_FMT, STR_ARG(directory), STR_ARG(names[i]));
        found = path_stat(w, str_to_z(a, str_join(a, *out, S("/tracker"))), &st) == E_OK;
    }
    world_linux_free(w);
    return found;
}

static json_t *ask(arena *a, str directory, const char *target, int *code)
{
    http_result r = running_ask(a, directory, S("GET"), str_z(target), (str){0});
    json_t *o = r.error ? NULL : json_loadb((const char *)r.body.at, (size_t)r.body.len, 0, NULL);
    *code = COMMAND_OK;
    if (!o)
        *code = command_error("tracker", COMMAND_UNREACHABLE, "the tracker in " STR_FMT " does not answer", STR_ARG(directory));
    else if (r.status != 200)
        *code = command_error("tracker", COMMAND_FAILED, "%s", *text_of(o, "error") ? text_of(o, "error") : "the tracker refused");
    return o;
}

static void print_status(const json_t *o, arena *a)
{
    str memory = size_text(a, number_of(o, "bytes"));
    printf("%lld torrents, %lld peers (%lld IPv4, %lld IPv6), %lld of them seeds; %lld have expired\n", number_of(o, "torrents"),
           number_of(o, "peers"), number_of(o, "peers_ipv4"), number_of(o, "peers_ipv6"), number_of(o, "seeds"), number_of(o, "expired"));
    printf("port %lld, %s%s%s; peers announce every %lld s and take " STR_FMT "\n", number_of(o, "port"),
           is(o, "open") ? "open to every torrent" : "listed torrents only", is(o, "private") ? ", all private" : "",
           is(o, "managed") ? ", all managed" : "", number_of(o, "interval_s"), STR_ARG(memory));
    printf("%lld peers were known from before the start; %lld changes wait for the disk, %lld were lost\n", number_of(o, "restored"),
           number_of(o, "unsaved"), number_of(o, "lost"));
}

static void print_torrents(const json_t *o)
{
    const json_t *list = json_object_get(o, "torrents"), *t;
    size_t i;
    if (json_array_size(list) == 0)
        printf("No torrent is tracked.\n");
    else
        printf("%-40s %8s %8s %10s\n", "INFO HASH", "SEEDS", "LEECHERS", "DOWNLOADED");
    json_array_foreach(list, i, t)
        printf("%-40s %8lld %8lld %10lld%s%s%s\n", text_of(t, "info_hash"), number_of(t, "seeds"), number_of(t, "leechers"),
               number_of(t, "downloaded"), is(t, "listed") ? "  listed" : "", is(t, "managed") ? "  managed" : "", is(t, "private") ? "  private" : "");
    if (number_of(o, "all") > (long long)json_array_size(list) && json_array_size(list) > 1)
        printf("and %lld more\n", number_of(o, "all") - (long long)json_array_size(list));
}

static int look(arena *a, str directory, bool list, str hash, bool json)
{
    int code;
    char target[128];
    snprintf(target, sizeof target, "/tracker/%s%s" STR_FMT, list ? "torrents" : "figures", hash.len ? "?hash=" : "", STR_ARG(str_first(hash, 64)));
    json_t *o = ask(a, directory, target, &code);
    if (code == COMMAND_OK && json) {
        json_dumpf(o, stdout, JSON_INDENT(2));
        printf("\n");
    } else if (code == COMMAND_OK && list) {
        print_torrents(o);
    } else if (code == COMMAND_OK) {
        print_status(o, a);
    }
    json_decref(o);
    return code;
}

// BEP 34: what a client that looks obeys. Without ports: there is no tracker here, do not come.
static int record(str name, int64_t udp, int64_t tcp, bool json, const command_help *help)
{
    char text[64] = "BITTORRENT";
    int len = 10;
    if (udp < 0 || tcp < 0 || udp > PORT_MAX || tcp > PORT_MAX)
        return usage_error(help, "a port is a number from 1 to 65535, or 0 for none");
    if (udp)
        len += snprintf(text + len, sizeof text - (size_t)len, " UDP:%lld", (long long)udp);
    if (tcp)
        snprintf(text + len, sizeof text - (size_t)len, " TCP:%lld", (long long)tcp);
    if (!udp && !tcp)
        snprintf(text, sizeof text, "BITTORRENT DENY ALL");
    if (json)
        printf("{\"name\": \"" STR_FMT "\", \"type\": \"TXT\", \"text\": \"%s\"}\n", STR_ARG(name), text);
    else
        printf(STR_FMT " IN TXT \"%s\"\n", STR_ARG(name), text);
    return COMMAND_OK;
}

static bool name_usable(str name)
{
    for (ptrdiff_t i = 0; i < name.len; i++)
        if (!is_alnum(name.at[i]) && name.at[i] != '-' && name.at[i] != '.' && name.at[i] != '_' && name.at[i] != '@')
            return false;
    return name.len > 0 && name.len < 254;
}

int cmd_tracker(int argc, char **argv)
{
    bool json = false;
    str dir = {0}, host = {0}, words[2] = {{0}}, found, at;
    int64_t udp = TRACKER_PORT, tcp = TRACKER_PORT;
    const command_option options[] = {
        {"json", OPTION_FLAG, &json, NULL, "print JSON"},
        {"dir", OPTION_TEXT, &dir, "DIR", "the data directory of the running naru (default: the newest)"},
        {"host", OPTION_TEXT, &host, "NAME", "this host's tracker (naru try has several hosts)"},
        {"udp", OPTION_NUMBER, &udp, "PORT", "record: the UDP port (6969); 0: none"},
        {"tcp", OPTION_NUMBER, &tcp, "PORT", "record: the TCP port (6969); 0: none"},
        {0},
    };
    const command_help help = {"tracker", "status | list [INFOHASH] | record [NAME]",
                               "Shows the tracker of a running naru, and the DNS record that announces one.", options,
                               "record prints a line for the zone file of the tracker's name (BEP 34); with both ports 0 it says that there\n"
                               "is no tracker at that name and none is to be tried."};
    int count, code;
    if (!options_read(argc, argv, &help, words, 2, &count, &code))
        return code;
    str verb = count ? words[0] : S("status");
    bool list = str_eq(verb, S("list"));
    if (str_eq(verb, S("record"))) {
        str name = count > 1 ? words[1] : S("@");
        return name_usable(name) ? record(name, udp, tcp, json, &help) : usage_error(&help, "that is no name of a host");
    }
    if (!list && (!str_eq(verb, S("status")) || count > 1))
        return usage_error(&help, "say: status, list, list INFOHASH, record or record NAME");
    arena a = arena_make(TRACKER_ARENA_BYTES_MAX);
    if (!running_find(&a, dir, &found))
        code = command_error("tracker", COMMAND_UNREACHABLE, "no running naru found; start one (naru try) or name its directory (--dir DIR)");
    else if (!node_find(&a, found, host, &at))
        code = command_error("tracker", COMMAND_FAILED, "the naru in " STR_FMT " has no tracker; `tracker { }` in naru.conf makes one", STR_ARG(found));
    else
        code = look(&a, at, list, list && count > 1 ? words[1] : (str){0}, json);
    arena_free(&a);
    return code;
}
