// Plays a test in the real world and in the simulated one: the same code, the same expectations.
#pragma once
#include "base/must.h"
#include "rt/conn_inside.h"
#include "rt/listener.h"
#include "rt/loop.h"
#include "rt/sim.h"
#include "rt/tls.h"
#include "test.h"

typedef struct {
    world *world;
    void (*body)(world *w);
} play;

static inline void play_run(void *arg)
{
    play *p = arg;
    fiber_world(p->world);
    p->body(p->world);
}

static inline void play_real(void (*body)(world *w))
{
    world *w = world_linux_new(S("here"), NULL, 0);
    loop_driver *driver = driver_linux_new();
    play p = {w, body};
    CHECK_INT(loop_run(driver, w, play_run, &p), E_OK);
    driver_linux_free(driver);
    world_linux_free(w);
}

static inline void play_simulated(void (*body)(world *w))
{
    sim *s = sim_new(1);
    addr at = addr_v4(0x0a000001, 0);
    play p = {sim_host(s, S("here"), &at, 1, (sim_disk){0}), body};
    CHECK_INT(sim_run(s, play_run, &p), E_OK);
    sim_free(s);
}

static inline void play_both(void (*body)(world *w))
{
    play_real(body);
    play_simulated(body);
}

// What two ends are joined by.
typedef enum { BY_PAIR, BY_SOCKET, BY_TLS, BY_COUNT } joint;

// A server's and a client's configuration that trust each other; for "server.example".
typedef struct { tls_config *server, *client; arena memory; certificate ca, cert; } test_tls;
void test_tls_make(test_tls *t, world *w, const char *service);
void test_tls_free(test_tls *t);

// Two ends, already joined; both are closed by the caller. Over TLS the handshake is done.
typedef struct { conn *server, *client; } test_ends;
test_ends test_join(world *w, joint by, test_tls *t);

// On a fiber of `s`: writes the text to c in pieces of `piece` bytes, each sent on its own, then half-closes.
typedef struct { conn *c; str text; ptrdiff_t piece; bool keep_open; } test_writer;
void test_write(void *writer);
