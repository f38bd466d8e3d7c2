// torrent-get: the fields that are lists: files, peers, trackers.
#include "rooms/swarm/rpc_fields.h"

#include "base/heap_memory.h"

static json_t *ip_text(addr at)
{
    char line[ADDR_TEXT_MAX];
    addr_print(line, at);
    str s = str_z(line);
    s = str_first(s, str_rfind(s, ':'));
    return rpc_text(str_starts(s, S("[")) ? str_sub(s, 1, s.len - 2) : s);
}

// ---- files ----------------------------------------------------------------------------------------------------------------------

// What is not known without waking the torrent up is right for one that is complete: it has everything.
static file_view file_at(const torrent_facts *f, int i)
{
    file_view one = {0};
    if (torrent_file(f->t, i, &one))
        return one;
    const metainfo_file *m = &f->meta.files[i];
    str chosen = f->entry ? f->entry->priorities : S("");
    one = (file_view){.path = m->path, .length = m->length, .have_bytes = f->v.complete ? m->length : 0, .pad = m->pad,
                       .priority = i < chosen.len ? (picker_priority)chosen.at[i] : PICKER_NORMAL};
    return one;
}

static json_t *file_name(const torrent_facts *f, const file_view *one)
{
    return f->meta.single ? rpc_text(one->path) : json_sprintf(STR_FMT "/" STR_FMT, STR_ARG(f->meta.name), STR_ARG(one->path));
}

static json_t *file_list(const torrent_facts *f, json_t *of(const torrent_facts *f, const file_view *one))
{
    json_t *all = json_array();
    for (int i = 0; i < f->meta.file_count; i++) {
        file_view one = file_at(f, i);
        json_array_append_new(all, of(f, &one));
    }
    return all;
}

// -1, 0, 1; a file that is not wanted has "normal" and stands in `wanted`.
static int priority_of(const file_view *one) { return one->priority == PICKER_SKIP ? 0 : (int)one->priority - (int)PICKER_NORMAL; }

static json_t *file_entry(const torrent_facts *f, const file_view *one)
{
    json_t *o = json_object();
    json_object_set_new(o, "bytesCompleted", number(one->have_bytes));
    json_object_set_new(o, "length", number(one->length));
    json_object_set_new(o, "name", file_name(f, one));
    return o;
}
static json_t *file_stats(const torrent_facts *f, const file_view *one)
{
    (void)f;
    return json_pack("{s:I, s:b, s:i}", "bytesCompleted", (json_int_t)one->have_bytes, "wanted", one->priority != PICKER_SKIP,
                     "priority", priority_of(one));
}
static json_t *file_priority(const torrent_facts *f, const file_view *one) { (void)f; return number(priority_of(one)); }
static json_t *file_wanted(const torrent_facts *f, const file_view *one) { (void)f; return number(one->priority != PICKER_SKIP); }

json_t *rpc_f_files(const torrent_facts *f) { return file_list(f, file_entry); }
json_t *rpc_f_file_stats(const torrent_facts *f) { return file_list(f, file_stats); }
json_t *rpc_f_priorities(const torrent_facts *f) { return file_list(f, file_priority); }
json_t *rpc_f_wanted(const torrent_facts *f) { return file_list(f, file_wanted); }

// ---- peers ----------------------------------------------------------------------------------------------------------------------

// The letters that front ends show: D d (we take, would take), U u (it takes, would take), O optimistic, S snubbed, E X I H.
static json_t *peer_flags(const peer_view *p)
{
    char flags[8];
    size_t n = 0;
    if (p->choke_reason == CHOKER_OPTIMISTIC)
        flags[n++] = 'O';
    if (p->we_want)
        flags[n++] = p->they_choke ? 'd' : 'D';
    if (p->they_want)
        flags[n++] = p->we_choke ? 'u' : 'U';
    if (p->snubbed)
        flags[n++] = 'S';
    if (p->source == PEER_FROM_DHT)
        flags[n++] = 'H';
    if (p->source == PEER_FROM_EXCHANGE)
        flags[n++] = 'X';
    if (p->incoming)
        flags[n++] = 'I';
    return json_stringn(flags, n);
}

static json_t *peer_entry(const torrent_facts *f, const peer_view *p)
{
    json_t *o = json_object();
    json_object_set_new(o, "address", ip_text(p->at));
    json_object_set_new(o, "port", number(p->at.port));
    json_object_set_new(o, "clientName", rpc_text(str_z(p->client)));
    json_object_set_new(o, "clientIsChoked", json_boolean(p->they_choke));
    json_object_set_new(o, "clientIsInterested", json_boolean(p->we_want));
    json_object_set_new(o, "peerIsChoked", json_boolean(p->we_choke));
    json_object_set_new(o, "peerIsInterested", json_boolean(p->they_want));
    json_object_set_new(o, "flagStr", peer_flags(p));
    json_object_set_new(o, "isDownloadingFrom", json_boolean(p->asked > 0));
    json_object_set_new(o, "isUploadingTo", json_boolean(!p->we_choke && p->wanted > 0));
    json_object_set_new(o, "isEncrypted", json_false());
    json_object_set_new(o, "isIncoming", json_boolean(p->incoming));
    json_object_set_new(o, "isUTP", json_false());
    json_object_set_new(o, "progress", share(p->has_pieces, f->v.piece_count));
    json_object_set_new(o, "rateToClient", number(p->rate_down));
    json_object_set_new(o, "rateToPeer", number(p->rate_up));
    return o;
}

static peer_view *peers_look(const torrent_facts *f, int *count)
{
    peer_view *all = memory_new(sizeof *all * RPC_PEERS_MAX);
    *count = torrent_peers(f->t, all, RPC_PEERS_MAX);
    if (*count > RPC_PEERS_MAX)
        *count = RPC_PEERS_MAX;
    return all;
}

json_t *rpc_f_peers(const torrent_facts *f)
{
    int count;
    peer_view *all = peers_look(f, &count);
    json_t *o = json_array();
    for (int i = 0; i < count; i++)
        json_array_append_new(o, peer_entry(f, &all[i]));
    memory_free(all);
    return o;
}

json_t *rpc_f_peers_from(const torrent_facts *f)
{
    int count, of[PEER_SOURCES] = {0};
    peer_view *all = peers_look(f, &count);
    for (int i = 0; i < count; i++)
        of[all[i].source]++;
    memory_free(all);
    return json_pack("{s:i, s:i, s:i, s:i, s:i, s:i, s:i}", "fromCache", of[PEER_FROM_USER] + of[PEER_FROM_MAGNET], "fromDht", of[PEER_FROM_DHT],
                     "fromIncoming", of[PEER_FROM_INCOMING], "fromLpd", of[PEER_FROM_LOCAL], "fromLtep", 0, "fromPex",
                     of[PEER_FROM_EXCHANGE], "fromTracker", of[PEER_FROM_TRACKER]);
}

// ---- trackers -------------------------------------------------------------------------------------------------------------------

announcer_tracker_view *rpc_trackers_look(const torrent_facts *f, int *count)
{
    *count = 0;
    if (!f->t->announcer)
        return NULL;
    announcer_tracker_view *all = memory_new(sizeof *all * ANNOUNCER_TRACKERS_MAX);
    *count = announcer_view(f->t->announcer, all, ANNOUNCER_TRACKERS_MAX);
    if (*count > ANNOUNCER_TRACKERS_MAX)
        *count = ANNOUNCER_TRACKERS_MAX;
    return all;
}

json_t *rpc_f_trackers(const torrent_facts *f)
{
    json_t *all = json_array();
    for (int i = 0; i < f->meta.tracker_count; i++) {
        json_t *o = json_pack("{s:i, s:i, s:s}", "id", i, "tier", f->meta.trackers[i].tier, "scrape", "");
        json_object_set_new(o, "announce", rpc_text(f->meta.trackers[i].url));
        json_array_append_new(all, o);
    }
    return all;
}

// A time of the loop's clock as one of the wall.
static int64_t wall_of(const torrent_facts *f, int64_t ns)
{
    world *w = f->x->room->world;
    return ns ? world_wall_s(w) + (ns - world_now_ns(w)) / NS_PER_S : 0;
}

static json_t *tracker_stats(const torrent_facts *f, const announcer_tracker_view *v, int id)
{
    enum { INACTIVE, WAITING, QUEUED, ACTIVE };
    static const int state_of[] = {[ANNOUNCER_IDLE] = INACTIVE, [ANNOUNCER_WAITING] = WAITING, [ANNOUNCER_QUEUED] = QUEUED,
                                   [ANNOUNCER_ASKING] = ACTIVE, [ANNOUNCER_OUT] = INACTIVE};
    json_t *o = json_pack("{s:i, s:i, s:i, s:b, s:b, s:b, s:I, s:I, s:b, s:i, s:I}", "id", id, "tier", v->tier, "announceState", state_of[v->state],
                          "hasAnnounced", v->last_ns != 0, "hasScraped", 0, "isBackup", v->state == ANNOUNCER_IDLE,
                          "lastAnnounceTime", (json_int_t)wall_of(f, v->last_ns), "nextAnnounceTime", (json_int_t)wall_of(f, v->next_ns),
                          "lastAnnounceSucceeded", v->answered, "lastAnnouncePeerCount", v->peers, "lastAnnounceStartTime",
                          (json_int_t)wall_of(f, v->last_ns));
    json_object_set_new(o, "announce", rpc_text(v->url));
    json_object_set_new(o, "host", rpc_text(v->host));
    json_object_set_new(o, "lastAnnounceResult", v->answered ? json_string("Success") : rpc_text(v->trouble));
    json_object_set_new(o, "lastAnnounceTimedOut", json_false());
    json_object_set_new(o, "seederCount", number(v->seeders));
    json_object_set_new(o, "leecherCount", number(v->leechers));
    json_object_set_new(o, "downloadCount", number(RPC_NO_FIGURE));
    static const char *const never[] = {"scrapeState", "lastScrapeTime", "nextScrapeTime", "lastScrapeStartTime"};
    for (size_t i = 0; i < sizeof never / sizeof *never; i++)
        json_object_set_new(o, never[i], number(0));
    json_object_set_new(o, "lastScrapeSucceeded", json_false());
    json_object_set_new(o, "lastScrapeTimedOut", json_false());
    json_object_set_new(o, "lastScrapeResult", json_string(""));
    json_object_set_new(o, "scrape", json_string(""));
    return o;
}

json_t *rpc_f_tracker_stats(const torrent_facts *f)
{
    json_t *o = json_array();
    int count;
    announcer_tracker_view *all = rpc_trackers_look(f, &count);
    for (int i = 0; i < count; i++)
        json_array_append_new(o, tracker_stats(f, &all[i], i));
    memory_free(all);
    return o;
}
