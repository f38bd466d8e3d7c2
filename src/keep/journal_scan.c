#include "keep/journal_scan.h"

#include <string.h>

#include "base/bytes.h"
#include "base/crc32c.h"
#include "base/must.h"

enum { RECORD_CRC_AT = 12 };

static const char segment_magic[] = "naruJNL1";

void segment_head_write(unsigned char out[SEGMENT_HEAD_BYTES], segment_head head)
{
    writer w = wr_into(out, SEGMENT_HEAD_BYTES);
    wr_bytes(&w, str_z(segment_magic));
    wr_u32(&w, head.number);
    wr_u64(&w, head.mark);
    wr_u64(&w, head.first_sequence);
    wr_u64(&w, head.previous_end);
    wr_u32(&w, crc32c(0, wr_str(&w)));
    must(!w.bad && wr_left(&w) == 0);
}

bool segment_head_read(str bytes, segment_head *out)
{
    reader r = rd_of(bytes);
    bool known = str_eq(rd_bytes(&r, sizeof segment_magic - 1), str_z(segment_magic));
    out->number = rd_u32(&r);
    out->mark = rd_u64(&r);
    out->first_sequence = rd_u64(&r);
    out->previous_end = rd_u64(&r);
    uint32_t want = crc32c(0, str_first(bytes, rd_at(&r)));
    return rd_u32(&r) == want && known && !r.bad;
}

static uint32_t record_crc(const unsigned char head[RECORD_HEAD_BYTES])
{
    uint32_t crc = crc32c(0, str_of(head, RECORD_CRC_AT));
    return crc32c(crc, str_of(head + RECORD_CRC_AT + 4, RECORD_HEAD_BYTES - RECORD_CRC_AT - 4));
}

void record_head_write(unsigned char out[RECORD_HEAD_BYTES], uint64_t mark, uint64_t sequence, uint64_t commit,
                       const str *pieces, int count, uint32_t length)
{
    writer w = wr_into(out, RECORD_HEAD_BYTES);
    wr_u64(&w, mark);
    wr_u32(&w, length);
    wr_u32(&w, 0);
    wr_u64(&w, sequence);
    wr_u64(&w, commit);
    uint32_t crc = record_crc(out);
    for (int i = 0; i < count; i++)
        crc = crc32c(crc, pieces[i]);
    writer field = wr_into(out + RECORD_CRC_AT, 4);
    wr_u32(&field, crc);
    must(!w.bad && !field.bad);
}

bool record_length(str head, uint64_t mark, uint32_t *length)
{
    reader r = rd_of(head);
    bool ours = rd_u64(&r) == mark;
    *length = rd_u32(&r);
    return ours && !r.bad;
}

bool record_read(str segment, uint64_t mark, uint64_t offset, segment_record *out)
{
    if (offset > (uint64_t)segment.len)
        return false;
    str from = str_from(segment, (ptrdiff_t)offset);
    reader r = rd_of(from);
    bool ours = rd_u64(&r) == mark;
    uint32_t length = rd_u32(&r), crc = rd_u32(&r);
    *out = (segment_record){.offset = offset, .sequence = rd_u64(&r), .commit = rd_u64(&r)};
    out->bytes = rd_bytes(&r, ours ? length : 0);
    return ours && !r.bad && crc32c(record_crc(from.at), out->bytes) == crc;
}

bool segment_scan_begin(segment_scan *s, str segment)
{
    *s = (segment_scan){.segment = segment, .at = SEGMENT_HEAD_BYTES, .last_commit = SEGMENT_HEAD_BYTES};
    if (!segment_head_read(segment, &s->head))
        return false;
    s->last_sequence = s->head.first_sequence - 1;
    return true;
}

bool segment_scan_next(segment_scan *s, segment_record *out)
{
    if (!record_read(s->segment, s->head.mark, s->at, out) || out->sequence <= s->last_sequence)
        return false;
    s->at = out->offset + RECORD_HEAD_BYTES + (uint64_t)out->bytes.len;
    s->last_sequence = out->sequence;
    s->last_commit = out->commit;
    return true;
}

// Where the mark stands next, at or behind `from`; -1 when nowhere.
static ptrdiff_t mark_find(str segment, uint64_t mark, uint64_t from)
{
    unsigned char bytes[8];
    writer w = wr_into(bytes, sizeof bytes);
    wr_u64(&w, mark);
    str rest = str_from(segment, (ptrdiff_t)from);
    const unsigned char *found = rest.len ? memmem(rest.at, (size_t)rest.len, bytes, sizeof bytes) : NULL;
    return found ? found - segment.at : -1;
}

// Behind the record that begins at `at`, intact or not, as far as the segment goes.
static uint64_t record_end(str segment, uint64_t mark, uint64_t at)
{
    uint32_t length;
    uint64_t left = (uint64_t)segment.len - at;
    bool head = record_length(str_from(segment, (ptrdiff_t)at), mark, &length);
    uint64_t size = RECORD_HEAD_BYTES + (head ? length : 0);
    return at + (size < left ? size : left);
}

segment_tail segment_scan_tail(const segment_scan *s, uint64_t *torn_bytes)
{
    segment_tail tail = TAIL_NOTHING;
    *torn_bytes = 0;
    // Strangers do not know the mark: each place that is found is a head that we wrote, so the checksums below read every
    // byte once.
    for (ptrdiff_t at = mark_find(s->segment, s->head.mark, s->at); at >= 0;) {
        segment_record r;
        bool intact = record_read(s->segment, s->head.mark, (uint64_t)at, &r);
        if (intact && r.commit > s->at)
            return TAIL_DAMAGED;
        tail = TAIL_TORN;
        uint64_t end = record_end(s->segment, s->head.mark, (uint64_t)at);
        if (end - s->at > *torn_bytes)
            *torn_bytes = end - s->at;
        uint64_t next = intact ? end : (uint64_t)at + 1;
        at = next < (uint64_t)s->segment.len ? mark_find(s->segment, s->head.mark, next) : -1;
    }
    return tail;
}
