#include "rooms/swarm/picker_open.h"

#include "base/heap_memory.h"
#include "base/must.h"

open_piece *open_new(int32_t piece, int32_t blocks)
{
    open_piece *o = memory_zeroed(1, sizeof *o + (size_t)blocks * sizeof o->block[0]);
    o->piece = piece;
    o->blocks = o->free = blocks;
    o->owner = -1;
    return o;
}

bool open_asked_of(const open_block *b, int peer)
{
    for (int i = 0; i < b->asked; i++)
        if (b->who[i] == peer)
            return true;
    return false;
}

int32_t open_next(const open_piece *o, int peer, bool twice)
{
    if (o->turns > 0 && (twice || (o->owner >= 0 && o->owner != peer)))
        return -1;
    if (!twice && o->free == 0)
        return -1;
    int32_t best = -1;
    for (int32_t i = 0; i < o->blocks; i++) {
        const open_block *b = &o->block[i];
        if (b->received || b->asked == PICKER_ASKED_MAX || open_asked_of(b, peer))
            continue;
        if (b->asked == 0)
            return i;
        if (twice && (best < 0 || b->asked < o->block[best].asked))
            best = i;
    }
    return best;
}

bool open_has(const open_piece *o, int peer, bool twice) { return open_next(o, peer, twice) >= 0; }

void open_ask(open_piece *o, int32_t block, int peer)
{
    open_block *b = &o->block[block];
    must(!b->received && b->asked < PICKER_ASKED_MAX && !open_asked_of(b, peer));
    if (b->asked == 0)
        o->free--;
    b->who[b->asked++] = (uint16_t)peer;
    if (o->turns > 0)
        o->owner = peer;
}

bool open_unask(open_piece *o, int32_t block, int peer)
{
    open_block *b = &o->block[block];
    for (int i = 0; !b->received && i < b->asked; i++) {
        if (b->who[i] != peer)
            continue;
        b->who[i] = b->who[--b->asked];
        if (b->asked == 0)
            o->free++;
        return true;
    }
    return false;
}

void open_arrived(open_piece *o, int32_t block, int peer)
{
    open_block *b = &o->block[block];
    if (b->asked == 0)
        o->free--;
    b->asked = 0;
    b->received = true;
    b->who[0] = (uint16_t)(peer < 0 ? OPEN_NOBODY : peer);
    o->received++;
}

void open_forget(open_piece *o, bool received_too)
{
    for (int32_t i = 0; i < o->blocks; i++) {
        open_block *b = &o->block[i];
        b->asked = 0;
        if (received_too)
            b->received = false;
    }
    if (received_too)
        o->received = 0;
    o->free = o->blocks - o->received;
}
