// Files of the real world. Every call may block: they are made on worker threads (see world.c).
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/heap_memory.h"
#include "rt/linux.h"

typedef struct { file base; int fd; } linux_file;

static int fd_of(file *f) { return ((linux_file *)(void *)f)->fd; }
int linux_file_fd(file *f) { return fd_of(f); }
static err answer(int result) { return result == 0 ? E_OK : errno_err(errno); }

err linux_file_new(world *w, int fd, file **out)
{
    linux_file *f = memory_new(sizeof *f);
    *f = (linux_file){{w}, fd};
    *out = &f->base;
    return E_OK;
}

err linux_open(world *w, const char *path, int flags, unsigned mode, file **out)
{
    bool reads = flags & FILE_READ, writes = flags & FILE_WRITE;
    int how = O_CLOEXEC | O_NOCTTY | (reads && writes ? O_RDWR : writes ? O_WRONLY : O_RDONLY);
    how |= flags & FILE_CREATE ? O_CREAT : 0;
    how |= flags & FILE_EXCLUSIVE ? O_EXCL : 0;
    how |= flags & FILE_TRUNCATE ? O_TRUNC : 0;
    int fd = -1;
    err e = flags == FILE_READ ? inherited_file(path, &fd) : E_AGAIN;
    if (e == E_AGAIN && (fd = open(path, how, mode)) < 0)
        e = errno_err(errno);
    return fd < 0 ? e : linux_file_new(w, fd, out);
}

err linux_file_read(file *f, int64_t offset, void *into, size_t size, size_t *got)
{
    *got = 0;
    while (*got < size) {
        ssize_t n = pread(fd_of(f), (char *)into + *got, size - *got, offset + (int64_t)*got);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno_err(errno);
        if (n == 0)
            break;
        *got += (size_t)n;
    }
    return E_OK;
}

// One piece to its end: what pwritev left of it.
static err write_whole(int fd, int64_t offset, const char *at, size_t size)
{
    while (size) {
        ssize_t n = pwrite(fd, at, size, offset);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n ? errno_err(errno) : E_IO;
        at += n;
        offset += n;
        size -= (size_t)n;
    }
    return E_OK;
}

err linux_file_write(file *f, int64_t offset, const struct iovec *from, int count)
{
    while (count > 0) {
        int batch = count < IOVECS_MAX ? count : IOVECS_MAX;
        ssize_t n = pwritev(fd_of(f), from, batch, offset);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno_err(errno);
        offset += n;
        for (; batch && (size_t)n >= from->iov_len; from++, count--, batch--)
            n -= (ssize_t)from->iov_len;
        if (!batch)
            continue;
        // Short: the disk may be full. The rest of this piece says so, or goes through.
        err e = write_whole(fd_of(f), offset, (const char *)from->iov_base + n, from->iov_len - (size_t)n);
        if (e)
            return e;
        offset += (int64_t)from->iov_len - n;
        from++;
        count--;
    }
    return E_OK;
}

err linux_file_size(file *f, int64_t *out)
{
    struct stat st;
    if (fstat(fd_of(f), &st) != 0)
        return errno_err(errno);
    *out = st.st_size;
    return E_OK;
}

err linux_file_truncate(file *f, int64_t size) { return answer(ftruncate(fd_of(f), size)); }
err linux_file_sync(file *f) { return answer(fdatasync(fd_of(f))); }

err linux_file_lock(file *f)
{
    if (flock(fd_of(f), LOCK_EX | LOCK_NB) == 0)
        return E_OK;
    return errno == EWOULDBLOCK ? E_IN_USE : errno_err(errno);
}

void linux_file_close(file *f)
{
    close(fd_of(f));
    memory_free(f);
}

// ---- paths ----------------------------------------------------------------------------------------------------------------

err linux_stat(world *w, const char *path, file_stat *out)
{
    (void)w;
    struct stat st;
    if (stat(path, &st) != 0)
        return errno_err(errno);
    *out = (file_stat){.size_bytes = st.st_size, .modified_ns = st.st_mtim.tv_sec * NS_PER_S + st.st_mtim.tv_nsec,
                       .is_dir = S_ISDIR(st.st_mode), .mode = st.st_mode & 07777};
    return E_OK;
}

err linux_rename(world *w, const char *from, const char *to) { (void)w; return answer(rename(from, to)); }
err linux_remove(world *w, const char *path) { (void)w; return answer(remove(path)); }

static err make_one(const char *path, unsigned mode)
{
    struct stat st;
    if (mkdir(path, mode) == 0)
        return E_OK;
    if (errno != EEXIST)
        return errno_err(errno);
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode) ? E_OK : E_EXISTS;
}

err linux_dir_make(world *w, const char *path, unsigned mode)
{
    (void)w;
    char part[4096];
    if (snprintf(part, sizeof part, "%s", path) >= (int)sizeof part)
        return E_TOO_LONG;
    for (char *slash = part + 1; *part && (slash = strchr(slash, '/')); slash++) {
        *slash = '\0';
        err e = make_one(part, mode);
        *slash = '/';
        if (e)
            return e;
    }
    return make_one(part, mode);
}

static int by_name(const void *a, const void *b) { return str_cmp(*(const str *)a, *(const str *)b); }

static err list_names(DIR *d, arena *a, str **names, int *count)
{
    int cap = 0;
    *names = NULL;
    *count = 0;
    for (struct dirent *entry; (errno = 0, entry = readdir(d)); ) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        if (*count == cap) {
            if (cap >= LIST_MAX)
                return E_LIMIT;
            cap = cap ? cap * 2 < LIST_MAX ? cap * 2 : LIST_MAX : 64;
            str *more = arena_array(a, str, cap);
            if (!more)
                return E_LIMIT;
            if (*count)
                memcpy(more, *names, (size_t)*count * sizeof *more);
            *names = more;
        }
        (*names)[(*count)++] = str_copy(a, str_z(entry->d_name));
    }
    return a->full ? E_LIMIT : errno_err(errno);
}

err linux_dir_list(world *w, const char *path, arena *a, str **names, int *count)
{
    (void)w;
    DIR *d = opendir(path);
    if (!d)
        return errno_err(errno);
    err e = list_names(d, a, names, count);
    closedir(d);
    if (*count)
        qsort(*names, (size_t)*count, sizeof **names, by_name);
    return e;
}

err linux_dir_sync(world *w, const char *path)
{
    (void)w;
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return errno_err(errno);
    err e = answer(fsync(fd));
    close(fd);
    return e;
}
