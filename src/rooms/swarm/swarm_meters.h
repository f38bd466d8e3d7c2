// What the swarm counts; bounded labels.
#pragma once
#include "rt/meter.h"

enum { SWARM_REFUSED_HANDSHAKE, SWARM_REFUSED_UNKNOWN, SWARM_REFUSED_FULL };

extern meter swarm_meter_peers, swarm_meter_refused, swarm_meter_received, swarm_meter_sent, swarm_meter_wasted,
    swarm_meter_pieces, swarm_meter_pieces_bad, swarm_meter_banned, swarm_meter_connects;
void swarm_meters_show(void);
