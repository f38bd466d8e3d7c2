#include "cmd/race_bound.h"

#include "base/must.h"

enum { FRAME_BYTES = 1514, FRAME_PAYLOAD_BYTES = 1448, MS_PER_S = 1000 };

typedef unsigned __int128 wide;              // N F 1000 passes 2^63 soon

static int64_t quotient_up(wide dividend, int64_t divisor)
{
    wide q = (dividend + (wide)divisor - 1) / (wide)divisor;
    return q > INT64_MAX ? INT64_MAX : (int64_t)q;
}

static int64_t largest(const int64_t ms[3], race_limit *why)
{
    int best = 0;
    for (int i = 1; i < 3; i++)
        if (ms[i] > ms[best])
            best = i;
    if (why)
        *why = (race_limit)best;
    return ms[best];
}

static void check(const race_lines *l, int peers)
{
    must(l->file_bytes > 0 && l->server_rate > 0 && l->down_rate >= 0 && l->peer_rate_count > 0);
    must(peers > 0 && peers <= RACE_PEERS_MAX);
}

static int64_t by_downlink(const race_lines *l) { return l->down_rate ? quotient_up((wide)l->file_bytes * MS_PER_S, l->down_rate) : 0; }

int64_t race_sum_of_rates(const race_lines *l, int peers)
{
    wide sum = 0;
    for (int i = 0; i < peers; i++)
        sum += (wide)l->peer_rates[i % l->peer_rate_count];
    return sum > INT64_MAX / 2 ? INT64_MAX / 2 : (int64_t)sum;
}

int64_t race_client_server_ms(const race_lines *l, int peers, race_limit *why)
{
    check(l, peers);
    wide all = (wide)l->file_bytes * (wide)peers * MS_PER_S;
    return largest((const int64_t[]){quotient_up(all, l->server_rate), by_downlink(l), 0}, why);
}

int64_t race_p2p_ms(const race_lines *l, int peers, race_limit *why)
{
    check(l, peers);
    wide once = (wide)l->file_bytes * MS_PER_S, all = once * (wide)peers;
    wide lines = (wide)l->server_rate + (wide)race_sum_of_rates(l, peers);
    int64_t together = quotient_up(all, lines > INT64_MAX ? INT64_MAX : (int64_t)lines);
    return largest((const int64_t[]){quotient_up(once, l->server_rate), by_downlink(l), together}, why);
}

int64_t race_goodput(int64_t line_rate) { return (int64_t)((wide)line_rate * FRAME_PAYLOAD_BYTES / FRAME_BYTES); }
