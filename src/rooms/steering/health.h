// What is known of one node's health: hysteresis over checks, and how much of its traffic it should send elsewhere. Pure.
#pragma once
#include <stdbool.h>
#include <stdint.h>

enum {
    HEALTH_FULL_PER_MILLE = 900, HEALTH_BUSY_PER_MILLE = 800, HEALTH_EASY_PER_MILLE = 600,    // of the capacity
    HEALTH_USUAL_SHARE = 64, HEALTH_USUAL_EVERY = 8,         // once in so many checks the usual time rises by a part of itself
    HEALTH_AWAY_FAST = 250, HEALTH_AWAY_STEP = 100, HEALTH_AWAY_BACK = 50,                    // per check: away quickly, back slowly
};

typedef struct {
    bool    known, alive;
    int     streak;                  // checks in a row that say otherwise
    int     away_per_mille;
    int     load_per_mille;          // -1: not known
    int64_t answer_ms;               // of the last check
    int64_t usual_ms;                // what an answer takes when nothing is in its way: the least of late
    int64_t checks, failures, changes;
} health;

// fall: failures in a row that kill; rise: successes that revive; slow_ms: above its usual time, for a far node takes long in any case
typedef struct { int fall, rise; int64_t slow_ms; } health_rules;

typedef struct {
    bool    answered;
    int64_t answer_ms;
    int     load_per_mille;          // what it says of itself; -1: nothing
} health_check;

// Takes a check's result; true when the node has died or come (back) to life. The first check decides at once.
bool health_take(health *h, const health_rules *rules, health_check c);
