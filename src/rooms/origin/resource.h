// What a path below /ID/ means. Only these exist: no path of the disk is ever made of what a stranger wrote but these.
#pragma once
#include "rooms/origin/film.h"

typedef enum {
    RESOURCE_NONE, RESOURCE_MPD, RESOURCE_MPD_ON_DEMAND, RESOURCE_MASTER, RESOURCE_PLAYLIST,     // made on request
    RESOURCE_FILE,                           // bytes of a file that never changes
} resource_kind;

typedef struct {
    resource_kind kind;
    const media_rendition *rendition;        // of a playlist
    str      path;                           // of a file, below the film's directory
    uint64_t offset, bytes;                  // the part of it; bytes 0: all
    str      type;                           // media type
} resource;

// rest: "v300/7.m4s". Path lives in the arena.
resource resource_find(const film *f, str rest, arena *a);
