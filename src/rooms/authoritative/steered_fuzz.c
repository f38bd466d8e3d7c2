#include <string.h>

#include "base/must.h"
#include "rooms/authoritative/steered.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    arena a = arena_make(2 << 20);
    steered_ranking r;
    if (steered_read(str_of(data, size), &a, &r)) {
        must(r.network_count > 0 && r.network_count <= STEERED_NETWORKS_MAX && r.group_count <= STEERED_GROUPS_MAX && r.ttl_s <= STEERED_TTL_S_MAX);
        for (int i = 0; i < r.network_count; i++) {       // each network finds itself, or one that is written like it
            const steered_network *n = &r.networks[i], *found = steered_find(&r, n->prefix);
            must(n->count > 0 && n->count <= STEERED_ADDRESSES_MAX);
            must(found && found->bits >= n->bits && addr_in_prefix(n->prefix, found->prefix, found->bits));
        }
    }
    arena_free(&a);
    return 0;
}
