// Connection ids of the UDP tracker protocol (BEP 15): who sends one back has received at that address a little while ago. They
// are a keyed hash of address and time, so nothing is remembered. Pure.
#pragma once
#include "base/address.h"
#include "base/siphash.h"

enum {
    CONNECTION_TURN_S = 60,         // an id is made of the turn in which it was asked for
    CONNECTION_TURNS = 2,           // and good in so many later ones: two minutes (BEP 15) at least, three at most
    CONNECTION_TURN_BITS = 3,
};

// The port is no part: the address is what an attacker would have others flooded by, and some clients use several ports.
uint64_t connection_id(siphash_key secret, addr peer, int64_t now_s);
// Compares in a time that tells nothing.
bool     connection_id_valid(siphash_key secret, addr peer, int64_t now_s, uint64_t id);
