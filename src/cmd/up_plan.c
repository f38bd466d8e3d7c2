#include "cmd/up_plan.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/must.h"
#include "cmd/schema.h"
#include "rooms/accounts/accounts.h"
#include "rooms/authoritative/authoritative.h"
#include "rooms/console/console.h"
#include "rooms/edge/edge.h"
#include "rooms/mailstore/mailstore.h"
#include "rooms/mta/mta.h"
#include "rooms/origin/origin.h"
#include "rooms/resolver/resolver.h"
#include "rooms/steering/steering.h"
#include "rooms/swarm/swarm.h"
#include "rooms/tracker/tracker.h"
#include "rooms/upper/upper.h"
#include "rt/loop.h"
#include "rt/own_dir.h"

enum { PLAN_MEMORY_BYTES_MAX = 64 << 20, SETTINGS_BYTES_MAX = 1 << 20, PATH_BYTES_MAX = 80, HOST_BYTES_MAX = 256 };

// Inner services first: what others need starts before them and stops after them.
const up_policy up_policies[UP_POLICIES] = {
    {.name = "accounts", .kind = &accounts_kind, .inside = {"accounts.login"}, .writes = true,
     .calls = GUARD_CALLS_FILES_CHANGE, .what = "people and password hashes"},
    {.name = "resolver", .kind = &resolver_kind, .doors = {{53, UP_TCP | UP_UDP, false}}, .here_only = true,
     .calls = GUARD_CALLS_INET, .connects = {53}, .what = "finds answers in the DNS"},
    {.name = "mailstore", .kind = &mailstore_kind, .doors = {{110, UP_TCP, false}, {995, UP_TCP, true}},
     .inside = {"mailstore.lmtp", "mailstore.pop3"}, .peers = {"accounts"}, .writes = true, .calls = GUARD_CALLS_FILES_CHANGE,
     .what = "mailboxes"},
    {.name = "mta", .kind = &mta_kind, .doors = {{25, UP_TCP, false}, {587, UP_TCP, false}, {465, UP_TCP, true}},
     .inside = {"mta.submit"}, .peers = {"accounts", "mailstore"}, .connects = {25, 53}, .writes = true,
     .calls = GUARD_CALLS_FILES_CHANGE | GUARD_CALLS_INET,
     .reads = {"/etc/ssl/certs", "/usr/share/ca-certificates", "/usr/local/share/ca-certificates"}, .what = "the queue"},
    {.name = "authoritative", .kind = &authoritative_kind, .doors = {{53, UP_TCP | UP_UDP, false}}, .peers = {"steering"}, .connects = {53},
     .calls = GUARD_CALLS_INET, .reads_again = true, .what = "zones"},
    {.name = "upper", .kind = &upper_kind, .doors = {{UPPER_PORT, UP_TCP | UP_UDP, .port_key = "port"}}, .what = "nothing"},
    {.name = "control", .inside = {"control.status"}, .what = "naru status, reload, story: knocks on every control socket"},
    {.name = "tracker", .kind = &tracker_kind, .doors = {{TRACKER_PORT, UP_TCP | UP_UDP, false}}, .writes = true, .reads_again = true,
     .calls = GUARD_CALLS_FILES_CHANGE, .what = "swarms' peers"},
    {.name = "swarm", .kind = &swarm_kind, .doors = {{SWARM_PORT, UP_TCP | UP_UDP, .port_key = "port"},
     {SWARM_RPC_PORT, UP_TCP, .port_key = "rpc-port", .listen_key = "rpc-listen", .here_only = true}},
     .connects_anywhere = true, .writes = true, .calls = GUARD_CALLS_FILES_CHANGE | GUARD_CALLS_INET, .what = "torrents and their files"},
    {.name = "steering", .kind = &steering_kind, .doors = {{STEERING_PORT, UP_TCP, .port_key = "port"}}, .inside = {"steering.names"},
     .calls = GUARD_CALLS_INET, .what = "nothing: which node a viewer is sent to"},
    {.name = "origin", .kind = &origin_kind, .doors = {{ORIGIN_PORT, UP_TCP, .port_key = "port"}}, .writes = true,
     .calls = GUARD_CALLS_FILES_CHANGE, .what = "films"},
    {.name = "console", .kind = &console_kind, .doors = {{CONSOLE_PORT, UP_TCP, false}}, .here_only = true, .peers = {"accounts", "control"},
     .writes = true, .calls = GUARD_CALLS_FILES_CHANGE | GUARD_CALLS_INET, .what = "viewings of films"},
    {.name = "edge", .kind = &edge_kind, .doors = {{EDGE_PORT, UP_TCP, .port_key = "port"}, {EDGE_TLS_PORT, UP_TCP, true, .port_key = "tls-port"}},
     .writes = true, .calls = GUARD_CALLS_FILES_CHANGE | GUARD_CALLS_INET | GUARD_CALLS_SEND_PAGES, .connects = {53},
     .reads = {"/etc/ssl/certs", "/usr/share/ca-certificates", "/usr/local/share/ca-certificates"}, .what = "the HTTP cache; asks the origins of its sites"},
};

char *up_path(const up_plan *plan, arena *a, const char *format, ...)
{
    char rest[PATH_BYTES_MAX];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(rest, sizeof rest, format, arguments);
    va_end(arguments);
    return str_to_z(a, str_format(a, STR_FMT "/%s", STR_ARG(plan->directory), rest));
}

static bool fail(up_plan *plan, const statement *at, config_error *error, str text)
{
    *error = (config_error){at ? at->file : plan->file, at ? at->line : 1, at ? at->column : 1, text};
    return false;
}

// ---- paths ---------------------------------------------------------------------------------------------------------------------

// A relative path counts from the folder of the file in which it stands.
static str path_beside(const statement *s, str path, arena *a)
{
    char here[HOST_BYTES_MAX * 4];
    if (path.len == 0 || path.at[0] == '/')
        return path;
    str beside = str_first(s->file, str_rfind(s->file, '/'));
    bool absolute = str_starts(s->file, S("/"));
    if (!absolute && !getcwd(here, sizeof here))
        return path;
    str base = absolute ? beside : beside.len > 0 ? str_format(a, "%s/" STR_FMT, here, STR_ARG(beside)) : str_copy(a, str_z(here));
    return str_format(a, STR_FMT "/" STR_FMT, STR_ARG(base), STR_ARG(path));
}

// The settings that name files: the key, and how many words the statement has when the last one is a path.
static void paths_take(const statement *block, arena *a)
{
    static const struct { const char *key; int words; } paths[] = {
        {"certificate", 2}, {"key", 2}, {"zone", 3}, {"allow-file", 2}, {"directory", 2}, {"watch", 2},
    };
    for (const statement *s = block ? block->children : NULL; s; s = s->next)
        for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
            if (str_eq(s->words[0], str_z(paths[i].key)) && s->word_count == paths[i].words)
                s->words[s->word_count - 1] = path_beside(s, s->words[s->word_count - 1], a);
}

// ---- what belongs to the host -----------------------------------------------------------------------------------------------

static str default_directory(arena *a)
{
    const char *home = getenv("HOME");
    if (own_user() == 0 || !home || home[0] != '/')
        return S("/var/lib/naru");
    return str_format(a, "%s/.local/state/naru", home);
}

static bool directory_take(up_plan *plan, const statement *root, str wanted, config_error *error)
{
    const statement *s = config_find(root, "directory");
    char here[HOST_BYTES_MAX];
    arena *a = &plan->memory;
    str text = wanted.len ? wanted : s ? path_beside(s, s->words[1], a) : default_directory(a);
    if (text.len && text.at[0] != '/' && getcwd(here, sizeof here))
        text = str_format(a, "%s/" STR_FMT, here, STR_ARG(text));
    plan->directory = str_copy(a, text);
    if (text.len && text.len <= PATH_BYTES_MAX && text.at[0] == '/')
        return true;
    return fail(plan, s, error, S("the directory's path is too long: Unix sockets stand in it, at most 80 bytes"));
}

static bool host_take(up_plan *plan, const statement *root, config_error *error)
{
    const statement *s = config_find(root, "host");
    char name[HOST_BYTES_MAX] = "";
    if (!s && gethostname(name, sizeof name - 1) != 0)
        snprintf(name, sizeof name, "localhost");
    plan->host = str_copy(&plan->memory, s ? s->words[1] : str_z(name));
    plan->watch_ns = config_int(root, schema_whole(), "watchdog");
    for (s = config_first(root, "address"); s; s = config_next(s, "address"))
        for (int i = 1; i < s->word_count; i++)
            if (plan->address_count == UP_ADDRESSES_MAX || !addr_parse_ip(s->words[i], 0, &plan->addresses[plan->address_count++]))
                return fail(plan, s, error, S("address: IP addresses without a port, at most 16"));
    return true;
}

static bool ports_take(up_plan *plan, const statement *root, config_error *error)
{
    static const struct { const char *name; uint16_t port; } known[] = {
        {"dns", 53}, {"resolver", UP_ASIDE_PORT}, {"smtp", 25}, {"submission", 587}, {"submissions", 465}, {"pop3", 110}, {"pop3s", 995}, {"upper", UPPER_PORT}, {"tracker", TRACKER_PORT},
        {"peers", SWARM_PORT}, {"rpc", SWARM_RPC_PORT}, {"steering", STEERING_PORT}, {"origin", ORIGIN_PORT}, {"http", EDGE_PORT}, {"https", EDGE_TLS_PORT}, {"console", CONSOLE_PORT},
    };
    const statement *ports = config_find(root, "ports");
    for (const statement *s = ports ? ports->children : NULL; s; s = s->next)
        for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
            int64_t number = 0;
            if (!str_eq(s->words[0], str_z(known[i].name)))
                continue;
            if (!str_to_i64(s->words[1], &number) || number < 1 || number > 65535)
                return fail(plan, s, error, S("a port is a number from 1 to 65535"));
            plan->ports[plan->port_count].well_known = known[i].port;
            plan->ports[plan->port_count++].real = (uint16_t)number;
        }
    return true;
}

// ---- what belongs to each service -------------------------------------------------------------------------------------------

static const statement *block_of(const statement *root, int number)
{
    return up_policies[number].kind ? config_find(root, up_policies[number].name) : NULL;
}

static bool is_wanted(const statement *root, int number)
{
    bool console = block_of(root, UP_CONSOLE) != NULL;       // needs people, who need not have mail
    bool mail = config_first(root, "domain") || block_of(root, UP_MTA) || block_of(root, UP_MAILSTORE) || (block_of(root, UP_ACCOUNTS) && !console);
    bool zones = block_of(root, UP_AUTHORITATIVE) != NULL;
    for (const statement *d = config_first(root, "domain"); d; d = config_next(d, "domain"))
        zones |= config_find(d, "zone") != NULL;
    switch (number) {
    case UP_ACCOUNTS: return mail || console;
    case UP_MAILSTORE: case UP_MTA: return mail;
    case UP_CONSOLE: return console;
    case UP_AUTHORITATIVE: return zones;
    case UP_UPPER: return block_of(root, UP_UPPER) != NULL;
    case UP_TRACKER: return block_of(root, UP_TRACKER) != NULL;
    case UP_SWARM: return block_of(root, UP_SWARM) != NULL;
    case UP_STEERING: return block_of(root, UP_STEERING) != NULL;
    case UP_ORIGIN: return block_of(root, UP_ORIGIN) != NULL;
    case UP_EDGE: return block_of(root, UP_EDGE) != NULL;
    case UP_RESOLVER: return block_of(root, UP_RESOLVER) || mail ||
                             !(zones || block_of(root, UP_UPPER) || block_of(root, UP_TRACKER) || block_of(root, UP_SWARM) || block_of(root, UP_STEERING) || block_of(root, UP_ORIGIN) || block_of(root, UP_EDGE));
    }
    return true;
}

static void put_domains(buf *out, const statement *root, const char *key, bool only_first)
{
    for (const statement *d = config_first(root, "domain"); d; d = only_first ? NULL : config_next(d, "domain"))
        buf_format(out, "%s " STR_FMT "\n", key, STR_ARG(d->words[1]));
}

static void put_domain_zones(buf *out, const statement *root, arena *a)
{
    for (const statement *d = config_first(root, "domain"); d; d = config_next(d, "domain")) {
        const statement *zone = config_find(d, "zone");
        str path = zone ? path_beside(zone, zone->words[1], a) : (str){0};
        if (zone)
            buf_format(out, "zone \"" STR_FMT "\" \"" STR_FMT "\"\n", STR_ARG(d->words[1]), STR_ARG(path));
    }
}

// Where our own zones have port 53 on every address, the resolver that only the mail service needs stands aside.
static bool resolver_aside(const statement *root)
{
    return is_wanted(root, UP_AUTHORITATIVE) && !block_of(root, UP_RESOLVER) && !config_first(block_of(root, UP_AUTHORITATIVE), "listen");
}

// The mail service asks our own resolver where it is not told another.
static void put_resolver(buf *out, const statement *root)
{
    const statement *block = block_of(root, UP_RESOLVER), *listen = config_first(block, "listen");
    if (resolver_aside(root))
        buf_format(out, "resolver 127.0.0.1:%d\n", UP_ASIDE_PORT);
    else if (listen)
        buf_format(out, "resolver " STR_FMT "\n", STR_ARG(listen->words[1]));
    else if (config_first(root, "address"))
        buf_format(out, "resolver " STR_FMT "\n", STR_ARG(config_first(root, "address")->words[1]));
    else
        buf_put(out, S("resolver 127.0.0.1\n"));
}

static bool console_registers(const statement *root)
{
    const statement *block = block_of(root, UP_CONSOLE);
    return block && config_bool(block, console_settings, "registration");
}

static void put_additions(buf *out, up_plan *plan, const statement *root, int number)
{
    const statement *block = block_of(root, number);
    if ((number == UP_MTA || number == UP_MAILSTORE) && !config_find(block, "host"))
        buf_format(out, "host \"" STR_FMT "\"\n", STR_ARG(plan->host));
    if (number == UP_MTA)
        put_domains(out, root, "domain", false);
    if (number == UP_MTA && !config_find(block, "resolver"))
        put_resolver(out, root);
    if (number == UP_ACCOUNTS && !config_find(block, "domain"))
        put_domains(out, root, "domain", true);
    if (number == UP_ACCOUNTS && !config_find(block, "registration") && console_registers(root))
        buf_put(out, S("registration yes\n"));
    if (number == UP_RESOLVER && resolver_aside(root))
        buf_format(out, "listen 127.0.0.1:%d\n", UP_ASIDE_PORT);
    if (number == UP_AUTHORITATIVE)
        put_domain_zones(out, root, &plan->memory);
}

const statement *up_settings(const up_service *s, arena *a)
{
    config_error error;
    const statement *block = config_parse(str_z(s->policy->name), s->settings, a, config_include_keep, NULL, &error);
    must(block);
    return block;
}

// The statements whose settings only a new start takes.
static str fixed_part(up_plan *plan, const up_service *s)
{
    const statement *block = up_settings(s, &plan->memory);
    buf out = buf_make(SETTINGS_BYTES_MAX);
    for (const statement *c = block->children; c; c = c->next) {
        const setting *t = s->policy->kind->settings;
        while (t->key && !str_eq(c->words[0], str_z(t->key)))
            t++;
        if (t->key && t->reloadable)
            continue;
        for (int i = 0; i < c->word_count; i++)
            buf_format(&out, STR_FMT "%c", STR_ARG(c->words[i]), i + 1 < c->word_count ? ' ' : '\n');
        if (c->has_block)
            buf_put(&out, config_format(c, &plan->memory));
    }
    str text = str_copy(&plan->memory, buf_str(&out));
    buf_free(&out);
    return text;
}

// `loops N` or `loops auto`: one a core.
static int loops_of(up_plan *plan, const up_service *s)
{
    const statement *wanted = s->policy->kind->every_loop ? config_find(up_settings(s, &plan->memory), "loops") : NULL;
    int64_t number = 1;
    if (wanted && str_eq(wanted->words[1], S("auto")))
        number = loops_advised();
    else if (wanted && !str_to_i64(wanted->words[1], &number))
        return 0;
    return number < 1 ? 0 : number > UP_LOOPS_MAX ? UP_LOOPS_MAX : (int)number;
}

static bool service_take(up_plan *plan, const statement *root, int number, config_error *error)
{
    up_service *s = &plan->services[number];
    s->policy = &up_policies[number];
    s->wanted = is_wanted(root, number);
    s->loops = 1;
    if (!s->policy->kind)
        return true;
    buf out = buf_make(SETTINGS_BYTES_MAX);
    const statement *block = s->block = block_of(root, number);
    s->reason = block ? block : config_first(root, "domain");
    paths_take(block, &plan->memory);
    put_additions(&out, plan, root, number);
    s->added = str_copy(&plan->memory, buf_str(&out));
    buf_free(&out);
    s->settings = str_join(&plan->memory, block ? config_format(block, &plan->memory) : S(""), s->added);
    const statement *whole = config_parse(str_z(s->policy->name), s->settings, &plan->memory, config_include_keep, NULL, error);
    if (!whole || !config_check(whole, s->policy->kind->settings, &plan->memory, error))
        return fail(plan, block, error, str_format(&plan->memory, "%s: " STR_FMT, s->policy->name, STR_ARG(error->text)));
    s->fixed = fixed_part(plan, s);
    s->loops = loops_of(plan, s);
    if (s->loops == 0)
        return fail(plan, config_find(block, "loops"), error, S("loops: a number from 1 to 16, or auto: one a core"));
    return true;
}

// `users { mta naru-mta }`: a name or a number.
static bool user_take(up_plan *plan, const statement *root, int number, config_error *error)
{
    const statement *users = config_find(root, "users"), *own = users ? config_find(users, up_policies[number].name) : NULL;
    plan->services[number].user = UP_USER_FIRST + (unsigned)number;
    if (!own || user_find(str_to_z(&plan->memory, own->words[1]), &plan->services[number].user))
        return true;
    return fail(plan, own, error, str_format(&plan->memory, "there is no user " STR_FMT " on this machine, or it is root", STR_ARG(own->words[1])));
}

// ---- all --------------------------------------------------------------------------------------------------------------------

static bool include_file(void *arg, str path, arena *a, str *text)
{
    return file_read_all(arg, str_to_z(a, path), a, CONFIG_FILE_BYTES_MAX, text) == E_OK;
}

static const statement *file_take(up_plan *plan, world *w, config_error *error)
{
    arena *a = &plan->memory;
    str text = {0};
    err e = plan->file.len ? file_read_all(w, str_to_z(a, plan->file), a, CONFIG_FILE_BYTES_MAX, &text) : E_OK;
    if (e) {
        fail(plan, NULL, error, str_format(a, "cannot read the file: %s", err_text(e)));
        return NULL;
    }
    const statement *root = config_parse(plan->file, text, a, include_file, w, error);
    return root && config_check(root, schema_whole(), a, error) ? root : NULL;
}

bool up_plan_read(up_plan *plan, str name, str directory, config_error *error)
{
    *plan = (up_plan){.memory = arena_make(PLAN_MEMORY_BYTES_MAX)};
    plan->file = str_copy(&plan->memory, name);
    world *w = world_linux_new(S("naru"), NULL, 0);
    const statement *root = file_take(plan, w, error);
    world_linux_free(w);
    plan->root = root;
    bool good = root && directory_take(plan, root, directory, error) && host_take(plan, root, error) && ports_take(plan, root, error);
    for (int i = 0; i < UP_POLICIES && good; i++)
        good = service_take(plan, root, i, error) && user_take(plan, root, i, error);
    return good && up_doors_apart(plan, error);
}

void up_plan_free(up_plan *plan) { arena_free(&plan->memory); }

world *up_world(const up_plan *plan, str name)
{
    world *w = world_linux_new(name, plan->addresses, plan->address_count);
    for (int i = 0; i < plan->port_count; i++)
        must(world_map_port(w, plan->ports[i].well_known, plan->ports[i].real));
    return w;
}

static uint16_t door_port(const up_service *s, const up_door *d, const statement *block)
{
    return d->port_key ? (uint16_t)config_int(block, s->policy->kind->settings, d->port_key) : d->port;
}

bool up_door_open(const up_service *s, const up_door *d, arena *a)
{
    const statement *block = s->policy->kind ? up_settings(s, a) : NULL;
    return block && door_port(s, d, block) && (!d->under_tls || config_find(block, "certificate"));
}

int up_door_addresses(const up_plan *plan, const up_service *s, const up_door *d, addr out[UP_ADDRESSES_MAX], arena *a)
{
    const char *key = d->listen_key ? d->listen_key : "listen";
    const statement *block = up_settings(s, a), *listen = config_first(block, key);
    uint16_t port = door_port(s, d, block);
    int count = 0;
    for (const statement *l = listen; l; l = config_next(l, key))
        for (int i = 1; i < l->word_count && count < UP_ADDRESSES_MAX; i++)
            count += addr_parse(l->words[i], port, &out[count]);
    for (int i = 0; i < plan->address_count && !listen; i++)
        if (!d->here_only || addr_is_loopback(plan->addresses[i]))
            out[count++] = addr_with_port(plan->addresses[i], port);
    if (count || listen)
        return count;
    bool here_only = s->policy->here_only || d->here_only;
    out[count++] = addr_v4(here_only ? 0x7f000001 : 0, port);
    if (!here_only)
        out[count++] = (addr){.family = 6, .port = port};
    return count;
}

char *up_control_path(const up_plan *plan, int number, int which, arena *a)
{
    const char *name = plan->services[number].policy->name;
    return which ? up_path(plan, a, "run/%s.%d.control.sock", name, which) : up_path(plan, a, "run/%s.control.sock", name);
}

int up_files(const up_service *s, str out[UP_FILES_MAX], arena *a)
{
    static const char *const keys[UP_FILES_MAX] = {"certificate", "key"};
    int count = 0;
    const statement *block = s->policy->kind && s->settings.len ? up_settings(s, a) : NULL;
    bool tls = block && config_find(block, keys[0]);         // another service's `key` is no file
    for (int i = 0; i < UP_FILES_MAX; i++) {
        const statement *f = tls ? config_find(block, keys[i]) : NULL;
        if (f && f->word_count > 1)
            out[count++] = f->words[1];
    }
    return count;
}

// ---- the guard's policy -----------------------------------------------------------------------------------------------------

static void read_add(guard_policy *p, const char *path)
{
    if (p->read_count < GUARD_PATHS_MAX)
        p->reads[p->read_count++] = path;
}

// Zone files change by being replaced: the directory is what can be named.
static void zones_add(guard_policy *p, const up_service *s, arena *a)
{
    for (const statement *z = config_first(up_settings(s, a), "zone"); z; z = config_next(z, "zone")) {
        ptrdiff_t slash = str_rfind(z->words[2], '/');
        str directory = slash > 0 ? str_first(z->words[2], slash) : slash == 0 ? S("/") : S(".");
        bool there = false;
        for (int i = 0; i < p->read_count; i++)
            there |= str_eq(directory, str_z(p->reads[i]));
        if (!there)
            read_add(p, str_to_z(a, directory));
    }
}

// Where a user wants the files, and where new torrent files are put.
static void directories_add(guard_policy *p, const statement *block, arena *a)
{
    static const char *const keys[] = {"directory", "watch"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        const statement *s = config_find(block, keys[i]);
        if (s && p->write_count < GUARD_PATHS_MAX - 1)
            p->writes[p->write_count++] = str_to_z(a, s->words[1]);
    }
}

// Another resolver than ours, or on another port: its answers may come over TCP.
static void resolvers_add(guard_policy *p, const up_service *s, world *w, arena *a)
{
    for (const statement *r = config_first(up_settings(s, a), "resolver"); r; r = config_next(r, "resolver"))
        for (int i = 1; i < r->word_count && p->connect_port_count < GUARD_PORTS_MAX; i++) {
            addr at;
            if (addr_parse(r->words[i], 53, &at) && at.port != 53)
                p->connect_ports[p->connect_port_count++] = world_port(w, at.port);
        }
}

// The ports of the nodes that are checked.
static void nodes_add(guard_policy *p, const up_service *s, world *w, arena *a)
{
    addr at;
    for (const statement *c = config_first(up_settings(s, a), "cdn"); c; c = config_next(c, "cdn"))
        for (const statement *n = config_first(c, "node"); n; n = config_next(n, "node")) {
            const statement *where = config_find(n, "address");
            uint16_t port = where && addr_parse(where->words[1], 80, &at) ? world_port(w, at.port) : 0;
            bool there = port == 0;
            for (int i = 0; i < p->connect_port_count; i++)
                there |= p->connect_ports[i] == port;
            if (!there && p->connect_port_count < GUARD_PORTS_MAX)
                p->connect_ports[p->connect_port_count++] = port;
        }
}

static void connect_add(guard_policy *p, uint16_t port)
{
    for (int i = 0; i < p->connect_port_count; i++)
        if (p->connect_ports[i] == port)
            return;
    if (p->connect_port_count < GUARD_PORTS_MAX)
        p->connect_ports[p->connect_port_count++] = port;
}

// The console fetches from the origin, and from whom it relays: those have the web's port.
static void console_connects_add(guard_policy *p, const up_service *s, world *w, arena *a)
{
    const statement *block = up_settings(s, a), *origin = config_find(block, "origin");
    uint64_t port = 80;
    if (origin && str_rfind(origin->words[1], ':') > str_rfind(origin->words[1], ']'))
        str_to_u64(str_from(origin->words[1], str_rfind(origin->words[1], ':') + 1), &port);
    if (origin)
        connect_add(p, world_port(w, (uint16_t)port));
    if (config_find(block, "relay"))
        connect_add(p, world_port(w, 80));
    if (config_find(block, "resolver"))
        connect_add(p, world_port(w, 53));
}

// The edge dials its origins and nobody else, and reads whose certificates it trusts.
static void edge_origins_add(guard_policy *p, const up_service *s, world *w, arena *a)
{
    const statement *block = up_settings(s, a), *roots = config_find(block, "origin-ca");
    if (roots)
        read_add(p, str_to_z(a, roots->words[1]));
    for (const statement *x = config_first(block, "site"); x; x = config_next(x, "site"))
        for (const statement *o = config_first(x, "origin"); o; o = config_next(o, "origin")) {
            addr at;
            str where = o->words[1];
            bool tls = str_starts_nocase(where, S("https://"));
            uint64_t number = tls ? EDGE_TLS_PORT : EDGE_PORT;
            where = str_from(where, tls ? S("https://").len : str_starts_nocase(where, S("http://")) ? S("http://").len : 0);
            if (addr_parse(where, (uint16_t)number, &at))
                number = at.port;
            else if (str_rfind(where, ':') >= 0 && !str_to_u64(str_from(where, str_rfind(where, ':') + 1), &number))
                continue;                                // the room refuses it with better words
            connect_add(p, world_port(w, (uint16_t)number));
        }
}

guard_policy up_guard(const up_plan *plan, int number, arena *a)
{
    static const char *const common[] = {"/proc/sys/vm/max_map_count", "/etc/ssl/openssl.cnf", "/sys/devices/system/cpu"};
    const up_service *s = &plan->services[number];
    const up_policy *row = s->policy;
    guard_policy p = {.calls = row->calls, .user = s->user, .group = UP_GROUP_ALL,
                      .descriptors_max = UP_DESCRIPTORS_MAX};
    world *w = up_world(plan, S("naru"));
    for (size_t i = 0; i < sizeof common / sizeof *common; i++)
        read_add(&p, common[i]);
    for (size_t i = 0; i < sizeof row->reads / sizeof *row->reads && row->reads[i]; i++)
        read_add(&p, row->reads[i]);
    if (row->kind == &authoritative_kind)
        zones_add(&p, s, a);
    if (row->kind == &tracker_kind && config_find(up_settings(s, a), "allow-file"))
        read_add(&p, str_to_z(a, config_find(up_settings(s, a), "allow-file")->words[1]));
    p.connects_anywhere = row->connects_anywhere;
    if (row->kind == &swarm_kind)
        directories_add(&p, up_settings(s, a), a);
    if (row->writes)
        p.writes[p.write_count++] = up_path(plan, a, "%s", row->name);
    for (int i = 0; i < UP_INSIDE_MAX && row->connects[i]; i++)
        p.connect_ports[p.connect_port_count++] = world_port(w, row->connects[i]);
    if (row->kind == &mta_kind || row->kind == &edge_kind)
        resolvers_add(&p, s, w, a);
    if (row->kind == &edge_kind)
        edge_origins_add(&p, s, w, a);
    if (row->kind == &steering_kind)
        nodes_add(&p, s, w, a);
    if (row->kind == &console_kind)
        console_connects_add(&p, s, w, a);
    world_linux_free(w);
    return p;
}
