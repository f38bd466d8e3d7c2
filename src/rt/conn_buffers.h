// The memory that conns read into and write from. Only a conn with bytes in hand holds a buffer; all others share what
// lies in this thread's small cache, so that taking one and giving it back costs a few instructions. Private to rt.
#pragma once
#include <stdbool.h>
#include <stddef.h>

enum {
    BUFFER_SMALL_BYTES = 4 * 1024,           // a dialogue's lines
    BUFFER_MIDDLE_BYTES = 32 * 1024,         // output that gathers
    BUFFER_LARGE_BYTES = 64 * 1024,          // bulk input, memory pairs
    BUFFERS_CACHED_MAX = 16,                 // of each size, a thread
};

void *buffer_take(size_t bytes);             // one of the three sizes; not zeroed
void  buffer_give(void *buffer, size_t bytes);
