// naru torment: what the ledger says at the end.
#include <jansson.h>
#include <stdio.h>

#include "cmd/commands.h"
#include "cmd/torment.h"

typedef struct { int accepted, lost, doubled, copies, between, damaged, first_lost; } sums;

// A copy is allowed where a connection broke between the final dot and its answer, and nobody could know that the letter had arrived: between
// the sender and the first server (then the copies have two first ids, and the sender remembers so many broken answers), or between two
// servers that were killed together (one first id, two last ones). Whatever has the same last id was promised once and delivered twice.
static void count_copies(const torment *t, const torment_letter *l, int i, sums *s)
{
    int seen = l->seen[i] < TORMENT_COPIES_MAX ? l->seen[i] : TORMENT_COPIES_MAX, again = 0, firsts = 0;
    for (int k = 0; k < seen; k++) {
        bool new_first = true, new_last = true;
        for (int j = 0; j < k; j++) {
            new_first = new_first && l->ways[i][j].first != l->ways[i][k].first;
            new_last = new_last && l->ways[i][j].last != l->ways[i][k].last;
        }
        firsts += new_first;
        again += !new_last;
    }
    int by_sender = firsts > 0 ? firsts - 1 : 0, excused = by_sender < l->unclear[i] ? by_sender : l->unclear[i];
    int between = seen - firsts - again;
    s->doubled += again + (by_sender - excused) + (t->killed ? 0 : between) + (l->seen[i] - seen);
    s->copies += excused;
    s->between += t->killed ? between : 0;
}

static sums count(const torment *t)
{
    sums s = {.first_lost = -1};
    for (int n = 0; n < t->letters && t->ledger; n++) {
        const torment_letter *l = &t->ledger[n];
        bool accepted = l->count > 0, lost = false;
        for (int i = 0; i < l->count; i++) {
            accepted = accepted && l->accepted[i];
            lost = lost || (l->accepted[i] && !l->seen[i]);
            count_copies(t, l, i, &s);
        }
        s.accepted += accepted;
        s.lost += lost;
        s.damaged += l->damaged;
        if (lost && s.first_lost < 0)
            s.first_lost = n;
    }
    return s;
}

static str thousands(torment *t, int64_t n)
{
    return n < 1000 ? str_format(&t->memory, "%lld", (long long)n)
         : n < 1000000 ? str_format(&t->memory, "%lld,%03lld", (long long)(n / 1000), (long long)(n % 1000))
         : str_format(&t->memory, "%lld,%03lld,%03lld", (long long)(n / 1000000), (long long)(n / 1000 % 1000), (long long)(n % 1000));
}

static double seconds_of(int64_t ns) { return (double)(ns > 0 ? ns : 0) / NS_PER_S; }

static void tell(torment *t, const sums *s)
{
    printf("%lld letters, seed %lld: accepted in %.1f s, queues empty after %.1f s more\n", (long long)t->letters, (long long)t->seed,
           seconds_of(t->accepted_ns - t->started_ns), seconds_of(t->drained_ns - t->accepted_ns));
    printf("killed with kill -9 %d times", t->killed);
    for (int i = 0; torment_service_name(t, i).len && !t->on_try; i++)
        printf("%s" STR_FMT " %d", i ? ", " : " (", STR_ARG(torment_service_name(t, i)), t->killed_service[i]);
    if (!t->on_try)
        printf(", a whole node %d)", t->power_cuts);
    printf("; the clock jumped %d times\n", t->stepped);
    printf("the sender hung up in the middle of the text %d times; %d senders and %d receivers stalled or talked rubbish\n", t->cut,
           t->vandalised, t->stalled);
    if (t->small_disk)
        printf("the disk was full %d times; %d recipients were told to come back (452)\n", t->filled, t->refused_full);
    else
        printf("SKIPPED disks that fill: " STR_FMT "\n", STR_ARG(t->no_disk));
    if (s->copies)
        printf("%d copies because the sender lost the answer to its final dot in a kill, and sent again as RFC 5321 asks\n", s->copies);
    if (s->between)
        printf("%d copies because two servers were killed between a final dot and what the other wrote down about its answer\n", s->between);
    if (t->backed_up)
        printf("a backup was taken in the middle: of %d that had been promised before it began, %d were missing in it\n", t->backed, t->missing);
    if (s->damaged)
        printf("%d letters came out with another text than they went in\n", s->damaged);
    if (s->lost)
        printf("the first that was lost: number %d\n", s->first_lost);
    printf("accepted " STR_FMT ", lost " STR_FMT ", doubled in a mailbox " STR_FMT "\n", STR_ARG(thousands(t, s->accepted)),
           STR_ARG(thousands(t, s->lost)), STR_ARG(thousands(t, s->doubled)));
}

static void tell_json(torment *t, const sums *s)
{
    json_t *o = json_pack("{s:I, s:I, s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:b, s:f, s:f, s:s%}",
                          "letters", (json_int_t)t->letters, "seed", (json_int_t)t->seed, "accepted", s->accepted, "lost", s->lost,
                          "doubled", s->doubled, "copies_after_broken_answers", s->copies, "copies_between_servers", s->between,
                          "damaged", s->damaged, "kills", t->killed, "power_cuts", t->power_cuts, "cut_by_sender", t->cut,
                          "disk_full", t->filled, "clock_steps", t->stepped, "stalled_receivers", t->stalled,
                          "refused_452", t->refused_full, "backups", t->backed_up, "backed_up", t->backed,
                          "missing_in_backup", t->missing, "disk_tested", (int)t->small_disk,
                          "accepted_s", seconds_of(t->accepted_ns - t->started_ns), "drained_s", seconds_of(t->drained_ns - t->accepted_ns),
                          "trouble", t->trouble.len ? (const char *)t->trouble.at : "", (size_t)t->trouble.len);
    if (o)
        json_dumpf(o, stdout, 0);
    putchar('\n');
    json_decref(o);
}

int torment_verdict(torment *t)
{
    sums s = count(t);
    if (t->json)
        tell_json(t, &s);
    else
        tell(t, &s);
    fflush(stdout);
    if (t->trouble.len)
        return command_error("torment", COMMAND_FAILED, STR_FMT, STR_ARG(t->trouble));
    return s.lost || s.doubled || s.damaged || t->missing || s.accepted < t->letters ? COMMAND_FAILED : COMMAND_OK;
}
