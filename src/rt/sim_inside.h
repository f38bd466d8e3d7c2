// What the parts of the simulator share: sim.c (clock, events, chance, hosts), sim_stream*.c and sim_datagram.c
// (the network), sim_disk.c and sim_tree.c (disks). Nobody else includes this.
#pragma once
#include "base/heap.h"
#include "base/list.h"
#include "rt/sim.h"
#include "rt/wait.h"

// ---- chance: one independent generator a purpose, so that a draw more in one leaves the others as they were ----
typedef struct { uint64_t state[4]; } dice;                  // xoshiro256** (Blackman, Vigna 2018)

dice     dice_make(uint64_t seed, uint64_t purpose, uint64_t number);
uint64_t dice_roll(dice *d);
uint64_t dice_below(dice *d, uint64_t bound);                // unbiased; bound > 0
bool     dice_chance(dice *d, int64_t per_million);
int64_t  dice_between(dice *d, int64_t least, int64_t most); // both included

// ---- events ------------------------------------------------------------------------------------------------
typedef struct sim_event {
    heap_node node;
    void    (*run)(struct sim_event *);
} sim_event;

// ---- hosts -------------------------------------------------------------------------------------------------
typedef struct sim_tree sim_tree;

// Of a stream: a block of a swarm and its head; over a fast line as much as it sends in half a millisecond (as Linux sizes what it
// hands to the card), and a window for what is on its way meanwhile.
enum {
    SIM_SEGMENT_HEAD_BYTES = 512, SIM_SEGMENT_BYTES_MIN = 16 * 1024 + SIM_SEGMENT_HEAD_BYTES, SIM_SEGMENT_BYTES_MAX = 4 * SIM_SEGMENT_BYTES_MIN,
    SIM_SEGMENTS_PER_S = 2000, SIM_WINDOWS_PER_S = 250,
};

typedef struct sim_sender {              // who sends over a host's line: one direction of a stream
    list_link of_line;
    size_t  (*first_bytes)(const struct sim_sender *);
    bool    (*leaves)(struct sim_sender *);      // its first piece has left; is there another?
    int64_t   credit;                    // bytes that it may still send in this turn
} sim_sender;

typedef struct {
    sim_capacity capacity;
    sim_event    event;                  // the piece that is being sent has left
    list         senders;                // that have something, in turn
    sim_sender  *now;                    // whose piece is being sent; NULL: one that was given up meanwhile, or none
    bool         busy;
    int64_t      owed_ns;                // datagrams that went before
    int64_t      in_free_ns;
} sim_line;

typedef struct sim_machine {
    world    world;                      // first
    sim     *sim;
    int      number;
    bool     up;
    uint32_t incarnation;                // one more after each crash: handles of an earlier life answer E_CRASHED
    int64_t  wall_offset_ns;
    dice     chance, disk_dice;
    list     sockets;                    // sim_sock.of_host: all kinds, in order of making
    sim_line line;

    sim_disk  disk;
    sim_tree *tree;
    int64_t   crash_in, fault_in;        // file operations from now, < 0: disarmed
    err       fault;
    bool      fault_met;

    scope     life;                      // what sim_boot started
    bool      living, ending;
    gate      ended;                     // opened when life has ended
    fiber_body *boot;
    void     *boot_arg;
} sim_machine;

typedef struct {                         // one direction between two hosts
    sim_link link;
    bool     own_link, apart;
    int64_t  free_at_ns;                 // when the last byte accepted so far has left
} sim_path;

struct sim {
    uint64_t  seed, fingerprint, numbers;
    int64_t   now_ns;
    int64_t   rounds_at_once;            // loop rounds without time passing
    heap      events;
    dice      network, director_dice;
    sim_machine *hosts[SIM_HOSTS_MAX];
    int       host_count;
    sim_machine *director;
    sim_path *paths[SIM_HOSTS_MAX];      // of each host, to each; NULL: all its links are as the default, and unlimited
    sim_link  link;
    list      streams, flights;          // in order of making
    sim_figures figures;
    arena     memory;
    str       broken[8];
    int       broken_count;
};

static inline sim_machine *host_of(world *w) { return (sim_machine *)(void *)w; }

void sim_at(sim *s, sim_event *e, int64_t when_ns);          // arms, or moves
void sim_drop(sim *s, sim_event *e);
void sim_mix(sim *s, uint64_t what);                         // into the fingerprint
void sim_mix_bytes(sim *s, str bytes);                       // of many: their number and both ends
uint64_t sim_number(sim *s);                                 // 1, 2, 3 ...: names things without their addresses
const sim_link *sim_link_of(sim *s, const sim_machine *from, const sim_machine *to);
bool     sim_apart(sim *s, const sim_machine *from, const sim_machine *to);
// When `bytes` that leave now arrive over a link: waiting for the line, sending, delay.
int64_t  sim_arrival(sim *s, const sim_machine *from, const sim_machine *to, size_t bytes);
// ---- a host's line (sim_line.c) ----
static inline bool sim_line_limited(const sim_machine *h) { return h->line.capacity.up_bytes_per_s > 0; }
size_t  sim_line_segment_bytes(const sim_machine *h);        // most of a stream that leaves as one segment
size_t  sim_line_window_bytes(const sim_machine *h);         // most of a stream that is on its way
void    sim_line_init(sim_machine *h);
void    sim_line_stop(sim_machine *h);                       // the host is gone; nobody may be a sender any more
void    sim_line_join(sim_machine *h, sim_sender *k);        // it has something to send
void    sim_line_leave(sim_machine *h, sim_sender *k);       // what it had is given up
int64_t sim_line_datagram(sim_machine *h, size_t bytes);     // how long it takes to send this at once
int64_t sim_line_in(sim_machine *h, int64_t at_ns, size_t bytes);    // when all that reaches the host then is in
sim_machine *sim_host_at(sim *s, sim_machine *from, addr to);      // who has this address, as seen by `from`; NULL
void     sim_host_die(sim_machine *h);                          // disk frozen, sockets gone, life canceled

// ---- sockets -----------------------------------------------------------------------------------------------
typedef enum { SOCK_LISTENER, SOCK_STREAM, SOCK_DATAGRAM } sim_sock_kind;

typedef struct sim_sock {
    sock          base;                  // first
    sim_sock_kind kind;
    list_link     of_host;
    sim_machine  *host;
    uint32_t      incarnation;
    uint64_t      number;
    addr          local;
    bool          share_port;
} sim_sock;

static inline sim_sock *sock_inside(sock *s) { return (sim_sock *)(void *)s; }
static inline bool sock_alive(const sim_sock *s) { return s->host->up && s->incarnation == s->host->incarnation; }
void sim_sock_init(sim_sock *s, sim_machine *h, sim_sock_kind kind, addr local, bool share_port);
void sim_sock_ready(sim_sock *s, bool reading, bool writing);            // marks and wakes
// Chooses the local address of a socket that goes to `to`: own address of its family and a free random port.
err  sim_source(sim_machine *h, addr to, sim_sock_kind kind, addr *out);
// Is the place taken by a socket of this kind?
bool sim_taken(sim_machine *h, sim_sock_kind kind, addr at, bool share_port);
// May this host bind the address at all? And which socket hears what comes to `to` (an exact address before a
// wildcard)?
bool sim_may_bind(sim_machine *h, addr at);
sim_sock *sim_hearer(sim_machine *h, sim_sock_kind kind, addr to);

// sim_stream*.c
err  sim_listen(world *w, addr at, listen_options options, sock **out);
err  sim_listen_unix(world *w, const char *path, unsigned mode, sock **out);
err  sim_accept(sock *listener, sock **out, addr *peer, addr *local);
err  sim_connect(world *w, addr to, sock **out);
err  sim_connect_unix(world *w, const char *path, sock **out);
err  sim_connected(sock *s);
err  sim_read(sock *s, void *into, size_t size, size_t *got);
err  sim_lend(sock *s, str *out);
err  sim_write(sock *s, const struct iovec *from, int count, size_t *put);
err  sim_shutdown(sock *s);
void sim_unsent_max(sock *s, int bytes);
void sim_queue_short(sock *s, int least);
bool sim_peer_closed(sock *s);
void sim_stream_close(sim_sock *s);
void sim_listener_close(sim_sock *s);
void sim_streams_crash(sim_machine *h);
void sim_streams_free(sim *s);

// sim_datagram.c
err  sim_datagram(world *w, addr at, bool share_port, sock **out);
err  sim_datagram_connect(sock *s, addr to);
err  sim_datagram_group(world *w, addr group, sock **out);
err  sim_receive(sock *s, datagram *v, int count, int *got);
err  sim_send(sock *s, const datagram *v, int count, int *sent);
void sim_datagram_close(sim_sock *s);
void sim_datagrams_free(sim *s);

// ---- disks -------------------------------------------------------------------------------------------------
// sim_disk.c: the operations of a world
err  sim_file_open(world *w, const char *path, int flags, unsigned mode, file **out);
err  sim_file_read(file *f, int64_t offset, void *into, size_t size, size_t *got);
err  sim_file_lend(file *f, int64_t offset, size_t size, str *out);
err  sim_file_write(file *f, int64_t offset, const struct iovec *from, int count);
err  sim_file_size(file *f, int64_t *out);
err  sim_file_truncate(file *f, int64_t size_bytes);
err  sim_file_sync(file *f);
err  sim_file_lock(file *f);
void sim_file_close(file *f);
err  sim_path_stat(world *w, const char *path, file_stat *out);
err  sim_path_rename(world *w, const char *from, const char *to);
err  sim_path_remove(world *w, const char *path);
err  sim_dir_make(world *w, const char *path, unsigned mode);
err  sim_dir_list(world *w, const char *path, arena *a, str **names, int *count);
err  sim_dir_sync(world *w, const char *path);
// sim_folder.c
err  sim_file_sync_whole(file *f);
err  sim_file_look(file *f, file_stat *out);
err  sim_file_reserve(file *f, int64_t offset, int64_t size_bytes);
err  sim_folder_open(world *w, const char *path, folder **out);
void sim_folder_close(folder *d);
err  sim_folder_file(folder *d, const char *path, int flags, unsigned mode, file **out);
err  sim_folder_stat(folder *d, const char *path, file_stat *out);
err  sim_folder_make(folder *d, const char *path, unsigned mode);
err  sim_folder_remove(folder *d, const char *path);
err  sim_folder_rename(folder *from, const char *path, folder *to, const char *new_path, bool replace);
err  sim_folder_sync(folder *d, const char *path);
err  sim_folder_space(folder *d, int64_t *free_bytes);
