#include "wire/dns/message.h"

#include <string.h>

#include "base/must.h"

enum {
    FLAG_QR = 0x8000, FLAG_AA = 0x0400, FLAG_TC = 0x0200, FLAG_RD = 0x0100, FLAG_RA = 0x0080, FLAG_AD = 0x0020,
    FLAG_CD = 0x0010,
    OPCODE_SHIFT = 11, OPCODE_MASK = 15, RCODE_MASK = 15,
    OPT_BYTES = 11,                      // an OPT record without options
    OPTION_BYTES = 4,                    // an option's code and length
    TRACE_BYTES = 8,
    EDNS_DO = 0x8000,
    COUNTS_OFFSET = 4,
    QUESTION_POINTER = 0xc000 | DNS_HEADER_BYTES,
    RECORD_BYTES_MIN = 11,               // root name, type, class, ttl, length
};

static bool fail(const char **why, const char *sentence)
{
    if (why)
        *why = sentence;
    return false;
}

static dns_header header_of(uint16_t id, unsigned flags)
{
    return (dns_header){
        .id = id,
        .opcode = (uint8_t)(flags >> OPCODE_SHIFT & OPCODE_MASK),
        .rcode = (uint16_t)(flags & RCODE_MASK),
        .response = flags & FLAG_QR,
        .authoritative = flags & FLAG_AA,
        .truncated = flags & FLAG_TC,
        .recursion_desired = flags & FLAG_RD,
        .recursion_available = flags & FLAG_RA,
        .authentic = flags & FLAG_AD,
        .checking_disabled = flags & FLAG_CD,
    };
}

static unsigned flags_of(dns_header h)
{
    return (h.response ? FLAG_QR : 0) | (unsigned)(h.opcode & OPCODE_MASK) << OPCODE_SHIFT |
           (h.authoritative ? FLAG_AA : 0) | (h.truncated ? FLAG_TC : 0) | (h.recursion_desired ? FLAG_RD : 0) |
           (h.recursion_available ? FLAG_RA : 0) | (h.authentic ? FLAG_AD : 0) | (h.checking_disabled ? FLAG_CD : 0) |
           (h.rcode & RCODE_MASK);
}

bool dns_header_read(str wire, dns_header *out)
{
    reader r = rd_of(wire);
    uint16_t id = rd_u16(&r);
    *out = header_of(id, rd_u16(&r));
    return wire.len >= DNS_HEADER_BYTES;
}

// Reading.

static bool ede_read(str option, dns_edns *edns)
{
    reader r = rd_of(option);
    uint16_t code = rd_u16(&r);
    if (r.bad)
        return false;
    if (!edns->has_ede) {
        edns->has_ede = true;
        edns->ede = code;
        edns->ede_text = str_first(rd_rest(&r), DNS_EDE_TEXT_MAX);
    }
    return true;
}

// One option. False when it is malformed, or a client's network that stands there twice or with a scope in a query.
static bool option_read(unsigned code, str value, bool response, dns_edns *edns)
{
    reader trace = rd_of(value);
    if (code == DNS_OPTION_TRACE && value.len == TRACE_BYTES)
        edns->trace = rd_u64(&trace);
    if (code == DNS_OPTION_EDE)
        return ede_read(value, edns);
    if (code != DNS_OPTION_SUBNET)
        return true;
    if (edns->has_subnet || !dns_subnet_read(value, &edns->subnet))
        return false;
    edns->has_subnet = true;
    return response || edns->subnet.scope == 0;            // RFC 7871 6
}

// RFC 6891 6.1: the OPT record keeps its data in the class and TTL fields. Cookies and other options are passed over.
static bool opt_read(const dns_record *r, uint32_t ttl, dns_message *m, const char **why)
{
    dns_edns *edns = &m->edns;
    reader options = rd_of(r->rdata);
    if (edns->present || !dns_name_is_root(r->name))
        return fail(why, "more than one OPT record, or one that is not at the root");
    edns->present = true;
    edns->udp_size = r->class < DNS_UDP_PLAIN_MAX ? DNS_UDP_PLAIN_MAX : r->class;
    edns->version = (uint8_t)(ttl >> 16);
    edns->dnssec_ok = ttl & EDNS_DO;
    m->header.rcode = (uint16_t)(m->header.rcode | ttl >> 24 << 4);
    for (int i = 0; rd_left(&options) > 0; i++) {
        uint16_t code = rd_u16(&options);
        str value = rd_bytes(&options, rd_u16(&options));
        if (i == DNS_EDNS_OPTIONS_MAX || options.bad || !option_read(code, value, m->header.response, edns))
            return fail(why, "malformed or too many EDNS options");
    }
    return true;
}

static bool record_read(reader *r, arena *msg, dns_record *out, uint32_t *wire_ttl)
{
    out->name = dns_name_read(r, msg);
    out->type = rd_u16(r);
    out->class = rd_u16(r);
    *wire_ttl = rd_u32(r);
    out->ttl = *wire_ttl > INT32_MAX ? 0 : *wire_ttl;
    size_t len = rd_u16(r);
    // RFC 2136 2.4 uses empty rdata with classes ANY and NONE; there it must not be checked against the type.
    bool bare = len == 0 && (out->class == DNS_CLASS_ANY || out->class == DNS_CLASS_NONE);
    return !r->bad && (bare || dns_rdata_read(r, len, out->type, msg, &out->rdata));
}

static bool records_read(reader *r, arena *msg, dns_message *m, const int wanted[DNS_SECTIONS], const char **why)
{
    int next = 0;
    for (int s = 0; s < DNS_SECTIONS; s++) {
        m->first[s] = next;
        for (int i = 0; i < wanted[s]; i++) {
            dns_record *record = &m->record[next];
            uint32_t wire_ttl;
            if (!record_read(r, msg, record, &wire_ttl))
                return fail(why, "a record is cut short or malformed");
            if (record->type != DNS_OPT) {
                next++;
                m->count[s]++;
            } else if (s != DNS_ADDITIONAL) {
                return fail(why, "an OPT record outside the additional section");
            } else if (!opt_read(record, wire_ttl, m, why)) {
                return false;
            }
        }
    }
    return rd_done(r) || fail(why, "bytes are left behind the last record");
}

bool dns_message_read(str wire, arena *msg, dns_message *out, const char **why)
{
    *out = (dns_message){0};
    reader r = rd_of(wire);
    if (!dns_header_read(wire, &out->header))
        return fail(why, "shorter than a DNS header");
    rd_skip(&r, COUNTS_OFFSET);
    unsigned questions = rd_u16(&r);
    int wanted[DNS_SECTIONS], records = 0;
    for (int s = 0; s < DNS_SECTIONS; s++)
        records += wanted[s] = rd_u16(&r);
    if (questions > 1)
        return fail(why, "more than one question (RFC 9619)");
    if (questions) {
        out->question.name = dns_name_read(&r, msg);
        out->question.type = rd_u16(&r);
        out->question.class = rd_u16(&r);
        out->has_question = !r.bad;
        if (r.bad)
            return fail(why, "the question is cut short or malformed");
    }
    if (records > DNS_RECORDS_MAX || (ptrdiff_t)records * RECORD_BYTES_MIN > rd_left(&r))
        return fail(why, "more records are announced than the message can hold");
    out->record = arena_array(msg, dns_record, records);
    if (!out->record)
        return fail(why, "no memory left for the message");
    return records_read(&r, msg, out, wanted, why);
}

bool dns_question_eq(dns_question a, dns_question b)
{
    return a.type == b.type && a.class == b.class && dns_name_eq(a.name, b.name);
}

// Building.

// What an OPT record takes without its extended error.
static ptrdiff_t opt_bytes(const dns_edns *edns)
{
    ptrdiff_t trace = edns->trace ? OPTION_BYTES + TRACE_BYTES : 0;
    return OPT_BYTES + trace + (edns->has_subnet ? OPTION_BYTES + (ptrdiff_t)dns_subnet_bytes(&edns->subnet) : 0);
}

void dns_build_start(dns_builder *b, void *at, size_t size, dns_header header, const dns_edns *edns)
{
    *b = (dns_builder){.w = wr_into(at, size), .header = header};
    wr_u16(&b->w, header.id);
    for (int i = 0; i < 5; i++)
        wr_u16(&b->w, 0);
    if (edns)
        b->reserved = opt_bytes(edns);
    if (!b->w.bad && wr_left(&b->w) >= b->reserved)
        b->w.end -= b->reserved;
    else
        b->w.bad = true;
}

void dns_build_question(dns_builder *b, dns_question q)
{
    b->question = q.name;
    dns_name_write(&b->w, &b->names, q.name);
    wr_u16(&b->w, q.type);
    wr_u16(&b->w, q.class);
    b->questions++;
}

dns_mark dns_build_mark(const dns_builder *b)
{
    dns_mark mark = {.at = wr_len(&b->w)};
    memcpy(mark.count, b->count, sizeof mark.count);
    return mark;
}

void dns_build_rewind(dns_builder *b, dns_mark mark)
{
    dns_compressor_rewind(&b->names, mark.at);
    b->w.at = b->w.start + mark.at;
    b->w.bad = false;
    memcpy(b->count, mark.count, sizeof b->count);
}

bool dns_build_record(dns_builder *b, dns_section s, const dns_record *r)
{
    writer *w = &b->w;
    if (w->bad)
        return false;
    dns_mark mark = dns_build_mark(b);
    for (int later = s + 1; later < DNS_SECTIONS; later++)
        must(b->count[later] == 0);
    if (r->name.at == b->question.at && r->name.len == b->question.len && !dns_name_is_root(r->name))
        wr_u16(w, QUESTION_POINTER);                       // the common case, without looking
    else
        dns_name_write(w, &b->names, r->name);
    wr_u16(w, r->type);
    wr_u16(w, r->class);
    wr_u32(w, r->ttl);
    ptrdiff_t length_at = wr_len(w);
    wr_u16(w, 0);
    dns_rdata_write(w, &b->names, r->type, r->rdata);
    if (w->bad || b->count[s] == UINT16_MAX) {
        dns_build_rewind(b, mark);
        return false;
    }
    wr_put_u16(w, length_at, (unsigned)(wr_len(w) - length_at - 2));
    b->count[s]++;
    return true;
}

// Cuts a sentence to `room` bytes, never inside a UTF-8 character.
static str sentence_cut(str text, ptrdiff_t room)
{
    ptrdiff_t len = text.len < room ? text.len : room;
    while (len > 0 && len < text.len && (text.at[len] & 0xc0) == 0x80)
        len--;
    return str_first(text, len);
}

static void opt_write(dns_builder *b, const dns_edns *edns)
{
    writer *w = &b->w;
    ptrdiff_t needed = opt_bytes(edns), spare = wr_left(w) - needed - OPTION_BYTES - 2;      // for the sentence of an extended error
    str text = sentence_cut(edns->ede_text, spare < DNS_EDE_TEXT_MAX ? spare : DNS_EDE_TEXT_MAX);
    bool ede = edns->has_ede && spare >= 0;
    wr_u8(w, 0);
    wr_u16(w, DNS_OPT);
    wr_u16(w, edns->udp_size);
    wr_u32(w, (uint32_t)(b->header.rcode >> 4) << 24 | (uint32_t)edns->version << 16 | (edns->dnssec_ok ? EDNS_DO : 0));
    wr_u16(w, (unsigned)((ede ? OPTION_BYTES + 2 + text.len : 0) + needed - OPT_BYTES));
    if (ede) {
        wr_u16(w, DNS_OPTION_EDE);
        wr_u16(w, (unsigned)(2 + text.len));
        wr_u16(w, edns->ede);
        wr_bytes(w, text);
    }
    if (edns->has_subnet) {
        wr_u16(w, DNS_OPTION_SUBNET);
        wr_u16(w, (unsigned)dns_subnet_bytes(&edns->subnet));
        dns_subnet_write(w, &edns->subnet);
    }
    if (edns->trace) {
        wr_u16(w, DNS_OPTION_TRACE);
        wr_u16(w, TRACE_BYTES);
        wr_u64(w, edns->trace);
    }
    b->count[DNS_ADDITIONAL]++;
}

str dns_build_end(dns_builder *b, const dns_edns *edns)
{
    writer *w = &b->w;
    if (w->bad)
        return (str){0};
    w->end += b->reserved;
    if (edns && b->reserved)
        opt_write(b, edns);
    wr_put_u16(w, 2, flags_of(b->header));
    wr_put_u16(w, COUNTS_OFFSET, b->questions);
    for (int s = 0; s < DNS_SECTIONS; s++)
        wr_put_u16(w, COUNTS_OFFSET + 2 + 2 * s, b->count[s]);
    return wr_str(w);
}

str dns_query_build(void *at, size_t size, uint16_t id, dns_question q, bool recursion_desired, uint16_t udp_size)
{
    dns_edns edns = {.present = true, .udp_size = udp_size};
    return dns_query_build_with(at, size, id, q, recursion_desired, udp_size ? &edns : NULL);
}

str dns_query_build_with(void *at, size_t size, uint16_t id, dns_question q, bool recursion_desired, const dns_edns *edns)
{
    dns_builder b;
    dns_header header = {.id = id, .recursion_desired = recursion_desired};
    dns_build_start(&b, at, size, header, edns);
    dns_build_question(&b, q);
    return dns_build_end(&b, edns);
}

str dns_reply_bare(void *at, size_t size, str wire, unsigned rcode)
{
    dns_builder b;
    dns_header asked;
    reader r = rd_of(wire);
    if (!dns_header_read(wire, &asked) || asked.response)
        return (str){0};
    dns_header header = {.id = asked.id, .opcode = asked.opcode, .rcode = (uint16_t)(rcode & RCODE_MASK),
                         .response = true, .recursion_desired = asked.recursion_desired};
    dns_build_start(&b, at, size, header, NULL);
    rd_skip(&r, COUNTS_OFFSET);
    bool one_question = rd_u16(&r) == 1;
    rd_skip(&r, 6);
    dns_question q = {.name = dns_name_read_plain(&r)};
    q.type = rd_u16(&r);
    q.class = rd_u16(&r);
    if (one_question && !r.bad)
        dns_build_question(&b, q);
    return dns_build_end(&b, NULL);
}
