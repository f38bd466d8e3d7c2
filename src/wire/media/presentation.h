// A presentation: one film as renditions (the same pictures at other rates), each cut into segments that start at
// a key frame. What a manifest says (DASH: ISO/IEC 23009-1; HLS: RFC 8216), whoever wrote it; what the player
// decides about and the origin serves.
#pragma once
#include "base/arena.h"

enum {
    MEDIA_RENDITIONS_MAX = 64,
    MEDIA_SEGMENTS_MAX = 32768,              // of one rendition: 36 hours of 4 s segments
    MEDIA_BASES_MAX = 16,
    MEDIA_URL_BYTES_MAX = 2048,
};

typedef enum { MEDIA_VIDEO, MEDIA_AUDIO, MEDIA_IMAGES } media_kind;      // images: thumbnail tiles

typedef struct {
    uint64_t start, duration;                // in the rendition's timescale
    uint64_t bytes;                          // 0: the manifest does not say
    uint64_t offset;                         // in `whole` where segments are byte ranges
    str      url;                            // where each has a name of its own (HLS, SegmentList); empty: `media` says it
} media_segment;

typedef struct {
    str        id;                           // "v1000"
    media_kind kind;
    str        mime_type, codecs;            // "video/mp4", "avc1.64001f" (RFC 6381)
    uint32_t   width, height;                // video, images (one tile sheet)
    uint32_t   frames_number, frames_in;     // frame rate = number / in
    uint32_t   sampling_hz, channels;        // audio
    str        language;                     // BCP 47; may be empty
    uint32_t   timescale;                    // units a second of start and duration
    uint64_t   peak_bps, average_bps;        // bits a second: the most over one segment; over all
    str        initialization;               // URL of the initialization segment, relative to the base
    str        media;                        // URL template with $Number$ (and $RepresentationID$ replaced), relative to the base
    uint32_t   first_number;
    str        whole;                        // one file with all, for byte ranges; empty: none
    uint64_t   initialization_bytes;         // of `whole`: bytes 0 .. initialization_bytes - 1
    uint64_t   index_bytes;                  // the sidx that follows them
    media_segment *segments; int segment_count;
    uint32_t   tiles_across, tiles_down;     // images
    str        playlist;                     // HLS: URL of the media playlist, relative to the manifest's; else empty
    uint32_t   bitrate_key;                  // $Bandwidth$ of the template; 0: peak_bps
} media_rendition;

typedef struct {
    str location;                            // serviceLocation: "kingcdn-east", what steering calls a pathway
    str url;                                 // absolute, or relative to the manifest's
} media_base;

typedef struct {
    str      title;
    uint64_t duration_ms;
    uint32_t segment_ms_max;                 // the longest segment
    uint32_t buffer_ms_min;                  // minBufferTime
    media_rendition *renditions; int rendition_count;
    media_base *bases; int base_count;       // the ranked list: the first is to be tried first
    str      steering_url, steering_default; // DASH Content Steering; empty: none
    bool     steering_before_start;          // ask before the first segment
} media_presentation;

// units of a timescale in milliseconds, rounded down; timescale > 0.
uint64_t media_ms(uint64_t units, uint32_t timescale);

// The segment that holds this moment; the last one for a moment behind the end, -1 when there are none.
int media_segment_at(const media_rendition *r, uint64_t ms);
// Start and end of a segment in milliseconds of the presentation.
uint64_t media_segment_start_ms(const media_rendition *r, int segment);
uint64_t media_segment_end_ms(const media_rendition *r, int segment);

// Fills peak_bps (the most over one segment) and average_bps from the segments' bytes, rounded up; leaves them
// when a size is missing.
void media_rates_measure(media_rendition *r);

// What MPD@minBufferTime and Representation@bandwidth promise together (ISO/IEC 23009-1 section 5.3.5.2): the
// least rate at which, begun at any segment and played from buffer_ms after its first bit, every segment is there
// when its turn comes. Bits a second; peak_bps when sizes are missing or buffer_ms is 0.
uint64_t media_bandwidth_bps(const media_rendition *r, uint32_t buffer_ms);

// True when segment n of both starts at the same moment for all n (what segmentAlignment says), to the nearest
// millisecond.
bool media_segments_aligned(const media_rendition *a, const media_rendition *b);
