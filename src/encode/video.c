// A rendition's pictures.
#include <stdio.h>

#include "encode/picture_encoder.h"
#include "encode/say.h"
#include "encode/segment_file.h"
#include "encode/steps.h"
#include "encode/strip.h"

enum { WORDS_BYTES_MAX = 512, SHORT_PART_MAX = 10, SHORT_US = 2000000 };

typedef struct {
    const task  *task;
    source       source;
    strip        strip;
    bool         strip_open;
    segment_file file;
    AVCodecContext *encoder;
    int64_t      frames, frames_expected, last_us;
} encoding;

static bool packets_take(encoding *v)
{
    int e;
    while ((e = avcodec_receive_packet(v->encoder, v->file.packet)) >= 0) {
        v->file.packet->duration = 1;                    // in units of one frame
        if (!segment_file_packet(&v->file, v->file.stream, v->encoder, v->file.packet))
            return false;
    }
    return e == AVERROR(EAGAIN) || e == AVERROR_EOF || say_failed("the encoder stopped: %s", say_libav(e));
}

static bool frame_encode(void *arg, AVFrame *f)
{
    encoding *v = arg;
    if (v->frames >= TASK_FRAMES_MAX)
        return say_failed("it has more than %d pictures", TASK_FRAMES_MAX);
    f->pts = v->frames;
    f->pict_type = v->frames % v->task->group_frames == 0 ? AV_PICTURE_TYPE_I : AV_PICTURE_TYPE_NONE;
    v->frames++;
    say_progress(v->frames, v->frames_expected);
    int e = avcodec_send_frame(v->encoder, f);
    return e >= 0 ? packets_take(v) : say_failed("the encoder stopped: %s", say_libav(e));
}

static const char *turned(int degrees)
{
    return degrees == 90 ? "transpose=clock," : degrees == 270 ? "transpose=cclock," : degrees == 180 ? "hflip,vflip," : "";
}

static bool strip_begin(encoding *v, const AVFrame *first)
{
    char words[WORDS_BYTES_MAX];
    snprintf(words, sizeof words,
             "yadif=deint=interlaced,%sfps=%lld/%lld:start_time=0,scale=%lld:%lld:flags=bicubic,setsar=1,format=yuv420p",
             turned(v->source.turn), (long long)v->task->frames_number, (long long)v->task->frames_in,
                 (long long)v->task->width,
             (long long)v->task->height);
    v->strip_open = true;
    return strip_open_pictures(&v->strip, first, words);
}

static bool source_frame_take(void *arg, AVFrame *f)
{
    encoding *v = arg;
    if (f && !v->strip_open && !strip_begin(v, f))
        return false;
    if (f && f->pts != AV_NOPTS_VALUE)
        v->last_us = f->pts;
    return strip_put(&v->strip, f, frame_encode, v);
}

// A file that was cut off says how long it was.
static bool is_whole(const encoding *v)
{
    const AVStream *stream = v->source.format->streams[v->source.video];
    int64_t told_us = v->source.duration_ms * 1000;      // of all; sound may go on behind the last picture
    if (stream->duration > 0)
        told_us = FFMIN(told_us, av_rescale_q(stream->duration, stream->time_base, AV_TIME_BASE_Q));
    return v->last_us + SHORT_US >= told_us - told_us / SHORT_PART_MAX ||
           say_failed("it is cut short: it says that it is %lld s long, and ends after %lld s",
                      (long long)(told_us / 1000000),
                      (long long)(v->last_us / 1000000));
}

static bool encoder_finish(encoding *v)
{
    avcodec_send_frame(v->encoder, NULL);
    return packets_take(v) && segment_file_end(&v->file);
}

bool step_video(const task *t, world *w)
{
    encoding v = {.task = t};
    bool good = source_open(&v.source, w) && (v.encoder = picture_encoder_open(t, false)) != NULL &&
                segment_file_open(&v.file, task_path(t->name, ".part"), "mp4", true) &&
                ((v.file.stream = segment_file_stream(&v.file, v.encoder)) || say_failed("no memory")) &&
                    segment_file_begin(&v.file);
    v.frames_expected = av_rescale(v.source.duration_ms, t->frames_number, t->frames_in * 1000);
    good = good && source_frames(&v.source, v.source.video, false, source_frame_take, &v) && is_whole(&v) &&
        encoder_finish(&v);
    segment_file_close(&v.file);
    strip_close(&v.strip);
    avcodec_free_context(&v.encoder);
    source_close(&v.source);
    return good;
}
