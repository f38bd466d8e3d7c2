// A growing byte buffer with a ceiling. Failure (the ceiling) is sticky and checked once at the end.
#pragma once
#include "base/arena.h"

typedef struct {
    unsigned char *at;
    size_t         len, cap, max;     // bytes; never more than max
    bool           full;              // something did not fit and was dropped whole; sticky until buf_clear
} buf;

buf  buf_make(size_t max_bytes);      // allocates nothing yet
void buf_free(buf *b);                // gives the memory back; may be used again
void buf_clear(buf *b);               // empty, memory kept
bool buf_put(buf *b, str s);          // false (and b->full) when it does not fit
bool buf_put_byte(buf *b, unsigned char byte);
bool buf_format(buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
void buf_drop_front(buf *b, size_t n);                // forgets the first n bytes
unsigned char *buf_room(buf *b, size_t n);            // space for n more bytes at the end, or NULL; then buf_added
void buf_added(buf *b, size_t n);
static inline str buf_str(const buf *b) { return (str){b->at, (ptrdiff_t)b->len}; }
