// The spool without the service: every letter that waits read back (`naru backup verify`); nothing is delivered. Parks: on a fiber.
#pragma once
#include "base/arena.h"
#include "rt/world.h"

typedef struct { int64_t letters, recipients, bytes; } queue_read;

// directory: the mta's own. On error *why (in `a`) names the letter or the damaged place.
err mta_read_back(world *w, str directory, queue_read *out, arena *a, str *why);
