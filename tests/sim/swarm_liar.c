// Peers that behave badly: false data, promises that are not kept, requests without end, nonsense.
#include <string.h>

#include "base/heap_memory.h"
#include "base/must.h"
#include "rt/listener.h"
#include "rt/loop.h"
#include "swarm_trial.h"
#include "wire/bt/peer.h"

enum { FLOOD_MAX = 100000, MESSAGE_BYTES_MAX = 64 };

static void put(conn *c, const peer_message *m)
{
    unsigned char bytes[MESSAGE_BYTES_MAX];
    conn_put(c, str_of(bytes, (size_t)peer_head_write(bytes, m)));
}

static bool greet(swarm_liar *l, conn *c)
{
    unsigned char bytes[PEER_HANDSHAKE_BYTES];
    peer_handshake theirs, ours = {.fast = true};
    if (!conn_read(c, bytes, sizeof bytes) || !peer_handshake_read(str_of(bytes, sizeof bytes), &theirs))
        return false;
    memcpy(ours.hash, theirs.hash, sizeof ours.hash);
    memcpy(ours.peer_id, "-LIAR00-", 8);
    for (int i = 8; i < PEER_HASH_BYTES; i++)
        ours.peer_id[i] = (uint8_t)world_random_below(l->world, 256);
    peer_handshake_write(bytes, &ours);
    conn_put(c, str_of(bytes, sizeof bytes));
    put(c, &(peer_message){.kind = PEER_HAVE_ALL});
    put(c, &(peer_message){.kind = PEER_UNCHOKE});
    return conn_flush(c);
}

static void answer(swarm_liar *l, conn *c, const peer_message *m)
{
    enum { BLOCK_BYTES = 16 * 1024 };
    int64_t at = (int64_t)m->piece * l->piece_bytes + m->begin;
    if (m->length > BLOCK_BYTES || at + m->length > l->payload.len || l->kind == LIAR_NEVER_ANSWERS)
        return;
    unsigned char *block = memory_new(BLOCK_BYTES);
    memcpy(block, l->payload.at + at, m->length);
    if (l->kind == LIAR_CORRUPTS_ALL || (m->piece + m->begin / BLOCK_BYTES) % 3 == 0)
        block[m->length / 2] ^= 1;
    put(c, &(peer_message){.kind = PEER_PIECE, .piece = m->piece, .begin = m->begin, .payload = str_of(block, m->length)});
    conn_put(c, str_of(block, m->length));
    memory_free(block);
}

static void listen_and_answer(swarm_liar *l, conn *c)
{
    const peer_rules rules = {.piece_count = l->piece_count, .fast = true};
    buf in = buf_make(1 << 20);
    const char *why;
    for (;;) {
        str some = conn_some(c);
        if (!some.len || !buf_put(&in, some))
            break;
        conn_used(c, (size_t)some.len);
        peer_message m;
        ptrdiff_t taken;
        while (peer_message_read(buf_str(&in), rules, &m, &taken, &why) == PEER_MESSAGE) {
            if (m.kind == PEER_REQUEST)
                answer(l, c, &m);
            buf_drop_front(&in, (size_t)taken);
        }
        conn_flush(c);
    }
    buf_free(&in);
}

static void ask_without_end(swarm_liar *l, conn *c)
{
    put(c, &(peer_message){.kind = PEER_INTERESTED});
    for (int i = 0; i < FLOOD_MAX && !c->error; i++) {
        put(c, &(peer_message){.kind = PEER_REQUEST, .piece = (uint32_t)(i % l->piece_count), .length = 16 * 1024});
        l->requests_taken++;
        if (i % 100 == 0 && !conn_flush(c))
            break;
    }
    (void)conn_flush(c);
    conn_deadline(c, minutes(2));
    for (str some; (some = conn_some(c)).len; )
        conn_used(c, (size_t)some.len);
}

static void talk_nonsense(swarm_liar *l, conn *c)
{
    static const str words[] = {
        S("\xff\xff\xff\xff\x07"), S("\0\0\0\x05\x04\xff\xff\xff\xff"), S("\0\0\0\x03\x05zz"), S("\0\0\0\x0d\x06\0\0\0\0\0\0\0\0\xff\xff\xff\xff"),
        S("\0\0\0\x09\x14\x00" "d1:ei9"), S("\0\0\0\x0a\x07\0\0\0\0\0\0\0\0x"),
    };
    conn_put(c, words[world_random_below(l->world, sizeof words / sizeof *words)]);
    conn_flush(c);
    conn_deadline(c, minutes(2));
    for (str some; (some = conn_some(c)).len; )
        conn_used(c, (size_t)some.len);
}

static void serve(conn *c, void *arg)
{
    swarm_liar *l = arg;
    conn_deadline(c, minutes(30));
    if (!greet(l, c))
        return;
    if (l->kind == LIAR_ASKS_WITHOUT_END)
        ask_without_end(l, c);
    else if (l->kind == LIAR_TALKS_NONSENSE)
        talk_nonsense(l, c);
    else
        listen_and_answer(l, c);
}

void swarm_liar_boot(void *arg)
{
    swarm_liar *l = arg;
    door *d;
    SCOPE(s, 0, 100);
    must(door_open(&s, l->world, (door_options){.service = "liar", .at = l->at}, serve, l, &d) == E_OK);
    while (fiber_sleep(minutes(1)) == E_OK)
        continue;
}
