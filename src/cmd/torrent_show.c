// naru torrent show FILE|MAGNET and naru torrent magnet FILE: what a torrent says of itself.
#include "base/hex.h"
#include "base/quantity.h"
#include "base/utf8.h"
#include "cmd/torrent.h"
#include "rt/json_text.h"

// A stranger's text for a terminal: one line, no controls.
static void put_plain(buf *out, str s)
{
    while (s.len) {
        uint32_t code = 0;
        int taken = utf8_decode(s, &code);
        buf_put(out, !taken || utf8_is_control(code) ? S("?") : str_first(s, taken));
        s = str_from(s, taken ? taken : 1);
    }
}

static void put_row(buf *out, const char *title, str value)
{
    if (!value.len)
        return;
    buf_format(out, "%-12s", title);
    put_plain(out, value);
    buf_put_byte(out, '\n');
}

static void put_json_row(buf *out, const char *name, str value)
{
    buf_format(out, ",\"%s\":", name);
    json_put(out, value);
}

static void put_json_list(buf *out, const char *name, const str *values, int count)
{
    buf_format(out, ",\"%s\":[", name);
    for (int i = 0; i < count; i++) {
        buf_put(out, i ? S(",") : S(""));
        json_put(out, values[i]);
    }
    buf_put_byte(out, ']');
}

static void file_text(torrent_run *r, const metainfo *m, const uint8_t *hash)
{
    arena *a = &r->memory;
    buf *out = &r->out;
    put_row(out, "name", m->name);
    put_row(out, "info hash", hex_text(a, str_of(hash, INFO_HASH_BYTES)));
    str size = size_text(a, m->length);
    put_row(out, "length", str_format(a, "%lld bytes (" STR_FMT ")", (long long)m->length, STR_ARG(size)));
    put_row(out, "pieces", str_format(a, "%d of %lld bytes", m->piece_count, (long long)m->piece_bytes));
    put_row(out, "private", m->private ? S("yes: peers come from its trackers alone") : S(""));
    put_row(out, "version", m->hybrid ? S("1 and 2: the version 1 half is read") : S(""));
    for (int i = 0; i < m->tracker_count; i++)
        put_row(out, "tracker", str_format(a, STR_FMT " (tier %d)", STR_ARG(m->trackers[i].url), m->trackers[i].tier + 1));
    for (int i = 0; i < m->web_seed_count; i++)
        put_row(out, "web seed", m->web_seeds[i]);
    for (int i = 0; i < m->http_seed_count; i++)
        put_row(out, "http seed", m->http_seeds[i]);
    put_row(out, "comment", m->comment);
    put_row(out, "created by", m->created_by);
    if (m->created_s)
        put_row(out, "created", str_format(a, "%lld seconds since 1970", (long long)m->created_s));
    buf_format(out, "%d %s:\n", m->file_count, m->file_count == 1 ? "file" : "files");
    for (int i = 0; i < m->file_count; i++)
        buf_format(out, "%5d  %14lld  " STR_FMT "%s\n", i + 1, (long long)m->files[i].length, STR_ARG(m->files[i].path),
                   m->files[i].pad ? " (padding)" : "");
}

static void file_json(torrent_run *r, const metainfo *m, const uint8_t *hash)
{
    buf *out = &r->out;
    str urls[METAINFO_TRACKERS_MAX];
    for (int i = 0; i < m->tracker_count; i++)
        urls[i] = m->trackers[i].url;
    str digits = hex_text(&r->memory, str_of(hash, INFO_HASH_BYTES));
    buf_format(out, "{\"info_hash\":\"" STR_FMT "\"", STR_ARG(digits));
    put_json_row(out, "name", m->name);
    buf_format(out, ",\"length\":%lld,\"piece_length\":%lld,\"pieces\":%d,\"private\":%s,\"hybrid\":%s", (long long)m->length,
               (long long)m->piece_bytes, m->piece_count, m->private ? "true" : "false", m->hybrid ? "true" : "false");
    put_json_list(out, "trackers", urls, m->tracker_count);
    put_json_list(out, "web_seeds", m->web_seeds, m->web_seed_count);
    put_json_list(out, "http_seeds", m->http_seeds, m->http_seed_count);
    put_json_row(out, "comment", m->comment);
    put_json_row(out, "created_by", m->created_by);
    buf_format(out, ",\"created_s\":%lld,\"files\":[", (long long)m->created_s);
    for (int i = 0; i < m->file_count; i++) {
        buf_put(out, i ? S(",{\"path\":") : S("{\"path\":"));
        json_put(out, m->files[i].path);
        buf_format(out, ",\"length\":%lld,\"pad\":%s}", (long long)m->files[i].length, m->files[i].pad ? "true" : "false");
    }
    buf_put(out, S("]}\n"));
}

static void link_text(torrent_run *r, const magnet *m)
{
    buf *out = &r->out;
    put_row(out, "name", m->name);
    put_row(out, "info hash", hex_text(&r->memory, str_of(m->hash, INFO_HASH_BYTES)));
    for (int i = 0; i < m->tracker_count; i++)
        put_row(out, "tracker", m->trackers[i]);
    for (int i = 0; i < m->web_seed_count; i++)
        put_row(out, "web seed", m->web_seeds[i]);
    for (int i = 0; i < m->peer_count; i++)
        put_row(out, "peer", addr_text(&r->memory, m->peers[i]));
}

static void link_json(torrent_run *r, const magnet *m)
{
    buf *out = &r->out;
    str peers[MAGNET_PEERS_MAX], digits = hex_text(&r->memory, str_of(m->hash, INFO_HASH_BYTES));
    for (int i = 0; i < m->peer_count; i++)
        peers[i] = addr_text(&r->memory, m->peers[i]);
    buf_format(out, "{\"info_hash\":\"" STR_FMT "\"", STR_ARG(digits));
    put_json_row(out, "name", m->name);
    put_json_list(out, "trackers", m->trackers, m->tracker_count);
    put_json_list(out, "web_seeds", m->web_seeds, m->web_seed_count);
    put_json_list(out, "peers", peers, m->peer_count);
    buf_put(out, S("}\n"));
}

void torrent_show(torrent_run *r)
{
    metainfo m;
    magnet link;
    bencode_refusal why;
    uint8_t hash[INFO_HASH_BYTES];
    if (!str_starts_nocase(r->words[1], S("magnet:"))) {
        if (torrent_open(r, r->words[1], &m, hash))
            (r->json ? file_json : file_text)(r, &m, hash);
    } else if (!magnet_read(r->words[1], &r->memory, &link, &why)) {
        torrent_fail(r, COMMAND_USAGE, "%s (at byte %td)", why.reason, why.offset);
    } else {
        (r->json ? link_json : link_text)(r, &link);
    }
}

void torrent_magnet(torrent_run *r)
{
    metainfo m;
    uint8_t hash[INFO_HASH_BYTES];
    if (!torrent_open(r, r->words[1], &m, hash))
        return;
    str link = torrent_magnet_text(r, &m, hash);
    if (r->json) {
        buf_put(&r->out, S("{\"magnet\":"));
        json_put(&r->out, link);
        buf_put_byte(&r->out, '}');
    } else {
        buf_put(&r->out, link);
    }
    buf_put_byte(&r->out, '\n');
}
