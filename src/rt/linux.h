// What the files of the real world share: driver_linux.c, net_linux.c, datagram_linux.c, files_linux.c, world_linux.c.
#pragma once
#include <netinet/in.h>
#include <sys/socket.h>

#include "rt/fiber_inside.h"
#include "rt/inherit.h"

enum {
    EPOLL_EVENTS_MAX = 256,
    ACCEPT_RETRY_MS = 100,           // out of descriptors: a listener is tried again after this long
    LISTEN_BACKLOG = 4096,
    RANDOM_PORT_TRIES_MAX = 64,
    DATAGRAM_DOOR_BUFFER_BYTES = 4 << 20,      // asked for; the kernel's ceiling holds
    IOVECS_MAX = 64,                 // of one system call
};

typedef struct linux_driver linux_driver;

typedef struct linux_sock {
    sock          base;
    int           fd;
    bool          is_stream, is_connected;
    bool          hung_up;           // the driver has seen the peer's end: a short read does not mean "nothing more"
    bool          is_shared;         // its descriptor is open elsewhere too: closing it does not take it out of the epoll set
    const inherit_peers *peers;      // of a Unix door that was inherited: who may come in
    bool          asks_local;        // a wildcard datagram door: each datagram says which address was asked
    bool          fills;             // pages were more than it took: pages_send
    uint8_t       family;            // 4, 6, 0: Unix
    int           write_max;         // bytes of one write while its queue is kept short; 0: any number
    addr          at;                // bound, real port
    linux_driver *driver;
    list_link     starved;           // listeners that met the limit of descriptors
} linux_sock;

static inline linux_sock *linux_of(sock *s) { return (linux_sock *)(void *)s; }

err errno_err(int number);                                  // what an errno means above the seam

linux_driver *linux_driver_here(void);                      // this thread's; must be there
// Makes a sock of a descriptor and lets the driver watch it. E_LIMIT: the descriptor was closed.
err  linux_sock_new(world *w, int fd, bool is_stream, uint8_t family, linux_sock **out);
void linux_sock_free(linux_sock *s);
void linux_sock_full(linux_sock *s);                        // a datagram socket met E_AGAIN: from now on its writability is told
void linux_sock_starved(linux_sock *s);                     // readable again in ACCEPT_RETRY_MS

uint16_t port_from_real(const world *w, uint16_t real);     // the reverse of world_port
socklen_t sockaddr_of(addr a, struct sockaddr_storage *out);
addr addr_of_sockaddr(const struct sockaddr_storage *from); // family 0 for others; v4-mapped stays IPv6

// Arrays for batches of datagrams: of the driver, so that no fiber's stack has to hold them.
struct datagram_batch;
struct datagram_batch *linux_driver_batch(linux_driver *d);
struct datagram_batch *datagram_batch_new(void);

err linux_listen(world *, addr, listen_options, sock **);
err linux_listen_unix(world *, const char *, unsigned, sock **);
// The descriptors alone, for who keeps them over processes (inherit.h). `real`: its port is mapped already.
err linux_listen_fd(world *, addr real, listen_options, int *fd);
err linux_listen_unix_fd(const char *, unsigned, int *fd);
err linux_datagram_fd(world *, addr real, bool, int *fd);
err linux_accept(sock *, sock **, addr *, addr *);
err linux_connect(world *, addr, sock **);
err linux_connect_unix(world *, const char *, sock **);
err linux_connected(sock *);
err linux_read(sock *, void *, size_t, size_t *);
err linux_write(sock *, const struct iovec *, int, size_t *);
err  linux_write_pages(sock *, const struct iovec *, int, struct pages *, str, size_t *);
err linux_shutdown(sock *);
void linux_close(sock *);
addr linux_local(sock *);
void linux_unsent_max(sock *, int);
void linux_queue_short(sock *, int);
int  queue_short_set(int fd, int least);          // queue_linux.c: bytes that one write should have; 0: any number
bool linux_peer_closed(sock *);
int  linux_socket(int family, int type);                    // -1 with errno
err  linux_bind(world *w, int fd, addr at);

err linux_datagram(world *, addr, bool, sock **);
err linux_datagram_connect(sock *, addr);
err linux_datagram_group(world *, addr, sock **);
err linux_receive(sock *, datagram *, int, int *);
err linux_send(sock *, const datagram *, int, int *);

err linux_open(world *, const char *, int, unsigned, file **);
err linux_file_read(file *, int64_t, void *, size_t, size_t *);
err linux_file_write(file *, int64_t, const struct iovec *, int);
err linux_file_size(file *, int64_t *);
err linux_file_truncate(file *, int64_t);
err linux_file_sync(file *);
err linux_file_lock(file *);
void linux_file_close(file *);
err linux_stat(world *, const char *, file_stat *);
err linux_rename(world *, const char *, const char *);
err linux_remove(world *, const char *);
err linux_dir_make(world *, const char *, unsigned);
err linux_dir_list(world *, const char *, arena *, str **, int *);
err linux_dir_sync(world *, const char *);

// folder_linux.c
err linux_file_new(world *, int fd, file **);               // files_linux.c: takes the descriptor over
int linux_file_fd(file *);
err linux_file_sync_whole(file *);
err linux_file_look(file *, file_stat *);
err linux_file_reserve(file *, int64_t, int64_t);
err linux_folder_open(world *, const char *, folder **);
void linux_folder_close(folder *);
err linux_folder_file(folder *, const char *, int, unsigned, file **);
err linux_folder_stat(folder *, const char *, file_stat *);
err linux_folder_make(folder *, const char *, unsigned);
err linux_folder_remove(folder *, const char *);
err linux_folder_rename(folder *, const char *, folder *, const char *, bool);
err linux_folder_sync(folder *, const char *);
err linux_folder_space(folder *, int64_t *);
