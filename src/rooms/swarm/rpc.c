// One request of the remote control: which method, which torrents, what came of it.
#include "rooms/swarm/rpc_inside.h"

#include <string.h>

#include "rt/json_read.h"

enum { REQUEST_IDS_MAX = SWARM_TORRENTS_MAX };

// ---- reading --------------------------------------------------------------------------------------------------------------------

json_t *rpc_read(str body, const char **why) { return json_object_read(body, RPC_DEPTH_MAX, why); }

// ---- which torrents -------------------------------------------------------------------------------------------------------------

static int id_of(rpc *x, const json_t *one)
{
    uint8_t hash[INFO_HASH_BYTES];
    if (json_is_integer(one))
        return rpc_torrent_at(x, json_integer_value(one)) ? (int)json_integer_value(one) : 0;
    str text = str_z(json_string_value(one));
    if (text.len != 2 * INFO_HASH_BYTES || !hex_decode(hash, text))
        return 0;
    torrent *t = swarm_find(x->swarm, hash);
    return t ? rpc_number_of(x, t) : 0;
}

static void all_ids(rpc *x, int64_t changed_since_s, json_t *out)
{
    for (torrent *t = swarm_first(x->swarm); t; t = swarm_next(t)) {
        int id = rpc_number_of(x, t);
        rpc_number *n = rpc_number_at(x, id);
        if (n && n->changed_s >= changed_since_s)
            json_array_append_new(out, json_integer(id));
    }
}

json_t *rpc_ids(rpc *x, const json_t *arguments, bool *recent)
{
    const json_t *ids = json_object_get(arguments, "ids"), *one;
    json_t *out = json_array();
    size_t i;
    *recent = json_is_string(ids) && strcmp(json_string_value(ids), "recently-active") == 0;
    rpc_numbers_look(x);
    if (!ids || *recent)
        all_ids(x, *recent ? world_wall_s(x->room->world) - RPC_RECENT_S : 0, out);
    else if (!json_is_array(ids) && id_of(x, ids))
        json_array_append_new(out, json_integer(id_of(x, ids)));
    json_array_foreach(ids, i, one)
        if (i < REQUEST_IDS_MAX && id_of(x, one))
            json_array_append_new(out, json_integer(id_of(x, one)));
    return out;
}

// ---- methods that do one thing to each torrent ------------------------------------------------------------------------------------

static void start(rpc *x, torrent *t) { (void)x; torrent_resume(t); }
static void stop(rpc *x, torrent *t) { (void)x; torrent_pause(t); }
static void verify(rpc *x, torrent *t) { (void)x; torrent_verify(t); }
static void reannounce(rpc *x, torrent *t) { (void)x; torrent_reannounce(t); }

static const struct { const char *method; void (*run)(rpc *x, torrent *t); } each[] = {
    {"torrent-start", start}, {"torrent-start-now", start}, {"torrent-stop", stop}, {"torrent-verify", verify},
    {"torrent-reannounce", reannounce},
};

static bool run_each(rpc *x, const char *method, const json_t *arguments)
{
    for (size_t k = 0; k < sizeof each / sizeof *each; k++) {
        if (strcmp(method, each[k].method) != 0)
            continue;
        bool recent;
        size_t i;
        json_t *ids = rpc_ids(x, arguments, &recent), *id;
        json_array_foreach(ids, i, id) {
            torrent *t = rpc_torrent_at(x, json_integer_value(id));
            rpc_number *n = rpc_number_at(x, json_integer_value(id));
            if (t && n) {
                each[k].run(x, t);
                n->changed_s = world_wall_s(x->room->world);
            }
        }
        json_decref(ids);
        return true;
    }
    return false;
}

// ---- torrent-get, torrent-remove ---------------------------------------------------------------------------------------------------

static const char *torrent_get(rpc *x, json_t *arguments, json_t *out, arena *msg)
{
    json_t *names = json_object_get(arguments, "fields"), *format = json_object_get(arguments, "format"), *id;
    bool recent, table = json_is_string(format) && strcmp(json_string_value(format), "table") == 0;
    size_t i;
    if (!json_is_array(names) || !json_array_size(names))
        return "no fields specified";
    json_t *ids = rpc_ids(x, arguments, &recent), *all = json_array();
    if (table)
        json_array_append(all, names);
    json_array_foreach(ids, i, id) {
        json_t *one = rpc_torrent_fields(x, (int)json_integer_value(id), names, table, msg);
        if (one)
            json_array_append_new(all, one);
    }
    json_object_set_new(out, "torrents", all);
    json_decref(ids);
    if (recent) {
        json_t *removed = json_array();
        int64_t since_s = world_wall_s(x->room->world) - RPC_RECENT_S;
        for (int n = 1; n <= x->number_count; n++)
            if (rpc_number_at(x, n)->removed_s >= since_s)
                json_array_append_new(removed, json_integer(n));
        json_object_set_new(out, "removed", removed);
    }
    return NULL;
}

static const char *torrent_remove(rpc *x, json_t *arguments, json_t *out, arena *msg)
{
    bool recent, files = json_is_true(json_object_get(arguments, "delete-local-data"));
    json_t *ids = rpc_ids(x, arguments, &recent), *id;
    const char *trouble = NULL;
    size_t i;
    (void)out;
    json_array_foreach(ids, i, id) {
        str why = {0};
        torrent *t = rpc_torrent_at(x, json_integer_value(id));
        if (t && swarm_remove(t, files, msg, &why))
            trouble = str_to_z(msg, why);
    }
    json_decref(ids);
    rpc_numbers_look(x);
    return trouble;
}

static const char *torrent_set_location(rpc *x, json_t *arguments, json_t *out, arena *msg)
{
    (void)out;
    if (json_object_get(arguments, "move") && !json_is_true(json_object_get(arguments, "move")))
        return "files are moved to a new place (\"move\": true); naru does not look for them elsewhere";
    return rpc_torrents_move(x, arguments, msg);
}

static const char *torrent_rename(rpc *x, json_t *arguments, json_t *out, arena *msg)
{
    (void)x, (void)arguments, (void)out, (void)msg;
    return "files keep the names that the torrent gives them";
}

static const char *blocklist_update(rpc *x, json_t *arguments, json_t *out, arena *msg)
{
    (void)x, (void)arguments, (void)msg;
    json_object_set_new(out, "blocklist-size", json_integer(0));
    return "naru has no block list";
}

static const char *session_close(rpc *x, json_t *arguments, json_t *out, arena *msg)
{
    (void)x, (void)arguments, (void)out, (void)msg;
    return "naru is ended where it was started, not from here";
}

static const char *queue_move(rpc *x, json_t *arguments, json_t *out, arena *msg)
{
    (void)x, (void)arguments, (void)out, (void)msg;
    return NULL;                                         // nothing waits in a queue: all torrents run
}

// ---- one request ----------------------------------------------------------------------------------------------------------------

static const struct { const char *name; rpc_method *run; } methods[] = {
    {"torrent-get", torrent_get},
    {"torrent-set", rpc_torrent_set},
    {"torrent-add", rpc_torrent_add},
    {"torrent-remove", torrent_remove},
    {"torrent-set-location", torrent_set_location},
    {"torrent-rename-path", torrent_rename},
    {"session-get", rpc_session_get},
    {"session-set", rpc_session_set},
    {"session-stats", rpc_session_stats},
    {"session-close", session_close},
    {"free-space", rpc_free_space},
    {"port-test", rpc_port_test},
    {"blocklist-update", blocklist_update},
    {"queue-move-top", queue_move},
    {"queue-move-up", queue_move},
    {"queue-move-down", queue_move},
    {"queue-move-bottom", queue_move},
};

json_t *rpc_answer(rpc *x, const json_t *request, arena *msg)
{
    const char *method = json_string_value(json_object_get(request, "method")), *result = "method name not recognized";
    json_t *arguments = json_object_get(request, "arguments"), *tag = json_object_get(request, "tag"), *none = json_object();
    json_t *out = json_object(), *answer = json_object();
    if (!json_is_object(arguments))
        arguments = none;
    if (!method)
        result = "no method name";
    else if (run_each(x, method, arguments))
        result = NULL;
    for (size_t i = 0; method && i < sizeof methods / sizeof *methods; i++)
        if (strcmp(method, methods[i].name) == 0)
            result = methods[i].run(x, arguments, out, msg);
    json_object_set_new(answer, "arguments", out);
    json_object_set_new(answer, "result", rpc_text(str_z(result ? result : "success")));
    if (json_is_integer(tag))
        json_object_set(answer, "tag", tag);
    json_decref(none);
    return answer;
}
