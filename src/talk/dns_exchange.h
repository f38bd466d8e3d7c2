// One question to one server: over UDP from a connected socket with a random port and id, over TCP when the reply is
// truncated or when somebody seems to guess. Used by dns_ask, by the resolver, and by servers that recurse.
#pragma once
#include "rt/fiber.h"
#include "rt/world.h"
#include "wire/dns/message.h"

enum {
    DNS_PORT = 53,
    DNS_EXCHANGE_BAD_MAX = 16,           // unfit datagrams heard before an exchange gives up
};

typedef struct {
    dns_question question;
    bool recursion_desired;
    bool by_tcp;                         // do not try UDP first
    bool without_edns;
    bool has_subnet;
    dns_subnet subnet;                   // the client's network (RFC 7871), told to this server
} dns_asking;

typedef struct {
    err      error;                      // E_OK, E_TIMEOUT, E_REFUSED, E_PROTOCOL (nothing but unfit replies), E_CANCELED ...
    str      wire;                       // the reply; id and question have been checked
    dns_message message;                 // the same, read
    int      queries;                    // sent, over UDP and TCP together
    int      unfit;                      // datagrams passed over: wrong id or question, unreadable
    bool     by_tcp;                     // the reply came over TCP
    int64_t  took_ns;
} dns_exchanged;

// Sends the question once over UDP and waits; unfit replies do not end the waiting (a forger's malformed packet must not
// beat the true reply), and neither does one that speaks of another client's network (RFC 7871 7.3). A wrong id, or TC, leads to TCP within the same time. Replies live in `a`. Parks. Tells both
// messages to the story.
dns_exchanged dns_exchange(world *w, addr server, dns_asking asking, int64_t timeout_ns, arena *a);
