// The swarm as a service: settings, doors, the torrents it holds.
#include <string.h>

#include "base/heap_memory.h"
#include "base/must.h"
#include "rooms/swarm/swarm_inside.h"
#include "rooms/swarm/rpc.h"
#include "rooms/swarm/swarm_meters.h"
#include "rooms/swarm/watch.h"
#include "rt/log.h"
#include "rt/loop.h"
#include "rt/tls.h"

enum { ADDRESSES_MAX = WORLD_ADDRESSES_MAX, CONNS_PER_ADDRESS = 64, BITS = 8 };
#define SAVE_NS (5 * NS_PER_S)

const setting swarm_settings[] = {
    {.key = "listen", .type = SETTING_HOST, .repeated = true, .help_en = "addresses to listen on for peers; none: the node's own",
     .help_ko = "피어를 기다리는 주소; 없으면 노드의 주소"},
    {.key = "port", .type = SETTING_INT, .fallback = "6881", .min = 0, .max = 65535, .help_en = "TCP port for peers, UDP port of the DHT",
     .help_ko = "피어의 TCP 포트, DHT의 UDP 포트"},
    {.key = "directory", .type = SETTING_TEXT, .help_en = "where files go; none: downloads in the service's data directory",
     .help_ko = "파일을 두는 곳"},
    {.key = "limit-up", .type = SETTING_RATE, .fallback = "0bit", .reloadable = true, .help_en = "what all torrents may send; 0bit: no limit",
     .help_ko = "모든 토렌트가 보낼 수 있는 속도"},
    {.key = "limit-down", .type = SETTING_RATE, .fallback = "0bit", .reloadable = true,
     .help_en = "what all torrents may receive; 0bit: no limit", .help_ko = "모든 토렌트가 받을 수 있는 속도"},
    {.key = "mode", .type = SETTING_TEXT, .choices = "course|default|managed", .fallback = "default", .reloadable = true,
     .help_en = "who is sent to: course, default or managed", .help_ko = "누구에게 보낼지: course, default, managed"},
    {.key = "slots", .type = SETTING_INT, .fallback = "4", .min = 1, .max = CHOKER_SLOTS_MAX, .reloadable = true,
     .help_en = "peers that are sent to at once, of each torrent", .help_ko = "토렌트마다 동시에 보내는 피어 수"},
    {.key = "peers", .type = SETTING_INT, .fallback = "400", .min = 1, .max = SWARM_PEERS_MAX, .reloadable = true,
     .help_en = "connected peers, all together", .help_ko = "연결된 모든 피어 수"},
    {.key = "torrent-peers", .type = SETTING_INT, .fallback = "80", .min = 1, .max = SWARM_TORRENT_PEERS_MAX, .reloadable = true,
     .help_en = "connected peers of one torrent", .help_ko = "토렌트마다 연결된 피어 수"},
    {.key = "ratio-percent", .type = SETTING_INT, .fallback = "0", .min = 0, .max = 1000000, .reloadable = true,
     .help_en = "seeding pauses when so much of its length was sent; 0: never", .help_ko = "길이의 몇 퍼센트를 보내면 멈출지; 0: 멈추지 않음"},
    {.key = "dht", .type = SETTING_BOOL, .fallback = "on", .help_en = "take part in the distributed hash table", .help_ko = "DHT에 참여"},
    {.key = "dht-router", .type = SETTING_LIST, .help_en = "host:port of nodes to begin with", .help_ko = "처음에 물어볼 DHT 노드"},
    {.key = "peer-exchange", .type = SETTING_BOOL, .fallback = "on", .help_en = "hear of peers from peers", .help_ko = "피어에게서 피어를 들음"},
    {.key = "local-discovery", .type = SETTING_BOOL, .fallback = "off", .help_en = "find peers of the same network by multicast",
     .help_ko = "같은 망의 피어를 멀티캐스트로 찾음"},
    {.key = "private-peers", .type = SETTING_BOOL, .fallback = "off",
     .help_en = "an own network: trackers and peers may name private addresses", .help_ko = "사설 주소의 피어도 받아들임"},
    {.key = "rpc-port", .type = SETTING_INT, .fallback = "9091", .min = 0, .max = 65535,
     .help_en = "TCP port of the remote control (Transmission's RPC) and the page; 0: none", .help_ko = "원격 제어(Transmission RPC)와 페이지의 TCP 포트; 0: 없음"},
    {.key = "rpc-listen", .type = SETTING_LIST, .help_en = "addresses of the remote control; none: this machine alone",
     .help_ko = "원격 제어의 주소; 없으면 이 컴퓨터에서만"},
    {.key = "rpc-user", .type = SETTING_TEXT, .fallback = "naru", .help_en = "who may use the remote control", .help_ko = "원격 제어 사용자 이름"},
    {.key = "rpc-password", .type = SETTING_TEXT, .help_en = "its password; none: nobody is asked", .help_ko = "원격 제어 비밀번호; 없으면 묻지 않음"},
    {.key = "rpc-host", .type = SETTING_LIST, .help_en = "names by which browsers may ask for it, besides addresses and localhost",
     .help_ko = "주소와 localhost 말고 브라우저가 쓸 수 있는 이름"},
    {.key = "rpc-open", .type = SETTING_BOOL, .fallback = "off", .help_en = "no password although others can reach it: a lab of one's own",
     .help_ko = "다른 컴퓨터에서 닿을 수 있어도 비밀번호를 묻지 않음: 실습용"},
    {.key = "watch", .type = SETTING_TEXT, .help_en = "a directory: torrent files put there are added",
     .help_ko = "이 디렉터리에 둔 토렌트 파일을 추가"},
    {.key = "resolver", .type = SETTING_LIST, .help_en = "name servers to ask for trackers' addresses", .help_ko = "트래커 주소를 물어볼 네임 서버"},
    {0},
};

swarm *swarm_of(room *r) { return r->state; }

void swarm_changed(torrent *t)
{
    swarm *s = t->swarm;
    if (s->listener)
        s->listener(s->listener_arg, t, t->state);
}

void swarm_listen(swarm *s, swarm_listener *listener, void *arg)
{
    s->listener = listener;
    s->listener_arg = arg;
}

// ---- torrents -----------------------------------------------------------------------------------------------------------

torrent *torrent_new(swarm *s, const torrent_entry *e)
{
    torrent *t = memory_zeroed(1, sizeof *t);
    t->swarm = s;
    memcpy(t->hash, e->hash, sizeof t->hash);
    t->state = e->paused ? TORRENT_PAUSED : TORRENT_QUEUED;
    t->sent = e->sent;
    t->received = e->received;
    t->wasted = e->wasted;
    rate_limit_set(&t->up, e->limit_up, loop_now_ns());
    rate_limit_set(&t->down, e->limit_down, loop_now_ns());
    list_init(&t->known);
    list_init(&t->coming);
    list_init(&t->to_finish);
    list_init(&t->spare);
    t->tally.secret = world_random_u64(s->w);
    list_append(&s->torrents, &t->link);
    must(map_put(&s->by_hash, str_of(t->hash, sizeof t->hash), t));
    s->torrent_count++;
    return t;
}

void torrent_free(torrent *t)
{
    swarm *s = t->swarm;
    map_remove(&s->by_hash, str_of(t->hash, sizeof t->hash));
    list_remove(&t->link);
    s->torrent_count--;
    known_free(t);
    torrent_deadlines_free(t);
    memory_free(t);
}

torrent *swarm_find(swarm *s, const uint8_t hash[INFO_HASH_BYTES]) { return map_get(&s->by_hash, str_of(hash, INFO_HASH_BYTES)); }
int      swarm_count(const swarm *s) { return s->torrent_count; }

torrent *swarm_first(swarm *s)
{
    list_link *l = list_first(&s->torrents);
    return l ? LIST_OF(l, torrent, link) : NULL;
}

torrent *swarm_next(torrent *t)
{
    list_link *l = list_next(&t->swarm->torrents, &t->link);
    return l ? LIST_OF(l, torrent, link) : NULL;
}

static void priorities_take(torrent_entry *e, const swarm_addition *what, arena *a)
{
    unsigned char *bytes = what->file_count ? arena_alloc(a, (size_t)what->file_count, 1, 1) : NULL;
    for (int i = 0; bytes && i < what->file_count; i++)
        bytes[i] = (unsigned char)what->files[i];
    if (bytes && what->file_count == e->file_count)
        torrent_entry_text(e, &e->priorities, str_of(bytes, (size_t)what->file_count));
}

err swarm_add(swarm *s, const swarm_addition *what, torrent **out, arena *msg, str *why)
{
    torrent_entry *e = NULL;
    str directory = what->directory.len ? what->directory : s->directory;
    err failed = what->magnet.len ? torrent_list_add_magnet(s->entries, what->magnet, directory, msg, &e, why)
                                  : torrent_list_add(s->entries, what->metainfo, directory, msg, &e, why);
    *out = e ? swarm_find(s, e->hash) : NULL;
    if (failed || s->stopping)
        return failed ? failed : E_CANCELED;
    e->paused = what->paused;
    e->sequential = what->sequential;
    e->superseed = what->superseed;
    e->limit_up = what->limit_up;
    e->limit_down = what->limit_down;
    e->ratio_per_mille = what->ratio_per_mille;
    priorities_take(e, what, msg);
    if (what->magnet.len && torrent_choices_usable(what->choices))
        torrent_choices_keep(e, what->choices);
    torrent_entry_changed(e);
    torrent *t = *out = torrent_new(s, e);
    for (int i = 0; i < what->peer_count; i++)
        (void)known_add(t, what->peers[i], PEER_FROM_USER);
    if (!e->paused)
        torrent_wake(t);
    swarm_changed(t);
    return torrent_list_save(s->entries);
}

err swarm_remove(torrent *t, bool files, arena *msg, str *why)
{
    swarm *s = t->swarm;
    uint8_t hash[INFO_HASH_BYTES];
    memcpy(hash, t->hash, sizeof hash);
    if (t->removing)
        return E_CANCELED;
    t->removing = true;
    t->remove_files = files;
    while (t->moving)
        gate_wait_uncanceled(&t->ready, "its files to be moved");
    if (files && !t->store)                              // paused: the store knows which files are whose
        torrent_store_open_resting(t);
    torrent_stop(t);
    *why = str_copy(msg, t->remove_why);
    torrent_entry *e = torrent_list_find(s->entries, hash);
    err failed = e ? torrent_list_remove(s->entries, e) : E_OK;
    err forgotten = store_forget(s->pool, torrent_list_directory(s->entries), hash);
    torrent_free(t);
    return failed ? failed : forgotten;
}

void swarm_limit(swarm *s, int64_t up, int64_t down)
{
    rate_limit_set(&s->up, up, loop_now_ns());
    rate_limit_set(&s->down, down, loop_now_ns());
}

void swarm_mode(swarm *s, choker_mode mode)
{
    s->mode = mode;
    for (torrent *t = swarm_first(s); t; t = swarm_next(t))
        torrent_rechoke_soon(t);
}

void swarm_look(swarm *s, swarm_view *out)
{
    int64_t now = loop_now_ns();
    *out = (swarm_view){.torrents = s->torrent_count, .peers = s->peer_count, .rate_up = rate_now(&s->sent_rate, 5 * NS_PER_S, now),
                        .rate_down = rate_now(&s->received_rate, 5 * NS_PER_S, now), .sent = s->sent, .received = s->received,
                        .limit_up = s->up.bytes_per_s, .limit_down = s->down.bytes_per_s, .mode = s->mode, .port = s->port,
                        .directory = s->directory, .started_ns = s->started_ns};
    for (torrent *t = swarm_first(s); t; t = swarm_next(t)) {
        out->active += t->peer_count > 0;
        out->downloading += t->state == TORRENT_DOWNLOADING;
        out->paused += t->state == TORRENT_PAUSED;
    }
}

// ---- settings -----------------------------------------------------------------------------------------------------------

static bool settings_take(swarm *s, const statement *block, str *why)
{
    static const char *const modes[] = {[CHOKER_COURSE] = "course", [CHOKER_DEFAULT] = "default", [CHOKER_MANAGED] = "managed"};
    str mode = config_text(block, swarm_settings, "mode");
    int m = 0;
    while (m <= CHOKER_MANAGED && !str_eq(mode, str_z(modes[m])))
        m++;
    if (m > CHOKER_MANAGED) {
        *why = S("swarm: mode is course, default or managed");
        return false;
    }
    s->mode = (choker_mode)m;
    s->slots = (int)config_int(block, swarm_settings, "slots");
    s->peers_max = (int)config_int(block, swarm_settings, "peers");
    s->torrent_peers_max = (int)config_int(block, swarm_settings, "torrent-peers");
    s->ratio_per_mille = 10 * config_int(block, swarm_settings, "ratio-percent");
    swarm_limit(s, config_int(block, swarm_settings, "limit-up") / BITS, config_int(block, swarm_settings, "limit-down") / BITS);
    return true;
}

// "-NA0100-" and twelve random letters (BEP 20).
static void peer_id_make(swarm *s)
{
    static const char letters[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    memcpy(s->peer_id, "-NA0100-", 8);
    for (int i = 8; i < PEER_HASH_BYTES; i++)
        s->peer_id[i] = (uint8_t)letters[world_random_below(s->w, sizeof letters - 1)];
}

// ---- doors --------------------------------------------------------------------------------------------------------------

static int addresses_take(room *r, addr out[ADDRESSES_MAX])
{
    int count = 0, n;
    const addr *own = world_addresses(r->world, &n);
    for (const statement *l = config_first(r->settings, "listen"); l; l = config_next(l, "listen"))
        for (int i = 1; i < l->word_count && count < ADDRESSES_MAX; i++)
            count += addr_parse_ip(l->words[i], 0, &out[count]);
    for (int i = 0; i < n && !count && i < ADDRESSES_MAX; i++)
        out[i] = own[i];
    if (!count && n)
        return n;
    if (count)
        return count;
    out[0] = addr_v4(0, 0);
    out[1] = (addr){.family = 6};
    return 2;
}

static bool no_ipv6_here(addr at, err e) { return at.family == 6 && addr_is_any(at) && (e == E_UNSUPPORTED || e == E_UNREACHABLE); }

static err doors_open(swarm *s, room *r, str *why)
{
    addr at[ADDRESSES_MAX];
    int count = addresses_take(r, at);
    uint16_t port = (uint16_t)config_int(r->settings, swarm_settings, "port");
    for (int i = 0; i < count; i++) {
        door_options o = {.service = "bittorrent", .at = addr_with_port(at[i], port), .conns_max = s->peers_max,
                          .conns_per_address_max = CONNS_PER_ADDRESS};
        err e = door_open(r->scope, s->w, o, peer_incoming, s, &s->doors[s->door_count]);
        if (no_ipv6_here(at[i], e))
            continue;
        if (e) {
            *why = e == E_UNREACHABLE
                       ? str_format(r->memory, "swarm cannot listen on " STR_FMT ": this machine does not have that address now; nothing is sent by another.",
                                    STR_ARG(addr_text(r->memory, o.at)))
                       : str_format(r->memory, "swarm cannot listen on " STR_FMT ": %s. Set another port (swarm { port N }), or end the program "
                                    "that has it: ss -lntup shows which.", STR_ARG(addr_text(r->memory, o.at)), err_text(e));
            return e;
        }
        addr opened = door_address(s->doors[s->door_count++]);
        port = opened.port;                              // port 0: any, but the same for all
        if (!addr_is_any(opened) && s->own_count < WORLD_ADDRESSES_MAX)
            s->own[s->own_count++] = opened;
    }
    s->port = port;
    return E_OK;
}

// ---- finding peers ------------------------------------------------------------------------------------------------------

static void local_heard(void *arg, const uint8_t hash[LOCAL_HASH_BYTES], addr at)
{
    torrent *t = swarm_find(arg, hash);
    if (t)
        torrent_heard_of(t, &at, 1, PEER_FROM_LOCAL);
}

static void asker_make(swarm *s, room *r)
{
    str why = {0};
    s->asker = (tracker_asker){.world = s->w, .private_allowed = s->private_allowed, .ways = arena_new(r->memory, tracker_ways)};
    for (const statement *l = config_first(r->settings, "resolver"); l; l = config_next(l, "resolver"))
        for (int i = 1; i < l->word_count && s->asker.dns_count < TRACKER_ASK_SERVERS_MAX; i++)
            s->asker.dns_count += addr_parse(l->words[i], 53, &s->asker.dns[s->asker.dns_count]);
    s->asker.tls = s->tls = tls_client_new(s->w, (str){0}, NULL, r->memory, &why);
}

static err dht_begin(swarm *s, room *r)
{
    dht_settings d = {.world = s->w, .directory = room_directory(r), .private_allowed = s->private_allowed};
    addr at[ADDRESSES_MAX];
    int count = addresses_take(r, at);
    for (int i = 0; i < count; i++)
        if (!d.at[at[i].family == 6].family)
            d.at[at[i].family == 6] = addr_with_port(at[i], s->port);
    for (const statement *l = config_first(r->settings, "dht-router"); l; l = config_next(l, "dht-router"))
        for (int i = 1; i < l->word_count && d.router_count < DHT_ROUTERS_MAX; i++)
            d.routers[d.router_count++] = l->words[i];
    d.dns_count = s->asker.dns_count < DHT_NAME_SERVERS_MAX ? s->asker.dns_count : DHT_NAME_SERVERS_MAX;
    memcpy(d.dns, s->asker.dns, (size_t)d.dns_count * sizeof *d.dns);
    return dht_start(r->scope, &d, &s->dht);
}

static err discovery_start(swarm *s, room *r)
{
    asker_make(s, r);
    if (config_bool(r->settings, swarm_settings, "dht") && dht_begin(s, r) != E_OK)
        log_line("swarm", LOG_WARNING, "no DHT", F_INT("port", s->port));
    local_settings l = {.world = s->w, .port = s->port, .private_only = true, .found = local_heard, .arg = s};
    if (config_bool(r->settings, swarm_settings, "local-discovery") && local_discovery_start(r->scope, &l, &s->local) != E_OK)
        log_line("swarm", LOG_WARNING, "no local discovery", F_INT("port", s->port));
    return announcers_start(r->scope, &(announcers_settings){.asker = &s->asker, .dht = s->dht}, &s->announcers);
}

// ---- life ---------------------------------------------------------------------------------------------------------------

static void save_run(void *arg)
{
    swarm *s = arg;
    while (fiber_sleep(SAVE_NS) == E_OK)
        (void)torrent_list_save(s->entries);
}

static err store_start(swarm *s, room *r, str *why)
{
    str directory = room_directory(r), files = config_text(r->settings, swarm_settings, "directory");
    if (!directory.len) {
        *why = str_format(r->memory, "swarm: the data directory cannot be made");
        return E_ACCESS;
    }
    s->directory = files.len ? files : str_format(r->memory, STR_FMT "/downloads", STR_ARG(directory));
    err e = torrent_list_open(s->w, str_format(r->memory, STR_FMT "/torrents", STR_ARG(directory)), r->memory, &s->entries, why);
    if (!e)
        swarm_place_take(s);
    if (!e)
        e = store_pool_open(r->scope, (store_limits){0}, &s->pool);
    return e;
}

static void torrents_start(swarm *s)
{
    for (int i = 0; i < torrent_list_count(s->entries); i++) {
        const torrent_entry *e = torrent_list_at(s->entries, i);
        torrent *t = torrent_new(s, e);
        if (!e->paused)
            torrent_wake(t);
    }
}

static err start(room *r, str *why)
{
    swarm *s = memory_zeroed(1, sizeof *s);
    r->state = s;
    s->room = r;
    s->w = r->world;
    s->torrents_scope = r->scope;
    s->started_ns = world_now_ns(s->w);
    s->starting = (slots){.free = SWARM_STARTING_MAX};
    list_init(&s->torrents);
    list_init(&s->banned_list);
    s->by_hash = map_make(world_random_u64(s->w), SWARM_TORRENTS_MAX);
    s->banned = map_make(world_random_u64(s->w), SWARM_BANNED_MAX);
    s->pex_on = config_bool(r->settings, swarm_settings, "peer-exchange");
    s->private_allowed = config_bool(r->settings, swarm_settings, "private-peers");
    peer_id_make(s);
    swarm_meters_show();
    if (!settings_take(s, r->settings, why))
        return E_PROTOCOL;
    err e = store_start(s, r, why);
    if (!e)
        e = doors_open(s, r, why);
    if (!e)
        e = discovery_start(s, r);
    if (!e)
        e = scope_go(r->scope, "torrents saved", save_run, s);
    if (!e)
        e = rpc_start(s, r, why);
    if (!e)
        e = watch_start(s, r, why);
    if (e)
        return e;
    swarm_backup(s);
    torrents_start(s);
    log_line("swarm", LOG_NOTICE, "ready", F_INT("torrents", s->torrent_count), F_INT("port", s->port));
    return E_OK;
}

static err reload(room *r, const statement *block, str *why)
{
    return settings_take(r->state, block, why) ? E_OK : E_PROTOCOL;
}

static void stop(room *r)
{
    swarm *s = r->state;
    s->stopping = true;
    for (int i = 0; i < s->door_count; i++)
        door_stop(s->doors[i]);
    for (torrent *t = swarm_first(s); t; t = swarm_next(t))
        torrent_wake(t);                                 // all of them say goodbye at the same time
    for (torrent *t = swarm_first(s); t; t = swarm_next(t))
        torrent_stop(t);
    (void)torrent_list_save(s->entries);
    store_pool_close(s->pool);
    s->pool = NULL;
}

static void gone(room *r)
{
    swarm *s = r->state;
    if (!s)
        return;
    for (torrent *t; (t = swarm_first(s)); )
        torrent_free(t);
    map_free(&s->by_hash);
    swarm_bans_free(s);
    torrent_list_close(s->entries);
    tls_free(s->tls);
    r->state = NULL;
    memory_free(s);
}

const room_kind swarm_kind = {.name = "swarm", .settings = swarm_settings, .start = start, .reload = reload, .stop = stop, .gone = gone};
