#include "wire/bt/metainfo.h"

#include "base/bytes.h"
#include "base/utf8.h"
#include "wire/bt/path_set.h"

static const bencode_limits limits = {METAINFO_BYTES_MAX, METAINFO_NODES_MAX, METAINFO_DEPTH_MAX, false, false};

typedef struct {
    arena           *a;
    metainfo        *m;
    bencode_refusal *why;
} reading;

static bool refuse(const reading *r, const char *reason, const bencode_node *where)
{
    *r->why = (bencode_refusal){reason, where ? where->offset : 0};
    return false;
}

// Paths.

static bool is_device_name(str name)
{
    static const char *const devices[] = {"con", "prn", "aux", "nul"};
    str stem = str_cut(&name, '.');
    for (size_t i = 0; i < sizeof devices / sizeof *devices; i++)
        if (str_eq_nocase(stem, str_z(devices[i])))
            return true;
    return stem.len == 4 && (str_starts_nocase(stem, S("com")) || str_starts_nocase(stem, S("lpt"))) &&
           stem.at[3] >= '1' && stem.at[3] <= '9';
}

const char *metainfo_part_trouble(str name)
{
    if (!name.len)
        return "part of a path is empty";
    if (str_eq(name, S(".")) || str_eq(name, S("..")))
        return "part of a path is \".\" or \"..\"";
    if (name.len > METAINFO_NAME_BYTES_MAX)
        return "part of a path is too long";
    if (is_device_name(name))
        return "part of a path is a reserved device name";
    for (str rest = name; rest.len; ) {
        uint32_t code = 0;
        int taken = utf8_decode(rest, &code);
        if (!taken)
            return "part of a path is not UTF-8";
        if (code == '/' || code == '\\')
            return "part of a path holds a slash or backslash";
        if (code == 0)
            return "part of a path holds a NUL";
        if (utf8_is_control(code))
            return "part of a path holds a control character";
        rest = str_from(rest, taken);
    }
    return NULL;
}

static bool path_read(const reading *r, const bencode_node *path, str *out)
{
    if (!bencode_is(path, BENCODE_LIST))
        return refuse(r, "path is no list", path);
    if (!path->count)
        return refuse(r, "path is empty", path);
    if (path->count > METAINFO_PATH_PARTS_MAX)
        return refuse(r, "path has too many parts", path);
    ptrdiff_t size = path->count - 1;
    for (const bencode_node *part = bencode_first(path); part; part = bencode_next(path, part)) {
        if (!bencode_is(part, BENCODE_STRING))
            return refuse(r, "part of a path is no string", part);
        const char *trouble = metainfo_part_trouble(bencode_string(part));
        if (trouble)
            return refuse(r, trouble, part);
        size += bencode_string(part).len;
    }
    if (size > METAINFO_PATH_BYTES_MAX)
        return refuse(r, "path is too long", path);
    unsigned char *at = arena_array(r->a, unsigned char, size);
    if (!at)
        return refuse(r, "no memory is left", path);
    writer w = wr_into(at, (size_t)size);
    for (const bencode_node *part = bencode_first(path); part; part = bencode_next(path, part)) {
        if (wr_len(&w))
            wr_u8(&w, '/');
        wr_bytes(&w, bencode_string(part));
    }
    *out = wr_str(&w);
    return true;
}

// Lengths.

static bool length_read(const reading *r, const bencode_node *of, int64_t *out)
{
    const bencode_node *length = bencode_get(of, S("length"));
    if (!bencode_is(length, BENCODE_INTEGER))
        return refuse(r, length ? "length is no integer" : "file has no length", length ? length : of);
    if (length->integer < 0)
        return refuse(r, "length is negative", length);
    if (length->integer > METAINFO_LENGTH_MAX - r->m->length)
        return refuse(r, "lengths are too large together", length);
    *out = length->integer;
    return true;
}

static bool file_read(const reading *r, const bencode_node *item, metainfo_file *file)
{
    if (!bencode_is(item, BENCODE_DICTIONARY))
        return refuse(r, "file is no dictionary", item);
    const bencode_node *path = bencode_get(item, S("path")), *attributes = bencode_get(item, S("attr"));
    if (!path)
        return refuse(r, "file has no path", item);
    if (attributes && !bencode_is(attributes, BENCODE_STRING))
        return refuse(r, "attr is no string", attributes);
    if (str_find(bencode_string(attributes), 'l') >= 0 || bencode_get(item, S("symlink path")))
        return refuse(r, "file is a symbolic link", item);
    file->pad = str_find(bencode_string(attributes), 'p') >= 0;
    file->offset = r->m->length;
    if (!length_read(r, item, &file->length) || !path_read(r, path, &file->path))
        return false;
    r->m->length += file->length;
    return true;
}

static bool files_read(const reading *r, const bencode_node *list)
{
    metainfo *m = r->m;
    if (!bencode_is(list, BENCODE_LIST))
        return refuse(r, "files is no list", list);
    if (!list->count)
        return refuse(r, "files is empty", list);
    if (list->count > METAINFO_FILES_MAX)
        return refuse(r, "too many files", list);
    m->files = arena_array(r->a, metainfo_file, list->count);
    const bencode_node **items = arena_array(r->a, const bencode_node *, list->count);
    if (!m->files || !items)
        return refuse(r, "no memory is left", list);
    for (const bencode_node *item = bencode_first(list); item; item = bencode_next(list, item)) {
        items[m->file_count] = item;
        if (!file_read(r, item, &m->files[m->file_count]))
            return false;
        m->file_count++;
    }
    path_clash clash = path_set_clash(m->files, m->file_count, r->a);
    if (clash.kind == PATHS_NO_MEMORY)
        return refuse(r, "no memory is left", list);
    if (clash.kind != PATHS_DIFFER)
        return refuse(r, clash.kind == PATHS_SAME ? "two files have the same path" : "a file is the folder of another",
                      items[clash.file]);
    return true;
}

static bool single_read(const reading *r, const bencode_node *info)
{
    metainfo *m = r->m;
    m->single = true;
    m->files = arena_new(r->a, metainfo_file);
    if (!m->files)
        return refuse(r, "no memory is left", info);
    m->file_count = 1;
    m->files[0].path = m->name;
    if (!length_read(r, info, &m->files[0].length))
        return false;
    m->length = m->files[0].length;
    return true;
}

// Pieces.

static bool pieces_read(const reading *r, const bencode_node *info)
{
    metainfo *m = r->m;
    const bencode_node *size = bencode_get(info, S("piece length")), *pieces = bencode_get(info, S("pieces"));
    if (!bencode_is(size, BENCODE_INTEGER))
        return refuse(r, size ? "piece length is no integer" : "info has no piece length", size ? size : info);
    if (size->integer < 1)
        return refuse(r, "piece length is not positive", size);
    if (size->integer > METAINFO_PIECE_BYTES_MAX)
        return refuse(r, "piece length is too large", size);
    if (!bencode_is(pieces, BENCODE_STRING))
        return refuse(r, pieces ? "pieces is no string" : "info has no pieces", pieces ? pieces : info);
    m->piece_bytes = size->integer;
    m->pieces = bencode_string(pieces);
    if (m->pieces.len % INFO_HASH_BYTES)
        return refuse(r, "pieces is no multiple of 20 bytes", pieces);
    if (m->length == 0)
        return refuse(r, "torrent holds no bytes", info);
    int64_t count = (m->length + m->piece_bytes - 1) / m->piece_bytes;
    if (m->pieces.len / INFO_HASH_BYTES > METAINFO_PIECES_MAX || count > METAINFO_PIECES_MAX)
        return refuse(r, "too many pieces", pieces);
    if (count != m->pieces.len / INFO_HASH_BYTES)
        return refuse(r, count > m->pieces.len / INFO_HASH_BYTES ? "fewer pieces than the lengths need" :
                      "more pieces than the lengths need", pieces);
    m->piece_count = (int32_t)count;
    return true;
}

// BEP 52: version 2 has a file tree and no pieces.
static bool version_read(const reading *r, const bencode_node *info)
{
    const bencode_node *version = bencode_get(info, S("meta version"));
    bool v2 = version || bencode_get(info, S("file tree"));
    if (version && (!bencode_is(version, BENCODE_INTEGER) || version->integer < 1 || version->integer > 2))
        return refuse(r, "meta version is unknown", version);
    if (v2 && !bencode_get(info, S("pieces")))
        return refuse(r, "torrent is of version 2 only (BEP 52), which is not supported yet", version ? version : info);
    r->m->hybrid = v2;
    return true;
}

static bool info_read(const reading *r, const bencode_node *info)
{
    metainfo *m = r->m;
    if (!bencode_is(info, BENCODE_DICTIONARY))
        return refuse(r, "info is no dictionary", info);
    m->info = bencode_raw(info);
    m->info_offset = info->offset;
    const bencode_node *name = bencode_get(info, S("name")), *files = bencode_get(info, S("files"));
    const bencode_node *private = bencode_get(info, S("private"));
    if (!bencode_is(name, BENCODE_STRING))
        return refuse(r, name ? "name is no string" : "info has no name", name ? name : info);
    const char *trouble = metainfo_part_trouble(bencode_string(name));
    if (trouble)
        return refuse(r, trouble, name);
    m->name = bencode_string(name);
    if (private && (!bencode_is(private, BENCODE_INTEGER) || (private->integer & ~1ll)))
        return refuse(r, "private is neither 0 nor 1", private);
    m->private = private && private->integer == 1;
    if (files && bencode_get(info, S("length")))
        return refuse(r, "info has both length and files", files);
    return version_read(r, info) && (files ? files_read(r, files) : single_read(r, info)) && pieces_read(r, info);
}

// Trackers and web seeds.

bool metainfo_url_valid(str url, bool udp_too)
{
    if (url.len > METAINFO_URL_BYTES_MAX)
        return false;
    for (ptrdiff_t i = 0; i < url.len; i++)
        if (url.at[i] <= ' ' || url.at[i] >= 0x7f)
            return false;
    ptrdiff_t host = str_starts_nocase(url, S("http://")) ? 7 : str_starts_nocase(url, S("https://")) ? 8 :
                     udp_too && str_starts_nocase(url, S("udp://")) ? 6 : 0;
    return host && host < url.len && url.at[host] != '/' && url.at[host] != ':' && url.at[host] != '?';
}

static bool tracker_add(const reading *r, const bencode_node *url, int tier)
{
    metainfo *m = r->m;
    if (!bencode_is(url, BENCODE_STRING))
        return refuse(r, "tracker is no string", url);
    str text = bencode_string(url);
    for (int i = 0; i < m->tracker_count; i++)
        if (str_eq(m->trackers[i].url, text))
            return true;
    if (!metainfo_url_valid(text, true))
        return true;                                         // a scheme of others: passed over
    if (m->tracker_count == METAINFO_TRACKERS_MAX)
        return refuse(r, "too many trackers", url);
    m->trackers[m->tracker_count++] = (metainfo_tracker){text, tier};
    return true;
}

// BEP 12: where there is a list of tiers `announce` does not count.
static bool trackers_read(const reading *r, const bencode_node *root)
{
    metainfo *m = r->m;
    const bencode_node *announce = bencode_get(root, S("announce")), *tiers = bencode_get(root, S("announce-list"));
    m->trackers = arena_array(r->a, metainfo_tracker, METAINFO_TRACKERS_MAX);
    if (!m->trackers)
        return refuse(r, "no memory is left", root);
    if (announce && !bencode_is(announce, BENCODE_STRING))
        return refuse(r, "announce is no string", announce);
    if (tiers && !bencode_is(tiers, BENCODE_LIST))
        return refuse(r, "announce-list is no list", tiers);
    if (tiers && tiers->count > METAINFO_TRACKERS_MAX)
        return refuse(r, "too many tiers", tiers);
    int tier = 0;
    for (const bencode_node *t = bencode_first(tiers); t; t = bencode_next(tiers, t), tier++) {
        if (!bencode_is(t, BENCODE_LIST))
            return refuse(r, "tier is no list", t);
        if (t->count > METAINFO_TRACKERS_MAX)
            return refuse(r, "too many trackers", t);
        for (const bencode_node *url = bencode_first(t); url; url = bencode_next(t, url))
            if (!tracker_add(r, url, tier))
                return false;
    }
    return m->tracker_count || !announce || tracker_add(r, announce, 0);
}

// `url-list` is a list, or one string (BEP 19).
static bool seeds_read(const reading *r, const bencode_node *node, bool one_allowed, str **out, int *count)
{
    const bencode_node *url = node;
    if (!node || (one_allowed && bencode_is(node, BENCODE_STRING) && !bencode_string(node).len))
        return true;
    bool one = one_allowed && bencode_is(node, BENCODE_STRING);
    if (!one && !bencode_is(node, BENCODE_LIST))
        return refuse(r, "web seeds are no list", node);
    if (!one && node->count > METAINFO_WEB_SEEDS_MAX)
        return refuse(r, "too many web seeds", node);
    *out = arena_array(r->a, str, one ? 1 : node->count + 1);
    if (!*out)
        return refuse(r, "no memory is left", node);
    for (url = one ? node : bencode_first(node); url; url = one ? NULL : bencode_next(node, url)) {
        if (!bencode_is(url, BENCODE_STRING))
            return refuse(r, "web seed is no string", url);
        if (metainfo_url_valid(bencode_string(url), false))
            (*out)[(*count)++] = bencode_string(url);
    }
    return true;
}

static bool text_read(const reading *r, const bencode_node *root, str key, const char *trouble, str *out)
{
    const bencode_node *node = bencode_get(root, key);
    *out = bencode_string(node);
    return !node || (bencode_is(node, BENCODE_STRING) && out->len <= METAINFO_TEXT_BYTES_MAX) || refuse(r, trouble, node);
}

bool metainfo_read(str in, arena *a, metainfo *out, bencode_refusal *why)
{
    reading r = {a, out, why};
    *out = (metainfo){0};
    const bencode_node *root = bencode_read(in, &limits, a, why);
    if (!root)
        return false;
    if (!bencode_is(root, BENCODE_DICTIONARY))
        return refuse(&r, "torrent is no dictionary", root);
    const bencode_node *info = bencode_get(root, S("info")), *created = bencode_get(root, S("creation date"));
    if (!info)
        return refuse(&r, "torrent has no info", root);
    if (created && (!bencode_is(created, BENCODE_INTEGER) || created->integer < 0))
        return refuse(&r, "creation date is no time", created);
    out->created_s = created ? created->integer : 0;
    return info_read(&r, info) && trackers_read(&r, root) &&
           seeds_read(&r, bencode_get(root, S("url-list")), true, &out->web_seeds, &out->web_seed_count) &&
           seeds_read(&r, bencode_get(root, S("httpseeds")), false, &out->http_seeds, &out->http_seed_count) &&
           text_read(&r, root, S("comment"), "comment is no string or too long", &out->comment) &&
           text_read(&r, root, S("created by"), "created by is no string or too long", &out->created_by);
}

bool metainfo_info_read(str info, arena *a, metainfo *out, bencode_refusal *why)
{
    reading r = {a, out, why};
    *out = (metainfo){0};
    const bencode_node *root = bencode_read(info, &limits, a, why);
    return root && info_read(&r, root);
}

// Questions about it.

int64_t metainfo_piece_length(const metainfo *m, int32_t piece)
{
    if (piece < 0 || piece >= m->piece_count)
        return 0;
    return piece + 1 < m->piece_count ? m->piece_bytes : m->length - m->piece_bytes * piece;
}

str metainfo_piece_hash(const metainfo *m, int32_t piece)
{
    return piece < 0 || piece >= m->piece_count ? (str){0} :
           str_sub(m->pieces, (ptrdiff_t)piece * INFO_HASH_BYTES, INFO_HASH_BYTES);
}

int metainfo_file_at(const metainfo *m, int64_t offset)
{
    int low = 0, high = m->file_count;                       // the first file that ends behind the offset
    while (low < high) {
        int middle = low + (high - low) / 2;
        if (m->files[middle].offset + m->files[middle].length > offset)
            high = middle;
        else
            low = middle + 1;
    }
    return offset >= 0 && low < m->file_count ? low : -1;
}

int64_t metainfo_piece_bytes_choose(int64_t length)
{
    int64_t size = 16 << 10;
    while (size < 16 << 20 && length / size >= 2000)
        size *= 2;
    return size;
}
