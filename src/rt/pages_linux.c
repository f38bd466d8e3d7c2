#include <errno.h>
#include <fcntl.h>
#include <linux/sock_diag.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/heap_memory.h"
#include "base/must.h"
#include "rt/pages.h"

enum {
    STEP_BYTES = 1024 * 1024,                    // what the pipe holds (fs.pipe-max-size): handed over at once
    PAGE_BYTES = 4096,
    HUGE_PAGE_BYTES = 2 << 20,
    DRAINED_BYTES_MAX = 2 * PAGE_BYTES,          // so little is read out of the pipe; for more it is remade
};

struct pages {
    unsigned char *mapped, *at;
    size_t         mapped_bytes, block_bytes, count;
    uint32_t      *free;                         // given back; then those never taken
    size_t         free_count, taken_ever;
    int            pipe[2];                      // empty between two calls
};

static bool pipe_open(pages *p)
{
    if (pipe2(p->pipe, O_CLOEXEC | O_NONBLOCK) != 0)
        return false;
    fcntl(p->pipe[1], F_SETPIPE_SZ, STEP_BYTES); // refused: it is smaller
    return true;
}

static void pipe_close(pages *p)
{
    for (int i = 0; i < 2; i++) {
        if (p->pipe[i] >= 0)
            close(p->pipe[i]);
        p->pipe[i] = -1;
    }
}

// Large pages where the kernel has them: the fewer pages, the less there is to hand over.
pages *pages_new(world *w, size_t block_bytes, size_t count)
{
    must(block_bytes % PAGE_BYTES == 0 && count > 0 && count < UINT32_MAX);
    if (world_is_simulated(w))
        return NULL;
    size_t bytes = block_bytes * count + HUGE_PAGE_BYTES;
    void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (at == MAP_FAILED)
        return NULL;
    pages *p = memory_zeroed(1, sizeof *p);
    *p = (pages){.mapped = at, .mapped_bytes = bytes, .block_bytes = block_bytes, .count = count, .pipe = {-1, -1}};
    p->at = (unsigned char *)(((uintptr_t)at + HUGE_PAGE_BYTES - 1) & ~((uintptr_t)HUGE_PAGE_BYTES - 1));
    p->free = memory_new(count * sizeof *p->free);
    madvise(p->at, block_bytes * count, MADV_HUGEPAGE);
    madvise(p->at, block_bytes * count, MADV_DONTDUMP);
    if (!pipe_open(p)) {
        pages_free(p);
        return NULL;
    }
    return p;
}

void pages_free(pages *p)
{
    if (!p)
        return;
    pipe_close(p);
    munmap(p->mapped, p->mapped_bytes);
    memory_free(p->free);
    memory_free(p);
}

void *pages_take(pages *p)
{
    if (p->free_count == 0 && p->taken_ever == p->count)
        return NULL;
    size_t number = p->free_count ? p->free[--p->free_count] : p->taken_ever++;
    return p->at + number * p->block_bytes;
}

// Whoever still has the pages keeps them; the block gets new ones. One that could not be parted from its pages is never used again.
void pages_give(pages *p, void *block)
{
    size_t offset = (size_t)((unsigned char *)block - p->at);
    must(offset % p->block_bytes == 0 && offset < p->block_bytes * p->count);
    if (madvise(block, p->block_bytes, MADV_DONTNEED) == 0)
        p->free[p->free_count++] = (uint32_t)(offset / p->block_bytes);
}

// How much the socket would take now, about. A page is tried in any case: a socket wakes only who was refused.
static size_t room_now(int fd)
{
    uint32_t memory[SK_MEMINFO_VARS];
    socklen_t size = sizeof memory;
    if (getsockopt(fd, SOL_SOCKET, SO_MEMINFO, memory, &size) != 0 || size != sizeof memory)
        return STEP_BYTES;
    uint32_t most = memory[SK_MEMINFO_SNDBUF], queued = memory[SK_MEMINFO_WMEM_QUEUED];
    size_t room = most < queued + PAGE_BYTES ? PAGE_BYTES : most - queued;
    return room < STEP_BYTES ? room : STEP_BYTES;
}

static void pipe_empty(pages *p, size_t left)
{
    unsigned char nowhere[DRAINED_BYTES_MAX] __attribute__((uninitialized));
    if (left > sizeof nowhere || read(p->pipe[0], nowhere, left) != (ssize_t)left)
        pipe_close(p);
}

// One step through the pipe, which is empty again afterwards.
static int step_send(pages *p, int fd, str bytes, size_t *put)
{
    struct iovec v = {(void *)(uintptr_t)bytes.at, (size_t)bytes.len};
    if (p->pipe[0] < 0 && !pipe_open(p))
        return errno;
    ssize_t held = vmsplice(p->pipe[1], &v, 1, SPLICE_F_NONBLOCK), went = 0;
    int trouble = held < 0 ? errno : 0;
    while (!trouble && (ssize_t)*put < held) {
        went = splice(p->pipe[0], NULL, fd, NULL, (size_t)held - *put, SPLICE_F_NONBLOCK | SPLICE_F_MOVE);
        if (went > 0)
            *put += (size_t)went;
        else
            trouble = went < 0 ? errno : EPIPE;
    }
    if (held > 0 && (ssize_t)*put < held)
        pipe_empty(p, (size_t)held - *put);
    return trouble;
}

int pages_send(pages *p, int fd, str bytes, bool *fills, size_t *put)
{
    int trouble = 0;
    *put = 0;
    while (bytes.len > 0 && !trouble) {
        size_t went = 0, step = *fills ? room_now(fd) : STEP_BYTES;
        trouble = step_send(p, fd, str_first(bytes, (ptrdiff_t)step), &went);
        *fills |= trouble == EAGAIN;
        *put += went;
        bytes = str_from(bytes, (ptrdiff_t)went);
    }
    return *put > 0 ? 0 : trouble;
}
