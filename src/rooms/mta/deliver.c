// One conversation with a destination: find it, reach it, hand over letter after letter, record what became of each recipient.
#include <string.h>

#include "base/heap_memory.h"
#include "base/must.h"
#include "rooms/mta/queue.h"
#include "rooms/mta/undeliverable.h"
#include "rt/log.h"
#include "rt/story.h"
#include "talk/dns_ask.h"
#include "talk/smtp_send.h"

enum {
    DELIVER_EXCHANGERS_MAX = 10,             // hosts tried in one conversation
    DELIVER_ADDRESSES_MAX = 8,               // of each host
    DELIVER_ARENA_BYTES = 1 << 20,
    DELIVER_CHUNK_BYTES = 64 * 1024,         // of a blob, read at a time
    DELIVER_BACKOFF_STEPS_MAX = 16,
    DELIVER_REACH_MINUTES_MAX = 15,          // after this no further host or address is tried: each may stall for START_MINUTES_MAX
};
#define DELIVER_DNS_NS     seconds(30)
#define DELIVER_CONNECT_NS seconds(30)
#define DELIVER_LINGER_NS  seconds(2)

typedef struct {
    queue       *q;
    mta         *m;
    destination *d;
    conn        *c;                          // NULL: not connected
    smtp_client *client;
    str          host;                       // whom we talk to
    int          letters;                    // sent over this connection
    int          delivered, deferred, failed;        // recipients of these letters
    bool         tired;                      // DELIVER_REACH_MINUTES_MAX are over
    int64_t      begun_ns;                   // of the connection, or of the attempt to have one
    smtp_verdict reach;                      // why nobody could be reached; code 5xx: never will be
    arena        memory, msg;                // conversation, message
} delivery;

// ---- reaching the destination -----------------------------------------------------------------------------------------

static bool unreachable(delivery *v, int code, str enhanced, str text)
{
    v->reach = (smtp_verdict){.code = code, .enhanced = enhanced, .text = text};
    return false;
}

static bool begin(delivery *v, conn *c, str host, bool lmtp)
{
    smtp_client_options options = {.lmtp = lmtp, .helo = v->m->host, .tls = lmtp ? NULL : v->m->tls_client, .tls_host = host};
    v->client = c->error ? NULL : smtp_client_start(c, options, &v->memory, &v->reach);
    if (v->client) {
        v->c = c;
        v->host = host;
        return true;
    }
    if (c->error)
        unreachable(v, 0, S("4.4.1"), str_format(&v->memory, "no connection to " STR_FMT ": %s", STR_ARG(host), err_text(c->error)));
    else if (v->reach.code >= 500)           // a host that refuses to talk at all may talk tomorrow, or its neighbour may
        v->reach.code = 0;
    conn_close(c);
    return false;
}

static bool is_ours(const delivery *v, str host, const addr *addresses, int count)
{
    if (str_eq_nocase(host, v->m->host))
        return true;
    int own_count;
    const addr *own = world_addresses(v->m->w, &own_count);
    for (int i = 0; i < count; i++)
        for (int k = 0; k < own_count; k++)
            if (addr_eq_ip(addresses[i], own[k]))
                return true;
    return false;
}

// Ten hosts with eight addresses each that never greet would hold this fiber, and a sender's place, for a working day.
static bool is_tired(delivery *v)
{
    v->tired = v->tired || world_now_ns(v->m->w) - v->begun_ns > minutes(DELIVER_REACH_MINUTES_MAX);
    return v->tired;
}

// Tries a host's addresses. *loops: the host is ourselves, so this domain's mail would come back to us for ever.
static bool reach_host(delivery *v, str host, bool *loops)
{
    addr addresses[DELIVER_ADDRESSES_MAX];
    int count = 0;
    dns_answer a = {.verdict = DNS_FOUND};
    str literal = host.len > 2 && host.at[0] == '[' ? str_sub(host, 1, host.len - 2) : (str){0};
    if (str_starts_nocase(literal, S("IPv6:")))
        literal = str_from(literal, 5);
    if (literal.len && addr_parse_ip(literal, 0, &addresses[0]))
        count = 1;
    else
        a = dns_ask_addresses(v->m->w, v->m->resolvers, v->m->resolver_count, host, addresses, DELIVER_ADDRESSES_MAX, &count,
                              DELIVER_DNS_NS, &v->memory);
    if (count == 0)
        return unreachable(v, 0, S("4.4.3"), str_format(&v->memory, "no address for " STR_FMT ": " STR_FMT, STR_ARG(host), STR_ARG(a.why)));
    *loops = is_ours(v, host, addresses, count);
    if (*loops)
        return unreachable(v, 554, S("5.4.6"), str_format(&v->memory, "mail for this domain is routed to us (" STR_FMT
                           "), but it is not one of our domains", STR_ARG(host)));
    for (int i = 0; i < count && !is_tired(v); i++)
        if (begin(v, conn_open(v->m->w, addr_with_port(addresses[i], 25), DELIVER_CONNECT_NS), host, false))
            return true;
    return false;
}

// RFC 5321 section 5.1, RFC 7505.
static bool reach_domain(delivery *v)
{
    mail_exchanger hosts[DNS_ASK_MX_MAX];
    int count = 0;
    bool null_mx = false, loops = false;
    str domain = v->d->domain;
    if (domain.len && domain.at[0] == '[')
        return reach_host(v, domain, &loops);
    dns_answer a = dns_ask_mail(v->m->w, v->m->resolvers, v->m->resolver_count, domain, hosts, DNS_ASK_MX_MAX, &count, &null_mx,
                                DELIVER_DNS_NS, &v->memory);
    if (null_mx)
        return unreachable(v, 556, S("5.1.10"), str_format(&v->memory, STR_FMT " accepts no mail (null MX)", STR_ARG(domain)));
    if (a.verdict == DNS_NO_NAME)
        return unreachable(v, 550, S("5.1.2"), str_format(&v->memory, "there is no domain " STR_FMT, STR_ARG(domain)));
    if (a.verdict == DNS_TROUBLE || count == 0)
        return unreachable(v, a.verdict == DNS_NO_DATA ? 550 : 0, a.verdict == DNS_NO_DATA ? S("5.1.2") : S("4.4.3"),
                           str_format(&v->memory, "cannot find the mail server of " STR_FMT ": " STR_FMT, STR_ARG(domain), STR_ARG(a.why)));
    for (int i = 0; i < count && i < DELIVER_EXCHANGERS_MAX && !is_tired(v); i++) {
        if (reach_host(v, hosts[i].host, &loops))
            return true;
        if (loops)
            return i > 0 ? unreachable(v, 0, S("4.4.1"), S("the better mail servers of this domain cannot be reached")) : false;
    }
    return false;
}

static bool reach(delivery *v)
{
    if (v->c)
        return true;
    arena_reset(&v->memory);
    v->reach = (smtp_verdict){0};
    v->host = (str){0};
    v->letters = v->delivered = v->deferred = v->failed = 0;
    v->begun_ns = world_now_ns(v->m->w);
    v->tired = false;
    v->host = (str){0};
    return v->d->local ? begin(v, room_dial(v->m->room, "mailstore.lmtp"), S("mailstore"), true) : reach_domain(v);
}

static void log_conversation(const delivery *v)
{
    const conn *c = v->c;
    err e = c ? c->error : E_OK;
    str verdict = !c ? S("unreachable") : v->delivered ? S("delivered") : v->failed ? S("failed") : v->deferred ? S("deferred") : S("nothing");
    addr nobody = {0};
    log_line(v->d->local ? "lmtp-out" : "smtp-out", LOG_INFO, "conversation", F_STR("domain", v->d->domain), F_STR("host_name", v->host),
             F_ADDR("peer", c ? &c->peer : &nobody), F_INT("letters", v->letters), F_INT("delivered", v->delivered),
             F_INT("deferred", v->deferred), F_INT("failed", v->failed), F_INT("tls", c && c->is_tls), F_STR("verdict", verdict),
             F_STR("end", str_z(!c ? "none" : e ? err_name(e) : "quit")), F_NS("duration_ms", world_now_ns(v->m->w) - v->begun_ns));
}

static void hang_up(delivery *v, bool politely)
{
    if (v->client)
        log_conversation(v);
    if (v->client && politely)
        smtp_client_quit(v->client);
    else if (v->client)
        smtp_client_drop(v->client);
    v->client = NULL;
    conn_close(v->c);
    v->c = NULL;
}

// ---- the text ---------------------------------------------------------------------------------------------------------

typedef struct {
    delivery *v;
    letter   *l;
    str       text;                          // of a small letter, given as one piece
    int64_t   offset;
    unsigned char *chunk;                    // of a blob
} text_source;

static bool text_next(void *arg, str *piece, err *trouble)
{
    text_source *t = arg;
    if (t->offset >= t->l->size_bytes)
        return false;
    if (!t->l->in_blob) {
        *piece = t->text;
        t->offset = t->l->size_bytes;
        return true;
    }
    size_t got = 0;
    *trouble = blob_read(spool_blobs(t->v->m->spool), t->l->blob, t->offset, t->chunk, DELIVER_CHUNK_BYTES, &got);
    if (*trouble == E_OK && got == 0)
        *trouble = E_CORRUPT;
    t->offset += (int64_t)got;
    *piece = str_of(t->chunk, got);
    return *trouble == E_OK;
}

static err text_open(text_source *t)
{
    if (!t->l->in_blob) {
        err e = spool_text(t->v->m->spool, t->l, &t->v->msg, &t->text);
        if (e == E_OK && t->text.at == t->l->text.at)        // another job of this letter may give that memory back meanwhile
            t->text = str_copy(&t->v->msg, t->text);
        return e == E_OK && t->text.len != t->l->size_bytes ? E_LIMIT : e;
    }
    t->chunk = arena_alloc(&t->v->msg, DELIVER_CHUNK_BYTES, 1, 1);
    return t->chunk ? E_OK : E_LIMIT;
}

// ---- one letter -------------------------------------------------------------------------------------------------------

// The letter's recipients that wait for this destination. Returns how many; indices in `which`.
static int recipients_here(const delivery *v, const letter *l, int *which)
{
    int count = 0;
    for (int i = 0; i < l->to_count; i++) {
        str domain = str_from(l->to[i].address, str_rfind(l->to[i].address, '@') + 1);
        bool local = mta_is_local(v->m, domain);
        if (l->to[i].state == RECIPIENT_WAITING && local == v->d->local && (local || str_eq(domain, v->d->domain)))
            which[count++] = i;
    }
    return count;
}

static bool send(delivery *v, letter *l, const int *which, int count, smtp_verdict *verdicts)
{
    text_source text = {.v = v, .l = l};
    char id[LETTER_ID_TEXT];
    letter_id_text(l->id, id);
    smtp_recipient *to = arena_array(&v->msg, smtp_recipient, count);
    address from = {0};
    err e = text_open(&text);
    if (e != E_OK || !to) {
        for (int i = 0; i < count; i++)
            verdicts[i] = (smtp_verdict){.error = e, .text = str_format(&v->msg, "cannot read the letter from the spool: %s", err_text(e))};
        return true;
    }
    if (l->from.len)
        address_read(l->from, &v->msg, &from);
    for (int i = 0; i < count; i++) {
        address_read(l->to[which[i]].address, &v->msg, &to[i].to);
        to[i].mailbox = l->to[which[i]].mailbox;
        if (v->d->local)
            to[i].delivery_id = str_format(&v->msg, "%s-%d", id, which[i]);
    }
    smtp_letter mail = {.from = from, .to = to, .count = count, .size_bytes = l->size_bytes, .body_8bit = l->body_8bit,
                        .body = text_next, .body_arg = &text};
    return smtp_client_send(v->client, &mail, verdicts, &v->msg);
}

static int64_t back_off_ns(const delivery *v, int attempts)
{
    int64_t ns = v->m->retry_ns;
    for (int i = 1; i < attempts && i < DELIVER_BACKOFF_STEPS_MAX && ns < v->m->retry_max_ns; i++)
        ns *= 2;
    if (ns > v->m->retry_max_ns)
        ns = v->m->retry_max_ns;
    return ns + (int64_t)world_random_below(v->m->w, (uint64_t)ns / 8 + 1);    // so that what failed together does not return together
}

static str verdict_text(delivery *v, const smtp_verdict *verdict)
{
    if (verdict->code == 0)
        return verdict->text.len ? verdict->text : str_z(err_text(verdict->error));
    if (verdict->enhanced.len && !str_starts(verdict->text, verdict->enhanced))
        return str_format(&v->msg, "%d " STR_FMT " " STR_FMT, verdict->code, STR_ARG(verdict->enhanced), STR_ARG(verdict->text));
    return str_format(&v->msg, "%d " STR_FMT, verdict->code, STR_ARG(verdict->text));
}

static outcome outcome_of(delivery *v, letter *l, int index, const smtp_verdict *verdict)
{
    bool expired = world_now_ns(v->m->w) >= l->expires_ns;
    recipient_state state = verdict->code >= 200 && verdict->code < 300 ? RECIPIENT_DELIVERED
                          : verdict->code >= 500 || expired ? RECIPIENT_FAILED : RECIPIENT_WAITING;
    return (outcome){.index = index, .state = state, .host = v->host, .reply = str_first(verdict_text(v, verdict), LETTER_REPLY_BYTES_MAX)};
}

static void tell(delivery *v, const letter *l, const outcome *o)
{
    static const char *const words[] = {"deferred", "delivered", "failed"};
    if (o->state == RECIPIENT_DELIVERED)
        mta_count_delivered(v->d->local);
    else if (o->state == RECIPIENT_WAITING)
        mta_count_deferred();
    log_line("mta", o->state == RECIPIENT_DELIVERED ? LOG_INFO : LOG_NOTICE, words[o->state], F_STR("from", l->from),
             F_STR("to", l->to[o->index].address), F_STR("mailbox", l->to[o->index].mailbox), F_STR("host_name", v->host),
             F_INT("attempt", l->to[o->index].attempts), F_STR("reply", o->reply));
}

// Records what became of the recipients; what failed for ever bounces in the same record.
// fates: room for `count`, taken before a stranger's answers could fill the memory.
static void conclude(delivery *v, job *j, const int *which, int count, const smtp_verdict *verdicts, outcome *fates)
{
    letter *l = j->letter;
    int attempts = 0;
    for (int i = 0; i < count; i++) {
        fates[i] = outcome_of(v, l, which[i], &verdicts[i]);
        if (l->to[which[i]].attempts + 1 > attempts)
            attempts = l->to[which[i]].attempts + 1;
    }
    bool all_here = v->d->local && !l->in_blob;
    for (int i = 0; i < count; i++)
        all_here = all_here && fates[i].state == RECIPIENT_DELIVERED;
    letter *bounce = undeliverable_bounce(v->m, l, fates, count, v->host, &v->msg);
    err e = E_OK;
    if (all_here)
        spool_delivered(v->m->spool, l, fates, count);
    else
        e = spool_outcome(v->m->spool, l, fates, count, bounce);
    if (e != E_OK) {                                         // the room is ending: at restart the letter is tried again
        queue_job_done(v->q, j);
        return;
    }
    for (int i = 0; i < count; i++)
        tell(v, l, &fates[i]);
    if (bounce) {
        mta_count_bounced();
        queue_add(v->q, bounce);
    }
    bool waits = false;
    for (int i = 0; i < count && !l->over; i++)
        waits = waits || l->to[which[i]].state == RECIPIENT_WAITING;
    if (!waits) {
        queue_job_done(v->q, j);
    } else {
        spool_forget_text(v->m->spool, l);
        queue_job_later(v->q, j, world_now_ns(v->m->w) + back_off_ns(v, attempts));
    }
}

static void all_the_same(smtp_verdict *verdicts, int count, smtp_verdict v)
{
    for (int i = 0; i < count; i++)
        verdicts[i] = v;
}

// Nobody answers there: other letters for the same place need not find out by themselves.
static void destination_failed(delivery *v)
{
    v->d->failures++;
    v->d->not_before_ns = world_now_ns(v->m->w) + back_off_ns(v, v->d->failures);
}

// A connection that has lingered may have died with the server behind it, which is no reason to wait: once more, over a
// fresh one, where nothing can have arrived (or our own mailstore would know the delivery id).
static bool again_at_once(const delivery *v, bool reused, const smtp_verdict *verdicts, int count)
{
    for (int i = 0; i < count; i++)
        if (verdicts[i].code != 0 || (verdicts[i].after_dot && !v->d->local))
            return false;
    return reused && !fiber_canceled();
}

// False: the conversation is over.
static bool hand_over(delivery *v, letter *l, const int *which, int count, smtp_verdict *verdicts)
{
    bool reused = v->c != NULL;
    for (;;) {
        if (!reach(v)) {
            log_conversation(v);
            if (v->reach.code < 500 && !fiber_canceled())
                destination_failed(v);
            all_the_same(verdicts, count, v->reach);
            return false;
        }
        v->d->failures = 0;
        v->letters++;
        bool more = send(v, l, which, count, verdicts);
        if (more || !again_at_once(v, reused, verdicts, count))
            return more;
        hang_up(v, false);
        reused = false;
    }
}

// For the log's line about this conversation.
static void count_verdicts(delivery *v, const smtp_verdict *verdicts, int count)
{
    for (int i = 0; i < count; i++) {
        v->delivered += verdicts[i].code / 100 == 2;
        v->failed += verdicts[i].code / 100 == 5;
        v->deferred += verdicts[i].code / 100 != 2 && verdicts[i].code / 100 != 5;
    }
}

static void deliver_one(delivery *v, job *j)
{
    letter *l = j->letter;
    arena_reset(&v->msg);
    fiber_set_trace(l->trace);
    if (l->over) {
        queue_job_done(v->q, j);
        return;
    }
    if (l->held) {                                           // asked for; `naru queue release` makes it due
        queue_job_later(v->q, j, world_now_ns(v->m->w) + minutes(1));
        return;
    }
    int *which = arena_array(&v->msg, int, l->to_count);
    smtp_verdict *verdicts = arena_array(&v->msg, smtp_verdict, l->to_count);
    outcome *fates = arena_array(&v->msg, outcome, l->to_count);
    must(which && verdicts && fates);
    int count = recipients_here(v, l, which);
    if (count == 0) {
        queue_job_done(v->q, j);
        return;
    }
    bool more = hand_over(v, l, which, count, verdicts);
    if (!more && fiber_canceled() && verdicts[0].code == 0) {    // the room ends in the middle of it: no verdict at all
        hang_up(v, false);
        queue_job_later(v->q, j, 0);
        return;
    }
    count_verdicts(v, verdicts, count);
    if (!more || v->letters >= QUEUE_LETTERS_A_CONNECTION)
        hang_up(v, more);
    conclude(v, j, which, count, verdicts, fates);
}

void deliver(queue *q, destination *d, job *first)
{
    delivery v = {.q = q, .m = queue_mta(q), .d = d, .memory = arena_make(DELIVER_ARENA_BYTES), .msg = arena_make(DELIVER_ARENA_BYTES)};
    for (job *j = first; j; j = v.c ? queue_linger(q, d, DELIVER_LINGER_NS) : NULL)
        deliver_one(&v, j);
    hang_up(&v, true);
    arena_free(&v.msg);
    arena_free(&v.memory);
}
