#include "wire/bt/magnet.h"

#include <string.h>

#include "base/hex.h"

enum { BASE32_DIGITS = 32, HEX_DIGITS = 40 };

static bool refuse(bencode_refusal *why, const char *reason, ptrdiff_t offset)
{
    *why = (bencode_refusal){reason, offset};
    return false;
}

// RFC 4648 section 6, without padding: 32 digits are 20 bytes.
static bool base32_decode(unsigned char *out, str in)
{
    uint32_t bits = 0;
    int held = 0;
    for (ptrdiff_t i = 0; i < in.len; i++) {
        unsigned char c = lower(in.at[i]);
        int digit = c >= 'a' && c <= 'z' ? c - 'a' : c >= '2' && c <= '7' ? c - '2' + 26 : -1;
        if (digit < 0)
            return false;
        bits = (bits << 5 | (uint32_t)digit) & 0xfff;
        held += 5;
        if (held >= 8)
            *out++ = (unsigned char)(bits >> (held -= 8));
    }
    return true;
}

static bool decode(str in, arena *a, str *out)
{
    unsigned char *to = arena_array(a, unsigned char, in.len + 1);
    ptrdiff_t n = 0;
    for (ptrdiff_t i = 0; to && i < in.len; i++) {
        int c = in.at[i];
        if (c == '%') {
            if (i + 2 >= in.len || hex_digit(in.at[i + 1]) < 0 || hex_digit(in.at[i + 2]) < 0)
                return false;
            c = hex_digit(in.at[i + 1]) * 16 + hex_digit(in.at[i + 2]);
            i += 2;
        } else if (c == '+') {
            c = ' ';
        }
        to[n++] = (unsigned char)c;
    }
    *out = (str){to, n};
    return to != NULL;
}

typedef struct { bool v1, v2; } seen;

static const char *topic_take(magnet *m, str value, seen *s)
{
    uint8_t hash[INFO_HASH_BYTES];
    if (str_starts_nocase(value, S("urn:btmh:")))
        return s->v2 = true, NULL;
    if (!str_starts_nocase(value, S("urn:btih:")))
        return NULL;
    str digits = str_from(value, 9);
    if (digits.len == HEX_DIGITS ? !hex_decode(hash, digits) : digits.len != BASE32_DIGITS || !base32_decode(hash, digits))
        return "info hash is neither 40 hexadecimal nor 32 base32 digits";
    if (s->v1 && memcmp(m->hash, hash, sizeof hash) != 0)
        return "magnet link has two info hashes";
    memcpy(m->hash, hash, sizeof hash);
    s->v1 = true;
    return NULL;
}

static const char *parameter_take(magnet *m, str name, str value, seen *s)
{
    addr peer;
    // "tr.1" is a tracker, too, and "xt.1" a topic.
    if (str_eq(name, S("xt")) || str_starts(name, S("xt.")))
        return topic_take(m, value, s);
    if (str_eq(name, S("dn")))
        m->name = str_first(value, METAINFO_NAME_BYTES_MAX);
    else if ((str_eq(name, S("tr")) || str_starts(name, S("tr."))) && m->tracker_count < MAGNET_TRACKERS_MAX &&
             metainfo_url_valid(value, true))
        m->trackers[m->tracker_count++] = value;
    else if (str_eq(name, S("ws")) && m->web_seed_count < MAGNET_WEB_SEEDS_MAX && metainfo_url_valid(value, false))
        m->web_seeds[m->web_seed_count++] = value;
    else if (str_eq(name, S("x.pe")) && m->peer_count < MAGNET_PEERS_MAX && addr_parse(value, 0, &peer) && peer.port)
        m->peers[m->peer_count++] = peer;
    return NULL;
}

bool magnet_read(str in, arena *a, magnet *out, bencode_refusal *why)
{
    seen s = {0};
    *out = (magnet){0};
    if (in.len > MAGNET_BYTES_MAX)
        return refuse(why, "magnet link is too long", MAGNET_BYTES_MAX);
    if (!str_starts_nocase(in, S("magnet:?")))
        return refuse(why, "this is no magnet link", 0);
    for (str rest = str_from(in, 8); rest.len; ) {
        ptrdiff_t offset = rest.at - in.at;
        str value = str_cut(&rest, '&'), name = str_cut(&value, '='), text;
        if (!decode(value, a, &text))
            return refuse(why, a->full ? "no memory is left" : "a % has no two digits behind it", offset);
        const char *trouble = parameter_take(out, name, text, &s);
        if (trouble)
            return refuse(why, trouble, offset);
    }
    return s.v1 || refuse(why, s.v2 ? "magnet link is of version 2 only (BEP 52), which is not supported yet" :
                          "magnet link has no info hash", 0);
}

static void parameter_put(buf *out, const char *name, str value)
{
    buf_format(out, "&%s=", name);
    percent_put(out, value, S(""));
}

bool magnet_write(buf *out, const magnet *m)
{
    unsigned char digits[HEX_DIGITS];
    char peer[ADDR_TEXT_MAX];
    hex_encode(digits, str_of(m->hash, sizeof m->hash));
    buf_put(out, S("magnet:?xt=urn:btih:"));
    buf_put(out, str_of(digits, sizeof digits));
    if (m->name.len)
        parameter_put(out, "dn", m->name);
    for (int i = 0; i < m->tracker_count; i++)
        parameter_put(out, "tr", m->trackers[i]);
    for (int i = 0; i < m->web_seed_count; i++)
        parameter_put(out, "ws", m->web_seeds[i]);
    for (int i = 0; i < m->peer_count; i++) {
        addr_print(peer, m->peers[i]);
        parameter_put(out, "x.pe", str_z(peer));
    }
    return !out->full;
}
