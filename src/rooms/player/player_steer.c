// Content steering: the ranking of the servers, asked again when its time is over; and reports of how it goes.
#include "base/hex.h"
#include "rooms/player/player_inside.h"

enum { STEER_AGAIN_S = 30, REPORT_BYTES_MAX = 4096, RANKING_BYTES_MAX = 1024 };

// The steering URL with what it is to know: our session, where the film comes from and how fast (DASH-IF CTS 001
// section 6.2).
static str steering_query(player *p, arena *a)
{
    const rate_decision *d = &p->decision;
    str base = media_url_resolve(p->manifest_url, p->steering_url.len > 0 ? p->steering_url : p->film->steering_url, a);
    if (base.len == 0)
        return base;
    buf out = buf_make(MEDIA_URL_BYTES_MAX);
    buf_put(&out, base);
    if (str_find_str(base, S("session=")) < 0)           // a RELOAD-URI carries it
        buf_format(&out, "%csession=%016llx", str_find(base, '?') >= 0 ? '&' : '?', (unsigned long long)p->session);
    if (p->server >= 0 && d->throughput_bps > 0) {
        buf_format(&out, "%c_DASH_pathway=%%22", str_find(buf_str(&out), '?') >= 0 ? '&' : '?');
        percent_put(&out, player_server_location(p, p->server), (str){0});
        buf_format(&out, "%%22&_DASH_throughput=%llu", (unsigned long long)d->throughput_bps);
    }
    str text = str_copy(a, buf_str(&out));
    buf_free(&out);
    return text;
}

// The new order in force: what the rule has learned of a server goes with it.
static void order_set(player *p, const int *order)
{
    int from[RATE_SERVERS_MAX];
    bool same = true;
    for (int i = 0; i < p->server_count; i++) {
        from[i] = player_rank_of(p, order[i]);
        same = same && from[i] == i;
    }
    if (same)
        return;
    rate_memory_reorder(&p->rate, from, p->server_count);
    buf text = buf_make(RANKING_BYTES_MAX);
    for (int i = 0; i < p->server_count; i++) {
        p->order[i] = order[i];
        buf_put(&text, i ? S(" ") : S(""));
        buf_put(&text, player_server_location(p, order[i]));
    }
    p->steering_text = str_copy(&p->memory, buf_str(&text));
    buf_free(&text);
    player_tell(p, (player_event){.type = PLAYER_STEERED, .server = order[0], .reason = p->steering_text});
    gate_wake_all(&p->changed);
}

err player_steer_once(player *p, uint32_t *ttl_s)
{
    arena a = arena_make(PLAYER_DOWNLOAD_MEMORY_BYTES);
    player_download d = player_download_new(STEERING_BYTES_MAX);
    steering_manifest m;
    const char *why = "";
    int order[MEDIA_BASES_MAX];
    d.url = steering_query(p, &a);
    d.error = E_PROTOCOL;
    d.timeout_ns = seconds(PLAYER_LOAD_S);
    if (d.url.len > 0)
        player_get(p, &d);
    err e = d.error;
    if (!e && !steering_read(buf_str(&d.body), &m, &a, &why))
        e = E_PROTOCOL;
    if (!e) {
        *ttl_s = m.ttl_s;
        p->counts.steering_ttl_s = m.ttl_s;
        if (m.reload_url.len > 0) {
            str next = media_url_resolve(d.location, m.reload_url, &a);
            if (next.len > 0 && !str_eq(next, p->steering_url))
                p->steering_url = str_copy(&p->memory, next);
        }
        steering_order(p->film, &m, order);
        order_set(p, order);
    } else if (d.status == 410) {
        *ttl_s = 0;                          // gone: not asked again
    }
    player_download_free(&d);
    arena_free(&a);
    return e;
}

void player_steer(void *arg)
{
    player *p = arg;
    uint32_t ttl_s = p->counts.steering_ttl_s;
    bool first = !p->steered;
    while (first || (ttl_s > 0 && fiber_sleep(seconds(ttl_s)) == E_OK)) {
        first = false;
        ttl_s = STEER_AGAIN_S;
        (void)player_steer_once(p, &ttl_s);
        if (fiber_canceled())
            return;
    }
}

// ---- reports ------------------------------------------------------------------------------------------------------

static void json_text(buf *out, const char *name, str text)
{
    buf_format(out, ",\"%s\":\"", name);
    for (ptrdiff_t i = 0; i < text.len; i++)
        if (text.at[i] >= 0x20 && text.at[i] != '"' && text.at[i] != '\\')
            buf_put_byte(out, text.at[i]);
    buf_put_byte(out, '"');
}

// "6Y7B23V" of ".../6Y7B23V/manifest.mpd".
static str presentation_of(str url)
{
    str beside = str_first(url, str_rfind(url, '/'));
    return str_from(beside, str_rfind(beside, '/') + 1);
}

static void report_once(player *p, str url)
{
    player_view v;
    buf out = buf_make(REPORT_BYTES_MAX);
    player_look(p, &v);
    buf_format(&out, "{\"session\":\"%016llx\"", (unsigned long long)p->session);
    json_text(&out, "presentation", presentation_of(p->manifest_url));
    json_text(&out, "server", player_server_location(p, p->server));
    json_text(&out, "rung", v.rung >= 0 ? v.ids[v.rung] : (str){0});
    buf_format(&out, ",\"throughput_bps\":%llu,\"stalls\":%d,\"buffer_ms\":%lld,\"failed\":%s}", (unsigned long long)v.decision.throughput_bps,
               v.stalls, (long long)v.buffer_ms, p->running || v.state != PLAYOUT_STALLED ? "false" : "true");
    (void)player_post(p, url, buf_str(&out));
    buf_free(&out);
}

void player_report(void *arg)
{
    player *p = arg;
    arena a = arena_make(PLAYER_DOWNLOAD_MEMORY_BYTES);
    str base = media_url_resolve(p->manifest_url, p->film->steering_url, &a), url = media_url_resolve(base, S("/report"), &a);
    while (url.len > 0 && fiber_sleep(seconds(PLAYER_REPORT_S)) == E_OK)
        if (p->server >= 0)
            report_once(p, url);
    arena_free(&a);
}
