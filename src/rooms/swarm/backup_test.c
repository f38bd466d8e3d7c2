// The swarm lends its list of torrents, piece by piece; what goes meanwhile makes a loan unsound; and what was copied is read back.
#include <string.h>

#include "base/must.h"
#include "rooms/swarm/read_back.h"
#include "rooms/swarm/swarm_inside.h"
#include "rt/digest.h"
#include "rt/log.h"
#include "rt/loop.h"
#include "rt/sim.h"
#include "rt/worker.h"
#include "talk/control.h"
#include "talk/http_fetch.h"
#include "test.h"

enum { PIECE_BYTES = 16384 };
static const char directory[] = "/data", magnet_link[] = "magnet:?xt=urn:btih:f000000000000000000000000000000000000000&dn=later";

typedef struct { sim *s; world *w; node n; swarm *swarm; torrent *t; arena a; uint8_t hash[INFO_HASH_BYTES]; } stage;

static void room_start(stage *t)
{
    config_error error;
    str why = {0};
    room *added;
    CHECK_INT(node_start(&t->n, t->w, S("host"), S("/data")), E_OK);
    statement *s = config_parse(S("swarm"), S("dht off\nrpc-port 0\n"), &t->n.memory, config_include_keep, NULL, &error);
    must(s && config_check(s, swarm_kind.settings, &t->n.memory, &error) && node_add(&t->n, &swarm_kind, s, &added, &why) == E_OK);
    CHECK_INT(control_open(&t->n), E_OK);
    t->swarm = swarm_of(added);
}

static void torrent_put(stage *t)
{
    static const unsigned char digests[INFO_HASH_BYTES];
    metainfo_file only = {.path = S("film"), .length = PIECE_BYTES};
    metainfo read, m = {.name = S("film"), .single = true, .piece_bytes = PIECE_BYTES, .length = PIECE_BYTES, .piece_count = 1,
                        .pieces = str_of(digests, sizeof digests), .files = &only, .file_count = 1};
    bencode_refusal refusal;
    str why = {0};
    buf out = buf_make(1 << 16);
    must(metainfo_write(&out, &m));
    swarm_addition what = {.metainfo = str_copy(&t->a, buf_str(&out)), .paused = true};
    buf_free(&out);
    must(metainfo_read(what.metainfo, &t->a, &read, &refusal));
    digest_of(DIGEST_SHA1, read.info, t->hash);
    CHECK_INT(swarm_add(t->swarm, &what, &t->t, &t->a, &why), E_OK);
}

static http_result ask(stage *t, str target)
{
    conn *c = conn_open_unix(t->w, "/data/control.sock", seconds(5));
    conn_deadline(c, seconds(50));
    http_result r = http_fetch(c, S("POST"), S("naru"), target, NULL, 0, (str){0}, 1 << 20, &t->a);
    conn_close(c);
    return r;
}

static http_result lend(stage *t, unsigned digit) { return ask(t, str_format(&t->a, "/swarm/backup/lend?part=%x", digit)); }

// Does it come back sound?
static bool sound(stage *t, http_result loan)
{
    CHECK(str_starts(loan.body, S("{\"loan\": \"")));
    http_result r = ask(t, str_format(&t->a, "/swarm/backup/return?loan=" STR_FMT, STR_ARG(str_sub(loan.body, 10, 16))));
    CHECK_INT(r.status, 200);
    return str_find_str(r.body, S("\"sound\": true")) >= 0;
}

static bool lists(http_result r, stage *t, const char *ending)
{
    unsigned char hex[2 * INFO_HASH_BYTES];
    hex_encode(hex, str_of(t->hash, sizeof t->hash));
    return str_find_str(r.body, str_format(&t->a, "\"torrents/" STR_FMT "%s\"", STR_ARG(str_of(hex, sizeof hex)), ending)) >= 0;
}

static void lent(stage *t)
{
    unsigned digit = t->hash[0] >> 4;
    str why = {0};
    http_result r = lend(t, digit);
    CHECK(lists(r, t, ".torrent") && lists(r, t, ".state") && !lists(r, t, ".parts"));
    CHECK(sound(t, r));
    CHECK_STR(lend(t, digit ^ 1).body, S("{\"nothing\": true}\n"));
    CHECK_STR(ask(t, S("/swarm/backup/lend?part=0f")).body, S("{\"nothing\": true}\n"));
    r = ask(t, S("/swarm/backup/lend"));
    CHECK(str_find_str(r.body, S("{\"path\": \"place\", \"bytes\": -1}")) > 0 && sound(t, r));
    r = lend(t, digit);                                  // removed, and added again, while it is copied
    CHECK_INT(swarm_remove(t->t, false, &t->a, &why), E_OK);
    torrent_put(t);
    CHECK(!sound(t, r));
    CHECK(sound(t, lend(t, digit)));
    swarm_addition later = {.magnet = str_z(magnet_link), .paused = true};
    torrent *m;
    CHECK_INT(swarm_add(t->swarm, &later, &m, &t->a, &why), E_OK);
    r = lend(t, 15);
    CHECK(str_find_str(r.body, S("f000000000000000000000000000000000000000.state")) > 0 && sound(t, r));
}

static void byte_change(void *arg)
{
    stage *t = arg;
    unsigned char hex[2 * INFO_HASH_BYTES];
    str text;
    hex_encode(hex, str_of(t->hash, sizeof t->hash));
    char *path = str_to_z(&t->a, str_format(&t->a, "%s/swarm/torrents/" STR_FMT ".torrent", directory, STR_ARG(str_of(hex, sizeof hex))));
    must(file_read_all(t->w, path, &t->a, 1 << 16, &text) == E_OK);
    ptrdiff_t at = str_find_str(text, S("film"));
    must(at > 0 && file_replace(t->w, path, str_join(&t->a, str_join(&t->a, str_first(text, at), S("fjlm")), str_from(text, at + 4)), 0600) == E_OK);
}

static void read_back(stage *t)
{
    swarm_read read;
    str why = {0};
    CHECK_INT(swarm_read_back(t->w, S("/data/swarm"), &read, &t->a, &why), E_OK);
    CHECK_STR(why, S(""));
    CHECK_INT(read.torrents, 1);
    CHECK_INT(read.magnets, 1);
    CHECK_INT(swarm_read_back(t->w, S("/data/nothing"), &read, &t->a, &why), E_OK);
    CHECK_INT(read.torrents, 0);
    work(byte_change, t);
    CHECK_INT(swarm_read_back(t->w, S("/data/swarm"), &read, &t->a, &why), E_CORRUPT);
    CHECK(str_find_str(why, S("the torrent file is another's")) > 0);
}

static void run(void *arg)
{
    stage *t = arg;
    addr at = addr_v4(0x0a000001u, 0);
    log_setup(LOG_LOGFMT, LOG_ERROR, NULL, NULL);
    t->w = sim_host(t->s, S("host"), &at, 1, (sim_disk){.write_ns = 20000, .sync_ns = millis(1)});
    fiber_world(t->w);
    room_start(t);
    torrent_put(t);
    lent(t);
    node_stop(&t->n);
    read_back(t);
}

TEST(list_of_torrents_is_lent_and_read_back)
{
    stage t = {.s = sim_new(3), .a = arena_make(64 << 20)};
    CHECK_INT(sim_run(t.s, run, &t), E_OK);
    arena_free(&t.a);
    sim_free(t.s);
}
