// Lending the journal's files to a backup. Holding the oldest segment keeps all younger ones. Of the newest only what is durable is
// lent: behind it the next commit writes. Older ones, and one that an earlier life left, are never written to again.
#include "keep/journal_inside.h"

err journal_lend(journal *j, arena *a, journal_loan *out)
{
    *out = (journal_loan){.parts = arena_array(a, journal_part, j->figures.segments + 1)};
    if (!out->parts)
        return E_LIMIT;
    for (list_link *l = list_first(&j->segments); l; l = list_next(&j->segments, l)) {
        const segment *s = LIST_OF(l, segment, link);
        if (segment_is_waste(s))              // promised nothing, and may be replaced by another of its number
            continue;
        out->parts[out->count++] = (journal_part){s->head.number, s->ours && !s->sealed ? s->end : -1};
    }
    if (out->count)
        journal_hold(j, out->parts[0].number);
    return E_OK;
}

void journal_give_back(journal *j, const journal_loan *loan)
{
    if (loan->count)
        journal_release(j, loan->parts[0].number);
}
