#include "rooms/steering/ranking.h"

static uint64_t mix(uint64_t z)
{
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

// By its name, not its number: a node that is added moves nobody between the others.
static uint64_t node_hash(const ranking_node *n, uint64_t client) { return mix(str_hash(n->name, client) + UINT64_C(0x9e3779b97f4a7c15)); }

ranking_distance ranking_distance_of(const ranking_node *n, const ranking_client *client)
{
    for (int i = 0; i < n->near_count; i++)
        if (client->network.bits >= n->near[i].bits && addr_in_prefix(client->network.prefix, n->near[i].prefix, n->near[i].bits))
            return RANKING_BESIDE;
    if (n->place.len && str_eq(n->place, client->place))
        return RANKING_PLACE;
    return n->region.len && str_eq(n->region, client->region) ? RANKING_REGION : RANKING_FAR;
}

static ranking_standing standing_of(const ranking_node *n, ranking_state now, int number, const ranking_client *client)
{
    if (!now.alive)
        return RANKING_DEAD;
    if (client->complained >> number & 1)
        return RANKING_COMPLAINED;
    return (int)(node_hash(n, client->hash) % RANKING_AWAY_ALL) < now.away_per_mille ? RANKING_CONGESTED : RANKING_GOOD;
}

// The highest of so many draws as the node has shares of the capacity: the chance to have the highest of all is its share
// (rendezvous hashing, Thaler and Ravishankar 1998, with integers alone).
static uint64_t draw_of(const ranking_node *n, int64_t capacity_most, const ranking_client *client)
{
    int64_t draws = n->capacity_bps > 0 && capacity_most > 0 ? n->capacity_bps / (capacity_most / RANKING_DRAWS_MAX + 1) + 1 : 1;
    uint64_t best = 0, state = node_hash(n, ~client->hash);
    for (int64_t i = 0; i < draws && i < RANKING_DRAWS_MAX; i++) {
        uint64_t one = mix(state += UINT64_C(0x9e3779b97f4a7c15));
        best = one > best ? one : best;
    }
    return best;
}

static int class_of(ranking_standing s) { return s == RANKING_DEAD ? 2 : s != RANKING_GOOD; }

static bool comes_before(const ranking_row *a, const ranking_row *b, const ranking_node *nodes)
{
    if (class_of(a->standing) != class_of(b->standing))
        return class_of(a->standing) < class_of(b->standing);
    if (a->distance != b->distance)
        return a->distance < b->distance;
    if (nodes[a->node].preference != nodes[b->node].preference)
        return nodes[a->node].preference < nodes[b->node].preference;
    return a->draw != b->draw ? a->draw > b->draw : a->node < b->node;
}

int ranking_make(const ranking_node *nodes, const ranking_state *now, int count, const ranking_client *client, ranking_row *out)
{
    int64_t capacity_most = 0;
    count = count < RANKING_NODES_MAX ? count : RANKING_NODES_MAX;
    for (int i = 0; i < count; i++)
        capacity_most = nodes[i].capacity_bps > capacity_most ? nodes[i].capacity_bps : capacity_most;
    for (int i = 0; i < count; i++) {
        ranking_row row = {i, ranking_distance_of(&nodes[i], client), standing_of(&nodes[i], now[i], i, client),
                           draw_of(&nodes[i], capacity_most, client)};
        int at = i;
        for (; at > 0 && comes_before(&row, &out[at - 1], nodes); at--)
            out[at] = out[at - 1];
        out[at] = row;
    }
    return count;
}

const char *ranking_distance_text(ranking_distance d)
{
    static const char *const texts[] = {"beside it", "same place", "same region", "far"};
    return texts[d];
}

const char *ranking_standing_text(ranking_standing s)
{
    static const char *const texts[] = {"good", "congested", "complained of", "dead"};
    return texts[s];
}
