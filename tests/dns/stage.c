#include "stage.h"

#include <stdlib.h>
#include <string.h>

#include "base/heap_memory.h"
#include "base/must.h"
#include "rooms/authoritative/authoritative.h"
#include "rooms/resolver/resolver.h"
#include "rt/log.h"
#include "rt/worker.h"

enum { EVENTS_MAX = STORY_RING_EVENTS, DATAGRAM_BYTES = 1500 };

addr stage_address(int number) { return addr_v4(STAGE_ADDRESS + (uint32_t)number, 0); }

dns_name stage_name(stage *t, const char *text)
{
    dns_name n;
    CHECK(dns_name_from_text(&t->memory, str_z(text), dns_root, &n, NULL));
    return n;
}

// Zone files.

typedef struct { stage_host *host; char path[64]; const char *text; err result; } file_wish;

static void file_write_blocking(void *arg)
{
    file_wish *f = arg;
    f->result = dir_make(f->host->world, "/zones", 0700);
    if (f->result == E_OK)
        f->result = file_replace(f->host->world, f->path, str_z(f->text), 0600);
}

static void zone_write(stage_host *h, int i)
{
    file_wish f = {.host = h, .text = h->zones[i].text};
    snprintf(f.path, sizeof f.path, "/zones/%d.zone", i);
    work(file_write_blocking, &f);
    CHECK_INT(f.result, E_OK);
}

static statement *settings_of(stage_host *h, arena *a)
{
    buf text = buf_make(64 * 1024);
    config_error error = {0};
    for (int i = 0; i < STAGE_ZONES_MAX && h->zones[i].origin && !h->is_resolver; i++)
        buf_format(&text, "zone \"%s\" /zones/%d.zone\n", h->zones[i].origin, i);
    if (h->is_resolver)
        buf_put(&text, S("root a.root 10.0.0.1\n"));
    buf_put(&text, str_z(h->settings));
    statement *block = config_parse(S("test"), str_copy(a, buf_str(&text)), a, NULL, NULL, &error);
    if (!block || !config_check(block, (h->is_resolver ? &resolver_kind : &authoritative_kind)->settings, a, &error)) {
        test_failed(__FILE__, __LINE__, "%s: line %d: " STR_FMT, h->name, error.line, STR_ARG(error.text));
        abort();
    }
    buf_free(&text);
    return block;
}

// Hosts.

static void node_life(stage_host *h)
{
    arena a = arena_make(STAGE_ARENA_BYTES);
    str why = {0};
    for (int i = 0; i < STAGE_ZONES_MAX && h->zones[i].origin; i++)
        zone_write(h, i);
    CHECK_INT(node_start(&h->node, h->world, str_z(h->name), S("/data")), E_OK);
    err e = node_add(&h->node, h->is_resolver ? &resolver_kind : &authoritative_kind, settings_of(h, &a), NULL, &why);
    if (e)
        test_failed(__FILE__, __LINE__, "%s: " STR_FMT, h->name, STR_ARG(why));
    h->up = true;
    while (fiber_sleep(seconds(3600)) == E_OK)
        ;
    h->up = false;
    node_stop(&h->node);
    arena_free(&a);
}

static void odd_life(stage_host *h)
{
    unsigned char in[DATAGRAM_BYTES], out[DATAGRAM_BYTES];
    sock *s;
    CHECK_INT(sock_datagram(h->world, addr_with_port(stage_address(h->number), DNS_PORT), false, &s), E_OK);
    h->up = true;
    for (;;) {
        datagram v = {.at = in, .size = sizeof in};
        arena a = arena_make(64 * 1024);
        dns_message asked;
        int got = 0, sent;
        err e = sock_receive(s, &v, 1, &got);
        if (e == E_AGAIN && sock_wait(s, WAIT_READ, NEVER_NS) != E_OK)
            break;
        if (e == E_OK && got && dns_message_read(str_of(v.at, v.len), &a, &asked, NULL)) {
            h->heard++;
            size_t len = h->answer(h->stage, s, &v, &asked, out);
            datagram reply = {.peer = v.peer, .local = v.local, .at = out, .len = len, .size = sizeof out};
            if (len)
                sock_send(s, &reply, 1, &sent);
        } else if (e != E_OK && e != E_AGAIN) {
            arena_free(&a);
            break;
        }
        arena_free(&a);
    }
    h->up = false;
    sock_close(s);
}

static void host_life(void *arg)
{
    stage_host *h = arg;
    if (h->answer)
        odd_life(h);
    else
        node_life(h);
}

static void host_boot(stage_host *h)
{
    CHECK_INT(sim_boot(h->world, &h->stage->life, host_life, h), E_OK);
    for (int i = 0; i < 1000 && !h->up; i++)
        fiber_sleep(millis(1));
    CHECK(h->up);
}

static stage_host *host_new(stage *t, const char *name, int number)
{
    stage_host *h = &t->hosts[t->count++];
    addr at = stage_address(number);
    must(t->count <= STAGE_HOSTS_MAX);
    *h = (stage_host){.stage = t, .name = name, .number = (uint8_t)number};
    h->world = sim_host(t->sim, str_z(name), &at, 1, (sim_disk){0});
    return h;
}

stage_host *stage_server(stage *t, const char *name, int number, const stage_zone *zones, int count, const char *settings)
{
    stage_host *h = host_new(t, name, number);
    for (int i = 0; i < count; i++)
        h->zones[i] = zones[i];
    h->settings = settings;
    host_boot(h);
    return h;
}

stage_host *stage_odd_server(stage *t, const char *name, int number, stage_answer *answer)
{
    stage_host *h = host_new(t, name, number);
    h->answer = answer;
    host_boot(h);
    return h;
}

stage_host *stage_resolver(stage *t, const char *settings)
{
    stage_host *h = host_new(t, "local", 53);
    h->is_resolver = true;
    h->settings = settings;
    host_boot(h);
    return h;
}

void stage_kill(stage_host *h) { sim_crash(h->world); }

void stage_revive(stage_host *h)
{
    sim_restart(h->world);
    host_boot(h);
}

bool stage_zone_change(stage_host *h, const char *origin, const char *text, str *why)
{
    for (int i = 0; i < STAGE_ZONES_MAX && h->zones[i].origin; i++)
        if (strcmp(h->zones[i].origin, origin) == 0) {
            h->zones[i].text = text;
            zone_write(h, i);
        }
    room *r = node_room(&h->node, "authoritative");
    return r->kind->reload(r, r->settings, why) == E_OK;
}

// Asking.

str stage_summary(stage *t, const dns_message *m)
{
    arena *a = &t->memory;
    str s = dns_rcode_text(a, m->header.rcode);
    for (int i = 0; i < m->count[DNS_ANSWER]; i++) {
        const dns_record *r = dns_message_record(m, DNS_ANSWER, i);
        str type = dns_type_text(a, r->type), name = dns_name_text(a, r->name), data = dns_rdata_text(a, r->type, r->rdata);
        s = str_join(a, s, str_format(a, "%s " STR_FMT " " STR_FMT " " STR_FMT, i ? "," : "", STR_ARG(name), STR_ARG(type), STR_ARG(data)));
    }
    if (m->edns.has_ede)
        s = str_join(a, s, str_format(a, " | " STR_FMT, STR_ARG(m->edns.ede_text)));
    return s;
}

str stage_ask(stage *t, const char *name, unsigned type, dns_message *out)
{
    dns_asking asking = {.question = {stage_name(t, name), (uint16_t)type, DNS_CLASS_IN}, .recursion_desired = true};
    dns_exchanged x = dns_exchange(t->client, t->resolver, asking, seconds(15), &t->memory);
    if (x.error)
        return str_z(err_name(x.error));
    if (out)
        *out = x.message;
    CHECK(x.message.header.recursion_available && !x.message.header.authoritative);
    return stage_summary(t, &x.message);
}

int stage_asked(stage *t, int number)
{
    story_event *events = memory_zeroed(EVENTS_MAX, sizeof *events);
    int count = story_read(0, events, EVENTS_MAX), asked = 0;
    (void)t;
    for (int i = 0; i < count; i++)
        asked += strcmp(events[i].protocol, "dns") == 0 && events[i].direction == STORY_OUT &&
                 addr_eq_ip(events[i].peer, stage_address(number));
    memory_free(events);
    return asked;
}

void stage_forget(void) { story_forget(); }

typedef struct { stage *stage; stage_body *body; } playing;

static void play_first(void *arg)
{
    playing *p = arg;
    stage *t = p->stage;
    fiber_world(t->client);
    scope_open(&t->life, 0, 64);
    p->body(t);
    for (int i = 0; i < t->count; i++)
        if (sim_is_up(t->hosts[i].world))
            sim_shut_down(t->hosts[i].world);
    scope_close(&t->life);
}

void stage_play(uint64_t seed, stage_body *body, void *arg)
{
    stage *t = memory_zeroed(1, sizeof *t);
    addr at = stage_address(200);
    t->sim = sim_new(seed);
    t->arg = arg;
    t->memory = arena_make(STAGE_ARENA_BYTES);
    t->resolver = addr_with_port(stage_address(53), DNS_PORT);
    t->client = sim_host(t->sim, S("client"), &at, 1, (sim_disk){0});
    sim_link_default(t->sim, (sim_link){.delay_min_ns = millis(5), .delay_max_ns = millis(15)});
    stage_forget();
    log_setup(LOG_LOGFMT, LOG_ERROR, NULL, NULL);
    playing p = {t, body};
    CHECK_INT(sim_run(t->sim, play_first, &p), E_OK);
    sim_free(t->sim);
    arena_free(&t->memory);
    memory_free(t);
}
