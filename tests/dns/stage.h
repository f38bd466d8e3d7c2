// A small Internet of names in the simulator: hosts with zones, a resolver, a client; and servers that misbehave.
#pragma once
#include "rt/room.h"
#include "rt/sim.h"
#include "rt/story.h"
#include "talk/dns_ask.h"
#include "talk/dns_exchange.h"
#include "test.h"

enum { STAGE_HOSTS_MAX = 16, STAGE_ZONES_MAX = 3, STAGE_ARENA_BYTES = 8 << 20, STAGE_ADDRESS = 0x0a000000 };

typedef struct { const char *origin, *text; } stage_zone;

typedef struct stage stage;
// A server of our own making: answers `query` into out, returns the length; 0: silence. It may send more by itself.
typedef size_t stage_answer(stage *t, sock *s, const datagram *query, const dns_message *asked, unsigned char *out);

typedef struct {
    stage       *stage;
    const char  *name;
    uint8_t      number;                     // 10.0.0.number
    world       *world;
    node         node;
    stage_zone   zones[STAGE_ZONES_MAX];
    const char  *settings;                   // added to the authoritative's, or the resolver's
    bool         is_resolver, up;
    stage_answer *answer;                    // a hostile or odd server instead of a node
    int          heard;                      // its queries
} stage_host;

struct stage {
    sim        *sim;
    scope       life;
    stage_host  hosts[STAGE_HOSTS_MAX];
    int         count;
    world      *client;
    addr        resolver;                    // 10.0.0.53
    arena       memory;                      // the test's
    void       *arg;
};

typedef void stage_body(stage *t);

// Runs body on the client's fiber of a fresh network without hosts.
void stage_play(uint64_t seed, stage_body *body, void *arg);

stage_host *stage_server(stage *t, const char *name, int number, const stage_zone *zones, int count, const char *settings);
stage_host *stage_odd_server(stage *t, const char *name, int number, stage_answer *answer);
// The resolver at 10.0.0.53, its root hints at 10.0.0.1 (and what settings add).
stage_host *stage_resolver(stage *t, const char *settings);
void stage_kill(stage_host *h);
void stage_revive(stage_host *h);
// Writes a zone's file again and lets the server reload; false with the reason in *why.
bool stage_zone_change(stage_host *h, const char *origin, const char *text, str *why);

addr stage_address(int number);
dns_name stage_name(stage *t, const char *text);
// Asks the resolver; the reply read, its summary "NOERROR www.a. A 1.2.3.4, ..." (answers, then "| EDE text").
str  stage_ask(stage *t, const char *name, unsigned type, dns_message *out);
str  stage_summary(stage *t, const dns_message *m);
// Queries that went to 10.0.0.number since the last stage_forget, as their askers told them.
int  stage_asked(stage *t, int number);
void stage_forget(void);
