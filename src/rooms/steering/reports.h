// What players report of nodes, and how little of it is believed. A report moves the one who sent it, at once. Others of his network are
// moved only when several addresses of that network say so, and at least half of those that say anything of that node; other networks
// never. Nothing is believed for longer than a minute, nobody may report faster than a little, and the table has a fixed size: a
// newcomer takes the place of what is old, never of what is fresh. Pure: the time comes from the caller.
#pragma once
#include "base/address.h"

enum {
    REPORTS_WAYS = 8, REPORTS_SETS = 1024,           // places: REPORTS_SETS x REPORTS_WAYS
    REPORTS_BURST = 5,
    REPORTS_SESSION_BYTES_MAX = 64,
};

typedef struct {
    addr     client;                                 // IPv6: its /64
    uint64_t session;
    int64_t  at_ns, paid_ns;                         // last report; its allowance is full again at paid_ns
    uint64_t bad, good;                              // nodes that it found slow, and fine, in its last word on them
    int64_t  stalls;                                 // at the last report, of `node`
    int      node, network;                          // network: the number of the client network, -1: unknown
} reporter;

typedef struct {
    reporter places[REPORTS_SETS][REPORTS_WAYS];
    uint64_t key;                                    // of the service's chance: who shares a set with whom cannot be chosen
} reports;

typedef struct {
    int64_t every_ns, life_ns;                       // one report each so often (in bursts of REPORTS_BURST); believed for so long
    int     voters;                                  // different addresses of a network that must agree
    int64_t slow_bps;                                // a throughput below it is a complaint
} report_rules;

typedef struct {
    addr     client;
    int      network, node;                          // numbers of the configuration's; node -1: of none of ours
    uint64_t session;
    int64_t  throughput_bps, stalls;                 // below 0: not said; a throughput of 0: it is not known
    bool     failed;                                 // the player could not fetch from it
} report;

typedef enum { REPORT_TAKEN, REPORT_TOO_FAST, REPORT_NO_ROOM, REPORT_UNKNOWN_NODE } report_verdict;
report_verdict reports_take(reports *r, const report_rules *rules, const report *in, int64_t now_ns);

// Nodes that this client itself complains about; every session of its address when session is 0.
uint64_t reports_own(const reports *r, const report_rules *rules, addr client, uint64_t session, int64_t now_ns);
// Nodes that enough of this network's clients complain about.
uint64_t reports_of_network(const reports *r, const report_rules *rules, int network, int64_t now_ns);
int      reports_count(const reports *r, const report_rules *rules, int64_t now_ns);      // believed now
