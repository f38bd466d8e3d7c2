#include "encode/say.h"

#include <libavutil/error.h>
#include <stdarg.h>
#include <stdio.h>

enum { SAY_BYTES_MAX = 400 };

void say_progress(int64_t done, int64_t total)
{
    static int64_t before = -1;
    int64_t now = total > 0 ? (done < total ? done : total) * 1000 / total : 0;
    if (now == before)
        return;
    before = now;
    printf("progress %lld 1000\n", (long long)now);
    fflush(stdout);
}

// What libav* says of a stranger's file may hold anything: it becomes one line of printable ASCII.
bool say_failed(const char *format, ...)
{
    char text[SAY_BYTES_MAX];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    for (char *c = text; *c; c++)
        if (*c < 0x20 || *c > 0x7e)
            *c = '?';
    printf("failed %s\n", text);
    fflush(stdout);
    return false;
}

void say_source(int64_t duration_ms, int width, int height, int frames_number, int frames_in, bool sound)
{
    printf("source %lld %d %d %d %d %d\n", (long long)duration_ms, width, height, frames_number, frames_in, sound);
}

void say_done(void)
{
    printf("done\n");
    fflush(stdout);
}

const char *say_libav(int error)
{
    static char text[AV_ERROR_MAX_STRING_SIZE];
    return av_strerror(error, text, sizeof text) == 0 ? text : "no reason given";
}
