// Mail programs that read by POP3 over TLS, some of them while everything goes wrong; and what must hold for a
// mailbox: an id names one message for ever (RFC 1939 UIDL), a message that nobody deleted stays, and it is
// deleted at QUIT or not at all.
#include <stdio.h>
#include <string.h>

#include "base/heap_memory.h"
#include "base/must.h"
#include "letter.h"

enum { POP3_LINE_MAX = 4096, MESSAGE_BYTES_MAX = 512 * 1024, READS_MAX = 200 };

typedef struct {
    scene_mailbox *b;
    conn          *c;
    arena          line;
    buf            text;
    mailbox_item   listed[MAILBOX_ITEMS_MAX];    // this session's, in order: message i + 1
    int            listed_count;
} session;

// ---- the dialogue ------------------------------------------------------------------------------------------

static str pop3_line(session *s)
{
    arena_reset(&s->line);
    conn_deadline(s->c, minutes(2));
    return str_chomp(conn_line(s->c, &s->line, POP3_LINE_MAX));
}

static bool pop3_ask(session *s, const char *verb, str argument)
{
    conn_format(s->c, "%s%s" STR_FMT "\r\n", verb, argument.len ? " " : "", STR_ARG(argument));
    return str_starts(pop3_line(s), S("+OK"));
}

static bool pop3_ask_number(session *s, const char *verb, int number)
{
    char text[12];
    return pop3_ask(s, verb, str_of(text, (size_t)snprintf(text, sizeof text, "%d", number)));
}

static bool log_in(session *s)
{
    scene_mailbox *b = s->b;
    world *desk = b->scene->desks[0];
    s->c = conn_open(desk, addr_with_port(host_address(b->place), 110), seconds(30));
    return str_starts(pop3_line(s), S("+OK")) && pop3_ask(s, "STLS", S("")) &&
           conn_tls_connect(s->c, b->scene->tls, S("mail.example")) && pop3_ask(s, "USER", str_z(b->owner)) &&
           pop3_ask(s, "PASS", S(SCENE_PASSWORD));
}

static bool list_read(session *s)
{
    if (!pop3_ask(s, "UIDL", S("")))
        return false;
    for (;;) {
        str line = pop3_line(s);
        if (s->c->error)
            return false;
        if (str_eq(line, S(".")))
            return true;
        str number = str_word(&line), id = str_word(&line);
        uint64_t n;
        if (!str_to_u64(number, &n) || (int)n != s->listed_count + 1 || !id.len || id.len >= UIDL_BYTES_MAX ||
            n > MAILBOX_ITEMS_MAX) {
            trial_failed(s->b->scene->trial, "%s: UIDL says '" STR_FMT " " STR_FMT "'", s->b->owner,
                         STR_ARG(number), STR_ARG(id));
            return false;
        }
        mailbox_item *item = &s->listed[s->listed_count++];
        memcpy(item->id, id.at, (size_t)id.len);
    }
}

static bool message_read(session *s, int number)
{
    buf_clear(&s->text);
    if (!pop3_ask_number(s, "RETR", number))
        return false;
    for (;;) {
        str line = pop3_line(s);
        if (s->c->error)
            return false;
        if (str_eq(line, S(".")))
            return !s->text.full;
        if (str_starts(line, S(".")))
            line = str_from(line, 1);
        buf_put(&s->text, line);
        buf_put(&s->text, S("\r\n"));
    }
}

// ---- what must hold ----------------------------------------------------------------------------------------

static mailbox_item *item_find(mailbox_item *items, int count, const char *id)
{
    for (int i = 0; i < count; i++)
        if (!strcmp(items[i].id, id))
            return &items[i];
    return NULL;
}

static void list_check(session *s)
{
    scene_mailbox *b = s->b;
    for (int i = 0; i < b->count; i++) {
        if (b->items[i].perhaps_deleted || item_find(s->listed, s->listed_count, b->items[i].id))
            continue;
        trial_failed(b->scene->trial, "the message %s of %s was there, was not deleted, and is gone",
                     b->items[i].id, b->owner);
        b->items[i].perhaps_deleted = true;          // said once
    }
}

static bool fetch_all(session *s)
{
    scene_mailbox *b = s->b;
    for (int i = 0; i < s->listed_count; i++) {
        if (item_find(b->items, b->count, s->listed[i].id))
            continue;
        if (!message_read(s, i + 1))
            return false;
        must(b->count < MAILBOX_ITEMS_MAX);
        b->items[b->count++] = s->listed[i];
        message_judge(b, buf_str(&s->text));
    }
    return true;
}

static bool delete_all(session *s)
{
    scene_mailbox *b = s->b;
    for (int i = 0; i < s->listed_count; i++)
        if (!pop3_ask_number(s, "DELE", i + 1))
            return false;
    for (int i = 0; i < s->listed_count; i++) {      // from QUIT on nobody knows until it is answered
        mailbox_item *item = item_find(b->items, b->count, s->listed[i].id);
        must(item);                                  // all that is listed was fetched before
        item->perhaps_deleted = true;
    }
    return true;
}

bool mailbox_fetch(scene_mailbox *b, bool keep)
{
    session *s = memory_zeroed(1, sizeof *s);
    s->b = b;
    s->line = arena_make(3 * POP3_LINE_MAX);
    s->text = buf_make(MESSAGE_BYTES_MAX);
    bool done = log_in(s) && list_read(s);
    if (done) {
        list_check(s);
        done = fetch_all(s) && (keep || delete_all(s)) && pop3_ask(s, "QUIT", S(""));
    }
    conn_close(s->c);
    buf_free(&s->text);
    arena_free(&s->line);
    memory_free(s);
    return done;
}

void reader_run(void *arg)
{
    scene_mailbox *b = arg;
    world *desk = b->scene->desks[0];
    fiber_world(desk);
    for (int i = 0; i < READS_MAX && !fiber_canceled(); i++) {
        fiber_sleep(seconds(5) + (int64_t)world_random_below(desk, (uint64_t)seconds(25)));
        if (!fiber_canceled())
            mailbox_fetch(b, world_random_below(desk, 2));
    }
}
