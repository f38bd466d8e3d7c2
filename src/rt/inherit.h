// Sockets and files that a process has before it gives its rights up: the supervisor binds doors and keeps them over the life of
// a service's process; the process finds them here when it listens (net_linux.c, datagram_linux.c), without a right to bind
// anything itself. Used before loops run, on one thread; what is kept is found from every thread afterwards.
#pragma once
#include "rt/world.h"

enum { INHERITED_MAX = 512, INHERIT_PATH_BYTES_MAX = 256, INHERIT_PEERS_MAX = 32 };

// Who may connect to a Unix door: user numbers, besides 0 and the process's own.
typedef struct { unsigned users[INHERIT_PEERS_MAX]; int count; } inherit_peers;

// Opens a door for `owner` (any number the caller likes) and keeps it. `at` has its well-known port; w maps it. What could not be
// opened is kept as the error that the owner will meet. Opened already for this owner: nothing happens, E_OK.
err  inherit_listen(world *w, int owner, addr at);
err  inherit_datagram(world *w, int owner, addr at);
// group: the file's group (mode 0660), 0: none, mode 0600.
err  inherit_unix(int owner, const char *path, unsigned group, const inherit_peers *peers);
// Keeps a file open for reading, so that it can be opened later although its path cannot be reached any more.
err  inherit_file(int owner, const char *path);
// In the owner's process: closes what is others', and from now on nothing can be listened on but what was kept.
void inherit_seal(int owner);
void inherit_close(void);                        // all; Unix doors' files go too

// For rt's world: E_AGAIN: not kept, and not sealed either (go on and open it). Else the error, or E_OK with a new descriptor.
err  inherited_listen(addr real, int *fd);
err  inherited_datagram(addr real, int *fd);
err  inherited_unix(const char *path, int *fd, const inherit_peers **peers);
err  inherited_file(const char *path, int *fd);
// May who is connected to fd come in? peers NULL: everybody who could connect.
bool inherit_peer_allowed(int fd, const inherit_peers *peers);

// A connected stream's descriptor that came over a fork, as a sock of the running loop. E_LIMIT: it was closed.
err  sock_adopt(world *w, int fd, sock **out);
