// naru torrent add: a torrent file's bytes, or a magnet link, to the swarm of a running naru.
#include <unistd.h>

#include "base/base64.h"
#include "cmd/torrent_remote.h"

static bool selection_of_metainfo(torrent_run *r, json_t *arguments, const metainfo *m)
{
    str *paths = arena_array(&r->memory, str, (size_t)m->file_count + 1);
    for (int i = 0; paths && i < m->file_count; i++)
        paths[i] = m->files[i].path;
    return paths && remote_selection_put(r, arguments, (file_names){m->name, paths, m->file_count}, true);
}

// What the service would refuse is refused here, with the file's name.
static bool addition_put(torrent_run *r, str what, json_t *arguments)
{
    str bytes;
    metainfo m;
    magnet link;
    bencode_refusal why;
    if (str_starts_nocase(what, S("magnet:"))) {
        if (!magnet_read(what, &r->memory, &link, &why))
            return torrent_fail(r, COMMAND_USAGE, "this is no magnet link: %s (at byte %td)", why.reason, why.offset), false;
        json_object_set_new(arguments, "filename", json_stringn((const char *)what.at, (size_t)what.len));
        if (files_chosen(r->files))
            remote_choices_put(r, arguments);
        return true;
    }
    if (!torrent_read(r, what, &bytes))
        return false;
    if (!metainfo_read(bytes, &r->memory, &m, &why))
        return torrent_fail(r, COMMAND_USAGE, STR_FMT ": %s (at byte %td)", STR_ARG(what), why.reason, why.offset), false;
    str coded = base64_text(&r->memory, bytes);
    json_object_set_new(arguments, "metainfo", json_stringn((const char *)coded.at, (size_t)coded.len));
    return !files_chosen(r->files) || selection_of_metainfo(r, arguments, &m);
}

str remote_absolute(torrent_run *r, str path)
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
        str dir = remote_absolute(r, r->get.dir);
        json_object_set_new(arguments, "download-dir", json_stringn((const char *)dir.at, (size_t)dir.len));
    }
    json_object_set_new(arguments, "paused", json_boolean(r->remote.paused));
    json_object_set_new(arguments, "sequentialDownload", json_boolean(r->get.sequential));
    if (r->get.superseed)
        json_object_set_new(arguments, "superseed", json_true());
    if (!remote_playing_put(r, arguments) || !addition_put(r, what, arguments) || !remote_limits_put(r, arguments)) {
        json_decref(arguments);
        return;
    }
    if (!(out = remote_ask(r, "torrent-add", arguments)))
        return;
    added = json_object_get(out, "torrent-added");
    const json_t *there = added ? added : json_object_get(out, "torrent-duplicate");
    if (r->json)
        remote_show_json(r, out);
    else
        buf_format(&r->out, "%s %lld  %s%s\n", added ? "added" : "is there already:", remote_number(there, "id"), remote_text(there, "name"),
                   !added && files_chosen(r->files) ? " (naru torrent files chooses among its files)" : "");
    json_decref(out);
}

void remote_add(torrent_run *r)
{
    for (int i = 1; i < r->word_count && !r->trouble.len; i++)
        add_one(r, r->words[i]);
}
