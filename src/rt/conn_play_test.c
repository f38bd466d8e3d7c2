#include "rt/conn_play_test.h"

void test_tls_make(test_tls *t, world *w, const char *service)
{
    *t = (test_tls){.memory = arena_make(1 << 20)};
    str name = S("server.example"), why;
    must(certificate_authority_make(w, S("test authority"), 30, &t->memory, &t->ca));
    must(certificate_make(w, &t->ca, &name, 1, 20, &t->memory, &t->cert));
    t->server = tls_server_new(w, service, t->cert.cert_pem, t->cert.key_pem, NULL, &t->memory, &why);
    t->client = tls_client_new(w, t->ca.cert_pem, NULL, &t->memory, &why);
    must(t->server && t->client);
}

void test_tls_free(test_tls *t)
{
    tls_free(t->server);
    tls_free(t->client);
    arena_free(&t->memory);
}

typedef struct { conn *c; tls_config *config; bool ok; } handshake;

static void shake_hands(void *arg)
{
    handshake *h = arg;
    h->ok = conn_tls_accept(h->c, h->config);
}

static test_ends join_by_socket(world *w)
{
    sock *listener, *s;
    addr peer, local;
    test_ends e;
    must(sock_listen(w, addr_v4(0x7f000001, 0), (listen_options){0}, &listener) == E_OK);
    e.client = conn_open(w, sock_local(listener), seconds(60));
    must(e.client->error == E_OK);
    while (sock_accept(listener, &s, &peer, &local) == E_AGAIN)
        must(sock_wait(listener, WAIT_READ, loop_now_ns() + seconds(60)) == E_OK);
    e.server = conn_of(s, peer, local);
    sock_close(listener);
    return e;
}

test_ends test_join(world *w, joint by, test_tls *t)
{
    test_ends e;
    if (by == BY_PAIR) {
        conn_pair(&e.server, &e.client);
        return e;
    }
    e = join_by_socket(w);
    if (by == BY_TLS) {
        SCOPE(both, seconds(60), 1);
        handshake h = {e.server, t->server, false};
        must(scope_go(&both, "handshake", shake_hands, &h) == E_OK);
        CHECK(conn_tls_connect(e.client, t->client, S("server.example")));
        CHECK_INT(scope_wait(&both), E_OK);
        CHECK(h.ok);
    }
    return e;
}

void test_write(void *arg)
{
    test_writer *w = arg;
    for (str left = w->text; left.len > 0; left = str_from(left, w->piece)) {
        conn_put(w->c, str_first(left, w->piece));
        if (!conn_flush(w->c))
            return;
        fiber_yield();
    }
    if (!w->keep_open)
        conn_shutdown(w->c);
}
