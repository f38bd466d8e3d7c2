// The films that are there: a directory of directories, FILMS/ID/. A film appears and goes whole, by a rename, so
// looking is enough:
// nobody has to be told. What was looked at is believed for CATALOGUE_BELIEVED_MS. Everything here parks (work()).
#pragma once
#include "base/list.h"
#include "rooms/origin/film.h"
#include "rt/world.h"

enum {
    CATALOGUE_BELIEVED_MS = 500,
    CATALOGUE_READ_AGAIN_S = 10,             // whatever the names and the directory's time say
    CATALOGUE_LOADED_MAX = 128,              // records held
    CATALOGUE_FILMS_MAX = 4096,              // in the list
    CATALOGUE_LIST_BYTES_MAX = 16 << 20,
};

typedef struct {
    list_link link;
    arena     memory;
    film      film;
    int       users;
    int64_t   looked_ns, used_ns;
    int64_t   modified_ns, size_bytes;       // of the record, when it was read
    bool      gone;                          // freed when the last user gives it back
} loaded_film;

typedef struct {
    world   *world;
    char    *path;                           // of the directory
    folder  *folder;
    list     loaded;
    int      loaded_count;
    buf      listed;                         // catalogue.json; empty: not made yet
    int64_t  listed_ns, listed_read_ns;
    uint64_t listed_mark;                    // of what was there then
} catalogue;

// Makes the directory where it is missing. E_UNSUPPORTED: no openat2 here.
err  catalogue_open(catalogue *c, world *w, char *path);
void catalogue_close(catalogue *c);

// The film, held until catalogue_give. E_NO_ENTRY: none of that name; E_CORRUPT: its record is broken; E_LIMIT:
// too many are held.
err  catalogue_take(catalogue *c, str id, loaded_film **out);
void catalogue_give(catalogue *c, loaded_film *f);

// catalogue.json, in `a`: {"presentations": [{"id", "title", "duration_ms", "rate", "bytes", "added", "manifest",
// ...}]}, by id.
err  catalogue_list(catalogue *c, arena *a, str *json);

// For commands, before any loop runs: every record below `path`, in order; broken ones are left out and counted.
typedef void catalogue_each(void *arg, const film *f);
err  catalogue_walk(world *w, const char *path, catalogue_each *each, void *arg, int *broken);
// One record; E_NO_ENTRY, E_CORRUPT.
err  catalogue_look(world *w, const char *path, str id, arena *a, film *out);
void catalogue_put(buf *out, const film *f);         // its object in the list
