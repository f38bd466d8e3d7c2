// The seam. A `world` is the machine that a node stands on: its clock, chance, network and disk. `world_linux` is the real
// one; `world_sim` (sim.h) is one host of a simulated network, in virtual time, made by a seed. Everything above rt that
// needs any of these asks here, so the same code runs in both.
//
// How waiting works: a stream or datagram operation never blocks; it answers E_AGAIN and the fiber waits with sock_wait().
// File operations do block, therefore they are allowed only inside work() (worker.h) or before the loops run; anything
// else is our mistake (must). Every operation on a crashed simulated host answers E_CRASHED.
#pragma once
#include <sys/uio.h>
#include "base/address.h"
#include "base/err.h"

typedef struct world world;
typedef struct sock  sock;       // a stream, a listening or a datagram socket; belongs to the loop that made it
typedef struct file  file;
typedef struct folder folder;    // an open directory, beneath which names that strangers chose are opened
struct fiber;
struct pages;
struct access_line;

// ---- clock and chance -------------------------------------------------------------------------------------------------

int64_t world_now_ns(world *w);                  // monotonic; never goes back
int64_t world_wall_ns(world *w);                 // since 1970, UTC; may jump
static inline int64_t world_wall_s(world *w) { return world_wall_ns(w) / 1000000000; }
void     world_random(world *w, void *out, size_t n);     // cryptographic; in the simulator from the seed
uint64_t world_random_u64(world *w);
uint64_t world_random_below(world *w, uint64_t bound);    // 0 <= x < bound, unbiased; bound > 0

#define NS_PER_MS 1000000ll
#define NS_PER_S  1000000000ll
static inline int64_t millis(int64_t n) { return n * NS_PER_MS; }
static inline int64_t seconds(int64_t n) { return n * NS_PER_S; }
static inline int64_t minutes(int64_t n) { return n * 60 * NS_PER_S; }
enum { NEVER_NS = 0 };                           // as an absolute time: no deadline

// ---- who and where ----------------------------------------------------------------------------------------------------

str  world_name(world *w);                       // the host's name, for stories and logs
// The node's own addresses (one or more); outgoing connections and queries bind one of the same family.
const addr *world_addresses(world *w, int *count);
// Ports as the world outside sees them: `ports { dns 5300 smtp 2525 }` maps well-known ports for doors *and* for outgoing
// connections. Everything above passes well-known ports; only the operations below translate.
uint16_t world_port(world *w, uint16_t well_known);
bool     world_is_simulated(world *w);

// ---- sockets ----------------------------------------------------------------------------------------------------------

typedef struct {
    int  backlog;               // 0: the world's default
    bool share_port;            // SO_REUSEPORT: one socket a loop on the same address
} listen_options;

err  sock_listen(world *w, addr at, listen_options options, sock **out);       // E_IN_USE, E_ACCESS, E_LIMIT ...
err  sock_listen_unix(world *w, const char *path, unsigned mode, sock **out);  // replaces a dead socket file
err  sock_accept(sock *listener, sock **out, addr *peer, addr *local);         // E_AGAIN; E_LIMIT when out of descriptors
err  sock_connect(world *w, addr to, sock **out);            // starts; wait for writing, then ask sock_connected
err  sock_connect_unix(world *w, const char *path, sock **out);
err  sock_connected(sock *s);                                // E_OK, E_AGAIN, E_REFUSED, E_UNREACHABLE ...
err  sock_read(sock *s, void *into, size_t size, size_t *got);                 // E_AGAIN, E_EOF, E_RESET
// Bytes that came and lie in shared memory (shared.h), without a copy: held for the caller, shared_drop gives them back. E_UNSUPPORTED:
// what comes next does not lie there; read it. Otherwise as sock_read.
err  sock_lend(sock *s, str *out);
err  sock_write(sock *s, const struct iovec *from, int count, size_t *put);    // E_AGAIN, E_RESET; may be partial
// The same, and behind it bytes that lie in `pages` (pages.h), without a copy where the world can. E_UNSUPPORTED: it cannot.
err  sock_write_pages(sock *s, const struct iovec *from, int count, struct pages *pages, str bytes, size_t *put);
err  sock_shutdown(sock *s);                                 // no more writing: the peer reads E_EOF after the last byte
void sock_close(sock *s);                                    // frees it; fibers that wait on it wake with E_RESET
void sock_abort(sock *s);                                    // the same, and the peer of a stream reads E_RESET
addr sock_local(sock *s);                                    // as the world outside sees it (mapped port)
// Of a stream: so many bytes may wait in the system unsent (TCP_NOTSENT_LOWAT); above it writers wait, so that who is to be
// sent to can be decided late. 0: as the system has it.
void sock_unsent_max(sock *s, int bytes);
// Of a stream: what the system keeps of ours, sent or not, is about twice what its path holds (round trip x rate, as the system
// measures them now) and `least` bytes more: so that the queue before a slow line stays short, and what is small and urgent does
// not wait behind what is not. Measured when it is called; 0: as the system has it.
void sock_queue_short(sock *s, int least);
bool sock_peer_closed(sock *s);                              // it has ended its side, or broken off; some of what it sent may be unread

typedef struct {
    addr  peer;                 // from, or to
    addr  local;                // the address that was asked (IP_PKTINFO); when sending: the source, family 0 = any
    unsigned char *at;
    size_t len, size;           // bytes used, bytes there
} datagram;

enum { DATAGRAM_BATCH_MAX = 32 };
err  sock_datagram(world *w, addr at, bool share_port, sock **out);    // port 0: a random port by the world's chance, whole range
err  sock_datagram_connect(sock *s, addr to);                          // then only `to` is heard; E_REFUSED shows on receive
// A multicast group with its port, which other programs of this machine may have joined too: hears what anybody sends there,
// its own included; what is sent to the group goes out once, from the node's own address, and no farther than the next few
// networks. In the simulator it reaches every host that has joined and is not cut off. E_UNSUPPORTED, E_UNREACHABLE: no multicast.
err  sock_datagram_group(world *w, addr group, sock **out);
err  sock_receive(sock *s, datagram *v, int count, int *got);          // up to DATAGRAM_BATCH_MAX; E_AGAIN
err  sock_send(sock *s, const datagram *v, int count, int *sent);      // E_AGAIN

typedef enum { WAIT_READ = 1, WAIT_WRITE = 2 } sock_event;
// Parks until the socket may be read or written, or the absolute time passes (NEVER_NS: none). One reader and one writer
// fiber a socket. E_OK, E_TIMEOUT, E_CANCELED, E_RESET (closed meanwhile).
err  sock_wait(sock *s, sock_event what, int64_t until_ns);

// ---- files (blocking: in work() or before the loops run) ----------------------------------------------------------------

typedef enum { FILE_READ = 1, FILE_WRITE = 2, FILE_CREATE = 4, FILE_EXCLUSIVE = 8, FILE_TRUNCATE = 16 } file_flags;
typedef struct { int64_t size_bytes, modified_ns; bool is_dir; unsigned mode; } file_stat;

err  file_open(world *w, const char *path, int flags, unsigned mode, file **out);
err  file_read(file *f, int64_t offset, void *into, size_t size, size_t *got);    // fewer only at the end of the file
// The same without a copy: all `size` bytes, in shared memory (shared.h), held for the caller. E_UNSUPPORTED: read them.
err  file_lend(file *f, int64_t offset, size_t size, str *out);
err  file_write(file *f, int64_t offset, const struct iovec *from, int count);    // all or an error (part may be on disk)
err  file_size(file *f, int64_t *out);
err  file_truncate(file *f, int64_t size_bytes);
err  file_sync(file *f);                          // fdatasync; after an error the file's state is unknown: never sync it again
err  file_sync_whole(file *f);                    // fsync: its times, too
err  file_look(file *f, file_stat *out);          // what path_stat would say
// Space for these bytes is taken now; the file grows to offset + size_bytes when it was shorter (zeros). E_NO_SPACE: not all of it
// is there. E_UNSUPPORTED: this file system cannot (nothing has changed).
err  file_reserve(file *f, int64_t offset, int64_t size_bytes);
err  file_lock(file *f);                          // exclusive, advisory, at once: E_IN_USE when another process holds it
void file_close(file *f);

err  path_stat(world *w, const char *path, file_stat *out);
err  path_rename(world *w, const char *from, const char *to);                     // atomic; not durable before dir_sync
err  path_remove(world *w, const char *path);                                     // a file or an empty directory
err  dir_make(world *w, const char *path, unsigned mode);                         // with its parents; existing is fine
err  dir_list(world *w, const char *path, arena *a, str **names, int *count);     // sorted; LIST_MAX names, then E_LIMIT
err  dir_sync(world *w, const char *path);
err  file_read_all(world *w, const char *path, arena *a, size_t max_bytes, str *out);   // E_TOO_LONG above
err  file_replace(world *w, const char *path, str content, unsigned mode);        // temporary, synced, renamed, dir synced

// ---- folders: beneath a directory, and nowhere else (blocking, as files) --------------------------------------------------
//
// Paths are relative, of parts joined by '/'; an empty part, "." or ".." is E_ACCESS, and so is a symbolic link anywhere on the way or
// at its end, whoever puts it there and when. E_UNSUPPORTED: the kernel has no openat2 (older than 5.6): there is no way around.

err  folder_open(world *w, const char *path, folder **out);      // the directory itself may be behind links: its user named it
void folder_close(folder *d);
// What is no regular file (FIFO, device, socket) is E_ACCESS, without waiting for anybody at its other end.
err  folder_file(folder *d, const char *path, int flags, unsigned mode, file **out);
err  folder_stat(folder *d, const char *path, file_stat *out);   // "": of the directory itself
err  folder_make(folder *d, const char *path, unsigned mode);    // a directory with its parents; existing is fine
err  folder_remove(folder *d, const char *path);                 // a file, a link itself, or an empty directory; E_EXISTS: not empty
// `to` may be the same folder. Without `replace` a name that is taken is E_EXISTS. E_UNSUPPORTED: another file system.
err  folder_rename(folder *from, const char *path, folder *to, const char *new_path, bool replace);
err  folder_sync(folder *d, const char *path);                   // of a directory beneath it; "": itself
err  folder_space(folder *d, int64_t *free_bytes);               // that this user may still fill

// ---- what an implementation of a world provides (world_linux.c, sim_*.c) ------------------------------------------------

struct sock {                    // first member of each implementation's socket
    world        *world;
    struct fiber *reader, *writer;
    bool          readable, writable;   // edge memory: set by the world, cleared by the operation that met E_AGAIN
    bool          closed;
    bool          aborted;              // about to be closed: the peer is to see a reset
    struct access_line *line;           // it writes over this one (access_line.h); NULL: over none
    size_t        line_bytes;           // of the piece that may be written ...
    int64_t       line_ns;              // ... from then on
};

struct file { world *world; };   // first member of each implementation's file
struct folder { world *world; };

typedef struct world_operations {
    int64_t (*now_ns)(world *);
    int64_t (*wall_ns)(world *);
    void    (*random)(world *, void *, size_t);
    err     (*listen)(world *, addr, listen_options, sock **);
    err     (*listen_unix)(world *, const char *, unsigned, sock **);
    err     (*accept)(sock *, sock **, addr *, addr *);
    err     (*connect)(world *, addr, sock **);
    err     (*connect_unix)(world *, const char *, sock **);
    err     (*connected)(sock *);
    err     (*read)(sock *, void *, size_t, size_t *);
    err     (*lend)(sock *, str *);                                                               // NULL: it never does
    err     (*write)(sock *, const struct iovec *, int, size_t *);
    err     (*write_pages)(sock *, const struct iovec *, int, struct pages *, str, size_t *);     // NULL: it cannot
    err     (*shutdown)(sock *);
    void    (*close)(sock *);
    addr    (*local)(sock *);
    void    (*unsent_max)(sock *, int);
    void    (*queue_short)(sock *, int);
    bool    (*peer_closed)(sock *);
    err     (*datagram)(world *, addr, bool, sock **);
    err     (*datagram_connect)(sock *, addr);
    err     (*datagram_group)(world *, addr, sock **);
    err     (*receive)(sock *, datagram *, int, int *);
    err     (*send)(sock *, const datagram *, int, int *);
    err     (*open)(world *, const char *, int, unsigned, file **);
    err     (*file_read)(file *, int64_t, void *, size_t, size_t *);
    err     (*file_lend)(file *, int64_t, size_t, str *);                                         // NULL: it never does
    err     (*file_write)(file *, int64_t, const struct iovec *, int);
    err     (*file_size)(file *, int64_t *);
    err     (*file_truncate)(file *, int64_t);
    err     (*file_sync)(file *);
    err     (*file_lock)(file *);
    void    (*file_close)(file *);
    err     (*stat)(world *, const char *, file_stat *);
    err     (*rename)(world *, const char *, const char *);
    err     (*remove)(world *, const char *);
    err     (*dir_make)(world *, const char *, unsigned);
    err     (*dir_list)(world *, const char *, arena *, str **, int *);
    err     (*dir_sync)(world *, const char *);
    err     (*file_sync_whole)(file *);
    err     (*file_look)(file *, file_stat *);
    err     (*file_reserve)(file *, int64_t, int64_t);
    err     (*folder_open)(world *, const char *, folder **);
    void    (*folder_close)(folder *);
    err     (*folder_file)(folder *, const char *, int, unsigned, file **);
    err     (*folder_stat)(folder *, const char *, file_stat *);
    err     (*folder_make)(folder *, const char *, unsigned);
    err     (*folder_remove)(folder *, const char *);
    err     (*folder_rename)(folder *, const char *, folder *, const char *, bool);
    err     (*folder_sync)(folder *, const char *);
    err     (*folder_space)(folder *, int64_t *);
    bool    simulated;
} world_operations;

enum { WORLD_ADDRESSES_MAX = 16, WORLD_PORTS_MAX = 32, LIST_MAX = 1000000 };

struct world {                   // first member of each implementation's world
    const world_operations *operations;
    str      name;               // lives as long as the world
    addr     addresses[WORLD_ADDRESSES_MAX];
    int      address_count;
    struct { uint16_t well_known, real; } ports[WORLD_PORTS_MAX];
    int      port_count;
    struct access_line *line;    // between it and peers beyond; NULL: none
};

// ---- the real world -----------------------------------------------------------------------------------------------------

// A view of this machine for one node: name (copied), own addresses (none: any), no port map yet.
// Several may stand side by side in one process (`naru try`). Free with world_linux_free.
world *world_linux_new(str name, const addr *addresses, int count);
void   world_linux_free(world *w);
bool   world_map_port(world *w, uint16_t well_known, uint16_t real);      // false when WORLD_PORTS_MAX are there
