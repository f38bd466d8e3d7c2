// What naru's rate decision believes of the throughput: a Markov chain over levels half an octave apart, a step for each RATE_STEP_US of
// downloading (time between downloads does not count; a download that is shorter is a step, too). It starts as a mixture of chains learned
// from traces (rate_prior.c) and becomes the session's own as downloads are seen.
#pragma once
#include "base/text.h"

enum {
    RATE_STEP_US = 700000,
    RATE_LEVELS = 20,                        // level i: 24 kbit/s * 2^(i/2), up to 17 Mbit/s; what is beyond counts as the end
    RATE_LEVEL_LOWEST_BPS = 24000,
    RATE_KINDS = 4,                          // of networks in the prior
    RATE_CHANCE_ONE = 4096,                  // a probability of 1
    RATE_WORTH_ONE = 1024,                   // a natural logarithm of rate
};

typedef struct {
    int32_t  stall_price;                    // of a segment's length of stall, in RATE_WORTH_ONE
    uint16_t first[RATE_LEVELS];             // of a session's first step
    uint16_t next[RATE_LEVELS][RATE_LEVELS]; // [level][level of the next step]
} rate_prior;
extern const rate_prior rate_priors[RATE_KINDS];

typedef struct {
    bool     known;                          // a step was seen
    int32_t  place;                          // of the last one: 65536 * its level, with its fraction
    int32_t  first;                          // of the first one
    uint64_t bytes_taken, us_taken;          // of the running download: already in steps
    int32_t  likelihood[RATE_KINDS];         // 65536 * log2 of how well each kind foretold the session, the best one 0
    uint16_t seen[RATE_LEVELS][2 * RATE_LEVELS];   // how often a step of (column - RATE_LEVELS) levels followed
} rate_model;

typedef struct {                             // what the model expects, for one decision
    int32_t  chance_to[RATE_LEVELS][RATE_LEVELS];  // [next][level]: for each level the sum is RATE_CHANCE_ONE
    uint64_t bps[RATE_LEVELS];               // the levels moved so that the last step is one of them
    int      level;                          // the last step's
    int32_t  stall_price;                    // the kinds' prices, by how likely each is
    uint16_t first[RATE_LEVELS];             // of the next step while none was seen
} rate_outlook;

// The running download brought so much in so long (since its first byte); `ended`: it is over. Takes the steps that are complete.
void rate_model_watch(rate_model *m, uint64_t bytes, uint64_t us, bool ended);
void rate_model_learn(rate_model *m, uint64_t bps);      // one step
void rate_model_outlook(const rate_model *m, rate_outlook *o);
uint64_t rate_model_low(const rate_model *m); // the throughput of the next step will be this or more, nine times of ten
void rate_outlook_first(rate_outlook *o);    // nothing was seen yet: every level is followed by the first step's chances
int32_t rate_model_place(uint64_t bps);      // 65536 * level
int rate_model_level(int32_t place);         // the nearest level
