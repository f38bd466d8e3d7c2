#include "rooms/swarm/poison.h"

#include <string.h>

#include "base/heap_memory.h"

typedef struct {
    int32_t piece, block;                        // piece -1: nothing is here
    addr    who;
    poison_digest digest;
} record;

struct poison {
    record *ring;                                // POISON_RECORDS_MAX of them; made with the first failure
    int     next, used;
};

void poison_sent(poison_senders *s, int32_t block, addr who)
{
    int i = 0;
    while (i < s->count && !addr_eq_ip(s->who[i], who))
        i++;
    if (i == POISON_SENDERS_MAX)
        return;
    if (i == s->count)
        s->who[s->count++] = who;
    s->of_block[block] = (uint8_t)(i + 1);
}

addr poison_only_sender(const poison_senders *s, int32_t blocks)
{
    for (int32_t i = 0; i < blocks; i++)
        if (s->of_block[i] != 1)
            return (addr){0};
    return s->who[0];
}

poison *poison_new(void) { return memory_zeroed(1, sizeof(poison)); }

void poison_free(poison *p)
{
    if (p)
        memory_free(p->ring);
    memory_free(p);
}

void poison_failed(poison *p, int32_t piece, const poison_senders *s, const poison_digest *digests, int32_t blocks)
{
    if (!p->ring)
        p->ring = memory_zeroed(POISON_RECORDS_MAX, sizeof *p->ring);
    for (int32_t i = 0; i < blocks; i++) {
        if (!s->of_block[i])
            continue;
        p->ring[p->next] = (record){.piece = piece, .block = i, .who = s->who[s->of_block[i] - 1], .digest = digests[i]};
        p->next = (p->next + 1) % POISON_RECORDS_MAX;
        p->used += p->used < POISON_RECORDS_MAX;
    }
}

bool poison_knows(const poison *p, int32_t piece)
{
    for (int i = 0; i < p->used; i++)
        if (p->ring[i].piece == piece)
            return true;
    return false;
}

static int add_once(addr *out, int count, int max, addr who)
{
    for (int i = 0; i < count; i++)
        if (addr_eq_ip(out[i], who))
            return count;
    if (count < max)
        out[count++] = who;
    return count;
}

int poison_found(poison *p, int32_t piece, const poison_digest *right, int32_t blocks, addr *out, int max)
{
    int count = 0;
    for (int i = 0; i < p->used; i++) {
        record *r = &p->ring[i];
        if (r->piece != piece)
            continue;
        if (r->block < blocks && memcmp(r->digest.bytes, right[r->block].bytes, POISON_DIGEST_BYTES) != 0)
            count = add_once(out, count, max, r->who);
        r->piece = -1;
    }
    return count;
}
