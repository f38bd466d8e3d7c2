// Ids of torrents for the remote control: small numbers, given in the order in which torrents are seen, never given twice.
#include "rooms/swarm/rpc_inside.h"

#include <string.h>

#include "base/heap_memory.h"

enum { NUMBERS_FIRST = 64, NUMBERS_MAX = 4 * SWARM_TORRENTS_MAX };       // with those that are gone

static str key_of(const uint8_t *hash) { return str_of(hash, INFO_HASH_BYTES); }

// Keys of the map point into the table: when it moves they are put in anew.
static bool numbers_grow(rpc *x)
{
    int size = x->number_room ? 2 * x->number_room : NUMBERS_FIRST;
    rpc_number *bigger = size <= NUMBERS_MAX ? arena_array(x->room->memory, rpc_number, size) : NULL;
    if (!bigger)
        return false;
    if (x->number_count)
        memcpy(bigger, x->numbers, sizeof *bigger * (size_t)x->number_count);
    x->numbers = bigger;
    x->number_room = size;
    for (int i = 0; i < x->number_count; i++)
        if (!bigger[i].removed_s)
            map_put(&x->by_hash, key_of(bigger[i].hash), &bigger[i]);
    return true;
}

int rpc_number_of(rpc *x, const torrent *t)
{
    rpc_number *n = map_get(&x->by_hash, key_of(t->hash));
    if (!n) {
        if (x->number_count == x->number_room && !numbers_grow(x))
            return 0;
        n = &x->numbers[x->number_count++];
        *n = (rpc_number){.changed_s = world_wall_s(x->room->world), .state = t->state};
        memcpy(n->hash, t->hash, sizeof n->hash);
        map_put(&x->by_hash, key_of(n->hash), n);
    }
    return (int)(n - x->numbers) + 1;
}

rpc_number *rpc_number_at(rpc *x, int64_t id)
{
    return id >= 1 && id <= x->number_count ? &x->numbers[id - 1] : NULL;
}

torrent *rpc_torrent_at(rpc *x, int64_t id)
{
    rpc_number *n = rpc_number_at(x, id);
    return n && !n->removed_s ? swarm_find(x->swarm, n->hash) : NULL;
}

void rpc_numbers_look(rpc *x)
{
    int64_t now_s = world_wall_s(x->room->world);
    for (torrent *t = swarm_first(x->swarm); t; t = swarm_next(t)) {
        rpc_number *n = rpc_number_at(x, rpc_number_of(x, t));
        if (n && (n->state != t->state || t->peer_count)) {
            n->state = t->state;
            n->changed_s = now_s;
        }
    }
    for (int i = 0; i < x->number_count; i++)
        if (!x->numbers[i].removed_s && !swarm_find(x->swarm, x->numbers[i].hash)) {
            x->numbers[i].removed_s = now_s;
            map_remove(&x->by_hash, key_of(x->numbers[i].hash));
        }
}
