// The sound, as long as the pictures are and cut where they are cut, to the nearest of AAC's frames.
#include <stdio.h>

#include "encode/picture_encoder.h"
#include "encode/say.h"
#include "encode/segment_file.h"
#include "encode/steps.h"
#include "encode/strip.h"

enum { WORDS_BYTES_MAX = 256 };

typedef struct {
    const task  *task;
    source       source;
    strip        strip;
    bool         strip_open;
    segment_file file;
    AVCodecContext *encoder;
    int64_t      samples, segment;
} encoding;

static int64_t samples_at(const encoding *a, int64_t segment)
{
    return av_rescale(segment * a->task->group_frames * a->task->frames_in, a->encoder->sample_rate, a->task->frames_number);
}

static bool packet_put(encoding *a, AVPacket *p)
{
    if (p->pts < 0 || p->pts >= a->samples) {            // what the encoder needs before the beginning and behind the end
        av_packet_unref(p);
        return true;
    }
    bool cut = p->pts + p->duration / 2 >= samples_at(a, a->segment + 1);
    a->segment += cut;
    p->duration = a->encoder->frame_size;
    return (!cut || segment_file_cut(&a->file)) && segment_file_packet(&a->file, a->file.stream, a->encoder, p);
}

static bool packets_take(encoding *a)
{
    int e;
    while ((e = avcodec_receive_packet(a->encoder, a->file.packet)) >= 0)
        if (!packet_put(a, a->file.packet))
            return false;
    return e == AVERROR(EAGAIN) || e == AVERROR_EOF || say_failed("the encoder stopped: %s", say_libav(e));
}

static bool frame_encode(void *arg, AVFrame *f)
{
    encoding *a = arg;
    f->pts = a->samples;
    a->samples += f->nb_samples;
    if (a->samples > TASK_DURATION_S_MAX * (int64_t)a->encoder->sample_rate)
        return say_failed("its sound is longer than %d hours", TASK_DURATION_S_MAX / 3600);
    say_progress(a->samples / 48, a->source.duration_ms);
    int e = avcodec_send_frame(a->encoder, f);
    return e >= 0 ? packets_take(a) : say_failed("the encoder stopped: %s", say_libav(e));
}

static bool source_frame_take(void *arg, AVFrame *f)
{
    encoding *a = arg;
    if (f && !a->strip_open) {
        a->strip_open = true;
        char words[WORDS_BYTES_MAX];
        snprintf(words, sizeof words,
                 "aresample=48000:async=1:first_pts=0,aformat=sample_fmts=fltp:channel_layouts=stereo,apad,atrim=end_sample=%lld",
                 (long long)(a->task->duration_ms * 48));
        if (!strip_open_sound(&a->strip, f, words, a->encoder->frame_size))
            return false;
    }
    return strip_put(&a->strip, f, frame_encode, a);
}

static bool encoder_finish(encoding *a)
{
    avcodec_send_frame(a->encoder, NULL);
    return packets_take(a) && segment_file_end(&a->file);
}

bool step_sound(const task *t, world *w)
{
    encoding a = {.task = t};
    bool good = source_open(&a.source, w) && (a.source.sound >= 0 || say_failed("it has no sound")) &&
                (a.encoder = sound_encoder_open(t->rate_bps)) != NULL &&
                segment_file_open(&a.file, task_path(t->name, ".part"), "mp4", false) &&
                ((a.file.stream = segment_file_stream(&a.file, a.encoder)) || say_failed("no memory")) &&
                    segment_file_begin(&a.file) &&
                source_frames(&a.source, a.source.sound, false, source_frame_take, &a) && encoder_finish(&a);
    segment_file_close(&a.file);
    strip_close(&a.strip);
    avcodec_free_context(&a.encoder);
    source_close(&a.source);
    return good;
}
