// The edge that steering ranks first is taken away in the middle of a film: with ten seconds of it in the buffer the viewer notices
// nothing. Naru's name servers, steering, edges, storage and player in the simulator; every segment is compared with the film.
#include "test.h"
#include "cmd/cdn_stage.h"
#include "cmd/small_film.h"
#include "rooms/steering/steering.h"
#include "rt/log.h"

enum { SEEDS = 6, BUFFER_MS_MIN = 10000, KILL_FROM_S = 14, KILL_WITHIN_S = 26 };
typedef enum { CRASHES, STOPS, FALLS_SILENT, WAYS } way;

typedef struct {
    uint64_t   seed;
    way        how;
    cdn_viewer viewer;
    int64_t    buffer_ms;
    str        killed;
} trial;

static void take_away(cdn_stage *s, trial *t)
{
    arena a = arena_make(4096);
    char *name = str_to_z(&a, t->killed);
    small_host *h = small_find(&s->net, t->killed);
    if (t->how == CRASHES)
        cdn_kill(s, name);
    else if (t->how == STOPS)
        small_host_stop(&s->net, h);
    else
        for (int i = 0; i < s->net.count; i++)
            if (&s->net.hosts[i] != h)
                sim_partition(s->sim, h->world, s->net.hosts[i].world, true);
    arena_free(&a);
}

// Every node that is asked for its health says how loaded it is.
static void loads_are_known(cdn_stage *s)
{
    arena a = arena_make(1 << 20);
    addr at = addr_with_port(lab_find(&s->net.map, S("kingcdn.com"))->here[0], STEERING_PORT);
    http_result r = cdn_request(s, "bob.poly.edu", at, "GET", S("steer.kingcdn.com"), S("/ranking"), NULL, 0, (str){0}, &a);
    CHECK(str_find_str(r.body, S("\"node\":\"n1.kingcdn.com\"")) >= 0 && str_find_str(r.body, S("\"load_per_mille\":-1")) < 0);
    arena_free(&a);
}

static void watch(cdn_stage *s, void *arg)
{
    trial *t = arg;
    player_view v;
    t->viewer = (cdn_viewer){.host = "bob.poly.edu", .resolver = "local"};
    t->viewer.options = (player_options){.url = S("http://video.netcinema.com/" SMALL_FILM_ID "/manifest.mpd"), .report = true};
    cdn_view(s, &t->viewer);
    (void)fiber_sleep(seconds(KILL_FROM_S) + millis((int64_t)sim_random_below(s->sim, KILL_WITHIN_S * 1000)));
    loads_are_known(s);
    for (;;) {                                             // the promise is for who has ten seconds
        player_look(t->viewer.player, &v);
        if (v.buffer_ms >= BUFFER_MS_MIN || v.ended || fiber_sleep(millis(100)))
            break;
    }
    t->buffer_ms = v.buffer_ms;
    t->killed = cdn_host_of(s, cdn_ask(s, "bob.poly.edu", "local", "kingcdn.com"));      // whom steering ranks first now
    take_away(s, t);
    cdn_wait(&t->viewer);
}

static void play(uint64_t seed, way how)
{
    static const char *const ways[WAYS] = {"crashes", "stops", "falls silent"};
    arena a = arena_make(1 << 16);
    trial t = {.seed = seed, .how = how};
    str why;
    bool ran = cdn_stage_run(seed, "enter-deep", watch, &t, &a, &why);
    const player_view *v = &t.viewer.view;
    bool good = ran && t.viewer.result == E_OK && v->stalls == 0 && t.viewer.wrong == 0 && t.viewer.segments >= SMALL_FILM_SEGMENTS &&
                t.buffer_ms >= BUFFER_MS_MIN && t.killed.len > 0;
    if (!good)
        test_failed(__FILE__, __LINE__, "seed %llu, the node %s: %d stalls, %d segments of %d, %d wrong, buffer %lld ms, result %s " STR_FMT, (unsigned long long)seed,
                    ways[how], v->stalls, t.viewer.segments, SMALL_FILM_SEGMENTS, t.viewer.wrong, (long long)t.buffer_ms, err_name(t.viewer.result), STR_ARG(why));
    arena_free(&a);
}

TEST(steering_kill_the_first_and_nobody_stalls)
{
    log_setup(LOG_LOGFMT, LOG_ERROR, NULL, NULL);
    for (uint64_t seed = 1; seed <= SEEDS; seed++)
        play(seed, (way)(seed % WAYS));
}
