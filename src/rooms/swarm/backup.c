// What the swarm lends to `naru backup`: its list of torrents and the DHT's table, never the payload. docs/backup.md.
//
// Every file of the list is replaced as a whole, or (HASH.have) only grows by checksummed records: a copy of any moment is good. What
// must fit together are the files of one torrent: one that goes, or whose metadata comes meanwhile, makes its loan unsound, and it
// is lent again. A loan is a sixteenth of the list: the torrents whose hash begins with one digit.
#include <stdio.h>
#include <string.h>

#include "base/must.h"
#include "rooms/swarm/swarm_inside.h"
#include "rt/worker.h"
#include "talk/lending.h"

enum { NAMES_BYTES_MAX = 64 << 20, PLACE_BYTES_MAX = 4096, PLACE_MODE = 0600, HEX_BYTES = 2 * INFO_HASH_BYTES, FILES_PER_TORRENT = 3 };

// ---- what is lent ---------------------------------------------------------------------------------------------------------------

typedef struct { uint8_t hash[INFO_HASH_BYTES]; int number; bool has_metainfo; } lent_torrent;
typedef struct { lent_torrent *of; int count; } lent_torrents;

typedef struct { world *w; char *directory; arena memory; str *names; int count; err e; } listing;

static void list_work(void *arg)
{
    listing *l = arg;
    l->e = dir_list(l->w, l->directory, &l->memory, &l->names, &l->count);
}

static bool has_ending(str name, const char *ending) { return str_eq(str_from(name, HEX_BYTES), str_z(ending)); }

// One of the list's files: *hash is its torrent's.
static bool name_read(str name, uint8_t hash[INFO_HASH_BYTES])
{
    return name.len > HEX_BYTES && hex_decode(hash, str_first(name, HEX_BYTES)) &&
           (has_ending(name, ".torrent") || has_ending(name, ".state") || has_ending(name, ".have"));
}

static bool torrent_lendable(swarm *s, const torrent_entry *e)
{
    const torrent *t = e ? swarm_find(s, e->hash) : NULL;
    return e && !(t && t->removing);
}

static err torrents_note(swarm *s, loan *l, int digit, lent_torrents *out)
{
    int count = torrent_list_count(s->entries);
    out->of = arena_array(&l->memory, lent_torrent, count + 1);
    for (int i = 0; out->of && i < count; i++) {
        const torrent_entry *e = torrent_list_at(s->entries, i);
        if (e->hash[0] >> 4 != digit || !torrent_lendable(s, e))
            continue;
        lent_torrent *one = &out->of[out->count++];
        memcpy(one->hash, e->hash, sizeof one->hash);
        one->number = e->number;
        one->has_metainfo = e->has_metainfo;
    }
    return out->of ? E_OK : E_LIMIT;
}

// E_AGAIN: a torrent is just being added, and not all of its files are there.
static err files_note(swarm *s, loan *l, int digit, const listing *names)
{
    const lent_torrents *all = l->state;
    uint8_t hash[INFO_HASH_BYTES];
    int needed = 0;
    l->files = arena_array(&l->memory, lent_file, FILES_PER_TORRENT * all->count + 1);
    for (int i = 0; l->files && i < names->count; i++) {
        str name = names->names[i];
        if (!name_read(name, hash) || hash[0] >> 4 != digit || !torrent_lendable(s, torrent_list_find(s->entries, hash)))
            continue;
        l->files[l->file_count] = (lent_file){str_join(&l->memory, S("torrents/"), name), -1};
        if (!l->files[l->file_count++].path.len)
            return E_LIMIT;
        needed += !has_ending(name, ".have");
    }
    for (int i = 0; i < all->count; i++)
        needed -= 1 + all->of[i].has_metainfo;
    return !l->files ? E_LIMIT : needed ? E_AGAIN : E_OK;
}

static err torrents_lend(swarm *s, loan *l, int digit, str *why)
{
    listing names = {.w = s->w, .memory = arena_make(NAMES_BYTES_MAX)};
    lent_torrents *all = arena_new(&l->memory, lent_torrents);
    must(all);
    names.directory = str_to_z(&names.memory, torrent_list_directory(s->entries));
    l->state = all;
    work(list_work, &names);                     // nothing parks after it: names and list are of one moment
    err e = names.e ? names.e : torrents_note(s, l, digit, all);
    if (!e)
        e = files_note(s, l, digit, &names);
    arena_free(&names.memory);
    if (e)
        *why = e == E_AGAIN ? S("a torrent is just being added")
                            : str_format(&l->memory, "the swarm cannot list its torrents: %s", err_text(e));
    return !e && !all->count ? E_NO_ENTRY : e;
}

static void own_files_work(void *arg)
{
    static const char *const names[] = {"place", "dht"};
    listing *l = arg;
    file_stat st;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (path_stat(l->w, str_to_z(&l->memory, str_format(&l->memory, "%s/%s", l->directory, names[i])), &st) == E_OK)
            l->names[l->count++] = str_z(names[i]);
}

static err own_files_lend(swarm *s, loan *l)
{
    listing own = {.w = s->w, .memory = arena_make(4 * PLACE_BYTES_MAX)};
    l->files = arena_array(&l->memory, lent_file, 2);
    own.names = arena_array(&l->memory, str, 2);
    must(l->files && own.names);
    own.directory = str_to_z(&own.memory, room_directory(s->room));
    work(own_files_work, &own);
    for (; l->file_count < own.count; l->file_count++)
        l->files[l->file_count] = (lent_file){own.names[l->file_count], -1};
    arena_free(&own.memory);
    return E_OK;
}

static err lend(void *arg, loan *l, str part, str *why)
{
    swarm *s = arg;
    uint8_t digit;
    if (s->stopping)
        return E_CANCELED;
    if (!part.len)
        return own_files_lend(s, l);
    if (part.len != 1 || !hex_decode(&digit, str_format(&l->memory, "0" STR_FMT, STR_ARG(part))))
        return E_NO_ENTRY;
    (void)torrent_list_save(s->entries);         // figures that wait; what users set is written already
    return torrents_lend(s, l, digit, why);
}

static bool give_back(void *arg, loan *l, bool ending)
{
    swarm *s = arg;
    const lent_torrents *all = l->state;
    for (int i = 0; all && !ending && i < all->count; i++) {
        const torrent_entry *e = torrent_list_find(s->entries, all->of[i].hash);
        if (!torrent_lendable(s, e) || e->number != all->of[i].number || e->has_metainfo != all->of[i].has_metainfo)
            return false;
    }
    return true;
}

void swarm_backup(swarm *s)
{
    lender *own = arena_new(s->room->memory, lender);
    must(own);
    *own = (lender){lend, give_back, s};
    lending_offer(s->room, own);
}

// ---- where it was ---------------------------------------------------------------------------------------------------------------

typedef struct { world *w; char *path; str now, before; arena memory; err e; } place;

static void place_read(void *arg)
{
    place *p = arg;
    p->e = file_read_all(p->w, p->path, &p->memory, PLACE_BYTES_MAX, &p->before);
}

static void place_write(void *arg)
{
    place *p = arg;
    p->e = file_replace(p->w, p->path, p->now, PLACE_MODE);
}

static bool text_moves(torrent_entry *e, str *field, const place *p)
{
    arena a = arena_make(4 * PLACE_BYTES_MAX);
    str rest = str_from(*field, p->before.len);
    bool below = p->before.len && str_starts(*field, p->before) && (!rest.len || str_starts(rest, S("/")));
    if (below)
        torrent_entry_text(e, field, str_join(&a, p->now, rest));
    arena_free(&a);
    return below;
}

void swarm_place_take(swarm *s)
{
    place p = {.w = s->w, .now = room_directory(s->room), .memory = arena_make(4 * PLACE_BYTES_MAX)};
    p.path = room_path(s->room, &p.memory, S("place"));
    work(place_read, &p);
    if (!p.e && str_eq(p.before, p.now)) {
        arena_free(&p.memory);
        return;
    }
    for (int i = 0; !p.e && i < torrent_list_count(s->entries); i++) {
        torrent_entry *e = torrent_list_at(s->entries, i);
        bool moved = text_moves(e, &e->directory, &p);
        if (text_moves(e, &e->moving_from, &p) || moved)
            torrent_entry_changed(e);
    }
    if (torrent_list_save(s->entries) == E_OK)   // else the next start tries again
        work(place_write, &p);
    arena_free(&p.memory);
}
