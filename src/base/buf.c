#include "base/buf.h"

#include <stdio.h>
#include <string.h>

#include "base/heap_memory.h"
#include "base/must.h"

enum { BUF_FIRST_BYTES = 256 };

buf  buf_make(size_t max_bytes) { return (buf){.max = max_bytes}; }
void buf_clear(buf *b) { b->len = 0, b->full = false; }

void buf_free(buf *b)
{
    memory_free(b->at);
    *b = buf_make(b->max);
}

unsigned char *buf_room(buf *b, size_t n)
{
    if (b->max - b->len < n) {
        b->full = true;
        return NULL;
    }
    if (b->cap - b->len < n) {
        size_t cap = b->cap ? b->cap : BUF_FIRST_BYTES;
        while (cap - b->len < n)
            cap = cap > b->max / 2 ? b->max : cap * 2;
        b->at = memory_resize(b->at, cap);
        b->cap = cap;
    }
    return b->at + b->len;
}

void buf_added(buf *b, size_t n)
{
    must(n <= b->cap - b->len);
    b->len += n;
}

bool buf_put(buf *b, str s)
{
    if (s.len == 0)
        return !b->full;
    unsigned char *at = buf_room(b, (size_t)s.len);
    if (!at)
        return false;
    memcpy(at, s.at, (size_t)s.len);
    b->len += (size_t)s.len;
    return true;
}

bool buf_put_byte(buf *b, unsigned char byte) { return buf_put(b, (str){&byte, 1}); }

bool buf_format(buf *b, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, format, again);
    va_end(again);
    unsigned char *at = n >= 0 ? buf_room(b, (size_t)n + 1) : NULL;
    if (at) {
        vsnprintf((char *)at, (size_t)n + 1, format, args);
        b->len += (size_t)n;
    }
    va_end(args);
    return at != NULL;
}

void buf_drop_front(buf *b, size_t n)
{
    must(n <= b->len);
    memmove(b->at, b->at + n, b->len - n);
    b->len -= n;
}
