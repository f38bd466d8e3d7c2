// A magnet link's first step (BEP 9): the metadata from whoever has it, then a start as usual.
#include "base/heap_memory.h"
#include "rooms/swarm/swarm_inside.h"
#include "rt/digest.h"
#include "rt/log.h"
#include "rt/loop.h"
#include "rt/worker.h"

enum { TEXT_BYTES_MAX = 256 };

void metadata_ask(peer *p)
{
    torrent *t = p->torrent;
    int32_t piece;
    while (t->fetch && p->their_metadata && (piece = metadata_fetch_next(t->fetch, p->number, loop_now_ns())) >= 0) {
        buf text = buf_make(TEXT_BYTES_MAX);
        metadata_message m = {.kind = METADATA_REQUEST, .piece = piece};
        if (metadata_write(&text, &m))
            peer_tell(p, &(peer_message){.kind = PEER_EXTENDED, .extension = p->their_metadata, .payload = buf_str(&text)});
        buf_free(&text);
    }
}

static void ask_all(torrent *t)
{
    for (int i = 0; i < t->peers_end; i++)
        if (t->peers[i])
            metadata_ask(t->peers[i]);
}

void metadata_peer_ready(peer *p)
{
    torrent *t = p->torrent;
    if (!t->fetch || !p->their_metadata || p->metadata_bytes <= 0)
        return;
    if (metadata_fetch_peer(t->fetch, p->number, p->metadata_bytes))
        metadata_ask(p);
}

bool metadata_hears(peer *p, const metadata_message *m)
{
    torrent *t = p->torrent;
    int64_t now = loop_now_ns();
    if (m->kind == METADATA_REJECT) {
        metadata_fetch_reject(t->fetch, p->number, m->piece, now);
        ask_all(t);
        return true;
    }
    switch (metadata_fetch_data(t->fetch, p->number, m, now)) {
    case METADATA_NONSENSE:
        p->why = "its metadata contradicts itself";
        return false;
    case METADATA_WHOLE:
        t->metadata_whole = true;
        torrent_nudge(t);
        return true;
    case METADATA_TAKEN: case METADATA_UNASKED: break;
    }
    metadata_ask(p);
    return true;
}

typedef struct { str info; unsigned char digest[DIGEST_SHA1_BYTES]; } digesting;

static void digest_info(void *arg)
{
    digesting *d = arg;
    digest_of(DIGEST_SHA1, d->info, d->digest);
}

bool torrent_metadata_take(torrent *t, str *why)
{
    digesting d = {.info = metadata_fetch_info(t->fetch)};
    int liar = -1;
    t->metadata_whole = false;
    work(digest_info, &d);
    str info = str_copy(&t->memory, d.info);             // the check throws a wrong one away
    if (!metadata_fetch_check(t->fetch, d.digest, &liar)) {
        if (liar >= 0 && t->peers[liar])
            peer_end(t->peers[liar], "its metadata is false");
        ask_all(t);
        return false;
    }
    err e = torrent_list_metadata(t->swarm->entries, torrent_entry_of(t), info, &t->memory, why);
    if (e)
        torrent_trouble(t, e, *why);
    return !e;
}

int64_t torrent_metadata_tick(torrent *t, int64_t now_ns)
{
    int64_t due = metadata_fetch_expire(t->fetch, now_ns);
    ask_all(t);
    return due;
}
