// A host's own line: what all its streams share. Going out, a segment's bytes of each stream after the other (deficit round robin,
// Shreedhar and Varghese 1995); coming in, in the order of arrival. Datagrams go first: they are few and small, but the line pays.
#include "base/must.h"
#include "rt/sim_inside.h"

static size_t within(int64_t bytes, int64_t least, int64_t most) { return (size_t)(bytes < least ? least : bytes > most ? most : bytes); }

size_t sim_line_segment_bytes(const sim_machine *h)
{
    return within(h->line.capacity.up_bytes_per_s / SIM_SEGMENTS_PER_S, SIM_SEGMENT_BYTES_MIN, SIM_SEGMENT_BYTES_MAX);
}

size_t sim_line_window_bytes(const sim_machine *h)
{
    return within(h->line.capacity.up_bytes_per_s / SIM_WINDOWS_PER_S, SIM_STREAM_WINDOW_BYTES, SIM_FAST_WINDOW_BYTES);
}

static void line_start(sim_machine *h)
{
    sim_line *n = &h->line;
    list_link *first = list_take(&n->senders);
    if (!first)
        return;
    n->now = LIST_OF(first, sim_sender, of_line);
    int64_t bytes = (int64_t)n->now->first_bytes(n->now);
    if (n->now->credit < bytes)
        n->now->credit += (int64_t)sim_line_segment_bytes(h);    // at least the largest
    n->now->credit -= bytes;
    int64_t takes = bytes * NS_PER_S / n->capacity.up_bytes_per_s + n->owed_ns;
    n->owed_ns = 0;
    n->busy = true;
    sim_at(h->sim, &n->event, h->sim->now_ns + takes);
}

static void line_free(sim_event *event)
{
    sim_machine *h = LIST_OF(event, sim_machine, line.event);
    sim_sender *k = h->line.now;
    h->line.now = NULL;
    h->line.busy = false;
    if (k && !k->leaves(k))
        k->credit = 0;
    else if (k && k->credit >= (int64_t)k->first_bytes(k))
        list_prepend(&h->line.senders, &k->of_line);     // its turn lasts
    else if (k)
        list_append(&h->line.senders, &k->of_line);
    if (!h->line.busy)
        line_start(h);
}

void sim_line_join(sim_machine *h, sim_sender *k)
{
    if (list_linked(&k->of_line) || h->line.now == k)
        return;
    list_append(&h->line.senders, &k->of_line);
    if (!h->line.busy)
        line_start(h);
}

void sim_line_leave(sim_machine *h, sim_sender *k)
{
    list_remove(&k->of_line);
    if (h->line.now == k)
        h->line.now = NULL;                              // the line finishes what it began; nobody gets it
}

int64_t sim_line_datagram(sim_machine *h, size_t bytes)
{
    if (!sim_line_limited(h))
        return 0;
    int64_t takes = (int64_t)bytes * NS_PER_S / h->line.capacity.up_bytes_per_s;
    h->line.owed_ns += takes;
    return takes;
}

int64_t sim_line_in(sim_machine *h, int64_t at_ns, size_t bytes)
{
    sim_line *n = &h->line;
    if (n->capacity.down_bytes_per_s == 0)
        return at_ns;
    int64_t begins = at_ns > n->in_free_ns ? at_ns : n->in_free_ns;
    n->in_free_ns = begins + (int64_t)bytes * NS_PER_S / n->capacity.down_bytes_per_s;
    return n->in_free_ns;
}

void sim_line_init(sim_machine *h)
{
    h->line.event.run = line_free;
    list_init(&h->line.senders);
}

void sim_line_stop(sim_machine *h)
{
    sim_drop(h->sim, &h->line.event);
    h->line.now = NULL;
    h->line.busy = false;
    h->line.owed_ns = 0;
}

void sim_capacity_set(world *w, sim_capacity c)
{
    must(c.up_bytes_per_s >= 0 && c.down_bytes_per_s >= 0);
    must(!host_of(w)->line.busy);                        // before the host sends
    host_of(w)->line.capacity = c;
}
