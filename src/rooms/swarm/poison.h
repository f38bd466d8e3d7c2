// Who sent what of a piece whose hash did not fit. A piece of version 1 does not tell which of its blocks is wrong; so the
// digests of its blocks are remembered with their senders, and when the piece has come right, who sent other bytes is found
// out. Who alone sent the whole piece is found out at once. Pure, but for the digests that the caller computes.
#pragma once
#include "base/address.h"

enum {
    POISON_SENDERS_MAX = 32,                     // of one piece; blocks of further ones prove nothing
    POISON_RECORDS_MAX = 8192,                   // blocks remembered, of all pieces; above it the oldest are forgotten
    POISON_DIGEST_BYTES = 8,
    POISON_BLOCK_BYTES = 16 * 1024,
};

// While a piece comes in: which block is whose.
typedef struct {
    addr     who[POISON_SENDERS_MAX];
    int      count;
    uint8_t *of_block;                           // the caller's: index + 1 of each block's sender; 0: nobody's
} poison_senders;
void poison_sent(poison_senders *s, int32_t block, addr who);
// The one who sent all blocks; family 0: several did, or it is not known.
addr poison_only_sender(const poison_senders *s, int32_t blocks);

typedef struct poison poison;
typedef struct { uint8_t bytes[POISON_DIGEST_BYTES]; } poison_digest;

poison *poison_new(void);
void    poison_free(poison *p);                  // NULL is fine
// The piece failed: remembers its blocks.
void    poison_failed(poison *p, int32_t piece, const poison_senders *s, const poison_digest *digests, int32_t blocks);
bool    poison_knows(const poison *p, int32_t piece);
// The piece has come right: who sent other bytes before, each once; forgets the piece. Returns how many (at most max).
int     poison_found(poison *p, int32_t piece, const poison_digest *right, int32_t blocks, addr *out, int max);
