// bench-tracker load PORT ROUNDS ANNOUNCES FIRST | bare PORT | hashes | memory: the parts of bench/tracker.py.
//
// load:   announces of known peers to 127.0.0.1:PORT (BEP 15), ANNOUNCES in each of ROUNDS; FIRST 1: every peer once before. It
//         prints one line a round: announces answered, nanoseconds, peers told, answers that were errors. Cheaper than any server
//         it loads: a batch of requests that differ in a few bytes is sent, and its answers are only counted.
// bare:   what a datagram costs without a tracker: recvmmsg, sendmmsg of as many bytes as an announce's answer has.
// hashes: the info hashes that load announces, one a line. memory: what a million peers take in the store.
#include <arpa/inet.h>
#include <errno.h>
#include <malloc.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/must.h"
#include "rooms/tracker/swarms.h"
#include "wire/bt/tracker_udp.h"

enum {
    TORRENTS = 1000, PEERS_A_TORRENT = 100, BATCH = 32, OUTSTANDING_MAX = 64, ANSWER_BYTES = 2048, WAIT_MS = 200,
    WANTED = 50, BARE_ANSWER_BYTES = 20 + WANTED * 6, PEERS = 1000000,
};

static int64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000ll + t.tv_nsec;
}

static int socket_udp(int port, bool server)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_DGRAM, 0), bytes = 4 << 20;
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
    must((server ? bind : connect)(fd, (struct sockaddr *)&at, sizeof at) == 0);
    return fd;
}

// ---- load -------------------------------------------------------------------------------------------------------------------

typedef struct { int64_t answered, peers, errors; } counts;

static void hash_of(uint8_t *out, unsigned number)
{
    chance c = {number};
    for (int i = 0; i < TRACKER_HASH_BYTES; i++)
        out[i] = (uint8_t)chance_u64(&c);
}

static uint64_t connection_of(int fd)
{
    unsigned char bytes[ANSWER_BYTES];
    arena a = arena_make(1 << 20);
    tracker_udp_reply reply = {0};
    for (int tries = 0; tries < 50 && !reply.connection; tries++) {
        str q = tracker_udp_request_write(bytes, sizeof bytes, &(tracker_udp_request){.action = TRACKER_UDP_CONNECT, .transaction = 1});
        (void)!send(fd, q.at, (size_t)q.len, 0);
        ssize_t n = poll(&(struct pollfd){.fd = fd, .events = POLLIN}, 1, WAIT_MS) > 0 ? recv(fd, bytes, sizeof bytes, 0) : 0;
        if (n <= 0 || !tracker_udp_reply_read(str_of(bytes, (size_t)n), 4, &a, &reply))
            reply.connection = 0;
    }
    must(reply.connection);
    arena_free(&a);
    return reply.connection;
}

static size_t request_make(unsigned char *out, uint64_t connection, unsigned swarm, unsigned who)
{
    tracker_udp_request q = {.action = TRACKER_UDP_ANNOUNCE, .connection = connection, .transaction = swarm};
    q.announce = (tracker_announce){.left = who % 5 ? 1000 : 0, .event = TRACKER_STARTED, .wanted = WANTED, .port = (uint16_t)(1024 + who),
                                    .has_key = true, .key = who + 1};
    hash_of(q.announce.hash, swarm);
    memcpy(q.announce.peer_id, &who, sizeof who);
    memcpy(q.announce.peer_id + 4, &swarm, sizeof swarm);
    return (size_t)tracker_udp_request_write(out, 200, &q).len;
}

// The last hash was made for `swarm`: making it anew each time would cost more than the tracker.
typedef struct { unsigned char bytes[BATCH][200]; size_t len; struct iovec at[BATCH]; struct mmsghdr m[BATCH]; } batch;
static uint8_t hashes[TORRENTS][TRACKER_HASH_BYTES];

static void batch_fill(batch *b, chance *c, int64_t number, bool all_in_turn)
{
    for (int i = 0; i < BATCH; i++) {
        unsigned which = all_in_turn ? (unsigned)(number + i) % (TORRENTS * PEERS_A_TORRENT) : chance_below(c, TORRENTS * PEERS_A_TORRENT);
        unsigned swarm = which % TORRENTS, who = which / TORRENTS;
        writer w = wr_into(b->bytes[i] + 16, 200 - 16);
        wr_bytes(&w, str_of(hashes[swarm], TRACKER_HASH_BYTES));
        memcpy(b->bytes[i] + 36, &who, sizeof who);
        memcpy(b->bytes[i] + 40, &swarm, sizeof swarm);
        b->bytes[i][71] = who % 5 ? 100 : 0;
        w = wr_into(b->bytes[i] + 88, 10);
        wr_u32(&w, who + 1);
        wr_u32(&w, WANTED);
        wr_u16(&w, 1024 + who);
    }
}

static int answers_take(int fd, counts *c)
{
    static unsigned char bytes[BATCH][ANSWER_BYTES];
    static struct iovec at[BATCH];
    static struct mmsghdr m[BATCH];
    for (int i = 0; i < BATCH; i++) {
        at[i] = (struct iovec){bytes[i], ANSWER_BYTES};
        m[i].msg_hdr = (struct msghdr){.msg_iov = &at[i], .msg_iovlen = 1};
    }
    int n = recvmmsg(fd, m, BATCH, MSG_DONTWAIT, NULL);
    for (int i = 0; i < n; i++) {
        bool announced = m[i].msg_len >= 20 && bytes[i][3] == TRACKER_UDP_ANNOUNCE;
        c->answered++;
        c->errors += !announced;
        c->peers += announced ? (m[i].msg_len - 20) / 6 : 0;
    }
    return n < 0 ? 0 : n;
}

static counts round_run(int fd, batch *b, chance *c, int64_t announces, bool all_in_turn)
{
    counts got = {0};
    uint64_t connection = connection_of(fd);
    for (int i = 0; i < BATCH; i++) {
        b->len = request_make(b->bytes[i], connection, 0, 0);
        b->at[i] = (struct iovec){b->bytes[i], b->len};
        b->m[i].msg_hdr = (struct msghdr){.msg_iov = &b->at[i], .msg_iovlen = 1};
    }
    int64_t sent = 0, lost = 0;
    while (got.answered + lost < announces) {
        while (sent < announces && sent - got.answered - lost <= OUTSTANDING_MAX - BATCH) {
            batch_fill(b, c, sent, all_in_turn);
            int n = sendmmsg(fd, b->m, BATCH, 0);
            sent += n > 0 ? n : 0;
        }
        if (!answers_take(fd, &got) && poll(&(struct pollfd){.fd = fd, .events = POLLIN}, 1, WAIT_MS) == 0)
            lost = sent - got.answered;
    }
    return got;
}

static int load(int port, int rounds, int64_t announces, bool first)
{
    int fd = socket_udp(port, false);
    static batch b;
    chance c = {1};
    for (unsigned i = 0; i < TORRENTS; i++)
        hash_of(hashes[i], i);
    if (first)
        round_run(fd, &b, &c, TORRENTS * PEERS_A_TORRENT, true);
    for (int r = 0; r < rounds; r++) {
        int64_t begun = now_ns();
        counts got = round_run(fd, &b, &c, announces, false);
        printf("%lld %lld %lld %lld\n", (long long)got.answered, (long long)(now_ns() - begun), (long long)got.peers, (long long)got.errors);
    }
    close(fd);
    return 0;
}

// ---- the bare server, the memory --------------------------------------------------------------------------------------------

static int bare(int port)
{
    int fd = socket_udp(port, true);
    static unsigned char in[BATCH][ANSWER_BYTES], out[BATCH][BARE_ANSWER_BYTES];
    static struct iovec at[BATCH], to[BATCH];
    static struct sockaddr_in peers[BATCH];
    static struct mmsghdr m[BATCH], answers[BATCH];
    for (;;) {
        for (int i = 0; i < BATCH; i++) {
            at[i] = (struct iovec){in[i], ANSWER_BYTES};
            m[i].msg_hdr = (struct msghdr){.msg_iov = &at[i], .msg_iovlen = 1, .msg_name = &peers[i], .msg_namelen = sizeof peers[i]};
        }
        int n = recvmmsg(fd, m, BATCH, MSG_WAITFORONE, NULL);
        for (int i = 0; i < n; i++) {
            bool connects = m[i].msg_len == 16;
            out[i][3] = connects ? TRACKER_UDP_CONNECT : TRACKER_UDP_ANNOUNCE;
            out[i][8] = 1;
            to[i] = (struct iovec){out[i], connects ? 16 : BARE_ANSWER_BYTES};
            answers[i].msg_hdr = (struct msghdr){.msg_iov = &to[i], .msg_iovlen = 1, .msg_name = &peers[i], .msg_namelen = sizeof peers[i]};
        }
        if (n > 0)
            sendmmsg(fd, answers, (unsigned)n, 0);
        else if (errno != EINTR)
            return 1;
    }
}

static int64_t heap_bytes(void)
{
    struct mallinfo2 m = mallinfo2();
    return (int64_t)(m.uordblks + m.hblkhd);
}

static int memory(void)
{
    static const uint32_t torrents[] = {1, 10000, PEERS};
    for (size_t k = 0; k < sizeof torrents / sizeof *torrents; k++) {
        int64_t before = heap_bytes();
        swarms *s = swarms_new(PEERS, PEERS, (siphash_key){1, 2});
        swarms_place place;
        for (uint32_t i = 0; i < PEERS; i++) {
            uint8_t hash[TRACKER_HASH_BYTES];
            chance c = {i};
            hash_of(hash, i % torrents[k]);
            peer p = {.at = addr_v4(0x0a000000 + i, 6881), .tag = (uint32_t)chance_u64(&c), .seed = i % 5 == 0};
            (void)swarms_put(s, swarms_make(s, hash), &p, &place);
        }
        printf("%u %u %lld\n", torrents[k], swarms_figures_now(s).peers[0], (long long)(heap_bytes() - before));
        swarms_free(s);
    }
    return 0;
}

int main(int argc, char **argv)
{
    uint64_t n[4] = {0};
    for (int i = 2; i < argc && i < 6; i++)
        must(str_to_u64(str_z(argv[i]), &n[i - 2]));
    if (argc == 6 && strcmp(argv[1], "load") == 0)
        return load((int)n[0], (int)n[1], (int64_t)n[2], n[3]);
    if (argc == 3 && strcmp(argv[1], "bare") == 0)
        return bare((int)n[0]);
    if (argc == 2 && strcmp(argv[1], "memory") == 0)
        return memory();
    for (unsigned i = 0; i < TORRENTS && argc == 2; i++) {
        uint8_t hash[TRACKER_HASH_BYTES];
        hash_of(hash, i);
        for (int k = 0; k < TRACKER_HASH_BYTES; k++)
            printf("%02x%s", hash[k], k + 1 < TRACKER_HASH_BYTES ? "" : "\n");
    }
    return argc == 2 ? 0 : 2;
}
