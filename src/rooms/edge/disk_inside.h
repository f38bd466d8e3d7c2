// The disk's inside: disk.c writes, disk_open.c finds again what was written.
#pragma once
#include "rooms/edge/disk_log.h"
#include "rooms/edge/edge_inside.h"

enum {
    SEGMENTS = 16,                       // the disk is parted into so many
    SEGMENTS_MAX = 64,
    SEGMENT_BYTES_MIN = 1 << 20, SEGMENT_BYTES_MAX = 256 << 20,
    WISHES_MAX = 1024,                   // records that wait for the disk; above it slices stay in memory only
    WISHES_BYTES_MAX = 64 << 20,
    BATCH_MAX = 64, BATCH_BYTES_MAX = 8 << 20,
    SYNC_S = 5,                          // what is older than that is safe
    REST_S = 10,                         // after a failure of the disk
    DISK_PATH_BYTES_MAX = 512,
};

typedef struct segment {
    uint32_t number;
    file    *f;
    int64_t  bytes;
    int      users;                      // reads under way
    bool     doomed;                     // closed when the last one has read
    list     slices, objects;            // whose newest record lies here
} segment;

// What is to be written.
typedef struct {
    disk_record record;
    object     *o;                       // held; NULL: none
    piece      *bytes;                   // held; NULL: text
    unsigned char *text;
    size_t      text_bytes;
    uint32_t   *block_crcs;              // of a slice: made with its checksum
} wish;

struct disk {
    edge     *e;
    char     *directory;
    int64_t   bytes_max, bytes, segment_bytes;
    segment  *segments[SEGMENTS_MAX];    // oldest first
    int       count;
    uint32_t  next;
    wish      wishes[WISHES_MAX];
    int       first, waiting;
    int64_t   waiting_bytes;
    gate      wake;
    bool      unsynced, sync_wanted, ending;
    int64_t   synced_ns, rest_until_ns;
    uint64_t  wished, written;           // records, ever: who wants to know whether his is safe
    uint64_t  safe;                      // written and synced
    gate      settled;
    int64_t   writes, dropped, damaged, found, failures;
    err       error;
};

void   disk_path(const disk *d, uint32_t number, char out[DISK_PATH_BYTES_MAX]);
segment *disk_segment(disk *d, uint32_t number);
segment *disk_segment_add(disk *d, uint32_t number, file *f, int64_t bytes);
void   disk_segment_drop(disk *d, segment *s);
err    disk_find(disk *d, str *why);                     // disk_open.c: fills the index
