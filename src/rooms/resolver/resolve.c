#include "rooms/resolver/resolve.h"

#include <string.h>

#include "rooms/resolver/lookup.h"
#include "rooms/resolver/scrub.h"
#include "talk/dns_exchange.h"

// What one client query may still spend, and where it stands.
typedef struct {
    uint64_t number;                     // of the client query: older ones are smaller
    int64_t  until_ns;
    int      queries_left, server_lookups_left, depth;
    const char *trouble;                 // the last thing that went wrong, for the extended error
    unsigned char trouble_zone[DNS_NAME_MAX];              // a copy: the name's own memory may end before
    ptrdiff_t trouble_zone_len;
    bool     exhausted, unreachable;
} budget;

// One step of an answer: what is known of one name.
typedef enum { STEP_DATA, STEP_ALIAS, STEP_NO_DATA, STEP_NO_NAME, STEP_FAILED } step_kind;

typedef struct {
    step_kind   kind;
    dns_record *records;
    int         count;
    dns_name    target;                  // STEP_ALIAS
    bool        has_soa;
    dns_record  soa;
    uint16_t    ede;                     // STEP_FAILED out of the cache
    str         ede_text;
    uint8_t     scope;                   // as found.scope
} step;

// One name and type being looked for, from zone to zone; the last reply of use stands in message and view.
typedef struct {
    resolver    *resolver;
    budget      *budget;
    arena       *memory;
    dns_question question;
    const dns_subnet *client;            // NULL: in no zone whose servers are told
    dns_message  message;
    reply_view   view;
    bool         told;                   // the reply's server was told the client's network, and said for whom the reply is
} search;

static const dns_subnet untold;

static void find_whole(resolver *r, budget *b, dns_question q, const dns_subnet *client, arena *a, found *out);

void resolver_init(resolver *r, world *w, size_t cache_bytes_max)
{
    memset(r, 0, sizeof *r);
    r->world = w;
    r->in_flight = map_make_nocase(world_random_u64(w), RESOLVER_IN_FLIGHT_MAX);
    cache_init(&r->answers, world_random_u64(w), cache_bytes_max);
    delegations_init(&r->delegations, world_random_u64(w));
}

void resolver_free(resolver *r)
{
    must(r->in_flight.count == 0);
    map_free(&r->in_flight);
    cache_free(&r->answers);
    delegations_free(&r->delegations);
}

// Whose servers are told the client's network.

bool subnet_zones_add(subnet_zones *z, dns_name n)
{
    if (z->count == RESOLVER_SUBNET_ZONES_MAX || dns_name_labels(n) < 2)
        return false;
    z->zone[z->count++] = n;
    return true;
}

static bool is_told(const resolver *r, dns_name n)
{
    for (int i = 0; i < r->subnet_zones.count; i++)
        if (dns_name_under(n, r->subnet_zones.zone[i]))
            return true;
    return false;
}

// For whom a name is looked up: NULL where that makes no difference.
static const dns_subnet *client_for(const resolver *r, dns_name n, const dns_subnet *client)
{
    return !is_told(r, n) ? NULL : client && client->source ? client : &untold;
}

// What the cache knows.

static void step_from_cache(const cache_entry *e, int64_t now_ns, arena *a, step *out)
{
    static const step_kind kinds[] = {[CACHED_DATA] = STEP_DATA, [CACHED_NO_DATA] = STEP_NO_DATA,
                                      [CACHED_NO_NAME] = STEP_NO_NAME, [CACHED_FAILURE] = STEP_FAILED};
    dns_record record = {.name = e->name, .type = e->type, .class = DNS_CLASS_IN, .ttl = cache_ttl_s(e, now_ns)};
    ptrdiff_t cursor = 0;
    *out = (step){.kind = kinds[e->kind], .scope = e->subnet.source};
    if (e->kind == CACHED_FAILURE) {
        out->ede = e->ede;
        out->ede_text = str_copy(a, e->data);
    } else if (e->kind == CACHED_DATA) {
        out->records = arena_array(a, dns_record, e->count);
        while (out->records && cache_next(e, &cursor, &record.rdata))
            out->records[out->count++] = record_copy(a, &record);
    } else if (cache_next(e, &cursor, &record.rdata)) {
        out->has_soa = true;
        out->soa = record_copy(a, &record);
    }
}

// A name with answers for very many networks is looked up without telling: from then on *client says so.
static const cache_entry *entry_for(resolver *r, dns_question q, const dns_subnet **client, int64_t now_ns)
{
    *client = client_for(r, q.name, *client);
    const cache_entry *e = cache_find_for(&r->answers, q.name, q.type, *client, now_ns);
    if (e || !*client || !(*client)->source || !cache_subnets_full(&r->answers, q.name, q.type, now_ns))
        return e;
    *client = &untold;
    return cache_find_for(&r->answers, q.name, q.type, *client, now_ns);
}

static bool step_cached(resolver *r, dns_question q, const dns_subnet *client, arena *a, step *out)
{
    int64_t now = world_now_ns(r->world);
    const cache_entry *e = entry_for(r, q, &client, now);
    if (!e)
        return false;
    step_from_cache(e, now, a, out);
    if (e->kind == CACHED_DATA && e->type == DNS_CNAME && q.type != DNS_CNAME) {
        out->kind = STEP_ALIAS;
        out->target = out->count ? out->records[0].rdata : dns_root;
    }
    return true;
}

// What a reply teaches.

// For whom a reply of the zone's servers is good: NULL for everybody. No longer than what was told (RFC 7871 7.3.1); what was asked
// without telling servers who would have liked to know is for others of whom nothing is told.
static const dns_subnet *good_for(const search *s, dns_name zone, dns_subnet *room)
{
    const dns_subnet *got = &s->message.edns.subnet;
    if (!s->client || !is_told(s->resolver, zone) || (s->client->source && !s->told))
        return NULL;
    if (!s->told)
        return &untold;
    *room = dns_subnet_of(s->client->network, got->scope < s->client->source ? got->scope : s->client->source);
    s->resolver->figures.subnets_tailored += room->source > 0;
    return room->source ? room : NULL;
}

static void learn_set(search *s, dns_name owner, unsigned type, const dns_subnet *whom)
{
    const dns_record *set[CACHE_SET_RECORDS_MAX];
    int count = reply_set(&s->message, owner, type, set, CACHE_SET_RECORDS_MAX);
    cache_put_set_for(&s->resolver->answers, set, count, whom, world_now_ns(s->resolver->world));
}

// The set that was asked for, or the alias and what the same server's zone says behind it.
static void learn_answer(search *s, dns_name zone, const dns_subnet *whom)
{
    const dns_message *m = &s->message;
    dns_question q = s->question;
    dns_name owner = q.name;
    for (int aliases = 0; aliases < SCRUB_ALIASES_MAX && dns_name_under(owner, zone); aliases++) {
        const dns_record *alias;
        learn_set(s, owner, q.type, whom);
        bool has_data = q.type == DNS_CNAME || reply_set(m, owner, q.type, &alias, 1);
        if (has_data || !reply_set(m, owner, DNS_CNAME, &alias, 1))
            return;
        learn_set(s, owner, DNS_CNAME, whom);
        owner = alias->rdata;
    }
}

static void step_from_set(const dns_message *m, dns_name owner, unsigned type, arena *a, step *out)
{
    const dns_record *set[CACHE_SET_RECORDS_MAX];
    int count = reply_set(m, owner, type, set, CACHE_SET_RECORDS_MAX);
    out->records = arena_array(a, dns_record, count);
    for (; out->records && out->count < count; out->count++)
        out->records[out->count] = record_copy(a, set[out->count]);
}

static void step_from_reply(search *s, dns_name zone, step *out)
{
    const dns_message *m = &s->message;
    dns_question q = s->question;
    *out = (step){0};
    if (s->view.kind == REPLY_DATA || s->view.kind == REPLY_ALIAS) {
        bool is_alias = s->view.kind == REPLY_ALIAS;
        out->kind = is_alias ? STEP_ALIAS : STEP_DATA;
        step_from_set(m, q.name, is_alias ? DNS_CNAME : q.type, s->memory, out);
        out->target = is_alias && out->count ? out->records[0].rdata : dns_root;
        dns_subnet room;
        const dns_subnet *whom = good_for(s, zone, &room);
        out->scope = whom ? whom->source : 0;
        learn_answer(s, zone, whom);
        return;
    }
    out->kind = s->view.kind == REPLY_NO_NAME ? STEP_NO_NAME : STEP_NO_DATA;
    out->has_soa = s->view.soa != NULL;
    if (s->view.soa) {
        dns_soa fields = {0};
        out->soa = record_copy(s->memory, s->view.soa);
        if (dns_rdata_soa(out->soa.rdata, &fields) && fields.minimum_s < out->soa.ttl)
            out->soa.ttl = fields.minimum_s;
    }
    cache_put_missing(&s->resolver->answers, q.name, q.type, out->kind == STEP_NO_DATA, s->view.soa,
                      world_now_ns(s->resolver->world));
}

// Asking the servers of one delegation.

typedef struct { addr at[DELEGATION_ADDRESSES_MAX + RESOLVER_ROOTS_MAX]; int count; } candidates;

static bool can_reach(world *w, uint8_t family)
{
    int count;
    const addr *own = world_addresses(w, &count);
    for (int i = 0; i < count; i++)
        if (own[i].family == family)
            return true;
    return count == 0;
}

static void candidates_add(resolver *r, candidates *c, addr at)
{
    if (c->count < (int)(sizeof c->at / sizeof c->at[0]) && can_reach(r->world, at.family) && !addr_is_any(at))
        c->at[c->count++] = addr_with_port(at, DNS_PORT);
}

// In random order, those that failed lately last.
static void candidates_order(resolver *r, candidates *c)
{
    int64_t now = world_now_ns(r->world);
    int good = 0;
    for (int i = c->count - 1; i > 0; i--) {
        int j = (int)world_random_below(r->world, (uint64_t)i + 1);
        addr swap = c->at[i];
        c->at[i] = c->at[j], c->at[j] = swap;
    }
    for (int i = 0; i < c->count; i++)
        if (!servers_resting(&r->servers, c->at[i], now)) {
            addr swap = c->at[good];
            c->at[good++] = c->at[i], c->at[i] = swap;
        }
}

static bool spent(search *s)
{
    budget *b = s->budget;
    if (b->queries_left <= 0 || world_now_ns(s->resolver->world) >= b->until_ns)
        b->exhausted = true;
    return b->exhausted || fiber_canceled();
}

static void trouble(budget *b, dns_name zone, const char *what)
{
    b->trouble = what;
    b->trouble_zone_len = zone.len;
    memcpy(b->trouble_zone, zone.at, (size_t)zone.len);
}

static bool no_use(search *s, dns_name zone, const char *what)
{
    trouble(s->budget, zone, what);
    return false;
}

static dns_exchanged exchange_once(search *s, addr server, const dns_asking *asking, int64_t wait_ns)
{
    dns_exchanged x = dns_exchange(s->resolver->world, server, *asking, wait_ns, s->memory);
    s->budget->queries_left -= x.queries;
    s->resolver->figures.queries_sent += x.queries;
    return x;
}

// One exchange, and others with less when the server does not know it: without the client's network, then without EDNS (RFC 6891 7).
// A reply that does not repeat the network is worth nothing, for a forger has as many tries at it as there are clients' networks being
// asked for at once; TCP is not forged so, and who is known to pass networks over is asked by it at once. All is paid from the budget.
static dns_exchanged exchange(search *s, addr server, int64_t wait_ns, dns_name zone)
{
    resolver *r = s->resolver;
    dns_asking asking = {.question = s->question, .recursion_desired = r->asks_recursively};
    bool tells = s->client && s->client->source && is_told(r, zone);
    asking.by_tcp = tells && servers_subnetless(&r->servers, server, world_now_ns(r->world));
    asking.has_subnet = tells && !asking.by_tcp;
    if (asking.has_subnet)
        asking.subnet = *s->client;
    dns_exchanged x = exchange_once(s, server, &asking, wait_ns);
    r->figures.subnets_told += asking.has_subnet;
    s->told = asking.has_subnet && x.error == E_OK && x.message.edns.has_subnet;
    if (asking.has_subnet && x.error == E_OK && !s->told) {
        asking.has_subnet = false;
        asking.by_tcp = s->budget->queries_left > 0;
        if (asking.by_tcp)
            x = exchange_once(s, server, &asking, wait_ns);
        else
            x.error = E_CANCELED;
    }
    if (asking.by_tcp) {
        r->figures.subnets_ignored++;
        servers_take_subnets(&r->servers, server, x.error != E_OK, world_now_ns(r->world));
    }
    bool is_old = x.error == E_OK && !x.message.edns.present &&
                  (x.message.header.rcode == DNS_FORMERR || x.message.header.rcode == DNS_NOTIMP);
    if (is_old && s->budget->queries_left > 0) {
        asking.without_edns = true;
        x = exchange_once(s, server, &asking, wait_ns);
    }
    return x;
}

// One try with one server. True when its reply is of use; then it stands in s->message and s->view.
static bool ask_server(search *s, addr server, int round, dns_name zone)
{
    resolver *r = s->resolver;
    int64_t left = s->budget->until_ns - world_now_ns(r->world);
    int64_t wait = r->asks_recursively ? left : millis(WORK_TRY_MS) << round;      // who recurses waits for others himself
    dns_exchanged x = exchange(s, server, wait < left ? wait : left, zone);
    if (x.error != E_OK) {
        s->budget->unreachable = true;
        if (x.error != E_CANCELED)
            servers_failed(&r->servers, server, world_now_ns(r->world));
        return no_use(s, zone, x.error == E_TIMEOUT ? "no answer from the name servers of"
                                                    : "no connection to the name servers of");
    }
    servers_worked(&r->servers, server);
    s->message = x.message;
    s->view = reply_judge(&s->message, zone, s->question, r->asks_recursively);
    return s->view.kind != REPLY_LAME || no_use(s, zone, "no useful answer from the name servers of");
}

static bool ask_candidates(search *s, candidates *c, int round, dns_name zone)
{
    candidates_order(s->resolver, c);
    for (int i = 0; i < c->count && i < WORK_SERVERS_MAX && !spent(s); i++)
        if (ask_server(s, c->at[i], round, zone))
            return true;
    return false;
}

// The addresses of a name server that came without glue, found with what is left of the same budget.
static void look_up_server(search *s, dns_name server, candidates *c)
{
    static const uint16_t types[] = {DNS_A, DNS_AAAA};
    for (int t = 0; t < 2; t++) {
        found f;
        if (!can_reach(s->resolver->world, types[t] == DNS_A ? 4 : 6) || spent(s))
            continue;
        s->budget->depth++;
        find_whole(s->resolver, s->budget, (dns_question){server, types[t], DNS_CLASS_IN}, NULL, s->memory, &f);
        s->budget->depth--;
        for (int i = 0; i < f.answers; i++) {
            addr at = {.family = types[t] == DNS_A ? 4 : 6};
            if (f.answer[i].type != types[t])
                continue;
            memcpy(at.ip, f.answer[i].rdata.at, (size_t)f.answer[i].rdata.len);
            candidates_add(s->resolver, c, at);
        }
    }
}

static bool has_glue(const delegation *d, int name)
{
    for (int i = 0; i < d->addresses; i++)
        if (d->address[i].name == name)
            return true;
    return false;
}

static bool ask_glueless(search *s, const delegation *d)
{
    if (s->budget->depth >= WORK_DEPTH_MAX)
        return false;
    for (int i = 0; i < d->names; i++) {
        candidates c = {0};
        if (has_glue(d, i) || dns_name_under(d->name[i], d->zone))     // inside the zone without glue: nobody can know
            continue;
        if (s->budget->server_lookups_left <= 0 || spent(s))
            return false;
        s->budget->server_lookups_left--;
        look_up_server(s, d->name[i], &c);
        if (ask_candidates(s, &c, 0, d->zone))
            return true;
    }
    return false;
}

static bool ask_delegation(search *s, const delegation *d)
{
    candidates c = {0};
    resolver *r = s->resolver;
    for (int i = 0; i < d->addresses; i++)
        candidates_add(r, &c, d->address[i].at);
    for (int i = 0; i < r->root_count && dns_name_is_root(d->zone); i++)
        candidates_add(r, &c, r->roots[i].at);
    if (ask_candidates(s, &c, 0, d->zone) || ask_glueless(s, d))
        return true;
    for (int round = 1; round < WORK_ROUNDS && s->budget->unreachable; round++)
        if (ask_candidates(s, &c, round, d->zone))
            return true;
    return false;
}

// From the deepest known zone down to the one that answers.
static void step_asked(resolver *r, budget *b, dns_question q, const dns_subnet *client, arena *a, step *out)
{
    search s = {.resolver = r, .budget = b, .memory = a, .question = q, .client = client};
    delegation d = {.zone = dns_root};
    bool at_parent = q.type == DNS_DS && !dns_name_is_root(q.name);    // DS lives in the parent (RFC 4035 3.1.4.1)
    dns_name begin = at_parent ? dns_name_parent(q.name) : q.name;
    (void)delegations_find(&r->delegations, begin, world_now_ns(r->world), a, &d);
    *out = (step){.kind = STEP_FAILED};
    for (int referrals = 0; referrals < WORK_REFERRALS_MAX; referrals++) {
        uint32_t ttl_s;
        dns_name zone = d.zone;
        if (!ask_delegation(&s, &d))
            return;
        if (s.view.kind != REPLY_REFERRAL) {
            step_from_reply(&s, zone, out);
            return;
        }
        if (!delegation_read(&s.message, zone, s.view.cut, &d, &ttl_s))
            return;
        delegations_put(&r->delegations, &d, ttl_s, world_now_ns(r->world));
    }
    trouble(b, d.zone, "too many referrals below");
}

// A whole answer: the steps of a chain of aliases.

// Takes one step into the answer. True: follow *name further.
static bool found_take(found *f, const step *s, dns_name *name, arena *a)
{
    f->rcode = s->kind == STEP_NO_NAME ? DNS_NXDOMAIN : DNS_NOERROR;
    f->has_soa = s->has_soa;
    f->soa = s->soa;
    f->scope = s->scope > f->scope ? s->scope : f->scope;
    if (s->kind == STEP_FAILED)
        found_fail(f, s->ede, s->ede_text);
    else if (!found_append(f, s->records, s->count, a))
        found_fail(f, DNS_EDE_OTHER, S("the answer is too large"));
    else if (s->kind == STEP_ALIAS) {
        *name = s->target;
        return true;
    }
    return false;
}

bool resolver_find_cached(resolver *r, dns_question q, const dns_subnet *client, arena *a, found *out)
{
    *out = (found){0};
    for (int aliases = 0; aliases <= WORK_ALIASES_MAX; aliases++) {
        step s;
        if (!step_cached(r, q, client, a, &s))
            return false;
        if (!found_take(out, &s, &q.name, a))
            return true;
    }
    return false;
}

static void explain_failure(resolver *r, const budget *b, dns_question q, arena *a, step *s)
{
    s->ede = b->exhausted || !b->trouble ? DNS_EDE_OTHER : DNS_EDE_NO_REACHABLE_AUTHORITY;
    s->ede_text = S("this question would cost more work than one query may cause");
    if (b->trouble) {
        str zone = dns_name_text(a, (str){b->trouble_zone, b->trouble_zone_len});
        s->ede_text = str_format(a, "%s " STR_FMT "%s", b->trouble, STR_ARG(zone), b->exhausted ? " (work limit reached)" : "");
    }
    r->figures.failures++;
    if (!fiber_canceled())
        cache_put_failure(&r->answers, q.name, q.type, s->ede, s->ede_text, world_now_ns(r->world));
}

// Ends at an alias that leads from zones whose servers are told the client's network to others, or the other way: fibers whose clients
// are in different networks share what makes no difference to them. `client` as client_for says for the first name.
static void find(resolver *r, budget *b, dns_question q, const dns_subnet *client, arena *a, found *out)
{
    *out = (found){0};
    for (int aliases = 0; aliases <= WORK_ALIASES_MAX; aliases++) {
        step s;
        if (is_told(r, q.name) != (client != NULL)) {
            out->rest = dns_name_copy(a, q.name);
            return;
        }
        if (!step_cached(r, q, client, a, &s)) {
            step_asked(r, b, q, client, a, &s);
            if (s.kind == STEP_FAILED)
                explain_failure(r, b, q, a, &s);
        }
        if (!found_take(out, &s, &q.name, a))
            return;
    }
    found_fail(out, DNS_EDE_OTHER, S("the name is an alias of an alias of an alias ... too many times"));
}

static void find_merged(resolver *r, budget *b, dns_question q, const dns_subnet *client, arena *a, found *out)
{
    bool tells = client && client->source && is_told(r, q.name);
    (void)entry_for(r, q, &client, world_now_ns(r->world));            // for whom it will be asked
    r->figures.subnets_full += tells && !client->source;
    lookup *l;
    switch (lookup_join(r, b->number, b->until_ns, q, client, a, out, &l)) {
    case LOOKUP_ANSWERED:
        return;
    case LOOKUP_OUR_OWN:
        trouble(b, q.name, "a name server's address depends on itself:");
        found_fail(out, DNS_EDE_NO_REACHABLE_AUTHORITY, S("a name server's address depends on itself"));
        return;
    case LOOKUP_ALONE:
        find(r, b, q, client, a, out);
        return;
    case LOOKUP_FIRST:
        find(r, b, q, client, &l->memory, &l->result);
        lookup_finish(r, l, a, out);
        return;
    }
}

static void find_whole(resolver *r, budget *b, dns_question q, const dns_subnet *client, arena *a, found *out)
{
    find_merged(r, b, q, client, a, out);
    while (out->rest.len) {
        found rest;
        if (out->answers > WORK_ALIASES_MAX) {
            found_fail(out, DNS_EDE_OTHER, S("the name is an alias of an alias of an alias ... too many times"));
            return;
        }
        q.name = out->rest;
        find_merged(r, b, q, client, a, &rest);
        found_join(out, &rest, a);
    }
}

void resolver_find(resolver *r, dns_question q, const dns_subnet *client, arena *a, found *out)
{
    budget b = {.number = ++r->lookups, .until_ns = world_now_ns(r->world) + seconds(WORK_SECONDS_MAX),
                .queries_left = WORK_QUERIES_MAX, .server_lookups_left = WORK_SERVER_LOOKUPS_MAX};
    r->figures.lookups++;
    find_whole(r, &b, q, client, a, out);
}
