// What the player says of itself.
#include "rooms/player/player_inside.h"

static int64_t ms_of(int64_t ns) { return ns < 0 ? -1 : ns / NS_PER_MS; }

static void playout_look(const playout *o, player_view *v)
{
    v->state = o->state;
    v->paused = o->paused;
    v->speed_permille = o->speed_permille;
    v->position_ms = ms_of(o->position_ns);
    v->duration_ms = ms_of(o->duration_ns);
    v->buffer_ms = ms_of(playout_ahead_ns(o));
    v->sound_buffer_ms = ms_of(playout_lane_ahead_ns(o, 1));
    v->startup_ms = ms_of(o->startup_ns);
    v->stalls = o->stalls;
    v->stalled_ms = ms_of(o->stalled_ns);
    v->played_ms = ms_of(o->played_ns);
    v->paused_ms = ms_of(o->paused_ns);
}

static void servers_look(const player *p, player_view *v)
{
    v->server_count = p->server_count;
    v->server = p->server;
    for (int i = 0; i < p->server_count; i++) {
        media_url u;
        arena a = arena_make(PLAYER_DOWNLOAD_MEMORY_BYTES);
        v->servers[i] = (player_server_view){.location = player_server_location(p, i), .rank = player_rank_of(p, i), .bytes = p->servers[i].bytes,
                                             .downloads = p->servers[i].downloads, .failures = p->servers[i].failures};
        if (media_url_split(p->servers[i].url, &u, &a))
            v->servers[i].host = u.authority;            // a view into the URL
        arena_free(&a);
    }
}

void player_look(player *p, player_view *v)
{
    *v = p->counts;
    v->loaded = p->rung_count > 0;
    v->capacity_ms = p->options.capacity_ms;
    v->rung = p->rung;
    v->rungs = p->rung_count;
    v->decision = p->decision;
    v->steering = p->steering_text;
    v->trouble = str_z(p->trouble);
    playout_look(&p->playout, v);
    if (!v->loaded)
        return;
    v->title = p->film->title;
    servers_look(p, v);
    for (int i = 0; i < p->rung_count; i++) {
        v->bps[i] = p->rungs[i]->average_bps ? p->rungs[i]->average_bps : p->rungs[i]->peak_bps;
        v->ids[i] = p->rungs[i]->id;
        v->heights[i] = p->rungs[i]->height;
    }
    v->downloading = p->running != NULL;
    if (p->running) {
        v->download_segment = p->running_segment;
        v->download_bytes = p->running->got;
        v->download_bytes_all = p->running->told;
    }
}

int64_t player_quality_milli(const player_view *v)
{
    int64_t held_ms = 0;
    for (int i = 0; i < v->rungs; i++)
        held_ms += v->held_ms[i];
    if (v->segments == 0 || held_ms == 0)
        return 0;
    int64_t mean_kbps = (int64_t)(v->fetched_bits / (uint64_t)held_ms);          // bits a millisecond = kbit/s = thousandths of Mbit/s
    int64_t waited_ms = v->stalled_ms + (v->startup_ms > 0 ? v->startup_ms : 0);
    return mean_kbps - (43 * waited_ms / 10 + (int64_t)(v->switched_bps / 1000)) / v->segments;
}
