// A hash map from text to pointer: open addressing, a keyed hash (strangers cannot choose collisions without knowing
// the key), a ceiling. The map borrows its keys: a key usually stands inside the value and lives as long.
#pragma once
#include "base/text.h"

typedef struct {
    str      key;
    void    *value;         // NULL: an empty slot
    uint64_t hash;
} map_slot;

typedef struct {
    map_slot *slots;
    size_t    count, cap, max;      // cap is zero or a power of two
    uint64_t  secret;
    bool      nocase;               // ASCII case of keys does not matter (DNS names, header fields)
} map;

map   map_make(uint64_t secret, size_t max);             // `secret` comes from world's chance; allocates nothing yet
map   map_make_nocase(uint64_t secret, size_t max);
void  map_free(map *m);                                  // keys and values are the caller's
void *map_get(const map *m, str key);                    // NULL when absent
bool  map_put(map *m, str key, void *value);             // replaces key and value; false when a new key meets the ceiling
void *map_remove(map *m, str key);                       // the value that was there, or NULL

// Walks all entries: start with *cursor = 0; false at the end. The order depends on the secret alone. The entry just
// returned may be removed only through map_remove_all_if; a put or remove in between may repeat or miss entries.
bool  map_each(const map *m, size_t *cursor, str *key, void **value);
// Removes every entry for which `gone` says true; returns how many. `gone` may free the value (and with it the key).
size_t map_remove_all_if(map *m, bool (*gone)(void *value, void *context), void *context);
