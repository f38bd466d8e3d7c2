// naru torment: `naru backup` of the first node in the middle of it all. What had been accepted before it began must come out of it.
#include "cmd/torment.h"
#include "rt/loop.h"

enum { ARENA_BYTES = 1 << 20, TRIES = 5, LOOK_AGAIN_MS = 300, FOUND_SECONDS = 60 };

static bool runs(torment *t, const char *const *argv)
{
    int pid;
    return child_start(argv, t->output, t->directory, &pid) == E_OK && child_wait(pid) == 0;
}

// Promised by the first node to people of its own: nobody else can have it.
static int mark(torment *t)
{
    int doors = 2 * t->host_count, count = 0;
    for (int n = 0; n < t->letters; n++) {
        torment_letter *l = &t->ledger[n];
        for (int i = 0; i < l->count; i++) {
            l->backed[i] = l->accepted[i] && n % doors / 2 == 0 && t->people[l->to[i]].host == 0;
            count += l->backed[i];
        }
    }
    return count;
}

// A service that is killed while it lends is asked again by the command; a command that fails all the same may be tried again.
bool torment_backup_take(torment *t, int number)
{
    arena a = arena_make(ARENA_BYTES);
    bool good = false;
    for (int i = 0; i < TRIES && !good && !fiber_canceled(); i++) {
        char *to = str_to_z(&a, str_format(&a, "%s/backup-%d-%d", t->directory, number, i));
        const char *argv[] = {"naru", "backup", to, "--dir", torment_up_directory(t, 0, &a), NULL};
        t->backed = mark(t);
        good = runs(t, argv);
        if (good)
            t->backup = str_copy(&t->memory, str_z(to));
    }
    t->backed_up += good;
    arena_free(&a);
    return good || torment_failed(t, "`naru backup` failed five times");
}

static int missing(const torment *t)
{
    int count = 0;
    for (int n = 0; n < t->letters; n++)
        for (int i = 0; i < t->ledger[n].count; i++)
            count += t->ledger[n].backed[i] && !t->ledger[n].restored[i];
    return count;
}

// The same configuration on what was restored; its queue goes on delivering, so the mailboxes are read until nothing is missing.
bool torment_backup_check(torment *t)
{
    arena a = arena_make(ARENA_BYTES);
    t->restoring = true;
    const char *argv[] = {"naru", "restore", str_to_z(&a, t->backup), "--dir", torment_up_directory(t, 0, &a), NULL};
    bool good = runs(t, argv) || torment_failed(t, "`naru restore` failed");
    good = good && torment_up_start(t, 0);
    int64_t until_ns = world_now_ns(t->world) + seconds(FOUND_SECONDS);
    while (good && torment_read_host(t, 0) && (t->missing = missing(t)) > 0 && world_now_ns(t->world) < until_ns)
        if (fiber_sleep(millis(LOOK_AGAIN_MS)) != E_OK)
            break;
    torment_up_stop(t);
    arena_free(&a);
    return good;
}
