#include "cmd/small_swarm.h"

#include <stdio.h>
#include <string.h>

#include "rooms/swarm/swarm.h"
#include "rt/digest.h"
#include "rt/worker.h"

enum { LINE_BYTES = 64, SETTINGS_BYTES_MAX = 1024, TORRENT_BYTES_MAX = 64 * 1024, LENGTH = SMALL_SWARM_PIECE_BYTES * SMALL_SWARM_PIECES };

// What the file holds: a departure a line, each line of 64 bytes, none like another.
static void timetable_write(unsigned char *to, size_t bytes)
{
    static const char *const landings[] = {"Yeouido", "Mapo", "Ttukseom", "Jamsil", "Nodeul", "Seonyudo", "Gwangnaru", "Banpo"};
    enum { LANDINGS = sizeof landings / sizeof *landings };
    for (size_t i = 0; i < bytes / LINE_BYTES; i++) {
        char line[LINE_BYTES + 1];
        size_t from = i % LANDINGS, hop = 1 + i / LANDINGS % (LANDINGS - 1);
        snprintf(line, sizeof line, "departure %06zu  day %03zu  %02zu:%02zu  %-10s to %-10s ", i, i / 1440 % 366, i / 60 % 24, i % 60,
                 landings[from], landings[(from + hop) % LANDINGS]);
        memset(to + i * LINE_BYTES, ' ', LINE_BYTES - 1);
        memcpy(to + i * LINE_BYTES, line, strlen(line) < LINE_BYTES - 1 ? strlen(line) : LINE_BYTES - 1);
        to[i * LINE_BYTES + LINE_BYTES - 1] = '\n';
    }
}

typedef struct {
    small_internet *n;
    small_host *seed;
    const char *folder, *path, *torrent_path;
    unsigned char *content;
    err   failed;
    str   torrent;
} making;

static str torrent_make(making *m)
{
    unsigned char digests[SMALL_SWARM_PIECES * DIGEST_SHA1_BYTES];
    for (int i = 0; i < SMALL_SWARM_PIECES; i++)
        digest_of(DIGEST_SHA1, str_of(m->content + (size_t)i * SMALL_SWARM_PIECE_BYTES, SMALL_SWARM_PIECE_BYTES), digests + i * DIGEST_SHA1_BYTES);
    metainfo_file only = {.path = S(SMALL_SWARM_NAME), .length = LENGTH};
    metainfo_tracker trackers[] = {{S("http://tracker.torrent.edu:6969/announce"), 0}, {S("udp://tracker.torrent.edu:6969"), 0}};
    metainfo info = {
        .name = S(SMALL_SWARM_NAME), .single = true, .piece_bytes = SMALL_SWARM_PIECE_BYTES, .length = LENGTH, .piece_count = SMALL_SWARM_PIECES,
        .pieces = str_of(digests, sizeof digests), .files = &only, .file_count = 1, .trackers = trackers, .tracker_count = 2,
        .comment = S("all departures of the small Internet's ferries"), .created_by = S("naru"),
    };
    buf out = buf_make(TORRENT_BYTES_MAX);
    str text = metainfo_write(&out, &info) ? str_copy(&m->n->memory, buf_str(&out)) : (str){0};
    buf_free(&out);
    return text;
}

static void make_blocking(void *arg)
{
    making *m = arg;
    timetable_write(m->content, LENGTH);
    m->torrent = torrent_make(m);
    m->failed = dir_make(m->seed->world, m->folder, 0700);
    if (!m->failed)
        m->failed = file_replace(m->seed->world, m->path, str_of(m->content, LENGTH), 0600);
    if (!m->failed && !m->n->options.make)
        m->failed = file_replace(m->n->world, m->torrent_path, m->torrent, 0644);
}

static bool failed(small_internet *n, str *why, const char *what, str reason)
{
    *why = str_format(&n->memory, "%s: " STR_FMT, what, STR_ARG(reason));
    return false;
}

bool small_swarm_add(small_internet *n, small_host *h, str more, str *why)
{
    const lab_host *local = lab_find(&n->map, S("local"));
    config_error error = {0};
    buf settings = buf_make(SETTINGS_BYTES_MAX);
    buf_format(&settings, "private-peers on\nresolver " STR_FMT "\nrpc-listen " STR_FMT "\nrpc-host " STR_FMT "\nrpc-open on\n" STR_FMT,
               STR_ARG(addr_ip_text(&n->memory, local->here[0])), STR_ARG(addr_ip_text(&n->memory, h->host->here[0])), STR_ARG(h->host->name), STR_ARG(more));
    for (int i = 0; i < n->map.count && !h->host->seeds; i++)
        if (n->map.hosts[i].seeds)
            buf_format(&settings, "dht-router " STR_FMT ":%d\n", STR_ARG(addr_ip_text(&n->memory, n->map.hosts[i].here[0])), SWARM_PORT);
    statement *block = config_parse(S("swarm"), str_copy(&n->memory, buf_str(&settings)), &n->memory, NULL, NULL, &error);
    buf_free(&settings);
    if (!block || !config_check(block, swarm_kind.settings, &n->memory, &error))
        return failed(n, why, "swarm settings", error.text);
    str reason = {0};
    return node_add(&h->node, &swarm_kind, block, NULL, &reason) == E_OK || failed(n, why, "cannot start the swarm", reason);
}

static small_host *seed_of(small_internet *n)
{
    for (int i = 0; i < n->count; i++)
        if (n->hosts[i].host->seeds && n->hosts[i].started)
            return &n->hosts[i];
    return NULL;
}

bool small_swarm_begin(small_internet *n, str *why)
{
    making m = {.n = n, .seed = seed_of(n)};
    torrent *t;
    if (!m.seed)
        return true;
    room *r = node_room(&m.seed->node, "swarm");
    swarm_view v;
    swarm_look(swarm_of(r), &v);
    arena work_memory = arena_make(LENGTH + TORRENT_BYTES_MAX);
    m.content = arena_array(&work_memory, unsigned char, LENGTH);
    m.folder = str_to_z(&n->memory, v.directory);
    m.path = str_to_z(&n->memory, str_format(&n->memory, "%s/" SMALL_SWARM_NAME, m.folder));
    m.torrent_path = str_to_z(&n->memory, str_format(&n->memory, STR_FMT "/" SMALL_SWARM_NAME ".torrent", STR_ARG(n->options.directory)));
    work(make_blocking, &m);
    arena_free(&work_memory);
    if (m.failed)
        return failed(n, why, "cannot write " SMALL_SWARM_NAME, str_z(err_text(m.failed)));
    n->torrent = m.torrent;
    world *before = world_here();
    str reason = {0};
    fiber_world(m.seed->world);
    err e = swarm_add(swarm_of(r), &(swarm_addition){.metainfo = m.torrent}, &t, &n->memory, &reason);
    fiber_world(before);
    return !e || e == E_EXISTS || failed(n, why, "cannot seed " SMALL_SWARM_NAME, reason);
}

str small_swarm_torrent(const small_internet *n) { return n->torrent; }
