#include "wire/media/hls.h"

#include "wire/media/segment_url.h"

enum { MICROS = 1000000, VARIANTS_MAX = MEDIA_RENDITIONS_MAX * MEDIA_BASES_MAX };

typedef struct {
    arena              *a;
    media_presentation *p;
    const char         *why;
} hls_reader;

static bool hls_fail(hls_reader *h, const char *why)
{
    if (!h->why)
        h->why = why;
    return false;
}

// The next line without its end; false at the end of the text.
static bool line_next(str *left, str *line)
{
    if (left->len == 0)
        return false;
    *line = str_cut(left, '\n');
    if (str_ends(*line, S("\r")))
        *line = str_first(*line, line->len - 1);
    return true;
}

// The value of an attribute in an attribute list (RFC 8216 section 4.2), without its quotes; empty when absent.
static str attribute(str list, str name)
{
    while (list.len > 0) {
        str key = str_trim(str_cut(&list, '=')), value;
        if (list.len > 0 && list.at[0] == '"') {
            list = str_from(list, 1);
            value = str_cut(&list, '"');
            str_cut(&list, ',');
        } else {
            value = str_cut(&list, ',');
        }
        if (str_eq(key, name))
            return value;
    }
    return (str){0};
}

static uint64_t attribute_number(str list, str name)
{
    uint64_t n;
    return str_to_u64(attribute(list, name), &n) ? n : 0;
}

// "12.345" in millionths; false: none, or above 2^32 seconds.
static bool decimal_read(str text, uint64_t *micros)
{
    str whole = str_cut(&text, '.');
    if (!str_to_u64(whole, micros) || *micros > UINT32_MAX)
        return false;
    *micros *= MICROS;
    uint64_t weight = MICROS / 10;
    for (ptrdiff_t i = 0; i < text.len; i++, weight /= 10) {
        if (!is_digit(text.at[i]))
            return false;
        *micros += (uint64_t)(text.at[i] - '0') * weight;
    }
    return true;
}

// "bytes[@offset]".
static bool range_read(str text, uint64_t *bytes, uint64_t *offset)
{
    str first = str_cut(&text, '@');
    return str_to_u64(first, bytes) && *bytes > 0 && *bytes >> 60 == 0
           && (text.len == 0 || (str_to_u64(text, offset) && *offset >> 60 == 0));
}

// url, as written in the playlist at `playlist`, seen from the manifest's place.
static str seen_from_manifest(str playlist, str url, arena *a)
{
    str folder = str_first(playlist, str_rfind(playlist, '/') + 1);
    if (media_url_is_absolute(url) || folder.len == 0)
        return url;
    if (media_url_is_absolute(playlist))
        return media_url_resolve(playlist, url, a);
    return str_starts(url, S("/")) ? url : str_join(a, folder, url);
}

// ---- media playlists --------------------------------------------------------------------------------------------------------------

typedef struct {
    uint64_t duration, bytes, offset;        // of the segment that comes next
    bool     has_duration, has_range, ended;
    uint64_t time, next_offset;              // in millionths; where a range without an offset begins
    int      capacity;
} media_state;

static bool segment_add(hls_reader *h, media_rendition *r, media_state *s, str url)
{
    if (!s->has_duration || url.len > MEDIA_URL_BYTES_MAX || r->segment_count == MEDIA_SEGMENTS_MAX)
        return hls_fail(h, "a segment without a duration, or too many");
    if (r->segment_count == s->capacity) {
        s->capacity = s->capacity ? s->capacity * 2 : 64;
        media_segment *larger = arena_array(h->a, media_segment, s->capacity);
        for (int i = 0; larger && i < r->segment_count; i++)
            larger[i] = r->segments[i];
        if (!larger)
            return hls_fail(h, "too large");
        r->segments = larger;
    }
    str seen = seen_from_manifest(r->playlist, url, h->a);
    r->segments[r->segment_count++] = (media_segment){s->time, s->duration, s->has_range ? s->bytes : 0, s->has_range ? s->offset : 0, seen};
    if (s->has_range)
        r->whole = seen;
    s->next_offset = s->offset + s->bytes;
    s->time += s->duration;
    s->has_duration = s->has_range = false;
    return true;
}

static bool map_read(hls_reader *h, media_rendition *r, str list)
{
    uint64_t bytes = 0, offset = 0;
    str range = attribute(list, S("BYTERANGE")), url = seen_from_manifest(r->playlist, attribute(list, S("URI")), h->a);
    if (url.len == 0 || r->initialization.len > 0 || r->initialization_bytes > 0)
        return hls_fail(h, "a second EXT-X-MAP, or one without a URI");
    if (range.len == 0) {
        r->initialization = url;
        return true;
    }
    if (!range_read(range, &bytes, &offset) || offset != 0)
        return hls_fail(h, "an EXT-X-MAP that does not begin at 0");
    r->whole = url;
    r->initialization_bytes = bytes;
    return true;
}

static bool media_tag(hls_reader *h, media_rendition *r, media_state *s, str line)
{
    str value = line, name = str_cut(&value, ':');
    if (str_eq(name, S("#EXTINF"))) {
        s->has_duration = decimal_read(str_trim(str_cut(&value, ',')), &s->duration);
        return (s->has_duration && s->duration > 0) || hls_fail(h, "an EXTINF that is no duration");
    }
    if (str_eq(name, S("#EXT-X-BYTERANGE"))) {
        s->offset = s->next_offset;
        s->has_range = range_read(value, &s->bytes, &s->offset);
        return s->has_range || hls_fail(h, "an EXT-X-BYTERANGE that is none");
    }
    if (str_eq(name, S("#EXT-X-MAP")))
        return map_read(h, r, value);
    if (str_eq(name, S("#EXT-X-KEY")) && !str_eq(attribute(value, S("METHOD")), S("NONE")))
        return hls_fail(h, "encrypted segments: not supported");
    s->ended = s->ended || str_eq(name, S("#EXT-X-ENDLIST"));
    return true;
}

static bool media_lines(hls_reader *h, str text, media_rendition *r)
{
    media_state s = {0};
    str line;
    r->segments = NULL;
    r->segment_count = 0;
    r->timescale = MICROS;
    r->first_number = 1;
    r->media = r->initialization = r->whole = (str){0};
    r->initialization_bytes = r->index_bytes = 0;
    for (bool first = true; line_next(&text, &line); first = false) {
        if (line.len > HLS_LINE_BYTES_MAX || (first && !str_eq(line, S("#EXTM3U"))))
            return hls_fail(h, "it is no playlist");
        bool good = str_starts(line, S("#EXT")) ? media_tag(h, r, &s, line)
                  : line.len == 0 || line.at[0] == '#' || segment_add(h, r, &s, line);
        if (!good)
            return false;
    }
    if (!s.ended)
        return hls_fail(h, "a live playlist: not supported");
    if (h->a->full)
        return hls_fail(h, "too large");
    return r->segment_count > 0 || hls_fail(h, "no segments");
}

bool hls_media_read(str text, media_rendition *r, arena *a, const char **why)
{
    hls_reader h = {.a = a};
    media_rendition read = *r;
    bool good = text.len <= HLS_BYTES_MAX ? media_lines(&h, text, &read) : hls_fail(&h, "too large");
    if (good)
        *r = read;
    else
        *why = h.why;
    return good;
}

// ---- multivariant playlists -----------------------------------------------------------------------------------------------------

static bool is_audio_codec(str codec) { return str_starts(codec, S("mp4a")) || str_starts(codec, S("ac-3")) || str_eq_nocase(codec, S("opus")); }

// Of "avc1.64001f,mp4a.40.2" the parts of one kind; all when it has none.
static str codecs_of(str codecs, bool audio)
{
    for (str rest = codecs; rest.len > 0;) {
        str one = str_trim(str_cut(&rest, ','));
        if (is_audio_codec(one) == audio)
            return one;
    }
    return codecs;
}

// A name that no other rendition has: a number of the kind.
static str id_for(hls_reader *h, media_kind kind)
{
    return str_format(h->a, "%c%d", kind == MEDIA_VIDEO ? 'v' : kind == MEDIA_AUDIO ? 'a' : 'i', h->p->rendition_count + 1);
}

// The base of a pathway: where its first playlist is. NULL when there are too many.
static media_base *pathway(hls_reader *h, str name, str url)
{
    media_presentation *p = h->p;
    for (int i = 0; i < p->base_count; i++)
        if (str_eq(p->bases[i].location, name))
            return &p->bases[i];
    if (p->base_count == MEDIA_BASES_MAX)
        return NULL;
    p->bases[p->base_count] = (media_base){name, url};
    return &p->bases[p->base_count++];
}

static media_rendition *rendition_add(hls_reader *h, media_rendition r)
{
    if (h->p->rendition_count == MEDIA_RENDITIONS_MAX) {
        hls_fail(h, "too many variants");
        return NULL;
    }
    r.mime_type = r.kind == MEDIA_VIDEO ? S("video/mp4") : r.kind == MEDIA_AUDIO ? S("audio/mp4") : S("image/jpeg");
    r.id = id_for(h, r.kind);
    h->p->renditions[h->p->rendition_count] = r;
    return &h->p->renditions[h->p->rendition_count++];
}

static bool media_add(hls_reader *h, str list)
{
    str url = attribute(list, S("URI"));
    if (!str_eq(attribute(list, S("TYPE")), S("AUDIO")) || url.len == 0)
        return true;
    if (url.len > MEDIA_URL_BYTES_MAX)
        return hls_fail(h, "a URL that is too long");
    uint64_t channels;
    media_rendition r = {.kind = MEDIA_AUDIO, .playlist = url, .language = attribute(list, S("LANGUAGE"))};
    str value = attribute(list, S("CHANNELS"));
    if (str_to_u64(str_cut(&value, '/'), &channels) && channels <= 64)
        r.channels = (uint32_t)channels;
    return rendition_add(h, r) != NULL;
}

static bool variant_add(hls_reader *h, str list, str url)
{
    if (url.len > MEDIA_URL_BYTES_MAX)
        return hls_fail(h, "a URL that is too long");
    str codecs = attribute(list, S("CODECS")), size = attribute(list, S("RESOLUTION")), width = str_cut(&size, 'x');
    bool audio_only = size.len == 0 && codecs.len > 0 && is_audio_codec(codecs_of(codecs, false));
    bool apart = attribute(list, S("AUDIO")).len > 0;
    uint64_t w = 0, t = 0, micros = 0;
    media_rendition r = {.kind = audio_only ? MEDIA_AUDIO : MEDIA_VIDEO, .playlist = url};
    r.codecs = apart ? codecs_of(codecs, audio_only) : codecs;
    r.peak_bps = attribute_number(list, S("BANDWIDTH"));
    r.average_bps = attribute_number(list, S("AVERAGE-BANDWIDTH"));
    if (str_to_u64(width, &w) && str_to_u64(size, &t) && w <= UINT32_MAX && t <= UINT32_MAX) {
        r.width = (uint32_t)w;
        r.height = (uint32_t)t;
    }
    if (decimal_read(attribute(list, S("FRAME-RATE")), &micros) && micros > 0 && micros / 1000 <= UINT32_MAX) {
        r.frames_number = (uint32_t)((micros + 500) / 1000);
        r.frames_in = 1000;
    }
    for (int i = 0; i < h->p->rendition_count; i++) {
        media_rendition *other = &h->p->renditions[i];
        if (apart && other->kind == MEDIA_AUDIO && other->codecs.len == 0)
            other->codecs = codecs_of(codecs, true);
        if (str_eq(other->playlist, url)) {              // the audio of the group as a variant of its own
            other->peak_bps = other->peak_bps ? other->peak_bps : r.peak_bps;
            other->average_bps = other->average_bps ? other->average_bps : r.average_bps;
            return true;
        }
    }
    return rendition_add(h, r) != NULL;
}

// A variant or medium of a later pathway, whose first pathway's twin is there already: only its place is new.
static bool is_repetition(hls_reader *h, str list, str url)
{
    str name = attribute(list, S("PATHWAY-ID"));
    if (name.len == 0)
        return false;
    bool fresh = h->p->base_count == 0 || str_eq(h->p->bases[0].location, name);
    if (!pathway(h, name, url))
        return true;
    return !fresh;
}

// Where two absolute URLs begin to be the same from behind, at a '/': what stands before is the base of each.
static str base_before(str url, str other)
{
    ptrdiff_t same = 0;
    while (same < url.len && same < other.len && url.at[url.len - 1 - same] == other.at[other.len - 1 - same])
        same++;
    str front = str_first(url, url.len - same);
    str inside = str_from(url, front.len);
    ptrdiff_t slash = str_find(inside, '/');
    return slash < 0 ? url : str_first(url, front.len + slash + 1);
}

// With several pathways the URLs are absolute: bases become what differs, playlists what is alike.
static void pathways_finish(hls_reader *h, str *firsts)
{
    media_presentation *p = h->p;
    if (p->base_count < 2) {
        p->base_count = 0;
        return;
    }
    for (int i = 0; i < p->base_count; i++)
        firsts[i] = p->bases[i].url;
    for (int i = 0; i < p->base_count; i++)
        p->bases[i].url = base_before(firsts[i], firsts[i == 0 ? 1 : 0]);
    for (int i = 0; i < p->rendition_count; i++)
        if (str_starts(p->renditions[i].playlist, p->bases[0].url))
            p->renditions[i].playlist = str_from(p->renditions[i].playlist, p->bases[0].url.len);
}

static bool has_playlist(const hls_reader *h, str list)
{
    for (int i = 0; i < h->p->rendition_count; i++) {
        const media_rendition *r = &h->p->renditions[i];
        bool same = r->kind == MEDIA_AUDIO && str_eq(r->playlist, attribute(list, S("URI")));
        bool twin = r->kind == MEDIA_AUDIO && str_eq(r->language, attribute(list, S("LANGUAGE")))
                    && media_url_is_absolute(r->playlist) && h->p->base_count > 0;
        if (same || twin)
            return true;
    }
    return false;
}

static bool master_tag(hls_reader *h, str line, str *variant)
{
    str value = line, name = str_cut(&value, ':');
    if (str_eq(name, S("#EXT-X-MEDIA")))
        return has_playlist(h, value) || media_add(h, value);
    if (str_eq(name, S("#EXT-X-STREAM-INF")))
        *variant = value;
    if (str_eq(name, S("#EXT-X-CONTENT-STEERING"))) {
        h->p->steering_url = attribute(value, S("SERVER-URI"));
        h->p->steering_default = attribute(value, S("PATHWAY-ID"));
    }
    return true;
}

static bool master_lines(hls_reader *h, str text)
{
    str line, variant = {0}, firsts[MEDIA_BASES_MAX];
    int variants = 0;
    while (line_next(&text, &line)) {
        if (line.len > HLS_LINE_BYTES_MAX)
            return hls_fail(h, "a line that is too long");
        if (str_starts(line, S("#EXT"))) {
            if (!master_tag(h, line, &variant))
                return false;
        } else if (line.len > 0 && line.at[0] != '#' && variant.len > 0) {
            if (++variants > VARIANTS_MAX)
                return hls_fail(h, "too many variants");
            if (!is_repetition(h, variant, line) && !variant_add(h, variant, line))
                return false;
            variant = (str){0};
        }
    }
    pathways_finish(h, firsts);
    return h->p->rendition_count > 0 || hls_fail(h, "nothing that can be played");
}

static bool alone_read(hls_reader *h, str text)
{
    media_rendition *r = rendition_add(h, (media_rendition){.kind = MEDIA_VIDEO});
    if (!r || !media_lines(h, text, r))
        return false;
    h->p->duration_ms = media_segment_end_ms(r, r->segment_count - 1);
    return true;
}

media_presentation *hls_read(str text, arena *a, const char **why)
{
    hls_reader h = {.a = a, .p = arena_new(a, media_presentation)};
    if (h.p) {
        h.p->renditions = arena_array(a, media_rendition, MEDIA_RENDITIONS_MAX);
        h.p->bases = arena_array(a, media_base, MEDIA_BASES_MAX);
    }
    bool good = h.p && h.p->renditions && h.p->bases;
    if (good && (text.len > HLS_BYTES_MAX || !str_starts(text, S("#EXTM3U"))))
        good = hls_fail(&h, "it is no playlist, or too large");
    bool media = str_find_str(text, S("\n#EXTINF:")) >= 0;
    good = good && (media ? alone_read(&h, text) : master_lines(&h, text));
    if (good && !a->full)
        return h.p;
    *why = h.why ? h.why : "too large";
    return NULL;
}
