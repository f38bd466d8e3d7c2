// Pictures that stand still: the poster, sheets of small ones for the time line, and the flattest and the busiest
// in gray, to show
// what run-length coding can and cannot do. Made from a finished rendition, whose segments begin with a key frame each.
#include <libavutil/imgutils.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "encode/say.h"
#include "encode/steps.h"
#include "encode/strip.h"

enum {
    WORDS_BYTES_MAX = 512, GRAY_BYTES = TASK_GRAY_WIDTH * TASK_GRAY_HEIGHT, GRAY_LEVELS_STEP = 16, JPEG_QUALITY = 5,
    POSTER_PART = 3,                         // the poster is a key frame at a third of the film
};

typedef struct {
    const task *task;
    world      *world;
    source      source;
    strip       tiles, gray, poster;
    bool        open;
    int         key_frame, sheet;
    bool        poster_done;
    int         fewest, most;                // runs
    unsigned char flat[GRAY_BYTES], busy[GRAY_BYTES];
} making;

static bool file_put(making *m, const char *name, str bytes)
{
    return file_replace(m->world, task_path(name, ""), bytes, 0644) == E_OK || say_failed("cannot write %s", name);
}

static bool jpeg_put(making *m, const char *name, const AVFrame *f)
{
    const AVCodec *codec = avcodec_find_encoder(AV_CODEC_ID_MJPEG);
    AVCodecContext *c = codec ? avcodec_alloc_context3(codec) : NULL;
    AVPacket *p = av_packet_alloc();
    bool good = c && p;
    if (good) {
        c->width = f->width;
        c->height = f->height;
        c->pix_fmt = AV_PIX_FMT_YUVJ420P;
        c->time_base = (AVRational){1, 1};
        c->flags |= AV_CODEC_FLAG_QSCALE;
        c->global_quality = JPEG_QUALITY * FF_QP2LAMBDA;
        good = avcodec_open2(c, codec, NULL) >= 0 && avcodec_send_frame(c, f) >= 0 && avcodec_send_frame(c, NULL) >= 0 &&
               avcodec_receive_packet(c, p) >= 0;
    }
    good = good ? file_put(m, name, str_of(p->data, (size_t)p->size)) : say_failed("cannot make %s", name);
    av_packet_free(&p);
    avcodec_free_context(&c);
    return good;
}

static bool sheet_take(void *arg, AVFrame *f)
{
    making *m = arg;
    char name[32];
    snprintf(name, sizeof name, "tiles-%d.jpg", ++m->sheet);
    f->pict_type = AV_PICTURE_TYPE_NONE;
    return jpeg_put(m, name, f);
}

static bool poster_take(void *arg, AVFrame *f) { return jpeg_put(arg, "poster.jpg", f); }

// How many runs of one colour its lines have, when sixteen grays are told apart.
static int runs_of(const unsigned char *gray)
{
    int runs = 0;
    for (int i = 0; i < GRAY_BYTES; i++)
        runs += i % TASK_GRAY_WIDTH == 0 || gray[i] / GRAY_LEVELS_STEP != gray[i - 1] / GRAY_LEVELS_STEP;
    return runs;
}

static bool gray_take(void *arg, AVFrame *f)
{
    making *m = arg;
    unsigned char gray[GRAY_BYTES];
    if (f->width != TASK_GRAY_WIDTH || f->height != TASK_GRAY_HEIGHT)
        return say_failed("the gray picture has a wrong size");
    for (int y = 0; y < TASK_GRAY_HEIGHT; y++)
        memcpy(gray + y * TASK_GRAY_WIDTH, f->data[0] + y * f->linesize[0], TASK_GRAY_WIDTH);
    int runs = runs_of(gray);
    if (m->fewest == 0 || runs < m->fewest) {
        m->fewest = runs;
        memcpy(m->flat, gray, sizeof gray);
    }
    if (runs > m->most) {
        m->most = runs;
        memcpy(m->busy, gray, sizeof gray);
    }
    return true;
}

static bool strips_open(making *m, const AVFrame *first)
{
    char tiles[WORDS_BYTES_MAX], gray[WORDS_BYTES_MAX];
    int height = TASK_TILE_WIDTH * m->source.height / m->source.width / 2 * 2;
    height = height < 16 ? 16 : height > 4 * TASK_TILE_WIDTH ? 4 * TASK_TILE_WIDTH : height;
    snprintf(tiles, sizeof tiles, "scale=%d:%d,format=yuvj420p,tile=%dx%d", TASK_TILE_WIDTH, height,
             TASK_TILES_ACROSS, TASK_TILES_DOWN);
    snprintf(gray, sizeof gray, "scale=%d:%d:flags=area,format=gray", TASK_GRAY_WIDTH, TASK_GRAY_HEIGHT);
    m->open = true;
    return strip_open_pictures(&m->tiles, first, tiles) && strip_open_pictures(&m->gray, first, gray) &&
           strip_open_pictures(&m->poster, first, "format=yuvj420p");
}

static bool key_frame_take(void *arg, AVFrame *f)
{
    making *m = arg;
    if (f && !m->open && !strips_open(m, f))
        return false;
    if (f && m->key_frame >= 0)
        f->pts = m->key_frame++ * (int64_t)AV_TIME_BASE;
    bool poster = f && !m->poster_done && m->source.duration_ms / POSTER_PART <= m->key_frame * m->task->duration_ms;
    m->poster_done |= poster;
    say_progress(m->key_frame * m->task->duration_ms, m->source.duration_ms);
    return (!poster || (strip_put(&m->poster, f, poster_take, m) && strip_put(&m->poster, NULL, poster_take, m))) &&
           strip_put(&m->gray, f, gray_take, m) && strip_put(&m->tiles, f, sheet_take, m);
}

static bool gray_put(making *m, const char *name, const unsigned char *gray)
{
    buf out = buf_make(GRAY_BYTES + WORDS_BYTES_MAX);
    buf_format(&out, "P5\n%d %d\n255\n", TASK_GRAY_WIDTH, TASK_GRAY_HEIGHT);
    buf_put(&out, str_of(gray, GRAY_BYTES));
    bool good = file_put(m, name, buf_str(&out));
    buf_free(&out);
    return good;
}

// duration_ms of the task: from key frame to key frame.
bool step_stills(const task *t, world *w)
{
    making m = {.task = t, .world = w};
    bool good = source_open(&m.source, w) && source_frames(&m.source, m.source.video, true, key_frame_take, &m) &&
                gray_put(&m, "flat.pgm", m.flat) && gray_put(&m, "busy.pgm", m.busy);
    strip_close(&m.tiles);
    strip_close(&m.gray);
    strip_close(&m.poster);
    source_close(&m.source);
    return good;
}
