// Pictures and sound of fragmented files, and pictures of several renditions, put into one stream that a program
// can read from a pipe: tracks get numbers of their own, and where the rendition changes the new one's parameter
// sets go along in the stream.
#pragma once
#include "wire/media/boxes.h"

enum { JOIN_VIDEO = 1, JOIN_AUDIO = 2, JOIN_PARAMETER_BYTES_MAX = 4096 };      // the tracks' numbers

// What stands before everything: ftyp and a moov of both tracks (sound may be empty). False: an initialization
// segment of more than one track, or broken.
bool join_begin(str video, str sound, buf *out);

// The parameter sets (SPS, PPS) of an H.264 initialization segment, each with four bytes of length before it.
// Empty: no H.264, or lengths of another size.
str join_parameter_sets(str video, arena *a);

// The fragments of one media segment with their track's new number; *sequence counts fragments through the whole
// stream. parameter_sets (may be empty) go before the first sample. False: no fragments, or such that cannot be
// moved (absolute offsets).
bool join_segment(str segment, uint32_t track, str parameter_sets, uint32_t *sequence, buf *out);
