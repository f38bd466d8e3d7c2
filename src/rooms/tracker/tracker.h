// tracker: who is in which swarm (BitTorrent). HTTP and UDP on port 6969, IPv4 and IPv6 together: docs/tracker.md.
#pragma once
#include "rt/room.h"

enum { TRACKER_PORT = 6969 };

extern const room_kind tracker_kind;
