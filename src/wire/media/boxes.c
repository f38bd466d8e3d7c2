#include "wire/media/boxes.h"

enum { BOX_HEADER_BYTES = 8, BOX_LARGE_HEADER_BYTES = 16, CHILDREN_MAX = 4096 };

bool box_next(reader *r, box *out)
{
    if (r->bad || rd_left(r) == 0)
        return false;
    *out = (box){.offset = (uint64_t)rd_at(r)};
    uint64_t header = BOX_HEADER_BYTES;
    out->bytes = rd_u32(r);
    out->type = rd_u32(r);
    if (out->bytes == 1) {                               // the size stands behind, in 64 bits
        out->bytes = rd_u64(r);
        header = BOX_LARGE_HEADER_BYTES;
    } else if (out->bytes == 0) {                        // through the end
        out->bytes = header + (uint64_t)rd_left(r);
    }
    if (r->bad || out->bytes < header || out->bytes - header > (uint64_t)rd_left(r)) {
        r->bad = true;
        return false;
    }
    out->body = rd_bytes(r, (size_t)(out->bytes - header));
    return true;
}

bool box_find(str body, uint32_t type, box *out)
{
    reader r = rd_of(body);
    for (int n = 0; n < CHILDREN_MAX && box_next(&r, out); n++)
        if (out->type == type)
            return true;
    return false;
}

// What is reached by a way of types from body, each the first of its kind; false when one is not there.
static bool box_reach(str body, const uint32_t *types, int count, box *out)
{
    for (int i = 0; i < count; i++) {
        if (!box_find(body, types[i], out))
            return false;
        body = out->body;
    }
    return true;
}

// ---- sample entries -------------------------------------------------------------------------------------------------------

static str type_text(uint32_t type, arena *a)
{
    unsigned char letters[4];
    for (int i = 0; i < 4; i++) {
        unsigned char c = (unsigned char)(type >> (24 - 8 * i));
        letters[i] = is_alnum(c) ? c : '.';
    }
    return str_copy(a, str_of(letters, 4));
}

// avcC (ISO/IEC 14496-15 section 5.3.3): profile, its constraints, level; the length of NAL lengths.
static void avc_read(str entry_boxes, str name, media_track *t, arena *a)
{
    box avcc;
    if (!box_find(entry_boxes, BOX_TYPE('a', 'v', 'c', 'C'), &avcc) || avcc.body.len < 7)
        return;
    const unsigned char *b = avcc.body.at;
    t->codecs = str_format(a, STR_FMT ".%02x%02x%02x", STR_ARG(name), b[1], b[2], b[3]);
    t->nal_length_bytes = (b[4] & 3) + 1;
}

// A descriptor of MPEG-4 systems (ISO/IEC 14496-1 section 8.3.3): tag, size in up to four bytes of seven bits,
// content.
static str descriptor_next(reader *r, uint8_t *tag)
{
    uint32_t size = 0;
    *tag = rd_u8(r);
    for (int n = 0; n < 4; n++) {
        uint8_t byte = rd_u8(r);
        size = size << 7 | (byte & 0x7f);
        if (!(byte & 0x80))
            break;
    }
    return rd_bytes(r, size);
}

// The content of the first descriptor with this tag.
static bool descriptor_find(str text, uint8_t wanted, str *out)
{
    reader r = rd_of(text);
    uint8_t tag;
    for (int n = 0; n < 16 && rd_left(&r) > 1; n++) {
        *out = descriptor_next(&r, &tag);
        if (r.bad)
            return false;
        if (tag == wanted)
            return true;
    }
    return false;
}

// esds: "mp4a.40.2" from the object type and the first bits of the decoder's own words (section 1.6.2.1 of
// 14496-3).
static void esds_read(str entry_boxes, media_track *t, arena *a)
{
    enum { ES = 3, DECODER_CONFIG = 4, DECODER_SPECIFIC = 5, ES_HEAD_BYTES = 3, DECODER_HEAD_BYTES = 13 };
    box esds;
    str es, config, specific;
    if (!box_find(entry_boxes, BOX_TYPE('e', 's', 'd', 's'), &esds))
        return;
    if (!descriptor_find(str_from(esds.body, 4), ES, &es) || es.len < ES_HEAD_BYTES)
        return;
    uint8_t flags = es.at[2];
    ptrdiff_t skip = ES_HEAD_BYTES + (flags & 0x80 ? 2 : 0);
    if (flags & 0x40)
        skip += 1 + (skip < es.len ? es.at[skip] : 0);
    skip += flags & 0x20 ? 2 : 0;
    if (!descriptor_find(str_from(es, skip), DECODER_CONFIG, &config) || config.len < DECODER_HEAD_BYTES)
        return;
    t->codecs = str_format(a, "mp4a.%02x", config.at[0]);
    if (!descriptor_find(str_from(config, DECODER_HEAD_BYTES), DECODER_SPECIFIC, &specific) || specific.len < 2)
        return;
    int object = specific.at[0] >> 3;
    if (object == 31)
        object = 32 + ((specific.at[0] & 7) << 3 | specific.at[1] >> 5);
    t->codecs = str_format(a, "mp4a.%02x.%d", config.at[0], object);
    int rate_index = (specific.at[0] & 7) << 1 | specific.at[1] >> 7, channels = specific.at[1] >> 3 & 15;
    if (object < 31 && rate_index < 15 && channels >= 1 && channels <= 6)
        t->channels = (uint32_t)channels;                // what the sample entry says is often a habitual 2
}

static void sample_entry_read(const box *entry, media_track *t, arena *a)
{
    enum { VISUAL_BYTES = 78, AUDIO_BYTES = 28 };
    reader r = rd_of(entry->body);
    t->codecs = type_text(entry->type, a);
    if (t->kind == MEDIA_VIDEO) {
        rd_skip(&r, 24);
        t->width = rd_u16(&r);
        t->height = rd_u16(&r);
        rd_skip(&r, VISUAL_BYTES - 28);
        if (!r.bad)
            avc_read(rd_rest(&r), t->codecs, t, a);
        return;
    }
    rd_skip(&r, 16);
    t->channels = rd_u16(&r);
    rd_skip(&r, 6);
    t->sampling_hz = rd_u32(&r) >> 16;
    if (!r.bad && rd_at(&r) == AUDIO_BYTES)
        esds_read(rd_rest(&r), t, a);
}

// ---- tracks ---------------------------------------------------------------------------------------------------------------

// Skips what full boxes of version 0 and 1 have in two widths: creation and modification times.
static uint8_t times_skip(reader *r)
{
    uint8_t version = rd_u8(r);
    rd_skip(r, 3);
    rd_skip(r, version == 1 ? 16 : 8);
    return version;
}

static void language_read(uint32_t code, media_track *t, arena *a)
{
    unsigned char letters[3] = {(unsigned char)((code >> 10 & 31) + 0x60), (unsigned char)((code >> 5 & 31) + 0x60),
                                (unsigned char)((code & 31) + 0x60)};
    str three = str_of(letters, 3);
    bool letters_all = is_alpha(letters[0]) && is_alpha(letters[1]) && is_alpha(letters[2]);
    t->language = letters_all && !str_eq(three, S("und")) ? str_copy(a, three) : (str){0};
}

static bool track_header_read(str trak, media_track *t)
{
    box tkhd;
    if (!box_find(trak, BOX_TYPE('t', 'k', 'h', 'd'), &tkhd))
        return false;
    reader r = rd_of(tkhd.body);
    times_skip(&r);
    t->id = rd_u32(&r);
    return !r.bad && t->id != 0;
}

static bool track_read(str trak, media_track *t, arena *a)
{
    static const uint32_t to_media[] = {BOX_TYPE('m', 'd', 'i', 'a')};
    static const uint32_t to_entries[] = {BOX_TYPE('m', 'i', 'n', 'f'), BOX_TYPE('s', 't', 'b', 'l'), BOX_TYPE('s', 't', 's', 'd')};
    box media, mdhd, hdlr, stsd, entry;
    if (!track_header_read(trak, t) || !box_reach(trak, to_media, 1, &media)
        || !box_find(media.body, BOX_TYPE('m', 'd', 'h', 'd'), &mdhd) || !box_find(media.body, BOX_TYPE('h', 'd', 'l', 'r'), &hdlr)
        || !box_reach(media.body, to_entries, 3, &stsd))
        return false;
    reader r = rd_of(mdhd.body);
    uint8_t version = times_skip(&r);
    t->timescale = rd_u32(&r);
    rd_skip(&r, version == 1 ? 8 : 4);
    language_read(rd_u16(&r), t, a);
    reader h = rd_of(hdlr.body);
    rd_skip(&h, 8);
    uint32_t handler = rd_u32(&h);
    t->kind = handler == BOX_TYPE('v', 'i', 'd', 'e') ? MEDIA_VIDEO : handler == BOX_TYPE('s', 'o', 'u', 'n') ? MEDIA_AUDIO : MEDIA_IMAGES;
    reader s = rd_of(stsd.body);
    rd_skip(&s, 8);
    if (r.bad || h.bad || t->timescale == 0 || !box_next(&s, &entry))
        return false;
    if (t->kind != MEDIA_IMAGES)
        sample_entry_read(&entry, t, a);
    return true;
}

// mvex: what samples of fragments are unless their fragment says otherwise.
static void extends_read(str moov, media_movie *m, arena *a)
{
    (void)a;
    box mvex, b;
    if (!box_find(moov, BOX_TYPE('m', 'v', 'e', 'x'), &mvex))
        return;
    m->fragmented = true;
    reader r = rd_of(mvex.body);
    for (int n = 0; n < CHILDREN_MAX && box_next(&r, &b); n++) {
        reader x = rd_of(b.body);
        rd_skip(&x, 4);
        uint32_t id = rd_u32(&x);
        rd_skip(&x, 4);
        uint32_t duration = rd_u32(&x), bytes = rd_u32(&x), flags = rd_u32(&x);
        for (int i = 0; b.type == BOX_TYPE('t', 'r', 'e', 'x') && !x.bad && i < m->track_count; i++)
            if (m->tracks[i].id == id) {
                m->tracks[i].default_duration = duration;
                m->tracks[i].default_bytes = bytes;
                m->tracks[i].default_flags = flags;
            }
    }
}

static void movie_duration_read(str moov, media_movie *m)
{
    static const uint32_t way[] = {BOX_TYPE('m', 'v', 'e', 'x'), BOX_TYPE('m', 'e', 'h', 'd')};
    box mvhd, mehd;
    if (!box_find(moov, BOX_TYPE('m', 'v', 'h', 'd'), &mvhd))
        return;
    reader r = rd_of(mvhd.body);
    bool wide = times_skip(&r) == 1;
    uint32_t timescale = rd_u32(&r);
    uint64_t duration = wide ? rd_u64(&r) : rd_u32(&r);
    if (duration == 0 && box_reach(moov, way, 2, &mehd)) {
        reader e = rd_of(mehd.body);
        wide = rd_u8(&e) == 1;
        rd_skip(&e, 3);
        duration = wide ? rd_u64(&e) : rd_u32(&e);
    }
    if (!r.bad && timescale > 0 && duration >> 50 == 0)
        m->duration_ms = media_ms(duration, timescale);
}

bool movie_read(str text, media_movie *out, arena *a)
{
    box moov, trak;
    *out = (media_movie){0};
    if (!box_find(text, BOX_TYPE('m', 'o', 'o', 'v'), &moov))
        return false;
    out->bytes = moov.offset + moov.bytes;
    reader r = rd_of(moov.body);
    for (int n = 0; n < CHILDREN_MAX && box_next(&r, &trak); n++) {
        media_track t = {0};
        if (trak.type != BOX_TYPE('t', 'r', 'a', 'k'))
            continue;
        if (out->track_count == BOX_TRACKS_MAX || !track_read(trak.body, &t, a))
            return false;
        out->tracks[out->track_count++] = t;
    }
    extends_read(moov.body, out, a);
    movie_duration_read(moov.body, out);
    return !r.bad && !a->full && out->track_count > 0;
}
