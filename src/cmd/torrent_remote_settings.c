// naru torrent limit, files, sequential: what a command line says of limits, files and playing, as the swarm's RPC wants to hear it.
#include "cmd/torrent_remote.h"

#include "base/quantity.h"

enum { BITS = 8, KB = 1000, RATIO_MAX = 1000000 };

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

bool remote_limits_put(torrent_run *r, json_t *arguments)
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

// What --first and --within say together: those files are played.
static void played_put(json_t *deadline, const file_choice *chosen, int count)
{
    json_t *numbers = json_array();
    for (int i = 0; i < count; i++)
        if (chosen[i] == FILE_FIRST)
            json_array_append_new(numbers, json_integer(i));
    if (json_array_size(numbers))
        json_object_set(deadline, "files", numbers);
    json_decref(numbers);
}

bool remote_selection_put(torrent_run *r, json_t *arguments, file_names of, bool only)
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
    if (json_object_get(arguments, "deadline"))
        played_put(json_object_get(arguments, "deadline"), chosen, of.count);
    return true;
}

void remote_choices_put(torrent_run *r, json_t *arguments)
{
    static const char *const keys[] = {"want", "skip", "first"};
    const str said[] = {r->files.want, r->files.skip, r->files.first};
    json_t *chosen = json_object();
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (said[i].len)
            json_object_set_new(chosen, keys[i], json_stringn((const char *)said[i].at, (size_t)said[i].len));
    json_object_set_new(arguments, "files-chosen", chosen);
}

bool remote_playing_put(torrent_run *r, json_t *arguments)
{
    int64_t within_ms = 0, bytes_per_s = 0;
    if (!torrent_playing_read(r, &within_ms, &bytes_per_s))
        return false;
    if (!within_ms)
        return true;
    json_t *deadline = json_pack("{s:I}", "within-ms", (json_int_t)within_ms);
    if (bytes_per_s)
        json_object_set_new(deadline, "bytes-per-s", json_integer(bytes_per_s));
    json_object_set_new(arguments, "deadline", deadline);
    return true;
}

// ---- verbs ----------------------------------------------------------------------------------------------------------------------

void remote_limit(torrent_run *r)
{
    json_t *arguments = json_object();
    if (!r->get.limit_up.len && !r->get.limit_down.len && !r->remote.ratio.len)
        torrent_fail(r, COMMAND_USAGE, "limit: say --limit-up RATE, --limit-down RATE, --ratio N, or several; none takes a limit away");
    if (r->trouble.len || !remote_limits_put(r, arguments))
        json_decref(arguments);
    else
        remote_each(r, "torrent-set", arguments, "limited");
}

static file_names names_of(torrent_run *r, const json_t *t)
{
    const json_t *list = json_object_get(t, "files"), *f;
    str name = str_z(remote_text(t, "name")), *paths = arena_array(&r->memory, str, json_array_size(list) + 1);
    file_names of = {name, paths, 0};
    size_t i;
    json_array_foreach(list, i, f) {
        str path = str_z(remote_text(f, "name"));
        bool inside = str_starts(path, name) && str_starts(str_from(path, name.len), S("/"));
        if (paths)
            paths[of.count++] = inside ? str_from(path, name.len + 1) : path;
    }
    return of;
}

// One torrent, its files chosen by its own names; of a magnet link whose files nobody knows yet the words are kept there.
static void files_change(torrent_run *r, const json_t *t, json_t *arguments)
{
    file_names of = names_of(r, t);
    bool good = true, first_time = json_is_object(json_object_get(t, "filesChosen"));      // then what is not wanted is not, as with add
    json_object_set_new(arguments, "ids", json_pack("[I]", (json_int_t)remote_number(t, "id")));
    if (of.count)
        good = remote_selection_put(r, arguments, of, first_time);
    else
        remote_choices_put(r, arguments);
    if (good)
        json_decref(remote_ask(r, "torrent-set", json_incref(arguments)));
}

static const char *const files_fields[] = {"id", "name", "files", "filesChosen", "fileStats"};
enum { FILES_FIELDS = sizeof files_fields / sizeof *files_fields, NAMES_FIELDS = 4 };

// Answers how many torrents were changed.
static size_t files_change_each(torrent_run *r, json_t *arguments)
{
    json_t *ids = remote_ids(r), *torrents = ids ? remote_torrents(r, ids, files_fields, NAMES_FIELDS) : NULL, *t;
    size_t i, count = json_array_size(torrents);
    json_array_foreach(torrents, i, t) {
        json_t *own = json_deep_copy(arguments);
        if (!r->trouble.len)
            files_change(r, t, own);
        json_decref(own);
    }
    json_decref(torrents);
    return count;
}

void remote_files(torrent_run *r)
{
    json_t *nothing = json_object();
    if (files_chosen(r->files))
        (void)files_change_each(r, nothing);
    if (!r->trouble.len)
        remote_show_each(r, files_fields, FILES_FIELDS, remote_print_files);
    json_decref(nothing);
}

void remote_sequential(torrent_run *r)
{
    bool off = r->remote.off;
    json_t *arguments = json_pack("{s:b}", "sequentialDownload", !off);
    if (off)
        json_object_set_new(arguments, "deadline", json_pack("{s:i}", "within-ms", 0));
    if (off && (r->playing.within.len || r->playing.rate.len || r->files.first.len)) {
        torrent_fail(r, COMMAND_USAGE, "sequential: --off takes deadlines away; say it alone");
    } else if (!off && !remote_playing_put(r, arguments)) {
        // said
    } else if (r->files.first.len) {
        r->files.want = r->files.skip = (str){0};
        size_t count = files_change_each(r, arguments);
        if (!r->trouble.len)
            buf_format(&r->out, r->json ? "{}\n" : "%zu torrent%s in order\n", count, count == 1 ? "" : "s");
    } else {
        remote_each(r, "torrent-set", json_incref(arguments), off ? "rarest first again" : "in order");
    }
    json_decref(arguments);
}
