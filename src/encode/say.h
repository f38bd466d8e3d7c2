// Lines to naru, on standard output (task.h says which).
#pragma once
#include "base/text.h"

void say_progress(int64_t done, int64_t total);      // only when a thousandth more is done
bool say_failed(const char *format, ...) __attribute__((format(printf, 1, 2)));        // false
void say_source(int64_t duration_ms, int width, int height, int frames_number, int frames_in, bool sound);
void say_done(void);
// What a number of libav* means, for say_failed.
const char *say_libav(int error);
