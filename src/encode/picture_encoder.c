#include "encode/picture_encoder.h"

#include <libavutil/channel_layout.h>
#include <stdio.h>

#include "encode/say.h"

enum { WORDS_BYTES_MAX = 256, HZ = 48000, CRF = 21 };

// Variable: as good as CRF says, capped so that no two seconds take more than they may. Constant: filled up to the
// rate, always.
static void rate_set(AVCodecContext *c, const task *t, AVDictionary **options)
{
    char words[WORDS_BYTES_MAX];
    snprintf(words, sizeof words, "scenecut=0:open-gop=0:force-cfr=1:keyint=%d:min-keyint=%d%s",
             (int)t->group_frames, (int)t->group_frames,
             t->constant ? ":nal-hrd=cbr" : "");
    c->rc_max_rate = t->rate_bps;
    c->rc_buffer_size = (int)(t->constant ? t->rate_bps : t->rate_bps * 2);
    c->rc_initial_buffer_occupancy = c->rc_buffer_size * 3 / 4;
    if (t->constant)
        c->bit_rate = c->rc_min_rate = t->rate_bps;
    else
        av_dict_set_int(options, "crf", CRF, 0);
    av_dict_set(options, "x264-params", words, 0);
    av_dict_set(options, "preset", "veryfast", 0);
    av_dict_set(options, "profile", t->height <= 288 ? "main" : "high", 0);
}

AVCodecContext *picture_encoder_open(const task *t, bool quick)
{
    const AVCodec *codec = avcodec_find_encoder_by_name("libx264");
    AVCodecContext *c = codec ? avcodec_alloc_context3(codec) : NULL;
    AVDictionary *options = NULL;
    if (!c) {
        say_failed("libavcodec has no libx264 here");
        return NULL;
    }
    c->width = (int)t->width;
    c->height = (int)t->height;
    c->pix_fmt = AV_PIX_FMT_YUV420P;
    c->time_base = (AVRational){(int)t->frames_in, (int)t->frames_number};
    c->framerate = (AVRational){(int)t->frames_number, (int)t->frames_in};
    c->sample_aspect_ratio = (AVRational){1, 1};
    c->gop_size = c->keyint_min = (int)t->group_frames;
    c->flags |= AV_CODEC_FLAG_GLOBAL_HEADER | AV_CODEC_FLAG_CLOSED_GOP;
    if (quick) {
        av_dict_set(&options, "preset", "ultrafast", 0);
        av_dict_set_int(&options, "crf", 12, 0);
    } else {
        av_dict_set(&options, "forced-idr", "1", 0);
        rate_set(c, t, &options);
    }
    int e = avcodec_open2(c, codec, &options);
    av_dict_free(&options);
    if (e < 0) {
        say_failed("the encoder refuses %d x %d: %s", c->width, c->height, say_libav(e));
        avcodec_free_context(&c);
    }
    return c;
}

AVCodecContext *sound_encoder_open(int64_t rate_bps)
{
    const AVCodec *codec = avcodec_find_encoder(AV_CODEC_ID_AAC);
    AVCodecContext *c = codec ? avcodec_alloc_context3(codec) : NULL;
    if (!c) {
        say_failed("libavcodec has no AAC encoder here");
        return NULL;
    }
    c->sample_fmt = AV_SAMPLE_FMT_FLTP;
    c->sample_rate = HZ;
    c->time_base = (AVRational){1, HZ};
    c->bit_rate = rate_bps;
    c->flags |= AV_CODEC_FLAG_GLOBAL_HEADER;
    av_channel_layout_default(&c->ch_layout, 2);
    int e = avcodec_open2(c, codec, NULL);
    if (e < 0) {
        say_failed("the encoder refuses the sound: %s", say_libav(e));
        avcodec_free_context(&c);
    }
    return c;
}
