// The tracker's journal without the service: every record read (`naru backup verify`). Parks: on a fiber.
#pragma once
#include "base/arena.h"
#include "rt/world.h"

typedef struct { int64_t records, changes; } tracker_read;

// directory: the tracker's own; one that is not there was never written. E_CORRUPT: a record that is whole holds something else. On error
// *why (in `a`) names the place.
err tracker_read_back(world *w, str directory, tracker_read *out, arena *a, str *why);
