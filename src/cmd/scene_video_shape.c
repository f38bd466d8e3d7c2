// V6: the Netflix shape. The company's own server registers, searches and accounts; a master with its renditions is pushed to three CDNs;
// the client gets a ranked list of them, streams from the best, and changes when it stops being best. In the simulator.
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "cmd/cdn_stage.h"
#include "cmd/scene_video.h"
#include "cmd/small_film.h"
#include "rooms/console/console.h"
#include "rooms/edge/edge.h"
#include "rooms/origin/origin.h"
#include "rooms/steering/steering.h"

enum { SEED = 2027, WORST_AT_MS = 20000, TELL_BYTES_MAX = 4096, ANSWER_BYTES_MAX = 16 << 20, NARROW_BYTES_PER_S = 25000, NARROW_MS = 300 };

static const struct { const char *cdn, *host; } cdns[] = {{"king", "n1.kingcdn.com"}, {"quick", "quickcdn.net"}, {"far", "farcdn.org"}};
enum { CDNS = sizeof cdns / sizeof *cdns };

typedef struct {
    play      *p;
    cdn_stage *stage;
    arena      memory;
    addr       console;
    str        cookie, csrf, viewing;
    cdn_viewer viewer;
    str        first, last;                  // CDNs that it played from
    str        ranking_before, ranking_after;
} company;

// ---- the company's page -----------------------------------------------------------------------------------------------------------------

static json_t *ask(company *k, const char *method, str target, str body)
{
    http_header headers[3] = {{S("Content-Type"), S("application/json")}};
    int count = 1;
    if (k->cookie.len)
        headers[count++] = (http_header){S("Cookie"), k->cookie};
    if (k->csrf.len)
        headers[count++] = (http_header){S("X-Naru-Csrf"), k->csrf};
    http_result r = cdn_request(k->stage, "bob.poly.edu", k->console, method, S("netcinema.com:8000"), target, headers, count, body, &k->memory);
    str cookie = http_result_header(&r, S("Set-Cookie"));
    if (cookie.len)
        k->cookie = str_cut(&cookie, ';');
    play_show(k->p, "C", str_format(&k->memory, "%s " STR_FMT, method, STR_ARG(target)));
    play_show(k->p, "S", str_format(&k->memory, "%d, %td bytes", r.status, r.body.len));
    return r.error || r.status >= 300 ? NULL : json_loadb((const char *)r.body.at, (size_t)r.body.len, 0, NULL);
}

static str text_of(company *k, const json_t *o, const char *key) { return str_copy(&k->memory, str_z(json_string_value(json_object_get(o, key)))); }

static void sign_up(company *k)
{
    play_tell(k->p, "Bob registers on NetCinema's own server, and searches for a film");
    k->console = addr_with_port(lab_find(&k->stage->net.map, S("netcinema.com"))->here[0], CONSOLE_PORT);
    json_t *me = ask(k, "POST", S("/api/register"), S("{\"user\": \"bob@netcinema.com\", \"password\": \"ketchup and pickles, please\"}"));
    k->csrf = text_of(k, me, "csrf");
    play_check(k->p, k->csrf.len && k->cookie.len, "he is registered and signed in as " STR_FMT, STR_ARG(text_of(k, me, "who")));
    json_decref(me);
    json_t *films = ask(k, "GET", S("/api/films?q=ferry"), (str){0}), *first = json_array_get(json_object_get(films, "films"), 0);
    play_check(k->p, str_eq(text_of(k, first, "id"), S(SMALL_FILM_ID)), "his search finds \"" STR_FMT "\"", STR_ARG(text_of(k, first, "title")));
    json_decref(films);
}

static void viewing_begin(company *k)
{
    json_t *o = ask(k, "POST", S("/api/viewings"), S("{\"film\": \"" SMALL_FILM_ID "\"}"));
    k->viewing = text_of(k, o, "viewing");
    play_check(k->p, k->viewing.len > 0, "his viewing is on the account, before the first picture");
    json_decref(o);
}

static void viewing_end(company *k)
{
    const player_view *v = &k->viewer.view;
    buf out = buf_make(TELL_BYTES_MAX);
    buf_format(&out, "{\"watched_ms\": %lld, \"bytes\": %llu, \"stalls\": %d, \"stall_ms\": %lld, \"startup_ms\": %lld, \"ended\": true, \"servers\": [", (long long)v->played_ms,
               (unsigned long long)v->bytes, v->stalls, (long long)v->stalled_ms, (long long)v->startup_ms);
    for (int i = 0, put = 0; i < v->server_count; i++)
        if (v->servers[i].bytes)
            buf_format(&out, "%s\"" STR_FMT "\"", put++ ? ", " : "", STR_ARG(v->servers[i].location));
    buf_put(&out, S("]}"));
    json_decref(ask(k, "POST", str_format(&k->memory, "/api/viewings/" STR_FMT, STR_ARG(k->viewing)), buf_str(&out)));
    buf_free(&out);
}

static int json_into(const char *bytes, size_t size, void *out) { return buf_put(out, str_of(bytes, size)) ? 0 : -1; }

static void account_check(company *k)
{
    json_t *o = ask(k, "GET", S("/api/accounting"), (str){0}), *list = json_object_get(o, "viewings"), *one = json_array_get(list, 0);
    buf out = buf_make(TELL_BYTES_MAX);
    (void)json_dump_callback(one, json_into, &out, JSON_COMPACT);
    str record = str_copy(&k->memory, buf_str(&out));
    buf_free(&out);
    play_tell(k->p, "the record: " STR_FMT, STR_ARG(record));
    play_check(k->p, json_array_size(list) == 1, "one accounting record for one viewing");
    play_check(k->p, str_find_str(record, S("king")) >= 0 && str_find_str(record, S("quick")) >= 0 && str_find_str(record, S(SMALL_FILM_ID)) >= 0,
               "it says which film, and both CDNs that served it");
    json_decref(o);
}

// ---- the CDNs -----------------------------------------------------------------------------------------------------------------------------

// One rendition after the other through each CDN's node: ordinary requests, so that they have it before anybody asks (naru video push).
static void push(company *k)
{
    arena a = arena_make(64 << 20);
    const lab_host *origin = lab_find(&k->stage->net.map, S("origin.netcinema.com"));
    http_result r = cdn_request(k->stage, "netcinema.com", addr_with_port(origin->here[0], ORIGIN_PORT), "GET", S("origin"), S("/catalogue.json"), NULL, 0,
                                (str){0}, &a);
    play_check(k->p, r.status == 200 && str_find_str(r.body, S(SMALL_FILM_ID)) >= 0, "the studio's master is in the catalogue, in three renditions");
    for (int c = 0; c < CDNS; c++) {
        addr at = addr_with_port(lab_find(&k->stage->net.map, str_z(cdns[c].host))->here[0], EDGE_PORT);
        int pushed = 0, hits = 0;
        for (int s = 1; s <= SMALL_FILM_SEGMENTS; s++) {
            arena_reset(&a);
            str target = str_format(&a, "/" SMALL_FILM_ID "/v1000/%d.m4s", s);
            pushed += cdn_get(k->stage, "netcinema.com", at, str_z(cdns[c].host), target, &a).status == 200;
            hits += str_find_str(cdn_get(k->stage, "netcinema.com", at, str_z(cdns[c].host), target, &a).cache, S("hit")) >= 0;
        }
        play_check(k->p, pushed == SMALL_FILM_SEGMENTS && hits == pushed, "pushed to %s: %d segments are there", cdns[c].cdn, hits);
    }
    arena_free(&a);
}

static str ranking(company *k)
{
    addr at = addr_with_port(lab_find(&k->stage->net.map, S("netcinema.com"))->here[0], STEERING_PORT);
    http_result r = cdn_request(k->stage, "bob.poly.edu", at, "GET", S("steer.netcinema.com"), S("/steer/" SMALL_FILM_ID), NULL, 0, (str){0}, &k->memory);
    ptrdiff_t from = str_find_str(r.body, S("PATHWAY-PRIORITY"));
    return from < 0 ? (str){0} : str_from(r.body, from);
}

static void on_event(void *arg, const player_event *e)
{
    company *k = arg;
    player_view v;
    if (!k->viewer.player || (e->type != PLAYER_MOVED && e->type != PLAYER_STEERED))
        return;
    player_look(k->viewer.player, &v);
    if (e->type == PLAYER_MOVED && e->server >= 0 && e->server < v.server_count) {
        k->last = str_copy(&k->memory, v.servers[e->server].location);
        k->first = k->first.len ? k->first : k->last;
    }
    if (!k->p->quiet)
        printf("  %6.1f s  %s " STR_FMT "; buffer %.1f s\n", (double)cdn_now_ms(k->stage) / 1000, e->type == PLAYER_MOVED ? "plays from" : "ranked list:",
               STR_ARG(e->type == PLAYER_MOVED ? k->last : e->reason), (double)v.buffer_ms / 1000);
}

static void act(cdn_stage *s, void *arg)
{
    company *k = arg;
    k->stage = s;
    push(k);
    sign_up(k);
    k->ranking_before = ranking(k);
    play_tell(k->p, "He plays it. For him the steering ranks: " STR_FMT, STR_ARG(k->ranking_before));
    viewing_begin(k);
    k->viewer = (cdn_viewer){.host = "bob.poly.edu", .resolver = "local", .heard = on_event, .arg = k};
    k->viewer.options = (player_options){.url = S("http://play.netcinema.com/" SMALL_FILM_ID "/manifest.mpd"), .report = true};
    s->begun_ns = world_now_ns(s->net.world);
    cdn_view(s, &k->viewer);
    (void)fiber_sleep(millis(WORST_AT_MS));
    if (!k->p->quiet)
        printf("  %6.1f s  the path to king's node becomes narrow and slow, for Bob and for the steering\n", (double)cdn_now_ms(s) / 1000);
    cdn_path(s, "bob.poly.edu", cdns[0].host, NARROW_BYTES_PER_S, NARROW_MS);
    cdn_path(s, "netcinema.com", cdns[0].host, NARROW_BYTES_PER_S, NARROW_MS);
    cdn_wait(&k->viewer);
    k->ranking_after = ranking(k);
    viewing_end(k);
    account_check(k);
}

void scene_three_cdns(play *p)
{
    company k = {.p = p, .memory = arena_make(ANSWER_BYTES_MAX)};
    str why;
    bool ran = cdn_stage_run(SEED, "three-cdns", act, &k, &p->memory, &why);
    play_check(p, ran, "played in virtual time" STR_FMT, STR_ARG(why));
    play_check(p, str_find_str(k.ranking_before, S("[\"king\",\"quick\",\"far\"]")) >= 0, "the ranked list began with king, the nearest");
    play_check(p, str_eq(k.first, S("king")), "the film came from king at first");
    play_check(p, str_eq(k.last, S("quick")), "and from quick when king had stopped being the best");
    play_check(p, str_find_str(k.ranking_after, S("[\"quick\"")) >= 0, "now the list begins with quick: " STR_FMT, STR_ARG(k.ranking_after));
    play_check(p, k.viewer.result == E_OK && k.viewer.view.stalls == 0 && k.viewer.wrong == 0 && k.viewer.segments >= SMALL_FILM_SEGMENTS,
               "it played to its end without a stall (%d), every byte right", k.viewer.view.stalls);
    arena_free(&k.memory);
}
