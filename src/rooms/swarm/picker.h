// The piece picker of one torrent: what to ask a given peer for next. Pure computation: no clock, no chance but the seed
// that is given, no input or output. It knows how many peers have each piece (availability), which pieces are partly asked
// for or received (open), and who was asked for which block.
//
// The order in which blocks are chosen for a peer, the first that gives any wins:
//   1. pieces with a deadline, the earliest first          (a player waits for them; near the deadline, from two peers)
//   2. pieces that are open and only this peer has         (nobody else can help us, and the whole swarm waits for them)
//   3. pieces that this peer suggested (BEP 6)             (a seed steers so that it need not send a piece twice; not in sequential
//      mode)
//   4. other pieces that only this peer has               (none of a source that steers: picker_steers)
//   5. pieces that are open already                        (only a whole piece can be passed on)
//   6. sequential mode: in order. Else by priority, and within it: the first PICKER_RANDOM_FIRST pieces at random (something
//      to give soon), then rarest first, at random among equals
//   7. endgame: everything wanted is asked for: also blocks that others were asked for, until PICKER_ASKED_MAX were; what
//      comes from one is then to be canceled at the others
//
// Memory: 8 bytes and a bit a piece; about 10 bytes a block of pieces that are open. A torrent that is complete needs none
// (picker_free it). Peers are the caller's small numbers, 0 .. PICKER_PEERS_MAX - 1.
#pragma once
#include "wire/bt/bitfield.h"

enum {
    PICKER_BLOCK_BYTES = 16 * 1024,          // what one request asks for; the last of a piece may be shorter
    PICKER_PIECES_MAX = 1 << 20,
    PICKER_PEERS_MAX = 1000,
    PICKER_OPEN_MAX = 2048,                  // pieces open at once; above it only these are continued
    PICKER_ASKED_MAX = 3,                    // peers asked for the same block at once (endgame, deadlines)
    PICKER_SUGGESTED_MAX = 16,                // of a peer; older ones are forgotten
    PICKER_DEADLINES_MAX = 512,
    PICKER_RANDOM_FIRST = 2,                 // pieces
    PICKER_ENDGAME_MAX = 2,                  // blocks asked of one peer that others were asked for, too
};

typedef struct picker picker;

typedef struct {
    int64_t length, piece_bytes;             // of the torrent; bytes
    int32_t piece_count;
} picker_shape;

typedef struct { int32_t piece, begin, length; } picker_block;       // piece index, bytes

typedef enum { PICKER_SKIP, PICKER_LOW, PICKER_NORMAL, PICKER_HIGH } picker_priority;

// All pieces wanted at PICKER_NORMAL except those in `have` (copied). must: the shape fits together. Free with picker_free.
picker *picker_new(picker_shape shape, const bitfield *have, uint64_t seed);
void    picker_free(picker *p);                                      // NULL is fine

void picker_sequential(picker *p, bool in_order);
// Open blocks of a piece that is skipped are forgotten; what was asked for and still comes is PICKER_UNWANTED.
void picker_priority_set(picker *p, int32_t piece, picker_priority to);
picker_priority picker_priority_of(const picker *p, int32_t piece);
// Wanted before this absolute time; 0: no deadline any more. False: PICKER_DEADLINES_MAX are set, or nothing to wait for.
bool picker_deadline_set(picker *p, int32_t piece, int64_t at_ns);

// ---- what peers have (this is availability; a superseeder's HAVEs count like any others) ----
void picker_peer_bitfield(picker *p, const bitfield *has);           // a peer came with these; has all: cheap
void picker_peer_has(picker *p, int32_t piece);                      // HAVE of a piece that it had not before
void picker_peer_lost(picker *p, int32_t piece);                     // it takes that back (lt_donthave)
// It is gone: what it had counts no more, what it was asked for is free again.
void picker_peer_gone(picker *p, int peer, const bitfield *has);
void picker_suggest(picker *p, int peer, int32_t piece);             // BEP 6; nothing when we have it; good until it chokes us
void picker_suggestions_forget(picker *p, int peer);                 // it chokes us: they are not good any more
// A source that says by its suggestions what it wants to be asked for. While there are pieces that only it has, it is asked for what it
// suggested and the rest of what was begun, and for nothing else: it sends no piece to two peers while others wait for their first.
void picker_steers(picker *p, int peer, bool steers);
int  picker_availability(const picker *p, int32_t piece);            // peers known to have it
// Has the peer a wanted piece that we lack (are we interested)?
bool picker_wants(const picker *p, const bitfield *has);

// ---- asking ----
// Up to n blocks to ask `peer` for now, marked as asked; returns how many. 0: nothing for this peer at the moment (ask again
// when a HAVE comes from it or picker_returned gave something back). Never a block that this peer was asked for and has not
// answered.
int  picker_choose(picker *p, int peer, const bitfield *has, int n, int64_t now_ns, picker_block *out);
// For who sends whole pieces (a web seed has everything): up to `most` pieces in a row nobody was asked for, all their blocks marked as
// asked of `peer`; when there are none, one that is open and lacks blocks. How many, from *first on; 0: nothing now.
int32_t picker_take_run(picker *p, int peer, int32_t most, int32_t *first);
// The peer will not send it: reject, choke without fast extension, timeout. Free for others.
void picker_returned(picker *p, int peer, picker_block b);
void picker_returned_all(picker *p, int peer);                       // everything it was asked for, and its suggestions (choke)
int  picker_asked_of(const picker *p, int peer);                     // blocks asked and not answered
// Could a block of this piece (-1: any block) be asked of the peer now, that nobody was asked for or, at the end, few were?
bool picker_askable(const picker *p, int peer, const bitfield *has, int32_t piece, int64_t now_ns);

typedef enum {
    PICKER_TAKEN,                            // store it
    PICKER_WHOLE,                            // store it; all blocks of the piece are there now: check its hash
    PICKER_UNWANTED,                         // never asked of this peer, or already there: throw it away
} picker_receipt;
// A block came. Who else was asked for it (send them cancels) is in cancel[0 .. *cancel_count).
picker_receipt picker_received(picker *p, int peer, picker_block b, int cancel[PICKER_ASKED_MAX], int *cancel_count);
// Found on the disk after a restart: as if received (of nobody). False when there is no such block or no room.
bool picker_block_found(picker *p, picker_block b);
bool picker_block_there(const picker *p, picker_block b);            // received, its piece not yet checked
bool picker_block_asked(const picker *p, int peer, picker_block b);  // of this peer, and not there: it would be taken

void picker_piece_done(picker *p, int32_t piece);                    // the hash fits: we have it
// The hash does not fit. All blocks are wanted again, now from one peer at a time, so that the liar shows.
// The senders of its blocks, each once, are in senders[0 .. return value), at most max (-1, found on disk, is left out).
int  picker_piece_failed(picker *p, int32_t piece, int *senders, int max);
void picker_piece_lost(picker *p, int32_t piece);                    // we had it, the disk lost it: wanted again

// ---- looking ----
typedef struct {
    int32_t have, wanted, open;              // pieces: there; lacking and not skipped; partly asked for or received
    int32_t blocks_asked, blocks_received;   // of open pieces
    bool    endgame;                         // nothing wanted is left that nobody was asked for
    bool    complete;                        // nothing wanted is lacking
    int     rarest;                          // smallest availability among wanted pieces that are not open; -1: none
    int32_t rarest_count;                    // how many have it
} picker_state;
picker_state picker_look(const picker *p);
const bitfield *picker_have(const picker *p);

typedef enum {
    PICKER_WHY_DEADLINE, PICKER_WHY_SUGGESTED, PICKER_WHY_ONLY, PICKER_WHY_STARTED, PICKER_WHY_SEQUENTIAL,
    PICKER_WHY_RANDOM, PICKER_WHY_RAREST, PICKER_WHY_ENDGAME, PICKER_WHY_NOTHING,
} picker_reason;
typedef struct {
    int32_t       piece;                     // -1 with PICKER_WHY_NOTHING
    picker_reason reason;
    int           availability;
    int32_t       equals;                    // PICKER_WHY_RAREST: pieces that are as rare
} picker_explained;
// What picker_choose would take next for this peer (has NULL: for a peer that has everything), and why. Changes nothing.
picker_explained picker_why(const picker *p, int peer, const bitfield *has, int64_t now_ns);
const char *picker_reason_words(picker_reason r);    // "the rarest: 2 neighbours have it" without the figure; a literal
