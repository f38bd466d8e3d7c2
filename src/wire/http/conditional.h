// Conditional requests (RFC 9110 section 13) and entity tags (8.8.3). Pure.
#pragma once
#include "wire/http/field_list.h"

typedef struct {
    str     etag;                        // as it stands in the field, W/ and quotes included; empty: none
    int64_t modified_s;                  // Last-Modified; CONDITION_NO_DATE: none
    int64_t date_s;                      // of the answer that carries them (for the strength of a date)
} validators;
#define CONDITION_NO_DATE INT64_MIN

bool etag_valid(str tag);
bool etag_same_strong(str a, str b);     // neither is weak and they are equal
bool etag_same_weak(str a, str b);

// ETag, Last-Modified and Date of an answer; a malformed one is none.
validators validators_of(const http_header *headers, int count);

// The preconditions of a request for a representation that exists, in the order of section 13.2.2: 0 go on, 304, 412.
int  conditions_judge(str method, const http_header *headers, int count, const validators *now);
// Whether a Range may be honoured (If-Range, section 13.1.5): true without the field.
bool condition_if_range(const http_header *headers, int count, const validators *now);
