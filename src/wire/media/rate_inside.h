// What the files of the rate decision share among themselves; players include rate_decision.h.
#pragma once
#include "wire/media/rate_decision.h"

typedef struct {
    int       rung;
    uint32_t  wait_ms;                       // before it is fetched (BOLA: there is plenty)
    rate_what what;
    int32_t   worth, next_worth;             // naru's rule: of the rung, of the best other one, in RATE_WORTH_ONE
} rate_pick;

uint32_t rate_capacity_ms(const rate_situation *s);
// Bytes of the segment `row` segments ahead (0: the next) at a rung; what the rung's rate makes of it where the size is not known.
uint64_t rate_segment_bytes(const rate_situation *s, int row, int rung);

// rate_compare.c: the comparison rules.
void rate_compare_start(rate_memory *m);
void rate_compare_learn(rate_memory *m, const rate_download *d);
void rate_compare_catch_up(const rate_situation *s, rate_memory *m);      // first, at every decision while nothing runs
rate_pick rate_compare_pick(const rate_situation *s, rate_memory *m);
int rate_compare_abandon(const rate_situation *s, rate_memory *m);       // the rung to fetch instead; -1: let it run

// rate_plan.c: naru's own rule.
rate_pick rate_plan_pick(const rate_situation *s, rate_memory *m);
int rate_plan_abandon(const rate_situation *s, rate_memory *m);    // a rung worth more than the rest of the running one; -1: none

uint64_t rate_average_bps(const rate_memory *m);                         // 0: nothing is known
int64_t rate_average_first_byte_us(const rate_memory *m);

// rate_server.c: where.
typedef struct {
    int        server;
    uint32_t   wait_ms;                      // every server failed a moment ago: ask again then; 0: now
    rate_where where;
} rate_place;
rate_place rate_server_choose(const rate_situation *s, const rate_memory *m);
bool rate_server_silent(const rate_situation *s, const rate_memory *m);  // the running download is to be given up: its server is silent
void rate_server_learn(rate_memory *m, const rate_download *d);
