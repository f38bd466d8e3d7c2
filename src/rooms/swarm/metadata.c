#include "rooms/swarm/metadata.h"

#include <string.h>

#include "base/heap_memory.h"
#include "base/must.h"

enum { NOBODY = -1, SEVERAL = -2, HASH_BYTES = 20 };
#define TIMEOUT_NS (METADATA_TIMEOUT_S * 1000000000ll)
#define PAUSE_NS   (METADATA_PAUSE_S * 1000000000ll)

typedef struct { int32_t piece; int64_t since_ns; } request;

typedef struct {
    bool    there, lied;
    int32_t total_bytes;                     // as it says
    request asked[METADATA_ASKED_MAX];
    int     asked_count, rejects;
    int64_t pause_ns;                        // not asked before
} source;

struct metadata_fetch {
    uint8_t hash[HASH_BYTES];
    source  peers[METADATA_PEERS_MAX];
    int32_t total_bytes, piece_count, have_count;    // of the length that is tried; 0: none yet
    unsigned char *bytes;                    // NULL before the first piece has come
    bool   *have;
    int     giver;                           // of all pieces so far: a peer, NOBODY or SEVERAL
    bool    one_alone;                       // several gave what did not fit: now one gives all, so that a liar shows
    int     alone;                           // who; NOBODY: to be chosen
};

static int32_t pieces_of(int32_t total) { return (total - 1) / EXTENSION_METADATA_PIECE + 1; }

static int32_t piece_length(const metadata_fetch *f, int32_t piece)
{
    int32_t left = f->total_bytes - piece * EXTENSION_METADATA_PIECE;
    return left < EXTENSION_METADATA_PIECE ? left : EXTENSION_METADATA_PIECE;
}

metadata_fetch *metadata_fetch_new(const uint8_t hash[20])
{
    metadata_fetch *f = memory_zeroed(1, sizeof *f);
    memcpy(f->hash, hash, sizeof f->hash);
    f->giver = f->alone = NOBODY;
    return f;
}

void metadata_fetch_free(metadata_fetch *f)
{
    if (!f)
        return;
    memory_free(f->bytes);
    memory_free(f->have);
    memory_free(f);
}

// ---- which length ---------------------------------------------------------------------------------------------------------------

static void begin_anew(metadata_fetch *f, int32_t total)
{
    memory_free(f->bytes);
    memory_free(f->have);
    f->bytes = NULL;
    f->have = NULL;
    f->have_count = 0;
    f->giver = NOBODY;
    f->alone = NOBODY;
    f->total_bytes = total;
    f->piece_count = total ? pieces_of(total) : 0;
    for (int i = 0; i < METADATA_PEERS_MAX; i++)
        f->peers[i].asked_count = 0;
}

static int claims_of(const metadata_fetch *f, int32_t total)
{
    int n = 0;
    for (int i = 0; i < METADATA_PEERS_MAX; i++)
        n += f->peers[i].there && !f->peers[i].lied && f->peers[i].total_bytes == total;
    return n;
}

static int lengths_claimed(const metadata_fetch *f, int32_t besides)
{
    int32_t seen[METADATA_LENGTHS_MAX];
    int n = 0;
    for (int i = 0; i < METADATA_PEERS_MAX && n < METADATA_LENGTHS_MAX; i++) {
        int32_t total = f->peers[i].total_bytes;
        bool is_new = f->peers[i].there && !f->peers[i].lied && total != besides;
        for (int k = 0; k < n && is_new; k++)
            is_new = seen[k] != total;
        if (is_new)
            seen[n++] = total;
    }
    return n;
}

// The length with the most claims; what is being fetched stays as long as somebody claims it.
static void length_choose(metadata_fetch *f)
{
    if (f->total_bytes && f->have_count && claims_of(f, f->total_bytes))
        return;
    int32_t best = 0;
    int most = 0;
    for (int i = 0; i < METADATA_PEERS_MAX; i++) {
        const source *s = &f->peers[i];
        int claims = s->there && !s->lied ? claims_of(f, s->total_bytes) : 0;
        if (claims > most) {
            most = claims;
            best = s->total_bytes;
        }
    }
    if (best != f->total_bytes)
        begin_anew(f, best);
}

bool metadata_fetch_peer(metadata_fetch *f, int peer, int32_t total_bytes)
{
    if (peer < 0 || peer >= METADATA_PEERS_MAX || total_bytes < 1 || total_bytes > EXTENSION_METADATA_MAX || f->peers[peer].lied)
        return false;
    if (lengths_claimed(f, total_bytes) == METADATA_LENGTHS_MAX)
        return false;
    f->peers[peer] = (source){.there = true, .total_bytes = total_bytes};
    length_choose(f);
    return true;
}

void metadata_fetch_gone(metadata_fetch *f, int peer)
{
    if (peer < 0 || peer >= METADATA_PEERS_MAX)
        return;
    f->peers[peer] = (source){0};
    if (f->alone == peer)
        begin_anew(f, f->total_bytes);           // another one gives all of it
    length_choose(f);
}

// ---- asking ---------------------------------------------------------------------------------------------------------------------

static int asked_by(const metadata_fetch *f, int32_t piece, int peer, bool *of_this)
{
    int n = 0;
    for (int i = 0; i < METADATA_PEERS_MAX; i++)
        for (int k = 0; k < f->peers[i].asked_count; k++)
            if (f->peers[i].asked[k].piece == piece) {
                n++;
                *of_this = *of_this || i == peer;
            }
    return n;
}

// The first piece that nobody was asked for; else the one that the fewest others were asked for.
static int32_t piece_choose(const metadata_fetch *f, int peer)
{
    int32_t best = -1;
    int least = METADATA_TWICE_MAX;
    for (int32_t i = 0; i < f->piece_count && least; i++) {
        bool of_this = false;
        if (f->have && f->have[i])
            continue;
        int others = asked_by(f, i, peer, &of_this);
        if (!of_this && others < least) {
            least = others;
            best = i;
        }
    }
    return best;
}

int32_t metadata_fetch_next(metadata_fetch *f, int peer, int64_t now_ns)
{
    source *s = peer >= 0 && peer < METADATA_PEERS_MAX ? &f->peers[peer] : NULL;
    if (!s || !s->there || s->lied || s->total_bytes != f->total_bytes || s->asked_count == METADATA_ASKED_MAX || s->pause_ns > now_ns)
        return -1;
    if (f->one_alone && f->alone == NOBODY)
        f->alone = peer;
    if (f->one_alone && f->alone != peer)
        return -1;
    int32_t piece = piece_choose(f, peer);
    if (piece >= 0)
        s->asked[s->asked_count++] = (request){piece, now_ns};
    return piece;
}

static bool request_take(source *s, int32_t piece)
{
    for (int k = 0; k < s->asked_count; k++)
        if (s->asked[k].piece == piece) {
            s->asked[k] = s->asked[--s->asked_count];
            return true;
        }
    return false;
}

// Who does not help is left alone for a while; who was to give all of it is replaced.
static void disappointed(metadata_fetch *f, int peer, int64_t now_ns)
{
    source *s = &f->peers[peer];
    if (++s->rejects < METADATA_REJECTS_MAX)
        return;
    s->rejects = 0;
    s->pause_ns = now_ns + PAUSE_NS;
    if (f->alone == peer)
        begin_anew(f, f->total_bytes);
}

void metadata_fetch_reject(metadata_fetch *f, int peer, int32_t piece, int64_t now_ns)
{
    if (peer >= 0 && peer < METADATA_PEERS_MAX && request_take(&f->peers[peer], piece))
        disappointed(f, peer, now_ns);
}

int64_t metadata_fetch_expire(metadata_fetch *f, int64_t now_ns)
{
    int64_t due = 0;
    for (int i = 0; i < METADATA_PEERS_MAX; i++) {
        source *s = &f->peers[i];
        for (int k = s->asked_count - 1; k >= 0; k--)
            if (k < s->asked_count && s->asked[k].since_ns + TIMEOUT_NS <= now_ns) {
                s->asked[k] = s->asked[--s->asked_count];
                disappointed(f, i, now_ns);
            }
        for (int k = 0; k < s->asked_count; k++)
            if (!due || s->asked[k].since_ns + TIMEOUT_NS < due)
                due = s->asked[k].since_ns + TIMEOUT_NS;
        if (s->there && s->pause_ns > now_ns && (!due || s->pause_ns < due))
            due = s->pause_ns;
    }
    return due;
}

// ---- what comes -----------------------------------------------------------------------------------------------------------------

metadata_receipt metadata_fetch_data(metadata_fetch *f, int peer, const metadata_message *m, int64_t now_ns)
{
    (void)now_ns;
    source *s = peer >= 0 && peer < METADATA_PEERS_MAX ? &f->peers[peer] : NULL;
    if (!s || !s->there || m->kind != METADATA_DATA)
        return METADATA_UNASKED;
    if (m->total_bytes != s->total_bytes)
        return METADATA_NONSENSE;
    if (!request_take(s, m->piece) || s->total_bytes != f->total_bytes)
        return METADATA_UNASKED;
    if (m->piece < 0 || m->piece >= f->piece_count || m->data.len != piece_length(f, m->piece))
        return METADATA_NONSENSE;
    if (!f->bytes) {
        f->bytes = memory_new((size_t)f->total_bytes);
        f->have = memory_zeroed((size_t)f->piece_count, sizeof *f->have);
    }
    if (f->have[m->piece])
        return METADATA_UNASKED;                 // another one was faster
    memcpy(f->bytes + (size_t)m->piece * EXTENSION_METADATA_PIECE, m->data.at, (size_t)m->data.len);
    f->have[m->piece] = true;
    f->giver = f->giver == NOBODY || f->giver == peer ? peer : SEVERAL;
    s->rejects = 0;
    return ++f->have_count == f->piece_count ? METADATA_WHOLE : METADATA_TAKEN;
}

bool metadata_fetch_check(metadata_fetch *f, const uint8_t digest[20], int *liar)
{
    *liar = NOBODY;
    must(f->piece_count && f->have_count == f->piece_count);
    if (memcmp(digest, f->hash, sizeof f->hash) == 0)
        return true;
    f->one_alone = true;
    if (f->giver >= 0) {
        *liar = f->giver;
        f->peers[f->giver].lied = true;
    }
    begin_anew(f, f->total_bytes);
    length_choose(f);
    return false;
}

str metadata_fetch_info(const metadata_fetch *f)
{
    bool whole = f->piece_count && f->have_count == f->piece_count;
    return whole ? str_of(f->bytes, (size_t)f->total_bytes) : (str){0};
}

void metadata_fetch_progress(const metadata_fetch *f, int64_t *have_bytes, int64_t *total_bytes)
{
    *total_bytes = f->total_bytes;
    *have_bytes = 0;
    for (int32_t i = 0; f->have && i < f->piece_count; i++)
        *have_bytes += f->have[i] ? piece_length(f, i) : 0;
}

// ---- serving --------------------------------------------------------------------------------------------------------------------

static bool credit_take(metadata_server *s, int64_t bytes, int64_t now_ns)
{
    if (!s->since_ns)
        s->credit_bytes = METADATA_SERVE_BURST;
    else
        s->credit_bytes += (now_ns - s->since_ns) / 1000 * METADATA_SERVE_BYTES_PER_S / 1000000;
    s->since_ns = now_ns;
    if (s->credit_bytes > METADATA_SERVE_BURST)
        s->credit_bytes = METADATA_SERVE_BURST;
    if (s->credit_bytes < bytes)
        return false;
    s->credit_bytes -= bytes;
    return true;
}

bool metadata_serve(metadata_server *s, str info, const metadata_message *m, int64_t now_ns, metadata_message *out)
{
    if (m->kind != METADATA_REQUEST || s->served >= METADATA_SERVE_PIECES_MAX)
        return false;
    s->served++;
    *out = (metadata_message){.kind = METADATA_REJECT, .piece = m->piece};
    int64_t from = (int64_t)m->piece * EXTENSION_METADATA_PIECE;
    str data = m->piece < 0 || from >= info.len ? (str){0} : str_sub(info, (ptrdiff_t)from, EXTENSION_METADATA_PIECE);
    if (data.len && credit_take(s, data.len, now_ns))
        *out = (metadata_message){METADATA_DATA, m->piece, (int32_t)info.len, data};
    return true;
}
