// The form of the edge's log on disk: segments of records, each with a header and a payload that have checksums. Pure but for the arena.
#pragma once
#include "base/bytes.h"
#include "base/arena.h"

enum { DISK_HEADER_BYTES = 36, DISK_FORMAT = 1 };

typedef enum { DISK_BEGIN = 1, DISK_OBJECT, DISK_SLICE, DISK_FORGET, DISK_PURGE } disk_kind;

typedef struct {
    disk_kind kind;
    uint64_t  number;                    // of the object
    uint32_t  part;                      // which slice; the format, of DISK_BEGIN
    uint32_t  bytes;                     // of the payload
    uint32_t  crc;                       // of the payload
} disk_record;

void disk_header_write(const disk_record *r, unsigned char out[DISK_HEADER_BYTES]);
// False: not the head of a record (what was not synced before a crash, damage, or the end).
bool disk_header_read(str text, disk_record *r);
