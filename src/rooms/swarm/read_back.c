#include "rooms/swarm/read_back.h"

#include <string.h>

#include "base/hex.h"
#include "rooms/swarm/store_journal.h"
#include "rooms/swarm/torrent_list.h"
#include "rt/digest.h"
#include "rt/worker.h"

enum { TORRENT_MEMORY_BYTES = 512 << 20 };

typedef struct {
    world *w;
    char  *have;                                 // the journal's path
    const torrent_entry *entry;
    metainfo m;
    arena  memory;
    str    text;
    store_journal journal;
    bool   same_hash, journal_good;
} reading;

static void read_work(void *arg)
{
    reading *r = arg;
    uint8_t hash[INFO_HASH_BYTES];
    str text;
    digest_of(DIGEST_SHA1, r->m.info, hash);
    r->same_hash = memcmp(hash, r->entry->hash, sizeof hash) == 0;
    err e = file_read_all(r->w, r->have, &r->memory, STORE_JOURNAL_BYTES_MAX, &text);
    r->journal_good = e == E_NO_ENTRY || (!e && store_journal_read(text, hash, r->m.piece_count, r->m.file_count, &r->memory, &r->journal));
}

static err torrent_read_whole(torrent_list *l, world *w, const torrent_entry *e, swarm_read *out, arena *a, str *why)
{
    reading r = {.w = w, .entry = e, .memory = arena_make(TORRENT_MEMORY_BYTES)};
    unsigned char hex[2 * INFO_HASH_BYTES];
    str directory = torrent_list_directory(l), said = {0};
    hex_encode(hex, str_of(e->hash, sizeof e->hash));
    r.have = str_to_z(&r.memory, str_format(&r.memory, STR_FMT "/" STR_FMT ".have", STR_ARG(directory), STR_ARG(str_of(hex, sizeof hex))));
    err error = torrent_list_read(l, e, &r.memory, &r.text, &r.m, &said);
    if (!error) {
        work(read_work, &r);
        said = !r.same_hash ? S("the torrent file is another's") : S("what is recorded of its pieces is damaged");
        error = r.same_hash && r.journal_good ? E_OK : E_CORRUPT;
    }
    if (error)
        *why = str_format(a, "the torrent " STR_FMT " (" STR_FMT "): " STR_FMT, STR_ARG(e->name), STR_ARG(str_of(hex, sizeof hex)), STR_ARG(said));
    out->torrents++;
    out->pieces += error ? 0 : r.journal.pieces.set;
    arena_free(&r.memory);
    return error;
}

typedef struct { world *w; char *path; err e; } presence;

static void presence_work(void *arg)
{
    presence *p = arg;
    file_stat st;
    p->e = path_stat(p->w, p->path, &st);
}

err swarm_read_back(world *w, str directory, swarm_read *out, arena *a, str *why)
{
    torrent_list *l = NULL;
    presence p = {.w = w, .path = str_to_z(a, directory)};
    *out = (swarm_read){0};
    work(presence_work, &p);
    if (p.e == E_NO_ENTRY)
        return E_OK;
    err e = torrent_list_open(w, str_join(a, directory, S("/torrents")), a, &l, why);
    if (!e && why->len)                          // a state was put aside
        e = E_CORRUPT;
    for (int i = 0; !e && i < torrent_list_count(l); i++) {
        const torrent_entry *one = torrent_list_at(l, i);
        if (one->has_metainfo)
            e = torrent_read_whole(l, w, one, out, a, why);
        else
            out->magnets++;
    }
    torrent_list_close(l);
    return e;
}
