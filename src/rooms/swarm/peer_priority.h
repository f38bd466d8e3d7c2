// Canonical peer priority (BEP 40): which of many addresses to prefer, so that both ends agree and the swarm becomes a random
// graph whatever anybody tells. Pure.
#pragma once
#include "base/address.h"

// Higher is better. Of different families: 0.
uint32_t peer_priority(addr us, addr peer);
