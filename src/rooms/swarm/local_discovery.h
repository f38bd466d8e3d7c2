// Peers of the same network (BEP 14): "I am in this swarm" by multicast to 239.192.152.143:6771 and [ff15::efc0:988f]:6771.
// Heard only from private and link-local addresses, answered by nobody. Private torrents must not be given here (BEP 27).
#pragma once
#include "base/buf.h"
#include "rt/listener.h"

enum {
    LOCAL_PORT = 6771,
    LOCAL_HASH_BYTES = 20,
    LOCAL_MESSAGE_BYTES_MAX = 1400,          // BEP 14
    LOCAL_HASHES_MAX = 24,                   // of one message
    LOCAL_COOKIE_BYTES_MAX = 32,
    LOCAL_TORRENTS_MAX = 10000,
    LOCAL_AGAIN_S = 300,                     // each torrent is told every five minutes
    LOCAL_PAUSE_S = 60,                      // a message a minute and group; the first ones of a start may follow each other
    LOCAL_BURST = 3,
    LOCAL_SENDERS = 64,                      // slots of senders, by hash
    LOCAL_HEARD_PER_SENDER_MAX = 10,         // messages a minute
    LOCAL_HEARD_MAX = 200,                   // of all senders together, a minute
};

typedef struct {
    uint16_t port;
    uint8_t  hashes[LOCAL_HASHES_MAX][LOCAL_HASH_BYTES];
    int      hash_count;
    str      cookie;
} local_message;
// False: no such message. Further hashes than LOCAL_HASHES_MAX are passed over; `cookie` looks into `in`.
bool local_message_read(str in, local_message *out);
bool local_message_write(buf *out, int family, const local_message *m);

typedef struct local_discovery local_discovery;

// A peer of the torrent `hash`, which was given with local_discovery_add. Must not park.
typedef void local_found(void *arg, const uint8_t hash[LOCAL_HASH_BYTES], addr peer);

typedef struct {
    world   *world;
    uint16_t port;                           // where we listen for peers
    bool     private_only;                   // true: only private senders are heard; false (tests): all
    local_found *found;
    void    *arg;
} local_settings;

// Joins the groups that the world can (IPv4, IPv6: one is enough) and tells our torrents from now on; freed with the scope.
// E_UNSUPPORTED, E_ACCESS, E_IN_USE ...: there is no multicast here, nothing was started.
err  local_discovery_start(scope *s, const local_settings *settings, local_discovery **out);
bool local_discovery_add(local_discovery *l, const uint8_t hash[LOCAL_HASH_BYTES]);      // false at the ceiling
void local_discovery_remove(local_discovery *l, const uint8_t hash[LOCAL_HASH_BYTES]);
