#include "encode/source.h"

#include <libavutil/display.h>

#include "encode/say.h"
#include "encode/task.h"

enum { READ_BYTES = 64 * 1024, PROBE_BYTES_MAX = 8 << 20, PROBE_US_MAX = 10 * AV_TIME_BASE, BROKEN_FRAMES_MAX = 1000 };

// Neither lists that name other files (concat, HLS, DASH) nor anything that comes from elsewhere than the file.
static const char demuxers[] = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,mpegvideo,flv,live_flv,ogg,asf,mxf,y4m,yuv4mpegpipe,h264,hevc,nut";
static const char decoders[] =
    "h264,hevc,vp8,vp9,libdav1d,av1,mpeg1video,mpeg2video,mpeg4,mjpeg,prores,dnxhd,ffv1,theora,rawvideo,wrapped_avframe,h263,flv,"
    "wmv1,wmv2,wmv3,vc1,huffyuv,ffvhuff,png,"
    "aac,aac_latm,mp3,mp3float,mp2,mp2float,ac3,eac3,opus,libopus,vorbis,libvorbis,flac,alac,wmav1,wmav2,pcm_s16le,pcm_s16be,pcm_s24le,pcm_s24be,"
    "pcm_s32le,pcm_f32le,pcm_u8,pcm_alaw,pcm_mulaw,adpcm_ms,adpcm_ima_wav,amrnb,amrwb";

// ---- reading ----------------------------------------------------------------------------------------------------------

static int read_some(void *arg, uint8_t *into, int size)
{
    source *s = arg;
    size_t got = 0;
    if (size <= 0 || file_read(s->file, s->at, into, (size_t)size, &got) != E_OK)
        return AVERROR(EIO);
    s->at += (int64_t)got;
    return got ? (int)got : AVERROR_EOF;
}

static int64_t seek_to(void *arg, int64_t offset, int whence)
{
    source *s = arg;
    if (whence & AVSEEK_SIZE)
        return s->size_bytes;
    int64_t to;
    int from = whence & ~AVSEEK_FORCE;
    int64_t base = from == SEEK_SET ? 0 : from == SEEK_CUR ? s->at : from == SEEK_END ? s->size_bytes : -1;
    if (base < 0 || __builtin_add_overflow(base, offset, &to) || to < 0)
        return AVERROR(EINVAL);
    return s->at = to;
}

// A file that names others (alternate media, key files ...) gets none.
static int open_nothing(AVFormatContext *format, AVIOContext **out, const char *url, int flags, AVDictionary **options)
{
    (void)format, (void)url, (void)flags, (void)options;
    *out = NULL;
    return AVERROR(EACCES);
}

static bool format_open(source *s)
{
    uint8_t *buffer = av_malloc(READ_BYTES);
    AVDictionary *options = NULL;
    s->format = avformat_alloc_context();
    if (!buffer || !s->format)
        return say_failed("no memory");
    s->format->pb = avio_alloc_context(buffer, READ_BYTES, 0, s, read_some, NULL, seek_to);
    s->format->flags |= AVFMT_FLAG_CUSTOM_IO;
    s->format->io_open = open_nothing;
    av_dict_set(&options, "format_whitelist", demuxers, 0);
    av_dict_set(&options, "codec_whitelist", decoders, 0);
    av_dict_set_int(&options, "max_streams", TASK_STREAMS_MAX, 0);
    av_dict_set_int(&options, "probesize", PROBE_BYTES_MAX, 0);
    av_dict_set_int(&options, "analyzeduration", PROBE_US_MAX, 0);
    int e = avformat_open_input(&s->format, "", NULL, &options);
    av_dict_free(&options);
    return e >= 0 || say_failed("this is no film that naru reads: %s", say_libav(e));
}

// Every decoder that looking at the streams opens is held to the same bounds.
static bool streams_find(source *s)
{
    unsigned count = s->format->nb_streams;
    AVDictionary **options = av_calloc(count ? count : 1, sizeof *options);
    if (!options)
        return say_failed("no memory");
    for (unsigned i = 0; i < count; i++) {
        av_dict_set_int(&options[i], "max_pixels", TASK_PIXELS_MAX, 0);
        av_dict_set(&options[i], "threads", "1", 0);
    }
    int e = avformat_find_stream_info(s->format, options);
    for (unsigned i = 0; i < count; i++)
        av_dict_free(&options[i]);
    av_free(options);
    if (s->format->nb_streams > TASK_STREAMS_MAX)
        return say_failed("it has %u streams; more than %d are refused", s->format->nb_streams, TASK_STREAMS_MAX);
    return e >= 0 || say_failed("its streams cannot be understood: %s", say_libav(e));
}

// ---- what it is -------------------------------------------------------------------------------------------------------

// The nearest usual rate; screens that are recorded at uneven rates get the next one above. Never more than 60.
static AVRational usual_rate(AVRational told)
{
    static const AVRational usual[] = {{10, 1}, {12, 1}, {15, 1}, {20, 1}, {24000, 1001}, {24, 1}, {25, 1},
                                       {30000, 1001}, {30, 1},
                                       {48, 1}, {50, 1}, {60000, 1001}, {60, 1}};
    double rate = told.num > 0 && told.den > 0 ? av_q2d(told) : 25;
    while (rate > 60.5)
        rate /= 2;
    int last = sizeof usual / sizeof *usual - 1;
    for (int i = 0; i < last; i++)
        if (rate < av_q2d(usual[i]) * 1.0004)        // tells 29.97 from 30
            return usual[i];
    return usual[last];
}

static int turn_of(const AVStream *stream)
{
    const uint8_t *matrix = av_stream_get_side_data(stream, AV_PKT_DATA_DISPLAYMATRIX, NULL);
    if (!matrix)
        return 0;
    double degrees = -av_display_rotation_get((const int32_t *)(const void *)matrix);
    return degrees >= -360 && degrees <= 360 ? ((int)(degrees + 720 + 45) / 90) % 4 * 90 : 0;
}

static bool picture_judge(source *s)
{
    AVStream *stream = s->format->streams[s->video];
    AVCodecParameters *p = stream->codecpar;
    if (p->width < 16 || p->height < 16 || p->width > TASK_SIDE_MAX || p->height > TASK_SIDE_MAX ||
        (int64_t)p->width * p->height > TASK_PIXELS_MAX)
        return say_failed("its picture is %d x %d; from 16 x 16 up to %d million pixels are taken", p->width, p->height,
                          TASK_PIXELS_MAX / 1000000);
    AVRational pixel = av_guess_sample_aspect_ratio(s->format, stream, NULL);
    int64_t width = p->width;
    if (pixel.num > 0 && pixel.den > 0 && pixel.num < 10ll * pixel.den && pixel.den < 10ll * pixel.num)
        width = av_rescale(width, pixel.num, pixel.den);
    s->turn = turn_of(stream);
    bool upright = s->turn % 180 == 0;
    s->width = (int)FFMIN(upright ? width : p->height, TASK_SIDE_MAX);
    s->height = (int)FFMIN(upright ? p->height : width, TASK_SIDE_MAX);
    s->frame_rate = usual_rate(av_guess_frame_rate(s->format, stream, NULL));
    return true;
}

static bool duration_judge(source *s)
{
    int64_t us = s->format->duration;
    if (us <= 0 || us == AV_NOPTS_VALUE)
        return say_failed("it does not say how long it is; put it into another container first (ffmpeg -i FILE -c "
                          "copy film.mkv)");
    s->duration_ms = us / 1000;
    if (us > TASK_DURATION_S_MAX * (int64_t)AV_TIME_BASE)
        return say_failed("it is %lld minutes long; more than %d are refused", (long long)(us / 60000000),
                          TASK_DURATION_S_MAX / 60);
    s->start_us = s->format->start_time == AV_NOPTS_VALUE ? 0 : s->format->start_time;
    return true;
}

bool source_open(source *s, world *w)
{
    *s = (source){.world = w, .video = -1, .sound = -1};
    if (file_open(w, "source", FILE_READ, 0, &s->file) != E_OK || file_size(s->file, &s->size_bytes) != E_OK)
        return say_failed("the source cannot be read");
    if (!format_open(s) || !streams_find(s))
        return false;
    s->video = av_find_best_stream(s->format, AVMEDIA_TYPE_VIDEO, -1, -1, NULL, 0);
    s->sound = av_find_best_stream(s->format, AVMEDIA_TYPE_AUDIO, -1, -1, NULL, 0);
    if (s->video < 0)
        return say_failed("it holds no picture that naru can decode");
    return picture_judge(s) && duration_judge(s);
}

void source_close(source *s)
{
    AVIOContext *io = s->format ? s->format->pb : NULL;
    avformat_close_input(&s->format);
    if (io)
        av_freep(&io->buffer);
    avio_context_free(&io);
    if (s->file)
        file_close(s->file);
    s->file = NULL;
}

// ---- frames -----------------------------------------------------------------------------------------------------------

typedef struct {
    source         *source;
    AVStream       *stream;
    AVCodecContext *decoder;
    AVPacket       *packet;
    AVFrame        *frame;
    source_frame   *each;
    void           *arg;
    int             broken;
    int64_t         frames;
} decoding;

static bool decoder_open(decoding *d, bool key_frames)
{
    const AVCodec *codec = avcodec_find_decoder(d->stream->codecpar->codec_id);
    d->decoder = avcodec_alloc_context3(codec);
    if (!d->decoder || avcodec_parameters_to_context(d->decoder, d->stream->codecpar) < 0)
        return say_failed("no decoder for it");
    d->decoder->max_pixels = TASK_PIXELS_MAX;
    d->decoder->pkt_timebase = d->stream->time_base;
    d->decoder->thread_count = 2;
    if (key_frames)
        d->decoder->skip_frame = AVDISCARD_NONKEY;
    AVDictionary *options = NULL;
    av_dict_set(&options, "codec_whitelist", decoders, 0);
    int e = avcodec_open2(d->decoder, codec, &options);
    av_dict_free(&options);
    return e >= 0 || say_failed("its decoder refuses it: %s", say_libav(e));
}

static bool frames_give(decoding *d)
{
    int e;
    while ((e = avcodec_receive_frame(d->decoder, d->frame)) >= 0) {
        int64_t at = d->frame->best_effort_timestamp;
        d->frame->pts = at == AV_NOPTS_VALUE ? AV_NOPTS_VALUE
                                             : av_rescale_q(at, d->stream->time_base, AV_TIME_BASE_Q) - d->source->start_us;
        // of the last: when it ends
        d->frame->pkt_duration = av_rescale_q(d->frame->pkt_duration, d->stream->time_base, AV_TIME_BASE_Q);
        d->frame->pict_type = AV_PICTURE_TYPE_NONE;
        d->frames++;
        if (d->frame->pts != AV_NOPTS_VALUE && d->frame->pts > TASK_DURATION_S_MAX * (int64_t)AV_TIME_BASE)
            return say_failed("its time stamps go beyond %d hours", TASK_DURATION_S_MAX / 3600);
        bool good = d->each(d->arg, d->frame);
        av_frame_unref(d->frame);
        if (!good)
            return false;
    }
    return e == AVERROR(EAGAIN) || e == AVERROR_EOF || ++d->broken < BROKEN_FRAMES_MAX ||
        say_failed("it is damaged: %s", say_libav(e));
}

static bool packets_decode(decoding *d)
{
    int e;
    while ((e = av_read_frame(d->source->format, d->packet)) >= 0) {
        bool good = true;
        if (d->packet->stream_index == d->stream->index) {
            int sent = avcodec_send_packet(d->decoder, d->packet);
            good = sent >= 0 || ++d->broken < BROKEN_FRAMES_MAX || say_failed("it is damaged: %s", say_libav(sent));
            good = good && frames_give(d);
        }
        av_packet_unref(d->packet);
        if (!good)
            return false;
    }
    if (e != AVERROR_EOF)
        return say_failed("it cannot be read to its end: %s", say_libav(e));
    avcodec_send_packet(d->decoder, NULL);
    return frames_give(d);
}

bool source_frames(source *s, int stream, bool key_frames, source_frame *each, void *arg)
{
    decoding d = {.source = s, .stream = s->format->streams[stream], .packet = av_packet_alloc(), .frame = av_frame_alloc(),
                  .each = each, .arg = arg};
    for (unsigned i = 0; i < s->format->nb_streams; i++)
        s->format->streams[i]->discard = (int)i == stream ? AVDISCARD_DEFAULT : AVDISCARD_ALL;
    bool good = d.packet && d.frame && decoder_open(&d, key_frames) && packets_decode(&d);
    if (good && d.frames == 0)
        good = say_failed("nothing of it could be decoded");
    good = good && each(arg, NULL);
    av_packet_free(&d.packet);
    av_frame_free(&d.frame);
    avcodec_free_context(&d.decoder);
    return good;
}
