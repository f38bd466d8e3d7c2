#include "rooms/resolver/lookup.h"

#include <string.h>

#include "base/heap_memory.h"

static lookup *lookup_new(resolver *r, uint64_t number, str key)
{
    lookup *l = memory_zeroed(1, sizeof *l);
    memcpy(l->key_bytes, key.at, (size_t)key.len);
    l->key = (str){l->key_bytes, key.len};
    l->number = number;
    l->memory = arena_make(WORK_BYTES_MAX);
    l->users = 1;
    if (!map_put(&r->in_flight, l->key, l)) {
        memory_free(l);
        return NULL;
    }
    return l;
}

static void lookup_leave(lookup *l)
{
    if (--l->users > 0)
        return;
    arena_free(&l->memory);
    memory_free(l);
}

static void wait_for(resolver *r, int64_t until_ns, lookup *l, arena *a, found *out)
{
    l->users++;
    r->figures.merged++;
    while (!l->done && gate_wait(&l->finished, until_ns, "the same question, asked by another") == E_OK)
        ;
    if (l->done)
        found_copy(&l->result, a, out);
    else
        found_fail(out, DNS_EDE_OTHER, S("the same question is being asked and takes too long"));
    lookup_leave(l);
}

static void key_put(writer *w, const unsigned char *bytes, size_t count)
{
    for (size_t i = 0; i < count; i++) {                   // no letters: the table does not see case
        wr_u8(w, '0' + (bytes[i] & 15u));
        wr_u8(w, '0' + (bytes[i] >> 4 & 15u));
    }
}

static str key_make(unsigned char room[LOOKUP_KEY_BYTES_MAX], dns_question q, const dns_subnet *client)
{
    unsigned char type[] = {(unsigned char)q.type, (unsigned char)(q.type >> 8)}, option[DNS_SUBNET_BYTES_MAX];
    writer w = wr_into(room, LOOKUP_KEY_BYTES_MAX), subnet = wr_into(option, sizeof option);
    wr_bytes(&w, q.name);
    key_put(&w, type, sizeof type);
    if (client)
        dns_subnet_write(&subnet, client);
    key_put(&w, option, (size_t)wr_len(&subnet));
    return wr_str(&w);
}

lookup_part lookup_join(resolver *r, uint64_t number, int64_t until_ns, dns_question q, const dns_subnet *client, arena *a, found *out,
                        lookup **l)
{
    unsigned char room[LOOKUP_KEY_BYTES_MAX];
    str key = key_make(room, q, client);
    lookup *there = map_get(&r->in_flight, key);
    if (there && there->number == number)
        return LOOKUP_OUR_OWN;
    if (there && there->number < number) {
        wait_for(r, until_ns, there, a, out);
        return LOOKUP_ANSWERED;
    }
    *l = there ? NULL : lookup_new(r, number, key);
    return *l ? LOOKUP_FIRST : LOOKUP_ALONE;
}

void lookup_finish(resolver *r, lookup *l, arena *a, found *out)
{
    (void)map_remove(&r->in_flight, l->key);
    l->done = true;
    gate_wake_all(&l->finished);
    found_copy(&l->result, a, out);
    lookup_leave(l);
}
