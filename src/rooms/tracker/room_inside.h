// What the parts of the tracker's room share.
#pragma once
#include "rooms/tracker/announce.h"
#include "rooms/tracker/keeper.h"
#include "rooms/tracker/tracker.h"

enum { ROOM_DOORS_MAX = WORLD_ADDRESSES_MAX };

typedef struct {
    room    *room;
    tracker  core;
    keeper   keep;
    arena    msg;                   // of the datagram at work: answering never parks
    arena    lists[2];              // hashes' and keys' texts: of the running settings, and of the next
    int      lists_now;
    int      expire_minutes;
    uint16_t port, real_port;
    door    *tcp[ROOM_DOORS_MAX];
    int      door_count;
    int64_t  counted[3];            // peers of IPv4, of IPv6, torrents: what the meters hold of us
} tracker_room;

extern const setting tracker_settings[];
err  tracker_settings_take(tracker_room *t, str *why);            // at the start: everything
err  tracker_settings_take_lists(tracker_room *t, const statement *block, str *why);   // what a reload takes, too
err  tracker_doors_open(tracker_room *t, str *why);
void tracker_doors_stop(tracker_room *t);
void tracker_doors_meters_show(void);
void tracker_routes_open(tracker_room *t);
void tracker_backup(tracker_room *t);                             // lends what it remembers
void tracker_core_now(tracker_room *t);                            // tells the core what time it is
