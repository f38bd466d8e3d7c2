// POP3 with a maildrop (RFC 1939 5 and 6): what was there at the login, until QUIT.
#include "base/heap_memory.h"
#include "rooms/mailstore/pop3.h"
#include "rt/story.h"
#include "wire/mail/dot.h"

enum { CHUNK_BYTES = 32 * 1024, RATE_BYTES_PER_S_MIN = 1000 };

// ---- the list --------------------------------------------------------------------------------------------------

static void count(const maildrop *d, int *letters, int64_t *bytes)
{
    *letters = 0;
    *bytes = 0;
    for (int i = 0; i < d->count; i++)
        if (!d->letters[i].deleted) {
            ++*letters;
            *bytes += d->letters[i].size_bytes;
        }
}

static void say_counts(pop3_session *s, const char *format)
{
    int letters;
    int64_t bytes;
    count(&s->drop, &letters, &bytes);
    pop3_say_ok(s, str_format(&s->msg, format, letters, (long long)bytes));
}

// The letter of this number, or NULL with the answer given.
static maildrop_letter *letter_of(pop3_session *s, uint32_t number)
{
    if (number == 0 || number > (uint32_t)s->drop.count) {
        pop3_say_err(s, "", str_format(&s->msg, "there is no message %u; there are %d", number, s->drop.count));
        return NULL;
    }
    maildrop_letter *l = &s->drop.letters[number - 1];
    if (l->deleted)
        pop3_say_err(s, "", str_format(&s->msg, "message %u is deleted", number));
    return l->deleted ? NULL : l;
}

static str list_line(pop3_session *s, int i, bool uidl)
{
    const maildrop_letter *l = &s->drop.letters[i];
    return uidl ? str_format(&s->msg, "%d %lld.%u", i + 1, (long long)s->drop.uid_validity, l->uid)
                : str_format(&s->msg, "%d %lld", i + 1, (long long)l->size_bytes);
}

static void list_all(pop3_session *s, bool uidl)
{
    if (uidl)
        pop3_say_ok(s, S("unique ids follow"));
    else
        say_counts(s, "%d messages, %lld octets");
    for (int i = 0; i < s->drop.count && !s->c->error; i++) {
        if (s->drop.letters[i].deleted)
            continue;
        arena_reset(&s->msg);
        conn_put(s->c, list_line(s, i, uidl));
        conn_put(s->c, S("\r\n"));
    }
    conn_put(s->c, S(".\r\n"));
}

static void list_some(pop3_session *s, const pop3_command *q)
{
    bool uidl = q->verb == POP3_UIDL;
    if (!q->has_number)
        return list_all(s, uidl);
    if (letter_of(s, q->number))
        pop3_say_ok(s, list_line(s, (int)q->number - 1, uidl));
}

// ---- the letters -----------------------------------------------------------------------------------------------

// What goes out: the whole letter, or its header and so many lines.
typedef struct {
    pop3_session *s;
    dot_writer    dots;
    bool          top, in_body, line_empty;
    uint32_t      lines_left;
    bool          done;
    buf           wire;
} outgoing;

// How much of the chunk belongs to TOP.
static ptrdiff_t top_length(outgoing *o, str chunk)
{
    for (ptrdiff_t i = 0; i < chunk.len; i++) {
        if (o->in_body && o->lines_left == 0)
            return o->done = true, i;
        unsigned char c = chunk.at[i];
        if (c == '\n') {
            if (o->in_body)
                o->lines_left--;
            o->in_body |= o->line_empty;
            o->line_empty = true;
        } else if (c != '\r') {
            o->line_empty = false;
        }
    }
    return chunk.len;
}

static void put(outgoing *o, str chunk)
{
    if (o->top)
        chunk = str_first(chunk, top_length(o, chunk));
    while (chunk.len && !o->s->c->error) {
        str piece = str_first(chunk, CHUNK_BYTES);
        chunk = str_from(chunk, piece.len);
        buf_clear(&o->wire);
        dot_write(&o->dots, piece, &o->wire);
        conn_deadline(o->s->c, minutes(10));
        conn_put(o->s->c, buf_str(&o->wire));
    }
}

// False: the disk failed in the middle; the client must not take what it has for the letter.
static bool put_blob(outgoing *o, const letter_found *found)
{
    unsigned char *chunk = memory_new(CHUNK_BYTES);
    size_t got = 1;
    err e = E_OK;
    for (int64_t at = 0; e == E_OK && got && at < found->size_bytes && !o->done &&
         !o->s->c->error; at += (int64_t)got) {
        e = blob_read(o->s->account->b, found->blob, at, chunk, CHUNK_BYTES, &got);
        if (e == E_OK)
            put(o, str_of(chunk, got));
    }
    memory_free(chunk);
    return e == E_OK && got > 0;
}

static void retrieve(pop3_session *s, const pop3_command *q)
{
    maildrop_letter *l = letter_of(s, q->number);
    letter_found found;
    if (!l)
        return;
    err e = account_letter(s->account, l->id, &s->msg, &found);
    if (e != E_OK)
        return pop3_say_err(s, "SYS/TEMP", str_format(&s->msg, "the letter cannot be read: %s", err_text(e)));
    uint64_t session_trace = fiber_trace();
    if (found.trace) {                             // this is the end of the letter's journey
        fiber_set_trace(found.trace);
        story_tell("pop3", STORY_IN, s->c->local, s->c->peer,
                   str_format(&s->msg, "%s %u", q->verb == POP3_TOP ? "TOP" : "RETR", q->number));
    }
    outgoing o = {.s = s, .top = q->verb == POP3_TOP, .line_empty = true, .lines_left = q->lines,
                  .wire = buf_make(2 * CHUNK_BYTES + 64)};
    pop3_say_ok(s, str_format(&s->msg, "%lld octets", (long long)found.size_bytes));
    bool whole = true;
    conn_rate_min(s->c, RATE_BYTES_PER_S_MIN, minutes(1));
    if (found.in_blob)
        whole = put_blob(&o, &found);
    else
        put(&o, found.body);
    buf_clear(&o.wire);
    dot_finish(&o.dots, &o.wire);
    if (whole)
        conn_put(s->c, buf_str(&o.wire));
    else
        s->quitting = true;
    conn_rate_min(s->c, 0, 0);                     // between commands a client may rest
    buf_free(&o.wire);
    fiber_set_trace(session_trace);
    s->retrieved++;
    mailstore_count_retrieved();
}

static void delete(pop3_session *s, const pop3_command *q)
{
    maildrop_letter *l = letter_of(s, q->number);
    if (!l)
        return;
    l->deleted = true;
    pop3_say_ok(s, str_format(&s->msg, "message %u will be deleted at QUIT", q->number));
}

static void reset(pop3_session *s)
{
    for (int i = 0; i < s->drop.count; i++)
        s->drop.letters[i].deleted = false;
    say_counts(s, "nothing is deleted; %d messages, %lld octets");
}

// RFC 1939 6: only here letters go.
static void update(pop3_session *s)
{
    int marked = 0;
    for (int i = 0; i < s->drop.count; i++)
        marked += s->drop.letters[i].deleted;
    err e = marked ? account_remove(s->account, &s->drop) : E_OK;
    s->quitting = true;
    if (e != E_OK)
        return pop3_say_err(s, "SYS/TEMP", str_format(&s->msg, "nothing was deleted: %s", err_text(e)));
    s->removed = marked;
    pop3_say_ok(s, marked ? str_format(&s->msg, "goodbye; %d deleted", marked) : S("goodbye"));
}

// ---- the state -------------------------------------------------------------------------------------------------

static void obey(pop3_session *s, const pop3_command *q)
{
    switch (q->verb) {
    case POP3_STAT: say_counts(s, "%d %lld"); break;
    case POP3_LIST: case POP3_UIDL: list_some(s, q); break;
    case POP3_RETR: case POP3_TOP: retrieve(s, q); break;
    case POP3_DELE: delete(s, q); break;
    case POP3_RSET: reset(s); break;
    case POP3_NOOP: pop3_say_ok(s, S("")); break;
    case POP3_CAPA: pop3_capabilities(s); break;
    case POP3_QUIT: update(s); break;
    default:
        s->mistakes++;
        pop3_say_err(s, "", S("not now: you are logged in"));
    }
}

void pop3_maildrop_serve(pop3_session *s)
{
    pop3_command q;
    err e = account_maildrop(s->account, S("INBOX"), &s->drop);
    if (e == E_OK)
        say_counts(s, "%d messages, %lld octets");
    else
        pop3_say_err(s, "SYS/TEMP", str_format(&s->msg, "the mailbox cannot be read: %s", err_text(e)));
    while (e == E_OK && pop3_next(s, &q))
        obey(s, &q);
    memory_free(s->drop.letters);
    s->drop = (maildrop){0};
    s->account->pop3_locked = false;
    account_release(s->account);
    s->account = NULL;
    s->quitting = true;
}
