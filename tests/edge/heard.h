// An answer as a client hears it, however the edge broke it off.
#pragma once
#include "rt/conn.h"
#include "wire/http/head.h"

typedef struct {
    bool  came, whole;                       // a head came; the body came to its own end
    http_head head;
    str   body, why;                         // why: what was no HTTP
} heard;

enum { HEARD_BODY_BYTES_MAX = 64 << 20 };

// Reads the next answer (1xx are passed over). The whole body is kept, in `a`.
heard heard_read(conn *c, bool asked_head, arena *a);
