// The one door to malloc. Running out of memory stops the program with a sentence: every size that a stranger
// influences is bounded before it comes here, so this is our own mistake or an exhausted machine.
#pragma once
#include <stddef.h>

void *memory_new(size_t bytes);                       // not zeroed
void *memory_zeroed(size_t count, size_t size);
void *memory_resize(void *old, size_t bytes);
void  memory_free(void *memory);                      // NULL is fine
