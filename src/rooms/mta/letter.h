// A letter in transit: its envelope, what became of each recipient, and where its text lies. And the records that the
// spool keeps of it. A record is written by us and read by us, but a disk may damage what the journal's checksum misses
// and versions change, so reading is bounded and checked like anybody else's bytes.
#pragma once
#include "base/buf.h"
#include "base/bytes.h"
#include "base/list.h"
#include "keep/blob.h"
#include "keep/journal.h"
#include "rt/wait.h"

enum {
    LETTER_RECIPIENTS_MAX = 1001,            // RFC 5321 4.5.3.1.8 wants at least 100; one is for the copy in Sent
    LETTER_INLINE_BYTES_MAX = 64 * 1024,     // larger texts get a blob of their own
    LETTER_REPLY_BYTES_MAX = 512,            // of the last reply, kept for the bounce and for `naru queue show`
    LETTER_ARENA_BYTES_MAX = 2 << 20,
    LETTER_ATTEMPTS_MAX = 64,                // records about attempts that are remembered; the oldest go first
    LETTER_PAST_MAX = 256,                   // attempts that a carried letter takes with it
    LETTER_ID_TEXT = 14,                     // 13 letters and a NUL
};

typedef enum { RECIPIENT_WAITING, RECIPIENT_DELIVERED, RECIPIENT_FAILED } recipient_state;

typedef struct {
    str             address;                 // local@domain, lower-case domain
    str             mailbox;                 // a mailbox of that account other than its inbox ("Sent"); empty: the inbox
    recipient_state state;
    uint16_t        attempts;
    int64_t         last_try_s;              // wall clock, 0: never
    str             reply;                   // what the other side said last
} recipient;

typedef struct letter {
    uint64_t      id;                        // random, never 0; with the recipient's index it is the delivery id
    uint64_t      trace;
    int64_t       arrived_s;                 // wall clock
    int64_t       expires_ns;                // monotonic, so that a jumping clock bounces nothing
    str           from;                      // empty: the null path
    bool          body_8bit, held, in_blob;
    blob_id       blob;
    journal_place place;                     // of the newest record that holds the whole letter
    journal_place *attempts;                 // of the records about delivery attempts, oldest first; memory_free
    int           attempt_count, attempt_cap;
    int64_t       size_bytes;                // of the text
    recipient    *to;
    int           to_count, to_waiting;
    str           text;                      // when it is still in memory (fresh and small); else empty
    buf           text_memory;
    arena         memory;                    // the envelope's
    int           users;                     // jobs of the queue that look at it
    turn          records;                   // one record about this letter at a time, so that the last one says all
    bool          over;                      // nobody waits any more (or deleted): freed when users is 0
    list_link     link;                      // in the spool's list, in order of arrival
    uint64_t      map_key;                   // = id: what the spool's map points at
} letter;

letter *letter_new(uint64_t id);                             // nothing filled in; letter_free
void    letter_free(letter *l);
void    letter_id_text(uint64_t id, char out[LETTER_ID_TEXT]);        // Crockford base 32, as people read it aloud
bool    letter_id_parse(str text, uint64_t *id);

// ---- records --------------------------------------------------------------------------------------------------------------

typedef enum { RECORD_LETTER = 1, RECORD_OUTCOME = 2, RECORD_HOLD = 3, RECORD_DELETE = 4, RECORD_DELIVERED = 5, RECORD_PAST = 6 } record_kind;

typedef struct { int index; recipient_state state; str reply, host; } outcome;      // WAITING: deferred; host: who said it, may be empty

// The envelope part of a LETTER record; the text (or nothing, when in_blob) follows as a piece of its own.
bool letter_record(const letter *l, buf *out);
// An OUTCOME record: what became of some recipients, and the bounce that this caused (LETTER record bytes), in one.
bool outcome_record(uint64_t id, const outcome *v, int count, int64_t now_s, str bounce_record, buf *out);
// A DELIVERED record grows by one entry a recipient: the first call writes the kind. For our own mailstore, which knows delivery ids.
bool delivered_record(uint64_t id, int index, buf *out);
bool mark_record(record_kind kind, uint64_t id, bool on, buf *out);           // HOLD (on/off), DELETE

// Finds a letter's text in the record that holds it: a LETTER record, or the bounce inside an OUTCOME record.
bool record_text(str record, uint64_t id, str *text);

// Reads the kind and the letter's id; the reader stands behind them. False: not a record of ours.
bool record_open(reader *r, record_kind *kind, uint64_t *id);
letter *letter_read(reader *r, uint64_t id);                 // NULL: damaged; the text is what is left in r (kept nowhere)
// Applies an outcome to its letter; *bounce is the nested LETTER record, empty when there is none.
bool outcome_apply(reader *r, letter *l, str *bounce);
bool mark_read(reader *r, bool *on);

// ---- attempts ---------------------------------------------------------------------------------------------------------------

typedef struct { int64_t at_s; outcome was; } attempt;       // wall clock
typedef void attempt_seen(void *arg, const attempt *a);
// The attempts that an OUTCOME or PAST record about this letter tells, in order; their texts are views. False: damaged, or another record.
bool attempts_read(str record, uint64_t id, attempt_seen *each, void *arg);
// A PAST record grows by one attempt a call; the first writes the kind and the id.
bool past_record(uint64_t id, const attempt *a, buf *out);
void letter_attempt(letter *l, journal_place place);         // remembers where a record about an attempt lies
// The entries of a DELIVERED record; the first one's id is the one that record_open read.
bool delivered_next(reader *r, bool first, uint64_t *id, int *index);
