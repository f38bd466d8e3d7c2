// A rehearsal of the player in the simulator: a viewer, some servers of a made film, lines between them, and a
// script that pulls at everything while the film plays. For tests and for scenes.
#pragma once
#include "rooms/player/made_film.h"
#include "rooms/player/player.h"
#include "rt/sim.h"

enum { REHEARSAL_SERVERS_MAX = 4 };

typedef struct rehearsal rehearsal;

typedef struct {
    uint64_t       seed;
    made_film_plan film;
    int            servers;
    sim_link       link;                     // at first, between the viewer and each server
    player_options options;                  // url, take, heard and arg are the rehearsal's own
    bool           outside;                  // the first server, which has the manifest, has a public address; the others private ones
    const char    *steering;                 // what the first server answers at /steer; NULL: no steering
    void         (*script)(rehearsal *r);    // on a fiber of the director's, canceled when the player has ended; NULL: none
    void         (*heard)(rehearsal *r, const player_event *e);
    void          *arg;
} rehearsal_plan;

struct rehearsal {
    const rehearsal_plan *plan;
    sim        *sim;
    world      *viewer, *servers[REHEARSAL_SERVERS_MAX];
    made_film   films[REHEARSAL_SERVERS_MAX];
    player     *player;
    err         outcome;
    player_view view;                        // at the end; texts live until rehearsal_end
    int         pieces, wrong;               // segments that were handed on; of them with a wrong byte
    str         steering;                    // may be changed by the script
    int         steered;                     // how often it was asked for
    int64_t     took_ms;                     // of virtual time
    int64_t     resent;                      // segments of streams that were lost on the way and sent again
    arena       memory;
    void       *arg;
};

void rehearsal_play(const rehearsal_plan *plan, rehearsal *r);
void rehearsal_end(rehearsal *r);

// For scripts: all lines to this server (-1: to every server) are like this from now on.
void rehearsal_link(rehearsal *r, int server, sim_link link);
player_view rehearsal_look(rehearsal *r);
int64_t rehearsal_position_ms(rehearsal *r);
