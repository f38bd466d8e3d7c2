// The text behind DATA: received under limits, given its Received line, made durable, and only then answered with 250.
#include <string.h>

#include "base/must.h"
#include "rooms/mta/queue.h"
#include "rooms/mta/session.h"
#include "rt/log.h"
#include "rt/sim.h"
#include "rt/story.h"
#include "wire/mail/dot.h"
#include "wire/mail/header.h"

enum {
    MESSAGE_RATE_BYTES_PER_S = 100,        // slower than this on average is no mail program; but
    MESSAGE_TYPED_BYTES_PER_S = 1,         // who never said EHLO may be a person who types, and thinks
    MESSAGE_HEAD_BYTES = 16 * 1024,        // room for what we put in front
};

typedef struct {
    session    *s;
    dot_reader  dots;
    buf         text;                      // all of it, or what has not gone to the blob yet
    blob_draft *draft;                     // NULL: still small
    bool        head_done, loops, head_too_large;
    err         trouble;                   // of the disk
    int64_t     written_bytes;             // to the blob
    bool        eight_bit;
} message;

static void insert(buf *b, size_t offset, str s)
{
    if (!buf_room(b, (size_t)s.len))
        return;
    buf_added(b, (size_t)s.len);
    memmove(b->at + offset + s.len, b->at + offset, b->len - (size_t)s.len - offset);
    memcpy(b->at + offset, s.at, (size_t)s.len);
}

static bool put_received(session *s, buf *out)
{
    char id[LETTER_ID_TEXT];
    letter_id_text(s->letter->id, id);
    address only = {0};
    if (s->letter->to_count == 1)
        address_read(s->letter->to[0].address, &s->msg, &only);
    const char *with = !s->extended ? "SMTP" : s->c->is_tls ? (s->account.len ? "ESMTPSA" : "ESMTPS") : s->account.len ? "ESMTPA" : "ESMTP";
    received_line r = {.helo = s->helo, .peer = s->c->peer, .by = s->m->host, .with = str_z(with),
                       .tls = conn_tls_describe(s->c, &s->msg), .id = str_z(id), .recipient = only,
                       .time_s = world_wall_s(s->m->w)};
    return received_put(out, &r, &s->msg);
}

// What the head of the text needs: an empty line where a person forgot it, and for our own people a date and an id.
// whole: the text is all here. Else it may be that the head goes on behind it: then no empty line may cut it in two.
static void finish_head(message *t, bool whole)
{
    session *s = t->s;
    header_block head;
    arena a = arena_make(HEADER_BYTES_MAX * 2);
    t->head_done = true;
    t->head_too_large = !header_read(buf_str(&t->text), &a, &head);
    t->loops = header_count(&head, S("Received")) > HEADER_HOPS_MAX;
    if (!head.has_blank && (whole || str_find(head.body, '\n') >= 0))
        insert(&t->text, (size_t)head.raw.len, S("\r\n"));
    buf front = buf_make(MESSAGE_HEAD_BYTES);
    put_received(s, &front);
    if (s->submission && !header_find(&head, S("Date")))
        header_put_date(&front, S("Date"), world_wall_s(s->m->w), 0);
    if (s->submission && !header_find(&head, S("Message-ID")))
        header_put(&front, S("Message-ID"), message_id_make(&a, world_wall_s(s->m->w), world_random_u64(s->m->w), s->m->host));
    insert(&t->text, 0, buf_str(&front));
    buf_free(&front);
    arena_free(&a);
}

static void spill(message *t)
{
    if (!t->head_done)
        finish_head(t, false);
    if (!t->draft && !t->trouble)
        t->trouble = blob_begin(spool_blobs(t->s->m->spool), &t->draft);
    if (!t->trouble)
        t->trouble = blob_write(t->draft, buf_str(&t->text));
    t->written_bytes += (int64_t)t->text.len;
    buf_clear(&t->text);
}

static bool has_high_bytes(str s)
{
    unsigned char all = 0;
    for (ptrdiff_t i = 0; i < s.len; i++)
        all |= s.at[i];
    return all & 0x80;
}

// Reads to the end mark, even when the letter is too large or the disk is full: the answer comes at the end of it.
static dot_verdict receive(message *t)
{
    conn *c = t->s->c;
    dot_verdict verdict = DOT_MORE;
    int64_t until_ns = world_now_ns(t->s->m->w) + minutes(60 * MTA_TEXT_HOURS_MAX);
    while (verdict == DOT_MORE) {
        int64_t left = until_ns - world_now_ns(t->s->m->w), usual = minutes(10);     // RFC 5321 4.5.3.2.6, with the minimum rate beside it
        conn_deadline(c, left < usual ? (left > 0 ? left : 1) : usual);
        str chunk = conn_some(c);
        if (!chunk.len)
            break;
        str rest = chunk;
        verdict = dot_read(&t->dots, &rest, &t->text);
        t->eight_bit = t->eight_bit || has_high_bytes(str_first(chunk, chunk.len - rest.len));
        conn_used(c, (size_t)(chunk.len - rest.len));
        if (t->text.len > LETTER_INLINE_BYTES_MAX - MESSAGE_HEAD_BYTES)
            spill(t);
    }
    return verdict;
}

static err store(message *t)
{
    letter *l = t->s->letter;
    if (!t->head_done)
        finish_head(t, true);
    if (t->draft) {
        spill(t);
        if (!t->trouble)
            t->trouble = blob_finish(t->draft, &l->blob);
        else
            blob_drop(t->draft);
        t->draft = NULL;
        l->in_blob = true;
        l->size_bytes = t->written_bytes;
    } else {
        l->size_bytes = (int64_t)t->text.len;
        l->text_memory = t->text;
        l->text = buf_str(&l->text_memory);
        t->text = buf_make(0);
    }
    l->arrived_s = world_wall_s(t->s->m->w);
    l->body_8bit = l->body_8bit || t->eight_bit;
    return t->trouble ? t->trouble : spool_accept(t->s->m->spool, l);
}

static void accepted(session *s)
{
    char id[LETTER_ID_TEXT];
    letter_id_text(s->letter->id, id);
    session_format(s, 250, "2.0.0", "%s Message accepted for delivery", id);
}

static void store_and_answer(message *t)
{
    session *s = t->s;
    letter *l = s->letter;
    bool lie = world_broken(s->m->w, "early-250");           // the simulator checks that its checker would notice
    if (lie) {
        accepted(s);
        conn_flush(s->c);
    }
    err e = store(t);
    if (e != E_OK) {
        mta_count_refused();
        log_line("mta", LOG_ERROR, "not-stored", F_STR("from", l->from), F_STR("why", str_z(err_text(e))));
        if (!lie)
            session_format(s, e == E_TOO_LONG ? 552 : 452, e == E_TOO_LONG ? "5.3.4" : "4.3.1",
                           "Cannot store the letter: %s; try again later", err_text(e));
        return;
    }
    story_note("disk", S("synced: the letter is in the spool"));
    if (!lie)
        accepted(s);
    mta_count_accepted(l->size_bytes);
    s->accepted++;
    log_line("mta", LOG_INFO, "accepted", F_STR("from", l->from), F_STR("to", l->to[0].address), F_INT("recipients", l->to_count),
             F_INT("size", l->size_bytes));
    s->letter = NULL;                                        // the spool's now
    queue_add(s->m->queue, l);
}

static void judge(message *t, dot_verdict verdict)
{
    session *s = t->s;
    if (verdict == DOT_BARE_LF || verdict == DOT_BARE_CR) {
        session_reply(s, 550, "5.5.2", verdict == DOT_BARE_LF ? S("Bare line feed in the text: lines end with CR LF (nc: use -C)")
                                                               : S("Bare carriage return in the text: lines end with CR LF"));
        s->over = true;                                      // what follows may be the rest of the text: never read it as commands
    } else if (t->dots.too_large) {
        session_format(s, 552, "5.3.4", "The letter is too large: at most %lld bytes", (long long)s->m->size_bytes_max);
    } else {
        if (!t->head_done)
            finish_head(t, true);
        if (t->head_too_large)
            session_format(s, 552, "5.3.4", "The letter's header is too large: at most %d fields", HEADER_FIELDS_MAX);
        else if (t->loops)
            session_reply(s, 554, "5.4.6", S("Too many hops: the letter goes in circles"));
        else
            store_and_answer(t);
    }
}

void message_receive(session *s)
{
    message t = {.s = s, .dots = {.size_bytes_max = (uint64_t)s->m->size_bytes_max},
                 .text = buf_make(LETTER_INLINE_BYTES_MAX + CONN_IN_BYTES_MAX + MESSAGE_HEAD_BYTES)};
    session_reply(s, 354, "", S("Enter mail, end with \".\" on a line by itself"));
    conn_rate_min(s->c, s->extended ? MESSAGE_RATE_BYTES_PER_S : MESSAGE_TYPED_BYTES_PER_S, minutes(5));
    dot_verdict verdict = receive(&t);
    conn_rate_min(s->c, 0, 0);
    if (verdict != DOT_MORE) {
        story_tell("smtp", STORY_IN, s->c->local, s->c->peer,
                   str_format(&s->msg, "(the letter, %llu bytes) .", (unsigned long long)t.dots.size_bytes));
        judge(&t, verdict);
    }
    blob_drop(t.draft);
    buf_free(&t.text);
}
