// Plays one case on a stage.
#pragma once
#include "stage.h"

typedef struct { int clients, checks; } player_tally;

// False with what did not hold in *why (in `a`): "FILE:LINE: ...".
bool case_play(const edge_stage *stage, const edge_case *c, arena *a, player_tally *tally, str *why);
