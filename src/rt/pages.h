// Memory that a plain socket sends from without a copy (vmsplice, splice: what sendfile does with a file's pages, half the work of a copy).
// What has been handed to the kernel stays as it is until the peer has it, also when the block is given back: the block then gets other pages.
#pragma once
#include "rt/world.h"

typedef struct pages pages;

// Up to `count` blocks of block_bytes (a multiple of 4096) for one loop; memory is taken where a block is written. NULL: the simulator, or a
// kernel that cannot: use the heap.
pages *pages_new(world *w, size_t block_bytes, size_t count);
void   pages_free(pages *p);                     // NULL is fine
void  *pages_take(pages *p);                     // zeros; NULL: all are taken
void   pages_give(pages *p, void *block);        // NULL is fine
// For the world: hands bytes that lie in p to the socket fd. 0: *put went, perhaps not all; else errno. *fills: it took less than it was given once;
// from then on it is asked for its room first, so that a slow peer's pages are not handed over again and again.
int    pages_send(pages *p, int fd, str bytes, bool *fills, size_t *put);
