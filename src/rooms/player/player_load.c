// What is to be played: the manifest (DASH or HLS), playlists and indexes; the rungs, the sound, the servers.
#include "base/must.h"
#include "rooms/player/player_inside.h"
#include "rt/json_read.h"
#include "wire/media/hls.h"
#include "wire/media/mpd.h"

enum { RECORD_DEPTH_MAX = 8, RECORD_S = 3 };

static str describe(player *p, const player_download *d)
{
    if (d->status && d->status != 200 && d->status != 206)
        return str_format(&p->memory, "it answers %d", d->status);
    return str_z(err_text(d->error));
}

// A document of the presentation into memory that lives as long as the player.
static err document_get(player *p, str url, uint64_t offset, uint64_t bytes, str *text, str *from)
{
    player_download d = player_download_new(PLAYER_MANIFEST_BYTES_MAX);
    d.url = url;
    d.offset = offset;
    d.bytes = bytes;
    d.timeout_ns = seconds(PLAYER_LOAD_S);
    player_get(p, &d);
    *text = str_copy(&p->memory, buf_str(&d.body));
    if (from)
        *from = str_copy(&p->memory, d.location);
    err e = d.error;
    if (e)
        player_fail(p, e, STR_FMT ": " STR_FMT, STR_ARG(url), STR_ARG(describe(p, &d)));
    player_download_free(&d);
    return e;
}

// The same from one server after the other.
static err document_get_any(player *p, media_request q, str *text)
{
    err e = E_NO_ENTRY;
    for (int i = 0; i < p->server_count; i++) {
        player_server *s = &p->servers[p->order[i]];
        str url = media_url_resolve(s->url, q.url, &p->memory);
        if (url.len == 0)
            return player_fail(p, E_PROTOCOL, "no URL: \"" STR_FMT "\"", STR_ARG(q.url));
        e = document_get(p, url, q.offset, q.bytes, text, NULL);
        if (!e || e == E_CANCELED)
            return e;
        s->failures++;
    }
    return e;
}

// ---- servers ------------------------------------------------------------------------------------------------------

static err servers_set(player *p)
{
    media_presentation *film = p->film;
    if (film->base_count == 0) {
        media_url u;
        bool good = media_url_split(p->manifest_url, &u, &p->memory);
        film->bases = arena_array(&p->memory, media_base, 1);
        film->bases[0] = (media_base){good ? u.authority : S("here"), p->manifest_url};
        film->base_count = 1;
    }
    for (int i = 0; i < film->base_count && p->server_count < RATE_SERVERS_MAX; i++) {
        str url = media_url_resolve(p->manifest_url, film->bases[i].url, &p->memory);
        if (url.len == 0)
            continue;
        p->order[p->server_count] = p->server_count;
        film->bases[p->server_count] = film->bases[i];
        p->servers[p->server_count++] = (player_server){.url = url};
    }
    film->base_count = p->server_count;
    return p->server_count ? E_OK : player_fail(p, E_PROTOCOL, "the manifest names no server that can be asked");
}

// ---- renditions ---------------------------------------------------------------------------------------------------

// Sorted by rate, one of each, of the family of the first: what can be changed between.
static void rungs_choose(player *p, media_kind kind)
{
    str family = {0};
    for (int i = 0; i < p->film->rendition_count; i++) {
        media_rendition *r = &p->film->renditions[i];
        ptrdiff_t dot = str_find(r->codecs, '.');
        str own = dot < 0 ? r->codecs : str_first(r->codecs, dot);
        if (r->kind != kind || r->segment_count == 0 || (p->rung_count > 0 && !str_eq(own, family)) || player_rate_of(r) == 0)
            continue;
        family = own;
        int at = 0;
        while (at < p->rung_count && player_rate_of(p->rungs[at]) < player_rate_of(r))
            at++;
        bool same = at < p->rung_count && player_rate_of(p->rungs[at]) == player_rate_of(r);
        if (same || p->rung_count == RATE_RUNGS_MAX)
            continue;
        for (int k = p->rung_count++; k > at; k--)
            p->rungs[k] = p->rungs[k - 1];
        p->rungs[at] = r;
    }
}

static void sound_choose(player *p)
{
    for (int i = 0; i < p->film->rendition_count; i++) {
        media_rendition *r = &p->film->renditions[i];
        if (r->kind != MEDIA_AUDIO || r->segment_count == 0 || r == p->rungs[0])
            continue;
        bool wanted = p->options.language.len > 0 && str_starts(r->language, p->options.language);
        bool have = p->sound && p->options.language.len > 0 && str_starts(p->sound->language, p->options.language);
        if (!p->sound || (wanted && !have) || (wanted == have && str_eq(r->language, p->sound->language) && player_rate_of(r) > player_rate_of(p->sound)))
            p->sound = r;
    }
}

// Rungs whose segments do not begin together with the first one's cannot be changed between.
static void rungs_align(player *p)
{
    int kept = 0;
    for (int i = 0; i < p->rung_count; i++)
        if (i == 0 || media_segments_aligned(p->rungs[0], p->rungs[i]))
            p->rungs[kept++] = p->rungs[i];
    p->rung_count = kept;
}

static err playlist_load(player *p, media_rendition *r)
{
    str text;
    const char *why = "";
    err e = document_get_any(p, (media_request){.url = r->playlist}, &text);
    if (!e && !hls_media_read(text, r, &p->memory, &why))
        e = player_fail(p, E_PROTOCOL, STR_FMT ": %s", STR_ARG(r->playlist), why);
    return e;
}

static err index_load(player *p, media_rendition *r)
{
    str text;
    err e = document_get_any(p, media_index_request(r, &p->memory), &text);
    if (!e && !sidx_read(text, r->initialization_bytes, r, &p->memory))
        e = player_fail(p, E_PROTOCOL, STR_FMT ": its index (sidx) cannot be read", STR_ARG(r->whole));
    return e;
}

static err renditions_load(player *p)
{
    err e = E_OK;
    for (int i = 0; i < p->film->rendition_count && !e; i++) {
        media_rendition *r = &p->film->renditions[i];
        if (r->kind == MEDIA_IMAGES || r->segment_count > 0)
            continue;
        e = r->playlist.len > 0 ? playlist_load(p, r) : index_load(p, r);
    }
    return e;
}

// ---- sizes that the manifest leaves out ---------------------------------------------------------------------------

static bool sizes_wanted(const media_rendition *r) { return r->kind != MEDIA_IMAGES && r->segment_count > 0 && r->segments[0].bytes == 0; }

// One rendition's [duration, bytes] pairs: all of them, of the same segments, or nothing.
static void sizes_take(media_rendition *r, const json_t *pairs)
{
    size_t i;
    json_t *pair;
    bool fits = (int)json_array_size(pairs) == r->segment_count;
    json_array_foreach(pairs, i, pair)
        fits = fits && json_integer_value(json_array_get(pair, 0)) == (json_int_t)r->segments[i].duration && json_integer_value(json_array_get(pair, 1)) > 0;
    if (!fits)
        return;
    json_array_foreach(pairs, i, pair)
        r->segments[i].bytes = (uint64_t)json_integer_value(json_array_get(pair, 1));
    media_rendition measured = *r;
    media_rates_measure(&measured);
    r->average_bps = measured.average_bps;
}

static void record_take(player *p, str text)
{
    const char *why;
    size_t i;
    json_t *record = json_object_read(text, RECORD_DEPTH_MAX, &why), *one;
    json_array_foreach(json_object_get(record, "renditions"), i, one)
        for (int k = 0; k < p->film->rendition_count; k++) {
            media_rendition *r = &p->film->renditions[k];
            if (sizes_wanted(r) && str_eq(r->id, str_z(json_string_value(json_object_get(one, "id")))))
                sizes_take(r, json_object_get(one, "segments"));
        }
    json_decref(record);
}

// naru's origin has a record beside its manifest, presentation.json, which knows every segment's size; a template does not. Elsewhere
// there is none, and rates must do. Never fails.
static void sizes_load(player *p)
{
    bool wanted = false;
    for (int i = 0; i < p->film->rendition_count; i++)
        wanted = wanted || (sizes_wanted(&p->film->renditions[i]) && p->film->renditions[i].playlist.len == 0);
    player_download d = player_download_new(PLAYER_MANIFEST_BYTES_MAX);
    d.url = media_url_resolve(p->manifest_url, S("presentation.json"), &d.memory);
    d.timeout_ns = seconds(RECORD_S);
    if (wanted && d.url.len) {
        player_get(p, &d);
        if (!d.error)
            record_take(p, buf_str(&d.body));
    }
    player_download_free(&d);
}

static int8_t *held_new(player *p, const media_rendition *r) { return arena_array(&p->memory, int8_t, r->segment_count); }

static err playout_set(player *p)
{
    playout *o = &p->playout;
    o->lanes[0] = (playout_lane){p->rungs[0], held_new(p, p->rungs[0])};
    if (p->sound)
        o->lanes[1] = (playout_lane){p->sound, held_new(p, p->sound)};
    if (!o->lanes[0].held || (p->sound && !o->lanes[1].held))
        return player_fail(p, E_LIMIT, "the presentation is too large");
    uint64_t ms = media_segment_end_ms(p->rungs[0], p->rungs[0]->segment_count - 1);
    if (p->film->duration_ms == 0 || ms < p->film->duration_ms)
        p->film->duration_ms = ms;
    if (ms == 0 || p->film->duration_ms > (uint64_t)INT64_MAX / NS_PER_MS)
        return player_fail(p, E_PROTOCOL, "the presentation has no length");
    o->duration_ns = millis((int64_t)p->film->duration_ms);
    return E_OK;
}

static bool is_playlist(str text) { return str_starts(text, S("#EXTM3U")); }

static err manifest_load(player *p)
{
    str text;
    const char *why = "";
    err e = document_get(p, p->options.url, 0, 0, &text, &p->manifest_url);
    if (e)
        return e;
    p->film = is_playlist(text) ? hls_read(text, &p->memory, &why) : mpd_read(text, &p->memory, &why);
    return p->film ? E_OK : player_fail(p, E_PROTOCOL, STR_FMT ": %s", STR_ARG(p->manifest_url), why);
}

err player_load(player *p)
{
    err e = manifest_load(p);
    e = e ? e : servers_set(p);
    e = e ? e : renditions_load(p);
    if (e)
        return e;
    sizes_load(p);
    for (int i = 0; i < p->film->rendition_count; i++)
        if (player_rate_of(&p->film->renditions[i]) == 0 && p->film->renditions[i].segment_count > 0)
            p->film->renditions[i].peak_bps = 1000000;               // nobody says: a playlist alone
    rungs_choose(p, MEDIA_VIDEO);
    if (p->rung_count == 0)
        rungs_choose(p, MEDIA_AUDIO);
    if (p->rung_count == 0)
        return player_fail(p, E_PROTOCOL, "nothing that can be played");
    rungs_align(p);
    if (p->rungs[0]->kind == MEDIA_VIDEO)
        sound_choose(p);
    p->trouble[0] = 0;
    return playout_set(p);
}
