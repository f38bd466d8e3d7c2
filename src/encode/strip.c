#include "encode/strip.h"

#include <libavfilter/buffersink.h>
#include <libavfilter/buffersrc.h>
#include <libavutil/channel_layout.h>
#include <libavutil/opt.h>
#include <stdio.h>

#include "encode/say.h"

enum { WORDS_BYTES_MAX = 512 };

static bool graph_parse(strip *s, const char *filters, const char *sink)
{
    AVFilterInOut *outputs = s->in ? avfilter_inout_alloc() : NULL, *inputs = avfilter_inout_alloc();
    s->frame = av_frame_alloc();
    int e = inputs && s->frame ? avfilter_graph_create_filter(&s->out, avfilter_get_by_name(sink), "out", NULL,
                                                              NULL, s->graph) : AVERROR(ENOMEM);
    if (e >= 0 && s->in && outputs)
        *outputs = (AVFilterInOut){.name = av_strdup("in"), .filter_ctx = s->in};
    if (e >= 0)
        *inputs = (AVFilterInOut){.name = av_strdup("out"), .filter_ctx = s->out};
    if (e >= 0)
        e = avfilter_graph_parse_ptr(s->graph, filters, &inputs, &outputs, NULL);
    if (e >= 0)
        e = avfilter_graph_config(s->graph, NULL);
    avfilter_inout_free(&inputs);
    avfilter_inout_free(&outputs);
    return e >= 0 || say_failed("its frames cannot be brought into shape: %s", say_libav(e));
}

static bool open_with_input(strip *s, const char *kind, const char *arguments, const char *filters, const char *sink)
{
    s->graph = avfilter_graph_alloc();
    if (!s->graph)
        return say_failed("no memory");
    s->graph->nb_threads = 2;
    int e = avfilter_graph_create_filter(&s->in, avfilter_get_by_name(kind), "in", arguments, NULL, s->graph);
    return e >= 0 ? graph_parse(s, filters, sink) : say_failed("its frames are of no usual kind: %s", say_libav(e));
}

bool strip_open_pictures(strip *s, const AVFrame *first, const char *filters)
{
    char words[WORDS_BYTES_MAX];
    *s = (strip){.width = first->width, .height = first->height, .format = first->format};
    AVRational pixel = first->sample_aspect_ratio;
    if (pixel.num <= 0 || pixel.den <= 0)
        pixel = (AVRational){1, 1};
    snprintf(words, sizeof words, "video_size=%dx%d:pix_fmt=%d:time_base=1/%d:pixel_aspect=%d/%d", first->width,
             first->height, first->format,
             AV_TIME_BASE, pixel.num, pixel.den);
    return open_with_input(s, "buffer", words, filters, "buffersink");
}

bool strip_open_sound(strip *s, const AVFrame *first, const char *filters, int samples_a_frame)
{
    char words[WORDS_BYTES_MAX], layout[128];
    AVChannelLayout channels = first->ch_layout;
    *s = (strip){.width = first->sample_rate, .height = channels.nb_channels, .format = first->format};
    if (channels.order == AV_CHANNEL_ORDER_UNSPEC)
        av_channel_layout_default(&channels, first->ch_layout.nb_channels);
    if (first->sample_rate < 1000 || first->sample_rate > 768000 || channels.nb_channels < 1 || channels.nb_channels > 64)
        return say_failed("its sound has %d channels at %d Hz", channels.nb_channels, first->sample_rate);
    av_channel_layout_describe(&channels, layout, sizeof layout);
    snprintf(words, sizeof words, "time_base=1/%d:sample_rate=%d:sample_fmt=%s:channel_layout=%s", AV_TIME_BASE,
             first->sample_rate,
             av_get_sample_fmt_name(first->format), layout);
    if (!open_with_input(s, "abuffer", words, filters, "abuffersink"))
        return false;
    av_buffersink_set_frame_size(s->out, (unsigned)samples_a_frame);
    return true;
}

bool strip_open_made(strip *s, const char *graph, bool sound, int samples_a_frame)
{
    *s = (strip){.graph = avfilter_graph_alloc()};
    if (!s->graph)
        return say_failed("no memory");
    s->graph->nb_threads = 2;
    if (!graph_parse(s, graph, sound ? "abuffersink" : "buffersink"))
        return false;
    if (sound)
        av_buffersink_set_frame_size(s->out, (unsigned)samples_a_frame);
    return true;
}

void strip_close(strip *s)
{
    avfilter_graph_free(&s->graph);
    av_frame_free(&s->frame);
}

// Filters keep what they learned from the first frame; one that lies about its size must not reach them.
static bool is_as_before(const strip *s, const AVFrame *f)
{
    return f->format == s->format && (f->nb_samples ? f->sample_rate == s->width && f->ch_layout.nb_channels == s->height
                                                     : f->width == s->width && f->height == s->height);
}

// A frame that does not say how long it is to be seen is seen as long as the one before it.
static void end_note(strip *s, const AVFrame *f)
{
    if (f->pts == AV_NOPTS_VALUE)
        return;
    s->end = f->pts + (f->pkt_duration > 0 ? f->pkt_duration : f->pts > s->last ? f->pts - s->last : 0);
    s->last = f->pts;
}

bool strip_put(strip *s, AVFrame *frame, source_frame *each, void *arg)
{
    if (frame && !is_as_before(s, frame))
        return say_failed("picture size, pixel format or sound format change in its middle");
    int e = frame ? (end_note(s, frame), av_buffersrc_add_frame_flags(s->in, frame, AV_BUFFERSRC_FLAG_KEEP_REF))
                  : av_buffersrc_close(s->in, s->end, AV_BUFFERSRC_FLAG_PUSH);
    while (e >= 0 && (e = av_buffersink_get_frame(s->out, s->frame)) >= 0) {
        bool good = each(arg, s->frame);
        av_frame_unref(s->frame);
        if (!good)
            return false;
    }
    return e == AVERROR(EAGAIN) || e == AVERROR_EOF || say_failed("its frames cannot be brought into shape: %s",
                                                                  say_libav(e));
}

int strip_next(strip *s)
{
    av_frame_unref(s->frame);
    int e = av_buffersink_get_frame(s->out, s->frame);
    if (e == AVERROR_EOF)
        return 0;
    return e >= 0 ? 1 : (say_failed("the film cannot be made: %s", say_libav(e)), -1);
}

AVRational strip_time_base(const strip *s) { return av_buffersink_get_time_base(s->out); }
