// torrent-get: the fields of a torrent, one small function each, in a table by name.
#include "rooms/swarm/rpc_fields.h"

#include <string.h>

#include "base/base64.h"
#include "base/heap_memory.h"
#include "wire/bt/magnet.h"

enum { STATUS_STOPPED, STATUS_CHECK_WAIT, STATUS_CHECK, STATUS_DOWNLOAD_WAIT, STATUS_DOWNLOAD, STATUS_SEED_WAIT, STATUS_SEED };
enum { TROUBLE_NONE, TROUBLE_TRACKER_WARNING, TROUBLE_TRACKER, TROUBLE_LOCAL };    // error
enum { ETA_NONE = RPC_NO_FIGURE, ETA_UNKNOWN = -2 };
enum { RATIO_GLOBAL, RATIO_SINGLE, RATIO_UNLIMITED };
enum { RATIO_NONE = -1, FIELD_META_BYTES_MAX = 64 << 20, PLAIN_BYTES = 200 };

json_t *rpc_text(str s)
{
    json_t *good = json_stringn(s.len ? (const char *)s.at : "", (size_t)s.len);
    if (good)
        return good;
    char plain[PLAIN_BYTES];
    size_t n = 0;
    for (; n < sizeof plain && n < (size_t)s.len; n++)
        plain[n] = s.at[n] >= ' ' && s.at[n] < 0x7f ? (char)s.at[n] : '?';
    return json_stringn(plain, n);
}

static int64_t left(const torrent_facts *f) { return f->v.wanted_bytes - f->v.have_bytes > 0 ? f->v.wanted_bytes - f->v.have_bytes : 0; }

// ---- what it is -----------------------------------------------------------------------------------------------------------------

static json_t *f_id(const torrent_facts *f) { return number(f->id); }
static json_t *f_name(const torrent_facts *f) { return rpc_text(f->v.name); }
static json_t *f_hash(const torrent_facts *f)
{
    unsigned char hex[2 * INFO_HASH_BYTES];
    hex_encode(hex, str_of(f->v.hash, INFO_HASH_BYTES));
    return rpc_text(str_of(hex, sizeof hex));
}
static json_t *f_private(const torrent_facts *f) { return json_boolean(f->v.is_private); }
static json_t *f_sequential(const torrent_facts *f) { return json_boolean(f->v.sequential); }
static json_t *f_superseed(const torrent_facts *f) { return json_boolean(f->v.superseed); }
static json_t *f_total(const torrent_facts *f) { return number(f->v.length); }
static json_t *f_piece_count(const torrent_facts *f) { return number(f->v.piece_count); }
static json_t *f_piece_size(const torrent_facts *f) { return number(f->v.piece_bytes ? f->v.piece_bytes : f->meta.piece_bytes); }
static json_t *f_file_count(const torrent_facts *f) { return number(f->v.file_count); }
static json_t *f_comment(const torrent_facts *f) { return rpc_text(f->meta.comment); }
static json_t *f_creator(const torrent_facts *f) { return rpc_text(f->meta.created_by); }
static json_t *f_created(const torrent_facts *f) { return number(f->meta.created_s); }
static json_t *f_directory(const torrent_facts *f) { return rpc_text(f->v.directory); }
static json_t *f_metadata(const torrent_facts *f)
{
    return f->v.state == TORRENT_METADATA ? share(f->v.metadata_have, f->v.metadata_bytes) : json_fixed(1, 1);
}

static json_t *f_magnet(const torrent_facts *f)
{
    magnet link = {.name = f->v.name};
    memcpy(link.hash, f->v.hash, sizeof link.hash);
    for (int i = 0; i < f->meta.tracker_count && i < MAGNET_TRACKERS_MAX; i++)
        link.trackers[link.tracker_count++] = f->meta.trackers[i].url;
    buf out = buf_make(MAGNET_BYTES_MAX);
    json_t *o = magnet_write(&out, &link) ? rpc_text(buf_str(&out)) : json_string("");
    buf_free(&out);
    return o;
}

static json_t *f_torrent_file(const torrent_facts *f)
{
    str directory = torrent_list_directory(f->x->swarm->entries);
    unsigned char hex[2 * INFO_HASH_BYTES];
    hex_encode(hex, str_of(f->v.hash, INFO_HASH_BYTES));
    return json_sprintf(STR_FMT "/" STR_FMT ".torrent", STR_ARG(directory), STR_ARG(str_of(hex, sizeof hex)));
}

static json_t *f_labels(const torrent_facts *f)
{
    json_t *all = json_array();
    for (str rest = f->entry ? f->entry->labels : S(""); rest.len;) {
        str label = str_cut(&rest, '\n');
        if (label.len)
            json_array_append_new(all, rpc_text(label));
    }
    return all;
}

static json_t *f_webseeds(const torrent_facts *f)
{
    json_t *all = json_array();
    for (int i = 0; i < f->meta.web_seed_count; i++)
        json_array_append_new(all, rpc_text(f->meta.web_seeds[i]));
    return all;
}

static json_t *f_webseeds_sending(const torrent_facts *f) { return number(f->v.web_seeds_sending); }

// ---- how it stands --------------------------------------------------------------------------------------------------------------

static json_t *f_status(const torrent_facts *f)
{
    static const int of[] = {
        [TORRENT_PAUSED] = STATUS_STOPPED,    [TORRENT_QUEUED] = STATUS_DOWNLOAD_WAIT,     [TORRENT_METADATA] = STATUS_DOWNLOAD,
        [TORRENT_CHECKING] = STATUS_CHECK,    [TORRENT_DOWNLOADING] = STATUS_DOWNLOAD,     [TORRENT_SEEDING] = STATUS_SEED,
        [TORRENT_TROUBLE] = STATUS_STOPPED,
    };
    return number(f->v.state == TORRENT_QUEUED && f->v.complete ? STATUS_SEED_WAIT : of[f->v.state]);
}

static json_t *f_error(const torrent_facts *f)
{
    return number(f->v.trouble.len ? TROUBLE_LOCAL : torrent_trackers_trouble(f->t).len ? TROUBLE_TRACKER : TROUBLE_NONE);
}

static json_t *f_error_text(const torrent_facts *f)
{
    return rpc_text(f->v.trouble.len ? f->v.trouble : torrent_trackers_trouble(f->t));
}

static json_t *f_eta(const torrent_facts *f)
{
    bool moves = f->v.state == TORRENT_DOWNLOADING;
    return number(moves && f->v.eta_s >= 0 ? f->v.eta_s : moves ? ETA_UNKNOWN : ETA_NONE);
}

static json_t *f_stalled(const torrent_facts *f)
{
    return json_boolean(f->v.state == TORRENT_DOWNLOADING && !f->v.peers_sending && !f->v.rate_down);
}

static json_t *f_done(const torrent_facts *f)
{
    return f->v.wanted_bytes > 0 || !f->v.length ? share(f->v.have_bytes, f->v.wanted_bytes) : json_fixed(1, 1);
}

static json_t *f_recheck(const torrent_facts *f) { return share(f->v.checked_pieces, f->v.piece_count); }
static json_t *f_valid(const torrent_facts *f) { return number(f->v.have_bytes); }
static json_t *f_left(const torrent_facts *f) { return number(left(f)); }
static json_t *f_wanted_size(const torrent_facts *f) { return number(f->v.wanted_bytes); }
static json_t *f_finished(const torrent_facts *f)
{
    int64_t goal = f->v.ratio_per_mille ? f->v.ratio_per_mille : f->x->swarm->ratio_per_mille;
    return json_boolean(f->v.complete && f->v.state == TORRENT_PAUSED && goal > 0 && f->v.sent * 1000 >= goal * f->v.length);
}
static json_t *f_added(const torrent_facts *f) { return number(f->v.added_s); }
static json_t *f_completed(const torrent_facts *f) { return number(f->v.completed_s); }
static json_t *f_activity(const torrent_facts *f) { return number(f->entry ? f->entry->active_s : 0); }
static json_t *f_edited(const torrent_facts *f) { return number(f->number ? f->number->changed_s : 0); }
static json_t *f_seconds_down(const torrent_facts *f) { return number(f->entry ? f->entry->downloading_s : 0); }
static json_t *f_seconds_up(const torrent_facts *f) { return number(f->entry ? f->entry->seeding_s : 0); }
static json_t *f_sent(const torrent_facts *f) { return number(f->v.sent); }
static json_t *f_received(const torrent_facts *f) { return number(f->v.received); }
static json_t *f_corrupt(const torrent_facts *f) { return number(f->v.wasted); }
static json_t *f_rate_down(const torrent_facts *f) { return number(f->v.rate_down); }
static json_t *f_rate_up(const torrent_facts *f) { return number(f->v.rate_up); }
static json_t *f_ratio(const torrent_facts *f)
{
    int64_t base = f->v.received > 0 ? f->v.received : f->v.have_bytes;
    return base > 0 ? share(f->v.sent, base) : json_fixed(RATIO_NONE, 1);
}

// Bytes that somebody connected has and we lack; all of it when a seed is there.
static json_t *f_available(const torrent_facts *f)
{
    if (f->v.seeds || !f->t->picker || !f->v.piece_bytes)
        return number(left(f));
    int64_t bytes = 0;
    for (int32_t i = 0; i < f->v.piece_count; i++)
        if (!bitfield_has(picker_have(f->t->picker), i) && picker_availability(f->t->picker, i) > 0
            && picker_priority_of(f->t->picker, i) != PICKER_SKIP)
            bytes += f->v.piece_bytes;
    return number(bytes < left(f) ? bytes : left(f));
}

// One that sleeps holds no bitfield; when it is complete, we know it all the same.
static str pieces_of(const torrent_facts *f, unsigned char *all_set)
{
    str raw = torrent_pieces(f->t);
    if (raw.len || !f->v.complete || f->v.piece_count < 1)
        return raw;
    int32_t bytes = (f->v.piece_count + 7) / 8;
    memset(all_set, 0xff, (size_t)bytes);
    all_set[bytes - 1] = (unsigned char)(0xff << (8 * bytes - f->v.piece_count));
    return str_of(all_set, (size_t)bytes);
}

static json_t *f_pieces(const torrent_facts *f)
{
    unsigned char *all_set = memory_new((size_t)f->v.piece_count / 8 + 1);
    str raw = pieces_of(f, all_set);
    size_t size = base64_encoded_size((size_t)raw.len);
    unsigned char *coded = memory_new(size + 1);
    json_t *o = json_stringn((char *)coded, base64_encode(coded, raw));
    memory_free(coded);
    memory_free(all_set);
    return o;
}

static json_t *f_connected(const torrent_facts *f) { return number(f->v.peers); }
static json_t *f_taking(const torrent_facts *f) { return number(f->v.peers_taking); }
static json_t *f_sending(const torrent_facts *f) { return number(f->v.peers_sending); }

// ---- settings -------------------------------------------------------------------------------------------------------------------

enum { KB = 1000 };                          // a rate's unit, as `units` of session-get says

static json_t *f_limit_down(const torrent_facts *f) { return number((f->v.limit_down ? f->v.limit_down : f->number ? f->number->limit_down : 0) / KB); }
static json_t *f_limited_down(const torrent_facts *f) { return json_boolean(f->v.limit_down > 0); }
static json_t *f_limit_up(const torrent_facts *f) { return number((f->v.limit_up ? f->v.limit_up : f->number ? f->number->limit_up : 0) / KB); }
static json_t *f_limited_up(const torrent_facts *f) { return json_boolean(f->v.limit_up > 0); }
static json_t *f_ratio_limit(const torrent_facts *f)
{
    int64_t goal = f->v.ratio_per_mille > 0 ? f->v.ratio_per_mille : f->x->swarm->ratio_per_mille;
    return json_fixed(goal > 0 ? goal : RPC_RATIO_USUAL, 1000);
}
static json_t *f_ratio_mode(const torrent_facts *f)
{
    return number(f->v.ratio_per_mille == 0 ? RATIO_GLOBAL : f->v.ratio_per_mille > 0 ? RATIO_SINGLE : RATIO_UNLIMITED);
}
static json_t *f_idle_limit(const torrent_facts *f) { return number(f->entry && f->entry->idle_stop_s > 0 ? f->entry->idle_stop_s / 60 : 30); }
static json_t *f_idle_mode(const torrent_facts *f)
{
    int64_t s = f->entry ? f->entry->idle_stop_s : 0;
    return number(s == 0 ? RATIO_GLOBAL : s > 0 ? RATIO_SINGLE : RATIO_UNLIMITED);
}
static json_t *f_honors(const torrent_facts *f) { (void)f; return json_true(); }
static json_t *f_peer_limit(const torrent_facts *f)
{
    return number(f->entry && f->entry->peers_max ? f->entry->peers_max : f->x->swarm->torrent_peers_max);
}
static json_t *f_bandwidth_priority(const torrent_facts *f) { return number(f->entry ? f->entry->priority : 0); }
static json_t *f_queue(const torrent_facts *f) { return number(f->entry ? f->entry->number : 0); }
static json_t *f_zero(const torrent_facts *f) { (void)f; return number(0); }
static json_t *f_none(const torrent_facts *f) { (void)f; return number(ETA_NONE); }

// naru's own: the words that choose a magnet link's files, until they are known.
static json_t *f_chosen(const torrent_facts *f)
{
    file_choices c = f->entry ? torrent_choices(f->entry) : (file_choices){0};
    json_t *o = files_chosen(c) ? json_object() : json_null();
    const struct { const char *key; str words; } said[] = {{"want", c.want}, {"skip", c.skip}, {"first", c.first}};
    for (size_t i = 0; i < sizeof said / sizeof *said; i++)
        if (said[i].words.len)
            json_object_set_new(o, said[i].key, rpc_text(said[i].words));
    return o;
}

// ---- the table ------------------------------------------------------------------------------------------------------------------

static const struct { const char *name; field_value *value; bool meta; } fields[] = {
    {"activityDate", f_activity, false},
    {"addedDate", f_added, false},
    {"bandwidthPriority", f_bandwidth_priority, false},
    {"comment", f_comment, true},
    {"corruptEver", f_corrupt, false},
    {"creator", f_creator, true},
    {"dateCreated", f_created, true},
    {"desiredAvailable", f_available, false},
    {"doneDate", f_completed, false},
    {"downloadDir", f_directory, false},
    {"downloadLimit", f_limit_down, false},
    {"downloadLimited", f_limited_down, false},
    {"downloadedEver", f_received, false},
    {"editDate", f_edited, false},
    {"error", f_error, false},
    {"errorString", f_error_text, false},
    {"eta", f_eta, false},
    {"etaIdle", f_none, false},
    {"file-count", f_file_count, false},
    {"fileStats", rpc_f_file_stats, true},
    {"files", rpc_f_files, true},
    {"filesChosen", f_chosen, false},
    {"hashString", f_hash, false},
    {"haveUnchecked", f_zero, false},
    {"haveValid", f_valid, false},
    {"honorsSessionLimits", f_honors, false},
    {"id", f_id, false},
    {"isFinished", f_finished, false},
    {"isPrivate", f_private, false},
    {"isStalled", f_stalled, false},
    {"labels", f_labels, false},
    {"leftUntilDone", f_left, false},
    {"magnetLink", f_magnet, true},
    {"manualAnnounceTime", f_zero, false},
    {"maxConnectedPeers", f_peer_limit, false},
    {"metadataPercentComplete", f_metadata, false},
    {"name", f_name, false},
    {"peer-limit", f_peer_limit, false},
    {"peers", rpc_f_peers, false},
    {"peersConnected", f_connected, false},
    {"peersFrom", rpc_f_peers_from, false},
    {"peersGettingFromUs", f_taking, false},
    {"peersSendingToUs", f_sending, false},
    {"percentDone", f_done, false},
    {"pieceCount", f_piece_count, false},
    {"pieceSize", f_piece_size, true},
    {"pieces", f_pieces, false},
    {"priorities", rpc_f_priorities, true},
    {"queuePosition", f_queue, false},
    {"rateDownload", f_rate_down, false},
    {"rateUpload", f_rate_up, false},
    {"recheckProgress", f_recheck, false},
    {"secondsDownloading", f_seconds_down, false},
    {"secondsSeeding", f_seconds_up, false},
    {"seedIdleLimit", f_idle_limit, false},
    {"seedIdleMode", f_idle_mode, false},
    {"seedRatioLimit", f_ratio_limit, false},
    {"seedRatioMode", f_ratio_mode, false},
    {"sequentialDownload", f_sequential, false},
    {"sizeWhenDone", f_wanted_size, false},
    {"startDate", f_added, false},
    {"status", f_status, false},
    {"superseed", f_superseed, false},
    {"torrentFile", f_torrent_file, false},
    {"totalSize", f_total, false},
    {"trackerStats", rpc_f_tracker_stats, false},
    {"trackers", rpc_f_trackers, true},
    {"uploadLimit", f_limit_up, false},
    {"uploadLimited", f_limited_up, false},
    {"uploadRatio", f_ratio, false},
    {"uploadedEver", f_sent, false},
    {"wanted", rpc_f_wanted, true},
    {"webseeds", f_webseeds, true},
    {"webseedsSendingToUs", f_webseeds_sending, false},
};
enum { FIELDS = sizeof fields / sizeof *fields };

static int field_find(const char *name)
{
    int low = 0, high = FIELDS;
    while (name && low < high) {
        int middle = (low + high) / 2, order = strcmp(name, fields[middle].name);
        if (order == 0)
            return middle;
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return -1;
}

bool rpc_field_known(const char *name) { return field_find(name) >= 0; }

static bool wants_meta(const json_t *names)
{
    size_t i;
    const json_t *name;
    json_array_foreach(names, i, name) {
        int at = field_find(json_string_value(name));
        if (at >= 0 && fields[at].meta)
            return true;
    }
    return false;
}

static bool facts_take(rpc *x, int id, const json_t *names, arena *msg, torrent_facts *f)
{
    *f = (torrent_facts){.x = x, .id = id, .t = rpc_torrent_at(x, id)};
    if (f->t && wants_meta(names)) {
        bencode_refusal refusal;
        str why, bytes = torrent_metainfo(f->t, msg, &why);
        if (bytes.len && !metainfo_read(bytes, msg, &f->meta, &refusal))
            f->meta = (metainfo){0};
        f->t = rpc_torrent_at(x, id);                    // it may have been removed while we read
    }
    if (!f->t)
        return false;
    torrent_look(f->t, &f->v);
    f->entry = torrent_list_find(x->swarm->entries, f->v.hash);
    f->number = rpc_number_at(x, id);
    return true;
}

json_t *rpc_torrent_fields(rpc *x, int id, const json_t *names, bool table, arena *msg)
{
    arena own = arena_make(FIELD_META_BYTES_MAX);
    torrent_facts f;
    json_t *out = NULL;
    (void)msg;
    if (facts_take(x, id, names, &own, &f)) {
        size_t i;
        const json_t *name;
        out = table ? json_array() : json_object();
        json_array_foreach(names, i, name) {
            int at = field_find(json_string_value(name));
            if (table)
                json_array_append_new(out, at >= 0 ? fields[at].value(&f) : json_null());
            else if (at >= 0)
                json_object_set_new(out, fields[at].name, fields[at].value(&f));
        }
    }
    arena_free(&own);
    return out;
}
