#include "rooms/swarm/metadata.h"

#include "base/heap_memory.h"
#include "rt/digest.h"
#include "test.h"

enum { TOTAL = 3 * EXTENSION_METADATA_PIECE + 100, PIECES = 4 };
#define S_NS 1000000000ll

static unsigned char info[TOTAL];
static uint8_t hash[20];

static metadata_fetch *begin(void)
{
    for (int i = 0; i < TOTAL; i++)
        info[i] = (unsigned char)(i * 7 + i / 256);
    digest_of(DIGEST_SHA1, str_of(info, TOTAL), hash);
    return metadata_fetch_new(hash);
}

static metadata_message data_of(int32_t piece, int32_t total)
{
    int32_t from = piece * EXTENSION_METADATA_PIECE, length = total - from < EXTENSION_METADATA_PIECE ? total - from : EXTENSION_METADATA_PIECE;
    return (metadata_message){METADATA_DATA, piece, total, str_of(info + from, (size_t)length)};
}

// Answers what peer is asked until nothing more is; wrong: a byte of each piece is another.
static metadata_receipt give(metadata_fetch *f, int peer, bool wrong, int pieces_max)
{
    metadata_receipt last = METADATA_UNASKED;
    for (int32_t piece; pieces_max-- && (piece = metadata_fetch_next(f, peer, S_NS)) >= 0;) {
        metadata_message m = data_of(piece, TOTAL);
        unsigned char *bent = memory_new((size_t)m.data.len);
        memcpy(bent, m.data.at, (size_t)m.data.len);
        bent[0] ^= wrong;
        m.data.at = bent;
        last = metadata_fetch_data(f, peer, &m, S_NS);
        memory_free(bent);
    }
    return last;
}

static bool check(metadata_fetch *f, int *liar)
{
    uint8_t found[20];
    digest_of(DIGEST_SHA1, metadata_fetch_info(f), found);
    return metadata_fetch_check(f, found, liar);
}

TEST(metadata_comes_from_several_peers)
{
    metadata_fetch *f = begin();
    int liar;
    int64_t have, total;
    CHECK(metadata_fetch_peer(f, 1, TOTAL) && metadata_fetch_peer(f, 2, TOTAL));
    CHECK_INT(metadata_fetch_next(f, 3, S_NS), -1);
    CHECK_INT(give(f, 1, false, 2), METADATA_TAKEN);
    metadata_fetch_progress(f, &have, &total);
    CHECK(have == 2 * EXTENSION_METADATA_PIECE && total == TOTAL);
    CHECK_INT(give(f, 2, false, 9), METADATA_WHOLE);
    CHECK(check(f, &liar) && liar == -1);
    CHECK_STR(metadata_fetch_info(f), str_of(info, TOTAL));
    metadata_fetch_free(f);
}

TEST(metadata_no_more_than_two_requests_a_peer)
{
    metadata_fetch *f = begin();
    metadata_fetch_peer(f, 1, TOTAL);
    CHECK_INT(metadata_fetch_next(f, 1, S_NS), 0);
    CHECK_INT(metadata_fetch_next(f, 1, S_NS), 1);
    CHECK_INT(metadata_fetch_next(f, 1, S_NS), -1);
    metadata_message never = data_of(3, TOTAL), other = data_of(0, TOTAL - 5);
    CHECK_INT(metadata_fetch_data(f, 1, &never, S_NS), METADATA_UNASKED);
    CHECK_INT(metadata_fetch_data(f, 1, &other, S_NS), METADATA_NONSENSE);
    metadata_fetch_free(f);
}

TEST(metadata_a_liar_shows)
{
    metadata_fetch *f = begin();
    int liar;
    metadata_fetch_peer(f, 1, TOTAL);
    metadata_fetch_peer(f, 2, TOTAL);
    CHECK_INT(give(f, 1, true, 2), METADATA_TAKEN);
    CHECK_INT(give(f, 2, false, 9), METADATA_WHOLE);
    CHECK(!check(f, &liar) && liar == -1);                           // two gave it: who lied is not known
    CHECK_INT(give(f, 1, true, 9), METADATA_WHOLE);                  // now one alone
    CHECK_INT(give(f, 2, false, 9), METADATA_UNASKED);
    CHECK(!check(f, &liar) && liar == 1);
    CHECK(!metadata_fetch_peer(f, 1, TOTAL));
    CHECK_INT(give(f, 2, false, 9), METADATA_WHOLE);
    CHECK(check(f, &liar));
    metadata_fetch_free(f);
}

TEST(metadata_lengths_are_tried_by_their_claims)
{
    metadata_fetch *f = begin();
    metadata_fetch_peer(f, 1, 1000);
    CHECK_INT(metadata_fetch_next(f, 1, S_NS), 0);
    metadata_fetch_peer(f, 2, TOTAL);
    metadata_fetch_peer(f, 3, TOTAL);
    CHECK_INT(metadata_fetch_next(f, 1, S_NS), -1);
    CHECK_INT(give(f, 2, false, 9), METADATA_WHOLE);
    CHECK(metadata_fetch_peer(f, 4, 2000) && metadata_fetch_peer(f, 5, 3000));
    CHECK(!metadata_fetch_peer(f, 6, 4000));                         // a fifth length
    CHECK(!metadata_fetch_peer(f, 7, 0) && !metadata_fetch_peer(f, 7, EXTENSION_METADATA_MAX + 1) && !metadata_fetch_peer(f, METADATA_PEERS_MAX, TOTAL));
    metadata_fetch_free(f);
}

TEST(metadata_requests_expire_and_go_to_others)
{
    metadata_fetch *f = begin();
    metadata_fetch_peer(f, 1, TOTAL);
    CHECK_INT(metadata_fetch_expire(f, S_NS), 0);
    metadata_fetch_next(f, 1, S_NS);
    CHECK_INT(metadata_fetch_expire(f, S_NS), (1 + METADATA_TIMEOUT_S) * S_NS);
    metadata_fetch_expire(f, (1 + METADATA_TIMEOUT_S) * S_NS);
    CHECK_INT(metadata_fetch_next(f, 1, 20 * S_NS), 0);
    for (int i = 0; i < METADATA_REJECTS_MAX; i++) {
        metadata_fetch_reject(f, 1, 0, 20 * S_NS);
        CHECK_INT(metadata_fetch_next(f, 1, 20 * S_NS), i + 2 < METADATA_REJECTS_MAX ? 0 : -1);
    }
    CHECK_INT(metadata_fetch_next(f, 1, (21 + METADATA_PAUSE_S) * S_NS), 0);
    metadata_fetch_peer(f, 2, TOTAL);
    metadata_fetch_gone(f, 1);
    CHECK_INT(give(f, 2, false, 9), METADATA_WHOLE);
    metadata_fetch_free(f);
}

TEST(metadata_is_served_within_bounds)
{
    metadata_server s = {0};
    metadata_message ask = {.kind = METADATA_REQUEST, .piece = 3}, out;
    metadata_fetch_free(begin());
    CHECK(metadata_serve(&s, str_of(info, TOTAL), &ask, S_NS, &out) && out.kind == METADATA_DATA && out.data.len == 100 && out.total_bytes == TOTAL);
    ask.piece = 4;
    CHECK(metadata_serve(&s, str_of(info, TOTAL), &ask, S_NS, &out) && out.kind == METADATA_REJECT);
    ask.piece = 0;
    CHECK(metadata_serve(&s, (str){0}, &ask, S_NS, &out) && out.kind == METADATA_REJECT);
    int64_t sent = 0;
    while (metadata_serve(&s, str_of(info, TOTAL), &ask, S_NS, &out))
        sent += out.kind == METADATA_DATA ? out.data.len : 0;
    CHECK(sent <= METADATA_SERVE_BURST && sent > METADATA_SERVE_BURST - 2 * EXTENSION_METADATA_PIECE);
    CHECK_INT(s.served, METADATA_SERVE_PIECES_MAX);
    metadata_server later = {.since_ns = S_NS};
    CHECK(metadata_serve(&later, str_of(info, TOTAL), &ask, 2 * S_NS, &out) && out.kind == METADATA_DATA);   // a second's worth
}
