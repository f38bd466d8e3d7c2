#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/heap_memory.h"
#include "base/must.h"
#include "rt/pages.h"

struct pages {
    int            fd;
    unsigned char *at;
    size_t         block_bytes, count;
    uint32_t      *free;                         // given back; then those never taken
    size_t         free_count, taken_ever;
};

pages *pages_new(world *w, size_t block_bytes, size_t count)
{
    must(block_bytes % 4096 == 0 && count > 0 && count < UINT32_MAX);
    if (world_is_simulated(w))
        return NULL;
    int fd = memfd_create("naru pages", MFD_CLOEXEC);
    void *at = MAP_FAILED;
    if (fd >= 0 && ftruncate(fd, (off_t)(block_bytes * count)) == 0)
        at = mmap(NULL, block_bytes * count, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd, 0);
    if (at == MAP_FAILED) {
        if (fd >= 0)
            close(fd);
        return NULL;
    }
    pages *p = memory_zeroed(1, sizeof *p);
    *p = (pages){.fd = fd, .at = at, .block_bytes = block_bytes, .count = count, .free = memory_new(count * sizeof *p->free)};
    return p;
}

void pages_free(pages *p)
{
    if (!p)
        return;
    munmap(p->at, p->block_bytes * p->count);
    close(p->fd);
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

// A block whose pages could not be cut out may still be on its way to somebody: it is never used again.
void pages_give(pages *p, void *block)
{
    int64_t offset;
    pages_place(p, block, &offset);
    if (fallocate(p->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, (off_t)p->block_bytes) == 0)
        p->free[p->free_count++] = (uint32_t)((size_t)offset / p->block_bytes);
}

int pages_place(const pages *p, const void *at, int64_t *offset)
{
    *offset = (const unsigned char *)at - p->at;
    must(*offset >= 0 && (size_t)*offset < p->block_bytes * p->count);
    return p->fd;
}
