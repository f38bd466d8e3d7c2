// DNS over a stream (RFC 1035 4.2.2, RFC 7766): messages with a 16-bit length before each, several in one connection.
#pragma once
#include "rt/conn.h"
#include "wire/dns/message.h"

enum {
    DNS_STREAM_IDLE_S = 10,              // without a query
    DNS_STREAM_MESSAGE_S = 10,           // for one query to arrive, one reply to leave
    DNS_STREAM_QUERIES_MAX = 10000,      // in one connection
};

// Answers one query into out[0 .. out_max) and returns the reply's length; 0: the connection is closed. May park.
// `msg` is empty at each call.
typedef size_t dns_stream_answer(void *arg, conn *c, str query, arena *msg, unsigned char *out, size_t out_max);

// Serves a connection until the peer ends it, stays idle or breaks the form. Replies leave in the order of the queries;
// queries that have arrived already are answered before anything is sent.
void dns_stream_serve(conn *c, dns_stream_answer *answer, void *arg);
