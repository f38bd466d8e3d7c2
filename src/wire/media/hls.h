// HLS's playlists (RFC 8216; what later drafts call Content Steering and image playlists as far as named here):
// written for what naru makes, read from whoever made it.
#pragma once
#include "base/buf.h"
#include "wire/media/presentation.h"

typedef enum {
    HLS_FILES,               // one file a segment
    HLS_BYTE_RANGES,         // EXT-X-BYTERANGE into `whole`
} hls_shape;

enum { HLS_BYTES_MAX = 4 * 1024 * 1024, HLS_LINE_BYTES_MAX = 8 * 1024 };

// The multivariant playlist: a variant for each video rendition (each audio rendition when there is no video), one
// audio group. BANDWIDTH and AVERAGE-BANDWIDTH of video and the largest audio together. A rendition's media
// playlist is r->playlist, or "ID/playlist.m3u8" when that is empty. With several bases every variant stands once
// for each, first base first, with PATHWAY-ID; with steering_url EXT-X-CONTENT-STEERING. Images
// (EXT-X-IMAGE-STREAM-INF) are listed last. False: the buffer is full.
bool hls_master_write(const media_presentation *p, buf *out);

// The media playlist of one rendition, a VOD with absolute positions: URIs are relative to the playlist's own
// folder (r->playlist, or "ID/"). False: full, or HLS_BYTE_RANGES and no `whole`.
bool hls_media_write(const media_rendition *r, hls_shape shape, buf *out);

// A multivariant playlist: renditions with `playlist` set and no segments yet; or a media playlist alone: one
// rendition with its segments. Variants that differ by nothing but their pathway become bases. NULL and *why as
// mpd_read.
media_presentation *hls_read(str text, arena *a, const char **why);

// A media playlist into its rendition: segments (each with url, offset and bytes), initialization, timescale
// 1000000. `r->playlist` is its URL; segments' URLs come out relative to the manifest's. False and *why; encrypted
// segments and live playlists are refused.
bool hls_media_read(str text, media_rendition *r, arena *a, const char **why);
