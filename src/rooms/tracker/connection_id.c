#include "rooms/tracker/connection_id.h"

#include "base/bytes.h"

static uint64_t of_turn(siphash_key secret, addr peer, uint64_t turn)
{
    unsigned char bytes[1 + sizeof peer.ip + 8];
    writer w = wr_into(bytes, sizeof bytes);
    wr_u8(&w, peer.family);
    wr_bytes(&w, str_of(peer.ip, sizeof peer.ip));
    wr_u64(&w, turn);
    return siphash(secret, wr_str(&w));
}

uint64_t connection_id(siphash_key secret, addr peer, int64_t now_s)
{
    return of_turn(secret, peer, (uint64_t)(now_s / CONNECTION_TURN_S));
}

bool connection_id_valid(siphash_key secret, addr peer, int64_t now_s, uint64_t id)
{
    uint64_t turn = (uint64_t)(now_s / CONNECTION_TURN_S), good = 0;
    for (uint64_t back = 0; back <= CONNECTION_TURNS && back <= turn; back++) {
        uint64_t differs = of_turn(secret, peer, turn - back) ^ id;
        good |= 1 & ~((differs | -differs) >> 63);          // 1 when nothing differs, without a branch
    }
    return good;
}
