#include "rt/shared.h"

#include <string.h>
#include <sys/mman.h>

#include "base/heap_memory.h"
#include "base/must.h"

enum {
    SLAB_BLOCKS = 2048,                                  // 32 MiB are made writable at a time
    BLOCKS_MAX = 2 * 1024 * 1024,                        // 32 GiB of addresses
};

static struct {
    unsigned char *base;                                 // NULL: nothing was ever shared
    uint32_t *holders;                                   // of each block, in reserved memory of its own
    uint32_t *free_next;                                 // 1 + the next free block
    uint32_t  free_first, made, ready, in_use;           // made: given out at least once; ready: may be written
} all;

static unsigned char *reserve(size_t bytes, int protection)
{
    void *at = mmap(NULL, bytes, protection, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    must(at != MAP_FAILED);
    return at;
}

static void start(void)
{
    all.holders = (uint32_t *)(void *)reserve(BLOCKS_MAX * sizeof *all.holders, PROT_READ | PROT_WRITE);
    all.free_next = (uint32_t *)(void *)reserve(BLOCKS_MAX * sizeof *all.free_next, PROT_READ | PROT_WRITE);
    all.base = reserve((size_t)BLOCKS_MAX * SHARED_BLOCK_BYTES, PROT_NONE);
}

static unsigned char *block_at(uint32_t number) { return all.base + (size_t)number * SHARED_BLOCK_BYTES; }
static bool within(const void *at) { return all.base && (uintptr_t)at - (uintptr_t)all.base < (size_t)all.made * SHARED_BLOCK_BYTES; }
static uint32_t number_of(const void *at) { return (uint32_t)(((uintptr_t)at - (uintptr_t)all.base) / SHARED_BLOCK_BYTES); }

bool shared_is_block(const void *at)
{
    return within(at) && ((uintptr_t)at - (uintptr_t)all.base) % SHARED_BLOCK_BYTES == 0 && all.holders[number_of(at)];
}

bool shared_is(str bytes) { return bytes.len > 0 && within(bytes.at) && all.holders[number_of(bytes.at)]; }

// ---- blocks -------------------------------------------------------------------------------------------------------------

static uint32_t number_take(void)
{
    if (all.free_first) {
        uint32_t number = all.free_first - 1;
        all.free_first = all.free_next[number];
        return number;
    }
    if (!all.base)
        start();
    must(all.made < BLOCKS_MAX);                         // the ceiling of all simulated disks together
    if (all.made == all.ready) {
        must(mprotect(block_at(all.ready), (size_t)SLAB_BLOCKS * SHARED_BLOCK_BYTES, PROT_READ | PROT_WRITE) == 0);
        all.ready += SLAB_BLOCKS;
    }
    return all.made++;
}

static unsigned char *block_take(void)
{
    uint32_t number = number_take();
    all.in_use++;
    all.holders[number] = 1;
    return block_at(number);
}

unsigned char *shared_block_new(void) { return memset(block_take(), 0, SHARED_BLOCK_BYTES); }

void shared_block_hold(unsigned char *block)
{
    must(shared_is_block(block));
    all.holders[number_of(block)]++;
}

// When the last one has gone everything begins at the first block again: the next simulation of this process finds its blocks side
// by side as the first one did, and goes the same way.
static void number_drop(uint32_t number)
{
    must(all.holders[number] > 0);
    if (--all.holders[number])
        return;
    all.free_next[number] = all.free_first;
    all.free_first = number + 1;
    if (--all.in_use == 0)
        all.free_first = all.made = 0;
}

int shared_held(void) { return (int)all.in_use; }

void shared_forget(void)
{
    for (uint32_t i = 0; i < all.made; i++)
        all.holders[i] = 0;
    all.free_first = all.made = all.in_use = 0;
}

void shared_block_drop(unsigned char *block)
{
    must(within(block));
    number_drop(number_of(block));
}

unsigned char *shared_block_own(unsigned char *block)
{
    if (all.holders[number_of(block)] == 1)
        return block;
    unsigned char *copy = memcpy(block_take(), block, SHARED_BLOCK_BYTES);
    shared_block_drop(block);
    return copy;
}

// ---- ranges -------------------------------------------------------------------------------------------------------------

static bool all_held(uint32_t first, uint32_t last)
{
    for (uint32_t i = first; i <= last; i++)
        if (!all.holders[i])
            return false;
    return true;
}

bool shared_hold(str bytes)
{
    if (bytes.len <= 0 || !within(bytes.at) || !within(bytes.at + bytes.len - 1))
        return false;
    uint32_t first = number_of(bytes.at), last = number_of(bytes.at + bytes.len - 1);
    if (!all_held(first, last))
        return false;
    for (uint32_t i = first; i <= last; i++)
        all.holders[i]++;
    return true;
}

bool shared_extend(str *held, str more)
{
    if (held->len == 0) {
        bool good = shared_hold(more);
        if (good)
            *held = more;
        return good;
    }
    if (more.at != held->at + held->len || !within(more.at) || !shared_hold(more))
        return false;
    if (number_of(held->at + held->len - 1) == number_of(more.at))
        number_drop(number_of(more.at));                 // held already
    held->len += more.len;
    return true;
}

void shared_skip(str *held, ptrdiff_t bytes)
{
    str left = str_from(*held, bytes);
    for (uint32_t i = number_of(held->at), end = number_of(left.at); left.len && within(held->at) && i < end; i++)
        number_drop(i);
    if (!left.len)
        shared_drop(*held);
    *held = left;
}

void shared_drop(str held)
{
    if (held.len <= 0 || !within(held.at))
        return;
    for (uint32_t i = number_of(held.at), last = number_of(held.at + held.len - 1); i <= last; i++)
        number_drop(i);
}
