#include "rt/shared.h"

#include <string.h>

#include "base/heap_memory.h"
#include "rt/conn.h"
#include "rt/listener.h"
#include "rt/scope.h"
#include "rt/sim.h"
#include "rt/sim_image.h"
#include "rt/worker.h"
#include "test.h"

enum { BLOCK = SHARED_BLOCK_BYTES };

TEST(shared_block_that_others_hold_is_written_as_a_copy)
{
    unsigned char *a = shared_block_new();
    CHECK(a[0] == 0 && a[BLOCK - 1] == 0 && shared_is_block(a) && !shared_is_block(a + 1));
    CHECK(shared_block_own(a) == a);
    memset(a, 'a', BLOCK);
    str held = str_of(a + 10, 20);
    CHECK(shared_hold(held));
    unsigned char *b = shared_block_own(a);
    CHECK(b != a && b[5] == 'a');
    b[12] = 'b';
    CHECK(held.at[2] == 'a');
    shared_drop(held);
    CHECK(!shared_is(held) && !shared_hold(held));
    shared_block_drop(b);
    unsigned char own[8] = {0};
    CHECK(!shared_hold(str_of(own, sizeof own)) && !shared_is(str_of(own, sizeof own)));
    shared_drop(str_of(own, sizeof own));
}

// In each row a range is held, made longer and skipped in steps that end within and at the borders of blocks.
TEST(shared_ranges_hold_each_block_once)
{
    static const struct { int first, second, skip; } rows[] = {
        {100, 50, 20}, {BLOCK, BLOCK, BLOCK}, {BLOCK - 1, 2, BLOCK}, {BLOCK + 1, BLOCK - 1, 2 * BLOCK}, {3 * BLOCK, 1, 2 * BLOCK + 5}, {1, 3 * BLOCK, 1},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        unsigned char *blocks[4];
        for (int k = 0; k < 4; k++)
            blocks[k] = shared_block_new();
        for (int k = 1; k < 4; k++)
            CHECK_ROW(i, blocks[k] == blocks[0] + k * BLOCK);            // nothing else is shared in this test
        str held = {0};
        CHECK_ROW(i, shared_extend(&held, str_of(blocks[0], (size_t)rows[i].first)));
        CHECK_ROW(i, !shared_extend(&held, str_of(blocks[0] + rows[i].first + 1, 1)));
        CHECK_ROW(i, shared_extend(&held, str_of(blocks[0] + rows[i].first, (size_t)rows[i].second)));
        CHECK_INT(held.len, rows[i].first + rows[i].second);
        for (int k = 3; k >= 0; k--)
            shared_block_drop(blocks[k]);
        shared_skip(&held, rows[i].skip);
        for (int k = 0; k < 4; k++)
            CHECK_ROW(i, shared_is_block(blocks[k]) == (held.len > 0 && (k + 1) * BLOCK > rows[i].skip && k * BLOCK < rows[i].first + rows[i].second));
        shared_drop(held);
        for (int k = 0; k < 4; k++)
            CHECK_ROW(i, !shared_is_block(blocks[k]));
    }
}

TEST(image_takes_whole_shared_blocks_and_copies_the_rest)
{
    image a = {0}, b = {0};
    unsigned char *bytes = memory_new(BLOCK), *back = memory_new(3 * BLOCK);
    str lent;
    memset(bytes, 'x', BLOCK);
    image_write(&a, 0, bytes, BLOCK);
    CHECK(image_lend(&a, 0, BLOCK, &lent));
    image_write(&b, BLOCK, lent.at, BLOCK);                              // at its place: the same block
    image_write(&b, 2 * BLOCK + 1, lent.at, 10);                         // a part: a copy
    CHECK(b.blocks[0] == NULL && b.blocks[1] == a.blocks[0] && b.blocks[2] != a.blocks[0]);
    image_write(&a, 5, (const unsigned char *)"y", 1);
    CHECK(lent.at[5] == 'x' && a.blocks[0][5] == 'y' && b.blocks[1][5] == 'x');
    shared_drop(lent);
    image_read(&b, 0, back, b.size);
    CHECK_INT(b.size, 2 * BLOCK + 11);
    CHECK(back[0] == 0 && back[BLOCK] == 'x' && back[2 * BLOCK] == 0 && back[2 * BLOCK + 10] == 'x');
    image_resize(&b, BLOCK + 3);
    image_resize(&b, 3 * BLOCK);                                         // what was cut off is zeros
    image_read(&b, 0, back, b.size);
    CHECK(back[BLOCK + 2] == 'x' && back[BLOCK + 3] == 0 && back[2 * BLOCK + 5] == 0);
    image_copy(&a, &b);
    CHECK(a.size == b.size && a.blocks[1] == b.blocks[1] && a.blocks[2] == NULL);
    CHECK(!image_lend(&a, 0, BLOCK, &lent));                             // a hole
    image_free(&a);
    image_free(&b);
    memory_free(bytes);
    memory_free(back);
}

// ---- from a disk through a stream to another disk ------------------------------------------------------------------------

typedef struct {
    sim   *sim;
    world *a, *b;
    addr   at_a, at_b;
    str    lent, came;                       // as a sent it, as b's reader saw it
    file  *file_b;
    int64_t computed_ns;
    int    sum;
} passage;

enum { FILE_BYTES = 4 * BLOCK };

static void film_put(void *arg)
{
    passage *p = arg;
    unsigned char *bytes = memory_new(BLOCK);
    file *f;
    CHECK_INT(file_open(p->a, "/film", FILE_READ | FILE_WRITE | FILE_CREATE, 0600, &f), E_OK);
    for (int i = 0; i < FILE_BYTES / BLOCK; i++) {
        memset(bytes, 'a' + i, BLOCK);
        CHECK_INT(file_write(f, i * BLOCK, &(struct iovec){bytes, BLOCK}, 1), E_OK);
    }
    CHECK_INT(file_lend(f, 0, FILE_BYTES + 1, &p->lent), E_UNSUPPORTED);
    CHECK_INT(file_lend(f, 0, FILE_BYTES, &p->lent), E_OK);
    CHECK_INT(file_write(f, 0, &(struct iovec){bytes, 1}, 1), E_OK);     // what was lent does not change
    file_close(f);
    memory_free(bytes);
}

static void film_take(void *arg)
{
    passage *p = arg;
    file *f;
    CHECK_INT(file_open(p->b, "/film", FILE_READ | FILE_WRITE | FILE_CREATE, 0600, &f), E_OK);
    CHECK_INT(file_write(f, 0, &(struct iovec){(void *)(uintptr_t)p->came.at, (size_t)p->came.len}, 1), E_OK);
    CHECK_INT(file_sync(f), E_OK);
    file_close(f);
}

static void serve(conn *c, void *arg)
{
    passage *p = arg;
    char word[4];
    CHECK(conn_read(c, word, 4) && !memcmp(word, "head", 4));
    for (str some; (some = conn_some(c)).len; ) {
        CHECK(some.at >= p->lent.at && some.at + some.len <= p->lent.at + p->lent.len);
        CHECK(shared_extend(&p->came, some));
        conn_used(c, (size_t)some.len);
    }
}

static void pass(void *arg)
{
    passage *p = arg;
    door *d;
    SCOPE(s, 0, 4);
    fiber_world(p->b);
    CHECK_INT(door_open(&s, p->b, (door_options){.service = "t", .at = addr_with_port(p->at_b, 25)}, serve, p, &d), E_OK);
    fiber_world(p->a);
    work(film_put, p);
    conn *c = conn_open(p->a, addr_with_port(p->at_b, 25), seconds(5));
    conn_put(c, S("head"));
    conn_put(c, p->lent);
    conn_close(c);
    fiber_world(p->b);
    (void)fiber_sleep(seconds(5));
    CHECK_INT(p->came.len, FILE_BYTES);
    work(film_take, p);
    shared_drop(p->lent);
    shared_drop(p->came);
    scope_cancel(&s);
}

static void film_check(void *arg)
{
    passage *p = arg;
    file *f;
    str found = {0};
    CHECK_INT(file_open(p->b, "/film", FILE_READ | FILE_WRITE, 0600, &f), E_OK);
    CHECK_INT(file_lend(f, 0, FILE_BYTES, &found), E_OK);
    for (int i = 0; i < FILE_BYTES / BLOCK; i++)
        CHECK_ROW(i, found.at[i * BLOCK] == 'a' + i && found.at[i * BLOCK + BLOCK - 1] == 'a' + i);
    shared_drop(found);
    file_close(f);
}

static void pass_first(void *arg)
{
    passage *p = arg;
    pass(p);
    fiber_world(p->b);
    work(film_check, p);
}

static passage passage_new(uint64_t seed)
{
    passage p = {.sim = sim_new(seed), .at_a = addr_v4(0x0a000001, 0), .at_b = addr_v4(0x0a000002, 0)};
    p.a = sim_host(p.sim, S("a"), &p.at_a, 1, (sim_disk){0});
    p.b = sim_host(p.sim, S("b"), &p.at_b, 1, (sim_disk){0});
    return p;
}

TEST(sim_lends_what_a_stream_carries_from_disk_to_disk)
{
    for (uint64_t seed = 1; seed <= 10; seed++) {
        passage p = passage_new(seed);
        CHECK_INT(sim_run(p.sim, pass_first, &p), E_OK);
        sim_free(p.sim);
    }
}

// ---- computing beside the loop -------------------------------------------------------------------------------------------

enum { COMPUTERS = 20, COMPUTE_MS = 3 };

static void compute(void *arg)
{
    int *number = arg;
    for (volatile int i = 0; i < 10000; i = i + 1)
        continue;
    *number *= 2;
}

static void then_add(void *arg)
{
    int *number = arg;
    CHECK(work_allowed());
    *number += 1;
}

static void computer(void *arg)
{
    passage *p = arg;
    int number = 20;
    work_computed(compute, millis(COMPUTE_MS), then_add, &number);
    CHECK_INT(sim_now_ns(p->sim), p->computed_ns);
    p->sum += number;
}

static void compute_first(void *arg)
{
    passage *p = arg;
    p->computed_ns = sim_now_ns(p->sim) + millis(COMPUTE_MS);
    SCOPE(s, 0, COMPUTERS);
    for (int i = 0; i < COMPUTERS; i++)
        scope_go(&s, "computer", computer, p);
    scope_wait(&s);
}

TEST(sim_computes_beside_the_loop_and_joins_at_a_virtual_instant)
{
    passage p = passage_new(1);
    CHECK_INT(sim_run(p.sim, compute_first, &p), E_OK);
    CHECK_INT(p.sum, COMPUTERS * 41);
    sim_free(p.sim);
    int number = 1;
    work_computed(compute, millis(1), then_add, &number);                // outside of loops both just run
    CHECK_INT(number, 3);
}
