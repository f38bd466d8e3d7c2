// The accounts' database without the service (`naru backup verify`). Parks: on a fiber.
#pragma once
#include "base/arena.h"
#include "rt/world.h"

typedef struct { int64_t people; } accounts_read;

// directory: the service's own. No database there: nobody, E_OK. On error *why (in `a`) says what and where.
err accounts_read_back(world *w, str directory, accounts_read *out, arena *a, str *why);
