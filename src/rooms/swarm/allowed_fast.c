#include "rooms/swarm/allowed_fast.h"

#include <string.h>

#include "base/bytes.h"
#include "rt/digest.h"

static int add(uint32_t *out, int count, uint32_t piece)
{
    for (int i = 0; i < count; i++)
        if (out[i] == piece)
            return count;
    out[count] = piece;
    return count + 1;
}

int allowed_fast(addr peer, const uint8_t hash[20], uint32_t pieces, uint32_t *out, int n)
{
    unsigned char x[4 + DIGEST_SHA1_BYTES];
    int count = 0;
    if (peer.family != 4)
        return 0;
    for (uint32_t i = 0; pieces <= (uint32_t)n && i < pieces; i++)
        out[count++] = i;
    if (count)
        return count;
    memcpy(x, peer.ip, 3);                           // the network, not the host: NAT and renumbering change nothing
    x[3] = 0;
    memcpy(x + 4, hash, DIGEST_SHA1_BYTES);
    digest_of(DIGEST_SHA1, str_of(x, sizeof x), x);
    while (count < n) {
        reader r = rd_of(str_of(x, DIGEST_SHA1_BYTES));
        for (int i = 0; i < 5 && count < n; i++)
            count = add(out, count, rd_u32(&r) % pieces);
        digest_of(DIGEST_SHA1, str_of(x, DIGEST_SHA1_BYTES), x);
    }
    return count;
}
