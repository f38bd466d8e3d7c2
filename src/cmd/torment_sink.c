// naru torment: the mail server of the outside. It stalls in all the ways that real ones do: it never greets, stops in the middle of an
// answer, stops reading in the middle of a letter. What it takes, and answers with 250, counts like what lies in a mailbox.
#include "cmd/torment.h"
#include "rt/conn.h"
#include "wire/mail/dot.h"

enum { STALL_MS_MIN = 100, STALL_MS_MAX = 1500, LINE_BYTES_MAX = 2048, SINK_ARENA_BYTES = 64 * 1024 };
typedef enum { STALL_BEFORE_GREETING, STALL_IN_A_REPLY, STALL_IN_THE_LETTER, STALL_BEFORE_THE_ANSWER, STALL_KINDS } stall_kind;

typedef struct { torment *t; conn *c; int stall; bool over; } sink;

// Nothing more is said or read for a while, then the connection breaks.
static void stall(sink *s)
{
    int number = s->t->stalled++;
    fiber_sleep(millis(STALL_MS_MIN + (int64_t)torment_chance(s->t, number, CHANCE_STALL, STALL_MS_MAX - STALL_MS_MIN)));
    s->c->error = s->c->error ? s->c->error : E_CANCELED;
    s->over = true;
}

static void letter(sink *s)
{
    buf text = buf_make(2 * TORMENT_LETTER_BYTES_MAX);
    dot_reader d = {.size_bytes_max = 2 * TORMENT_LETTER_BYTES_MAX};
    dot_verdict v = DOT_MORE;
    conn_put(s->c, S("354 go\r\n"));
    while (v == DOT_MORE && !s->over) {
        str some = conn_some(s->c), left = some;
        if (!some.len)
            break;
        if (s->stall == STALL_IN_THE_LETTER)
            stall(s);
        v = dot_read(&d, &left, &text);
        conn_used(s->c, (size_t)(some.len - left.len));
    }
    if (v == DOT_DONE && s->stall == STALL_BEFORE_THE_ANSWER)
        stall(s);
    if (v == DOT_DONE && !s->over) {                     // ours from here on, whether its sender hears of it or not
        if (!s->t->restoring)                            // a restored queue sends again what had gone out after the backup
            torment_count_letter(s->t, s->t->outside, buf_str(&text), (uint32_t)++s->t->taken);
        conn_put(s->c, S("250 2.0.0 taken\r\n"));
    }
    buf_free(&text);
}

static void obey(sink *s, str line)
{
    if (s->stall == STALL_IN_A_REPLY && str_starts_nocase(line, S("MAIL"))) {
        conn_put(s->c, S("250-2.1.0 one mom"));
        conn_flush(s->c);
        stall(s);
    } else if (str_starts_nocase(line, S("EHLO"))) {
        conn_put(s->c, S("250-outside\r\n250-PIPELINING\r\n250 8BITMIME\r\n"));
    } else if (str_starts_nocase(line, S("DATA"))) {
        letter(s);
    } else if (str_starts_nocase(line, S("QUIT"))) {
        conn_put(s->c, S("221 bye\r\n"));
        s->over = true;
    } else {
        conn_put(s->c, S("250 ok\r\n"));
    }
}

void torment_sink_serve(conn *c, void *arg)
{
    torment *t = arg;
    sink s = {.t = t, .c = c, .stall = STALL_KINDS};
    arena a = arena_make(SINK_ARENA_BYTES);
    if (!t->over && torment_chance(t, t->stalled + t->taken, CHANCE_STALL, 2) == 0)
        s.stall = (int)torment_chance(t, t->stalled, CHANCE_STALL, STALL_KINDS);
    if (s.stall == STALL_BEFORE_GREETING)
        stall(&s);
    conn_put(c, S("220 outside\r\n"));
    while (!s.over && !c->error) {
        arena_reset(&a);
        conn_deadline(c, minutes(1));
        str line = conn_line(c, &a, LINE_BYTES_MAX);
        if (!line.len)
            break;
        obey(&s, line);
    }
    arena_free(&a);
}
