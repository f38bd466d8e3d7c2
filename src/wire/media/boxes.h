// Boxes of the ISO base media file format (ISO/IEC 14496-12) as CMAF uses them: enough to say what a track is, to
// index an on-demand file, to check a segment and to look at its frames. Bounded: nothing is read past its box, no
// box is in more than BOX_DEPTH_MAX others.
#pragma once
#include "base/buf.h"
#include "base/bytes.h"
#include "wire/media/presentation.h"

enum {
    BOX_DEPTH_MAX = 8,
    BOX_TRACKS_MAX = 8,
    BOX_FRAGMENTS_MAX = 4096,                // moof boxes in one text
    BOX_SAMPLES_MAX = 256 * 1024,            // in one text
};
#define BOX_TYPE(a, b, c, d) ((uint32_t)(a) << 24 | (uint32_t)(b) << 16 | (uint32_t)(c) << 8 | (uint32_t)(d))

typedef struct {
    uint32_t type;                           // BOX_TYPE('m','o','o','f')
    str      body;                           // behind the header
    uint64_t offset, bytes;                  // where the box begins in what is read, and its size with the header
} box;

// The next box; false at the end, or r->bad when a size is wrong (smaller than its header, larger than what is
// there).
bool box_next(reader *r, box *out);
bool box_find(str body, uint32_t type, box *out);        // the first of that type directly in body

// ---- the movie: what initialization segments say --------------------------------------------------------------------------

typedef struct {
    uint32_t   id;
    media_kind kind;
    uint32_t   timescale;
    str        codecs;                       // RFC 6381: "avc1.64001f", "mp4a.40.2", "Opus"; the four letters of others
    uint32_t   width, height;                // as shown
    uint32_t   sampling_hz, channels;
    str        language;                     // ISO 639-2, three letters; empty: undetermined
    uint32_t   default_duration, default_bytes, default_flags;   // of its samples in fragments (trex)
    int        nal_length_bytes;             // H.264: how long the length before each NAL unit is; else 0
} media_track;

typedef struct {
    bool        fragmented;                  // there is an mvex
    uint64_t    duration_ms;                 // mehd or mvhd; 0: unknown
    media_track tracks[BOX_TRACKS_MAX]; int track_count;
    uint64_t    bytes;                       // of everything up to the end of moov
} media_movie;

// ftyp and moov of a text that begins with them. False: no moov, or broken.
bool movie_read(str text, media_movie *out, arena *a);

// ---- the index of an on-demand file (sidx, section 8.16.3) -----------------------------------------------------------------

// A sidx box at the start of text into r->segments (start, duration, bytes, offset) and r->timescale. offset:
// where the box itself stands in its file. Indexes of indexes are refused. False: broken, or more than
// MEDIA_SEGMENTS_MAX. Fills peak_bps and average_bps only where they are 0.
bool sidx_read(str text, uint64_t offset, media_rendition *r, arena *a);

// The sidx for r->segments that follow it without a gap (their `bytes`; offsets are not looked at), every one
// beginning with SAP type 1.
bool sidx_write(const media_rendition *r, uint32_t track, buf *out);
uint64_t sidx_bytes(int segment_count);      // how large that box is

// ---- fragments: what media segments say -------------------------------------------------------------------------------------

typedef enum { FRAME_I = 'I', FRAME_P = 'P', FRAME_B = 'B', FRAME_OTHER = 'x' } frame_kind;      // x: no H.264, or unreadable

typedef struct {
    uint64_t   time;                         // when it is decoded, in the track's timescale
    uint32_t   duration;
    int32_t    shown_later;                  // composition time - decode time
    uint64_t   offset;                       // where its bytes are in the text
    uint32_t   bytes;
    bool       sync;                         // decoding can begin here
    frame_kind kind;                         // from the slice header, where its bytes are in the text
} media_sample;

typedef struct {
    uint32_t      track, sequence;           // of the first moof
    int           fragment_count;            // moof boxes
    uint64_t      start, duration;           // of all samples, in the track's timescale; start in decode time
    uint64_t      shown_start;               // the earliest composition time
    media_sample *samples; int sample_count;
    bool          starts_with_sync;
    bool          complete;                  // all samples' bytes are in the text
} media_fragments;

// The moof and mdat boxes of a media segment (or of a whole fragmented file) for one track. False: no moof of that
// track, or broken.
bool fragments_read(str text, const media_track *track, media_fragments *out, arena *a);

// What kind of slice an H.264 sample's first picture slice is (ISO/IEC 14496-10 section 7.3.3); FRAME_OTHER when
// there is none.
frame_kind avc_frame_kind(str sample, int nal_length_bytes);

// nothing: text is ftyp?/styp?/sidx?/moof+mdat of the track, begins with a sync sample, begins at `start` (within
// one frame) and lasts `duration` units; else a literal that says what is wrong.
const char *segment_check(str text, const media_track *track, uint64_t start, uint64_t duration, arena *a);
