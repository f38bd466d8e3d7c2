// naru video push: all of a film through edges, so that they have it before anybody asks. Ordinary requests for
// ordinary URLs: whatever
// caches between here and there keeps what it would keep for a player.
#include <stdio.h>

#include "cmd/video.h"
#include "rt/conn.h"
#include "rt/loop.h"
#include "talk/http_fetch.h"
#include "wire/media/segment_url.h"

enum { PUSH_BODY_BYTES_MAX = 128 << 20, PUSH_S = 30, ASK_MEMORY_BYTES_MAX = 256 << 20 };

typedef struct {
    video_run *v;
    const film *film;
    media_url  url;                              // of the edge
    addr       at;
    conn      *c;
    int64_t    requests, bytes, failed;
    int        status;                           // the last that was not 200
} pushing;

static void fetch_one(pushing *p, str target)
{
    arena a = arena_make(ASK_MEMORY_BYTES_MAX);
    if (!p->c || p->c->error) {
        conn_close(p->c);
        p->c = conn_open(p->v->world, p->at, seconds(PUSH_S));
    }
    conn_deadline(p->c, seconds(PUSH_S));
    http_result r = http_fetch(p->c, S("GET"), p->url.authority, target, NULL, 0, (str){0}, PUSH_BODY_BYTES_MAX, &a);
    p->requests++;
    p->bytes += r.body.len;
    if (r.error || r.status != 200) {
        p->failed++;
        p->status = r.error ? 0 : r.status;
    }
    if (!r.keep_alive || r.error) {
        conn_close(p->c);
        p->c = NULL;
    }
    arena_free(&a);
}

static void fetch_named(pushing *p, str name)
{
    arena *m = &p->v->memory;
    str prefix = str_ends(p->url.target, S("/")) ? p->url.target : str_join(m, p->url.target, S("/"));
    if (p->failed == 0)
        fetch_one(p, str_format(m, STR_FMT STR_FMT "/" STR_FMT, STR_ARG(prefix), STR_ARG(p->film->id), STR_ARG(name)));
}

static void push_all(void *arg)
{
    pushing *p = arg;
    arena *m = &p->v->memory;
    static const str manifests[] = {S("manifest.mpd"), S("ondemand.mpd"), S("master.m3u8"), S("poster.jpg")};
    for (size_t i = 0; i < sizeof manifests / sizeof *manifests; i++)
        fetch_named(p, manifests[i]);
    for (int i = 0; i < p->film->presentation.rendition_count; i++) {
        const media_rendition *r = &p->film->presentation.renditions[i];
        if (r->playlist.len)
            fetch_named(p, r->playlist);
        if (r->initialization.len)
            fetch_named(p, r->initialization);
        for (int s = 0; s < r->segment_count && p->failed == 0; s++)
            fetch_named(p, media_template_fill(r->media, r, (uint64_t)s + r->first_number, 0, m));
    }
    conn_close(p->c);
}

static bool push_to(video_run *v, const film *f, str url)
{
    pushing p = {.v = v, .film = f};
    if (!media_url_split(url, &p.url, &v->memory) || p.url.tls || !addr_parse_ip(p.url.host, p.url.port, &p.at))
        return video_fail(v, COMMAND_USAGE, "push takes URLs of edges with their addresses: http://192.0.2.1:80");
    loop_driver *driver = driver_linux_new();
    err e = loop_run(driver, v->world, push_all, &p);
    driver_linux_free(driver);
    if (e)
        return video_fail(v, COMMAND_FAILED, "no guarded stack can be had");
    if (v->json)
        buf_format(&v->out, "{\"edge\": \"" STR_FMT "\", \"requests\": %lld, \"bytes\": %lld, \"failed\": %lld}\n",
                   STR_ARG(url), (long long)p.requests, (long long)p.bytes,
                   (long long)p.failed);
    else
        buf_format(&v->out, STR_FMT ": %lld requests, %lld bytes%s\n", STR_ARG(url), (long long)p.requests,
                   (long long)p.bytes, p.failed ? ", then it failed" : "");
    return p.failed == 0 || video_fail(v, p.status ? COMMAND_FAILED : COMMAND_UNREACHABLE,
                                       STR_FMT " answered %d (0: not at all)", STR_ARG(url), p.status);
}

void video_push(video_run *v)
{
    film f;
    if (!video_film(v, v->words[1], &f))
        return;
    for (int i = 2; i < v->word_count; i++)
        if (!push_to(v, &f, v->words[i]))
            return;
}
