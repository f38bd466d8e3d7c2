#include "rooms/swarm/dht_search.h"

#include <string.h>

#include "rooms/swarm/dht_table.h"

void dht_search_init(dht_search *s, const uint8_t target[DHT_ID_BYTES])
{
    memset(s, 0, sizeof *s);
    memcpy(s->target, target, DHT_ID_BYTES);
}

// Is a nearer than b? Nodes without an id come before all: they are asked first.
static bool comes_before(const dht_search *s, const dht_found_node *a, const dht_found_node *b)
{
    if (!a->has_id || !b->has_id)
        return !a->has_id && b->has_id;
    return dht_nearer(s->target, a->node.id, b->node.id) < 0;
}

static void insert(dht_search *s, const dht_found_node *n)
{
    int at = s->count++;
    for (; at > 0 && comes_before(s, n, &s->nodes[at - 1]); at--)
        s->nodes[at] = s->nodes[at - 1];
    s->nodes[at] = *n;
}

static void take_out(dht_search *s, int i)
{
    memmove(&s->nodes[i], &s->nodes[i + 1], (size_t)(s->count - i - 1) * sizeof s->nodes[0]);
    s->count--;
}

// Makes room: the farthest that was silent, else the farthest that nobody has asked. -1: there is none.
static int superfluous(const dht_search *s)
{
    for (int i = s->count - 1; i >= 0; i--)
        if (s->nodes[i].state == DHT_SILENT)
            return i;
    for (int i = s->count - 1; i >= 0; i--)
        if (s->nodes[i].state == DHT_FRESH)
            return i;
    return -1;
}

void dht_search_add(dht_search *s, const uint8_t *id, addr at)
{
    dht_found_node n = {.node = {.at = at}, .has_id = id != NULL, .fits = id && dht_id_fits(id, at)};
    if (id)
        memcpy(n.node.id, id, DHT_ID_BYTES);
    for (int i = 0; i < s->count; i++)
        if (dht_same_host(s->nodes[i].node.at, at))
            return;
    if (s->count == DHT_SEARCH_NODES_MAX) {
        int i = superfluous(s);
        if (i < 0 || (s->nodes[i].state == DHT_FRESH && !comes_before(s, &n, &s->nodes[i])))
            return;
        take_out(s, i);
    }
    insert(s, &n);
}

// BEP 42: nodes whose id does not fit do not count among the nearest that end the search.
dht_found_node *dht_search_next(dht_search *s)
{
    int waiting = 0, near = 0;
    for (int i = 0; i < s->count; i++)
        waiting += s->nodes[i].state == DHT_ASKED;
    if (waiting >= DHT_SEARCH_ALPHA || s->asked >= DHT_SEARCH_ASKED_MAX)
        return NULL;
    for (int i = 0; i < s->count && near < DHT_SEARCH_WIDTH; i++) {
        dht_found_node *n = &s->nodes[i];
        if (n->state == DHT_FRESH) {
            n->state = DHT_ASKED;
            s->asked++;
            return n;
        }
        near += n->state != DHT_SILENT && n->has_id && n->fits;
    }
    return NULL;
}

bool dht_search_over(const dht_search *s)
{
    int near = 0;
    for (int i = 0; i < s->count; i++) {
        const dht_found_node *n = &s->nodes[i];
        if (n->state == DHT_ASKED || n->state == DHT_SLOW)
            return false;
        if (n->state == DHT_FRESH && near < DHT_SEARCH_WIDTH && s->asked < DHT_SEARCH_ASKED_MAX)
            return false;
        near += n->state == DHT_ANSWERED && n->fits;
    }
    return true;
}

dht_found_node *dht_search_find(dht_search *s, addr at)
{
    for (int i = 0; i < s->count; i++)
        if (addr_eq(s->nodes[i].node.at, at))
            return &s->nodes[i];
    return NULL;
}

void dht_search_answered(dht_search *s, addr at, const uint8_t id[DHT_ID_BYTES], str token)
{
    dht_found_node *known = dht_search_find(s, at), n;
    if (!known || known->state == DHT_ANSWERED)
        return;
    n = *known;
    take_out(s, (int)(known - s->nodes));
    n.state = DHT_ANSWERED;
    n.has_id = true;
    n.fits = dht_id_fits(id, at);
    memcpy(n.node.id, id, DHT_ID_BYTES);
    n.token_len = (uint8_t)(token.len <= DHT_TOKEN_BYTES_MAX ? token.len : 0);
    if (n.token_len)
        memcpy(n.token, token.at, n.token_len);
    s->answered++;
    insert(s, &n);
}

void dht_search_slow(dht_search *s, addr at)
{
    dht_found_node *n = dht_search_find(s, at);
    if (n && n->state == DHT_ASKED)
        n->state = DHT_SLOW;
}

void dht_search_silent(dht_search *s, addr at)
{
    dht_found_node *n = dht_search_find(s, at);
    if (n && n->state != DHT_ANSWERED)
        n->state = DHT_SILENT;
}

int dht_search_holders(const dht_search *s, const dht_found_node **out, int max)
{
    int count = 0;
    for (int i = 0; i < s->count && count < max; i++)
        if (s->nodes[i].state == DHT_ANSWERED && s->nodes[i].token_len && s->nodes[i].fits)
            out[count++] = &s->nodes[i];
    return count;
}
