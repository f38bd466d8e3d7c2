#include "rooms/resolver/resolver.h"

#include <string.h>

#include "base/heap_memory.h"
#include "base/must.h"
#include "rooms/resolver/resolve.h"
#include "rooms/resolver/respond.h"
#include "rooms/resolver/special.h"
#include "rt/log.h"
#include "rt/meter.h"
#include "rt/story.h"
#include "talk/control.h"
#include "talk/dns_doors.h"
#include "talk/dns_exchange.h"
#include "wire/dns/describe.h"

enum {
    PREFIXES_MAX = 64, FORWARDERS_MAX = 16,
    FAST_ARENA_BYTES = 512 * 1024,
    CLIENTS_MAX = 5000,                      // UDP queries at work
    NETWORKS = 4096,                         // slots that clients' networks share by hash ...
    CLIENTS_PER_NETWORK_MAX = 1000,          // ... and how many queries of one slot may be at work
    NETWORK_BITS_4 = 24, NETWORK_BITS_6 = 56,
    EXPLAIN_BYTES_MAX = DNS_EDE_TEXT_MAX,
    DUMP_BYTES_MAX = 16 << 20,
};

static const setting settings[] = {
    {.key = "root", .type = SETTING_LIST, .min = 2, .max = 2, .repeated = true,
     .help_en = "root NAME ADDRESS: a root name server (default: the Internet's thirteen)",
     .help_ko = "root 이름 주소: 루트 네임 서버 (기본: 인터넷의 열세 개)"},
    {.key = "allow", .type = SETTING_PREFIX, .repeated = true, .reloadable = true,
     .help_en = "who may ask (default: this machine and private networks)", .help_ko = "물어도 되는 상대 (기본: 이 컴퓨터와 사설망)"},
    {.key = "loops", .type = SETTING_TEXT, .fallback = "1",
     .help_en = "threads that serve side by side under `naru up`: a number, or auto: one a processor",
     .help_ko = "`naru up`에서 나란히 일하는 스레드 수: 숫자, 또는 auto(프로세서마다 하나)"},
    {.key = "listen", .type = SETTING_ADDRESS, .repeated = true,
     .help_en = "address to answer on (default: all of the host's)", .help_ko = "응답할 주소 (기본: 호스트의 모든 주소)"},
    {.key = "explain", .type = SETTING_TEXT, .reloadable = true,
     .help_en = "said with a name that the root does not know", .help_ko = "루트가 모르는 이름에 덧붙이는 말"},
    {.key = "cache", .type = SETTING_SIZE, .fallback = "32MB", .min = 65536, .max = 1ll << 40,
     .help_en = "memory for answers", .help_ko = "응답을 기억할 메모리"},
    {.key = "subnet", .type = SETTING_LIST, .min = 1, .max = RESOLVER_SUBNET_ZONES_MAX, .repeated = true, .reloadable = true,
     .help_en = "zones whose name servers are told the client's network, /24 or /56 of it (RFC 7871; default: none)",
     .help_ko = "네임 서버에 클라이언트의 네트워크(/24 또는 /56까지)를 알려 줄 영역 (RFC 7871; 기본: 없음)"},
    {.key = "subnet-from", .type = SETTING_PREFIX, .repeated = true, .reloadable = true,
     .help_en = "forwarders that may say for which network they ask (default: none)",
     .help_ko = "어느 네트워크를 위해 묻는지 말해도 되는 포워더 (기본: 없음)"},
    {.key = "recursive", .type = SETTING_BOOL, .fallback = "off",
     .help_en = "ask the servers to recurse, as in the course's recursive query", .help_ko = "서버들에게 재귀 질의로 물음 (수업의 재귀 질의)"},
    {0},
};

static meter queries = {.name = "naru_resolver_queries_total", .help = "Queries of clients", .type = METER_COUNTER,
                        .label = "outcome", .values = {"cached", "asked", "refused", "malformed", "dropped"}};
static meter sent = {.name = "naru_resolver_sent_total", .help = "Queries sent to name servers", .type = METER_COUNTER};
static meter subnets = {.name = "naru_resolver_subnets_total", .help = "Client networks (RFC 7871): told to a name server, answers for them alone, passed over by the server, not told because the name had very many",
                        .type = METER_COUNTER, .label = "what", .values = {"told", "tailored", "ignored", "full"}};
static meter cache_bytes = {.name = "naru_resolver_cache_bytes", .help = "Memory of the answer cache", .type = METER_GAUGE};
enum { WAS_CACHED, WAS_ASKED, WAS_REFUSED, WAS_MALFORMED, WAS_DROPPED };

// The Internet's root servers, IPv4 (IANA, named.root); used when no `root` is given.
static const char *const internet_roots[] = {
    "198.41.0.4", "170.247.170.2", "192.33.4.12", "199.7.91.13", "192.203.230.10", "192.5.5.241", "192.112.36.4",
    "198.97.190.53", "192.36.148.17", "192.58.128.30", "193.0.14.129", "199.7.83.42", "202.12.27.33",
};

static const char *const private_networks[] = {
    "127.0.0.0/8", "::1/128", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "fc00::/7", "fe80::/10",
};

typedef struct { addr prefix; int bits; } prefix;

typedef struct {
    room    *room;
    resolver core;
    arena    msg;                            // of the datagram at work, when the caches answer
    prefix   allow[PREFIXES_MAX];
    prefix   forwarders[FORWARDERS_MAX];
    int      allow_count, forwarder_count, clients;
    resolver_figures counted;                // are in the meters
    int64_t  cache_bytes_counted;            // in the meter, which all resolvers of the process share
    uint64_t network_secret;
    uint16_t of_network[NETWORKS];           // queries at work, by the client's network
    str      explain;
    uint32_t turn;                           // rotation of sets, counted a reply at a time
    dns_doors doors;
} server;

// Clients.

static bool allowed(const server *s, addr peer)
{
    for (int i = 0; i < s->allow_count; i++)
        if (addr_in_prefix(peer, s->allow[i].prefix, s->allow[i].bits))
            return true;
    return false;
}

static void count_work(server *s)
{
    const resolver_figures *now = &s->core.figures, *before = &s->counted;
    meter_add(&sent, now->queries_sent - before->queries_sent);
    meter_add_at(&subnets, 0, now->subnets_told - before->subnets_told);
    meter_add_at(&subnets, 1, now->subnets_tailored - before->subnets_tailored);
    meter_add_at(&subnets, 2, now->subnets_ignored - before->subnets_ignored);
    meter_add_at(&subnets, 3, now->subnets_full - before->subnets_full);
    s->counted = *now;
    meter_add(&cache_bytes, (int64_t)s->core.answers.bytes - s->cache_bytes_counted);
    s->cache_bytes_counted = (int64_t)s->core.answers.bytes;
}

static bool is_forwarder(const server *s, addr peer)
{
    for (int i = 0; i < s->forwarder_count; i++)
        if (addr_in_prefix(peer, s->forwarders[i].prefix, s->forwarders[i].bits))
            return true;
    return false;
}

// A client who says "no bits of my address" is always heeded (RFC 7871 7.1.2); who says another network, only when he may.
static bool heeds_subnet(const server *s, addr peer, const dns_edns *edns)
{
    return edns->has_subnet && s->core.subnet_zones.count && (edns->subnet.source == 0 || is_forwarder(s, peer));
}

// The client's network as it may be told: his own, or the one a forwarder of ours asks for; at most as much of it as he says himself.
// Addresses that mean nothing outside are not told.
static dns_subnet client_network(const server *s, addr peer, const dns_edns *edns)
{
    bool said = edns->has_subnet, forwarded = said && is_forwarder(s, peer);
    addr at = forwarded ? edns->subnet.network : peer;
    int most = at.family == 4 ? SUBNET_BITS_4_MAX : at.family == 6 ? SUBNET_BITS_6_MAX : 0;
    bool fewer = said && edns->subnet.source < most;
    return addr_is_private(at) ? (dns_subnet){0} : dns_subnet_of(at, fewer ? edns->subnet.source : most);
}

static respond_setting respond_how(server *s, addr peer, const dns_message *asked, bool is_stream)
{
    return (respond_setting){s->explain, s->turn++, is_stream, s->core.roots, s->core.root_count, heeds_subnet(s, peer, &asked->edns)};
}

// Finds the answer and writes it. Parks.
static size_t find_and_respond(server *s, const dns_message *asked, addr peer, bool is_stream, arena *msg, void *out, size_t out_max)
{
    found f;
    dns_subnet network = client_network(s, peer, &asked->edns);
    fiber_set_trace(asked->edns.trace ? asked->edns.trace : story_trace_new());
    resolver_find(&s->core, asked->question, &network, msg, &f);
    count_work(s);
    respond_setting how = respond_how(s, peer, asked, is_stream);
    return respond(asked, &f, &how, out, out_max);
}

typedef struct {
    server *server;
    datagram_door *door;
    addr    peer, local;
    size_t  len;
    unsigned char query[];
} client;

// A client's network: one of them must not take all the places.
static uint16_t *network_of(server *s, addr peer)
{
    int bytes = (peer.family == 4 ? NETWORK_BITS_4 : NETWORK_BITS_6) / 8;
    return &s->of_network[str_hash((str){peer.ip, bytes}, s->network_secret) % NETWORKS];
}

static void client_end(client *c)
{
    c->server->clients--;
    datagram_release(c->door);
    --*network_of(c->server, c->peer);
    memory_free(c);
}

static void client_serve(void *arg)
{
    client *c = arg;
    server *s = c->server;
    arena msg = arena_make(WORK_BYTES_MAX);
    dns_message asked;
    unsigned char *out = memory_new(DNS_UDP_MAX);
    size_t len = 0;
    if (dns_message_read(str_of(c->query, c->len), &msg, &asked, NULL))
        len = find_and_respond(s, &asked, c->peer, false, &msg, out, DNS_UDP_MAX);
    if (len)
        datagram_send(c->door, c->peer, c->local, str_of(out, len));
    memory_free(out);
    arena_free(&msg);
    client_end(c);
}

static void client_start(server *s, datagram_door *d, const datagram *in)
{
    if (s->clients >= CLIENTS_MAX || *network_of(s, in->peer) >= CLIENTS_PER_NETWORK_MAX) {
        meter_add_at(&queries, WAS_DROPPED, 1);
        return;
    }
    client *c = memory_new(sizeof *c + in->len);
    *c = (client){.server = s, .door = d, .peer = in->peer, .local = in->local, .len = in->len};
    memcpy(c->query, in->at, in->len);
    s->clients++;
    datagram_hold(d);
    ++*network_of(s, in->peer);
    meter_add_at(&queries, WAS_ASKED, 1);
    if (scope_try_go(s->room->scope, "resolver", client_serve, c) != E_OK) {
        meter_add_at(&queries, WAS_DROPPED, 1);
        client_end(c);
    }
}

// What needs no looking up: malformed and refused queries, answers from the caches. 0 with *go_on: it must be found.
static size_t respond_at_once(server *s, str query, addr peer, bool is_stream, arena *msg, dns_message *asked, bool *go_on,
                              void *out, size_t out_max)
{
    found f;
    size_t len;
    *go_on = false;
    if (!dns_message_read(query, msg, asked, NULL)) {
        meter_add_at(&queries, WAS_MALFORMED, 1);
        return (size_t)dns_reply_bare(out, out_max, query, DNS_FORMERR).len;
    }
    if (asked->header.response)
        return 0;
    if (respond_refusal(asked, allowed(s, peer), out, out_max, &len)) {
        meter_add_at(&queries, WAS_REFUSED, 1);
        return len;
    }
    dns_subnet network = client_network(s, peer, &asked->edns);
    *go_on = !special_find(&s->core, asked->question, msg, &f) && !resolver_find_cached(&s->core, asked->question, &network, msg, &f);
    if (*go_on)
        return 0;
    meter_add_at(&queries, WAS_CACHED, 1);
    respond_setting how = respond_how(s, peer, asked, is_stream);
    return respond(asked, &f, &how, out, out_max);
}

static size_t on_datagram(void *arg, datagram_door *d, const datagram *in, unsigned char *out, size_t out_max)
{
    server *s = arg;
    dns_message asked;
    bool go_on;
    arena_reset(&s->msg);
    size_t len = respond_at_once(s, str_of(in->at, in->len), in->peer, false, &s->msg, &asked, &go_on, out, out_max);
    if (go_on)
        client_start(s, d, in);
    return len;
}

static size_t on_stream(void *arg, conn *c, str query, arena *msg, unsigned char *out, size_t out_max)
{
    server *s = arg;
    dns_message asked;
    bool go_on;
    size_t len = respond_at_once(s, query, c->peer, true, msg, &asked, &go_on, out, out_max);
    if (!go_on)
        return len;
    arena work = arena_make(WORK_BYTES_MAX);
    meter_add_at(&queries, WAS_ASKED, 1);
    len = find_and_respond(s, &asked, c->peer, true, &work, out, out_max);
    arena_free(&work);
    return len;
}

// Settings.

static void allow_add(server *s, str text)
{
    prefix *to = &s->allow[s->allow_count];
    if (s->allow_count < PREFIXES_MAX && prefix_parse(text, &to->prefix, &to->bits))
        s->allow_count++;
}

static void allow_take(server *s, const statement *block)
{
    s->allow_count = 0;
    for (const statement *l = config_first(block, "allow"); l; l = config_next(l, "allow"))
        for (int i = 1; i < l->word_count; i++)
            allow_add(s, l->words[i]);
    if (s->allow_count == 0)
        for (size_t i = 0; i < sizeof private_networks / sizeof *private_networks; i++)
            allow_add(s, str_z(private_networks[i]));
}

static void forwarders_take(server *s, const statement *block)
{
    s->forwarder_count = 0;
    for (const statement *l = config_first(block, "subnet-from"); l; l = config_next(l, "subnet-from"))
        for (int i = 1; i < l->word_count && s->forwarder_count < FORWARDERS_MAX; i++) {
            prefix *to = &s->forwarders[s->forwarder_count];
            s->forwarder_count += prefix_parse(l->words[i], &to->prefix, &to->bits);
        }
}

// Whose name servers are told where clients are. False with *why; then nothing has changed.
static bool subnets_take(server *s, const statement *block, str *why)
{
    subnet_zones zones = {0};
    for (const statement *l = config_first(block, "subnet"); l; l = config_next(l, "subnet"))
        for (int i = 1; i < l->word_count; i++) {
            dns_name n;
            const char *sentence = "neither the root's nor a top-level domain's servers are told where clients are; at most 64 zones are named";
            if (dns_name_from_text(s->room->memory, l->words[i], dns_root, &n, &sentence) && subnet_zones_add(&zones, n))
                continue;
            *why = str_format(s->room->memory, "subnet " STR_FMT ": %s", STR_ARG(l->words[i]), sentence);
            return false;
        }
    s->core.subnet_zones = zones;
    forwarders_take(s, block);
    return true;
}

static bool root_add(server *s, str name, str address, str *why)
{
    resolver *r = &s->core;
    root_hint *hint = &r->roots[r->root_count];
    const char *sentence = "is no IP address; write root NAME ADDRESS";
    bool good = addr_parse_ip(address, DNS_PORT, &hint->at) &&
                dns_name_from_text(s->room->memory, name, dns_root, &hint->name, &sentence);
    r->root_count += good;
    if (!good)
        *why = str_format(s->room->memory, "root " STR_FMT " " STR_FMT ": %s", STR_ARG(name), STR_ARG(address), sentence);
    return good;
}

static bool roots_take(server *s, const statement *block, str *why)
{
    bool good = true;
    for (const statement *l = config_first(block, "root"); l && good; l = config_next(l, "root"))
        if (s->core.root_count < RESOLVER_ROOTS_MAX)
            good = root_add(s, l->words[1], l->words[2], why);
    for (int i = 0; i < (int)(sizeof internet_roots / sizeof *internet_roots) && !config_first(block, "root"); i++)
        good &= root_add(s, str_format(s->room->memory, "%c.root-servers.net", 'a' + i), str_z(internet_roots[i]), why);
    return good;
}

static void explain_take(server *s, const statement *block)
{
    s->explain = str_first(str_copy(s->room->memory, config_text(block, settings, "explain")), EXPLAIN_BYTES_MAX);
}

// Control: GET cache, POST flush?name=NAME (all without a name).

static void control_dump(void *arg, const http_request *q, http_reply *reply, arena *msg)
{
    server *s = arg;
    buf text = buf_make(DUMP_BYTES_MAX);
    (void)q;
    cache_dump(&s->core.answers, world_now_ns(s->room->world), &text);
    http_answer(reply, 200, S("text/plain; charset=utf-8"), str_copy(msg, buf_str(&text)));
    buf_free(&text);
}

static void control_flush(void *arg, const http_request *q, http_reply *reply, arena *msg)
{
    server *s = arg;
    dns_name below = dns_root;
    const char *why = NULL;
    str name = http_query_get(q, S("name"), msg);
    if (!str_eq(q->method, S("POST"))) {
        control_error(reply, 405, S("flush changes something: POST it"), msg);
    } else if (name.len && !dns_name_from_text(msg, name, dns_root, &below, &why)) {
        control_error(reply, 400, str_z(why), msg);
    } else {
        int answers = cache_flush(&s->core.answers, below), zones = delegations_flush(&s->core.delegations, below);
        http_answer(reply, 200, S("application/json"), str_format(msg, "{\"answers\":%d,\"delegations\":%d}\n", answers, zones));
    }
}

// The room.

static err start(room *r, str *why)
{
    server *s = memory_zeroed(1, sizeof *s);
    meter_show(&queries);
    meter_show(&sent);
    meter_show(&subnets);
    meter_show(&cache_bytes);
    s->room = r;
    s->msg = arena_make(FAST_ARENA_BYTES);
    s->network_secret = world_random_u64(r->world);
    r->state = s;
    resolver_init(&s->core, r->world, (size_t)config_int(r->settings, settings, "cache"));
    s->core.asks_recursively = config_bool(r->settings, settings, "recursive");
    allow_take(s, r->settings);
    explain_take(s, r->settings);
    if (!roots_take(s, r->settings, why) || !subnets_take(s, r->settings, why))
        return E_PROTOCOL;
    err e = dns_doors_open(&s->doors, r, on_datagram, on_stream, s, true, why);      // a resolver is for its own people
    if (e)
        return e;
    control_route *routes = arena_array(r->memory, control_route, 2);
    must(routes);
    routes[0] = (control_route){"/cache", control_dump, s};
    routes[1] = (control_route){"/flush", control_flush, s};
    control_add(r, routes, 2);
    return E_OK;
}

static err reload(room *r, const statement *block, str *why)
{
    allow_take(r->state, block);
    explain_take(r->state, block);
    return subnets_take(r->state, block, why) ? E_OK : E_PROTOCOL;
}

static void stop(room *r)
{
    server *s = r->state;
    dns_doors_stop(&s->doors);
}

static void gone(room *r)
{
    server *s = r->state;
    meter_add(&cache_bytes, -s->cache_bytes_counted);
    resolver_free(&s->core);
    arena_free(&s->msg);
    memory_free(s);
}

const room_kind resolver_kind = {.name = "resolver", .settings = settings, .every_loop = true, .start = start, .reload = reload,
                                 .stop = stop, .gone = gone};
