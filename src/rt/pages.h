// Memory that a plain socket sends from without a copy (sendfile): blocks of one file that lies in memory alone. What has been handed to the
// kernel stays as it is until the peer has it, also when the block is given back: its pages are cut out of the file, never used again.
#pragma once
#include "rt/world.h"

typedef struct pages pages;

// Up to `count` blocks of block_bytes (a multiple of 4096); memory is taken where a block is written. NULL: the simulator, or a kernel that
// cannot: use the heap.
pages *pages_new(world *w, size_t block_bytes, size_t count);
void   pages_free(pages *p);                     // NULL is fine
void  *pages_take(pages *p);                     // zeros; NULL: all are taken
void   pages_give(pages *p, void *block);
// For the world: the descriptor and the offset of what lies at `at`.
int    pages_place(const pages *p, const void *at, int64_t *offset);
