// What the files of torrent-get share. Private to rpc_fields*.c.
#pragma once
#include "rooms/swarm/rpc_inside.h"

enum { RPC_NO_FIGURE = -1 };                 // what Transmission says where there is none

// What a field is made of: all of it looked up once for one torrent.
typedef struct {
    rpc          *x;
    int           id;
    torrent      *t;
    torrent_view  v;
    torrent_entry *entry;                    // NULL: it has just been removed
    metainfo      meta;                      // only for fields that say so; piece_count 0 when unknown
    rpc_number   *number;
} torrent_facts;

typedef json_t *field_value(const torrent_facts *f);

static inline json_t *number(int64_t n) { return json_integer(n); }
static inline json_t *share(int64_t part, int64_t whole) { return json_fixed(whole > 0 ? json_share(part, whole) : 0, JSON_MILLION); }

// rpc_fields_lists.c
field_value rpc_f_files, rpc_f_file_stats, rpc_f_priorities, rpc_f_wanted, rpc_f_peers, rpc_f_peers_from, rpc_f_trackers, rpc_f_tracker_stats;
// What the trackers say, in memory of the caller (memory_free); NULL when there are none.
announcer_tracker_view *rpc_trackers_look(const torrent_facts *f, int *count);
