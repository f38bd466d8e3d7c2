#include "rooms/swarm/metadata.h"

#include <string.h>

#include "base/heap_memory.h"
#include "base/must.h"

enum { PIECE = EXTENSION_METADATA_PIECE, NOBODY = -1, NS_A_SECOND = 1000000000 };

typedef struct { int32_t piece; int64_t at_ns; } asking;

typedef struct {
    int     id;
    int32_t total_bytes;
    bool    lied;
    int     rejects;                             // in a row, timeouts too
    int64_t paused_until_ns;
    asking  asked[METADATA_ASKED_MAX];
    int     asked_count;
} peer;

struct metadata_fetch {
    uint8_t  hash[20];
    peer     peers[METADATA_PEERS_MAX];
    int      peer_count;
    int32_t  total_bytes;                        // the length that is tried; 0: none
    int32_t  pieces, have;
    unsigned char *info;
    int     *from;                               // of each piece: the peer that gave it, NOBODY: not there
    uint8_t *asked;                              // of each piece: peers asked now
    int      alone;                              // the only peer asked in this round; NOBODY: all are
};

// ---- peers and lengths -----------------------------------------------------------------------------------------------------------

static peer *peer_find(metadata_fetch *f, int id)
{
    for (int i = 0; i < f->peer_count; i++)
        if (f->peers[i].id == id)
            return &f->peers[i];
    return NULL;
}

static int claims(const metadata_fetch *f, int32_t total_bytes)
{
    int n = 0;
    for (int i = 0; i < f->peer_count; i++)
        n += f->peers[i].total_bytes == total_bytes && !f->peers[i].lied;
    return n;
}

static int lengths(const metadata_fetch *f)
{
    int n = 0;
    for (int i = 0; i < f->peer_count; i++) {
        bool first = true;
        for (int k = 0; k < i; k++)
            first = first && f->peers[k].total_bytes != f->peers[i].total_bytes;
        n += first;
    }
    return n;
}

static void round_end(metadata_fetch *f)
{
    memory_free(f->info);
    memory_free(f->from);
    memory_free(f->asked);
    f->info = NULL;
    f->from = NULL;
    f->asked = NULL;
    f->total_bytes = f->pieces = f->have = 0;
    for (int i = 0; i < f->peer_count; i++)
        f->peers[i].asked_count = 0;
}

// The length that most peers claim; nobody is asked for another one until those are gone, or have lied.
static void round_begin(metadata_fetch *f)
{
    int best = 0;
    int32_t total = 0;
    for (int i = 0; i < f->peer_count; i++) {
        int n = f->peers[i].lied ? 0 : claims(f, f->peers[i].total_bytes);
        if (n > best)
            best = n, total = f->peers[i].total_bytes;
    }
    if (!best)
        return;
    f->total_bytes = total;
    f->pieces = (total + PIECE - 1) / PIECE;
    f->info = memory_new((size_t)total);
    f->from = memory_new((size_t)f->pieces * sizeof *f->from);
    f->asked = memory_zeroed((size_t)f->pieces, 1);
    for (int32_t i = 0; i < f->pieces; i++)
        f->from[i] = NOBODY;
}

static void round_review(metadata_fetch *f)
{
    if (f->alone != NOBODY) {
        const peer *p = peer_find(f, f->alone);
        if (!p || p->lied || p->total_bytes != f->total_bytes)
            f->alone = NOBODY;
    }
    if (f->total_bytes && !claims(f, f->total_bytes) && f->have < f->pieces)
        round_end(f);
    if (!f->total_bytes)
        round_begin(f);
}

metadata_fetch *metadata_fetch_new(const uint8_t hash[20])
{
    metadata_fetch *f = memory_zeroed(1, sizeof *f);
    memcpy(f->hash, hash, sizeof f->hash);
    f->alone = NOBODY;
    return f;
}

void metadata_fetch_free(metadata_fetch *f)
{
    if (!f)
        return;
    round_end(f);
    memory_free(f);
}

bool metadata_fetch_peer(metadata_fetch *f, int id, int32_t total_bytes)
{
    peer *p = peer_find(f, id);
    if (total_bytes <= 0 || total_bytes > EXTENSION_METADATA_MAX || (p && p->lied))
        return false;
    if (p)
        return p->total_bytes == total_bytes;    // it cannot take back what it said
    if (f->peer_count == METADATA_PEERS_MAX || (!claims(f, total_bytes) && lengths(f) >= METADATA_LENGTHS_MAX))
        return false;
    f->peers[f->peer_count++] = (peer){.id = id, .total_bytes = total_bytes};
    round_review(f);
    return true;
}

static void ask_forget(metadata_fetch *f, peer *p, int index)
{
    int32_t piece = p->asked[index].piece;
    if (f->asked && f->asked[piece])
        f->asked[piece]--;
    p->asked[index] = p->asked[--p->asked_count];
}

// Who lied is remembered: its number may come back with the same peer behind it only when the caller gives it so.
void metadata_fetch_gone(metadata_fetch *f, int id)
{
    peer *p = peer_find(f, id);
    if (!p)
        return;
    while (p->asked_count)
        ask_forget(f, p, 0);
    *p = f->peers[--f->peer_count];
    round_review(f);
}

// ---- asking ------------------------------------------------------------------------------------------------------------------------

static bool asked_of(const peer *p, int32_t piece)
{
    for (int i = 0; i < p->asked_count; i++)
        if (p->asked[i].piece == piece)
            return true;
    return false;
}

// One that nobody was asked for; when there is none, one that few were asked for.
static int32_t piece_choose(const metadata_fetch *f, const peer *p)
{
    int32_t second = NOBODY;
    for (int32_t i = 0; i < f->pieces; i++) {
        if (f->from[i] != NOBODY || asked_of(p, i))
            continue;
        if (!f->asked[i])
            return i;
        if (f->asked[i] < METADATA_TWICE_MAX && (second < 0 || f->asked[i] < f->asked[second]))
            second = i;
    }
    return second;
}

int32_t metadata_fetch_next(metadata_fetch *f, int id, int64_t now_ns)
{
    peer *p = peer_find(f, id);
    if (!p || p->lied || p->asked_count == METADATA_ASKED_MAX || !f->total_bytes || p->total_bytes != f->total_bytes ||
        now_ns < p->paused_until_ns || (f->alone != NOBODY && f->alone != id))
        return NOBODY;
    int32_t piece = piece_choose(f, p);
    if (piece < 0)
        return NOBODY;
    p->asked[p->asked_count++] = (asking){piece, now_ns};
    f->asked[piece]++;
    return piece;
}

static void failed(metadata_fetch *f, peer *p, int64_t now_ns)
{
    if (++p->rejects < METADATA_REJECTS_MAX)
        return;
    p->rejects = 0;
    p->paused_until_ns = now_ns + (int64_t)METADATA_PAUSE_S * NS_A_SECOND;
    if (f->alone == p->id)                       // the others may help again
        f->alone = NOBODY;
}

void metadata_fetch_reject(metadata_fetch *f, int id, int32_t piece, int64_t now_ns)
{
    peer *p = peer_find(f, id);
    for (int i = 0; p && i < p->asked_count; i++)
        if (p->asked[i].piece == piece) {
            ask_forget(f, p, i);
            failed(f, p, now_ns);
            return;
        }
}

static void earliest(int64_t *next, int64_t at)
{
    if (!*next || at < *next)
        *next = at;
}

int64_t metadata_fetch_expire(metadata_fetch *f, int64_t now_ns)
{
    const int64_t patience = (int64_t)METADATA_TIMEOUT_S * NS_A_SECOND;
    int64_t next = 0;
    for (int k = 0; k < f->peer_count; k++) {
        peer *p = &f->peers[k];
        for (int i = 0; i < p->asked_count; ) {
            if (now_ns - p->asked[i].at_ns >= patience) {
                ask_forget(f, p, i);
                failed(f, p, now_ns);
            } else {
                earliest(&next, p->asked[i++].at_ns + patience);
            }
        }
        if (p->paused_until_ns > now_ns)
            earliest(&next, p->paused_until_ns);
    }
    return next;
}

// ---- what comes --------------------------------------------------------------------------------------------------------------------

metadata_receipt metadata_fetch_data(metadata_fetch *f, int id, const metadata_message *m, int64_t now_ns)
{
    (void)now_ns;
    peer *p = peer_find(f, id);
    int i = 0;
    while (p && i < p->asked_count && p->asked[i].piece != m->piece)
        i++;
    if (!p || i == p->asked_count)
        return METADATA_UNASKED;
    int64_t at = (int64_t)m->piece * PIECE, left = f->total_bytes - at;
    if (m->total_bytes != f->total_bytes || m->data.len != (left < PIECE ? left : PIECE))
        return METADATA_NONSENSE;
    ask_forget(f, p, i);
    p->rejects = 0;
    if (f->from[m->piece] != NOBODY)
        return METADATA_TAKEN;                   // another was faster
    memcpy(f->info + at, m->data.at, (size_t)m->data.len);
    f->from[m->piece] = id;
    return ++f->have == f->pieces ? METADATA_WHOLE : METADATA_TAKEN;
}

str metadata_fetch_info(const metadata_fetch *f)
{
    return f->total_bytes && f->have == f->pieces ? str_of(f->info, (size_t)f->total_bytes) : (str){0};
}

void metadata_fetch_progress(const metadata_fetch *f, int64_t *have_bytes, int64_t *total_bytes)
{
    *total_bytes = f->total_bytes;
    *have_bytes = f->have == f->pieces ? f->total_bytes : (int64_t)f->have * PIECE;
}

// Did one peer give all of it? Else one of those that gave some, and is still there, is asked alone next.
static int giver(const metadata_fetch *f, int *some)
{
    bool single = true;
    *some = NOBODY;
    for (int32_t i = 0; i < f->pieces; i++) {
        single = single && f->from[i] == f->from[0];
        for (int k = 0; k < f->peer_count && *some == NOBODY; k++)
            if (f->peers[k].id == f->from[i] && !f->peers[k].lied)
                *some = f->from[i];
    }
    return single ? f->from[0] : NOBODY;
}

bool metadata_fetch_check(metadata_fetch *f, const uint8_t digest[20], int *liar)
{
    int some;
    must(f->total_bytes && f->have == f->pieces);
    *liar = NOBODY;
    if (memcmp(digest, f->hash, sizeof f->hash) == 0)
        return true;
    *liar = giver(f, &some);
    peer *p = *liar == NOBODY ? NULL : peer_find(f, *liar);
    if (p)
        p->lied = true;
    round_end(f);
    f->alone = *liar == NOBODY ? some : NOBODY;
    round_begin(f);
    round_review(f);
    return false;
}

// ---- serving -----------------------------------------------------------------------------------------------------------------------

static void credit_grow(metadata_server *s, int64_t now_ns)
{
    int64_t passed = now_ns - s->since_ns;
    bool first = !s->since_ns && !s->served;
    if (first || passed >= 60ll * NS_A_SECOND)
        s->credit_bytes = METADATA_SERVE_BURST;
    else if (passed > 0)
        s->credit_bytes += passed * METADATA_SERVE_BYTES_PER_S / NS_A_SECOND;
    if (s->credit_bytes > METADATA_SERVE_BURST)
        s->credit_bytes = METADATA_SERVE_BURST;
    s->since_ns = now_ns;
}

bool metadata_serve(metadata_server *s, str info, const metadata_message *request, int64_t now_ns, metadata_message *out)
{
    if (request->kind != METADATA_REQUEST || s->served >= METADATA_SERVE_PIECES_MAX)
        return false;
    credit_grow(s, now_ns);
    str data = request->piece >= 0 ? str_sub(info, (ptrdiff_t)request->piece * PIECE, PIECE) : (str){0};
    s->served++;
    *out = (metadata_message){.kind = METADATA_REJECT, .piece = request->piece};
    if (!data.len || s->credit_bytes < data.len)
        return true;
    s->credit_bytes -= data.len;
    *out = (metadata_message){.kind = METADATA_DATA, .piece = request->piece, .total_bytes = (int32_t)info.len, .data = data};
    return true;
}
