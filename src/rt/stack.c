#include "rt/stack.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/heap_memory.h"
#include "base/must.h"
#include "base/text.h"

#if __has_include(<valgrind/valgrind.h>)
#include <valgrind/valgrind.h>
#else
#define RUNNING_ON_VALGRIND 0
#define VALGRIND_STACK_REGISTER(start, end) ((void)(start), (void)(end), 0u)
#define VALGRIND_STACK_DEREGISTER(id) (void)(id)
#endif

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102       // Linux 6.13: a guard page that is no mapping of its own
#endif

struct stack_slab {
    stack_slab    *next;
    unsigned char *at;               // slot i is [at + i * STACK_SLOT_BYTES, ...), its guard the lowest pages
    uint64_t       cold;             // bit i: slot i is free and holds no memory
    unsigned       valgrind_ids[STACK_SLAB_SLOTS];
};

enum { SLAB_BYTES = STACK_SLAB_SLOTS * STACK_SLOT_BYTES };

// Facts about this process and its kernel, found once; the counter is shared by all loops.
static _Atomic int slots_all;
static _Atomic int guard_kind;       // 0: not asked yet
enum { GUARD_MADVISE = 1, GUARD_MPROTECT = 2 };

// Emulated kernels say yes to any advice. A path that stands in a guard cannot be read: the call says so without a signal.
static bool is_guarded(const void *page) { return access(page, F_OK) != 0 && errno == EFAULT; }

static int guard_kind_find(void)
{
    int kind = atomic_load(&guard_kind);
    if (kind)
        return kind;
    if (RUNNING_ON_VALGRIND) {                   // it knows mappings, not guards
        atomic_store(&guard_kind, GUARD_MPROTECT);
        return GUARD_MPROTECT;
    }
    void *page = mmap(NULL, STACK_PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    bool works = page != MAP_FAILED && madvise(page, STACK_PAGE_BYTES, MADV_GUARD_INSTALL) == 0 && is_guarded(page);
    if (page != MAP_FAILED)
        munmap(page, STACK_PAGE_BYTES);
    kind = works ? GUARD_MADVISE : GUARD_MPROTECT;
    atomic_store(&guard_kind, kind);
    return kind;
}

bool stacks_guarded_by_madvise(void) { return guard_kind_find() == GUARD_MADVISE; }
void stacks_pretend_old_kernel(bool pretend) { atomic_store(&guard_kind, pretend ? GUARD_MPROTECT : 0); }

static int64_t mappings_max(void)
{
    char text[32];
    int fd = open("/proc/sys/vm/max_map_count", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text);
    if (fd >= 0)
        close(fd);
    int64_t count;
    return n > 0 && str_to_i64(str_trim(str_of(text, (size_t)n)), &count) ? count : 65530;
}

// Every mprotect guard splits its mapping in two: the kernel's count of mappings bounds the stacks.
int stacks_max(void)
{
    if (guard_kind_find() == GUARD_MADVISE)
        return STACKS_MAX;
    static _Atomic int by_mappings;
    int max = atomic_load(&by_mappings);
    if (!max) {
        int64_t count = (mappings_max() - STACK_MAPS_RESERVED) / 2 / STACK_SLAB_SLOTS * STACK_SLAB_SLOTS;
        max = (int)(count < STACK_SLAB_SLOTS ? STACK_SLAB_SLOTS : count > STACKS_MAX ? STACKS_MAX : count);
        atomic_store(&by_mappings, max);
    }
    return max;
}

static bool guard(void *low)
{
    if (guard_kind_find() == GUARD_MADVISE)
        return madvise(low, STACK_GUARD_BYTES, MADV_GUARD_INSTALL) == 0;
    return mprotect(low, STACK_GUARD_BYTES, PROT_NONE) == 0;
}

static bool slab_guard(unsigned char *at)
{
    for (int i = 0; i < STACK_SLAB_SLOTS; i++)
        if (!guard(at + (size_t)i * STACK_SLOT_BYTES))
            return false;
    return true;
}

static stack_slab *slab_new(stacks *s)
{
    if (atomic_fetch_add(&slots_all, STACK_SLAB_SLOTS) + STACK_SLAB_SLOTS > stacks_max()) {
        atomic_fetch_sub(&slots_all, STACK_SLAB_SLOTS);
        return NULL;
    }
    unsigned char *at = mmap(NULL, SLAB_BYTES, PROT_READ | PROT_WRITE,
                             MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
    // Without huge pages: with them one touched byte of a stack would cost all of it, and its neighbours.
    if (at != MAP_FAILED && (madvise(at, SLAB_BYTES, MADV_NOHUGEPAGE), !slab_guard(at))) {
        munmap(at, SLAB_BYTES);
        at = MAP_FAILED;
    }
    if (at == MAP_FAILED) {
        atomic_fetch_sub(&slots_all, STACK_SLAB_SLOTS);
        return NULL;
    }
    stack_slab *b = memory_zeroed(1, sizeof *b);
    *b = (stack_slab){.next = s->slabs, .at = at, .cold = UINT64_MAX};
    for (int i = 0; i < STACK_SLAB_SLOTS; i++) {
        unsigned char *slot = at + (size_t)i * STACK_SLOT_BYTES;
        b->valgrind_ids[i] = VALGRIND_STACK_REGISTER(slot + STACK_GUARD_BYTES, slot + STACK_SLOT_BYTES);
    }
    s->slots += STACK_SLAB_SLOTS;
    return s->slabs = b;
}

// The slab in front has a cold slot whenever any has: slabs without one stand behind.
static stack_slab *slab_with_room(stacks *s)
{
    for (stack_slab **at = &s->slabs; *at; at = &(*at)->next) {
        stack_slab *b = *at;
        if (!b->cold)
            continue;
        *at = b->next;
        b->next = s->slabs;
        return s->slabs = b;
    }
    return NULL;
}

static stack *stack_at(stack_slab *b, int slot)
{
    return (stack *)(void *)(b->at + (size_t)(slot + 1) * STACK_SLOT_BYTES) - 1;
}

stack *stack_take(stacks *s)
{
    stack *k = s->warm;
    if (k) {
        s->warm = k->next;
        s->warm_count--;
    } else {
        bool any_cold = s->in_use < s->slots;
        stack_slab *b = any_cold ? slab_with_room(s) : NULL;
        if (!b && !(b = slab_new(s)))
            return NULL;
        int slot = __builtin_ctzll(b->cold);
        b->cold &= b->cold - 1;
        k = stack_at(b, slot);
        k->slab = b;
    }
    k->next = NULL;
    s->in_use++;
    return k;
}

void stack_give(stacks *s, stack *k)
{
    k->next = s->warm;
    s->warm = k;
    s->warm_count++;
    s->in_use--;
}

int stacks_cool(stacks *s, int keep, int most)
{
    int cooled = 0;
    while (s->warm_count > keep && cooled < most) {
        stack *k = s->warm;
        stack_slab *b = k->slab;
        unsigned char *low = stack_low(k);
        s->warm = k->next;
        s->warm_count--;
        madvise(low, STACK_BYTES, MADV_DONTNEED);
        b->cold |= 1ull << ((size_t)(low - b->at) / STACK_SLOT_BYTES);
        cooled++;
    }
    return cooled;
}

void stacks_free(stacks *s)
{
    must(s->in_use == 0);
    for (stack_slab *b = s->slabs, *next; b; b = next) {
        next = b->next;
        for (int i = 0; i < STACK_SLAB_SLOTS; i++)
            VALGRIND_STACK_DEREGISTER(b->valgrind_ids[i]);
        munmap(b->at, SLAB_BYTES);
        memory_free(b);
        atomic_fetch_sub(&slots_all, STACK_SLAB_SLOTS);
    }
    *s = (stacks){0};
}

size_t stack_depth(stack *k)
{
    unsigned char resident[STACK_PAGES];
    if (mincore(stack_low(k), STACK_BYTES, resident) != 0)
        return 0;
    for (size_t page = 0; page < STACK_PAGES; page++)
        if (resident[page] & 1)
            return (STACK_PAGES - page) * STACK_PAGE_BYTES;
    return 0;
}

void stack_trim(stack *k, const void *sp)
{
    enum { RED_ZONE_BYTES = 128 };               // x86-64: a leaf function may use this much below sp
    unsigned char *low = stack_low(k);
    uintptr_t end = ((uintptr_t)sp - RED_ZONE_BYTES) & ~(uintptr_t)(STACK_PAGE_BYTES - 1);
    if (end > (uintptr_t)low)
        madvise(low, end - (uintptr_t)low, MADV_DONTNEED);
}

stack *stack_of_guard(const stacks *s, const void *address)
{
    for (stack_slab *b = s->slabs; b; b = b->next) {
        uintptr_t offset = (uintptr_t)address - (uintptr_t)b->at;
        if (offset < SLAB_BYTES && offset % STACK_SLOT_BYTES < STACK_GUARD_BYTES)
            return stack_at(b, (int)(offset / STACK_SLOT_BYTES));
    }
    return NULL;
}
