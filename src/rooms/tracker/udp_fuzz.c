// One datagram from anybody: bounded bytes out, never more than in without a valid connection id, and the store's figures stay
// in order. The first byte chooses who asks and whether the id is made valid.
#include <string.h>

#include "base/must.h"
#include "rooms/tracker/connection_id.h"
#include "rooms/tracker/tracker_stage_test.h"
#include "rooms/tracker/web.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { INPUT_BYTES_MAX = 4096, ASKERS = 4 };

static addr asker(unsigned n)
{
    return n % 2 ? addr_v4(0x0a000000 + n, 5000) : (addr){.family = 6, .port = 5000, .ip = {0x20, 1, [15] = (uint8_t)n}};
}

static void peers_are_others(tracker *t, addr from, str out, arena *a)
{
    tracker_udp_reply r;
    must(tracker_udp_reply_read(out, from.family, a, &r) && r.action == TRACKER_UDP_ANNOUNCE);
    swarms_figures f = swarms_figures_now(t->store);
    must(r.peer_count <= (int)f.peers[from.family == 6]);
    for (int i = 0; i < r.peer_count; i++)
        must(r.peers[i].port && r.peers[i].family == from.family);
}

static void udp(tracker *t, unsigned choice, const uint8_t *data, size_t size, arena *a)
{
    unsigned char in[INPUT_BYTES_MAX], out[UDP_ANSWER_BYTES_MAX + 16];
    addr from = asker(choice % ASKERS);
    size_t len;
    memcpy(in, data, size);
    if (choice & 128 && size >= 16) {
        writer w = wr_into(in, 8);
        wr_u64(&w, connection_id(t->ids, from, t->now_s));
    }
    for (unsigned again = 0; again < 3; again++) {
        memset(out + UDP_ANSWER_BYTES_MAX, 0x5a, 16);
        udp_verdict v = udp_answer(t, asker(choice % ASKERS + again), str_of(in, size), a, out, UDP_ANSWER_BYTES_MAX, &len);
        bool proven = v == UDP_ANNOUNCED || v == UDP_SCRAPED || v == UDP_REFUSED;
        must(len <= UDP_ANSWER_BYTES_MAX && (proven || len <= size) && (v != UDP_SCRAPED || len < size));
        must(!proven || (again == 0 && choice & 128));
        for (int i = 0; i < 16; i++)
            must(out[UDP_ANSWER_BYTES_MAX + i] == 0x5a);
        if (v == UDP_ANNOUNCED)
            peers_are_others(t, from, str_of(out, len), a);
        t->now_s += 60;
    }
}

static void web(tracker *t, unsigned choice, str in, arena *a)
{
    buf out = buf_make(WEB_ANSWER_BYTES_MAX);
    str path = str_cut(&in, '?');
    web_verdict v = web_answer(t, asker(choice % ASKERS), path, in, a, &out);
    bencode_refusal why;
    must(!out.full && (out.len > 0) == (v != WEB_UNKNOWN));
    must(v == WEB_UNKNOWN || bencode_read(buf_str(&out), &(bencode_limits){WEB_ANSWER_BYTES_MAX, 1000, 8, false, false}, a, &why));
    buf_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1 || size > INPUT_BYTES_MAX)
        return 0;
    tracker *t = stage_tracker();
    arena a = arena_make(4 << 20);
    for (unsigned n = 0; n < 8; n++) {
        announce_told told = {0};
        tracker_announce said = stage_said(1, n);
        announce(t, asker(n), (str){0}, &said, &told);
        must(!told.refusal);
    }
    udp(t, data[0], data + 1, size - 1, &a);
    web(t, data[0], str_of(data + 1, size - 1), &a);
    swarms_sweep(t->store, (uint8_t)(announce_minute(t) + 100), 60, 1000, NULL, NULL);
    swarms_figures f = swarms_figures_now(t->store);
    must(f.peers[0] == 0 && f.peers[1] == 0 && f.seeds == 0 && f.torrents == 0);
    arena_free(&a);
    stage_free(t);
    return 0;
}
