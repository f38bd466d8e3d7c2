// naru-talk: plays conversation scripts (script.h) in the simulator and against the real program, each also one
// byte at a time.
//
//     naru-talk [--naru PATH] [--seed N] [--story] SCRIPT.talk...
//
// Without --naru only the simulator is played. --story: then tells what all its conversations said. Exit
// status: 0 all went as written, 1 not, 2 the arguments.
#include <stdio.h>
#include <string.h>

#include "rt/log.h"
#include "../sim/story_list.h"
#include "stage.h"

enum { SCRIPTS_MAX = 500, PLAY_MEMORY_BYTES = 16 << 20 };

static struct {
    talk_script scripts[SCRIPTS_MAX];
    int         count, passed, failed;
    arena       memory;
} play;

static bool script_load(const char *path)
{
    buf text = buf_make(TALK_SCRIPT_BYTES_MAX);
    FILE *f = fopen(path, "rb");
    unsigned char piece[4096];
    for (size_t n; f && (n = fread(piece, 1, sizeof piece, f)) > 0; )
        buf_put(&text, str_of(piece, n));
    if (!f) {
        fprintf(stderr, "naru-talk: cannot read %s\n", path);
        return false;
    }
    fclose(f);
    str why = {0};
    bool ok = play.count < SCRIPTS_MAX && !text.full &&
              talk_script_read(str_z(path), str_copy(&play.memory, buf_str(&text)), &play.memory,
                               &play.scripts[play.count++], &why);
    if (!ok)
        fprintf(stderr, "naru-talk: " STR_FMT "\n", STR_ARG(why));
    buf_free(&text);
    return ok;
}

static void play_all(const talk_stage *stage, void *arg)
{
    (void)arg;
    for (int by_bytes = 0; by_bytes < 2; by_bytes++)
        for (int i = 0; i < play.count; i++) {
            const talk_script *s = &play.scripts[i];
            arena a = arena_make(PLAY_MEMORY_BYTES);
            str why = {0};
            bool ok = talk_play(s, stage, by_bytes, &a, &why);
            printf("%s %s%s: " STR_FMT "\n", ok ? "ok" : "not ok", stage->name, by_bytes ? ", byte by byte" : "",
                   STR_ARG(s->title));
            if (!ok)
                printf("  " STR_FMT "\n", STR_ARG(why));
            fflush(stdout);
            play.passed += ok, play.failed += !ok;
            arena_free(&a);
        }
}

static void log_nowhere(void *arg, str line) { (void)arg, (void)line; }

int main(int argc, char **argv)
{
    const char *naru = NULL;
    uint64_t seed = 1;
    bool story = false;
    play.memory = arena_make((size_t)SCRIPTS_MAX * TALK_SCRIPT_BYTES_MAX);
    for (int i = 1; i < argc; i++) {
        if (!strcmp(argv[i], "--naru") && i + 1 < argc)
            naru = argv[++i];
        else if (!strcmp(argv[i], "--story"))
            story = true;
        else if (!strcmp(argv[i], "--seed") && i + 1 < argc && str_to_u64(str_z(argv[i + 1]), &seed))
            i++;
        else if (argv[i][0] == '-' || !script_load(argv[i]))
            return 2;
    }
    if (!play.count) {
        fprintf(stderr, "naru-talk [--naru PATH] [--seed N] [--story] SCRIPT.talk...\n");
        return 2;
    }
    log_setup(LOG_LOGFMT, LOG_ERROR, log_nowhere, NULL);
    bool ok = stage_simulated(seed, play_all, NULL);
    if (story)
        story_list(stdout);
    if (naru)
        ok &= stage_real(naru, play_all, NULL);
    else
        printf("SKIPPED real: no --naru PATH was given\n");
    printf("%d passed, %d failed, %d skipped\n", play.passed, play.failed + !ok, naru ? 0 : play.count);
    arena_free(&play.memory);
    return play.failed || !ok;
}
