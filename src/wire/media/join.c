#include "wire/media/join.h"

#include <string.h>

enum { TFHD_BASE_OFFSET = 1, TRUN_DATA_OFFSET = 1, TRUN_FIRST_FLAGS = 4, TRUN_DURATION = 0x100, TRUN_BYTES = 0x200 };

static void u32_put(unsigned char *at, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        at[i] = (unsigned char)(value >> (24 - 8 * i));
}

static uint32_t u32_get(const unsigned char *at) { return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3]; }

// ---- the beginning ---------------------------------------------------------------------------------------------------------------

// Opens a box whose size is written by box_close.
static size_t box_open(buf *out, const char *type)
{
    size_t at = out->len;
    buf_put(out, S("\0\0\0\0"));
    buf_put(out, str_of(type, 4));
    return at;
}

static void box_close(buf *out, size_t at)
{
    if (!out->full)
        u32_put(out->at + at, (uint32_t)(out->len - at));
}

// A whole box, its header included, as it stands.
static str box_whole(str around, const box *b) { return str_sub(around, (ptrdiff_t)b->offset, (ptrdiff_t)b->bytes); }

static bool box_copy(str around, const box *b, buf *out) { return buf_put(out, box_whole(around, b)); }

// A box copied with four bytes of its body changed.
static bool box_copy_with(str around, const box *b, size_t at, uint32_t value, buf *out)
{
    size_t header = (size_t)b->bytes - (size_t)b->body.len, start = out->len;
    if (at + 4 > (size_t)b->body.len || !box_copy(around, b, out))
        return false;
    u32_put(out->at + start + header + at, value);
    return true;
}

static bool track_copy(str moov, uint32_t number, buf *out)
{
    box trak, b;
    if (!box_find(moov, BOX_TYPE('t', 'r', 'a', 'k'), &trak))
        return false;
    size_t at = box_open(out, "trak");
    reader r = rd_of(trak.body);
    bool found = false;
    while (box_next(&r, &b)) {
        bool head = b.type == BOX_TYPE('t', 'k', 'h', 'd');
        if (head ? !box_copy_with(trak.body, &b, b.body.len > 0 && b.body.at[0] == 1 ? 20 : 12, number, out) : !box_copy(trak.body, &b, out))
            return false;
        found = found || head;
    }
    box_close(out, at);
    return found && !r.bad;
}

static bool defaults_copy(str moov, uint32_t number, buf *out)
{
    box mvex, trex;
    return box_find(moov, BOX_TYPE('m', 'v', 'e', 'x'), &mvex) && box_find(mvex.body, BOX_TYPE('t', 'r', 'e', 'x'), &trex)
           && box_copy_with(mvex.body, &trex, 4, number, out);
}

static bool is_one_track(str text, box *moov)
{
    reader r;
    box b;
    int tracks = 0;
    if (!box_find(text, BOX_TYPE('m', 'o', 'o', 'v'), moov))
        return false;
    r = rd_of(moov->body);
    while (box_next(&r, &b))
        tracks += b.type == BOX_TYPE('t', 'r', 'a', 'k');
    return tracks == 1 && !r.bad;
}

bool join_begin(str video, str sound, buf *out)
{
    box moov, other, b;
    if (!is_one_track(video, &moov) || (sound.len > 0 && !is_one_track(sound, &other)))
        return false;
    if (box_find(video, BOX_TYPE('f', 't', 'y', 'p'), &b))
        box_copy(video, &b, out);
    size_t at = box_open(out, "moov");
    if (!box_find(moov.body, BOX_TYPE('m', 'v', 'h', 'd'), &b) || b.body.len < 8
        || !box_copy_with(moov.body, &b, (size_t)b.body.len - 4, sound.len > 0 ? 3 : 2, out) || !track_copy(moov.body, JOIN_VIDEO, out)
        || (sound.len > 0 && !track_copy(other.body, JOIN_AUDIO, out)))
        return false;
    size_t extends = box_open(out, "mvex");
    if (!defaults_copy(moov.body, JOIN_VIDEO, out) || (sound.len > 0 && !defaults_copy(other.body, JOIN_AUDIO, out)))
        return false;
    box_close(out, extends);
    box_close(out, at);
    return !out->full;
}

// ---- parameter sets ----------------------------------------------------------------------------------------------------------------

static bool avcc_find(str video, str *avcc)
{
    static const uint32_t way[] = {BOX_TYPE('m', 'o', 'o', 'v'), BOX_TYPE('t', 'r', 'a', 'k'), BOX_TYPE('m', 'd', 'i', 'a'),
                                   BOX_TYPE('m', 'i', 'n', 'f'), BOX_TYPE('s', 't', 'b', 'l'), BOX_TYPE('s', 't', 's', 'd')};
    enum { ENTRIES_HEAD_BYTES = 8, VISUAL_BYTES = 78 };
    box b = {.body = video};
    for (size_t i = 0; i < sizeof way / sizeof *way; i++)
        if (!box_find(b.body, way[i], &b))
            return false;
    reader r = rd_of(str_from(b.body, ENTRIES_HEAD_BYTES));
    if (!box_next(&r, &b) || !box_find(str_from(b.body, VISUAL_BYTES), BOX_TYPE('a', 'v', 'c', 'C'), &b))
        return false;
    *avcc = b.body;
    return true;
}

// ISO/IEC 14496-15 section 5.3.3.1.2: a count of SPS, each with two bytes of length; then the same of PPS.
str join_parameter_sets(str video, arena *a)
{
    str avcc;
    if (!avcc_find(video, &avcc) || avcc.len < 7 || (avcc.at[4] & 3) != 3)
        return (str){0};
    buf out = buf_make(JOIN_PARAMETER_BYTES_MAX);
    reader r = rd_of(str_from(avcc, 5));
    for (int list = 0; list < 2; list++)
        for (int n = rd_u8(&r) & (list ? 255 : 31); n > 0 && !r.bad; n--) {
            unsigned char length[4];
            str set = rd_bytes(&r, rd_u16(&r));
            u32_put(length, (uint32_t)set.len);
            buf_put(&out, str_of(length, 4));
            buf_put(&out, set);
        }
    str sets = r.bad || out.full ? (str){0} : str_copy(a, buf_str(&out));
    buf_free(&out);
    return sets;
}

// ---- fragments -------------------------------------------------------------------------------------------------------------------

// Where the parameter sets go: found in the fragment's first run of samples.
typedef struct { bool found; uint32_t data_offset; } insertion;

static bool run_patch(unsigned char *body, size_t len, uint32_t grow, insertion *where)
{
    if (len < 8)
        return false;
    uint32_t flags = u32_get(body) & 0xffffff;
    size_t at = 8;
    if (!(flags & TRUN_DATA_OFFSET))
        return true;                                     // goes on behind the run before it
    if (len < at + 4)
        return false;
    if (where->found) {
        u32_put(body + at, u32_get(body + at) + grow);
        return true;
    }
    size_t size_at = at + 4 + (flags & TRUN_FIRST_FLAGS ? 4 : 0) + (flags & TRUN_DURATION ? 4 : 0);
    if (grow > 0 && (!(flags & TRUN_BYTES) || len < size_at + 4 || u32_get(body + 4) == 0))
        return false;
    if (grow > 0)
        u32_put(body + size_at, u32_get(body + size_at) + grow);
    *where = (insertion){true, u32_get(body + at)};
    return true;
}

// Patches one moof in place (it is a copy).
static bool moof_patch(unsigned char *bytes, str moof, uint32_t track, uint32_t grow, uint32_t sequence, insertion *where)
{
    reader r = rd_of(moof);
    box b, inner;
    while (box_next(&r, &b)) {
        unsigned char *body = bytes + (b.body.at - moof.at);
        if (b.type == BOX_TYPE('m', 'f', 'h', 'd') && b.body.len >= 8)
            u32_put(body + 4, sequence);
        if (b.type != BOX_TYPE('t', 'r', 'a', 'f'))
            continue;
        reader t = rd_of(b.body);
        while (box_next(&t, &inner)) {
            unsigned char *inside = bytes + (inner.body.at - moof.at);
            if (inner.type == BOX_TYPE('t', 'f', 'h', 'd')) {
                if (inner.body.len < 8 || u32_get(inside) & TFHD_BASE_OFFSET)
                    return false;
                u32_put(inside + 4, track);
            }
            if (inner.type == BOX_TYPE('t', 'r', 'u', 'n') && !run_patch(inside, (size_t)inner.body.len, grow, where))
                return false;
        }
        if (t.bad)
            return false;
    }
    return !r.bad && where->found;
}

static bool data_copy(const box *mdat, str text, uint64_t moof_offset, str sets, const insertion *where, buf *out)
{
    uint64_t from = moof_offset + where->data_offset, body = mdat->offset + mdat->bytes - (uint64_t)mdat->body.len;
    if (from < body || from > body + (uint64_t)mdat->body.len || mdat->bytes > UINT32_MAX - JOIN_PARAMETER_BYTES_MAX)
        return false;
    ptrdiff_t before = (ptrdiff_t)(from - body);
    size_t at = out->len;
    buf_put(out, str_sub(text, (ptrdiff_t)mdat->offset, (ptrdiff_t)(body - mdat->offset)));
    buf_put(out, str_first(mdat->body, before));
    buf_put(out, sets);
    if (!buf_put(out, str_from(mdat->body, before)))
        return false;
    u32_put(out->at + at, (uint32_t)mdat->bytes + (uint32_t)sets.len);
    return true;
}

bool join_segment(str segment, uint32_t track, str parameter_sets, uint32_t *sequence, buf *out)
{
    reader r = rd_of(segment);
    box b, moof = {0};
    insertion where = {0};
    int fragments = 0;
    while (box_next(&r, &b)) {
        if (b.type == BOX_TYPE('m', 'o', 'o', 'f')) {
            size_t at = out->len, header = (size_t)b.bytes - (size_t)b.body.len;
            where = (insertion){0};
            moof = b;
            if (!buf_put(out, str_sub(segment, (ptrdiff_t)b.offset, (ptrdiff_t)b.bytes))
                || !moof_patch(out->at + at + header, b.body, track, (uint32_t)parameter_sets.len, ++*sequence, &where))
                return false;
        } else if (b.type == BOX_TYPE('m', 'd', 'a', 't') && moof.bytes > 0) {
            bool short_size = b.bytes - (uint64_t)b.body.len == 8;
            if (!short_size || !data_copy(&b, segment, moof.offset, parameter_sets, &where, out))
                return false;
            parameter_sets = (str){0};
            moof.bytes = 0;
            fragments++;
        }
    }
    return !r.bad && fragments > 0 && !out->full;
}
