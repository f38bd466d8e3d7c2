// V1, the course's case about renditions.
#pragma once
#include "cmd/play.h"

void scene_renditions(play *p);
