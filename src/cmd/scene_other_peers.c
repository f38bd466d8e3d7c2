#include "cmd/scene_other_peers.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "rt/child.h"
#include "rt/worker.h"

enum { PORT_FIRST = 20000, PORTS = 12000, WORDS_MAX = 24, WORD_BYTES = 2048, LOOK_MS = 250, LIBTORRENT = 0, TRANSMISSION, ARIA2, RTORRENT };

static const char libtorrent_lines[] =
    "import sys, time, libtorrent as lt\n"
    "s = lt.session({'listen_interfaces': '127.0.0.1:' + sys.argv[3], 'enable_dht': False, 'enable_lsd': False, 'enable_upnp': False,\n"
    "                'enable_natpmp': False, 'allow_multiple_connections_per_ip': True})\n"
    "h = s.add_torrent({'ti': lt.torrent_info(sys.argv[1]), 'save_path': sys.argv[2]})\n"
    "time.sleep(600)\n";

static const char transmission_settings[] =
    "{\"dht-enabled\": false, \"lpd-enabled\": false, \"utp-enabled\": false, \"port-forwarding-enabled\": false, "
    "\"bind-address-ipv4\": \"127.0.0.1\", \"rename-partial-files\": false, \"preallocation\": 0}\n";

#if defined(__aarch64__)
#define LIBRARIES "aarch64-linux-gnu"
#else
#define LIBRARIES "x86_64-linux-gnu"
#endif

static const struct { const char *name, *program; } programs[OTHER_PEERS] = {
    {"libtorrent", "python3"}, {"Transmission", "transmission-cli"}, {"aria2", "aria2c"}, {"rtorrent", "rtorrent"},
};

// ---- where they are -------------------------------------------------------------------------------------------------------

static const char *unpacked(void)
{
    const char *said = getenv("NARU_PEERS");
    return said && *said ? said : "build/peers";
}

static bool is_there(const char *format, const char *directory, const char *name, char out[OTHER_PATH_BYTES])
{
    return (size_t)snprintf(out, OTHER_PATH_BYTES, format, directory, name) < OTHER_PATH_BYTES && access(out, X_OK) == 0;
}

// Python is everywhere; the module counts.
static bool libtorrent_there(void)
{
    static const char *const homes[] = {"/usr/lib/python3/dist-packages", NULL};
    char path[OTHER_PATH_BYTES];
    bool there = is_there("%s/%s", unpacked(), "usr/lib/python3/dist-packages", path);
    for (int i = 0; homes[i] && !there; i++)
        there = is_there("%s/%s", homes[i], "libtorrent", path);
    return there;
}

typedef struct { other_peer *others; } finding;

static void find_blocking(void *arg)
{
    other_peer *others = ((finding *)arg)->others;
    for (int i = 0; i < OTHER_PEERS; i++) {
        other_peer *o = &others[i];
        o->name = programs[i].name;
        o->there = is_there("%s/usr/bin/%s", unpacked(), programs[i].program, o->path) ||
                   is_there("%s/%s", "/usr/bin", programs[i].program, o->path) || is_there("%s/%s", "/usr/local/bin", programs[i].program, o->path);
    }
    others[LIBTORRENT].there = others[LIBTORRENT].there && libtorrent_there();
}

void other_peers_find(play *p, other_peer others[OTHER_PEERS])
{
    (void)p;
    memset(others, 0, OTHER_PEERS * sizeof *others);
    work(find_blocking, &(finding){others});
}

// ---- starting -------------------------------------------------------------------------------------------------------------

typedef struct {
    char  words[WORDS_MAX][WORD_BYTES];
    const char *argv[WORDS_MAX + 1];
    int   count;
} command_line;

static void word(command_line *c, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void word(command_line *c, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(c->words[c->count], WORD_BYTES, format, args);
    va_end(args);
    c->argv[c->count] = c->words[c->count];
    c->argv[++c->count] = NULL;
}

static void command_of(int which, const other_peer *o, const char *torrent, command_line *c)
{
    word(c, "%s", o->path);
    switch (which) {
    case LIBTORRENT:
        word(c, "-c");
        word(c, "%s", libtorrent_lines);
        word(c, "%s", torrent);
        word(c, "%s", o->directory);
        word(c, "%d", o->port);
        break;
    case TRANSMISSION:
        word(c, "-g");
        word(c, "%s/settings", o->directory);
        word(c, "-w");
        word(c, "%s", o->directory);
        word(c, "-p");
        word(c, "%d", o->port);
        word(c, "-M");
        word(c, "%s", torrent);
        break;
    case ARIA2:
        word(c, "--no-conf=true");
        word(c, "--dir=%s", o->directory);
        word(c, "--listen-port=%d", o->port);
        word(c, "--interface=127.0.0.1");
        word(c, "--enable-dht=false");
        word(c, "--enable-dht6=false");
        word(c, "--bt-enable-lpd=false");
        word(c, "--seed-ratio=0.0");
        word(c, "--file-allocation=none");
        word(c, "%s", torrent);
        break;
    default:
        word(c, "-n");
        word(c, "-o");
        word(c, "network.port_range.set=%d-%d,network.port_random.set=no,network.bind_address.set=127.0.0.1,dht.mode.set=disable,"
             "session.path.set=%s/session,directory.default.set=%s,system.daemon.set=true", o->port, o->port, o->directory, o->directory);
        word(c, "%s", torrent);
    }
}

typedef struct {
    world *world;
    other_peer *o;
    err    failed;
} placing;

static void place_blocking(void *arg)
{
    placing *x = arg;
    char path[OTHER_PATH_BYTES + 32];
    static const char *const below[] = {"settings", "session"};
    x->failed = dir_make(x->world, x->o->directory, 0700);
    for (int i = 0; i < 2 && !x->failed; i++) {
        snprintf(path, sizeof path, "%s/%s", x->o->directory, below[i]);
        x->failed = dir_make(x->world, path, 0700);
    }
    snprintf(path, sizeof path, "%s/settings/settings.json", x->o->directory);
    if (!x->failed)
        x->failed = file_replace(x->world, path, str_z(transmission_settings), 0600);
}

static bool peer_start(play *p, int which, other_peer *o, const char *torrent)
{
    char libraries[2 * OTHER_PATH_BYTES], modules[OTHER_PATH_BYTES], home[OTHER_PATH_BYTES + 8], output[OTHER_PATH_BYTES + 16];
    const char *variables[] = {libraries, modules, home, "TERM=xterm", NULL};
    command_line *c = arena_new(&p->memory, command_line);
    snprintf(o->directory, sizeof o->directory, STR_FMT "/%s", STR_ARG(p->net->options.directory), programs[which].program);
    o->port = (uint16_t)(PORT_FIRST + world_random_below(p->net->world, PORTS));
    placing x = {.world = p->net->world, .o = o};
    work(place_blocking, &x);
    if (x.failed || !c)
        return false;
    snprintf(libraries, sizeof libraries, "LD_LIBRARY_PATH=%s/usr/lib/" LIBRARIES ":%s/lib/" LIBRARIES, unpacked(), unpacked());
    snprintf(modules, sizeof modules, "PYTHONPATH=%s/usr/lib/python3/dist-packages", unpacked());
    snprintf(home, sizeof home, "HOME=%s", o->directory);
    snprintf(output, sizeof output, "%s/output", o->directory);
    command_of(which, o, torrent, c);
    return child_program_start(c->argv, variables, output, &o->pid) == E_OK;
}

bool other_peers_start(play *p, other_peer others[OTHER_PEERS], const char *torrent)
{
    bool good = true;
    for (int i = 0; i < OTHER_PEERS; i++)
        if (others[i].there && !peer_start(p, i, &others[i], torrent))
            good = false;
    return good;
}

// ---- watching -------------------------------------------------------------------------------------------------------------

typedef struct {
    world *world;
    other_peer *others;
    const char *name;
    str    whole;
    arena  memory;
    bool   all;
} comparing;

static void compare_blocking(void *arg)
{
    comparing *x = arg;
    x->all = true;
    for (int i = 0; i < OTHER_PEERS; i++) {
        other_peer *o = &x->others[i];
        char path[OTHER_PATH_BYTES * 2];
        str there;
        if (!o->pid || o->complete)
            continue;
        snprintf(path, sizeof path, "%s/%s", o->directory, x->name);
        arena_reset(&x->memory);
        o->complete = file_read_all(x->world, path, &x->memory, (size_t)x->whole.len + 1, &there) == E_OK && str_eq(there, x->whole);
        x->all = x->all && o->complete;
    }
}

bool other_peers_complete(play *p, other_peer others[OTHER_PEERS], const char *name, str whole)
{
    comparing x = {.world = p->net->world, .others = others, .name = name, .whole = whole, .memory = arena_make(2 * (size_t)whole.len + 65536)};
    work(compare_blocking, &x);
    arena_free(&x.memory);
    return x.all || fiber_sleep(millis(LOOK_MS)) != E_OK;
}

void other_peers_end(other_peer others[OTHER_PEERS])
{
    for (int i = 0; i < OTHER_PEERS; i++)
        if (others[i].pid)
            child_group_kill(others[i].pid);
}
