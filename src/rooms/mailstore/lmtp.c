// LMTP (RFC 2033): letters from the mta. One answer for each recipient, after its letter is durable. Three
// extensions of naru's own, announced in LHLO: XDELIVERYID, XMAILBOX, XTRACE (docs/mailstore.md).
#include "base/heap_memory.h"
#include "rooms/mailstore/mailstore_inside.h"
#include "rt/log.h"
#include "rt/story.h"
#include "talk/login.h"
#include "wire/mail/dot.h"
#include "wire/mail/smtp.h"

enum {
    LMTP_RECIPIENTS_MAX = 100,               // of one letter; above it 452 (RFC 5321 4.5.3.1.10)
    LMTP_MESSAGE_BYTES_MAX = 64 * 1024,      // memory of one command
    LMTP_TRANSACTION_BYTES_MAX = 256 * 1024, // memory of one letter's envelope
    LMTP_BODY_BYTES_MAX = LETTER_INLINE_BYTES_MAX + 2 * CONN_IN_BYTES_MAX,
};
#define LMTP_IDLE_NS minutes(10)
// Who leads nowhere is hung up on, though only our own mta gets this far.
enum { LMTP_COMMANDS_A_LETTER_MAX = 20000 };  // of any kind before the next letter comes; a letter may have thousands of recipients
#define LMTP_AIMLESS_NS minutes(30)          // without a letter, however polite the commands in between

typedef struct {
    address     to;
    account    *account;
    blob_draft *draft;
    delivery    letter;
} lmtp_recipient;

typedef struct {
    mailstore *m;
    conn      *c;
    arena      msg, transaction;
    buf        reply, body;
    bool       has_sender, in_blobs, quitting;
    address    from;
    err        body_error;
    int64_t    body_bytes;
    lmtp_recipient to[LMTP_RECIPIENTS_MAX];
    int        to_count;
    int        letters, recipients, refused, aimless;        // refused: commands and recipients
    int64_t    begun_ns, aimed_ns;
    uint64_t   trace;                        // of the last letter
} lmtp_session;

static void reply(lmtp_session *s, int code, const char *enhanced, str text)
{
    buf_clear(&s->reply);
    smtp_reply_write(&s->reply, code, enhanced, text);
    conn_put(s->c, buf_str(&s->reply));
    s->refused += code >= 400;
}

// ---- the envelope ----------------------------------------------------------------------------------------------

static void transaction_end(lmtp_session *s)
{
    for (int i = 0; i < s->to_count; i++) {
        blob_drop(s->to[i].draft);
        account_release(s->to[i].account);
    }
    s->to_count = 0;
    s->has_sender = s->in_blobs = false;
    s->body_error = E_OK;
    s->body_bytes = 0;
    buf_clear(&s->body);
    arena_reset(&s->transaction);
    s->trace = fiber_trace() ? fiber_trace() : s->trace;
    fiber_set_trace(0);
}

static void hello(lmtp_session *s)
{
    transaction_end(s);
    reply(s, 250, "", str_format(&s->msg, STR_FMT "\nPIPELINING\nENHANCEDSTATUSCODES\n8BITMIME\nSIZE %lld\n"
                                 "XDELIVERYID\nXMAILBOX\nXTRACE", STR_ARG(s->m->host), (long long)s->m->size_bytes_max));
}

// RFC 5321 4.1.1.11: parameters of what was not offered are refused (DSN, RFC 3461).
static bool parameters_allowed(lmtp_session *s, const smtp_command *q, unsigned offered)
{
    if (q->parameters.given & ~offered)
        reply(s, 555, "5.5.4", S("this parameter belongs to an extension that was not offered"));
    return !(q->parameters.given & ~offered);
}

static void mail(lmtp_session *s, const smtp_command *q)
{
    if (!parameters_allowed(s, q, SMTP_HAS_SIZE | SMTP_HAS_BODY | SMTP_HAS_TRACE))
        return;
    if (s->has_sender)
        return reply(s, 503, "5.5.1", S("a letter is open already; RSET drops it"));
    if ((int64_t)q->parameters.size_bytes > s->m->size_bytes_max || q->parameters.size_bytes > INT64_MAX)
        return reply(s, 552, "5.3.4", S("the letter is too large"));
    s->has_sender = true;
    s->from = (address){str_copy(&s->transaction, q->path.local), str_copy(&s->transaction, q->path.domain)};
    if (q->parameters.given & SMTP_HAS_TRACE)
        fiber_set_trace(q->parameters.trace);
    reply(s, 250, "2.1.0", S("sender ok"));
}

static void hold_trouble(lmtp_session *s, err e)
{
    if (e == E_NO_SPACE)
        reply(s, 452, "4.3.1", S("no space left for this mailbox"));
    else
        reply(s, 451, "4.3.0", str_format(&s->msg, "the mailbox cannot be opened: %s", err_text(e)));
}

static void recipient(lmtp_session *s, const smtp_command *q)
{
    str key;
    err e;
    if (!parameters_allowed(s, q, SMTP_HAS_DELIVERY_ID | SMTP_HAS_MAILBOX))
        return;
    if (!s->has_sender)
        return reply(s, 503, "5.5.1", S("MAIL comes first"));
    if (s->to_count == LMTP_RECIPIENTS_MAX)
        return reply(s, 452, "4.5.3", S("too many recipients at once; send the rest in another transaction"));
    switch (login_mailbox(s->m->r, address_text(&s->msg, q->path), &s->transaction, &key)) {
    case MAILBOX_HERE:    break;
    case MAILBOX_UNKNOWN: return reply(s, 550, "5.1.1", S("no such mailbox"));
    case MAILBOX_TROUBLE: return reply(s, 451, "4.3.0", S("the accounts service does not answer"));
    }
    account *a = account_hold(&s->m->accounts, key, &e);
    if (!a)
        return hold_trouble(s, e);
    lmtp_recipient *to = &s->to[s->to_count++];
    *to = (lmtp_recipient){.account = a};
    to->to = (address){str_copy(&s->transaction, q->path.local), str_copy(&s->transaction, q->path.domain)};
    to->letter.delivery_id = str_copy(&s->transaction, q->parameters.delivery_id);
    to->letter.mailbox = q->parameters.mailbox.len ? str_copy(&s->transaction, q->parameters.mailbox) : S("INBOX");
    reply(s, 250, "2.1.5", S("recipient ok"));
}

// ---- the letter ------------------------------------------------------------------------------------------------

// RFC 5321 4.4: final delivery writes Return-Path. What goes into another mailbox than the inbox is no delivery.
static void prefix_put(lmtp_session *s)
{
    bool delivered = false;
    for (int i = 0; i < s->to_count; i++)
        delivered |= str_eq(s->to[i].letter.mailbox, S("INBOX"));
    if (!delivered)
        return;
    buf_put(&s->body, S("Return-Path: <"));
    address_write(&s->body, s->from);
    buf_put(&s->body, S(">\r\n"));
}

// What has gathered goes into every recipient's draft.
static void body_to_drafts(lmtp_session *s)
{
    for (int i = 0; i < s->to_count && s->body_error == E_OK; i++) {
        lmtp_recipient *to = &s->to[i];
        if (!s->in_blobs)
            s->body_error = blob_begin(to->account->b, &to->draft);
        if (s->body_error == E_OK)
            s->body_error = blob_write(to->draft, buf_str(&s->body));
    }
    s->in_blobs = true;
    s->body_bytes += (int64_t)s->body.len;
    buf_clear(&s->body);
}

// Reads up to the dot. False: the conversation is over.
static bool body_read(lmtp_session *s, dot_reader *d)
{
    dot_verdict v = DOT_MORE;
    while (v == DOT_MORE) {
        str some = conn_some(s->c), left = some;
        if (some.len == 0)
            return false;
        v = dot_read(d, &left, &s->body);
        conn_used(s->c, (size_t)(some.len - left.len));
        if (s->body.len > LETTER_INLINE_BYTES_MAX && !d->too_large)
            body_to_drafts(s);
    }
    if (v != DOT_DONE)
        reply(s, 554, "5.6.0", S("lines end with CR LF"));
    return v == DOT_DONE;
}

static err body_finish(lmtp_session *s)
{
    if (s->in_blobs && s->body.len)
        body_to_drafts(s);
    for (int i = 0; i < s->to_count && s->in_blobs; i++) {
        if (s->to[i].draft && s->body_error == E_OK)
            s->body_error = blob_finish(s->to[i].draft, &s->to[i].letter.blob);
        else
            blob_drop(s->to[i].draft);
        s->to[i].draft = NULL;
        s->to[i].letter.in_blob = true;
    }
    if (!s->in_blobs)
        s->body_bytes = (int64_t)s->body.len;
    return s->body_error;
}

static void deliver_one(lmtp_session *s, lmtp_recipient *to, str sender)
{
    delivery *d = &to->letter;
    d->sender = sender;
    d->body = s->in_blobs ? (str){0} : buf_str(&s->body);
    d->size_bytes = s->body_bytes;
    d->received_s = world_wall_s(s->m->w);
    d->trace = fiber_trace();
    account_deliver(to->account, d);
    if (d->error == E_NO_SPACE)
        return reply(s, 452, "4.3.1", S("no space left for this mailbox"));
    if (d->error != E_OK)
        return reply(s, 451, "4.3.0", str_format(&s->msg, "the letter could not be stored: %s", err_text(d->error)));
    mailstore_count_stored(d->duplicate);
    if (d->in_blob && d->duplicate)
        blob_remove(to->account->b, d->blob);
    str where = d->duplicate ? S("stored already")
                             : str_format(&s->msg, "stored in " STR_FMT " as number %lld", STR_ARG(d->mailbox), (long long)d->uid);
    story_note("disk", str_format(&s->msg, STR_FMT ": " STR_FMT, STR_ARG(to->account->key), STR_ARG(where)));
    log_line("mailstore", LOG_INFO, d->duplicate ? "duplicate" : "stored", F_STR("account", to->account->key),
             F_STR("mailbox", d->mailbox),
             F_STR("id", d->delivery_id), F_INT("uid", d->uid), F_INT("size", d->size_bytes));
    reply(s, 250, "2.0.0", where);
}

static void data(lmtp_session *s)
{
    if (s->to_count == 0)
        return reply(s, 503, "5.5.1", S("no valid recipients"));
    s->letters++;
    s->recipients += s->to_count;
    s->aimless = 0;
    reply(s, 354, "", S("go ahead; end with a dot on a line of its own"));
    dot_reader d = {.size_bytes_max = (uint64_t)s->m->size_bytes_max};
    prefix_put(s);
    if (!body_read(s, &d)) {
        s->quitting = true;
        return;
    }
    arena_reset(&s->msg);
    err e = d.too_large ? E_OK : body_finish(s);
    str sender = address_text(&s->transaction, s->from);
    for (int i = 0; i < s->to_count; i++)
        if (d.too_large)
            reply(s, 552, "5.3.4", S("the letter is too large"));
        else if (e == E_NO_SPACE)
            reply(s, 452, "4.3.1", S("no space left for this letter"));
        else if (e != E_OK)
            reply(s, 451, "4.3.0", S("the letter could not be stored"));
        else
            deliver_one(s, &s->to[i], sender);
    transaction_end(s);
    s->aimed_ns = world_now_ns(s->m->w);
}

// ---- the conversation ------------------------------------------------------------------------------------------

static void obey(lmtp_session *s, const smtp_command *q)
{
    if (q->verb == SMTP_HTTP) {                    // no server of mail talks like that (ALPACA)
        s->quitting = true;
        return;
    }
    if (q->complaint.code)
        return reply(s, q->complaint.code, q->complaint.enhanced, q->complaint.text);
    switch (q->verb) {
    case SMTP_LHLO: hello(s); break;
    case SMTP_HELO: case SMTP_EHLO: reply(s, 500, "5.5.1", S("this is LMTP: say LHLO")); break;
    case SMTP_MAIL: mail(s, q); break;
    case SMTP_RCPT: recipient(s, q); break;
    case SMTP_DATA: data(s); break;
    case SMTP_RSET: transaction_end(s); reply(s, 250, "2.0.0", S("ok")); break;
    case SMTP_NOOP: reply(s, 250, "2.0.0", S("ok")); break;
    case SMTP_VRFY: reply(s, 252, "2.0.0", S("send the letter and see")); break;
    case SMTP_HELP: reply(s, 214, "2.0.0", S("LHLO MAIL RCPT DATA RSET NOOP VRFY HELP QUIT")); break;
    case SMTP_QUIT: reply(s, 221, "2.0.0", S("goodbye")); s->quitting = true; break;
    default:        reply(s, 502, "5.5.1", S("not implemented here")); break;
    }
}

// False: enough of this conversation.
static bool goes_on(lmtp_session *s)
{
    int64_t left = s->aimed_ns + LMTP_AIMLESS_NS - world_now_ns(s->m->w);
    if (s->quitting || s->c->error)
        return false;
    if (left > 0 && s->aimless++ < LMTP_COMMANDS_A_LETTER_MAX) {
        conn_deadline(s->c, left < LMTP_IDLE_NS ? left : LMTP_IDLE_NS);
        return true;
    }
    reply(s, 421, "4.7.0", S("this leads nowhere, closing the connection"));
    return false;
}

static void log_conversation(lmtp_session *s)
{
    err e = s->c->error;
    log_line("lmtp", LOG_INFO, "conversation", F_INT("letters", s->letters), F_INT("recipients", s->recipients), F_INT("refused", s->refused),
             F_STR("verdict", s->quitting || e == E_EOF || !e ? S("ok") : S("broken")), F_STR("end", str_z(e ? err_name(e) : "quit")),
             F_NS("duration_ms", world_now_ns(s->m->w) - s->begun_ns));
}

void lmtp_converse(conn *c, void *arg)
{
    lmtp_session *s = memory_zeroed(1, sizeof *s);
    s->m = arg;
    s->c = c;
    s->msg = arena_make(LMTP_MESSAGE_BYTES_MAX);
    s->transaction = arena_make(LMTP_TRANSACTION_BYTES_MAX);
    s->reply = buf_make(LMTP_MESSAGE_BYTES_MAX);
    s->body = buf_make(LMTP_BODY_BYTES_MAX);
    reply(s, 220, "", str_format(&s->msg, STR_FMT " LMTP naru", STR_ARG(s->m->host)));
    s->begun_ns = s->aimed_ns = world_now_ns(s->m->w);
    while (goes_on(s)) {
        arena_reset(&s->msg);
        str line = conn_line(c, &s->msg, SMTP_COMMAND_LINE_MAX);
        if (line.len == 0)
            break;
        if (!str_ends(line, S("\r\n"))) {
            reply(s, 500, "5.5.2", S("lines end with CR LF and have at most 2048 bytes"));
            break;
        }
        smtp_command q = smtp_command_read(str_chomp(line), &s->msg);
        obey(s, &q);
    }
    uint64_t trace = fiber_trace() ? fiber_trace() : s->trace;
    transaction_end(s);
    fiber_set_trace(trace);                        // the last letter's
    log_conversation(s);
    buf_free(&s->reply);
    buf_free(&s->body);
    arena_free(&s->msg);
    arena_free(&s->transaction);
    memory_free(s);
}
