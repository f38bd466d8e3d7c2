#include "cmd/cdn_stage.h"

#include <string.h>

#include "base/heap_memory.h"
#include "base/must.h"
#include "cmd/small_film.h"
#include "rt/log.h"
#include "rt/loop.h"
#include "rt/worker.h"
#include "talk/dns_ask.h"
#include "talk/dns_exchange.h"
#include "wire/dns/message.h"
#include "wire/dns/type.h"

enum { VIEWERS_MAX = 256, STAGE_MEMORY_BYTES_MAX = 64 << 20, ASK_BYTES_MAX = 1 << 20, WARM_MS = 3500, BODY_BYTES_MAX = 8 << 20, STRIDE = 61 };

typedef struct {
    cdn_stage *stage;
    const char  *map;
    cdn_play  *play;
    void        *arg;
    uint64_t     seed;
    arena       *into;                       // where *out's text goes
    str         *out;
    str          why;
    bool         ok;
} staging;

// ---- machines and distances -------------------------------------------------------------------------------------------------------

static world *machine_make(void *arg, str name, const addr *addresses, int count)
{
    cdn_stage *s = arg;
    const lab_host *h = lab_find(&s->net.map, name);
    int64_t bps = 0;
    world *w = sim_host(s->sim, name, addresses, count, (sim_disk){.write_ns = 10000, .sync_ns = millis(1)});
    if (h && h->line.len && rate_parse(h->line, &bps))
        sim_capacity_set(w, (sim_capacity){.up_bytes_per_s = bps / 8, .down_bytes_per_s = bps / 8});
    return w;
}

static sim_link link_of(const lab_host *a, const lab_host *b)
{
    int ms = str_eq(a->place, b->place) ? CDN_BESIDE_MS : str_eq(a->region, b->region) ? CDN_REGION_MS : CDN_FAR_MS;
    return (sim_link){.delay_min_ns = millis(ms), .delay_max_ns = millis(ms) + millis(ms) / 8};
}

static void links_make(cdn_stage *s)
{
    for (int i = 0; i < s->net.count; i++)
        for (int k = 0; k < i; k++)
            if (s->net.hosts[i].host->place.len && s->net.hosts[k].host->place.len)
                sim_link_between(s->sim, s->net.hosts[i].world, s->net.hosts[k].world, link_of(s->net.hosts[i].host, s->net.hosts[k].host));
}

static small_host *host_of(cdn_stage *s, const char *name)
{
    small_host *h = small_find(&s->net, str_z(name));
    must(h);
    return h;
}

world *cdn_world(cdn_stage *s, const char *host) { return host_of(s, host)->world; }

world *cdn_machine(cdn_stage *s, str name, addr at, const char *beside, int64_t bps)
{
    world *w = sim_host(s->sim, name, &at, 1, (sim_disk){0});
    const lab_host *place = host_of(s, beside)->host;
    sim_capacity_set(w, (sim_capacity){.up_bytes_per_s = bps / 8, .down_bytes_per_s = bps / 8});
    for (int i = 0; i < s->net.count; i++)
        if (s->net.hosts[i].host->place.len)
            sim_link_between(s->sim, w, s->net.hosts[i].world, link_of(place, s->net.hosts[i].host));
    return w;
}

void cdn_path(cdn_stage *s, const char *a, const char *b, int64_t bytes_per_s, int delay_ms)
{
    sim_link link = link_of(host_of(s, a)->host, host_of(s, b)->host);
    link.bytes_per_s = bytes_per_s;
    if (delay_ms)
        link.delay_min_ns = link.delay_max_ns = millis(delay_ms);
    sim_link_between(s->sim, cdn_world(s, a), cdn_world(s, b), link);
}

// A crash cancels what sim_boot started; the small Internet's nodes run on the director's fibers, so the machine falls silent first and
// its services are ended behind that.
void cdn_kill(cdn_stage *s, const char *host)
{
    small_host *h = host_of(s, host);
    sim_crash(h->world);
    small_host_stop(&s->net, h);
}

int64_t cdn_now_ms(const cdn_stage *s) { return (loop_now_ns() - s->begun_ns) / NS_PER_MS; }

// ---- asking -----------------------------------------------------------------------------------------------------------------------

addr cdn_ask(cdn_stage *s, const char *host, const char *resolver, const char *name)
{
    arena a = arena_make(ASK_BYTES_MAX);
    addr found[DNS_ASK_ADDRESSES_MAX] = {0}, server = addr_with_port(host_of(s, resolver)->host->here[0], 53);
    int count = 0;
    world *before = world_here(), *w = cdn_world(s, host);
    fiber_world(w);
    (void)dns_ask_addresses(w, &server, 1, str_z(name), found, DNS_ASK_ADDRESSES_MAX, &count, seconds(5), &a);
    fiber_world(before);
    arena_free(&a);
    return count ? found[0] : (addr){0};
}

addr cdn_ask_untold(cdn_stage *s, const char *host, const char *resolver, const char *name)
{
    arena a = arena_make(ASK_BYTES_MAX);
    addr server = host_of(s, resolver)->host->here[0], first = {0};
    dns_asking asking = {.question = {.type = DNS_A, .class = DNS_CLASS_IN}, .recursion_desired = true, .has_subnet = true};
    world *before = world_here(), *w = cdn_world(s, host);
    must(dns_name_from_text(&a, str_z(name), dns_root, &asking.question.name, NULL));
    fiber_world(w);
    dns_exchanged x = dns_exchange(w, server, asking, seconds(5), &a);
    fiber_world(before);
    for (int i = 0; !x.error && i < x.message.count[DNS_ANSWER] && !first.family; i++) {
        const dns_record *r = dns_message_record(&x.message, DNS_ANSWER, i);
        if (r->type == DNS_A && r->rdata.len == 4) {
            first.family = 4;
            memcpy(first.ip, r->rdata.at, 4);
        }
    }
    arena_free(&a);
    return first;
}

str cdn_host_of(cdn_stage *s, addr at)
{
    for (int i = 0; i < s->net.map.count; i++)
        for (int k = 0; k < s->net.map.hosts[i].address_count; k++)
            if (at.family && addr_eq_ip(s->net.map.hosts[i].here[k], at))
                return s->net.map.hosts[i].name;
    return (str){0};
}

http_result cdn_request(cdn_stage *s, const char *host, addr at, const char *method, str site, str target, const http_header *headers, int header_count,
                        str body, arena *a)
{
    world *before = world_here(), *w = cdn_world(s, host);
    fiber_world(w);
    conn *c = conn_open(w, at, seconds(5));
    conn_deadline(c, minutes(2));
    http_result r = http_fetch(c, str_z(method), site, target, headers, header_count, body, BODY_BYTES_MAX, a);
    conn_close(c);
    fiber_world(before);
    return r;
}

cdn_got cdn_get(cdn_stage *s, const char *host, addr at, str site, str target, arena *a)
{
    int64_t begun_ns = loop_now_ns();
    http_result r = cdn_request(s, host, at, "GET", site, target, NULL, 0, (str){0}, a);
    return (cdn_got){.error = r.error, .status = r.status, .bytes = (size_t)r.body.len, .all_ms = (loop_now_ns() - begun_ns) / NS_PER_MS,
                     .location = http_result_header(&r, S("Location")), .cache = http_result_header(&r, S("Cache-Status"))};
}

// ---- viewers ----------------------------------------------------------------------------------------------------------------------

static void on_heard(void *arg, const player_event *e)
{
    cdn_viewer *v = arg;
    if (v->heard)
        v->heard(v->arg, e);
}

static bool on_piece(void *arg, const player_piece *piece)
{
    cdn_viewer *v = arg;
    int rendition = 0;
    while (rendition < SMALL_FILM_RENDITIONS - 1 && !str_eq(piece->rendition->id, str_z(small_film_rungs[rendition].id)))
        rendition++;
    if (piece->segment < 0)
        return true;
    uint32_t bytes = small_film_bytes(rendition, piece->segment);
    bool right = piece->bytes.len == (ptrdiff_t)bytes;
    for (uint32_t i = 0; i < bytes && right; i += STRIDE)
        right = piece->bytes.at[i] == small_film_byte(rendition, piece->segment, i);
    v->segments++;
    v->wrong += !right;
    return true;
}

static void viewer_live(void *arg)
{
    cdn_viewer *v = arg;
    world *w = v->machine ? v->machine : cdn_world(v->stage, v->host);
    fiber_world(w);
    v->player = player_new(w, &v->options);
    v->result = player_run(v->player);
    player_look(v->player, &v->view);
    v->view.trouble = str_copy(&v->stage->memory, v->view.trouble);
    v->view.steering = str_copy(&v->stage->memory, v->view.steering);
    for (int i = 0; i < v->view.server_count; i++)
        v->view.servers[i].location = str_copy(&v->stage->memory, v->view.servers[i].location);
    player_free(v->player);
    v->player = NULL;
    v->over = true;
    gate_wake_all(&v->ended);
}

void cdn_view(cdn_stage *s, cdn_viewer *v)
{
    v->stage = s;
    v->options.heard = on_heard;
    v->options.take = on_piece;
    v->options.arg = v;
    v->options.rung_fixed = v->options.rung_fixed ? v->options.rung_fixed : -1;
    v->options.resolvers[0] = addr_with_port(host_of(s, v->resolver)->host->here[0], 53);
    v->options.resolver_count = 1;
    must(scope_go(s->all, "viewer", viewer_live, v) == E_OK);
}

void cdn_wait(cdn_viewer *v)
{
    while (!v->over && gate_wait(&v->ended, NEVER_NS, "the film's end") == E_OK)
        ;
}

// ---- the whole --------------------------------------------------------------------------------------------------------------------

static void direct(void *arg)
{
    staging *g = arg;
    cdn_stage *s = g->stage;
    small_options options = {.directory = S("data"), .real_addresses = true, .real_ports = true, .make = machine_make, .make_arg = s,
                             .retry_ns = seconds(2), .expire_ns = minutes(10), .map = str_z(g->map), .lean = true};
    g->ok = small_internet_start(&s->net, options, &g->why) == E_OK;
    if (g->ok) {
        SCOPE(all, 0, VIEWERS_MAX);
        s->all = &all;
        links_make(s);
        (void)fiber_sleep(millis(WARM_MS));
        s->begun_ns = loop_now_ns();
        g->play(s, g->arg);
        scope_close(&all);
    } else {
        g->why = str_copy(&s->memory, g->why);
    }
    small_internet_stop(&s->net);
}

// On a thread that has no loop yet.
static void run_blocking(void *arg)
{
    staging *g = arg;
    cdn_stage *s = g->stage;
    s->memory = arena_make(STAGE_MEMORY_BYTES_MAX);
    s->sim = sim_new(g->seed);
    sim_link_default(s->sim, (sim_link){.delay_min_ns = millis(10), .delay_max_ns = millis(12)});
    bool ended = sim_run(s->sim, direct, g) == E_OK;
    *g->out = g->ok && ended ? (str){0} : g->why.len ? str_copy(g->into, g->why) : S("the simulation did not come to an end");
    g->ok &= ended;
    sim_free(s->sim);
    arena_free(&s->memory);
}

bool cdn_stage_run(uint64_t seed, const char *map, cdn_play *play, void *arg, arena *a, str *why)
{
    cdn_stage *s = memory_zeroed(1, sizeof *s);
    staging g = {.stage = s, .map = map, .play = play, .arg = arg, .seed = seed, .into = a, .out = why};
    if (fiber_running())
        work(run_blocking, &g);
    else
        run_blocking(&g);
    memory_free(s);
    return g.ok;
}
