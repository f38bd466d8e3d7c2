#include "wire/bt/dht.h"

#include <string.h>

static const bencode_limits limits = {DHT_BYTES_MAX, 400, 6, true, false};
static const char *const methods[] = {"ping", "find_node", "get_peers", "announce_peer"};

static bool refuse(bencode_refusal *why, const char *reason, const bencode_node *where)
{
    *why = (bencode_refusal){reason, where ? where->offset : 0};
    return false;
}

static bool id_take(const bencode_node *from, const char *key, uint8_t *out)
{
    str id = bencode_get_string(from, str_z(key));
    if (id.len == DHT_ID_BYTES)
        memcpy(out, id.at, DHT_ID_BYTES);
    return id.len == DHT_ID_BYTES;
}

static void want_take(const bencode_node *list, dht_message *out)
{
    for (const bencode_node *w = bencode_is(list, BENCODE_LIST) ? bencode_first(list) : NULL; w; w = bencode_next(list, w))
        out->want |= str_eq(bencode_string(w), S("n4")) ? DHT_WANT_V4 : str_eq(bencode_string(w), S("n6")) ? DHT_WANT_V6 : 0;
}

static bool query_read(const bencode_node *root, dht_message *out, bencode_refusal *why)
{
    const bencode_node *a = bencode_get(root, S("a"));
    int64_t n = 0;
    str method = bencode_get_string(root, S("q"));
    out->method = DHT_METHOD_UNKNOWN;
    for (int i = 0; i < DHT_METHOD_UNKNOWN; i++)
        if (str_eq(method, str_z(methods[i])))
            out->method = (dht_method)i;
    if (!method.len)
        return refuse(why, "query has no method", root);
    if (!id_take(a, "id", out->id))
        return refuse(why, "query has no id of 20 bytes", a ? a : root);
    out->read_only = bencode_get_integer(root, S("ro"), 1, 1, &n);
    want_take(bencode_get(a, S("want")), out);
    if (out->method == DHT_FIND_NODE && !id_take(a, "target", out->target))
        return refuse(why, "find_node has no target of 20 bytes", a);
    if ((out->method == DHT_GET_PEERS || out->method == DHT_ANNOUNCE_PEER) && !id_take(a, "info_hash", out->target))
        return refuse(why, "query has no info_hash of 20 bytes", a);
    if (out->method != DHT_ANNOUNCE_PEER)
        return true;
    out->token = bencode_get_string(a, S("token"));
    out->implied_port = bencode_get_integer(a, S("implied_port"), 1, INT64_MAX, &n);
    if (bencode_get_integer(a, S("port"), 1, UINT16_MAX, &n))
        out->port = (uint16_t)n;
    if (!out->token.len || out->token.len > DHT_TOKEN_BYTES_MAX)
        return refuse(why, "announce_peer has no token, or too long a one", a);
    return out->port || out->implied_port || refuse(why, "announce_peer has no port", a);
}

static bool nodes_take(const bencode_node *r, const char *key, int family, dht_message *out)
{
    str compact = bencode_get_string(r, str_z(key));
    reader in = rd_of(compact);
    if (compact.len % (DHT_ID_BYTES + endpoint_bytes(family)))
        return false;
    for (int taken = 0; rd_left(&in) && taken < DHT_NODES_MAX; ) {
        dht_node *n = &out->nodes[out->node_count];
        memcpy(n->id, rd_bytes(&in, DHT_ID_BYTES).at, DHT_ID_BYTES);
        n->at = endpoint_read(&in, family);
        if (n->at.port)
            out->node_count++, taken++;
    }
    return true;
}

static bool response_read(const bencode_node *root, dht_message *out, bencode_refusal *why)
{
    const bencode_node *r = bencode_get(root, S("r")), *values = bencode_get(r, S("values"));
    if (!id_take(r, "id", out->id))
        return refuse(why, "response has no id of 20 bytes", r ? r : root);
    out->token = bencode_get_string(r, S("token"));
    if (out->token.len > DHT_TOKEN_BYTES_MAX)
        return refuse(why, "token is too long", r);
    if (!nodes_take(r, "nodes", 4, out) || !nodes_take(r, "nodes6", 6, out))
        return refuse(why, "nodes are no multiple of an id, an address and a port", r);
    const bencode_node *v = bencode_is(values, BENCODE_LIST) ? bencode_first(values) : NULL;
    for (; v; v = bencode_next(values, v)) {
        str peer = bencode_string(v);
        if (peer.len == ENDPOINT_V4_BYTES || peer.len == ENDPOINT_V6_BYTES)
            (void)endpoint_read_all(peer, peer.len == ENDPOINT_V4_BYTES ? 4 : 6, out->peers, &out->peer_count, DHT_PEERS_MAX);
    }
    return true;
}

static bool error_read(const bencode_node *root, dht_message *out, bencode_refusal *why)
{
    const bencode_node *e = bencode_get(root, S("e")), *code = bencode_is(e, BENCODE_LIST) ? bencode_first(e) : NULL;
    if (!bencode_is(code, BENCODE_INTEGER) || code->integer < 0 || code->integer > UINT16_MAX)
        return refuse(why, "error has no code", e ? e : root);
    out->error = (int)code->integer;
    out->error_text = str_first(bencode_string(bencode_next(e, code)), DHT_TEXT_BYTES_MAX);
    return true;
}

bool dht_message_read(str datagram, arena *a, dht_message *out, bencode_refusal *why)
{
    *out = (dht_message){0};
    const bencode_node *root = bencode_read(datagram, &limits, a, why);
    if (!root)
        return false;
    str kind = bencode_get_string(root, S("y")), ip = bencode_get_string(root, S("ip"));
    out->transaction = bencode_get_string(root, S("t"));
    if (!out->transaction.len || out->transaction.len > DHT_TRANSACTION_BYTES_MAX)
        return refuse(why, "message has no transaction id, or too long a one", root);
    reader external = rd_of(ip);
    if (ip.len == ENDPOINT_V4_BYTES || ip.len == ENDPOINT_V6_BYTES)
        out->external = endpoint_read(&external, ip.len == ENDPOINT_V4_BYTES ? 4 : 6);
    if (str_eq(kind, S("q")))
        return query_read(root, out, why);
    out->kind = str_eq(kind, S("r")) ? DHT_RESPONSE : DHT_ERROR;
    if (out->kind == DHT_RESPONSE)
        return response_read(root, out, why);
    return str_eq(kind, S("e")) ? error_read(root, out, why) : refuse(why, "message is no query, response or error", root);
}

// Writing.

static void put_bytes(buf *out, const char *key, str value)
{
    bencode_put_key(out, key);
    bencode_put_string(out, value);
}

static void put_id(buf *out, const char *key, const uint8_t *id) { put_bytes(out, key, str_of(id, DHT_ID_BYTES)); }

static void put_arguments(buf *out, const dht_message *m)
{
    bool announces = m->method == DHT_ANNOUNCE_PEER;
    buf_put(out, S("1:ad"));
    put_id(out, "id", m->id);
    if (announces && m->implied_port)
        buf_put(out, S("12:implied_porti1e"));
    if (announces || m->method == DHT_GET_PEERS)
        put_id(out, "info_hash", m->target);
    if (announces && m->port)
        buf_format(out, "4:porti%ue", m->port);
    if (m->method == DHT_FIND_NODE)
        put_id(out, "target", m->target);
    if (announces)
        put_bytes(out, "token", m->token);
    if (m->want)
        buf_format(out, "4:wantl%s%se", m->want & DHT_WANT_V4 ? "2:n4" : "", m->want & DHT_WANT_V6 ? "2:n6" : "");
    buf_put_byte(out, 'e');
}

static void put_nodes(buf *out, const char *key, const dht_message *m, int family)
{
    int count = 0;
    for (int i = 0; i < m->node_count; i++)
        count += m->nodes[i].at.family == family;
    if (!count)
        return;
    bencode_put_key(out, key);
    buf_format(out, "%d:", count * (DHT_ID_BYTES + endpoint_bytes(family)));
    for (int i = 0; i < m->node_count; i++) {
        if (m->nodes[i].at.family != family)
            continue;
        buf_put(out, str_of(m->nodes[i].id, DHT_ID_BYTES));
        endpoint_put_all(out, &m->nodes[i].at, 1, family);
    }
}

static void put_response(buf *out, const dht_message *m)
{
    buf_put(out, S("1:rd"));
    put_id(out, "id", m->id);
    put_nodes(out, "nodes", m, 4);
    put_nodes(out, "nodes6", m, 6);
    if (m->token.len)
        put_bytes(out, "token", m->token);
    if (m->peer_count) {
        buf_put(out, S("6:valuesl"));
        for (int i = 0; i < m->peer_count; i++) {
            buf_format(out, "%d:", endpoint_bytes(m->peers[i].family));
            endpoint_put_all(out, &m->peers[i], 1, m->peers[i].family);
        }
        buf_put_byte(out, 'e');
    }
    buf_put_byte(out, 'e');
}

bool dht_message_write(buf *out, const dht_message *m)
{
    static const char *const kinds[] = {"q", "r", "e"};
    buf_put_byte(out, 'd');
    if (m->kind == DHT_QUERY)
        put_arguments(out, m);
    if (m->kind == DHT_ERROR) {
        buf_format(out, "1:eli%de", m->error);
        bencode_put_string(out, m->error_text);
        buf_put_byte(out, 'e');
    }
    if (m->external.family) {
        bencode_put_key(out, "ip");
        buf_format(out, "%d:", endpoint_bytes(m->external.family));
        endpoint_put_all(out, &m->external, 1, m->external.family);
    }
    if (m->kind == DHT_QUERY)
        put_bytes(out, "q", m->method < DHT_METHOD_UNKNOWN ? str_z(methods[m->method]) : S("unknown"));
    if (m->kind == DHT_RESPONSE)
        put_response(out, m);
    if (m->kind == DHT_QUERY && m->read_only)
        buf_put(out, S("2:roi1e"));
    put_bytes(out, "t", m->transaction);
    put_bytes(out, "y", str_z(kinds[m->kind]));
    return buf_put_byte(out, 'e');
}
