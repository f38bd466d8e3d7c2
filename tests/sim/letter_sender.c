// A sender as RFC 5321 wants it: what was not answered with 250 is tried again; what was refused for good is
// given up. It may make a copy only where the connection broke between its final dot and the answer (RFC 1047),
// and it counts those.
#include <string.h>

#include "base/base64.h"
#include "base/must.h"
#include "letter.h"
#include "rt/story.h"

enum { REPLY_LINES_MAX = 50, REPLY_BYTES_MAX = 2000, ATTEMPTS_MAX = 2000 };

typedef struct {
    scene_letter *l;
    conn         *c;
    arena         msg;
} sender;

// ---- the letter's text -------------------------------------------------------------------------------------

// Lines that differ from letter to letter; some begin with dots, some are empty. A few letters are so large
// that servers keep them in files of their own.
str letter_body(const scene_letter *l, arena *a)
{
    buf b = buf_make(LETTER_BODY_BYTES_MAX);
    uint64_t x = (uint64_t)l->number * 2654435761u + 1;
    int lines = l->number % 33 == 7 ? 4000 : 1 + l->number % 40;
    for (int i = 0; i < lines; i++) {
        x = x * 6364136223846793005u + 1442695040888963407u;
        static const char *const beginnings[] = {"Do you like ketchup", ".", "..", "", "How about pickles"};
        buf_format(&b, "%s%s%x\r\n", beginnings[x >> 60 & 3], x >> 59 & 1 ? "" : " and ", (unsigned)(x >> 32));
    }
    must(!b.full);
    str out = str_copy(a, buf_str(&b));
    buf_free(&b);
    return out;
}

str letter_text(const scene_letter *l, arena *a)
{
    str body = letter_body(l, a);
    return str_format(a, "From: " STR_FMT "\r\nSubject: letter %d\r\nX-Letter: %d\r\n\r\n" STR_FMT,
                      STR_ARG(l->from), l->number, l->number, STR_ARG(body));
}

static void text_put(conn *c, str text)
{
    while (text.len) {
        str line = str_cut(&text, '\n');
        if (str_starts(line, S(".")))
            conn_put(c, S("."));
        conn_put(c, line);
        conn_put(c, S("\n"));
    }
}

// ---- the dialogue ------------------------------------------------------------------------------------------

// The code of a whole reply; 0: the conversation is over.
static int reply_read(sender *s)
{
    conn_deadline(s->c, minutes(2));
    for (int i = 0; i < REPLY_LINES_MAX; i++) {
        arena_reset(&s->msg);
        str line = conn_line(s->c, &s->msg, REPLY_BYTES_MAX);
        uint64_t code;
        if (line.len < 4 || !str_ends(line, S("\r\n")) || !str_to_u64(str_first(line, 3), &code))
            return 0;
        story_tell("smtp", STORY_IN, s->c->local, s->c->peer, str_chomp(line));
        if (line.at[3] != '-')
            return (int)code;
    }
    return 0;
}

static int ask(sender *s, const char *format, str word)
{
    arena_reset(&s->msg);
    str line = str_format(&s->msg, format, STR_ARG(word));
    story_tell("smtp", STORY_OUT, s->c->local, s->c->peer, line);
    conn_put(s->c, line);
    conn_put(s->c, S("\r\n"));
    return reply_read(s);
}

static bool greet(sender *s)
{
    if (reply_read(s) != 220 || ask(s, "EHLO " STR_FMT, S("desk.example.org")) != 250)
        return false;
    if (!s->l->submitted)
        return true;
    if (ask(s, "STARTTLS" STR_FMT, S("")) != 220 || !conn_tls_connect(s->c, s->l->scene->tls, S("mail.crepes.fr"))
     || ask(s, "EHLO " STR_FMT, S("desk.example.org")) != 250)
        return false;
    arena a = arena_make(4096);
    str plain = str_format(&a, "%c" STR_FMT "%c" SCENE_PASSWORD, 0, STR_ARG(s->l->from), 0);
    conn_format(s->c, "AUTH PLAIN " STR_FMT "\r\n", STR_ARG(base64_text(&a, plain)));
    arena_free(&a);
    return reply_read(s) == 235;
}

// MAIL and RCPTs. False: try again later, or nothing is left to try (l->over).
static bool envelope(sender *s)
{
    scene_letter *l = s->l;
    if (ask(s, "MAIL FROM:<" STR_FMT ">", l->from) != 250)
        return false;
    int taken = 0, refused = 0;
    for (int i = 0; i < l->to_count; i++) {
        int code = ask(s, "RCPT TO:<" STR_FMT ">", l->to[i].address);
        l->to[i].refused = code >= 500;
        refused += code >= 500, taken += code == 250;
        if (code >= 500 && l->to[i].exists)
            trial_failed(l->scene->trial, "letter %d: " STR_FMT " was refused with %d", l->number,
                         STR_ARG(l->to[i].address), code);
    }
    l->over = refused == l->to_count;
    return taken + refused == l->to_count && taken > 0;
}

static void attempt(sender *s)
{
    scene_letter *l = s->l;
    host_place where = l->submitted ? HOST_CREPES : HOST_HAMBURGER;
    l->attempts++;
    fiber_set_trace(story_trace_new());
    arena_reset(&s->msg);
    story_note("smtp", str_format(&s->msg, "letter %d, attempt %d", l->number, l->attempts));
    s->c = conn_open(l->desk, addr_with_port(host_address(where), l->submitted ? 587 : 25), seconds(30));
    if (greet(s) && envelope(s) && ask(s, "DATA" STR_FMT, S("")) == 354) {
        arena a = arena_make(LETTER_MEMORY);
        text_put(s->c, letter_text(l, &a));
        arena_free(&a);
        int code = ask(s, "." STR_FMT, S(""));
        if (code == 250)
            l->accepted = l->over = true;
        else if (code == 0)
            l->unanswered++;
        else if (code < 500)
            l->not_now++;
        else
            trial_failed(l->scene->trial, "letter %d: the text was refused with %d", l->number, code);
    }
    if (!s->c->error)
        ask(s, "QUIT" STR_FMT, S(""));
    conn_close(s->c);
}

void sender_run(void *arg)
{
    scene_letter *l = arg;
    sender s = {.l = l, .msg = arena_make(16 * 1024)};
    fiber_world(l->desk);
    fiber_sleep((int64_t)world_random_below(l->desk, (uint64_t)seconds(90)));
    while (!l->over && !fiber_canceled() && l->attempts < ATTEMPTS_MAX) {
        attempt(&s);
        if (!l->over)
            fiber_sleep(seconds(1) + (int64_t)world_random_below(l->desk, (uint64_t)seconds(15)));
    }
    arena_free(&s.msg);
}
