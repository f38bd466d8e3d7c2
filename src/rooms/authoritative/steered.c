#include "rooms/authoritative/steered.h"

#include <stdlib.h>
#include <string.h>

static int compare_length(const steered_network *a, const steered_network *b)
{
    return a->prefix.family != b->prefix.family ? a->prefix.family - b->prefix.family : b->bits - a->bits;
}

static int compare(const void *x, const void *y)
{
    const steered_network *a = x, *b = y;
    int c = compare_length(a, b);
    return c ? c : memcmp(a->prefix.ip, b->prefix.ip, sizeof a->prefix.ip);
}

static addr masked(addr x, int bits)
{
    for (int i = 0; i < (int)sizeof x.ip; i++) {
        int keep = bits - i * 8;
        x.ip[i] &= (uint8_t)(keep >= 8 ? 0xff : keep <= 0 ? 0 : 0xff << (8 - keep));
    }
    x.port = 0;
    return x;
}

static bool prefix_read(str text, steered_network *n)
{
    str ip = str_cut(&text, '/');
    uint64_t bits;
    if (!addr_parse_ip(ip, 0, &n->prefix) || !str_to_u64(text, &bits) || bits > (n->prefix.family == 4 ? 32 : 128))
        return false;
    n->bits = (uint8_t)bits;
    n->prefix = masked(n->prefix, n->bits);
    return true;
}

static bool network_read(str line, steered_network *n)
{
    str word = str_word(&line);
    *n = (steered_network){0};
    if (!prefix_read(word, n))
        return false;
    while ((word = str_word(&line)).len)
        if (n->count == STEERED_ADDRESSES_MAX || !addr_parse_ip(word, 0, &n->at[n->count++]))
            return false;
    return n->count > 0;
}

static bool number_read(str *text, str key, uint64_t *out)
{
    str line = str_cut(text, '\n'), word = str_word(&line);
    return str_eq(word, key) && str_to_u64(str_trim(line), out);
}

static void groups_make(steered_ranking *r)
{
    for (int i = 0; i < r->network_count; i++) {
        if (i == 0 || compare_length(&r->networks[i - 1], &r->networks[i]))
            r->groups[r->group_count++].first = i;
        r->groups[r->group_count - 1].count++;
    }
}

bool steered_read(str text, arena *a, steered_ranking *out)
{
    uint64_t ttl;
    int lines = 0;
    memset(out, 0, sizeof *out);
    if (text.len > STEERED_TEXT_BYTES_MAX || !number_read(&text, S("version"), &out->version) || !number_read(&text, S("ttl"), &ttl))
        return false;
    out->ttl_s = (uint32_t)(ttl < STEERED_TTL_S_MAX ? ttl : STEERED_TTL_S_MAX);
    for (ptrdiff_t i = 0; i < text.len; i++)
        lines += text.at[i] == '\n';
    out->networks = lines + 1 <= STEERED_NETWORKS_MAX ? arena_array(a, steered_network, lines + 1) : NULL;
    while (text.len && out->networks)
        if (!network_read(str_cut(&text, '\n'), &out->networks[out->network_count++]))
            return false;
    if (!out->networks || !out->network_count)
        return false;
    qsort(out->networks, (size_t)out->network_count, sizeof *out->networks, compare);
    groups_make(out);
    return true;
}

const steered_network *steered_find(const steered_ranking *r, addr client)
{
    for (int g = 0; g < r->group_count; g++) {
        const steered_network *first = &r->networks[r->groups[g].first];
        if (first->prefix.family != client.family)
            continue;
        steered_network wanted = {.prefix = masked(client, first->bits), .bits = first->bits};
        wanted.prefix.family = client.family;
        const steered_network *found = bsearch(&wanted, first, (size_t)r->groups[g].count, sizeof *first, compare);
        if (found)
            return found;
    }
    return NULL;
}

static int common_bits(addr a, addr b)
{
    for (int i = 0; i < (int)sizeof a.ip; i++)
        if (a.ip[i] != b.ip[i])
            return 8 * i + __builtin_clz((unsigned)(a.ip[i] ^ b.ip[i])) - 24;
    return 128;
}

static bool same_answer(const steered_network *a, const steered_network *b)
{
    bool same = a && a->count == b->count;
    for (int i = 0; i < b->count && same; i++)
        same = addr_eq_ip(a->at[i], b->at[i]);
    return same;
}

// Networks that are longer than the one found do not hold the client, as far as it is told; the answer ends where the nearest of them
// parts from it, and one that begins like all that is told may hold it.
int steered_scope(const steered_ranking *r, const steered_network *found, addr client, int told)
{
    int scope = found ? found->bits : 0;
    for (int i = 0; i < r->network_count; i++) {
        const steered_network *n = &r->networks[i];
        if (n->prefix.family != client.family || n->bits <= scope || same_answer(found, n))
            continue;
        int common = common_bits(n->prefix, client), known = n->bits < told ? n->bits : told;
        int need = common >= known ? n->bits : common + 1;
        scope = need > scope ? need : scope;
    }
    return scope;
}

const steered_name *steered_name_find(const steered_table *t, dns_name n)
{
    for (int i = 0; i < t->count; i++)
        if (dns_name_eq(t->names[i].name, n))
            return &t->names[i];
    return NULL;
}
