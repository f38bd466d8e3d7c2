#include "wire/media/hls.h"

#include "wire/media/segment_url.h"

enum { HLS_VERSION = 7, URL_ARENA_BYTES = 256 * 1024 };

static str playlist_of(const media_rendition *r, arena *a)
{
    return r->playlist.len > 0 ? r->playlist : str_format(a, STR_FMT "/playlist.m3u8", STR_ARG(r->id));
}

// name="value": a quoted string, in which quotes and line ends cannot be said (RFC 8216 section 4.2).
static void quoted_put(buf *out, const char *name, str value)
{
    buf_format(out, "%s=\"", name);
    for (ptrdiff_t i = 0; i < value.len; i++)
        buf_put_byte(out, value.at[i] == '"' || value.at[i] < 0x20 ? '_' : value.at[i]);
    buf_put_byte(out, '"');
}

// Where the playlist of this rendition is as seen from base b: absolute, or relative to the manifest when the base
// is where it is.
static str url_at_base(const media_presentation *p, int b, str url, arena *a)
{
    if (p->base_count < 2 || media_url_is_absolute(url))
        return url;
    str base = p->bases[b].url;
    str absolute = media_url_resolve(base, url, a);
    return absolute.len > 0 ? absolute : str_join(a, str_first(base, str_rfind(base, '/') + 1), url);
}

// ---- the multivariant playlist ------------------------------------------------------------------------------------------------

static const media_rendition *loudest(const media_presentation *p)
{
    const media_rendition *most = NULL;
    for (int i = 0; i < p->rendition_count; i++) {
        const media_rendition *r = &p->renditions[i];
        if (r->kind == MEDIA_AUDIO && (!most || r->peak_bps > most->peak_bps))
            most = r;
    }
    return most;
}

static bool has_video(const media_presentation *p)
{
    for (int i = 0; i < p->rendition_count; i++)
        if (p->renditions[i].kind == MEDIA_VIDEO)
            return true;
    return false;
}

static void group_put(buf *out, const char *name, const media_presentation *p, int b)
{
    buf_format(out, p->base_count > 1 ? ",%s=\"audio%d\"" : ",%s=\"audio\"", name, b + 1);
}

static void audio_group_put(buf *out, const media_presentation *p, int b, arena *a)
{
    bool first = true;
    for (int i = 0; i < p->rendition_count; i++) {
        const media_rendition *r = &p->renditions[i];
        if (r->kind != MEDIA_AUDIO)
            continue;
        buf_put(out, S("#EXT-X-MEDIA:TYPE=AUDIO"));
        group_put(out, "GROUP-ID", p, b);
        quoted_put(out, ",NAME", r->language.len > 0 ? r->language : r->id);
        if (r->language.len > 0)
            quoted_put(out, ",LANGUAGE", r->language);
        buf_put(out, first ? S(",DEFAULT=YES,AUTOSELECT=YES") : S(",DEFAULT=NO,AUTOSELECT=YES"));
        if (r->channels > 0)
            buf_format(out, ",CHANNELS=\"%u\"", r->channels);
        quoted_put(out, ",URI", url_at_base(p, b, playlist_of(r, a), a));
        buf_put_byte(out, '\n');
        first = false;
    }
}

static void variant_put(buf *out, const media_presentation *p, const media_rendition *r, int b, arena *a)
{
    const media_rendition *audio = r->kind == MEDIA_VIDEO ? loudest(p) : NULL;
    uint64_t peak = r->peak_bps + (audio ? audio->peak_bps : 0), average = r->average_bps + (audio ? audio->average_bps : 0);
    buf_format(out, "#EXT-X-STREAM-INF:BANDWIDTH=%llu", (unsigned long long)peak);
    if (r->average_bps > 0)
        buf_format(out, ",AVERAGE-BANDWIDTH=%llu", (unsigned long long)average);
    str codecs = audio ? str_format(a, STR_FMT "," STR_FMT, STR_ARG(r->codecs), STR_ARG(audio->codecs)) : r->codecs;
    quoted_put(out, ",CODECS", codecs);
    if (r->width > 0 && r->height > 0)
        buf_format(out, ",RESOLUTION=%ux%u", r->width, r->height);
    if (r->frames_number > 0 && r->frames_in > 0) {
        uint64_t thousandths = ((uint64_t)r->frames_number * 1000 + r->frames_in / 2) / r->frames_in;
        buf_format(out, ",FRAME-RATE=%llu.%03d", (unsigned long long)(thousandths / 1000), (int)(thousandths % 1000));
    }
    if (audio)
        group_put(out, "AUDIO", p, b);
    if (p->base_count > 1)
        quoted_put(out, ",PATHWAY-ID", p->bases[b].location);
    buf_put_byte(out, '\n');
    buf_put(out, url_at_base(p, b, playlist_of(r, a), a));
    buf_put_byte(out, '\n');
}

static void images_put(buf *out, const media_presentation *p, arena *a)
{
    for (int i = 0; i < p->rendition_count; i++) {
        const media_rendition *r = &p->renditions[i];
        if (r->kind != MEDIA_IMAGES)
            continue;
        buf_format(out, "#EXT-X-IMAGE-STREAM-INF:BANDWIDTH=%llu", (unsigned long long)r->peak_bps);
        if (r->width > 0 && r->tiles_across > 0 && r->tiles_down > 0)
            buf_format(out, ",RESOLUTION=%ux%u", r->width / r->tiles_across, r->height / r->tiles_down);
        quoted_put(out, ",CODECS", S("jpeg"));
        quoted_put(out, ",URI", playlist_of(r, a));
        buf_put_byte(out, '\n');
    }
}

bool hls_master_write(const media_presentation *p, buf *out)
{
    arena a = arena_make(URL_ARENA_BYTES);
    buf_format(out, "#EXTM3U\n#EXT-X-VERSION:%d\n#EXT-X-INDEPENDENT-SEGMENTS\n", HLS_VERSION);
    if (p->steering_url.len > 0) {
        quoted_put(out, "#EXT-X-CONTENT-STEERING:SERVER-URI", p->steering_url);
        if (p->steering_default.len > 0)
            quoted_put(out, ",PATHWAY-ID", p->steering_default);
        buf_put_byte(out, '\n');
    }
    bool video = has_video(p);
    for (int b = 0; b < (p->base_count > 1 ? p->base_count : 1); b++) {
        if (video)
            audio_group_put(out, p, b, &a);
        for (int i = 0; i < p->rendition_count; i++)
            if (p->renditions[i].kind == (video ? MEDIA_VIDEO : MEDIA_AUDIO)) {
                variant_put(out, p, &p->renditions[i], b, &a);
            }
    }
    images_put(out, p, &a);
    bool good = !a.full && !out->full;
    arena_free(&a);
    return good;
}

// ---- media playlists --------------------------------------------------------------------------------------------------------------

static void seconds_put(buf *out, uint64_t units, uint32_t timescale)
{
    uint64_t micros = units / timescale * 1000000 + (units % timescale * 1000000 + timescale / 2) / timescale;
    buf_format(out, "#EXTINF:%llu.%06d,\n", (unsigned long long)(micros / 1000000), (int)(micros % 1000000));
}

// The longest segment in whole seconds, rounded to the nearest (RFC 8216 section 4.3.3.1: no rounded duration may
// exceed it).
static uint64_t target_seconds(const media_rendition *r)
{
    uint64_t longest = 1;
    for (int i = 0; i < r->segment_count; i++) {
        uint64_t rounded = (r->segments[i].duration + r->timescale / 2) / r->timescale;
        longest = rounded > longest ? rounded : longest;
    }
    return longest;
}

static void map_put(buf *out, const media_rendition *r, bool ranges, str folder, arena *a)
{
    media_request start = media_initialization_request(r, a);
    quoted_put(out, "#EXT-X-MAP:URI", media_url_relative(folder, ranges ? r->whole : start.url, a));
    if (ranges)
        buf_format(out, ",BYTERANGE=\"%llu@0\"", (unsigned long long)r->initialization_bytes);
    buf_put_byte(out, '\n');
}

// Each segment of images is one sheet: its tiles share its time.
static void tiles_put(buf *out, const media_rendition *r, const media_segment *s)
{
    uint64_t each_ms = media_ms(s->duration, r->timescale) / r->tiles_across / r->tiles_down;
    buf_format(out, "#EXT-X-TILES:RESOLUTION=%ux%u,LAYOUT=%ux%u,DURATION=%llu.%03d\n", r->width / r->tiles_across,
               r->height / r->tiles_down, r->tiles_across, r->tiles_down, (unsigned long long)(each_ms / 1000), (int)(each_ms % 1000));
}

bool hls_media_write(const media_rendition *r, hls_shape shape, buf *out)
{
    bool ranges = shape == HLS_BYTE_RANGES;
    if (r->timescale == 0 || (ranges && r->whole.len == 0))
        return false;
    arena a = arena_make(URL_ARENA_BYTES), line = arena_make(URL_ARENA_BYTES);
    str playlist = playlist_of(r, &a), folder = str_first(playlist, str_rfind(playlist, '/') + 1);
    buf_format(out, "#EXTM3U\n#EXT-X-VERSION:%d\n#EXT-X-TARGETDURATION:%llu\n#EXT-X-MEDIA-SEQUENCE:%u\n#EXT-X-PLAYLIST-TYPE:VOD\n",
               HLS_VERSION, (unsigned long long)target_seconds(r), ranges ? 1 : r->first_number);
    if (r->kind == MEDIA_IMAGES)
        buf_put(out, S("#EXT-X-IMAGES-ONLY\n"));
    else
        buf_put(out, S("#EXT-X-INDEPENDENT-SEGMENTS\n"));
    if (r->kind != MEDIA_IMAGES)
        map_put(out, r, ranges, folder, &a);
    for (int i = 0; i < r->segment_count && !line.full; i++) {
        const media_segment *s = &r->segments[i];
        str url = ranges ? r->whole : media_segment_request(r, i, &line).url;
        seconds_put(out, s->duration, r->timescale);
        if (r->kind == MEDIA_IMAGES && r->tiles_across > 0 && r->tiles_down > 0)
            tiles_put(out, r, s);
        if (ranges)
            buf_format(out, "#EXT-X-BYTERANGE:%llu@%llu\n", (unsigned long long)s->bytes, (unsigned long long)s->offset);
        buf_put(out, media_url_relative(folder, url, &line));
        buf_put_byte(out, '\n');
        arena_reset(&line);
    }
    buf_put(out, S("#EXT-X-ENDLIST\n"));
    bool good = !a.full && !line.full && !out->full;
    arena_free(&a);
    arena_free(&line);
    return good;
}
