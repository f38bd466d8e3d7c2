#include "rooms/authoritative/authoritative.h"

#include <string.h>

#include "base/heap_memory.h"
#include "base/must.h"
#include "rooms/authoritative/recurse.h"
#include "rooms/authoritative/steered_follow.h"
#include "rooms/authoritative/tracker_record.h"
#include "rooms/authoritative/zone_files.h"
#include "rt/json_text.h"
#include "rt/log.h"
#include "rt/meter.h"
#include "rt/worker.h"
#include "talk/control.h"
#include "talk/dns_doors.h"

enum {
    RECURSE_PREFIXES_MAX = 16,
    MESSAGE_ARENA_BYTES = 256 * 1024,
    LOAD_ARENA_BYTES = 1 << 20,
    RECURSIONS_MAX = 1000,                   // at work at once
    ZONES_TEXT_BYTES_MAX = 16 << 20,
    STEERED_MEMORY_BYTES_MAX = 2 << 20,
};

static const setting settings[] = {
    {.key = "zone", .type = SETTING_LIST, .min = 2, .max = 2, .repeated = true, .reloadable = true,
     .help_en = "zone NAME FILE: a zone and its master file (RFC 1035)", .help_ko = "zone 이름 파일: 영역과 그 마스터 파일 (RFC 1035)"},
    {.key = "loops", .type = SETTING_TEXT, .fallback = "1",
     .help_en = "threads that serve side by side under `naru up`: a number, or auto: one a processor",
     .help_ko = "`naru up`에서 나란히 일하는 스레드 수: 숫자, 또는 auto(프로세서마다 하나)"},
    {.key = "listen", .type = SETTING_ADDRESS, .repeated = true,
     .help_en = "address to answer on (default: all of the host's)", .help_ko = "응답할 주소 (기본: 호스트의 모든 주소)"},
    {.key = "steered", .type = SETTING_LIST, .min = 1, .max = 1, .repeated = true,
     .help_en = "a name whose addresses the steering service of this host ranks for each asker; the zone's own stand in until it does",
     .help_ko = "이 호스트의 스티어링 서비스가 묻는 사람마다 주소의 순위를 정하는 이름; 그때까지는 존의 주소로 답함"},
    {.key = "subnet", .type = SETTING_BOOL, .fallback = "on", .reloadable = true,
     .help_en = "steered names are answered for the client's network where the query names it (RFC 7871), else for the asker",
     .help_ko = "질의가 클라이언트의 네트워크를 말하면 (RFC 7871) 스티어링되는 이름을 그에 맞게, 아니면 묻는 쪽에 맞게 답함"},
    {.key = "tracker", .type = SETTING_LIST, .min = 1, .max = 9, .repeated = true, .reloadable = true,
     .help_en = "tracker NAME [UDP:PORT TCP:PORT | deny]: says in the DNS where NAME's BitTorrent tracker is (BEP 34); no port: 6969, both",
     .help_ko = "tracker 이름 [UDP:포트 TCP:포트 | deny]: 그 이름의 BitTorrent 트래커가 어디 있는지 DNS로 알림 (BEP 34); 포트가 없으면 둘 다 6969"},
    {.key = "recurse", .type = SETTING_PREFIX, .repeated = true, .reloadable = true,
     .help_en = "askers for whom other servers are asked too (default: nobody)",
     .help_ko = "다른 서버에도 대신 물어 줄 상대 (기본: 없음)"},
    {0},
};

static meter queries = {.name = "naru_authoritative_queries_total", .help = "Queries by transport", .type = METER_COUNTER,
                        .label = "transport", .values = {"udp", "tcp"}};
static meter replies = {.name = "naru_authoritative_replies_total", .help = "Replies by response code", .type = METER_COUNTER,
                        .label = "rcode", .values = {"noerror", "formerr", "servfail", "nxdomain", "notimp", "refused", "other"}};
static meter recursions = {.name = "naru_authoritative_recursions_total", .help = "Queries passed on for the asker",
                           .type = METER_COUNTER};
static meter subnets = {.name = "naru_authoritative_subnet_queries_total", .help = "Queries that name their client's network (RFC 7871)",
                        .type = METER_COUNTER};
static meter records = {.name = "naru_authoritative_records", .help = "Records held, all zones", .type = METER_GAUGE};

typedef struct { addr prefix; int bits; } prefix;

typedef struct {
    room      *room;
    zone_table zones;
    uint32_t   turn;                         // rotation of sets, counted a query at a time
    arena      msg;                          // of the datagram at work: the answer never parks
    prefix     recurse[RECURSE_PREFIXES_MAX];
    int        recurse_count, recursions;
    bool       by_subnet;
    int64_t    records_counted;              // in the meter, which all servers of the process share
    steered_table steered;
    steered_following *following;            // of each steered name
    dns_doors  doors;
} server;

// Answering.

static void count_reply(str reply)
{
    dns_header h;
    enum { OTHER = 6 };
    if (dns_header_read(reply, &h))
        meter_add_at(&replies, h.rcode < OTHER ? h.rcode : OTHER, 1);
}

static bool may_recurse(const server *s, addr peer)
{
    for (int i = 0; i < s->recurse_count; i++)
        if (addr_in_prefix(peer, s->recurse[i].prefix, s->recurse[i].bits))
            return true;
    return false;
}

typedef struct {
    server *server;
    datagram_door *door;
    addr    peer, local;
    size_t  len;
    unsigned char query[];
} passed_on;

// A query whose answer lies with other servers: on a fiber of its own, the datagram's bytes copied.
static void pass_on(void *arg)
{
    passed_on *p = arg;
    server *s = p->server;
    arena msg = arena_make(MESSAGE_ARENA_BYTES);
    unsigned char *out = memory_new(DNS_UDP_MAX);
    size_t len = recurse(s->room->world, &s->zones, str_of(p->query, p->len), false, &msg, out, DNS_UDP_MAX);
    if (len)
        datagram_send(p->door, p->peer, p->local, str_of(out, len));
    memory_free(out);
    arena_free(&msg);
    s->recursions--;
    datagram_release(p->door);
    memory_free(p);
}

static void pass_on_later(server *s, datagram_door *d, const datagram *in)
{
    if (s->recursions >= RECURSIONS_MAX)
        return;                                            // the asker tries again
    passed_on *p = memory_new(sizeof *p + in->len);
    *p = (passed_on){.server = s, .door = d, .peer = in->peer, .local = in->local, .len = in->len};
    memcpy(p->query, in->at, in->len);
    s->recursions++;
    datagram_hold(d);
    if (scope_try_go(s->room->scope, "authoritative recursion", pass_on, p) != E_OK) {
        s->recursions--;
        datagram_release(d);
        memory_free(p);
    }
    meter_add(&recursions, 1);
}

static size_t on_datagram(void *arg, datagram_door *d, const datagram *in, unsigned char *out, size_t out_max)
{
    server *s = arg;
    dns_message asked;
    str reply = {0};
    answer_setting how = {.zones = &s->zones, .steered = &s->steered, .client = in->peer, .by_subnet = s->by_subnet,
                          .turn = s->turn++, .offers_recursion = may_recurse(s, in->peer)};
    arena_reset(&s->msg);
    meter_add_at(&queries, 0, 1);
    answer_verdict v = answer(&how, str_of(in->at, in->len), &s->msg, out, out_max, &reply, &asked);
    if (v == ANSWER_RECURSE)
        pass_on_later(s, d, in);
    if (v != ANSWER_READY)
        return 0;
    meter_add(&subnets, asked.edns.has_subnet);
    count_reply(reply);
    return (size_t)reply.len;
}

static size_t on_stream(void *arg, conn *c, str query, arena *msg, unsigned char *out, size_t out_max)
{
    server *s = arg;
    dns_message asked;
    str reply = {0};
    answer_setting how = {.zones = &s->zones, .steered = &s->steered, .client = c->peer, .by_subnet = s->by_subnet,
                          .turn = s->turn++, .is_stream = true, .offers_recursion = may_recurse(s, c->peer)};
    meter_add_at(&queries, 1, 1);
    answer_verdict v = answer(&how, query, msg, out, out_max, &reply, &asked);
    if (v == ANSWER_RECURSE) {
        meter_add(&recursions, 1);
        return recurse(s->room->world, &s->zones, query, true, msg, out, out_max);
    }
    if (v != ANSWER_READY)
        return 0;
    meter_add(&subnets, asked.edns.has_subnet);
    count_reply(reply);
    return (size_t)reply.len;
}

// Loading.

typedef struct {
    world   *w;
    dns_name origin;
    str      path;
    arena   *room;
    zone    *loaded;
    str      why;
} zone_wish;

static void load_blocking(void *arg)
{
    zone_wish *wish = arg;
    wish->loaded = zone_file_load(wish->w, wish->origin, wish->path, wish->room, &wish->why);
}

static void count_records(server *s)
{
    int64_t all = 0;
    for (int i = 0; i < s->zones.count; i++)
        all += (int64_t)s->zones.zones[i]->records;
    meter_add(&records, all - s->records_counted);
    s->records_counted = all;
}

// Loads one zone. NULL with *why.
static zone *zone_read(server *s, const statement *line, arena *a, str *why)
{
    zone_wish wish = {.w = s->room->world, .path = line->words[2], .room = a};
    const char *sentence = NULL;
    if (!dns_name_from_text(a, line->words[1], dns_root, &wish.origin, &sentence)) {
        *why = str_format(a, "zone " STR_FMT ": %s", STR_ARG(line->words[1]), sentence);
        return NULL;
    }
    work(load_blocking, &wish);
    *why = wish.why;
    return wish.loaded;
}

// Loads one zone and puts it in the place of the one served until now, between two queries. False with *why; the old one
// goes on then.
static bool zone_take(server *s, const statement *line, arena *a, str *why)
{
    bool full;
    zone *loaded = zone_read(s, line, a, why);
    if (!loaded)
        return false;
    size_t count = loaded->records;
    zone *old = zone_table_put(&s->zones, loaded, &full);
    if (full) {
        zone_free(loaded);
        *why = S("more zones than one server holds");
        return false;
    }
    zone_free(old);
    log_line("authoritative", LOG_INFO, "zone loaded", F_STR("zone", line->words[1]), F_STR("file", line->words[2]),
             F_INT("records", count));
    return true;
}

static bool still_named(const statement *block, dns_name origin, arena *a)
{
    for (const statement *z = config_first(block, "zone"); z; z = config_next(z, "zone")) {
        dns_name n;
        if (dns_name_from_text(a, z->words[1], dns_root, &n, NULL) && dns_name_eq(n, origin))
            return true;
    }
    return false;
}

// A steered name must be in the zone that answers for it, with addresses for when steering has said nothing yet.
static bool steered_mark(server *s, str *why)
{
    bool good = true;
    for (int i = 0; i < s->steered.count; i++) {
        const zone *around = zone_table_find(&s->zones, s->steered.names[i].name);
        zone *z = around ? zone_table_get(&s->zones, around->origin) : NULL;
        if (z && zone_steer(z, s->steered.names[i].name))
            continue;
        str sentence = str_format(s->room->memory, "steered " STR_FMT ": no zone of this server has the name; give it an address there, for when "
                                  "steering has not said anything yet", STR_ARG(s->following[i].text));
        log_line("authoritative", LOG_ERROR, "name not steered", F_STR("why", sentence));
        *why = good ? sentence : *why;
        good = false;
    }
    return good;
}

// All zones of the block; what it does not name any more goes. The first error is in *why, later zones are still taken.
static bool zones_take(server *s, const statement *block, str *why)
{
    bool good = true;
    for (const statement *z = config_first(block, "zone"); z; z = config_next(z, "zone")) {
        arena a = arena_make(LOAD_ARENA_BYTES);
        str sentence = {0};
        if (!zone_take(s, z, &a, &sentence)) {
            log_line("authoritative", LOG_ERROR, "zone not loaded", F_STR("zone", z->words[1]), F_STR("why", sentence));
            if (good)
                *why = str_copy(s->room->memory, sentence);
            good = false;
        }
        arena_free(&a);
    }
    arena a = arena_make(LOAD_ARENA_BYTES);
    for (int i = s->zones.count - 1; i >= 0; i--)
        if (!still_named(block, s->zones.zones[i]->origin, &a))
            zone_free(zone_table_remove(&s->zones, s->zones.zones[i]->origin));
    arena_free(&a);
    count_records(s);
    str sentence = {0};
    if (!steered_mark(s, &sentence)) {
        *why = good ? sentence : *why;
        good = false;
    }
    arena words = arena_make(LOAD_ARENA_BYTES);
    if (!tracker_records_put(&s->zones, block, &words, &sentence)) {
        log_line("authoritative", LOG_ERROR, "no tracker record", F_STR("why", sentence));
        *why = good ? str_copy(s->room->memory, sentence) : *why;
        good = false;
    }
    arena_free(&words);
    return good;
}

static void recurse_take(server *s, const statement *block)
{
    s->recurse_count = 0;
    for (const statement *p = config_first(block, "recurse"); p; p = config_next(p, "recurse"))
        for (int i = 1; i < p->word_count && s->recurse_count < RECURSE_PREFIXES_MAX; i++) {
            prefix *to = &s->recurse[s->recurse_count];
            s->recurse_count += prefix_parse(p->words[i], &to->prefix, &to->bits);
        }
}

// Steered names.

static bool steered_take(server *s, const statement *block, str *why)
{
    int count = 0;
    for (const statement *n = config_first(block, "steered"); n; n = config_next(n, "steered"))
        count++;
    s->following = count && count <= STEERED_NAMES_MAX ? memory_zeroed((size_t)count, sizeof *s->following) : NULL;
    if (count > STEERED_NAMES_MAX) {
        *why = S("authoritative: at most 16 names are steered");
        return false;
    }
    for (const statement *n = config_first(block, "steered"); n; n = config_next(n, "steered")) {
        steered_name *name = &s->steered.names[s->steered.count];
        const char *sentence = NULL;
        if (!dns_name_from_text(s->room->memory, n->words[1], dns_root, &name->name, &sentence)) {
            *why = str_format(s->room->memory, "steered " STR_FMT ": %s", STR_ARG(n->words[1]), sentence);
            return false;
        }
        s->following[s->steered.count] = (steered_following){.room = s->room, .text = n->words[1], .name = name,
                                                             .memory = {arena_make(STEERED_MEMORY_BYTES_MAX), arena_make(STEERED_MEMORY_BYTES_MAX)}};
        s->steered.count++;
    }
    if (s->steered.count)
        steered_meters_show();
    return true;
}

static err steered_start(server *s)
{
    err e = E_OK;
    for (int i = 0; i < s->steered.count && !e; i++)
        e = scope_go(s->room->scope, "authoritative steered", steered_follow, &s->following[i]);
    return e;
}

// Control: GET zones, POST reload.

static void zone_put_json(buf *out, arena *a, const zone *z)
{
    const zone_set *set = zone_node_set(z->apex, DNS_SOA);
    uint32_t cursor = 0;
    str rdata = {0};
    dns_soa soa = {0};
    if (set && zone_set_next(set, &cursor, &rdata))
        (void)dns_rdata_soa(rdata, &soa);
    buf_put(out, S("{\"zone\":"));
    json_put(out, dns_name_text(a, z->origin));
    buf_format(out, ",\"serial\":%u,\"records\":%zu,\"names\":%zu}", soa.serial, z->records, z->nodes);
}

static void control_zones(void *arg, const http_request *q, http_reply *reply, arena *msg)
{
    server *s = arg;
    buf out = buf_make(ZONES_TEXT_BYTES_MAX);
    (void)q;
    buf_put(&out, S("{\"zones\":["));
    for (int i = 0; i < s->zones.count; i++) {
        arena a = arena_make(LOAD_ARENA_BYTES);
        buf_put(&out, i ? S(",") : S(""));
        zone_put_json(&out, &a, s->zones.zones[i]);
        arena_free(&a);
    }
    buf_put(&out, S("]}\n"));
    http_answer(reply, 200, S("application/json"), str_copy(msg, buf_str(&out)));
    buf_free(&out);
}

static void control_reload_zones(void *arg, const http_request *q, http_reply *reply, arena *msg)
{
    server *s = arg;
    str why = {0};
    if (!str_eq(q->method, S("POST")))
        control_error(reply, 405, S("reload changes something: POST it"), msg);
    else if (zones_take(s, s->room->settings, &why))
        http_answer(reply, 200, S("application/json"), str_format(msg, "{\"zones\":%d}\n", s->zones.count));
    else
        control_error(reply, 409, why, msg);
}

static void control_steered(void *arg, const http_request *q, http_reply *reply, arena *msg)
{
    server *s = arg;
    buf out = buf_make(ZONES_TEXT_BYTES_MAX);
    (void)q;
    buf_put(&out, S("{\"steered\":["));
    for (int i = 0; i < s->steered.count; i++) {
        const steered_following *f = &s->following[i];
        const steered_ranking *r = f->name->ranking;
        buf_put(&out, i ? S(",{\"name\":") : S("{\"name\":"));
        json_put(&out, f->text);
        buf_format(&out, ",\"version\":%llu,\"ttl_s\":%u,\"networks\":%d,\"silent\":%s,\"heard_ms_ago\":%lld}", r ? (unsigned long long)r->version : 0,
                   r ? r->ttl_s : 0, r ? r->network_count : 0, f->silent ? "true" : "false",
                   f->heard_ns ? (long long)((world_now_ns(s->room->world) - f->heard_ns) / NS_PER_MS) : -1);
    }
    buf_put(&out, S("]}\n"));
    http_answer(reply, 200, S("application/json"), str_copy(msg, buf_str(&out)));
    buf_free(&out);
}

static void control_open_routes(server *s)
{
    enum { ROUTES = 3 };
    control_route *routes = arena_array(s->room->memory, control_route, ROUTES);
    must(routes);
    routes[0] = (control_route){"/zones", control_zones, s};
    routes[1] = (control_route){"/reload", control_reload_zones, s};
    routes[2] = (control_route){"/steered", control_steered, s};
    control_add(s->room, routes, ROUTES);
}

// The room.

static err start(room *r, str *why)
{
    server *s = memory_zeroed(1, sizeof *s);
    s->room = r;
    s->msg = arena_make(MESSAGE_ARENA_BYTES);
    r->state = s;
    meter_show(&queries);
    meter_show(&replies);
    meter_show(&recursions);
    meter_show(&subnets);
    s->by_subnet = config_bool(r->settings, settings, "subnet");
    recurse_take(s, r->settings);
    if (!steered_take(s, r->settings, why) || !zones_take(s, r->settings, why))
        return E_PROTOCOL;
    control_open_routes(s);
    err e = steered_start(s);
    return e ? e : dns_doors_open(&s->doors, r, on_datagram, on_stream, s, false, why);
}

// Every zone must load before any is taken.
static err check(room *r, const statement *block, str *why)
{
    bool good = true;
    for (const statement *z = config_first(block, "zone"); z && good; z = config_next(z, "zone")) {
        arena a = arena_make(LOAD_ARENA_BYTES);
        str sentence = {0};
        zone *loaded = zone_read(r->state, z, &a, &sentence);
        good = loaded != NULL;
        if (!good)
            *why = str_copy(r->memory, sentence);
        zone_free(loaded);
        arena_free(&a);
    }
    return good ? E_OK : E_PROTOCOL;
}

static err reload(room *r, const statement *block, str *why)
{
    server *s = r->state;
    r->settings = block;
    s->by_subnet = config_bool(block, settings, "subnet");
    recurse_take(s, block);
    return zones_take(s, block, why) ? E_OK : E_PROTOCOL;
}

static void stop(room *r)
{
    server *s = r->state;
    dns_doors_stop(&s->doors);
}

static void gone(room *r)
{
    server *s = r->state;
    meter_add(&records, -s->records_counted);
    zone_table_free(&s->zones);
    for (int i = 0; i < s->steered.count; i++)
        steered_follow_free(&s->following[i]);
    memory_free(s->following);
    arena_free(&s->msg);
    memory_free(s);
}

const room_kind authoritative_kind = {.name = "authoritative", .settings = settings, .every_loop = true, .start = start,
                                      .check = check, .reload = reload, .stop = stop, .gone = gone};
