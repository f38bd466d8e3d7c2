#include "base/arena.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/heap_memory.h"

#if defined(__SANITIZE_ADDRESS__)
#define ARENA_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ARENA_SANITIZED 1
#endif
#endif

enum {
    FIRST_BLOCK_BYTES = 256,           // many conversations keep little more than a name
    BLOCK_GROWTH = 4,
    BLOCK_BYTES_MAX = 64 * 1024,       // blocks grow up to here; larger wishes get a block of their own
    BLOCK_KEPT_BYTES_MAX = 4096,       // by arena_reset
};

struct arena_block {
    arena_block *next;
    size_t       size, used;
    _Alignas(16) unsigned char bytes[];
};

arena arena_make(size_t max_bytes) { return (arena){.max_bytes = max_bytes}; }

static arena_block *block_new(arena *a, size_t wish)
{
    size_t size = a->block ? a->block->size * BLOCK_GROWTH : FIRST_BLOCK_BYTES;
    if (size > BLOCK_BYTES_MAX)
        size = BLOCK_BYTES_MAX;
#ifdef ARENA_SANITIZED
    size = 0;                              // every allocation its own block, so that ASan sees its edges
#endif
    if (size < wish)
        size = wish;
    arena_block *b = memory_new(sizeof *b + size);
    b->size = size;
    b->used = 0;
    b->next = a->block;
    a->block = b;
    return b;
}

void *arena_alloc(arena *a, size_t count, size_t size, size_t align)
{
    size_t bytes, total;
    if (__builtin_mul_overflow(count, size, &bytes) || __builtin_add_overflow(a->used_bytes, bytes, &total) ||
        total > a->max_bytes) {
        a->full = true;
        return NULL;
    }
    arena_block *b = a->block;
    size_t start = b ? (b->used + align - 1) & ~(align - 1) : 0;
    if (!b || start > b->size || b->size - start < bytes) {
        b = block_new(a, bytes ? bytes : 1);
        start = 0;
    }
    a->used_bytes = total;
    b->used = start + bytes;
    return memset(b->bytes + start, 0, bytes);
}

void arena_reset(arena *a)
{
    arena_block *keep = NULL;
    for (arena_block *b = a->block, *next; b; b = next) {
        next = b->next;
        if (!keep && b->size <= BLOCK_KEPT_BYTES_MAX && b->size >= FIRST_BLOCK_BYTES)
            keep = b;
        else
            memory_free(b);
    }
    if (keep) {
        keep->next = NULL;
        keep->used = 0;
    }
    a->block = keep;
    a->used_bytes = 0;
    a->full = false;
}

void arena_free(arena *a)
{
    for (arena_block *b = a->block, *next; b; b = next) {
        next = b->next;
        memory_free(b);
    }
    a->block = NULL;
    a->used_bytes = 0;
    a->full = false;
}

str str_copy(arena *a, str s)
{
    unsigned char *at = s.len ? arena_alloc(a, (size_t)s.len, 1, 1) : NULL;
    if (!at)
        return (str){0};
    memcpy(at, s.at, (size_t)s.len);
    return (str){at, s.len};
}

str str_lower(arena *a, str s)
{
    unsigned char *at = s.len ? arena_alloc(a, (size_t)s.len, 1, 1) : NULL;
    if (!at)
        return (str){0};
    for (ptrdiff_t i = 0; i < s.len; i++)
        at[i] = lower(s.at[i]);
    return (str){at, s.len};
}

char *str_to_z(arena *a, str s)
{
    char *z = arena_alloc(a, (size_t)s.len + 1, 1, 1);
    static char empty[1];
    if (!z)
        return empty;
    if (s.len)
        memcpy(z, s.at, (size_t)s.len);
    return z;
}

str str_join(arena *a, str left, str right)
{
    unsigned char *at = arena_alloc(a, (size_t)left.len + (size_t)right.len, 1, 1);
    if (!at)
        return (str){0};
    if (left.len)
        memcpy(at, left.at, (size_t)left.len);
    if (right.len)
        memcpy(at + left.len, right.at, (size_t)right.len);
    return (str){at, left.len + right.len};
}

str str_vformat(arena *a, const char *format, va_list args)
{
    va_list again;
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, format, again);
    va_end(again);
    char *at = n > 0 ? arena_alloc(a, (size_t)n + 1, 1, 1) : NULL;
    if (!at)
        return (str){0};
    vsnprintf(at, (size_t)n + 1, format, args);
    return str_of(at, (size_t)n);
}

str str_format(arena *a, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    str s = str_vformat(a, format, args);
    va_end(args);
    return s;
}
