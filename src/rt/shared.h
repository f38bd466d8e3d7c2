// Bytes with several holders: what the simulator lends where the real world would copy. A swarm of a thousand simulated peers has
// the same block a thousand times on its disks, in its streams and on its way to a hash; here it is once, and counted.
//
// Blocks stand side by side in one reserved range of addresses, so that a pointer tells by itself whether it is shared. Only the
// thread of the simulated loop holds and drops; others may read what is held for them. In the real world no block is ever made:
// then shared_hold answers false and shared_drop does nothing.
#pragma once
#include "base/text.h"

enum { SHARED_BLOCK_BYTES = 16 * 1024 };

// One more holder of each block that these bytes touch: from now on they stay as they are. false: they do not (all) lie in blocks
// that somebody holds, and nothing has happened.
bool shared_hold(str bytes);
// Makes `held` longer by bytes that follow it in memory. false: they do not follow, or are not shared. An empty `held`: shared_hold.
bool shared_extend(str *held, str more);
bool shared_is(str bytes);                               // do they lie in a block that somebody holds?
void shared_skip(str *held, ptrdiff_t bytes);            // the first bytes of it are needed no more; also of what is not shared
void shared_drop(str held);                              // what was held and perhaps made longer; other bytes: nothing happens

bool shared_is_block(const void *at);                    // does a block begin here that somebody holds?
// Blocks as wholes, for who keeps files of them. A block may be written by its only holder alone.
unsigned char *shared_block_new(void);                   // zeros, one holder
unsigned char *shared_block_own(unsigned char *block);   // itself when nobody else holds it, else a copy in exchange for it
void shared_block_hold(unsigned char *block);
void shared_block_drop(unsigned char *block);
int  shared_held(void);                                  // blocks that somebody holds
// The simulation has ended: whatever one of its hosts still held is nobody's. The next one finds no block in use and goes the way that
// its seed alone decides: where blocks stand decides what follows what in memory, and so what is sent as one.
void shared_forget(void);
