// A stranger's moves, one a few bytes: whatever peers do, asks and answers stay within their limits, and what is whole is what was given.
#include <string.h>

#include "base/bytes.h"
#include "base/must.h"
#include "rooms/swarm/metadata.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned char room[4 * EXTENSION_METADATA_PIECE];

static void step(metadata_fetch *f, reader *r, int64_t now)
{
    unsigned what = rd_u8(r), id = rd_u8(r) % 8, piece = rd_u8(r) % 5;
    int32_t total = (int32_t)(1 + rd_u16(r) % (sizeof room - 1)), next;
    metadata_message m = {METADATA_DATA, (int32_t)piece, total, str_sub(str_of(room, (size_t)total), (ptrdiff_t)piece * EXTENSION_METADATA_PIECE,
                                                                         EXTENSION_METADATA_PIECE)};
    uint8_t digest[20] = {(uint8_t)(what >> 4)};
    int liar;
    switch (what % 7) {
    case 0: metadata_fetch_peer(f, (int)id, total); break;
    case 1: metadata_fetch_gone(f, (int)id); break;
    case 2:
        next = metadata_fetch_next(f, (int)id, now);
        must(next >= -1 && next < 5);
        break;
    case 3: metadata_fetch_reject(f, (int)id, (int32_t)piece, now); break;
    case 4: metadata_fetch_expire(f, now); break;
    case 5:
        if (metadata_fetch_data(f, (int)id, &m, now) == METADATA_WHOLE)
            must(metadata_fetch_info(f).len > 0);
        break;
    default:
        if (metadata_fetch_info(f).len)
            metadata_fetch_check(f, digest, &liar);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t hash[20] = {9};
    metadata_fetch *f = metadata_fetch_new(hash);
    reader r = rd_of(str_of(data, size));
    int64_t have, total;
    for (int64_t now = 1; rd_left(&r) >= 5; now += 1500000000) {
        step(f, &r, now);
        metadata_fetch_progress(f, &have, &total);
        must(have <= total);
    }
    metadata_fetch_free(f);
    return 0;
}
