// Sockets and files that a process has before it gives its rights up: the supervisor binds doors and keeps them over the life of
// a service's process; the process finds them here when it listens (net_linux.c, datagram_linux.c), without a right to bind
// anything itself. Used before loops run, on one thread; what is kept is found from every thread afterwards.
#pragma once
#include "base/buf.h"
#include "rt/world.h"

enum { INHERITED_MAX = 1024, INHERIT_PATH_BYTES_MAX = 256, INHERIT_PEERS_MAX = 32, INHERIT_SHARES_MAX = 64 };

// Who may connect to a Unix door: user numbers, besides 0 and the process's own.
typedef struct { unsigned users[INHERIT_PEERS_MAX]; int count; } inherit_peers;

// Opens a door for `owner` (any number the caller likes) and keeps it. `at` has its well-known port; w maps it. What could not be
// opened is kept as the error that the owner will meet. Opened already for this owner: nothing happens, E_OK. shares: that many
// sockets that share the port (SO_REUSEPORT), one for each of the owner's loops; E_IN_USE also when it was opened with another number.
err  inherit_listen(world *w, int owner, addr at, int shares);
err  inherit_datagram(world *w, int owner, addr at, int shares);
// group: the file's group (mode 0660), 0: none, mode 0600.
err  inherit_unix(int owner, const char *path, unsigned group, const inherit_peers *peers);
// Keeps a file open for reading, so that it can be opened later although its path cannot be reached any more.
err  inherit_file(int owner, const char *path);
// The same with a descriptor that has been opened elsewhere; it takes the place of what was kept under this path.
err  inherit_file_as(int owner, const char *path, int fd);
// An exclusive lock on a file that is made where it is missing; every process that has inherited it holds it. E_IN_USE: another has it.
err  inherit_lock(const char *path);
// In the owner's process: closes what is others', and from now on nothing can be listened on but what was kept.
void inherit_seal(int owner);
void inherit_close(void);                        // all; Unix doors' files go too
// Doors that a service no longer has: unmark, open (or find) those it has, then sweep. A seal leaves out what is not marked, too. Files
// that are kept are no doors.
void inherit_unmark(int owner);
void inherit_sweep(int owner);

// For another program in this process (program.h): the doors and the lock as lines of text, their descriptors to stay open over exec;
// and in that program: takes one such line; false: it is none.
void inherit_write(buf *out);
void inherit_pass(void);
void inherit_forget(void);                       // the table alone: the next program begins without one
bool inherit_read(str line);

// For rt's world: E_AGAIN: not kept, and not sealed either (go on and open it). Else the error, or E_OK with a new descriptor.
// Each thread takes the share of the loop that inherit_share named; 0 at first.
void inherit_share(int number);
err  inherited_listen(addr real, int *fd);
err  inherited_datagram(addr real, int *fd);
err  inherited_unix(const char *path, int *fd, const inherit_peers **peers);
err  inherited_file(const char *path, int *fd);
// May who is connected to fd come in? peers NULL: everybody who could connect.
bool inherit_peer_allowed(int fd, const inherit_peers *peers);

// A connected stream's descriptor that came over a fork, as a sock of the running loop. E_LIMIT: it was closed.
err  sock_adopt(world *w, int fd, sock **out);
