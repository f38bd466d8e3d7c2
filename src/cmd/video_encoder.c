#include "cmd/video_encoder.h"

#include <stdio.h>

#include "rt/own_dir.h"
#include "rt/program.h"
#include "rt/told_process.h"

enum {
    ARGUMENTS_MAX = VIDEO_WORDS_MAX + 8, LIMIT_WORDS = 4,
    SILENCE_S = 300,                             // a process that tells nothing for so long is stuck
    PROCESSOR_S = 60, PROCESSOR_TIMES = 60,      // seconds of processor time, and so many times the film's length
    LINES_MAX = 10000,                           // of one step
};
#define MEMORY_BYTES (3ll << 30)

bool video_encoder_find(video_run *v, const char **program)
{
    static const char *const places[] = {"naru-encode", "../libexec/naru/naru-encode", "../lib/naru/naru-encode"};
    str own = program_path(&v->memory);
    str here = str_first(own, str_rfind(own, '/') + 1);
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        *program = str_to_z(&v->memory, str_format(&v->memory, STR_FMT "%s", STR_ARG(here), places[i]));
        if (program_runs(*program))
            return true;
    }
    return video_fail(v, COMMAND_FAILED,
                      "naru-encode is not beside naru (" STR_FMT "); it is built where Debian's libavformat-dev, "
                                                                 "libavcodec-dev, libavfilter-dev, "
                      "libswscale-dev and libswresample-dev are installed", STR_ARG(here));
}

// ---- what it tells ----------------------------------------------------------------------------------------------------

// So many numbers behind `word`, each from 0 to max; nothing else.
static bool numbers_read(str line, const char *word, int64_t *out, int count)
{
    if (!str_eq(str_word(&line), str_z(word)))
        return false;
    for (int i = 0; i < count; i++)
        if (!str_to_i64(str_word(&line), &out[i]) || out[i] < 0)
            return false;
    return line.len == 0;
}

typedef struct {
    video_encoder *encoder;
    video_source  *source;                       // probe
    bool           done, told;                   // told: trouble has been said
} hearing;

// One line. False: it is none that the encoder tells.
static bool line_hear(hearing *h, str line)
{
    int64_t n[6];
    video_encoder *e = h->encoder;
    if (h->done || h->told)
        return false;
    if (numbers_read(line, "progress", n, 2)) {
        if (e->progress)
            e->progress(e->arg, n[0], n[1]);
    } else if (numbers_read(line, "source", n, 6)) {
        if (!h->source || n[0] > INT32_MAX || n[1] < 1 || n[1] > 65535 || n[2] < 1 || n[2] > 65535 || n[3] < 1 ||
            n[3] > 60000 || n[4] < 1 || n[4] > 1001)
            return false;
        *h->source = (video_source){n[0], (uint32_t)n[1], (uint32_t)n[2], (uint32_t)n[3], (uint32_t)n[4], n[5] == 1};
    } else if (str_eq(line, S("done"))) {
        h->done = true;
    } else if (str_starts(line, S("failed "))) {
        str why = str_from(line, 7);
        for (ptrdiff_t i = 0; i < why.len; i++)
            if (why.at[i] < 0x20 || why.at[i] > 0x7e)
                return false;
        h->told = true;
        if (str_find_str(why, S("No space left")) >= 0)
            video_fail(e->run, COMMAND_FAILED, "the disk of %s is full; make room, and the same command goes on where it was", e->run->directory);
        else
            video_fail(e->run, COMMAND_FAILED, "%s: " STR_FMT, e->source ? e->source : "the film", STR_ARG(why));
    } else {
        return false;
    }
    return true;
}

static bool ended_judge(video_encoder *e, int end)
{
    const char *of = e->source ? e->source : "the film";
    switch (told_ending_of(end)) {
    case TOLD_PROCESSOR_TIME: return video_fail(e->run, COMMAND_FAILED,
                                                "%s: encoding took more processor time than it may; nothing is kept "
                                                "of this step", of);
    case TOLD_FILE_SIZE: return video_fail(e->run, COMMAND_FAILED,
                                           "%s: what comes out is larger than it may be; nothing is kept of this "
                                           "step", of);
    case TOLD_FORBIDDEN_CALL: return video_fail(e->run, COMMAND_FAILED,
                                                "%s: the encoder did what its guard forbids and was ended; do not "
                                                "trust this file", of);
    case TOLD_KILLED: return video_fail(e->run, COMMAND_FAILED,
                                        "%s: the encoder was killed; the same command goes on where it was", of);
    case TOLD_ASKED: return video_fail(e->run, COMMAND_FAILED, "interrupted; the same command goes on where it was");
    case TOLD_EXITED: case TOLD_BROKE: break;
    }
    return video_fail(e->run, COMMAND_FAILED, "%s: the encoder broke down over it (%s %d)", of, end < 0 ? "signal"
                      : "exit code", end < 0 ? -end : end);
}

static bool hear(video_encoder *e, told_process *t, hearing *h)
{
    str line;
    err x = E_OK;
    int end, lines = 0;
    bool understood = true;
    while (understood && lines++ < LINES_MAX && (x = told_line(t, seconds(SILENCE_S), &line)) == E_OK)
        understood = line_hear(h, line);
    told_end(t, &end);
    if (h->told)
        return false;
    if (x == E_CANCELED)
        return video_fail(e->run, COMMAND_FAILED, "interrupted; the same command goes on where it was");
    if (x == E_TIMEOUT)
        return video_fail(e->run, COMMAND_FAILED, "the encoder gave no sign of life for %d s and was ended", SILENCE_S);
    if (!understood || x != E_EOF)
        return video_fail(e->run, COMMAND_FAILED, "the encoder told something that it never tells; do not trust this file");
    return end == 0 && h->done ? true : ended_judge(e, end);
}

// ---- starting ---------------------------------------------------------------------------------------------------------

static bool start_and_hear(video_encoder *e, const char *step, char words[][VIDEO_WORD_BYTES_MAX], int count,
                           int64_t file_bytes, hearing *h)
{
    char limits[LIMIT_WORDS][VIDEO_WORD_BYTES_MAX];
    const char *argv[ARGUMENTS_MAX] = {"naru-encode", step};
    int n = 2;
    snprintf(limits[0], sizeof *limits, "--memory=%lld", MEMORY_BYTES);
    snprintf(limits[1], sizeof *limits, "--processor-s=%lld",
             (long long)(PROCESSOR_S + e->duration_ms * PROCESSOR_TIMES / 1000));
    snprintf(limits[2], sizeof *limits, "--file-bytes=%lld", (long long)file_bytes);
    snprintf(limits[3], sizeof *limits, "--user=%d", own_user() == 0 ? VIDEO_USER : 0);
    for (int i = 0; i < LIMIT_WORDS; i++)
        argv[n++] = limits[i];
    for (int i = 0; i < count; i++)
        argv[n++] = words[i];
    told_process *t;
    err x = told_start(e->program, argv, e->source, e->directory, &t);
    if (x)
        return video_fail(e->run, COMMAND_FAILED, "%s: %s", e->source ? e->source : e->program, x == E_ACCESS
                          ? "cannot be read, or is no regular file" : err_text(x));
    return hear(e, t, h);
}

bool video_encoder_probe(video_encoder *e, video_source *out)
{
    hearing h = {.encoder = e, .source = out};
    *out = (video_source){0};
    return start_and_hear(e, "probe", NULL, 0, 1, &h) &&
           (out->duration_ms > 0 || video_fail(e->run, COMMAND_FAILED, "%s: it is shorter than a millisecond", e->source));
}

bool video_encoder_run(video_encoder *e, const char *step, char words[][VIDEO_WORD_BYTES_MAX], int count,
                       int64_t file_bytes_max)
{
    hearing h = {.encoder = e};
    return start_and_hear(e, step, words, count, file_bytes_max, &h);
}
