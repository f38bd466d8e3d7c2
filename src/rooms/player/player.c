// The fetching fiber: when, what and where by rate_decide; each download on a fiber of its own, so that it can be
// given up.
#include "rooms/player/player_inside.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/heap_memory.h"
#include "base/must.h"

enum {
    FIBERS_MAX = 4, IDLE_MS = 500, AFTER_FAILURE_MS = 300, TRANSFER_US_MIN = 1000,
};

// ---- making and telling -------------------------------------------------------------------------------------------

player *player_new(world *w, const player_options *options)
{
    player *p = memory_new(sizeof *p);
    memset(p, 0, sizeof *p);
    p->world = w;
    p->options = *options;
    p->memory = arena_make(PLAYER_MEMORY_BYTES_MAX);
    p->options.url = str_copy(&p->memory, options->url);
    p->options.language = str_copy(&p->memory, options->language);
    p->options.capacity_ms = options->capacity_ms ? options->capacity_ms : RATE_CAPACITY_MS;
    p->options.start_ms = options->start_ms ? options->start_ms : PLAYER_START_MS;
    p->options.resume_ms = options->resume_ms ? options->resume_ms : p->options.start_ms;
    p->options.hurry = options->hurry ? options->hurry : 1;
    p->rung = p->server = p->taken_rung = -1;
    p->session = world_random_u64(w);
    rate_memory_start(&p->rate, options->rule);
    return p;
}

void player_free(player *p)
{
    if (!p)
        return;
    player_hang_up(p, false);
    arena_free(&p->memory);
    memory_free(p);
}

// The film's own clock: the world's, or faster.
static int64_t film_now(const player *p) { return (loop_now_ns() - p->begun_ns) * p->options.hurry; }
int64_t player_now_ms(const player *p) { return (loop_now_ns() - p->begun_ns) / NS_PER_MS; }

void player_tell(player *p, player_event e)
{
    e.at_ms = player_now_ms(p);
    e.decision = p->decision;
    e.state = p->playout.state;
    if (p->options.heard)
        p->options.heard(p->options.arg, &e);
}

err player_fail(player *p, err e, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(p->trouble, sizeof p->trouble, format, args);
    va_end(args);
    return e;
}

int player_rank_of(const player *p, int server)
{
    for (int i = 0; i < p->server_count; i++)
        if (p->order[i] == server)
            return i;
    return -1;
}

str player_server_location(const player *p, int server)
{
    return server >= 0 && p->film ? p->film->bases[server].location : (str){0};
}

static void tick(player *p)
{
    playout_tick(&p->playout, film_now(p));
    if (p->playout.state == p->told_state)
        return;
    p->told_state = p->playout.state;
    player_tell(p, (player_event){.type = PLAYER_STATE, .server = p->server, .rung = p->rung});
}

// ---- what the viewer does -----------------------------------------------------------------------------------------

void player_stop(player *p)
{
    p->stop = true;
    gate_wake_all(&p->changed);
}

void player_pause(player *p, bool paused)
{
    tick(p);
    playout_pause(&p->playout, paused);
    tick(p);
    gate_wake_all(&p->changed);
}

void player_speed(player *p, int32_t speed_permille)
{
    tick(p);
    bool turned = (speed_permille < 0) != (p->playout.speed_permille < 0);
    playout_speed(&p->playout, speed_permille);
    p->jumped = p->jumped || turned;
    tick(p);
    gate_wake_all(&p->changed);
}

void player_jump(player *p, int64_t to_ms)
{
    tick(p);
    playout_jump(&p->playout, millis(to_ms < 0 ? 0 : to_ms));
    p->jumped = true;
    rate_memory_jump(&p->rate);
    tick(p);
    gate_wake_all(&p->changed);
}

// ---- downloads ----------------------------------------------------------------------------------------------------

typedef struct { player *p; player_download *d; gate done; bool ended; } fetching;

static void fetch(void *arg)
{
    fetching *f = arg;
    player_get(f->p, f->d);
    f->ended = true;
    gate_wake_all(&f->done);
}

static void learn(player *p, const player_download *d, int rung, int server, int ended)
{
    rate_download told = {.now_ms = player_now_ms(p), .server = player_rank_of(p, server), .rung = rung, .bytes = d->got};
    told.elapsed_us = (uint64_t)((d->ended_ns ? d->ended_ns : world_now_ns(p->world)) - d->asked_ns) / 1000;
    told.first_byte_us = d->got ? (uint64_t)(d->first_ns - d->asked_ns) / 1000 : told.elapsed_us;
    if (d->got && told.elapsed_us < told.first_byte_us + TRANSFER_US_MIN)
        told.elapsed_us = told.first_byte_us + TRANSFER_US_MIN;          // all in one read: faster than can be measured
    told.end = ended == RATE_ENDED_WHOLE ? RATE_ENDED_WHOLE
             : ended == RATE_ENDED_ABANDONED ? RATE_ENDED_ABANDONED : RATE_ENDED_FAILED;
    if (told.server >= 0)
        rate_learn(&p->rate, &told);
}

static void failed(player *p, const player_download *d, int rung, int server)
{
    char reason[PLAYER_REASON_BYTES];
    if (d->status && d->status != 200 && d->status != 206)
        snprintf(reason, sizeof reason, STR_FMT ": it answers %d", STR_ARG(d->url), d->status);
    else
        snprintf(reason, sizeof reason, STR_FMT ": %s", STR_ARG(d->url), err_text(d->error));
    learn(p, d, rung, server, RATE_ENDED_FAILED);
    p->counts.failed++;
    p->counts.wasted_bytes += d->got;
    p->servers[server].failures++;
    player_tell(p, (player_event){.type = PLAYER_FAILED, .server = server, .rung = rung, .reason = str_z(reason)});
    player_fail(p, d->error, "%s", reason);
}

// A segment must be boxes, with a fragment or at least media data: what else a server says with 200 is no film.
static bool is_segment(str body)
{
    reader r = rd_of(body);
    box b;
    bool media = false;
    while (box_next(&r, &b))
        media = media || b.type == BOX_TYPE('m', 'd', 'a', 't') || b.type == BOX_TYPE('m', 'o', 'o', 'f');
    return media && !r.bad;
}

static bool is_initialization(str body)
{
    box b;
    return box_find(body, BOX_TYPE('m', 'o', 'o', 'v'), &b);
}

// Sound and initialization segments: small, not given up, fetched where the last decision said. False: it failed.
static bool small_get(player *p, media_request q, int server, bool initialization, player_download *d)
{
    d->url = media_url_resolve(p->servers[server].url, q.url, &d->memory);
    d->offset = q.offset;
    d->bytes = q.bytes;
    d->timeout_ns = seconds(PLAYER_SOUND_S);
    player_get(p, d);
    p->byte_ns = d->got ? d->last_ns : p->byte_ns;
    if (!d->error && !(initialization ? is_initialization(buf_str(&d->body)) : is_segment(buf_str(&d->body))))
        d->error = E_CORRUPT;
    p->servers[server].bytes += d->got;
    if (d->error && !fiber_canceled())
        failed(p, d, p->rung < 0 ? 0 : p->rung, server);
    return !d->error;
}

static bool hand(player *p, const media_rendition *r, int lane, int rung, int segment, str bytes)
{
    player_piece piece = {r, lane, rung, segment, bytes};
    if (p->options.take && !p->options.take(p->options.arg, &piece))
        p->stop = true;
    return !p->stop;
}

// What stands before a rendition's segments: fetched once, handed on whenever it is another than the last.
static bool initialization_ready(player *p, const media_rendition *r, int lane, int rung, int server)
{
    str *kept = &p->initializations[lane ? RATE_RUNGS_MAX : rung];
    if (kept->len == 0) {
        player_download d = player_download_new(PLAYER_MANIFEST_BYTES_MAX);
        if (small_get(p, media_initialization_request(r, &d.memory), server, true, &d))
            *kept = str_copy(&p->memory, buf_str(&d.body));
        player_download_free(&d);
        if (kept->len == 0)
            return false;
    }
    bool fresh = lane ? !p->taken_sound : p->taken_rung != rung;
    if (lane)
        p->taken_sound = true;
    else
        p->taken_rung = rung;
    return !fresh || !p->options.take || hand(p, r, lane, rung, -1, *kept);
}

static bool sound_fetch(player *p, int segment, int server)
{
    player_download d = player_download_new(PLAYER_SEGMENT_BYTES_MAX);
    bool good = initialization_ready(p, p->sound, 1, 0, server)
                && small_get(p, media_segment_request(p->sound, segment, &d.memory), server, false, &d);
    if (good) {
        tick(p);
        playout_hold(&p->playout, 1, segment, 0);
        hand(p, p->sound, 1, 0, segment, buf_str(&d.body));
        tick(p);
    }
    player_download_free(&d);
    return good;
}

// The sound goes with the pictures: up to the end of the segment that is to come.
static bool sound_wanted(const player *p, int segment, int *sound)
{
    if (!playout_needs_sound(&p->playout))
        return false;
    *sound = playout_missing(&p->playout, 1);
    if (*sound < 0)
        return false;
    int last = segment >= 0 ? segment : p->rungs[0]->segment_count - 1;
    return media_segment_start_ms(p->sound, *sound) < media_segment_end_ms(p->rungs[0], last);
}

static void segment_came(player *p, const player_download *d, int segment, int rung, int server)
{
    player_view *v = &p->counts;
    const media_rendition *r = p->rungs[rung];
    int64_t ms = (int64_t)(media_segment_end_ms(r, segment) - media_segment_start_ms(r, segment));
    int rung_before = p->rung, server_before = p->server;
    learn(p, d, rung, server, RATE_ENDED_WHOLE);
    p->rung = rung;
    p->server = server;
    v->segments++;
    v->held_ms[rung] += ms;
    v->fetched_bits += player_rate_of(r) / 1000 * (uint64_t)ms;
    p->servers[server].downloads++;
    if (rung_before >= 0 && rung_before != rung) {
        uint64_t a = player_rate_of(p->rungs[rung_before]), b = player_rate_of(r);
        v->switches++;
        v->switched_bps += a > b ? a - b : b - a;
        player_tell(p, (player_event){.type = PLAYER_SWITCHED, .rung = rung, .rung_before = rung_before, .server = server,
                                      .segment = segment});
    }
    if (server_before != server)
        player_tell(p, (player_event){.type = PLAYER_MOVED, .rung = rung, .server = server, .segment = segment});
    tick(p);
    playout_hold(&p->playout, 0, segment, rung);
    playout_drop(&p->playout, millis(player_capacity_ms(p) * 2));
    player_tell(p, (player_event){.type = PLAYER_HELD, .rung = rung, .server = server, .segment = segment, .bytes = d->got,
                                  .ms = (d->ended_ns - d->asked_ns) / NS_PER_MS});
    tick(p);
    hand(p, r, 0, rung, segment, buf_str(&d->body));
}

// Whether a segment that is on its way is still what the viewer needs next.
static bool still_wanted(player *p, int segment)
{
    return !p->stop && !(p->jumped && playout_missing(&p->playout, 0) != segment);
}

// Looks at a running download until it has ended or is given up. Returns what to do next: RATE_DONE when it ended,
// RATE_ABANDON with *d for another.
static rate_act watch(player *p, fetching *f, int segment, rate_decision *d, int rung, int server, uint64_t *rows)
{
    uint32_t wait_ms = RATE_TICK_MS;
    while (!f->ended) {
        err e = gate_wait(&f->done, loop_now_ns() + millis(wait_ms), "a segment");
        tick(p);
        if (e == E_CANCELED || !still_wanted(p, segment))
            return RATE_WAIT;
        if (f->ended)
            break;
        rate_running running;
        player_running(p, f->d, rung, server, &running);
        rate_decision look = player_decide(p, segment, &running, rows);
        if (look.act == RATE_ABANDON) {
            *d = look;
            return RATE_ABANDON;
        }
        wait_ms = look.wait_ms && look.wait_ms < RATE_TICK_MS ? look.wait_ms : RATE_TICK_MS;
    }
    return RATE_DONE;
}

// One attempt at a segment. What it returns is as watch says.
static rate_act attempt(player *p, int segment, rate_decision *d, uint64_t *rows)
{
    int rung = d->rung, server = p->order[d->server];
    if (!initialization_ready(p, p->rungs[rung], 0, rung, server))
        return RATE_WAIT;
    player_download down = player_download_new(PLAYER_SEGMENT_BYTES_MAX);
    media_request q = media_segment_request(p->rungs[rung], segment, &down.memory);
    down.url = media_url_resolve(p->servers[server].url, q.url, &down.memory);
    down.offset = q.offset;
    down.bytes = q.bytes;
    down.asked_ns = world_now_ns(p->world);
    fetching f = {.p = p, .d = &down};
    scope one;
    scope_open(&one, 0, 1);
    p->running = &down;
    p->running_segment = segment;
    bool begun = scope_go(&one, "player download", fetch, &f) == E_OK;
    rate_act act = begun ? watch(p, &f, segment, d, rung, server, rows) : RATE_WAIT;
    scope_close(&one);
    p->running = NULL;
    p->byte_ns = down.got ? down.last_ns : p->byte_ns;
    p->servers[server].bytes += down.got;
    if (f.ended && act == RATE_DONE && !down.error && !is_segment(buf_str(&down.body)))
        down.error = E_CORRUPT;
    if (act == RATE_ABANDON && d->when == RATE_WHEN_SILENT) {        // the server's failure: where to ask next is decided anew
        down.error = E_SLOW;
        act = RATE_DONE;
    }
    if (act == RATE_ABANDON) {
        learn(p, &down, rung, server, RATE_ENDED_ABANDONED);
        p->counts.abandoned++;
        p->counts.wasted_bytes += down.got;
        player_tell(p, (player_event){.type = PLAYER_ABANDONED, .rung = d->rung, .rung_before = rung, .server = p->order[d->server],
                                      .segment = segment});
    } else if (act == RATE_DONE && down.error) {
        failed(p, &down, rung, server);
        act = RATE_WAIT;
    } else if (act == RATE_DONE) {
        segment_came(p, &down, segment, rung, server);
    } else {
        p->counts.wasted_bytes += down.got;
    }
    player_download_free(&down);
    return act;
}

// ---- the loop -----------------------------------------------------------------------------------------------------

static void wait_for(player *p, uint32_t ms)
{
    int64_t until = loop_now_ns() + millis(ms ? ms : 1), changes = playout_changes_ns(&p->playout);
    if (changes != INT64_MAX) {
        int64_t left = (changes - p->playout.now_ns) / p->options.hurry + 1;
        until = loop_now_ns() + left < until ? loop_now_ns() + left : until;
    }
    (void)gate_wait(&p->changed, until, "room in the buffer");
    tick(p);
}

static bool gives_up(const player *p)
{
    bool dry = p->playout.state != PLAYOUT_PLAYING && p->playout.state != PLAYOUT_PAUSED;
    return dry && loop_now_ns() - p->byte_ns > seconds(PLAYER_GIVE_UP_S);
}

static void segment_fetch(player *p, int segment, rate_decision d, uint64_t *rows)
{
    int sound;
    for (int n = 0; sound_wanted(p, segment, &sound) && n < p->sound->segment_count; n++)
        if (!sound_fetch(p, sound, p->order[d.server]) || p->jumped || p->stop || fiber_canceled()) {
            if (!p->jumped && !p->stop)
                wait_for(p, AFTER_FAILURE_MS);
            return;
        }
    while (attempt(p, segment, &d, rows) == RATE_ABANDON && !fiber_canceled() && !p->stop) {
        rate_decision afresh = player_decide(p, segment, NULL, rows);           // the same server may not be the one to ask any more
        if (afresh.act == RATE_FETCH)
            d.server = afresh.server;
    }
}

// After a jump, or at normal speed again, pictures are held whose sound was never fetched.
static bool sound_behind(const player *p, int segment, int *sound)
{
    return sound_wanted(p, segment > 0 ? segment - 1 : 0, sound)
           && playout_lane_ahead_ns(&p->playout, 1) < playout_lane_ahead_ns(&p->playout, 0);
}

static void sound_catch_up(player *p, int sound)
{
    if (!sound_fetch(p, sound, p->server >= 0 ? p->server : p->order[0]))
        wait_for(p, AFTER_FAILURE_MS);
}

// One turn: decide, and do it.
static void turn_once(player *p, uint64_t *rows)
{
    int sound, segment = playout_missing(&p->playout, 0);
    p->jumped = false;
    if (segment < 0 && sound_wanted(p, -1, &sound)) {        // pictures are all there (gone back at speed): their sound
        sound_catch_up(p, sound);
        return;
    }
    rate_decision d = player_decide(p, segment, NULL, rows);
    if (segment < 0 || d.act == RATE_DONE)
        wait_for(p, IDLE_MS);
    else if (d.act == RATE_FETCH)
        segment_fetch(p, segment, d, rows);
    else if (sound_behind(p, segment, &sound))
        sound_catch_up(p, sound);
    else
        wait_for(p, d.wait_ms < IDLE_MS ? d.wait_ms : IDLE_MS);
}

static err play(player *p)
{
    uint64_t *rows = arena_array(&p->memory, uint64_t, PLAYER_ROWS * RATE_RUNGS_MAX);
    int64_t ends_ns = p->options.stop_after_ns ? p->begun_ns + p->options.stop_after_ns : INT64_MAX;
    if (!rows)
        return player_fail(p, E_LIMIT, "the presentation is too large");
    while (!p->stop && p->playout.state != PLAYOUT_ENDED && loop_now_ns() < ends_ns) {
        if (fiber_canceled())
            return E_CANCELED;
        if (gives_up(p))
            return p->trouble[0] ? E_UNREACHABLE : player_fail(p, E_UNREACHABLE, "no server gives the film");
        turn_once(p, rows);
        tick(p);
    }
    p->trouble[0] = 0;
    return E_OK;
}

static void begin(player *p)
{
    playout *o = &p->playout;
    o->start_ns = millis(p->options.start_ms);
    o->resume_ns = millis(p->options.resume_ms);
    o->paused = p->options.start_paused;
    uint32_t ttl_s = 0;
    if (p->film->steering_default.len > 0)               // the manifest's own first choice
        for (int i = 1; i < p->server_count; i++)
            if (str_eq(p->film->bases[i].location, p->film->steering_default) && p->order[i] == i) {
                for (int k = i; k > 0; k--)
                    p->order[k] = p->order[k - 1];
                p->order[0] = i;
            }
    if (p->film->steering_url.len > 0 && p->film->steering_before_start)
        p->steered = player_steer_once(p, &ttl_s) == E_OK;
    player_tell(p, (player_event){.type = PLAYER_LOADED, .server = p->order[0], .rung = -1});
}

err player_run(player *p)
{
    p->begun_ns = p->byte_ns = loop_now_ns();
    p->playout = playout_new(0);
    err e = player_load(p);
    if (e) {
        player_hang_up(p, true);
        return e;
    }
    begin(p);
    scope around;
    scope_open(&around, 0, FIBERS_MAX);
    if (p->film->steering_url.len > 0)
        (void)scope_go(&around, "player steering", player_steer, p);
    if (p->film->steering_url.len > 0 && p->options.report)
        (void)scope_go(&around, "player reports", player_report, p);
    e = play(p);
    scope_close(&around);
    player_hang_up(p, true);
    p->counts.ended = true;
    player_tell(p, (player_event){.type = PLAYER_ENDED, .server = p->server, .rung = p->rung, .reason = str_z(p->trouble)});
    return e;
}
