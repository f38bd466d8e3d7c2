#include "cmd/torrent_remote.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/base64.h"
#include "base/quantity.h"
#include "cmd/running.h"
#include "rt/json_fixed.h"

enum { NODES_MAX = 64, BITS = 8, KB = 1000, WATCH_MS = 1000, RATIO_MAX = 1000000, JSON_SHOWN = JSON_INDENT(2) | JSON_FIXED_FLAGS };

// ---- asking -----------------------------------------------------------------------------------------------------------------

static bool node_find(torrent_run *r)
{
    running_node nodes[NODES_MAX];
    str found;
    if (r->node.len)
        return true;
    if (!running_find(&r->memory, r->remote.naru, &found)) {
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

static json_t *torrents_with(torrent_run *r, json_t *ids, const char *const *fields, int count)
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
static json_t *ids_read(torrent_run *r)
{
    static const char *const fields[] = {"id", "hashString", "name"};
    json_t *all = torrents_with(r, NULL, fields, 3), *ids = json_array(), *t;
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

static bool rate_read(torrent_run *r, str text, const char *option, int64_t *bytes_per_s)
{
    int64_t bits;
    *bytes_per_s = 0;
    if (!text.len || str_eq(text, S("0")) || str_eq(text, S("none")))
        return true;
    if (!rate_parse(text, &bits) || bits < BITS * KB) {
        torrent_fail(r, COMMAND_USAGE, "--%s " STR_FMT ": say a rate of at least 8kbit, as 8Mbit, or none", option, STR_ARG(text));
        return false;
    }
    *bytes_per_s = bits / BITS;
    return true;
}

static void limit_put(json_t *arguments, str said, const char *number, const char *on, int64_t bytes_per_s)
{
    if (!said.len)
        return;
    if (bytes_per_s)
        json_object_set_new(arguments, number, json_integer(bytes_per_s / KB));
    json_object_set_new(arguments, on, json_boolean(bytes_per_s > 0));
}

// "1.5": thousandths at the finest, as the service keeps it.
static bool ratio_put(torrent_run *r, json_t *arguments)
{
    str ratio = r->remote.ratio, fraction = ratio, whole = str_cut(&fraction, '.');
    uint64_t n = 0, part = 0, scale = 1;
    for (ptrdiff_t i = 0; i < fraction.len && i < 3; i++)
        scale *= 10;
    if (!ratio.len)
        return true;
    if (str_eq(ratio, S("none")) || str_eq(ratio, S("default"))) {
        json_object_set_new(arguments, "seedRatioMode", json_integer(str_eq(ratio, S("none")) ? 2 : 0));
        return true;
    }
    if (!str_to_u64(whole, &n) || n > RATIO_MAX || fraction.len > 3 || (fraction.len && !str_to_u64(fraction, &part)) || n + part == 0) {
        torrent_fail(r, COMMAND_USAGE, "--ratio " STR_FMT ": say a number as 2 or 1.5, none or default", STR_ARG(ratio));
        return false;
    }
    json_object_set_new(arguments, "seedRatioLimit", json_real((double)n + (double)part / (double)scale));
    json_object_set_new(arguments, "seedRatioMode", json_integer(1));
    return true;
}

static bool limits_put(torrent_run *r, json_t *arguments)
{
    int64_t up, down;
    if (!rate_read(r, r->get.limit_up, "limit-up", &up) || !rate_read(r, r->get.limit_down, "limit-down", &down))
        return false;
    limit_put(arguments, r->get.limit_up, "uploadLimit", "uploadLimited", up);
    limit_put(arguments, r->get.limit_down, "downloadLimit", "downloadLimited", down);
    return ratio_put(r, arguments);
}

static void choice_put(json_t *arguments, const char *key, const file_choice *chosen, int count, file_choice meant)
{
    json_t *numbers = json_array();
    for (int i = 0; i < count; i++)
        if (chosen[i] == meant)
            json_array_append_new(numbers, json_integer(i));
    if (json_array_size(numbers))                        // an empty list means all files
        json_object_set(arguments, key, numbers);
    json_decref(numbers);
}

static bool selection_put(torrent_run *r, json_t *arguments, file_names of, bool only)
{
    str wrong = {0};
    file_choice *chosen = arena_array(&r->memory, file_choice, (size_t)of.count + 1);
    if (!chosen || !files_choose(r->files, of, only, chosen, &wrong)) {
        torrent_fail(r, COMMAND_USAGE, "no file of " STR_FMT " is \"" STR_FMT "\": say numbers (1,3-5) or names (*.pdf, week1/) as `naru torrent show` "
                     "and `files` list them", STR_ARG(of.name), STR_ARG(wrong));
        return false;
    }
    choice_put(arguments, "files-unwanted", chosen, of.count, FILE_SKIPPED);
    choice_put(arguments, "files-wanted", chosen, of.count, FILE_WANTED);
    choice_put(arguments, "priority-high", chosen, of.count, FILE_FIRST);
    return true;
}

static bool selection_of_metainfo(torrent_run *r, json_t *arguments, str bytes)
{
    metainfo m;
    bencode_refusal why;
    if (!files_chosen(r->files))
        return true;
    if (!metainfo_read(bytes, &r->memory, &m, &why)) {
        torrent_fail(r, COMMAND_USAGE, "%s (at byte %td)", why.reason, why.offset);
        return false;
    }
    str *paths = arena_array(&r->memory, str, (size_t)m.file_count + 1);
    for (int i = 0; paths && i < m.file_count; i++)
        paths[i] = m.files[i].path;
    return paths && selection_put(r, arguments, (file_names){m.name, paths, m.file_count}, true);
}

static void json_show(torrent_run *r, json_t *o)
{
    size_t n = json_dumpb(o, NULL, 0, JSON_SHOWN);
    unsigned char *to = o ? buf_room(&r->out, n) : NULL;
    if (to) {
        buf_added(&r->out, json_dumpb(o, (char *)to, n, JSON_SHOWN));
        buf_put_byte(&r->out, '\n');
    }
}

// ---- verbs ---------------------------------------------------------------------------------------------------------------------

static bool addition_put(torrent_run *r, str what, json_t *arguments)
{
    str bytes;
    if (str_starts_nocase(what, S("magnet:"))) {
        if (files_chosen(r->files)) {
            torrent_fail(r, COMMAND_USAGE, "which files a magnet link has is known when peers have told: add it, then naru torrent files ID --want ...");
            return false;
        }
        json_object_set_new(arguments, "filename", json_stringn((const char *)what.at, (size_t)what.len));
        return true;
    }
    err e = file_read_all(r->world, str_to_z(&r->memory, what), &r->memory, METAINFO_BYTES_MAX, &bytes);
    if (e) {
        torrent_fail(r, COMMAND_USAGE, STR_FMT ": %s", STR_ARG(what), err_text(e));
        return false;
    }
    str coded = base64_text(&r->memory, bytes);
    json_object_set_new(arguments, "metainfo", json_stringn((const char *)coded.at, (size_t)coded.len));
    return selection_of_metainfo(r, arguments, bytes);
}

static str absolute(torrent_run *r, str path)
{
    char here[REMOTE_TEXT_BYTES_MAX * 10];
    if (str_starts(path, S("/")) || !getcwd(here, sizeof here))
        return path;
    return str_format(&r->memory, "%s/" STR_FMT, here, STR_ARG(path));
}

static void add_one(torrent_run *r, str what)
{
    json_t *arguments = json_object(), *out, *added;
    if (r->get.dir.len) {
        str dir = absolute(r, r->get.dir);
        json_object_set_new(arguments, "download-dir", json_stringn((const char *)dir.at, (size_t)dir.len));
    }
    json_object_set_new(arguments, "paused", json_boolean(r->remote.paused));
    json_object_set_new(arguments, "sequentialDownload", json_boolean(r->get.sequential));
    if (r->get.superseed)
        json_object_set_new(arguments, "superseed", json_true());
    if (!addition_put(r, what, arguments) || !limits_put(r, arguments)) {
        json_decref(arguments);
        return;
    }
    if (!(out = remote_ask(r, "torrent-add", arguments)))
        return;
    added = json_object_get(out, "torrent-added");
    const json_t *there = added ? added : json_object_get(out, "torrent-duplicate");
    if (r->json)
        json_show(r, out);
    else
        buf_format(&r->out, "%s %lld  %s\n", added ? "added" : "is there already:", remote_number(there, "id"), remote_text(there, "name"));
    json_decref(out);
}

static void add(torrent_run *r)
{
    for (int i = 1; i < r->word_count && !r->trouble.len; i++)
        add_one(r, r->words[i]);
}

static const char *const row[] = {"id", "hashString", "name", "status", "percentDone", "recheckProgress", "metadataPercentComplete", "sizeWhenDone",
                                  "haveValid", "rateDownload", "rateUpload", "peersConnected", "peersSendingToUs", "peersGettingFromUs", "eta",
                                  "error", "errorString", "uploadRatio", "seedRatioLimit", "seedRatioMode", "downloadDir", "pieceCount", "pieceSize", "pieces", "trackerStats"};
enum { ROW = sizeof row / sizeof *row, ROW_SHORT = 17 };

static void show(torrent_run *r, bool whole)
{
    json_t *ids = r->word_count > 1 ? ids_read(r) : NULL, *t;
    size_t i;
    if (r->trouble.len)
        return;
    json_t *torrents = torrents_with(r, ids, row, whole ? ROW : ROW_SHORT);
    if (!torrents)
        return;
    if (r->json)
        json_show(r, torrents);
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

static void each(torrent_run *r, const char *method, json_t *arguments, const char *done)
{
    json_t *ids = ids_read(r), *out = NULL;
    size_t count = json_array_size(ids);
    if (ids) {
        json_object_set_new(arguments, "ids", ids);
        out = remote_ask(r, method, json_incref(arguments));
    }
    json_decref(arguments);
    if (!out)
        return;
    if (r->json)
        json_show(r, out);
    else
        buf_format(&r->out, "%zu torrent%s %s\n", count, count == 1 ? "" : "s", done);
    json_decref(out);
}

static void pause_each(torrent_run *r) { each(r, "torrent-stop", json_object(), "paused"); }
static void resume(torrent_run *r) { each(r, "torrent-start", json_object(), "resumed"); }
static void verify(torrent_run *r) { each(r, "torrent-verify", json_object(), "to be checked"); }
static void reannounce(torrent_run *r) { each(r, "torrent-reannounce", json_object(), "announced"); }

static void remove_each(torrent_run *r)
{
    each(r, "torrent-remove", json_pack("{s:b}", "delete-local-data", r->remote.delete_files), r->remote.delete_files ? "removed, with files" : "removed; files stay");
}

// The last word is the directory.
static void move_each(torrent_run *r)
{
    str to = absolute(r, r->words[--r->word_count]);
    each(r, "torrent-set-location", json_pack("{s:s%, s:b}", "location", to.at, (size_t)to.len, "move", true), "moved");
}

static void limit(torrent_run *r)
{
    json_t *arguments = json_object();
    if (!r->get.limit_up.len && !r->get.limit_down.len && !r->remote.ratio.len)
        torrent_fail(r, COMMAND_USAGE, "limit: say --limit-up RATE, --limit-down RATE, --ratio N, or several; none takes a limit away");
    if (r->trouble.len || !limits_put(r, arguments))
        json_decref(arguments);
    else
        each(r, "torrent-set", arguments, "limited");
}

static void peers_or_files(torrent_run *r, const char *const *fields, int count, void print(torrent_run *r, const json_t *t))
{
    json_t *ids = ids_read(r), *torrents = ids ? torrents_with(r, ids, fields, count) : NULL, *t;
    size_t i;
    if (torrents && r->json)
        json_show(r, torrents);
    else
        json_array_foreach(torrents, i, t)
            print(r, t);
    json_decref(torrents);
}

static void peers(torrent_run *r)
{
    static const char *const fields[] = {"id", "name", "peers"};
    peers_or_files(r, fields, 3, remote_print_peers);
}

static void files_change(torrent_run *r, const json_t *t)
{
    const json_t *list = json_object_get(t, "files"), *f;
    str *paths = arena_array(&r->memory, str, json_array_size(list) + 1), name = str_z(remote_text(t, "name"));
    json_t *arguments = json_pack("{s:[I]}", "ids", (json_int_t)remote_number(t, "id"));
    int count = 0;
    size_t i;
    json_array_foreach(list, i, f) {
        str path = str_z(remote_text(f, "name"));
        bool inside = str_starts(path, name) && str_starts(str_from(path, name.len), S("/"));
        paths[count++] = inside ? str_from(path, name.len + 1) : path;
    }
    if (!count)
        torrent_fail(r, COMMAND_FAILED, "the files of " STR_FMT " are not known yet", STR_ARG(name));
    else if (selection_put(r, arguments, (file_names){name, paths, count}, false))
        json_decref(remote_ask(r, "torrent-set", json_incref(arguments)));
    json_decref(arguments);
}

static void files(torrent_run *r)
{
    static const char *const fields[] = {"id", "name", "files", "fileStats"};
    if (files_chosen(r->files)) {
        json_t *ids = ids_read(r), *torrents = ids ? torrents_with(r, ids, fields, 3) : NULL, *t;
        size_t i;
        json_array_foreach(torrents, i, t)
            if (!r->trouble.len)
                files_change(r, t);
        json_decref(torrents);
    }
    if (!r->trouble.len)
        peers_or_files(r, fields, 4, remote_print_files);
}

static void why(torrent_run *r)
{
    static const char *const fields[] = {"hashString"};
    json_t *ids = ids_read(r), *torrents = ids ? torrents_with(r, ids, fields, 1) : NULL, *t;
    size_t i;
    json_array_foreach(torrents, i, t) {
        char path[REMOTE_TEXT_BYTES_MAX];
        snprintf(path, sizeof path, "/swarm/why/%s%s", remote_text(t, "hashString"), r->json ? "?format=json" : "");
        buf_put(&r->out, remote_get(r, path));
    }
    json_decref(torrents);
}

static const struct { const char *name; int words_min, words_max; void (*run)(torrent_run *r); } verbs[] = {
    {"add", 2, REMOTE_IDS_MAX, add},
    {"list", 1, 1, list},
    {"status", 1, REMOTE_IDS_MAX, status},
    {"pause", 2, REMOTE_IDS_MAX, pause_each},
    {"resume", 2, REMOTE_IDS_MAX, resume},
    {"verify", 2, REMOTE_IDS_MAX, verify},
    {"announce", 2, REMOTE_IDS_MAX, reannounce},
    {"remove", 2, REMOTE_IDS_MAX, remove_each},
    {"move", 3, REMOTE_IDS_MAX, move_each},
    {"limit", 2, REMOTE_IDS_MAX, limit},
    {"peers", 2, REMOTE_IDS_MAX, peers},
    {"files", 2, REMOTE_IDS_MAX, files},
    {"why", 2, REMOTE_IDS_MAX, why},
};

torrent_verb *torrent_remote(str verb, int words)
{
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
        if (str_eq(verb, str_z(verbs[i].name)) && words >= verbs[i].words_min && words <= verbs[i].words_max)
            return verbs[i].run;
    return NULL;
}
