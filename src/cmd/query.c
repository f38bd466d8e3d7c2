// naru query NAME [TYPE] [@SERVER[#PORT]]: asks DNS; --trace follows the name from the root, --wire shows the bytes.
#include "cmd/query.h"

#include <stdio.h>
#include <string.h>

#include "cmd/commands.h"
#include "cmd/options.h"
#include "rt/json_text.h"
#include "rt/loop.h"
#include "rt/story.h"
#include "talk/dns_ask.h"

enum { WORDS_MAX = 4, RESOLV_BYTES_MAX = 64 * 1024, COLUMN_MAX = 40 };

typedef struct {
    query_run run;
    str name, type, server, root;
    bool trace;
    int code;
} command;

// Words.

static bool is_type(str word)
{
    uint16_t type;
    return dns_type_from_text(word, &type);
}

static bool words_refuse(command *c, str word)
{
    c->run.trouble = str_format(c->run.memory, c->type.len ? "\"" STR_FMT "\" is one word too many: a name, perhaps a type, perhaps @SERVER"
                                : "\"" STR_FMT "\" is no type; types are A AAAA NS CNAME SOA PTR MX TXT SRV ANY, or TYPE65",
                                STR_ARG(word));
    return false;
}

// NAME, TYPE and @SERVER in any order: a word that is a type is the type, unless it is the only one.
static bool words_take(command *c, const str *words, int count)
{
    for (int i = 0; i < count; i++) {
        if (str_starts(words[i], S("@")))
            c->server = str_from(words[i], 1);
        else if (!c->type.len && is_type(words[i]) && (c->name.len || i + 1 < count))
            c->type = words[i];
        else if (!c->name.len)
            c->name = words[i];
        else
            return words_refuse(c, words[i]);
    }
    c->run.trouble = S("say which name: naru query www.ibm.com");
    return c->name.len > 0;
}

// RFC 1035 3.5 and RFC 3596 2.5: the name under which an address is found.
static str reverse_name(arena *a, addr x)
{
    str name = x.family == 4 ? S("in-addr.arpa.") : S("ip6.arpa.");
    for (int i = 0; i < (x.family == 4 ? 4 : 16); i++)
        name = x.family == 4 ? str_format(a, "%u." STR_FMT, x.ip[i], STR_ARG(name))
                             : str_format(a, "%x.%x." STR_FMT, x.ip[i] & 15, x.ip[i] >> 4, STR_ARG(name));
    return name;
}

static bool question_take(command *c)
{
    addr address;
    const char *why = NULL;
    query_run *q = &c->run;
    bool is_address = addr_parse_ip(c->name, 0, &address);
    str name = is_address ? reverse_name(q->memory, address) : c->name;
    q->question.class = DNS_CLASS_IN;
    q->question.type = is_address ? DNS_PTR : DNS_A;
    if (c->type.len)
        (void)dns_type_from_text(c->type, &q->question.type);
    if (dns_name_from_text(q->memory, name, dns_root, &q->question.name, &why))
        return true;
    q->trouble = str_format(q->memory, "\"" STR_FMT "\": %s", STR_ARG(name), why);
    return false;
}

// Whom to ask.

static void resolv_conf_take(query_run *q)
{
    str text = {0};
    (void)file_read_all(q->world, "/etc/resolv.conf", q->memory, RESOLV_BYTES_MAX, &text);
    while (text.len && q->server_count < QUERY_SERVERS_MAX) {
        str line = str_cut(&text, '\n');
        if (str_eq(str_word(&line), S("nameserver")) && addr_parse_ip(str_word(&line), DNS_PORT, &q->servers[q->server_count]))
            q->server_count++;
    }
}

// @SERVER: an address, or a name that the machine's own name servers are asked for.
static bool server_find(command *c)
{
    query_run *q = &c->run;
    str host = c->server, port_text = {0};
    uint64_t port = DNS_PORT;
    if (!c->server.len)
        return q->server_count > 0;
    if (addr_parse(c->server, DNS_PORT, &q->servers[0])) {
        q->server_count = 1;
        q->port = q->servers[0].port;
        return true;
    }
    port_text = host;
    host = str_cut(&port_text, '#');
    int count = 0;
    addr found[QUERY_SERVERS_MAX];
    dns_answer a = dns_ask_addresses(q->world, q->servers, q->server_count, host, found, QUERY_SERVERS_MAX, &count,
                                     seconds(QUERY_TIMEOUT_S), q->memory);
    if (count == 0 || (port_text.len && (!str_to_u64(port_text, &port) || port == 0 || port > UINT16_MAX))) {
        q->trouble = str_format(q->memory, "cannot find the server " STR_FMT ": " STR_FMT, STR_ARG(host), STR_ARG(a.why));
        return false;
    }
    q->port = (uint16_t)port;
    memcpy(q->servers, found, sizeof found);
    q->server_count = count;
    return true;
}

// Printing.

void query_put_time(buf *out, int64_t ns)
{
    buf_format(out, "%lld.%02lld ms", (long long)(ns / NS_PER_MS), (long long)(ns % NS_PER_MS / 10000));
}

str query_question_text(arena *a, dns_question q)
{
    str name = dns_name_text(a, q.name), type = dns_type_text(a, q.type);
    return str_format(a, "" STR_FMT " " STR_FMT, STR_ARG(name), STR_ARG(type));
}

int query_exit_code(const dns_message *m)
{
    bool found = false;
    for (int i = 0; i < m->count[DNS_ANSWER]; i++)
        found |= m->question.type == DNS_ANY || dns_message_record(m, DNS_ANSWER, i)->type == m->question.type;
    return m->header.rcode == DNS_NOERROR && found ? COMMAND_OK : COMMAND_FAILED;
}

void query_put_records(buf *out, arena *a, const dns_message *m, dns_section section)
{
    int width = 0;
    for (int i = 0; i < m->count[section]; i++) {
        ptrdiff_t len = dns_name_text(a, dns_message_record(m, section, i)->name).len;
        width = len > width && len <= COLUMN_MAX ? (int)len : width;
    }
    for (int i = 0; i < m->count[section]; i++) {
        const dns_record *r = dns_message_record(m, section, i);
        str name = dns_name_text(a, r->name), type = dns_type_text(a, r->type), data = dns_rdata_text(a, r->type, r->rdata);
        buf_format(out, "  %-*.*s  %-6.*s %7u  " STR_FMT "\n", width, STR_ARG(name), STR_ARG(type), r->ttl, STR_ARG(data));
    }
}

void query_put_records_json(buf *out, arena *a, const dns_message *m, dns_section section)
{
    buf_put_byte(out, '[');
    for (int i = 0; i < m->count[section]; i++) {
        const dns_record *r = dns_message_record(m, section, i);
        buf_format(out, "%s{\"name\":", i ? "," : "");
        json_put(out, dns_name_text(a, r->name));
        buf_put(out, S(",\"value\":"));
        json_put(out, dns_rdata_text(a, r->type, r->rdata));
        buf_put(out, S(",\"type\":"));
        json_put(out, dns_type_text(a, r->type));
        buf_format(out, ",\"ttl\":%u}", r->ttl);
    }
    buf_put_byte(out, ']');
}

static const char *truth(bool it_is) { return it_is ? "true" : "false"; }

static void put_json(query_run *q, const dns_exchanged *x, addr server)
{
    static const char *const sections[] = {"answer", "authority", "additional"};
    const dns_message *m = &x->message;
    buf *out = q->out;
    buf_put(out, S("{\"question\":{\"name\":"));
    json_put(out, dns_name_text(q->memory, q->question.name));
    buf_put(out, S(",\"type\":"));
    json_put(out, dns_type_text(q->memory, q->question.type));
    buf_put(out, S("},\"server\":"));
    json_put(out, addr_text(q->memory, server));
    buf_format(out, ",\"transport\":\"%s\",\"took_us\":%lld,\"bytes\":%td,\"rcode\":", x->by_tcp ? "tcp" : "udp",
               (long long)(x->took_ns / 1000), x->wire.len);
    json_put(out, dns_rcode_text(q->memory, m->header.rcode));
    buf_format(out, ",\"authoritative\":%s,\"truncated\":%s,\"recursion_available\":%s", truth(m->header.authoritative),
               truth(m->header.truncated), truth(m->header.recursion_available));
    for (int s = 0; s < DNS_SECTIONS; s++) {
        buf_format(out, ",\"%s\":", sections[s]);
        query_put_records_json(out, q->memory, m, s);
    }
    if (m->edns.has_subnet) {
        buf_put(out, S(",\"subnet\":"));
        json_put(out, str_format(q->memory, STR_FMT "/%d", STR_ARG(addr_ip_text(q->memory, m->edns.subnet.network)), m->edns.subnet.source));
        buf_format(out, ",\"subnet_scope\":%d", m->edns.subnet.scope);
    }
    if (m->edns.has_ede) {
        buf_format(out, ",\"extended_error\":%u,\"explanation\":", m->edns.ede);
        json_put(out, m->edns.ede_text);
    }
    buf_put(out, S("}\n"));
}

static void put_wire(query_run *q, str title, str wire)
{
    dns_wire_field *fields;
    int count = dns_wire_view(q->memory, wire, q->korean, &fields);
    buf_format(q->out, "==== " STR_FMT " (%td bytes)\n", STR_ARG(title), wire.len);
    buf_put(q->out, dns_wire_text(q->memory, wire, fields, count));
    buf_put_byte(q->out, '\n');
}

// The query as it left: the same builder makes the same bytes, the id is the reply's.
static void put_wires(query_run *q, const dns_exchanged *x)
{
    unsigned char *room = arena_alloc(q->memory, DNS_UDP_PLAIN_MAX, 1, 1);
    if (!room)
        return;
    dns_edns edns = {.present = true, .udp_size = DNS_UDP_MAX, .trace = fiber_trace(), .has_subnet = q->has_subnet, .subnet = q->subnet};
    str query = dns_query_build_with(room, DNS_UDP_PLAIN_MAX, x->message.header.id, q->question, true, &edns);
    put_wire(q, q->korean ? S("질의") : S("query"), query);
    put_wire(q, q->korean ? S("응답") : S("reply"), x->wire);
}

static void put_explanation(query_run *q, const dns_message *m)
{
    str rcode = dns_rcode_text(q->memory, m->header.rcode), meaning = dns_rcode_meaning(m->header.rcode);
    bool is_referral = m->count[DNS_AUTHORITY] && !m->header.authoritative && !m->header.recursion_available;
    if (m->header.rcode != DNS_NOERROR)
        buf_format(q->out, "  " STR_FMT ": " STR_FMT "\n", STR_ARG(rcode), STR_ARG(meaning));
    else if (m->count[DNS_ANSWER] == 0)
        buf_put(q->out, is_referral ? S("  no answer here; the server refers to others:\n")
                                    : S("  the name exists, but has no record of this type\n"));
    else if (query_exit_code(m) != COMMAND_OK)
        buf_put(q->out, S("  an alias; what it stands for has no record of this type\n"));
    if (m->edns.has_ede) {
        str ede = m->edns.ede_text.len ? m->edns.ede_text : dns_ede_text(q->memory, m->edns.ede);
        buf_format(q->out, "  (" STR_FMT ")\n", STR_ARG(ede));
    }
}

// What the server says to the network that it was told.
static void put_subnet(query_run *q, const dns_message *m)
{
    if (!q->has_subnet)
        return;
    dns_subnet told = q->subnet, good = dns_subnet_of(told.network, m->edns.subnet.scope < told.source ? m->edns.subnet.scope : told.source);
    str told_text = dns_subnet_text(q->memory, &told), good_text = dns_subnet_text(q->memory, &good);
    if (!m->edns.has_subnet)
        buf_format(q->out, "  the server takes no notice of the network " STR_FMT "\n", STR_ARG(told_text));
    else if (m->edns.subnet.scope == 0)
        buf_format(q->out, "  for " STR_FMT " as for everybody\n", STR_ARG(told_text));
    else
        buf_format(q->out, "  for clients in " STR_FMT "%s\n", STR_ARG(good_text),
                   m->edns.subnet.scope > told.source ? " (some of it may be answered differently)" : "");
}

static void put_reply(query_run *q, const dns_exchanged *x, addr server)
{
    const dns_message *m = &x->message;
    str at = addr_text(q->memory, server), rcode = dns_rcode_text(q->memory, m->header.rcode);
    buf_format(q->out, "" STR_FMT "\n", STR_ARG(query_question_text(q->memory, q->question)));
    put_explanation(q, m);
    query_put_records(q->out, q->memory, m, DNS_ANSWER);
    if (m->count[DNS_ANSWER] == 0) {
        query_put_records(q->out, q->memory, m, DNS_AUTHORITY);
        query_put_records(q->out, q->memory, m, DNS_ADDITIONAL);
    }
    put_subnet(q, m);
    buf_format(q->out, STR_FMT " answered over %s in ", STR_ARG(at), x->by_tcp ? "TCP" : "UDP");
    query_put_time(q->out, x->took_ns);
    buf_format(q->out, ": " STR_FMT "%s, %td bytes\n", STR_ARG(rcode), m->header.authoritative ? ", authoritative" : "",
               x->wire.len);
}

// Running.

static int ask_once(query_run *q)
{
    dns_asking asking = {.question = q->question, .recursion_desired = true, .by_tcp = q->by_tcp, .has_subnet = q->has_subnet,
                         .subnet = q->subnet};
    for (int i = 0; i < q->server_count; i++) {
        addr server = addr_with_port(q->servers[i], DNS_PORT), shown = addr_with_port(q->servers[i], q->port);
        dns_exchanged x = dns_exchange(q->world, server, asking, seconds(QUERY_TIMEOUT_S), q->memory);
        if (x.error) {
            str at = addr_text(q->memory, shown);
            q->trouble = str_format(q->memory, "no answer from " STR_FMT ": %s", STR_ARG(at), err_text(x.error));
            continue;
        }
        if (q->json)
            put_json(q, &x, shown);
        if (q->wire && !q->json)
            put_wires(q, &x);
        if (!q->json)
            put_reply(q, &x, shown);
        q->trouble = (str){0};
        return query_exit_code(&x.message);
    }
    return COMMAND_UNREACHABLE;
}

static void run(void *arg)
{
    command *c = arg;
    query_run *q = &c->run;
    fiber_set_trace(story_trace_new());
    c->code = COMMAND_UNREACHABLE;
    if (!server_find(c)) {
        if (!q->trouble.len)
            q->trouble = S("no name server is known: /etc/resolv.conf names none; give one as @ADDRESS");
        return;
    }
    if (q->port != DNS_PORT)
        (void)world_map_port(q->world, DNS_PORT, q->port);
    c->code = c->trace ? query_trace(q) : ask_once(q);
}

static void run_loop(command *c)
{
    loop_driver *driver = driver_linux_new();
    err e = loop_run(driver, c->run.world, run, c);
    driver_linux_free(driver);
    if (e)
        c->run.trouble = str_z(err_text(e)), c->code = COMMAND_FAILED;
}

int cmd_query(int argc, char **argv)
{
    arena memory = arena_make(QUERY_MEMORY_BYTES);
    buf out = buf_make(QUERY_TEXT_BYTES);
    command c = {.run = {.memory = &memory, .out = &out, .port = DNS_PORT}};
    str words[WORDS_MAX], lang = {0}, subnet = {0};
    int count, code;
    const command_option options[] = {
        {"trace", OPTION_FLAG, &c.trace, NULL, "follow the name from the root down, and draw the way"},
        {"wire", OPTION_FLAG, &c.run.wire, NULL, "show query and reply field by field"},
        {"json", OPTION_FLAG, &c.run.json, NULL, "one JSON object"},
        {"tcp", OPTION_FLAG, &c.run.by_tcp, NULL, "ask over TCP"},
        {"subnet", OPTION_TEXT, &subnet, "PREFIX", "ask for a client in this network (RFC 7871); 0: tell nobody of mine"},
        {"root", OPTION_TEXT, &c.root, "ADDRESS", "begin the trace there (default: the local server says where the root is)"},
        {"lang", OPTION_TEXT, &lang, "ko|en", "language of the explanations"},
        {0},
    };
    const command_help help = {
        "query", "NAME [TYPE] [@SERVER[#PORT]]", "Asks DNS for a name's records.", options,
        "  naru query www.ibm.com                  its address\n"
        "  naru query gmail.com MX                 its mail servers\n"
        "  naru query 128.119.245.12               the name of an address\n"
        "  naru query gaia.cs.umass.edu --trace    from the root down\n"
        "  naru query www.ibm.com @127.0.0.2#5300 --wire    this server, every field of the messages\n"
        "  naru query kingcdn.com --subnet 211.234.10.0/24  as somebody there is answered\n"
        "`Done` is: found. Not found and refused are 1.",
    };
    if (!options_read(argc, argv, &help, words, WORDS_MAX, &count, &code))
        return code;
    if (!words_take(&c, words, count))
        return usage_error(&help, STR_FMT, STR_ARG(c.run.trouble));
    c.run.trouble = (str){0};
    if (!question_take(&c))
        return usage_error(&help, "" STR_FMT, STR_ARG(c.run.trouble));
    if (c.root.len && !addr_parse_ip(c.root, DNS_PORT, &c.run.root))
        return usage_error(&help, "--root takes an IP address");
    c.run.has_subnet = subnet.len > 0;
    if (subnet.len && !dns_subnet_from_text(subnet, &c.run.subnet))
        return usage_error(&help, "--subnet takes a network such as 198.51.100.0/24 or 2001:db8:5::/56, or 0");
    lang = language_choose(lang);
    if (!lang.len)
        return usage_error(&help, "--lang takes ko or en");
    c.run.korean = str_eq(lang, S("ko"));
    c.run.world = world_linux_new(S("query"), NULL, 0);
    resolv_conf_take(&c.run);
    run_loop(&c);
    fwrite(out.at, 1, out.len, stdout);
    if (c.run.trouble.len)
        (void)command_error("query", c.code, "" STR_FMT, STR_ARG(c.run.trouble));
    world_linux_free(c.run.world);
    buf_free(&out);
    arena_free(&memory);
    return c.code;
}
