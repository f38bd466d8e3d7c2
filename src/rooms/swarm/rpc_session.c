// session-get, session-set, session-stats, port-test.
#include "rooms/swarm/rpc_inside.h"

#include <string.h>

enum { KB = 1000, NOT_KNOWN = -1 };

static void set(json_t *o, const char *key, json_t *value) { json_object_set_new(o, key, value); }

static json_t *units(void)
{
    json_t *speed = json_pack("[s,s,s,s]", "kB/s", "MB/s", "GB/s", "TB/s"), *size = json_pack("[s,s,s,s]", "kB", "MB", "GB", "TB");
    json_t *memory = json_pack("[s,s,s,s]", "KiB", "MiB", "GiB", "TiB");
    return json_pack("{s:o, s:i, s:o, s:i, s:o, s:i}", "speed-units", speed, "speed-bytes", KB, "size-units", size, "size-bytes", KB,
                     "memory-units", memory, "memory-bytes", 1024);
}

// What this program has no such thing of, as a Transmission that has it switched off would say.
static void absent_put(json_t *o)
{
    static const char *const off[] = {
        "alt-speed-enabled", "alt-speed-time-enabled", "blocklist-enabled", "download-queue-enabled", "idle-seeding-limit-enabled",
        "incomplete-dir-enabled", "peer-port-random-on-start", "port-forwarding-enabled", "queue-stalled-enabled",
        "script-torrent-done-enabled", "seed-queue-enabled", "trash-original-torrent-files", "utp-enabled",
    };
    static const struct { const char *key; int value; } numbers[] = {
        {"alt-speed-down", 50}, {"alt-speed-up", 50}, {"alt-speed-time-begin", 540}, {"alt-speed-time-end", 1020}, {"alt-speed-time-day", 127},
        {"blocklist-size", 0}, {"download-queue-size", SWARM_TORRENTS_MAX}, {"seed-queue-size", SWARM_TORRENTS_MAX},
        {"idle-seeding-limit", 30}, {"queue-stalled-minutes", 30}, {"cache-size-mb", STORE_CACHE_BYTES >> 20},
    };
    static const char *const empty[] = {"blocklist-url", "script-torrent-done-filename"};
    for (size_t i = 0; i < sizeof off / sizeof *off; i++)
        set(o, off[i], json_false());
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        set(o, numbers[i].key, json_integer(numbers[i].value));
    for (size_t i = 0; i < sizeof empty / sizeof *empty; i++)
        set(o, empty[i], json_string(""));
}

const char *rpc_session_get(rpc *x, json_t *arguments, json_t *out, arena *msg)
{
    swarm *s = x->swarm;
    swarm_view v;
    const json_t *wanted = json_object_get(arguments, "fields");
    int64_t space = NOT_KNOWN;
    (void)msg;
    swarm_look(s, &v);
    (void)rpc_space(x, v.directory, &space);
    absent_put(out);
    set(out, "config-dir", rpc_text(x->room->directory));
    set(out, "dht-enabled", json_boolean(s->dht_on));
    set(out, "download-dir", rpc_text(v.directory));
    set(out, "incomplete-dir", rpc_text(v.directory));
    set(out, "download-dir-free-space", json_integer(space));
    set(out, "encryption", json_string("tolerated"));
    set(out, "lpd-enabled", json_boolean(s->local_on));
    set(out, "peer-limit-global", json_integer(s->peers_max));
    set(out, "peer-limit-per-torrent", json_integer(s->torrent_peers_max));
    set(out, "peer-port", json_integer(v.port));
    set(out, "pex-enabled", json_boolean(s->pex_on));
    set(out, "rename-partial-files", json_true());
    set(out, "rpc-version", json_integer(RPC_VERSION));
    set(out, "rpc-version-minimum", json_integer(RPC_VERSION_MIN));
    set(out, "seedRatioLimit", json_fixed(s->ratio_per_mille > 0 ? s->ratio_per_mille : RPC_RATIO_USUAL, 1000));
    set(out, "seedRatioLimited", json_boolean(s->ratio_per_mille > 0));
    set(out, "session-id", json_string(x->session));
    set(out, "speed-limit-down", json_integer((v.limit_down ? v.limit_down : x->limit_down) / KB));
    set(out, "speed-limit-down-enabled", json_boolean(v.limit_down > 0));
    set(out, "speed-limit-up", json_integer((v.limit_up ? v.limit_up : x->limit_up) / KB));
    set(out, "speed-limit-up-enabled", json_boolean(v.limit_up > 0));
    set(out, "start-added-torrents", json_boolean(!x->add_paused));
    set(out, "units", units());
    set(out, "version", json_string("3.00 (naru " NARU_VERSION ")"));
    if (json_is_array(wanted)) {
        void *next;
        const char *key;
        json_t *value;
        json_object_foreach_safe(out, next, key, value) {
            bool asked = false;
            const json_t *one;
            size_t i;
            json_array_foreach(wanted, i, one)
                asked = asked || (json_is_string(one) && strcmp(json_string_value(one), key) == 0);
            if (!asked)
                json_object_del(out, key);
        }
    }
    return NULL;
}

static void limit_take(const json_t *a, const char *number_key, const char *switch_key, int64_t *last, int64_t *now)
{
    const json_t *on = json_object_get(a, switch_key);
    int64_t kb;
    if (json_fixed_value(json_object_get(a, number_key), 1, RPC_RATE_KB_MAX, &kb)) {
        *last = kb < 0 ? 0 : kb * KB;
        *now = *now ? *last : 0;
    }
    if (on)
        *now = json_is_true(on) ? *last : 0;
}

// Limits of all torrents together hold until the program ends; what is to stay stands in the configuration. What this program has no
// such thing of is passed over, as Transmission passes over what it does not know: front ends send whole pages of settings back.
const char *rpc_session_set(rpc *x, json_t *arguments, json_t *out, arena *msg)
{
    swarm_view v;
    (void)out, (void)msg;
    swarm_look(x->swarm, &v);
    int64_t up = v.limit_up, down = v.limit_down;
    limit_take(arguments, "speed-limit-down", "speed-limit-down-enabled", &x->limit_down, &down);
    limit_take(arguments, "speed-limit-up", "speed-limit-up-enabled", &x->limit_up, &up);
    if (up != v.limit_up || down != v.limit_down)
        swarm_limit(x->swarm, up, down);
    const json_t *limited = json_object_get(arguments, "seedRatioLimited");
    int64_t per_mille;
    if (json_fixed_value(json_object_get(arguments, "seedRatioLimit"), 1000, RPC_RATIO_MAX, &per_mille) && per_mille >= 0)
        x->swarm->ratio_per_mille = per_mille;
    if (limited && !json_is_true(limited))
        x->swarm->ratio_per_mille = 0;
    if (json_is_boolean(json_object_get(arguments, "start-added-torrents")))
        x->add_paused = json_is_false(json_object_get(arguments, "start-added-torrents"));
    if (json_object_get(arguments, "download-dir") || json_object_get(arguments, "peer-port"))
        return "download-dir and peer-port are set in naru's configuration (swarm { directory ...; port ... })";
    return NULL;
}

static json_t *stats_of(const swarm_view *v, int64_t seconds)
{
    return json_pack("{s:I, s:I, s:I, s:I, s:I}", "uploadedBytes", (json_int_t)v->sent, "downloadedBytes", (json_int_t)v->received,
                     "filesAdded", (json_int_t)v->torrents, "sessionCount", (json_int_t)1, "secondsActive", (json_int_t)seconds);
}

const char *rpc_session_stats(rpc *x, json_t *arguments, json_t *out, arena *msg)
{
    swarm_view v;
    (void)arguments, (void)msg;
    swarm_look(x->swarm, &v);
    int64_t seconds = (world_now_ns(x->room->world) - v.started_ns) / NS_PER_S;
    set(out, "activeTorrentCount", json_integer(v.active));
    set(out, "downloadSpeed", json_integer(v.rate_down));
    set(out, "pausedTorrentCount", json_integer(v.paused));
    set(out, "torrentCount", json_integer(v.torrents));
    set(out, "uploadSpeed", json_integer(v.rate_up));
    set(out, "cumulative-stats", stats_of(&v, seconds));
    set(out, "current-stats", stats_of(&v, seconds));
    return NULL;
}

const char *rpc_port_test(rpc *x, json_t *arguments, json_t *out, arena *msg)
{
    (void)x, (void)arguments, (void)msg;
    set(out, "port-is-open", json_false());
    return "naru asks no stranger whether its port is open; try it from outside";
}
