#include "wire/bt/peer_extension.h"

#include <string.h>

static const bencode_limits message_limits = {64 * 1024, 1024, 8, true, false};
static const bencode_limits head_limits = {64 * 1024, 64, 4, true, true};          // BEP 9: the piece follows the dictionary

static bool refuse(bencode_refusal *why, const char *reason, const bencode_node *where)
{
    *why = (bencode_refusal){reason, where ? where->offset : 0};
    return false;
}

static const bencode_node *dictionary_read(str in, const bencode_limits *limits, arena *a, bencode_refusal *why)
{
    const bencode_node *root = bencode_read(in, limits, a, why);
    if (root && !bencode_is(root, BENCODE_DICTIONARY))
        return refuse(why, "message is no dictionary", root), NULL;
    return root;
}

bool extension_handshake_read(str in, arena *a, extension_handshake *out, bencode_refusal *why)
{
    int64_t n = 0;
    *out = (extension_handshake){0};
    const bencode_node *root = dictionary_read(in, &message_limits, a, why);
    if (!root)
        return false;
    const bencode_node *names = bencode_get(root, S("m"));
    if (bencode_get_integer(names, S("ut_metadata"), 0, UINT8_MAX, &n))
        out->metadata = (uint8_t)n;
    if (bencode_get_integer(names, S("ut_pex"), 0, UINT8_MAX, &n))
        out->pex = (uint8_t)n;
    if (bencode_get_integer(root, S("metadata_size"), 1, EXTENSION_METADATA_MAX, &n))
        out->metadata_bytes = (int32_t)n;
    if (bencode_get_integer(root, S("reqq"), 1, INT64_MAX, &n))
        out->requests_max = n < EXTENSION_REQUESTS_MAX ? (int32_t)n : EXTENSION_REQUESTS_MAX;
    if (bencode_get_integer(root, S("p"), 1, UINT16_MAX, &n))
        out->port = (uint16_t)n;
    out->upload_only = bencode_get_integer(root, S("upload_only"), 1, INT64_MAX, &n);
    out->version = str_first(bencode_get_string(root, S("v")), EXTENSION_VERSION_BYTES_MAX);
    str ip = bencode_get_string(root, S("yourip"));
    if (ip.len == 4 || ip.len == 16) {
        out->your_ip.family = ip.len == 4 ? 4 : 6;
        memcpy(out->your_ip.ip, ip.at, (size_t)ip.len);
    }
    return true;
}

static void put_number(buf *out, const char *key, int64_t value)
{
    if (value) {
        bencode_put_key(out, key);
        bencode_put_integer(out, value);
    }
}

bool extension_handshake_write(buf *out, const extension_handshake *h)
{
    buf_put(out, S("d1:md"));
    put_number(out, "ut_metadata", h->metadata);
    put_number(out, "ut_pex", h->pex);
    buf_put_byte(out, 'e');
    put_number(out, "metadata_size", h->metadata_bytes);
    put_number(out, "p", h->port);
    put_number(out, "reqq", h->requests_max);
    put_number(out, "upload_only", h->upload_only);
    if (h->version.len) {
        bencode_put_key(out, "v");
        bencode_put_string(out, h->version);
    }
    if (h->your_ip.family) {
        bencode_put_key(out, "yourip");
        bencode_put_string(out, str_of(h->your_ip.ip, h->your_ip.family == 6 ? 16 : 4));
    }
    return buf_put_byte(out, 'e');
}

bool metadata_read(str in, arena *a, metadata_message *out, bencode_refusal *why)
{
    int64_t kind, piece, total = 0;
    *out = (metadata_message){0};
    const bencode_node *root = dictionary_read(in, &head_limits, a, why);
    if (!root)
        return false;
    if (!bencode_get_integer(root, S("msg_type"), METADATA_REQUEST, METADATA_REJECT, &kind))
        return refuse(why, "msg_type is unknown", root);
    if (!bencode_get_integer(root, S("piece"), 0, EXTENSION_METADATA_MAX / EXTENSION_METADATA_PIECE - 1, &piece))
        return refuse(why, "piece is missing or too large", root);
    out->kind = (metadata_kind)kind;
    out->piece = (int32_t)piece;
    if (kind != METADATA_DATA)
        return true;
    if (!bencode_get_integer(root, S("total_size"), 1, EXTENSION_METADATA_MAX, &total))
        return refuse(why, "total_size is missing or too large", root);
    out->total_bytes = (int32_t)total;
    out->data = str_from(in, root->len);
    int64_t left = total - piece * EXTENSION_METADATA_PIECE;
    if (left <= 0 || out->data.len != (left < EXTENSION_METADATA_PIECE ? left : EXTENSION_METADATA_PIECE))
        return refuse(why, "data is not as long as its piece", root);
    return true;
}

bool metadata_write(buf *out, const metadata_message *m)
{
    buf_format(out, "d8:msg_typei%de5:piecei%de", (int)m->kind, m->piece);
    if (m->kind == METADATA_DATA)
        buf_format(out, "10:total_sizei%de", m->total_bytes);
    return buf_put_byte(out, 'e') && (m->kind != METADATA_DATA || buf_put(out, m->data));
}

// Flags stand beside the endpoints, one byte each, so those of port 0 are taken along until they are matched.
static bool list_read(const bencode_node *root, const char *key, const char *flags_key, int family, addr *list,
                      uint8_t *flags, int *count)
{
    str compact = bencode_get_string(root, str_z(key)), marks = bencode_get_string(root, str_z(flags_key));
    if (compact.len % endpoint_bytes(family))
        return false;
    reader r = rd_of(compact);
    for (int i = 0; rd_left(&r) && i < EXTENSION_PEX_MAX; i++) {
        addr x = endpoint_read(&r, family);
        if (!x.port)
            continue;
        if (flags)
            flags[*count] = i < marks.len ? marks.at[i] : 0;
        list[(*count)++] = x;
    }
    return true;
}

bool pex_read(str in, arena *a, pex_message *out, bencode_refusal *why)
{
    *out = (pex_message){0};
    const bencode_node *root = dictionary_read(in, &message_limits, a, why);
    if (!root)
        return false;
    bool good = list_read(root, "added", "added.f", 4, out->added, out->flags, &out->added_count) &&
                list_read(root, "added6", "added6.f", 6, out->added, out->flags, &out->added_count) &&
                list_read(root, "dropped", NULL, 4, out->dropped, NULL, &out->dropped_count) &&
                list_read(root, "dropped6", NULL, 6, out->dropped, NULL, &out->dropped_count);
    return good || refuse(why, "peers are no multiple of an address and a port", root);
}

static void put_list(buf *out, const char *key, const addr *list, int count, int family)
{
    bencode_put_key(out, key);
    buf_format(out, "%d:", endpoint_count(list, count, family) * endpoint_bytes(family));
    endpoint_put_all(out, list, count, family);
}

static void put_flags(buf *out, const char *key, const pex_message *m, int family)
{
    bencode_put_key(out, key);
    buf_format(out, "%d:", endpoint_count(m->added, m->added_count, family));
    for (int i = 0; i < m->added_count; i++)
        if (m->added[i].family == family)
            buf_put_byte(out, m->flags[i]);
}

bool pex_write(buf *out, const pex_message *m)
{
    buf_put_byte(out, 'd');
    put_list(out, "added", m->added, m->added_count, 4);
    put_flags(out, "added.f", m, 4);
    put_list(out, "added6", m->added, m->added_count, 6);
    put_flags(out, "added6.f", m, 6);
    put_list(out, "dropped", m->dropped, m->dropped_count, 4);
    put_list(out, "dropped6", m->dropped, m->dropped_count, 6);
    return buf_put_byte(out, 'e');
}
