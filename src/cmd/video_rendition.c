#include "cmd/video_rendition.h"

#include "wire/media/boxes.h"

enum {
    HEAD_BYTES_MAX = 1 << 20,                    // initialization and index
    SEGMENT_BYTES_MAX = 96 << 20, SEGMENT_MEMORY_BYTES_MAX = 128 << 20,
};

typedef struct {
    file            *file;
    int64_t          size_bytes;
    arena           *memory;
    media_rendition *rendition;
    media_track      track;
    film_frames    (*frames)[FILM_FRAME_KINDS];
    buf             *table;
    const char      *why;
} judging;

static bool wrong(judging *j, const char *why)
{
    j->why = why;
    return false;
}

static bool piece_read(judging *j, int64_t offset, size_t size, arena *a, str *out)
{
    size_t got;
    unsigned char *at = arena_array(a, unsigned char, size + 1);
    if (!at || file_read(j->file, offset, at, size, &got) != E_OK)
        return wrong(j, "it cannot be read");
    *out = str_of(at, got);
    return true;
}

static bool head_judge(judging *j)
{
    str text;
    media_movie movie;
    box index;
    media_rendition *r = j->rendition;
    size_t size = j->size_bytes < HEAD_BYTES_MAX ? (size_t)j->size_bytes : HEAD_BYTES_MAX;
    if (!piece_read(j, 0, size, j->memory, &text))
        return false;
    if (!movie_read(text, &movie, j->memory) || movie.track_count != 1 || !movie.fragmented ||
        movie.bytes >= (uint64_t)text.len)
        return wrong(j, "it does not begin with a fragmented movie of one track");
    j->track = movie.tracks[0];
    reader rest = rd_of(str_from(text, (ptrdiff_t)movie.bytes));
    if (!box_next(&rest, &index) || index.type != BOX_TYPE('s', 'i', 'd', 'x') ||
        !sidx_read(str_from(text, (ptrdiff_t)movie.bytes), movie.bytes, r, j->memory) || r->segment_count == 0)
        return wrong(j, "no index follows");
    r->kind = j->track.kind;
    r->mime_type = r->kind == MEDIA_VIDEO ? S("video/mp4") : S("audio/mp4");
    r->codecs = j->track.codecs;
    r->width = j->track.width;
    r->height = j->track.height;
    r->sampling_hz = j->track.sampling_hz;
    r->channels = j->track.channels;
    r->initialization_bytes = movie.bytes;
    r->index_bytes = index.bytes;
    return r->timescale == j->track.timescale || wrong(j, "index and movie disagree about time");
}

static bool frames_count(judging *j, const media_fragments *f)
{
    for (int i = 0; i < f->sample_count; i++) {
        frame_kind kind = f->samples[i].kind;
        film_frame_kind k = kind == FRAME_I ? FILM_FRAMES_I : kind == FRAME_P ? FILM_FRAMES_P : FILM_FRAMES_B;
        if (kind == FRAME_OTHER)
            return wrong(j, "a picture is not of H.264");
        (*j->frames)[k].count++;
        (*j->frames)[k].bytes += f->samples[i].bytes;
        if (j->table && !buf_format(j->table, "%c %u\n", (char)kind, f->samples[i].bytes))
            return wrong(j, "it has too many pictures");
    }
    return true;
}

static bool segment_judge(judging *j, const media_segment *s, arena *a)
{
    str text;
    media_fragments f;
    if (s->bytes > SEGMENT_BYTES_MAX || s->offset + s->bytes > (uint64_t)j->size_bytes)
        return wrong(j, "a segment ends behind the file's end");
    if (!piece_read(j, (int64_t)s->offset, (size_t)s->bytes, a, &text))
        return false;
    const char *trouble = segment_check(text, &j->track, s->start, s->duration, a);
    if (trouble)
        return wrong(j, trouble);
    if (!fragments_read(text, &j->track, &f, a) || f.fragment_count != 1)
        return wrong(j, "a segment is more than one fragment");
    return j->track.kind != MEDIA_VIDEO || frames_count(j, &f);
}

static bool segments_judge(judging *j)
{
    media_rendition *r = j->rendition;
    uint64_t at = r->initialization_bytes + r->index_bytes;
    for (int i = 0; i < r->segment_count; i++) {
        arena a = arena_make(SEGMENT_MEMORY_BYTES_MAX);
        bool good = (r->segments[i].offset == at || wrong(j, "there is a gap between segments")) &&
            segment_judge(j, &r->segments[i], &a);
        arena_free(&a);
        if (!good)
            return false;
        at += r->segments[i].bytes;
    }
    return at == (uint64_t)j->size_bytes || wrong(j, "something follows the last segment");
}

bool video_rendition_read(world *w, const char *path, str id, arena *a, media_rendition *r,
                          film_frames frames[FILM_FRAME_KINDS], buf *table,
                          const char **why)
{
    film_frames counted[FILM_FRAME_KINDS] = {{0}};
    judging j = {.memory = a, .rendition = r, .frames = &counted, .table = table, .why = "it cannot be opened"};
    *r = (media_rendition){.id = str_copy(a, id), .first_number = 1};
    bool good = file_open(w, path, FILE_READ, 0, &j.file) == E_OK;
    good = good && file_size(j.file, &j.size_bytes) == E_OK && head_judge(&j) && segments_judge(&j);
    if (good) {
        r->peak_bps = r->average_bps = 0;
        media_rates_measure(r);
    }
    for (int k = 0; k < FILM_FRAME_KINDS; k++)
        frames[k] = counted[k];
    if (j.file)
        file_close(j.file);
    *why = j.why;
    return good;
}
