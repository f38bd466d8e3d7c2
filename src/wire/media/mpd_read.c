#include "wire/media/mpd.h"

#include <string.h>

#include "wire/media/segment_url.h"
#include "wire/media/xml.h"

enum { LEVELS_MAX = 4 };                     // MPD, Period, AdaptationSet, Representation

typedef struct {
    arena              *a;
    media_presentation *p;
    const char         *why;
    uint64_t            period_ms;
    const xml_element  *levels[LEVELS_MAX];  // the way to the Representation that is read
    int                 segments_all;        // over all renditions
} mpd_reader;

static bool mpd_fail(mpd_reader *m, const char *why)
{
    if (!m->why)
        m->why = why;
    return false;
}

// ---- values -------------------------------------------------------------------------------------------------------------

static uint64_t number_of(const xml_element *e, str name, uint64_t otherwise)
{
    uint64_t n;
    return e && str_to_u64(xml_value(e, name), &n) ? n : otherwise;
}

static uint32_t small_of(const xml_element *e, str name)
{
    uint64_t n = number_of(e, name, 0);
    return n > UINT32_MAX ? 0 : (uint32_t)n;
}

// One "12.345X" of a duration in milliseconds; X in *unit.
static bool duration_part(str *s, uint64_t *ms, unsigned char *unit)
{
    uint64_t whole = 0, thousandths = 0;
    ptrdiff_t n = 0;
    while (n < s->len && is_digit(s->at[n]))
        n++;
    if (!str_to_u64(str_first(*s, n), &whole) || whole > UINT32_MAX)
        return false;
    *s = str_from(*s, n);
    if (s->len > 0 && s->at[0] == '.') {
        int weight = 100;
        for (*s = str_from(*s, 1); s->len > 0 && is_digit(s->at[0]); *s = str_from(*s, 1), weight /= 10)
            thousandths += (uint64_t)(s->at[0] - '0') * (uint64_t)weight;
    }
    if (s->len == 0)
        return false;
    *unit = s->at[0];
    *s = str_from(*s, 1);
    *ms = whole * 1000 + thousandths;
    return true;
}

// xs:duration (P1DT2H3M4.567S) without years and months; false: it is none.
static bool duration_read(str s, uint64_t *ms)
{
    if (!str_starts(s, S("P")))
        return false;
    *ms = 0;
    bool time = false, some = false;
    for (s = str_from(s, 1); s.len > 0; some = true) {
        uint64_t part;
        unsigned char unit;
        if (!time && s.at[0] == 'T') {
            time = true;
            s = str_from(s, 1);
            if (s.len == 0)
                return false;
        }
        if (!duration_part(&s, &part, &unit))
            return false;
        uint64_t times = time ? unit == 'H' ? 3600 : unit == 'M' ? 60 : unit == 'S' ? 1 : 0 : unit == 'D' ? 86400 : 0;
        if (times == 0 && part != 0)
            return false;
        *ms += part * times;                 // at most 2^32 * 1000 * 86400 a part
        if (*ms > (uint64_t)UINT32_MAX * 1000)
            return false;
    }
    return some;
}

static uint64_t ms_of(const xml_element *e, str name, uint64_t otherwise)
{
    uint64_t ms;
    return duration_read(xml_value(e, name), &ms) ? ms : otherwise;
}

// "a-b" as first byte and count.
static bool range_read(str s, uint64_t *first, uint64_t *bytes)
{
    uint64_t last;
    str from = str_cut(&s, '-');
    if (!str_to_u64(from, first) || !str_to_u64(s, &last) || last < *first || last >> 60)
        return false;
    *bytes = last - *first + 1;
    return true;
}

// An attribute of the nearest level that has it.
static str inherited(const mpd_reader *m, str name)
{
    for (int i = LEVELS_MAX - 1; i > 1; i--)
        if (xml_has(m->levels[i], name))
            return xml_value(m->levels[i], name);
    return (str){0};
}

// An attribute of SegmentTemplate, SegmentBase or SegmentList, the nearest level first.
static str segment_value(const mpd_reader *m, str element, str name)
{
    for (int i = LEVELS_MAX - 1; i > 0; i--) {
        const xml_element *e = xml_child(m->levels[i], element);
        if (e && xml_has(e, name))
            return xml_value(e, name);
    }
    return (str){0};
}

static const xml_element *segment_child(const mpd_reader *m, str element, str name)
{
    for (int i = LEVELS_MAX - 1; i > 0; i--) {
        const xml_element *e = xml_child(m->levels[i], element), *child = e ? xml_child(e, name) : NULL;
        if (child)
            return child;
    }
    return NULL;
}

static bool has_segment_element(const mpd_reader *m, str element)
{
    for (int i = LEVELS_MAX - 1; i > 0; i--)
        if (xml_child(m->levels[i], element))
            return true;
    return false;
}

// ---- base URLs ----------------------------------------------------------------------------------------------------------

// What the folders of Period, AdaptationSet and Representation put before a relative URL (each level's first
// BaseURL).
static str folder_of(const mpd_reader *m)
{
    str folder = {0};
    for (int i = 1; i < LEVELS_MAX; i++) {
        const xml_element *base = xml_child(m->levels[i], S("BaseURL"));
        str text = base ? str_trim(base->text) : (str){0};
        if (text.len == 0)
            continue;
        if (media_url_is_absolute(text) || str_starts(text, S("/"))) {
            folder = text;
        } else {
            ptrdiff_t slash = str_rfind(folder, '/');
            folder = str_join(m->a, str_first(folder, slash + 1), text);
        }
    }
    return folder;
}

// A URL of a template relative to the presentation's bases.
static str beneath(const mpd_reader *m, str url)
{
    str folder = folder_of(m);
    if (url.len == 0 || folder.len == 0 || media_url_is_absolute(url))
        return url;
    if (str_starts(url, S("/"))) {                       // "http://host" + "/..." when the folder names the host
        ptrdiff_t path = media_url_is_absolute(folder) ? str_find(str_from(folder, 8), '/') : -1;
        return path < 0 ? url : str_join(m->a, str_first(folder, path + 8), url);
    }
    return str_join(m->a, str_first(folder, str_rfind(folder, '/') + 1), url);
}

static bool bases_read(mpd_reader *m, const xml_element *mpd)
{
    media_presentation *p = m->p;
    uint64_t priority[MEDIA_BASES_MAX];
    p->bases = arena_array(m->a, media_base, MEDIA_BASES_MAX);
    if (!p->bases)
        return mpd_fail(m, "too large");
    for (const xml_element *e = xml_child(mpd, S("BaseURL")); e; e = xml_next(e, S("BaseURL"))) {
        str url = str_trim(e->text);
        if (url.len == 0 || url.len > MEDIA_URL_BYTES_MAX || p->base_count == MEDIA_BASES_MAX)
            continue;
        uint64_t rank = number_of(e, S("dvb:priority"), 1);
        int at = p->base_count++;
        for (; at > 0 && priority[at - 1] > rank; at--) {            // sorted by priority, equal ones as they stand
            p->bases[at] = p->bases[at - 1];
            priority[at] = priority[at - 1];
        }
        str location = xml_value(e, S("serviceLocation"));
        p->bases[at] = (media_base){location.len > 0 ? location : url, url};
        priority[at] = rank;
    }
    return true;
}

// ---- segments -----------------------------------------------------------------------------------------------------------

static media_segment *segments_new(mpd_reader *m, media_rendition *r, uint64_t count)
{
    if (count == 0 || count > MEDIA_SEGMENTS_MAX) {
        mpd_fail(m, "too many segments, or none");
        return NULL;
    }
    r->segments = arena_array(m->a, media_segment, count);
    r->segment_count = r->segments ? (int)count : 0;
    if (!r->segments)
        mpd_fail(m, "too large");
    return r->segments;
}

// units of the Period's length; saturated.
static uint64_t period_units(const mpd_reader *m, uint32_t timescale)
{
    unsigned __int128 units = (unsigned __int128)m->period_ms * timescale;
    return (uint64_t)((units + 999) / 1000);
}

// How many segments an S element stands for: r + 1, or with r < 0 as many as fit before `end`.
static uint64_t repeats_of(const xml_element *s, uint64_t start, uint64_t duration, uint64_t end)
{
    int64_t r = 0;
    str_to_i64(xml_value(s, S("r")), &r);
    if (r >= 0)
        return (uint64_t)r + 1;
    return end > start && duration > 0 ? (end - start + duration - 1) / duration : 1;
}

// Walks a SegmentTimeline; with `into` NULL it only counts. The number of segments, 0 when it is broken.
static uint64_t timeline_walk(mpd_reader *m, const media_rendition *r, const xml_element *timeline, uint64_t offset, media_segment *into)
{
    uint64_t at = 0, count = 0, period_end = period_units(m, r->timescale) + offset;
    for (const xml_element *s = xml_child(timeline, S("S")); s; s = xml_next(s, S("S"))) {
        const xml_element *after = xml_next(s, S("S"));
        at = number_of(s, S("t"), at);
        uint64_t duration = number_of(s, S("d"), 0);
        uint64_t end = after && xml_has(after, S("t")) ? number_of(after, S("t"), at) : period_end;
        uint64_t times = repeats_of(s, at, duration, end);
        if (duration == 0 || times > MEDIA_SEGMENTS_MAX - count || duration >> 48 || at >> 62 || at < offset)
            return 0;
        for (uint64_t i = 0; into && i < times; i++)
            into[count + i] = (media_segment){.start = at - offset + i * duration, .duration = duration};
        count += times;
        at += times * duration;
    }
    return count;
}

static bool timeline_read(mpd_reader *m, media_rendition *r, const xml_element *timeline, uint64_t offset)
{
    uint64_t count = timeline_walk(m, r, timeline, offset, NULL);
    media_segment *segments = segments_new(m, r, count);
    return segments && timeline_walk(m, r, timeline, offset, segments) == count;
}

static bool durations_read(mpd_reader *m, media_rendition *r, uint64_t duration)
{
    uint64_t all = period_units(m, r->timescale);
    if (duration == 0 || all == 0)
        return mpd_fail(m, "segments without a duration, or a Period without one");
    uint64_t count = all / duration + (all % duration ? 1 : 0);
    if (!segments_new(m, r, count))
        return false;
    for (uint64_t i = 0; i < count; i++) {
        uint64_t start = i * duration;
        r->segments[i] = (media_segment){.start = start, .duration = all - start < duration ? all - start : duration};
    }
    return true;
}

static bool timescale_read(mpd_reader *m, media_rendition *r, str element)
{
    uint64_t scale = 1;
    str text = segment_value(m, element, S("timescale"));
    if (text.len > 0 && (!str_to_u64(text, &scale) || scale == 0 || scale > UINT32_MAX))
        return mpd_fail(m, "a timescale that is none");
    r->timescale = (uint32_t)scale;
    return true;
}

static uint64_t segment_number(const mpd_reader *m, str element, str name, uint64_t otherwise)
{
    uint64_t n;
    return str_to_u64(segment_value(m, element, name), &n) ? n : otherwise;
}

static bool template_read(mpd_reader *m, media_rendition *r)
{
    str name = S("SegmentTemplate");
    uint64_t first = segment_number(m, name, S("startNumber"), 1), offset = segment_number(m, name, S("presentationTimeOffset"), 0);
    if (!timescale_read(m, r, name))
        return false;
    if (first > INT32_MAX || segment_value(m, name, S("media")).len == 0)
        return mpd_fail(m, "a template without media, or a first number that is too large");
    r->first_number = (uint32_t)first;
    r->media = beneath(m, segment_value(m, name, S("media")));
    r->initialization = beneath(m, segment_value(m, name, S("initialization")));
    const xml_element *timeline = segment_child(m, name, S("SegmentTimeline"));
    if (timeline && offset >> 60 == 0)
        return timeline_read(m, r, timeline, offset) || mpd_fail(m, "a timeline that is none");
    return durations_read(m, r, segment_number(m, name, S("duration"), 0));
}

static bool list_read(mpd_reader *m, media_rendition *r)
{
    str name = S("SegmentList");
    const xml_element *first = segment_child(m, name, S("SegmentURL"));
    const xml_element *timeline = segment_child(m, name, S("SegmentTimeline"));
    const xml_element *start = segment_child(m, name, S("Initialization"));
    if (!first || !timescale_read(m, r, name))
        return mpd_fail(m, "a SegmentList without segments");
    bool good = timeline ? timeline_read(m, r, timeline, 0) : durations_read(m, r, segment_number(m, name, S("duration"), 0));
    if (!good)
        return mpd_fail(m, "a SegmentList without durations");
    r->first_number = 1;
    r->whole = folder_of(m);
    if (start && xml_has(start, S("sourceURL")))
        r->initialization = beneath(m, xml_value(start, S("sourceURL")));
    uint64_t zero;
    if (start && xml_has(start, S("range")) && (!range_read(xml_value(start, S("range")), &zero, &r->initialization_bytes) || zero))
        return mpd_fail(m, "an initialization range that does not begin at 0");
    int n = 0;
    for (const xml_element *e = first; e && n < r->segment_count; e = xml_next(e, S("SegmentURL")), n++) {
        media_segment *s = &r->segments[n];
        s->url = beneath(m, xml_value(e, S("media")));
        if (xml_has(e, S("mediaRange")) && !range_read(xml_value(e, S("mediaRange")), &s->offset, &s->bytes))
            return mpd_fail(m, "a mediaRange that is none");
    }
    r->segment_count = n;
    return true;
}

static bool segment_base_read(mpd_reader *m, media_rendition *r)
{
    uint64_t at, bytes;
    str name = S("SegmentBase");
    r->whole = folder_of(m);
    if (!timescale_read(m, r, name))
        return false;
    if (r->whole.len == 0 || !range_read(segment_value(m, name, S("indexRange")), &at, &bytes) || at == 0)
        return mpd_fail(m, "a SegmentBase without an indexRange or a BaseURL");
    r->initialization_bytes = at;
    r->index_bytes = bytes;
    r->first_number = 1;
    return true;
}

// ---- renditions ---------------------------------------------------------------------------------------------------------

static void frame_rate_read(media_rendition *r, str text)
{
    uint64_t number, in = 1;
    str first = str_cut(&text, '/');
    if (str_to_u64(first, &number) && (text.len == 0 || str_to_u64(text, &in)) && number <= UINT32_MAX && in >= 1 && in <= UINT32_MAX) {
        r->frames_number = (uint32_t)number;
        r->frames_in = (uint32_t)in;
    }
}

static bool kind_read(const mpd_reader *m, media_rendition *r)
{
    str content = inherited(m, S("contentType"));
    r->mime_type = inherited(m, S("mimeType"));
    r->codecs = inherited(m, S("codecs"));
    if (str_starts(r->mime_type, S("video/")) || (r->mime_type.len == 0 && str_eq(content, S("video"))))
        r->kind = MEDIA_VIDEO;
    else if (str_starts(r->mime_type, S("audio/")) || (r->mime_type.len == 0 && str_eq(content, S("audio"))))
        r->kind = MEDIA_AUDIO;
    else if (str_starts(r->mime_type, S("image/")))
        r->kind = MEDIA_IMAGES;
    else
        return false;
    return true;
}

static void tiles_read(const mpd_reader *m, media_rendition *r)
{
    for (int i = LEVELS_MAX - 1; i > 1; i--)
        for (const xml_element *e = xml_child(m->levels[i], S("EssentialProperty")); e; e = xml_next(e, S("EssentialProperty"))) {
            uint64_t across, down;
            str value = xml_value(e, S("value")), left = str_cut(&value, 'x');
            if (str_ends(xml_value(e, S("schemeIdUri")), S("thumbnail_tile")) && str_to_u64(left, &across)
                && str_to_u64(value, &down) && across <= 1000 && down <= 1000) {
                r->tiles_across = (uint32_t)across;
                r->tiles_down = (uint32_t)down;
            }
        }
}

static void description_read(const mpd_reader *m, media_rendition *r)
{
    const xml_element *e = m->levels[3];
    uint64_t number;
    r->id = xml_value(e, S("id"));
    r->language = xml_value(m->levels[2], S("lang"));
    r->peak_bps = number_of(e, S("bandwidth"), 0);
    r->bitrate_key = r->peak_bps > UINT32_MAX ? 0 : (uint32_t)r->peak_bps;
    r->width = str_to_u64(inherited(m, S("width")), &number) && number <= UINT32_MAX ? (uint32_t)number : 0;
    r->height = str_to_u64(inherited(m, S("height")), &number) && number <= UINT32_MAX ? (uint32_t)number : 0;
    r->sampling_hz = str_to_u64(inherited(m, S("audioSamplingRate")), &number) && number <= UINT32_MAX ? (uint32_t)number : 0;
    for (int i = LEVELS_MAX - 1; i > 1 && r->channels == 0; i--) {
        const xml_element *channels = xml_child(m->levels[i], S("AudioChannelConfiguration"));
        r->channels = channels ? small_of(channels, S("value")) : 0;
    }
    frame_rate_read(r, inherited(m, S("frameRate")));
    if (r->kind == MEDIA_IMAGES)
        tiles_read(m, r);
}

static bool rendition_read(mpd_reader *m)
{
    media_rendition r = {0};
    if (!kind_read(m, &r) || xml_child(m->levels[2], S("ContentProtection")) || xml_child(m->levels[3], S("ContentProtection")))
        return true;                                     // none that we play
    if (m->p->rendition_count == MEDIA_RENDITIONS_MAX)
        return mpd_fail(m, "too many representations");
    description_read(m, &r);
    bool good = has_segment_element(m, S("SegmentTemplate")) ? template_read(m, &r)
              : has_segment_element(m, S("SegmentList"))     ? list_read(m, &r)
              : has_segment_element(m, S("SegmentBase"))     ? segment_base_read(m, &r)
                                                             : mpd_fail(m, "a Representation without segments");
    m->segments_all += r.segment_count;
    if (m->segments_all > 4 * MEDIA_SEGMENTS_MAX)
        return mpd_fail(m, "too many segments");
    if (good)
        m->p->renditions[m->p->rendition_count++] = r;
    return good;
}

static bool period_read(mpd_reader *m)
{
    const xml_element *period = m->levels[1];
    for (const xml_element *set = xml_child(period, S("AdaptationSet")); set; set = xml_next(set, S("AdaptationSet"))) {
        m->levels[2] = set;
        for (const xml_element *e = xml_child(set, S("Representation")); e; e = xml_next(e, S("Representation"))) {
            m->levels[3] = e;
            if (!rendition_read(m))
                return false;
        }
    }
    return m->p->rendition_count > 0 || mpd_fail(m, "nothing that can be played");
}

static void steering_read(mpd_reader *m, const xml_element *mpd)
{
    const xml_element *e = xml_child(mpd, S("ContentSteering"));
    str url = e ? str_trim(e->text) : (str){0};
    if (!e || url.len > MEDIA_URL_BYTES_MAX)
        return;
    m->p->steering_url = url;
    m->p->steering_default = xml_value(e, S("defaultServiceLocation"));
    m->p->steering_before_start = str_eq(xml_value(e, S("queryBeforeStart")), S("true"));
}

static bool presentation_read(mpd_reader *m, const xml_element *mpd)
{
    media_presentation *p = m->p;
    const xml_element *period = xml_child(mpd, S("Period")), *about = xml_child(mpd, S("ProgramInformation"));
    if (!str_eq(mpd->name, S("MPD")) || !period)
        return mpd_fail(m, "it is no MPD");
    if (str_eq(xml_value(mpd, S("type")), S("dynamic")))
        return mpd_fail(m, "a live presentation: not supported");
    if (xml_next(period, S("Period")))
        return mpd_fail(m, "several Periods: not supported");
    p->renditions = arena_array(m->a, media_rendition, MEDIA_RENDITIONS_MAX);
    if (!p->renditions)
        return mpd_fail(m, "too large");
    p->duration_ms = ms_of(mpd, S("mediaPresentationDuration"), 0);
    p->duration_ms = m->period_ms = ms_of(period, S("duration"), p->duration_ms);
    p->buffer_ms_min = (uint32_t)ms_of(mpd, S("minBufferTime"), 0);
    p->segment_ms_max = (uint32_t)ms_of(mpd, S("maxSegmentDuration"), ms_of(mpd, S("maxSubsegmentDuration"), 0));
    p->title = about && xml_child(about, S("Title")) ? str_trim(xml_child(about, S("Title"))->text) : (str){0};
    m->levels[0] = mpd;
    m->levels[1] = period;
    steering_read(m, mpd);
    return bases_read(m, mpd) && period_read(m);
}

// Where the document says no longest segment, and no length of its own: from the segments.
static void lengths_fill(media_presentation *p)
{
    for (int i = 0; i < p->rendition_count; i++) {
        const media_rendition *r = &p->renditions[i];
        for (int n = 0; n < r->segment_count && r->kind != MEDIA_IMAGES; n++) {
            uint64_t ms = media_ms(r->segments[n].duration, r->timescale);
            if (p->segment_ms_max < ms && ms <= UINT32_MAX)
                p->segment_ms_max = (uint32_t)ms;
        }
        uint64_t end = r->segment_count > 0 ? media_segment_end_ms(r, r->segment_count - 1) : 0;
        if (p->duration_ms == 0 && r->kind != MEDIA_IMAGES)
            p->duration_ms = end;
    }
}

media_presentation *mpd_read(str text, arena *a, const char **why)
{
    mpd_reader m = {.a = a, .p = arena_new(a, media_presentation)};
    const xml_element *root = m.p ? xml_read(text, a, &m.why) : NULL;
    if (root && presentation_read(&m, root) && !a->full) {
        lengths_fill(m.p);
        return m.p;
    }
    *why = m.why ? m.why : "too large";
    return NULL;
}
