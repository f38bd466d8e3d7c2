#include "rt/inherit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "rt/linux.h"
#include "rt/program.h"

typedef enum { KIND_LISTEN, KIND_DATAGRAM, KIND_UNIX, KIND_FILE, KIND_LOCK } kept_kind;
enum { OWNER_ALL = -1 };                 // of the lock

typedef struct {
    kept_kind     kind;
    int           owner, fd;
    err           trouble;           // why there is no descriptor
    addr          real;
    int           share, shares;     // of a group on one port
    bool          marked;
    inherit_peers peers;
    char          path[INHERIT_PATH_BYTES_MAX];
} kept;

// The process's own, written before threads start.
static kept table[INHERITED_MAX];
static int  table_count;
static bool sealed;
static _Thread_local int share_here;

static bool same_address(addr a, addr b)
{
    return a.family == b.family && a.port == b.port && memcmp(a.ip, b.ip, a.family == 4 ? 4 : 16) == 0;
}

static kept *kept_share(kept_kind kind, addr real, int share)
{
    for (int i = 0; i < table_count; i++)
        if (table[i].kind == kind && table[i].share == share && same_address(table[i].real, real))
            return &table[i];
    return NULL;
}

static kept *kept_named(kept_kind kind, const char *path)
{
    for (int i = 0; i < table_count; i++)
        if (table[i].kind == kind && strcmp(table[i].path, path) == 0)
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

static err keep_share(world *w, kept_kind kind, int owner, addr real, int share, int shares)
{
    kept *k = kept_share(kind, real, share);
    if (k && !k->trouble) {
        k->marked |= k->owner == owner;
        return k->owner == owner && k->shares == shares ? E_OK : E_IN_USE;
    }
    if (!k)
        k = kept_new(kind, owner, real, NULL);
    if (!k)
        return E_LIMIT;
    k->owner = owner;
    k->share = share;
    k->shares = shares;
    k->marked = true;
    k->trouble = kind == KIND_LISTEN ? linux_listen_fd(w, real, (listen_options){.share_port = shares > 1}, &k->fd)
                                     : linux_datagram_fd(w, real, shares > 1, &k->fd);
    return k->trouble;
}

static err keep_bound(world *w, kept_kind kind, int owner, addr at, int shares)
{
    err e = E_OK;
    for (int i = 0; i < shares && !e; i++)
        e = keep_share(w, kind, owner, addr_with_port(at, world_port(w, at.port)), i, shares);
    return e;
}

err inherit_listen(world *w, int owner, addr at, int shares) { return keep_bound(w, KIND_LISTEN, owner, at, shares); }
err inherit_datagram(world *w, int owner, addr at, int shares) { return keep_bound(w, KIND_DATAGRAM, owner, at, shares); }

err inherit_unix(int owner, const char *path, unsigned group, const inherit_peers *peers)
{
    kept *k = kept_named(KIND_UNIX, path);
    if (k && !k->trouble) {
        k->marked = true;
        k->peers = *peers;
        return E_OK;
    }
    if (!k)
        k = kept_new(KIND_UNIX, owner, (addr){0}, path);
    if (!k)
        return E_TOO_LONG;
    k->marked = true;
    k->peers = *peers;
    k->trouble = linux_listen_unix_fd(path, 0600, &k->fd);
    if (!k->trouble && group && (chown(path, (uid_t)-1, group) != 0 || chmod(path, 0660) != 0))
        k->trouble = errno_err(errno);
    return k->trouble;
}

err inherit_file_as(int owner, const char *path, int fd)
{
    kept *k = kept_named(KIND_FILE, path);
    if (!k && !sealed)                           // once threads look at the table, no row is added
        k = kept_new(KIND_FILE, owner, (addr){0}, path);
    if (!k) {
        close(fd);
        return E_TOO_LONG;
    }
    if (k->fd >= 0)
        close(k->fd);
    k->fd = fd;
    return E_OK;
}

err inherit_file(int owner, const char *path)
{
    if (kept_named(KIND_FILE, path))
        return E_OK;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    return fd < 0 ? errno_err(errno) : inherit_file_as(owner, path, fd);
}

err inherit_lock(const char *path)
{
    if (kept_named(KIND_LOCK, path))
        return E_OK;
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOCTTY, 0600);
    if (fd < 0)
        return errno_err(errno);
    kept *k = flock(fd, LOCK_EX | LOCK_NB) == 0 ? kept_new(KIND_LOCK, OWNER_ALL, (addr){0}, path) : NULL;
    if (k)
        k->fd = fd;
    else
        close(fd);
    return k ? E_OK : E_IN_USE;
}

static bool is_door(const kept *k) { return k->kind != KIND_FILE && k->kind != KIND_LOCK; }

static void kept_close(kept *k)
{
    if (k->fd >= 0)
        close(k->fd);
    if (k->kind == KIND_UNIX && !k->trouble)
        unlink(k->path);
    k->fd = -1;
}

void inherit_unmark(int owner)
{
    for (int i = 0; i < table_count; i++)
        if (table[i].owner == owner)
            table[i].marked = false;
}

void inherit_sweep(int owner)
{
    int left = 0;
    for (int i = 0; i < table_count; i++) {
        kept *k = &table[i];
        if (k->owner == owner && is_door(k) && !k->marked)
            kept_close(k);
        else
            table[left++] = *k;
    }
    table_count = left;
}

void inherit_seal(int owner)
{
    for (int i = 0; i < table_count; i++) {
        kept *k = &table[i];
        bool ours = k->owner == OWNER_ALL || (k->owner == owner && (k->marked || !is_door(k)));
        if (ours || k->fd < 0)
            continue;
        close(k->fd);
        k->fd = -1;
        k->trouble = E_ACCESS;
    }
    sealed = true;
}

void inherit_close(void)
{
    for (int i = 0; i < table_count; i++)
        kept_close(&table[i]);
    table_count = 0;
}

// ---- over an exec -----------------------------------------------------------------------------------------------------------

// "kept KIND OWNER FD SHARE SHARES ADDRESS,GROUP OF USERS,... PATH"
static const char *const kind_names[] = {"listen", "datagram", "unix", "file", "lock"};

void inherit_write(buf *out)
{
    char address[ADDR_TEXT_MAX];
    for (int i = 0; i < table_count; i++) {
        const kept *k = &table[i];
        if (k->fd < 0 || k->kind == KIND_FILE)
            continue;
        addr_print(address, k->real);
        buf_format(out, "kept %s %d %d %d %d %s ", kind_names[k->kind], k->owner, k->fd, k->share, k->shares, k->real.family ? address : "-");
        buf_put_byte(out, '-');
        for (int p = 0; p < k->peers.count; p++)
            buf_format(out, ",%u", k->peers.users[p]);
        buf_format(out, " %s\n", k->path);
    }
}

void inherit_pass(void)
{
    for (int i = 0; i < table_count; i++)
        if (table[i].fd >= 0 && table[i].kind != KIND_FILE)
            program_keep(table[i].fd);
}

void inherit_forget(void) { table_count = 0; }

static bool number_read(str *line, int *out)
{
    int64_t value;
    bool good = str_to_i64(str_word(line), &value) && value >= -1 && value <= INT32_MAX;
    *out = good ? (int)value : -1;
    return good;
}

static bool peers_read(str text, inherit_peers *peers)
{
    uint64_t user;
    str_cut(&text, ',');
    while (text.len && peers->count < INHERIT_PEERS_MAX && str_to_u64(str_cut(&text, ','), &user))
        peers->users[peers->count++] = (unsigned)user;
    return text.len == 0;
}

bool inherit_read(str line)
{
    kept k = {0};
    bool known = false;
    str_word(&line);
    str name = str_word(&line);
    for (kept_kind i = KIND_LISTEN; i <= KIND_LOCK; i++)
        if (str_eq(name, str_z(kind_names[i]))) {
            k.kind = i;
            known = true;
        }
    bool good = known && number_read(&line, &k.owner) && number_read(&line, &k.fd) && number_read(&line, &k.share) && number_read(&line, &k.shares);
    str address = str_word(&line), peers = str_word(&line), path = str_trim(line);
    good = good && (str_eq(address, S("-")) || addr_parse(address, 0, &k.real)) && peers_read(peers, &k.peers) &&
           path.len < INHERIT_PATH_BYTES_MAX && table_count < INHERITED_MAX;
    if (!good)
        return false;
    snprintf(k.path, sizeof k.path, STR_FMT, STR_ARG(path));
    table[table_count++] = k;
    return true;
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

void inherit_share(int number) { share_here = number; }

err inherited_listen(addr real, int *fd) { return take(kept_share(KIND_LISTEN, real, share_here), fd); }

// Port 0 is a client's own socket, no door.
err inherited_datagram(addr real, int *fd)
{
    return real.port == 0 ? E_AGAIN : take(kept_share(KIND_DATAGRAM, real, share_here), fd);
}

err inherited_unix(const char *path, int *fd, const inherit_peers **peers)
{
    const kept *k = kept_named(KIND_UNIX, path);
    *peers = k ? &k->peers : NULL;
    return take(k, fd);
}

err inherited_file(const char *path, int *fd)
{
    const kept *k = table_count ? kept_named(KIND_FILE, path) : NULL;
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
