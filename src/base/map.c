#include "base/map.h"

#include "base/heap_memory.h"
#include "base/must.h"

enum { MAP_FIRST_SLOTS = 16 };      // slots double when more than 3/4 would be taken

map map_make(uint64_t secret, size_t max) { return (map){.secret = secret, .max = max}; }
map map_make_nocase(uint64_t secret, size_t max) { return (map){.secret = secret, .max = max, .nocase = true}; }

void map_free(map *m)
{
    memory_free(m->slots);
    m->slots = NULL;
    m->count = m->cap = 0;
}

static uint64_t hash_of(const map *m, str key)
{
    return m->nocase ? str_hash_nocase(key, m->secret) : str_hash(key, m->secret);
}

static bool same(const map *m, const map_slot *s, uint64_t hash, str key)
{
    return s->hash == hash && (m->nocase ? str_eq_nocase(s->key, key) : str_eq(s->key, key));
}

// The slot that holds the key, or the empty slot where it belongs. Ends, because a quarter of the slots is empty.
static map_slot *slot_of(const map *m, uint64_t hash, str key)
{
    size_t i = hash & (m->cap - 1);
    while (m->slots[i].value && !same(m, &m->slots[i], hash, key))
        i = (i + 1) & (m->cap - 1);
    return &m->slots[i];
}

static void grow(map *m)
{
    map old = *m;
    m->cap = old.cap ? old.cap * 2 : MAP_FIRST_SLOTS;
    m->slots = memory_zeroed(m->cap, sizeof *m->slots);
    for (size_t i = 0; i < old.cap; i++)
        if (old.slots[i].value)
            *slot_of(m, old.slots[i].hash, old.slots[i].key) = old.slots[i];
    memory_free(old.slots);
}

void *map_get(const map *m, str key) { return m->cap ? slot_of(m, hash_of(m, key), key)->value : NULL; }

bool map_put(map *m, str key, void *value)
{
    must(value);
    uint64_t  hash = hash_of(m, key);
    map_slot *s = m->cap ? slot_of(m, hash, key) : NULL;
    if (!s || !s->value) {
        if (m->count >= m->max)
            return false;
        if (m->count + 1 > m->cap / 4 * 3) {
            grow(m);
            s = slot_of(m, hash, key);
        }
        m->count++;
    }
    *s = (map_slot){key, value, hash};
    return true;
}

// Closes the gap at i: what follows in the same run moves back unless it stands at or after its home already.
static void close_gap(map *m, size_t i)
{
    size_t mask = m->cap - 1;
    for (size_t j = (i + 1) & mask; m->slots[j].value; j = (j + 1) & mask) {
        size_t home = m->slots[j].hash & mask;
        if (((j - home) & mask) >= ((j - i) & mask)) {
            m->slots[i] = m->slots[j];
            i = j;
        }
    }
    m->slots[i] = (map_slot){0};
    m->count--;
}

void *map_remove(map *m, str key)
{
    map_slot *s = m->cap ? slot_of(m, hash_of(m, key), key) : NULL;
    void *value = s ? s->value : NULL;
    if (value)
        close_gap(m, (size_t)(s - m->slots));
    return value;
}

bool map_each(const map *m, size_t *cursor, str *key, void **value)
{
    for (; *cursor < m->cap; ++*cursor) {
        const map_slot *s = &m->slots[*cursor];
        if (!s->value)
            continue;
        *key = s->key;
        *value = s->value;
        ++*cursor;
        return true;
    }
    return false;
}

// The kept entries go into a table of the same size one by one: a walk that closes gaps as it goes could meet an
// entry twice where a run wraps around the end.
size_t map_remove_all_if(map *m, bool (*gone)(void *value, void *context), void *context)
{
    map kept = *m;
    kept.count = 0;
    kept.slots = m->cap ? memory_zeroed(m->cap, sizeof *m->slots) : NULL;
    for (size_t i = 0; i < m->cap; i++) {
        map_slot s = m->slots[i];
        if (!s.value || gone(s.value, context))
            continue;
        size_t at = s.hash & (m->cap - 1);              // by hash alone: all keys are known to differ
        while (kept.slots[at].value)
            at = (at + 1) & (m->cap - 1);
        kept.slots[at] = s;
        kept.count++;
    }
    size_t removed = m->count - kept.count;
    memory_free(m->slots);
    *m = kept;
    return removed;
}
