// What the rate decision uses of <string.h>; door.c has it.
#pragma once
#include <stddef.h>

void *memset(void *to, int byte, size_t n);
void *memcpy(void *to, const void *from, size_t n);
void *memmove(void *to, const void *from, size_t n);
int   memcmp(const void *a, const void *b, size_t n);
