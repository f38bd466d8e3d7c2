#include "rooms/tracker/access.h"

#include <string.h>

bool access_key_usable(str key)
{
    if (key.len < ACCESS_KEY_BYTES_MIN || key.len > ACCESS_KEY_BYTES_MAX)
        return false;
    for (ptrdiff_t i = 0; i < key.len; i++)
        if (!is_alnum(key.at[i]) && key.at[i] != '-' && key.at[i] != '_')
            return false;
    return true;
}

bool access_key_add(access *x, arena *a, str name, str key)
{
    if (!x->keys)
        x->keys = arena_array(a, access_key, ACCESS_KEYS_MAX);
    if (!x->keys || x->key_count == ACCESS_KEYS_MAX)
        return false;
    x->keys[x->key_count++] = (access_key){siphash(x->secret, key), name, key};
    return true;
}

// Looks at every key, whichever it is: keyed hashes first, whose order nobody knows.
int access_key_find(const access *x, str key)
{
    if (!access_key_usable(key))
        return -1;
    uint64_t tag = siphash(x->secret, key);
    int at = -1;
    for (int i = 0; i < x->key_count; i++) {
        uint64_t differs = x->keys[i].tag ^ tag;
        int same = -(int)(1 & ~((differs | -differs) >> 63));
        at = (at & ~same) | (i & same);
    }
    return at >= 0 && str_eq_secret(x->keys[at].key, key) ? at : -1;
}

bool access_path_key(str path, str what, str *key)
{
    path = str_cut(&path, '?');
    *key = (str){0};
    if (!str_starts(path, S("/")))
        return false;
    str first = str_from(path, 1), rest = first;
    if (str_eq(first, what))
        return true;
    *key = str_cut(&rest, '/');
    return key->len > 0 && str_eq(rest, what);
}
