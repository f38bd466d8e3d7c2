#include "rooms/player/rehearsal.h"

#include "base/must.h"
#include "rt/listener.h"
#include "rt/loop.h"

enum { FIBERS_MAX = 8, CONNS_MAX = 64, MEMORY_BYTES_MAX = 64 << 20 };

static addr address_of(const rehearsal *r, int host)
{
    return r->plan->outside && host == 1 ? addr_v4(0xc6336401u, 0) : addr_v4(0x0a000001u + (uint32_t)host * 256, 0);     // 198.51.100.1, 10.0.N.1
}

typedef struct { rehearsal *r; int number; } serving;

static void answer(void *arg, const http_request *q, http_reply *reply, arena *msg)
{
    serving *s = arg;
    if (str_eq(q->path, S("/steer"))) {
        s->r->steered++;
        http_answer(reply, 200, S("application/json"), s->r->steering);
        return;
    }
    made_film_serve(&s->r->films[s->number], q, reply, msg);
}

static void serve(conn *c, void *arg) { http_serve(c, (http_limits){.idle_ns = minutes(10)}, answer, arg); }

// A server's life: its door stands open until the host dies or the rehearsal is over.
static void server_live(void *arg)
{
    serving *s = arg;
    scope all;
    door *d;
    scope_open(&all, 0, CONNS_MAX);
    door_options options = {.service = "web", .at = addr_v4(0, 80), .conns_max = CONNS_MAX / 2};
    if (door_open(&all, s->r->servers[s->number], options, serve, s, &d) == E_OK)
        while (fiber_sleep(seconds(60)) == E_OK)
            continue;
    scope_close(&all);
}

static bool take(void *arg, const player_piece *piece)
{
    rehearsal *r = arg;
    if (piece->segment >= 0) {
        const media_presentation *film = &r->films[0].film;
        bool right = false;
        for (int i = 0; i < film->rendition_count; i++)
            if (str_eq(film->renditions[i].id, piece->rendition->id))
                right = made_film_right(&film->renditions[i], piece->segment, piece->bytes);
        r->pieces++;
        r->wrong += !right;
    }
    return true;
}

static void heard(void *arg, const player_event *e)
{
    rehearsal *r = arg;
    if (r->plan->heard)
        r->plan->heard(r, e);
}

static void script_run(void *arg)
{
    rehearsal *r = arg;
    r->plan->script(r);
}

static void films_make(rehearsal *r)
{
    media_base bases[REHEARSAL_SERVERS_MAX];
    for (int i = 0; i < r->plan->servers; i++) {
        str ip = addr_ip_text(&r->memory, address_of(r, i + 1));
        bases[i] = (media_base){str_format(&r->memory, "edge%d", i + 1), str_format(&r->memory, "http://" STR_FMT "/film/", STR_ARG(ip))};
    }
    for (int i = 0; i < r->plan->servers; i++)
        made_film_make(&r->films[i], &r->plan->film, bases, r->plan->servers, r->plan->steering ? S("/steer") : (str){0}, &r->memory);
}

static void play(rehearsal *r)
{
    player_options options = r->plan->options;
    str first = addr_ip_text(&r->memory, address_of(r, 1));
    options.url = str_format(&r->memory, "http://" STR_FMT "/film/manifest.mpd", STR_ARG(first));
    options.take = take;
    options.heard = heard;
    options.arg = r;
    scope script;
    world *before = world_here();
    fiber_world(r->viewer);
    r->player = player_new(r->viewer, &options);
    fiber_world(before);
    scope_open(&script, 0, 1);
    if (r->plan->script)
        must(scope_go(&script, "script", script_run, r) == E_OK);
    fiber_world(r->viewer);
    r->outcome = player_run(r->player);
    fiber_world(before);
    player_look(r->player, &r->view);
    scope_close(&script);
}

static void direct(void *arg)
{
    rehearsal *r = arg;
    serving servers[REHEARSAL_SERVERS_MAX];
    SCOPE(all, 0, FIBERS_MAX);
    addr at = address_of(r, 0);
    r->viewer = sim_host(r->sim, S("viewer"), &at, 1, (sim_disk){0});
    films_make(r);
    for (int i = 0; i < r->plan->servers; i++) {
        at = address_of(r, i + 1);
        servers[i] = (serving){r, i};
        r->servers[i] = sim_host(r->sim, str_format(&r->memory, "edge%d", i + 1), &at, 1, (sim_disk){0});
        must(sim_boot(r->servers[i], &all, server_live, &servers[i]) == E_OK);
    }
    fiber_yield();
    int64_t begun = loop_now_ns();
    play(r);
    r->took_ms = (loop_now_ns() - begun) / NS_PER_MS;
    r->resent = sim_figures_now(r->sim).segments_resent;
    for (int i = 0; i < r->plan->servers; i++)
        if (sim_is_up(r->servers[i]))
            sim_shut_down(r->servers[i]);
}

void rehearsal_play(const rehearsal_plan *plan, rehearsal *r)
{
    must(plan->servers >= 1 && plan->servers <= REHEARSAL_SERVERS_MAX);
    *r = (rehearsal){.plan = plan, .sim = sim_new(plan->seed ? plan->seed : 1), .memory = arena_make(MEMORY_BYTES_MAX), .arg = plan->arg};
    r->steering = plan->steering ? str_z(plan->steering) : (str){0};
    sim_link_default(r->sim, plan->link);
    must(sim_run(r->sim, direct, r) == E_OK);
}

void rehearsal_end(rehearsal *r)
{
    player_free(r->player);
    sim_free(r->sim);
    arena_free(&r->memory);
}

void rehearsal_link(rehearsal *r, int server, sim_link link)
{
    for (int i = 0; i < r->plan->servers; i++)
        if (server < 0 || server == i)
            sim_link_between(r->sim, r->viewer, r->servers[i], link);
}

player_view rehearsal_look(rehearsal *r)
{
    player_view v;
    player_look(r->player, &v);
    return v;
}

int64_t rehearsal_position_ms(rehearsal *r)
{
    player_view v;
    player_look(r->player, &v);
    return v.position_ms;
}
