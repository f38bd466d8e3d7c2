// Writing a .torrent file: keys in sorted order, nothing that metainfo_read would refuse is made better here.
#include "wire/bt/metainfo.h"

static void files_put(buf *out, const metainfo *m)
{
    bencode_put_key(out, "files");
    buf_put_byte(out, 'l');
    for (int i = 0; i < m->file_count; i++) {
        const metainfo_file *f = &m->files[i];
        buf_put_byte(out, 'd');
        if (f->pad) {
            bencode_put_key(out, "attr");
            bencode_put_key(out, "p");
        }
        bencode_put_key(out, "length");
        bencode_put_integer(out, f->length);
        bencode_put_key(out, "path");
        buf_put_byte(out, 'l');
        for (str rest = f->path; rest.len; )
            bencode_put_string(out, str_cut(&rest, '/'));
        buf_put(out, S("ee"));
    }
    buf_put_byte(out, 'e');
}

static void info_put(buf *out, const metainfo *m)
{
    buf_put_byte(out, 'd');
    if (!m->single) {
        files_put(out, m);
    } else {
        bencode_put_key(out, "length");
        bencode_put_integer(out, m->files[0].length);
    }
    bencode_put_key(out, "name");
    bencode_put_string(out, m->name);
    bencode_put_key(out, "piece length");
    bencode_put_integer(out, m->piece_bytes);
    bencode_put_key(out, "pieces");
    bencode_put_string(out, m->pieces);
    if (m->private) {
        bencode_put_key(out, "private");
        bencode_put_integer(out, 1);
    }
    buf_put_byte(out, 'e');
}

static void trackers_put(buf *out, const metainfo *m)
{
    if (!m->tracker_count)
        return;
    bencode_put_key(out, "announce");
    bencode_put_string(out, m->trackers[0].url);
    if (m->tracker_count == 1)
        return;
    bencode_put_key(out, "announce-list");
    buf_put_byte(out, 'l');
    for (int i = 0; i < m->tracker_count; i++) {
        bool begins = i == 0 || m->trackers[i].tier != m->trackers[i - 1].tier;
        buf_put(out, begins ? i ? S("el") : S("l") : S(""));
        bencode_put_string(out, m->trackers[i].url);
    }
    buf_put(out, S("ee"));
}

static void text_put(buf *out, const char *key, str value)
{
    if (value.len) {
        bencode_put_key(out, key);
        bencode_put_string(out, value);
    }
}

static void seeds_put(buf *out, const char *key, const str *urls, int count)
{
    if (!count)
        return;
    bencode_put_key(out, key);
    buf_put_byte(out, 'l');
    for (int i = 0; i < count; i++)
        bencode_put_string(out, urls[i]);
    buf_put_byte(out, 'e');
}

bool metainfo_write(buf *out, const metainfo *m)
{
    buf_put_byte(out, 'd');
    trackers_put(out, m);
    text_put(out, "comment", m->comment);
    text_put(out, "created by", m->created_by);
    if (m->created_s) {
        bencode_put_key(out, "creation date");
        bencode_put_integer(out, m->created_s);
    }
    seeds_put(out, "httpseeds", m->http_seeds, m->http_seed_count);
    bencode_put_key(out, "info");
    info_put(out, m);
    seeds_put(out, "url-list", m->web_seeds, m->web_seed_count);
    return buf_put_byte(out, 'e');
}
