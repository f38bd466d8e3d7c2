#include "wire/media/mpd.h"

#include "wire/media/xml.h"

static void attribute_put(buf *out, const char *name, str value)
{
    if (value.len == 0)
        return;
    buf_format(out, " %s=\"", name);
    xml_put(out, value);
    buf_put_byte(out, '"');
}

static void number_put(buf *out, const char *name, uint64_t value)
{
    buf_format(out, " %s=\"%llu\"", name, (unsigned long long)value);
}

// xs:duration, in seconds with the milliseconds behind the point: PT634.567S.
static void duration_put(buf *out, const char *name, uint64_t ms)
{
    buf_format(out, " %s=\"PT%llu.%03dS\"", name, (unsigned long long)(ms / 1000), (int)(ms % 1000));
}

// ---- segments -----------------------------------------------------------------------------------------------------------

// Are all but the last equally long, one behind the other from 0, and the last no longer?
static bool equally_long(const media_rendition *r)
{
    uint64_t each = r->segment_count > 0 ? r->segments[0].duration : 0;
    if (each == 0)
        return false;
    for (int i = 0; i < r->segment_count; i++) {
        const media_segment *s = &r->segments[i];
        bool last = i == r->segment_count - 1;
        if (s->start != (uint64_t)i * each || (last ? s->duration > each : s->duration != each))
            return false;
    }
    return true;
}

static void timeline_put(buf *out, const media_rendition *r)
{
    uint64_t next = 0;
    buf_put(out, S("          <SegmentTimeline>\n"));
    for (int i = 0; i < r->segment_count;) {
        const media_segment *s = &r->segments[i];
        int same = 1;
        while (i + same < r->segment_count && r->segments[i + same].duration == s->duration
               && r->segments[i + same].start == s->start + s->duration * (uint64_t)same)
            same++;
        buf_put(out, S("            <S"));
        if (i == 0 || s->start != next)
            number_put(out, "t", s->start);
        number_put(out, "d", s->duration);
        if (same > 1)
            number_put(out, "r", (uint64_t)same - 1);
        buf_put(out, S("/>\n"));
        next = s->start + s->duration * (uint64_t)same;
        i += same;
    }
    buf_put(out, S("          </SegmentTimeline>\n"));
}

static void template_put(buf *out, const media_rendition *r, mpd_shape shape)
{
    bool by_duration = shape == MPD_DURATION && equally_long(r);
    buf_put(out, S("        <SegmentTemplate"));
    number_put(out, "timescale", r->timescale);
    if (by_duration)
        number_put(out, "duration", r->segments[0].duration);
    number_put(out, "startNumber", r->first_number);
    attribute_put(out, "initialization", r->initialization);
    attribute_put(out, "media", r->media);
    buf_put(out, by_duration ? S("/>\n") : S(">\n"));
    if (by_duration)
        return;
    timeline_put(out, r);
    buf_put(out, S("        </SegmentTemplate>\n"));
}

static void base_put(buf *out, const media_rendition *r)
{
    buf_put(out, S("        <BaseURL>"));
    xml_put(out, r->whole);
    buf_put(out, S("</BaseURL>\n        <SegmentBase"));
    number_put(out, "timescale", r->timescale);
    buf_format(out, " indexRange=\"%llu-%llu\">\n", (unsigned long long)r->initialization_bytes,
               (unsigned long long)(r->initialization_bytes + r->index_bytes - 1));
    buf_format(out, "          <Initialization range=\"0-%llu\"/>\n        </SegmentBase>\n",
               (unsigned long long)(r->initialization_bytes - 1));
}

// ---- renditions ---------------------------------------------------------------------------------------------------------

static void rendition_put(buf *out, const media_presentation *p, const media_rendition *r, mpd_shape shape)
{
    buf_put(out, S("      <Representation"));
    attribute_put(out, "id", r->id);
    attribute_put(out, "codecs", r->codecs);
    number_put(out, "bandwidth", media_bandwidth_bps(r, p->buffer_ms_min));
    if (r->width > 0 && r->height > 0) {
        number_put(out, "width", r->width);
        number_put(out, "height", r->height);
    }
    if (r->kind == MEDIA_VIDEO && r->frames_number > 0)
        buf_format(out, r->frames_in > 1 ? " frameRate=\"%u/%u\"" : " frameRate=\"%u\"", r->frames_number, r->frames_in);
    if (r->kind == MEDIA_VIDEO)
        buf_put(out, S(" sar=\"1:1\""));
    if (r->kind == MEDIA_AUDIO && r->sampling_hz > 0)
        number_put(out, "audioSamplingRate", r->sampling_hz);
    buf_put(out, S(">\n"));
    if (r->kind == MEDIA_AUDIO && r->channels > 0)
        buf_format(out, "        <AudioChannelConfiguration schemeIdUri=\"urn:mpeg:dash:23003:3:audio_channel_configuration:2011\""
                   " value=\"%u\"/>\n", r->channels);
    if (r->kind == MEDIA_IMAGES)
        buf_format(out, "        <EssentialProperty schemeIdUri=\"http://dashif.org/guidelines/thumbnail_tile\" value=\"%ux%u\"/>\n",
                   r->tiles_across, r->tiles_down);
    if (shape == MPD_ON_DEMAND && r->kind != MEDIA_IMAGES)
        base_put(out, r);
    else
        template_put(out, r, r->kind == MEDIA_IMAGES ? MPD_DURATION : shape);
    buf_put(out, S("      </Representation>\n"));
}

// Of one AdaptationSet: what a player may change between while it plays.
static bool exchangeable(const media_rendition *a, const media_rendition *b)
{
    if (a->kind != b->kind || a->kind == MEDIA_IMAGES || !str_eq(a->mime_type, b->mime_type))
        return a == b;
    ptrdiff_t dot = str_find(a->codecs, '.');
    str family = dot < 0 ? a->codecs : str_first(a->codecs, dot + 1);
    return str_starts(b->codecs, family) && (a->kind == MEDIA_VIDEO || str_eq(a->language, b->language));
}

static bool set_aligned(const media_presentation *p, const media_rendition *first)
{
    for (int i = 0; i < p->rendition_count; i++)
        if (exchangeable(first, &p->renditions[i]) && !media_segments_aligned(first, &p->renditions[i]))
            return false;
    return true;
}

static void set_put(buf *out, const media_presentation *p, const media_rendition *first, int id, mpd_shape shape)
{
    static const char *const content[] = {"video", "audio", "image"};
    bool on_demand = shape == MPD_ON_DEMAND && first->kind != MEDIA_IMAGES;
    buf_format(out, "    <AdaptationSet id=\"%d\" contentType=\"%s\"", id, content[first->kind]);
    attribute_put(out, "mimeType", first->mime_type);
    attribute_put(out, "lang", first->language);
    if (first->kind != MEDIA_IMAGES && set_aligned(p, first))
        buf_put(out, on_demand ? S(" subsegmentAlignment=\"true\"") : S(" segmentAlignment=\"true\""));
    if (first->kind != MEDIA_IMAGES)
        buf_put(out, on_demand ? S(" subsegmentStartsWithSAP=\"1\"") : S(" startWithSAP=\"1\""));
    buf_put(out, S(">\n"));
    for (int i = 0; i < p->rendition_count; i++)
        if (exchangeable(first, &p->renditions[i]))
            rendition_put(out, p, &p->renditions[i], shape);
    buf_put(out, S("    </AdaptationSet>\n"));
}

static void sets_put(buf *out, const media_presentation *p, mpd_shape shape)
{
    int id = 0;
    for (int i = 0; i < p->rendition_count; i++) {
        bool seen = false;
        for (int j = 0; j < i && !seen; j++)
            seen = exchangeable(&p->renditions[j], &p->renditions[i]);
        if (!seen)
            set_put(out, p, &p->renditions[i], ++id, shape);
    }
}

// ---- the whole ----------------------------------------------------------------------------------------------------------

static void servers_put(buf *out, const media_presentation *p)
{
    for (int i = 0; i < p->base_count; i++) {
        buf_put(out, S("  <BaseURL"));
        attribute_put(out, "serviceLocation", p->bases[i].location);
        buf_format(out, " dvb:priority=\"%d\" dvb:weight=\"1\">", i + 1);
        xml_put(out, p->bases[i].url);
        buf_put(out, S("</BaseURL>\n"));
    }
    if (p->steering_url.len == 0)
        return;
    buf_put(out, S("  <ContentSteering"));
    attribute_put(out, "defaultServiceLocation", p->steering_default);
    buf_format(out, " queryBeforeStart=\"%s\">", p->steering_before_start ? "true" : "false");
    xml_put(out, p->steering_url);
    buf_put(out, S("</ContentSteering>\n"));
}

static bool writable(const media_presentation *p, mpd_shape shape)
{
    for (int i = 0; i < p->rendition_count; i++) {
        const media_rendition *r = &p->renditions[i];
        bool needs_whole = shape == MPD_ON_DEMAND && r->kind != MEDIA_IMAGES;
        if (r->timescale == 0 || (needs_whole && (r->whole.len == 0 || r->initialization_bytes == 0 || r->index_bytes == 0)))
            return false;
    }
    return true;
}

bool mpd_write(const media_presentation *p, mpd_shape shape, buf *out)
{
    if (!writable(p, shape))
        return false;
    buf_put(out, S("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
                   "<MPD xmlns=\"urn:mpeg:dash:schema:mpd:2011\" xmlns:dvb=\"urn:dvb:dash:dash-extensions:2014-1\""));
    buf_put(out, shape == MPD_ON_DEMAND ? S(" profiles=\"urn:mpeg:dash:profile:isoff-on-demand:2011\"")
                                        : S(" profiles=\"urn:mpeg:dash:profile:isoff-live:2011\""));
    buf_put(out, S(" type=\"static\""));
    duration_put(out, "mediaPresentationDuration", p->duration_ms);
    duration_put(out, "minBufferTime", p->buffer_ms_min);
    if (p->segment_ms_max > 0)
        duration_put(out, shape == MPD_ON_DEMAND ? "maxSubsegmentDuration" : "maxSegmentDuration", p->segment_ms_max);
    buf_put(out, S(">\n"));
    if (p->title.len > 0) {
        buf_put(out, S("  <ProgramInformation>\n    <Title>"));
        xml_put(out, p->title);
        buf_put(out, S("</Title>\n  </ProgramInformation>\n"));
    }
    servers_put(out, p);
    buf_put(out, S("  <Period id=\"1\""));
    duration_put(out, "start", 0);
    duration_put(out, "duration", p->duration_ms);
    buf_put(out, S(">\n"));
    sets_put(out, p, shape);
    buf_put(out, S("  </Period>\n</MPD>\n"));
    return !out->full;
}
