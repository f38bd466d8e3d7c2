// What a simulated stream carries at once. Bytes that are shared (shared.h) are held by it, others are copied.
#pragma once
#include "base/list.h"
#include "base/text.h"

enum { SEGMENT_PIECES_MAX = 16 };

typedef enum { SEGMENT_SYN = 1, SEGMENT_FIN = 2, SEGMENT_RST = 4 } segment_flags;

typedef struct {
    list_link     link;
    int64_t       arrives_ns;
    unsigned      flags;
    size_t        len;                  // of all pieces
    size_t        bytes;                // of this memory
    int           count, first;         // pieces; those before `first` were read, of that one what was read is cut off
    str           pieces[];             // shared ones (shared.h) are held; the bytes of the others stand behind them
} segment;

segment *sim_segment_new(unsigned flags, const str *pieces, int count);      // at most SEGMENT_PIECES_MAX
void     sim_segment_free(segment *g);
void     sim_segments_forget(void);                                          // memory that is kept for others; the simulation has ended
void     sim_segments_free(list *l, size_t *bytes);                          // all of the list; *bytes becomes 0
