// What we do about each message of a peer, blocks aside; and what we say first.
#include "rooms/swarm/allowed_fast.h"
#include "rooms/swarm/swarm_inside.h"
#include "rt/loop.h"

// ---- saying hello -------------------------------------------------------------------------------------------------------

static void greet_pieces(peer *p)
{
    torrent *t = p->torrent;
    const bitfield *have = t->store && t->meta ? store_have(t->store) : NULL;
    bool hidden = have && torrent_hides(t);              // superseeding: nobody sees what we have
    if (p->fast && (!have || have->set == 0 || hidden))
        peer_tell(p, &(peer_message){.kind = PEER_HAVE_NONE});
    else if (p->fast && bitfield_all(have))
        peer_tell(p, &(peer_message){.kind = PEER_HAVE_ALL});
    else if (have && have->set > 0 && !hidden)
        peer_tell(p, &(peer_message){.kind = PEER_BITFIELD, .payload = bitfield_wire(have)});
    p->hidden = hidden;
    if (hidden)
        peer_offer(p);
}

// The first pieces of a newcomer, choked or not. Not where they would be the same for a whole young swarm: its seed has to send
// every piece once before any piece twice. Nor in the course's rules, or an organisation's own.
static bool grants_fast(const torrent *t)
{
    return t->swarm->mode == CHOKER_DEFAULT && (!t->seeding || !t->offers || seed_choice_all_out(t->offers));
}

static void greet_allowed_fast(peer *p)
{
    torrent *t = p->torrent;
    if (!grants_fast(t))
        return;
    if (!p->fast || !t->meta || p->hidden)
        return;
    p->fast_to_count = allowed_fast(p->at, t->hash, (uint32_t)t->meta->piece_count, p->fast_to, PEER_FAST_PIECES);
    for (int i = 0; i < p->fast_to_count; i++)
        if (bitfield_has(store_have(t->store), (int32_t)p->fast_to[i]))
            peer_tell(p, &(peer_message){.kind = PEER_ALLOWED_FAST, .piece = p->fast_to[i]});
}

void peer_greet(peer *p)
{
    torrent *t = p->torrent;
    greet_pieces(p);
    if (p->extended)
        peer_extension_greet(p);
    greet_allowed_fast(p);
    if (p->dht && t->swarm->dht && !t->is_private)
        peer_tell(p, &(peer_message){.kind = PEER_PORT, .port = dht_port(t->swarm->dht, p->at.family)});
}

// ---- what it has --------------------------------------------------------------------------------------------------------

static void has_changed(peer *p)
{
    torrent *t = p->torrent;
    if (t->meta && bitfield_all(&p->has))
        p->upload_only = true;
    peer_interest(p);
    if (t->seeding && p->upload_only)
        peer_end(p, "both have everything");
    torrent_rechoke_soon(t);
}

static bool hears_have(peer *p, int32_t piece)
{
    torrent *t = p->torrent;
    p->has_known = true;
    if (!t->meta || bitfield_has(&p->has, piece))
        return true;
    bitfield_add(&p->has, piece);
    p->has_ns = loop_now_ns();
    if (t->picker)
        picker_peer_has(t->picker, piece);
    if (t->offers)
        seed_choice_seen(t->offers, piece);
    peer_offer_done(p, piece);
    bool managed = t->swarm->mode == CHOKER_MANAGED;
    bool news = !p->we_want && t->picker && !bitfield_has(store_have(t->store), piece) &&
                (!managed || picker_askable(t->picker, p->number, &p->has, piece, loop_now_ns()));
    if (news || bitfield_all(&p->has))
        has_changed(p);
    return true;
}

// Some (aria2) send a further bitfield instead of many HAVEs: what is new in it counts.
static bool hears_more_of_it(peer *p, const peer_message *m)
{
    torrent *t = p->torrent;
    bitfield now;
    if (!t->meta || m->kind == PEER_HAVE_NONE || bitfield_all(&p->has))
        return true;
    arena a = arena_make(PEER_MEMORY_BYTES_MAX);
    bool good = m->kind == PEER_BITFIELD ? bitfield_read(&a, t->meta->piece_count, m->payload, &now)
                                         : bitfield_make(&a, t->meta->piece_count, &now);
    if (good && m->kind == PEER_HAVE_ALL)
        bitfield_fill(&now);
    for (int32_t i = -1; good && (i = bitfield_next(&now, i + 1, true)) >= 0; )
        (void)hears_have(p, i);
    arena_free(&a);
    return good;
}

static bool hears_all_it_has(peer *p, const peer_message *m)
{
    torrent *t = p->torrent;
    if (p->has_known)
        return hears_more_of_it(p, m);
    p->has_known = true;
    if (!t->meta)
        return true;
    if (m->kind == PEER_HAVE_ALL)
        bitfield_fill(&p->has);
    else if (m->kind == PEER_BITFIELD && !bitfield_read(&p->memory, t->meta->piece_count, m->payload, &p->has))
        return false;
    if (t->picker)
        picker_peer_bitfield(t->picker, &p->has);
    for (int32_t i = -1; t->offers && (i = bitfield_next(&p->has, i + 1, true)) >= 0; )
        seed_choice_seen(t->offers, i);
    has_changed(p);
    return true;
}

// ---- choking and wanting ------------------------------------------------------------------------------------------------

static void hears_choke(peer *p)
{
    torrent *t = p->torrent;
    p->they_choke = true;
    if (t->picker)
        picker_suggestions_forget(t->picker, p->number);
    if (!p->fast && t->picker) {                         // with the fast extension each request is rejected on its own
        picker_returned_all(t->picker, p->number);
        torrent_ask_all(t);
    }
}

static void hears_unchoke(peer *p)
{
    p->they_choke = false;
    p->block_ns = loop_now_ns();
}

static void hears_interest(peer *p, bool wants)
{
    if (p->they_want == wants)
        return;
    p->they_want = wants;
    torrent_rechoke_soon(p->torrent);
}

// A piece was allowed while it chokes us, and is not any more (BEP 6): asked for again, it would be rejected again, without end.
static void fast_no_more(peer *p, uint32_t piece)
{
    for (int i = 0; i < p->fast_from_count; i++)
        if (p->fast_from[i] == piece) {
            p->fast_from[i--] = p->fast_from[--p->fast_from_count];
            if (p->fast_has.bytes)
                bitfield_remove(&p->fast_has, (int32_t)piece);
        }
}

static void hears_reject(peer *p, const peer_message *m)
{
    torrent *t = p->torrent;
    picker_block b = {(int32_t)m->piece, (int32_t)m->begin, (int32_t)m->length};
    if (p->they_choke)
        fast_no_more(p, m->piece);
    if (!t->picker || !picker_block_asked(t->picker, p->number, b))
        return;                                          // the answer to a cancel; or it was never asked
    picker_returned(t->picker, p->number, b);
    p->rejects += !p->they_choke;
    torrent_ask_all(t);
}

static void hears_allowed_fast(peer *p, uint32_t piece)
{
    if (p->fast_from_count < PEER_FAST_PIECES)
        p->fast_from[p->fast_from_count++] = piece;
}

static void hears_port(peer *p, uint16_t port)
{
    torrent *t = p->torrent;
    bool again = p->dht_told;                            // a node of each peer, not as many as it likes to name
    p->dht_told = true;
    if (t->swarm->dht && !t->is_private && port && !again)
        dht_add_node(t->swarm->dht, addr_with_port(p->at, port));
}

bool peer_hears(peer *p, const peer_message *m)
{
    torrent *t = p->torrent;
    switch (m->kind) {
    case PEER_CHOKE: hears_choke(p); break;
    case PEER_UNCHOKE: hears_unchoke(p); break;
    case PEER_INTERESTED: hears_interest(p, true); break;
    case PEER_NOT_INTERESTED: hears_interest(p, false); break;
    case PEER_HAVE: return hears_have(p, (int32_t)m->piece);
    case PEER_BITFIELD: case PEER_HAVE_ALL: case PEER_HAVE_NONE: return hears_all_it_has(p, m);
    case PEER_REQUEST: return peer_wants_block(p, (peer_request){m->piece, m->begin, m->length});
    case PEER_CANCEL: peer_wants_no_more(p, (peer_request){m->piece, m->begin, m->length}); break;
    case PEER_PORT: hears_port(p, m->port); break;
    case PEER_SUGGEST:
        if (t->picker)
            picker_suggest(t->picker, p->number, (int32_t)m->piece);
        p->suggested_ns = loop_now_ns();
        break;
    case PEER_REJECT: hears_reject(p, m); break;
    case PEER_ALLOWED_FAST: hears_allowed_fast(p, m->piece); break;
    case PEER_EXTENDED: return peer_extension_hears(p, m);
    case PEER_PIECE:                                     // of no known torrent: peer_reader.c takes all others
        p->why = "it sent a block that nobody asked for";
        return false;
    case PEER_KEEP_ALIVE: case PEER_UNKNOWN: break;
    }
    return true;
}
