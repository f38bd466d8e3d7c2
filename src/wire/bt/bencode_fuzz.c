// Canonical bencode is written back byte by byte; a refusal names an offset inside the text; order and rests can be allowed.
#include "base/must.h"
#include "wire/bt/bencode.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    bencode_limits strict = {1 << 14, 4096, 16, false, false}, loose = {1 << 14, 4096, 16, true, true};
    if (size > 1 << 14)
        return 0;
    arena a = arena_make(1 << 20);
    bencode_refusal why;
    str in = str_of(data, size);
    const bencode_node *n = bencode_read(in, &strict, &a, &why);
    must(n || (why.reason && why.offset >= 0 && why.offset <= in.len));
    if (n) {
        buf out = buf_make(1 << 15);
        must(bencode_put_node(&out, n) && str_eq(buf_str(&out), in));
        must(n->span >= 1 && n->len == in.len);
        buf_free(&out);
    }
    const bencode_node *m = bencode_read(in, &loose, &a, &why);
    must(m ? m->len <= in.len : why.offset <= in.len);
    must(!n || m);
    for (const bencode_node *child = m ? bencode_first(m) : NULL; child; child = bencode_next(m, child))
        must(child > m && child + child->span <= m + m->span && child->at + child->len <= m->at + m->len);
    arena_free(&a);
    return 0;
}
