// The node without its sockets: what a datagram does to it and makes it send, and what time does. No fiber, no system call;
// the clock comes in as a number, chance and sending are callbacks, so that a fuzzer can play a whole network against it.
#pragma once
#include "rooms/swarm/dht.h"
#include "rooms/swarm/dht_guard.h"
#include "rooms/swarm/dht_search.h"
#include "rooms/swarm/dht_store.h"
#include "rooms/swarm/dht_table.h"

enum {
    DHT_DATAGRAM_BYTES_MAX = 1024,           // that we send (BEP 32)
    DHT_PENDING_MAX = 256,                   // our queries that wait for answers
    DHT_HELD_MAX = 64,                       // strangers' queries that wait for their pong
    DHT_HELD_BYTES_MAX = 256,
    DHT_CANDIDATES_MAX = 32,                 // addresses that were named to us, of each family
    DHT_VOTES_MAX = 16, DHT_VOTES_LEAST = 6, // for our own address; so many hosts must agree, and two thirds of all
    DHT_ANSWER_PEERS_MAX = 50,
    DHT_TELL_MAX = 8,                        // nodes that are told about us
    DHT_TRANSACTION_BYTES = 4,
    DHT_SLOW_MS = 1500, DHT_SILENT_MS = 6000,
    DHT_SEARCH_S_MAX = 60,
    DHT_CHECK_MS = 2000,                     // between two nodes that are looked at
    DHT_BOOT_S = 5, DHT_BOOT_S_MAX = 300,    // between two tries while nobody is known: doubled
    DHT_STALE_RETRY_S = 20,
};

typedef struct {
    void (*send)(void *arg, int family, addr to, str bytes);
    void (*random)(void *arg, void *out, size_t n);
    void *arg;
    bool  on[2];                             // IPv4, IPv6
    bool  read_only, private_allowed;
    int   bytes_per_s;
} dht_core_settings;

typedef struct dht_job dht_job;              // a search at work

typedef struct {
    bool      on, booting;
    dht_table table;
    addr      external;
    struct { addr voter, said; } votes[DHT_VOTES_MAX];
    int       vote_count, vote_next;
    addr      candidates[DHT_CANDIDATES_MAX];
    int       candidate_count;
    dht_node  seeds[2 * DHT_SEARCH_NODES_MAX];       // bootstrap nodes (id all zero: not known) and those of the last run
    int       seed_count;
    int64_t   boot_ns, boot_wait_s;
} dht_side;

typedef enum { DHT_FOR_CHECK, DHT_FOR_PROOF, DHT_FOR_SEARCH, DHT_FOR_TELLING } dht_purpose;

typedef struct {
    bool        used, is_slow;
    dht_purpose purpose;
    uint32_t    transaction;
    addr        to;
    int64_t     sent_ns;
    dht_job    *job;                         // FOR_SEARCH, FOR_TELLING
    int         held;                        // FOR_PROOF
} dht_pending;

typedef struct {
    bool          used;
    size_t        len;
    unsigned char bytes[DHT_HELD_BYTES_MAX];
} dht_held;

typedef struct {
    dht_core_settings settings;
    dht_side    side[2];
    dht_guard   guard;
    dht_store   store;
    dht_pending pending[DHT_PENDING_MAX];
    dht_held    held[DHT_HELD_MAX];
    dht_job    *jobs[DHT_SEARCHES_MAX];
    int         job_count;
    int64_t     now_ns, checked_ns, expired_ns;
    arena       msg;
    buf         out;
    int64_t     bytes_in, bytes_out, queries_in, queries_out, answers_out, dropped;
    bool        changed;                     // the tables, since this was last set to false
} dht_core;

static inline int dht_side_of(int family) { return family == 6; }

void dht_core_init(dht_core *c, const dht_core_settings *settings, int64_t now_ns);
void dht_core_free(dht_core *c);             // no search is at work any more

// A datagram came. `in` may be anything.
void dht_core_heard(dht_core *c, addr from, str in, int64_t now_ns);
// Time has passed: call it every 250 ms while dht_core_busy, else every few seconds.
void dht_core_tick(dht_core *c, int64_t now_ns);
bool dht_core_busy(const dht_core *c);

void dht_core_seed(dht_core *c, const uint8_t *id, addr at);     // where to begin; id NULL: unknown
void dht_core_candidate(dht_core *c, addr at);

// A search. found (may be NULL) gets peers as they come; done is called once, from heard or tick; neither may call back into
// the core. NULL: DHT_SEARCHES_MAX are at work. announce_port 0: nobody is told.
typedef struct {
    const uint8_t *target;
    int        family;
    bool       for_peers;                    // get_peers; else find_node
    uint16_t   announce_port;
    bool       implied_port;
    dht_found *found;
    void     (*done)(void *arg, const dht_outcome *o);
    void      *arg;
} dht_job_settings;
dht_job *dht_core_search(dht_core *c, const dht_job_settings *settings, int64_t now_ns);
void     dht_core_cancel(dht_core *c, dht_job *job);             // no callback any more

// Answers (dht_answer.c): writes what is to be sent back to this query, at most `limit` bytes, into c->out. False: nothing.
bool dht_answer(dht_core *c, const dht_message *query, addr from, size_t limit);
// The table as a file (dht_file.c): up to DHT_FILE_BYTES_MAX. Reading takes nothing for granted: everybody is only a seed.
enum { DHT_FILE_BYTES_MAX = 64 * 1024 };
bool dht_file_write(const dht_core *c, buf *out);
bool dht_file_read(dht_core *c, str in);
