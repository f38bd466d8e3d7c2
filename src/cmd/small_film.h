// The small Internet's film: made by function, in the course's three renditions. No picture can be decoded from it: what matters here is
// who gets which bytes from where. (A real one: naru video add.)
#pragma once
#include "rt/world.h"

enum { SMALL_FILM_SEGMENTS = 15, SMALL_FILM_SEGMENT_S = 4, SMALL_FILM_RENDITIONS = 3 };
#define SMALL_FILM_ID "6y7b23v"              // the course's 6Y7B23V

extern const struct small_film_rung { const char *id; uint32_t bps; uint32_t width, height; } small_film_rungs[SMALL_FILM_RENDITIONS];

// Writes DIRECTORY/6y7b23v/... as the origin keeps films. Blocking: in work().
err small_film_write(world *w, const char *directory);
// How many bytes a segment (from 0) of a rendition has, and what byte stands where in it: for checks of what came.
uint32_t small_film_bytes(int rendition, int segment);
unsigned char small_film_byte(int rendition, int segment, uint32_t at);
