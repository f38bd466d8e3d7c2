#include "wire/media/boxes.h"

#include "base/must.h"

enum {
    TFHD_BASE_OFFSET = 0x1, TFHD_DESCRIPTION = 0x2, TFHD_DURATION = 0x8, TFHD_BYTES = 0x10, TFHD_FLAGS = 0x20,
    TRUN_DATA_OFFSET = 0x1, TRUN_FIRST_FLAGS = 0x4, TRUN_DURATION = 0x100, TRUN_BYTES = 0x200, TRUN_FLAGS = 0x400, TRUN_LATER = 0x800,
    SAMPLE_IS_NOT_SYNC = 0x10000,
};

typedef struct {
    str                text;
    const media_track *track;
    media_fragments   *out;
    arena             *a;
    int                capacity;             // of out->samples
    uint64_t           base, time;           // of the traf that is read: where data offsets count from; decode time of the next sample
    uint64_t           next_data;            // behind the last sample: where data goes on when a trun does not say
    uint32_t           duration, bytes, flags;
} fragments_reader;

// ---- H.264 slices -----------------------------------------------------------------------------------------------------------

typedef struct { str bytes; ptrdiff_t bit; } bit_reader;

static int bit_next(bit_reader *b)
{
    ptrdiff_t at = b->bit >> 3;
    int bit = at < b->bytes.len ? b->bytes.at[at] >> (7 - (b->bit & 7)) & 1 : 0;
    b->bit++;
    return bit;
}

// ue(v), section 9.1; -1: longer than what a slice header may say here.
static int exp_golomb(bit_reader *b)
{
    enum { ZEROS_MAX = 20 };
    int zeros = 0, value = 0;
    while (zeros <= ZEROS_MAX && bit_next(b) == 0)
        zeros++;
    if (zeros > ZEROS_MAX)
        return -1;
    for (int i = 0; i < zeros; i++)
        value = value << 1 | bit_next(b);
    return value + (1 << zeros) - 1;
}

frame_kind avc_frame_kind(str sample, int nal_length_bytes)
{
    enum { NAL_SLICE = 1, NAL_SLICE_IDR = 5, NALS_MAX = 64 };
    reader r = rd_of(sample);
    for (int n = 0; n < NALS_MAX && nal_length_bytes > 0 && rd_left(&r) > nal_length_bytes; n++) {
        uint32_t length = 0;
        for (int i = 0; i < nal_length_bytes; i++)
            length = length << 8 | rd_u8(&r);
        str nal = rd_bytes(&r, length);
        int type = nal.len > 1 ? nal.at[0] & 31 : 0;
        if (r.bad || (type != NAL_SLICE && type != NAL_SLICE_IDR)) {
            if (r.bad)
                return FRAME_OTHER;
            continue;
        }
        bit_reader b = {str_from(nal, 1), 0};
        exp_golomb(&b);                                  // first_mb_in_slice
        switch (exp_golomb(&b) % 5) {                    // slice_type: 5 to 9 say that all slices of the picture are such
        case 0: case 3: return FRAME_P;                  // P, SP
        case 1: return FRAME_B;
        case 2: case 4: return FRAME_I;                  // I, SI
        default: return FRAME_OTHER;
        }
    }
    return FRAME_OTHER;
}

// ---- runs of samples ----------------------------------------------------------------------------------------------------------

static bool samples_room(fragments_reader *f, uint32_t count)
{
    int have = f->out->sample_count;
    if (count > (uint32_t)(BOX_SAMPLES_MAX - have))
        return false;
    if (have + (int)count <= f->capacity)
        return true;
    int capacity = f->capacity * 2 > have + (int)count ? f->capacity * 2 : have + (int)count;
    media_sample *larger = arena_array(f->a, media_sample, capacity);
    if (!larger)
        return false;
    for (int i = 0; i < have; i++)
        larger[i] = f->out->samples[i];
    f->out->samples = larger;
    f->capacity = capacity;
    return true;
}

static void sample_add(fragments_reader *f, media_sample s, uint32_t flags)
{
    s.sync = !(flags & SAMPLE_IS_NOT_SYNC);
    s.kind = FRAME_OTHER;
    bool here = s.offset <= (uint64_t)f->text.len && s.bytes <= (uint64_t)f->text.len - s.offset;
    if (here && f->track->nal_length_bytes > 0)
        s.kind = avc_frame_kind(str_sub(f->text, (ptrdiff_t)s.offset, (ptrdiff_t)s.bytes), f->track->nal_length_bytes);
    f->out->complete = f->out->complete && here;
    f->out->samples[f->out->sample_count++] = s;
}

static bool run_read(fragments_reader *f, str body)
{
    reader r = rd_of(body);
    uint32_t flags = rd_u32(&r) & 0xffffff, count = rd_u32(&r), sizes = (flags & TRUN_DURATION ? 4u : 0) + (flags & TRUN_BYTES ? 4u : 0)
                                                                       + (flags & TRUN_FLAGS ? 4u : 0) + (flags & TRUN_LATER ? 4u : 0);
    uint64_t data = f->next_data;
    if (flags & TRUN_DATA_OFFSET)
        data = f->base + (uint64_t)(int64_t)(int32_t)rd_u32(&r);
    uint32_t first_flags = flags & TRUN_FIRST_FLAGS ? rd_u32(&r) : f->flags;
    if (r.bad || (sizes > 0 && count > (uint64_t)rd_left(&r) / sizes) || !samples_room(f, count))
        return false;
    for (uint32_t i = 0; i < count; i++) {
        media_sample s = {.time = f->time, .offset = data};
        s.duration = flags & TRUN_DURATION ? rd_u32(&r) : f->duration;
        s.bytes = flags & TRUN_BYTES ? rd_u32(&r) : f->bytes;
        uint32_t own = flags & TRUN_FLAGS ? rd_u32(&r) : i == 0 ? first_flags : f->flags;
        s.shown_later = flags & TRUN_LATER ? (int32_t)rd_u32(&r) : 0;
        if (f->time >> 62 || data >> 62)
            return false;
        sample_add(f, s, own);
        f->time += s.duration;
        data += s.bytes;
    }
    f->next_data = data;
    return !r.bad;
}

static bool header_read(fragments_reader *f, str body, uint64_t moof_at, uint32_t *track)
{
    reader r = rd_of(body);
    uint32_t flags = rd_u32(&r) & 0xffffff;
    *track = rd_u32(&r);
    f->base = flags & TFHD_BASE_OFFSET ? rd_u64(&r) : moof_at;
    if (flags & TFHD_DESCRIPTION)
        rd_skip(&r, 4);
    f->duration = flags & TFHD_DURATION ? rd_u32(&r) : f->track->default_duration;
    f->bytes = flags & TFHD_BYTES ? rd_u32(&r) : f->track->default_bytes;
    f->flags = flags & TFHD_FLAGS ? rd_u32(&r) : f->track->default_flags;
    f->next_data = f->base;
    return !r.bad && f->base >> 62 == 0;
}

static bool traf_read(fragments_reader *f, str traf, uint64_t moof_at, bool *ours)
{
    box tfhd, tfdt, b;
    uint32_t track;
    *ours = false;
    if (!box_find(traf, BOX_TYPE('t', 'f', 'h', 'd'), &tfhd) || !header_read(f, tfhd.body, moof_at, &track))
        return false;
    if (track != f->track->id)
        return true;
    *ours = true;
    if (box_find(traf, BOX_TYPE('t', 'f', 'd', 't'), &tfdt)) {
        reader r = rd_of(tfdt.body);
        bool wide = rd_u8(&r) == 1;
        rd_skip(&r, 3);
        f->time = wide ? rd_u64(&r) : rd_u32(&r);
        if (r.bad || f->time >> 62)
            return false;
    }
    reader r = rd_of(traf);
    while (box_next(&r, &b))
        if (b.type == BOX_TYPE('t', 'r', 'u', 'n') && !run_read(f, b.body))
            return false;
    return !r.bad;
}

static bool moof_read(fragments_reader *f, const box *moof)
{
    box b, mfhd;
    uint32_t sequence = 0;
    bool ours, any = false;
    if (box_find(moof->body, BOX_TYPE('m', 'f', 'h', 'd'), &mfhd)) {
        reader r = rd_of(str_from(mfhd.body, 4));
        sequence = rd_u32(&r);
    }
    reader r = rd_of(moof->body);
    while (box_next(&r, &b)) {
        if (b.type != BOX_TYPE('t', 'r', 'a', 'f'))
            continue;
        if (!traf_read(f, b.body, moof->offset, &ours))
            return false;
        any = any || ours;
    }
    if (any && f->out->fragment_count++ == 0)
        f->out->sequence = sequence;
    return !r.bad && f->out->fragment_count <= BOX_FRAGMENTS_MAX;
}

static void summary_fill(media_fragments *out)
{
    const media_sample *first = &out->samples[0], *last = &out->samples[out->sample_count - 1];
    out->start = first->time;
    out->duration = last->time + last->duration - first->time;
    out->starts_with_sync = first->sync;
    out->shown_start = UINT64_MAX;
    for (int i = 0; i < out->sample_count; i++) {
        const media_sample *s = &out->samples[i];
        int64_t shown = (int64_t)s->time + s->shown_later;
        uint64_t at = shown < 0 ? 0 : (uint64_t)shown;
        out->shown_start = at < out->shown_start ? at : out->shown_start;
    }
}

bool fragments_read(str text, const media_track *track, media_fragments *out, arena *a)
{
    *out = (media_fragments){.track = track->id, .complete = true};
    fragments_reader f = {.text = text, .track = track, .out = out, .a = a};
    reader r = rd_of(text);
    box b;
    while (box_next(&r, &b))
        if (b.type == BOX_TYPE('m', 'o', 'o', 'f') && !moof_read(&f, &b))
            return false;
    bool cut = r.bad;                                    // the last box is not whole: what stands before it still counts
    if (out->sample_count == 0)
        return false;
    out->complete = out->complete && !cut;
    summary_fill(out);
    return true;
}

const char *segment_check(str text, const media_track *track, uint64_t start, uint64_t duration, arena *a)
{
    media_fragments f;
    reader r = rd_of(text);
    box b;
    bool has_media = false;
    while (box_next(&r, &b)) {
        bool data = b.type == BOX_TYPE('m', 'o', 'o', 'f') || b.type == BOX_TYPE('m', 'd', 'a', 't');
        has_media = has_media || data;
        if (has_media && (b.type == BOX_TYPE('s', 't', 'y', 'p') || b.type == BOX_TYPE('m', 'o', 'o', 'v')))
            return "a new beginning in the middle";
    }
    if (r.bad)
        return "it ends in the middle of a box";
    if (!fragments_read(text, track, &f, a))
        return "no fragment of this track, or a broken one";
    if (!f.complete)
        return "samples point outside it";
    if (!f.starts_with_sync)
        return "it does not begin with a sync sample";
    uint64_t frame = f.samples[0].duration, late = f.start > start ? f.start - start : start - f.start;
    if (late > frame)
        return "it begins at another time";
    if ((f.duration > duration ? f.duration - duration : duration - f.duration) > frame)
        return "it lasts longer or shorter";
    return NULL;
}
