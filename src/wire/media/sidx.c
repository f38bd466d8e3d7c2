#include "wire/media/boxes.h"

enum { SIDX_HEAD_BYTES = 8 + 4 + 4 + 4 + 8 + 8 + 2 + 2, SIDX_ENTRY_BYTES = 12, SAP_TYPE_1 = 1u << 31 | 1u << 28 };

uint64_t sidx_bytes(int segment_count) { return SIDX_HEAD_BYTES + (uint64_t)segment_count * SIDX_ENTRY_BYTES; }

static bool entries_read(reader *r, uint64_t at, uint64_t start, media_rendition *out)
{
    for (int i = 0; i < out->segment_count; i++) {
        uint32_t size = rd_u32(r), duration = rd_u32(r);
        rd_skip(r, 4);
        bool is_index = size >> 31;
        size &= INT32_MAX;
        if (r->bad || is_index || size == 0 || at >> 60 || start >> 60)
            return false;
        out->segments[i] = (media_segment){.start = start, .duration = duration, .bytes = size, .offset = at};
        at += size;
        start += duration;
    }
    return true;
}

bool sidx_read(str text, uint64_t offset, media_rendition *out, arena *a)
{
    reader boxes = rd_of(text);
    box b;
    if (offset >> 60 || !box_next(&boxes, &b) || b.type != BOX_TYPE('s', 'i', 'd', 'x'))
        return false;
    reader r = rd_of(b.body);
    bool wide = rd_u8(&r) != 0;
    rd_skip(&r, 3 + 4);
    uint32_t timescale = rd_u32(&r);
    uint64_t start = wide ? rd_u64(&r) : rd_u32(&r), first = wide ? rd_u64(&r) : rd_u32(&r);
    rd_skip(&r, 2);
    uint16_t count = rd_u16(&r);
    if (r.bad || timescale == 0 || count == 0 || count > MEDIA_SEGMENTS_MAX || first >> 60)
        return false;
    media_rendition read = *out;
    read.timescale = timescale;
    read.segment_count = count;
    read.segments = arena_array(a, media_segment, count);
    if (!read.segments || !entries_read(&r, offset + b.bytes + first, start, &read))
        return false;
    media_rendition measured = read;
    media_rates_measure(&measured);
    read.peak_bps = read.peak_bps ? read.peak_bps : measured.peak_bps;
    read.average_bps = read.average_bps ? read.average_bps : measured.average_bps;
    *out = read;
    return true;
}

static void put_u32(buf *out, uint64_t value)
{
    for (int shift = 24; shift >= 0; shift -= 8)
        buf_put_byte(out, (unsigned char)(value >> shift));
}

bool sidx_write(const media_rendition *r, uint32_t track, buf *out)
{
    if (r->segment_count < 1 || r->segment_count > UINT16_MAX)
        return false;
    put_u32(out, sidx_bytes(r->segment_count));
    buf_put(out, S("sidx\1\0\0\0"));                     // version 1: times of 64 bits
    put_u32(out, track);
    put_u32(out, r->timescale);
    put_u32(out, r->segments[0].start >> 32);
    put_u32(out, r->segments[0].start);
    put_u32(out, 0);                                     // the segments follow at once
    put_u32(out, 0);
    put_u32(out, (uint64_t)r->segment_count);            // 16 bits reserved, 16 of count
    for (int i = 0; i < r->segment_count; i++) {
        const media_segment *s = &r->segments[i];
        if (s->bytes == 0 || s->bytes > INT32_MAX || s->duration > UINT32_MAX)
            return false;
        put_u32(out, s->bytes);
        put_u32(out, s->duration);
        put_u32(out, SAP_TYPE_1);
    }
    return !out->full;
}
