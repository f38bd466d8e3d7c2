#include "wire/dns/rdata.h"

#include <string.h>

typedef struct {
    uint16_t type;
    dns_rdata_field field[DNS_RDATA_FIELDS_MAX];
} layout;

#define NAME(label)       {DNS_FIELD_NAME, label}
#define NAME_READ(label)  {DNS_FIELD_NAME_READ, label}
#define NAME_PLAIN(label) {DNS_FIELD_NAME_PLAIN, label}
#define U8(label)         {DNS_FIELD_U8, label}
#define U16(label)        {DNS_FIELD_U16, label}
#define STRING(label)     {DNS_FIELD_STRING, label}

// The most asked first.
static const layout layouts[] = {
    {DNS_A, {{DNS_FIELD_A, "address"}}},
    {DNS_AAAA, {{DNS_FIELD_AAAA, "address"}}},
    {DNS_NS, {NAME("name server")}},
    {DNS_CNAME, {NAME("canonical name")}},
    {DNS_MX, {U16("preference"), NAME("mail server")}},
    {DNS_SOA, {NAME("primary server"), NAME("responsible person"), {DNS_FIELD_U32, "serial"},
               {DNS_FIELD_TTL, "refresh"}, {DNS_FIELD_TTL, "retry"}, {DNS_FIELD_TTL, "expire"},
               {DNS_FIELD_TTL, "minimum"}}},
    {DNS_PTR, {NAME("name")}},
    {DNS_TXT, {{DNS_FIELD_STRINGS, "text"}}},
    {DNS_SRV, {U16("priority"), U16("weight"), U16("port"), NAME_READ("target")}},
    {DNS_HINFO, {STRING("cpu"), STRING("os")}},
    {DNS_RP, {NAME_READ("mailbox"), NAME_READ("text name")}},
    {DNS_AFSDB, {U16("subtype"), NAME_READ("hostname")}},
    {DNS_NAPTR, {U16("order"), U16("preference"), STRING("flags"), STRING("services"), STRING("regexp"),
                 NAME_READ("replacement")}},
    {DNS_DNAME, {NAME_PLAIN("target")}},
    {DNS_DS, {U16("key tag"), U8("algorithm"), U8("digest type"), {DNS_FIELD_HEX_REST, "digest"}}},
    {DNS_CDS, {U16("key tag"), U8("algorithm"), U8("digest type"), {DNS_FIELD_HEX_REST, "digest"}}},
    {DNS_SSHFP, {U8("algorithm"), U8("fingerprint type"), {DNS_FIELD_HEX_REST, "fingerprint"}}},
    {DNS_TLSA, {U8("usage"), U8("selector"), U8("matching type"), {DNS_FIELD_HEX_REST, "data"}}},
    {DNS_SPF, {{DNS_FIELD_STRINGS, "text"}}},
    {DNS_CAA, {U8("flags"), STRING("tag"), {DNS_FIELD_TEXT_REST, "value"}}},
};

const dns_rdata_field *dns_rdata_fields(unsigned type)
{
    for (size_t i = 0; i < sizeof layouts / sizeof layouts[0]; i++)
        if (layouts[i].type == type)
            return layouts[i].field;
    return NULL;
}

static bool is_name(dns_field_kind kind) { return kind >= DNS_FIELD_NAME && kind <= DNS_FIELD_NAME_PLAIN; }

// One field in plain wire form. Without `msg` no name may be compressed.
static str field_read(reader *r, dns_field_kind kind, arena *msg)
{
    const unsigned char *start = r->at;
    switch (kind) {
    case DNS_FIELD_NAME:
    case DNS_FIELD_NAME_READ: return msg ? dns_name_read(r, msg) : dns_name_read_plain(r);
    case DNS_FIELD_NAME_PLAIN: return dns_name_read_plain(r);
    case DNS_FIELD_U8: return rd_bytes(r, 1);
    case DNS_FIELD_U16:
    case DNS_FIELD_TYPE: return rd_bytes(r, 2);
    case DNS_FIELD_U32:
    case DNS_FIELD_TTL:
    case DNS_FIELD_A: return rd_bytes(r, 4);
    case DNS_FIELD_AAAA: return rd_bytes(r, 16);
    case DNS_FIELD_STRING:
        rd_skip(r, rd_u8(r));
        break;
    case DNS_FIELD_STRINGS:
        do
            rd_skip(r, rd_u8(r));
        while (rd_left(r) > 0);
        break;
    case DNS_FIELD_TEXT_REST:
    case DNS_FIELD_HEX_REST: return rd_rest(r);
    case DNS_FIELD_END: break;
    }
    return r->bad ? (str){0} : (str){start, r->at - start};
}

static str parts_join(arena *msg, const str *part, int parts)
{
    ptrdiff_t total = 0;
    for (int i = 0; i < parts; i++)
        total += part[i].len;
    unsigned char *at = total <= DNS_RDATA_MAX ? arena_alloc(msg, (size_t)total, 1, 1) : NULL;
    writer w = wr_into(at, at ? (size_t)total : 0);
    for (int i = 0; i < parts; i++)
        wr_bytes(&w, part[i]);
    return w.bad ? (str){0} : wr_str(&w);
}

// Reads the fields up to the end of `r`; *out is a view unless a name had to be expanded.
static bool fields_read(reader *r, const dns_rdata_field *field, arena *msg, str *out)
{
    const unsigned char *start = r->at;
    str part[DNS_RDATA_FIELDS_MAX];
    int parts = 0;
    bool expanded = false;
    for (; parts < DNS_RDATA_FIELDS_MAX && field[parts].kind != DNS_FIELD_END; parts++) {
        const unsigned char *field_start = r->at;
        part[parts] = field_read(r, field[parts].kind, msg);
        // No compressed form has the length of its expansion: a pointer is 2 bytes, names are 1 or at least 3.
        expanded |= is_name(field[parts].kind) && part[parts].len != r->at - field_start;
    }
    if (!rd_done(r))
        return false;
    *out = expanded ? parts_join(msg, part, parts) : (str){start, r->at - start};
    return !expanded || out->len;
}

bool dns_rdata_read(reader *r, size_t len, unsigned type, arena *msg, str *out)
{
    const dns_rdata_field *field = dns_rdata_fields(type);
    reader inside = *r;
    *out = rd_bytes(r, len);
    if (r->bad || !field)
        return !r->bad;
    inside.end = r->at;
    r->bad = !fields_read(&inside, field, msg, out);
    return !r->bad;
}

bool dns_rdata_valid(unsigned type, str rdata)
{
    const dns_rdata_field *field = dns_rdata_fields(type);
    reader r = rd_of(rdata);
    str same;
    return rdata.len <= DNS_RDATA_MAX && (!field || fields_read(&r, field, NULL, &same));
}

void dns_rdata_write(writer *w, dns_compressor *c, unsigned type, str rdata)
{
    const dns_rdata_field *field = c ? dns_rdata_fields(type) : NULL;
    bool compressible = false;
    for (int i = 0; field && field[i].kind != DNS_FIELD_END; i++)
        compressible |= field[i].kind == DNS_FIELD_NAME;
    if (!compressible || rdata.len == 0) {                 // empty: RFC 2136 2.4, classes ANY and NONE
        wr_bytes(w, rdata);
        return;
    }
    reader r = rd_of(rdata);
    for (; field->kind != DNS_FIELD_END; field++) {
        str part = field_read(&r, field->kind, NULL);
        if (field->kind == DNS_FIELD_NAME)
            dns_name_write(w, c, part);
        else
            wr_bytes(w, part);
    }
}

dns_name dns_rdata_target(unsigned type, str rdata)
{
    switch (type) {
    case DNS_NS:
    case DNS_CNAME:
    case DNS_DNAME:
    case DNS_PTR: return rdata;
    case DNS_MX: return str_from(rdata, 2);
    case DNS_SRV: return str_from(rdata, 6);
    default: return (str){0};
    }
}

uint16_t dns_rdata_preference(str mx_rdata)
{
    reader r = rd_of(mx_rdata);
    return rd_u16(&r);
}

bool dns_rdata_soa(str rdata, dns_soa *out)
{
    reader r = rd_of(rdata);
    out->mname = dns_name_read_plain(&r);
    out->rname = dns_name_read_plain(&r);
    out->serial = rd_u32(&r);
    out->refresh_s = rd_u32(&r);
    out->retry_s = rd_u32(&r);
    out->expire_s = rd_u32(&r);
    out->minimum_s = rd_u32(&r);
    return rd_done(&r);
}
