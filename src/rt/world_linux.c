// The real world: clock, chance, names, and the table of operations.
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/heap_memory.h"
#include "rt/child.h"
#include "rt/linux.h"

static const struct { int number; err e; } errno_table[] = {
    {0, E_OK},
    {EAGAIN, E_AGAIN}, {EINPROGRESS, E_AGAIN}, {EALREADY, E_AGAIN}, {EINTR, E_AGAIN},
    {ECONNREFUSED, E_REFUSED},
    {ECONNRESET, E_RESET}, {EPIPE, E_RESET}, {ECONNABORTED, E_RESET}, {ENOTCONN, E_RESET}, {ESHUTDOWN, E_RESET},
    {ETIMEDOUT, E_TIMEOUT},
    {ENETUNREACH, E_UNREACHABLE}, {EHOSTUNREACH, E_UNREACHABLE}, {EADDRNOTAVAIL, E_UNREACHABLE}, {ENETDOWN, E_UNREACHABLE},
    {EHOSTDOWN, E_UNREACHABLE}, {ENONET, E_UNREACHABLE},
    {EADDRINUSE, E_IN_USE},
    {ENOENT, E_NO_ENTRY}, {ENOTDIR, E_NO_ENTRY},
    {EEXIST, E_EXISTS}, {ENOTEMPTY, E_EXISTS},
    {EACCES, E_ACCESS}, {EPERM, E_ACCESS}, {EISDIR, E_ACCESS}, {ELOOP, E_ACCESS}, {EBUSY, E_ACCESS},
    {EROFS, E_READ_ONLY},
    {ENOSPC, E_NO_SPACE}, {EDQUOT, E_NO_SPACE}, {EFBIG, E_NO_SPACE},
    {EMFILE, E_LIMIT}, {ENFILE, E_LIMIT}, {ENOMEM, E_LIMIT}, {EMLINK, E_LIMIT}, {ENOBUFS, E_LIMIT},
    {ENAMETOOLONG, E_TOO_LONG}, {EMSGSIZE, E_TOO_LONG},
    {EPROTO, E_PROTOCOL},
    {EOPNOTSUPP, E_UNSUPPORTED}, {ENOSYS, E_UNSUPPORTED}, {EAFNOSUPPORT, E_UNSUPPORTED}, {EPROTONOSUPPORT, E_UNSUPPORTED},
    {EINVAL, E_UNSUPPORTED},
};

err errno_err(int number)
{
    for (size_t i = 0; i < sizeof errno_table / sizeof *errno_table; i++)
        if (errno_table[i].number == number)
            return errno_table[i].e;
    return E_IO;
}

static int64_t clock_ns(clockid_t clock)
{
    struct timespec t;
    must(clock_gettime(clock, &t) == 0);
    return (int64_t)t.tv_sec * NS_PER_S + t.tv_nsec;
}

static int64_t linux_now_ns(world *w) { (void)w; return clock_ns(CLOCK_MONOTONIC); }

// A wall clock that a test steps, without touching the machine's: $NARU_TEST_CLOCK names a file of eight bytes, so many nanoseconds
// are we ahead. Mapped once, before rights are given up, so that children step with it. Whoever sets our environment can do more
// than that; still the file must be ours and nobody else's to write.
static const _Atomic int64_t *test_clock;

bool test_clock_open(const char *path)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return false;
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_uid == geteuid() && !(st.st_mode & 0022) && st.st_size == sizeof *test_clock) {
        void *at = mmap(NULL, sizeof *test_clock, PROT_READ, MAP_SHARED, fd, 0);
        test_clock = at == MAP_FAILED ? NULL : at;
    }
    close(fd);
    return test_clock != NULL;
}

static void test_clock_look(void)
{
    const char *path = secure_getenv("NARU_TEST_CLOCK");
    if (path)
        test_clock_open(path);
}

static int64_t linux_wall_ns(world *w)
{
    (void)w;
    return clock_ns(CLOCK_REALTIME) + (test_clock ? atomic_load_explicit(test_clock, memory_order_relaxed) : 0);
}

// The kernel's generator, fetched ahead in small pieces: a query's id and port cost no system call each. One a thread; bytes
// are wiped when they are handed out, and a forked child does not draw the same ones as its parent.
enum { CHANCE_BYTES = 512 };
static _Thread_local struct { unsigned char bytes[CHANCE_BYTES]; size_t left; } chance;

static void kernel_random(unsigned char *out, size_t n)
{
    while (n) {
        ssize_t got = getrandom(out, n, 0);
        must(got > 0 || errno == EINTR);
        if (got > 0)
            out += got, n -= (size_t)got;
    }
}

static void chance_forget(void) { explicit_bzero(&chance, sizeof chance); }
static void chance_forget_in_children(void) { must(pthread_atfork(NULL, NULL, chance_forget) == 0); }

static void linux_random(world *w, void *out, size_t n)
{
    (void)w;
    if (n > CHANCE_BYTES / 8) {
        kernel_random(out, n);
        return;
    }
    if (chance.left < n) {
        static pthread_once_t once = PTHREAD_ONCE_INIT;
        pthread_once(&once, chance_forget_in_children);
        kernel_random(chance.bytes, CHANCE_BYTES);
        chance.left = CHANCE_BYTES;
    }
    chance.left -= n;
    memcpy(out, chance.bytes + chance.left, n);
    explicit_bzero(chance.bytes + chance.left, n);
}

static const world_operations operations = {
    .now_ns = linux_now_ns, .wall_ns = linux_wall_ns, .random = linux_random,
    .listen = linux_listen, .listen_unix = linux_listen_unix, .accept = linux_accept,
    .connect = linux_connect, .connect_unix = linux_connect_unix, .connected = linux_connected,
    .read = linux_read, .write = linux_write, .write_pages = linux_write_pages, .shutdown = linux_shutdown, .close = linux_close,
    .local = linux_local, .peer_closed = linux_peer_closed,
    .unsent_max = linux_unsent_max, .queue_short = linux_queue_short,
    .datagram = linux_datagram, .datagram_connect = linux_datagram_connect,
    .datagram_group = linux_datagram_group, .receive = linux_receive, .send = linux_send,
    .open = linux_open, .file_read = linux_file_read, .file_write = linux_file_write, .file_size = linux_file_size,
    .file_truncate = linux_file_truncate, .file_sync = linux_file_sync, .file_lock = linux_file_lock,
    .file_close = linux_file_close,
    .stat = linux_stat, .rename = linux_rename, .remove = linux_remove,
    .dir_make = linux_dir_make, .dir_list = linux_dir_list, .dir_sync = linux_dir_sync,
    .file_sync_whole = linux_file_sync_whole, .file_look = linux_file_look, .file_reserve = linux_file_reserve,
    .folder_open = linux_folder_open, .folder_close = linux_folder_close, .folder_file = linux_folder_file,
    .folder_stat = linux_folder_stat, .folder_make = linux_folder_make, .folder_remove = linux_folder_remove,
    .folder_rename = linux_folder_rename, .folder_sync = linux_folder_sync, .folder_space = linux_folder_space,
    .simulated = false,
};

world *world_linux_new(str name, const addr *addresses, int count)
{
    must(count >= 0 && count <= WORLD_ADDRESSES_MAX);
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, test_clock_look);
    world *w = memory_zeroed(1, sizeof *w);
    unsigned char *copy = memory_new((size_t)name.len + 1);
    memcpy(copy, name.at, (size_t)name.len);
    w->operations = &operations;
    w->name = str_of(copy, (size_t)name.len);
    for (int i = 0; i < count; i++)
        w->addresses[i] = addresses[i];
    w->address_count = count;
    return w;
}

void world_linux_free(world *w)
{
    memory_free((void *)(uintptr_t)w->name.at);
    memory_free(w);
}
