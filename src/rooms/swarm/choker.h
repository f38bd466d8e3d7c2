// Who is sent to. Pure: facts about the peers go in, a verdict with a reason for each comes out. Three rules:
//
//   CHOKER_COURSE   exactly as the course tells tit-for-tat: every 10 s the four interested peers that send to us fastest
//                   (a seed: that take fastest), every 30 s one more at random; nothing changes between the rounds.
//   CHOKER_DEFAULT  the same order, but a slot whose peer is gone, lost interest or asks for nothing is given on at once, and
//                   slots are added while the uplink is not full. A seed sends to who was served least.
//   CHOKER_MANAGED  for an organisation's own swarm: no tit-for-tat; always `slots` at once, those that lack the most
//                   pieces first, in turns of a piece or a twentieth of a second.
//
// The caller runs it when choker_due says so, and (cheap when nothing has changed) whenever a peer comes, goes, changes its
// interest, begins or ends to be idle, or has been sent a whole turn.
#pragma once
#include <stdbool.h>
#include <stdint.h>

enum {
    CHOKER_PEERS_MAX = 1000,
    CHOKER_SLOTS = 4,                        // the course's top four; without the optimistic one
    CHOKER_TURN_BYTES = 64 * 1024,           // a turn is at least so long, and
    CHOKER_TURNS_PER_S = 20,                 // on a fast line so long: each begins with a wait for the first request
    CHOKER_SLOTS_MAX = 50,                   // as many as the default rules open to fill the uplink
};
#define CHOKER_ROUND_NS      (10 * 1000000000ll)
#define CHOKER_OPTIMISTIC_NS (30 * 1000000000ll)
#define CHOKER_GROW_NS       1000000000ll            // one slot more at most this often while the uplink has room

typedef enum { CHOKER_COURSE, CHOKER_DEFAULT, CHOKER_MANAGED } choker_mode;

typedef enum {                                       // why a peer is unchoked, or choked
    CHOKER_NOT_INTERESTED, CHOKER_UPLOAD_ONLY,       // choked: it wants nothing; it is a seed itself
    CHOKER_ASKS_NOTHING,                             // choked: it was unchoked a moment ago and asked for nothing
    CHOKER_SLOWER, CHOKER_SNUBS,                     // choked: others send faster; it has sent nothing for a minute
    CHOKER_WAITS_ROUND, CHOKER_WAITS_TURN, CHOKER_NO_SLOT,
    CHOKER_FASTEST, CHOKER_OPTIMISTIC, CHOKER_FREE_SLOT, CHOKER_UPLINK_IDLE,      // unchoked from here on
    CHOKER_LEAST_SERVED, CHOKER_NEEDIEST, CHOKER_TURN_LASTS,
} choker_reason;
const char *choker_reason_words(choker_reason r);    // a literal, for people

typedef struct {
    // facts
    int     id;                              // the caller's number; ties are broken by `seed` and it, not by place
    bool    interested;                      // in us
    bool    upload_only;                     // a seed, or says so (BEP 21)
    bool    snubbed;                         // was asked and has sent nothing for 60 s
    bool    idle;                            // unchoked, but asks for nothing: no request of it waits or is being sent
    int64_t idle_since_ns;                   // idle: since when
    int64_t rate_from, rate_to;              // bytes a second over the last ~20 s: from it, to it
    int64_t sent_bytes;                      // payload sent to it in all
    int64_t turn_bytes;                      // payload sent to it since it was last unchoked
    bool    mid_piece;                       // the first request that waits is of the same piece as the block sent last
    int64_t unchoked_ns;                     // when it was last unchoked (0: never)
    int32_t lacks;                           // pieces that it lacks
    // in: is it unchoked now; out: shall it be
    bool    unchoked;
    bool    was_unchoked;                    // the choker's own
    choker_reason reason;
} choker_peer;

typedef struct {
    choker_mode mode;
    bool    seeding;                         // we lack nothing that we want
    int     slots;                           // CHOKER_SLOTS unless set otherwise; at most CHOKER_SLOTS_MAX
    int64_t piece_bytes;
    int64_t line_rate;                       // bytes a second that our line carries; 0: not known
    bool    uplink_idle;                     // the line could take more right now: no peer's writer waits for room in its socket
                                             // or for the set rate
} choker_rules;

typedef struct {                             // kept between runs; start from choker_make
    uint64_t seed;
    int64_t  round_ns, optimistic_ns, grown_ns;      // when they last happened; 0: never
    int      optimistic;                     // whose luck it is; -1: nobody's
    int      extra;                          // slots added while the uplink was idle
    int64_t  look_ns;                        // somebody unchoked has not asked for anything yet: look again then; 0: nobody
} choker;

choker  choker_make(uint64_t seed);
// Decides: sets peers[i].unchoked and .reason, for all. Returns how many are unchoked.
int     choker_run(choker *c, const choker_rules *rules, choker_peer *peers, int count, int64_t now_ns);
// How much is sent to a peer before another may take its slot (managed mode, and seeds that share out): whole pieces.
int64_t choker_turn_bytes(int64_t piece_bytes, int64_t line_rate);
// When it must run again at the latest.
int64_t choker_due(const choker *c, const choker_rules *rules, int64_t now_ns);
