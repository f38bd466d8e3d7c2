// naru's own page on the remote control's port: three files that stand in the binary, and the live data they show.
#include "rooms/swarm/rpc_inside.h"

#include <string.h>

#include "base/embedded.h"
#include "rt/json_text.h"

extern const embedded_file swarm_page_files[];           // tools/embed

enum { LIVE_BYTES_MAX = 16 << 20, WHY_BYTES_MAX = 1 << 20 };

static json_t *names_of(const char *const *names, int count)
{
    json_t *all = json_array();
    for (int i = 0; i < count; i++)
        json_array_append_new(all, json_string(names[i]));
    return all;
}

// ---- data -----------------------------------------------------------------------------------------------------------------------

static const char *const row[] = {
    "id", "hashString", "name", "status", "percentDone", "rateDownload", "rateUpload", "sizeWhenDone", "haveValid", "leftUntilDone", "eta",
    "error", "errorString", "peersConnected", "peersSendingToUs", "peersGettingFromUs", "uploadRatio", "uploadedEver", "metadataPercentComplete",
    "recheckProgress", "isPrivate", "downloadDir",
};
static const char *const one[] = {
    "id", "hashString", "name", "pieceCount", "pieceSize", "pieces", "peers", "files", "fileStats", "trackerStats", "downloadedEver", "addedDate",
    "doneDate", "magnetLink", "comment", "corruptEver",
};
enum { ROW = sizeof row / sizeof *row, ONE = sizeof one / sizeof *one };

json_t *rpc_live_torrents(rpc *x)
{
    json_t *names = names_of(row, ROW), *all = json_array(), *o = json_object(), *stats = json_object();
    rpc_numbers_look(x);
    for (int id = 1; id <= x->number_count; id++) {
        json_t *t = rpc_torrent_fields(x, id, names, false, NULL);
        if (t)
            json_array_append_new(all, t);
    }
    rpc_session_stats(x, NULL, stats, NULL);
    swarm_view v;
    swarm_look(x->swarm, &v);
    json_object_set_new(o, "torrents", all);
    json_object_set_new(o, "stats", stats);
    json_object_set_new(o, "limit_up", json_integer(v.limit_up));
    json_object_set_new(o, "limit_down", json_integer(v.limit_down));
    json_object_set_new(o, "host", rpc_text(world_name(x->room->world)));
    json_decref(names);
    return o;
}

json_t *rpc_live_torrent(rpc *x, torrent *t)
{
    buf text = buf_make(WHY_BYTES_MAX);
    torrent_why(t, &text, true);
    json_t *why = json_loadb((const char *)text.at, text.len, 0, NULL), *names = names_of(one, ONE);
    buf_free(&text);
    json_t *o = rpc_torrent_fields(x, rpc_number_of(x, t), names, false, NULL);
    json_decref(names);
    if (!o)
        o = json_object();
    json_object_set_new(o, "why", why ? why : json_null());
    return o;
}

// ---- requests -------------------------------------------------------------------------------------------------------------------

static int json_into(const char *bytes, size_t size, void *out)
{
    return buf_put(out, str_of(bytes, size)) ? 0 : -1;
}

static void answer_live(rpc *x, str path, http_reply *reply)
{
    uint8_t hash[INFO_HASH_BYTES];
    str hex = str_from(path, str_rfind(path, '/') + 1);
    torrent *t = hex.len == 2 * INFO_HASH_BYTES && hex_decode(hash, hex) ? swarm_find(x->swarm, hash) : NULL;
    if (!str_eq(path, S("/live")) && !t) {
        http_answer(reply, 404, S("text/plain; charset=utf-8"), S("no torrent of this hash\n"));
        return;
    }
    json_t *o = t ? rpc_live_torrent(x, t) : rpc_live_torrents(x);
    buf out = buf_make(LIVE_BYTES_MAX);
    bool fits = json_dump_callback(o, json_into, &out, JSON_COMPACT | JSON_FIXED_FLAGS) == 0;
    http_answer_header(reply, S("Cache-Control"), S("no-store"));
    if (fits)
        http_answer(reply, 200, S("application/json"), buf_str(&out));
    else
        http_answer(reply, 500, S("text/plain; charset=utf-8"), S("too much to be shown at once\n"));
    buf_free(&out);
    json_decref(o);
}

static str type_of(str name)
{
    return str_ends(name, S(".js"))    ? S("text/javascript; charset=utf-8")
           : str_ends(name, S(".css")) ? S("text/css; charset=utf-8")
                                       : S("text/html; charset=utf-8");
}

static void answer_file(str name, http_reply *reply)
{
    for (const embedded_file *f = swarm_page_files; f->name; f++)
        if (str_eq(name, str_z(f->name))) {
            http_answer_header(reply, S("Content-Security-Policy"), S("default-src 'self'; frame-ancestors 'none'; base-uri 'none'"));
            http_answer_header(reply, S("X-Content-Type-Options"), S("nosniff"));
            http_answer_header(reply, S("Referrer-Policy"), S("no-referrer"));
            http_answer_header(reply, S("Cache-Control"), S("no-cache"));
            http_answer(reply, 200, type_of(name), f->text);
            return;
        }
    http_answer(reply, 404, S("text/plain; charset=utf-8"), S("nothing is here; the page is at /\n"));
}

void rpc_page(rpc *x, const http_request *q, http_reply *reply, arena *msg)
{
    (void)msg;
    if (!str_eq(q->method, S("GET")) && !str_eq(q->method, S("HEAD"))) {
        http_answer(reply, 405, S("text/plain; charset=utf-8"), S("changes are requested at /transmission/rpc\n"));
    } else if (str_eq(q->path, S("/live")) || str_starts(q->path, S("/live/"))) {
        answer_live(x, q->path, reply);
    } else if (str_starts(q->path, S("/transmission"))) {
        http_answer_header(reply, S("Location"), S("/"));
        http_answer(reply, 301, S("text/plain; charset=utf-8"), S("the page is at /\n"));
    } else {
        answer_file(str_eq(q->path, S("/")) ? S("swarm.html") : str_from(q->path, 1), reply);
    }
}
