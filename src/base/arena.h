// Memory by lifetime. An arena hands out zeroed memory and gives it all back at once.
// Four lifetimes: program, room, conversation, message; the parameter's name says which (`arena *msg`).
#pragma once
#include <stdarg.h>
#include "base/text.h"

typedef struct arena_block arena_block;
typedef struct arena {
    arena_block *block;         // newest first
    size_t       used_bytes;    // handed out since the last reset
    size_t       max_bytes;     // ceiling; above it `full` is set and arena_new returns NULL
    bool         full;          // sticky until arena_reset
} arena;

// An empty arena with a ceiling; allocates nothing yet. Dispose with arena_free.
arena arena_make(size_t max_bytes);
void  arena_reset(arena *a);        // everything handed out is gone; keeps one small block for reuse
void  arena_free(arena *a);         // gives all memory back; the arena may be used again

// Zeroed memory for `count` things of `size` bytes, or NULL with a->full set when the ceiling is reached
// (multiplication is checked). When the machine itself has no memory left the program stops.
void *arena_alloc(arena *a, size_t count, size_t size, size_t align);
#define arena_new(a, type)        ((type *)arena_alloc((a), 1, sizeof(type), _Alignof(type)))
#define arena_array(a, type, n)   ((type *)arena_alloc((a), (size_t)(n), sizeof(type), _Alignof(type)))

// Copies and compositions; the empty text when the arena is full.
str   str_copy(arena *a, str s);
str   str_lower(arena *a, str s);                        // ASCII
char *str_to_z(arena *a, str s);                         // NUL-terminated copy; "" when full; bytes after a NUL are cut by C
str   str_join(arena *a, str left, str right);
str   str_format(arena *a, const char *format, ...) __attribute__((format(printf, 2, 3)));
str   str_vformat(arena *a, const char *format, va_list args) __attribute__((format(printf, 2, 0)));
