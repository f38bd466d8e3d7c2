// Open pieces: partly asked for or received; who was asked for which block. Nobody but picker*.c includes this.
#pragma once
#include "rooms/swarm/picker.h"

enum { OPEN_NOBODY = 0xffff };

typedef struct {
    uint16_t who[PICKER_ASKED_MAX];          // asked; when received: who[0] sent it
    uint8_t  asked;                          // how many of who are filled
    bool     received;
} open_block;

typedef struct {
    int32_t  piece, blocks, free, received;  // free: nobody is asked and it is not there
    int      owner;                          // after a failed hash: the one peer that is asked; -1: not chosen yet
    int      turns;                          // how many owners may still be tried; 0: whoever has it is asked
    open_block block[];
} open_piece;

open_piece *open_new(int32_t piece, int32_t blocks);                 // memory_free it
bool open_asked_of(const open_block *b, int peer);
// May the peer be asked for a free block (or, `twice`, for one that others were asked for)?
bool open_has(const open_piece *o, int peer, bool twice);
void open_ask(open_piece *o, int32_t block, int peer);
bool open_unask(open_piece *o, int32_t block, int peer);             // false: it was not asked
void open_arrived(open_piece *o, int32_t block, int peer);           // asks are forgotten, peer is the sender
void open_forget(open_piece *o, bool received_too);                  // all asks (and blocks) are forgotten
// The block the peer is to be asked for: the first free one, or (`twice`) one that the fewest were asked for. -1: none.
int32_t open_next(const open_piece *o, int peer, bool twice);
