// A node is a name, addresses, a data directory and room instances; no room keeps state outside it. A room is one service of a
// node. Rooms meet only by speaking a protocol over a conn that they dial by the name of an inside door.
#pragma once
#include "rt/config.h"
#include "rt/listener.h"

typedef struct room room;
typedef struct node node;

typedef struct room_kind {
    const char    *name;             // "upper", "mta": what users read as the service's name
    const setting *settings;         // its schema; ends with key NULL
    bool           every_loop;       // one instance a loop (upper, authoritative, resolver)
    // Opens doors in r->scope and starts its fibers there; returns when it serves. On failure *why (in r->memory) says what,
    // why and what to do. Runs on a fiber whose world is the node's.
    err  (*start)(room *r, str *why);
    // Would reload take these settings (already checked)? Nothing changes; *why as for reload. NULL: it would.
    err  (*check)(room *r, const statement *settings, str *why);
    // New settings (already checked): takes what is reloadable. NULL: nothing is.
    err  (*reload)(room *r, const statement *settings, str *why);
    void (*stop)(room *r);           // before its scope is canceled: finish conversations, stop doors; may be NULL
    void (*gone)(room *r);           // after its last fiber has ended: frees r->state; may be NULL
} room_kind;

struct room {
    const room_kind *kind;
    node            *node;
    world           *world;
    const statement *settings;       // checked against kind->settings
    arena           *memory;         // the room's lifetime
    scope           *scope;          // the room's fibers
    str              directory;      // its own data directory, made on first use by room_directory
    void            *state;          // the room's own
    room            *next;
};

struct node {
    str    name;                     // "hamburger.edu"
    world *world;
    str    directory;                // data
    arena  memory;
    scope  scope;
    room  *rooms;                    // the newest first
    struct inside_door *inside;      // by name
    str    inside_directory;         // where inside doors are sockets between processes (`naru up`); empty: one process has all
    struct control *control;         // what the control socket serves (talk/control.h)
    int    loops;                    // that run this node's every_loop rooms; above 1 their doors share ports. 1 at first
};

// Starts a node's life in the running fiber's scope; node_stop stops rooms in reverse order and frees everything. The same
// fiber calls node_start, node_add and node_stop: it owns the scopes.
err  node_start(node *n, world *w, str name, str directory);
void node_stop(node *n);
// Adds a room and starts it. settings: its block (may be NULL: empty). On failure nothing of it stays, and *why lives
// with the node.
err  node_add(node *n, const room_kind *kind, const statement *settings, room **out, str *why);
room *node_room(node *n, const char *name);
str  room_directory(room *r);                     // made if missing (goes through work()); empty: it cannot be made
char *room_path(room *r, arena *a, str file);     // DIRECTORY/file, NUL-terminated; "" when there is no directory

// Inside doors: "mailstore.lmtp", "accounts.login", "mta.submit". In one process a dial makes a memory pair and a fiber in the
// offering room's scope. Where the node has an inside_directory, a door is the socket inside_directory/NAME.sock too, and a dial
// whose door is not in this process connects there: E_NO_ENTRY, E_REFUSED, E_ACCESS like any socket.
err   room_offer(room *r, const char *door, door_serve *serve, void *arg);
conn *room_dial(room *r, const char *door);       // never NULL; c->error: E_REFUSED nobody offers it, E_LIMIT too many conns
