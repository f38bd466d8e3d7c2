#include "cmd/small_internet.h"

#include <string.h>

#include "base/must.h"
#include "cmd/small_cdn.h"
#include "cmd/small_swarm.h"
#include "rooms/accounts/accounts.h"
#include "rooms/authoritative/authoritative.h"
#include "rooms/mailstore/mailstore.h"
#include "rooms/mta/mta.h"
#include "rooms/resolver/resolver.h"
#include "rooms/tracker/tracker.h"
#include "rooms/upper/upper.h"
#include "rt/log.h"
#include "rt/worker.h"
#include "talk/control.h"

enum { SMALL_MEMORY_BYTES_MAX = 64 << 20, SMALL_SETTINGS_BYTES_MAX = 64 * 1024, ZONE_BYTES_MAX = 1 << 20 };

// Ports of a run without a space of its own: high ones, so that no root is needed. 12000 stays what the course says.
static const struct { uint16_t well_known, high; } ports[] = {
    {25, 2525}, {587, 2587}, {465, 2465}, {110, 2110}, {995, 2995}, {143, 2143}, {993, 2993}, {53, 5300}, {80, 2080}, {12000, 12000}, {6969, 6969},
};

uint16_t small_port(const small_internet *n, uint16_t well_known)
{
    for (size_t i = 0; i < sizeof ports / sizeof *ports && !n->options.real_ports; i++)
        if (ports[i].well_known == well_known)
            return ports[i].high;
    return well_known;
}

small_host *small_find(small_internet *n, str name)
{
    for (int i = 0; i < n->count; i++)
        if (str_eq_nocase(n->hosts[i].host->name, name))
            return &n->hosts[i];
    return NULL;
}

str small_where(small_internet *n, const small_host *h, uint16_t well_known, arena *a)
{
    return addr_text(a, addr_with_port(h->host->here[0], small_port(n, well_known)));
}

const small_account *small_account_of(const small_internet *n, str who)
{
    for (int i = 0; i < n->account_count; i++)
        if (str_eq_nocase(n->accounts[i].address, who))
            return &n->accounts[i];
    return NULL;
}

static bool failed(small_internet *n, str *why, const char *what, str name, str reason)
{
    *why = str_format(&n->memory, "%s " STR_FMT ": " STR_FMT, what, STR_ARG(name), STR_ARG(reason));
    return false;
}

// ---- worlds -----------------------------------------------------------------------------------------------------------

static world *real_world(void *arg, str name, const addr *addresses, int count)
{
    small_internet *n = arg;
    world *w = world_linux_new(name, addresses, count);
    for (size_t i = 0; i < sizeof ports / sizeof *ports && !n->options.real_ports; i++)
        world_map_port(w, ports[i].well_known, ports[i].high);
    return w;
}

// Another `naru try` may have 127.0.0.x already, or another program one of our ports there: each run takes a subnet where every
// door is free.
static bool port_free(small_internet *n, addr at, uint16_t well_known, addr *taken)
{
    sock *probe;
    at = addr_with_port(at, small_port(n, well_known));
    if (sock_listen(n->world, at, (listen_options){0}, &probe) != E_OK) {
        *taken = at;
        return false;
    }
    sock_close(probe);
    return true;
}

static bool host_free(small_internet *n, const lab_host *h, addr *taken)
{
    static const uint16_t mail[] = {25, 587, 465, 110, 995};
    for (int i = 0; i < h->address_count; i++) {
        bool names = h->zone_count || h->resolver;
        if ((names && !port_free(n, h->here[i], 53, taken)) || (h->upper && !port_free(n, h->here[i], 12000, taken)) ||
            (h->tracker && !port_free(n, h->here[i], 6969, taken)) ||
            (h->swarm && (!port_free(n, h->here[i], 6881, taken) || !port_free(n, h->here[i], 9091, taken))) ||
            ((h->edge.len || h->page) && !port_free(n, h->here[i], 80, taken)) || (h->origin && !port_free(n, h->here[i], 8080, taken)) ||
            (h->steering.len && !port_free(n, h->here[i], 8081, taken)) || (h->console && !port_free(n, h->here[i], 8000, taken)))
            return false;
        for (size_t k = 0; k < sizeof mail / sizeof *mail && h->mail_domain.len; k++)
            if (!port_free(n, h->here[i], mail[k], taken))
                return false;
    }
    return true;
}

// Two runs that start at the same moment must not both find the same subnet free: whoever has this door has the subnet.
static bool subnet_take(small_internet *n, int subnet, addr *taken)
{
    *taken = addr_v4(0x7f000001u + ((uint32_t)subnet << 8), SMALL_SUBNET_PORT);
    return sock_listen(n->world, *taken, (listen_options){0}, &n->subnet_door) == E_OK;
}

static void subnet_give(small_internet *n)
{
    if (n->subnet_door)
        sock_close(n->subnet_door);
    n->subnet_door = NULL;
}

static bool map_read(small_internet *n, str *why)
{
    config_error error = {0};
    addr taken = {0};
    bool choose = !n->options.real_addresses && !n->options.make, all_free;
    for (int subnet = choose ? 0 : -1; subnet < SMALL_SUBNETS; subnet++) {
        n->options.subnet = subnet;
        if (choose && !subnet_take(n, subnet, &taken))
            continue;
        if (!lab_read(&n->map, n->options.map, subnet, &n->memory, &error))
            return failed(n, why, "the map of the small Internet,", str_format(&n->memory, "line %d", error.line), error.text);
        all_free = true;
        for (int i = 0; i < n->map.count && choose && all_free; i++)
            all_free = host_free(n, &n->map.hosts[i], &taken);
        if (all_free)
            return true;
        subnet_give(n);
    }
    return failed(n, why, "no loopback subnet from 127.0.0.x to 127.0.199.x has its ports free; at last", addr_text(&n->memory, taken),
                  str_format(&n->memory, "already in use; does a program listen on port %d at every address? Stop it, or use `naru try --shell`",
                             taken.port));
}

// ---- files ------------------------------------------------------------------------------------------------------------

typedef struct { world *w; char *directory, *path; str text; unsigned mode; err e; } writing;

static void write_blocking(void *arg)
{
    writing *f = arg;
    f->e = dir_make(f->w, f->directory, 0700);
    if (f->e == E_OK)
        f->e = file_replace(f->w, f->path, f->text, f->mode);
}

static bool write_text(small_internet *n, world *w, str directory, str name, str text, unsigned mode, str *why)
{
    writing f = {.w = w, .directory = str_to_z(&n->memory, directory), .text = text, .mode = mode};
    f.path = str_to_z(&n->memory, str_format(&n->memory, STR_FMT "/" STR_FMT, STR_ARG(directory), STR_ARG(name)));
    work(write_blocking, &f);
    return f.e == E_OK || failed(n, why, "cannot write", str_z(f.path), str_z(err_text(f.e)));
}

typedef struct { small_internet *n; world *w; const str *names; int count; certificate *out; bool ok; } certifying;

static void certify_blocking(void *arg)
{
    certifying *c = arg;
    c->ok = c->count ? certificate_make(c->w, &c->n->ca, c->names, c->count, 30, &c->n->memory, c->out)
                     : certificate_authority_make(c->w, S("The small Internet of naru"), 30, &c->n->memory, c->out);
}

static bool authority_make(small_internet *n, str *why)
{
    certifying c = {.n = n, .w = n->world, .out = &n->ca};
    work(certify_blocking, &c);
    if (!c.ok)
        return failed(n, why, "cannot make", S("a certificate authority"), S("OpenSSL failed"));
    n->ca_path = str_format(&n->memory, STR_FMT "/ca.pem", STR_ARG(n->options.directory));
    return n->options.make || write_text(n, n->world, n->options.directory, S("ca.pem"), n->ca.cert_pem, 0644, why);
}

static bool certificate_for(small_internet *n, small_host *h, str *why)
{
    str domain = h->host->mail_domain;
    str names[] = {domain, str_format(&n->memory, "mail." STR_FMT, STR_ARG(domain)), S("gmail-smtp-in.l.google.com"),
                   addr_ip_text(&n->memory, h->host->here[0])};
    certificate made;
    certifying c = {.n = n, .w = h->world, .names = names, .count = 4, .out = &made};
    if (!str_eq(domain, S("gmail.com")))
        names[2] = names[3], c.count = 3;
    work(certify_blocking, &c);
    if (!c.ok)
        return failed(n, why, "cannot make a certificate for", domain, S("OpenSSL failed"));
    return write_text(n, h->world, h->directory, S("cert.pem"), made.cert_pem, 0644, why) &&
           write_text(n, h->world, h->directory, S("key.pem"), made.key_pem, 0600, why);
}

// Zone files are written anew at every start, for the addresses may be others; but what somebody made his own stays.
typedef struct { world *w; const char *path; arena *a; bool own; } zone_file;

static const char zone_mark[] = "; naru try writes this file at every start. Take this line away, and the file is yours and stays.\n";

static void zone_look_blocking(void *arg)
{
    zone_file *z = arg;
    str text = {0};
    z->own = file_read_all(z->w, z->path, z->a, ZONE_BYTES_MAX, &text) == E_OK && !str_starts(text, str_z(zone_mark));
}

static bool zone_write(small_internet *n, small_host *h, str directory, str name, str *why)
{
    zone_file z = {.w = h->world, .a = &n->memory};
    z.path = str_to_z(&n->memory, str_format(&n->memory, STR_FMT "/" STR_FMT, STR_ARG(directory), STR_ARG(name)));
    work(zone_look_blocking, &z);
    return z.own || write_text(n, h->world, directory, name, str_join(&n->memory, str_z(zone_mark), lab_zone_text(&n->map, name, &n->memory)),
                               0644, why);
}

// ---- services ---------------------------------------------------------------------------------------------------------

bool small_service_add(small_internet *n, small_host *h, const room_kind *kind, str settings, str *why)
{
    config_error error = {0};
    statement *block = config_parse(str_z(kind->name), settings, &n->memory, NULL, NULL, &error);
    if (!block || !config_check(block, kind->settings, &n->memory, &error))
        return failed(n, why, kind->name, str_format(&n->memory, "settings, line %d", error.line), error.text);
    str reason = {0};
    if (node_add(&h->node, kind, block, NULL, &reason) == E_OK)
        return true;
    return failed(n, why, kind->name, str_join(&n->memory, S("at "), h->host->name), reason);
}

static bool names_add(small_internet *n, small_host *h, str *why)
{
    buf settings = buf_make(SMALL_SETTINGS_BYTES_MAX);
    str directory = str_format(&n->memory, STR_FMT "/zones", STR_ARG(h->directory));
    bool ok = true;
    for (int i = 0; i < h->host->zone_count && ok; i++) {
        const lab_zone *z = &h->host->zones[i];
        ok = zone_write(n, h, directory, z->file, why);
        buf_format(&settings, "zone \"" STR_FMT "\" \"" STR_FMT "/" STR_FMT "\"\n", STR_ARG(z->name), STR_ARG(directory), STR_ARG(z->file));
    }
    small_cdn_names(h, &settings);
    if (n->options.recursion)
        buf_put(&settings, S("recurse 0.0.0.0/0\n"));
    ok = ok && small_service_add(n, h, &authoritative_kind, str_copy(&n->memory, buf_str(&settings)), why);
    buf_free(&settings);
    return ok;
}

static bool resolver_add(small_internet *n, small_host *h, str *why)
{
    buf settings = buf_make(SMALL_SETTINGS_BYTES_MAX);
    const lab_host *root = lab_find(&n->map, S("root"));
    for (int i = 0; i < root->address_count; i++)
        buf_format(&settings, "root %c.root-servers.net " STR_FMT "\n", 'a' + i, STR_ARG(addr_ip_text(&n->memory, root->here[i])));
    buf_put(&settings, S("allow 0.0.0.0/0\nexplain \"this is a small Internet: no such name here\"\n"));
    small_cdn_subnets(n, &settings);
    if (n->options.recursion)
        buf_put(&settings, S("recursive on\n"));
    bool ok = small_service_add(n, h, &resolver_kind, str_copy(&n->memory, buf_str(&settings)), why);
    buf_free(&settings);
    return ok;
}

str small_password_make(small_internet *n)
{
    static const char *const words[] = {"ketchup", "pickle", "ferry", "onion", "mustard", "harbor", "lemon", "pepper",
                                        "river", "tomato", "lantern", "cucumber", "ginger", "island", "walnut", "radish"};
    uint64_t count = sizeof words / sizeof *words;
    return str_format(&n->memory, "%s-%s-%04u", words[world_random_below(n->world, count)],
                      words[world_random_below(n->world, count)], (unsigned)world_random_below(n->world, 10000));
}

static bool people_add(small_internet *n, small_host *h, str *why)
{
    for (int i = 0; i < h->host->people_count; i++) {
        small_account *a = &n->accounts[n->account_count];
        *a = (small_account){.host = h->host, .password = small_password_make(n)};
        a->address = str_format(&n->memory, STR_FMT "@" STR_FMT, STR_ARG(h->host->people[i]), STR_ARG(h->host->mail_domain));
        err e = accounts_put(node_room(&h->node, "accounts"), a->address, a->password);
        if (e != E_OK)
            return failed(n, why, "cannot make the account", a->address, str_z(err_text(e)));
        n->account_count++;
    }
    return true;
}

static bool mail_add(small_internet *n, small_host *h, str *why)
{
    const lab_host *local = lab_find(&n->map, S("local"));
    str tls = str_format(&n->memory, "certificate \"" STR_FMT "/cert.pem\"\nkey \"" STR_FMT "/key.pem\"\nplaintext loopback\n",
                         STR_ARG(h->directory), STR_ARG(h->directory));
    str domain = h->host->mail_domain;
    str transfer = str_format(&n->memory, STR_FMT "host mail." STR_FMT "\ndomain " STR_FMT "\nresolver " STR_FMT "\npostmaster " STR_FMT "@" STR_FMT
                         "\ntrace-from 0.0.0.0/0\nretry %llds\nretry-max 10m\nexpire %llds\n", STR_ARG(tls), STR_ARG(domain), STR_ARG(domain),
                         STR_ARG(addr_ip_text(&n->memory, local->here[0])), STR_ARG(h->host->people[0]), STR_ARG(domain),
                         (long long)(n->options.retry_ns / NS_PER_S), (long long)(n->options.expire_ns / NS_PER_S));
    return certificate_for(n, h, why) && small_service_add(n, h, &accounts_kind, S(""), why) &&
           small_service_add(n, h, &mailstore_kind, tls, why) && small_service_add(n, h, &mta_kind, transfer, why) && people_add(n, h, why);
}

static bool host_start(small_internet *n, small_host *h, str *why)
{
    h->directory = str_format(&n->memory, STR_FMT "/" STR_FMT, STR_ARG(n->options.directory), STR_ARG(h->host->name));
    if (node_start(&h->node, h->world, h->host->name, h->directory) != E_OK)
        return failed(n, why, "cannot start", h->host->name, S("no memory for its first fiber"));
    h->started = true;
    if (n->options.lean)
        return (!h->host->zone_count || names_add(n, h, why)) && (!h->host->resolver || resolver_add(n, h, why)) && small_cdn_add(n, h, why);
    return (!h->host->zone_count || names_add(n, h, why)) && (!h->host->resolver || resolver_add(n, h, why)) &&
           (!h->host->mail_domain.len || mail_add(n, h, why)) &&
           (!h->host->upper || small_service_add(n, h, &upper_kind, S(""), why)) &&
           (!h->host->tracker || small_service_add(n, h, &tracker_kind, S("open yes\ninterval 1m\ninterval-min 10s\n"), why)) &&
           (!h->host->swarm || small_swarm_add(n, h, (str){0}, why)) && small_cdn_add(n, h, why);
}

// ---- the whole --------------------------------------------------------------------------------------------------------

static bool control_start(small_internet *n, str *why)
{
    for (int i = 0; i < n->count; i++)
        if (n->hosts[i].host->mail_domain.len || n->hosts[i].host->resolver || n->hosts[i].host->tracker ||
            n->hosts[i].host->swarm || n->hosts[i].host->steering.len || n->hosts[i].host->edge.len || n->hosts[i].host->origin) {
            err e = control_open(&n->hosts[i].node);
            if (e != E_OK)
                return failed(n, why, "cannot open the control socket of", n->hosts[i].host->name, str_z(err_text(e)));
        }
    err e = node_start(&n->own, n->world, S("small Internet"), n->options.directory);
    if (e == E_OK)
        e = control_open(&n->own);
    return e == E_OK || failed(n, why, "cannot open", S("the control socket"), str_z(err_text(e)));
}

err small_internet_start(small_internet *n, small_options options, str *why)
{
    memset(n, 0, sizeof *n);                         // in place: a literal of this size does not fit a fiber's stack
    n->options = options;
    n->world = world_here();
    n->memory = arena_make(SMALL_MEMORY_BYTES_MAX);
    bool ok = map_read(n, why) && authority_make(n, why);
    for (int i = 0; i < n->map.count && ok; i++) {
        small_host *h = &n->hosts[n->count++];
        h->host = &n->map.hosts[i];
        h->world = options.make ? options.make(options.make_arg, h->host->name, h->host->here, h->host->address_count)
                                : real_world(n, h->host->name, h->host->here, h->host->address_count);
    }
    for (int i = 0; i < n->count && ok; i++)
        ok = host_start(n, &n->hosts[i], why);
    ok = ok && (options.lean || small_swarm_begin(n, why));
    if (ok && (options.make || control_start(n, why)))
        return E_OK;
    return E_PROTOCOL;                               // *why lives in n->memory: small_internet_stop comes after it was said
}

void small_host_stop(small_internet *n, small_host *h)
{
    (void)n;
    if (h->started)
        node_stop(&h->node);
    h->started = false;
}

bool small_recursion_begin(small_internet *n, str *why)
{
    bool ok = true;
    n->options.recursion = true;
    for (int i = 0; i < n->count && ok; i++)
        if (!n->hosts[i].host->mail_domain.len && n->hosts[i].started) {
            small_host_stop(n, &n->hosts[i]);
            ok = host_start(n, &n->hosts[i], why);
        }
    return ok;
}

void small_internet_stop(small_internet *n)
{
    if (n->own.world)
        node_stop(&n->own);
    for (int i = n->count - 1; i >= 0; i--)
        small_host_stop(n, &n->hosts[i]);
    subnet_give(n);
    for (int i = 0; i < n->count && !n->options.make; i++)
        world_linux_free(n->hosts[i].world);
    arena_free(&n->memory);
}
