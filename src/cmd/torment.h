// naru torment: letters into a naru of its own while that is killed, filled, cut off and told wrong times. What its parts share.
//
//     torment.c       the command, and what is done to the naru       torment_up.c    two `naru up` whose services die one by one
//     torment_send.c  the senders and the vandals                     torment_try.c   one `naru try` that dies as a whole
//     torment_sink.c  a receiver that stalls                          torment_read.c  the queues' end, the mailboxes
//     torment_backup.c  a backup in the middle of it, and whether anything is missing there
//     torment_count.c the ledger's sums and the verdict
#pragma once
#include "cmd/options.h"
#include "rt/child.h"
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
    TORMENT_NODES = 2,                       // `naru up`: two mail servers that write to each other
    TORMENT_SERVICES_MAX = GRANDCHILDREN_MAX,        // of one of them
    TORMENT_NOBODY = 255,
};

// Which way a copy came: the ids that its first and its last server gave it (hashes of them).
typedef struct { uint32_t first, last; } torment_way;

// What is known about one letter: it is written down here before the next word is said to a server.
typedef struct {
    uint8_t  count, to[TORMENT_RECIPIENTS_MAX];          // indices of people
    bool     accepted[TORMENT_RECIPIENTS_MAX];           // a 250 was read
    uint8_t  unclear[TORMENT_RECIPIENTS_MAX];            // times that the connection broke between the final dot and its answer
    uint8_t  seen[TORMENT_RECIPIENTS_MAX];               // copies in the mailbox at the end
    bool     backed[TORMENT_RECIPIENTS_MAX];             // had been promised by the first node to its own people when its backup began
    bool     restored[TORMENT_RECIPIENTS_MAX];           // lies in the mailbox that came out of the backup
    torment_way ways[TORMENT_RECIPIENTS_MAX][TORMENT_COPIES_MAX];
    bool     damaged;
    uint32_t sum;                                        // of the body
} torment_letter;

typedef struct { str address, password; int host; } torment_person;
typedef struct { str name; addr smtp, submission, pop3; int people[8], people_count; } torment_host;

typedef struct {
    // the command line
    int64_t letters, kills, seed, patience_s, disk_mib, fills, clocks, backups;
    bool    json, break_one, keep, on_try;
    str     wanted_directory;
    // the naru, as it answered last
    world  *world;
    arena   memory;                  // the program's
    arena   map_memory;              // what the starts told; a sender may still hold an older one's
    char    directory[TORMENT_PATH_BYTES], data[TORMENT_PATH_BYTES], output[TORMENT_PATH_BYTES],
            clock[TORMENT_PATH_BYTES];
    bool    small_disk;
    str     no_disk;                 // why there is none
    int     pid;                     // of `naru try`; 0: none runs
    int     pids[TORMENT_NODES];     // of the supervisors
    bool    up;
    int     starts;                  // a sender hangs up when it has changed: the naru it spoke to is gone
    turn    one_trouble;             // a start on a full disk would be refused: one trouble at a time
    tls_config *tls;                 // one of tls_all: senders may still shake hands with an older one
    tls_config **tls_all;            // one a start of `naru try`
    int     tls_count;
    str     ca_pem;
    str     backup;                  // the directory of the last one
    torment_host   hosts[TORMENT_HOSTS_MAX];
    torment_person people[TORMENT_PEOPLE_MAX];
    int     host_count, people_count;
    int     outside;                 // the one of the people whose mail our own receiver takes; -1: none
    addr    sink;                    // its door
    // the ledger
    torment_letter *ledger;
    int     next[2 * TORMENT_HOSTS_MAX];         // letters handed out, by door
    int     accepted;                // letters of which every recipient was accepted
    bool    over;                    // nothing more is to be sent
    int64_t started_ns, accepted_ns, drained_ns;
    // what was done to it
    int     killed, filled, cut, vandalised, refused_full, stepped, stalled, taken;
    int     backed_up, backed, missing;      // backups taken; letters that must be in the last one, and are not
    bool    restoring;               // what is read now came out of the backup
    int     killed_service[TORMENT_SERVICES_MAX], power_cuts;
    str     trouble;                 // why there is no result at all
} torment;

// Chance that depends on the seed, a number and a purpose alone: the same seed makes the same choices.
uint64_t torment_chance(const torment *t, int number, int purpose, uint64_t below);
enum { CHANCE_KILL = 100, CHANCE_KILL_WHEN, CHANCE_KILL_WHOM, CHANCE_FILL, CHANCE_CLOCK, CHANCE_STALL };

bool torment_failed(torment *t, const char *why);    // ends the campaign with this sentence; always false

// ---- what is tormented ----
bool torment_try_start(torment *t);                  // false with t->trouble
bool torment_up_prepare(torment *t);                 // its certificates, zone and configuration
bool torment_up_start(torment *t, int node);
char *torment_up_directory(const torment *t, int node, arena *a);
bool torment_up_people(torment *t);                  // makes the accounts; once, after the starts
bool torment_up_kill(torment *t, int node, int which);       // one service, chosen by `which`; the supervisor starts it again
bool torment_up_cut(torment *t, int node);           // the supervisor and all services at once, and starts it again
void torment_up_stop(torment *t);
bool torment_backup_take(torment *t, int number);    // of the first node, while everything goes on; false: it failed
bool torment_backup_check(torment *t);               // after torment_up_stop: restores the last one, starts it, reads its mailboxes
str  torment_service_name(const torment *t, int service);
void torment_sink_serve(conn *c, void *arg);         // a door_serve: the receiver of the outside, arg is the torment

// ---- senders, ends, sums ----
void torment_letters_plan(torment *t);               // fills the ledger: recipients and bodies
void torment_send_all(void *arg);                    // returns when every letter is accepted (or t->over)
void torment_vandal(void *arg);                      // peers that stall and cut, until t->over
bool torment_drain(torment *t);                      // waits until every queue is empty; false: not in time
bool torment_read_all(torment *t);                   // counts what lies in the mailboxes; false with t->trouble
bool torment_read_host(torment *t, int host);        // of this one alone
// Counts a letter that lay in a mailbox. last: what tells this copy's last acceptance from others; 0: its Received line does.
void torment_count_letter(torment *t, int person, str text, uint32_t last);
int  torment_verdict(torment *t);                    // prints it; the exit code
