#include "rooms/tracker/newcomers.h"

#include <string.h>

static uint64_t network_hash(const newcomers *n, addr from)
{
    unsigned char bytes[1 + NEWCOMERS_PREFIX_V6 / 8] = {from.family};
    size_t len = from.family == 6 ? NEWCOMERS_PREFIX_V6 / 8 : NEWCOMERS_PREFIX_V4 / 8;
    memcpy(bytes + 1, from.ip, len);
    return siphash(n->secret, str_of(bytes, 1 + len));
}

static void halve(newcomers *n, int64_t times)
{
    int bits = times > 16 ? 16 : (int)times;
    for (int r = 0; r < NEWCOMERS_ROWS; r++)
        for (int c = 0; c < NEWCOMERS_COLUMNS; c++)
            n->counts[r][c] = (uint16_t)(n->counts[r][c] >> bits);
}

bool newcomers_take(newcomers *n, addr from, int64_t now_s, uint32_t max)
{
    int64_t window = now_s / NEWCOMERS_WINDOW_S;
    if (window > n->window) {
        halve(n, window - n->window);
        n->window = window;
    }
    uint64_t hash = network_hash(n, from);
    uint16_t *cells[NEWCOMERS_ROWS] = {&n->counts[0][hash % NEWCOMERS_COLUMNS], &n->counts[1][(hash >> 32) % NEWCOMERS_COLUMNS]};
    uint32_t had = *cells[0] < *cells[1] ? *cells[0] : *cells[1];
    if (had >= max || had >= NEWCOMERS_MAX)
        return false;
    for (int r = 0; r < NEWCOMERS_ROWS; r++)
        *cells[r] = (uint16_t)(*cells[r] + (*cells[r] < UINT16_MAX));
    return true;
}
