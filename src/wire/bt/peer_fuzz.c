// A stream of messages and the extension messages: what is accepted is written and read again as the same.
#include <string.h>

#include "base/must.h"
#include "wire/bt/peer.h"
#include "wire/bt/peer_extension.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void extension(str in, arena *a)
{
    extension_handshake h, g;
    metadata_message m, n;
    pex_message *p = arena_new(a, pex_message), *q = arena_new(a, pex_message);
    bencode_refusal why;
    buf out = buf_make(1 << 17);
    if (extension_handshake_read(in, a, &h, &why)) {
        must(extension_handshake_write(&out, &h) && extension_handshake_read(buf_str(&out), a, &g, &why));
        must(h.metadata == g.metadata && h.metadata_bytes == g.metadata_bytes && h.port == g.port);
        must(str_eq(h.version, g.version) && h.pex == g.pex && h.requests_max == g.requests_max);
    }
    buf_clear(&out);
    if (metadata_read(in, a, &m, &why)) {
        must(m.data.len <= EXTENSION_METADATA_PIECE && metadata_write(&out, &m) && metadata_read(buf_str(&out), a, &n, &why));
        must(m.kind == n.kind && m.piece == n.piece && str_eq(m.data, n.data));
    }
    buf_clear(&out);
    if (p && q && pex_read(in, a, p, &why)) {
        must(pex_write(&out, p) && pex_read(buf_str(&out), a, q, &why));
        must(p->added_count == q->added_count && p->dropped_count == q->dropped_count);
        must(memcmp(p->flags, q->flags, (size_t)p->added_count) == 0);
    }
    buf_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    peer_rules rules = {size ? data[0] : 0, size & 1};
    str in = str_from(str_of(data, size), 1);
    arena a = arena_make(8 << 20);
    peer_handshake h;
    peer_message m, n;
    ptrdiff_t taken, again;
    const char *why = NULL;
    unsigned char wire[PEER_HANDSHAKE_BYTES];
    if (size > 1 << 15)
        return 0;
    if (peer_handshake_read(in, &h)) {
        peer_handshake_write(wire, &h);
        must(memcmp(wire, in.at, 20) == 0 && memcmp(wire + 28, in.at + 28, 40) == 0);
    }
    extension(in, &a);
    for (peer_progress p; (p = peer_message_read(in, rules, &m, &taken, &why)) == PEER_MESSAGE; in = str_from(in, taken)) {
        buf out = buf_make(1 << 18);
        must(taken >= 4 && taken <= in.len && peer_message_write(&out, &m));
        must(m.kind == PEER_UNKNOWN || str_eq(buf_str(&out), str_first(in, taken)));
        must(peer_message_read(buf_str(&out), rules, &n, &again, &why) == PEER_MESSAGE);
        must(m.kind == n.kind || m.kind == PEER_UNKNOWN);
        if (m.kind == PEER_EXTENDED) {
            arena_reset(&a);
            extension(m.payload, &a);
        }
        buf_free(&out);
    }
    arena_free(&a);
    return 0;
}
