// Judges: an accepted letter is in its recipient's mailbox or has come back to its sender, whole and once. A
// copy with an id of its own came from a conversation that broke between the final dot and its answer; two
// copies with one id were doubled on the way from spool to mailbox, and that must never be.
#include <string.h>

#include "letter.h"
#include "rooms/mta/mta.h"

enum { FETCHES_MAX = 60 };

// The word behind `before`, up to a space, ';' or the end of the line; empty when `before` is not there.
static str word_behind(str text, str before)
{
    ptrdiff_t at = str_find_str(text, before);
    if (at < 0)
        return S("");
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

// ---- judging a message -------------------------------------------------------------------------------------

static void text_judge(scene_letter *l, str text)
{
    arena a = arena_make(LETTER_MEMORY);
    str body = str_from(text, str_find_str(text, S("\r\n\r\n")) + 4);
    if (!str_eq(body, letter_body(l, &a)))
        trial_failed(l->scene->trial, "letter %d arrived with another text", l->number);
    arena_free(&a);
}

static void copy_found(scene_mailbox *b, scene_letter *l, str text)
{
    trial *t = b->scene->trial;
    scene_recipient *to = NULL;
    for (int i = 0; i < l->to_count; i++)
        if (str_eq(l->to[i].address, str_z(b->owner)))
            to = &l->to[i];
    if (!to) {
        trial_failed(t, "letter %d lies in the mailbox of %s, whom it was not for", l->number, b->owner);
        return;
    }
    text_judge(l, text);
    str id = word_behind(text, S(" id "));
    for (int i = 0; i < to->copies && i < COPIES_MAX; i++)
        if (str_eq(str_z(to->ids[i]), id)) {
            trial_failed(t, "letter %d came twice to the mailbox of %s with the same id " STR_FMT, l->number,
                         b->owner, STR_ARG(id));
            t->tally.doubled++;
        }
    if (to->copies < COPIES_MAX && id.len < ID_BYTES_MAX)
        memcpy(to->ids[to->copies], id.at, (size_t)id.len);
    to->copies++;
}

static void bounce_found(scene_mailbox *b, scene_letter *l, str text)
{
    if (!str_eq(l->from, str_z(b->owner)))
        trial_failed(b->scene->trial, "the bounce of letter %d went to %s", l->number, b->owner);
    for (ptrdiff_t at; (at = str_find_str(text, S("Final-Recipient: "))) >= 0; ) {
        text = str_from(text, at + 17);
        str whom = word_behind(text, S("rfc822; "));
        for (int i = 0; i < l->to_count; i++)
            l->to[i].bounces += str_eq(l->to[i].address, whom);
    }
}

void message_judge(scene_mailbox *b, str text)
{
    scene_letter *l = letter_of(b->scene, text);
    if (!l) {
        trial_failed(b->scene->trial, "a message in the mailbox of %s is none of ours: " STR_FMT, b->owner,
                     STR_ARG(str_first(text, 300)));
        return;
    }
    str head = str_first(text, str_find_str(text, S("\r\n\r\n")));
    if (str_find_str(head, S("multipart/report")) >= 0)
        bounce_found(b, l, text);
    else
        copy_found(b, l, text);
}

// ---- judging a letter --------------------------------------------------------------------------------------

static void recipient_judge(scene_letter *l, scene_recipient *to)
{
    letter_scene *s = l->scene;
    trial *t = s->trial;
    if (to->refused && !l->unanswered && !l->not_now) {
        if (to->copies || to->bounces)
            trial_failed(t, "letter %d: " STR_FMT " was refused, and still there is something", l->number,
                         STR_ARG(to->address));
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
    // How many times it may have been accepted: once, and once more for each dot without an answer or with a
    // doubtful one; between the two servers their conversations may have broken too.
    int accepted_max = 1 + l->unanswered + l->not_now,
        hops_max = l->submitted ? accepted_max + s->doubtful_hops : accepted_max;
    if (to->copies > hops_max || to->bounces > accepted_max ||
        (to->bounces && to->copies && accepted_max == 1 && s->calm)) {
        trial_failed(t,
                     "letter %d to " STR_FMT ": %d copies and %d bounces, %d dots without an answer, %d with 4xx",
                     l->number, STR_ARG(to->address), to->copies, to->bounces, l->unanswered, l->not_now);
        t->tally.doubled++;
    }
    if (!to->exists && !to->bounces)
        trial_failed(t, "letter %d to " STR_FMT ", who does not exist, did not bounce", l->number,
                     STR_ARG(to->address));
    if (to->exists && s->calm && to->bounces)
        trial_failed(t, "letter %d to " STR_FMT " bounced although nothing was wrong", l->number,
                     STR_ARG(to->address));
}

// Everything is sound now, but a session that broke may hold a mailbox until its server gives it up.
static void mailbox_finish(scene_mailbox *b)
{
    for (int i = 0; i < FETCHES_MAX; i++) {
        if (mailbox_fetch(b, true))
            return;
        fiber_sleep(seconds(30));
    }
    trial_failed(b->scene->trial, "the mailbox of %s cannot be read to its end", b->owner);
}

static void spool_judge(const scene_host *h)
{
    const mta *m = node_room(h->node, "mta")->state;
    if (spool_count(m->spool))
        trial_failed(h->scene->trial, "%d letters are left in the spool of %s", spool_count(m->spool), h->name);
}

void letters_check(letter_scene *s)
{
    world *home = world_here();
    fiber_world(s->desks[0]);
    for (int i = 0; i < PEOPLE; i++)
        mailbox_finish(&s->mailboxes[i]);
    fiber_world(home);
    spool_judge(&s->hosts[HOST_HAMBURGER]);
    spool_judge(&s->hosts[HOST_CREPES]);
    for (int i = 0; i < LETTERS; i++) {
        scene_letter *l = &s->letters[i];
        s->trial->tally.letters += l->accepted;
        if (!l->over)
            trial_failed(s->trial, "letter %d was neither accepted nor refused in %d attempts", i, l->attempts);
        for (int k = 0; k < l->to_count; k++)
            recipient_judge(l, &l->to[k]);
    }
}
