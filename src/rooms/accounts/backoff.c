#include "rooms/accounts/backoff.h"

#include <string.h>

static uint64_t key_of(const backoff *b, str key)
{
    uint64_t hash = str_hash(key, b->secret);
    return hash ? hash : 1;
}

// A key may stand in one of BACKOFF_WAYS places. Its index, or -1.
static int find(const backoff *b, uint64_t key)
{
    int first = (int)(key % (BACKOFF_SLOTS / BACKOFF_WAYS)) * BACKOFF_WAYS;
    for (int i = first; i < first + BACKOFF_WAYS; i++)
        if (b->slots[i].key == key)
            return i;
    return -1;
}

static bool forgotten(const backoff *b, const backoff_slot *s, int64_t now_ns)
{
    return now_ns - s->last_ns >= b->forget_ns;
}

int64_t backoff_wait_ns(const backoff *b, str key, int64_t now_ns)
{
    int i = find(b, key_of(b, key));
    return i < 0 || b->slots[i].until_ns <= now_ns ? 0 : b->slots[i].until_ns - now_ns;
}

static backoff_slot *slot_for(backoff *b, uint64_t key, int64_t now_ns)
{
    int first = (int)(key % (BACKOFF_SLOTS / BACKOFF_WAYS)) * BACKOFF_WAYS, at = find(b, key);
    if (at >= 0 && !forgotten(b, &b->slots[at], now_ns))
        return &b->slots[at];
    for (int i = first; i < first + BACKOFF_WAYS && at < 0; i++)
        if (b->slots[i].key == 0)
            at = i;
    for (int i = at < 0 ? first : first + BACKOFF_WAYS; i < first + BACKOFF_WAYS; i++)
        if (at < 0 || b->slots[i].last_ns < b->slots[at].last_ns)
            at = i;
    b->slots[at] = (backoff_slot){.key = key};
    return &b->slots[at];
}

void backoff_failed(backoff *b, str key, int64_t now_ns)
{
    backoff_slot *s = slot_for(b, key_of(b, key), now_ns);
    int steps = ++s->failures - b->free_failures - 1;
    s->last_ns = now_ns;
    if (steps < 0)
        return;
    int64_t wait = b->first_ns << (steps < BACKOFF_STEPS_MAX ? steps : BACKOFF_STEPS_MAX);
    s->until_ns = now_ns + (wait < b->max_ns ? wait : b->max_ns);
}

void backoff_forgive(backoff *b, str key)
{
    int i = find(b, key_of(b, key));
    if (i >= 0)
        b->slots[i] = (backoff_slot){0};
}

str backoff_client(addr client, unsigned char room[16])
{
    size_t n = client.family == 6 ? 8 : client.family == 4 ? 4 : 0;
    memcpy(room, client.ip, n);
    return str_of(room, n);
}
