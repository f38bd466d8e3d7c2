// The zones that the configuration names, read from their files. Blocking: inside work().
#pragma once
#include "rooms/authoritative/zone_load.h"
#include "rt/world.h"

enum { ZONE_FILE_BYTES_MAX = 1 << 30 };

// Reads the file at `path` (and what it includes, paths relative to its folder) into a zone. NULL with a sentence in
// *why, in `room`.
zone *zone_file_load(world *w, dns_name origin, str path, arena *room, str *why);
