// Metadata exchange (BEP 9): the info dictionary of a magnet link, from several peers at once, and ours for others. Pure: no clock,
// no chance, no input or output; who carries the messages tells what happened and when. Peers are the caller's small numbers.
//
// Peers may differ about how long the metadata is: each length that is claimed is tried, the one with the most claims first.
// Nothing is believed before the whole thing hashes to the info hash; when a single peer gave all of it, and it does not, that peer lied.
#pragma once
#include "wire/bt/peer_extension.h"

enum {
    METADATA_PEERS_MAX = 200,                    // that may be asked; further ones are passed over
    METADATA_LENGTHS_MAX = 4,                    // different lengths under consideration
    METADATA_ASKED_MAX = 2,                      // pieces asked of one peer at a time
    METADATA_TWICE_MAX = 3,                      // peers asked for the same piece (only when nothing else is left)
    METADATA_REJECTS_MAX = 3,                    // of a peer, in a row; then it is not asked for METADATA_PAUSE_S
    METADATA_TIMEOUT_S = 10, METADATA_PAUSE_S = 60,
    METADATA_SERVE_PIECES_MAX = 2 * EXTENSION_METADATA_MAX / EXTENSION_METADATA_PIECE,   // to one peer, ever
    METADATA_SERVE_BYTES_PER_S = 256 * 1024,     // to one peer, after the first METADATA_SERVE_BURST
    METADATA_SERVE_BURST = 1 << 20,
};

typedef struct metadata_fetch metadata_fetch;

metadata_fetch *metadata_fetch_new(const uint8_t hash[20]);      // free with metadata_fetch_free
void metadata_fetch_free(metadata_fetch *f);                     // NULL is fine

// A peer's extension handshake named ut_metadata and metadata_size (> 0, <= EXTENSION_METADATA_MAX). False: not to be asked (too
// many peers, too many different lengths, it has lied before).
bool metadata_fetch_peer(metadata_fetch *f, int peer, int32_t total_bytes);
void metadata_fetch_gone(metadata_fetch *f, int peer);

// The next piece to request from this peer, marked as asked; -1: nothing now. Call it until it says -1 after each event of the peer
// and after each metadata_fetch_expire.
int32_t metadata_fetch_next(metadata_fetch *f, int peer, int64_t now_ns);
void    metadata_fetch_reject(metadata_fetch *f, int peer, int32_t piece, int64_t now_ns);
// Requests that were not answered in METADATA_TIMEOUT_S go to others. Returns when to call it again (NEVER_NS: 0: never).
int64_t metadata_fetch_expire(metadata_fetch *f, int64_t now_ns);

typedef enum {
    METADATA_TAKEN,                              // kept
    METADATA_UNASKED,                            // never asked of it, or not any more: passed over
    METADATA_NONSENSE,                           // total or length are not what it said before: hang up
    METADATA_WHOLE,                              // all is there: call metadata_fetch_check
} metadata_receipt;
metadata_receipt metadata_fetch_data(metadata_fetch *f, int peer, const metadata_message *m, int64_t now_ns);

// All pieces are there; `digest` is the SHA-1 of metadata_fetch_info (computed by the caller: up to 32 MiB, so in work()). True: it is
// the metadata. False: everything is thrown away and fetching begins anew; *liar is the peer that alone gave all of it (never asked
// again: hang up), or -1 when several did (the next round asks one peer alone).
bool metadata_fetch_check(metadata_fetch *f, const uint8_t digest[20], int *liar);
str  metadata_fetch_info(const metadata_fetch *f);               // empty unless all is there; good until check, free
void metadata_fetch_progress(const metadata_fetch *f, int64_t *have_bytes, int64_t *total_bytes);     // of the length tried now

// ---- serving ------------------------------------------------------------------------------------------------------------------

typedef struct {                                                 // of one peer; start zeroed
    int32_t served;
    int64_t credit_bytes, since_ns;
} metadata_server;

// Answers a request with data or a reject, into *out (data: a view into info). info empty: we do not have it. False: say nothing (it asks
// far too much).
bool metadata_serve(metadata_server *s, str info, const metadata_message *request, int64_t now_ns, metadata_message *out);
