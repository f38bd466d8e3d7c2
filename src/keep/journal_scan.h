// The bytes of one journal segment: a head, then records, written and read back. Pure: no files, so that it can be fuzzed.
//
// All integers are big endian. Head (40 bytes): "naruJNL1", number u32, mark u64, first sequence u64, previous end u64,
// crc32c of what stands before it. Record: mark u64, length u32, crc32c u32, sequence u64, commit u64, bytes; the checksum
// covers all the rest.
//
// The mark is random and new for each segment: bytes that an earlier life left in the file, or that a stranger wrote into a
// letter, can never be taken for a record. `commit` is the offset at which the write that carried the record began. That
// write began only after everything before it had been synced; so a bad place *before* the commit of an intact record is
// damage to what was promised, and a bad place at or behind it is a torn write that nobody was promised.
#pragma once
#include "base/text.h"

enum { SEGMENT_HEAD_BYTES = 40, RECORD_HEAD_BYTES = 32 };

typedef struct {
    uint32_t number;
    uint64_t mark;
    uint64_t first_sequence;        // of the records in it: none is lower
    uint64_t previous_end;          // so many bytes of the segment before were durable for certain when this one began
} segment_head;

typedef struct {
    str      bytes;                 // a view into the segment
    uint64_t offset;                // of the record's head in the segment
    uint64_t sequence, commit;
} segment_record;

void segment_head_write(unsigned char out[SEGMENT_HEAD_BYTES], segment_head head);
bool segment_head_read(str bytes, segment_head *out);           // false: not an intact head

// The head of a record made of pieces whose lengths sum up to `length`.
void record_head_write(unsigned char out[RECORD_HEAD_BYTES], uint64_t mark, uint64_t sequence, uint64_t commit,
                       const str *pieces, int count, uint32_t length);
// The record at `offset` of a segment's bytes, whatever its sequence; false: no intact record of this mark is there.
bool record_read(str segment, uint64_t mark, uint64_t offset, segment_record *out);
// The length that a record's head claims, so that the caller can fetch the rest; false: the mark is another.
bool record_length(str head, uint64_t mark, uint32_t *length);

typedef struct {
    str          segment;
    segment_head head;
    uint64_t     at;                // behind the last intact record
    uint64_t     last_sequence, last_commit;
} segment_scan;

bool segment_scan_begin(segment_scan *s, str segment);          // false: the head is not intact
bool segment_scan_next(segment_scan *s, segment_record *out);   // false: s->at is the end of what is intact

typedef enum {
    TAIL_NOTHING,                   // no trace of this segment's records behind s->at
    TAIL_TORN,                      // a write that was never promised to anybody
    TAIL_DAMAGED,                   // an intact record of a later commit follows: s->at had been promised
} segment_tail;

// What stands behind the end of the scan. `torn_bytes`: how many bytes of it torn writes may have touched.
segment_tail segment_scan_tail(const segment_scan *s, uint64_t *torn_bytes);
