// What a name of ours says about its tracker (BEP 34): the TXT record that `tracker NAME ...` in the configuration asks for.
#pragma once
#include "rooms/authoritative/zone.h"
#include "rt/config.h"

enum { TRACKER_RECORD_TTL_S = 3600, TRACKER_RECORD_PORT = 6969 };

// The line "tracker NAME [UDP:PORT | TCP:PORT]... | NAME deny" as a name and a record's text, both in `a`: "BITTORRENT UDP:6969 TCP:6969"
// where no port is said. False with a sentence in *why.
bool tracker_record_read(const statement *line, arena *a, dns_name *name, str *text, str *why);
// Puts the records of all such lines into the zones. What a master file says itself stays, with a sentence in *why. False: *why (the
// first of them).
bool tracker_records_put(zone_table *zones, const statement *block, arena *a, str *why);
