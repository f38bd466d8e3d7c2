// What naru torrent list, status, peers and files look like.
#include <stdio.h>
#include <string.h>

#include "base/base64.h"
#include "base/quantity.h"
#include "base/utf8.h"
#include "cmd/torrent_remote.h"

enum { MAP_COLUMNS_MIN = 20, MAP_COLUMNS_MAX = 200, EIGHTHS = 8 };
enum { STATUS_CHECK = 2, STATUS_DOWNLOAD = 4 };

long long remote_number(const json_t *o, const char *key) { return json_integer_value(json_object_get(o, key)); }

const char *remote_text(const json_t *o, const char *key)
{
    const char *text = json_string_value(json_object_get(o, key));
    return text ? text : "";
}

static double share_of(const json_t *o, const char *key) { return json_number_value(json_object_get(o, key)); }

static str rate(torrent_run *r, long long bytes_per_s)
{
    return bytes_per_s ? str_format(&r->memory, STR_FMT "/s", STR_ARG(size_text(&r->memory, bytes_per_s))) : S("");
}

static str eta(torrent_run *r, long long s)
{
    if (s < 0)
        return S("");
    return s < 120    ? str_format(&r->memory, "%lld s", s)
           : s < 7200 ? str_format(&r->memory, "%lld min", s / 60)
                      : str_format(&r->memory, "%lld h %02lld", s / 3600, s / 60 % 60);
}

static const char *state(const json_t *t)
{
    static const char *const names[] = {"paused", "to be checked", "checking", "waiting", "downloading", "waiting", "seeding"};
    long long s = remote_number(t, "status");
    if (remote_number(t, "error") == 3)
        return "trouble";
    if (s == STATUS_DOWNLOAD && share_of(t, "metadataPercentComplete") < 1)
        return "metadata";
    return s >= 0 && s < (long long)(sizeof names / sizeof *names) ? names[s] : "?";
}

// Eighths of a block: the bar moves smoothly.
static void bar_put(buf *out, double part, int columns)
{
    static const char *const blocks[EIGHTHS] = {" ", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
    int filled = (int)(part * columns * EIGHTHS);
    for (int i = 0; i < columns; i++) {
        int here = filled - i * EIGHTHS;
        buf_put(out, here >= EIGHTHS ? S("█") : here > 0 ? str_z(blocks[here]) : S("·"));
    }
}

static double done_of(const json_t *t)
{
    return remote_number(t, "status") == STATUS_CHECK ? share_of(t, "recheckProgress") : share_of(t, "percentDone");
}

static void columns_put(buf *out, str text, int columns)
{
    str shown = utf8_first_columns(text, columns);
    buf_put(out, shown);
    for (int i = utf8_width(shown); i < columns; i++)
        buf_put_byte(out, ' ');
}

// A row fits the terminal: in a narrow one the name and the bar are short, and size, peers and the time that is left are not shown.
typedef struct { int name, bar; bool wide; } list_look;

static list_look list_look_of(int columns)
{
    enum { NAME_MIN = 16, NAME_MAX = 50, BAR_WIDE = 24, BAR = 8, REST_WIDE = 101, REST = 60, BETWEEN = 1 };
    list_look look = {.wide = columns >= REST_WIDE + NAME_MIN};
    look.bar = look.wide ? BAR_WIDE : BAR;
    int name = columns - BETWEEN - (look.wide ? REST_WIDE : REST);
    look.name = name < NAME_MIN ? NAME_MIN : name > NAME_MAX ? NAME_MAX : name;
    return look;
}

static void list_row(torrent_run *r, const json_t *t, list_look look)
{
    arena *a = &r->memory;
    str in = rate(r, remote_number(t, "rateDownload")), to = rate(r, remote_number(t, "rateUpload"));
    buf_format(&r->out, "%4lld  ", remote_number(t, "id"));
    columns_put(&r->out, str_z(remote_text(t, "name")), look.name);
    buf_put_byte(&r->out, ' ');
    bar_put(&r->out, done_of(t), look.bar);
    buf_format(&r->out, " %5.1f%%", (double)(int)(done_of(t) * 1000) / 10);
    if (look.wide)
        buf_format(&r->out, " %10s", str_to_z(a, size_text(a, remote_number(t, "sizeWhenDone"))));
    buf_format(&r->out, " %11s %11s", str_to_z(a, in), str_to_z(a, to));
    if (look.wide)
        buf_format(&r->out, " %5lld %-12s %s\n", remote_number(t, "peersConnected"), state(t), str_to_z(a, eta(r, remote_number(t, "eta"))));
    else
        buf_format(&r->out, " %s\n", state(t));
    if (*remote_text(t, "errorString"))
        buf_format(&r->out, "      %s\n", remote_text(t, "errorString"));
}

static void list_head(torrent_run *r, list_look look)
{
    buf_format(&r->out, "%4s  %-*s %-*s %6s", "ID", look.name, "NAME", look.bar, "", "DONE");
    if (look.wide)
        buf_format(&r->out, " %10s", "SIZE");
    buf_format(&r->out, " %11s %11s", "DOWN", "UP");
    buf_put(&r->out, look.wide ? S(" PEERS STATE        LEFT\n") : S(" STATE\n"));
}

void remote_print_list(torrent_run *r, const json_t *torrents)
{
    const json_t *t;
    size_t i;
    long long up = 0, down = 0;
    if (!json_array_size(torrents)) {
        buf_put(&r->out, S("No torrents. Add one: naru torrent add FILE.torrent\n"));
        return;
    }
    list_look look = list_look_of(terminal_columns());
    list_head(r, look);
    json_array_foreach(torrents, i, t) {
        list_row(r, t, look);
        up += remote_number(t, "rateUpload");
        down += remote_number(t, "rateDownload");
    }
    buf_format(&r->out, "%zu torrent%s, down " STR_FMT "/s, up " STR_FMT "/s\n", json_array_size(torrents), json_array_size(torrents) == 1 ? "" : "s",
               STR_ARG(size_text(&r->memory, down)), STR_ARG(size_text(&r->memory, up)));
}

// Every piece in as many cells as there is room for: full, partly there, missing.
static void map_put(torrent_run *r, const json_t *t, int columns)
{
    str bits;
    long long count = remote_number(t, "pieceCount");
    if (!base64_bytes(&r->memory, str_z(remote_text(t, "pieces")), &bits) || count <= 0 || bits.len * 8 < count)
        return;
    int cells = count < columns ? (int)count : columns;
    for (int c = 0; c < cells; c++) {
        long long from = count * c / cells, to = count * (c + 1) / cells, have = 0;
        for (long long i = from; i < to; i++)
            have += bits.at[i / 8] >> (7 - i % 8) & 1;
        buf_put(&r->out, have == to - from ? S("█") : have ? S("▒") : S("·"));
    }
    buf_put_byte(&r->out, '\n');
}

void remote_print_one(torrent_run *r, const json_t *t)
{
    int columns = terminal_columns();
    columns = columns < MAP_COLUMNS_MIN ? MAP_COLUMNS_MIN : columns > MAP_COLUMNS_MAX ? MAP_COLUMNS_MAX : columns;
    arena *a = &r->memory;
    buf_format(&r->out, "%s\nid        %lld\nhash      %s\nstate     %s%s%s\n", remote_text(t, "name"), remote_number(t, "id"),
               remote_text(t, "hashString"), state(t), *remote_text(t, "errorString") ? ": " : "", remote_text(t, "errorString"));
    buf_format(&r->out, "done      %.1f%% (" STR_FMT " of " STR_FMT "), in %s\n", (double)(int)(done_of(t) * 1000) / 10,
               STR_ARG(size_text(a, remote_number(t, "haveValid"))), STR_ARG(size_text(a, remote_number(t, "sizeWhenDone"))), remote_text(t, "downloadDir"));
    buf_format(&r->out, "rates     down " STR_FMT "/s, up " STR_FMT "/s, ratio %.2f%s" STR_FMT "\n",
               STR_ARG(size_text(a, remote_number(t, "rateDownload"))), STR_ARG(size_text(a, remote_number(t, "rateUpload"))),
               share_of(t, "uploadRatio") < 0 ? 0 : share_of(t, "uploadRatio"), remote_number(t, "eta") >= 0 ? ", left " : "",
               STR_ARG(eta(r, remote_number(t, "eta"))));
    buf_format(&r->out, "peers     %lld connected, %lld send to us, %lld take from us\n", remote_number(t, "peersConnected"),
               remote_number(t, "peersSendingToUs"), remote_number(t, "peersGettingFromUs"));
    const json_t *tracker;
    size_t i;
    json_array_foreach(json_object_get(t, "trackerStats"), i, tracker)
        buf_format(&r->out, "tracker   %s: %s\n", remote_text(tracker, "announce"),
                   *remote_text(tracker, "lastAnnounceResult") ? remote_text(tracker, "lastAnnounceResult") : "not asked yet");
    buf_format(&r->out, "pieces    %lld of " STR_FMT "%s\n", remote_number(t, "pieceCount"), STR_ARG(size_text(a, remote_number(t, "pieceSize"))),
               json_is_true(json_object_get(t, "sequentialDownload")) ? ", in order" : "");
    map_put(r, t, columns);
}

void remote_print_peers(torrent_run *r, const json_t *t)
{
    const json_t *p;
    size_t i;
    if (!json_array_size(json_object_get(t, "peers"))) {
        buf_put(&r->out, S("Nobody is connected.\n"));
        return;
    }
    buf_format(&r->out, "%-28s %-20s %6s %11s %11s %s\n", "ADDRESS", "CLIENT", "HAS", "DOWN", "UP", "FLAGS");
    json_array_foreach(json_object_get(t, "peers"), i, p) {
        char at[REMOTE_TEXT_BYTES_MAX];
        bool v6 = strchr(remote_text(p, "address"), ':') != NULL;
        snprintf(at, sizeof at, v6 ? "[%s]:%lld" : "%s:%lld", remote_text(p, "address"), remote_number(p, "port"));
        str in = rate(r, remote_number(p, "rateToClient")), to = rate(r, remote_number(p, "rateToPeer"));
        buf_format(&r->out, "%-28s %-20.20s %5.1f%% %11.*s %11.*s %s\n", at, remote_text(p, "clientName"), 100 * share_of(p, "progress"), (int)in.len,
                   (const char *)in.at, (int)to.len, (const char *)to.at, remote_text(p, "flagStr"));
    }
    buf_put(&r->out, S("D we take from it, d we would; U it takes from us, u it would; O by luck; S snubbed; I it called; X by exchange; H by DHT\n"));
}

// A magnet link's files, before peers have told what there is.
static void files_unknown_put(torrent_run *r, const json_t *t)
{
    const json_t *chosen = json_object_get(t, "filesChosen"), *words;
    const char *key;
    buf_format(&r->out, "%s: nobody has told yet which files there are", remote_text(t, "name"));
    json_object_foreach((json_t *)(uintptr_t)chosen, key, words)
        buf_format(&r->out, "; %s: %s", key, json_string_value(words));
    buf_put_byte(&r->out, '\n');
}

void remote_print_files(torrent_run *r, const json_t *t)
{
    static const char *const priorities[] = {"low", "normal", "high"};
    const json_t *f;
    size_t i;
    if (!json_array_size(json_object_get(t, "files"))) {
        files_unknown_put(r, t);
        return;
    }
    buf_format(&r->out, "%4s %6s %-8s %10s  %s\n", "NO", "DONE", "WANTED", "SIZE", "NAME");
    json_array_foreach(json_object_get(t, "files"), i, f) {
        const json_t *stats = json_array_get(json_object_get(t, "fileStats"), i);
        long long length = remote_number(f, "length"), priority = remote_number(stats, "priority") + 1;
        str size = size_text(&r->memory, length);
        buf_format(&r->out, "%4zu %5.1f%% %-8s %10.*s  %s\n", i + 1, length ? 100.0 * (double)remote_number(f, "bytesCompleted") / (double)length : 100.0,
                   !json_is_true(json_object_get(stats, "wanted")) ? "no" : priority >= 0 && priority < 3 ? priorities[priority] : "?",
                   (int)size.len, (const char *)size.at, remote_text(f, "name"));
    }
}
