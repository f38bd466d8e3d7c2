#include "rooms/edge/disk_log.h"

#include "base/crc32c.h"

static const uint32_t MAGIC = 0x6e617275;                // "naru"

void disk_header_write(const disk_record *r, unsigned char out[DISK_HEADER_BYTES])
{
    writer w = wr_into(out, DISK_HEADER_BYTES);
    wr_u32(&w, MAGIC);
    wr_u32(&w, (uint32_t)r->kind);
    wr_u64(&w, r->number);
    wr_u32(&w, r->part);
    wr_u32(&w, r->bytes);
    wr_u32(&w, r->crc);
    wr_u32(&w, 0);
    wr_u32(&w, crc32c(0, wr_str(&w)));
}

bool disk_header_read(str text, disk_record *r)
{
    reader in = rd_of(text);
    uint32_t magic = rd_u32(&in), kind = rd_u32(&in);
    *r = (disk_record){.kind = (disk_kind)kind, .number = rd_u64(&in), .part = rd_u32(&in), .bytes = rd_u32(&in), .crc = rd_u32(&in)};
    rd_u32(&in);
    uint32_t crc = rd_u32(&in);
    return !in.bad && magic == MAGIC && kind >= DISK_BEGIN && kind <= DISK_PURGE && crc == crc32c(0, str_first(text, DISK_HEADER_BYTES - 4));
}
