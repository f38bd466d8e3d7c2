// How long a file takes to reach N peers, at least: from one server, or peer to peer. Pure; integers: bytes, bytes a second,
// milliseconds rounded up. D_cs = max{N F / u_s, F / d_min}; D_p2p = max{F / u_s, F / d_min, N F / (u_s + sum of u_i)}
// (Kumar and Ross 2006: the second is also reached, with pieces that are small enough).
#pragma once
#include <stdbool.h>
#include <stdint.h>

enum { RACE_PEERS_MAX = 100000 };

typedef struct {
    int64_t file_bytes;                      // F > 0
    int64_t server_rate;                     // u_s > 0, bytes a second
    int64_t down_rate;                       // d_min; 0: no limit
    const int64_t *peer_rates;               // u_i, one after the other over and over; at least one
    int     peer_rate_count;
} race_lines;

typedef enum { RACE_BY_SERVER, RACE_BY_DOWNLINK, RACE_BY_ALL } race_limit;      // what decides: F/u_s or N F/u_s; F/d_min; the sum

int64_t race_client_server_ms(const race_lines *l, int peers, race_limit *why);          // why may be NULL
int64_t race_p2p_ms(const race_lines *l, int peers, race_limit *why);
int64_t race_sum_of_rates(const race_lines *l, int peers);                               // of the peers alone
// A rate as tbf counts it (whole Ethernet frames) as what is left for TCP's payload: 1448 of 1514 bytes.
int64_t race_goodput(int64_t line_rate);
