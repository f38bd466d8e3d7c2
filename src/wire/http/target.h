// The request target of HTTP (RFC 9112 section 3.2): its path made harmless, its query taken apart. Pure.
#pragma once
#include "base/arena.h"

enum { TARGET_SEGMENTS_MAX = 128 };

// From "/a/b%20c?x=1", "http://host/a" or "*": the path percent-decoded once, without empty and dot segments, beginning
// with '/' (or "*"); the query as it was sent. False: not such a target, a broken %XX, a control character (also coded:
// %00), a path that climbs above its root, or more than TARGET_SEGMENTS_MAX segments; also when the arena is full.
bool target_read(str target, arena *a, str *path, str *query);
// The value of NAME in "name=value&...", '+' and %XX decoded. Empty when absent or malformed.
str  query_get(str query, str name, arena *a);
