// Reading JSON that a stranger sent. The library's parser recurses and a fiber's stack is small: depth is counted first.
#pragma once
#include <jansson.h>

#include "base/text.h"

enum { JSON_STRANGER_DEPTH_MAX = 16 };

// A new object (json_decref). NULL with a literal in *why: no JSON object, a name twice in it, or nested deeper than depth_max.
json_t *json_object_read(str text, int depth_max, const char **why);
