// What the spool has written down of a letter that is still in the queue: when it came, and each attempt to deliver it. So `naru story` knows
// its journey also after a restart.
#include <stdio.h>
#include <string.h>

#include "rooms/mta/mta.h"
#include "talk/control.h"

enum { STORY_LETTERS_MAX = 16, LINE_BYTES_MAX = 2048 };

typedef struct {
    const mta    *m;
    const letter *l;
    story_event  *out;
    int           count, max;
    arena         line;
} telling;

static void tell(telling *t, int64_t at_s, const char *protocol, str line)
{
    if (t->count == t->max)
        return;
    story_event *e = &t->out[t->count++];
    *e = (story_event){.wall_ns = seconds(at_s), .direction = STORY_NOTE};
    str host = str_first(t->m->host, sizeof e->here - 1);
    memcpy(e->here, host.at, (size_t)host.len);
    snprintf(e->protocol, sizeof e->protocol, "%s", protocol);
    line = str_first(line, STORY_LINE_BYTES_MAX);
    for (ptrdiff_t i = 0; i < line.len; i++)
        e->line[i] = (char)(line.at[i] < 32 || line.at[i] == 127 ? '?' : line.at[i]);
    e->len = (uint8_t)line.len;
}

static void tell_arrival(telling *t)
{
    char id[LETTER_ID_TEXT];
    letter_id_text(t->l->id, id);
    tell(t, t->l->arrived_s, "disk", str_format(&t->line, "recorded: letter %s from <" STR_FMT "> for %d recipients, %lld bytes", id, STR_ARG(t->l->from),
                                                t->l->to_count, (long long)t->l->size_bytes));
}

static void tell_attempt(void *arg, const attempt *a)
{
    static const char *const words[] = {"put off", "delivered", "failed"};
    telling *t = arg;
    if (a->was.index < 0 || a->was.index >= t->l->to_count)
        return;
    arena_reset(&t->line);
    str host = a->was.host.len ? a->was.host : S("nobody reached");
    tell(t, a->at_s, "disk", str_format(&t->line, "recorded: attempt for <" STR_FMT "> (" STR_FMT "): %s: " STR_FMT, STR_ARG(t->l->to[a->was.index].address),
                                        STR_ARG(host), words[a->was.state], STR_ARG(a->was.reply)));
}

// Letters of one journey one after the other, each in its own order: now all by time.
static void in_order(story_event *events, int count)
{
    for (int i = 1; i < count; i++) {
        story_event e = events[i];
        int k = i;
        for (; k > 0 && events[k - 1].wall_ns > e.wall_ns; k--)
            events[k] = events[k - 1];
        events[k] = e;
    }
}

int mta_story(void *arg, uint64_t trace, story_event *out, int max)
{
    mta *m = arg;
    telling t = {.m = m, .out = out, .max = max, .line = arena_make(LINE_BYTES_MAX)};
    uint64_t ids[STORY_LETTERS_MAX];
    int count = 0;
    for (letter *l = spool_first(m->spool); l && count < STORY_LETTERS_MAX; l = spool_next(m->spool, l))
        if (l->trace == trace)
            ids[count++] = l->id;
    for (int i = 0; i < count; i++) {
        letter *l = spool_find(m->spool, ids[i]);        // reading parks: it may have gone
        if (!l)
            continue;
        t.l = l;
        l->users++;
        arena_reset(&t.line);
        tell_arrival(&t);
        spool_attempts(m->spool, l, tell_attempt, &t);
        l->users--;
        spool_release(m->spool, l);
    }
    arena_free(&t.line);
    in_order(out, t.count);
    return t.count;
}
