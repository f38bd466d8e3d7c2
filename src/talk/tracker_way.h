// What a host says in the DNS about its trackers (BEP 34): a TXT record "BITTORRENT UDP:1337 TCP:80" names the ports that have
// one, the preferred first; one without ports says that there is none. A bounded table keeps the answers.
#pragma once
#include "base/address.h"

enum {
    TRACKER_WAYS_MAX = 8,                        // ports of one record
    TRACKER_WAY_HOSTS_MAX = 64,                  // hosts that are remembered; the least recently asked goes first
    TRACKER_WAY_HOST_BYTES_MAX = 253,
    TRACKER_WAY_TTL_S_MIN = 60, TRACKER_WAY_TTL_S_MAX = 86400,
    TRACKER_WAY_NONE_S = 3600,                   // how long "no such record" is believed
    TRACKER_WAY_TROUBLE_S = 60,                  // and trouble with the DNS
};

typedef struct { bool is_udp; uint16_t port; } tracker_way;

typedef struct {
    bool        said;                            // there is such a record; with count 0 it denies all
    int         count;
    tracker_way way[TRACKER_WAYS_MAX];
} tracker_host;

// Reads the text of one TXT record, its strings joined. False: it is about something else. Unknown words are passed over,
// ports that are no number from 1 to 65535, too.
bool tracker_host_read(str text, tracker_host *out);
// The same from a TXT record's data (length bytes and strings); joined in `a`. Longer than 4096 bytes: false.
bool tracker_host_from_rdata(str rdata, arena *a, tracker_host *out);

typedef struct {
    char    name[TRACKER_WAY_HOST_BYTES_MAX + 1];
    int64_t expires_ns, used_ns;
    tracker_host host;
} tracker_way_entry;

typedef struct { tracker_way_entry entry[TRACKER_WAY_HOSTS_MAX]; } tracker_ways;      // zeroed: empty

// NULL: not known (any more). The pointer is good until the next put.
const tracker_host *tracker_ways_find(tracker_ways *w, str host, int64_t now_ns);
void tracker_ways_put(tracker_ways *w, str host, const tracker_host *what, int64_t now_ns, int64_t for_s);
