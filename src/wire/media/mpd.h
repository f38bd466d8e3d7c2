// DASH's manifest, the Media Presentation Description (ISO/IEC 23009-1:2022): written for what naru makes, read
// from whoever made it.
#pragma once
#include "base/buf.h"
#include "wire/media/presentation.h"

typedef enum {
    MPD_TIMELINE,            // isoff-live: SegmentTemplate with a SegmentTimeline, $Number$: exact whatever the durations are
    MPD_DURATION,            // isoff-live: SegmentTemplate@duration where all segments but the last are equally long, else as MPD_TIMELINE
    MPD_ON_DEMAND,           // isoff-on-demand: one file a rendition (`whole`), SegmentBase@indexRange; image renditions as MPD_TIMELINE
} mpd_shape;

enum { MPD_BYTES_MAX = 4 * 1024 * 1024 };

// A static MPD. Bandwidths are media_bandwidth_bps for buffer_ms_min; bases in their order, with serviceLocation;
// ContentSteering when steering_url is set; an AdaptationSet for all video, one for each language (and codec) of
// audio, one for each rendition of images. segmentAlignment is claimed only where it is true. False: the buffer is
// full, or (MPD_ON_DEMAND) a rendition has no `whole`.
bool mpd_write(const media_presentation *p, mpd_shape shape, buf *out);

// Reads a static MPD of one Period: SegmentTemplate (duration or timeline; $Number$, $Time$), SegmentList,
// SegmentBase (then there are no segments yet: media_index_request, sidx_read), BaseURL at every level,
// BaseURL@dvb:priority. What the document says at an outer level holds inside. Renditions of other kinds
// (subtitles) and protected ones are left out. NULL and *why: not well-formed, dynamic, several Periods, above a
// limit, or nothing to play. Views point into text or a. Allocates at most what the text is large, and a segment
// table for each rendition.
media_presentation *mpd_read(str text, arena *a, const char **why);
