// A film that nobody shot: a flat part, one with moving patterns, and a busy one that no encoder finds easy, with
// a tone. Made by
// libavfilter's sources, so that nothing has to be fetched.
#include <stdio.h>

#include "encode/picture_encoder.h"
#include "encode/say.h"
#include "encode/segment_file.h"
#include "encode/steps.h"
#include "encode/strip.h"

enum { WORDS_BYTES_MAX = 1024, SOUND_BPS = 192000, PARTS = 3 };

typedef struct {
    strip           strip;
    AVCodecContext *encoder;
    AVStream       *stream;
    bool            ended;
    int64_t         at;                      // frames, or samples
} track;

typedef struct { segment_file file; track pictures, sound; } making;

static bool packets_take(making *m, track *t)
{
    int e;
    while ((e = avcodec_receive_packet(t->encoder, m->file.packet)) >= 0) {
        m->file.packet->duration = t == &m->pictures ? 1 : t->encoder->frame_size;
        if (!segment_file_packet(&m->file, t->stream, t->encoder, m->file.packet))
            return false;
    }
    return e == AVERROR(EAGAIN) || e == AVERROR_EOF || say_failed("the encoder stopped: %s", say_libav(e));
}

static bool track_step(making *m, track *t)
{
    int next = strip_next(&t->strip);
    if (next < 0)
        return false;
    t->ended = next == 0;
    AVFrame *f = t->ended ? NULL : t->strip.frame;
    if (f) {
        f->pts = t->at;
        f->pict_type = AV_PICTURE_TYPE_NONE;
        t->at += t == &m->pictures ? 1 : f->nb_samples;
    }
    return avcodec_send_frame(t->encoder, f) >= 0 ? packets_take(m, t) : say_failed("the encoder stopped");
}

static bool strips_open(making *m, const task *t)
{
    char words[WORDS_BYTES_MAX];
    int64_t part = t->duration_ms / PARTS, rate = t->frames_number / t->frames_in;
    long long w = t->width, h = t->height, last = t->duration_ms - 2 * part;
    snprintf(words, sizeof words,
             "color=c=0x3465a4:s=%lldx%lld:r=%lld:d=%lldms,drawbox=x=iw/8:y=ih/4:w=iw/4:h=ih/2:c=0xedd400:t=fill,format=yuv420p[a];"
             "testsrc2=s=%lldx%lld:r=%lld:d=%lldms,format=yuv420p[b];"
             "mandelbrot=s=%lldx%lld:r=%lld,trim=duration=%lldms,scale=%lld:%lld:flags=neighbor,setsar=1,format=yuv420p[c];"
             "[a][b][c]concat=n=3[out]",
             w, h, (long long)rate, (long long)part, w, h, (long long)rate, (long long)part, w / 4 * 2, h / 4 * 2,
                 (long long)rate, last, w, h);
    if (!strip_open_made(&m->pictures.strip, words, false, 0))
        return false;
    snprintf(words, sizeof words, "sine=frequency=330:beep_factor=4:sample_rate=48000:duration=%lldms,"
             "aformat=sample_fmts=fltp:channel_layouts=stereo[out]", (long long)t->duration_ms);
    return strip_open_made(&m->sound.strip, words, true, m->sound.encoder->frame_size);
}

static bool tracks_run(making *m, const task *t)
{
    bool good = true;
    int64_t frames = t->duration_ms * t->frames_number / t->frames_in / 1000;
    while (good && !(m->pictures.ended && m->sound.ended)) {
        int64_t sound_as_frames = av_rescale(m->sound.at, t->frames_number, t->frames_in * m->sound.encoder->sample_rate);
        bool sound_next = m->pictures.ended || (!m->sound.ended && sound_as_frames <= m->pictures.at);
        good = track_step(m, sound_next ? &m->sound : &m->pictures);
        say_progress(m->pictures.at, frames);
    }
    return good && segment_file_end(&m->file);
}

bool step_sample(const task *t, world *w)
{
    making m = {0};
    (void)w;
    bool good = (m.pictures.encoder = picture_encoder_open(t, true)) && (m.sound.encoder = sound_encoder_open(SOUND_BPS)) &&
                segment_file_open(&m.file, task_path(t->name, ".part"), "matroska", false);
    if (good) {
        m.pictures.stream = segment_file_stream(&m.file, m.pictures.encoder);
        m.sound.stream = segment_file_stream(&m.file, m.sound.encoder);
        good = m.pictures.stream && m.sound.stream;
    }
    good = good && strips_open(&m, t) && segment_file_begin(&m.file) && tracks_run(&m, t);
    segment_file_close(&m.file);
    strip_close(&m.pictures.strip);
    strip_close(&m.sound.strip);
    avcodec_free_context(&m.pictures.encoder);
    avcodec_free_context(&m.sound.encoder);
    return good;
}
