// naru torrent get: one torrent in the foreground, from a file or a magnet link, until it is complete; or seeding, until it is
// told to end. The service itself (rooms/swarm) runs in this process, with its state beside the files.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/hex.h"
#include "base/quantity.h"
#include "cmd/directory_remove.h"
#include "cmd/torrent.h"
#include "keep/directory.h"
#include "rooms/swarm/swarm.h"
#include "rt/digest.h"
#include "rt/json_text.h"
#include "rt/log.h"
#include "rt/loop.h"
#include "rt/worker.h"

enum { BAR_COLUMNS = 40, SHOW_MS = 250, LOOK_MS = 20, RESOLV_BYTES_MAX = 64 * 1024, PEERS_MAX = 32, FILES_LIMIT_PATH = 1024,
       NOBODY_BYTES_MAX = 200, DIRECTORY_MODE = 0755 };

typedef struct {
    torrent_run *r;
    node     node;
    swarm   *swarm;
    torrent *torrent;
    scope   *all;
    char    *state_directory;
    char     nobody[NOBODY_BYTES_MAX];           // why trackers name no peers; empty: they do
    str      metainfo, resolv;                   // the torrent file's bytes (empty: a magnet link); /etc/resolv.conf
    addr     peers[PEERS_MAX];
    int      peer_count;
    int64_t  began_ns, complete_ns, done_ns, ends_ns;    // ends: when seeding is over; 0: never
    int64_t  within_ns, bytes_per_s;             // --within, --rate
    bool     display, interrupted, complete, selected;   // selected: --want and the like have been obeyed
    int64_t  started_bytes;                      // there when we began
    torrent_view last;
    char     last_name[METAINFO_NAME_BYTES_MAX + 1];
} getting;

// ---- what was asked for ---------------------------------------------------------------------------------------------------

static bool peers_read(getting *g)
{
    str rest = g->r->get.peers;
    while (rest.len > 0) {
        str one = str_cut(&rest, ',');
        if (g->peer_count == PEERS_MAX || !addr_parse(one, SWARM_PORT, &g->peers[g->peer_count++])) {
            torrent_fail(g->r, COMMAND_USAGE, "--peer: ADDRESS:PORT, several separated by commas (at most %d), not \"" STR_FMT "\"",
                         PEERS_MAX, STR_ARG(one));
            return false;
        }
    }
    return true;
}

static void put_resolver(getting *g, buf *out)
{
    str text = g->resolv;
    while (text.len > 0) {
        str line = str_cut(&text, '\n');
        addr at;
        str word = str_word(&line), value = str_word(&line);
        if (str_eq(word, S("nameserver")) && addr_parse_ip(value, 53, &at))
            buf_format(out, "resolver " STR_FMT "\n", STR_ARG(addr_ip_text(&g->r->memory, at)));
    }
}

// Torrent files and peers are strangers' words: they lead to this machine's own network only where the user shows that he means
// it. (An address to bind to may be a tunnel's: that alone does not.)
static bool is_own_network(const getting *g)
{
    addr bound;
    bool own = g->r->get.local || (addr_parse_ip(g->r->get.bind, 0, &bound) && addr_is_loopback(bound));
    for (int i = 0; i < g->peer_count; i++)
        own = own || addr_is_private(g->peers[i]);
    return own;
}

// The service's block, as it would stand in naru.conf.
static const statement *settings_make(getting *g, int64_t port)
{
    const torrent_get_options *o = &g->r->get;
    config_error error;
    buf text = buf_make(64 * 1024);
    buf_format(&text, "port %lld\ndht %s\nlocal-discovery %s\nprivate-peers %s\nrpc-port 0\n", (long long)port, o->no_dht ? "off" : "on",
               o->local ? "on" : "off", is_own_network(g) ? "on" : "off");
    if (o->mode.len)
        buf_format(&text, "mode \"" STR_FMT "\"\n", STR_ARG(o->mode));
    if (o->limit_up.len)
        buf_format(&text, "limit-up \"" STR_FMT "\"\n", STR_ARG(o->limit_up));
    if (o->limit_down.len)
        buf_format(&text, "limit-down \"" STR_FMT "\"\n", STR_ARG(o->limit_down));
    if (o->slots)
        buf_format(&text, "slots %lld\n", (long long)o->slots);
    for (str rest = o->dht_routers; rest.len > 0; ) {
        str one = str_cut(&rest, ',');
        buf_format(&text, "dht-router \"" STR_FMT "\"\n", STR_ARG(one));
    }
    put_resolver(g, &text);
    str kept = str_copy(&g->r->memory, buf_str(&text));
    buf_free(&text);
    statement *s = config_parse(S("torrent get"), kept, &g->r->memory, config_include_keep, NULL, &error);
    if (!s || !config_check(s, swarm_kind.settings, &g->r->memory, &error)) {
        torrent_fail(g->r, COMMAND_USAGE, STR_FMT, STR_ARG(error.text));
        return NULL;
    }
    return s;
}

// Our port, or any when it is taken and nobody asked for that one.
static bool room_start(getting *g)
{
    torrent_run *r = g->r;
    str why = {0};
    room *added;
    bool chosen = r->get.port >= 0;
    const statement *s = settings_make(g, chosen ? r->get.port : SWARM_PORT);
    if (!s)
        return false;
    err e = node_add(&g->node, &swarm_kind, s, &added, &why);
    if (e == E_IN_USE && !chosen && (s = settings_make(g, 0)))
        e = node_add(&g->node, &swarm_kind, s, &added, &why);
    if (e)
        torrent_fail(r, COMMAND_FAILED, STR_FMT, STR_ARG(why.len ? why : str_z(err_text(e))));
    else
        g->swarm = swarm_of(added);
    return !e;
}

// The state stands beside the files: .naru-HASH in the directory. Different torrents do not meet.
static bool hash_of(getting *g, str text, uint8_t hash[INFO_HASH_BYTES])
{
    torrent_run *r = g->r;
    magnet link;
    bencode_refusal why;
    metainfo m;
    if (!text.len) {
        if (!magnet_read(r->words[1], &r->memory, &link, &why))
            return torrent_fail(r, COMMAND_USAGE, "%s (at byte %td)", why.reason, why.offset), false;
        memcpy(hash, link.hash, INFO_HASH_BYTES);
        return true;
    }
    if (!metainfo_read(text, &r->memory, &m, &why))
        return torrent_fail(r, COMMAND_USAGE, STR_FMT ": %s (at byte %td)", STR_ARG(r->words[1]), why.reason, why.offset), false;
    digest_of(DIGEST_SHA1, m.info, hash);
    return true;
}

// ---- which files ----------------------------------------------------------------------------------------------------------

static picker_priority priority_of(file_choice c)
{
    return c == FILE_SKIPPED ? PICKER_SKIP : c == FILE_FIRST ? PICKER_HIGH : PICKER_NORMAL;
}

// NULL: all of them, or a choice that means nothing (trouble says so).
static picker_priority *selection_read(getting *g, file_names of)
{
    torrent_run *r = g->r;
    str wrong = {0};
    file_choice *chosen = arena_array(&r->memory, file_choice, (size_t)of.count + 1);
    picker_priority *all = arena_array(&r->memory, picker_priority, (size_t)of.count + 1);
    g->selected = true;
    if (!files_chosen(r->files) || !chosen || !all)
        return NULL;
    if (!files_choose(r->files, of, true, chosen, &wrong)) {
        torrent_fail(r, COMMAND_USAGE, "no file of this torrent is \"" STR_FMT "\"; `naru torrent show` lists them", STR_ARG(wrong));
        return NULL;
    }
    for (int i = 0; i < of.count; i++)
        all[i] = priority_of(chosen[i]);
    return all;
}

static picker_priority *selection_of_metainfo(getting *g, str text, int *count)
{
    metainfo m;
    *count = 0;
    if (!files_chosen(g->r->files) || !text.len || !metainfo_read(text, &g->r->memory, &m, &(bencode_refusal){0}))
        return NULL;
    str *paths = arena_array(&g->r->memory, str, (size_t)m.file_count + 1);
    for (int i = 0; paths && i < m.file_count; i++)
        paths[i] = m.files[i].path;
    *count = m.file_count;
    return paths ? selection_read(g, (file_names){m.name, paths, m.file_count}) : NULL;
}

// The names of a magnet link's files come with its metadata; nothing has been asked for yet.
static void selection_of_magnet(void *arg, torrent *t, torrent_state now)
{
    getting *g = arg;
    torrent_view v;
    file_view f;
    if (g->selected || !files_chosen(g->r->files) || now != TORRENT_DOWNLOADING)
        return;
    torrent_look(t, &v);
    str *paths = arena_array(&g->r->memory, str, (size_t)v.file_count + 1);
    for (int i = 0; paths && i < v.file_count; i++)
        paths[i] = torrent_file(t, i, &f) ? f.path : (str){0};
    picker_priority *all = paths ? selection_read(g, (file_names){v.name, paths, v.file_count}) : NULL;
    if (all)
        (void)torrent_files_priorities(t, all, v.file_count);
}

// With --first those files are played, else all. Of a magnet link nobody knows its files yet: all.
static void playing_begin(getting *g, const picker_priority *files, int count)
{
    torrent_run *r = g->r;
    torrent_playback play = {.within_ns = g->within_ns, .bytes_per_s = g->bytes_per_s, .file_count = count};
    bool *first = files && r->files.first.len ? arena_array(&r->memory, bool, (size_t)count + 1) : NULL;
    for (int i = 0; first && i < count; i++)
        first[i] = files[i] == PICKER_HIGH;
    play.files = first;
    if (play.within_ns)
        torrent_play(g->torrent, &play);
}

static bool torrent_begin(getting *g)
{
    torrent_run *r = g->r;
    uint8_t hash[INFO_HASH_BYTES];
    str why = {0}, text = g->metainfo, dir = r->get.dir.len ? r->get.dir : S(".");
    char here[FILES_LIMIT_PATH];
    if (!hash_of(g, text, hash))
        return false;
    if (dir.at[0] != '/' && getcwd(here, sizeof here))
        dir = str_format(&r->memory, "%s/" STR_FMT, here, STR_ARG(dir));
    str digits = hex_text(&r->memory, str_of(hash, INFO_HASH_BYTES));
    g->state_directory = str_to_z(&r->memory, str_format(&r->memory, STR_FMT "/.naru-" STR_FMT, STR_ARG(dir), STR_ARG(digits)));
    if (node_start(&g->node, r->world, S("torrent"), str_z(g->state_directory)) != E_OK)
        return torrent_fail(r, COMMAND_FAILED, "this machine gives no memory for a fiber's stack"), false;
    if (!room_start(g))
        return false;
    g->torrent = swarm_find(g->swarm, hash);             // an earlier run was interrupted
    swarm_addition what = {.metainfo = text, .magnet = text.len ? (str){0} : r->words[1], .directory = dir,
                           .sequential = r->get.sequential, .superseed = r->get.superseed, .ratio_per_mille = -1};
    what.files = selection_of_metainfo(g, text, &what.file_count);
    if (r->trouble.len)
        return false;
    if (g->torrent && what.files)
        (void)torrent_files_priorities(g->torrent, what.files, what.file_count);
    if (g->torrent)
        torrent_superseed(g->torrent, r->get.superseed);
    swarm_listen(g->swarm, selection_of_magnet, g);
    err e = g->torrent ? E_OK : swarm_add(g->swarm, &what, &g->torrent, &r->memory, &why);
    if (e)
        return torrent_fail(r, COMMAND_FAILED, STR_FMT, STR_ARG(why.len ? why : str_z(err_text(e)))), false;
    playing_begin(g, what.files, what.file_count);
    torrent_resume(g->torrent);
    for (int i = 0; i < g->peer_count; i++)
        (void)torrent_peer_add(g->torrent, g->peers[i]);
    return true;
}

// ---- the display ----------------------------------------------------------------------------------------------------------

// A column of the bar stands for a run of pieces: all there, some, none.
static void bar_print(const getting *g, char *out, size_t size)
{
    static const char *const marks[] = {"\xc2\xb7", "\xe2\x96\x92", "\xe2\x96\x88"};      // middle dot, medium shade, full block
    str pieces = torrent_pieces(g->torrent);
    int32_t count = g->last.piece_count;
    size_t n = 0;
    for (int c = 0; c < BAR_COLUMNS; c++) {
        int32_t from = (int32_t)((int64_t)count * c / BAR_COLUMNS), to = (int32_t)((int64_t)count * (c + 1) / BAR_COLUMNS), have = 0;
        if (to == from)
            to = from + 1;
        for (int32_t i = from; i < to && i / 8 < pieces.len; i++)
            have += pieces.at[i / 8] >> (7 - i % 8) & 1;
        const char *mark = marks[have == 0 ? 0 : have == to - from ? 2 : 1];
        n += (size_t)snprintf(out + n, size - n, "%s", mark);
    }
}

static str left_text(arena *a, int64_t seconds_left)
{
    if (seconds_left < 0)
        return S("");
    return str_format(a, ", " STR_FMT " left", STR_ARG(duration_text(a, seconds_left * 1000)));
}

static void nobody_take(getting *g)
{
    g->nobody[0] = 0;
    if (!g->last.peers && g->last.state != TORRENT_TROUBLE)
        snprintf(g->nobody, sizeof g->nobody, STR_FMT, STR_ARG(torrent_trackers_trouble(g->torrent)));
}

static void progress_show(getting *g)
{
    const torrent_view *v = &g->last;
    char bar[BAR_COLUMNS * 4 + 1];
    arena a = arena_make(16 * 1024);
    bar_print(g, bar, sizeof bar);
    nobody_take(g);
    int64_t whole = v->wanted_bytes ? v->wanted_bytes : 1, have = v->have_bytes < whole ? v->have_bytes : whole;   // of others an earlier run had some
    fprintf(stderr, "\r\033[K");
    if (v->state == TORRENT_METADATA)
        fprintf(stderr, "asking %d peer%s what the torrent is", v->peers, v->peers == 1 ? "" : "s");
    else if (v->state == TORRENT_CHECKING)
        fprintf(stderr, "checking what is there: %lld of %d pieces", (long long)v->checked_pieces, v->piece_count);
    else if (v->state == TORRENT_TROUBLE)
        fprintf(stderr, "stopped: " STR_FMT, STR_ARG(v->trouble));
    else if (v->complete)
        fprintf(stderr, "seeding to %d of %d peers, " STR_FMT "/s, " STR_FMT " sent", v->peers_taking, v->peers,
                STR_ARG(size_text(&a, v->rate_up)), STR_ARG(size_text(&a, v->sent)));
    else
        fprintf(stderr, "%s %lld %%  " STR_FMT "/s \xe2\x86\x93 " STR_FMT "/s \xe2\x86\x91  %d of %d peers%s send" STR_FMT, bar,
                (long long)(have * 100 / whole), STR_ARG(size_text(&a, v->rate_down)), STR_ARG(size_text(&a, v->rate_up)),
                v->peers_sending, v->peers, v->web_seeds_sending ? " and a web server" : "", STR_ARG(left_text(&a, v->eta_s)));
    if (g->nobody[0])
        fprintf(stderr, "  (no tracker answers: %s)", g->nobody);
    arena_free(&a);
}

// ---- running --------------------------------------------------------------------------------------------------------------

static void view_take(getting *g)
{
    torrent_look(g->torrent, &g->last);
    snprintf(g->last_name, sizeof g->last_name, STR_FMT, STR_ARG(g->last.name));
}

static bool goes_on(getting *g)
{
    view_take(g);
    int64_t now = loop_now_ns();
    if (g->r->trouble.len)
        return false;
    if (g->last.complete && !g->complete) {
        g->complete = true;
        g->complete_ns = now;
        g->ends_ns = g->r->get.seed_seconds ? now + seconds(g->r->get.seed_seconds) : 0;
        if (g->r->get.seed && !g->display && !g->r->json)
            printf("complete " STR_FMT "\n", STR_ARG(g->last.name));
        fflush(stdout);
    }
    if (g->last.state == TORRENT_TROUBLE && !g->r->get.seed) {
        torrent_fail(g->r, COMMAND_FAILED, STR_FMT, STR_ARG(str_copy(&g->r->memory, g->last.trouble)));
        return false;
    }
    if (!g->complete || g->r->get.seed)
        return true;
    return g->ends_ns && now < g->ends_ns;
}

static void watch(void *arg)
{
    getting *g = arg;
    int64_t shown_ns = 0;
    while (goes_on(g) && !fiber_canceled()) {
        if (g->display && loop_now_ns() - shown_ns > millis(SHOW_MS)) {
            shown_ns = loop_now_ns();
            progress_show(g);
        }
        if (fiber_sleep(millis(LOOK_MS)) != E_OK)
            break;
    }
    if (g->display)
        fprintf(stderr, "\r\033[K");
    scope_cancel(g->all);
}

static void await_signal(void *arg)
{
    getting *g = arg;
    if (signal_wait() > 0) {
        g->interrupted = true;
        scope_cancel(g->all);
    }
}

static void get_run(void *arg)
{
    getting *g = arg;
    scope all;
    g->began_ns = loop_now_ns();
    if (torrent_begin(g)) {
        scope_open(&all, 0, 2);
        g->all = &all;
        if (scope_go(&all, "signals", await_signal, g) == E_OK && scope_go(&all, "progress", watch, g) == E_OK)
            (void)scope_wait(&all);
        scope_close(&all);
        view_take(g);
        nobody_take(g);
        str why;
        // Complete, and nobody is to go on with it: nothing stays but the files.
        if (g->complete && !g->r->get.keep_state)
            (void)swarm_remove(g->torrent, false, &g->r->memory, &why);
    }
    g->done_ns = loop_now_ns();
    if (g->node.world)
        node_stop(&g->node);
}

// ---- telling --------------------------------------------------------------------------------------------------------------

static void tell(getting *g)
{
    torrent_run *r = g->r;
    const torrent_view *v = &g->last;
    int64_t took_ns = (g->complete ? g->complete_ns : g->done_ns) - g->began_ns, took_ms = took_ns / NS_PER_MS;
    if (r->json) {
        buf_put(&r->out, S("{\"name\": "));
        json_put(&r->out, str_z(g->last_name));
        buf_format(&r->out, ", \"complete\": %s, \"length\": %lld, \"wanted\": %lld, \"received\": %lld, \"sent\": %lld, \"wasted\": %lld, \"ms\": %lld}\n",
                   g->complete ? "true" : "false", (long long)v->length, (long long)v->wanted_bytes, (long long)v->received, (long long)v->sent, (long long)v->wasted,
                   (long long)took_ms);
    } else if (g->complete && !r->get.seed) {
        buf_format(&r->out, "%s: " STR_FMT " complete", g->last_name, STR_ARG(size_text(&r->memory, v->wanted_bytes)));
        if (v->received && took_ms)
            buf_format(&r->out, ", " STR_FMT "/s", STR_ARG(size_text(&r->memory, v->received / took_ms * 1000)));
        buf_put(&r->out, S("\n"));
    }
}

// Before the loop runs files may be read here.
static bool files_read(getting *g)
{
    torrent_run *r = g->r;
    (void)file_read_all(r->world, "/etc/resolv.conf", &r->memory, RESOLV_BYTES_MAX, &g->resolv);
    if (str_starts(r->words[1], S("magnet:")))
        return true;
    return torrent_read(r, r->words[1], &g->metainfo);
}

static bool directory_ready(getting *g)
{
    torrent_run *r = g->r;
    err e = r->get.dir.len ? directory_make(r->world, str_to_z(&r->memory, r->get.dir), DIRECTORY_MODE) : E_OK;
    if (e)
        torrent_fail(r, COMMAND_FAILED, "--dir " STR_FMT " cannot be made: %s", STR_ARG(r->get.dir), err_text(e));
    return !e;
}

void torrent_get(torrent_run *r)
{
    getting g = {.r = r, .display = terminal_at(2) && !r->json};
    if (!peers_read(&g) || !files_read(&g) || !torrent_playing_read(r, &g.within_ns, &g.bytes_per_s))
        return;
    g.within_ns *= NS_PER_MS;
    addr bound;
    if (r->get.bind.len && !addr_parse_ip(r->get.bind, 0, &bound)) {
        torrent_fail(r, COMMAND_USAGE, "--bind: an address of this machine, not \"" STR_FMT "\"", STR_ARG(r->get.bind));
        return;
    }
    if (!directory_ready(&g))
        return;
    world *shared = r->world;
    if (r->get.bind.len)
        r->world = world_linux_new(S("torrent"), &bound, 1);
    signals_block();
    log_setup(LOG_LOGFMT, r->get.verbose ? LOG_DEBUG : LOG_ERROR, NULL, NULL);
    workers_start(0);
    loop_driver *driver = driver_linux_new();
    if (loop_run(driver, r->world, get_run, &g) != E_OK && !r->code)
        torrent_fail(r, COMMAND_FAILED, "the loop could not run");
    if (!r->code)
        tell(&g);
    if (!r->code && !g.complete)
        torrent_fail(r, COMMAND_FAILED, "interrupted: the same command goes on from here%s%s", g.nobody[0] ? "; no tracker named a peer: " : "", g.nobody);
    driver_linux_free(driver);
    workers_stop();
    if (g.complete && !r->get.keep_state && g.state_directory)
        (void)directory_remove(shared, str_z(g.state_directory));
    if (r->world != shared)
        world_linux_free(r->world);
    r->world = shared;
}
