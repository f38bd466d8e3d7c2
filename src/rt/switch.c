#include "rt/switch.h"

#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"

#if SWITCH_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif
#if SWITCH_TSAN
#include <sanitizer/tsan_interface.h>
#endif

// Never a call of its own: ThreadSanitizer, told of the switch before it, would book the call to the wrong stack.
#define INSIDE static inline __attribute__((always_inline))

// ---- the machine ----------------------------------------------------------------------------------------------------------

#if SWITCH_UCONTEXT

INSIDE void machine_switch(context *from, context *to) { must(swapcontext(&from->machine, &to->machine) == 0); }

// makecontext passes ints: the two pointers travel as halves.
static void machine_entry(unsigned entry_high, unsigned entry_low, unsigned arg_high, unsigned arg_low)
{
    void (*entry)(void *) = (void (*)(void *))((uintptr_t)entry_high << 32 | entry_low);
    entry((void *)((uintptr_t)arg_high << 32 | arg_low));
}

static void machine_make(context *c, void *low, size_t size, void (*entry)(void *), void *arg)
{
    must(getcontext(&c->machine) == 0);
    c->machine.uc_stack.ss_sp = low;
    c->machine.uc_stack.ss_size = size;
    c->machine.uc_link = NULL;
    uint64_t e = (uintptr_t)entry, a = (uintptr_t)arg;
    makecontext(&c->machine, (void (*)(void))machine_entry, 4,
                (unsigned)(e >> 32), (unsigned)e, (unsigned)(a >> 32), (unsigned)a);
}

void *context_sp(const context *c) { (void)c; return NULL; }

#else

// In switch_x86_64.S and switch_aarch64.S.
void switch_stacks(void **save_sp, void *to_sp);
void switch_start(void);

INSIDE void machine_switch(context *from, context *to) { switch_stacks(&from->sp, to->sp); }

#if defined(__x86_64__)

static void machine_make(context *c, void *low, size_t size, void (*entry)(void *), void *arg)
{
    uint64_t *top = (uint64_t *)(((uintptr_t)low + size) & ~(uintptr_t)15);
    uint64_t *sp = top - 8;                      // what switch_stacks pops, lowest first
    sp[0] = 0x0000037f00001f80;                  // MXCSR and x87 control word as at the start of a process
    sp[1] = sp[2] = 0;                           // r15, r14
    sp[3] = (uintptr_t)arg;                      // r13
    sp[4] = (uintptr_t)entry;                    // r12
    sp[5] = sp[6] = 0;                           // rbx, rbp: the end of the chain of frames
    sp[7] = (uintptr_t)switch_start;
    c->sp = sp;
}

#elif defined(__aarch64__)

static void machine_make(context *c, void *low, size_t size, void (*entry)(void *), void *arg)
{
    uint64_t *top = (uint64_t *)(((uintptr_t)low + size) & ~(uintptr_t)15);
    uint64_t *sp = top - 22;                     // what switch_stacks loads: x19-x30, d8-d15, fpcr, padding
    memset(sp, 0, 22 * sizeof *sp);
    sp[0] = (uintptr_t)entry;                    // x19
    sp[1] = (uintptr_t)arg;                      // x20
    sp[11] = (uintptr_t)switch_start;            // x30
    c->sp = sp;
}

#endif

void *context_sp(const context *c) { return c->sp; }

#endif

// ---- with the sanitizers' knowledge ---------------------------------------------------------------------------------------

void context_of_thread(context *c)
{
    memset(c, 0, sizeof *c);
#if SWITCH_ASAN
    pthread_attr_t attributes;
    void *low;
    must(pthread_getattr_np(pthread_self(), &attributes) == 0);
    must(pthread_attr_getstack(&attributes, &low, &c->size) == 0);
    c->low = low;
    pthread_attr_destroy(&attributes);
#endif
#if SWITCH_TSAN
    c->tsan_fiber = __tsan_get_current_fiber();
#endif
}

void context_make(context *c, void *low, size_t size, void (*entry)(void *), void *arg)
{
#if SWITCH_ASAN
    __asan_unpoison_memory_region(low, size);    // what the last user's frames left marked
    c->fake_stack = NULL;
    c->low = low;
    c->size = size;
#endif
#if SWITCH_TSAN
    c->tsan_fiber = __tsan_create_fiber(0);
#endif
    machine_make(c, low, size, entry, arg);
}

void context_arrived(void)
{
#if SWITCH_ASAN
    __sanitizer_finish_switch_fiber(NULL, NULL, NULL);
#endif
}

void context_switch(context *from, context *to)
{
#if SWITCH_ASAN
    __sanitizer_start_switch_fiber(&from->fake_stack, to->low, to->size);
#endif
#if SWITCH_TSAN
    __tsan_switch_to_fiber(to->tsan_fiber, 0);
#endif
    machine_switch(from, to);
#if SWITCH_ASAN
    __sanitizer_finish_switch_fiber(from->fake_stack, NULL, NULL);
#endif
}

_Noreturn void context_leave(context *from, context *to)
{
#if SWITCH_ASAN
    __sanitizer_start_switch_fiber(NULL, to->low, to->size);
#endif
#if SWITCH_TSAN
    __tsan_switch_to_fiber(to->tsan_fiber, 0);
#endif
    machine_switch(from, to);
    abort();                                     // nobody comes back to a flow that has ended
}

void context_free(context *c)
{
    (void)c;
#if SWITCH_TSAN
    if (c->tsan_fiber)
        __tsan_destroy_fiber(c->tsan_fiber);
    c->tsan_fiber = NULL;
#endif
}
