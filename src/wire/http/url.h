// One spelling for a request target, so that a cache keeps one answer for what is one resource (RFC 3986 section 6.2.2). Pure.
#pragma once
#include "base/buf.h"

// Of "/a/../b%7e?x=%2f" or "http://host/a": path and query in one spelling: dot segments removed, escapes of unreserved characters
// decoded, the others in upper-case digits. What is reserved keeps its form ("%2F" is not "/"): the origin gets what was keyed.
// *authority: of the absolute form, else empty; a view of `target`. *out: a view of `target` where it is in that spelling already,
// else of `room`. False: not such a target, a broken escape, %00, a control character, or a path that climbs above its root; also when
// `room` (at most three times as large as the target) is full.
bool url_normal(str target, buf *room, str *authority, str *out);
