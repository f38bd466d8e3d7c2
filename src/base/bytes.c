#include "base/bytes.h"

#include <string.h>

#include "base/must.h"

reader rd_of(str s) { return (reader){s.at, s.at, s.len ? s.at + s.len : s.at, false}; }

str rd_bytes(reader *r, size_t n)
{
    if (r->bad || (size_t)(r->end - r->at) < n) {
        r->bad = true;
        return (str){0};
    }
    str s = {r->at, (ptrdiff_t)n};
    if (n)
        r->at += n;
    return s;
}

static uint64_t rd_number(reader *r, size_t bytes)
{
    str s = rd_bytes(r, bytes);
    uint64_t n = 0;
    for (ptrdiff_t i = 0; i < s.len; i++)
        n = n << 8 | s.at[i];
    return n;
}

uint8_t   rd_u8(reader *r) { return (uint8_t)rd_number(r, 1); }
uint16_t  rd_u16(reader *r) { return (uint16_t)rd_number(r, 2); }
uint32_t  rd_u32(reader *r) { return (uint32_t)rd_number(r, 4); }
uint64_t  rd_u64(reader *r) { return rd_number(r, 8); }
str       rd_rest(reader *r) { return rd_bytes(r, r->bad ? 0 : (size_t)(r->end - r->at)); }
void      rd_skip(reader *r, size_t n) { (void)rd_bytes(r, n); }
ptrdiff_t rd_left(const reader *r) { return r->bad ? 0 : r->end - r->at; }
ptrdiff_t rd_at(const reader *r) { return r->at - r->start; }
bool      rd_done(const reader *r) { return !r->bad && r->at == r->end; }

writer wr_into(void *at, size_t size) { return (writer){at, at, (unsigned char *)at + size, false}; }

void wr_bytes(writer *w, str s)
{
    if (w->bad || w->end - w->at < s.len) {
        w->bad = true;
        return;
    }
    if (s.len)
        memcpy(w->at, s.at, (size_t)s.len);
    w->at += s.len;
}

static void wr_number(writer *w, uint64_t value, int bytes)
{
    unsigned char out[8];
    for (int i = 0; i < bytes; i++)
        out[i] = (unsigned char)(value >> (8 * (bytes - 1 - i)));
    wr_bytes(w, (str){out, bytes});
}

void wr_u8(writer *w, unsigned value) { wr_number(w, value, 1); }
void wr_u16(writer *w, unsigned value) { wr_number(w, value, 2); }
void wr_u32(writer *w, uint32_t value) { wr_number(w, value, 4); }
void wr_u64(writer *w, uint64_t value) { wr_number(w, value, 8); }

void wr_put_u16(writer *w, ptrdiff_t offset, unsigned value)
{
    if (w->bad)
        return;
    must(offset >= 0 && offset + 2 <= w->at - w->start);
    w->start[offset] = (unsigned char)(value >> 8);
    w->start[offset + 1] = (unsigned char)value;
}

ptrdiff_t wr_len(const writer *w) { return w->at - w->start; }
ptrdiff_t wr_left(const writer *w) { return w->bad ? 0 : w->end - w->at; }
str       wr_str(const writer *w) { return (str){w->start, w->at - w->start}; }
