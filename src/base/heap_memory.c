#include "base/heap_memory.h"

#include <stdio.h>
#include <stdlib.h>

static void *or_stop(void *memory, size_t bytes)
{
    if (memory)
        return memory;
    fprintf(stderr, "naru: the machine has no memory left (wanted %zu bytes); lower the limits in naru.conf or add memory\n",
            bytes);
    abort();
}

void *memory_new(size_t bytes) { return or_stop(malloc(bytes ? bytes : 1), bytes); }
void *memory_zeroed(size_t count, size_t size) { return or_stop(calloc(count ? count : 1, size ? size : 1), count * size); }
void *memory_resize(void *old, size_t bytes) { return or_stop(realloc(old, bytes ? bytes : 1), bytes); }
void  memory_free(void *memory) { free(memory); }
