#include "test.h"
#include <string.h>

#include "rt/conn_play_test.h"
#include "rt/pages.h"

enum { BLOCK = 1 << 20, BLOCKS = 3, TOTAL = BLOCK * 2 + 12345 };

typedef struct { addr at; int64_t wrong, got; bool heard_head; } hearer;

// Reads slowly at first, so that the sender meets a full socket.
static void hear(void *arg)
{
    hearer *h = arg;
    conn *c = conn_open(world_here(), h->at, seconds(60));
    char head[4];
    conn_deadline(c, seconds(60));
    h->heard_head = conn_read(c, head, 4) && memcmp(head, "head", 4) == 0;
    fiber_sleep(millis(50));
    for (str some; (some = conn_some(c)).len; conn_used(c, (size_t)some.len))
        for (ptrdiff_t i = 0; i < some.len; i++, h->got++)
            h->wrong += some.at[i] != (unsigned char)(h->got % 251);
    conn_close(c);
}

// A block that was handed over and given back is overwritten at once: the peer reads what was sent.
static void blocks_send(world *w, conn *c, pages *p)
{
    (void)w;
    for (int64_t at = 0; at < TOTAL; ) {
        unsigned char *block = pages_take(p);
        CHECK(block != NULL);
        if (!block)
            return;
        int64_t n = TOTAL - at < BLOCK ? TOTAL - at : BLOCK;
        for (int64_t i = 0; i < n; i++)
            block[i] = (unsigned char)((at + i) % 251);
        str parts[] = {at == 0 ? S("head") : (str){0}, str_of(block, (size_t)n)};
        conn_put_pages(c, parts, 2, p);
        pages_give(p, block);
        unsigned char *again = pages_take(p);
        CHECK(again && again[0] == 0);
        memset(again, 0xee, BLOCK);
        pages_give(p, again);
        at += n;
    }
}

static void pages_go_whole(world *w)
{
    pages *p = pages_new(w, BLOCK, BLOCKS);
    sock *l, *s;
    addr peer, local, any = addr_v4(0x7f000001, 0);
    CHECK(p != NULL);
    if (!p || sock_listen(w, any, (listen_options){0}, &l) != E_OK)
        return;
    hearer h = {.at = sock_local(l)};
    scope hearing;
    scope_open(&hearing, 0, 1);
    scope_go(&hearing, "hearer", hear, &h);
    while (sock_accept(l, &s, &peer, &local) == E_AGAIN)
        sock_wait(l, WAIT_READ, loop_now_ns() + seconds(60));
    conn *c = conn_of(s, peer, local);
    conn_deadline(c, seconds(60));
    blocks_send(w, c, p);
    conn_close(c);
    scope_wait(&hearing);
    scope_close(&hearing);
    CHECK(h.heard_head);
    CHECK_INT(h.got, TOTAL);
    CHECK_INT(h.wrong, 0);
    sock_close(l);
    pages_free(p);
}

TEST(pages_go_to_a_socket_as_they_were) { play_real(pages_go_whole); }

static void pages_have_a_ceiling(world *w)
{
    pages *p = pages_new(w, 4096, 2);
    void *a = pages_take(p), *b = pages_take(p);
    CHECK(a && b && a != b);
    CHECK(pages_take(p) == NULL);
    memset(a, 1, 4096);
    pages_give(p, a);
    unsigned char *again = pages_take(p);
    CHECK(again == a && again[0] == 0 && again[4095] == 0);
    pages_free(p);
}

TEST(pages_are_as_many_as_was_said) { play_real(pages_have_a_ceiling); }

static void no_pages(world *w) { CHECK(pages_new(w, 4096, 1) == NULL); }

TEST(pages_are_not_simulated) { play_simulated(no_pages); }
