// The extension protocol (BEP 10): who we are, metadata (9), peer exchange (11), upload only (21).
#include <string.h>

#include "base/heap_memory.h"
#include "base/must.h"
#include "base/utf8.h"
#include "rooms/swarm/swarm_inside.h"
#include "rt/loop.h"

enum { EXTENSION_TEXT_BYTES_MAX = 32 * 1024, EXTENSION_ARENA_BYTES = 256 * 1024 };

static void extension_tell(peer *p, uint8_t number, str body)
{
    peer_tell(p, &(peer_message){.kind = PEER_EXTENDED, .extension = number, .payload = body});
}

static int32_t metadata_bytes(torrent *t) { return t->meta ? (int32_t)t->meta->info.len : 0; }

void peer_extension_greet(peer *p)
{
    torrent *t = p->torrent;
    buf text = buf_make(EXTENSION_TEXT_BYTES_MAX);
    extension_handshake ours = {
        .metadata = OUR_METADATA, .pex = t->is_private || !t->swarm->pex_on ? 0 : OUR_PEX, .metadata_bytes = metadata_bytes(t),
        .requests_max = PEER_REQUESTS_MAX, .port = world_port(t->swarm->w, t->swarm->port), .upload_only = t->seeding && !p->hidden,
        .version = S("naru " NARU_VERSION), .your_ip = addr_with_port(p->at, 0),
    };
    if (extension_handshake_write(&text, &ours))
        extension_tell(p, 0, buf_str(&text));
    buf_free(&text);
}

// A stranger's text becomes one for people.
static void client_take(peer *p, str version)
{
    size_t n = 0;
    while (version.len > 0 && n + 4 < sizeof p->client) {
        uint32_t code = 0;
        int bytes = utf8_decode(version, &code);
        if (bytes && !utf8_is_control(code)) {
            memcpy(p->client + n, version.at, (size_t)bytes);
            n += (size_t)bytes;
        }
        version = str_from(version, bytes ? bytes : 1);
    }
    p->client[n] = 0;
}

static void handshake_hears(peer *p, const extension_handshake *h)
{
    torrent *t = p->torrent;
    p->their_pex = h->pex;
    p->their_metadata = h->metadata;
    p->metadata_bytes = h->metadata_bytes;
    if (h->requests_max > 0)
        p->requests_max = h->requests_max;
    if (h->version.len)
        client_take(p, h->version);
    if (h->port && p->incoming && !p->listening.family) {
        p->listening = addr_with_port(p->at, h->port);
        known_peer *k = known_add(t, p->listening, PEER_FROM_INCOMING);
        if (k && k->state == KNOWN_IDLE)
            k->state = KNOWN_CONNECTED;
    }
    if (h->upload_only != p->upload_only && !(t->meta && bitfield_all(&p->has))) {
        p->upload_only = h->upload_only;
        torrent_rechoke_soon(t);
    }
    if (!p->greeted && p->listening.family)
        torrent_pex_note(t, p, true);
    p->greeted = true;
    metadata_peer_ready(p);
    if (t->seeding && p->upload_only && p->has_known)
        peer_end(p, "both want nothing");
}

// ---- peer exchange ------------------------------------------------------------------------------------------------------

void torrent_pex_note(torrent *t, const peer *p, bool added)
{
    if (!p->listening.family || (!added && !p->greeted))
        return;
    uint8_t flags = (uint8_t)((p->upload_only ? PEX_UPLOAD_ONLY : 0) | (p->incoming ? 0 : PEX_REACHABLE));
    t->pex[t->pex_count++ % TORRENT_PEX_EVENTS] = (pex_event){p->listening, added, flags};
}

static void pex_add(pex_message *m, addr at, uint8_t flags)
{
    if (m->added_count == TORRENT_PEX_LIST_MAX)
        return;
    m->flags[m->added_count] = flags;
    m->added[m->added_count++] = at;
}

// Who is here now: what a new peer is told first, and who has missed too many events.
static void pex_all(torrent *t, const peer *to, pex_message *m)
{
    for (int i = 0; i < t->peers_end; i++) {
        const peer *p = t->peers[i];
        if (p && p != to && p->greeted && p->listening.family)
            pex_add(m, p->listening, (uint8_t)((p->upload_only ? PEX_UPLOAD_ONLY : 0) | (p->incoming ? 0 : PEX_REACHABLE)));
    }
}

static void pex_news(torrent *t, const peer *to, pex_message *m)
{
    for (uint64_t i = to->pex_seen; i < t->pex_count; i++) {
        const pex_event *e = &t->pex[i % TORRENT_PEX_EVENTS];
        if (addr_eq(e->at, to->listening))
            continue;
        if (e->added)
            pex_add(m, e->at, e->flags);
        else if (m->dropped_count < TORRENT_PEX_LIST_MAX)
            m->dropped[m->dropped_count++] = e->at;
    }
}

void peer_pex_send(peer *p, int64_t now_ns)
{
    torrent *t = p->torrent;
    if (!p->their_pex || t->is_private || !t->swarm->pex_on || now_ns - p->pex_sent_ns < PEER_PEX_NS)
        return;
    pex_message *m = memory_zeroed(1, sizeof *m);
    if (!p->pex_begun || t->pex_count - p->pex_seen > TORRENT_PEX_EVENTS)
        pex_all(t, p, m);
    else
        pex_news(t, p, m);
    p->pex_begun = true;
    p->pex_seen = t->pex_count;
    p->pex_sent_ns = now_ns;
    buf text = buf_make(EXTENSION_TEXT_BYTES_MAX);
    if (m->added_count + m->dropped_count > 0 && pex_write(&text, m))
        extension_tell(p, p->their_pex, buf_str(&text));
    buf_free(&text);
    memory_free(m);
}

// More often than once a minute (with some slack) is passed over: BEP 11.
static void pex_hears(peer *p, str body, arena *a)
{
    torrent *t = p->torrent;
    int64_t now = loop_now_ns();
    bencode_refusal why;
    if (t->is_private || !t->swarm->pex_on || (p->pex_got_ns && now - p->pex_got_ns < PEER_PEX_NS * 3 / 4))
        return;
    p->pex_got_ns = now;
    pex_message *m = memory_zeroed(1, sizeof *m);
    if (pex_read(body, a, m, &why))
        torrent_heard_of(t, m->added, m->added_count < TORRENT_PEX_LIST_MAX ? m->added_count : TORRENT_PEX_LIST_MAX, PEER_FROM_EXCHANGE);
    memory_free(m);
}

// ---- metadata for others ------------------------------------------------------------------------------------------------

static void metadata_serve_one(peer *p, const metadata_message *request)
{
    torrent *t = p->torrent;
    metadata_message answer;
    str info = t->meta ? t->meta->info : (str){0};
    if (!p->their_metadata || !metadata_serve(&p->serves, info, request, loop_now_ns(), &answer))
        return;
    buf text = buf_make(EXTENSION_TEXT_BYTES_MAX);
    if (metadata_write(&text, &answer))
        extension_tell(p, p->their_metadata, buf_str(&text));
    buf_free(&text);
}

static bool metadata_message_hears(peer *p, str body, arena *a)
{
    metadata_message m;
    if (!metadata_read(body, a, &m, &(bencode_refusal){0}))
        return true;
    if (m.kind == METADATA_REQUEST)
        metadata_serve_one(p, &m);
    else if (p->torrent->fetch)
        return metadata_hears(p, &m);
    return true;
}

// ---- all ----------------------------------------------------------------------------------------------------------------

bool peer_extension_hears(peer *p, const peer_message *m)
{
    arena a = arena_make(EXTENSION_ARENA_BYTES);
    bencode_refusal why;
    extension_handshake h;
    bool good = true;
    if (m->extension == 0 && extension_handshake_read(m->payload, &a, &h, &why))
        handshake_hears(p, &h);
    else if (m->extension == OUR_PEX)
        pex_hears(p, m->payload, &a);
    else if (m->extension == OUR_METADATA)
        good = metadata_message_hears(p, m->payload, &a);
    arena_free(&a);
    return good;
}
