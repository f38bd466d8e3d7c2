// V5: the six steps of NetCinema and KingCDN, with the course's URLs, through naru's name servers, on real sockets.
#include <string.h>

#include "cmd/scene_video.h"
#include "cmd/small_cdn.h"
#include "cmd/small_film.h"
#include "rt/story.h"
#include "talk/dns_ask.h"
#include "talk/http_fetch.h"
#include "wire/dns/message.h"
#include "wire/dns/type.h"

enum { EVENTS_MAX = 512, BODY_BYTES_MAX = 4 << 20, REDIRECTS_MAX = 4, STEP_PATIENCE_S = 60 };

typedef struct {
    addr     at;
    str      alias;                          // the CNAME's target, if one stood before the address
    uint64_t trace;
} found;

// Bob's host asks its local name server.
static found ask(play *p, const char *host, const char *resolver, const char *name)
{
    found f = {.trace = fiber_trace() ? fiber_trace() : story_trace_new()};
    small_host *from = small_find(p->net, str_z(host)), *local = small_find(p->net, str_z(resolver));
    addr server = addr_with_port(local->host->here[0], 53);
    world *before = world_here();
    fiber_set_trace(f.trace);
    fiber_world(from->world);
    dns_answer answer = dns_ask(from->world, &server, 1, str_z(name), DNS_A, seconds(STEP_PATIENCE_S), &p->memory);
    fiber_world(before);
    dns_message m = {0};
    bool read = answer.verdict == DNS_FOUND && dns_message_read(answer.message, &p->memory, &m, NULL);
    for (int i = 0; read && i < m.count[DNS_ANSWER]; i++) {
        const dns_record *r = dns_message_record(&m, DNS_ANSWER, i);
        if (r->type == DNS_CNAME)
            f.alias = dns_name_text(&p->memory, r->rdata);
        if (r->type != DNS_A || r->rdata.len != 4 || f.at.family)
            continue;
        f.at.family = 4;
        memcpy(f.at.ip, r->rdata.at, 4);
    }
    return f;
}

static str host_of(play *p, addr at)
{
    for (int i = 0; i < p->net->map.count; i++)
        for (int k = 0; k < p->net->map.hosts[i].address_count; k++)
            if (at.family && addr_eq_ip(p->net->map.hosts[i].here[k], at))
                return p->net->map.hosts[i].name;
    return S("nobody");
}

static int asked_of(play *p, uint64_t trace, const char *host)
{
    const small_host *h = small_find(p->net, str_z(host));
    story_event *events = arena_array(&p->memory, story_event, EVENTS_MAX);
    int count = events ? story_read(trace, events, EVENTS_MAX) : 0, asked = 0;
    for (int i = 0; i < count; i++)
        asked += events[i].direction == STORY_OUT && strcmp(events[i].protocol, "dns") == 0 && addr_eq_ip(events[i].peer, h->host->here[0]);
    return asked;
}

// ---- HTTP -------------------------------------------------------------------------------------------------------------------------

// GET; redirections are followed at the same place.
static http_result get(play *p, const char *host, addr at, str site, str target)
{
    small_host *from = small_find(p->net, str_z(host));
    http_result r = {0};
    world *before = world_here();
    fiber_world(from->world);
    for (int i = 0; i < REDIRECTS_MAX; i++) {
        conn *c = conn_open(from->world, addr_with_port(at, 80), seconds(STEP_PATIENCE_S));
        conn_deadline(c, seconds(STEP_PATIENCE_S));
        str line = str_format(&p->memory, "GET http://" STR_FMT STR_FMT, STR_ARG(site), STR_ARG(target));
        play_show(p, "C", line);
        story_tell("http", STORY_OUT, c->local, c->peer, line);
        r = http_fetch(c, S("GET"), site, target, NULL, 0, (str){0}, BODY_BYTES_MAX, &p->memory);
        str said = str_format(&p->memory, "%d, %td bytes " STR_FMT " " STR_FMT, r.status, r.body.len, STR_ARG(http_result_header(&r, S("Location"))),
                              STR_ARG(http_result_header(&r, S("Cache-Status"))));
        play_show(p, "S", r.error ? str_z(err_text(r.error)) : said);
        story_tell("http", STORY_IN, c->local, c->peer, said);
        conn_close(c);
        if (r.error || r.status != 302)
            break;
        target = http_result_header(&r, S("Location"));
    }
    fiber_world(before);
    return r;
}

static bool is_segment(str body, int rendition, int segment)
{
    uint32_t bytes = small_film_bytes(rendition, segment);
    bool right = body.len == (ptrdiff_t)bytes;
    for (uint32_t i = 0; i < bytes && right; i++)
        right = body.at[i] == small_film_byte(rendition, segment, i);
    return right;
}

// ---- the steps --------------------------------------------------------------------------------------------------------------------

static void watch(play *p, addr at)
{
    http_result mpd = get(p, "bob.poly.edu", at, S("video.netcinema.com"), S("/6Y7B23V"));
    play_check(p, mpd.status == 200 && str_find_str(mpd.body, S("<MPD")) >= 0, "the manifest: three renditions, and where they are");
    http_result first = get(p, "bob.poly.edu", at, S("video.netcinema.com"), S("/" SMALL_FILM_ID "/v1000/1.m4s"));
    play_check(p, is_segment(first.body, 1, 0), "the film's first 4 seconds at 1 Mbit/s, every byte right");
    str status = http_result_header(&first, S("Cache-Status"));
    play_check(p, str_find_str(status, S("fwd=")) >= 0, "the node had to fetch them from KingCDN's storage: " STR_FMT, STR_ARG(status));
    http_result again = get(p, "bob.poly.edu", at, S("video.netcinema.com"), S("/" SMALL_FILM_ID "/v1000/1.m4s"));
    status = http_result_header(&again, S("Cache-Status"));
    play_check(p, is_segment(again.body, 1, 0) && str_find_str(status, S("hit")) >= 0, "the second time the node has them itself: " STR_FMT, STR_ARG(status));
    http_result own = get(p, "bob.poly.edu", at, S("kingcdn.com"), S("/NetC6y&B23V"));
    play_check(p, own.status == 200 && str_find_str(own.body, S("<MPD")) >= 0, "http://KingCDN.com/NetC6y&B23V is the same film: KingCDN's own name for it");
}

void scene_six_steps(play *p)
{
    p->trace = story_trace_new();
    fiber_set_trace(p->trace);
    play_tell(p, "1. Bob looks at http://www.netcinema.com/ and finds a film");
    found www = ask(p, "bob.poly.edu", "local", "www.netcinema.com");
    http_result page = get(p, "bob.poly.edu", www.at, S("www.netcinema.com"), S("/"));
    str url = small_cdn_film_url(p->net, &p->memory);
    play_check(p, str_starts(url, S("http://video.netcinema.com")) && str_find_str(page.body, url) >= 0, "its URL is " STR_FMT, STR_ARG(url));
    play_tell(p, "2. He clicks; his host asks his local name server for video.netcinema.com");
    found video = ask(p, "bob.poly.edu", "local", "video.netcinema.com");
    play_tell(p, "3. The local server asks NetCinema's: it hands over to KingCDN (a name server hands over a name, not a path)");
    play_check(p, asked_of(p, p->trace, "netcinema.com") >= 1 && str_starts_nocase(video.alias, S("kingcdn.com")), "video.netcinema.com is an alias of " STR_FMT,
               STR_ARG(video.alias));
    play_tell(p, "4. and 5. So it asks KingCDN's name server, which answers with a node that is near, alive and not congested");
    str bob_node = host_of(p, video.at);
    play_check(p, asked_of(p, p->trace, "kingcdn.com") >= 1, "KingCDN's name server was asked");
    play_check(p, str_eq(bob_node, S("n1.kingcdn.com")), "the answer is " STR_FMT ", inside Bob's provider's network", STR_ARG(bob_node));
    play_tell(p, "6. Bob's host opens a connection to it and gets the film over HTTP");
    watch(p, video.at);
    fiber_set_trace(0);
    found minji = ask(p, "minji.isp.kr", "isp.kr", "video.netcinema.com");
    str minji_node = host_of(p, minji.at);
    play_tell(p, "Minji in Seoul asks her own name server, and is sent to " STR_FMT, STR_ARG(minji_node));
    play_check(p, str_eq(minji_node, S("n3.kingcdn.com")), "the same name, another node: the one in her provider's network");
}
