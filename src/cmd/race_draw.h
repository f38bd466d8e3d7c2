// The race as a picture: both bounds over N, measured points over them. For the terminal, and as SVG.
#pragma once
#include "base/buf.h"
#include "cmd/race_bound.h"

enum { RACE_POINTS_MAX = 2000, RACE_MEASURED_MAX = 200, RACE_PICTURE_BYTES_MAX = 1 << 20 };

typedef enum { RACE_CLIENT_SERVER, RACE_P2P } race_kind;

typedef struct {
    int      n;
    race_kind kind;
    int64_t  ms;                             // until the last peer had everything
    char     who[24];                        // "naru", "naru, simulated", "aria2"
} race_measured;

typedef struct {
    race_lines lines;
    int        peers;                        // N = 1 .. peers
    const race_measured *measured;
    int        measured_count;
    bool       korean;
} race_picture;

void race_draw_text(const race_picture *p, int columns, buf *out);
void race_draw_svg(const race_picture *p, buf *out);         // one file, its style inside; readable on dark and light ground
// Seconds with up to three decimals, no superfluous zeros: 10800, 327.273.
void race_put_seconds(buf *out, int64_t ms);
