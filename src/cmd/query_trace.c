// naru query --trace: plays the local name server's part of the course's picture. The host asks it (1), it asks the
// root, a top-level domain, an authoritative server, each referring to the next, and answers the host.
#include "cmd/query.h"

#include <stdio.h>
#include <string.h>

#include "cmd/options.h"
#include "rooms/resolver/delegation.h"
#include "rooms/resolver/scrub.h"
#include "rt/json_text.h"
#include "talk/dns_ask.h"

enum {
    STEPS_MAX = 40,
    ALIASES_MAX = 8,
    LANES_MAX = 12,                      // servers that get a column of their own
    LANE_COLUMNS = 15,
    HOST_COLUMNS = 12,
    ADDRESSES_MAX = 26,
};

typedef struct {
    dns_question question;
    dns_name zone;                       // whose server was asked
    str      server_name;
    addr     server;
    dns_exchanged exchanged;             // error: nobody answered
    reply_view view;
    int      lane;
} trace_step;

typedef struct {
    query_run *q;
    trace_step step[STEPS_MAX];
    int       steps;
    str       lane[LANES_MAX];           // titles: "root", "edu", "umass.edu"
    addr      lane_server[LANES_MAX];
    int       lanes;
    addr      root[ADDRESSES_MAX];       // and their names
    str       root_name[ADDRESSES_MAX];
    int       roots;
    int64_t   took_ns;
} trace;

// The place where everything begins.

static void root_add(trace *t, str name, addr at)
{
    if (t->roots == ADDRESSES_MAX)
        return;
    t->root_name[t->roots] = name;
    t->root[t->roots++] = addr_with_port(at, DNS_PORT);
}

static addr address_of(const dns_record *r)
{
    addr x = {.family = r->type == DNS_A ? 4 : 6, .port = DNS_PORT};
    memcpy(x.ip, r->rdata.at, (size_t)r->rdata.len);
    return x;
}

// The local server knows the root's names, and ours gives their addresses with them; others are asked for each.
static bool roots_find(trace *t)
{
    query_run *q = t->q;
    dns_asking asking = {.question = {dns_root, DNS_NS, DNS_CLASS_IN}, .recursion_desired = true};
    if (q->root.family) {
        root_add(t, S("root"), q->root);
        return true;
    }
    dns_exchanged x = {.error = E_TIMEOUT};
    for (int i = 0; i < q->server_count && x.error; i++)
        x = dns_exchange(q->world, addr_with_port(q->servers[i], DNS_PORT), asking, seconds(QUERY_TRY_S), q->memory);
    for (int i = 0; !x.error && i < x.message.count[DNS_ADDITIONAL]; i++) {
        const dns_record *r = dns_message_record(&x.message, DNS_ADDITIONAL, i);
        if (r->type == DNS_A)
            root_add(t, dns_name_show(q->memory, r->name), address_of(r));
    }
    for (int i = 0; !x.error && t->roots == 0 && i < x.message.count[DNS_ANSWER]; i++) {
        const dns_record *r = dns_message_record(&x.message, DNS_ANSWER, i);
        addr found[4];
        int count = 0;
        if (r->type == DNS_NS)
            dns_ask_addresses(q->world, q->servers, q->server_count, dns_name_show(q->memory, r->rdata), found, 4, &count,
                              seconds(QUERY_TRY_S), q->memory);
        for (int j = 0; j < count; j++)
            root_add(t, dns_name_show(q->memory, r->rdata), found[j]);
    }
    if (t->roots == 0)
        q->trouble = str_format(q->memory, "the local server does not say where the root is (%s); name another (beside `naru try`: the @SERVER"
                                " it printed), or give --root ADDRESS",
                                x.error ? err_text(x.error) : "no addresses of its servers");
    return t->roots > 0;
}

// Walking.

typedef struct { str name[ADDRESSES_MAX]; addr at[ADDRESSES_MAX]; int count; } choice;

static void choice_of_roots(const trace *t, choice *c)
{
    memcpy(c->name, t->root_name, sizeof c->name);
    memcpy(c->at, t->root, sizeof c->at);
    c->count = t->roots;
}

// The servers of a referral; those without an address in it are looked up through the local server.
static void choice_of_delegation(trace *t, const delegation *d, choice *c)
{
    query_run *q = t->q;
    c->count = 0;
    for (int i = 0; i < d->addresses && c->count < ADDRESSES_MAX; i++) {
        if (d->address[i].at.family != 4)
            continue;
        c->name[c->count] = dns_name_show(q->memory, d->name[d->address[i].name]);
        c->at[c->count++] = addr_with_port(d->address[i].at, DNS_PORT);
    }
    for (int i = 0; i < d->names && c->count == 0; i++) {
        addr found[4];
        int count = 0;
        str name = dns_name_show(q->memory, d->name[i]);
        dns_ask_addresses(q->world, q->servers, q->server_count, name, found, 4, &count, seconds(QUERY_TRY_S), q->memory);
        for (int j = 0; j < count; j++) {
            c->name[c->count] = name;
            c->at[c->count++] = addr_with_port(found[j], DNS_PORT);
        }
    }
}

static int lane_of(trace *t, dns_name zone, addr server)
{
    str title = dns_name_is_root(zone) ? S("root") : dns_name_show(t->q->memory, zone);
    for (int i = 0; i < t->lanes; i++)
        if (str_eq_nocase(t->lane[i], title))
            return i;
    if (t->lanes == LANES_MAX)
        return LANES_MAX - 1;
    t->lane[t->lanes] = title;
    t->lane_server[t->lanes] = server;
    return t->lanes++;
}

// Asks one of the servers after the other. NULL: none was of use, or too many steps.
static trace_step *ask_choice(trace *t, const choice *c, dns_name zone, dns_question question)
{
    bool tells = t->q->has_subnet && dns_name_labels(zone) >= 2;       // neither the root nor a top-level domain needs to know
    dns_asking asking = {.question = question, .by_tcp = t->q->by_tcp, .has_subnet = tells, .subnet = t->q->subnet};
    for (int i = 0; i < c->count && t->steps < STEPS_MAX; i++) {
        trace_step *s = &t->step[t->steps++];
        *s = (trace_step){.question = question, .zone = zone, .server_name = c->name[i], .server = c->at[i],
                          .lane = lane_of(t, zone, c->at[i]), .view = {.kind = REPLY_LAME}};
        s->exchanged = dns_exchange(t->q->world, c->at[i], asking, seconds(QUERY_TRY_S), t->q->memory);
        t->took_ns += s->exchanged.took_ns;
        if (s->exchanged.error == E_OK)
            s->view = reply_judge(&s->exchanged.message, zone, question, false);
        if (s->view.kind != REPLY_LAME)
            return s;
    }
    return NULL;
}

// From the root down for one name; the last step, NULL when the way ends without an answer.
static trace_step *walk_down(trace *t, dns_question question)
{
    choice c;
    dns_name zone = dns_root;
    choice_of_roots(t, &c);
    for (;;) {
        trace_step *s = ask_choice(t, &c, zone, question);
        delegation d;
        uint32_t ttl;
        if (!s || s->view.kind != REPLY_REFERRAL)
            return s;
        if (!delegation_read(&s->exchanged.message, zone, s->view.cut, &d, &ttl))
            return NULL;
        zone = d.zone;
        choice_of_delegation(t, &d, &c);
    }
}

static trace_step *walk(trace *t)
{
    dns_question question = t->q->question;
    trace_step *last = NULL;
    for (int aliases = 0; aliases < ALIASES_MAX; aliases++) {
        const dns_record *alias = NULL;
        last = walk_down(t, question);
        if (!last || last->view.kind != REPLY_ALIAS)
            return last;
        // The same server may hold the alias's target too: then the way ends here.
        const dns_message *m = &last->exchanged.message;
        for (int hops = 0; hops < ALIASES_MAX && reply_set(m, question.name, DNS_CNAME, &alias, 1); hops++)
            question.name = alias->rdata;
        if (reply_set(m, question.name, question.type, &alias, 1))
            return last;
    }
    return last;
}

// Drawing.

// What the same message says of the alias's target: ": 211.249.220.24".
static str behind_alias(arena *a, const dns_message *m, dns_question q)
{
    str text = {0};
    for (int i = 0; i < m->count[DNS_ANSWER]; i++) {
        const dns_record *r = dns_message_record(m, DNS_ANSWER, i);
        str data = r->type == q.type ? dns_rdata_text(a, r->type, r->rdata) : (str){0};
        if (data.len)
            text = str_join(a, text, str_format(a, "%s" STR_FMT, text.len ? ", " : ": ", STR_ARG(data)));
    }
    return text;
}

static str reply_text(const trace *t, const trace_step *s)
{
    arena *a = t->q->memory;
    const dns_message *m = &s->exchanged.message;
    const dns_record *r = NULL;
    if (s->exchanged.error)
        return str_format(a, "(%s)", err_text(s->exchanged.error));
    switch (s->view.kind) {
    case REPLY_REFERRAL: {
        for (int i = 0; i < m->count[DNS_AUTHORITY] && !r; i++)
            if (dns_message_record(m, DNS_AUTHORITY, i)->type == DNS_NS)
                r = dns_message_record(m, DNS_AUTHORITY, i);
        str cut = dns_name_show(a, s->view.cut), server = r ? dns_name_show(a, r->rdata) : S("?");
        return str_format(a, "I don't know; ask " STR_FMT ", for " STR_FMT, STR_ARG(server), STR_ARG(cut));
    }
    case REPLY_DATA:
    case REPLY_ALIAS: {
        unsigned type = s->view.kind == REPLY_ALIAS ? DNS_CNAME : s->question.type;
        const dns_record *all[4];
        int count = reply_set(m, s->question.name, type, all, 4);
        str text = s->view.kind == REPLY_ALIAS ? S("alias of ") : S("");
        for (int i = 0; i < count; i++) {
            str data = dns_rdata_text(a, type, all[i]->rdata);
            text = str_join(a, text, str_format(a, "%s" STR_FMT, i ? ", " : "", STR_ARG(data)));
        }
        return s->view.kind == REPLY_ALIAS ? str_join(a, text, behind_alias(a, m, s->question)) : text;
    }
    case REPLY_NO_NAME: return S("no such name");
    case REPLY_NO_DATA: return S("the name exists, but has no such record");
    case REPLY_LAME: break;
    }
    return str_format(a, "of no use: " STR_FMT, STR_ARG(dns_rcode_text(a, m->header.rcode)));
}

static int column_of(int lane) { return HOST_COLUMNS + LANE_COLUMNS * (lane + 1); }

// One line of the picture: bars at the host, the local server and every server, an arrow between two of them.
static void put_arrow(trace *t, int from, int to, int number)
{
    char line[HOST_COLUMNS + LANE_COLUMNS * (LANES_MAX + 1) + 8], label[16];
    int width = column_of(t->lanes - 1) + 1, left = from < to ? from : to, right = from < to ? to : from;
    memset(line, ' ', sizeof line);
    line[2] = line[HOST_COLUMNS] = '|';
    for (int i = 0; i < t->lanes; i++)
        line[column_of(i)] = '|';
    for (int i = left + 1; i < right; i++)
        line[i] = '-';
    line[from < to ? right - 1 : left + 1] = from < to ? '>' : '<';
    int n = snprintf(label, sizeof label, " %d ", number);
    memcpy(line + left + 3, label, (size_t)n);
    buf_format(t->q->out, "%.*s\n", width, line);
}

static void put_titles(trace *t)
{
    buf_format(t->q->out, "host        local name server");
    int at = HOST_COLUMNS + 17;
    for (int i = 0; i < t->lanes; i++) {
        int start = column_of(i) - (int)t->lane[i].len / 2;
        if (start < at + 1)
            start = at + 1;
        buf_format(t->q->out, "%*s" STR_FMT, start - at, "", STR_ARG(t->lane[i]));
        at = start + (int)t->lane[i].len;
    }
    buf_put_byte(t->q->out, '\n');
}

static void put_picture(trace *t)
{
    int number = 1;
    put_titles(t);
    put_arrow(t, 2, HOST_COLUMNS, number++);
    for (int i = 0; i < t->steps; i++) {
        put_arrow(t, HOST_COLUMNS, column_of(t->step[i].lane), number++);
        if (t->step[i].exchanged.error == E_OK)
            put_arrow(t, column_of(t->step[i].lane), HOST_COLUMNS, number++);
    }
    put_arrow(t, HOST_COLUMNS, 2, number);
    buf_put_byte(t->q->out, '\n');
}

static void put_legend(trace *t, const trace_step *last)
{
    query_run *q = t->q;
    int number = 1;
    buf_format(q->out, "%3d  " STR_FMT "?   (recursion desired: please find it for me)\n", number++,
               STR_ARG(query_question_text(q->memory, q->question)));
    for (int i = 0; i < t->steps; i++) {
        const trace_step *s = &t->step[i];
        str at = addr_ip_text(q->memory, s->server), question = query_question_text(q->memory, s->question);
        str said = reply_text(t, s);
        buf_format(q->out, "%3d  " STR_FMT "?   to " STR_FMT " (" STR_FMT ")\n", number++, STR_ARG(question),
                   STR_ARG(s->server_name), STR_ARG(at));
        if (s->exchanged.error == E_OK) {
            buf_format(q->out, "%3d  " STR_FMT "   [", number++, STR_ARG(said));
            query_put_time(q->out, s->exchanged.took_ns);
            buf_put(q->out, S("]\n"));
        } else {
            buf_format(q->out, "     " STR_FMT "\n", STR_ARG(said));
        }
    }
    str answer = last ? reply_text(t, last) : S("nobody knows");
    buf_format(q->out, "%3d  " STR_FMT "\n\n", number, STR_ARG(answer));
}

static void put_trace_json(trace *t)
{
    buf *out = t->q->out;
    arena *a = t->q->memory;
    buf_put(out, S("{\"question\":"));
    json_put(out, query_question_text(a, t->q->question));
    buf_put(out, S(",\"steps\":["));
    for (int i = 0; i < t->steps; i++) {
        const trace_step *s = &t->step[i];
        buf_format(out, "%s{\"question\":", i ? "," : "");
        json_put(out, query_question_text(a, s->question));
        buf_put(out, S(",\"zone\":"));
        json_put(out, dns_name_text(a, s->zone));
        buf_put(out, S(",\"server\":"));
        json_put(out, s->server_name);
        buf_put(out, S(",\"address\":"));
        json_put(out, addr_text(a, addr_with_port(s->server, t->q->port)));
        buf_format(out, ",\"took_us\":%lld,\"reply\":", (long long)(s->exchanged.took_ns / 1000));
        json_put(out, reply_text(t, s));
        buf_put_byte(out, '}');
    }
    buf_put(out, S("],\"answer\":"));
    if (t->steps && t->step[t->steps - 1].exchanged.error == E_OK)
        query_put_records_json(out, a, &t->step[t->steps - 1].exchanged.message, DNS_ANSWER);
    else
        buf_put(out, S("[]"));
    buf_put(out, S("}\n"));
}

static void put_step_wires(trace *t)
{
    for (int i = 0; i < t->steps; i++) {
        dns_wire_field *fields;
        const trace_step *s = &t->step[i];
        if (s->exchanged.error)
            continue;
        int count = dns_wire_view(t->q->memory, s->exchanged.wire, t->q->korean, &fields);
        buf_format(t->q->out, "==== reply of " STR_FMT "\n", STR_ARG(s->server_name));
        buf_put(t->q->out, dns_wire_text(t->q->memory, s->exchanged.wire, fields, count));
        buf_put_byte(t->q->out, '\n');
    }
}

int query_trace(query_run *q)
{
    trace *t = arena_new(q->memory, trace);
    if (!t)
        return COMMAND_FAILED;
    t->q = q;
    if (!roots_find(t))
        return COMMAND_UNREACHABLE;
    trace_step *last = walk(t);
    if (q->json) {
        put_trace_json(t);
    } else {
        put_picture(t);
        put_legend(t, last);
        if (q->wire)
            put_step_wires(t);
        if (last)
            query_put_records(q->out, q->memory, &last->exchanged.message, DNS_ANSWER);
        buf_format(q->out, "%d servers asked in ", t->steps);
        query_put_time(q->out, t->took_ns);
        buf_put_byte(q->out, '\n');
    }
    if (!last)
        q->trouble = S("the way ended without an answer");
    return last ? query_exit_code(&last->exchanged.message) : COMMAND_FAILED;
}
