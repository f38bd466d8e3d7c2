// The remote control on a simulated host, asked over HTTP as front ends do.
#include "rooms/swarm/rpc_inside.h"

#include "base/base64.h"
#include "rt/digest.h"
#include "rt/log.h"
#include "rt/loop.h"
#include "rt/sim.h"
#include "talk/http_fetch.h"
#include "test.h"

enum { TEST_MEMORY_BYTES_MAX = 64 << 20, TEST_PIECE_BYTES = 16384, TEST_PIECES = 3 };

typedef struct stage {
    world *host, *director;
    node   n;
    room  *r;
    arena  memory;
    const char *settings;
    str    session;
    void (*body)(struct stage *);
} stage;

static void play(void *arg)
{
    stage *t = arg;
    str why = {0};
    config_error error;
    log_setup(LOG_LOGFMT, LOG_ERROR, NULL, NULL);
    t->director = world_here();
    fiber_world(t->host);
    statement *block = config_parse(S("test"), str_z(t->settings), &t->memory, NULL, NULL, &error);
    CHECK_INT(node_start(&t->n, t->host, S("alice.edu"), S("/data")), E_OK);
    CHECK_INT(node_add(&t->n, &swarm_kind, block, &t->r, &why), E_OK);
    CHECK_STR(why, S(""));
    if (t->r)
        t->body(t);
    node_stop(&t->n);
}

static void on_stage(const char *settings, void (*body)(stage *))
{
    addr at = addr_v4(0x0a000001, 0);
    sim *s = sim_new(7);
    stage t = {.memory = arena_make(TEST_MEMORY_BYTES_MAX), .body = body, .settings = settings};
    t.host = sim_host(s, S("alice.edu"), &at, 1, (sim_disk){.write_ns = 1000, .sync_ns = 100000});
    CHECK_INT(sim_run(s, play, &t), E_OK);
    arena_free(&t.memory);
    sim_free(s);
}

static http_result post(stage *t, const char *host, str session, const char *authorization, str body)
{
    http_header headers[2];
    int n = 0;
    if (session.len)
        headers[n++] = (http_header){S("X-Transmission-Session-Id"), session};
    if (authorization)
        headers[n++] = (http_header){S("Authorization"), str_z(authorization)};
    conn *c = conn_open(t->director, addr_v4(0x0a000001, SWARM_RPC_PORT), seconds(5));
    http_result r = http_fetch(c, S("POST"), str_z(host), S("/transmission/rpc"), headers, n, body, 1 << 20, &t->memory);
    conn_close(c);
    return r;
}

// One request as a front end makes it; the answer's arguments, or NULL with *result what went wrong.
static json_t *ask(stage *t, const char *body, const char *expected)
{
    http_result r = post(t, "10.0.0.1:9091", t->session, NULL, str_z(body));
    if (r.status == 409) {
        t->session = http_result_header(&r, S("X-Transmission-Session-Id"));
        r = post(t, "10.0.0.1:9091", t->session, NULL, str_z(body));
    }
    CHECK_INT(r.status, 200);
    json_t *answer = json_loadb((const char *)r.body.at, (size_t)r.body.len, 0, NULL), *arguments = json_object_get(answer, "arguments");
    CHECK_STR(str_first(str_z(json_string_value(json_object_get(answer, "result"))), (ptrdiff_t)strlen(expected)), str_z(expected));
    json_incref(arguments);
    json_decref(answer);
    return arguments;
}

static void ask_done(stage *t, const char *body, const char *expected) { json_decref(ask(t, body, expected)); }

static const char *made_torrent(stage *t)
{
    unsigned char digests[TEST_PIECES * INFO_HASH_BYTES], *content = arena_array(&t->memory, unsigned char, TEST_PIECES * TEST_PIECE_BYTES);
    for (int i = 0; i < TEST_PIECES; i++)
        digest_of(DIGEST_SHA1, str_of(content + i * TEST_PIECE_BYTES, TEST_PIECE_BYTES), digests + i * INFO_HASH_BYTES);
    metainfo_file only = {.path = S("slides.pdf"), .length = TEST_PIECES * TEST_PIECE_BYTES};
    metainfo_tracker tracker = {.url = S("http://10.0.0.9:6969/announce")};
    metainfo m = {.name = S("slides.pdf"), .single = true, .piece_bytes = TEST_PIECE_BYTES, .length = TEST_PIECES * TEST_PIECE_BYTES, .piece_count = TEST_PIECES,
                  .pieces = str_of(digests, sizeof digests), .files = &only, .file_count = 1, .trackers = &tracker, .tracker_count = 1,
                  .comment = S("week\xff one")};
    buf whole = buf_make(1 << 20);
    CHECK(metainfo_write(&whole, &m));
    const char *coded = str_to_z(&t->memory, base64_text(&t->memory, buf_str(&whole)));
    buf_free(&whole);
    return coded;
}

static void add(stage *t, const char *key)
{
    str body = str_format(&t->memory, "{\"method\":\"torrent-add\",\"arguments\":{\"metainfo\":\"%s\",\"paused\":true,\"labels\":[\"course\"]}}", made_torrent(t));
    json_t *a = ask(t, str_to_z(&t->memory, body), "success"), *added = json_object_get(a, key);
    CHECK_INT(json_integer_value(json_object_get(added, "id")), 1);
    CHECK_STR(str_z(json_string_value(json_object_get(added, "name"))), S("slides.pdf"));
    CHECK_INT(json_string_length(json_object_get(added, "hashString")), 40);
    json_decref(a);
}

static json_t *one_field(stage *t, const char *name)
{
    str body = str_format(&t->memory, "{\"method\":\"torrent-get\",\"arguments\":{\"ids\":[1],\"fields\":[\"%s\"]}}", name);
    json_t *a = ask(t, str_to_z(&t->memory, body), "success");
    json_t *value = json_object_get(json_array_get(json_object_get(a, "torrents"), 0), name);
    json_incref(value);
    json_decref(a);
    return value;
}

static int64_t number_field(stage *t, const char *name)
{
    json_t *value = one_field(t, name);
    int64_t n = json_is_boolean(value) ? json_is_true(value) : json_integer_value(value);
    json_decref(value);
    return n;
}

// ---- who may ask ----------------------------------------------------------------------------------------------------------------

static void doors(stage *t)
{
    str body = S("{\"method\":\"session-get\"}");
    http_result r = post(t, "10.0.0.1:9091", (str){0}, NULL, body);
    str id = http_result_header(&r, S("X-Transmission-Session-Id"));
    CHECK_INT(r.status, 409);
    CHECK_INT(id.len, RPC_SESSION_ID_BYTES);
    CHECK_INT(post(t, "10.0.0.1:9091", id, NULL, body).status, 200);
    CHECK_INT(post(t, "10.0.0.1:9091", S("x"), NULL, body).status, 409);
    CHECK_INT(post(t, "evil.example:9091", id, NULL, body).status, 421);
    CHECK_INT(post(t, "localhost:9091", id, NULL, body).status, 200);
    CHECK_INT(post(t, "box.club.example", id, NULL, body).status, 200);
    CHECK_INT(post(t, "10.0.0.1:9091", id, NULL, S("no json")).status, 400);
    fiber_sleep(RPC_SESSION_NS + NS_PER_S);
    CHECK_INT(post(t, "10.0.0.1:9091", id, NULL, body).status, 200);         // the one before is good for one more turn
    fiber_sleep(RPC_SESSION_NS + NS_PER_S);
    CHECK_INT(post(t, "10.0.0.1:9091", id, NULL, body).status, 409);
}
TEST(rpc_is_not_for_foreign_pages) { on_stage("dht off\nrpc-host *.club.example\n", doors); }

static void passwords(stage *t)
{
    str body = S("{\"method\":\"session-get\"}");
    CHECK_INT(post(t, "10.0.0.1", (str){0}, NULL, body).status, 401);
    CHECK_INT(post(t, "10.0.0.1", (str){0}, "Basic bmFydTp3cm9uZw==", body).status, 401);            // naru:wrong
    CHECK_INT(post(t, "10.0.0.1", (str){0}, "Basic nonsense!", body).status, 401);
    CHECK_INT(post(t, "10.0.0.1", (str){0}, "Basic bmFydTpwaWNrbGVz", body).status, 409);            // naru:pickles
    for (int i = 0; i < RPC_PASSWORD_TRIES_MAX; i++)
        post(t, "10.0.0.1", (str){0}, "Basic bmFydTp3cm9uZw==", body);
    CHECK_INT(post(t, "10.0.0.1", (str){0}, "Basic bmFydTpwaWNrbGVz", body).status, 403);
    fiber_sleep(seconds(RPC_PASSWORD_PAUSE_S + 1));
    CHECK_INT(post(t, "10.0.0.1", (str){0}, "Basic bmFydTpwaWNrbGVz", body).status, 409);
}
TEST(rpc_asks_for_the_password) { on_stage("dht off\nrpc-password pickles\n", passwords); }

TEST(rpc_host_names)
{
    static const str hosts[] = {S("nas"), S("*.club.example")};
    static const struct { const char *host; bool allowed; } rows[] = {
        {"127.0.0.1", true}, {"127.0.0.1:9091", true}, {"[::1]:9091", true}, {"localhost", true}, {"localhost.:9091", true}, {"nas:9091", true},
        {"NAS", true}, {"a.club.example", true}, {"a.b.club.example:80", true}, {"club.example", false}, {"evilclub.example", false},
        {"nas.evil", false}, {"", false}, {"evil.example", false}, {"127.0.0.1.evil", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        CHECK_ROW(i, rpc_host_allowed(str_z(rows[i].host), hosts, 2) == rows[i].allowed);
}

TEST(rpc_json_is_bounded)
{
    char deep[2000];
    const char *why;
    memset(deep, '[', sizeof deep);
    CHECK(!rpc_read(str_of(deep, sizeof deep), &why));
    CHECK_STR(str_z(why), S("JSON that is nested too deeply"));
    CHECK(!rpc_read(S("[]"), &why) && !rpc_read(S("{\"a\":1,\"a\":2}"), &why) && !rpc_read(S("{"), &why) && !rpc_read(S(""), &why));
    json_t *o = rpc_read(S("{\"a\":\"[[[[[[[[[[[[[[[[[[[[[[\\\"[\"}"), &why);       // inside a text they count nothing
    CHECK(o != NULL);
    json_decref(o);
}

// ---- torrents -------------------------------------------------------------------------------------------------------------------

static void a_life(stage *t)
{
    add(t, "torrent-added");
    add(t, "torrent-duplicate");
    CHECK_INT(number_field(t, "status"), 0);
    CHECK_INT(number_field(t, "totalSize"), TEST_PIECES * TEST_PIECE_BYTES);
    CHECK_INT(number_field(t, "leftUntilDone"), TEST_PIECES * TEST_PIECE_BYTES);
    ask_done(t, "{\"method\":\"torrent-start\",\"arguments\":{\"ids\":1}}", "success");
    fiber_sleep(seconds(3));
    CHECK_INT(number_field(t, "status"), 4);
    ask_done(t, "{\"method\":\"torrent-stop\"}", "success");
    fiber_sleep(seconds(3));
    CHECK_INT(number_field(t, "status"), 0);
    ask_done(t, "{\"method\":\"torrent-remove\",\"arguments\":{\"ids\":[1],\"delete-local-data\":true}}", "success");
    json_t *a = ask(t, "{\"method\":\"torrent-get\",\"arguments\":{\"ids\":\"recently-active\",\"fields\":[\"id\"]}}", "success");
    CHECK_INT(json_array_size(json_object_get(a, "torrents")), 0);
    CHECK_INT(json_integer_value(json_array_get(json_object_get(a, "removed"), 0)), 1);
    json_decref(a);
}
TEST(rpc_torrents_are_added_started_and_removed) { on_stage("dht off\n", a_life); }

static int64_t room_at(stage *t, const char *path, const char *expected)
{
    str body = str_format(&t->memory, "{\"method\":\"free-space\",\"arguments\":{\"path\":\"%s\"}}", path);
    json_t *a = ask(t, str_to_z(&t->memory, body), expected);
    int64_t bytes = json_integer_value(json_object_get(a, "size-bytes"));
    json_decref(a);
    return bytes;
}

static void places(stage *t)
{
    json_t *a = ask(t, "{\"method\":\"session-get\"}", "success");
    const char *home = str_to_z(&t->memory, str_z(json_string_value(json_object_get(a, "download-dir"))));
    int64_t space = json_integer_value(json_object_get(a, "download-dir-free-space"));
    json_decref(a);
    CHECK(space > 0 && room_at(t, home, "success") == space);                // before it was made
    add(t, "torrent-added");
    ask_done(t, "{\"method\":\"torrent-start\",\"arguments\":{\"ids\":1}}", "success");
    fiber_sleep(seconds(2));
    str body = str_format(&t->memory, "{\"method\":\"torrent-set-location\",\"arguments\":{\"ids\":[1],\"location\":\"%s/films\",\"move\":true}}", home);
    ask_done(t, str_to_z(&t->memory, body), "success");
    const char *films = str_to_z(&t->memory, str_format(&t->memory, "%s/films", home));
    json_t *dir = one_field(t, "downloadDir");
    CHECK_STR(str_z(json_string_value(dir)), str_z(films));
    json_decref(dir);
    CHECK(room_at(t, films, "success") > 0 && room_at(t, str_to_z(&t->memory, str_format(&t->memory, "%s/", films)), "success") > 0);
    static const char *const outside[] = {"/", "/etc", "/data", "%s/..", "%s/films/../..", "%sx"};
    for (size_t i = 0; i < sizeof outside / sizeof *outside; i++) {
        str path = str_z(outside[i]);
        path = str_starts(path, S("%s")) ? str_format(&t->memory, "%s" STR_FMT, home, STR_ARG(str_from(path, 2))) : path;
        CHECK_ROW(i, room_at(t, str_to_z(&t->memory, path), "only of the download directory") == -1);
    }
    CHECK(room_at(t, str_to_z(&t->memory, str_format(&t->memory, "%s/nowhere", home)), "the room there is not known") == -1);
    ask_done(t, "{\"method\":\"torrent-set-location\",\"arguments\":{\"ids\":[1],\"location\":\"films\",\"move\":true}}", "say the directory from the top");
    ask_done(t, "{\"method\":\"torrent-set-location\",\"arguments\":{\"ids\":[1],\"location\":\"/a\",\"move\":false}}", "files are moved");
    ask_done(t, "{\"method\":\"torrent-set-location\",\"arguments\":{\"ids\":[1],\"move\":true}}", "no location");
    ask_done(t, "{\"method\":\"torrent-set\",\"arguments\":{\"ids\":[1],\"location\":\"/elsewhere\"}}", "success");
    dir = one_field(t, "downloadDir");
    CHECK_STR(str_z(json_string_value(dir)), S("/elsewhere"));
    json_decref(dir);
}
TEST(rpc_moves_torrents_and_tells_how_much_room_there_is) { on_stage("dht off\n", places); }

static void settings(stage *t)
{
    add(t, "torrent-added");
    ask_done(t, "{\"method\":\"torrent-set\",\"arguments\":{\"ids\":[1],\"downloadLimit\":50,\"downloadLimited\":true,\"uploadLimit\":20,"
                "\"seedRatioLimit\":1.5,\"seedRatioMode\":1,\"labels\":[\"a\",\"b\"],\"peer-limit\":7}}", "success");
    CHECK_INT(number_field(t, "downloadLimit"), 50);
    CHECK_INT(number_field(t, "downloadLimited"), 1);
    CHECK_INT(number_field(t, "uploadLimit"), 20);
    CHECK_INT(number_field(t, "uploadLimited"), 0);
    CHECK_INT(number_field(t, "seedRatioMode"), 1);
    CHECK_INT(number_field(t, "peer-limit"), 7);
    json_t *labels = one_field(t, "labels");
    CHECK_INT(json_array_size(labels), 2);
    json_decref(labels);
    ask_done(t, "{\"method\":\"torrent-set\",\"arguments\":{\"ids\":[1],\"uploadLimited\":true}}", "success");
    CHECK_INT(number_field(t, "uploadLimited"), 1);
    ask_done(t, "{\"method\":\"torrent-set\",\"arguments\":{\"ids\":[1],\"files-unwanted\":[5]}}", "invalid argument");
    ask_done(t, "{\"method\":\"torrent-set\",\"arguments\":{\"ids\":[1],\"labels\":[\"a,b\"]}}", "labels are");
    static const struct { const char *deadline, *result; } playing[] = {
        {"{\"within-ms\":5000,\"bytes-per-s\":100,\"files\":[0]}", "success"}, {"{\"within-ms\":0}", "success"}, {"{}", "invalid argument"},
        {"{\"within-ms\":-1}", "invalid argument"}, {"{\"within-ms\":1,\"bytes-per-s\":0}", "invalid argument"},
        {"{\"within-ms\":1,\"files\":[1]}", "invalid argument"}, {"{\"within-ms\":1,\"files\":[\"a\"]}", "invalid argument"},
        {"{\"within-ms\":1e300,\"bytes-per-s\":1e300}", "success"}, {"7", "invalid argument"},
    };
    for (size_t i = 0; i < sizeof playing / sizeof *playing; i++)
        ask_done(t, str_to_z(&t->memory, str_format(&t->memory, "{\"method\":\"torrent-set\",\"arguments\":{\"ids\":[1],\"deadline\":%s}}",
                                                    playing[i].deadline)), playing[i].result);
    ask_done(t, "{\"method\":\"torrent-set\",\"arguments\":{\"ids\":[1],\"files-chosen\":{\"want\":\"1\"}}}", "its files are known");
    ask_done(t, "{\"method\":\"session-set\",\"arguments\":{\"speed-limit-up\":70,\"speed-limit-up-enabled\":true}}", "success");
    json_t *a = ask(t, "{\"method\":\"session-get\",\"arguments\":{\"fields\":[\"speed-limit-up\",\"speed-limit-up-enabled\",\"rpc-version\"]}}", "success");
    CHECK_INT(json_object_size(a), 3);
    CHECK_INT(json_integer_value(json_object_get(a, "speed-limit-up")), 70);
    CHECK(json_is_true(json_object_get(a, "speed-limit-up-enabled")));
    json_decref(a);
    ask_done(t, "{\"method\":\"torrent-remove\"}", "success");
    ask_done(t, "{\"method\":\"session-set\",\"arguments\":{\"start-added-torrents\":false}}", "success");
    a = ask(t, "{\"method\":\"session-get\",\"arguments\":{\"fields\":[\"start-added-torrents\"]}}", "success");
    CHECK(json_is_false(json_object_get(a, "start-added-torrents")));
    json_decref(a);
    str body = str_format(&t->memory, "{\"method\":\"torrent-add\",\"arguments\":{\"metainfo\":\"%s\"}}", made_torrent(t));
    ask_done(t, str_to_z(&t->memory, body), "success");
    torrent_view v;
    torrent_look(swarm_first(swarm_of(t->r)), &v);
    CHECK_INT(v.state, TORRENT_PAUSED);
}
TEST(rpc_settings_are_kept) { on_stage("dht off\n", settings); }

static void all_fields(stage *t)
{
    static const char *const names[] = {
        "activityDate", "addedDate", "bandwidthPriority", "comment", "corruptEver", "creator", "dateCreated", "desiredAvailable", "doneDate",
        "downloadDir", "downloadedEver", "downloadLimit", "downloadLimited", "editDate", "error", "errorString", "eta", "etaIdle", "files",
        "fileStats", "hashString", "haveUnchecked", "haveValid", "honorsSessionLimits", "id", "isFinished", "isPrivate", "isStalled", "labels",
        "leftUntilDone", "magnetLink", "manualAnnounceTime", "maxConnectedPeers", "metadataPercentComplete", "name", "peer-limit", "peers",
        "peersConnected", "peersFrom", "peersGettingFromUs", "peersSendingToUs", "percentDone", "pieces", "pieceCount", "pieceSize",
        "priorities", "queuePosition", "rateDownload", "rateUpload", "recheckProgress", "secondsDownloading", "secondsSeeding", "seedIdleLimit",
        "seedIdleMode", "seedRatioLimit", "seedRatioMode", "sizeWhenDone", "startDate", "status", "trackers", "trackerStats", "totalSize",
        "torrentFile", "uploadedEver", "uploadLimit", "uploadLimited", "uploadRatio", "wanted", "webseeds", "webseedsSendingToUs",
    };                                                   // every field of rpc-version 16
    add(t, "torrent-added");
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        json_t *value = one_field(t, names[i]);
        CHECK_ROW(i, rpc_field_known(names[i]) && value && !json_is_null(value));
        json_decref(value);
    }
    json_t *a = ask(t, "{\"method\":\"torrent-get\",\"arguments\":{\"format\":\"table\",\"fields\":[\"name\",\"nonsense\",\"id\"]}}", "success");
    json_t *rows = json_object_get(a, "torrents");
    CHECK_INT(json_array_size(rows), 2);
    CHECK(json_is_null(json_array_get(json_array_get(rows, 1), 1)) && json_integer_value(json_array_get(json_array_get(rows, 1), 2)) == 1);
    json_decref(a);
}
TEST(rpc_knows_every_field) { on_stage("dht off\n", all_fields); }

static void refusals(stage *t)
{
    static const struct { const char *body, *result; } rows[] = {
        {"{}", "no method name"},
        {"{\"method\":\"fly\"}", "method name not recognized"},
        {"{\"method\":\"torrent-get\"}", "no fields specified"},
        {"{\"method\":\"torrent-add\"}", "no filename or metainfo"},
        {"{\"method\":\"torrent-add\",\"arguments\":{\"metainfo\":\"aGVsbG8=\"}}", "invalid or corrupt torrent file"},
        {"{\"method\":\"torrent-add\",\"arguments\":{\"filename\":\"http://169.254.169.254/x.torrent\"}}", "invalid or corrupt torrent file: naru reads no"},
        {"{\"method\":\"torrent-add\",\"arguments\":{\"filename\":\"/etc/passwd\"}}", "invalid or corrupt torrent file: naru reads no"},
        {"{\"method\":\"torrent-add\",\"arguments\":{\"filename\":\"magnet:?x=1\"}}", "invalid or corrupt torrent file"},
        {"{\"method\":\"torrent-add\",\"arguments\":{\"filename\":\"magnet:?xt=urn:btih:0123456789abcdef0123456789abcdef01234567\","
         "\"files-chosen\":{\"want\":\"a\\u0007\"}}}", "the files that are chosen"},
        {"{\"method\":\"torrent-set\",\"arguments\":{\"ids\":[99],\"downloadLimit\":5}}", "success"},
        {"{\"method\":\"torrent-start\",\"arguments\":{\"ids\":[99,\"zz\",{}]}}", "success"},
        {"{\"method\":\"session-close\"}", "naru is ended"},
        {"{\"method\":\"free-space\",\"arguments\":{\"path\":\"x\"}}", "directory path is not absolute"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        ask_done(t, rows[i].body, rows[i].result);
    CHECK_INT(swarm_count(swarm_of(t->r)), 0);
}
TEST(rpc_refuses_with_a_reason) { on_stage("dht off\n", refusals); }
