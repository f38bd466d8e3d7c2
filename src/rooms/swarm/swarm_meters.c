#include "rooms/swarm/swarm_meters.h"

meter swarm_meter_peers = {.name = "naru_swarm_peers", .help = "Peers connected now", .type = METER_GAUGE};
meter swarm_meter_refused = {.name = "naru_swarm_refused_total", .help = "Peers that came and could not stay, by reason",
    .type = METER_COUNTER, .label = "reason", .values = {"handshake", "unknown", "full"}};
meter swarm_meter_received = {.name = "naru_swarm_received_bytes_total", .help = "Payload received", .type = METER_COUNTER};
meter swarm_meter_sent = {.name = "naru_swarm_sent_bytes_total", .help = "Payload sent", .type = METER_COUNTER};
meter swarm_meter_wasted = {.name = "naru_swarm_wasted_bytes_total", .help = "Payload thrown away", .type = METER_COUNTER};
meter swarm_meter_pieces = {.name = "naru_swarm_pieces_total", .help = "Pieces that came and were right", .type = METER_COUNTER};
meter swarm_meter_pieces_bad = {.name = "naru_swarm_pieces_bad_total", .help = "Pieces whose hash did not fit", .type = METER_COUNTER};
meter swarm_meter_banned = {.name = "naru_swarm_banned_total", .help = "Addresses banned for false data", .type = METER_COUNTER};
meter swarm_meter_connects = {.name = "naru_swarm_connects_total", .help = "Connections tried", .type = METER_COUNTER};

void swarm_meters_show(void)
{
    meter *const all[] = {&swarm_meter_peers, &swarm_meter_refused, &swarm_meter_received, &swarm_meter_sent, &swarm_meter_wasted,
                          &swarm_meter_pieces, &swarm_meter_pieces_bad, &swarm_meter_banned, &swarm_meter_connects};
    for (int i = 0; i < (int)(sizeof all / sizeof *all); i++)
        meter_show(all[i]);
}
