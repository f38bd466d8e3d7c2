#include "rt/room.h"

#include <string.h>

#include "base/heap_memory.h"
#include "base/must.h"
#include "rt/conn_inside.h"
#include "rt/story.h"
#include "rt/worker.h"

enum {
    NODE_MEMORY_BYTES_MAX = 16 << 20,
    ROOM_MEMORY_BYTES_MAX = 256 << 20,
    NODE_FIBERS_MAX = 1024,
    ROOM_FIBERS_MAX = 65536,
    INSIDE_CONNS_MAX = 4096,             // on one inside door
    INSIDE_CONNECT_S = 10,
};

typedef struct inside_door {
    const char         *name;
    room               *room;            // NULL: it has stopped
    door_serve         *serve;
    void               *arg;
    int                 conns;
    struct inside_door *next;
} inside_door;

// ---- nodes --------------------------------------------------------------------------------------------------------------

err node_start(node *n, world *w, str name, str directory)
{
    *n = (node){.world = w, .loops = 1, .memory = arena_make(NODE_MEMORY_BYTES_MAX)};
    n->name = str_copy(&n->memory, name);
    n->directory = str_copy(&n->memory, directory);
    int count;
    const addr *own = world_addresses(w, &count);
    for (int i = 0; i < count; i++)
        story_name(own[i], world_name(w));
    scope_open(&n->scope, 0, NODE_FIBERS_MAX);
    return E_OK;
}

static void doors_withdraw(node *n, const room *r)
{
    for (inside_door *d = n->inside; d; d = d->next)
        if (d->room == r)
            d->room = NULL;
}

static void room_end(room *r)
{
    doors_withdraw(r->node, r);
    scope_close(r->scope);
    if (r->kind->gone && r->state)
        r->kind->gone(r);
    arena_free(r->memory);
}

void node_stop(node *n)
{
    for (room *r; (r = n->rooms); ) {            // the newest first
        n->rooms = r->next;
        if (r->kind->stop)
            r->kind->stop(r);
        room_end(r);
    }
    scope_close(&n->scope);
    arena_free(&n->memory);
}

static room *room_new(node *n, const room_kind *kind, const statement *settings)
{
    static const statement no_settings;
    room *r = arena_new(&n->memory, room);
    r->memory = arena_new(&n->memory, arena);
    r->scope = arena_new(&n->memory, scope);
    must(r && r->memory && r->scope);
    *r->memory = arena_make(ROOM_MEMORY_BYTES_MAX);
    r->kind = kind;
    r->node = n;
    r->world = n->world;
    r->settings = settings ? settings : &no_settings;
    scope_open(r->scope, 0, ROOM_FIBERS_MAX);
    return r;
}

err node_add(node *n, const room_kind *kind, const statement *settings, room **out, str *why)
{
    room *r = room_new(n, kind, settings);
    world *before = world_here();
    fiber_world(n->world);                       // its doors and fibers inherit it
    *why = (str){0};
    err e = kind->start(r, why);
    fiber_world(before);
    if (e) {
        *why = str_copy(&n->memory, why->len ? *why : str_z(err_text(e)));
        room_end(r);
        return e;
    }
    r->next = n->rooms;
    n->rooms = r;
    if (out)
        *out = r;
    return E_OK;
}

room *node_room(node *n, const char *name)
{
    for (room *r = n->rooms; r; r = r->next)
        if (strcmp(r->kind->name, name) == 0)
            return r;
    return NULL;
}

// ---- directories --------------------------------------------------------------------------------------------------------

typedef struct {
    world      *world;
    const char *path;
    err         result;
} directory_wish;

static void directory_make(void *arg)
{
    directory_wish *wish = arg;
    wish->result = dir_make(wish->world, wish->path, 0700);
}

str room_directory(room *r)
{
    if (r->directory.len > 0)
        return r->directory;
    str path = str_format(r->memory, STR_FMT "/%s", STR_ARG(r->node->directory), r->kind->name);
    directory_wish wish = {r->world, str_to_z(r->memory, path), E_OK};
    work(directory_make, &wish);
    if (!wish.result)
        r->directory = path;
    return r->directory;
}

char *room_path(room *r, arena *a, str name)
{
    str directory = room_directory(r);
    if (directory.len == 0)
        return str_to_z(a, (str){0});
    return str_to_z(a, str_format(a, STR_FMT "/" STR_FMT, STR_ARG(directory), STR_ARG(name)));
}

// ---- inside doors -------------------------------------------------------------------------------------------------------

static inside_door *inside_find(const node *n, const char *name)
{
    for (inside_door *d = n->inside; d; d = d->next)
        if (strcmp(d->name, name) == 0)
            return d;
    return NULL;
}

static char *inside_path(const node *n, arena *a, const char *name)
{
    return str_to_z(a, str_format(a, STR_FMT "/%s.sock", STR_ARG(n->inside_directory), name));
}

// The door for other processes.
static err offer_outside(room *r, const char *name, door_serve *serve, void *arg)
{
    door *opened;
    door_options options = {.service = name, .conns_max = INSIDE_CONNS_MAX};
    return door_open_unix(r->scope, r->world, inside_path(r->node, r->memory, name), 0600, options, serve, arg, &opened);
}

err room_offer(room *r, const char *name, door_serve *serve, void *arg)
{
    inside_door *d = inside_find(r->node, name);
    if (d && d->room)
        return E_IN_USE;
    if (!d) {
        d = arena_new(&r->node->memory, inside_door);
        if (!d)
            return E_LIMIT;
        d->name = str_to_z(&r->node->memory, str_z(name));
        d->next = r->node->inside;
        r->node->inside = d;
    }
    d->room = r;
    d->serve = serve;
    d->arg = arg;
    return r->node->inside_directory.len ? offer_outside(r, d->name, serve, arg) : E_OK;
}

typedef struct {
    inside_door *door;
    door_serve  *serve;
    void        *arg;
    world       *world;
    conn        *conn;
} inside_visit;

static void inside_run(void *arg)
{
    inside_visit *v = arg;
    fiber_world(v->world);
    v->serve(v->conn, v->arg);
    conn_close(v->conn);
    v->door->conns--;
    memory_free(v);
}

static conn *dial_failed(world *w, err e)
{
    conn_inside *c = conn_new(w);
    conn_fail(c, e);
    return &c->seen;
}

static conn *dial_outside(room *r, const char *name)
{
    arena a = arena_make(4096);
    conn *c = conn_open_unix(r->world, inside_path(r->node, &a, name), seconds(INSIDE_CONNECT_S));
    arena_free(&a);
    return c;
}

conn *room_dial(room *r, const char *name)
{
    inside_door *d = inside_find(r->node, name);
    if ((!d || !d->room) && r->node->inside_directory.len)
        return dial_outside(r, name);
    if (!d || !d->room)
        return dial_failed(r->world, E_REFUSED);
    if (d->conns >= INSIDE_CONNS_MAX)
        return dial_failed(r->world, E_LIMIT);
    conn *ours, *theirs;
    conn_pair(&ours, &theirs);
    inside_visit *v = memory_new(sizeof *v);
    *v = (inside_visit){d, d->serve, d->arg, d->room->world, theirs};
    err e = scope_try_go(d->room->scope, d->name, inside_run, v);
    if (!e) {
        d->conns++;
        return ours;
    }
    memory_free(v);
    conn_close(theirs);
    conn_close(ours);
    return dial_failed(r->world, e);
}
