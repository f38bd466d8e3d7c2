// What is read as a journal is written as bytes that read the same; records that are appended to it are read back; a journal that is cut
// anywhere never says more than the whole one.
#include <string.h>

#include "base/must.h"
#include "rooms/swarm/store_journal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { PIECES = 77, FILES = 3 };

static void within(const bitfield *small, const bitfield *large)
{
    for (int32_t i = 0; i < small->count; i++)
        must(!bitfield_has(small, i) || bitfield_has(large, i));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t hash[INFO_HASH_BYTES] = {1, 2, 3};
    arena a = arena_make(1 << 20);
    buf out = buf_make(1 << 20);
    store_journal j, again, cut;
    if (store_journal_read(str_of(data, size), hash, PIECES, FILES, &a, &j)) {
        must(j.end >= j.snapshot_end && j.end <= (int64_t)size && j.pieces.count == PIECES);
        must(store_journal_write(&out, &j));
        must(store_journal_read(buf_str(&out), hash, PIECES, FILES, &a, &again));
        must(again.end == (int64_t)out.len && str_eq(bitfield_wire(&again.pieces), bitfield_wire(&j.pieces)));
        bitfield more;
        must(bitfield_make(&a, PIECES, &more));
        for (int32_t i = 0; i < PIECES; i++)
            if (bitfield_has(&j.pieces, i) || i % 3 == (int32_t)(size % 3))
                bitfield_add(&more, i);
        must(store_journal_begin(&out, hash, again.end, 5) && store_journal_pieces(&out, hash, (int64_t)out.len, 6, &more, &j.pieces));
        must(store_journal_read(buf_str(&out), hash, PIECES, FILES, &a, &again));
        must(again.end == (int64_t)out.len && again.writing && again.last_ns == 6);
        must(str_eq(bitfield_wire(&again.pieces), bitfield_wire(&more)));
        for (size_t n = 0; n < out.len; n += 7)
            if (store_journal_read(str_first(buf_str(&out), (ptrdiff_t)n), hash, PIECES, FILES, &a, &cut))
                within(&cut.pieces, &more);
    }
    buf_free(&out);
    arena_free(&a);
    return 0;
}
