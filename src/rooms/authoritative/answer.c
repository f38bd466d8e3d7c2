#include "rooms/authoritative/answer.h"

// Everything that one answer needs while it is made.
typedef struct {
    const answer_setting *setting;
    const dns_message    *asked;
    dns_builder b;
    dns_edns    edns;                    // of the reply
    bool        required_dropped;        // something that must be in the reply did not fit: TC
    bool        leaves_our_zones;        // a referral, an alias to elsewhere, or none of our zones at all
    dns_name    wants[ANSWER_ADDITIONAL_NAMES_MAX];      // names in the reply whose addresses help the asker
    int         want_count;
} answering;

typedef enum { STEP_DONE, STEP_ALIAS } step;

// Writing sets.

static void want_addresses(answering *x, unsigned type, str rdata)
{
    dns_name target = type == DNS_NS || type == DNS_MX || type == DNS_SRV ? dns_rdata_target(type, rdata) : (str){0};
    for (int i = 0; i < x->want_count; i++)
        if (dns_name_eq(x->wants[i], target))
            return;
    if (target.len > 1 && x->want_count < ANSWER_ADDITIONAL_NAMES_MAX)
        x->wants[x->want_count++] = target;
}

// Writes a whole set or nothing of it (RFC 2181 9), beginning at record `turn`.
static bool put_set(answering *x, dns_section section, dns_name owner, const zone_set *set, uint32_t ttl, uint32_t turn)
{
    dns_mark mark = dns_build_mark(&x->b);
    dns_record r = {.name = owner, .type = set->type, .class = DNS_CLASS_IN, .ttl = ttl};
    uint32_t cursor = 0, skip = set->count > 1 ? turn % set->count : 0;
    for (uint32_t i = 0; i < skip; i++)
        (void)zone_set_next(set, &cursor, &r.rdata);
    for (int i = 0; i < set->count; i++) {
        if (!zone_set_next(set, &cursor, &r.rdata)) {
            cursor = 0;                                    // round to the first
            (void)zone_set_next(set, &cursor, &r.rdata);
        }
        if (!dns_build_record(&x->b, section, &r)) {
            dns_build_rewind(&x->b, mark);
            return false;
        }
        if (section != DNS_ADDITIONAL)
            want_addresses(x, set->type, r.rdata);
    }
    return true;
}

static void put_answer(answering *x, dns_name owner, const zone_set *set)
{
    x->required_dropped |= !put_set(x, DNS_ANSWER, owner, set, set->ttl, x->setting->turn);
}

// RFC 2308 3 and 5: the SOA of a negative answer lives no longer than its own minimum.
static void put_negative_soa(answering *x, const zone *z)
{
    const zone_set *set = zone_node_set(z->apex, DNS_SOA);
    uint32_t cursor = 0;
    str rdata = {0};
    dns_soa soa = {0};
    if (!set || !zone_set_next(set, &cursor, &rdata) || !dns_rdata_soa(rdata, &soa))
        return;
    uint32_t ttl = soa.minimum_s < set->ttl ? soa.minimum_s : set->ttl;
    x->required_dropped |= !put_set(x, DNS_AUTHORITY, z->origin, set, ttl, 0);
}

// The node whose addresses are ours to give. For a referral: what the zone knows of the name, below its cuts too (glue,
// RFC 1034 4.2.1); else only what a zone of ours holds above its cuts.
static const zone_node *address_node(const answering *x, dns_name n, const zone *glue_of)
{
    if (glue_of)
        return dns_name_under(n, glue_of->origin) ? zone_find(glue_of, n) : NULL;
    const zone *z = zone_table_find(x->setting->zones, n);
    if (!z)
        return NULL;
    for (dns_name above = n; !dns_name_eq(above, z->origin); above = dns_name_parent(above)) {
        const zone_node *node = zone_find(z, above);
        if (node && node->is_cut)
            return NULL;
    }
    return zone_find(z, n);
}

static void put_addresses(answering *x, const zone *glue_of, bool required)
{
    for (int i = 0; i < x->want_count; i++) {
        const zone_node *node = address_node(x, x->wants[i], glue_of);
        for (const zone_set *set = node ? node->sets : NULL; set; set = set->next) {
            bool is_address = set->type == DNS_A || set->type == DNS_AAAA;
            if (is_address && !put_set(x, DNS_ADDITIONAL, zone_node_name(node), set, set->ttl, 0))
                x->required_dropped |= required;           // glue that the asker cannot do without: RFC 9471
        }
    }
}

// The steps of RFC 1034 4.3.2.

static step refer(answering *x, const zone *z, const zone_node *cut, bool is_first)
{
    const zone_set *ns = zone_node_set(cut, DNS_NS);
    x->leaves_our_zones = true;
    if (is_first)
        x->b.header.authoritative = false;
    x->want_count = 0;                                     // a referral carries its glue and nothing else
    if (put_set(x, DNS_AUTHORITY, zone_node_name(cut), ns, ns->ttl, 0))
        put_addresses(x, z, true);
    else
        x->required_dropped = true;
    x->want_count = 0;
    return STEP_DONE;
}

// For whom a steered name is answered: the network that the query names, else the asker.
static bool is_for_subnet(const answering *x)
{
    return x->setting->by_subnet && x->asked->edns.has_subnet && x->asked->edns.subnet.source > 0;
}

// Positive answers alone: what does not exist is the same for everybody (RFC 7871 7.4).
static void narrow_scope(answering *x, const steered_ranking *r, const steered_network *n)
{
    const dns_subnet *told = &x->asked->edns.subnet;
    int scope = steered_scope(r, n, told->network, told->source);
    if (scope > x->edns.subnet.scope)
        x->edns.subnet.scope = (uint8_t)scope;
}

// The addresses of a name that is steered, in the order of the ranking: the asker is to take the first. False: nobody has ranked them
// yet, or not for this client: the zone's own count.
static bool answer_steered(answering *x, const zone *z, dns_name owner)
{
    const steered_name *s = x->setting->steered ? steered_name_find(x->setting->steered, owner) : NULL;
    addr client = is_for_subnet(x) ? x->asked->edns.subnet.network : x->setting->client;
    const steered_network *n = s && s->ranking ? steered_find(s->ranking, client) : NULL;
    unsigned type = x->asked->question.type;
    int put = 0;
    for (int i = 0; n && i < n->count; i++) {
        const addr *at = &n->at[i];
        dns_record r = {.name = owner, .type = at->family == 4 ? DNS_A : DNS_AAAA, .class = DNS_CLASS_IN, .ttl = s->ranking->ttl_s};
        r.rdata = str_of(at->ip, at->family == 4 ? 4 : 16);
        if (type != r.type && type != DNS_ANY)
            continue;
        x->required_dropped |= !dns_build_record(&x->b, DNS_ANSWER, &r);
        put++;
    }
    if (n && !put)
        put_negative_soa(x, z);                            // nodes of the other family alone: NODATA
    if (put && is_for_subnet(x))
        narrow_scope(x, s->ranking, n);
    return n != NULL;
}

// Data of a name that exists, or that a wildcard stands for; `owner` is the name that was asked.
static step answer_node(answering *x, const zone *z, const zone_node *node, dns_name *owner)
{
    unsigned type = x->asked->question.type;
    const zone_set *set = type == DNS_ANY ? node->sets : zone_node_set(node, type);    // ANY: one set, RFC 8482 4.1
    const zone_set *alias = zone_node_set(node, DNS_CNAME);
    if (node->is_steered && (type == DNS_A || type == DNS_AAAA || type == DNS_ANY) && answer_steered(x, z, *owner))
        return STEP_DONE;
    if (!set && alias) {
        uint32_t cursor = 0;
        str target = {0};
        put_answer(x, *owner, alias);
        (void)zone_set_next(alias, &cursor, &target);
        *owner = target;
        return STEP_ALIAS;
    }
    if (set)
        put_answer(x, *owner, set);
    else
        put_negative_soa(x, z);                            // NODATA
    return STEP_DONE;
}

static step answer_missing(answering *x, const zone *z, const zone_node *encloser, dns_name *owner, arena *msg)
{
    dns_name star;
    const zone_node *wildcard = NULL;
    if (encloser->has_wildcard && dns_name_join(msg, S("\1*\0"), zone_node_name(encloser), &star))
        wildcard = zone_find(z, star);
    if (wildcard)
        return answer_node(x, z, wildcard, owner);         // RFC 4592 3.3: synthesised under the asked name
    x->b.header.rcode = DNS_NXDOMAIN;
    put_negative_soa(x, z);
    return STEP_DONE;
}

// Step 3: walk down from the apex, label by label, to the name, a cut, or the last name that exists.
static step answer_in_zone(answering *x, const zone *z, dns_name *owner, arena *msg, bool is_first)
{
    int labels = dns_name_labels(*owner), at = dns_name_labels(z->origin);
    const zone_node *node = z->apex;
    while (at < labels) {
        const zone_node *below = zone_find(z, dns_name_tail(*owner, at + 1));
        if (!below)
            return answer_missing(x, z, node, owner, msg);
        node = below;
        at++;
        bool asks_parent = at == labels && x->asked->question.type == DNS_DS;      // RFC 4035 3.1.4.1
        if (node->is_cut && !asks_parent)
            return refer(x, z, node, is_first);
    }
    return answer_node(x, z, node, owner);
}

// Step 2: the nearest zone; the parent's when a child's apex is asked for its DS.
static const zone *nearest_zone(const answering *x, dns_name n)
{
    const zone *z = zone_table_find(x->setting->zones, n);
    if (z && x->asked->question.type == DNS_DS && dns_name_eq(z->origin, n) && !dns_name_is_root(n)) {
        const zone *above = zone_table_find(x->setting->zones, dns_name_parent(n));
        return above ? above : z;
    }
    return z;
}

// Follows aliases through the zones we hold. False when the name asked first is in none of them.
static bool answer_question(answering *x, arena *msg)
{
    dns_name owner = x->asked->question.name;
    x->b.header.authoritative = true;
    for (int aliases = 0; aliases <= ANSWER_ALIASES_MAX; aliases++) {
        const zone *z = nearest_zone(x, owner);
        x->leaves_our_zones = !z;
        if (!z)
            return aliases > 0;                            // an alias that leads elsewhere: the asker goes on there
        if (answer_in_zone(x, z, &owner, msg, aliases == 0) != STEP_ALIAS)
            break;
    }
    if (x->b.count[DNS_ANSWER])
        put_addresses(x, NULL, false);
    return true;
}

// What is refused before any zone is looked at; DNS_NOERROR: nothing.
static unsigned refuse_early(const dns_message *m)
{
    unsigned type = m->question.type;
    if (m->header.opcode != DNS_OP_QUERY)
        return DNS_NOTIMP;
    if (!m->has_question || m->header.truncated)
        return DNS_FORMERR;
    if (m->edns.present && m->edns.version > 0)
        return DNS_BADVERS;
    if (m->question.class != DNS_CLASS_IN)
        return DNS_REFUSED;
    if (type == DNS_AXFR || type == DNS_IXFR)
        return DNS_REFUSED;                                // zone transfers have rules of their own
    if (dns_type_is_meta(type) && type != DNS_ANY)
        return DNS_NOTIMP;
    return DNS_NOERROR;
}

static void explain(answering *x, unsigned ede, str sentence)
{
    x->edns.has_ede = true;
    x->edns.ede = (uint16_t)ede;
    x->edns.ede_text = sentence;
}

static size_t reply_limit(const answer_setting *s, const dns_message *m, size_t out_max)
{
    size_t limit = s->is_stream ? DNS_MESSAGE_MAX : m->edns.present ? m->edns.udp_size : DNS_UDP_PLAIN_MAX;
    if (!s->is_stream && limit > DNS_UDP_MAX)
        limit = DNS_UDP_MAX;
    return limit < out_max ? limit : out_max;
}

answer_verdict answer(const answer_setting *s, str query, arena *msg, void *out, size_t out_max, str *reply,
                      dns_message *asked)
{
    bool readable = dns_message_read(query, msg, asked, NULL);
    if (query.len < DNS_HEADER_BYTES || asked->header.response)
        return ANSWER_NONE;
    if (!readable) {
        *reply = dns_reply_bare(out, out_max, query, asked->header.opcode == DNS_OP_QUERY ? DNS_FORMERR : DNS_NOTIMP);
        return reply->len ? ANSWER_READY : ANSWER_NONE;
    }
    answering x = {.setting = s, .asked = asked, .edns = {.present = true, .udp_size = DNS_UDP_MAX}};
    dns_header header = {.id = asked->header.id, .opcode = asked->header.opcode, .response = true,
                         .recursion_desired = asked->header.recursion_desired, .recursion_available = s->offers_recursion,
                         .checking_disabled = asked->header.checking_disabled};
    const dns_edns *edns = asked->edns.present ? &x.edns : NULL;
    x.edns.dnssec_ok = asked->edns.dnssec_ok;              // RFC 3225 3: copied
    x.edns.has_subnet = s->by_subnet && asked->edns.has_subnet;      // RFC 7871 7.2.1: repeated, with the scope; 0: for everybody
    x.edns.subnet = asked->edns.subnet;
    dns_build_start(&x.b, out, reply_limit(s, asked, out_max), header, edns);
    if (asked->has_question)
        dns_build_question(&x.b, asked->question);
    x.b.header.rcode = (uint16_t)refuse_early(asked);
    if (x.b.header.rcode == DNS_NOERROR && !answer_question(&x, msg)) {
        x.b.header.authoritative = false;
        x.b.header.rcode = DNS_REFUSED;
        explain(&x, DNS_EDE_NOT_AUTHORITATIVE, S("this server does not hold the zone of that name"));
    }
    if (s->offers_recursion && asked->header.recursion_desired && x.leaves_our_zones)
        return ANSWER_RECURSE;
    x.b.header.truncated = x.required_dropped;
    *reply = dns_build_end(&x.b, edns);
    return reply->len ? ANSWER_READY : ANSWER_NONE;
}
