// What the parts of the origin share.
#pragma once
#include "rooms/origin/catalogue.h"
#include "rooms/origin/origin.h"
#include "rooms/origin/resource.h"
#include "talk/http_serve.h"

extern const setting origin_settings[];

// What the settings add to every manifest.
typedef struct {
    media_base *bases; int base_count;
    str  steering_url;
    bool steering_first;
} origin_manifest;
bool origin_manifest_of(const statement *settings, origin_manifest *out, arena *a, const char **why);

enum { ORIGIN_DOORS_MAX = WORLD_ADDRESSES_MAX };

typedef struct {
    room           *room;
    catalogue       films;
    origin_encoding encoding;
    origin_manifest manifest;
    arena           manifest_memory;
    int64_t         idle_ns;
    door           *doors[ORIGIN_DOORS_MAX];
    int             door_count;
} origin_room;

void origin_converse(conn *c, void *arg);            // serve.c; arg: origin_room
void origin_meters_show(void);
void origin_backup(origin_room *o);                  // backup.c
