// The control socket: GET /tracker/figures, GET /tracker/torrents[?hash=HEX]. (Under `naru up` /SERVICE/status is the process's own.)
#include "base/hex.h"
#include "rooms/tracker/room_inside.h"
#include "talk/control.h"

enum { TORRENTS_SHOWN_MAX = 10000, JSON_BYTES_MAX = 8 << 20 };

static void on_figures(void *arg, const http_request *q, http_reply *reply, arena *msg)
{
    tracker_room *t = arg;
    swarms_figures f = swarms_figures_now(t->core.store);
    buf out = buf_make(JSON_BYTES_MAX);
    (void)q;
    buf_format(&out, "{\"torrents\":%u,\"peers\":%u,\"peers_ipv4\":%u,\"peers_ipv6\":%u,\"seeds\":%u,\"expired\":%llu,", f.torrents,
               f.peers[0] + f.peers[1], f.peers[0], f.peers[1], f.seeds, (unsigned long long)f.expired);
    buf_format(&out, "\"bytes\":%llu,\"open\":%s,\"private\":%s,\"managed\":%s,\"keys\":%d,\"interval_s\":%u,\"interval_min_s\":%u,",
               (unsigned long long)swarms_bytes(t->core.store), t->core.access.open ? "true" : "false", t->core.access.all_private ? "true" : "false",
               t->core.access.all_managed ? "true" : "false", t->core.access.key_count, t->core.rules.interval_s,
               t->core.rules.interval_min_s);
    buf_format(&out, "\"port\":%u,\"restored\":%lld,\"unsaved\":%lld,\"lost\":%lld}\n", t->real_port, (long long)t->keep.restored,
               (long long)t->keep.unsaved, (long long)t->keep.lost);
    control_answer(reply, &out, msg);
}

static void torrent_put(buf *out, const tracker_room *t, const torrent *x)
{
    unsigned char hex[2 * TRACKER_HASH_BYTES];
    hex_encode(hex, str_of(x->hash, TRACKER_HASH_BYTES));
    buf_format(out, "{\"info_hash\":\"" STR_FMT "\",\"seeds\":%u,\"leechers\":%u,\"downloaded\":%u,", STR_ARG(str_of(hex, sizeof hex)),
               torrent_seeds(x), torrent_leechers(x), x->downloaded);
    buf_format(out, "\"listed\":%s,\"managed\":%s,\"private\":%s}", x->listed ? "true" : "false",
               x->managed || t->core.access.all_managed ? "true" : "false", x->private || t->core.access.all_private ? "true" : "false");
}

static void on_torrents(void *arg, const http_request *q, http_reply *reply, arena *msg)
{
    tracker_room *t = arg;
    uint8_t hash[TRACKER_HASH_BYTES];
    uint32_t all = swarms_figures_now(t->core.store).torrents, shown = 0;
    str wanted = http_query_get(q, S("hash"), msg);
    if (wanted.len && (wanted.len != 2 * TRACKER_HASH_BYTES || !hex_decode(hash, wanted))) {
        control_error(reply, 400, S("hash wants 40 hexadecimal digits"), msg);
        return;
    }
    buf out = buf_make(JSON_BYTES_MAX);
    const torrent *one = wanted.len ? swarms_find(t->core.store, hash) : NULL;
    buf_format(&out, "{\"all\":%u,\"torrents\":[", all);
    if (one)
        torrent_put(&out, t, one);
    for (; !wanted.len && shown < all && shown < TORRENTS_SHOWN_MAX; shown++) {
        buf_put(&out, shown ? S(",\n") : S("\n"));
        torrent_put(&out, t, swarms_torrent(t->core.store, shown));
    }
    buf_put(&out, S("]}\n"));
    control_answer(reply, &out, msg);
}

void tracker_routes_open(tracker_room *t)
{
    enum { ROUTES = 2 };
    control_route *routes = arena_array(t->room->memory, control_route, ROUTES);
    routes[0] = (control_route){"/figures", on_figures, t};
    routes[1] = (control_route){"/torrents", on_torrents, t};
    control_add(t->room, routes, ROUTES);
}
