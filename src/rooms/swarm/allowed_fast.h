// Which pieces a peer may ask for although it is choked (BEP 6): computed from its address and the torrent, so that it gets
// the same ones however often it comes. Pure.
#pragma once
#include "base/address.h"

// Up to n different pieces; IPv4 only (the BEP knows no other): 0 for others. Every piece when there are not more than n.
int allowed_fast(addr peer, const uint8_t hash[20], uint32_t pieces, uint32_t *out, int n);
