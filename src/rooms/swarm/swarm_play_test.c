#include "rooms/swarm/swarm_play_test.h"

#include <string.h>

#include "base/heap_memory.h"
#include "base/must.h"
#include "rt/digest.h"
#include "rt/log.h"
#include "rt/loop.h"
#include "rt/worker.h"
#include "test.h"

// ---- setting the scene --------------------------------------------------------------------------------------------------

static void payload_make(play *p)
{
    unsigned char *digests = arena_alloc(&p->memory, PIECES * INFO_HASH_BYTES, 1, 1);
    metainfo_file only = {.path = S("film"), .length = LENGTH};
    metainfo read, m = {.name = S("film"), .single = true, .piece_bytes = PIECE_BYTES, .length = LENGTH, .piece_count = PIECES, .private = p->private,
                        .pieces = str_of(digests, PIECES * INFO_HASH_BYTES), .files = &only, .file_count = 1};
    str web = p->web_seed ? str_z(p->web_seed) : (str){0};
    if (web.len) {
        m.web_seeds = &web;
        m.web_seed_count = 1;
    }
    p->payload = memory_new(LENGTH);
    for (size_t i = 0; i < LENGTH; i++)
        p->payload[i] = (unsigned char)(i * 2654435761u >> 13);
    for (int32_t i = 0; i < PIECES; i++)
        digest_of(DIGEST_SHA1, str_of(p->payload + i * PIECE_BYTES, (size_t)metainfo_piece_length(&m, i)), digests + i * INFO_HASH_BYTES);
    buf out = buf_make(1 << 20);
    bencode_refusal why;
    must(metainfo_write(&out, &m));
    p->metainfo = str_copy(&p->memory, buf_str(&out));
    buf_free(&out);
    must(metainfo_read(p->metainfo, &p->memory, &read, &why));
    digest_of(DIGEST_SHA1, read.info, p->hash);
}

static void film_put(void *arg)
{
    play *p = arg;
    must(dir_make(p->w[0], "/films", 0755) == E_OK);
    must(file_replace(p->w[0], "/films/film", str_of(p->payload, LENGTH), 0644) == E_OK);
}

static void host_start(play *p, int i)
{
    config_error error;
    str why = {0};
    room *added;
    fiber_world(p->w[i]);
    CHECK_INT(node_start(&p->n[i], p->w[i], S("host"), S("/data")), E_OK);
    str text = str_format(&p->n[i].memory, "port %d\ndht off\nprivate-peers on\nrpc-port 0\n%s", PORT, p->settings[i] ? p->settings[i] : "");
    statement *s = config_parse(S("swarm"), text, &p->n[i].memory, config_include_keep, NULL, &error);
    must(s && config_check(s, swarm_kind.settings, &p->n[i].memory, &error));
    err e = node_add(&p->n[i], &swarm_kind, s, &added, &why);
    if (e)
        test_failed(__FILE__, __LINE__, STR_FMT, STR_ARG(why));
    must(!e);
    p->swarm[i] = swarm_of(added);
}

torrent *film_add(play *p, int i, swarm_addition what)
{
    str why = {0};
    torrent *t = NULL;
    what.metainfo = what.magnet.len ? (str){0} : p->metainfo;
    what.directory = S("/films");
    fiber_world(p->w[i]);
    CHECK_INT(swarm_add(p->swarm[i], &what, &t, &p->memory, &why), E_OK);
    return p->t[i] = t;
}

static void run(void *arg)
{
    play *p = arg;
    log_setup(LOG_LOGFMT, LOG_ERROR, NULL, NULL);
    for (int i = 0; i < HOSTS; i++) {
        addr at = addr_v4(0x0a000001u + (uint32_t)i * 256, 0);
        p->w[i] = sim_host(p->s, str_format(&p->memory, "host%d", i), &at, 1, (sim_disk){.write_ns = 20000, .sync_ns = millis(1)});
    }
    payload_make(p);
    fiber_world(p->w[0]);
    work(film_put, p);
    for (int i = 0; i < HOSTS; i++)
        host_start(p, i);
    p->body(p);
    for (int i = 0; i < HOSTS; i++) {
        fiber_world(p->w[i]);
        node_stop(&p->n[i]);
    }
    memory_free(p->payload);
}

void play_swarm(play p, void (*body)(void *))
{
    p.s = sim_new(7);
    p.memory = arena_make(4 << 20);
    p.body = body;
    sim_link_default(p.s, (sim_link){.delay_min_ns = millis(5), .delay_max_ns = millis(5), .bytes_per_s = 50000000});
    CHECK_INT(sim_run(p.s, run, &p), E_OK);
    sim_free(p.s);
    arena_free(&p.memory);
}

addr address(int i) { return addr_v4(0x0a000001u + (uint32_t)i * 256, PORT); }

torrent_view view(play *p, int i)
{
    torrent_view v;
    fiber_world(p->w[i]);
    torrent_look(p->t[i], &v);
    return v;
}

bool complete_within(play *p, int i, int64_t ns)
{
    for (int64_t end = loop_now_ns() + ns; loop_now_ns() < end && !view(p, i).complete; )
        fiber_sleep(millis(10));
    return view(p, i).complete;
}

void both_begin(play *p)
{
    film_add(p, 0, (swarm_addition){0});
    CHECK(complete_within(p, 0, seconds(10)));
    film_add(p, 1, (swarm_addition){0});
    fiber_world(p->w[1]);
    CHECK(torrent_peer_add(p->t[1], address(0)));
}

bool in_trouble_within(play *p, int i, int64_t ns)
{
    for (int64_t end = loop_now_ns() + ns; loop_now_ns() < end && view(p, i).state != TORRENT_TROUBLE; )
        fiber_sleep(millis(10));
    return view(p, i).state == TORRENT_TROUBLE;
}
