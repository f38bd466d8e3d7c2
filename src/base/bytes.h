// Bounded reading and writing of byte strings. Both fail once and stay failed; check `bad` once at the end.
#pragma once
#include "base/text.h"

typedef struct {
    const unsigned char *start, *at, *end;
    bool bad;                       // a read went past the end; all later reads give zero and nothing
} reader;

reader    rd_of(str s);
uint8_t   rd_u8(reader *r);
uint16_t  rd_u16(reader *r);                    // big endian, as all network integers here
uint32_t  rd_u32(reader *r);
uint64_t  rd_u64(reader *r);
str       rd_bytes(reader *r, size_t n);        // a view into the input
str       rd_rest(reader *r);                   // everything left; never fails
void      rd_skip(reader *r, size_t n);
ptrdiff_t rd_left(const reader *r);
ptrdiff_t rd_at(const reader *r);               // offset from the start
bool      rd_done(const reader *r);             // all read and nothing failed

typedef struct {
    unsigned char *start, *at, *end;
    bool bad;                       // a write did not fit; nothing more is written
} writer;

writer    wr_into(void *at, size_t size);
void      wr_u8(writer *w, unsigned value);
void      wr_u16(writer *w, unsigned value);
void      wr_u32(writer *w, uint32_t value);
void      wr_u64(writer *w, uint64_t value);
void      wr_bytes(writer *w, str s);
void      wr_put_u16(writer *w, ptrdiff_t offset, unsigned value);    // patches what was written before
ptrdiff_t wr_len(const writer *w);
ptrdiff_t wr_left(const writer *w);
str       wr_str(const writer *w);              // what was written so far
