// The course's cases about CDNs, V4 to V7.
#pragma once
#include "cmd/play.h"

void scene_near_node(play *p);               // V4, scene_video_near.c: simulated
void scene_six_steps(play *p);               // V5, scene_video_six.c: on the map enter-deep
void scene_three_cdns(play *p);              // V6, scene_video_shape.c: on the map three-cdns
void scene_giant(play *p);                   // V7, scene_video_giant.c: simulated
