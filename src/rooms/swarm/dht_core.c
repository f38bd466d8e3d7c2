#include "rooms/swarm/dht_core.h"

#include <string.h>

#include "base/heap_memory.h"
#include "base/must.h"
#include "rooms/swarm/peer_address.h"

enum { MSG_BYTES_MAX = 128 * 1024, EXPIRE_S = 60, JOB_STARTERS = 2 * DHT_K };

struct dht_job {
    dht_job_settings s;
    uint8_t     target[DHT_ID_BYTES];
    int         side;
    bool        is_boot, telling;
    int         untold;                      // announces that wait for their answers
    int64_t     began_ns;
    dht_outcome outcome;
    dht_search  search;
};

#define MS_NS 1000000ll
#define S_NS  1000000000ll

static void chance(dht_core *c, void *out, size_t n) { c->settings.random(c->settings.arg, out, n); }

static uint64_t chance_u64(dht_core *c)
{
    uint64_t n;
    chance(c, &n, sizeof n);
    return n;
}

void dht_core_init(dht_core *c, const dht_core_settings *settings, int64_t now_ns)
{
    uint8_t secret[DHT_SECRET_BYTES], id[DHT_ID_BYTES];
    memset(c, 0, sizeof *c);                                 // too large for a stack, so no compound literal
    c->settings = *settings;
    c->msg = arena_make(MSG_BYTES_MAX);
    c->out = buf_make(DHT_DATAGRAM_BYTES_MAX);
    c->now_ns = c->checked_ns = c->expired_ns = now_ns;
    chance(c, secret, sizeof secret);
    chance(c, id, sizeof id);
    dht_guard_init(&c->guard, chance_u64(c), secret, settings->bytes_per_s ? settings->bytes_per_s : DHT_BYTES_PER_S, now_ns);
    dht_store_init(&c->store, chance_u64(c));
    for (int i = 0; i < 2; i++) {
        c->side[i].on = settings->on[i];
        c->side[i].boot_wait_s = DHT_BOOT_S;
        dht_table_init(&c->side[i].table, id);               // BEP 32: the same in both, until addresses decide
    }
}

void dht_core_free(dht_core *c)
{
    while (c->job_count)
        dht_core_cancel(c, c->jobs[0]);
    dht_store_free(&c->store);
    buf_free(&c->out);
    arena_free(&c->msg);
}

// May this address be asked, remembered and passed on?
static bool usable(const dht_core *c, addr at)
{
    const dht_side *side = &c->side[dht_side_of(at.family)];
    peer_address_rules rules = {.own = &side->external, .own_count = side->external.family != 0,
                                .private_allowed = c->settings.private_allowed};
    return side->on && peer_address_acceptable(at, PEER_FROM_DHT, &rules) == PEER_ACCEPTABLE;
}

// ---- sending ----------------------------------------------------------------------------------------------------------------

static void transmit(dht_core *c, addr to)
{
    c->bytes_out += (int64_t)c->out.len;
    c->settings.send(c->settings.arg, to.family, to, buf_str(&c->out));
}

static dht_pending *pending_free(dht_core *c)
{
    int first = (int)(chance_u64(c) % DHT_PENDING_MAX);
    for (int i = 0; i < DHT_PENDING_MAX; i++)
        if (!c->pending[(first + i) % DHT_PENDING_MAX].used)
            return &c->pending[(first + i) % DHT_PENDING_MAX];
    return NULL;
}

// Sends a query of at most `limit` bytes. False: too many wait already, or it does not fit.
static bool query_send(dht_core *c, addr to, dht_message *m, dht_pending what, size_t limit)
{
    dht_pending *p = pending_free(c);
    uint8_t transaction[DHT_TRANSACTION_BYTES];
    if (!p)
        return false;
    chance(c, transaction, sizeof transaction);
    transaction[0] = (uint8_t)(p - c->pending);
    m->kind = DHT_QUERY;
    m->transaction = str_of(transaction, sizeof transaction);
    m->read_only = c->settings.read_only;
    memcpy(m->id, c->side[dht_side_of(to.family)].table.own, DHT_ID_BYTES);
    buf_clear(&c->out);
    if (!dht_message_write(&c->out, m) || c->out.full || c->out.len > limit)
        return false;
    *p = what;
    p->used = true;
    p->to = to;
    p->sent_ns = c->now_ns;
    memcpy(&p->transaction, transaction, sizeof transaction);
    c->queries_out++;
    transmit(c, to);
    return true;
}

static bool ping_send(dht_core *c, addr to, dht_pending what, size_t limit)
{
    dht_message m = {.method = DHT_PING};
    return query_send(c, to, &m, what, limit);
}

static void answer_send(dht_core *c, const dht_message *query, addr to, size_t limit)
{
    if (!dht_answer(c, query, to, limit) || !dht_guard_may_send(&c->guard, c->out.len, c->now_ns)) {
        c->dropped++;
        return;
    }
    c->answers_out++;
    transmit(c, to);
}

// ---- searches ---------------------------------------------------------------------------------------------------------------

static void job_free(dht_core *c, dht_job *job)
{
    for (int i = 0; i < DHT_PENDING_MAX; i++)
        if (c->pending[i].used && c->pending[i].job == job)
            c->pending[i].used = false;
    for (int i = 0; i < c->job_count; i++)
        if (c->jobs[i] == job) {
            c->jobs[i] = c->jobs[--c->job_count];
            break;
        }
    memory_free(job);
}

void dht_core_cancel(dht_core *c, dht_job *job)
{
    if (job->is_boot)
        c->side[job->side].booting = false;
    job_free(c, job);
}

static void job_done(dht_core *c, dht_job *job)
{
    dht_side *side = &c->side[job->side];
    dht_job_settings s = job->s;
    dht_outcome o = job->outcome;
    o.nodes_asked = job->search.asked;
    o.nodes_answered = job->search.answered;
    if (job->is_boot) {
        side->booting = false;
        side->boot_ns = c->now_ns;
        side->boot_wait_s = side->table.live ? DHT_BOOT_S_MAX : side->boot_wait_s * 2 < DHT_BOOT_S_MAX ? side->boot_wait_s * 2
                                                                                                       : DHT_BOOT_S_MAX;
    }
    job_free(c, job);
    if (s.done)
        s.done(s.arg, &o);
}

static void job_tell(dht_core *c, dht_job *job)
{
    const dht_found_node *holders[DHT_TELL_MAX];
    int count = dht_search_holders(&job->search, holders, DHT_TELL_MAX);
    job->telling = true;
    for (int i = 0; i < count; i++) {
        dht_message m = {.method = DHT_ANNOUNCE_PEER, .port = job->s.announce_port, .implied_port = job->s.implied_port,
                         .token = str_of(holders[i]->token, holders[i]->token_len)};
        memcpy(m.target, job->target, DHT_ID_BYTES);
        dht_pending what = {.purpose = DHT_FOR_TELLING, .job = job};
        job->untold += query_send(c, holders[i]->node.at, &m, what, DHT_DATAGRAM_BYTES_MAX);
    }
}

static bool job_ask(dht_core *c, dht_job *job, dht_found_node *n)
{
    dht_message m = {.method = job->s.for_peers ? DHT_GET_PEERS : DHT_FIND_NODE};
    int other = 1 - job->side;
    memcpy(m.target, job->target, DHT_ID_BYTES);
    if (c->side[other].on && c->side[other].table.live < DHT_K)           // BEP 32: while the other family is in want of nodes
        m.want = DHT_WANT_V4 | DHT_WANT_V6;
    return query_send(c, n->node.at, &m, (dht_pending){.purpose = DHT_FOR_SEARCH, .job = job}, DHT_DATAGRAM_BYTES_MAX);
}

// Goes on as far as it can now. The job may be gone afterwards.
static void job_drive(dht_core *c, dht_job *job)
{
    bool late = c->now_ns - job->began_ns >= DHT_SEARCH_S_MAX * S_NS;
    for (dht_found_node *n; !late && !job->telling && (n = dht_search_next(&job->search)); )
        if (!job_ask(c, job, n))
            n->state = DHT_SILENT;
    if (!job->telling && !late && !dht_search_over(&job->search))
        return;
    if (!job->telling && job->s.announce_port)
        job_tell(c, job);
    if (job->untold == 0 || (late && c->now_ns - job->began_ns >= DHT_SEARCH_S_MAX * S_NS + DHT_SILENT_MS * MS_NS))
        job_done(c, job);
}

static void job_seed(dht_core *c, dht_job *job)
{
    dht_side *side = &c->side[job->side];
    static const uint8_t unknown[DHT_ID_BYTES];
    dht_node near[JOB_STARTERS];
    int count = dht_table_nearest(&side->table, job->target, near, JOB_STARTERS);
    for (int i = 0; i < count; i++)
        dht_search_add(&job->search, near[i].id, near[i].at);
    if (count >= DHT_K && !job->is_boot)
        return;
    for (int i = 0; i < side->seed_count; i++) {
        const uint8_t *id = side->seeds[i].id;
        dht_search_add(&job->search, memcmp(id, unknown, DHT_ID_BYTES) ? id : NULL, side->seeds[i].at);
    }
    for (int i = 0; i < side->candidate_count; i++)
        dht_search_add(&job->search, NULL, side->candidates[i]);
}

static dht_job *job_new(dht_core *c, const dht_job_settings *s, bool is_boot)
{
    if (c->job_count >= DHT_SEARCHES_MAX)
        return NULL;
    dht_job *job = memory_zeroed(1, sizeof *job);
    job->s = *s;
    job->side = dht_side_of(s->family);
    job->is_boot = is_boot;
    job->began_ns = c->now_ns;
    memcpy(job->target, s->target, DHT_ID_BYTES);
    job->s.target = job->target;
    dht_search_init(&job->search, job->target);
    job_seed(c, job);
    c->jobs[c->job_count++] = job;
    return job;
}

dht_job *dht_core_search(dht_core *c, const dht_job_settings *s, int64_t now_ns)
{
    c->now_ns = now_ns;
    return job_new(c, s, false);             // the next tick drives it: `done` is not called from in here
}

static bool boot(dht_core *c, int number)
{
    dht_side *side = &c->side[number];
    dht_job_settings s = {.target = side->table.own, .family = number ? 6 : 4};
    dht_job *job = job_new(c, &s, true);
    if (!job)
        return false;
    side->booting = true;
    job_drive(c, job);
    return true;
}

// ---- who we are to others -----------------------------------------------------------------------------------------------

static void address_take(dht_core *c, dht_side *side, addr external)
{
    uint8_t random[DHT_ID_BYTES], id[DHT_ID_BYTES];
    side->external = external;
    if (dht_id_fits(side->table.own, external))
        return;
    chance(c, random, sizeof random);
    dht_id_make(id, external, random);
    dht_table_rekey(&side->table, id);
    c->changed = true;
}

// BEP 42: what one node says of us proves nothing; hosts vote, one voice each.
static void vote(dht_core *c, addr voter, addr said)
{
    dht_side *side = &c->side[dht_side_of(voter.family)];
    int agree = 0, at = -1;
    said.port = 0;
    if (said.family != voter.family || addr_is_any(said) || (addr_is_private(said) && !c->settings.private_allowed))
        return;
    for (int i = 0; i < side->vote_count; i++)
        if (dht_same_host(side->votes[i].voter, voter))
            at = i;
    if (at < 0) {
        at = side->vote_next;
        side->vote_next = (side->vote_next + 1) % DHT_VOTES_MAX;
        side->vote_count += side->vote_count < DHT_VOTES_MAX;
    }
    side->votes[at].voter = voter;
    side->votes[at].said = said;
    for (int i = 0; i < side->vote_count; i++)
        agree += addr_eq_ip(side->votes[i].said, said);
    if (agree >= DHT_VOTES_LEAST && agree * 3 >= side->vote_count * 2 && !addr_eq_ip(side->external, said))
        address_take(c, side, said);
}

// ---- queries ----------------------------------------------------------------------------------------------------------------

// Keeps the query and asks its sender to prove his address. False: no room, or the ping would be longer than the query.
static bool hold(dht_core *c, addr from, str in)
{
    for (int i = 0; i < DHT_HELD_MAX && in.len <= DHT_HELD_BYTES_MAX; i++) {
        dht_held *h = &c->held[i];
        if (h->used)
            continue;
        h->used = ping_send(c, from, (dht_pending){.purpose = DHT_FOR_PROOF, .held = i}, (size_t)in.len);
        h->len = (size_t)in.len;
        memcpy(h->bytes, in.at, h->len);
        return h->used;
    }
    return false;
}

static void query_heard(dht_core *c, addr from, str in, const dht_message *m)
{
    bool searches = m->method == DHT_FIND_NODE || m->method == DHT_GET_PEERS;
    c->queries_in++;
    if (c->settings.read_only || !dht_guard_may_ask(&c->guard, from, c->now_ns)) {
        c->dropped++;
        return;
    }
    if (m->method == DHT_ANNOUNCE_PEER && dht_token_valid(&c->guard, from, m->target, m->token))
        dht_guard_prove(&c->guard, from, c->now_ns);
    bool proven = dht_guard_proven(&c->guard, from, c->now_ns);
    // Who may not be pinged (BEP 43) gets at once what his own bytes pay for.
    if (!proven && searches && !m->read_only && hold(c, from, in))
        return;
    answer_send(c, m, from, proven ? DHT_DATAGRAM_BYTES_MAX : (size_t)in.len);
    if (proven && !m->read_only && dht_table_has_room(&c->side[dht_side_of(from.family)].table, m->id, from))
        dht_core_candidate(c, from);
}

static void held_answer(dht_core *c, int number, addr from)
{
    dht_held *h = &c->held[number];
    dht_message m;
    bencode_refusal why;
    if (h->used && dht_message_read(str_of(h->bytes, h->len), &c->msg, &m, &why))
        answer_send(c, &m, from, DHT_DATAGRAM_BYTES_MAX);
    h->used = false;
}

// ---- answers ----------------------------------------------------------------------------------------------------------------

static void nodes_take(dht_core *c, dht_job *job, const dht_message *m)
{
    for (int i = 0; i < m->node_count; i++) {
        const dht_node *n = &m->nodes[i];
        int side = dht_side_of(n->at.family);
        if (!usable(c, n->at) || memcmp(n->id, c->side[side].table.own, DHT_ID_BYTES) == 0)
            continue;
        if (side == job->side)
            dht_search_add(&job->search, n->id, n->at);
        else if (c->side[side].table.live < DHT_K)
            dht_core_candidate(c, n->at);
    }
}

static void peers_take(const dht_core *c, dht_job *job, const dht_message *m)
{
    addr good[DHT_PEERS_MAX];
    int count = 0;
    peer_address_rules rules = {.private_allowed = c->settings.private_allowed};
    for (int i = 0; i < m->peer_count; i++)
        if (dht_side_of(m->peers[i].family) == job->side &&
            peer_address_acceptable(m->peers[i], PEER_FROM_DHT, &rules) == PEER_ACCEPTABLE)
            good[count++] = m->peers[i];
    job->outcome.peers += count;
    if (count && job->s.found)
        job->s.found(job->s.arg, job->target, good, count);
}

static void search_answer(dht_core *c, dht_job *job, addr from, const dht_message *m)
{
    if (m->kind == DHT_RESPONSE) {
        dht_search_answered(&job->search, from, m->id, m->token);
        nodes_take(c, job, m);
        if (job->s.for_peers)
            peers_take(c, job, m);
    } else {
        dht_search_silent(&job->search, from);
    }
    job_drive(c, job);
}

static void telling_end(dht_core *c, dht_job *job, bool told)
{
    job->outcome.announced += told;
    job->untold--;
    job_drive(c, job);
}

static dht_pending *pending_find(dht_core *c, addr from, str transaction)
{
    dht_pending *p = transaction.len == DHT_TRANSACTION_BYTES ? &c->pending[transaction.at[0]] : NULL;
    _Static_assert(DHT_PENDING_MAX == 256, "one byte names the place");
    return p && p->used && addr_eq(p->to, from) && memcmp(&p->transaction, transaction.at, DHT_TRANSACTION_BYTES) == 0 ? p : NULL;
}

static void response_heard(dht_core *c, addr from, const dht_message *m)
{
    dht_side *side = &c->side[dht_side_of(from.family)];
    dht_pending *waiting = pending_find(c, from, m->transaction), p;
    if (!waiting) {
        c->dropped++;
        return;
    }
    p = *waiting;
    waiting->used = false;
    dht_guard_prove(&c->guard, from, c->now_ns);
    if (m->kind == DHT_RESPONSE && usable(c, from)) {
        if (side->table.live == 0)               // the first one of all: whom does it know?
            side->boot_wait_s = DHT_BOOT_S;
        c->changed |= dht_table_answered(&side->table, m->id, from, c->now_ns);
    }
    if (m->external.family)
        vote(c, from, m->external);
    switch (p.purpose) {
    case DHT_FOR_CHECK: break;
    case DHT_FOR_PROOF: held_answer(c, p.held, from); break;
    case DHT_FOR_SEARCH: search_answer(c, p.job, from, m); break;
    case DHT_FOR_TELLING: telling_end(c, p.job, m->kind == DHT_RESPONSE); break;
    }
}

void dht_core_heard(dht_core *c, addr from, str in, int64_t now_ns)
{
    dht_message m;
    bencode_refusal why;
    c->now_ns = now_ns;
    c->bytes_in += in.len;
    arena_reset(&c->msg);
    if (!c->side[dht_side_of(from.family)].on || !from.port || !dht_message_read(in, &c->msg, &m, &why)) {
        c->dropped++;
        return;
    }
    if (m.kind == DHT_QUERY)
        query_heard(c, from, in, &m);
    else
        response_heard(c, from, &m);
}

// ---- time -------------------------------------------------------------------------------------------------------------------

static void silence(dht_core *c, dht_pending *waiting)
{
    dht_pending p = *waiting;
    waiting->used = false;
    dht_table_failed(&c->side[dht_side_of(p.to.family)].table, p.to);
    if (p.purpose == DHT_FOR_PROOF)
        c->held[p.held].used = false;
    if (p.purpose == DHT_FOR_SEARCH)
        dht_search_silent(&p.job->search, p.to);
    if (p.purpose == DHT_FOR_TELLING)
        telling_end(c, p.job, false);
}

static void pendings_look(dht_core *c)
{
    for (int i = 0; i < DHT_PENDING_MAX; i++) {
        dht_pending *p = &c->pending[i];
        if (!p->used)
            continue;
        if (c->now_ns - p->sent_ns >= DHT_SILENT_MS * MS_NS) {
            silence(c, p);
        } else if (p->purpose == DHT_FOR_SEARCH && !p->is_slow && c->now_ns - p->sent_ns >= DHT_SLOW_MS * MS_NS) {
            p->is_slow = true;
            dht_search_slow(&p->job->search, p->to);
        }
    }
}

static bool candidate_check(dht_core *c, dht_side *side)
{
    while (side->candidate_count) {
        addr at = side->candidates[--side->candidate_count];
        if (usable(c, at))
            return ping_send(c, at, (dht_pending){.purpose = DHT_FOR_CHECK}, DHT_DATAGRAM_BYTES_MAX);
    }
    return false;
}

static void refresh(dht_core *c, int number)
{
    uint8_t random[DHT_ID_BYTES], target[DHT_ID_BYTES];
    dht_job_settings s = {.target = target, .family = number ? 6 : 4};
    chance(c, random, sizeof random);
    if (c->job_count > DHT_SEARCHES_MAX / 2 || !dht_table_refresh(&c->side[number].table, c->now_ns, random, target))
        return;
    dht_job *job = job_new(c, &s, false);
    if (job)
        job_drive(c, job);
}

// One thing at a time for each family: a node that was named to us, one that was silent for long, a bucket nobody looked into.
static void side_check(dht_core *c, int number)
{
    dht_side *side = &c->side[number];
    dht_entry *stale;
    if (candidate_check(c, side))
        return;
    stale = dht_table_stale(&side->table, c->now_ns, DHT_STALE_RETRY_S * S_NS);
    if (stale) {
        stale->asked_ns = c->now_ns;
        (void)ping_send(c, stale->at, (dht_pending){.purpose = DHT_FOR_CHECK}, DHT_DATAGRAM_BYTES_MAX);
        return;
    }
    refresh(c, number);
}

static void side_tick(dht_core *c, int number, bool check)
{
    dht_side *side = &c->side[number];
    if (!side->on)
        return;
    bool due = !side->boot_ns || c->now_ns - side->boot_ns >= side->boot_wait_s * S_NS;
    if (side->table.live < DHT_K && !side->booting && due && (side->seed_count || side->candidate_count || side->table.live)) {
        if (boot(c, number))
            return;
    }
    if (check)
        side_check(c, number);
}

void dht_core_tick(dht_core *c, int64_t now_ns)
{
    bool check = now_ns - c->checked_ns >= DHT_CHECK_MS * MS_NS;
    c->now_ns = now_ns;
    if (dht_guard_secret_is_old(&c->guard, now_ns)) {
        uint8_t secret[DHT_SECRET_BYTES];
        chance(c, secret, sizeof secret);
        dht_guard_secret_next(&c->guard, secret, now_ns);
    }
    pendings_look(c);
    for (int i = c->job_count - 1; i >= 0; i--)
        if (i < c->job_count)
            job_drive(c, c->jobs[i]);
    if (check)
        c->checked_ns = now_ns;
    side_tick(c, 0, check);
    side_tick(c, 1, check);
    if (now_ns - c->expired_ns >= EXPIRE_S * S_NS) {
        c->expired_ns = now_ns;
        dht_store_expire(&c->store, now_ns);
    }
}

bool dht_core_busy(const dht_core *c)
{
    for (int i = 0; i < DHT_PENDING_MAX; i++)
        if (c->pending[i].used)
            return true;
    return c->job_count > 0;
}

// ---- whom else to ask ---------------------------------------------------------------------------------------------------

void dht_core_seed(dht_core *c, const uint8_t *id, addr at)
{
    dht_side *side = &c->side[dht_side_of(at.family)];
    int most = (int)(sizeof side->seeds / sizeof side->seeds[0]), i = 0;
    if (!side->on || !at.port)
        return;
    while (i < side->seed_count && !addr_eq(side->seeds[i].at, at))
        i++;
    if (i == most)
        return;
    side->seeds[i] = (dht_node){.at = at};
    if (id)
        memcpy(side->seeds[i].id, id, DHT_ID_BYTES);
    side->seed_count += i == side->seed_count;
}

void dht_core_candidate(dht_core *c, addr at)
{
    dht_side *side = &c->side[dht_side_of(at.family)];
    if (!usable(c, at) || side->candidate_count == DHT_CANDIDATES_MAX)
        return;
    for (int i = 0; i < side->candidate_count; i++)
        if (dht_same_host(side->candidates[i], at))
            return;
    side->candidates[side->candidate_count++] = at;
}
