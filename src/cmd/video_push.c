// naru video push: all of a film through edges, so that they have it before anybody asks. Ordinary requests for
// ordinary URLs: whatever
// caches between here and there keeps what it would keep for a player.
#include <stdio.h>

#include "cmd/video.h"
#include "rt/conn.h"
#include "rt/loop.h"
#include "rt/tls.h"
#include "talk/dns_ask.h"
#include "talk/http_fetch.h"
#include "wire/media/segment_url.h"

enum {
    ADDRESSES_MAX = 8, RESOLV_BYTES_MAX = 64 * 1024, CA_BYTES_MAX = 16 << 20, FIND_S = 10, PUSH_S = 30,
    PUSH_BODY_BYTES_MAX = 128 << 20, ASK_MEMORY_BYTES_MAX = 256 << 20,
};

typedef struct {
    video_run *v;
    const film *film;
    media_url  url;                              // of the edge
    addr       resolvers[DNS_ASK_SERVERS_MAX];
    int        resolver_count;
    addr       at[ADDRESSES_MAX];
    int        at_count;
    tls_config *tls;                             // NULL: plain
    conn      *c;
    err        error;                            // of the last request; no connection, no TLS
    int64_t    requests, bytes, failed;
    int        status;                           // the last that was not 200
} pushing;

// ---- finding the edge --------------------------------------------------------------------------------------------------

static bool resolvers_take(pushing *p)
{
    video_run *v = p->v;
    str text = {0}, own = str_starts(v->resolver, S("@")) ? str_from(v->resolver, 1) : v->resolver;
    if (own.len) {
        p->resolver_count = 1;
        return addr_parse(own, 53, &p->resolvers[0]) ||
               video_fail(v, COMMAND_USAGE, "--resolver takes an address, such as 127.0.0.53 or 192.0.2.53#5300");
    }
    (void)file_read_all(v->world, "/etc/resolv.conf", &v->memory, RESOLV_BYTES_MAX, &text);
    while (text.len > 0 && p->resolver_count < DNS_ASK_SERVERS_MAX) {
        str line = str_cut(&text, '\n');
        p->resolver_count += str_eq(str_word(&line), S("nameserver")) &&
            addr_parse_ip(str_word(&line), 53, &p->resolvers[p->resolver_count]);
    }
    return true;
}

static bool edge_find(pushing *p)
{
    video_run *v = p->v;
    if (addr_parse_ip(p->url.host, 0, &p->at[0])) {
        p->at_count = 1;
        return true;
    }
    if (p->resolver_count == 0)
        return video_fail(v, COMMAND_USAGE,
                          "no name server is known to find " STR_FMT " by: /etc/resolv.conf names none; say --resolver ADDRESS",
                          STR_ARG(p->url.host));
    dns_answer answer = dns_ask_addresses(v->world, p->resolvers, p->resolver_count, p->url.host, p->at, ADDRESSES_MAX,
                                          &p->at_count, seconds(FIND_S), &v->memory);
    return p->at_count ||
        video_fail(v, COMMAND_UNREACHABLE, "cannot find " STR_FMT ": " STR_FMT, STR_ARG(p->url.host), STR_ARG(answer.why));
}

// Certificates are verified against the system's authorities, or --ca's.
static bool tls_set(pushing *p)
{
    video_run *v = p->v;
    str pem = {0}, why = {0};
    const char *path = v->ca.len ? str_to_z(&v->memory, v->ca) : "/etc/ssl/certs/ca-certificates.crt";
    if (!p->url.tls)
        return true;
    err e = file_read_all(v->world, path, &v->memory, CA_BYTES_MAX, &pem);
    p->tls = e ? NULL : tls_client_new(v->world, pem, NULL, &v->memory, &why);
    return p->tls || video_fail(v, COMMAND_USAGE, "%s: %s; --ca FILE names the authorities to trust", path,
                                e ? err_text(e) : "no certificates in it");
}

static conn *edge_dial(pushing *p)
{
    conn *c = NULL;
    for (int i = 0; i < p->at_count && (!c || c->error); i++) {
        conn_close(c);
        c = conn_open(p->v->world, addr_with_port(p->at[i], p->url.port), seconds(PUSH_S));
        conn_deadline(c, seconds(PUSH_S));
        if (!c->error && p->tls)
            conn_tls_connect(c, p->tls, p->url.host);
    }
    return c;
}

// ---- asking ------------------------------------------------------------------------------------------------------------

static void fetch_one(pushing *p, str target)
{
    arena a = arena_make(ASK_MEMORY_BYTES_MAX);
    if (!p->c || p->c->error) {
        conn_close(p->c);
        p->c = edge_dial(p);
    }
    conn_deadline(p->c, seconds(PUSH_S));
    http_result r = http_fetch(p->c, S("GET"), p->url.authority, target, NULL, 0, (str){0}, PUSH_BODY_BYTES_MAX, &a);
    p->requests++;
    p->bytes += r.body.len;
    if (r.error || r.status != 200) {
        p->failed++;
        p->status = r.error ? 0 : r.status;
        p->error = r.error;
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
    if (!edge_find(p))
        return;
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
    if (!media_url_split(url, &p.url, &v->memory))
        return video_fail(v, COMMAND_USAGE,
                          "push takes URLs of edges, such as http://edge1.example or https://192.0.2.1:8443, not \"" STR_FMT "\"",
                          STR_ARG(url));
    if (!resolvers_take(&p) || !tls_set(&p))
        return false;
    loop_driver *driver = driver_linux_new();
    err e = loop_run(driver, v->world, push_all, &p);
    driver_linux_free(driver);
    if (p.tls)
        tls_free(p.tls);
    if (e)
        return video_fail(v, COMMAND_FAILED, "no guarded stack can be had");
    if (v->code != COMMAND_OK)
        return false;
    if (v->json)
        buf_format(&v->out, "{\"edge\": \"" STR_FMT "\", \"requests\": %lld, \"bytes\": %lld, \"failed\": %lld}\n",
                   STR_ARG(url), (long long)p.requests, (long long)p.bytes,
                   (long long)p.failed);
    else
        buf_format(&v->out, STR_FMT ": %lld requests, %lld bytes%s\n", STR_ARG(url), (long long)p.requests,
                   (long long)p.bytes, p.failed ? ", then it failed" : "");
    if (p.failed && !p.status)
        return video_fail(v, COMMAND_UNREACHABLE, STR_FMT " does not answer: %s", STR_ARG(url), err_text(p.error));
    return !p.failed || video_fail(v, COMMAND_FAILED, STR_FMT " answered %d%s", STR_ARG(url), p.status,
                                   p.status == 404 ? ": does it have this origin's films, and the site this name?" : "");
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
