// naru torment: letters into a small Internet of its own while that is killed, filled and cut off. What its parts share.
#pragma once
#include "cmd/options.h"
#include "rt/scope.h"
#include "rt/tls.h"
#include "rt/world.h"

enum {
    TORMENT_LETTERS_MAX = 1000000,
    TORMENT_RECIPIENTS_MAX = 3,              // of one letter
    TORMENT_COPIES_MAX = 4,                  // of one letter in one mailbox that are told apart; more are simply too many
    TORMENT_PEOPLE_MAX = 64, TORMENT_HOSTS_MAX = 32,
    TORMENT_SENDERS = 24, TORMENT_VANDALS = 4,
    TORMENT_LETTER_BYTES_MAX = 512 * 1024,
    TORMENT_MEMORY_BYTES_MAX = 512 << 20,
    TORMENT_PATH_BYTES = 256,
};

// Which way a copy came: the ids that its first and its last server gave it (hashes of them).
typedef struct { uint32_t first, last; } torment_way;

// What is known about one letter: it is written down here before the next word is said to a server.
typedef struct {
    uint8_t  count, to[TORMENT_RECIPIENTS_MAX];          // indices of people
    bool     accepted[TORMENT_RECIPIENTS_MAX];           // a 250 was read
    uint8_t  unclear[TORMENT_RECIPIENTS_MAX];            // times that the connection broke between the final dot and its answer
    uint8_t  seen[TORMENT_RECIPIENTS_MAX];               // copies in the mailbox at the end
    torment_way ways[TORMENT_RECIPIENTS_MAX][TORMENT_COPIES_MAX];
    bool     damaged;
    uint32_t sum;                                        // of the body
} torment_letter;

typedef struct { str address, password; int host; } torment_person;
typedef struct { str name; addr smtp, submission, pop3; int people[8], people_count; } torment_host;

typedef struct {
    // the command line
    int64_t letters, kills, seed, patience_s, disk_mib, fills;
    bool    json, break_one, keep;
    str     wanted_directory;
    // the small Internet, as it answered last
    world  *world;
    arena   memory;                  // the program's
    arena   map_memory;              // what the starts told; a sender may still hold an older one's
    char    directory[TORMENT_PATH_BYTES], data[TORMENT_PATH_BYTES], output[TORMENT_PATH_BYTES];
    bool    small_disk;
    str     no_disk;                 // why there is none
    int     pid;                     // 0: none runs
    bool    up;
    int     starts;
    turn    one_trouble;             // a start on a full disk would be refused: one trouble at a time
    tls_config *tls;                 // one of tls_all: senders may still shake hands with an older one
    tls_config **tls_all;            // one a start
    torment_host   hosts[TORMENT_HOSTS_MAX];
    torment_person people[TORMENT_PEOPLE_MAX];
    int     host_count, people_count;
    // the ledger
    torment_letter *ledger;
    int     next[2 * TORMENT_HOSTS_MAX];         // letters handed out, by door
    int     accepted;                // letters of which every recipient was accepted
    bool    over;                    // nothing more is to be sent
    int64_t started_ns, accepted_ns, drained_ns;
    // what was done to it
    int     killed, filled, cut, vandalised, refused_full;
    str     trouble;                 // why there is no result at all
} torment;

// Chance that depends on the seed, a number and a purpose alone: the same seed makes the same choices.
uint64_t torment_chance(const torment *t, int number, int purpose, uint64_t below);
void torment_letters_plan(torment *t);               // fills the ledger: recipients and bodies
void torment_send_all(void *arg);                    // returns when every letter is accepted (or t->over)
void torment_vandal(void *arg);                      // peers that stall and cut, until t->over
bool torment_drain(torment *t);                      // waits until every queue is empty; false: not in time
bool torment_read_all(torment *t);                   // counts what lies in the mailboxes; false with t->trouble
