// torrent-set and torrent-add.
#include "rooms/swarm/rpc_inside.h"

#include <string.h>

#include "base/base64.h"

enum { INTEGER_MAX = INT32_MAX, KB = 1000, RATIO_GLOBAL = 0, RATIO_SINGLE = 1, FILES_ARENA_BYTES_MAX = 1 << 20 };

static bool integer_of(const json_t *o, const char *key, int64_t *out)
{
    return json_fixed_value(json_object_get(o, key), 1, INTEGER_MAX, out);
}

static int64_t clamp(int64_t n, int64_t max) { return n < 0 ? 0 : n > max ? max : n; }

// ---- naru's own: what is to be played, which files of a magnet link -----------------------------------------------------------------

// "deadline": {"within-ms", "bytes-per-s", "files"}; see torrent_playback.
static const char *deadline_set(rpc *x, torrent *t, const json_t *said, arena *msg)
{
    const torrent_entry *e = torrent_list_find(x->swarm->entries, t->hash);
    const json_t *files = json_object_get(said, "files"), *one;
    int64_t ms = 0, rate = 0;
    size_t i;
    if (!said || !e)
        return NULL;
    if (!json_fixed_value(json_object_get(said, "within-ms"), 1, RPC_PLAY_MS_MAX, &ms) || ms < 0)
        return "invalid argument: a deadline is within-ms milliseconds from now";
    if (json_object_get(said, "bytes-per-s") && (!json_fixed_value(json_object_get(said, "bytes-per-s"), 1, RPC_PLAY_RATE_MAX, &rate) || rate < 1))
        return "invalid argument: bytes-per-s is a number of bytes";
    bool *played = json_is_array(files) ? arena_array(msg, bool, (size_t)e->file_count + 1) : NULL;
    json_array_foreach(files, i, one) {
        int64_t number = json_is_integer(one) ? json_integer_value(one) : -1;
        if (number < 0 || number >= e->file_count || !played)
            return "invalid argument: no file of this number";
        played[number] = true;
    }
    torrent_play(t, &(torrent_playback){.within_ns = ms * NS_PER_MS, .bytes_per_s = rate, .files = played, .file_count = e->file_count});
    return NULL;
}

static file_choices choices_of(const json_t *said)
{
    return (file_choices){str_z(json_string_value(json_object_get(said, "want"))), str_z(json_string_value(json_object_get(said, "skip"))),
                          str_z(json_string_value(json_object_get(said, "first")))};
}

static const char *choices_set(torrent *t, const json_t *said)
{
    return !said || torrent_choose(t, choices_of(said)) ? NULL : "its files are known already: choose them by number (files-wanted), or say it in fewer words";
}

// ---- torrent-set ----------------------------------------------------------------------------------------------------------------

// "downloadLimit" (in KB) is remembered while "downloadLimited" is false.
static void limits_set(torrent *t, rpc_number *n, const json_t *a)
{
    torrent_view v;
    int64_t kb;
    const json_t *on;
    torrent_look(t, &v);
    int64_t up = v.limit_up, down = v.limit_down;
    if (integer_of(a, "downloadLimit", &kb))
        n->limit_down = clamp(kb, RPC_RATE_KB_MAX) * KB, down = down ? n->limit_down : 0;
    if (integer_of(a, "uploadLimit", &kb))
        n->limit_up = clamp(kb, RPC_RATE_KB_MAX) * KB, up = up ? n->limit_up : 0;
    if ((on = json_object_get(a, "downloadLimited")))
        down = json_is_true(on) ? n->limit_down : 0;
    if ((on = json_object_get(a, "uploadLimited")))
        up = json_is_true(on) ? n->limit_up : 0;
    if (up != v.limit_up || down != v.limit_down)
        torrent_limit(t, up, down);
}

static void ratio_set(torrent *t, const json_t *a)
{
    torrent_view v;
    int64_t mode, per_mille;
    torrent_look(t, &v);
    bool said = json_fixed_value(json_object_get(a, "seedRatioLimit"), 1000, RPC_RATIO_MAX, &per_mille) && per_mille >= 0;
    if (!said)
        per_mille = v.ratio_per_mille;
    if (integer_of(a, "seedRatioMode", &mode))
        per_mille = mode == RATIO_GLOBAL ? 0 : mode == RATIO_SINGLE ? (per_mille > 0 ? per_mille : 2000) : -1;
    else if (!said)
        return;
    torrent_ratio(t, per_mille);
}

// An empty list of files means all of them.
static const char *numbers_take(picker_priority *all, int count, const json_t *chosen, picker_priority to)
{
    const json_t *one;
    size_t i;
    for (int f = 0; !json_array_size(chosen) && f < count; f++)
        all[f] = to;
    json_array_foreach(chosen, i, one) {
        int64_t f = json_is_integer(one) ? json_integer_value(one) : -1;
        if (f < 0 || f >= count)
            return "invalid argument: no file of this number";
        all[f] = to;
    }
    return NULL;
}

static const struct { const char *key; picker_priority to; } choices[] = {
    {"files-unwanted", PICKER_SKIP}, {"files-wanted", PICKER_NORMAL}, {"priority-low", PICKER_LOW},
    {"priority-normal", PICKER_NORMAL}, {"priority-high", PICKER_HIGH},
};
enum { CHOICES = sizeof choices / sizeof *choices };

static bool files_said(const json_t *a)
{
    bool said = false;
    for (int i = 0; i < CHOICES; i++)
        said = said || json_is_array(json_object_get(a, choices[i].key));
    return said;
}

// The priorities of `count` files after what the request says.
static const char *files_read(picker_priority *all, int count, const json_t *a)
{
    const char *trouble = NULL;
    for (int i = 0; i < CHOICES && !trouble; i++)
        if (json_is_array(json_object_get(a, choices[i].key)))
            trouble = numbers_take(all, count, json_object_get(a, choices[i].key), choices[i].to);
    return trouble;
}

static const char *all_files_set(rpc *x, torrent *t, const json_t *a)
{
    const torrent_entry *e = torrent_list_find(x->swarm->entries, t->hash);
    int count = e ? e->file_count : 0;
    if (!files_said(a))
        return NULL;
    arena memory = arena_make(FILES_ARENA_BYTES_MAX);
    picker_priority *all = arena_array(&memory, picker_priority, (size_t)count + 1);
    const char *trouble = all ? NULL : "no memory is left";
    for (int f = 0; all && f < count; f++)
        all[f] = f < e->priorities.len ? (picker_priority)e->priorities.at[f] : PICKER_NORMAL;
    if (all)
        trouble = files_read(all, count, a);
    if (!trouble && count)
        (void)torrent_files_priorities(t, all, count);
    arena_free(&memory);
    return trouble;
}

static const char *labels_set(rpc *x, torrent *t, const json_t *chosen)
{
    torrent_entry *e = torrent_list_find(x->swarm->entries, t->hash);
    const json_t *one;
    size_t i;
    if (!json_is_array(chosen) || !e)
        return NULL;
    if (json_array_size(chosen) > TORRENT_LABELS_MAX)
        return "too many labels";
    buf all = buf_make(TORRENT_LABELS_MAX * (TORRENT_LABEL_BYTES_MAX + 1));
    const char *trouble = NULL;
    json_array_foreach(chosen, i, one) {
        str label = str_z(json_string_value(one));
        if (label.len < 1 || label.len > TORRENT_LABEL_BYTES_MAX || str_find(label, '\n') >= 0 || str_find(label, ',') >= 0)
            trouble = "labels are 1 to 64 bytes, without commas";
        else if (buf_put(&all, label))
            buf_put_byte(&all, '\n');
    }
    if (!trouble) {
        torrent_entry_text(e, &e->labels, buf_str(&all));
        torrent_entry_changed(e);
    }
    buf_free(&all);
    return trouble;
}

static void entry_set(rpc *x, torrent *t, const json_t *a)
{
    torrent_entry *e = torrent_list_find(x->swarm->entries, t->hash);
    int64_t n, mode;
    if (!e)
        return;
    if (integer_of(a, "bandwidthPriority", &n))
        e->priority = n < 0 ? -1 : n > 0 ? 1 : 0;
    if (integer_of(a, "peer-limit", &n))
        e->peers_max = (int)clamp(n, SWARM_TORRENT_PEERS_MAX);
    if (integer_of(a, "seedIdleLimit", &n))
        e->idle_stop_s = clamp(n, RPC_RATE_KB_MAX) * 60;
    if (integer_of(a, "seedIdleMode", &mode))
        e->idle_stop_s = mode == RATIO_GLOBAL ? 0 : mode == RATIO_SINGLE ? (e->idle_stop_s > 0 ? e->idle_stop_s : 30 * 60) : -1;
    torrent_entry_changed(e);
}

static const char *one_set(rpc *x, torrent *t, rpc_number *n, const json_t *a, arena *msg)
{
    const char *trouble = all_files_set(x, t, a);
    if (!trouble)
        trouble = labels_set(x, t, json_object_get(a, "labels"));
    if (!trouble)
        trouble = deadline_set(x, t, json_object_get(a, "deadline"), msg);
    if (trouble)
        return trouble;
    const json_t *superseed = json_object_get(a, "superseed"), *in_order = json_object_get(a, "sequentialDownload");
    limits_set(t, n, a);
    ratio_set(t, a);
    if (superseed)
        torrent_superseed(t, json_is_true(superseed));
    if (in_order)
        torrent_sequential(t, json_is_true(in_order));
    entry_set(x, t, a);
    n->changed_s = world_wall_s(x->room->world);
    return NULL;
}

const char *rpc_torrent_set(rpc *x, json_t *arguments, json_t *out, arena *msg)
{
    static const char *const never[] = {"trackerAdd", "trackerRemove", "trackerReplace"};
    const char *trouble = NULL;
    bool recent;
    size_t i;
    (void)out;
    for (size_t k = 0; k < sizeof never / sizeof *never; k++)
        if (json_object_get(arguments, never[k]))
            return "trackers of a torrent cannot be changed here";
    json_t *ids = rpc_ids(x, arguments, &recent), *id;
    json_array_foreach(ids, i, id) {
        torrent *t = rpc_torrent_at(x, json_integer_value(id));
        rpc_number *n = rpc_number_at(x, json_integer_value(id));
        if (t && n && !trouble)
            trouble = choices_set(t, json_object_get(arguments, "files-chosen"));
        if (t && n && !trouble)
            trouble = one_set(x, t, n, arguments, msg);
    }
    json_decref(ids);
    if (!trouble && json_object_get(arguments, "location"))
        trouble = rpc_torrents_move(x, arguments, msg);
    return trouble;
}

// ---- torrent-add ----------------------------------------------------------------------------------------------------------------

static const char *addition_read(const json_t *a, swarm_addition *what, arena *msg)
{
    str name = str_z(json_string_value(json_object_get(a, "filename")));
    str coded = str_z(json_string_value(json_object_get(a, "metainfo")));
    if (coded.len) {
        unsigned char *bytes = arena_array(msg, unsigned char, base64_decoded_size_max((size_t)coded.len));
        if (!bytes)
            return "the torrent file is too large";
        what->metainfo = str_of(bytes, base64_decode_mime(bytes, coded));        // some front ends break lines
        return what->metainfo.len ? NULL : "invalid or corrupt torrent file: metainfo is no base64";
    }
    if (str_starts_nocase(name, S("magnet:"))) {
        what->magnet = name;
        what->choices = choices_of(json_object_get(a, "files-chosen"));
        return torrent_choices_usable(what->choices) ? NULL : "the files that are chosen: fewer words, and no control characters";
    }
    if (!name.len)
        return "no filename or metainfo specified";
    return "invalid or corrupt torrent file: naru reads no files and fetches no URLs for others; send the torrent's bytes (metainfo) or a magnet link";
}

// What is not wanted is not wanted from the first moment, so that no place is made for it.
static const char *selection_read(const json_t *a, swarm_addition *what, arena *msg)
{
    metainfo m;
    bencode_refusal why;
    picker_priority *all = NULL;
    if (files_said(a) && what->metainfo.len && metainfo_read(what->metainfo, msg, &m, &why))
        all = arena_array(msg, picker_priority, (size_t)m.file_count);
    if (!all)                                            // all are wanted; a magnet link; what swarm_add refuses in a moment
        return NULL;
    for (int f = 0; f < m.file_count; f++)
        all[f] = PICKER_NORMAL;
    what->files = all;
    what->file_count = m.file_count;
    return files_read(all, m.file_count, a);
}

// It begins with its limits, not a moment later.
static int64_t limit_at_first(const json_t *a, const char *number, const char *on)
{
    int64_t kb;
    return json_is_true(json_object_get(a, on)) && integer_of(a, number, &kb) ? clamp(kb, RPC_RATE_KB_MAX) * KB : 0;
}

static json_t *added_entry(rpc *x, const torrent *t, int id)
{
    static const char *const names[] = {"hashString", "id", "name"};
    json_t *fields = json_array(), *one;
    (void)t;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        json_array_append_new(fields, json_string(names[i]));
    one = rpc_torrent_fields(x, id, fields, false, NULL);
    json_decref(fields);
    return one ? one : json_object();
}

const char *rpc_torrent_add(rpc *x, json_t *arguments, json_t *out, arena *msg)
{
    const json_t *paused = json_object_get(arguments, "paused");
    swarm_addition what = {
        .directory = str_z(json_string_value(json_object_get(arguments, "download-dir"))),
        .paused = paused ? json_is_true(paused) : x->add_paused,
        .sequential = json_is_true(json_object_get(arguments, "sequentialDownload")),
        .superseed = json_is_true(json_object_get(arguments, "superseed")),
        .limit_up = limit_at_first(arguments, "uploadLimit", "uploadLimited"),
        .limit_down = limit_at_first(arguments, "downloadLimit", "downloadLimited"),
    };
    const char *trouble = addition_read(arguments, &what, msg);
    if (!trouble)
        trouble = selection_read(arguments, &what, msg);
    torrent *t = NULL;
    str why = {0};
    if (trouble)
        return trouble;
    err e = swarm_add(x->swarm, &what, &t, msg, &why);
    if (e && e != E_EXISTS)
        return str_to_z(msg, str_format(msg, "invalid or corrupt torrent file: " STR_FMT, STR_ARG(why.len ? why : str_z(err_text(e)))));
    if (!t)
        return "the torrent has gone meanwhile";
    int id = rpc_number_of(x, t);
    rpc_number *n = rpc_number_at(x, id);
    if (!n)
        return "too many torrents";
    if (e == E_OK)
        trouble = one_set(x, t, n, arguments, msg);
    json_object_set_new(out, e == E_EXISTS ? "torrent-duplicate" : "torrent-added", added_entry(x, t, id));
    return trouble;
}
