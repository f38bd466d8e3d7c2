// Another place for a torrent's files. The torrent rests meanwhile: nobody reads or writes what is being moved.
#include <string.h>

#include "rooms/swarm/swarm_inside.h"
#include "rt/log.h"
#include "rt/loop.h"

static bool may_move(torrent *t, str directory, arena *msg, str *why)
{
    const torrent_entry *e = torrent_entry_of(t);
    if (!str_starts(directory, S("/")))
        *why = S("say the directory from the top: it begins with a slash");
    else if (directory.len > STORE_DIRECTORY_BYTES_MAX || str_find(directory, 0) >= 0)
        *why = S("the directory has too long a name: choose one of at most 1,024 bytes");
    else if (t->moving || t->removing || t->swarm->stopping)
        *why = S("the torrent is being moved or removed already");
    else if (e->moving_from.len && !str_eq(directory, e->directory))
        *why = str_format(msg, "a move to " STR_FMT " was begun and is not finished: finish it first (the same move again)", STR_ARG(e->directory));
    else
        return true;
    return false;
}

// From where to where stands on the disk before the first file moves.
static err intent_write(torrent *t, str from, str to)
{
    torrent_entry *e = torrent_entry_of(t);
    torrent_entry_text(e, &e->moving_from, from);
    torrent_entry_text(e, &e->directory, to);
    torrent_entry_changed(e);
    return torrent_list_save(t->swarm->entries);
}

// The store is closed again afterwards. An error while the entry says moving_from: the next start goes on.
static err files_move(torrent *t, str from, str to, arena *msg, str *why)
{
    bool again = torrent_entry_of(t)->moving_from.len > 0;           // then opening it goes on with that move
    torrent_store_open_resting(t);
    err e = t->store ? store_trouble_error(t->store) : t->trouble;
    if (e)
        *why = str_copy(msg, t->store ? store_trouble(t->store) : str_z(t->trouble_text));
    bool begun = !e && !again;
    if (begun && (e = intent_write(t, from, to)))
        *why = str_format(msg, "the torrent's state cannot be written: %s", err_text(e));
    else if (begun)
        e = store_move(t->store, to, msg, why);
    // Refused before anything moved, or done: nothing is left for the next start.
    if (t->store && (!e || (begun && !store_trouble_error(t->store)))) {
        err written = intent_write(t, (str){0}, e ? from : to);
        if (!e && written)
            *why = str_format(msg, "the torrent's state cannot be written: %s", err_text(written));
        e = e ? e : written;
    }
    store_close(t->store);
    t->store = NULL;
    t->store_waits = false;
    return e;
}

err torrent_move(torrent *t, str directory, arena *msg, str *why)
{
    swarm *s = t->swarm;
    *why = (str){0};
    while (directory.len > 1 && str_ends(directory, S("/")))
        directory = str_first(directory, directory.len - 1);
    if (!may_move(t, directory, msg, why))
        return E_ACCESS;
    torrent_entry *e = torrent_entry_of(t);
    str from = str_copy(msg, e->moving_from.len ? e->moving_from : e->directory), to = str_copy(msg, directory);
    if (str_eq(from, to))
        return E_OK;                                     // it is there
    if (!e->has_metainfo)                                // there are no files yet
        return intent_write(t, (str){0}, to);
    t->moving = true;
    torrent_rest(t);
    t->trouble = E_OK;
    err failed = files_move(t, from, to, msg, why);
    t->moving = false;                                   // from here on nothing parks: whoever waits may free it
    e = torrent_entry_of(t);
    log_line("swarm", failed ? LOG_WARNING : LOG_NOTICE, failed ? "not moved" : "moved", F_STR("torrent", e->name), F_STR("to", to),
             F_STR("why", *why));
    if (failed && e->moving_from.len) {
        torrent_trouble(t, failed, *why);                // resuming it tries again
    } else if (!e->paused && !t->removing && !s->stopping) {
        t->trouble = E_OK;
        torrent_state_set(t, TORRENT_QUEUED);
        torrent_wake(t);
    }
    gate_wake_all(&t->ready);
    return failed;
}
