#include "rooms/swarm/picker.h"

#include "test.h"

enum { PIECES = 64, BLOCKS = 4, PEERS = 12 };
#define PIECE_BYTES (BLOCKS * PICKER_BLOCK_BYTES)

static const picker_shape shape = {(PIECES - 1) * PIECE_BYTES + PICKER_BLOCK_BYTES + 5, PIECE_BYTES, PIECES};

typedef struct { arena memory; bitfield all, none, some; picker *p; } bench;

static bench bench_make(uint64_t seed)
{
    bench b = {.memory = arena_make(1 << 20)};
    CHECK(bitfield_make(&b.memory, PIECES, &b.all) && bitfield_make(&b.memory, PIECES, &b.none));
    CHECK(bitfield_make(&b.memory, PIECES, &b.some));
    bitfield_fill(&b.all);
    b.p = picker_new(shape, NULL, seed);
    return b;
}

static void bench_free(bench *b)
{
    picker_free(b->p);
    arena_free(&b->memory);
}

static picker_receipt receive(picker *p, int peer, picker_block b)
{
    int cancel[PICKER_ASKED_MAX], count;
    return picker_received(p, peer, b, cancel, &count);
}

// Asks for a whole piece and receives it.
static int32_t piece_fetch(picker *p, int peer, const bitfield *has)
{
    picker_block b[BLOCKS];
    int n = picker_choose(p, peer, has, BLOCKS, 1, b);
    for (int i = 0; i < n; i++)
        receive(p, peer, b[i]);
    picker_piece_done(p, b[0].piece);
    return n ? b[0].piece : -1;
}

TEST(blocks_have_the_right_lengths)
{
    bench b = bench_make(1);
    picker_block x[PIECES * BLOCKS];
    int n = picker_choose(b.p, 0, &b.all, PIECES * BLOCKS, 1, x);
    CHECK_INT(n, (PIECES - 1) * BLOCKS + 2);
    int64_t sum = 0;
    for (int i = 0; i < n; i++) {
        CHECK(x[i].begin % PICKER_BLOCK_BYTES == 0);
        CHECK_INT(x[i].length, x[i].piece == PIECES - 1 && x[i].begin ? 5 : PICKER_BLOCK_BYTES);
        sum += x[i].length;
    }
    CHECK_INT(sum, shape.length);
    CHECK_INT(picker_asked_of(b.p, 0), n);
    bench_free(&b);
}

TEST(the_rarest_comes_first)
{
    bench b = bench_make(2);
    picker_peer_bitfield(b.p, &b.all);
    picker_peer_bitfield(b.p, &b.all);
    for (int i = 0; i < PIECES; i++)
        for (int k = 0; i != 17 && i != 40 && k < 2 + i % 3; k++)
            picker_peer_has(b.p, i);
    picker_peer_has(b.p, 40);
    piece_fetch(b.p, 0, &b.all);                         // the first two come by chance
    piece_fetch(b.p, 0, &b.all);
    CHECK_INT(picker_availability(b.p, 17), 2);
    int32_t expected = bitfield_has(picker_have(b.p), 17) ? 40 : 17;
    if (!bitfield_has(picker_have(b.p), expected)) {
        picker_explained why = picker_why(b.p, 0, &b.all, 1);
        CHECK(why.piece == expected && why.reason == PICKER_WHY_RAREST && why.equals == 1);
        CHECK_INT(picker_look(b.p).rarest, why.availability);
        CHECK_INT(piece_fetch(b.p, 0, &b.all), expected);
    }
    bench_free(&b);
}

// Where a peer has little that is gone through, else the places are met in order: either way it is the rarest.
TEST(whatever_a_peer_has_its_rarest_piece_is_asked_for)
{
    uint64_t chance = 3;
    for (int turn = 0; turn < 300; turn++) {
        bench b = bench_make((uint64_t)turn + 1);
        int32_t pieces = 1 + (int32_t)(test_random(&chance) % (turn % 2 ? 4 : PIECES - 8)), least = INT32_MAX;
        for (int32_t i = 0; i < 6 * PIECES; i++)
            picker_peer_has(b.p, (int32_t)(test_random(&chance) % PIECES));
        for (int32_t i = 0; i < PICKER_RANDOM_FIRST; i++)
            picker_piece_done(b.p, i);                       // then none is taken at random any more
        for (int32_t i = 0; i < pieces; i++)
            bitfield_add(&b.some, PICKER_RANDOM_FIRST + (int32_t)(test_random(&chance) % (PIECES - PICKER_RANDOM_FIRST)));
        picker_peer_bitfield(b.p, &b.some);
        for (int32_t i = bitfield_next(&b.some, 0, true); i >= 0; i = bitfield_next(&b.some, i + 1, true))
            least = picker_availability(b.p, i) < least ? picker_availability(b.p, i) : least;
        picker_block x = {0};
        picker_explained why = picker_why(b.p, 0, &b.some, 1);
        CHECK_ROW(turn, why.reason == (least == 1 ? PICKER_WHY_ONLY : PICKER_WHY_RAREST));
        CHECK_ROW(turn, picker_choose(b.p, 0, &b.some, 1, 1, &x) == 1 && bitfield_has(&b.some, x.piece));
        CHECK_ROW(turn, picker_availability(b.p, x.piece) == least && x.piece == why.piece);
        bench_free(&b);
    }
}

TEST(equals_come_in_another_order_for_another_seed)
{
    int same = 0;
    for (uint64_t seed = 0; seed < 20; seed++) {
        bench a = bench_make(seed), b = bench_make(seed + 100);
        same += piece_fetch(a.p, 0, &a.all) == piece_fetch(b.p, 0, &b.all);
        bench_free(&a), bench_free(&b);
    }
    CHECK(same < 6);
}

TEST(what_is_begun_is_finished_first)
{
    bench b = bench_make(3);
    for (int i = 0; i < 3; i++)
        picker_peer_bitfield(b.p, &b.all);
    picker_block x[2], y[2];
    CHECK_INT(picker_choose(b.p, 0, &b.all, 2, 1, x), 2);
    CHECK_INT(picker_choose(b.p, 1, &b.all, 2, 1, y), 2);
    CHECK_INT(x[0].piece, y[0].piece);
    CHECK_INT(y[0].begin, 2 * PICKER_BLOCK_BYTES);
    CHECK(picker_why(b.p, 2, &b.all, 1).piece != x[0].piece);        // all its blocks are asked for
    bench_free(&b);
}

TEST(what_only_this_peer_has_comes_before_what_is_begun)
{
    bench b = bench_make(4);
    for (int i = 0; i < 5; i++)
        picker_peer_has(b.p, 9);
    picker_block x[BLOCKS];
    bitfield_add(&b.some, 9);
    CHECK_INT(picker_choose(b.p, 1, &b.some, 1, 1, x), 1);
    picker_peer_has(b.p, 30);
    bitfield_add(&b.some, 30);
    picker_explained why = picker_why(b.p, 2, &b.some, 1);
    CHECK(why.piece == 30 && why.reason == PICKER_WHY_ONLY && why.availability == 1);
    CHECK_INT(picker_choose(b.p, 2, &b.some, 2, 1, x), 2);
    CHECK_INT(x[0].piece, 30);
    why = picker_why(b.p, 2, &b.some, 1);                // and is finished before the other is gone on with
    CHECK(why.piece == 30 && why.reason == PICKER_WHY_ONLY);
    bench_free(&b);
}

TEST(what_others_were_asked_for_cannot_be_asked)
{
    bench b = bench_make(6);
    picker_block x[BLOCKS];
    picker_peer_has(b.p, 9);
    picker_peer_has(b.p, 9);
    bitfield_add(&b.some, 9);
    CHECK(picker_askable(b.p, 2, &b.some, 9, 1) && picker_askable(b.p, 2, &b.some, -1, 1) && !picker_askable(b.p, 2, &b.some, PICKER_PIECES_MAX, 1));
    CHECK_INT(picker_choose(b.p, 1, &b.some, BLOCKS, 1, x), BLOCKS);
    CHECK(!picker_askable(b.p, 2, &b.some, 9, 1) && !picker_askable(b.p, 2, &b.some, -1, 1));
    picker_returned(b.p, 1, x[0]);
    CHECK(picker_askable(b.p, 2, &b.some, 9, 1) && picker_askable(b.p, 2, &b.some, -1, 1));
    bench_free(&b);
}

TEST(suggestions_are_followed_until_the_choke)
{
    bench b = bench_make(5);
    for (int i = 0; i < 3; i++)
        picker_peer_bitfield(b.p, &b.all);
    picker_suggest(b.p, 4, 21);
    picker_suggest(b.p, 4, PIECES);                      // nonsense
    CHECK(picker_why(b.p, 4, &b.all, 1).piece == 21 && picker_why(b.p, 4, &b.all, 1).reason == PICKER_WHY_SUGGESTED);
    CHECK(picker_why(b.p, 4, &b.none, 1).reason == PICKER_WHY_NOTHING);
    picker_returned_all(b.p, 4);
    CHECK(picker_why(b.p, 4, &b.all, 1).reason != PICKER_WHY_SUGGESTED);
    bench_free(&b);
}

TEST(sequential_and_priorities)
{
    bench b = bench_make(6);
    picker_sequential(b.p, true);
    for (int i = 0; i < 5; i++)
        CHECK_INT(piece_fetch(b.p, 0, &b.all), i);
    picker_priority_set(b.p, 50, PICKER_HIGH);
    picker_priority_set(b.p, 5, PICKER_LOW);
    picker_priority_set(b.p, 6, PICKER_SKIP);
    CHECK_INT(piece_fetch(b.p, 0, &b.all), 50);
    CHECK_INT(piece_fetch(b.p, 0, &b.all), 7);
    for (int i = 0; i < PIECES - 9; i++)
        piece_fetch(b.p, 0, &b.all);
    CHECK_INT(piece_fetch(b.p, 0, &b.all), 5);
    picker_state s = picker_look(b.p);
    CHECK(s.complete && s.wanted == 0 && s.have == PIECES - 1);
    bitfield_add(&b.some, 6);
    CHECK(!picker_wants(b.p, &b.some));
    picker_priority_set(b.p, 6, PICKER_NORMAL);
    CHECK(picker_wants(b.p, &b.some) && !picker_look(b.p).complete);
    bench_free(&b);
}

TEST(skipping_forgets_what_is_open)
{
    bench b = bench_make(7);
    picker_block x[2];
    picker_choose(b.p, 3, &b.all, 2, 1, x);
    picker_priority_set(b.p, x[0].piece, PICKER_SKIP);
    CHECK_INT(picker_asked_of(b.p, 3), 0);
    CHECK(receive(b.p, 3, x[0]) == PICKER_UNWANTED);
    CHECK_INT(picker_look(b.p).wanted, PIECES - 1);
    bench_free(&b);
}

TEST(deadlines_come_first_and_urgent_ones_twice)
{
    bench b = bench_make(8);
    const int64_t now = 1000000000;
    CHECK(picker_deadline_set(b.p, 33, now + 60 * now) && picker_deadline_set(b.p, 12, now + 30 * now));
    picker_block x[BLOCKS + 1];
    CHECK_INT(picker_choose(b.p, 0, &b.all, BLOCKS + 1, now, x), BLOCKS + 1);
    CHECK(x[0].piece == 12 && x[BLOCKS].piece == 33);
    CHECK(picker_why(b.p, 1, &b.all, now).piece == 33);              // the rest of it; 12 is not urgent yet
    CHECK_INT(picker_choose(b.p, 1, &b.all, 1, 30 * now, x), 1);
    CHECK(x[0].piece == 12);
    int cancel[PICKER_ASKED_MAX], cancels;
    CHECK(picker_received(b.p, 1, x[0], cancel, &cancels) == PICKER_TAKEN);
    CHECK(cancels == 1 && cancel[0] == 0);
    picker_piece_done(b.p, 12);
    CHECK(!picker_deadline_set(b.p, 12, now));
    CHECK(picker_deadline_set(b.p, 33, 0));
    bench_free(&b);
}

TEST(whole_runs_are_of_pieces_nobody_was_asked_for)
{
    bench b = bench_make(11);
    picker_block x[2];
    int32_t first;
    picker_sequential(b.p, true);
    CHECK_INT(picker_choose(b.p, 0, &b.all, 2, 1, x), 2);            // of piece 0
    CHECK(picker_take_run(b.p, 1, 5, &first) == 5 && first == 1);
    CHECK_INT(picker_asked_of(b.p, 1), 5 * BLOCKS);
    CHECK(picker_deadline_set(b.p, 40, 5) && picker_take_run(b.p, 2, 3, &first) == 3 && first == 40);
    picker_priority_set(b.p, 8, PICKER_SKIP);
    CHECK(picker_take_run(b.p, 2, 5, &first) == 2 && first == 6);    // 8 is not wanted
    picker_returned_all(b.p, 1);
    CHECK(picker_asked_of(b.p, 1) == 0 && picker_take_run(b.p, 2, 9, &first) == 5 && first == 1);
    while (picker_take_run(b.p, 3, PIECES, &first) > 0 && first != 0)
        continue;
    CHECK(first == 0 && receive(b.p, 0, x[0]) == PICKER_TAKEN);      // at the end: what others have begun, once
    CHECK(receive(b.p, 3, x[1]) == PICKER_TAKEN && receive(b.p, 0, x[1]) == PICKER_UNWANTED);
    bench_free(&b);
}

TEST(a_source_that_steers_is_asked_for_what_it_suggests)
{
    bench b = bench_make(9);
    picker_block x[PIECES * BLOCKS];
    picker_peer_bitfield(b.p, &b.all);
    picker_steers(b.p, 0, true);
    CHECK_INT(picker_choose(b.p, 0, &b.all, BLOCKS, 1, x), 0);
    CHECK(!picker_askable(b.p, 0, &b.all, -1, 1));
    picker_suggest(b.p, 0, 7);
    CHECK_INT(picker_choose(b.p, 0, &b.all, 3 * BLOCKS, 1, x), BLOCKS);      // that piece and no other
    for (int i = 0; i < BLOCKS; i++)
        CHECK_INT(x[i].piece, 7);
    picker_returned(b.p, 0, x[2]);
    CHECK_INT(picker_choose(b.p, 0, &b.all, 3 * BLOCKS, 1, x), 1);           // the rest of what was begun
    CHECK_INT(x[0].piece, 7);
    picker_suggest(b.p, 0, 8);
    picker_suggestions_forget(b.p, 0);
    picker_steers(b.p, 0, true);
    CHECK_INT(picker_choose(b.p, 0, &b.all, BLOCKS, 1, x), 0);
    for (int32_t i = 0; i < PIECES; i++)                 // everything is somewhere else, too: it is asked as others are
        picker_peer_has(b.p, i);
    CHECK_INT(picker_choose(b.p, 0, &b.all, BLOCKS, 1, x), BLOCKS);
    picker_steers(b.p, 0, false);
    bench_free(&b);
}

TEST(who_does_not_steer_is_asked_for_what_only_it_has)
{
    bench b = bench_make(9);
    picker_block x[BLOCKS];
    picker_peer_bitfield(b.p, &b.all);
    CHECK_INT(picker_choose(b.p, 0, &b.all, BLOCKS, 1, x), BLOCKS);
    bench_free(&b);
}

TEST(endgame_asks_twice_and_cancels)
{
    bench b = bench_make(9);
    for (int i = 0; i < PIECES - 1; i++)
        picker_priority_set(b.p, i, PICKER_SKIP);
    picker_block x[4], y[4], z[4];
    CHECK_INT(picker_choose(b.p, 0, &b.all, 4, 1, x), 2);
    CHECK(picker_look(b.p).endgame);
    CHECK_INT(picker_choose(b.p, 0, &b.all, 4, 1, y), 0);            // never twice of the same peer
    CHECK_INT(picker_choose(b.p, 1, &b.all, 4, 1, y), 2);
    CHECK(picker_choose(b.p, 2, &b.all, 4, 1, z) == 2 && picker_choose(b.p, 3, &b.all, 4, 1, z) == 0);
    int cancel[PICKER_ASKED_MAX], cancels;
    CHECK(picker_received(b.p, 1, x[0], cancel, &cancels) == PICKER_TAKEN);
    CHECK_INT(cancels, 2);
    CHECK(receive(b.p, 0, x[0]) == PICKER_UNWANTED);
    CHECK(picker_received(b.p, 2, x[1], cancel, &cancels) == PICKER_WHOLE);
    for (int i = 0; i < 4; i++)
        CHECK_INT(picker_asked_of(b.p, i), 0);
    picker_piece_done(b.p, PIECES - 1);
    CHECK(picker_look(b.p).complete);
    bench_free(&b);
}

TEST(a_failed_piece_is_asked_of_one_alone)
{
    bench b = bench_make(10);
    picker_block x[BLOCKS], y[BLOCKS];
    picker_choose(b.p, 0, &b.all, 2, 1, x);
    picker_choose(b.p, 1, &b.all, 2, 1, x + 2);
    int32_t piece = x[0].piece;
    for (int i = 0; i < BLOCKS; i++)
        CHECK(receive(b.p, i / 2, x[i]) == (i == BLOCKS - 1 ? PICKER_WHOLE : PICKER_TAKEN));
    int senders[8];
    CHECK_INT(picker_piece_failed(b.p, piece, senders, 8), 2);
    CHECK(senders[0] + senders[1] == 1);
    CHECK(picker_choose(b.p, 1, &b.all, 2, 1, y) == 2 && y[0].piece == piece);
    CHECK(picker_choose(b.p, 0, &b.all, 1, 1, y) == 1 && y[0].piece != piece);
    CHECK(receive(b.p, 1, (picker_block){piece, 0, PICKER_BLOCK_BYTES}) == PICKER_TAKEN);
    picker_peer_bitfield(b.p, &b.all);
    picker_peer_gone(b.p, 1, &b.all);                    // what it sent is not mixed with another's
    CHECK(!picker_block_there(b.p, (picker_block){piece, 0, PICKER_BLOCK_BYTES}));
    CHECK(picker_choose(b.p, 2, &b.all, BLOCKS, 1, y) == BLOCKS);
    CHECK(y[0].piece == piece || y[BLOCKS - 1].piece == piece);
    bench_free(&b);
}

TEST(found_blocks_need_not_be_asked_for)
{
    bench b = bench_make(11);
    CHECK(picker_block_found(b.p, (picker_block){20, 0, PICKER_BLOCK_BYTES}));
    CHECK(!picker_block_found(b.p, (picker_block){20, 0, PICKER_BLOCK_BYTES}));
    CHECK(!picker_block_found(b.p, (picker_block){20, 1, PICKER_BLOCK_BYTES}));
    CHECK(!picker_block_found(b.p, (picker_block){PIECES, 0, PICKER_BLOCK_BYTES}));
    picker_block x[BLOCKS];
    CHECK_INT(picker_choose(b.p, 0, &b.all, BLOCKS, 1, x), BLOCKS);
    CHECK(x[0].piece == 20 && x[0].begin == PICKER_BLOCK_BYTES);
    bench_free(&b);
}

TEST(a_piece_that_is_given_back_is_ranked_again)
{
    bench b = bench_make(12);
    picker_block x[2];
    picker_choose(b.p, 0, &b.all, 2, 1, x);
    picker_returned(b.p, 0, x[0]);
    CHECK_INT(picker_look(b.p).open, 1);
    picker_returned(b.p, 0, x[1]);
    CHECK_INT(picker_look(b.p).open, 0);
    CHECK(receive(b.p, 0, x[0]) == PICKER_UNWANTED);
    picker_piece_done(b.p, 3);
    picker_piece_lost(b.p, 3);
    CHECK(picker_look(b.p).have == 0 && picker_look(b.p).wanted == PIECES);
    bench_free(&b);
}

// ---- against a plain model: peers come, go, say HAVE, choke, send, lie ----------------------------------------------------

typedef struct {
    bench    b;
    bitfield has[PEERS];
    bool     here[PEERS];
    picker_block asked[PEERS][PIECES * BLOCKS];
    int      asked_count[PEERS];
    uint64_t chance;
} shadow;

static int below(shadow *s, int n) { return (int)(test_random(&s->chance) % (uint64_t)n); }

static void shadow_drop(shadow *s, int peer, int i) { s->asked[peer][i] = s->asked[peer][--s->asked_count[peer]]; }

static void shadow_receive(shadow *s, int peer)
{
    int i = below(s, s->asked_count[peer]);
    picker_block x = s->asked[peer][i];
    int cancel[PICKER_ASKED_MAX], cancels;
    picker_receipt got = picker_received(s->b.p, peer, x, cancel, &cancels);
    CHECK(got != PICKER_UNWANTED);
    shadow_drop(s, peer, i);
    for (int c = 0; c < cancels; c++)
        for (int k = 0; k < s->asked_count[cancel[c]]; k++)
            if (s->asked[cancel[c]][k].piece == x.piece && s->asked[cancel[c]][k].begin == x.begin)
                shadow_drop(s, cancel[c], k--);
    if (got == PICKER_WHOLE && below(s, 10)) {
        picker_piece_done(s->b.p, x.piece);
    } else if (got == PICKER_WHOLE) {
        int senders[PEERS];
        CHECK(picker_piece_failed(s->b.p, x.piece, senders, PEERS) >= 1);
    }
}

static void shadow_step(shadow *s)
{
    picker *p = s->b.p;
    int peer = below(s, PEERS), piece = below(s, PIECES);
    switch (below(s, 12)) {
    case 0:
        if (!s->here[peer]) {
            for (int i = below(s, 4) ? below(s, PIECES) : PIECES; i > 0; i--)
                bitfield_add(&s->has[peer], i == PIECES || s->has[peer].set ? i - 1 : below(s, PIECES));
            picker_peer_bitfield(p, &s->has[peer]);
            s->here[peer] = true;
        }
        break;
    case 1:
        if (s->here[peer] && below(s, 4) == 0) {
            picker_peer_gone(p, peer, &s->has[peer]);
            s->asked_count[peer] = 0;
            while (s->has[peer].set)
                bitfield_remove(&s->has[peer], bitfield_next(&s->has[peer], 0, true));
            s->here[peer] = false;
        }
        break;
    case 2: case 3:
        if (s->here[peer] && !bitfield_has(&s->has[peer], piece)) {
            picker_peer_has(p, piece);
            bitfield_add(&s->has[peer], piece);
        }
        break;
    case 4:
        if (s->here[peer] && below(s, 3) == 0) {
            picker_returned_all(p, peer);
            s->asked_count[peer] = 0;
        }
        break;
    case 5:
        if (s->asked_count[peer]) {
            picker_returned(p, peer, s->asked[peer][0]);
            shadow_drop(s, peer, 0);
        }
        break;
    case 6:
        picker_suggest(p, peer, piece);
        break;
    default:
        if (s->asked_count[peer] && below(s, 2)) {
            shadow_receive(s, peer);
        } else if (s->here[peer]) {
            int n = picker_choose(p, peer, &s->has[peer], 1 + below(s, 6), 1, s->asked[peer] + s->asked_count[peer]);
            for (int i = 0; i < n; i++) {
                picker_block x = s->asked[peer][s->asked_count[peer] + i];
                CHECK(bitfield_has(&s->has[peer], x.piece) && !bitfield_has(picker_have(p), x.piece));
                for (int k = 0; k < s->asked_count[peer] + i; k++)
                    CHECK(s->asked[peer][k].piece != x.piece || s->asked[peer][k].begin != x.begin);
            }
            s->asked_count[peer] += n;
        }
    }
}

TEST(picker_keeps_its_books)
{
    for (int run = 0; run < 40; run++) {
        static shadow s;                                     // large
        memset(&s, 0, sizeof s);
        s.b = bench_make((uint64_t)run);
        s.chance = (uint64_t)run * 977;
        for (int i = 0; i < PEERS; i++)
            CHECK(bitfield_make(&s.b.memory, PIECES, &s.has[i]));
        for (int step = 0; step < 1500; step++) {
            shadow_step(&s);
            int64_t piece = below(&s, PIECES), availability = 0;
            for (int i = 0; i < PEERS; i++) {
                availability += bitfield_has(&s.has[i], (int32_t)piece);
                CHECK_ROW(run, picker_asked_of(s.b.p, i) == s.asked_count[i]);
            }
            CHECK_ROW(run, picker_availability(s.b.p, (int32_t)piece) == availability);
            picker_state k = picker_look(s.b.p);
            CHECK_ROW(run, k.have + k.wanted == PIECES && k.open <= k.wanted);
        }
        bench_free(&s.b);
    }
}

TEST(a_full_peer_always_gives_until_all_is_asked_for)
{
    bench b = bench_make(13);
    picker_block x[1];
    int n = 0;
    while (picker_choose(b.p, n % 3, &b.all, 1, 1, x)) {
        receive(b.p, n % 3, x[0]);
        n++;
    }
    CHECK_INT(n, (PIECES - 1) * BLOCKS + 2);
    bench_free(&b);
}
