// A rendition's file as CMAF wants it: ftyp moov, sidx over the whole, then one moof mdat a segment (libavformat's
// MP4 muxer).
#pragma once
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>

#include "encode/task.h"
#include "rt/world.h"

typedef struct {
    AVFormatContext *format;
    AVStream        *stream;
    AVCodecContext  *encoder;
    AVPacket        *packet;
    bool             by_key_frames;          // a segment begins at each key frame; else where segment_file_cut says
    int64_t          packets;
} segment_file;

// container "mp4" makes segments, "matroska" an ordinary file. False: said already. The encoder is open and stays
// the caller's.
bool segment_file_open(segment_file *f, const char *path, const char *container, bool by_key_frames);
// `stream` of an ordinary file that holds several: added before segment_file_begin.
AVStream *segment_file_stream(segment_file *f, AVCodecContext *encoder);
bool segment_file_begin(segment_file *f);
bool segment_file_packet(segment_file *f, AVStream *stream, AVCodecContext *encoder, AVPacket *p);
bool segment_file_cut(segment_file *f);
bool segment_file_end(segment_file *f);
void segment_file_close(segment_file *f);
