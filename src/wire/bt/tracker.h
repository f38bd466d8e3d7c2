// What clients and trackers say to each other over HTTP: announce and scrape (BEP 3, 7, 23, 24, 31, 48). Pure.
#pragma once
#include "wire/bt/bencode.h"
#include "wire/bt/endpoint.h"

enum {
    TRACKER_HASH_BYTES = 20,
    TRACKER_QUERY_BYTES_MAX = 4096,
    TRACKER_PEERS_MAX = 2000,                    // of a reply
    TRACKER_SCRAPES_MAX = 74,                    // info hashes in one scrape (BEP 15's number for UDP, too)
    TRACKER_REPLY_BYTES_MAX = 256 * 1024,
    TRACKER_TEXT_BYTES_MAX = 512,                // failure reason, warning, tracker id
    TRACKER_INTERVAL_MAX = 7 * 24 * 3600,
};

// The numbers are those of BEP 15.
typedef enum { TRACKER_NONE, TRACKER_COMPLETED, TRACKER_STARTED, TRACKER_STOPPED, TRACKER_EVENTS } tracker_event;

typedef struct {
    uint8_t  hash[TRACKER_HASH_BYTES], peer_id[TRACKER_HASH_BYTES];
    int64_t  uploaded, downloaded, left;         // bytes; left -1: not said
    uint16_t port;
    int32_t  wanted;                             // numwant; -1: not said
    uint32_t key;
    bool     has_key;
    tracker_event event;
    bool     compact, no_peer_id;
    addr     ip;                                 // what the client says of itself; family 0: nothing. Not to be believed.
    str      tracker_id;
} tracker_announce;

// Reads the query of GET /announce?... (without the '?'). False with a literal for `failure reason` when it is malformed:
// info_hash and peer_id of 20 bytes and a port are needed, numbers are decimal and not negative.
bool tracker_announce_read(str query, arena *a, tracker_announce *out, const char **why);
// Appends the query to be put behind the announce URL and its '?' or '&'.
bool tracker_announce_write(buf *out, const tracker_announce *x);

// The info hashes of GET /scrape?info_hash=...; zero means all (which a tracker may refuse). Further ones are an error.
bool tracker_scrape_read(str query, uint8_t hashes[TRACKER_SCRAPES_MAX][TRACKER_HASH_BYTES], int *count, arena *a,
                         const char **why);
bool tracker_scrape_write(buf *out, const uint8_t (*hashes)[TRACKER_HASH_BYTES], int count);

typedef struct { uint8_t hash[TRACKER_HASH_BYTES]; int64_t complete, downloaded, incomplete; } tracker_swarm;

typedef struct {
    str   failure, warning, tracker_id;
    int32_t retry_min;                           // BEP 31: minutes with a failure; 0 not said, -1 never
    int32_t interval_s, interval_min_s;          // 0: not said
    int64_t complete, incomplete;                // -1: not said
    addr  external;                              // BEP 24: the client as the tracker sees it, without port; family 0: not said
    addr *peers;
    int   peer_count;
} tracker_reply;

// Reads a reply in compact or dictionary form. False with reason and offset. A reply with a failure is read: see `failure`.
bool tracker_reply_read(str in, arena *a, tracker_reply *out, bencode_refusal *why);
bool tracker_reply_write(buf *out, const tracker_reply *x);          // compact; false when full

bool tracker_swarms_read(str in, arena *a, tracker_swarm **out, int *count, str *failure, bencode_refusal *why);
bool tracker_swarms_write(buf *out, const tracker_swarm *swarms, int count);     // ordered by hash, as bencode wants it
