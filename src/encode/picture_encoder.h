// H.264 by libx264: closed groups of the same length whatever the pictures show, so that renditions change at the
// same places.
#pragma once
#include <libavcodec/avcodec.h>

#include "encode/task.h"

// NULL: said already. quick: as fast as can be, for a film that will be encoded again.
AVCodecContext *picture_encoder_open(const task *t, bool quick);
AVCodecContext *sound_encoder_open(int64_t rate_bps);        // AAC, 48 kHz, stereo
