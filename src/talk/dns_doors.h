// The doors of a DNS service: UDP and TCP on port 53 of every address it serves.
#pragma once
#include "rt/room.h"
#include "talk/dns_stream.h"

enum {
    DNS_DOORS_MAX = 16,
    DNS_STREAMS_MAX = 2000,                  // TCP connections of one address of ours
    DNS_STREAMS_PER_ADDRESS_MAX = 100,       // of one address of theirs
};

typedef struct {
    dns_stream_answer *answer_stream;
    void *arg;
    door *tcp[DNS_DOORS_MAX];
    int   count;
} dns_doors;

// Opens both doors on every address that the room's `listen` settings name; without any on the node's own addresses; when it
// has none, on the whole machine, or with only_here on 127.0.0.1. The struct must live as long as the room. On failure
// *why (in r->memory) says what to do.
err  dns_doors_open(dns_doors *d, room *r, datagram_answer *answer, dns_stream_answer *answer_stream, void *arg,
                    bool only_here, str *why);
void dns_doors_stop(dns_doors *d);
