#include "rt/story_rows.h"

#include <stdio.h>
#include <string.h>

// Which host an address belongs to: its port too where one is known, for several hosts may share an address.
typedef struct { addr at; str name; } place;

typedef struct {
    story_picture *picture;
    const story_event *events;
    int    count;
    place *places;
    int    place_count;
    bool  *told;                     // by the other end already
} making;

static int host_number(story_picture *p, str name)
{
    for (int i = 0; i < p->host_count; i++)
        if (str_eq(str_z(p->hosts[i]), name))
            return i;
    if (p->host_count == STORY_HOSTS_MAX - 1)
        name = S("...");
    if (p->host_count == STORY_HOSTS_MAX)
        return STORY_HOSTS_MAX - 1;
    str cut = str_first(name, STORY_HOST_BYTES_MAX - 1);
    memcpy(p->hosts[p->host_count], cut.at, (size_t)cut.len);
    return p->host_count++;
}

static const place *place_find(const making *m, addr at)
{
    for (int i = 0; i < m->place_count; i++)
        if (addr_eq(m->places[i].at, at))
            return &m->places[i];
    for (int i = 0; i < m->place_count; i++)
        if (addr_eq_ip(m->places[i].at, at))
            return &m->places[i];
    return NULL;
}

enum { PLACES_MAX = 1024 };

static void place_learn(making *m, addr at, str name)
{
    const place *known = at.family ? place_find(m, at) : NULL;
    if (at.family && name.len && m->place_count < PLACES_MAX && !(known && addr_eq(known->at, at)))
        m->places[m->place_count++] = (place){at, name};
}

// First what hosts say of themselves, then what is known of those that tell nothing.
static void places_learn(making *m)
{
    for (int i = 0; i < m->count; i++)
        place_learn(m, m->events[i].local, str_z(m->events[i].here));
    for (int i = 0; i < m->count; i++)
        if (!place_find(m, m->events[i].peer))
            place_learn(m, m->events[i].peer, str_z(m->events[i].there));
}

static str name_here(const story_event *e)
{
    return e->here[0] ? str_z(e->here) : S("?");
}

static int host_of_peer(making *m, addr peer)
{
    const place *p = place_find(m, peer);
    char text[ADDR_TEXT_MAX];
    if (p)
        return host_number(m->picture, p->name);
    addr_print(text, addr_with_port(peer, 0));
    str name = str_z(text);
    name = str_ends(name, S(":0")) ? str_first(name, name.len - 2) : name;
    return host_number(m->picture, name);
}

// The end that received it tells the same line a little later, with the addresses the other way round.
static bool is_other_end(const story_event *sent, const story_event *got)
{
    return got->direction == STORY_IN && got->len == sent->len && memcmp(got->line, sent->line, sent->len) == 0
           && strcmp(got->protocol, sent->protocol) == 0 && addr_eq(sent->local, got->peer)
           && addr_eq(sent->peer, got->local) && (sent->local.family || strcmp(sent->here, got->here) == 0);
}

static void pair_find(making *m, int sent)
{
    int end = sent + STORY_PAIR_DISTANCE_MAX < m->count ? sent + STORY_PAIR_DISTANCE_MAX : m->count;
    for (int i = sent + 1; i < end; i++)
        if (!m->told[i] && is_other_end(&m->events[sent], &m->events[i])) {
            m->told[i] = true;
            return;
        }
}

static str line_of(const story_event *e) { return str_of(e->line, e->len); }

// Is `next` a further line of the answer that `text` begins? (RFC 5321 section 4.2.1: "250-" goes on, "250 " ends)
static bool goes_on(const story_row *row, const story_row *next, str last_line)
{
    str line = line_of(next->event);
    bool code = last_line.len >= 4 && line.len >= 4 && is_digit(line.at[0]) && is_digit(line.at[1])
                && is_digit(line.at[2]);
    return code && last_line.at[3] == '-' && str_eq(str_first(last_line, 3), str_first(line, 3))
           && row->from == next->from && row->to == next->to && row->event->direction == next->event->direction
           && strcmp(row->event->protocol, next->event->protocol) == 0;
}

static void answers_join(story_picture *p, arena *a)
{
    int kept = 0;
    str last_line = {0};
    for (int i = 0; i < p->row_count; i++) {
        story_row *row = kept ? &p->rows[kept - 1] : NULL, *next = &p->rows[i];
        str line = line_of(next->event);
        bool join = row && goes_on(row, next, last_line) && row->text.len + line.len < STORY_TEXT_BYTES_MAX;
        if (join) {
            row->text = str_format(a, STR_FMT " / " STR_FMT, STR_ARG(row->text), STR_ARG(str_from(line, 4)));
        } else {
            p->rows[kept] = *next;
            p->rows[kept++].text = line;
        }
        last_line = line;
    }
    p->row_count = kept;
}

static void row_add(making *m, const story_event *e)
{
    story_row *row = &m->picture->rows[m->picture->row_count++];
    row->event = e;
    row->after_ns = e->mono_ns - m->events[0].mono_ns;
    if (e->direction != STORY_NOTE && e->peer.family) {
        if (e->direction == STORY_IN) {                                      // left to right in the order of speaking
            row->from = host_of_peer(m, e->peer);
            row->to = host_number(m->picture, name_here(e));
        } else {
            if (m->picture->host_count == 0 && !place_find(m, e->peer))
                host_of_peer(m, e->peer); // it called, though the greeting comes first
            row->from = host_number(m->picture, name_here(e));
            row->to = host_of_peer(m, e->peer);
        }
    } else {
        row->from = row->to = host_number(m->picture, name_here(e));
    }
    row->inside = row->from == row->to && e->direction != STORY_NOTE;
}

bool story_picture_make(const story_event *events, int count, arena *a, story_picture *out)
{
    *out = (story_picture){.rows = arena_array(a, story_row, count + 1)};
    making m = {.picture = out, .events = events, .count = count, .places = arena_array(a, place, PLACES_MAX),
                .told = arena_array(a, bool, count + 1)};
    if (a->full)
        return false;
    places_learn(&m);
    for (int i = 0; i < count; i++) {
        if (m.told[i])
            continue;
        if (events[i].direction == STORY_OUT)
            pair_find(&m, i);
        row_add(&m, &events[i]);
    }
    answers_join(out, a);
    return !a->full;
}

void story_time_text(char out[16], int64_t ns)
{
    int64_t us = ns < 0 ? 0 : ns / 1000;
    unsigned ms = (unsigned)(us / 1000 % 1000000000), rest = (unsigned)(us % 1000);
    if (ms < 10)
        snprintf(out, 16, "+%u.%02u ms", ms, rest / 10);
    else if (ms < 1000)
        snprintf(out, 16, "+%u.%u ms", ms, rest / 100);
    else if (ms < 100000)
        snprintf(out, 16, "+%u.%02u s", ms / 1000, ms % 1000 / 10);
    else
        snprintf(out, 16, "+%u s", ms / 1000);
}
