#include "talk/dns_ask.h"

#include "base/must.h"
#include "talk/dns_exchange.h"

enum { ALIASES_MAX = 16 };

static bool is_answer(const dns_message *m)
{
    return m->header.rcode == DNS_NOERROR || m->header.rcode == DNS_NXDOMAIN;
}

static str reply_why(const dns_message *m, addr server, arena *a)
{
    str rcode = dns_rcode_text(a, m->header.rcode), meaning = dns_rcode_meaning(m->header.rcode), at = addr_text(a, server);
    str why = str_format(a, "" STR_FMT " says " STR_FMT " (" STR_FMT ")", STR_ARG(at), STR_ARG(rcode), STR_ARG(meaning));
    if (!m->edns.has_ede)
        return why;
    str ede = m->edns.ede_text.len ? m->edns.ede_text : dns_ede_text(a, m->edns.ede);
    return str_join(a, why, str_format(a, ": " STR_FMT, STR_ARG(ede)));
}

// The name that the question's name is an alias for in the end, through the CNAMEs of the answer.
static dns_name final_name(const dns_message *m)
{
    dns_name n = m->question.name;
    for (int aliases = 0; aliases < ALIASES_MAX; aliases++) {
        dns_name next = {0};
        for (int i = 0; i < m->count[DNS_ANSWER]; i++) {
            const dns_record *r = dns_message_record(m, DNS_ANSWER, i);
            if (r->type == DNS_CNAME && dns_name_eq(r->name, n))
                next = r->rdata;
        }
        if (!next.len)
            break;
        n = next;
    }
    return n;
}

static dns_verdict verdict_of(const dns_message *m, uint32_t *ttl_s)
{
    dns_name n = final_name(m);
    bool found = false;
    *ttl_s = UINT32_MAX;
    for (int i = 0; i < m->count[DNS_ANSWER]; i++) {
        const dns_record *r = dns_message_record(m, DNS_ANSWER, i);
        found |= (r->type == m->question.type || m->question.type == DNS_ANY) &&
                 (dns_name_eq(r->name, n) || m->question.type == DNS_CNAME);
        if (r->ttl < *ttl_s)
            *ttl_s = r->ttl;
    }
    if (*ttl_s == UINT32_MAX)
        *ttl_s = 0;
    return !is_answer(m) ? DNS_TROUBLE : m->header.rcode == DNS_NXDOMAIN ? DNS_NO_NAME : found ? DNS_FOUND : DNS_NO_DATA;
}

// Asks the servers in turn until one gives an answer. *m is read from it.
static dns_answer ask(world *w, const addr *servers, int server_count, str name, uint16_t type, int64_t timeout_ns, arena *a,
                      dns_message *m)
{
    dns_answer answer = {.verdict = DNS_TROUBLE, .error = E_TIMEOUT, .rcode = DNS_SERVFAIL};
    dns_asking asking = {.question = {.type = type, .class = DNS_CLASS_IN}, .recursion_desired = true};
    const char *why = NULL;
    int64_t until = world_now_ns(w) + timeout_ns;
    int rounds = DNS_ASK_TRIES * server_count;
    *m = (dns_message){0};
    if (!dns_name_from_text(a, name, dns_root, &asking.question.name, &why)) {
        answer.why = str_z(why);
        answer.verdict = DNS_NO_NAME;                      // what is no name is no name in the DNS either
        answer.error = E_OK;
        answer.rcode = DNS_NXDOMAIN;
        return answer;
    }
    answer.why = S("no name server is configured");
    for (int round = 0; round < rounds; round++) {
        addr server = servers[round % server_count];
        int64_t left = until - world_now_ns(w), share = timeout_ns / rounds;
        if (left <= 0)
            break;
        dns_exchanged x = dns_exchange(w, server, asking, round == rounds - 1 || left < share ? left : share, a);
        answer.error = x.error;
        if (x.error == E_CANCELED || x.error == E_CRASHED)
            return answer;
        if (x.error != E_OK) {
            str at = addr_text(a, server.port ? server : addr_with_port(server, DNS_PORT));
            answer.why = str_format(a, "no answer from " STR_FMT ": %s", STR_ARG(at), err_text(x.error));
            continue;
        }
        *m = x.message;
        answer.message = x.wire;
        answer.rcode = m->header.rcode;
        answer.why = reply_why(m, server.port ? server : addr_with_port(server, DNS_PORT), a);
        answer.verdict = verdict_of(m, &answer.ttl_s);
        if (answer.verdict != DNS_TROUBLE || round >= server_count - 1)
            return answer;                                 // every server was asked once: trouble is what they say
    }
    return answer;
}

dns_answer dns_ask(world *w, const addr *servers, int server_count, str name, uint16_t type, int64_t timeout_ns, arena *a)
{
    dns_message m;
    return ask(w, servers, server_count, name, type, timeout_ns, a, &m);
}

static bool world_has(world *w, uint8_t family)
{
    int count;
    const addr *own = world_addresses(w, &count);
    for (int i = 0; i < count; i++)
        if (own[i].family == family)
            return true;
    return count == 0;                                     // no address of its own: any
}

static void addresses_add(const dns_message *m, uint16_t type, addr *out, int max, int *count)
{
    dns_name n = final_name(m);
    for (int i = 0; i < m->count[DNS_ANSWER] && *count < max; i++) {
        const dns_record *r = dns_message_record(m, DNS_ANSWER, i);
        if (r->type != type || !dns_name_eq(r->name, n))
            continue;
        addr x = {.family = type == DNS_A ? 4 : 6};
        for (ptrdiff_t b = 0; b < r->rdata.len; b++)
            x.ip[b] = r->rdata.at[b];
        out[(*count)++] = x;
    }
}

dns_answer dns_ask_addresses(world *w, const addr *servers, int server_count, str host, addr *out, int max, int *count,
                             int64_t timeout_ns, arena *a)
{
    dns_message m;
    bool six_first = world_has(w, 6);
    int64_t until = world_now_ns(w) + timeout_ns;
    const uint16_t order[2] = {six_first ? DNS_AAAA : DNS_A, six_first ? DNS_A : DNS_AAAA};
    *count = 0;
    dns_answer first = ask(w, servers, server_count, host, order[0], timeout_ns, a, &m);
    if (first.verdict == DNS_FOUND)
        addresses_add(&m, order[0], out, max, count);
    if (first.verdict == DNS_NO_NAME || first.error == E_CANCELED || first.error == E_CRASHED)
        return first;
    int64_t left = until - world_now_ns(w);
    if (left <= 0)
        return first;
    dns_answer second = ask(w, servers, server_count, host, order[1], left, a, &m);
    if (second.verdict == DNS_FOUND)
        addresses_add(&m, order[1], out, max, count);
    if (first.verdict == DNS_FOUND)
        return first;
    return second.verdict == DNS_FOUND || first.verdict == DNS_NO_DATA ? second : first;
}

static void exchangers_sort(world *w, mail_exchanger *x, int count)
{
    for (int i = count - 1; i > 0; i--) {                  // shuffled first, so that equal preferences come in any order
        int j = (int)world_random_below(w, (uint64_t)i + 1);
        mail_exchanger swap = x[i];
        x[i] = x[j], x[j] = swap;
    }
    for (int i = 1; i < count; i++)
        for (int j = i; j > 0 && x[j - 1].preference > x[j].preference; j--) {
            mail_exchanger swap = x[j];
            x[j] = x[j - 1], x[j - 1] = swap;
        }
}

dns_answer dns_ask_mail(world *w, const addr *servers, int server_count, str domain, mail_exchanger *out, int max, int *count,
                        bool *null_mx, int64_t timeout_ns, arena *a)
{
    dns_message m;
    dns_answer answer = ask(w, servers, server_count, domain, DNS_MX, timeout_ns, a, &m);
    *count = 0;
    *null_mx = false;
    if (answer.verdict == DNS_NO_DATA && max > 0) {        // RFC 5321 5.1: the implicit MX
        out[0] = (mail_exchanger){domain, 0};
        *count = 1;
        answer.verdict = DNS_FOUND;
        return answer;
    }
    if (answer.verdict != DNS_FOUND)
        return answer;
    dns_name n = final_name(&m);
    int records = 0;
    for (int i = 0; i < m.count[DNS_ANSWER]; i++) {
        const dns_record *r = dns_message_record(&m, DNS_ANSWER, i);
        if (r->type != DNS_MX || !dns_name_eq(r->name, n))
            continue;
        records++;
        dns_name host = dns_rdata_target(DNS_MX, r->rdata);
        if (!dns_name_is_root(host) && *count < max)
            out[(*count)++] = (mail_exchanger){dns_name_show(a, host), dns_rdata_preference(r->rdata)};
    }
    *null_mx = records > 0 && *count == 0;                 // RFC 7505: "." alone
    exchangers_sort(w, out, *count);
    return answer;
}
