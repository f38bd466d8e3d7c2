// The course's cases about the player: V2 and V3.
#pragma once
#include "cmd/play.h"

void scene_playout(play *p);                 // V2, scene_playout.c: simulated
void scene_clever_client(play *p);           // V3, scene_clever_client.c: simulated
