// Switching between stacks: the few lines that know the processor. A context is a suspended flow of control; the compiler's
// sanitizers are told of every switch. Used by loop.c and fiber.c only.
#pragma once
#include <stddef.h>

#if defined(__SANITIZE_ADDRESS__)
#define SWITCH_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SWITCH_ASAN 1
#endif
#endif
#if defined(__SANITIZE_THREAD__)
#define SWITCH_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define SWITCH_TSAN 1
#endif
#endif
#ifndef SWITCH_ASAN
#define SWITCH_ASAN 0
#endif
#ifndef SWITCH_TSAN
#define SWITCH_TSAN 0
#endif

// The fallback for other processors, and with -Ducontext=true.
#if !defined(SWITCH_UCONTEXT)
#if defined(__x86_64__) || defined(__aarch64__)
#define SWITCH_UCONTEXT 0
#else
#define SWITCH_UCONTEXT 1
#endif
#endif

#if SWITCH_UCONTEXT
#include <ucontext.h>
#endif

typedef struct context {
#if SWITCH_UCONTEXT
    ucontext_t  machine;
#else
    void       *sp;              // everything else was pushed before this was saved
#endif
#if SWITCH_ASAN
    void       *fake_stack;      // AddressSanitizer's own stack for this one
    const void *low;
    size_t      size;
#endif
#if SWITCH_TSAN
    void       *tsan_fiber;
#endif
} context;

// The thread's own flow: filled by the first switch away from it.
void context_of_thread(context *c);
// A new flow that begins with entry(arg) on the stack [low, low + size) when it is first switched to. entry calls
// context_arrived first and never returns.
void context_make(context *c, void *low, size_t size, void (*entry)(void *arg), void *arg);
void context_arrived(void);
void context_switch(context *from, context *to);                 // comes back when somebody switches to `from`
_Noreturn void context_leave(context *from, context *to);        // `from` has ended; its stack may be used for another
void context_free(context *c);                                   // after it was left; from another flow
void *context_sp(const context *c);                              // of a suspended flow; NULL when unknown
