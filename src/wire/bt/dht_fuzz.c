// Accepted messages are written and read again as the same.
#include <string.h>

#include "base/must.h"
#include "wire/bt/dht.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    arena a = arena_make(1 << 20);
    dht_message m, n;
    bencode_refusal why;
    str in = str_of(data, size);
    if (dht_message_read(in, &a, &m, &why)) {
        buf out = buf_make(2 * DHT_BYTES_MAX);
        must(size <= DHT_BYTES_MAX && m.node_count <= 2 * DHT_NODES_MAX && m.peer_count <= DHT_PEERS_MAX);
        must(dht_message_write(&out, &m));
        if (out.len <= DHT_BYTES_MAX) {
            must(dht_message_read(buf_str(&out), &a, &n, &why));
            must(m.kind == n.kind && m.method == n.method && str_eq(m.transaction, n.transaction));
            must(memcmp(m.id, n.id, DHT_ID_BYTES) == 0 && str_eq(m.token, n.token) && m.want == n.want);
            must(m.node_count == n.node_count && m.peer_count == n.peer_count);
            must(m.port == n.port && m.implied_port == n.implied_port && m.read_only == n.read_only && m.error == n.error);
        }
        buf_free(&out);
    } else {
        must(why.reason && why.offset >= 0 && why.offset <= in.len);
    }
    arena_free(&a);
    return 0;
}
