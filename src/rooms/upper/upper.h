// upper: a text comes back in upper case, over UDP and TCP, port 12000. The smallest room, and the worked example of how
// a room is written: docs/upper.md walks through it.
#pragma once
#include "rt/room.h"

enum {
    UPPER_PORT = 12000,
    UPPER_DATAGRAM_BYTES_MAX = 65507,       // what fits a UDP datagram over IPv4: 65535 - 20 (IP) - 8 (UDP)
};

extern const room_kind upper_kind;
