// naru query: what its parts share.
#pragma once
#include "base/buf.h"
#include "rt/world.h"
#include "talk/dns_exchange.h"
#include "wire/dns/describe.h"

enum {
    QUERY_MEMORY_BYTES = 16 << 20,
    QUERY_TEXT_BYTES = 4 << 20,
    QUERY_SERVERS_MAX = 4,
    QUERY_TIMEOUT_S = 8,
    QUERY_TRY_S = 3,
};

typedef struct {
    world *world;
    arena *memory;
    buf   *out;                          // what standard output will say
    addr   servers[QUERY_SERVERS_MAX];   // the local name server(s)
    int    server_count;
    uint16_t port;                       // of every server: 53, or what @SERVER#PORT says
    addr   root;                         // family 0: the local server is asked where the root is
    dns_question question;
    bool   by_tcp, wire, json, korean, colour, has_subnet;
    dns_subnet subnet;                   // the network that servers are told to ask for (RFC 7871)
    str    trouble;                      // a sentence when something failed
} query_run;

// Follows the name from the root down and draws the way; returns the command's exit code.
int query_trace(query_run *q);

// "www.ibm.com. A": for headings.
str  query_question_text(arena *a, dns_question q);
// Records as columns: name, type, ttl, value.
void query_put_records(buf *out, arena *a, const dns_message *m, dns_section section);
void query_put_records_json(buf *out, arena *a, const dns_message *m, dns_section section);
void query_put_time(buf *out, int64_t ns);           // "12.34 ms"
int  query_exit_code(const dns_message *m);          // found: 0, else COMMAND_FAILED
