// The list of torrents without the service: every one read back (`naru backup verify`); no payload is looked at. Parks: on a fiber.
#pragma once
#include "base/arena.h"
#include "rt/world.h"

typedef struct { int64_t torrents, magnets, pieces; } swarm_read;       // pieces: recorded as complete

// directory: the swarm's own; one that is not there was never written. Each torrent file must hash to its name. E_CORRUPT and others with
// *why (in `a`), which names the file.
err swarm_read_back(world *w, str directory, swarm_read *out, arena *a, str *why);
