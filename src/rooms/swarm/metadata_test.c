#include "rooms/swarm/metadata.h"

#include "rt/digest.h"
#include "test.h"

enum { TOTAL = 5 * EXTENSION_METADATA_PIECE + 100, PIECES = 6, SECOND = 1000000000 };

typedef struct { unsigned char *info, *false_info; uint8_t hash[20]; metadata_fetch *f; } exchange;

static unsigned char true_bytes[TOTAL], false_bytes[TOTAL];

static void exchange_begin(exchange *x)
{
    uint64_t chance = 7;
    *x = (exchange){.info = true_bytes, .false_info = false_bytes};
    for (int i = 0; i < TOTAL; i++) {
        x->info[i] = (unsigned char)test_random(&chance);
        x->false_info[i] = (unsigned char)(x->info[i] ^ 1);
    }
    digest_of(DIGEST_SHA1, str_of(x->info, TOTAL), x->hash);
    x->f = metadata_fetch_new(x->hash);
}

static metadata_message message(const unsigned char *info, int32_t total, int32_t piece)
{
    return (metadata_message){METADATA_DATA, piece, total, str_sub(str_of(info, (size_t)total), (ptrdiff_t)piece * EXTENSION_METADATA_PIECE,
                                                                    EXTENSION_METADATA_PIECE)};
}

static metadata_receipt give(exchange *x, int peer, const unsigned char *info, int32_t total, int32_t piece)
{
    metadata_message m = message(info, total, piece);
    return metadata_fetch_data(x->f, peer, &m, 0);
}

static bool check(exchange *x, int *liar)
{
    uint8_t sum[20];
    digest_of(DIGEST_SHA1, metadata_fetch_info(x->f), sum);
    return metadata_fetch_check(x->f, sum, liar);
}

// Everything that this peer may be asked now, answered from these bytes. Returns the last receipt.
static metadata_receipt answer_all(exchange *x, int peer, const unsigned char *info)
{
    metadata_receipt last = METADATA_UNASKED;
    for (int32_t piece; (piece = metadata_fetch_next(x->f, peer, SECOND)) >= 0; )
        last = give(x, peer, info, TOTAL, piece);
    return last;
}

TEST(metadata_comes_from_several_peers)
{
    exchange x;
    int liar;
    int64_t have, total;
    exchange_begin(&x);
    CHECK(metadata_fetch_peer(x.f, 1, TOTAL) && metadata_fetch_peer(x.f, 2, TOTAL));
    CHECK(!metadata_fetch_peer(x.f, 3, 0) && !metadata_fetch_peer(x.f, 3, EXTENSION_METADATA_MAX + 1));
    CHECK_INT(metadata_fetch_next(x.f, 9, 0), -1);
    CHECK_INT(metadata_fetch_next(x.f, 1, 0), 0);
    CHECK_INT(metadata_fetch_next(x.f, 1, 0), 1);
    CHECK_INT(metadata_fetch_next(x.f, 1, 0), -1);                       // METADATA_ASKED_MAX
    CHECK_INT(metadata_fetch_next(x.f, 2, 0), 2);
    CHECK_INT(metadata_fetch_next(x.f, 2, 0), 3);
    CHECK_INT(give(&x, 2, x.info, TOTAL, 0), METADATA_UNASKED);          // that was the other one's
    CHECK_INT(give(&x, 1, x.info, TOTAL, 0), METADATA_TAKEN);
    CHECK_INT(give(&x, 1, x.info, TOTAL, 0), METADATA_UNASKED);
    CHECK_INT(give(&x, 1, x.info, TOTAL - 1, 1), METADATA_NONSENSE);
    metadata_fetch_progress(x.f, &have, &total);
    CHECK(have == EXTENSION_METADATA_PIECE && total == TOTAL);
    CHECK_INT(metadata_fetch_info(x.f).len, 0);
    metadata_fetch_gone(x.f, 2);                                         // its pieces are free again
    CHECK_INT(give(&x, 1, x.info, TOTAL, 1), METADATA_TAKEN);
    CHECK_INT(answer_all(&x, 1, x.info), METADATA_WHOLE);
    CHECK(check(&x, &liar));
    CHECK_STR(metadata_fetch_info(x.f), str_of(x.info, TOTAL));
    metadata_fetch_free(x.f);
}

TEST(metadata_of_a_lonely_liar_is_his_fault)
{
    exchange x;
    int liar;
    exchange_begin(&x);
    CHECK(metadata_fetch_peer(x.f, 1, TOTAL));
    CHECK_INT(answer_all(&x, 1, x.false_info), METADATA_WHOLE);
    CHECK(!check(&x, &liar) && liar == 1);
    CHECK_INT(metadata_fetch_next(x.f, 1, SECOND), -1);
    CHECK(!metadata_fetch_peer(x.f, 1, TOTAL));
    CHECK(metadata_fetch_peer(x.f, 2, TOTAL));
    CHECK_INT(answer_all(&x, 2, x.info), METADATA_WHOLE);
    CHECK(check(&x, &liar));
    metadata_fetch_free(x.f);
}

// Two gave it and it is wrong: nobody knows who lied. The next round asks one alone.
TEST(metadata_of_several_is_asked_of_one_alone_after_a_failure)
{
    exchange x;
    int liar;
    exchange_begin(&x);
    CHECK(metadata_fetch_peer(x.f, 1, TOTAL) && metadata_fetch_peer(x.f, 2, TOTAL));
    int32_t first = metadata_fetch_next(x.f, 1, 0);
    CHECK_INT(give(&x, 1, x.false_info, TOTAL, first), METADATA_TAKEN);
    CHECK_INT(answer_all(&x, 2, x.info), METADATA_WHOLE);
    CHECK(!check(&x, &liar) && liar == -1);
    int alone = metadata_fetch_next(x.f, 1, SECOND) >= 0 ? 1 : 2, other = 3 - alone;
    CHECK_INT(alone, 1);
    CHECK_INT(metadata_fetch_next(x.f, other, SECOND), -1);
    CHECK_INT(give(&x, 1, x.false_info, TOTAL, 0), METADATA_TAKEN);
    CHECK_INT(answer_all(&x, 1, x.false_info), METADATA_WHOLE);
    CHECK(!check(&x, &liar) && liar == 1);
    CHECK_INT(answer_all(&x, 2, x.info), METADATA_WHOLE);
    CHECK(check(&x, &liar));
    metadata_fetch_free(x.f);
}

TEST(metadata_lengths_that_differ_are_tried_the_commonest_first)
{
    exchange x;
    int liar;
    static unsigned char zeros[3 * EXTENSION_METADATA_PIECE];
    exchange_begin(&x);
    CHECK(metadata_fetch_peer(x.f, 1, sizeof zeros));
    CHECK(metadata_fetch_peer(x.f, 2, TOTAL) && metadata_fetch_peer(x.f, 3, TOTAL));
    CHECK_INT(metadata_fetch_next(x.f, 2, 0), -1);                       // the first one's length is being tried
    for (int32_t piece; (piece = metadata_fetch_next(x.f, 1, 0)) >= 0; )
        give(&x, 1, zeros, sizeof zeros, piece);
    CHECK(!check(&x, &liar) && liar == 1);
    CHECK_INT(answer_all(&x, 2, x.info), METADATA_WHOLE);
    CHECK(check(&x, &liar));
    for (int i = 0; i < 10; i++)                                         // no more than METADATA_LENGTHS_MAX different ones
        CHECK_ROW(i, metadata_fetch_peer(x.f, 10 + i, 100 + i) == (i < METADATA_LENGTHS_MAX - 2));
    metadata_fetch_free(x.f);
}

TEST(metadata_requests_time_out_and_rejects_pause_a_peer)
{
    exchange x;
    exchange_begin(&x);
    CHECK(metadata_fetch_peer(x.f, 1, TOTAL) && metadata_fetch_peer(x.f, 2, TOTAL));
    int64_t now = 100ll * SECOND;
    CHECK_INT(metadata_fetch_next(x.f, 1, now), 0);
    CHECK_INT(metadata_fetch_expire(x.f, now + SECOND), now + (int64_t)METADATA_TIMEOUT_S * SECOND);
    now += (int64_t)METADATA_TIMEOUT_S * SECOND;
    CHECK_INT(metadata_fetch_expire(x.f, now), 0);
    CHECK_INT(metadata_fetch_next(x.f, 2, now), 0);                      // goes to the other
    CHECK_INT(give(&x, 1, x.info, TOTAL, 0), METADATA_UNASKED);          // too late
    for (int i = 0; i < METADATA_REJECTS_MAX - 1; i++) {
        int32_t piece = metadata_fetch_next(x.f, 1, now);
        CHECK_ROW(i, piece >= 0);
        metadata_fetch_reject(x.f, 1, piece, now);
    }
    CHECK_INT(metadata_fetch_next(x.f, 1, now), -1);
    CHECK(metadata_fetch_next(x.f, 1, now + (int64_t)METADATA_PAUSE_S * SECOND) >= 0);
    metadata_fetch_free(x.f);
}

TEST(metadata_is_asked_twice_only_when_nothing_else_is_left)
{
    exchange x;
    exchange_begin(&x);
    for (int peer = 1; peer <= 3; peer++)
        CHECK(metadata_fetch_peer(x.f, peer, TOTAL));
    bool seen[PIECES] = {false};
    for (int peer = 1; peer <= 3; peer++)
        for (int i = 0; i < METADATA_ASKED_MAX; i++) {
            int32_t piece = metadata_fetch_next(x.f, peer, 0);
            CHECK(piece >= 0 && !seen[piece]);
            seen[piece] = true;
        }
    CHECK(metadata_fetch_peer(x.f, 4, TOTAL));
    CHECK(metadata_fetch_next(x.f, 4, 0) >= 0);
    metadata_fetch_free(x.f);
}

TEST(metadata_is_served_in_measure)
{
    exchange x;
    exchange_begin(&x);
    metadata_server s = {0};
    metadata_message out, ask = {.kind = METADATA_REQUEST, .piece = 5};
    str info = str_of(x.info, TOTAL);
    CHECK(metadata_serve(&s, info, &ask, SECOND, &out));
    CHECK(out.kind == METADATA_DATA && out.data.len == 100 && out.total_bytes == TOTAL && out.piece == 5);
    ask.piece = 6;
    CHECK(metadata_serve(&s, info, &ask, SECOND, &out) && out.kind == METADATA_REJECT);
    ask.piece = 0;
    CHECK(metadata_serve(&s, (str){0}, &ask, SECOND, &out) && out.kind == METADATA_REJECT);
    int64_t bytes = 0;
    for (int i = 0; i < 200; i++)
        if (metadata_serve(&s, info, &ask, SECOND, &out) && out.kind == METADATA_DATA)
            bytes += out.data.len;
    CHECK(bytes <= METADATA_SERVE_BURST && bytes > METADATA_SERVE_BURST - 2 * EXTENSION_METADATA_PIECE);
    CHECK(metadata_serve(&s, info, &ask, 2ll * SECOND, &out) && out.kind == METADATA_DATA);
    int answers = 0;
    for (int i = 0; i < 2 * METADATA_SERVE_PIECES_MAX; i++)
        answers += metadata_serve(&s, info, &ask, 3ll * SECOND + i, &out);
    CHECK(answers < METADATA_SERVE_PIECES_MAX);
    metadata_fetch_free(x.f);
}
