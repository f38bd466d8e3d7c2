#include "rt/inherit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "rt/linux.h"

typedef enum { KIND_LISTEN, KIND_DATAGRAM, KIND_UNIX, KIND_FILE } kept_kind;

typedef struct {
    kept_kind     kind;
    int           owner, fd;
    err           trouble;           // why there is no descriptor
    addr          real;
    inherit_peers peers;
    char          path[INHERIT_PATH_BYTES_MAX];
} kept;

// The process's own, written before threads start.
static kept table[INHERITED_MAX];
static int  table_count;
static bool sealed;

static bool same_address(addr a, addr b)
{
    return a.family == b.family && a.port == b.port && memcmp(a.ip, b.ip, a.family == 4 ? 4 : 16) == 0;
}

static kept *kept_find(kept_kind kind, addr real, const char *path)
{
    for (int i = 0; i < table_count; i++)
        if (table[i].kind == kind && (path ? strcmp(table[i].path, path) == 0 : same_address(table[i].real, real)))
            return &table[i];
    return NULL;
}

static kept *kept_new(kept_kind kind, int owner, addr real, const char *path)
{
    if (table_count == INHERITED_MAX || (path && strlen(path) >= INHERIT_PATH_BYTES_MAX))
        return NULL;
    kept *k = &table[table_count++];
    *k = (kept){.kind = kind, .owner = owner, .fd = -1, .real = real};
    if (path)
        snprintf(k->path, sizeof k->path, "%s", path);
    return k;
}

// ---- keeping --------------------------------------------------------------------------------------------------------------

static err keep_bound(world *w, kept_kind kind, int owner, addr at)
{
    addr real = addr_with_port(at, world_port(w, at.port));
    kept *k = kept_find(kind, real, NULL);
    if (k && k->owner == owner && !k->trouble)
        return E_OK;
    if (k && k->owner != owner && !k->trouble)
        return E_IN_USE;
    if (!k)
        k = kept_new(kind, owner, real, NULL);
    if (!k)
        return E_LIMIT;
    k->owner = owner;
    k->trouble = kind == KIND_LISTEN ? linux_listen_fd(w, real, (listen_options){0}, &k->fd)
                                     : linux_datagram_fd(w, real, false, &k->fd);
    return k->trouble;
}

err inherit_listen(world *w, int owner, addr at) { return keep_bound(w, KIND_LISTEN, owner, at); }
err inherit_datagram(world *w, int owner, addr at) { return keep_bound(w, KIND_DATAGRAM, owner, at); }

err inherit_unix(int owner, const char *path, unsigned group, const inherit_peers *peers)
{
    if (kept_find(KIND_UNIX, (addr){0}, path))
        return E_OK;
    kept *k = kept_new(KIND_UNIX, owner, (addr){0}, path);
    if (!k)
        return E_TOO_LONG;
    k->peers = *peers;
    k->trouble = linux_listen_unix_fd(path, 0600, &k->fd);
    if (!k->trouble && group && (chown(path, (uid_t)-1, group) != 0 || chmod(path, 0660) != 0))
        k->trouble = errno_err(errno);
    return k->trouble;
}

err inherit_file(int owner, const char *path)
{
    if (kept_find(KIND_FILE, (addr){0}, path))
        return E_OK;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0)
        return errno_err(errno);
    kept *k = kept_new(KIND_FILE, owner, (addr){0}, path);
    if (!k) {
        close(fd);
        return E_TOO_LONG;
    }
    k->fd = fd;
    return E_OK;
}

void inherit_seal(int owner)
{
    for (int i = 0; i < table_count; i++)
        if (table[i].owner != owner && table[i].fd >= 0) {
            close(table[i].fd);
            table[i].fd = -1;
            table[i].trouble = E_ACCESS;
        }
    sealed = true;
}

void inherit_close(void)
{
    for (int i = 0; i < table_count; i++) {
        if (table[i].fd >= 0)
            close(table[i].fd);
        if (table[i].kind == KIND_UNIX && !table[i].trouble)
            unlink(table[i].path);
    }
    table_count = 0;
}

// ---- finding --------------------------------------------------------------------------------------------------------------

static err take(const kept *k, int *fd)
{
    if (!k)
        return sealed ? E_ACCESS : E_AGAIN;
    if (k->trouble)
        return k->trouble;
    *fd = fcntl(k->fd, F_DUPFD_CLOEXEC, 0);
    return *fd < 0 ? errno_err(errno) : E_OK;
}

err inherited_listen(addr real, int *fd) { return take(kept_find(KIND_LISTEN, real, NULL), fd); }

// Port 0 is a client's own socket, no door.
err inherited_datagram(addr real, int *fd)
{
    return real.port == 0 ? E_AGAIN : take(kept_find(KIND_DATAGRAM, real, NULL), fd);
}

err inherited_unix(const char *path, int *fd, const inherit_peers **peers)
{
    const kept *k = kept_find(KIND_UNIX, (addr){0}, path);
    *peers = k ? &k->peers : NULL;
    return take(k, fd);
}

err inherited_file(const char *path, int *fd)
{
    const kept *k = table_count ? kept_find(KIND_FILE, (addr){0}, path) : NULL;
    return k && sealed ? take(k, fd) : E_AGAIN;
}

bool inherit_peer_allowed(int fd, const inherit_peers *peers)
{
    struct ucred who;
    socklen_t size = sizeof who;
    if (!peers)
        return true;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &size) != 0)
        return false;
    bool allowed = who.uid == 0 || who.uid == geteuid();
    for (int i = 0; i < peers->count; i++)
        allowed |= who.uid == peers->users[i];
    return allowed;
}

err sock_adopt(world *w, int fd, sock **out)
{
    linux_sock *s;
    err e = linux_sock_new(w, fd, true, 0, &s);
    if (e)
        return e;
    s->is_connected = s->base.readable = s->base.writable = true;
    *out = &s->base;
    return E_OK;
}
