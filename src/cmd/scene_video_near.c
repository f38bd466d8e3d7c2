// V4: copies on many nodes; the client is sent to a near one; its path is congested, then another; a node dies, playback goes on. In the
// simulator, with naru's name servers, steering, edges, storage and player.
#include <stdio.h>

#include "cmd/scene_video.h"
#include "cmd/small_film.h"
#include "cmd/cdn_stage.h"
#include "rt/worker.h"

enum { SEED = 2026, NARROW_BYTES_PER_S = 30000, NARROW_MS = 250, CONGESTED_AT_MS = 12000, DEAD_AT_MS = 30000, WAIT_FOR_DNS_MS = 9000, EVENTS_TOLD_MAX = 24 };

typedef struct {
    play *p;
    const char *map;
    addr  bob, minji;                        // where each is sent
    int64_t near_ms, other_ms;               // Bob's first segment from his node, and from Minji's
    cdn_viewer viewer;
    cdn_stage *stage;
    int   told, moved;
    str   first, second, last, victim;       // servers that it played from; the one that died
    addr  after_congestion, after_death, minji_after;
    int64_t buffer_at_death_ms;
} near_scene;

static void tell(near_scene *n, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void tell(near_scene *n, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    str line = str_vformat(&n->p->memory, format, args);
    va_end(args);
    if (!n->p->quiet)
        printf("  %6.1f s  " STR_FMT "\n", (double)cdn_now_ms(n->stage) / 1000, STR_ARG(line));
}

// ---- who is sent where ------------------------------------------------------------------------------------------------------------

static int64_t fetch_ms(near_scene *n, cdn_stage *s, addr at)
{
    arena a = arena_make(16 << 20);
    (void)cdn_get(s, "bob.poly.edu", addr_with_port(at, 80), S("kingcdn.com"), S("/" SMALL_FILM_ID "/v300/1.m4s"), &a);      // now the node has it
    cdn_got got = cdn_get(s, "bob.poly.edu", addr_with_port(at, 80), S("kingcdn.com"), S("/" SMALL_FILM_ID "/v300/1.m4s"), &a);
    (void)n;
    int64_t ms = got.error || got.status != 200 ? -1 : got.all_ms;
    arena_free(&a);
    return ms;
}

static void who_is_sent_where(cdn_stage *s, near_scene *n)
{
    n->stage = s;
    n->bob = cdn_ask(s, "bob.poly.edu", "local", "video.netcinema.com");
    n->minji = cdn_ask(s, "minji.isp.kr", "isp.kr", "video.netcinema.com");
    str bob = cdn_host_of(s, n->bob), minji = cdn_host_of(s, n->minji);
    n->near_ms = fetch_ms(n, s, n->bob);
    n->other_ms = fetch_ms(n, s, n->minji);
    play_tell(n->p, "%s: Bob in New York is sent to " STR_FMT ", Minji in Seoul to " STR_FMT, n->map, STR_ARG(bob), STR_ARG(minji));
    play_check(n->p, bob.len && minji.len && !str_eq(bob, minji), "video.netcinema.com is another address for each of them");
    play_check(n->p, n->near_ms > 0 && n->near_ms * 2 < n->other_ms, "Bob has a segment from his node in %lld ms; from Minji's it would take %lld ms",
               (long long)n->near_ms, (long long)n->other_ms);
}

// Minji asks a name server in New York instead of her provider's. The CDN sees that one; unless it tells where she is (RFC 7871).
static void far_resolver(cdn_stage *s, near_scene *n)
{
    str untold = cdn_host_of(s, cdn_ask_untold(s, "minji.isp.kr", "local", "video.netcinema.com"));
    str told = cdn_host_of(s, cdn_ask(s, "minji.isp.kr", "local", "video.netcinema.com"));
    play_tell(n->p, "Minji asks a name server in New York. If it may not say where she is, she is sent to " STR_FMT "; if it tells her network (/24), to "
              STR_FMT, STR_ARG(untold), STR_ARG(told));
    play_check(n->p, str_eq(untold, S("n1.kingcdn.com")), "EDNS Client Subnet off: a node in New York, near the name server and far from her");
    play_check(n->p, str_eq(told, S("n3.kingcdn.com")), "on: the node beside her");
    n->bob = cdn_ask(s, "bob.poly.edu", "local", "video.netcinema.com");
    play_check(n->p, str_eq(cdn_host_of(s, n->bob), S("n1.kingcdn.com")), "the same name server still sends Bob to his own: it keeps both answers apart");
}

static void bring_home(cdn_stage *s, void *arg)
{
    near_scene *n = arg;
    who_is_sent_where(s, n);
}

// ---- congestion and death -----------------------------------------------------------------------------------------------------------

static void on_event(void *arg, const player_event *e)
{
    near_scene *n = arg;
    player_view v;
    if (e->type == PLAYER_LOADED || !n->viewer.player)
        return;
    player_look(n->viewer.player, &v);
    if (e->type == PLAYER_MOVED && e->server >= 0 && e->server < v.server_count) {
        str to = str_copy(&n->p->memory, v.servers[e->server].location);
        n->moved++;
        n->first = n->first.len ? n->first : to;
        n->second = n->second.len || str_eq(to, n->first) ? n->second : to;
        n->last = to;
    }
    bool worth = e->type == PLAYER_MOVED || e->type == PLAYER_SWITCHED || e->type == PLAYER_STEERED || e->type == PLAYER_FAILED || e->type == PLAYER_ABANDONED;
    if (!worth || n->told++ >= EVENTS_TOLD_MAX)
        return;
    static const char *const names[] = {[PLAYER_SWITCHED] = "another rung", [PLAYER_MOVED] = "another server", [PLAYER_ABANDONED] = "given up", [PLAYER_FAILED] = "failed",
                                        [PLAYER_STEERED] = "steered"};
    tell(n, "%-14s %s%s; buffer %.1f s" "%s" STR_FMT, names[e->type], e->type == PLAYER_MOVED ? "to " : "",
         e->type == PLAYER_MOVED ? str_to_z(&n->p->memory, n->last) : e->type == PLAYER_SWITCHED ? str_to_z(&n->p->memory, v.ids[e->rung]) : "",
         (double)v.buffer_ms / 1000, e->reason.len ? "; " : "", STR_ARG(e->reason));
}

static void congest(near_scene *n, cdn_stage *s)
{
    tell(n, "the path to " STR_FMT " becomes narrow: %d kB/s and %d ms", STR_ARG(n->first), NARROW_BYTES_PER_S / 1000, NARROW_MS);
    const char *name = str_to_z(&n->p->memory, n->first);
    cdn_path(s, "bob.poly.edu", name, NARROW_BYTES_PER_S, NARROW_MS);
    cdn_path(s, "kingcdn.com", name, NARROW_BYTES_PER_S, NARROW_MS);
}

static void play_on(cdn_stage *s, void *arg)
{
    near_scene *n = arg;
    player_view v;
    who_is_sent_where(s, n);
    far_resolver(s, n);
    n->viewer = (cdn_viewer){.host = "bob.poly.edu", .resolver = "local", .heard = on_event, .arg = n};
    n->viewer.options = (player_options){.url = S("http://video.netcinema.com/" SMALL_FILM_ID "/manifest.mpd"), .report = true};
    s->begun_ns = world_now_ns(s->net.world);
    cdn_view(s, &n->viewer);
    (void)fiber_sleep(millis(CONGESTED_AT_MS));
    congest(n, s);
    (void)fiber_sleep(millis(DEAD_AT_MS - CONGESTED_AT_MS));
    if (n->viewer.player && n->last.len) {
        player_look(n->viewer.player, &v);
        n->victim = v.server >= 0 ? str_copy(&n->p->memory, v.servers[v.server].location) : n->last;
        const char *name = str_to_z(&n->p->memory, n->victim);
        n->buffer_at_death_ms = v.buffer_ms;
        tell(n, "%s dies; Bob has %.1f s of the film", name, (double)v.buffer_ms / 1000);
        cdn_kill(s, name);
    }
    (void)fiber_sleep(millis(WAIT_FOR_DNS_MS));
    n->after_death = cdn_ask(s, "umass.edu", "local", "kingcdn.com");
    n->minji_after = cdn_ask(s, "minji.isp.kr", "isp.kr", "kingcdn.com");
    cdn_wait(&n->viewer);
}

static void check_playing(near_scene *n, str dead)
{
    const player_view *v = &n->viewer.view;
    play_check(n->p, n->viewer.result == E_OK && v->position_ms >= v->duration_ms - 100, "the film played to its end (%lld s)", (long long)v->duration_ms / 1000);
    play_check(n->p, v->stalls == 0, "no stall: %d", v->stalls);
    play_check(n->p, n->viewer.wrong == 0 && n->viewer.segments >= SMALL_FILM_SEGMENTS, "%d segments came, every byte right", n->viewer.segments);
    play_check(n->p, n->second.len && !str_eq(n->first, n->second), "congested: from " STR_FMT " to " STR_FMT, STR_ARG(n->first), STR_ARG(n->second));
    play_check(n->p, dead.len && !str_eq(n->last, dead), "dead: from " STR_FMT " to " STR_FMT, STR_ARG(dead), STR_ARG(n->last));
}

void scene_near_node(play *p)
{
    arena a = arena_make(1 << 20);
    str why;
    near_scene n = {.p = p, .map = "bring home"};
    bool ran = cdn_stage_run(SEED, "bring-home", bring_home, &n, &a, &why);
    play_check(p, ran, "few large sites: played in virtual time" STR_FMT, STR_ARG(why));
    int64_t home_ms = n.near_ms;
    n = (near_scene){.p = p, .map = "enter deep"};
    ran = cdn_stage_run(SEED, "enter-deep", play_on, &n, &a, &why);
    play_check(p, ran, "many small nodes: played in virtual time" STR_FMT, STR_ARG(why));
    if (ran) {
        play_check(p, n.near_ms < home_ms, "enter deep is nearer: %lld ms a segment instead of %lld ms", (long long)n.near_ms, (long long)home_ms);
        check_playing(&n, n.victim);
        play_check(p, !addr_eq_ip(n.after_death, (addr){0}) && n.minji_after.family && addr_eq_ip(n.minji_after, n.minji),
                   "what Bob met moved nobody else: Minji is still sent where she was");
    }
    arena_free(&a);
}
