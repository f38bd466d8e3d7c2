#include "rooms/swarm/web_seed.h"

#include <stdio.h>
#include <string.h>

#include "base/heap_memory.h"
#include "base/hex.h"
#include "base/must.h"
#include "rooms/swarm/web_seed_fetch.h"

static const char *const too_long = "its address is too long";

// ---- pure parts ------------------------------------------------------------------------------------------------------------------

bool web_seed_url(buf *out, str url, const metainfo *m, int file_number)
{
    bool slash = str_ends(url, S("/"));
    buf_put(out, url);
    if (m->single && slash)
        percent_put(out, m->name, (str){0});
    if (m->single)
        return !out->full && out->len <= WEB_SEED_URL_BYTES_MAX;
    if (!slash)
        buf_put_byte(out, '/');
    percent_put(out, m->name, (str){0});
    buf_put_byte(out, '/');
    percent_put(out, m->files[file_number].path, S("/"));
    return !out->full && out->len <= WEB_SEED_URL_BYTES_MAX;
}

static bool address_is_nobodys(addr x)
{
    static const uint8_t none[10] = {0};         // unspecified, and IPv4 in IPv6's clothes
    if (x.family == 4)
        return x.ip[0] == 0 || x.ip[0] >= 224;
    bool dressed = memcmp(x.ip, none, sizeof none) == 0 && !addr_eq_ip(x, (addr){.family = 6, .ip = {[15] = 1}});
    return x.family != 6 || x.ip[0] == 0xff || dressed;
}

const char *web_seed_address_trouble(addr x, bool local_allowed, bool has_query, bool redirected_from_global)
{
    if (address_is_nobodys(x))
        return "its address is nobody's";
    if (!addr_is_private(x))
        return NULL;
    if (redirected_from_global)
        return "a server outside sent us to an address inside";
    if (!local_allowed)
        return "its address is one of a local network";
    return has_query ? "a local address may not be asked with a query" : NULL;
}

// ---- a seed ------------------------------------------------------------------------------------------------------------------------

web_seed *web_seed_new(const web_seed_settings *settings, const char **why)
{
    tracker_url u;
    arena a = arena_make(16 << 10);
    *why = NULL;
    if (settings->url.len > METAINFO_URL_BYTES_MAX)
        *why = too_long;
    else if (!metainfo_url_valid(settings->url, false))
        *why = "it is no http or https URL";
    else if (tracker_url_read(settings->url, &a, &u, why) && u.scheme == TRACKER_UDP)
        *why = "it is no http or https URL";
    else if (!*why && u.scheme == TRACKER_HTTPS && !settings->tls)
        *why = "https is not set up";
    else if (!*why && u.query.len && !settings->layout->single)
        *why = "a folder's URL has no query";
    else if (settings->layout->piece_bytes > WEB_SEED_PIECE_BYTES_MAX)
        *why = "the torrent's pieces are too large to be fetched from the web";
    arena_free(&a);
    if (*why)
        return NULL;
    web_seed *x = memory_zeroed(1, sizeof *x);
    x->settings = *settings;
    x->url = memory_new((size_t)settings->url.len + 1);
    memcpy(x->url, settings->url.at, (size_t)settings->url.len);
    x->settings.url = str_of(x->url, (size_t)settings->url.len);
    return x;
}

void web_seed_free(web_seed *x)
{
    if (!x)
        return;
    must(!x->conn);
    memory_free(x->url);
    memory_free(x);
}

void web_seed_nudge(web_seed *x) { gate_wake_all(&x->wake); }

void web_seed_stop(web_seed *x)
{
    x->stopping = true;
    gate_wake_all(&x->wake);
}

void web_seed_look(const web_seed *x, web_seed_view *out)
{
    *out = (web_seed_view){.url = x->settings.url, .state = x->state, .received = x->received, .rate = x->rate, .next_ns = x->next_ns,
                           .failures = x->failures, .bad_pieces = x->bad_pieces};
    snprintf(out->why, sizeof out->why, "%s", x->why);
}

void web_seed_say(web_seed *x, const char *text) { snprintf(x->why, sizeof x->why, "%s", text); }

// ---- runs ----------------------------------------------------------------------------------------------------------------------------

typedef struct { int32_t first, count, done; int64_t bytes; } run;

static int64_t piece_length(const web_seed *x, int32_t piece) { return metainfo_piece_length(x->settings.layout, piece); }

// One piece from all the files that it spans; what stands in no file is zeros.
static err piece_fetch(web_seed *x, int32_t piece, unsigned char *room)
{
    const metainfo *m = x->settings.layout;
    int64_t at = m->piece_bytes * piece, start = at, end = at + piece_length(x, piece);
    for (int i = metainfo_file_at(m, at); at < end; i++) {
        must(i >= 0 && i < m->file_count);
        const metainfo_file *f = &m->files[i];
        int64_t inside = at - f->offset, part = f->length - inside < end - at ? f->length - inside : end - at;
        if (part <= 0)
            continue;
        if (f->pad)
            memset(room + (at - start), 0, (size_t)part);
        err e = f->pad ? E_OK : web_seed_range(x, i, inside, part, room + (at - start));
        if (e)
            return e;
        at += part;
    }
    return E_OK;
}

// Piece by piece: what has come is given before the next one is asked for.
static err run_fetch(web_seed *x, run *r)
{
    const web_seed_calls *calls = &x->settings.calls;
    unsigned char *room = memory_new((size_t)x->settings.layout->piece_bytes);
    err e = E_OK;
    int64_t began = world_now_ns(x->settings.world);
    while (!e && r->done < r->count) {
        int32_t piece = r->first + r->done;
        bool good = false;
        e = piece_fetch(x, piece, room);
        if (e)
            break;
        r->bytes += piece_length(x, piece);
        r->done++;
        e = calls->deliver(calls->arg, piece, str_of(room, (size_t)piece_length(x, piece)), &good);
        if (!e && !good && ++x->bad_pieces >= WEB_SEED_BAD_PIECES_MAX) {
            web_seed_say(x, "it sent a piece of another hash");
            x->state = WEB_SEED_DROPPED;
            e = E_CORRUPT;
        }
    }
    memory_free(room);
    int64_t took = world_now_ns(x->settings.world) - began;
    x->received += r->bytes;
    x->rate = r->bytes * 1000 / (took / NS_PER_MS + 1);
    if (r->done < r->count)
        calls->give_back(calls->arg, r->first + r->done, r->count - r->done);
    return e;
}

static err wait_after(web_seed *x, err e)
{
    int64_t pause = seconds(WEB_SEED_RETRY_S);
    for (int i = 1; i < x->failures && pause < seconds(WEB_SEED_RETRY_S_MAX); i++)
        pause *= 2;
    if (x->retry_after_s > 0 && seconds(x->retry_after_s) > pause)
        pause = seconds(x->retry_after_s);
    if (pause > seconds(WEB_SEED_RETRY_S_MAX))
        pause = seconds(WEB_SEED_RETRY_S_MAX);
    if (!x->why[0])
        web_seed_say(x, err_text(e));
    x->state = WEB_SEED_WAITS;
    x->next_ns = world_now_ns(x->settings.world) + pause;
    x->retry_after_s = 0;
    return fiber_sleep(pause);
}

// E_OK: goes on. Anything else ends the seed's fiber.
static err run_judge(web_seed *x, err e)
{
    if (!e) {
        x->failures = 0;
        x->why[0] = 0;
        return E_OK;
    }
    web_seed_hang_up(x);
    if (e == E_CANCELED || e == E_CRASHED || x->state == WEB_SEED_DROPPED)
        return e;
    if (e == E_ACCESS || ++x->failures >= WEB_SEED_FAILURES_MAX) {       // our guards said no: it will not get better
        x->state = WEB_SEED_DROPPED;
        return e;
    }
    return wait_after(x, e);
}

void web_seed_run(void *arg)
{
    web_seed *x = arg;
    x->stopping = false;
    const web_seed_calls *calls = &x->settings.calls;
    err e = E_OK;
    while (!e && !x->stopping && !fiber_canceled()) {
        run r = {0};
        if (!calls->take(calls->arg, WEB_SEED_RUN_BYTES, &r.first, &r.count)) {
            x->state = WEB_SEED_RESTS;
            web_seed_hang_up(x);
            e = gate_wait(&x->wake, world_now_ns(x->settings.world) + minutes(1), "pieces to fetch");
            e = e == E_TIMEOUT ? E_OK : e;
            continue;
        }
        must(r.first >= 0 && r.count > 0 && r.count <= x->settings.layout->piece_count - r.first);
        x->state = WEB_SEED_FETCHES;
        e = run_judge(x, run_fetch(x, &r));
    }
    web_seed_hang_up(x);
}
