// Transmission's remote control (RPC of version 3.00, rpc-version 16): what transmission-remote and the front ends of that program
// speak; and naru's own page and live data on the same port. docs/swarm-control.md says what differs.
//
// Who may ask: a browser on a foreign page cannot (a session id that it cannot read must come back in a header; answers 409 with it),
// nor one that was tricked by a changed name (the Host must be an address, localhost or a name of the list; answers 421). A password
// is asked for when one is set; without one the door belongs on loopback.
#pragma once
#include <jansson.h>
#include "rooms/swarm/swarm.h"
#include "talk/http_serve.h"

enum {
    RPC_VERSION = 16, RPC_VERSION_MIN = 1,
    RPC_HOSTS_MAX = 32,
    RPC_BODY_BYTES_MAX = 48 << 20,           // a torrent file in base64
    RPC_DEPTH_MAX = 16,                      // of the JSON of a request
    RPC_SESSION_ID_BYTES = 48,
    RPC_CONNS_MAX = 200, RPC_CONNS_PER_ADDRESS_MAX = 50,
    RPC_RECENT_S = 60,                       // what "recently-active" means
    RPC_PEERS_MAX = SWARM_TORRENT_PEERS_MAX,
    RPC_PASSWORD_TRIES_MAX = 100,            // wrong ones in a row; then none is taken for RPC_PASSWORD_PAUSE_S (as 3.00)
    RPC_PASSWORD_PAUSE_S = 60,
};
#define RPC_SESSION_NS (3600 * NS_PER_S)     // then the session id changes; the one before stays good for as long

typedef struct {
    str user, password;                      // password empty: none is asked for
    const str *hosts;                        // names besides addresses and localhost; "*.club.example" takes all below
    int host_count;
} rpc_options;

typedef struct rpc rpc;

// As the room's settings say (rpc-port, rpc-listen, rpc-user, rpc-password, rpc-host): the doors and the control socket. On
// failure *why says what to do.
err  rpc_start(swarm *s, room *r, str *why);

// Numbers torrents and watches them; lives in the room's memory. Opens nothing.
rpc *rpc_make(swarm *s, room *r, const rpc_options *options);
// One door; several may be opened.
err  rpc_open(rpc *x, addr at);
// The same requests on the control socket, without session id and password: /swarm/rpc, /swarm/torrents, /swarm/torrent/HASH,
// /swarm/why/HASH.
void rpc_control(rpc *x);

// Judges and answers one request; the answer is a new object. Never NULL. Parks.
json_t *rpc_answer(rpc *x, const json_t *request, arena *msg);
// A request's JSON: NULL with a literal when it is none, or too deep for RPC_DEPTH_MAX.
json_t *rpc_read(str body, const char **why);
// May a request with this Host field be answered?
bool    rpc_host_allowed(str host, const str *hosts, int count);
