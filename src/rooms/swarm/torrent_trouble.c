// A torrent whose disk is full or fails: it says what and why, asks nobody for anything, and is tried again: when there is room, each
// half a minute otherwise, and at once when its user resumes it.
#include <string.h>

#include "rooms/swarm/swarm_inside.h"
#include "rt/log.h"
#include "rt/loop.h"
#include "rt/worker.h"

enum { ROOM_BYTES = 64 << 20 };                      // so much is room enough to go on, or what is still missing
#define RETRY_NS (30 * NS_PER_S)

void torrent_trouble(torrent *t, err e, str what)
{
    bool known = t->state == TORRENT_TROUBLE && str_eq(what, str_z(t->trouble_text));
    t->trouble = e ? e : E_IO;
    size_t n = (size_t)what.len < sizeof t->trouble_text - 1 ? (size_t)what.len : sizeof t->trouble_text - 1;
    memcpy(t->trouble_text, what.at, n);
    t->trouble_text[n] = 0;
    if (!known)
        log_line("swarm", LOG_ERROR, "trouble", F_STR("torrent", torrent_entry_of(t)->name), F_STR("why", what));
    torrent_state_set(t, TORRENT_TROUBLE);
}

void torrent_store_trouble(torrent *t)
{
    t->store_waits = true;
    t->retry_ns = loop_now_ns() + RETRY_NS;
    torrent_trouble(t, store_trouble_error(t->store), store_trouble(t->store));
}

typedef struct {
    world  *world;
    char    directory[SWARM_DIRECTORY_BYTES_MAX + 1];
    int64_t bytes;
    err     error;
} spacing;

static void space_run(void *arg)
{
    spacing *s = arg;
    folder *d;
    s->error = folder_open(s->world, s->directory, &d);
    if (s->error)
        return;
    s->error = folder_space(d, &s->bytes);
    folder_close(d);
}

// What would fill the disk again at once is not fetched again for nothing.
static bool has_room(torrent *t)
{
    torrent_view v;
    spacing s = {.world = t->swarm->w};
    torrent_look(t, &v);
    if ((size_t)v.directory.len >= sizeof s.directory)
        return true;
    memcpy(s.directory, v.directory.at, (size_t)v.directory.len);
    int64_t left = v.wanted_bytes - v.have_bytes;
    work(space_run, &s);
    return s.error || s.bytes >= (left < ROOM_BYTES ? left : ROOM_BYTES);
}

void torrent_trouble_retry(torrent *t, int64_t now)
{
    if (!t->store_waits || now < t->retry_ns)
        return;
    bool resumed = t->retry_ns == 0;
    t->retry_ns = now + RETRY_NS;
    if ((!resumed && t->trouble == E_NO_SPACE && !has_room(t)) || store_retry(t->store) != E_OK)
        return;
    t->store_waits = false;
    t->trouble = E_OK;
    torrent_state_set(t, t->complete ? TORRENT_SEEDING : TORRENT_DOWNLOADING);
    torrent_ask_all(t);
}
