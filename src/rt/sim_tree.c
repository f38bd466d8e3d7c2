#include "rt/sim_tree.h"

#include <string.h>

#include "base/heap_memory.h"
#include "base/must.h"
#include "rt/shared.h"

enum { ENTRIES_FIRST = 8 };

typedef struct {                         // of a file's content
    list_link link;
    bool      resize;                    // to `offset`; else `len` bytes at `offset`
    size_t    offset, len;
    int       count;
    str       pieces[];                  // shared ones are held; the bytes of the others stand behind them
} file_change;

typedef struct {                         // of one or two directories, as a whole or not at all
    list_link link;
    inode *from;                         // loses `name`; NULL: nobody does
    char  *name;
    inode *to;                           // has `new_name` for `node` from now on; NULL: nobody does
    char  *new_name;
    inode *node;
} dir_change;

// ---- entries -----------------------------------------------------------------------------------------------

static char *name_copy(const char *name)
{
    size_t n = strlen(name) + 1;
    return memcpy(memory_new(n), name, n);
}

// The place of the name, or the place where it belongs.
static int entries_place(const dir_entries *d, const char *name, bool *found)
{
    int low = 0, high = d->count;
    *found = false;
    while (low < high) {
        int middle = low + (high - low) / 2;
        int order = strcmp(d->at[middle].name, name);
        if (!order) {
            *found = true;
            return middle;
        }
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

inode *dir_find(const dir_entries *d, const char *name)
{
    bool found;
    int place = entries_place(d, name, &found);
    return found ? d->at[place].node : NULL;
}

static void entries_unset(sim_tree *t, dir_entries *d, const char *name)
{
    bool found;
    int place = entries_place(d, name, &found);
    if (!found)
        return;
    inode *node = d->at[place].node;
    memory_free(d->at[place].name);
    d->count--;
    memmove(&d->at[place], &d->at[place + 1], (size_t)(d->count - place) * sizeof *d->at);
    inode_release(t, node);
}

static void entries_set(sim_tree *t, dir_entries *d, const char *name, inode *node)
{
    inode_hold(node);
    entries_unset(t, d, name);
    if (d->count == d->cap) {
        d->cap = d->cap ? d->cap * 2 : ENTRIES_FIRST;
        d->at = memory_resize(d->at, (size_t)d->cap * sizeof *d->at);
    }
    bool found;
    int place = entries_place(d, name, &found);
    memmove(&d->at[place + 1], &d->at[place], (size_t)(d->count - place) * sizeof *d->at);
    d->at[place] = (dir_entry){name_copy(name), node};
    d->count++;
}

static void entries_clear(sim_tree *t, dir_entries *d)
{
    while (d->count)
        entries_unset(t, d, d->at[d->count - 1].name);
    memory_free(d->at);
    *d = (dir_entries){0};
}

static void entries_copy(sim_tree *t, dir_entries *to, const dir_entries *from)
{
    for (int i = 0; i < from->count; i++)
        inode_hold(from->at[i].node);            // clearing `to` must not be the end of one of them
    entries_clear(t, to);
    for (int i = 0; i < from->count; i++) {
        entries_set(t, to, from->at[i].name, from->at[i].node);
        inode_release(t, from->at[i].node);
    }
}

// ---- inodes ------------------------------------------------------------------------------------------------

static inode *inode_new(sim_tree *t, bool is_dir, unsigned mode, int64_t now_ns)
{
    inode *n = memory_zeroed(1, sizeof *n);
    n->number = ++t->numbers;
    n->is_dir = is_dir;
    n->mode = mode;
    n->modified_ns = now_ns;
    list_init(&n->pending);
    return n;
}

static void change_free(file_change *c)
{
    for (int i = 0; i < c->count; i++)
        shared_drop(c->pieces[i]);
    memory_free(c);
}

static void pending_clear(inode *n)
{
    for (list_link *k; (k = list_take(&n->pending)); )
        change_free(LIST_OF(k, file_change, link));
}

void inode_hold(inode *n) { n->references++; }

void inode_release(sim_tree *t, inode *n)
{
    must(n->references > 0);
    if (--n->references)
        return;
    pending_clear(n);
    image_free(&n->now);
    image_free(&n->disk);
    entries_clear(t, &n->entries);
    entries_clear(t, &n->disk_entries);
    memory_free(n);
}

static file_change *change_new(inode *n, size_t offset, size_t len, int count)
{
    file_change *c = memory_new(sizeof *c + (size_t)count * sizeof c->pieces[0] + len);
    *c = (file_change){.offset = offset, .len = len, .count = count};
    list_append(&n->pending, &c->link);
    return c;
}

// Bytes [at, at + len) of the change, where they belong.
static void change_part(image *i, const file_change *c, size_t at, size_t len)
{
    size_t start = 0;
    for (int k = 0; k < c->count && start < at + len; k++) {
        str piece = c->pieces[k];
        size_t end = start + (size_t)piece.len, from = start > at ? start : at, until = end < at + len ? end : at + len;
        if (from < until)
            image_write(i, c->offset + from, piece.at + (from - start), until - from);
        start = end;
    }
}

void inode_write(inode *n, size_t offset, const struct iovec *from, int count, size_t len)
{
    file_change *c = change_new(n, offset, len, count);
    unsigned char *own = (unsigned char *)(c->pieces + count);
    for (int i = 0; i < count; i++) {
        size_t part = from[i].iov_len < len ? from[i].iov_len : len;
        c->pieces[i] = str_of(from[i].iov_base, (ptrdiff_t)part);
        if (part && !shared_hold(c->pieces[i])) {
            memcpy(own, from[i].iov_base, part);
            c->pieces[i].at = own;
            own += part;
        }
        len -= part;
    }
    change_part(&n->now, c, 0, c->len);
}

void inode_resize(inode *n, size_t size)
{
    image_resize(&n->now, size);
    change_new(n, size, 0, 0)->resize = true;
}

static void change_apply(image *i, const file_change *c)
{
    if (c->resize)
        image_resize(i, c->offset);
    else
        change_part(i, c, 0, c->len);
}

void inode_sync(inode *n)
{
    for (list_link *k = list_first(&n->pending); k; k = list_next(&n->pending, k))
        change_apply(&n->disk, LIST_OF(k, file_change, link));
    pending_clear(n);
}

// ---- what a failing medium keeps ---------------------------------------------------------------------------

// Each sector for itself is there or not; what lies beyond them in the grown file reads as zeros.
static void write_torn(image *i, const file_change *c, dice *d)
{
    for (size_t at = 0; at < c->len; ) {
        size_t sector_end = (c->offset + at) / SIM_SECTOR_BYTES * SIM_SECTOR_BYTES + SIM_SECTOR_BYTES - c->offset;
        size_t part = (sector_end < c->len ? sector_end : c->len) - at;
        if (dice_below(d, 2))
            change_part(i, c, at, part);
        at += part;
    }
}

static void write_fate(image *i, const file_change *c, bool last, dice *d)
{
    uint64_t fate = dice_below(d, 8);
    if (fate < 3) {
        change_apply(i, c);
    } else if (fate < 5) {
        return;
    } else if (fate < 7 && last) {
        change_part(i, c, 0, (size_t)dice_below(d, c->len + 1));
    } else if (fate < 7) {
        write_torn(i, c, d);
    } else if (c->offset + c->len > i->size) {
        image_resize(i, c->offset + c->len);          // the size was written, the bytes were not
    }
}

static void pending_fate(inode *n, dice *d)
{
    enum { ALL, NONE, EACH_FIRST, MOODS = 4 } mood = (int)dice_below(d, MOODS);
    bool lost = mood == NONE;
    for (list_link *k = list_first(&n->pending); k; k = list_next(&n->pending, k)) {
        const file_change *c = LIST_OF(k, file_change, link);
        if (lost)
            continue;
        if (mood == ALL)
            change_apply(&n->disk, c);
        else if (!c->resize)
            write_fate(&n->disk, c, !list_next(&n->pending, k), d);
        else if (dice_below(d, 2))
            change_apply(&n->disk, c);
        else
            lost = true;                 // sizes are metadata: what followed this change is not there without it
    }
    pending_clear(n);
}

void inode_sync_failed(inode *n, dice *d) { pending_fate(n, d); }

// ---- the tree ----------------------------------------------------------------------------------------------

sim_tree *tree_new(void)
{
    sim_tree *t = memory_zeroed(1, sizeof *t);
    list_init(&t->changes);
    t->root = inode_new(t, true, 0755, 0);
    inode_hold(t->root);
    return t;
}

static void dir_change_free(sim_tree *t, dir_change *c)
{
    list_remove(&c->link);
    inode *held[] = {c->from, c->to, c->node};
    memory_free(c->name);
    memory_free(c->new_name);
    memory_free(c);
    for (int i = 0; i < 3; i++)
        if (held[i])
            inode_release(t, held[i]);
}

void tree_free(sim_tree *t)
{
    for (list_link *k; (k = list_first(&t->changes)); )
        dir_change_free(t, LIST_OF(k, dir_change, link));
    inode_release(t, t->root);
    memory_free(t);
}

// The next part of a path; false at its end. Empty parts and "." count for nothing.
static bool path_part(const char **path, char part[NAME_BYTES_MAX])
{
    for (;;) {
        while (**path == '/')
            ++*path;
        size_t n = strcspn(*path, "/");
        if (!n)
            return false;
        must(n < NAME_BYTES_MAX);
        memcpy(part, *path, n);
        part[n] = 0;
        *path += n;
        if (strcmp(part, "."))
            return true;
    }
}

inode *tree_find(sim_tree *t, const char *path)
{
    inode *n = t->root;
    char part[NAME_BYTES_MAX];
    while (n && path_part(&path, part))
        n = n->is_dir ? dir_find(&n->entries, part) : NULL;
    return n;
}

inode *tree_parent(sim_tree *t, const char *path, char name[NAME_BYTES_MAX])
{
    inode *dir = NULL, *n = t->root;
    char part[NAME_BYTES_MAX];
    while (path_part(&path, part)) {
        if (!n || !n->is_dir)
            return NULL;
        dir = n;
        memcpy(name, part, NAME_BYTES_MAX);
        n = dir_find(&dir->entries, part);
    }
    return dir;
}

static int64_t inode_used(const inode *n)
{
    int64_t bytes = (int64_t)n->now.size;
    for (int i = 0; i < n->entries.count; i++)
        bytes += inode_used(n->entries.at[i].node);
    return bytes;
}

int64_t tree_used_bytes(const sim_tree *t) { return inode_used(t->root); }

static void change_dirs(sim_tree *t, inode *from, const char *name, inode *to, const char *new_name, inode *node)
{
    dir_change *c = memory_zeroed(1, sizeof *c);
    inode *held[] = {from, to, node};
    for (int i = 0; i < 3; i++)
        if (held[i])
            inode_hold(held[i]);
    *c = (dir_change){.from = from, .name = from ? name_copy(name) : NULL,
                      .to = to, .new_name = to ? name_copy(new_name) : NULL, .node = node};
    list_append(&t->changes, &c->link);
    if (to)
        entries_set(t, &to->entries, new_name, node);
    if (from && !(from == to && new_name && !strcmp(name, new_name)))
        entries_unset(t, &from->entries, name);
}

inode *tree_create(sim_tree *t, inode *dir, const char *name, bool is_dir, unsigned mode, int64_t now_ns)
{
    inode *n = inode_new(t, is_dir, mode, now_ns);
    change_dirs(t, NULL, NULL, dir, name, n);
    return n;
}

void tree_remove(sim_tree *t, inode *dir, const char *name) { change_dirs(t, dir, name, NULL, NULL, NULL); }

void tree_rename(sim_tree *t, inode *from, const char *name, inode *to, const char *new_name)
{
    change_dirs(t, from, name, to, new_name, dir_find(&from->entries, name));
}

static void dir_change_settle(sim_tree *t, dir_change *c)
{
    if (c->to)
        entries_set(t, &c->to->disk_entries, c->new_name, c->node);
    if (c->from && !(c->from == c->to && !strcmp(c->name, c->new_name)))
        entries_unset(t, &c->from->disk_entries, c->name);
    dir_change_free(t, c);
}

void tree_sync_dir(sim_tree *t, inode *dir)
{
    for (list_link *k = list_first(&t->changes), *next; k; k = next) {
        next = list_next(&t->changes, k);
        dir_change *c = LIST_OF(k, dir_change, link);
        if (c->from == dir || c->to == dir)
            dir_change_settle(t, c);
    }
}

// ---- a crash -----------------------------------------------------------------------------------------------

// Changes of a directory survive in their order: the first lost one takes the later ones with it.
static void changes_fate(sim_tree *t, dice *d)
{
    enum { ALL, NONE, SOME_FIRST, MOODS = 4 } mood = (int)dice_below(d, MOODS);
    for (list_link *k = list_first(&t->changes), *next; k; k = next) {
        next = list_next(&t->changes, k);
        dir_change *c = LIST_OF(k, dir_change, link);
        bool stopped = (c->from && c->from->stopped) || (c->to && c->to->stopped);
        bool kept = mood == ALL || (mood != NONE && dice_below(d, 4) > 0);
        if (kept && !stopped) {
            dir_change_settle(t, c);
            continue;
        }
        if (c->from)
            c->from->stopped = true;
        if (c->to)
            c->to->stopped = true;
        dir_change_free(t, c);
    }
}

static void inode_after_crash(sim_tree *t, inode *n, dice *d)
{
    n->locked_by = NULL;
    n->stopped = false;
    if (!n->is_dir) {
        pending_fate(n, d);
        image_copy(&n->now, &n->disk);
        return;
    }
    entries_copy(t, &n->entries, &n->disk_entries);
    for (int i = 0; i < n->entries.count; i++)
        inode_after_crash(t, n->entries.at[i].node, d);
}

void tree_crash(sim_tree *t, dice *d)
{
    changes_fate(t, d);
    inode_after_crash(t, t->root, d);
}
