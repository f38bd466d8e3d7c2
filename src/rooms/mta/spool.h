// The spool: mail in transit, durable. A letter is ours when spool_accept returned E_OK, and from then until every recipient
// has an end that is recorded. Journal segments hold the records; texts above LETTER_INLINE_BYTES_MAX lie in blobs.
//
// A segment is dropped only when it is the oldest and holds no living letter: an outcome is recorded later than its letter, so
// it can never vanish before it. Letters that stay long are carried forward so that old segments empty.
#pragma once
#include "base/map.h"
#include "rooms/mta/letter.h"

typedef struct spool spool;

enum {
    SPOOL_LETTERS_MAX = 200000,              // living letters; above it 452
    SPOOL_MEMORY_BYTES_MAX = 16 << 20,       // texts of fresh letters kept in memory until their first attempt
    SPOOL_SEGMENTS_MAX = 1 << 20,
    SPOOL_SWEEP_BYTES_MAX = 64 << 20,        // for the list of blobs at opening; with more of them none is removed
    SPOOL_DELIVERED_BYTES_MAX = 1 << 20,     // of deliveries that wait to be recorded
    SPOOL_LENT_BLOBS_MAX = 1 << 20,          // whose letters ended during a backup; above it they stay until the next start
    SPOOL_CARRY_SEGMENTS = 4,                // with more segments than this the oldest is emptied
};

#define SPOOL_DELIVERED_WAIT_NS millis(50)

// Opens DIRECTORY/journal and DIRECTORY/blobs and reads back what is there. *why: what, where, why and what to do.
err  spool_open(world *w, str directory, arena *a, spool **out, str *why);
void spool_close(spool *s);                          // no letter may be in use

letter *spool_letter_new(spool *s);                  // a fresh id
// Makes the letter durable and takes it over; on trouble the letter stays the caller's.
// E_LIMIT (too many letters), E_NO_SPACE, E_IO, E_SEALED.
err  spool_accept(spool *s, letter *l);
// Records what became of some recipients, and the bounce that this causes (NULL: none; taken over). Does not give up while the
// disk is full: what has happened must be written. E_CANCELED, E_CRASHED only at the end of the room.
err  spool_outcome(spool *s, letter *l, const outcome *v, int count, letter *bounce);
// Our own mailstore has it, under its delivery id: recorded within SPOOL_DELIVERED_WAIT_NS together with others. A crash before that
// repeats the delivery, and the mailstore answers that it has it already. Not for letters in blobs (their text goes now).
void spool_delivered(spool *s, letter *l, const outcome *v, int count);
void spool_record_deliveries(spool *s);              // the fiber that writes them down; ends when canceled, after the last ones
err  spool_hold(spool *s, letter *l, bool on);
err  spool_delete(spool *s, letter *l);              // without a bounce, as the person in charge wishes
void spool_release(spool *s, letter *l);             // the caller's l->users is over: frees a letter that is

// The text of an inline letter in `a` (or the memory copy); E_CORRUPT, E_IO. For blobs use spool_blobs.
err  spool_text(spool *s, letter *l, arena *a, str *text);
void spool_forget_text(spool *s, letter *l);         // gives the memory copy back
blobs *spool_blobs(spool *s);
// The recorded attempts to deliver it, oldest first, also those before this process began. Parks: hold l->users. What cannot be read
// is passed over.
void spool_attempts(spool *s, letter *l, attempt_seen *each, void *arg);

letter *spool_first(spool *s);                       // in order of arrival
letter *spool_next(spool *s, letter *l);
letter *spool_find(spool *s, uint64_t id);
int     spool_count(const spool *s);
journal_figures spool_figures(const spool *s);
// For a backup: the journal's files that hold all that is promised now, and every blob that they name, stay until spool_give_back,
// also when their letters end. One loan at a time (must). E_LIMIT: the arena is full.
err     spool_lend(spool *s, arena *a, journal_loan *out);
void    spool_give_back(spool *s, const journal_loan *out, bool ending);     // ending: nothing parks, the rest goes with the next start
void    spool_tidy(spool *s);                        // once in a while, by one fiber: carries forward, drops empty segments
