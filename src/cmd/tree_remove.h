// Removes a directory with everything in it: the temporary data of `naru try` and of scenes.
#pragma once
#include "rt/world.h"

enum { TREE_DEPTH_MAX = 32 };

// Blocking. E_OK when nothing is left (or nothing was there); links are removed, never followed.
err tree_remove(world *w, str path);
