// naru-edge-cases: plays the cases of the cache (case.h) in the simulator, each in a world of its own, or against an edge that runs.
//
//     naru-edge-cases [--only NAME] [--without-edge] [--edge ADDR --origin ADDR --control PATH] FILE.cases...
//
// With --edge: over real sockets, those cases that need no settings of their own and no more than a second of waiting; the origin listens
// at --origin. --without-edge: clients speak to the origin directly; says how many cases hold then. Exit status: 0 all held, 1 not, 2 the
// arguments.
#include <stdio.h>
#include <string.h>

#include "player.h"
#include "rt/log.h"

enum { PLAY_MEMORY_BYTES = 256 << 20, REAL_WAITS_S_MAX = 1 };

static struct {
    edge_case    cases[CASES_MAX];
    int          count, passed, failed, apart;
    const char  *only;
    bool         quiet;
    player_tally tally;
    arena        memory;
} play;

static bool file_load(const char *path)
{
    buf text = buf_make(CASE_FILE_BYTES_MAX);
    FILE *f = fopen(path, "rb");
    unsigned char piece[4096];
    for (size_t n; f && (n = fread(piece, 1, sizeof piece, f)) > 0; )
        buf_put(&text, str_of(piece, n));
    if (!f) {
        fprintf(stderr, "naru-edge-cases: cannot read %s\n", path);
        return false;
    }
    fclose(f);
    str why = {0};
    bool ok = !text.full && cases_read(str_z(path), str_copy(&play.memory, buf_str(&text)), &play.memory, play.cases, &play.count, &why);
    if (!ok)
        fprintf(stderr, "naru-edge-cases: " STR_FMT "\n", STR_ARG(why));
    buf_free(&text);
    return ok;
}

// Names are what docs and messages call a case by.
static bool names_differ(void)
{
    for (int i = 0; i < play.count; i++)
        for (int j = 0; j < i; j++)
            if (str_eq(play.cases[i].name, play.cases[j].name)) {
                fprintf(stderr, "naru-edge-cases: two cases are called " STR_FMT "\n", STR_ARG(play.cases[i].name));
                return false;
            }
    return true;
}

static bool chosen(const edge_case *c) { return !play.only || str_find_str(c->name, str_z(play.only)) >= 0; }

static void case_tell(const char *stage, const edge_case *c, bool ok, str why)
{
    play.passed += ok, play.failed += !ok;
    if (play.quiet)
        return;
    printf("%s %s: " STR_FMT " (" STR_FMT "): " STR_FMT "\n", ok ? "ok" : "not ok", stage, STR_ARG(c->name), STR_ARG(c->section),
           STR_ARG(c->about));
    if (!ok)
        printf("  " STR_FMT "\n", STR_ARG(why));
    fflush(stdout);
}

static void one_play(const edge_stage *stage, void *arg)
{
    const edge_case *c = arg;
    arena a = arena_make(PLAY_MEMORY_BYTES);
    str why = {0};
    bool ok = case_play(stage, c, &a, &play.tally, &why);
    case_tell(stage->name, c, ok, why);
    arena_free(&a);
}

static void quick_ones_play(const edge_stage *stage, void *arg)
{
    (void)arg;
    for (int i = 0; i < play.count; i++) {
        const edge_case *c = &play.cases[i];
        arena a = arena_make(PLAY_MEMORY_BYTES);
        str why = {0};
        if (!chosen(c))
            continue;
        if (case_waits_s(c) > REAL_WAITS_S_MAX || c->edge_settings.len || c->site_settings.len)
            play.apart++;
        else if (!stage_control(stage, S("/edge/purge?all=yes"), &a, &why))
            case_tell(stage->name, c, false, str_join(&a, S("the edge does not forget: "), why));
        else
            one_play(stage, &play.cases[i]);
        arena_free(&a);
    }
}

static int without_edge(void)
{
    play.quiet = true;
    for (int i = 0; i < play.count; i++)
        if (chosen(&play.cases[i]))
            stage_direct(one_play, &play.cases[i]);
    printf("without an edge %d of %d cases hold\n", play.passed, play.passed + play.failed);
    return 0;
}

static void log_nowhere(void *arg, str line) { (void)arg, (void)line; }

static bool address_read(const char *text, addr *out)
{
    return text && addr_parse(str_z(text), 0, out) && out->port;
}

int main(int argc, char **argv)
{
    stage_places places = {0};
    bool direct = false, ok = true;
    play.memory = arena_make((size_t)64 << 20);
    for (int i = 1; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : NULL;
        if (!strcmp(argv[i], "--without-edge"))
            direct = true;
        else if (!strcmp(argv[i], "--only") && value)
            play.only = argv[++i];
        else if (!strcmp(argv[i], "--edge") && address_read(value, &places.edge))
            i++;
        else if (!strcmp(argv[i], "--origin") && address_read(value, &places.origin))
            i++;
        else if (!strcmp(argv[i], "--control") && value)
            places.control = str_z(argv[++i]);
        else if (argv[i][0] == '-' || !file_load(argv[i]))
            return 2;
    }
    bool real = places.edge.port, has_all = !real || (places.origin.port && places.control.len);
    if (!play.count || !names_differ() || !has_all) {
        fprintf(stderr, "naru-edge-cases [--only NAME] [--without-edge] [--edge ADDR --origin ADDR --control PATH] FILE.cases...\n");
        return 2;
    }
    log_setup(LOG_LOGFMT, LOG_ERROR, log_nowhere, NULL);
    if (direct)
        return without_edge();
    if (real)
        ok = stage_real(places, quick_ones_play, NULL);
    for (int i = 0; i < play.count && !real; i++)
        if (chosen(&play.cases[i]))
            ok &= stage_simulated(1, play.cases[i].edge_settings, play.cases[i].site_settings, one_play, &play.cases[i]);
    printf("%d clients, %d answers looked at", play.tally.clients, play.tally.checks);
    if (play.apart)
        printf("; %d cases wait long or want settings of their own: in the simulator alone", play.apart);
    printf("\n");
    printf("%d passed, %d failed, 0 skipped\n", play.passed, play.failed + !ok);
    arena_free(&play.memory);
    return play.failed || !ok;
}
