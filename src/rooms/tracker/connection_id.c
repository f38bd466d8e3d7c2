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

// The two lowest bits say of which turn it is, so that one hash answers.
static uint64_t with_turn(uint64_t mac, uint64_t turn) { return (mac & ~(uint64_t)CONNECTION_TURN_BITS) | (turn & CONNECTION_TURN_BITS); }

uint64_t connection_id(siphash_key secret, addr peer, int64_t now_s)
{
    uint64_t turn = (uint64_t)(now_s / CONNECTION_TURN_S);
    return with_turn(of_turn(secret, peer, turn), turn);
}

bool connection_id_valid(siphash_key secret, addr peer, int64_t now_s, uint64_t id)
{
    uint64_t now = (uint64_t)(now_s / CONNECTION_TURN_S), back = (now - id) & CONNECTION_TURN_BITS;
    uint64_t differs = with_turn(of_turn(secret, peer, now - back), id) ^ id;
    bool same = !((differs | -differs) >> 63);               // without a branch
    return same && back <= CONNECTION_TURNS && back <= now;
}
