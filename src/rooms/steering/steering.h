// Steering: which node of which CDN a viewer is sent to. HTTP on STEERING_PORT: /steer/ID (DASH and HLS Content Steering), /ranking,
// POST /report, /metrics. The inside door "steering.names" tells the name server what to answer for steered names.
#pragma once
#include "rt/room.h"

enum { STEERING_PORT = 8081 };

extern const room_kind steering_kind;
