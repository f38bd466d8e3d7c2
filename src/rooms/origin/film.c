#include "rooms/origin/film.h"

#include "rt/json_text.h"

bool film_id_valid(str id)
{
    if (id.len == 0 || id.len > FILM_ID_BYTES_MAX || id.at[0] == '-' || id.at[id.len - 1] == '-')
        return false;
    for (ptrdiff_t i = 0; i < id.len; i++) {
        bool good = is_digit(id.at[i]) || (id.at[i] >= 'a' && id.at[i] <= 'z') || (id.at[i] == '-' && id.at[i - 1] != '-');
        if (!good)
            return false;
    }
    return true;
}

str film_id_from(str text, arena *a)
{
    ptrdiff_t dot = str_rfind(text, '.');
    str from = dot > 0 && text.len - dot <= 6 ? str_first(text, dot) : text;
    buf out = buf_make(FILM_ID_BYTES_MAX);
    bool dash = false;
    for (ptrdiff_t i = 0; i < from.len; i++) {
        unsigned char c = lower(from.at[i]);
        if (!is_alnum(c)) {
            dash = true;
            continue;
        }
        if (dash && out.len)
            buf_put_byte(&out, '-');
        dash = false;
        buf_put_byte(&out, c);
    }
    while (out.len && out.at[out.len - 1] == '-')
        out.len--;
    str id = str_copy(a, buf_str(&out));
    buf_free(&out);
    return id;
}

int64_t film_bytes(const film *f)
{
    uint64_t bytes = 0;
    for (int i = 0; i < f->presentation.rendition_count; i++) {
        const media_rendition *r = &f->presentation.renditions[i];
        bytes += r->initialization_bytes + r->index_bytes;
        for (int k = 0; k < r->segment_count; k++)
            bytes += r->segments[k].bytes;
    }
    return (int64_t)bytes;
}

// ---- writing ----------------------------------------------------------------------------------------------------------

static void put_text(buf *out, const char *before, str text)
{
    buf_put(out, str_z(before));
    json_put(out, text);
}

static void put_frames(buf *out, const film_frames kinds[FILM_FRAME_KINDS])
{
    static const char *const names[FILM_FRAME_KINDS] = {"I", "P", "B"};
    for (int k = 0; k < FILM_FRAME_KINDS; k++)
        buf_format(out, "%s\"%s\": {\"count\": %lld, \"bytes\": %lld}", k ? ", " : ", \"frames\": {", names[k],
                   (long long)kinds[k].count,
                   (long long)kinds[k].bytes);
    buf_put_byte(out, '}');
}

static void put_rendition(buf *out, const media_rendition *r, const film_frames kinds[FILM_FRAME_KINDS])
{
    static const char *const kind_names[] = {"video", "audio", "images"};
    put_text(out, "{\"id\": ", r->id);
    buf_format(out, ", \"kind\": \"%s\"", kind_names[r->kind]);
    put_text(out, ", \"codecs\": ", r->codecs);
    if (r->kind == MEDIA_AUDIO)
        buf_format(out, ", \"sampling_hz\": %u, \"channels\": %u", r->sampling_hz, r->channels);
    else
        buf_format(out, ", \"width\": %u, \"height\": %u", r->width, r->height);
    if (r->kind == MEDIA_VIDEO)
        buf_format(out, ", \"frame_rate\": [%u, %u]", r->frames_number, r->frames_in);
    if (r->kind == MEDIA_IMAGES)
        buf_format(out, ", \"across\": %u, \"down\": %u", r->tiles_across, r->tiles_down);
    buf_format(out, ", \"timescale\": %u, \"initialization_bytes\": %llu, \"index_bytes\": %llu, \"peak_bps\": "
                    "%llu, \"average_bps\": %llu", r->timescale,
               (unsigned long long)r->initialization_bytes, (unsigned long long)r->index_bytes,
                   (unsigned long long)r->peak_bps,
               (unsigned long long)r->average_bps);
    if (r->kind == MEDIA_VIDEO)
        put_frames(out, kinds);
    buf_put(out, S(",\n   \"segments\": ["));
    for (int i = 0; i < r->segment_count; i++)
        buf_format(out, "%s[%llu, %llu]", i ? ", " : "", (unsigned long long)r->segments[i].duration,
                   (unsigned long long)r->segments[i].bytes);
    buf_put(out, S("]}"));
}

bool film_write(const film *f, buf *out)
{
    const media_presentation *p = &f->presentation;
    put_text(out, "{\"format\": 1, \"id\": ", f->id);
    put_text(out, ", \"version\": ", f->version);
    put_text(out, ", \"title\": ", p->title);
    buf_format(out, ",\n \"added\": %lld, \"duration_ms\": %llu, \"segment_ms\": %u, \"rate\": \"%s\"", (long long)f->added_s,
               (unsigned long long)p->duration_ms, p->segment_ms_max, f->constant ? "cbr" : "vbr");
    put_text(out, ", \"source\": ", f->source);
    buf_format(out, ", \"source_bytes\": %lld,\n \"renditions\": [", (long long)f->source_bytes);
    for (int i = 0; i < p->rendition_count; i++) {
        buf_put(out, i ? S(",\n  ") : S("\n  "));
        put_rendition(out, &p->renditions[i], f->frames[i]);
    }
    return buf_put(out, S("\n ]}\n"));
}
