#include "rooms/swarm/peer_priority.h"

#include <string.h>

#include "base/crc32c.h"

enum { PAIR_BYTES_MAX = 32 };

// The more of the addresses is the same, the more of them counts: the last bytes of strangers are masked, so that nobody
// can choose his priority within his network.
static void mask_make(unsigned char mask[16], addr a, addr b, int bytes)
{
    int first = bytes == 4 ? 2 : 6, same = 0;            // bytes of the network that always count in full
    memset(mask, 0x55, 16);
    while (same < bytes && a.ip[same] == b.ip[same])
        same++;
    int full = same < first ? first : same + 1;
    memset(mask, 0xff, (size_t)(full < bytes ? full : bytes));
}

static uint32_t hash_pair(const unsigned char *a, const unsigned char *b, int bytes)
{
    unsigned char pair[PAIR_BYTES_MAX];
    bool in_order = memcmp(a, b, (size_t)bytes) <= 0;
    memcpy(pair, in_order ? a : b, (size_t)bytes);
    memcpy(pair + bytes, in_order ? b : a, (size_t)bytes);
    return crc32c(0, str_of(pair, (size_t)(2 * bytes)));
}

uint32_t peer_priority(addr us, addr peer)
{
    unsigned char mask[16], a[16], b[16];
    int bytes = us.family == 6 ? 16 : 4;
    if (us.family != peer.family)
        return 0;
    if (addr_eq_ip(us, peer)) {
        unsigned char ports[2][2] = {{(unsigned char)(us.port >> 8), (unsigned char)us.port},
                                     {(unsigned char)(peer.port >> 8), (unsigned char)peer.port}};
        return hash_pair(ports[0], ports[1], 2);
    }
    mask_make(mask, us, peer, bytes);
    for (int i = 0; i < bytes; i++) {
        a[i] = us.ip[i] & mask[i];
        b[i] = peer.ip[i] & mask[i];
    }
    return hash_pair(a, b, bytes);
}
