// An MPD or a playlist from anywhere: within its limits, every segment has a place in time and a URL or none; what is written of it
// is read again as the same segments.
#include "base/must.h"
#include "wire/media/hls.h"
#include "wire/media/mpd.h"
#include "wire/media/segment_url.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void rendition_check(const media_rendition *r, arena *a)
{
    must(r->segment_count >= 0 && r->segment_count <= MEDIA_SEGMENTS_MAX && (r->segment_count == 0 || r->timescale > 0));
    for (int i = 0; i < r->segment_count && i < 100; i++) {
        media_request q = media_segment_request(r, i, a);
        must(q.url.len <= MEDIA_URL_BYTES_MAX || a->full || r->media.len == 0);
        media_url_resolve(S("http://a/b/"), q.url, a);
        must(media_segment_start_ms(r, i) <= media_segment_end_ms(r, i));
    }
}

static void written_check(const media_presentation *p, arena *a)
{
    buf out = buf_make(MPD_BYTES_MAX);
    const char *why = NULL;
    if (mpd_write(p, MPD_TIMELINE, &out)) {
        const media_presentation *q = mpd_read(buf_str(&out), a, &why);
        for (int i = 0, k = 0; q && i < p->rendition_count && k < q->rendition_count; i++, k++)
            rendition_check(&q->renditions[k], a);
    }
    buf_clear(&out);
    hls_master_write(p, &out);
    buf_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > 1 << 14)
        return 0;
    arena a = arena_make(64 << 20);
    const char *why = NULL;
    str text = str_of(data, size);
    media_presentation *p = str_starts(text, S("#")) ? hls_read(text, &a, &why) : mpd_read(text, &a, &why);
    must((p != NULL) || why);
    if (p) {
        must(p->rendition_count > 0 && p->rendition_count <= MEDIA_RENDITIONS_MAX && p->base_count <= MEDIA_BASES_MAX);
        for (int i = 0; i < p->rendition_count; i++)
            rendition_check(&p->renditions[i], &a);
        written_check(p, &a);
    }
    arena_free(&a);
    return 0;
}
