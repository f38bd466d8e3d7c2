// The rate decision of the player: when to fetch the next segment, which rendition of it (what) and from which server (where). One pure
// function of a situation and a memory: no clock, no chance, no floats; the same arguments give the same answer on every machine.
//
//     rate_memory *memory = ...;                            the player's, one for each session; about 110 KiB: not for a fiber's stack
//     rate_memory_start(memory, RATE_NARU);
//     for (;;) {
//         rate_decision d = rate_decide(&situation, memory);
//         switch (d.act) {
//         case RATE_WAIT:    sleep d.wait_ms, ask again;
//         case RATE_FETCH:   ask d.server for the segment at d.rung; ask again while it runs, every d.wait_ms, with `running` filled in;
//         case RATE_GO_ON:   let the running download go on; ask again after d.wait_ms;
//         case RATE_ABANDON: end the running download, tell rate_learn() of it (failed when d.when is RATE_WHEN_SILENT), ask again;
//         case RATE_DONE:    nothing is left to fetch;
//         }
//         when a download ends, however it ends: rate_learn(memory, &download);
//     }
//
// docs/rate.md explains the rules and what was measured.
#pragma once
#include "wire/media/rate_model.h"

enum {
    RATE_RUNGS_MAX = 16,
    RATE_SERVERS_MAX = 16,
    RATE_AHEAD_MAX = 8,                      // rows of sizes that a decision looks at; more are welcome and not read
    RATE_HISTORY_MAX = 32,                   // downloads that a memory keeps
    RATE_CAPACITY_MS = 25000,                // what a player buffers unless it says otherwise
    RATE_TICK_MS = 250,                      // how often a running download is looked at
    RATE_ABANDONS_MAX = 3,                   // of one segment; then it is fetched to the end
};

typedef enum {
    RATE_NARU,                               // naru's own: plans over a model of the throughput
    RATE_THROUGHPUT,                         // the highest rung below 0.9 of the measured throughput
    RATE_BUFFER,                             // BOLA (Spiteri, Urgaonkar, Sitaraman: INFOCOM 2016)
    RATE_BUFFER_ENHANCED,                    // BOLA-E (the same: MMSys 2018): with a placeholder and the insufficient buffer rule
    RATE_HYBRID,                             // throughput below 10 s of buffer, BOLA above
    RATE_HYBRID_ENHANCED,                    // throughput until 10 s of buffer, BOLA-E until it falls below 5 s: as dash.js' Dynamic
    RATE_RULES,
} rate_rule;

typedef enum { RATE_STARTING, RATE_PLAYING, RATE_STALLED, RATE_PAUSED } rate_playout;

typedef struct {                             // the download that runs
    bool     is;                             // none: the rest is not read
    int      rung, server;
    uint64_t bytes;                          // of the whole segment; 0: not known yet
    uint64_t bytes_got;
    uint64_t elapsed_us;                     // since the request was sent
    uint64_t first_byte_us;                  // from the request to the first byte of the body; read when bytes_got > 0
    uint32_t silent_ms;                      // since the last byte came (or the request was sent)
} rate_running;

typedef struct {
    int64_t      now_ms;                     // any clock that only rises
    rate_playout playout;
    uint32_t     buffer_ms;                  // of the film that could play now
    uint32_t     capacity_ms;                // 0: RATE_CAPACITY_MS
    uint32_t     speed_permille;             // of playing: 1000 normal, 2000 double; 0: 1000
    uint32_t     segment_ms;                 // how long a segment plays
    uint32_t     segments_left;              // to be fetched, the next one (or the running one) among them
    int          rungs;                      // 1 .. RATE_RUNGS_MAX, by rising rate
    uint64_t     bps[RATE_RUNGS_MAX];        // each rung's average bits a second: what it is worth (its utility is the logarithm)
    const uint64_t *bytes;                   // look-ahead: bytes[row * rungs + rung], row 0 = the next segment (or the running one);
    int          ahead;                      // rows there; a size of 0, or none at all: bps * segment_ms is taken
    int          servers;                    // 1 .. RATE_SERVERS_MAX, in the steering's order, best first
    bool         barred[RATE_SERVERS_MAX];   // taken off by steering, or does not have this film: never chosen while another is there
    rate_running running;
} rate_situation;

typedef struct {                             // a download that ended
    int64_t  now_ms;                         // when it ended
    int      server;                         // index in the steering's order; rate_memory_reorder when that changes
    int      rung;
    uint64_t bytes;                          // that came
    uint64_t first_byte_us;                  // from the request to the first byte of the body
    uint64_t elapsed_us;                     // from the request to the end
    enum { RATE_ENDED_WHOLE, RATE_ENDED_ABANDONED, RATE_ENDED_FAILED } end;
} rate_download;

typedef enum { RATE_FETCH, RATE_WAIT, RATE_GO_ON, RATE_ABANDON, RATE_DONE } rate_act;

typedef enum {                               // when: why now, or why not
    RATE_WHEN_ROOM,                          // there is room in the buffer
    RATE_WHEN_FULL,                          // the buffer is full: wait until a segment fits
    RATE_WHEN_PLENTY,                        // the rule says that the buffer holds enough for this rung (BOLA)
    RATE_WHEN_RUNNING,                       // the running download is worth its time
    RATE_WHEN_TOO_SLOW,                      // abandon: the rest of it would come later than a smaller one from the start
    RATE_WHEN_SILENT,                        // abandon: the server sends nothing
    RATE_WHEN_NO_SERVER,                     // every server failed a moment ago: wait
    RATE_WHEN_END,                           // the film is fetched
} rate_when;

typedef enum {                               // what: why this rung
    RATE_WHAT_FIRST,                         // nothing is known yet: start low, start soon
    RATE_WHAT_ONLY,                          // there is no other
    RATE_WHAT_TOP,                           // the best there is
    RATE_WHAT_PLANNED,                       // the best of the plans: its worth less what its stalls would cost
    RATE_WHAT_UP, RATE_WHAT_DOWN,            // the same, another than before
    RATE_WHAT_BUFFER_LOW,                    // the buffer would run dry with more
    RATE_WHAT_THROUGHPUT,                    // comparison: the throughput allows it
    RATE_WHAT_BUFFER,                        // comparison: the buffer level says so (BOLA)
} rate_what;

typedef enum {                               // where: why this server
    RATE_WHERE_RANKED,                       // the steering's first choice
    RATE_WHERE_ONLY,                         // there is no other
    RATE_WHERE_FAILED_OVER,                  // those before it failed
    RATE_WHERE_FASTER,                       // measured far faster than those before it, which do not carry the film
    RATE_WHERE_PROBED,                       // a better ranked one is tried again after a failure
    RATE_WHERE_SAME,                         // where the running download comes from
} rate_where;

typedef struct {
    rate_act   act;
    int        rung, server;                 // of RATE_FETCH and RATE_ABANDON: what to fetch; else those of the running one, or -1
    uint32_t   wait_ms;                      // ask again then at the latest; 0 with RATE_DONE
    rate_when  when; rate_what what; rate_where where;
    uint64_t   throughput_bps;               // expected (the middle of what the model believes); 0: nothing is known
    uint64_t   throughput_low_bps;           // nine times of ten it is more than this
    uint32_t   download_ms;                  // how long the segment will take at the expected throughput
    uint32_t   buffer_after_ms;              // buffer when it has come, at the expected throughput
    int64_t    worth_milli;                  // of the choice, thousandths of a natural logarithm of rate a segment, stalls taken off
    int64_t    next_worth_milli;             // of the best other rung
} rate_decision;

typedef struct {                             // what downloads told about one server
    uint32_t downloads;                      // that brought bytes
    uint64_t throughput_bps;                 // of the last ones, newer ones count more
    uint64_t first_byte_us;                  // the same, of the time to first byte
    uint32_t failures;                       // since the last download that came whole
    int64_t  failed_ms;                      // when the last failed
} rate_measured;

// What the comparison rules remember. Two exponentially weighted averages, half lives 3 s and 8 s of download time, as Sabre and dash.js
// keep them: the lower throughput and the longer time to first byte count.
typedef struct {
    int64_t bps[2], first_byte_us[2];        // the averages, not yet corrected for having started at 0
    int64_t weight_ms, count;                // download time seen; downloads seen
} rate_average;

typedef struct {
    int64_t placeholder_us;                  // BOLA-E: a virtual part of the buffer
    int64_t safety[2];                       // insufficient buffer rule of (0) throughput, (1) BOLA-E: from 0.9 down to 0.5
    int     last_rung;                       // BOLA: what it chose; BOLA-E: what was fetched
    int     abandoned_to;                    // the rung that the last abandoned download made way for
    int     promised;                        // the rung to fetch after RATE_WHEN_PLENTY; -1: none
    bool    steady;                          // BOLA-E: the start is over
    bool    by_buffer;                       // the hybrid rules: BOLA decides now
    bool    fetched, abandoned;              // a download ended since the last decision
    int64_t waiting_since_ms;                // the buffer was full then; -1: it was not
} rate_buffer;

// What naru's rule worked out: the worth of a state in RATE_WORTH_ONE, by the level of the last step and by what the
// buffer holds (in steps of RATE_STEP_US).
enum { RATE_BUFFERS_MAX = 48, RATE_SIZES = 24 };
typedef int32_t rate_worth_table[RATE_BUFFERS_MAX][RATE_LEVELS];
typedef struct {
    bool    ready;
    rate_worth_table steady;                             // between downloads, in the long run
    rate_worth_table after;                              // behind the next (or the running) segment
    rate_worth_table rest[RATE_SIZES];                   // room to reckon in: with so many bits still to fetch
} rate_plan;

// What a session has learned: a plain value (copy it, compare it, keep it). Views may read it; only the functions below write it.
typedef struct {
    rate_rule     rule;
    uint32_t      segment_ms;                // of the last situation
    rate_measured server[RATE_SERVERS_MAX];
    rate_download history[RATE_HISTORY_MAX]; // a ring: the newest is history[(downloads - 1) % RATE_HISTORY_MAX]
    uint32_t      downloads;                 // all of them
    uint32_t      whole;                     // those that came whole: segments fetched
    uint32_t      abandoned;                 // since the last whole one
    int           last_rung;                 // of the last whole one; -1: none
    rate_average  average;                   // what the comparison rules know of the throughput
    rate_buffer   buffer;                    // what BOLA and its kin remember
    rate_model    model;                     // what naru's rule knows of the throughput
    rate_plan     plan;
} rate_memory;

// An empty memory for a session that decides by `rule`.
void rate_memory_start(rate_memory *m, rate_rule rule);
// The steering changed the order: servers[new index] is the old index, or -1 for one that was not there. `count` <= RATE_SERVERS_MAX.
void rate_memory_reorder(rate_memory *m, const int *servers, int count);
// The viewer jumped, or paused for long: what was learned of the network stays, what was planned for the buffer does not.
void rate_memory_jump(rate_memory *m);

// Takes in a download that ended: whole, abandoned or failed. A failed one with bytes counts like an abandoned one.
void rate_learn(rate_memory *m, const rate_download *d);

// The decision. Fails never: a situation outside its limits breaks must() (rungs, servers, segment_ms > 0, rising bps).
// While a download runs it may be asked at any time; it remembers what it saw of it. Costs less than a millisecond.
rate_decision rate_decide(const rate_situation *s, rate_memory *m);

str rate_rule_name(rate_rule r);             // "naru", "throughput", "bola", "bola-e", "dynamic", "dynamic-e"
str rate_when_text(rate_when w);             // "the buffer has room": a few plain words for a view
str rate_what_text(rate_what w);
str rate_where_text(rate_where w);
