// The same over UDP (BEP 15, 41). Pure. Who keeps connection ids and checks them is the tracker's business, not this file's.
#pragma once
#include "wire/bt/tracker.h"

enum {
    TRACKER_UDP_BYTES_MAX = 2048,                // of a datagram
    TRACKER_UDP_PEERS_MAX = 330,
};
#define TRACKER_UDP_PROTOCOL 0x41727101980ull    // the "connection id" of a connect request

typedef enum { TRACKER_UDP_CONNECT, TRACKER_UDP_ANNOUNCE, TRACKER_UDP_SCRAPE, TRACKER_UDP_ERROR } tracker_udp_action;

typedef struct {
    tracker_udp_action action;                   // not TRACKER_UDP_ERROR
    uint64_t connection;
    uint32_t transaction;
    tracker_announce announce;                   // announce; `ip` is IPv4 or nothing
    str      url_data;                           // BEP 41: path and query of the announce URL, as said
    str      hashes;                             // scrape: the info hashes behind each other; a view
} tracker_udp_request;

// False: no such request, or cut short; such datagrams deserve no answer. The URL's pieces are joined in `a`.
bool tracker_udp_request_read(str datagram, arena *a, tracker_udp_request *out);
str  tracker_udp_request_write(void *room, size_t size, const tracker_udp_request *x);      // empty when it does not fit

typedef struct { uint32_t complete, downloaded, incomplete; } tracker_udp_swarm;

typedef struct {
    tracker_udp_action action;
    uint32_t transaction;
    uint64_t connection;                         // connect
    uint32_t interval_s, incomplete, complete;   // announce
    addr    *peers;                              // all of one family: that of the socket
    int      peer_count;
    tracker_udp_swarm *swarms;                   // scrape
    int      swarm_count;
    str      error;
} tracker_udp_reply;

bool tracker_udp_reply_read(str datagram, int family, arena *a, tracker_udp_reply *out);
// As many peers of `family` as fit into `size`. Empty when not even the head does.
str  tracker_udp_reply_write(void *room, size_t size, int family, const tracker_udp_reply *x);
