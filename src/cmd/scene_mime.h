// Scene M5: MIME.
#pragma once
#include "cmd/play.h"

void scene_mime(play *p);
