// The scenes about files: F2 in the simulator, F3 with other programs.
#pragma once
#include "cmd/play.h"

void scene_torrent_life(play *p);            // scene_torrent_life.c
