#include "rt/sim_image.h"

#include <string.h>

#include "base/heap_memory.h"
#include "base/must.h"
#include "rt/shared.h"

enum { BLOCKS_FIRST = 1 };
#define BLOCK ((size_t)SHARED_BLOCK_BYTES)

static void room_make(image *i, size_t size)
{
    int need = (int)((size + BLOCK - 1) / BLOCK), count = i->count ? i->count : BLOCKS_FIRST;
    if (need <= i->count)
        return;
    while (count < need)
        count *= 2;
    i->blocks = memory_resize(i->blocks, (size_t)count * sizeof *i->blocks);
    memset(i->blocks + i->count, 0, (size_t)(count - i->count) * sizeof *i->blocks);
    i->count = count;
}

static unsigned char *block_to_write(image *i, size_t number)
{
    unsigned char *b = i->blocks[number];
    return i->blocks[number] = b ? shared_block_own(b) : shared_block_new();
}

static void block_set(image *i, size_t number, unsigned char *to)
{
    if (to)
        shared_block_hold(to);
    if (i->blocks[number])
        shared_block_drop(i->blocks[number]);
    i->blocks[number] = to;
}

void image_resize(image *i, size_t size)
{
    room_make(i, size);
    if (size < i->size) {
        size_t whole = size / BLOCK;
        if (size % BLOCK && i->blocks[whole]) {
            memset(block_to_write(i, whole) + size % BLOCK, 0, BLOCK - size % BLOCK);
            whole++;
        } else if (size % BLOCK) {
            whole++;
        }
        for (; whole * BLOCK < i->size; whole++)
            block_set(i, whole, NULL);
    }
    i->size = size;
}

void image_write(image *i, size_t offset, const unsigned char *bytes, size_t len)
{
    if (len && offset + len > i->size)
        image_resize(i, offset + len);
    while (len) {
        size_t number = offset / BLOCK, inside = offset % BLOCK, part = BLOCK - inside < len ? BLOCK - inside : len;
        if (part == BLOCK && shared_is_block(bytes))
            block_set(i, number, (unsigned char *)(uintptr_t)bytes);
        else
            memcpy(block_to_write(i, number) + inside, bytes, part);
        offset += part, bytes += part, len -= part;
    }
}

void image_read(const image *i, size_t offset, unsigned char *into, size_t len)
{
    must(offset + len <= i->size);
    while (len) {
        size_t inside = offset % BLOCK, part = BLOCK - inside < len ? BLOCK - inside : len;
        const unsigned char *b = i->blocks[offset / BLOCK];
        if (b)
            memcpy(into, b + inside, part);
        else
            memset(into, 0, part);
        offset += part, into += part, len -= part;
    }
}

void image_copy(image *to, const image *from)
{
    image_resize(to, 0);
    image_resize(to, from->size);
    for (size_t n = 0; n * BLOCK < from->size; n++)
        block_set(to, n, from->blocks[n]);
}

void image_free(image *i)
{
    for (int n = 0; n < i->count; n++)
        if (i->blocks[n])
            shared_block_drop(i->blocks[n]);
    memory_free(i->blocks);
    *i = (image){0};
}

bool image_lend(const image *i, size_t offset, size_t len, str *out)
{
    if (!len || offset + len > i->size)
        return false;
    size_t first = offset / BLOCK, last = (offset + len - 1) / BLOCK;
    for (size_t n = first; n <= last; n++)
        if (!i->blocks[n] || i->blocks[n] != i->blocks[first] + (n - first) * BLOCK)
            return false;
    *out = str_of(i->blocks[first] + offset % BLOCK, (ptrdiff_t)len);
    return shared_hold(*out);
}
