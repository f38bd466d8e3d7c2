#include "wire/bt/peer.h"

#include <string.h>

#include "base/bytes.h"

// Reserved bits (BEP 4): byte 5 bit 0x10 extension protocol, byte 7 bit 0x04 fast, bit 0x01 DHT.
static const char protocol[] = "\x13" "BitTorrent protocol";
enum { PROTOCOL_BYTES = 20, RESERVED_BYTES = 8 };

bool peer_handshake_read(str in, peer_handshake *out)
{
    *out = (peer_handshake){0};
    if (in.len < PEER_HANDSHAKE_BYTES || !str_starts(in, str_of(protocol, PROTOCOL_BYTES)))
        return false;
    const unsigned char *reserved = in.at + PROTOCOL_BYTES;
    out->extended = reserved[5] & 0x10;
    out->fast = reserved[7] & 0x04;
    out->dht = reserved[7] & 0x01;
    memcpy(out->hash, reserved + RESERVED_BYTES, PEER_HASH_BYTES);
    memcpy(out->peer_id, reserved + RESERVED_BYTES + PEER_HASH_BYTES, PEER_HASH_BYTES);
    return true;
}

void peer_handshake_write(unsigned char out[PEER_HANDSHAKE_BYTES], const peer_handshake *h)
{
    unsigned char reserved[RESERVED_BYTES] = {0};
    reserved[5] = h->extended ? 0x10 : 0;
    reserved[7] = (unsigned char)((h->fast ? 0x04 : 0) | (h->dht ? 0x01 : 0));
    writer w = wr_into(out, PEER_HANDSHAKE_BYTES);
    wr_bytes(&w, str_of(protocol, PROTOCOL_BYTES));
    wr_bytes(&w, str_of(reserved, sizeof reserved));
    wr_bytes(&w, str_of(h->hash, PEER_HASH_BYTES));
    wr_bytes(&w, str_of(h->peer_id, PEER_HASH_BYTES));
}

static peer_progress bad(const char **why, const char *reason)
{
    *why = reason;
    return PEER_BAD;
}

static bool is_fast(peer_kind kind) { return kind >= PEER_SUGGEST && kind <= PEER_ALLOWED_FAST; }

// Least and most bytes behind the kind's byte.
static void bounds(peer_kind kind, peer_rules rules, uint32_t *low, uint32_t *high)
{
    uint32_t bits = rules.piece_count ? (uint32_t)bitfield_bytes(rules.piece_count) : 0;
    switch (kind) {
    case PEER_CHOKE: case PEER_UNCHOKE: case PEER_INTERESTED: case PEER_NOT_INTERESTED: case PEER_HAVE_ALL: case PEER_HAVE_NONE:
        *low = *high = 0;
        return;
    case PEER_HAVE: case PEER_SUGGEST: case PEER_ALLOWED_FAST: *low = *high = 4; return;
    case PEER_REQUEST: case PEER_CANCEL: case PEER_REJECT: *low = *high = 12; return;
    case PEER_PORT: *low = *high = 2; return;
    case PEER_PIECE: *low = 9; *high = 8 + PEER_BLOCK_BYTES_MAX; return;
    case PEER_BITFIELD: *low = bits ? bits : 1; *high = bits ? bits : PEER_PIECES_MAX / 8; return;
    case PEER_EXTENDED: *low = 1; *high = PEER_EXTENDED_BYTES_MAX; return;
    case PEER_KEEP_ALIVE: case PEER_UNKNOWN: break;
    }
    *low = 0;
    *high = PEER_EXTENDED_BYTES_MAX;
}

static bool is_known(int kind) { return kind <= PEER_PORT || is_fast((peer_kind)kind) || kind == PEER_EXTENDED; }

static const char *body_trouble(const peer_message *m, peer_rules rules)
{
    bool has_piece = m->kind == PEER_HAVE || m->kind == PEER_REQUEST || m->kind == PEER_PIECE || m->kind == PEER_CANCEL ||
                     m->kind == PEER_SUGGEST || m->kind == PEER_REJECT || m->kind == PEER_ALLOWED_FAST;
    bool has_block = m->kind == PEER_REQUEST || m->kind == PEER_PIECE || m->kind == PEER_CANCEL || m->kind == PEER_REJECT;
    uint32_t pieces = rules.piece_count ? (uint32_t)rules.piece_count : PEER_PIECES_MAX;
    if (has_piece && m->piece >= pieces)
        return "piece is outside of the torrent";
    if (has_block && (m->length == 0 || m->length > PEER_BLOCK_BYTES_MAX))
        return "block is empty or too long";
    if (has_block && m->begin > INT32_MAX - m->length)
        return "block is outside of every piece";
    if (m->kind == PEER_BITFIELD && rules.piece_count && !bitfield_valid(m->payload, rules.piece_count))
        return "bitfield has bits behind the last piece";
    return NULL;
}

static void body_read(reader *r, peer_message *m)
{
    switch (m->kind) {
    case PEER_HAVE: case PEER_SUGGEST: case PEER_ALLOWED_FAST:
        m->piece = rd_u32(r);
        break;
    case PEER_REQUEST: case PEER_CANCEL: case PEER_REJECT:
        m->piece = rd_u32(r);
        m->begin = rd_u32(r);
        m->length = rd_u32(r);
        break;
    case PEER_PIECE:
        m->piece = rd_u32(r);
        m->begin = rd_u32(r);
        m->payload = rd_rest(r);
        m->length = (uint32_t)m->payload.len;
        break;
    case PEER_PORT:
        m->port = rd_u16(r);
        break;
    case PEER_EXTENDED:
        m->extension = rd_u8(r);
        m->payload = rd_rest(r);
        break;
    default:
        m->payload = rd_rest(r);
    }
}

peer_progress peer_message_read(str in, peer_rules rules, peer_message *out, ptrdiff_t *taken, const char **why)
{
    reader head = rd_of(in);
    uint32_t length = rd_u32(&head), low, high;
    *out = (peer_message){.kind = PEER_KEEP_ALIVE};
    *taken = 4;
    if (head.bad)
        return PEER_MORE;
    if (length == 0)
        return PEER_MESSAGE;
    if (length > 1 + 8 + PEER_BLOCK_BYTES_MAX)                           // the largest of all
        return bad(why, "message is too long");
    *taken = 4 + (ptrdiff_t)length;
    int kind = rd_u8(&head);
    if (head.bad)
        return PEER_MORE;
    out->kind = is_known(kind) ? (peer_kind)kind : PEER_UNKNOWN;
    bounds(out->kind, rules, &low, &high);
    if (length - 1 < low || length - 1 > high)
        return bad(why, "message has a length that its kind does not have");
    if (is_fast(out->kind) && !rules.fast)
        return bad(why, "message of the fast extension without its handshake");
    if (in.len < *taken)
        return PEER_MORE;
    reader r = rd_of(str_sub(in, 5, (ptrdiff_t)length - 1));
    body_read(&r, out);
    *why = body_trouble(out, rules);
    return *why ? PEER_BAD : PEER_MESSAGE;
}

int peer_head_write(unsigned char out[PEER_HEAD_BYTES_MAX], const peer_message *m)
{
    writer w = wr_into(out, PEER_HEAD_BYTES_MAX);
    wr_u32(&w, 0);
    if (m->kind == PEER_KEEP_ALIVE || m->kind == PEER_UNKNOWN)
        return (int)wr_len(&w);
    wr_u8(&w, m->kind);
    switch (m->kind) {
    case PEER_REQUEST: case PEER_CANCEL: case PEER_REJECT:
        wr_u32(&w, m->piece);
        wr_u32(&w, m->begin);
        wr_u32(&w, m->length);
        break;
    case PEER_PIECE:
        wr_u32(&w, m->piece);
        wr_u32(&w, m->begin);
        break;
    case PEER_HAVE: case PEER_SUGGEST: case PEER_ALLOWED_FAST: wr_u32(&w, m->piece); break;
    case PEER_PORT: wr_u16(&w, m->port); break;
    case PEER_EXTENDED: wr_u8(&w, m->extension); break;
    default: break;
    }
    uint32_t length = (uint32_t)(wr_len(&w) - 4 + m->payload.len);
    wr_put_u16(&w, 0, length >> 16);
    wr_put_u16(&w, 2, length & 0xffff);
    return (int)wr_len(&w);
}

bool peer_message_write(buf *out, const peer_message *m)
{
    unsigned char head[PEER_HEAD_BYTES_MAX];
    bool bare = m->kind == PEER_KEEP_ALIVE || m->kind == PEER_UNKNOWN;
    return buf_put(out, str_of(head, (size_t)peer_head_write(head, m))) && buf_put(out, bare ? (str){0} : m->payload);
}
