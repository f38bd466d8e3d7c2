#include "encode/segment_file.h"

#include "encode/say.h"

bool segment_file_open(segment_file *f, const char *path, const char *container, bool by_key_frames)
{
    *f = (segment_file){.by_key_frames = by_key_frames, .packet = av_packet_alloc()};
    int e = f->packet ? avformat_alloc_output_context2(&f->format, NULL, container, path) : AVERROR(ENOMEM);
    if (e >= 0)
        e = avio_open(&f->format->pb, path, AVIO_FLAG_WRITE);
    return e >= 0 || say_failed("cannot write %s: %s", path, say_libav(e));
}

AVStream *segment_file_stream(segment_file *f, AVCodecContext *encoder)
{
    AVStream *stream = avformat_new_stream(f->format, NULL);
    if (!stream || avcodec_parameters_from_context(stream->codecpar, encoder) < 0)
        return NULL;
    stream->codecpar->initial_padding = 0;               // what the encoder needed before the beginning is left out (sound.c)
    stream->time_base = encoder->time_base;
    stream->avg_frame_rate = encoder->framerate;
    return stream;
}

bool segment_file_begin(segment_file *f)
{
    static const char cut_by_keys[] = "+cmaf+dash+global_sidx+skip_trailer+frag_keyframe";
    static const char cut_by_hand[] = "+cmaf+dash+global_sidx+skip_trailer+frag_custom";
    AVDictionary *options = NULL;
    av_dict_set(&options, "movflags", f->by_key_frames ? cut_by_keys : cut_by_hand, 0);      // matroska passes it over
    av_dict_set(&options, "write_tmcd", "0", 0);
    f->format->flags |= AVFMT_FLAG_BITEXACT;                                         // no version of a library in the file
    f->format->avoid_negative_ts = AVFMT_AVOID_NEG_TS_DISABLED;
    int e = avformat_write_header(f->format, &options);
    av_dict_free(&options);
    return e >= 0 || say_failed("the file cannot be begun: %s", say_libav(e));
}

bool segment_file_packet(segment_file *f, AVStream *stream, AVCodecContext *encoder, AVPacket *p)
{
    p->stream_index = stream->index;
    av_packet_rescale_ts(p, encoder->time_base, stream->time_base);
    f->packets++;
    int e = f->format->nb_streams > 1 ? av_interleaved_write_frame(f->format, p) : av_write_frame(f->format, p);
    av_packet_unref(p);
    return e >= 0 || say_failed("cannot write the film: %s", say_libav(e));
}

bool segment_file_cut(segment_file *f)
{
    int e = av_write_frame(f->format, NULL);
    return e >= 0 || say_failed("cannot write the film: %s", say_libav(e));
}

bool segment_file_end(segment_file *f)
{
    int e = av_write_trailer(f->format);
    if (e >= 0)
        e = avio_closep(&f->format->pb);
    return e >= 0 || say_failed("cannot write the film: %s", say_libav(e));
}

void segment_file_close(segment_file *f)
{
    if (f->format)
        avio_closep(&f->format->pb);
    avformat_free_context(f->format);
    av_packet_free(&f->packet);
}
