// V7: the same film from one giant server and from N nodes: the bytes on the origin's line, start-up time with distance, the same bytes
// again and again, and what happens when the server fails. In the simulator.
#include <stdio.h>

#include "cmd/cdn_stage.h"
#include "cmd/scene_video.h"
#include "cmd/small_film.h"
#include "rt/meter.h"

enum { SEED = 2028, VIEWERS = 12, LATE = 4, LINE_BPS = 20000000, METERS_BYTES_MAX = 1 << 20, APART_MS = 300, GIVE_UP_S = 40 };

typedef struct {
    play       *p;
    const char *map, *server, *url;
    cdn_viewer  viewers[VIEWERS + LATE];
    int64_t     origin_bytes, viewer_bytes, film_bytes;      // sent by the origin; received by all; that are different ones
    int64_t     startup_near_ms, startup_far_ms, rate_bps;   // means
    int         stalls, ended, late_ended, wrong;
} run;

// ---- figures ----------------------------------------------------------------------------------------------------------------------------

static int64_t origin_sent(void)
{
    buf out = buf_make(METERS_BYTES_MAX);
    meters_print(&out);
    str text = buf_str(&out), key = S("\nnaru_origin_bytes_total ");
    ptrdiff_t at = str_find_str(text, key);
    str rest = at < 0 ? (str){0} : str_from(text, at + key.len);
    uint64_t n = 0;
    (void)str_to_u64(str_trim(str_cut(&rest, '\n')), &n);
    buf_free(&out);
    return (int64_t)n;
}

static bool is_far(int viewer) { return viewer % 2; }

static void sum(run *r)
{
    int near = 0, far = 0;
    for (int i = 0; i < VIEWERS; i++) {
        const player_view *v = &r->viewers[i].view;
        r->ended += r->viewers[i].result == E_OK;
        r->wrong += r->viewers[i].wrong;
        r->stalls += v->stalls;
        r->viewer_bytes += (int64_t)v->bytes;
        r->rate_bps += v->duration_ms ? (int64_t)(v->fetched_bits * 1000 / (uint64_t)v->duration_ms) / VIEWERS : 0;
        *(is_far(i) ? &r->startup_far_ms : &r->startup_near_ms) += v->startup_ms;
        *(is_far(i) ? &far : &near) += 1;
    }
    r->startup_near_ms /= near;
    r->startup_far_ms /= far;
    for (int i = VIEWERS; i < VIEWERS + LATE; i++)
        r->late_ended += r->viewers[i].result == E_OK && r->viewers[i].segments >= SMALL_FILM_SEGMENTS;
    for (int k = 0; k < SMALL_FILM_RENDITIONS; k++)
        for (int s = 0; s < SMALL_FILM_SEGMENTS; s++)
            r->film_bytes += small_film_bytes(k, s);
}

// ---- a run --------------------------------------------------------------------------------------------------------------------------------

static void viewer_start(cdn_stage *s, run *r, int i)
{
    cdn_viewer *v = &r->viewers[i];
    bool far = is_far(i);
    addr at = addr_v4((far ? 0xd3ea0a00u : 0x80ee4000u) + 100u + (uint32_t)i, 0);      // 211.234.10.x, 128.238.64.x
    *v = (cdn_viewer){.host = far ? "minji.isp.kr" : "bob.poly.edu", .resolver = far ? "isp.kr" : "local"};
    v->machine = cdn_machine(s, str_format(&s->memory, "viewer%d", i), at, v->host, LINE_BPS);
    v->options = (player_options){.url = str_z(r->url), .report = true};
    if (i >= VIEWERS)
        v->options.stop_after_ns = seconds(SMALL_FILM_SEGMENTS * SMALL_FILM_SEGMENT_S + GIVE_UP_S);
    cdn_view(s, v);
}

static void act(cdn_stage *s, void *arg)
{
    run *r = arg;
    int64_t before = origin_sent();
    for (int i = 0; i < VIEWERS; i++) {
        viewer_start(s, r, i);
        (void)fiber_sleep(millis(APART_MS));
    }
    for (int i = 0; i < VIEWERS; i++)
        cdn_wait(&r->viewers[i]);
    r->origin_bytes = origin_sent() - before;
    cdn_kill(s, r->server);
    for (int i = VIEWERS; i < VIEWERS + LATE; i++)
        viewer_start(s, r, i);
    for (int i = VIEWERS; i < VIEWERS + LATE; i++)
        cdn_wait(&r->viewers[i]);
    sum(r);
}

static void line(const char *what, const char *unit, int64_t giant, int64_t nodes)
{
    printf("  %-46s %12lld %12lld %s\n", what, (long long)giant, (long long)nodes, unit);
}

static void table(play *p, const run *g, const run *n)
{
    if (p->quiet)
        return;
    printf("\n  %-46s %12s %12s\n", "12 viewers, half of them far away", "one server", "six nodes");
    line("bytes on the origin's line", "kB", g->origin_bytes / 1000, n->origin_bytes / 1000);
    line("bytes that the viewers got", "kB", g->viewer_bytes / 1000, n->viewer_bytes / 1000);
    line("the origin sent each byte so often, in tenths", "", g->origin_bytes * 10 / g->film_bytes, n->origin_bytes * 10 / n->film_bytes);
    line("start-up, near", "ms", g->startup_near_ms, n->startup_near_ms);
    line("start-up, far", "ms", g->startup_far_ms, n->startup_far_ms);
    line("mean rate that was watched", "kbit/s", g->rate_bps / 1000, n->rate_bps / 1000);
    line("stalls, all viewers", "", g->stalls, n->stalls);
    line("who came after the server died and saw it all", "of 4", g->late_ended, n->late_ended);
    printf("\n");
}

static bool play_run(run *r)
{
    str why;
    bool ran = cdn_stage_run(SEED, r->map, act, r, &r->p->memory, &why);
    return play_check(r->p, ran && r->wrong == 0, "%s: played in virtual time, every byte right" STR_FMT, r->map, STR_ARG(why));
}

void scene_giant(play *p)
{
    run *g = arena_new(&p->memory, run), *n = arena_new(&p->memory, run);
    *g = (run){.p = p, .map = "giant", .server = "origin.netcinema.com", .url = "http://origin.netcinema.com:8080/" SMALL_FILM_ID "/manifest.mpd"};
    *n = (run){.p = p, .map = "enter-deep", .server = "origin.kingcdn.com", .url = "http://video.netcinema.com/" SMALL_FILM_ID "/manifest.mpd"};
    if (!play_run(g) || !play_run(n))
        return;
    table(p, g, n);
    play_check(p, n->ended == VIEWERS, "from the nodes all %d viewers saw the film", VIEWERS);
    play_check(p, g->origin_bytes >= g->viewer_bytes * 9 / 10, "the giant server sent every byte that anybody watched");
    play_check(p, n->origin_bytes * 4 < n->viewer_bytes, "the storage behind the nodes sent less than a quarter of what was watched");
    play_check(p, n->origin_bytes <= 2 * n->film_bytes + n->film_bytes / 4, "at most once to each of the two nodes that are near somebody");
    play_check(p, n->startup_far_ms < g->startup_far_ms, "far viewers start in %lld ms instead of %lld ms", (long long)n->startup_far_ms, (long long)g->startup_far_ms);
    play_check(p, n->rate_bps > g->rate_bps, "and all see %lld kbit/s instead of %lld", (long long)n->rate_bps / 1000, (long long)g->rate_bps / 1000);
    play_check(p, g->late_ended == 0 && n->late_ended == LATE, "when the server dies, nobody sees anything of it; from the nodes all of them see all of it");
}
