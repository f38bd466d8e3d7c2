// Removes a directory with everything in it: the temporary data of `naru try` and of scenes.
#pragma once
#include "rt/world.h"

enum { DIRECTORY_DEPTH_MAX = 32 };

// Blocking. E_OK when nothing is left (or nothing was there); links are removed, never followed.
err directory_remove(world *w, str path);
