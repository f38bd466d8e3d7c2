#include "rooms/console/newcomers.h"

#include <string.h>

#define HOUR_NS (INT64_C(3600) * 1000000000)

bool newcomers_let_in(newcomers *n, addr client, int64_t now_ns)
{
    int64_t hour = now_ns / HOUR_NS + 1;
    str where = str_of(client.ip, client.family == 6 ? 8 : 4);
    if (n->hour != hour) {
        memset(n->of, 0, sizeof n->of);
        n->all = 0;
        n->hour = hour;
    }
    uint8_t *count = &n->of[str_hash(where, n->secret) % NEWCOMERS_SLOTS];
    if (n->all >= NEWCOMERS_MAX || *count >= NEWCOMERS_PER_CLIENT_MAX)
        return false;
    n->all++;
    ++*count;
    return true;
}
