// A zone from the text of a master file.
#pragma once
#include "rooms/authoritative/zone.h"
#include "wire/dns/zone_text.h"

// How included files are read: as dns_zone_hooks.include. NULL: $INCLUDE is refused.
typedef bool zone_include(void *context, str path, str *text, const char **why);

// A checked zone, or NULL with a sentence with file and line in *why: "hamburger.edu.zone:12: ...", in `room`.
zone *zone_load(dns_name origin, uint64_t secret, str file, str text, zone_include *include, void *context, arena *room,
                str *why);
