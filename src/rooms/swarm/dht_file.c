// The table as a file: who answered us last, and the ids we had. A hint for the next start, not a truth.
#include <string.h>

#include "rooms/swarm/dht_core.h"

static const bencode_limits limits = {DHT_FILE_BYTES_MAX, 64, 4, true, false};

static void nodes_write(const dht_table *t, int family, buf *out)
{
    int count = 0;
    for (int b = 0; b < DHT_BUCKETS; b++)
        count += t->bucket[b].live_count;
    buf_format(out, "%d:", count * (DHT_ID_BYTES + endpoint_bytes(family)));
    for (int b = 0; b < DHT_BUCKETS; b++)
        for (int i = 0; i < t->bucket[b].live_count; i++) {
            buf_put(out, str_of(t->bucket[b].live[i].id, DHT_ID_BYTES));
            endpoint_put_all(out, &t->bucket[b].live[i].at, 1, family);
        }
}

bool dht_file_write(const dht_core *c, buf *out)
{
    buf_put_byte(out, 'd');
    bencode_put_key(out, "id");
    bencode_put_string(out, str_of(c->side[0].table.own, DHT_ID_BYTES));
    bencode_put_key(out, "id6");
    bencode_put_string(out, str_of(c->side[1].table.own, DHT_ID_BYTES));
    bencode_put_key(out, "nodes");
    nodes_write(&c->side[0].table, 4, out);
    bencode_put_key(out, "nodes6");
    nodes_write(&c->side[1].table, 6, out);
    return buf_put_byte(out, 'e');
}

static void nodes_read(dht_core *c, str compact, int family)
{
    reader r = rd_of(compact);
    for (int i = 0; i < DHT_BUCKETS * DHT_K && rd_left(&r) >= DHT_ID_BYTES + endpoint_bytes(family); i++) {
        str id = rd_bytes(&r, DHT_ID_BYTES);
        addr at = endpoint_read(&r, family);
        if (at.port)
            dht_core_seed(c, id.at, at);
    }
}

bool dht_file_read(dht_core *c, str in)
{
    arena a = arena_make(DHT_FILE_BYTES_MAX);
    bencode_refusal why;
    const bencode_node *root = bencode_read(in, &limits, &a, &why);
    for (int side = 0; side < 2 && root; side++) {
        str id = bencode_get_string(root, side ? S("id6") : S("id"));
        if (id.len == DHT_ID_BYTES)
            dht_table_rekey(&c->side[side].table, id.at);
        nodes_read(c, bencode_get_string(root, side ? S("nodes6") : S("nodes")), side ? 6 : 4);
    }
    arena_free(&a);
    return root != NULL;
}
