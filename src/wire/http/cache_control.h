// Cache-Control (RFC 9111 section 5.2; extensions of RFC 5861 and 8246) and CDN-Cache-Control (RFC 9213). Pure.
#pragma once
#include "wire/http/field_list.h"

#define CACHE_SECONDS_MAX INT64_C(2147483648)    // what larger numbers mean (RFC 9111 section 1.2.2)
enum { CACHE_UNSAID = -1 };

typedef struct {
    bool    no_store, no_cache, no_transform, must_revalidate, proxy_revalidate, must_understand;
    bool    is_public, is_private, only_if_cached, immutable;
    bool    max_stale_any;                       // of a request: max-stale without a number
    int64_t max_age_s, s_maxage_s;               // CACHE_UNSAID; a broken number is 0: stale at once (section 4.2.1)
    int64_t min_fresh_s, max_stale_s;            // of a request
    int64_t stale_while_revalidate_s, stale_if_error_s;
    str     no_cache_fields, private_fields;     // only these fields are meant; views; more than one such list counts as "all"
} cache_control;

// All lines of Cache-Control together. Of contradicting numbers the smaller counts. Unknown directives are passed over.
cache_control cache_control_read(const http_header *headers, int count);

// CDN-Cache-Control, a dictionary of structured fields (RFC 8941). False when the field is absent or not well-formed: then
// Cache-Control and Expires count. True: they do not (RFC 9213 section 2.1).
bool cache_control_read_cdn(const http_header *headers, int count, cache_control *out);

// delta-seconds; CACHE_SECONDS_MAX when larger; false: no number.
bool cache_seconds_read(str text, int64_t *out);
