// The stages that scripts are played on: the small Internet in the simulator, and the one that a real `naru
// try` has started.
#pragma once
#include "player.h"

typedef void stage_play(const talk_stage *stage, void *arg);

// Opens the stage, calls play on a fiber, and takes everything down. False with a sentence on standard error.
bool stage_simulated(uint64_t seed, stage_play *play, void *arg);
bool stage_real(const char *naru, stage_play *play, void *arg);

uint16_t stage_port(str service);    // "smtp" is 25; 0: unknown
