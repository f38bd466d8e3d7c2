// What the files of the remote control share.
#pragma once
#include "base/map.h"
#include "rooms/swarm/rpc.h"
#include "rooms/swarm/swarm_inside.h"
#include "rt/json_fixed.h"

enum {
    RPC_RATIO_USUAL = 2000,                  // per mille: what stands where no ratio is set (as 3.00)
    RPC_RATIO_MAX = 1000000000,              // per mille
    RPC_RATE_KB_MAX = 1000000000,
    RPC_PLAY_MS_MAX = 7 * 24 * 3600 * 1000,  // a deadline's distance
};

#define RPC_PLAY_RATE_MAX (INT64_C(1) << 40) // bytes a second that a player reads

typedef struct {
    uint8_t hash[INFO_HASH_BYTES];
    int64_t changed_s;                       // wall clock: when something about it changed last
    int64_t removed_s;                       // 0: it is there
    int64_t limit_up, limit_down;            // bytes a second that were set last, also while they are off
    torrent_state state;                     // as last seen
} rpc_number;                                // a torrent's id is its place in the table, from 1

struct rpc {
    swarm *swarm;
    room  *room;
    rpc_options options;
    rpc_number *numbers;                     // SWARM_TORRENTS_MAX of them at most
    int    number_count, number_room;
    map    by_hash;                          // the number's place + 1
    char   session[RPC_SESSION_ID_BYTES + 1], session_before[RPC_SESSION_ID_BYTES + 1];
    int64_t session_ns;
    int    wrong_passwords;
    int64_t wrong_ns;
    int64_t limit_up, limit_down;            // of all torrents, also while they are off
    bool   add_paused;                       // "start-added-torrents" is false
    scope_end end;
};

// ---- rpc_number.c
int      rpc_number_of(rpc *x, const torrent *t);                // its id; 0: the table is full
torrent *rpc_torrent_at(rpc *x, int64_t id);                     // NULL
rpc_number *rpc_number_at(rpc *x, int64_t id);
void     rpc_numbers_look(rpc *x);                               // gives new ones a number, notes what is gone

// ---- rpc_fields.c
// One torrent as an object of the fields asked for (or, `table`: an array in their order). Parks when a field needs the torrent
// file; NULL when the torrent has gone meanwhile.
json_t  *rpc_torrent_fields(rpc *x, int id, const json_t *fields, bool table, arena *msg);
bool     rpc_field_known(const char *name);

// ---- rpc_methods.c, rpc_session.c, rpc_set.c: each answers NULL (and fills `out`) or what went wrong, for "result"
typedef const char *rpc_method(rpc *x, json_t *arguments, json_t *out, arena *msg);
rpc_method rpc_session_get, rpc_session_set, rpc_session_stats, rpc_free_space, rpc_port_test, rpc_torrent_set, rpc_torrent_add;
// torrent_move of each torrent that `arguments` means to its "location"; NULL or what went wrong first. Parks until all are moved.
const char *rpc_torrents_move(rpc *x, const json_t *arguments, arena *msg);
// The ids that `arguments` means (all when it says nothing): an array of integers, in the order asked. *recent: "recently-active".
json_t  *rpc_ids(rpc *x, const json_t *arguments, bool *recent);

// ---- rpc_place.c
// Bytes that this user may still fill: of the directory where files go (or what exists above it), or one beneath it. Parks.
err      rpc_space(rpc *x, str directory, int64_t *bytes);

// ---- rpc_http.c
void     rpc_page(rpc *x, const http_request *q, http_reply *reply, arena *msg);       // rpc_page.c: GET of the page and its data
json_t  *rpc_live_torrents(rpc *x);
json_t  *rpc_live_torrent(rpc *x, torrent *t);

json_t  *rpc_text(str s);                    // what strangers wrote may not be UTF-8, JSON must be: '?' stands for what is not
