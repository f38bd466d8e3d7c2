#include "cmd/small_film.h"


#include "base/heap_memory.h"
#include "base/must.h"
#include "rooms/origin/film.h"
#include "wire/media/boxes.h"

enum { TIMESCALE = 12800, BOX_HEAD_BYTES = 8, RECORD_BYTES_MAX = 1 << 20, INDEX_BYTES_MAX = 64 * 1024 };

const struct small_film_rung small_film_rungs[SMALL_FILM_RENDITIONS] = {
    {"v300", 300000, 426, 240}, {"v1000", 1000000, 854, 480}, {"v3000", 3000000, 1280, 720},
};

// Between 60 and 100 per cent of the peak, as scenes differ.
uint32_t small_film_bytes(int rendition, int segment)
{
    uint32_t peak = small_film_rungs[rendition].bps / 8 * SMALL_FILM_SEGMENT_S;
    return peak / 100 * (60 + (uint32_t)(segment * 37 + 11) % 41);
}

// A segment is one mdat box.
unsigned char small_film_byte(int rendition, int segment, uint32_t at)
{
    uint32_t bytes = small_film_bytes(rendition, segment);
    unsigned char head[BOX_HEAD_BYTES] = {(unsigned char)(bytes >> 24), (unsigned char)(bytes >> 16), (unsigned char)(bytes >> 8), (unsigned char)bytes,
                                          'm', 'd', 'a', 't'};
    if (at < BOX_HEAD_BYTES)
        return head[at];
    return (unsigned char)((at * 2654435761u >> 13) ^ (uint32_t)(segment * 31 + rendition));
}

static void box_put(buf *out, const char *type, str body)
{
    uint32_t bytes = (uint32_t)body.len + BOX_HEAD_BYTES;
    unsigned char size[] = {(unsigned char)(bytes >> 24), (unsigned char)(bytes >> 16), (unsigned char)(bytes >> 8), (unsigned char)bytes};
    buf_put(out, str_of(size, sizeof size));
    buf_put(out, str_z(type));
    buf_put(out, body);
}

// ---- one rendition ----------------------------------------------------------------------------------------------------------------

static void rendition_fill(media_rendition *r, int number, arena *a)
{
    const struct small_film_rung *rung = &small_film_rungs[number];
    *r = (media_rendition){.id = str_z(rung->id), .kind = MEDIA_VIDEO, .codecs = S("avc1.64001f"), .width = rung->width, .height = rung->height,
                           .frames_number = 25, .frames_in = 1, .timescale = TIMESCALE, .segment_count = SMALL_FILM_SEGMENTS};
    r->segments = arena_array(a, media_segment, SMALL_FILM_SEGMENTS);
    must(r->segments);
    uint64_t bytes = 0;
    for (int i = 0; i < SMALL_FILM_SEGMENTS; i++) {
        r->segments[i] = (media_segment){.start = (uint64_t)i * SMALL_FILM_SEGMENT_S * TIMESCALE, .duration = SMALL_FILM_SEGMENT_S * TIMESCALE,
                                         .bytes = small_film_bytes(number, i)};
        bytes += r->segments[i].bytes;
        uint64_t bps = r->segments[i].bytes * 8 / SMALL_FILM_SEGMENT_S;
        r->peak_bps = bps > r->peak_bps ? bps : r->peak_bps;
    }
    r->average_bps = bytes * 8 / (SMALL_FILM_SEGMENTS * SMALL_FILM_SEGMENT_S);
}

static err append(file *f, int64_t *at, str bytes)
{
    struct iovec v = {(void *)(uintptr_t)bytes.at, (size_t)bytes.len};
    err e = file_write(f, *at, &v, 1);
    *at += bytes.len;
    return e;
}

static err segments_write(file *f, int number, int64_t *at)
{
    err e = E_OK;
    for (int s = 0; s < SMALL_FILM_SEGMENTS && !e; s++) {
        uint32_t bytes = small_film_bytes(number, s);
        unsigned char *room = memory_new(bytes);
        for (uint32_t i = 0; i < bytes; i++)
            room[i] = small_film_byte(number, s, i);
        e = append(f, at, str_of(room, bytes));
        memory_free(room);
    }
    return e;
}

static err rendition_write(world *w, const char *directory, media_rendition *r, int number, arena *a)
{
    file *f;
    int64_t at = 0;
    buf head = buf_make(INDEX_BYTES_MAX);
    char *below = str_to_z(a, str_format(a, "%s/" STR_FMT, directory, STR_ARG(r->id)));
    box_put(&head, "ftyp", S("iso6\0\0\0\0iso6cmfcmp41"));
    box_put(&head, "moov", (str){0});
    r->initialization_bytes = head.len;
    must(sidx_write(r, 1, &head));
    r->index_bytes = head.len - r->initialization_bytes;
    err e = dir_make(w, below, 0755);
    if (!e)
        e = file_open(w, str_to_z(a, str_format(a, "%s/whole.mp4", below)), FILE_WRITE | FILE_CREATE | FILE_TRUNCATE, 0644, &f);
    if (!e) {
        e = append(f, &at, buf_str(&head));
        e = e ? e : segments_write(f, number, &at);
        file_close(f);
    }
    buf_free(&head);
    return e;
}

// ---- the film -----------------------------------------------------------------------------------------------------------------------

err small_film_write(world *w, const char *directory)
{
    arena a = arena_make(RECORD_BYTES_MAX);
    media_rendition renditions[SMALL_FILM_RENDITIONS];
    film_frames frames[SMALL_FILM_RENDITIONS][FILM_FRAME_KINDS] = {0};
    film f = {.id = S(SMALL_FILM_ID), .version = S("0123456789abcdef"), .added_s = world_wall_s(w), .source = S("made by function"), .frames = frames};
    f.presentation = (media_presentation){.title = S("The Ferry to Yeouido"), .duration_ms = SMALL_FILM_SEGMENTS * SMALL_FILM_SEGMENT_S * 1000,
                                          .segment_ms_max = SMALL_FILM_SEGMENT_S * 1000, .renditions = renditions, .rendition_count = SMALL_FILM_RENDITIONS};
    char *below = str_to_z(&a, str_format(&a, "%s/" SMALL_FILM_ID, directory));
    err e = dir_make(w, below, 0755);
    for (int i = 0; i < SMALL_FILM_RENDITIONS && !e; i++) {
        rendition_fill(&renditions[i], i, &a);
        e = rendition_write(w, below, &renditions[i], i, &a);
    }
    buf record = buf_make(RECORD_BYTES_MAX);
    must(film_write(&f, &record));
    if (!e)                                                // the record last: the film is there when it is
        e = file_replace(w, str_to_z(&a, str_format(&a, "%s/" FILM_RECORD, below)), buf_str(&record), 0644);
    buf_free(&record);
    arena_free(&a);
    return e;
}
