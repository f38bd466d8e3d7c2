#include "cmd/torrent_remote.h"

#include <stdio.h>
#include <string.h>

#include "cmd/running.h"
#include "rt/json_fixed.h"

enum { NODES_MAX = 64, WATCH_MS = 1000, JSON_SHOWN = JSON_INDENT(2) | JSON_FIXED_FLAGS };

// ---- asking -----------------------------------------------------------------------------------------------------------------

static bool node_find(torrent_run *r)
{
    running_node nodes[NODES_MAX];
    str found;
    if (r->node.len)
        return true;
    if (!running_find(&r->memory, r->remote.naru, &found)) {
        if (r->remote.naru.len)
            torrent_fail(r, COMMAND_UNREACHABLE, "no naru answers in " STR_FMT "; say the data directory of one that runs", STR_ARG(r->remote.naru));
        else
            torrent_fail(r, COMMAND_UNREACHABLE, "no running naru found; start one (naru try, naru up) or name its directory (--naru DIR)");
        return false;
    }
    int count = running_nodes(&r->memory, found, "swarm", r->remote.host, nodes, NODES_MAX);
    if (count > 1 && !r->remote.host.len)
        torrent_fail(r, COMMAND_USAGE, "%d hosts have a swarm here: say which, --host " STR_FMT " or another", count, STR_ARG(nodes[0].name));
    else if (count == 0 && r->remote.host.len)
        torrent_fail(r, COMMAND_UNREACHABLE, "no host " STR_FMT " with a swarm is in " STR_FMT "; without --host naru says which there are",
                     STR_ARG(r->remote.host), STR_ARG(found));
    else if (count == 0)
        torrent_fail(r, COMMAND_UNREACHABLE, "the naru in " STR_FMT " runs no swarm (add swarm {} to its configuration)", STR_ARG(found));
    else
        r->node = nodes[0].directory;
    return r->node.len > 0;
}

static str text_of(torrent_run *r, json_t *o)
{
    size_t n = json_dumpb(o, NULL, 0, JSON_COMPACT);
    char *text = arena_array(&r->memory, char, n + 1);
    return text ? str_of(text, json_dumpb(o, text, n, JSON_COMPACT)) : (str){0};
}

json_t *remote_ask(torrent_run *r, const char *method, json_t *arguments)
{
    json_t *request = json_pack("{s:s, s:o}", "method", method, "arguments", arguments), *answer = NULL, *out = NULL;
    if (node_find(r)) {
        http_result said = running_ask(&r->memory, r->node, S("POST"), S("/swarm/rpc"), text_of(r, request));
        answer = said.error ? NULL : json_loadb((const char *)said.body.at, (size_t)said.body.len, 0, NULL);
        const char *result = remote_text(answer, "result");
        if (!answer)
            torrent_fail(r, COMMAND_UNREACHABLE, "the swarm in " STR_FMT " does not answer", STR_ARG(r->node));
        else if (strcmp(result, "success") != 0)
            torrent_fail(r, COMMAND_FAILED, "%s", *result ? result : *remote_text(answer, "error") ? remote_text(answer, "error") : "the swarm refused");
        else
            out = json_incref(json_object_get(answer, "arguments"));
    }
    json_decref(answer);
    json_decref(request);
    return out;
}

str remote_get(torrent_run *r, const char *path)
{
    if (!node_find(r))
        return (str){0};
    http_result said = running_ask(&r->memory, r->node, S("GET"), str_z(path), (str){0});
    if (said.error || said.status != 200) {
        torrent_fail(r, said.error ? COMMAND_UNREACHABLE : COMMAND_FAILED, said.error ? "the swarm does not answer" : "the swarm refused");
        return (str){0};
    }
    return said.body;
}

// ---- which torrents ------------------------------------------------------------------------------------------------------------

json_t *remote_torrents(torrent_run *r, json_t *ids, const char *const *fields, int count)
{
    json_t *names = json_array(), *arguments = json_object();
    for (int i = 0; i < count; i++)
        json_array_append_new(names, json_string(fields[i]));
    json_object_set_new(arguments, "fields", names);
    if (ids)
        json_object_set_new(arguments, "ids", ids);
    json_t *answer = remote_ask(r, "torrent-get", arguments), *torrents = json_incref(json_object_get(answer, "torrents"));
    json_decref(answer);
    return torrents;
}

static bool is_meant(const json_t *t, str word)
{
    int64_t id;
    str hash = str_z(remote_text(t, "hashString"));
    if (str_to_i64(word, &id))
        return id == remote_number(t, "id");
    return str_eq_nocase(word, hash) || (word.len >= 6 && str_starts_nocase(hash, word)) || str_eq(word, str_z(remote_text(t, "name")));
}

// A word names torrents by id, hash (at least six digits of it) or name; "all" means all. NULL: trouble says which was not found.
json_t *remote_ids(torrent_run *r)
{
    static const char *const fields[] = {"id", "hashString", "name"};
    json_t *all = remote_torrents(r, NULL, fields, 3), *ids = json_array(), *t;
    for (int w = 1; w < r->word_count && all; w++) {
        size_t i, before = json_array_size(ids);
        json_array_foreach(all, i, t)
            if (str_eq(r->words[w], S("all")) || is_meant(t, r->words[w]))
                json_array_append(ids, json_object_get(t, "id"));
        if (json_array_size(ids) == before && !str_eq(r->words[w], S("all")))
            torrent_fail(r, COMMAND_FAILED, "no torrent " STR_FMT " is here; naru torrent list shows ids and names", STR_ARG(r->words[w]));
    }
    json_decref(all);
    if (all && !r->trouble.len)
        return ids;
    json_decref(ids);
    return NULL;
}

void remote_show_json(torrent_run *r, json_t *o)
{
    size_t n = json_dumpb(o, NULL, 0, JSON_SHOWN);
    unsigned char *to = o ? buf_room(&r->out, n) : NULL;
    if (to) {
        buf_added(&r->out, json_dumpb(o, (char *)to, n, JSON_SHOWN));
        buf_put_byte(&r->out, '\n');
    }
}

// ---- verbs ---------------------------------------------------------------------------------------------------------------------

static const char *const row[] = {"id", "hashString", "name", "status", "percentDone", "recheckProgress", "metadataPercentComplete", "sizeWhenDone",
                                  "haveValid", "rateDownload", "rateUpload", "peersConnected", "peersSendingToUs", "peersGettingFromUs", "eta",
                                  "error", "errorString", "uploadRatio", "seedRatioLimit", "seedRatioMode", "downloadDir", "pieceCount", "pieceSize", "pieces", "trackerStats", "sequentialDownload"};
enum { ROW = sizeof row / sizeof *row, ROW_SHORT = 17 };

static void show(torrent_run *r, bool whole)
{
    json_t *ids = r->word_count > 1 ? remote_ids(r) : NULL, *t;
    size_t i;
    if (r->trouble.len)
        return;
    json_t *torrents = remote_torrents(r, ids, row, whole ? ROW : ROW_SHORT);
    if (!torrents)
        return;
    if (r->json)
        remote_show_json(r, torrents);
    else if (!whole)
        remote_print_list(r, torrents);
    else
        json_array_foreach(torrents, i, t)
            remote_print_one(r, t);
    json_decref(torrents);
}

// The same again each second, in place, until interrupted.
static void show_live(torrent_run *r, bool whole)
{
    do {
        buf_clear(&r->out);
        show(r, whole);
        if (!r->remote.watch || r->trouble.len || r->json)
            return;
        fputs("\x1b[H\x1b[J", stdout);
        fwrite(r->out.at, 1, r->out.len, stdout);
        fflush(stdout);
        running_pause(WATCH_MS);
    } while (true);
}

static void list(torrent_run *r) { show_live(r, false); }
static void status(torrent_run *r) { show_live(r, r->word_count > 1); }

void remote_each(torrent_run *r, const char *method, json_t *arguments, const char *done)
{
    json_t *ids = remote_ids(r), *out = NULL;
    size_t count = json_array_size(ids);
    if (ids) {
        json_object_set_new(arguments, "ids", ids);
        out = remote_ask(r, method, json_incref(arguments));
    }
    json_decref(arguments);
    if (!out)
        return;
    if (r->json)
        remote_show_json(r, out);
    else
        buf_format(&r->out, "%zu torrent%s %s\n", count, count == 1 ? "" : "s", done);
    json_decref(out);
}

static void pause_each(torrent_run *r) { remote_each(r, "torrent-stop", json_object(), "paused"); }
static void resume(torrent_run *r) { remote_each(r, "torrent-start", json_object(), "resumed"); }
static void verify(torrent_run *r) { remote_each(r, "torrent-verify", json_object(), "to be checked"); }
static void reannounce(torrent_run *r) { remote_each(r, "torrent-reannounce", json_object(), "announced"); }

static void remove_each(torrent_run *r)
{
    remote_each(r, "torrent-remove", json_pack("{s:b}", "delete-local-data", r->remote.delete_files), r->remote.delete_files ? "removed, with files" : "removed; files stay");
}

// The last word is the directory.
static void move_each(torrent_run *r)
{
    str to = remote_absolute(r, r->words[--r->word_count]);
    remote_each(r, "torrent-set-location", json_pack("{s:s%, s:b}", "location", to.at, (size_t)to.len, "move", true), "moved");
}

void remote_show_each(torrent_run *r, const char *const *fields, int count, remote_print *print)
{
    json_t *ids = remote_ids(r), *torrents = ids ? remote_torrents(r, ids, fields, count) : NULL, *t;
    size_t i;
    if (torrents && r->json)
        remote_show_json(r, torrents);
    else
        json_array_foreach(torrents, i, t)
            print(r, t);
    json_decref(torrents);
}

static void peers(torrent_run *r)
{
    static const char *const fields[] = {"id", "name", "peers"};
    remote_show_each(r, fields, 3, remote_print_peers);
}

static void why(torrent_run *r)
{
    static const char *const fields[] = {"hashString"};
    json_t *ids = remote_ids(r), *torrents = ids ? remote_torrents(r, ids, fields, 1) : NULL, *t;
    size_t i;
    json_array_foreach(torrents, i, t) {
        char path[REMOTE_TEXT_BYTES_MAX];
        snprintf(path, sizeof path, "/swarm/why/%s%s", remote_text(t, "hashString"), r->json ? "?format=json" : "");
        buf_put(&r->out, remote_get(r, path));
    }
    json_decref(torrents);
}

const torrent_command torrent_remote_commands[] = {
    {"add", "FILE|MAGNET", "fetches or seeds it from now on", 2, REMOTE_IDS_MAX, remote_add},
    {"list", "", "all torrents, a line each", 1, 1, list},
    {"status", "[ID]", "one torrent with its pieces", 1, REMOTE_IDS_MAX, status},
    {"pause", "ID", "stops it; what came stays", 2, REMOTE_IDS_MAX, pause_each},
    {"resume", "ID", "goes on; after trouble: tries again", 2, REMOTE_IDS_MAX, resume},
    {"verify", "ID", "hashes again what is there", 2, REMOTE_IDS_MAX, verify},
    {"announce", "ID", "asks its trackers now", 2, REMOTE_IDS_MAX, reannounce},
    {"move", "ID DIR", "its files to another directory, while it runs", 3, REMOTE_IDS_MAX, move_each},
    {"remove", "ID", "forgets it; --delete-files: its files, too", 2, REMOTE_IDS_MAX, remove_each},
    {"limit", "ID", "--limit-up, --limit-down, --ratio; none takes one away", 2, REMOTE_IDS_MAX, remote_limit},
    {"sequential", "ID", "its pieces in order; --within, --rate, --first: for a player; --off", 2, REMOTE_IDS_MAX, remote_sequential},
    {"peers", "ID", "who is connected, rates and flags", 2, REMOTE_IDS_MAX, peers},
    {"files", "ID", "its files; --want, --skip, --first choose", 2, REMOTE_IDS_MAX, remote_files},
    {"why", "ID", "who is choked and why, which piece is next and why", 2, REMOTE_IDS_MAX, why},
    {0},
};
