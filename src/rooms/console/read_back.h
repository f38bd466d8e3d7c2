// The account of viewings without the service: every record read (`naru backup verify`). Parks: on a fiber.
#pragma once
#include "base/arena.h"
#include "rt/world.h"

typedef struct { int64_t viewings; } console_read;           // the newest VIEWINGS_MAX at most

// directory: the console's own; one that is not there was never written. E_CORRUPT: a record that is whole holds something else. On error
// *why (in `a`) says what.
err console_read_back(world *w, str directory, console_read *out, arena *a, str *why);
