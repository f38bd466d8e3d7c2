// What the parts of the steering room share.
#pragma once
#include "rooms/steering/health.h"
#include "rooms/steering/reports.h"
#include "rooms/steering/steering.h"
#include "rooms/steering/topology.h"
#include "talk/http_serve.h"

enum {
    STEERING_LOOK_MAX = 16, STEERING_DOORS_MAX = WORLD_ADDRESSES_MAX,
    STEERING_TOPOLOGY_BYTES_MAX = 1 << 20,
    STEERING_NAMES_BYTES_MAX = 256 * 1024,       // of one name's ranking, all networks
    STEERING_ANSWERS_MAX = 4,
};

typedef struct {
    buf      text;                               // what the name server is told
    uint64_t version;                            // of the text; 0: none yet
} steering_export;

typedef struct {
    room        *room;
    topology    *top;
    arena        memory[2];                      // of the running settings, and of the next
    int          memory_now;
    health       health[RANKING_NODES_MAX];      // in the order of top->nodes
    health_rules health_rules;
    report_rules report_rules;
    int64_t      ttl_ns, check_every_ns, check_deadline_ns;
    int          answers;
    ranking_network look[STEERING_LOOK_MAX];
    int          look_count;
    reports     *reports;
    int64_t      reported_ns;                    // when the last report came
    uint64_t     key;                            // of the hashes: who gets which of equal nodes
    scope       *checks;                         // the fibers of the running topology
    steering_export names[TOPOLOGY_NAMES_MAX];
    uint64_t     version;
    gate         changed;                        // a name's text is another one
    door        *doors[STEERING_DOORS_MAX];
    int          door_count;
} steering;

err  steering_settings_take(steering *s, const statement *block, str *why);      // room.c's; topology, rules, look

// check.c: health checks. Runs until canceled.
void steering_check(void *arg);                                                  // a steering_checking, freed by it
typedef struct { steering *steering; int node; } steering_checking;

int  steering_load_read(str field);                                              // pure; per mille, -1: it says nothing

// rank.c: an order for one client.
typedef struct {
    ranking_client client;
    int network;
    ranking_row rows[RANKING_NODES_MAX];
    int count;
} steering_order_of;
void steering_rank_network(steering *s, int network, uint64_t complained, steering_order_of *out);
void steering_rank_client(steering *s, addr client, uint64_t session, steering_order_of *out);
uint64_t steering_complained(steering *s, int network);
void steering_publish(steering *s);              // the names' texts again; who waits is told when one has changed

// web.c: what strangers ask; names.c: what the name server asks; look.c: what people ask.
void steering_web(conn *c, void *arg);
void steering_web_meters_show(void);
void steering_names(conn *c, void *arg);
void steering_ranking_json(steering *s, const steering_order_of *o, buf *out);
void steering_nodes_json(steering *s, buf *out);
void steering_metrics(steering *s, buf *out);
void steering_routes_open(steering *s);

// report_read.c: a player's report. Pure. False: it is no such thing.
typedef struct {
    str     server, presentation, rung;
    char    texts[3][REPORTS_SESSION_BYTES_MAX + 1];         // what they point to
    uint64_t session;
    int64_t throughput_bps, stalls, buffer_ms;               // -1: not said
    bool    failed;
} player_report;
bool player_report_read(str json, player_report *out);
