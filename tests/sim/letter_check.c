// Reads every mailbox by POP3 when all has calmed down, and judges: an accepted letter is in its recipient's mailbox or has come
// back to its sender, whole and once. A copy with an id of its own came from a conversation that broke between the final dot and
// its answer; two copies with one id were doubled on the way from spool to mailbox, and that must never be.
#include <stdio.h>
#include <string.h>

#include "letter.h"

enum { POP3_LINE_MAX = 4096, MESSAGE_BYTES_MAX = 256 * 1024, MAILBOX_MESSAGES_MAX = 2000 };

typedef struct {
    letter_scene *scene;
    const char   *owner;
    conn         *c;
    arena         line;
} mailbox;

// ---- reading ------------------------------------------------------------------------------------------------------------------

static str pop3_line(mailbox *m)
{
    arena_reset(&m->line);
    conn_deadline(m->c, minutes(5));
    return str_chomp(conn_line(m->c, &m->line, POP3_LINE_MAX));
}

static bool pop3_ask(mailbox *m, const char *verb, str argument)
{
    conn_format(m->c, "%s%s" STR_FMT "\r\n", verb, argument.len ? " " : "", STR_ARG(argument));
    return str_starts(pop3_line(m), S("+OK"));
}

static bool message_read(mailbox *m, buf *text)
{
    buf_clear(text);
    for (;;) {
        str line = pop3_line(m);
        if (m->c->error)
            return false;
        if (str_eq(line, S(".")))
            return !text->full;
        if (str_starts(line, S(".")))
            line = str_from(line, 1);
        buf_put(text, line);
        buf_put(text, S("\r\n"));
    }
}

// The word behind `before`, up to a space, ';' or the end of the line; empty when `before` is not there.
static str word_behind(str text, str before)
{
    ptrdiff_t at = str_find_str(text, before);
    if (at < 0)
        return (str){0};
    str rest = str_from(text, at + before.len);
    ptrdiff_t end = 0;
    while (end < rest.len && !strchr(" ;\r\n\t", rest.at[end]))
        end++;
    return str_first(rest, end);
}

static scene_letter *letter_of(letter_scene *s, str text)
{
    uint64_t number;
    bool known = str_to_u64(word_behind(text, S("X-Letter: ")), &number) && number < LETTERS;
    return known ? &s->letters[number] : NULL;
}

// ---- judging a message --------------------------------------------------------------------------------------------------------

static void copy_found(mailbox *m, scene_letter *l, str text)
{
    trial *t = m->scene->trial;
    scene_recipient *to = NULL;
    for (int i = 0; i < l->to_count; i++)
        if (str_eq(l->to[i].address, str_z(m->owner)))
            to = &l->to[i];
    if (!to) {
        trial_failed(t, "letter %d lies in the mailbox of %s, whom it was not for", l->number, m->owner);
        return;
    }
    str id = word_behind(text, S(" id "));
    arena a = arena_make(64 * 1024);
    ptrdiff_t blank = str_find_str(text, S("\r\n\r\n"));
    if (!str_eq(str_from(text, blank + 4), letter_body(l, &a)))
        trial_failed(t, "letter %d arrived with another text", l->number);
    arena_free(&a);
    for (int i = 0; i < to->copies && i < COPIES_MAX; i++)
        if (str_eq(str_z(to->ids[i]), id)) {
            trial_failed(t, "letter %d lies twice in the mailbox of %s with the same id " STR_FMT, l->number, m->owner, STR_ARG(id));
            t->tally.doubled++;
        }
    if (to->copies < COPIES_MAX && id.len < ID_BYTES_MAX)
        memcpy(to->ids[to->copies], id.at, (size_t)id.len);
    to->copies++;
}

static void bounce_found(mailbox *m, scene_letter *l, str text)
{
    trial *t = m->scene->trial;
    if (!str_eq(l->from, str_z(m->owner)))
        trial_failed(t, "the bounce of letter %d went to %s", l->number, m->owner);
    for (ptrdiff_t at; (at = str_find_str(text, S("Final-Recipient: "))) >= 0; ) {
        text = str_from(text, at + 17);
        str address = word_behind(text, S("rfc822; "));
        for (int i = 0; i < l->to_count; i++)
            l->to[i].bounces += str_eq(l->to[i].address, address);
    }
}

static void message_judge(mailbox *m, str text)
{
    scene_letter *l = letter_of(m->scene, text);
    if (!l) {
        trial_failed(m->scene->trial, "a message in the mailbox of %s is none of ours: " STR_FMT, m->owner, STR_ARG(str_first(text, 300)));
        return;
    }
    str head = str_first(text, str_find_str(text, S("\r\n\r\n")));
    if (str_find_str(head, S("multipart/report")) >= 0)
        bounce_found(m, l, text);
    else
        copy_found(m, l, text);
}

static void mailbox_read(letter_scene *s, host_place place, const char *owner)
{
    mailbox m = {.scene = s, .owner = owner, .line = arena_make(3 * POP3_LINE_MAX)};
    buf text = buf_make(MESSAGE_BYTES_MAX);
    world *w = s->hosts[place].world;
    m.c = conn_open(w, addr_with_port(host_loopback(place), 110), seconds(30));
    bool open = str_starts(pop3_line(&m), S("+OK")) && pop3_ask(&m, "USER", str_z(owner)) && pop3_ask(&m, "PASS", S(SCENE_PASSWORD));
    if (!open)
        trial_failed(s->trial, "the mailbox of %s does not open: %s", owner, err_text(m.c->error));
    for (int i = 1; open && i <= MAILBOX_MESSAGES_MAX; i++) {
        char number[12];
        int n = snprintf(number, sizeof number, "%d", i);
        if (!pop3_ask(&m, "RETR", str_of(number, (size_t)n)))
            break;
        if (!message_read(&m, &text)) {
            trial_failed(s->trial, "message %d of %s cannot be read", i, owner);
            break;
        }
        message_judge(&m, buf_str(&text));
    }
    if (open)
        pop3_ask(&m, "QUIT", S(""));
    conn_close(m.c);
    buf_free(&text);
    arena_free(&m.line);
}

// ---- judging a letter ---------------------------------------------------------------------------------------------------------

static void recipient_judge(scene_letter *l, scene_recipient *to)
{
    letter_scene *s = l->scene;
    trial *t = s->trial;
    if (to->refused && !l->unanswered && !l->not_now) {
        if (to->copies || to->bounces)
            trial_failed(t, "letter %d: " STR_FMT " was refused, and still there is something", l->number, STR_ARG(to->address));
        return;
    }
    if (!l->accepted)
        return;
    t->tally.bounces += to->bounces;
    if (!to->copies && !to->bounces) {
        trial_failed(t, "letter %d to " STR_FMT " was accepted and is lost", l->number, STR_ARG(to->address));
        t->tally.lost++;
        return;
    }
    // How many times it may have been accepted: once, and once more for each dot without an answer or with a doubtful one; between
    // the two servers their conversations may have broken too.
    int accepted_max = 1 + l->unanswered + l->not_now, hops_max = l->submitted ? accepted_max + s->doubtful_hops : accepted_max;
    if (to->copies > hops_max || to->bounces > accepted_max || (to->bounces && to->copies && accepted_max == 1 && s->calm)) {
        trial_failed(t, "letter %d to " STR_FMT ": %d copies and %d bounces, %d dots without an answer, %d with 4xx", l->number,
                     STR_ARG(to->address), to->copies, to->bounces, l->unanswered, l->not_now);
        t->tally.doubled++;
    }
    if (!to->exists && !to->bounces)
        trial_failed(t, "letter %d to " STR_FMT ", who does not exist, did not bounce", l->number, STR_ARG(to->address));
    if (to->exists && s->calm && to->bounces)
        trial_failed(t, "letter %d to " STR_FMT " bounced although nothing was wrong", l->number, STR_ARG(to->address));
}

void letters_check(letter_scene *s)
{
    mailbox_read(s, HOST_HAMBURGER, "bob@hamburger.edu");
    mailbox_read(s, HOST_HAMBURGER, "betty@hamburger.edu");
    mailbox_read(s, HOST_CREPES, "alice@crepes.fr");
    mailbox_read(s, HOST_CREPES, "albert@crepes.fr");
    for (int i = 0; i < LETTERS; i++) {
        scene_letter *l = &s->letters[i];
        s->trial->tally.letters += l->accepted;
        if (!l->over)
            trial_failed(s->trial, "letter %d was neither accepted nor refused in %d attempts", i, l->attempts);
        for (int k = 0; k < l->to_count; k++)
            recipient_judge(l, &l->to[k]);
    }
}
