// Rdata as text, both ways.
#include "wire/dns/rdata.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/address.h"


enum {
    TEXT_PER_BYTE = 4,                     // of rdata: \DDD; the blanks and quotes between fields never need more,
    TEXT_EXTRA = 64,                       // but for a type's mnemonic and the \# form's head
    STRING_MAX = 255,                      // bytes of a <character-string>
    WORD_MAX = 40,                         // text of one number or address
};

static bool fail(const char **why, const char *sentence)
{
    *why = sentence;
    return false;
}

// Seconds.

static uint64_t unit_seconds(unsigned char unit)
{
    switch (lower(unit)) {
    case 's': return 1;
    case 'm': return 60;
    case 'h': return 3600;
    case 'd': return 86400;
    case 'w': return 604800;
    default: return 0;
    }
}

bool dns_ttl_from_text(str text, uint32_t *seconds)
{
    uint64_t total = 0;
    if (text.len == 0)
        return false;
    while (text.len) {
        uint64_t number = 0;
        ptrdiff_t digits = 0;
        while (digits < text.len && is_digit(text.at[digits]))
            digits++;
        if (digits > 10 || !str_to_u64(str_first(text, digits), &number))
            return false;
        text = str_from(text, digits);
        uint64_t unit = text.len ? unit_seconds(text.at[0]) : 1;
        text = str_from(text, 1);
        total += number * unit;
        if (unit == 0 || total > UINT32_MAX)
            return false;
    }
    *seconds = (uint32_t)total;
    return true;
}

// Wire to text.

static void __attribute__((format(printf, 2, 3))) put(writer *out, const char *format, ...)
{
    char word[WORD_MAX];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(word, sizeof word, format, args);
    va_end(args);
    wr_bytes(out, str_of(word, n < WORD_MAX ? (size_t)n : WORD_MAX - 1));
}

static void string_to_text(writer *out, str bytes)
{
    wr_u8(out, '"');
    for (ptrdiff_t i = 0; i < bytes.len; i++) {
        unsigned char c = bytes.at[i];
        if (c < ' ' || c >= 0x7f)
            put(out, "\\%03u", c);
        else if (c == '"' || c == '\\')
            put(out, "\\%c", c);
        else
            wr_u8(out, c);
    }
    wr_u8(out, '"');
}

static void hex_to_text(writer *out, str bytes)
{
    for (ptrdiff_t i = 0; i < bytes.len; i++)
        put(out, "%02X", bytes.at[i]);
}

static void strings_to_text(writer *out, reader *r)
{
    while (rd_left(r) > 0) {
        string_to_text(out, rd_bytes(r, rd_u8(r)));
        if (rd_left(r) > 0)
            wr_u8(out, ' ');
    }
}

static addr address_read(reader *r, bool six)
{
    addr x = {.family = six ? 6 : 4};
    str ip = rd_bytes(r, six ? 16 : 4);
    memcpy(x.ip, ip.at, (size_t)ip.len);
    return x;
}

static void field_to_text(writer *out, arena *a, dns_field_kind kind, reader *r)
{
    switch (kind) {
    case DNS_FIELD_NAME:
    case DNS_FIELD_NAME_READ:
    case DNS_FIELD_NAME_PLAIN: wr_bytes(out, dns_name_text(a, dns_name_read_plain(r))); break;
    case DNS_FIELD_U8: put(out, "%u", rd_u8(r)); break;
    case DNS_FIELD_U16: put(out, "%u", rd_u16(r)); break;
    case DNS_FIELD_U32:
    case DNS_FIELD_TTL: put(out, "%u", rd_u32(r)); break;
    case DNS_FIELD_TYPE: wr_bytes(out, dns_type_text(a, rd_u16(r))); break;
    case DNS_FIELD_A:
    case DNS_FIELD_AAAA: wr_bytes(out, addr_ip_text(a, address_read(r, kind == DNS_FIELD_AAAA))); break;
    case DNS_FIELD_STRING: string_to_text(out, rd_bytes(r, rd_u8(r))); break;
    case DNS_FIELD_STRINGS: strings_to_text(out, r); break;
    case DNS_FIELD_TEXT_REST: string_to_text(out, rd_rest(r)); break;
    case DNS_FIELD_HEX_REST: hex_to_text(out, rd_rest(r)); break;
    case DNS_FIELD_END: break;
    }
}

// RFC 3597 5: \# length hex.
static void opaque_to_text(writer *out, str rdata)
{
    put(out, "\\# %td", rdata.len);
    if (rdata.len)
        wr_u8(out, ' ');
    hex_to_text(out, rdata);
}

str dns_rdata_text(arena *a, unsigned type, str rdata)
{
    size_t room = (size_t)rdata.len * TEXT_PER_BYTE + TEXT_EXTRA;
    unsigned char *at = arena_alloc(a, room, 1, 1);
    writer out = wr_into(at, at ? room : 0);
    const dns_rdata_field *field = dns_rdata_fields(type);
    reader r = rd_of(rdata);
    if (!field || !dns_rdata_valid(type, rdata))
        opaque_to_text(&out, rdata);
    else
        for (; field->kind != DNS_FIELD_END; field++) {
            if (wr_len(&out) && (rd_left(&r) > 0 || field->kind != DNS_FIELD_HEX_REST))
                wr_u8(&out, ' ');
            field_to_text(&out, a, field->kind, &r);
        }
    return out.bad ? (str){0} : wr_str(&out);
}

// Text to wire.

typedef struct {
    arena *a;
    const dns_token *at, *end;       // words not used yet
    dns_name origin;
    const char *why;
} words;

static bool word_next(words *t, dns_token *word)
{
    if (t->at == t->end)
        return fail(&t->why, "the record's data has too few fields");
    *word = *t->at++;
    return true;
}

static bool number_next(words *t, uint64_t max, uint64_t *number)
{
    dns_token word;
    if (!word_next(t, &word))
        return false;
    return (str_to_u64(word.text, number) && *number <= max) ||
           fail(&t->why, "a field of the record's data should be a number and is not, or is too large");
}

static bool string_next(words *t, writer *w)
{
    dns_token word;
    unsigned char bytes[STRING_MAX];
    ptrdiff_t len;
    if (!word_next(t, &word))
        return false;
    if (!dns_token_bytes(word.text, bytes, STRING_MAX, &len))
        return fail(&t->why, "a text has a broken escape or is longer than 255 bytes: split it into several quoted texts");
    wr_u8(w, (unsigned)len);
    wr_bytes(w, (str){bytes, len});
    return true;
}

static int hex_digit(unsigned char c)
{
    c = lower(c);
    return is_digit(c) ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

// All words to the end are hex digits; blanks may split them anywhere.
static bool hex_rest(words *t, writer *w)
{
    int high = -1;
    for (; t->at < t->end; t->at++)
        for (ptrdiff_t i = 0; i < t->at->text.len; i++) {
            int digit = hex_digit(t->at->text.at[i]);
            if (digit < 0)
                return fail(&t->why, "hex data holds something that is no hex digit");
            if (high >= 0)
                wr_u8(w, (unsigned)(high << 4 | digit));
            high = high < 0 ? digit : -1;
        }
    return high < 0 || fail(&t->why, "hex data has an odd number of digits");
}

static bool text_rest(words *t, writer *w)
{
    dns_token word;
    ptrdiff_t len, room = wr_left(w);
    if (!word_next(t, &word))
        return false;
    if (!dns_token_bytes(word.text, w->at, room, &len))
        return fail(&t->why, "a text has a broken escape or is too long");
    w->at += len;
    return true;
}

static bool name_next(words *t, writer *w)
{
    dns_token word;
    dns_name name;
    if (!word_next(t, &word) || !dns_name_from_text(t->a, word.text, t->origin, &name, &t->why))
        return false;
    wr_bytes(w, name);
    return true;
}

static bool address_next(words *t, writer *w, bool six)
{
    dns_token word;
    addr address;
    if (!word_next(t, &word))
        return false;
    if (!addr_parse_ip(word.text, 0, &address) || address.family != (six ? 6 : 4))
        return fail(&t->why, six ? "an AAAA record needs an IPv6 address such as 2001:db8::1"
                                 : "an A record needs an IPv4 address such as 192.0.2.1");
    wr_bytes(w, (str){address.ip, six ? 16 : 4});
    return true;
}

static bool seconds_next(words *t, writer *w)
{
    dns_token word;
    uint32_t seconds;
    if (!word_next(t, &word))
        return false;
    if (!dns_ttl_from_text(word.text, &seconds))
        return fail(&t->why, "a time should look like 3600 or 1h30m and fit 32 bits");
    wr_u32(w, seconds);
    return true;
}

static bool type_next(words *t, writer *w)
{
    dns_token word;
    uint16_t type;
    if (!word_next(t, &word) || !dns_type_from_text(word.text, &type))
        return fail(&t->why, "a record type is not known");
    wr_u16(w, type);
    return true;
}

static bool field_from_text(words *t, dns_field_kind kind, writer *w)
{
    uint64_t number;
    switch (kind) {
    case DNS_FIELD_NAME:
    case DNS_FIELD_NAME_READ:
    case DNS_FIELD_NAME_PLAIN: return name_next(t, w);
    case DNS_FIELD_U8: return number_next(t, UINT8_MAX, &number) && (wr_u8(w, (unsigned)number), true);
    case DNS_FIELD_U16: return number_next(t, UINT16_MAX, &number) && (wr_u16(w, (unsigned)number), true);
    case DNS_FIELD_U32: return number_next(t, UINT32_MAX, &number) && (wr_u32(w, (uint32_t)number), true);
    case DNS_FIELD_TTL: return seconds_next(t, w);
    case DNS_FIELD_TYPE: return type_next(t, w);
    case DNS_FIELD_A: return address_next(t, w, false);
    case DNS_FIELD_AAAA: return address_next(t, w, true);
    case DNS_FIELD_STRING: return string_next(t, w);
    case DNS_FIELD_STRINGS:
        while (string_next(t, w))
            if (t->at == t->end)
                return true;
        return false;
    case DNS_FIELD_TEXT_REST: return text_rest(t, w);
    case DNS_FIELD_HEX_REST: return hex_rest(t, w);
    case DNS_FIELD_END: break;
    }
    return false;
}

static bool opaque_from_text(words *t, unsigned type, writer *w)
{
    uint64_t length;
    t->at++;
    if (!number_next(t, DNS_RDATA_MAX, &length) || !hex_rest(t, w))
        return false;
    if (w->bad || (uint64_t)wr_len(w) != length)
        return fail(&t->why, "after \\# the length does not match the hex digits");
    return dns_rdata_valid(type, wr_str(w)) || fail(&t->why, "the data after \\# is not valid for this type");
}

static bool fields_from_text(words *t, unsigned type, writer *w)
{
    const dns_rdata_field *field = dns_rdata_fields(type);
    if (t->at < t->end && !t->at->quoted && str_eq(t->at->text, S("\\#")))
        return opaque_from_text(t, type, w);
    if (!field)
        return fail(&t->why, "data of this type is written as \\# LENGTH HEX (RFC 3597)");
    for (; field->kind != DNS_FIELD_END; field++)
        if (!field_from_text(t, field->kind, w))
            return false;
    return t->at == t->end || fail(&t->why, "the record's data has too many fields");
}

bool dns_rdata_from_tokens(arena *a, unsigned type, const dns_token *token, int tokens, dns_name origin, str *out,
                           const char **why)
{
    words t = {.a = a, .at = token, .end = token + tokens, .origin = origin};
    ptrdiff_t room = DNS_NAME_MAX * 2 + 64;                // names grow by the origin, the rest shrinks
    for (int i = 0; i < tokens; i++)
        room += token[i].text.len + 1;
    if (room > DNS_RDATA_MAX)
        room = DNS_RDATA_MAX;
    unsigned char *at = arena_alloc(a, (size_t)room, 1, 1);
    writer w = wr_into(at, at ? (size_t)room : 0);
    bool good = fields_from_text(&t, type, &w);
    if (good && w.bad)
        good = fail(&t.why, "the record's data is longer than 65535 bytes");
    *why = t.why;
    *out = good ? wr_str(&w) : (str){0};
    return good;
}

bool dns_rdata_from_text(arena *a, unsigned type, str text, dns_name origin, str *out, const char **why)
{
    dns_scanner s = {text, 1};
    dns_entry entry;
    if (!dns_entry_next(&s, &entry, why)) {
        if (!*why)
            *why = "the record's data is empty";
        return false;
    }
    return dns_rdata_from_tokens(a, type, entry.token, entry.count, origin, out, why);
}
