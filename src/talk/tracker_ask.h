// Asking a tracker as its client: announce and scrape over HTTP, HTTPS (BEP 3, 7, 23, 24, 31, 48) and UDP (BEP 15, 41). One
// call is one question; it parks the calling fiber. URLs come from strangers, so the call also guards against being used to
// reach what only we can reach, and it asks the DNS first what the host says about its trackers (BEP 34).
//
// What a URL may lead to: http, https and udp alone; no user, no fragment, a host in ASCII (no IDNA), no announce
// parameters of ours in its query. Loopback and private networks only with the path /announce and no query, unless the caller
// allows them (an organisation's own network, the small Internet). Never multicast, broadcast or 0.0.0.0. At most
// TRACKER_REDIRECTS_MAX redirects: never to UDP, from HTTPS to HTTP, or from a public address to a private one.
#pragma once
#include "rt/conn.h"
#include "talk/tracker_way.h"
#include "wire/bt/tracker.h"

enum {
    TRACKER_URL_BYTES_MAX = 2048,
    TRACKER_ASK_HASHES_MAX = TRACKER_SCRAPES_MAX,
    TRACKER_ASK_REDIRECTS_MAX = 3,
    TRACKER_ASK_SERVERS_MAX = 4,                 // name servers of an asker
    TRACKER_ASK_ADDRESSES_MAX = 8,               // of a tracker's host that are looked at
    TRACKER_ASK_ARENA_BYTES = 1 << 20,           // what an answer and its making need at most
    TRACKER_UDP_RESENDS_MAX = 8,                 // BEP 15: n of 15 * 2^n seconds
    TRACKER_UDP_CONNECTION_S = 60,               // BEP 15: how long a client uses a connection id
};
#define TRACKER_ASK_TIMEOUT_NS (105 * NS_PER_S)  // of three UDP requests: 15 + 30 + 60 s

// Who asks: the same for all trackers of a room. Borrowed by each call.
typedef struct {
    world      *world;                           // the way out: its addresses are what is bound
    addr        dns[TRACKER_ASK_SERVERS_MAX];
    int         dns_count;                       // 0: only numeric hosts can be asked
    tls_config *tls;                             // for https (verifies names); NULL: https is refused
    tracker_ways *ways;                          // BEP 34's answers, kept; NULL: the DNS is not asked about trackers
    bool        private_allowed;                 // see above
    str         agent;                           // User-Agent; empty: "naru/VERSION"
} tracker_asker;

typedef struct {
    str  url;                                    // of announce, also for a scrape
    bool scrape;
    tracker_announce announce;                   // when it is no scrape; `ip` is not sent
    const uint8_t (*hashes)[TRACKER_HASH_BYTES]; // of a scrape: 1 to TRACKER_ASK_HASHES_MAX
    int  hash_count;
    int  family;                                 // 4 or 6: only over this one; 0: whatever answers first
    int64_t timeout_ns;                          // for all of it; 0: TRACKER_ASK_TIMEOUT_NS
} tracker_question;

typedef struct {
    tracker_reply  reply;                        // of an announce. reply.failure may be set: the tracker's own words
    tracker_swarm *swarms;                       // of a scrape
    int   swarm_count;
    addr  from;                                  // who answered; or the last one that was tried
    str   url;                                   // what was asked in the end (BEP 34, redirects); for people: no info hash
    bool  has_v4, has_v6;                        // the host and we have addresses of this family: announce over both (BEP 7)
    int64_t took_ns;
} tracker_answer;

// E_OK: the tracker answered; a refusal in its own words is in out->reply.failure (also for scrapes, and UDP errors).
// Otherwise *why (in a) is a sentence for people:
// E_ACCESS        our guards, or the host's own DNS record (BEP 34), say no: do not ask this URL again soon
// E_PROTOCOL      no URL, or an answer that is none
// E_UNSUPPORTED   a scrape at a URL that has none (BEP 48), https without TLS, no address of ours in a family of theirs
// E_NO_ENTRY      the host's name does not exist;  E_AGAIN: the DNS had trouble
// E_TOO_LONG      the answer is above TRACKER_REPLY_BYTES_MAX
// and what the network says: E_TIMEOUT, E_REFUSED, E_RESET, E_EOF, E_UNREACHABLE, E_TLS, E_CANCELED, E_CRASHED ...
err tracker_ask(const tracker_asker *who, const tracker_question *q, arena *a, tracker_answer *out, str *why);

// The parts, pure.
typedef enum { TRACKER_HTTP, TRACKER_HTTPS, TRACKER_UDP } tracker_scheme;
typedef struct {
    tracker_scheme scheme;
    str      host;                               // a name in lower case, or an address without brackets
    uint16_t port;
    addr     numeric;                            // family 0: the host is a name
    str      path, query;                        // path begins with '/'; query without '?'
} tracker_url;
// Views into text and a. False with a literal in *why.
bool tracker_url_read(str text, arena *a, tracker_url *out, const char **why);
str  tracker_url_text(arena *a, const tracker_url *u);
// BEP 48: the last part of the path begins with "announce", which becomes "scrape". False: no scrape there.
bool tracker_url_scrape(const tracker_url *u, arena *a, tracker_url *out);
// NULL: this address may be asked; else why not, a literal. before: where the redirect came from, family 0: none.
const char *tracker_url_guard(const tracker_url *u, addr at, addr before, bool private_allowed);
int64_t tracker_udp_wait_ns(int n);              // after the n-th sending (0 ...): 15 * 2^n seconds, n at most 8
