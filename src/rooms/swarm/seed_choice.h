// Which piece a seed should give to whom, so that it sends no piece twice while some have not been sent at all. Receivers
// choose what they ask for; a seed steers them by what it says it has (BEP 16, superseeding: HAVE of one piece at a time to
// a peer that was shown an empty bitfield) or, among our own, by suggesting (BEP 6). Pure.
//
// Unlike BEP 16 nobody must prove that he passed a piece on before he gets the next: that would throttle a fast seed.
// What is counted a piece: how often it was offered (and not taken back), and how many peers were seen to have it.
#pragma once
#include "wire/bt/bitfield.h"

enum { SEED_CHOICE_PIECES_MAX = 1 << 20 };

typedef struct seed_choice seed_choice;

seed_choice *seed_choice_new(int32_t pieces, uint64_t seed);         // free with seed_choice_free; 8 bytes a piece
void         seed_choice_free(seed_choice *c);                       // NULL is fine

// The piece to offer to a peer that has `has`, and was offered `offered` before (both may be NULL: nothing): among those it
// lacks and was not offered the one offered least often, then had by the fewest, then by chance. Counted as offered. -1: none.
int32_t seed_choice_next(seed_choice *c, const bitfield *has, const bitfield *offered);
// The same, but only a piece that nobody was offered yet.
int32_t seed_choice_next_new(seed_choice *c, const bitfield *has, const bitfield *offered);
// The peer that was offered it went away, or never asked, before it had the piece.
void    seed_choice_returned(seed_choice *c, int32_t piece);
void    seed_choice_seen(seed_choice *c, int32_t piece);             // a peer said HAVE (or its bitfield did)
void    seed_choice_unseen(seed_choice *c, int32_t piece);           // a peer that had it is gone; if it was the last, it is new again
// Has every piece been seen at some peer? Then the seed may show itself as what it is: superseeding is over.
bool    seed_choice_all_out(const seed_choice *c);
int32_t seed_choice_left(const seed_choice *c);                      // pieces that no peer was seen to have
int     seed_choice_offers(const seed_choice *c, int32_t piece);
// How many pieces to have on offer to a peer (offered, lacked and not wholly sent): enough that its requests never run dry
// while the next HAVE travels. rate_to: bytes a second that it takes; round_trip_ns.
int     seed_choice_depth(int64_t piece_bytes, int64_t rate_to, int64_t round_trip_ns);
