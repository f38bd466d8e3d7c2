// Parts of a representation (RFC 9110 section 14): the Range field of a request, Content-Range of an answer. Pure.
#pragma once
#include "base/buf.h"

enum { RANGE_PARTS_MAX = 8 };            // of one request; more are not honoured (the whole is sent: section 14.2)

typedef struct { int64_t first, last; } byte_range;      // both bytes included
typedef enum {
    RANGE_NONE,                          // no byte range, malformed, too many or overlapping ones: answer with the whole
    RANGE_PARTS,
    RANGE_UNSATISFIABLE,                 // 416, "Content-Range: bytes */LENGTH"
} range_verdict;

// Judges the Range field of a GET against a representation of `length` bytes (-1: not known yet, then ranges from the end and open
// ones are RANGE_NONE). Parts come in the order asked, clipped to the length; those outside are left out. Two parts that overlap
// make RANGE_NONE: nobody needs them and they multiply bytes.
range_verdict range_read(str field, int64_t length, byte_range parts[RANGE_PARTS_MAX], int *count);

// "bytes 0-99/1000", "bytes 0-99/*" (*length -1), "bytes */1000" (part -1..-1). False: something else, or it contradicts itself.
bool content_range_read(str field, byte_range *part, int64_t *length);
bool content_range_write(buf *out, byte_range part, int64_t length);      // the value; length -1: '*'
