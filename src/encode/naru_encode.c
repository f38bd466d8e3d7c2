// naru-encode: one step of encoding a film, in a process that has given up everything else before it reads the
// first byte of it:
// no network, no file but its work directory, no program, bounded memory, time and files. naru starts it
// (docs/video.md); libav* is linked
// here and nowhere else.
#include <libavutil/log.h>
#include <stdio.h>

#include "encode/say.h"
#include "encode/source.h"
#include "encode/steps.h"
#include "rt/guard.h"
#include "rt/inherit.h"

enum { PATH_BYTES_MAX = 4096, NICE = 10, DESCRIPTORS_MAX = 64, EXIT_USAGE = 2 };

const char *task_path(const char *name, const char *suffix)
{
    static char path[PATH_BYTES_MAX];
    snprintf(path, sizeof path, "./%s%s", name, suffix);
    return path;
}

bool step_probe(const task *t, world *w)
{
    source s;
    (void)t;
    bool good = source_open(&s, w);
    if (good)
        say_source(s.duration_ms, s.width, s.height, s.frame_rate.num, s.frame_rate.den, s.sound >= 0);
    source_close(&s);
    return good;
}

static bool lock_up(const task *t)
{
    guard_policy p = {
        .calls = GUARD_CALLS_FILES_CHANGE, .user = (unsigned)t->user, .group = (unsigned)t->user,
            .descriptors_max = DESCRIPTORS_MAX,
        .memory_bytes_max = (uint64_t)t->memory_bytes, .processor_s_max = (uint64_t)t->processor_s,
            .file_bytes_max = (uint64_t)t->file_bytes,
        .nice = NICE,
    };
    guard_report report;
    const char *why;
    if (t->step != STEP_PROBE)
        p.writes[p.write_count++] = ".";
    inherit_file_as(0, "source", 0);
    inherit_seal(0);
    return guard_enter(&p, &report, &why) || say_failed("it cannot be locked up: %s", why);
}

int main(int argc, char **argv)
{
    static bool (*const steps[STEPS])(const task *, world *) = {step_probe, step_video, step_sound, step_stills, step_sample};
    task t;
    const char *why;
    if (!task_read(argc, argv, &t, &why)) {
        fprintf(stderr, "naru-encode: %s\n", why);
        return EXIT_USAGE;
    }
    av_log_set_level(AV_LOG_QUIET);
    if (!lock_up(&t))
        return 1;
    world *w = world_linux_new(S("encode"), NULL, 0);
    bool good = steps[t.step](&t, w);
    world_linux_free(w);
    if (good)
        say_done();
    return !good;
}
