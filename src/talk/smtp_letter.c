// One letter over an SMTP or LMTP conversation: envelope, DATA, the dot, and what became of each recipient.
#include "base/must.h"
#include "rt/story.h"
#include "rt/worker.h"
#include "talk/smtp_send_inside.h"
#include "wire/mail/dot.h"
#include "wire/mail/mime.h"

enum {
    BODY_CHUNK_BYTES = 32 * 1024,            // of the letter, before dot-stuffing (which may double it)
    LETTER_7BIT_BYTES_MAX = 8 << 20,         // a letter that must be converted to 7 bits is held in memory, some three times over
};

// The letter that is under way.
typedef struct {
    smtp_client       *s;
    const smtp_letter *letter;
    smtp_verdict      *verdicts;
    arena             *a;
    int                accepted;             // recipients
    buf                converted;            // the body in 7 bits, when the server wants it so
    bool               is_converted;
} sending;

static bool is_good(const smtp_verdict *v) { return v->error == E_OK && v->code / 100 == 2; }

static void verdict_all(sending *g, smtp_verdict v)
{
    for (int i = 0; i < g->letter->count; i++)
        g->verdicts[i] = v;
}

// Those that were accepted so far end like this; the refused ones keep their own verdict.
static void verdict_rest(sending *g, int from, smtp_verdict v)
{
    for (int i = from; i < g->letter->count; i++)
        if (is_good(&g->verdicts[i]))
            g->verdicts[i] = v;
}

// ---- eight bits ----

typedef struct { str message; arena *a; buf out; bool good; } conversion;

static void convert_work(void *arg)
{
    conversion *k = arg;
    k->good = mime_to_7bit(k->message, k->a, &k->out);
}

static bool body_collect(const smtp_letter *l, buf *all, err *trouble)
{
    str piece;
    while (l->body(l->body_arg, &piece, trouble))
        buf_put(all, piece);
    return *trouble == E_OK && !all->full;
}

// RFC 6152 3: a server without 8BITMIME gets the letter in 7 bits. Work in memory, within a ceiling.
static bool convert(sending *g)
{
    err trouble = E_OK;
    arena memory = arena_make(LETTER_7BIT_BYTES_MAX);
    buf all = buf_make(LETTER_7BIT_BYTES_MAX);
    conversion k = {.a = &memory, .out = buf_make(2 * LETTER_7BIT_BYTES_MAX)};
    bool good = g->letter->size_bytes <= LETTER_7BIT_BYTES_MAX && body_collect(g->letter, &all, &trouble);
    if (good) {
        k.message = buf_str(&all);
        work(convert_work, &k);
        good = k.good && !k.out.full;
    }
    if (trouble)
        verdict_all(g, (smtp_verdict){.error = trouble, .text = S("the letter could not be read from the disk")});
    else if (!good)
        verdict_all(g, smtp_verdict_of(554, "5.6.3",
                                       S("the server takes 7-bit letters only and this one could not be converted")));
    g->is_converted = good;
    g->converted = k.out;                            // smtp_client_send gives it back
    buf_free(&all);
    arena_free(&memory);
    return good;
}

// ---- the envelope ----

static void say_mail(sending *g)
{
    smtp_client *s = g->s;
    const smtp_letter *l = g->letter;
    buf line = buf_make(SMTP_COMMAND_LINE_MAX);
    buf_put(&line, S("MAIL FROM:<"));
    must(address_write(&line, l->from));
    buf_put(&line, S(">"));
    if (s->capabilities.size && l->size_bytes > 0)
        buf_format(&line, " SIZE=%lld", (long long)l->size_bytes);
    if (s->capabilities.eight_bit_mime)
        buf_put(&line, l->body_8bit ? S(" BODY=8BITMIME") : S(" BODY=7BIT"));
    if (s->capabilities.trace && fiber_trace())
        buf_format(&line, " XTRACE=%llx", (unsigned long long)fiber_trace());
    must(!line.full);
    smtp_client_say(s, buf_str(&line));
    buf_free(&line);
}

static void say_recipient(sending *g, const smtp_recipient *r)
{
    smtp_client *s = g->s;
    buf line = buf_make(SMTP_COMMAND_LINE_MAX);
    buf_put(&line, S("RCPT TO:<"));
    must(address_write(&line, r->to));
    buf_put(&line, S(">"));
    if (s->capabilities.delivery_id && r->delivery_id.len)
        buf_format(&line, " XDELIVERYID=" STR_FMT, STR_ARG(r->delivery_id));
    if (s->capabilities.mailbox && r->mailbox.len) {
        buf_put(&line, S(" XMAILBOX="));
        xtext_write(&line, r->mailbox);
    }
    must(!line.full);
    smtp_client_say(s, buf_str(&line));
    buf_free(&line);
}

// Replies to RCPT numbers [from, to).
static bool hear_recipients(sending *g, int from, int to)
{
    for (int i = from; i < to; i++) {
        bool heard = smtp_client_hear(g->s, minutes(COMMAND_MINUTES), "after RCPT", &g->verdicts[i], g->a);
        if (!heard || g->s->over) {                // 421 is an answer for those behind it too
            smtp_verdict v = g->verdicts[i];
            verdict_rest(g, 0, v);
            for (; i < g->letter->count; i++)
                g->verdicts[i] = v;
            return false;
        }
        g->accepted += is_good(&g->verdicts[i]);
    }
    return true;
}

static bool hear_mail(sending *g, smtp_verdict *mail)
{
    bool heard = smtp_client_hear(g->s, minutes(COMMAND_MINUTES), "after MAIL", mail, g->a);
    if (heard && !g->s->over)
        return true;
    verdict_all(g, *mail);
    return false;
}

// One command at a time. *data: the answer to DATA. false: the conversation is over, or nothing is to be sent.
static bool envelope_stepwise(sending *g, smtp_verdict *data)
{
    smtp_verdict mail;
    say_mail(g);
    if (!hear_mail(g, &mail))
        return false;
    g->s->open_transaction = true;
    if (!is_good(&mail))
        return verdict_all(g, mail), false;
    for (int i = 0; i < g->letter->count; i++) {
        say_recipient(g, &g->letter->to[i]);
        if (!hear_recipients(g, i, i + 1))
            return false;
    }
    if (g->accepted == 0)
        return false;
    smtp_client_say(g->s, S("DATA"));
    if (smtp_client_hear(g->s, minutes(DATA_MINUTES), "after DATA", data, g->a))
        return true;
    verdict_rest(g, 0, *data);
    return false;
}

// All of the envelope at once (RFC 2920), in groups of SMTP_PIPELINE_MAX.
static bool envelope_pipelined(sending *g, smtp_verdict *data)
{
    smtp_verdict mail = {0};
    int count = g->letter->count;
    say_mail(g);
    g->s->open_transaction = true;
    for (int from = 0, to; from < count; from = to) {
        to = count - from > SMTP_PIPELINE_MAX ? from + SMTP_PIPELINE_MAX : count;
        for (int i = from; i < to; i++)
            say_recipient(g, &g->letter->to[i]);
        if (to == count)
            smtp_client_say(g->s, S("DATA"));
        if (from == 0 && !hear_mail(g, &mail))
            return false;
        if (!hear_recipients(g, from, to))
            return false;
    }
    if (!smtp_client_hear(g->s, minutes(DATA_MINUTES), "after DATA", data, g->a))
        return verdict_rest(g, 0, *data), false;
    if (!is_good(&mail)) {                         // the rest was refused because of it
        verdict_all(g, mail);
        g->accepted = 0;
    }
    return true;
}

// ---- the body ----

static bool chunk_send(sending *g, dot_writer *d, str piece)
{
    while (piece.len && !g->s->c->error) {
        str chunk = str_first(piece, BODY_CHUNK_BYTES);
        piece = str_from(piece, chunk.len);
        buf_clear(&g->s->wire);
        must(dot_write(d, chunk, &g->s->wire));
        conn_deadline(g->s->c, minutes(CHUNK_MINUTES));
        conn_put(g->s->c, buf_str(&g->s->wire));
    }
    return !g->s->c->error;
}

static bool body_pieces_send(sending *g, err *trouble)
{
    dot_writer d = {0};
    str piece = buf_str(&g->converted);
    bool good = !g->is_converted || chunk_send(g, &d, piece);
    while (good && !g->is_converted && g->letter->body(g->letter->body_arg, &piece, trouble))
        good = chunk_send(g, &d, piece);
    if (*trouble || !good)
        return false;                              // without the dot nothing was sent (RFC 5321 4.1.1.4)
    buf_clear(&g->s->wire);
    must(dot_finish(&d, &g->s->wire));
    conn_deadline(g->s->c, minutes(CHUNK_MINUTES));
    conn_put(g->s->c, buf_str(&g->s->wire));
    return conn_flush(g->s->c);
}

static smtp_verdict body_trouble(sending *g, err trouble)
{
    g->s->over = true;
    if (trouble)
        return (smtp_verdict){.error = trouble, .text = S("the letter could not be read from the disk")};
    err why = g->s->c->error;
    return (smtp_verdict){.error = why, .text = str_format(g->a, "while sending the letter: %s", err_text(why))};
}

// A server that takes a byte a minute holds a fiber, a slot of its destination and this letter: it is hung up on.
static bool body_send(sending *g, err *trouble)
{
    conn_rate_min(g->s->c, BODY_BYTES_PER_S_MIN, minutes(CHUNK_MINUTES));
    bool good = body_pieces_send(g, trouble);
    conn_rate_min(g->s->c, 0, 0);
    return good;
}

// LMTP answers once for each accepted recipient (RFC 2033 4.2), SMTP once for all.
static bool hear_end(sending *g)
{
    smtp_verdict v;
    for (int i = 0; i < g->letter->count; i++) {
        if (!is_good(&g->verdicts[i]))
            continue;
        bool heard = smtp_client_hear(g->s, minutes(DOT_MINUTES), "after the final dot", &v, g->a);
        v.after_dot = !heard;
        if (!heard || !g->s->options.lmtp) {
            verdict_rest(g, i, v);
            return heard;
        }
        g->verdicts[i] = v;
    }
    return true;
}

// DATA was pipelined and taken although nobody is left to get it: an empty letter ends it (RFC 2920 3.1).
static void end_empty(sending *g)
{
    smtp_verdict ignored;
    conn_put(g->s->c, S(".\r\n"));
    smtp_client_hear(g->s, minutes(DOT_MINUTES), "after an empty letter", &ignored, g->a);
}

static void reset_if_open(smtp_client *s, arena *a)
{
    smtp_verdict ignored;
    if (!s->open_transaction || s->over)
        return;
    s->open_transaction = false;
    smtp_client_say(s, S("RSET"));
    smtp_client_hear(s, minutes(COMMAND_MINUTES), "after RSET", &ignored, a);
}

// Reasons for which nothing at all is said to the server.
static bool fits(sending *g)
{
    const smtp_capabilities *k = &g->s->capabilities;
    if (k->size_bytes_max && (uint64_t)g->letter->size_bytes > k->size_bytes_max) {
        verdict_all(g, smtp_verdict_of(552, "5.3.4",
                                       str_format(g->a, "the server takes letters of up to %llu bytes, this one has %lld",
                                       (unsigned long long)k->size_bytes_max, (long long)g->letter->size_bytes)));
        return false;
    }
    return !g->letter->body_8bit || k->eight_bit_mime || convert(g);
}

// 250 to DATA is no promise: nothing was sent yet. Whoever says so has lost count of the commands, or somebody put the answer
// there; the letter stays ours.
static smtp_verdict data_nonsense(sending *g)
{
    if (g->accepted)
        g->s->over = true;
    return (smtp_verdict){.error = E_PROTOCOL, .text = S("the server answered DATA with neither 354 nor a refusal")};
}

static bool letter_send(sending *g)
{
    smtp_client *s = g->s;
    const smtp_letter *letter = g->letter;
    smtp_verdict data = {0};
    err trouble = E_OK;
    if (!fits(g))
        return !s->over;
    smtp_client_allow(s, minutes(ENVELOPE_MINUTES_MAX) + seconds((int64_t)letter->count * RECIPIENT_SECONDS_MAX));
    reset_if_open(s, g->a);
    if (!(s->capabilities.pipelining ? envelope_pipelined(g, &data) : envelope_stepwise(g, &data)))
        return !s->over;
    if (data.code != 354 || g->accepted == 0) {
        verdict_rest(g, 0, data.code / 100 == 5 || data.code / 100 == 4 ? data : data_nonsense(g));
        if (data.code == 354)
            end_empty(g);
        return !s->over;
    }
    if (!body_send(g, &trouble)) {
        verdict_rest(g, 0, body_trouble(g, trouble));
        return false;
    }
    s->open_transaction = false;
    smtp_client_allow(s, minutes(DOT_MINUTES) + seconds((int64_t)letter->count * RECIPIENT_SECONDS_MAX));
    story_note(s->options.lmtp ? "lmtp" : "smtp",
               str_format(g->a, "sent the letter, %lld bytes", (long long)letter->size_bytes));
    return hear_end(g) && !s->over;
}

bool smtp_client_send(smtp_client *s, const smtp_letter *letter, smtp_verdict *verdicts, arena *a)
{
    must(letter->count > 0);
    sending g = {.s = s, .letter = letter, .verdicts = verdicts, .a = a};
    bool more = letter_send(&g);
    buf_free(&g.converted);
    return more;
}
