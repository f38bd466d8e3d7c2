// A rendition's file, read back and judged box by box: the encoder has looked at a stranger's bytes, so nothing
// that it says is believed.
#pragma once
#include "cmd/video.h"
#include "wire/media/presentation.h"

// Fills r from the file (kind, codecs, timescale, sizes, segments, peak and average rate) and, for video, the
// kinds of frames; `table` gets
// a line a picture (may be NULL). False with *why: it is not ftyp, moov, sidx and one moof and mdat a segment,
// each segment begins with
// a key frame, at the time and of the length and size that the index says.
bool video_rendition_read(world *w, const char *path, str id, arena *a, media_rendition *r,
                          film_frames frames[FILM_FRAME_KINDS], buf *table,
                          const char **why);
