// V1: one source becomes renditions, cut into chunks, with a manifest; spatial and temporal coding, constant and
// variable bit rate.
#include "cmd/scene_video_coding.h"

#include <stdio.h>

#include "cmd/video_encoder.h"
#include "cmd/video_inspect.h"
#include "rt/worker.h"
#include "talk/http_fetch.h"
#include "wire/media/mpd.h"

enum { FILM_SECONDS = 8, TITLE_BYTES_MAX = 64, COLUMNS = 76, ANSWER_BYTES_MAX = 8 << 20 };
#define HOST "library.torrent.edu"
#define VIEWER "alice.torrent.edu"

typedef struct {
    video_run  *v;
    const char *rate, *ladder;                   // ladder NULL: the usual three
    str         id;
    bool        found;                           // there is a naru-encode
    film        film;
} making;

// On a worker thread: the encoder's processes are waited for.
static void make_blocking(void *arg)
{
    making *m = arg;
    const char *program;
    video_run *v = m->v;
    v->id = m->id;
    v->rate = str_z(m->rate);
    v->title = S("Test film");
    m->found = video_encoder_find(v, &program);
    if (m->found && video_place(v))
        video_sample(v);
    if (v->code == COMMAND_OK)
        video_film(v, m->id, &m->film);
}

static bool film_make(play *p, making *m, char *where)
{
    m->v = arena_new(&p->memory, video_run);
    *m->v = (video_run){.world = world_linux_new(S("video"), NULL, 0),
                        .memory = arena_make(VIDEO_MEMORY_BYTES_MAX), .out = buf_make(VIDEO_TEXT_BYTES_MAX),
                            .quiet = true,
                        .catalogue = str_z(where), .seconds = FILM_SECONDS, .size = S("960x540"), .ladder = str_z(m->ladder)};
    work(make_blocking, m);
    return m->v->code == COMMAND_OK;
}

static void film_forget(making *m)
{
    if (!m->v)
        return;
    world_linux_free(m->v->world);
    buf_free(&m->v->out);
    arena_free(&m->v->memory);
}

static void tell_lines(play *p, buf *b)
{
    for (str rest = buf_str(b), line; rest.len;) {
        line = str_cut(&rest, '\n');
        if (!p->quiet)
            printf(STR_FMT "\n", STR_ARG(line));
    }
    buf_free(b);
}

// ---- what is to be seen -----------------------------------------------------------------------------------------------

static void renditions_show(play *p, const film *f)
{
    const media_presentation *s = &f->presentation;
    bool bounded = true, falling = true, aligned = true;
    for (int i = 0; i < s->rendition_count; i++) {
        const media_rendition *r = &s->renditions[i];
        if (r->kind != MEDIA_VIDEO)
            continue;
        if (!p->quiet)
            printf("    %-6.*s %4u x %-4u %d chunks of %u s, on average %4llu kbit/s, at most %4llu kbit/s over a "
                   "chunk\n", STR_ARG(r->id), r->width, r->height,
                   r->segment_count, s->segment_ms_max / 1000, (unsigned long long)r->average_bps / 1000,
                       (unsigned long long)r->peak_bps / 1000);
        bounded &= r->average_bps <= (uint64_t)(i == 0 ? 300000 : i == 1 ? 1000000 : 3000000) * 11 / 10;
        falling &= i == 0 || r->average_bps > s->renditions[i - 1].average_bps || r->width == s->renditions[i - 1].width;
        aligned &= media_segments_aligned(&s->renditions[0], r);
    }
    play_check(p, s->rendition_count == 5, "one source: three renditions of its pictures, one of its sound, and thumbnails");
    play_check(p, bounded && falling, "made for 300 kbit/s, 1 Mbit/s and 3 Mbit/s, and none needs more than it was made for");
    play_check(p, aligned, "chunks of all renditions begin at the same moments: a player can change between any two");
}

static void coding_show(play *p, making *m)
{
    inspect_table t;
    inspect_gray flat, busy;
    const film *f = &m->film;
    const media_rendition *r = &f->presentation.renditions[2];
    const film_frames *k = f->frames[2];
    buf out = buf_make(1 << 20);
    video_run *v = m->v;
    bool read = inspect_frames_read(v->world, v->films, f, r, &v->memory, &t) &&
        inspect_gray_read(v->world, v->films, f, "flat.pgm", &flat) &&
                inspect_gray_read(v->world, v->films, f, "busy.pgm", &busy);
    if (!play_check(p, read, "the table of frames and two pictures were kept for looking at"))
        return;
    inspect_gray_draw(&out, &flat, &busy, false);
    inspect_frames_draw(&out, &t, k, COLUMNS, false);
    tell_lines(p, &out);
    play_check(p, flat.runs * 3 < busy.runs, "spatial coding: the flat picture is %d runs, the busy one %d",
               flat.runs, busy.runs);
    play_check(p, k[FILM_FRAMES_B].count > 0 &&
               k[FILM_FRAMES_P].bytes / k[FILM_FRAMES_P].count > k[FILM_FRAMES_B].bytes / k[FILM_FRAMES_B].count,
               "temporal coding: a B frame, between two others, is smaller than a P frame");
}

static void look_blocking(void *arg)
{
    void **both = arg;
    coding_show(both[0], both[1]);
}

static uint64_t unevenness(const media_rendition *r) { return r->peak_bps * 100 / (r->average_bps ? r->average_bps : 1); }

static void rates_blocking(void *arg)
{
    void **all = arg;
    play *p = all[0];
    making *films[2] = {all[1], all[2]};
    inspect_table t[2];
    uint64_t top = 0;
    buf out = buf_make(1 << 20);
    for (int i = 0; i < 2; i++) {
        video_run *v = films[i]->v;
        if (inspect_frames_read(v->world, v->films, &films[i]->film, &films[i]->film.presentation.renditions[0],
                                &v->memory, &t[i]))
            top = inspect_rate_most(&t[i]) > top ? inspect_rate_most(&t[i]) : top;
    }
    for (int i = 0; i < 2 && top; i++) {
        buf_format(&out, "\n  v300, %s bit rate:\n", i ? "constant" : "variable");
        inspect_rate_draw(&out, &t[i], top, films[i]->film.presentation.renditions[0].average_bps, COLUMNS);
    }
    tell_lines(p, &out);
    uint64_t variable = unevenness(&films[0]->film.presentation.renditions[0]),
        constant = unevenness(&films[1]->film.presentation.renditions[0]);
    play_check(p, top && variable > constant,
               "variable bit rate follows the pictures (its busiest chunk takes %llu%% of the average), constant "
               "bit rate does not (%llu%%)",
               (unsigned long long)variable, (unsigned long long)constant);
}

// ---- over HTTP --------------------------------------------------------------------------------------------------------

static http_result fetch(play *p, const char *target)
{
    conn *c = play_connect(p, VIEWER, HOST, ORIGIN_PORT);
    conn_deadline(c, seconds(60));
    http_result r = http_fetch(c, S("GET"), S(HOST), str_z(target), NULL, 0, (str){0}, ANSWER_BYTES_MAX, &p->memory);
    conn_close(c);
    return r;
}

static void manifest_show(play *p, const film *f)
{
    const char *why;
    http_result r = fetch(p, "/test-film/manifest.mpd");
    media_presentation *m = r.error || r.status != 200 ? NULL : mpd_read(r.body, &p->memory, &why);
    if (!play_check(p, m && m->rendition_count == 5,
                    "GET /test-film/manifest.mpd: the manifest tells the address and the rate of each rendition's "
                    "chunks"))
        return;
    for (str rest = r.body; rest.len && !p->quiet;) {
        str line = str_cut(&rest, '\n');
        if (str_find_str(line, S("<Representation")) >= 0 || str_find_str(line, S("<SegmentTemplate")) >= 0)
            printf("    " STR_FMT "\n", STR_ARG(str_trim(line)));
    }
    r = fetch(p, "/test-film/v1000/2.m4s");
    play_check(p, !r.error && r.status == 200 && (uint64_t)r.body.len == f->presentation.renditions[1].segments[1].bytes,
               "GET /test-film/v1000/2.m4s: the second chunk of one rendition, %td bytes", r.body.len);
}

static void show_all(play *p, making films[2])
{
    void *one[2] = {p, &films[0]}, *both[3] = {p, &films[0], &films[1]};
    renditions_show(p, &films[0].film);
    manifest_show(p, &films[0].film);
    work(look_blocking, one);
    work(rates_blocking, both);
}

void scene_renditions(play *p)
{
    small_host *h = small_find(p->net, S(HOST));
    str why = {0};
    making films[2] = {{.rate = "vbr", .id = S("test-film")}, {.rate = "cbr", .ladder = "300kbit", .id = S("constant")}};
    char *where = str_to_z(&p->memory, str_format(&p->memory, STR_FMT "/origin", STR_ARG(h->directory)));
    if (!play_check(p, small_service_add(p->net, h, &origin_kind, S(""), &why),
                    "%s serves films over HTTP" STR_FMT, HOST, STR_ARG(why)))
        return;
    play_tell(p, "A film is made (nothing is fetched) and encoded, in locked processes: %d s, a third flat, a third "
                 "moving, a third busy.", FILM_SECONDS);
    bool good = film_make(p, &films[0], where) && film_make(p, &films[1], where);
    if (good)
        show_all(p, films);
    else if (films[0].v && !films[0].found)
        play_tell(p, "naru-encode is not built here (it needs libav*): this scene shows nothing.");
    else
        play_check(p, false, "the film was encoded: " STR_FMT, STR_ARG(films[films[1].v != NULL].v->trouble));
    film_forget(&films[0]);
    film_forget(&films[1]);
}
