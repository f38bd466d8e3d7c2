#include "cmd/small_cdn.h"

#include "base/must.h"
#include "cmd/small_film.h"
#include "rooms/accounts/accounts.h"
#include "rooms/console/console.h"
#include "rooms/edge/edge.h"
#include "rooms/origin/origin.h"
#include "rooms/steering/steering.h"
#include "rt/worker.h"
#include "talk/http_serve.h"

enum { SETTINGS_BYTES_MAX = 64 * 1024, PAGE_CONNS_MAX = 100, OPERATOR_MEMORY_BYTES = 16 * 1024 };

static bool is_cdn_of(const lab_host *steering, str cdn)
{
    for (int i = 0; i < steering->cdn_count; i++)
        if (str_eq(steering->cdns[i], cdn))
            return true;
    return false;
}

static bool is_steering(const lab_host *h) { return h->steering.len > 0; }
static bool is_origin(const lab_host *h) { return h->origin; }

static int place_of(const small_internet *n, bool (*is)(const lab_host *h))
{
    int i = 0;
    while (i < n->map.count && !is(&n->map.hosts[i]))
        i++;
    return i;
}

static bool has(const small_internet *n, bool (*is)(const lab_host *h)) { return place_of(n, is) < n->map.count; }

// Every map with a CDN has one of each.
static const lab_host *the(const small_internet *n, bool (*is)(const lab_host *h))
{
    must(has(n, is));
    return &n->map.hosts[place_of(n, is)];
}

small_host *small_cdn_steering(small_internet *n)
{
    return has(n, is_steering) ? small_find(n, the(n, is_steering)->name) : NULL;
}

str small_cdn_site(const small_internet *n, str host, uint16_t port, arena *a)
{
    uint16_t real = small_port(n, port);
    return real == 80 ? str_copy(a, host) : str_format(a, STR_FMT ":%d", STR_ARG(host), real);
}

// Where steering answers for a name of the company's own, that; else the course's, which leads to KingCDN, or straight to the one server.
str small_cdn_film_url(const small_internet *n, arena *a)
{
    bool steered = has(n, is_steering), own = steered && str_ends(the(n, is_steering)->steered, S(".netcinema.com"));
    str site = small_cdn_site(n, own ? the(n, is_steering)->steered : S("video.netcinema.com"), steered ? 80 : ORIGIN_PORT, a);
    return str_format(a, "http://" STR_FMT "/6Y7B23V", STR_ARG(site));
}

void small_cdn_names(const small_host *h, buf *settings)
{
    if (h->host->steering.len && h->host->steered.len)
        buf_format(settings, "steered " STR_FMT "\n", STR_ARG(h->host->steered));
}

void small_cdn_subnets(const small_internet *n, buf *settings)
{
    const lab_host *s = has(n, is_steering) ? the(n, is_steering) : NULL;
    for (int i = 0; s && i < s->zone_count; i++)
        buf_format(settings, "subnet " STR_FMT "\n", STR_ARG(s->zones[i].name));
}

// ---- steering -------------------------------------------------------------------------------------------------------------------

static void put_addresses(small_internet *n, const lab_host *h, buf *out)
{
    if (h->network.len && n->options.real_addresses)
        buf_format(out, " " STR_FMT, STR_ARG(h->network));
    for (int i = 0; i < h->address_count; i++)
        buf_format(out, " " STR_FMT "/32", STR_ARG(addr_ip_text(&n->memory, h->here[i])));
}

static bool first_of_place(const small_internet *n, int number)
{
    for (int i = 0; i < number; i++)
        if (str_eq(n->map.hosts[i].place, n->map.hosts[number].place))
            return false;
    return n->map.hosts[number].place.len > 0;
}

// Viewers and the name servers that ask for them are what lies in a place.
static void put_places(small_internet *n, buf *out)
{
    for (int i = 0; i < n->map.count; i++) {
        if (!first_of_place(n, i))
            continue;
        buf_format(out, "place " STR_FMT " {\n region " STR_FMT "\n", STR_ARG(n->map.hosts[i].place), STR_ARG(n->map.hosts[i].region));
        for (int k = i; k < n->map.count; k++) {
            const lab_host *h = &n->map.hosts[k];
            if (!str_eq(h->place, n->map.hosts[i].place) || h->edge.len || h->origin)
                continue;
            buf_put(out, S(" network"));
            put_addresses(n, h, out);
            buf_put_byte(out, '\n');
        }
        buf_put(out, S("}\n"));
    }
}

static void put_node(small_internet *n, const lab_host *h, buf *out)
{
    buf_format(out, " node " STR_FMT " {\n  address " STR_FMT "\n  place " STR_FMT "\n  capacity " STR_FMT "\n", STR_ARG(h->name),
               STR_ARG(addr_ip_text(&n->memory, h->here[0])), STR_ARG(h->place), STR_ARG(h->line));
    for (int i = 0; i < h->beside_count; i++) {
        buf_put(out, S("  near"));
        put_addresses(n, lab_find(&n->map, h->beside[i]), out);
        buf_put_byte(out, '\n');
    }
    buf_put(out, S(" }\n"));
}

static void steering_settings(small_internet *n, const lab_host *s, buf *out)
{
    put_places(n, out);
    for (int c = 0; c < s->cdn_count; c++) {
        buf_format(out, "cdn " STR_FMT " {\n host " STR_FMT "\n health /" SMALL_FILM_ID "/v300/init.mp4\n preference %d\n", STR_ARG(s->cdns[c]),
                   STR_ARG(s->steered), 10 * (c + 1));
        for (int i = 0; i < n->map.count; i++)
            if (str_eq(n->map.hosts[i].edge, s->cdns[c]))
                put_node(n, &n->map.hosts[i], out);
        buf_put(out, S("}\n"));
    }
    buf_format(out, "name " STR_FMT, STR_ARG(s->steered));
    for (int c = 0; c < s->cdn_count; c++)
        buf_format(out, " " STR_FMT, STR_ARG(s->cdns[c]));
    buf_format(out, "\npathway " STR_FMT "\nttl 5s\ncheck-every 1s\ncheck-deadline 1s\nrise 2\nslow 400ms\nlook 0.0.0.0/0 ::/0\n", STR_ARG(s->steering));
}

// ---- edges and storage --------------------------------------------------------------------------------------------------------------

static void edge_settings(small_internet *n, const lab_host *h, buf *out)
{
    const lab_host *s = the(n, is_steering), *o = the(n, is_origin);
    buf_format(out, "name " STR_FMT "\nmemory 48MB\nslice 1MiB\ncapacity " STR_FMT "\nsite " STR_FMT " " STR_FMT " video.netcinema.com {\n origin " STR_FMT ":%d\n}\n", STR_ARG(h->name), STR_ARG(h->line), STR_ARG(h->name),
               STR_ARG(s->steered), STR_ARG(addr_ip_text(&n->memory, o->here[0])), ORIGIN_PORT);
}

// The manifest names every node (or CDN), in the order of the map; steering ranks them for each viewer.
static void origin_settings(small_internet *n, buf *out)
{
    buf_put(out, S("alias 6Y7B23V " SMALL_FILM_ID "\nalias NetC6y&B23V " SMALL_FILM_ID "\n"));
    if (!has(n, is_steering))
        return;
    const lab_host *s = the(n, is_steering);
    bool by_cdn = str_eq(s->steering, S("cdn"));
    for (int i = 0; i < n->map.count; i++) {
        const lab_host *h = &n->map.hosts[i];
        if (is_cdn_of(s, h->edge))
            buf_format(out, "base " STR_FMT " http://" STR_FMT "/\n", STR_ARG(by_cdn ? h->edge : h->name),
                       STR_ARG(small_cdn_site(n, h->name, 80, &n->memory)));
    }
    buf_format(out, "steering http://steer." STR_FMT ":%d/steer/" SMALL_FILM_ID "\nsteering-first yes\n", STR_ARG(s->name), STEERING_PORT);
}

typedef struct { small_host *h; char *directory; err e; } filming;

static void film_blocking(void *arg)
{
    filming *f = arg;
    f->e = small_film_write(f->h->world, f->directory);
}

static bool film_add(small_internet *n, small_host *h, str *why)
{
    filming f = {.h = h, .directory = str_to_z(&n->memory, str_format(&n->memory, STR_FMT "/origin/" ORIGIN_FILMS, STR_ARG(h->directory)))};
    work(film_blocking, &f);
    if (f.e)
        *why = str_format(&n->memory, "cannot write the film to %s: %s", f.directory, err_text(f.e));
    return !f.e;
}

// ---- the page -------------------------------------------------------------------------------------------------------------------------

static void on_page(void *arg, const http_request *q, http_reply *reply, arena *msg)
{
    if (str_eq(q->path, S("/")))
        http_answer(reply, 200, S("text/html; charset=utf-8"),
                    str_format(msg, "<!doctype html><title>NetCinema</title>\n<h1>NetCinema</h1>\n<ul>\n<li><a href=\"" STR_FMT
                               "\">The Ferry to Yeouido</a>\n</ul>\n", STR_ARG(small_cdn_film_url(arg, msg))));
    else
        http_answer(reply, 404, S("text/plain"), S("there is one page: /\n"));
}

static void page_converse(conn *c, void *arg)
{
    http_serve(c, (http_limits){.body_bytes_max = 1, .told = true}, on_page, arg);
}

static bool page_add(small_internet *n, small_host *h, str *why)
{
    door *opened;
    door_options options = {.service = "page", .at = addr_with_port(h->host->here[0], 80), .conns_max = PAGE_CONNS_MAX};
    world *before = world_here();
    fiber_world(h->world);
    err e = door_open(&h->node.scope, h->world, options, page_converse, n, &opened);
    fiber_world(before);
    if (e)
        *why = str_format(&n->memory, "the page of " STR_FMT ": %s", STR_ARG(h->host->name), err_text(e));
    return !e;
}

// ---- the company's own server -------------------------------------------------------------------------------------------------------

// A browser on this machine does not know the small Internet's names: the console fetches for it.
static void put_relays(small_internet *n, const small_host *h, buf *out)
{
    buf_format(out, "relay steer." STR_FMT, STR_ARG(h->host->name));
    for (int i = 0; i < n->map.count; i++)
        if (n->map.hosts[i].edge.len)
            buf_format(out, " " STR_FMT, STR_ARG(n->map.hosts[i].name));
    buf_put(out, S("\n"));
}

// GET /line, POST /line?bps=N: the line between whoever watches from this machine and the small Internet, {"bps": N} (0: no limit).
static void on_line(void *arg, const http_request *q, http_reply *reply, arena *msg)
{
    small_internet *n = arg;
    uint64_t bps = 0;
    bool sets = str_eq(q->method, S("POST"));
    if (!str_eq(q->path, S("/line")) || (sets && (!str_to_u64(http_query_get(q, S("bps"), msg), &bps) || bps > (uint64_t)ACCESS_LINE_BPS_MAX))) {
        http_answer(reply, 400, S("application/json"), S("{\"error\": \"malformed\"}\n"));
        return;
    }
    if (sets)
        access_line_rate(&n->line, (int64_t)bps);
    http_answer(reply, 200, S("application/json"), str_format(msg, "{\"bps\": %lld}\n", (long long)n->line.bps));
}

static void line_converse(conn *c, void *arg) { http_serve(c, (http_limits){.body_bytes_max = 1}, on_line, arg); }

// The console is told of the line by an inside door; who may set it is its business: the operator.
static bool line_offer(small_internet *n, small_host *h, str *why)
{
    if (n->options.make)
        return true;                         // simulated hosts have lines of their own
    err e = room_offer(node_room(&h->node, "console"), "small.line", line_converse, n);
    if (e)
        *why = str_format(&n->memory, "the line of " STR_FMT ": %s", STR_ARG(h->host->name), err_text(e));
    return !e;
}

// Bytes to people on this machine pass the line where a film comes from: edges, and the console that relays for browsers.
static void line_join(small_internet *n, small_host *h)
{
    bool serves = !n->options.make && (h->host->edge.len || h->host->console);
    if (!serves)
        return;
    n->line.host_count = 0;
    for (int i = 0; i < n->map.count; i++)
        for (int k = 0; k < n->map.hosts[i].address_count && n->line.host_count < ACCESS_LINE_HOSTS_MAX; k++)
            n->line.hosts[n->line.host_count++] = n->map.hosts[i].here[k];
    world_line(h->world, &n->line);
}

static bool operator_add(small_internet *n, small_host *h, str *why)
{
    arena a = arena_make(OPERATOR_MEMORY_BYTES);
    room *accounts = node_room(&h->node, "accounts");
    str who = str_format(&n->memory, "operator@" STR_FMT, STR_ARG(h->host->name)), reason = {0};
    str password = small_password_make(n);
    err e = accounts_add(accounts, who, password, S("admin"), &a, &reason);
    if (e == E_EXISTS)
        e = accounts_put(accounts, who, password);
    arena_free(&a);
    if (e) {
        *why = str_format(&n->memory, "cannot make the account " STR_FMT ": %s", STR_ARG(who), err_text(e));
        return false;
    }
    if (n->account_count < LAB_HOSTS_MAX)
        n->accounts[n->account_count++] = (small_account){h->host, who, password};
    return true;
}

static bool console_add(small_internet *n, small_host *h, str *why)
{
    const lab_host *o = the(n, is_origin), *local = lab_find(&n->map, S("local"));
    str at = addr_ip_text(&n->memory, h->host->here[0]);
    str accounts = str_format(&n->memory, "domain " STR_FMT "\nregistration yes\n", STR_ARG(h->host->name));
    buf out = buf_make(SETTINGS_BYTES_MAX);
    buf_format(&out, "listen " STR_FMT "\nplaintext loopback\ntitle NetCinema\nregistration yes\norigin " STR_FMT ":%d\nresolver " STR_FMT
               "\nsteering http://steer." STR_FMT ":%d/report\n", STR_ARG(at), STR_ARG(addr_ip_text(&n->memory, o->here[0])), ORIGIN_PORT,
               STR_ARG(addr_ip_text(&n->memory, local->here[0])), STR_ARG(h->host->name), STEERING_PORT);
    put_relays(n, h, &out);
    str console = str_copy(&n->memory, buf_str(&out));
    buf_free(&out);
    return small_service_add(n, h, &accounts_kind, accounts, why) && (n->options.lean || operator_add(n, h, why)) &&
           small_service_add(n, h, &console_kind, console, why) && line_offer(n, h, why);
}

// ---- the whole ------------------------------------------------------------------------------------------------------------------------

bool small_cdn_add(small_internet *n, small_host *h, str *why)
{
    buf settings = buf_make(SETTINGS_BYTES_MAX);
    const room_kind *kind = NULL;
    bool good = !h->host->page || page_add(n, h, why);
    line_join(n, h);
    if (h->host->steering.len) {
        kind = &steering_kind;
        steering_settings(n, h->host, &settings);
    } else if (h->host->edge.len) {
        kind = &edge_kind;
        edge_settings(n, h->host, &settings);
    } else if (h->host->origin) {
        kind = &origin_kind;
        origin_settings(n, &settings);
        good = good && film_add(n, h, why);
    }
    if (kind)
        good = good && small_service_add(n, h, kind, str_copy(&n->memory, buf_str(&settings)), why);
    good = good && (!h->host->console || console_add(n, h, why));
    buf_free(&settings);
    return good;
}
