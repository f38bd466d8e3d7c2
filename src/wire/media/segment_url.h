// Where a segment is: templates of DASH (ISO/IEC 23009-1 section 5.3.9.4.4) and references relative to a base (RFC
// 3986 section 5).
#pragma once
#include "wire/media/presentation.h"

// $Number$, $Time$, $Bandwidth$, $RepresentationID$ and $$, the first three also with a width ($Number%05d$), put
// in. The empty text when the template is none (an open or unknown $...$, a width above 20) or too long
// (MEDIA_URL_BYTES_MAX).
str media_template_fill(str template_text, const media_rendition *r, uint64_t number, uint64_t time, arena *a);

typedef struct {
    str      url;                            // relative to the base (or absolute); empty: the rendition has no such segment
    uint64_t offset, bytes;                  // a byte range; bytes 0: the whole resource
} media_request;
media_request media_segment_request(const media_rendition *r, int segment, arena *a);
media_request media_initialization_request(const media_rendition *r, arena *a);
media_request media_index_request(const media_rendition *r, arena *a);          // of the sidx in `whole`

// reference resolved against an absolute http or https URL (RFC 3986 section 5.2): dot segments removed, never
// above the root, the fragment dropped. The empty text when base is not absolute, a byte is not allowed in a URL
// or the result is too long.
str media_url_resolve(str base, str reference, arena *a);
// The reference that leads from a document in folder `from` ("v300/", "" for the root) to `to`, both relative to
// the same base.
str media_url_relative(str from, str to, arena *a);
bool media_url_is_absolute(str url);

typedef struct {
    bool     tls;                            // https
    str      host;                           // without brackets
    uint16_t port;
    str      authority;                      // for the Host field
    str      target;                         // path and query, at least "/"
} media_url;
// Splits an absolute http or https URL; false: it is none, has user information, a bad port or a byte that is not
// allowed.
bool media_url_split(str url, media_url *out, arena *a);
