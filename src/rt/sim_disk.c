// The files of a simulated host as its programs use them. Every operation is a step at which the host may die
// or a fault may strike (sim_crash_after, sim_fault_after), costs virtual time, and goes into the fingerprint.
#include <string.h>

#include "base/heap_memory.h"
#include "base/must.h"
#include "rt/sim_tree.h"
#include "rt/worker.h"

enum { PATH_BYTES_MAX = 4096 };
#define FILE_BYTES_MAX (1ll << 30)

typedef struct {
    file         base;                   // first
    sim_machine *host;
    uint32_t     incarnation;
    int          flags;
    inode       *node;
} sim_file;

static sim_file *file_inside(file *f) { return (sim_file *)(void *)f; }

// ---- steps -------------------------------------------------------------------------------------------------

typedef enum { STEP_GO, STEP_FAULT, STEP_DIE, STEP_DEAD } step;

// DIE: the power fails during this operation; the caller does as much of it as chance lets him, then calls died().
static step step_begin(sim_machine *h, uint32_t incarnation, uint64_t what)
{
    if (!h->up || incarnation != h->incarnation)
        return STEP_DEAD;
    sim_mix(h->sim, what);
    if (h->crash_in >= 0 && h->crash_in-- == 0)
        return STEP_DIE;
    if (h->fault_in >= 0 && h->fault_in-- == 0) {
        h->fault_met = true;
        return STEP_FAULT;
    }
    return STEP_GO;
}

static bool step_refused(step s) { return s == STEP_DEAD || s == STEP_FAULT; }
static err  step_error(const sim_machine *h, step s) { return s == STEP_DEAD ? E_CRASHED : h->fault; }

static err died(sim_machine *h)
{
    sim_host_die(h);
    return E_CRASHED;
}

static bool coin(sim_machine *h) { return dice_below(&h->disk_dice, 2); }

static void charge(sim_machine *h, int64_t ns, size_t bytes)
{
    work_charge(ns + (int64_t)(bytes / 1024) * h->disk.per_kib_ns);
}

// Begins a step that may be told to fail but changes nothing.
static err look(sim_machine *h, uint32_t incarnation, uint64_t what)
{
    step s = step_begin(h, incarnation, what);
    if (step_refused(s))
        return step_error(h, s);
    return s == STEP_DIE ? died(h) : E_OK;
}

static bool disk_is_full(sim_machine *h, int64_t more)
{
    return h->disk.capacity_bytes > 0 && tree_used_bytes(h->tree) + more > h->disk.capacity_bytes;
}

enum {
    OP_OPEN = 1, OP_READ, OP_WRITE, OP_TRUNCATE, OP_SYNC, OP_STAT, OP_RENAME, OP_REMOVE, OP_DIR_MAKE, OP_DIR_LIST,
    OP_DIR_SYNC, OP_RESERVE,
};

// ---- files -------------------------------------------------------------------------------------------------

static err node_open(sim_machine *h, const char *path, int flags, unsigned mode, inode **out)
{
    char name[NAME_BYTES_MAX];
    inode *n = tree_find(h->tree, path);
    if (n && (flags & FILE_CREATE) && (flags & FILE_EXCLUSIVE))
        return E_EXISTS;
    if (n && n->is_dir)
        return E_ACCESS;
    if (!n) {
        inode *dir = tree_parent(h->tree, path, name);
        if (!(flags & FILE_CREATE) || !dir)
            return E_NO_ENTRY;
        if (disk_is_full(h, 1))
            return E_NO_SPACE;
        n = tree_create(h->tree, dir, name, false, mode, world_wall_ns(&h->world));
        charge(h, h->disk.write_ns, 0);
    } else if ((flags & FILE_TRUNCATE) && n->now.size) {
        inode_resize(n, 0);
        charge(h, h->disk.write_ns, 0);
    }
    *out = n;
    return E_OK;
}

err sim_file_open(world *w, const char *path, int flags, unsigned mode, file **out)
{
    sim_machine *h = host_of(w);
    step s = step_begin(h, h->incarnation, OP_OPEN);
    if (step_refused(s))
        return step_error(h, s);
    inode *n;
    err e = node_open(h, path, flags, mode, &n);
    if (s == STEP_DIE)
        return died(h);
    if (e)
        return e;
    sim_file *f = memory_zeroed(1, sizeof *f);
    *f = (sim_file){.base.world = w, .host = h, .incarnation = h->incarnation, .flags = flags, .node = n};
    inode_hold(n);
    *out = &f->base;
    return E_OK;
}

err sim_file_read(file *base, int64_t offset, void *into, size_t size, size_t *got)
{
    sim_file *f = file_inside(base);
    *got = 0;
    err e = look(f->host, f->incarnation, OP_READ);
    if (e)
        return e;
    must(offset >= 0 && (f->flags & FILE_READ));
    const image *i = &f->node->now;
    if ((size_t)offset < i->size) {
        *got = i->size - (size_t)offset < size ? i->size - (size_t)offset : size;
        image_read(i, (size_t)offset, into, *got);
    }
    charge(f->host, 0, *got);
    return E_OK;
}

err sim_file_lend(file *base, int64_t offset, size_t size, str *out)
{
    sim_file *f = file_inside(base);
    err e = look(f->host, f->incarnation, OP_READ);
    if (e)
        return e;
    must(offset >= 0 && (f->flags & FILE_READ));
    if (!image_lend(&f->node->now, (size_t)offset, size, out))
        return E_UNSUPPORTED;
    charge(f->host, 0, size);
    return E_OK;
}

static size_t iovec_bytes(const struct iovec *from, int count)
{
    size_t n = 0;
    for (int i = 0; i < count; i++)
        n += from[i].iov_len;
    return n;
}

// Writes the first `len` bytes of the pieces, as one change.
static void pieces_write(sim_file *f, int64_t offset, const struct iovec *from, int count, size_t len)
{
    inode_write(f->node, (size_t)offset, from, count, len);
    f->node->modified_ns = world_wall_ns(&f->host->world);
    sim_mix(f->host->sim, f->node->number + (uint64_t)offset);
    for (int i = 0; i < count && len; i++) {
        size_t part = from[i].iov_len < len ? from[i].iov_len : len;
        sim_mix_bytes(f->host->sim, str_of(from[i].iov_base, (ptrdiff_t)part));
        len -= part;
    }
}

err sim_file_write(file *base, int64_t offset, const struct iovec *from, int count)
{
    sim_file *f = file_inside(base);
    sim_machine *h = f->host;
    size_t len = iovec_bytes(from, count);
    step s = step_begin(h, f->incarnation, OP_WRITE);
    if (s == STEP_DEAD)
        return E_CRASHED;
    must(offset >= 0 && (f->flags & FILE_WRITE) && offset + (int64_t)len < FILE_BYTES_MAX);
    if (s == STEP_DIE) {
        pieces_write(f, offset, from, count, (size_t)dice_below(&h->disk_dice, len + 1));
        return died(h);
    }
    int64_t grows = offset + (int64_t)len - (int64_t)f->node->now.size;
    bool no_space = grows > 0 && disk_is_full(h, grows);
    charge(h, h->disk.write_ns, len);
    if (s == STEP_FAULT || no_space) {
        int64_t most = s == STEP_FAULT ? (int64_t)len : h->disk.capacity_bytes - tree_used_bytes(h->tree);
        if (most > (int64_t)len)
            most = (int64_t)len;
        pieces_write(f, offset, from, count, most > 0 ? (size_t)dice_below(&h->disk_dice, (uint64_t)most + 1) : 0);
        return s == STEP_FAULT ? h->fault : E_NO_SPACE;
    }
    pieces_write(f, offset, from, count, len);
    return E_OK;
}

err sim_file_size(file *base, int64_t *out)
{
    sim_file *f = file_inside(base);
    err e = look(f->host, f->incarnation, OP_STAT);
    *out = e ? 0 : (int64_t)f->node->now.size;
    return e;
}

err sim_file_truncate(file *base, int64_t size_bytes)
{
    sim_file *f = file_inside(base);
    sim_machine *h = f->host;
    step s = step_begin(h, f->incarnation, OP_TRUNCATE);
    if (step_refused(s))
        return step_error(h, s);
    must(size_bytes >= 0 && size_bytes < FILE_BYTES_MAX && (f->flags & FILE_WRITE));
    if (s == STEP_GO && size_bytes > (int64_t)f->node->now.size &&
        disk_is_full(h, size_bytes - (int64_t)f->node->now.size))
        return E_NO_SPACE;
    inode_resize(f->node, (size_t)size_bytes);
    charge(h, h->disk.write_ns, 0);
    return s == STEP_DIE ? died(h) : E_OK;
}

err sim_file_sync(file *base)
{
    sim_file *f = file_inside(base);
    sim_machine *h = f->host;
    step s = step_begin(h, f->incarnation, OP_SYNC);
    if (s == STEP_DEAD)
        return E_CRASHED;
    if (s == STEP_DIE) {
        if (coin(h))
            inode_sync(f->node);         // done, but nobody lives to hear it
        return died(h);
    }
    charge(h, h->disk.sync_ns, 0);
    h->sim->figures.syncs++;
    if (s == STEP_FAULT || dice_chance(&h->disk_dice, h->disk.sync_fail_per_million)) {
        h->sim->figures.syncs_failed++;
        inode_sync_failed(f->node, &h->disk_dice);
        return s == STEP_FAULT ? h->fault : E_IO;
    }
    inode_sync(f->node);
    return E_OK;
}

err sim_file_sync_whole(file *base) { return sim_file_sync(base); }

err sim_file_look(file *base, file_stat *out)
{
    sim_file *f = file_inside(base);
    err e = look(f->host, f->incarnation, OP_STAT);
    const inode *n = f->node;
    *out = (file_stat){.size_bytes = (int64_t)n->now.size, .modified_ns = n->modified_ns, .mode = n->mode};
    return e;
}

// A full disk, and a fault: nothing was taken.
err sim_file_reserve(file *base, int64_t offset, int64_t size_bytes)
{
    sim_file *f = file_inside(base);
    sim_machine *h = f->host;
    step s = step_begin(h, f->incarnation, OP_RESERVE);
    if (step_refused(s))
        return step_error(h, s);
    must(offset + size_bytes < FILE_BYTES_MAX && (f->flags & FILE_WRITE));
    int64_t grows = offset + size_bytes - (int64_t)f->node->now.size;
    if (s == STEP_GO && grows > 0 && disk_is_full(h, grows))
        return E_NO_SPACE;
    if (grows > 0)
        inode_resize(f->node, (size_t)(offset + size_bytes));
    charge(h, h->disk.write_ns, 0);
    return s == STEP_DIE ? died(h) : E_OK;
}

err sim_file_lock(file *base)
{
    sim_file *f = file_inside(base);
    if (!f->host->up || f->incarnation != f->host->incarnation)
        return E_CRASHED;
    if (f->node->locked_by && f->node->locked_by != f)
        return E_IN_USE;
    f->node->locked_by = f;
    return E_OK;
}

void sim_file_close(file *base)
{
    sim_file *f = file_inside(base);
    if (f->node->locked_by == f)
        f->node->locked_by = NULL;
    inode_release(f->host->tree, f->node);
    memory_free(f);
}

// ---- paths -------------------------------------------------------------------------------------------------

err sim_path_stat(world *w, const char *path, file_stat *out)
{
    sim_machine *h = host_of(w);
    err e = look(h, h->incarnation, OP_STAT);
    if (e)
        return e;
    const inode *n = tree_find(h->tree, path);
    if (!n)
        return E_NO_ENTRY;
    *out = (file_stat){
        .size_bytes = (int64_t)n->now.size, .modified_ns = n->modified_ns, .is_dir = n->is_dir, .mode = n->mode};
    return E_OK;
}

static err nodes_rename(sim_machine *h, const char *from, const char *to)
{
    char name[NAME_BYTES_MAX], new_name[NAME_BYTES_MAX];
    inode *dir = tree_parent(h->tree, from, name), *new_dir = tree_parent(h->tree, to, new_name);
    inode *n = dir ? dir_find(&dir->entries, name) : NULL;
    if (!n || !new_dir)
        return E_NO_ENTRY;
    inode *old = dir_find(&new_dir->entries, new_name);
    if (old && (old->is_dir != n->is_dir || old->entries.count))
        return E_EXISTS;
    tree_rename(h->tree, dir, name, new_dir, new_name);
    return E_OK;
}

static err node_remove(sim_machine *h, const char *path)
{
    char name[NAME_BYTES_MAX];
    inode *dir = tree_parent(h->tree, path, name);
    inode *n = dir ? dir_find(&dir->entries, name) : NULL;
    if (!n)
        return E_NO_ENTRY;
    if (n->entries.count)
        return E_EXISTS;
    tree_remove(h->tree, dir, name);
    return E_OK;
}

static err nodes_make(sim_machine *h, const char *path, unsigned mode)
{
    char part[PATH_BYTES_MAX], name[NAME_BYTES_MAX];
    size_t len = strlen(path);
    must(len < sizeof part);
    for (size_t end = 1; end <= len; end++) {
        if (end < len && path[end] != '/')
            continue;
        memcpy(part, path, end);
        part[end] = 0;
        inode *n = tree_find(h->tree, part);
        if (n && !n->is_dir)
            return E_EXISTS;
        if (n)
            continue;
        if (disk_is_full(h, 1))
            return E_NO_SPACE;
        inode *dir = tree_parent(h->tree, part, name);
        tree_create(h->tree, dir, name, true, mode, world_wall_ns(&h->world));
    }
    return E_OK;
}

static err tree_changed(sim_machine *h, step s, err e)
{
    charge(h, h->disk.write_ns, 0);
    return s == STEP_DIE ? died(h) : e;              // done, but not durable
}

err sim_path_rename(world *w, const char *from, const char *to)
{
    sim_machine *h = host_of(w);
    step s = step_begin(h, h->incarnation, OP_RENAME);
    if (step_refused(s))
        return step_error(h, s);
    return tree_changed(h, s, nodes_rename(h, from, to));
}

err sim_path_remove(world *w, const char *path)
{
    sim_machine *h = host_of(w);
    step s = step_begin(h, h->incarnation, OP_REMOVE);
    if (step_refused(s))
        return step_error(h, s);
    return tree_changed(h, s, node_remove(h, path));
}

err sim_dir_make(world *w, const char *path, unsigned mode)
{
    sim_machine *h = host_of(w);
    step s = step_begin(h, h->incarnation, OP_DIR_MAKE);
    if (step_refused(s))
        return step_error(h, s);
    return tree_changed(h, s, nodes_make(h, path, mode));
}

err sim_dir_list(world *w, const char *path, arena *a, str **names, int *count)
{
    sim_machine *h = host_of(w);
    *names = NULL, *count = 0;
    err e = look(h, h->incarnation, OP_DIR_LIST);
    if (e)
        return e;
    const inode *n = tree_find(h->tree, path);
    if (!n || !n->is_dir)
        return E_NO_ENTRY;
    str *found = arena_array(a, str, n->entries.count + 1);
    for (int i = 0; found && i < n->entries.count; i++)
        found[i] = str_copy(a, str_z(n->entries.at[i].name));
    if (a->full)
        return E_LIMIT;
    *names = found, *count = n->entries.count;
    return E_OK;
}

err sim_dir_sync(world *w, const char *path)
{
    sim_machine *h = host_of(w);
    step s = step_begin(h, h->incarnation, OP_DIR_SYNC);
    if (s == STEP_DEAD)
        return E_CRASHED;
    inode *n = tree_find(h->tree, path);
    if (s == STEP_DIE) {
        if (n && n->is_dir && coin(h))
            tree_sync_dir(h->tree, n);
        return died(h);
    }
    charge(h, h->disk.sync_ns, 0);
    if (s == STEP_FAULT)
        return h->fault;
    if (!n || !n->is_dir)
        return E_NO_ENTRY;
    tree_sync_dir(h->tree, n);
    return E_OK;
}
