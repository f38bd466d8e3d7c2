#include "wire/dns/describe.h"

#include <stdarg.h>

#include "base/buf.h"
#include "base/must.h"

enum {
    TEXT_MAX = 1024 * 1024,
    HEX_SHOWN = 8,                           // bytes of one field shown on a line; a longer field goes on below
};

static const char *const section_titles[DNS_SECTIONS] = {"ANSWER", "AUTHORITY", "ADDITIONAL"};
static const char *const section_names[DNS_SECTIONS] = {"answer", "authority", "additional"};

// dig's form.

static void put_flags(buf *out, dns_header h)
{
    const struct { bool set; const char *name; } flags[] = {
        {h.response, " qr"}, {h.authoritative, " aa"}, {h.truncated, " tc"}, {h.recursion_desired, " rd"},
        {h.recursion_available, " ra"}, {h.authentic, " ad"}, {h.checking_disabled, " cd"},
    };
    for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++)
        if (flags[i].set)
            buf_put(out, str_z(flags[i].name));
}

// A stranger's sentence: no control characters onto a terminal.
static str printable(arena *a, str text)
{
    unsigned char *at = arena_alloc(a, (size_t)text.len, 1, 1);
    for (ptrdiff_t i = 0; at && i < text.len; i++)
        at[i] = text.at[i] < ' ' || text.at[i] == 0x7f ? '?' : text.at[i];
    return at ? (str){at, text.len} : (str){0};
}

static void put_edns(buf *out, arena *a, const dns_edns *edns)
{
    buf_format(out, "\n;; OPT PSEUDOSECTION:\n; EDNS: version: %u, flags:%s; udp: %u\n", edns->version,
               edns->dnssec_ok ? " do" : "", edns->udp_size);
    if (edns->has_subnet)
        buf_format(out, "; CLIENT-SUBNET: " STR_FMT "/%d/%d\n", STR_ARG(addr_ip_text(a, edns->subnet.network)), edns->subnet.source,
                   edns->subnet.scope);
    if (!edns->has_ede)
        return;
    str meaning = dns_ede_text(a, edns->ede);
    buf_format(out, "; EDE: %u (" STR_FMT ")", edns->ede, STR_ARG(meaning));
    if (edns->ede_text.len) {
        buf_put(out, S(": ("));
        buf_put(out, printable(a, edns->ede_text));
        buf_put_byte(out, ')');
    }
    buf_put_byte(out, '\n');
}

str dns_message_text(arena *a, str wire)
{
    dns_message m;
    const char *why;
    if (!dns_message_read(wire, a, &m, &why))
        return str_format(a, ";; malformed message of %td bytes: %s\n", wire.len, why);
    buf out = buf_make(TEXT_MAX);
    str opcode = dns_opcode_text(a, m.header.opcode), rcode = dns_rcode_text(a, m.header.rcode);
    buf_format(&out, ";; ->>HEADER<<- opcode: " STR_FMT ", status: " STR_FMT ", id: %u\n;; flags:", STR_ARG(opcode),
               STR_ARG(rcode), m.header.id);
    put_flags(&out, m.header);
    buf_format(&out, "; QUERY: %d, ANSWER: %d, AUTHORITY: %d, ADDITIONAL: %d\n", m.has_question, m.count[DNS_ANSWER],
               m.count[DNS_AUTHORITY], m.count[DNS_ADDITIONAL] + m.edns.present);
    if (m.edns.present)
        put_edns(&out, a, &m.edns);
    if (m.has_question) {
        str name = dns_name_text(a, m.question.name), class = dns_class_text(a, m.question.class);
        str type = dns_type_text(a, m.question.type);
        buf_format(&out, "\n;; QUESTION SECTION:\n;" STR_FMT "\t\t" STR_FMT "\t" STR_FMT "\n", STR_ARG(name),
                   STR_ARG(class), STR_ARG(type));
    }
    for (int s = 0; s < DNS_SECTIONS; s++) {
        if (m.count[s])
            buf_format(&out, "\n;; %s SECTION:\n", section_titles[s]);
        for (int i = 0; i < m.count[s]; i++) {
            buf_put(&out, dns_record_text(a, dns_message_record(&m, s, i)));
            buf_put_byte(&out, '\n');
        }
    }
    str text = str_copy(a, buf_str(&out));
    buf_free(&out);
    return text;
}

str dns_message_line(arena *a, str wire)
{
    dns_message m;
    const char *why;
    if (!dns_message_read(wire, a, &m, &why))
        return str_format(a, "malformed message of %td bytes: %s", wire.len, why);
    str name = m.has_question ? dns_name_show(a, m.question.name) : S("(no question)");
    str type = m.has_question ? dns_type_text(a, m.question.type) : S("");
    str client = m.edns.has_subnet ? str_format(a, ", client in " STR_FMT, STR_ARG(dns_subnet_text(a, &m.edns.subnet))) : S("");
    if (!m.header.response)
        return str_format(a, "query %u " STR_FMT " " STR_FMT "%s" STR_FMT, m.header.id, STR_ARG(name), STR_ARG(type),
                          m.header.recursion_desired ? " rd" : "", STR_ARG(client));
    str rcode = dns_rcode_text(a, m.header.rcode);
    return str_format(a, "reply %u " STR_FMT " " STR_FMT " " STR_FMT "%s%s: %d answers, %d authority, %d additional" STR_FMT,
                      m.header.id, STR_ARG(name), STR_ARG(type), STR_ARG(rcode), m.header.authoritative ? " aa" : "",
                      m.header.truncated ? " tc" : "", m.count[DNS_ANSWER], m.count[DNS_AUTHORITY],
                      m.count[DNS_ADDITIONAL], STR_ARG(client));
}

// Field by field.

typedef struct {
    arena *a;
    reader r;
    bool   korean;
    str    section;
    dns_wire_field *field;
    int    count;
} view;

static const char *say(const view *v, const char *english, const char *korean) { return v->korean ? korean : english; }

static void add(view *v, ptrdiff_t start, ptrdiff_t len, const char *name, str value, const char *note)
{
    if (v->count == DNS_WIRE_FIELDS_MAX)
        return;
    v->field[v->count++] = (dns_wire_field){(int)start, (int)len, v->section, str_z(name), value, str_z(note)};
}

static void __attribute__((format(printf, 4, 5)))
add_number(view *v, ptrdiff_t len, const char *name, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    add(v, rd_at(&v->r) - len, len, name, str_vformat(v->a, format, args), "");
    va_end(args);
}

static void note_last(view *v, const char *english, const char *korean)
{
    must(v->count > 0);
    v->field[v->count - 1].explanation = str_z(say(v, english, korean));
}

static void view_flag(view *v, const char *name, bool set, const char *english, const char *korean)
{
    add(v, 2, 0, name, set ? S("1") : S("0"), say(v, english, korean));
}

static void view_header(view *v, unsigned counts[4])
{
    dns_header h;
    v->section = S("header");
    (void)dns_header_read((str){v->r.start, v->r.end - v->r.start}, &h);
    rd_skip(&v->r, 2);
    add_number(v, 2, "identification", "%u", h.id);
    note_last(v, "the reply carries the same 16 bits, so that the asker can match it to the query",
              "응답이 같은 16비트를 담아, 묻는 쪽이 질의와 짝을 맞춘다");
    rd_skip(&v->r, 2);
    add_number(v, 2, "flags", "0x%02x%02x", v->r.at[-2], v->r.at[-1]);
    view_flag(v, "query/reply", h.response, "0: a query, 1: a reply", "0: 질의, 1: 응답");
    add(v, 2, 0, "opcode", dns_opcode_text(v->a, h.opcode), say(v, "what kind of request", "요청의 종류"));
    view_flag(v, "authoritative", h.authoritative, "1: the server holds this zone itself",
              "1: 서버가 이 영역을 직접 가지고 있다(책임 서버)");
    view_flag(v, "truncated", h.truncated, "1: did not fit, ask again over TCP", "1: 다 담지 못했다, TCP로 다시 물어라");
    view_flag(v, "recursion desired", h.recursion_desired, "1: please ask the others on my behalf",
              "1: 나 대신 다른 서버들에게 물어 달라");
    view_flag(v, "recursion available", h.recursion_available, "1: this server does ask others on your behalf",
              "1: 이 서버는 대신 물어 준다");
    view_flag(v, "authentic data", h.authentic, "1: checked by DNSSEC", "1: DNSSEC로 확인했다");
    view_flag(v, "checking disabled", h.checking_disabled, "1: do not check DNSSEC for me", "1: DNSSEC 확인을 하지 마라");
    add(v, 2, 0, "response code", dns_rcode_text(v->a, h.rcode), (const char *)dns_rcode_meaning(h.rcode).at);
    static const char *const names[4] = {"questions", "answer records", "authority records", "additional records"};
    for (int i = 0; i < 4; i++) {
        counts[i] = rd_u16(&v->r);
        add_number(v, 2, names[i], "%u", counts[i]);
    }
}

// Says where a compressed name's pointer leads. The reader stands behind the name.
static void note_pointer(view *v, const unsigned char *start)
{
    const unsigned char *end = v->r.at;
    if (end - start < 2 || (end[-2] & 0xc0) != 0xc0)
        return;
    for (const unsigned char *at = start; at < end - 2; at += *at + 1)
        if (*at == 0)
            return;
    int to = (end[-2] & 0x3f) << 8 | end[-1];
    str note = v->korean ? str_format(v->a, "압축: 끝의 2바이트가 %d번째 바이트의 이름을 가리킨다", to)
                         : str_format(v->a, "compressed: the last 2 bytes point to the name at offset %d", to);
    v->field[v->count - 1].explanation = note;
}

static dns_name view_name(view *v, const char *label)
{
    const unsigned char *start = v->r.at;
    dns_name name = dns_name_read(&v->r, v->a);
    if (v->r.bad)
        return name;
    add(v, start - v->r.start, v->r.at - start, label, dns_name_text(v->a, name), "");
    note_pointer(v, start);
    return name;
}

static void view_question(view *v)
{
    v->section = S("question");
    view_name(v, "name");
    unsigned type = rd_u16(&v->r), class = rd_u16(&v->r);
    if (v->r.bad)
        return;
    add(v, rd_at(&v->r) - 4, 2, "type", dns_type_text(v->a, type), "");
    add(v, rd_at(&v->r) - 2, 2, "class", dns_class_text(v->a, class), "");
    if (class == DNS_CLASS_IN)
        note_last(v, "the Internet", "인터넷");
}

static void view_plain_field(view *v, dns_field_kind kind, const char *label)
{
    ptrdiff_t start = rd_at(&v->r);
    str value = {0};
    switch (kind) {
    case DNS_FIELD_U8: value = str_format(v->a, "%u", rd_u8(&v->r)); break;
    case DNS_FIELD_U16: value = str_format(v->a, "%u", rd_u16(&v->r)); break;
    case DNS_FIELD_U32:
    case DNS_FIELD_TTL: value = str_format(v->a, "%u", rd_u32(&v->r)); break;
    case DNS_FIELD_TYPE: value = dns_type_text(v->a, rd_u16(&v->r)); break;
    case DNS_FIELD_A: value = dns_rdata_text(v->a, DNS_A, rd_bytes(&v->r, 4)); break;
    case DNS_FIELD_AAAA: value = dns_rdata_text(v->a, DNS_AAAA, rd_bytes(&v->r, 16)); break;
    case DNS_FIELD_STRING: {
        const unsigned char *length = v->r.at;
        rd_skip(&v->r, rd_u8(&v->r));
        value = v->r.bad ? (str){0} : dns_rdata_text(v->a, DNS_TXT, (str){length, v->r.at - length});
        break;
    }
    case DNS_FIELD_STRINGS: value = dns_rdata_text(v->a, DNS_TXT, rd_rest(&v->r)); break;
    default: value = dns_rdata_text(v->a, UINT16_MAX, rd_rest(&v->r)); break;      // as \# length hex
    }
    if (!v->r.bad)
        add(v, start, rd_at(&v->r) - start, label, value, "");
}

static void view_rdata(view *v, unsigned type, size_t len)
{
    const dns_rdata_field *field = dns_rdata_fields(type);
    const unsigned char *end = v->r.end;
    reader whole = v->r;
    rd_skip(&whole, len);
    if (whole.bad) {
        v->r.bad = true;
        return;
    }
    v->r.end = whole.at;                                       // fields must not reach past this record
    for (; field && field->kind != DNS_FIELD_END && !v->r.bad; field++) {
        if (field->kind >= DNS_FIELD_NAME && field->kind <= DNS_FIELD_NAME_PLAIN)
            view_name(v, field->label);
        else
            view_plain_field(v, field->kind, field->label);
    }
    if (!field && len)
        view_plain_field(v, DNS_FIELD_HEX_REST, "data");
    v->r.bad |= v->r.at != whole.at;
    v->r.end = end;
}

static void view_opt(view *v, unsigned class)
{
    add_number(v, 2, "largest UDP reply", "%u", class);
    note_last(v, "EDNS: how many bytes the sender can take over UDP", "EDNS: 보낸 쪽이 UDP로 받을 수 있는 바이트 수");
    rd_skip(&v->r, 4);
    if (!v->r.bad)
        add_number(v, 4, "extended code and flags", "0x%02x%02x%02x%02x", v->r.at[-4], v->r.at[-3], v->r.at[-2],
                   v->r.at[-1]);
}

static const char *option_name(unsigned code)
{
    switch (code) {
    case DNS_OPTION_NSID: return "option: server id";
    case DNS_OPTION_SUBNET: return "option: client subnet";
    case DNS_OPTION_COOKIE: return "option: cookie";
    case DNS_OPTION_PADDING: return "option: padding";
    case DNS_OPTION_EDE: return "option: extended error";
    case DNS_OPTION_TRACE: return "option: naru's trace";
    default: return "option";
    }
}

// Each option whole: code, length, value (RFC 6891 6.1.2).
static void view_options(view *v, size_t len)
{
    const unsigned char *end = v->r.at + len;
    if (rd_left(&v->r) < (ptrdiff_t)len) {
        v->r.bad = true;
        return;
    }
    while (v->r.at < end && !v->r.bad) {
        ptrdiff_t start = rd_at(&v->r);
        unsigned code = rd_u16(&v->r);
        str data = rd_bytes(&v->r, rd_u16(&v->r));
        reader inside = rd_of(data);
        if (v->r.bad || v->r.at > end) {
            v->r.bad = true;
            return;
        }
        unsigned ede = code == DNS_OPTION_EDE ? rd_u16(&inside) : 0;
        dns_subnet subnet;
        str value = code == DNS_OPTION_EDE ? str_join(v->a, str_format(v->a, "%u ", ede), dns_ede_text(v->a, ede))
                    : code == DNS_OPTION_SUBNET && dns_subnet_read(data, &subnet) ? dns_subnet_text(v->a, &subnet)
                                                                                  : str_format(v->a, "%u, %td bytes", code, data.len);
        add(v, start, rd_at(&v->r) - start, option_name(code), value, "");
        if (code == DNS_OPTION_EDE && v->count < DNS_WIRE_FIELDS_MAX)
            v->field[v->count - 1].explanation = printable(v->a, rd_rest(&inside));
        else if (code == DNS_OPTION_SUBNET)
            note_last(v, "the network of the client for whom it is asked; in a reply also how much of it the answer is good for",
                      "누구를 위해 묻는지: 그 클라이언트의 네트워크; 응답에서는 답이 유효한 앞부분의 길이도");
        else if (code == DNS_OPTION_TRACE)
            note_last(v, "ties the messages of one story together", "한 이야기의 메시지들을 하나로 묶는다");
    }
}

static void view_record(view *v, int section, unsigned number)
{
    v->section = str_format(v->a, "%s %u", section_names[section], number);
    view_name(v, "name");
    unsigned type = rd_u16(&v->r);
    if (v->r.bad)
        return;
    add(v, rd_at(&v->r) - 2, 2, "type", dns_type_text(v->a, type), "");
    unsigned class = rd_u16(&v->r);
    if (type == DNS_OPT && !v->r.bad) {
        view_opt(v, class);
    } else if (!v->r.bad) {
        add(v, rd_at(&v->r) - 2, 2, "class", dns_class_text(v->a, class), "");
        uint32_t ttl = rd_u32(&v->r);
        if (v->r.bad)
            return;
        add_number(v, 4, "ttl", "%u", ttl);
        note_last(v, "seconds for which the record may be kept in a cache", "캐시에 두어도 되는 초");
    }
    size_t len = rd_u16(&v->r);
    if (v->r.bad)
        return;
    add_number(v, 2, "data length", "%zu", len);
    if (type == DNS_OPT)
        view_options(v, len);
    else
        view_rdata(v, type, len);
}

static void view_rest(view *v)
{
    ptrdiff_t seen = 0;
    for (int i = 0; i < v->count; i++)
        if (v->field[i].offset + v->field[i].len > seen)
            seen = v->field[i].offset + v->field[i].len;
    ptrdiff_t left = v->r.end - v->r.start - seen;
    if (left > 0 || v->r.bad)
        add(v, seen, left, "malformed", str_format(v->a, "%td bytes", left),
            say(v, "this part cannot be read", "읽을 수 없는 부분"));
}

int dns_wire_view(arena *a, str wire, bool korean, dns_wire_field **out)
{
    view v = {.a = a, .r = rd_of(wire), .korean = korean, .section = S("message")};
    unsigned counts[4] = {0};
    *out = v.field = arena_array(a, dns_wire_field, DNS_WIRE_FIELDS_MAX);
    if (!v.field)
        return 0;
    if (wire.len >= DNS_HEADER_BYTES)
        view_header(&v, counts);
    for (unsigned i = 0; i < counts[0] && !v.r.bad; i++)
        view_question(&v);
    for (int s = 0; s < DNS_SECTIONS; s++)
        for (unsigned i = 0; i < counts[s + 1] && !v.r.bad && v.count < DNS_WIRE_FIELDS_MAX; i++)
            view_record(&v, s, i + 1);
    view_rest(&v);
    return v.count;
}

static void put_hex(buf *out, str wire, ptrdiff_t start, ptrdiff_t len)
{
    for (ptrdiff_t i = 0; i < HEX_SHOWN; i++)
        if (i < len)
            buf_format(out, "%02x ", wire.at[start + i]);
        else
            buf_put(out, S("   "));
}

str dns_wire_text(arena *a, str wire, const dns_wire_field *field, int fields)
{
    buf out = buf_make(TEXT_MAX);
    str section = {0};
    for (int i = 0; i < fields; i++) {
        const dns_wire_field *f = &field[i];
        if (!str_eq(f->section, section))
            buf_format(&out, "%s-- " STR_FMT "\n", i ? "\n" : "", STR_ARG(f->section));
        section = f->section;
        if (f->len)
            buf_format(&out, "%5d  ", f->offset);
        else
            buf_put(&out, S("       "));
        put_hex(&out, wire, f->offset, f->len);
        buf_format(&out, "%s%-22.*s " STR_FMT, f->len ? "" : "  ", STR_ARG(f->name), STR_ARG(f->value));
        if (f->explanation.len)
            buf_format(&out, "   (" STR_FMT ")", STR_ARG(f->explanation));
        buf_put_byte(&out, '\n');
        for (ptrdiff_t more = HEX_SHOWN; more < f->len; more += HEX_SHOWN) {
            buf_put(&out, S("       "));
            put_hex(&out, wire, f->offset + more, f->len - more);
            buf_put_byte(&out, '\n');
        }
    }
    str text = str_copy(a, buf_str(&out));
    buf_free(&out);
    return text;
}
